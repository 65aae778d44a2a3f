//! Properties of the hub's host that its health is judged by.

use crate::{
    server::HubFacts,
    units::{Bytes, Celsius},
};

/// Default temperature limit where the kernel reports none: at 80 °C a Raspberry Pi begins to lower its
/// clock (raspberrypi.com, documentation of `config.txt`, overclocking: `temp_limit` 85 °C, throttling
/// from 80 °C on).
const THROTTLE_TEMPERATURE: Celsius = Celsius(80_000);
/// Default temperature limit on x86, whose processors are made for up to 100 °C.
const THROTTLE_TEMPERATURE_X86: Celsius = Celsius(95_000);
/// Whether the hub's host is read during a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum HostMonitoring {
    /// The hub's host cannot be read: it is not known, or has none of this program's images.
    #[default]
    Unavailable,
    /// The host is read once a second.
    Active,
    /// The reader did not start; with the reason.
    Failed(String),
}

/// Properties of the hub's host that its health is judged by.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HostSpec {
    /// Number of cores.
    pub cores: Option<f64>,
    /// Size of the memory.
    pub memory: Option<Bytes>,
    /// Temperature from which the clock is lowered.
    pub throttle_temperature: Option<Celsius>,
    /// The highest clock, where the `performance` governor holds it.
    pub full_clock_mhz: Option<f64>,
    /// Size of the file system under the servers' data.
    pub disk: Option<Bytes>,
    /// Whether the host is a Raspberry Pi, which has a thermometer and a firmware that reports throttling.
    pub raspberry_pi: bool,
    /// Whether the host is read during the run.
    pub monitoring: HostMonitoring,
}

impl HostSpec {
    /// Builds the specification of a host from its `facts` and the size of its `disk`, which the facts lack.
    pub fn from_facts(facts: &HubFacts, disk: Option<Bytes>) -> Self {
        let x86 = facts.architecture.as_deref().is_some_and(|name| name.starts_with("x86"));
        let performance = facts.governor.as_deref() == Some("performance");
        Self {
            cores: facts.cores.map(f64::from),
            memory: facts.memory,
            throttle_temperature: facts.temperature_limit.or(Some(if x86 {
                THROTTLE_TEMPERATURE_X86
            } else {
                THROTTLE_TEMPERATURE
            })),
            full_clock_mhz: facts.clock_max_mhz.filter(|_| performance),
            disk,
            raspberry_pi: facts.model.as_deref().is_some_and(|name| name.contains("Raspberry Pi")),
            monitoring: HostMonitoring::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_temperature_limit_depends_on_the_architecture_unless_the_kernel_reports_one() {
        let hot = |facts: HubFacts| HostSpec::from_facts(&facts, None).throttle_temperature;
        assert_eq!(hot(HubFacts::default()), Some(THROTTLE_TEMPERATURE));
        let pc = HubFacts { architecture: Some("x86_64".into()), ..HubFacts::default() };
        assert_eq!(hot(pc.clone()), Some(THROTTLE_TEMPERATURE_X86));
        let known = HubFacts { temperature_limit: Some(Celsius(70_000)), ..pc };
        assert_eq!(hot(known), Some(Celsius(70_000)));
    }
}
