//! Figures of single repetitions whose estimates are in a summary, and their names in a record.

use std::fmt;

use super::Summary;
use crate::measure::Estimate;

/// Figure of a server in one repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerFigure {
    /// Mean of the processor time used, in cores.
    CpuCores,
    /// Growth of the memory in use, in bytes.
    MemoryGrowth,
    /// Bytes written to the disk.
    BlockWritten,
    /// Bytes that the hub's disk wrote, for whatever process.
    HostWritten,
    /// Growth of the data folder, in bytes.
    DataGrowth,
    /// Bytes received over the network.
    NetworkReceived,
    /// Bytes sent over the network.
    NetworkSent,
}

impl ServerFigure {
    const fn name(self) -> &'static str {
        match self {
            Self::CpuCores => "cpu_cores",
            Self::MemoryGrowth => "memory_growth_bytes",
            Self::BlockWritten => "block_written_bytes",
            Self::HostWritten => "host_written_bytes",
            Self::DataGrowth => "data_growth_bytes",
            Self::NetworkReceived => "network_received_bytes",
            Self::NetworkSent => "network_sent_bytes",
        }
    }
}

/// Figure of one repetition that tables read from a summary.
///
/// Its text is its name in [`Summary::over_repetitions`]: a table cannot ask for a name that no summary has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepetitionFigure<'a> {
    /// Mean delivery latency, in microseconds.
    DeliveryMean,
    /// Payload bytes per second of a throughput workload.
    BytesPerSecond,
    /// Messages per second of a throughput workload.
    MessagesPerSecond,
    /// Figure of the server with this role.
    Server(&'a str, ServerFigure),
}

impl fmt::Display for RepetitionFigure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeliveryMean => f.write_str("delivery.mean_us"),
            Self::BytesPerSecond => f.write_str("throughput.bytes_per_second"),
            Self::MessagesPerSecond => f.write_str("throughput.messages_per_second"),
            Self::Server(role, figure) => write!(f, "{role}.{}", figure.name()),
        }
    }
}

impl Summary {
    /// Estimate of a figure over the repetitions; `None` if no repetition has it.
    pub fn estimate_of(&self, figure: RepetitionFigure<'_>) -> Option<&Estimate> {
        self.over_repetitions.get(&figure.to_string())
    }

    /// Roles of the servers whose processor time was measured, in alphabetical order.
    pub fn server_roles(&self) -> Vec<&str> {
        let names = self.over_repetitions.keys();
        names
            .filter_map(|name| name.strip_suffix(ServerFigure::CpuCores.name())?.strip_suffix('.'))
            .collect()
    }

    /// Processor time of all servers together, in cores: the sum of their means; `None` if none was measured.
    pub fn server_cores(&self) -> Option<f64> {
        let of_role =
            |role| self.estimate_of(RepetitionFigure::Server(role, ServerFigure::CpuCores));
        self.server_roles().into_iter().filter_map(of_role).map(|it| it.mean).reduce(|a, b| a + b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_their_names_in_records() {
        let names = [
            RepetitionFigure::DeliveryMean,
            RepetitionFigure::BytesPerSecond,
            RepetitionFigure::MessagesPerSecond,
            RepetitionFigure::Server("kafka", ServerFigure::CpuCores),
            RepetitionFigure::Server("kafka", ServerFigure::NetworkSent),
        ]
        .map(|figure| figure.to_string());
        assert_eq!(
            names,
            [
                "delivery.mean_us",
                "throughput.bytes_per_second",
                "throughput.messages_per_second",
                "kafka.cpu_cores",
                "kafka.network_sent_bytes",
            ]
        );
    }
}
