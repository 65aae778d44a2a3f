//! Missing readings of the hub's host as reasons of a verdict: a rule that had nothing to judge has
//! not passed. Pure.

use super::host_spec::{HostMonitoring, HostSpec};
use crate::measure::{HostMetrics, Reason};

/// Shortest load in seconds that is judged: a shorter one may miss readings by its start time alone.
const MIN_SECONDS: f64 = 4.0;
/// Minimum share of the load's seconds with a reading, as for the servers' samples.
const MIN_READINGS_SHARE: f64 = 0.8;

/// Code of a reason for a host that was not read at all.
const NOT_READ_CODE: &str = "hub-not-read";
/// Text of the reason for a kind of hub whose host cannot be read.
const UNREADABLE: &str = "the hub's heat, load and memory were not read: nothing here can read its host \
                          (hubmark doctor PROFILE says what is missing)";

/// A reading that a host must have, and why it may be missing.
struct ExpectedReading {
    name: &'static str,
    is_read: fn(&HostMetrics) -> bool,
    cause: &'static str,
}

/// Readings of every Linux host.
const READINGS: [ExpectedReading; 5] = [
    ExpectedReading { name: "load", is_read: |one| one.busy_cores.is_some(), cause: "" },
    ExpectedReading {
        name: "available memory",
        is_read: |one| one.memory_available.is_some(),
        cause: "",
    },
    ExpectedReading {
        name: "memory pressure",
        is_read: |one| one.memory_stalled.is_some(),
        cause: " (the hub's kernel does not count it: boot it with psi=1)",
    },
    ExpectedReading { name: "swapping", is_read: |one| one.swapped.is_some(), cause: "" },
    ExpectedReading { name: "free disk space", is_read: |one| one.disk_free.is_some(), cause: "" },
];
/// Readings of a Raspberry Pi; other machines may have no such sensors.
const RASPBERRY_PI_READINGS: [ExpectedReading; 2] = [
    ExpectedReading {
        name: "temperature",
        is_read: |one| one.temperature.is_some(),
        cause: " (no thermal zone of the processor)",
    },
    ExpectedReading {
        name: "throttling and supply voltage",
        is_read: |one| one.throttle_bits.is_some() || one.under_voltage.is_some(),
        cause: " (the kernel has neither get_throttled nor rpi_volt)",
    },
];

/// Returns reasons for readings of the hub that are missing over a load of `seconds`.
pub fn missing_readings(metrics: &[HostMetrics], spec: &HostSpec, seconds: f64) -> Vec<Reason> {
    let reason = |code: &str, text| vec![Reason { code: code.into(), text }];
    match &spec.monitoring {
        HostMonitoring::Unavailable => return reason(NOT_READ_CODE, UNREADABLE.into()),
        HostMonitoring::Failed(why) => {
            return reason(
                NOT_READ_CODE,
                format!("the hub's heat, load and memory were not read: {why}"),
            );
        }
        HostMonitoring::Active => {}
    }
    if seconds < MIN_SECONDS {
        return Vec::new();
    }
    let expected = (seconds.floor() - 1.0) * MIN_READINGS_SHARE;
    if (metrics.len() as f64) < expected {
        return reason(
            "hub-readings-missing",
            format!(
                "hub readings missing: {} in {seconds:.0} s, too few to judge its heat, load and memory",
                metrics.len()
            ),
        );
    }
    let of_board: &[ExpectedReading] = if spec.raspberry_pi { &RASPBERRY_PI_READINGS } else { &[] };
    let never = READINGS.iter().chain(of_board).filter(|one| !metrics.iter().any(one.is_read));
    let named: Vec<_> = never.map(|one| format!("{}{}", one.name, one.cause)).collect();
    if named.is_empty() {
        return Vec::new();
    }
    reason("hub-readings-missing", format!("never read on the hub: {}", named.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        server::HubFacts,
        units::{Bytes, Celsius},
    };

    fn reading(second: u32) -> HostMetrics {
        HostMetrics {
            seconds: f64::from(second),
            temperature: Some(Celsius(50_000)),
            throttle_bits: Some(0),
            busy_cores: Some(1.0),
            memory_available: Some(Bytes(1)),
            memory_stalled: Some(0.0),
            swapped: Some(0.0),
            disk_free: Some(Bytes(1)),
            ..HostMetrics::default()
        }
    }

    fn spec(model: &str) -> HostSpec {
        let facts = HubFacts { model: Some(model.into()), ..HubFacts::default() };
        HostSpec { monitoring: HostMonitoring::Active, ..HostSpec::from_facts(&facts, None) }
    }

    const PI: &str = "Raspberry Pi 4 Model B Rev 1.4";

    fn texts(metrics: &[HostMetrics], spec: &HostSpec, seconds: f64) -> Vec<String> {
        let reasons = missing_readings(metrics, spec, seconds);
        reasons.into_iter().map(|one| format!("{}: {}", one.code, one.text)).collect()
    }

    #[test]
    fn too_few_readings_of_the_hub_are_a_reason() {
        let readings: Vec<_> = (1..=10).map(reading).collect();
        assert_eq!(texts(&readings, &spec(PI), 11.0), [""; 0]);
        let few = texts(&readings[..4], &spec(PI), 11.0);
        assert_eq!(few.len(), 1);
        assert!(
            few[0].starts_with("hub-readings-missing: hub readings missing: 4 in 11 s"),
            "{few:?}"
        );
        assert_eq!(texts(&[], &spec(PI), 2.0), [""; 0], "too short to be judged");
        let unreadable = texts(&[], &HostSpec::default(), 1.0);
        assert!(
            unreadable.len() == 1 && unreadable[0].starts_with("hub-not-read: "),
            "{unreadable:?}"
        );
    }

    #[test]
    fn a_reading_that_is_missing_over_the_whole_load_is_a_reason() {
        let without = |change: fn(&mut HostMetrics)| -> Vec<HostMetrics> {
            let mut all: Vec<_> = (1..=10).map(reading).collect();
            all.iter_mut().for_each(change);
            all
        };
        let pressure = without(|one| one.memory_stalled = None);
        let found = texts(&pressure, &spec(PI), 11.0);
        assert!(found[0].contains("memory pressure") && found[0].contains("psi=1"), "{found:?}");
        let cold = without(|one| one.temperature = None);
        assert!(texts(&cold, &spec(PI), 11.0)[0].contains("temperature"));
        assert_eq!(texts(&cold, &spec("QEMU Virtual Machine"), 11.0), [""; 0], "has no sensor");
        let mut once = without(|one| one.memory_stalled = None);
        once[3].memory_stalled = Some(0.0);
        assert_eq!(texts(&once, &spec(PI), 11.0), [""; 0]);
    }

    #[test]
    fn a_reader_that_did_not_start_is_a_reason() {
        let failed = HostMonitoring::Failed("no sh".into());
        let spec = HostSpec { monitoring: failed, ..HostSpec::default() };
        let found = texts(&[], &spec, 1.0);
        assert_eq!(found, ["hub-not-read: the hub's heat, load and memory were not read: no sh"]);
    }
}
