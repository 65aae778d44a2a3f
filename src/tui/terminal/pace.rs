//! Throughput of the terminal, as far as the screen shows it.

use std::time::Duration;

/// Throughput of the terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TerminalPace {
    /// Bytes per second over about the last second; `None` until measured.
    pub bytes_per_second: Option<f64>,
    /// Details if the terminal is too slow for the default frame interval.
    pub slow: Option<SlowTerminal>,
}

/// Details about a slow terminal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlowTerminal {
    /// Time between two frames.
    pub frame_interval: Duration,
    /// Bytes per second that the terminal accepted while the last frame was written.
    pub bytes_per_second: f64,
}
