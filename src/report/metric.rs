//! Metrics of a repetition: one name, one unit and one meaning in all reports and comparisons.

use std::{fmt, str::FromStr};

use crate::{
    format,
    measure::Estimate,
    record::{Latency, Repetition, Resources},
    stats::estimate::Domain,
    units::Bytes,
};

/// One of the four durations of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LatencyKind {
    /// Sent − due: hubmark's own lateness.
    Lag,
    /// Acknowledged − sent.
    Ack,
    /// Received − sent.
    Delivery,
    /// Received − due.
    Response,
}

impl LatencyKind {
    /// All kinds, in declaration order.
    pub const ALL: [Self; 4] = [Self::Lag, Self::Ack, Self::Delivery, Self::Response];

    /// Returns the name used in metrics and columns.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lag => "lag",
            Self::Ack => "ack",
            Self::Delivery => "delivery",
            Self::Response => "response",
        }
    }

    /// Returns the distribution of this duration in `repetition`; `None` when it was not measured.
    pub const fn latency_in(self, repetition: &Repetition) -> Option<&Latency> {
        match self {
            Self::Lag => repetition.latency.lag.as_ref(),
            Self::Ack => repetition.latency.ack.as_ref(),
            Self::Delivery => repetition.latency.delivery.as_ref(),
            Self::Response => repetition.latency.response.as_ref(),
        }
    }
}

/// Statistic of a latency distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LatencyStat {
    /// Mean.
    Mean,
    /// Median.
    P50,
    /// 90th percentile.
    P90,
    /// 95th percentile.
    P95,
    /// 99th percentile.
    P99,
    /// 99.9th percentile.
    P999,
    /// Maximum.
    Max,
}

impl LatencyStat {
    /// All statistics, in declaration order.
    pub const ALL: [Self; 7] =
        [Self::Mean, Self::P50, Self::P90, Self::P95, Self::P99, Self::P999, Self::Max];

    /// Returns the name used in metrics and columns.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::P999 => "p999",
            Self::Max => "max",
        }
    }

    /// Returns the value in microseconds; `None` with too few messages for the percentile.
    pub const fn value_in(self, latency: &Latency) -> Option<f64> {
        match self {
            Self::Mean => Some(latency.mean),
            Self::P50 => latency.p50,
            Self::P90 => latency.p90,
            Self::P95 => latency.p95,
            Self::P99 => latency.p99,
            Self::P999 => latency.p999,
            Self::Max => Some(latency.max),
        }
    }
}

/// Resource use of a backend: the sum over its servers, missing when it is missing for one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceMetric {
    /// Mean cores in use over the load.
    Cpu,
    /// Memory during the load minus memory of the idle servers.
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

impl ResourceMetric {
    fn value_in(self, resources: &Resources) -> Option<f64> {
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

/// Numeric value measured in a repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Statistic of one of the four durations.
    Latency(LatencyKind, LatencyStat),
    /// Payload bytes per second.
    Throughput,
    /// Resource use, summed over the backend's servers.
    Resource(ResourceMetric),
    /// Processor time of the servers per delivered message (in a producer scenario: per acknowledged one).
    CpuPerMessage,
    /// Bytes received and sent by the servers per message.
    WirePerMessage,
    /// Bytes written by the servers per message.
    WrittenPerMessage,
    /// Number of lost messages.
    Lost,
    /// Number of undelivered messages: lost, failed, or never sent.
    Undelivered,
    /// Cores used by hubmark.
    GeneratorCpu,
}

/// Physical quantity of a metric, which determines its unit and format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Microseconds, displayed in milliseconds.
    Latency,
    /// Microseconds of processor time.
    CpuTime,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    Rate,
    /// Processor cores.
    Cores,
    /// Plain number.
    Count,
}

impl Quantity {
    /// Returns the unit for an axis and the divisor that converts a value to it.
    pub const fn axis_unit(self) -> (&'static str, f64) {
        match self {
            Self::Latency => ("ms", 1e3),
            Self::CpuTime => ("µs", 1.0),
            Self::Bytes => ("MB", 1e6),
            Self::Rate => ("MB/s", 1e6),
            Self::Cores => ("cores", 1.0),
            Self::Count => ("", 1.0),
        }
    }

