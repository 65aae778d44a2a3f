//! State of the screen and its transitions. Pure: input and output are returned as effects.
//!
//! [`Model`] (`state`) is the whole state, and [`Model::update`] (`update`) changes it. Its parts are the
//! form (`setup`), the run in progress (`live`), the results of a run (`finished_run`), the list of
//! records (`record_list`), open documents (`document`) and the command palette (`palette`).

mod document;
mod finished_run;
mod image_build;
mod live;
mod outcome;
mod palette;
mod question;
mod record_filter;
mod record_list;
mod record_order;
mod response;
mod run_results;
mod setup;
mod state;
mod tour;
mod update;

pub use document::{Document, DocumentContent, DocumentRow, Page, RowStyle};
pub use finished_run::{FigureRange, FinishedRun, FinishedView, is_wide};
pub use live::{
    BandDeviation, BandValue, Ending, FinishedRepetition, LiveRun, LogLine, MapCell, PhaseProgress,
    RepetitionState, TimeLeft, alarm_text,
};
pub use outcome::{RunEnd, TuiOutcome};
pub use palette::Palette;
pub use question::{Question, QuestionKind};
pub use record_filter::verdict;
pub use record_list::{RecordInput, RecordList};
pub use response::ServiceResponse;
pub use run_results::{PointDistribution, PreviousRun, RunResults};
pub use setup::{Editing, Field, FieldKind, Pane, Preview};
pub use state::{MIN_SIZE, Model, NamePrompt, Overlay, Screen};
pub use tour::TourStep;
