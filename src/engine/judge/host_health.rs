//! Health of the hub's host: judges its metrics second by second, and gives reasons for doubt. Its cost does
//! not grow with the length of a load. Pure.

use std::collections::VecDeque;

use super::{host_spec::HostSpec, spans::Spans, stolen::HubStolen};
use crate::{
    format::core_noun,
    measure::{HostMetrics, Reason},
    units::{Bytes, Celsius},
};

/// Share of the cores that other processes may use.
const MAX_OTHER_CPU_SHARE: f64 = 0.15;
/// Seconds over which the load of other processes is averaged, because the counters of servers and of
/// the host are read up to a second apart.
const OTHER_CPU_WINDOW: usize = 5;
/// Share of a second in which tasks may stall on memory.
const MAX_MEMORY_STALL_SHARE: f64 = 0.1;
/// Share of the memory that must be available.
const MIN_MEMORY_SHARE: f64 = 0.05;
/// Bytes per second from and to swap that are tolerated; a stray page is below it.
const MAX_SWAP_BYTES_PER_SECOND: f64 = 256.0 * 1024.0;
/// Share of the disk that must be free, unless [`SUFFICIENT_DISK`] is.
const MIN_DISK_SHARE: f64 = 0.05;
/// Free disk space that is sufficient whatever its share.
const SUFFICIENT_DISK: Bytes = Bytes(2_000_000_000);
/// Share of the highest clock below which a processor under the `performance` governor counts as throttled.
const MIN_CLOCK_SHARE: f64 = 0.9;
/// Bits of the firmware that report events since the hub's start.
const STICKY_BITS: u32 = 0b1111 << 16;

/// Health of a host over the seconds added so far.
#[derive(Debug, Clone)]
pub struct HostHealth {
    spec: HostSpec,
    /// Seconds in which each limit was exceeded.
    hot: Spans,
    throttled: Spans,
    under_voltage: Spans,
    slow_clock: Spans,
    stalled: Spans,
    low_memory: Spans,
    swapping: Spans,
    full_disk: Spans,
    /// The highest temperature.
    hottest: Option<Celsius>,
    sticky: StickyBits,
    other_load: OtherLoad,
    stolen: HubStolen,
}

/// The firmware's throttle bits.
#[derive(Debug, Clone, Default)]
struct StickyBits {
    /// Bits of the first second.
    first: Option<u32>,
    has_begun: bool,
    /// Bits of the last second, and its time.
    last: Option<u32>,
    last_second: f64,
    /// Whether a reading met throttling or under-voltage.
    seen: bool,
}

/// Load of other processes, judged by its mean over a window, because counters read at different times would
/// look like load.
#[derive(Debug, Clone, Default)]
struct OtherLoad {
    /// The last seconds: time, cores, and whether the time is among the exceeded ones.
    window: VecDeque<(f64, Option<f64>, bool)>,
    exceeded: Spans,
    /// Largest mean above the limit.
    most: f64,
}

impl HostHealth {
    /// The health of a host before its first second.
    pub fn new(spec: &HostSpec) -> Self {
        Self {
            spec: spec.clone(),
            hot: Spans::default(),
            throttled: Spans::default(),
            under_voltage: Spans::default(),
            slow_clock: Spans::default(),
            stalled: Spans::default(),
            low_memory: Spans::default(),
            swapping: Spans::default(),
            full_disk: Spans::default(),
            hottest: None,
            sticky: StickyBits::default(),
            other_load: OtherLoad::default(),
            stolen: HubStolen::default(),
        }
    }

    /// The health of a host over `metrics`.
    pub fn of(metrics: &[HostMetrics], spec: &HostSpec) -> Self {
        let mut health = Self::new(spec);
        health.extend(metrics);
        health
    }

    /// Adds seconds after all others.
    pub fn extend(&mut self, metrics: &[HostMetrics]) {
        for one in metrics {
            self.add(one);
        }
    }

    fn add(&mut self, one: &HostMetrics) {
        let spec = &self.spec;
        let note = |spans: &mut Spans, exceeded: bool| {
            if exceeded {
                spans.add(one.seconds);
            }
        };
        self.hottest = self.hottest.max(one.temperature);
        let is_hot = one.temperature.zip(spec.throttle_temperature);
        note(&mut self.hot, is_hot.is_some_and(|(now, limit)| now >= limit));
        note(&mut self.throttled, one.is_throttled() == Some(true));
        note(&mut self.under_voltage, one.under_voltage == Some(true));
        let clock = one.clock_mhz.zip(spec.full_clock_mhz);
        note(&mut self.slow_clock, clock.is_some_and(|(now, full)| now < MIN_CLOCK_SHARE * full));
        let stalled = one.memory_stalled.is_some_and(|share| share > MAX_MEMORY_STALL_SHARE);
        note(&mut self.stalled, stalled);
        let memory = one.memory_available.zip(spec.memory);
        let is_low =
            |(left, all): (Bytes, Bytes)| (left.0 as f64) < MIN_MEMORY_SHARE * all.0 as f64;
        note(&mut self.low_memory, memory.is_some_and(is_low));
        let swapping = one.swapped.is_some_and(|rate| rate > MAX_SWAP_BYTES_PER_SECOND);
        note(&mut self.swapping, swapping);
        let disk = one.disk_free.zip(spec.disk);
        note(&mut self.full_disk, disk.is_some_and(|(free, size)| free < least_free(size)));
        self.sticky.add(one);
        self.other_load.add(one, spec.cores);
        self.stolen.add(one, spec.cores);
    }

