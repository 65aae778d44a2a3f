//! Run in progress: its state, the past that can be looked back on, and the display settings.

mod band;
mod display;
mod finished_repetition;
mod history;
mod repetition;
mod run;
mod steering;

pub use band::{BandDeviation, BandValue};
pub use finished_repetition::FinishedRepetition;
pub use repetition::{LogLine, PhaseProgress, RepetitionState};
pub use run::{Ending, LiveRun, MapCell, TimeLeft, alarm_text};
