//! What a repetition can be asked for: one name, one unit, one meaning everywhere in the results.

use std::{fmt, str::FromStr};

use crate::{
    format,
    record::{Latency, Repetition, Resources},
    units::Bytes,
};

/// Which of a message's four durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Span {
    /// Sent − due: hubmark's own lateness.
    Lag,
    /// Acknowledged − sent.
    Ack,
    /// Received − sent.
    Delivery,
    /// Received − due.
    Response,
}

impl Span {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Lag, Self::Ack, Self::Delivery, Self::Response];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lag => "lag",
            Self::Ack => "ack",
            Self::Delivery => "delivery",
            Self::Response => "response",
        }
    }

    /// Its distribution in `repetition`.
    pub const fn of(self, repetition: &Repetition) -> Option<&Latency> {
        match self {
            Self::Lag => repetition.latency.lag.as_ref(),
            Self::Ack => repetition.latency.ack.as_ref(),
            Self::Delivery => repetition.latency.delivery.as_ref(),
            Self::Response => repetition.latency.response.as_ref(),
        }
    }
}

/// Which figure of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stat {
    /// Mean.
    Mean,
    /// Median.
    P50,
    /// 90th percentile.
    P90,
    /// 99th percentile.
    P99,
    /// 99.9th percentile.
    P999,
    /// Largest.
    Max,
}

impl Stat {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Mean, Self::P50, Self::P90, Self::P99, Self::P999, Self::Max];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::P999 => "p999",
            Self::Max => "max",
        }
    }

    /// Its value in microseconds; `None` where the count cannot carry it.
    pub const fn of(self, latency: &Latency) -> Option<f64> {
        match self {
            Self::Mean => Some(latency.mean),
            Self::P50 => latency.p50,
            Self::P90 => latency.p90,
            Self::P99 => latency.p99,
            Self::P999 => latency.p999,
            Self::Max => Some(latency.max),
        }
    }
}

/// What is counted of a backend: the sum over its servers, missing when it is missing for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Mean cores in use over the load.
    Cpu,
    /// Memory over the load, less that of the idle servers.
    MemoryGrowth,
    /// Bytes written to disk.
    BlockWritten,
    /// Growth of the data folders.
    DataGrowth,
    /// Bytes received over the network.
    NetworkReceived,
    /// Bytes sent over the network.
    NetworkSent,
}

impl Resource {
    fn of(self, resources: &Resources) -> Option<f64> {
        let size = |value: Option<Bytes>| value.map(|bytes| bytes.0 as f64);
        let growth = |value: Option<i64>| value.map(|bytes| bytes as f64);
        match self {
            Self::Cpu => resources.cpu.mean,
            Self::MemoryGrowth => growth(resources.memory.growth),
            Self::BlockWritten => size(resources.block.written),
            Self::DataGrowth => growth(resources.block.data_growth),
            Self::NetworkReceived => size(resources.network.received),
            Self::NetworkSent => size(resources.network.sent),
        }
    }
}

/// A number that a repetition has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// One figure of one of the four durations.
    Latency(Span, Stat),
    /// Payload bytes per second.
    Throughput,
    /// A resource of all the backend's servers.
    Resource(Resource),
    /// Processor time of the servers for each message that arrived (in a producer scenario: was
    /// acknowledged).
    CpuPerMessage,
    /// Bytes that the servers received and sent for each message.
    WirePerMessage,
    /// Bytes that the servers wrote for each message.
    WrittenPerMessage,
    /// Messages lost.
    Lost,
    /// Cores that hubmark itself used.
    GeneratorCpu,
}

/// What a number counts, and so its unit and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Microseconds; shown in milliseconds.
    Latency,
    /// Microseconds of processor time.
    CpuTime,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    Rate,
    /// Processor cores.
    Cores,
    /// A count.
    Count,
}

impl Quantity {
    /// The unit on an axis, and by what values are divided to be in it.
    pub const fn axis(self) -> (&'static str, f64) {
        match self {
            Self::Latency => ("ms", 1e3),
            Self::CpuTime => ("µs", 1.0),
            Self::Bytes => ("MB", 1e6),
            Self::Rate => ("MB/s", 1e6),
            Self::Cores => ("cores", 1.0),
            Self::Count => ("", 1.0),
        }
    }

    /// For people, with the unit.
    pub fn write(self, value: f64) -> String {
        match self {
            Self::Latency => format!("{} ms", format::three(value / 1e3)),
            Self::CpuTime => format!("{} µs", format::three(value)),
            Self::Bytes => format::bytes(value),
            Self::Rate => format::rate(Some(value)),
            Self::Cores => format!("{} cores", format::three(value)),
            Self::Count => format::three(value),
        }
    }

    /// The ends of an interval of differences: `-553 to +256 ms`.
    pub fn range(self, low: f64, high: f64) -> String {
        let (low, high) = (self.signed(low), self.signed(high));
        match (low.rsplit_once(' '), high.rsplit_once(' ')) {
            (Some((number, unit)), Some((_, other))) if unit == other => {
                format!("{number} to {high}")
            }
            _ => format!("{low} to {high}"),
        }
    }

    /// A difference, with its sign.
    pub fn signed(self, value: f64) -> String {
        format!("{}{}", if value > 0.0 { "+" } else { "" }, self.write(value))
    }
}