    /// Formats a value with its unit.
    pub fn format(self, value: f64) -> String {
        match self {
            Self::Latency => format!("{} ms", format::three_significant(value / 1e3)),
            Self::CpuTime => format!("{} µs", format::three_significant(value)),
            Self::Bytes => format::bytes(value),
            Self::Rate => format::rate(Some(value)),
            Self::Cores => format!("{} cores", format::three_significant(value)),
            Self::Count => format::three_significant(value),
        }
    }

    /// Formats an interval of differences, with the unit once if both ends share it: `-553 to +256 ms`.
    pub fn format_interval(self, low: f64, high: f64) -> String {
        let (low, high) = (self.format_signed(low), self.format_signed(high));
        match (low.rsplit_once(' '), high.rsplit_once(' ')) {
            (Some((number, unit)), Some((_, other))) if unit == other => {
                format!("{number} to {high}")
            }
            _ => format!("{low} to {high}"),
        }
    }

    /// Formats a difference with its sign and unit.
    pub fn format_signed(self, value: f64) -> String {
        format!("{}{}", if value > 0.0 { "+" } else { "" }, self.format(value))
    }
}

impl Metric {
    /// Returns every metric, in the order of tables.
    pub fn all() -> Vec<Self> {
        let latencies =
            [LatencyKind::Delivery, LatencyKind::Ack, LatencyKind::Response, LatencyKind::Lag]
                .into_iter()
                .flat_map(|span| LatencyStat::ALL.map(|stat| Self::Latency(span, stat)));
        let others = [
            Self::Throughput,
            Self::Resource(ResourceMetric::Cpu),
            Self::Resource(ResourceMetric::MemoryGrowth),
            Self::Resource(ResourceMetric::BlockWritten),
            Self::Resource(ResourceMetric::DataGrowth),
            Self::Resource(ResourceMetric::NetworkReceived),
            Self::Resource(ResourceMetric::NetworkSent),
            Self::CpuPerMessage,
            Self::WirePerMessage,
            Self::WrittenPerMessage,
            Self::Lost,
            Self::Undelivered,
            Self::GeneratorCpu,
        ];
        latencies.chain(others).collect()
    }

    /// Returns the metric's name for use in a sentence.
    pub fn phrase(self) -> String {
        match self {
            Self::Latency(span, LatencyStat::Mean) => format!("mean {} latency", span.name()),
            Self::Latency(span, LatencyStat::Max) => format!("largest {} latency", span.name()),
            Self::Latency(span, stat) => format!("{} latency {}", span.name(), stat.name()),
            Self::Throughput => "data rate".to_owned(),
            other => other.to_string(),
        }
    }

    /// Returns the quantity that the metric measures.
    pub const fn quantity(self) -> Quantity {
        match self {
            Self::Latency(..) => Quantity::Latency,
            Self::Throughput => Quantity::Rate,
            Self::Resource(ResourceMetric::Cpu) | Self::GeneratorCpu => Quantity::Cores,
            Self::CpuPerMessage => Quantity::CpuTime,
            Self::Resource(_) | Self::WirePerMessage | Self::WrittenPerMessage => Quantity::Bytes,
            Self::Lost | Self::Undelivered => Quantity::Count,
        }
    }

    /// Returns which values the metric can have.
    pub const fn domain(self) -> Domain {
        match self {
            Self::Resource(ResourceMetric::MemoryGrowth | ResourceMetric::DataGrowth) => {
                Domain::Signed
            }
            _ => Domain::NonNegative,
        }
    }