    /// Returns a reason for each limit that was exceeded, with the seconds at which it was.
    pub fn problems(&self) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let mut report = |code: &str, what: String, exceeded: &Spans| {
            if !exceeded.is_empty() {
                let text = format!("{what} {}", exceeded.describe());
                reasons.push(Reason { code: code.into(), text });
            }
        };
        let spec = &self.spec;
        let hottest = self.hottest.unwrap_or_default();
        let limit = spec.throttle_temperature.unwrap_or_default();
        let text = format!("the hub was as hot as {hottest}, its limit is {limit},");
        report("hub-hot", text, &self.hot);
        let text = "the hub's firmware lowered its clock";
        report("hub-throttled", text.into(), &self.throttled);
        let text = "the hub's supply voltage was too low";
        report("hub-under-voltage", text.into(), &self.under_voltage);
        if let Some(text) = self.sticky.problem() {
            let mut last = Spans::default();
            last.add(self.sticky.last_second);
            report("hub-throttled", text, &last);
        }
        let full = spec.full_clock_mhz.unwrap_or_default();
        let text = format!("the hub's clock was below its {full:.0} MHz");
        report("hub-throttled", text, &self.slow_clock);
        let cores = spec.cores.unwrap_or_default();
        let text = format!(
            "other processes used up to {:.2} of the hub's {cores:.0} {}",
            self.other_load.most,
            core_noun(cores)
        );
        report("hub-busy", text, &self.other_load.exceeded);
        report("hub-memory", "tasks on the hub waited for memory".into(), &self.stalled);
        let memory = spec.memory.unwrap_or_default();
        let text = format!("less than 5 % of the hub's {memory} of memory was left");
        report("hub-memory", text, &self.low_memory);
        let text = "the hub moved memory from and to swap";
        report("hub-swapping", text.into(), &self.swapping);
        let least = least_free(spec.disk.unwrap_or_default());
        let text = format!("less than {least} was free on the hub's disk");
        report("hub-disk-full", text, &self.full_disk);
        reasons
    }

    /// Returns a reason if the host lost too much of its time to its own host.
    pub fn stolen_problem(&self) -> Option<Reason> {
        self.stolen.problem()
    }
}

/// Space that must be free on a disk of `size`.
fn least_free(size: Bytes) -> Bytes {
    Bytes(((MIN_DISK_SHARE * size.0 as f64) as u64).min(SUFFICIENT_DISK.0))
}

impl StickyBits {
    fn add(&mut self, one: &HostMetrics) {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.first = one.throttle_bits;
        }
        (self.last, self.last_second) = (one.throttle_bits, one.seconds);
        self.seen |= one.throttle_bits.is_some_and(|bits| bits & 0b1111 != 0);
    }

    /// Reports throttling or under-voltage between two readings.
    fn problem(&self) -> Option<String> {
        let new = self.last? & STICKY_BITS & !self.first?;
        (new != 0 && !self.seen).then(|| {
            let what = if new & (1 << 16) != 0 { "under-voltage" } else { "a lowered clock" };
            format!("the hub's firmware recorded {what} between two readings, last read")
        })
    }
}