impl Metric {
    /// Every metric, in the order in which tables show them.
    pub fn all() -> Vec<Self> {
        let latencies = [Span::Delivery, Span::Ack, Span::Response, Span::Lag]
            .into_iter()
            .flat_map(|span| Stat::ALL.map(|stat| Self::Latency(span, stat)));
        let others = [
            Self::Throughput,
            Self::Resource(Resource::Cpu),
            Self::Resource(Resource::MemoryGrowth),
            Self::Resource(Resource::BlockWritten),
            Self::Resource(Resource::DataGrowth),
            Self::Resource(Resource::NetworkReceived),
            Self::Resource(Resource::NetworkSent),
            Self::CpuPerMessage,
            Self::WirePerMessage,
            Self::WrittenPerMessage,
            Self::Lost,
            Self::GeneratorCpu,
        ];
        latencies.chain(others).collect()
    }

    /// Its name in a sentence.
    pub fn words(self) -> String {
        match self {
            Self::Latency(span, Stat::Mean) => format!("mean {} latency", span.name()),
            Self::Latency(span, Stat::Max) => format!("largest {} latency", span.name()),
            Self::Latency(span, stat) => format!("{} latency {}", span.name(), stat.name()),
            Self::Throughput => "data rate".to_owned(),
            other => other.to_string(),
        }
    }

    /// What it counts.
    pub const fn quantity(self) -> Quantity {
        match self {
            Self::Latency(..) => Quantity::Latency,
            Self::Throughput => Quantity::Rate,
            Self::Resource(Resource::Cpu) | Self::GeneratorCpu => Quantity::Cores,
            Self::CpuPerMessage => Quantity::CpuTime,
            Self::Resource(_) | Self::WirePerMessage | Self::WrittenPerMessage => Quantity::Bytes,
            Self::Lost => Quantity::Count,
        }
    }

    /// Its value in `repetition`; `None` was not measured, or is a percentile that the count
    /// cannot carry.
    pub fn of(self, repetition: &Repetition) -> Option<f64> {
        match self {
            Self::Latency(span, stat) => stat.of(span.of(repetition)?),
            Self::Throughput => repetition.throughput.map(|t| t.bytes_per_second),
            Self::Resource(resource) => total(repetition, |r| resource.of(r)),
            Self::CpuPerMessage => {
                let seconds = total(repetition, |r| r.cpu.core_seconds)?;
                per_message(repetition, seconds * 1e6)
            }
            Self::WirePerMessage => {
                let received = total(repetition, |r| Resource::NetworkReceived.of(r))?;
                let sent = total(repetition, |r| Resource::NetworkSent.of(r))?;
                per_message(repetition, received + sent)
            }
            Self::WrittenPerMessage => {
                per_message(repetition, total(repetition, |r| Resource::BlockWritten.of(r))?)
            }
            Self::Lost => Some(repetition.ledger.lost as f64),
            Self::GeneratorCpu => Some(repetition.generator.cpu_cores),
        }
    }
}

/// The sum over all servers; missing when it is missing for one.
fn total(repetition: &Repetition, of: impl Fn(&Resources) -> Option<f64>) -> Option<f64> {
    let parts: Option<Vec<f64>> = repetition.resources.values().map(of).collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.iter().sum())
}

fn per_message(repetition: &Repetition, amount: f64) -> Option<f64> {
    let ledger = &repetition.ledger;
    let messages = if ledger.delivered > 0 { ledger.delivered } else { ledger.acked };
    (messages > 0).then(|| amount / messages as f64)
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Latency(span, stat) => {
                return f.pad(&format!("{}.{}", span.name(), stat.name()));
            }
            Self::Throughput => "throughput",
            Self::Resource(Resource::Cpu) => "cpu",
            Self::Resource(Resource::MemoryGrowth) => "memory.growth",
            Self::Resource(Resource::BlockWritten) => "block.written",
            Self::Resource(Resource::DataGrowth) => "data.growth",
            Self::Resource(Resource::NetworkReceived) => "network.received",
            Self::Resource(Resource::NetworkSent) => "network.sent",
            Self::CpuPerMessage => "cpu.per_message",
            Self::WirePerMessage => "network.per_message",
            Self::WrittenPerMessage => "written.per_message",
            Self::Lost => "lost",
            Self::GeneratorCpu => "generator.cpu",
        };
        f.pad(text)
    }
}

/// A name that is no metric's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not measured: write lag, ack, delivery or response with mean, p50, p90, p99, p999 \
     or max (delivery.p99), or one of throughput, cpu, memory.growth, block.written, data.growth, \
     network.received, network.sent, cpu.per_message, network.per_message, written.per_message, \
     lost, generator.cpu"
)]
pub struct UnknownMetric(pub String);

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<Self, UnknownMetric> {
        let name = text.trim().to_ascii_lowercase();
        let named = Self::all().into_iter().find(|metric| metric.to_string() == name);
        named.ok_or_else(|| UnknownMetric(text.trim().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for metric in Metric::all() {
            assert_eq!(metric.to_string().parse(), Ok(metric));
        }
        let error = "delivery.p98".parse::<Metric>().unwrap_err().to_string();
        assert!(error.contains("delivery.p98") && error.contains("p999"), "{error}");
    }

    #[test]
    fn an_interval_has_its_unit_once_where_it_is_one() {
        assert_eq!(Quantity::Latency.range(-553e3, 256e3), "-553 to +256 ms");
        assert_eq!(Quantity::Bytes.range(-200.0, 1e6), "-200 B to +1.00 MB");
        assert_eq!(Quantity::Count.range(0.0, 2.0), "0 to +2.00");
    }
}