    /// Returns the value in `repetition`; `None` when it was not measured, or with too few messages for the
    /// percentile.
    pub fn value_in(self, repetition: &Repetition) -> Option<f64> {
        match self {
            Self::Latency(span, stat) => stat.value_in(span.latency_in(repetition)?),
            Self::Throughput => repetition.throughput.map(|t| t.bytes_per_second),
            Self::Resource(ResourceMetric::DataGrowth) => {
                sum_over_servers(repetition, |r| repetition.load_data_growth(r).map(|g| g as f64))
            }
            Self::Resource(resource) => sum_over_servers(repetition, |r| resource.value_in(r)),
            Self::CpuPerMessage => {
                let seconds = sum_over_servers(repetition, |r| r.cpu.core_seconds)?;
                per_message(repetition, seconds * 1e6)
            }
            Self::WirePerMessage => {
                let received =
                    sum_over_servers(repetition, |r| ResourceMetric::NetworkReceived.value_in(r))?;
                let sent =
                    sum_over_servers(repetition, |r| ResourceMetric::NetworkSent.value_in(r))?;
                per_message(repetition, received + sent)
            }
            Self::WrittenPerMessage => per_message(
                repetition,
                sum_over_servers(repetition, |r| ResourceMetric::BlockWritten.value_in(r))?,
            ),
            Self::Lost => Some(repetition.ledger.lost as f64),
            Self::Undelivered => Some(repetition.ledger.undelivered() as f64),
            Self::GeneratorCpu => Some(repetition.generator.cpu_cores),
        }
    }
}

/// Sums a value over all servers; `None` when it is missing for one of them.
fn sum_over_servers(
    repetition: &Repetition,
    of: impl Fn(&Resources) -> Option<f64>,
) -> Option<f64> {
    let parts: Option<Vec<f64>> = repetition.resources.values().map(of).collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.iter().sum())
}

fn per_message(repetition: &Repetition, amount: f64) -> Option<f64> {
    let ledger = &repetition.ledger;
    let messages = if ledger.delivered > 0 { ledger.delivered } else { ledger.acked.unwrap_or(0) };
    (messages > 0).then(|| amount / messages as f64)
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Latency(span, stat) => {
                return f.pad(&format!("{}.{}", span.name(), stat.name()));
            }
            Self::Throughput => "throughput",
            Self::Resource(ResourceMetric::Cpu) => "cpu",
            Self::Resource(ResourceMetric::MemoryGrowth) => "memory.growth",
            Self::Resource(ResourceMetric::BlockWritten) => "block.written",
            Self::Resource(ResourceMetric::DataGrowth) => "data.growth",
            Self::Resource(ResourceMetric::NetworkReceived) => "network.received",
            Self::Resource(ResourceMetric::NetworkSent) => "network.sent",
            Self::CpuPerMessage => "cpu.per_message",
            Self::WirePerMessage => "network.per_message",
            Self::WrittenPerMessage => "written.per_message",
            Self::Lost => "lost",
            Self::Undelivered => "undelivered",
            Self::GeneratorCpu => "generator.cpu",
        };
        f.pad(text)
    }
}

/// Error for an unknown metric name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a metric: write lag, ack, delivery or response with mean, p50, p90, p95, p99, p999 \
     or max (delivery.p99), or one of throughput, cpu, memory.growth, block.written, data.growth, \
     network.received, network.sent, cpu.per_message, network.per_message, written.per_message, \
     lost, undelivered, generator.cpu"
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

/// Formats a mean with its 95 % interval if it has one, both divided by `divisor`: `2.14 [2.01, 2.27]`.
pub fn mean_with_interval(estimate: Option<&Estimate>, divisor: f64) -> String {
    let Some(estimate) = estimate else { return format::MISSING.to_owned() };
    let mean = format::three_significant(estimate.mean / divisor);
    match estimate.ci_low.zip(estimate.ci_high) {
        Some((low, high)) => {
            format!(
                "{mean} [{}, {}]",
                format::three_significant(low / divisor),
                format::three_significant(high / divisor)
            )
        }
        None => mean,
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
    fn an_interval_has_its_unit_once_when_both_ends_share_it() {
        assert_eq!(Quantity::Latency.format_interval(-553e3, 256e3), "-553 to +256 ms");
        assert_eq!(Quantity::Bytes.format_interval(-200.0, 1e6), "-200 B to +1.00 MB");
        assert_eq!(Quantity::Count.format_interval(0.0, 2.0), "0 to +2.00");
    }
}