impl OtherLoad {
    fn add(&mut self, one: &HostMetrics, cores: Option<f64>) {
        let Some(cores) = cores else { return };
        self.window.push_back((one.seconds, one.other_cores, false));
        if self.window.len() > OTHER_CPU_WINDOW {
            self.window.pop_front();
        }
        if self.window.len() < OTHER_CPU_WINDOW {
            return;
        }
        let sum: Option<f64> = self.window.iter().map(|(_, cores, _)| *cores).sum();
        let Some(mean) = sum.map(|sum| sum / OTHER_CPU_WINDOW as f64) else { return };
        if mean > MAX_OTHER_CPU_SHARE * cores {
            self.most = self.most.max(mean);
            for (second, _, known) in self.window.iter_mut().filter(|(.., known)| !known) {
                self.exceeded.add(*second);
                *known = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::HubFacts;

    fn sample(second: u32) -> HostMetrics {
        HostMetrics {
            seconds: f64::from(second),
            temperature: Some(Celsius(55_000)),
            clock_mhz: Some(1_800.0),
            throttle_bits: Some(0),
            under_voltage: Some(false),
            busy_cores: Some(1.0),
            other_cores: Some(0.05),
            stolen_cores: Some(0.0),
            memory_available: Some(Bytes(2_000_000_000)),
            memory_stalled: Some(0.0),
            io_stalled: Some(0.0),
            swapped: Some(0.0),
            disk_free: Some(Bytes(20_000_000_000)),
            disk_written: Some(0.0),
        }
    }

    /// A Raspberry Pi 4 with 4 GB and a card of 32 GB.
    fn raspberry_pi() -> HostSpec {
        let facts = HubFacts {
            cores: Some(4),
            memory: Some(Bytes(4_000_000_000)),
            governor: Some("performance".into()),
            clock_max_mhz: Some(1_800.0),
            architecture: Some("aarch64".into()),
            ..HubFacts::default()
        };
        HostSpec::from_facts(&facts, Some(Bytes(32_000_000_000)))
    }

    fn problems(metrics: &[HostMetrics]) -> Vec<Reason> {
        HostHealth::of(metrics, &raspberry_pi()).problems()
    }

    /// Twenty seconds of metrics, with `change` applied from the eighth to the tenth.
    fn samples_with_change(change: fn(&mut HostMetrics)) -> Vec<HostMetrics> {
        let changed = |second| {
            let mut line = sample(second);
            if (8..=10).contains(&second) {
                change(&mut line);
            }
            line
        };
        (1..=20).map(changed).collect()
    }

    #[test]
    fn a_quiet_hub_has_no_problems() {
        assert_eq!(problems(&samples_with_change(|_| {})), []);
        assert_eq!(problems(&[]), []);
    }

    #[test]
    fn metrics_that_were_not_measured_raise_no_doubt() {
        let nothing: Vec<_> = (0..20)
            .map(|s| HostMetrics { seconds: f64::from(s), ..HostMetrics::default() })
            .collect();
        assert_eq!(problems(&nothing), []);
    }

    #[test]
    fn each_limit_has_its_reason_and_its_seconds() {
        type Case = (fn(&mut HostMetrics), &'static str, &'static str);
        let cases: [Case; 9] = [
            (|one| one.temperature = Some(Celsius(81_500)), "hub-hot", "as hot as 81.5 °C"),
            (|one| one.throttle_bits = Some(0x4), "hub-throttled", "firmware lowered"),
            (|one| one.throttle_bits = Some(0x8), "hub-throttled", "firmware lowered"),
            (|one| one.under_voltage = Some(true), "hub-under-voltage", "too low"),
            (|one| one.clock_mhz = Some(1_000.0), "hub-throttled", "below its 1800 MHz"),
            (|one| one.memory_stalled = Some(0.3), "hub-memory", "waited for memory"),
            (|one| one.memory_available = Some(Bytes(99_000_000)), "hub-memory", "less than 5 %"),
            (|one| one.swapped = Some(1e6), "hub-swapping", "swap"),
            (|one| one.disk_free = Some(Bytes(1_500_000_000)), "hub-disk-full", "less than 1.6 GB"),
        ];
        for (change, code, words) in cases {
            let reasons = problems(&samples_with_change(change));
            let [reason] = &reasons[..] else { panic!("{code}: {reasons:?}") };
            assert_eq!(reason.code, code);
            assert!(reason.text.contains(words), "{}", reason.text);
            assert!(reason.text.ends_with("at second 8–10 (3 s in all)"), "{}", reason.text);
        }
    }

    #[test]
    fn a_short_peak_of_other_load_is_ignored_but_five_seconds_are_not() {
        assert_eq!(problems(&samples_with_change(|one| one.other_cores = Some(0.9))), []);
        let long: Vec<_> = (1..=20)
            .map(|second| HostMetrics {
                other_cores: Some(f64::from(second > 10)),
                ..sample(second)
            })
            .collect();
        let reasons = problems(&long);
        assert_eq!(reasons[0].code, "hub-busy");
        assert!(
            reasons[0].text.starts_with("other processes used up to 1.00 of the hub's 4 cores")
        );
    }

    #[test]
    fn events_between_readings_are_reported_from_the_sticky_bits() {
        let mut lines = samples_with_change(|_| {});
        lines[19].throttle_bits = Some(0x1_0000);
        let reasons = problems(&lines);
        assert!(reasons.len() == 1 && reasons[0].text.contains("under-voltage"), "{reasons:?}");
        for line in &mut lines {
            line.throttle_bits = Some(0x5_0000);
        }
        assert_eq!(problems(&lines), [], "events before the load do not count");
    }
}
