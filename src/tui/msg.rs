//! Messages that the model handles, and effects that it returns.

use std::time::Duration;

use tui_input::InputRequest;

use super::{
    display_choices::DisplayChoices,
    keys::InputContext,
    live_panel::LivePanel,
    requests::{ExportFormat, FormProblem, PlanPreview, ServiceRequest, StartRequest, StopMode},
    terminal::{Background, MouseOwner, TerminalPace},
};
use crate::{
    engine::steering::{FaultChoice, SteeringCommand},
    event::Event,
};

/// Input to [`super::Model::update`]: a key's meaning, a run event, a response.
#[derive(Debug, Clone)]
pub enum Msg {
    /// Move to the line above.
    Up,
    /// Move to the line below.
    Down,
    /// Select the previous choice or the pane on the left.
    Left,
    /// Select the next choice or the pane on the right.
    Right,
    /// Move to the other pane or the next panel.
    NextPane,
    /// Move to the previous panel.
    PreviousPane,
    /// Select this profile of the list.
    Profile(usize),
    /// Select this field of the form, or edit it when it is already selected.
    Field(usize),
    /// Select this line of a list.
    Line(usize),
    /// Focus this panel, or maximize it when it is already focused.
    Focus(LivePanel),
    /// Switch the latency view by so many positions.
    View(isize),
    /// Switch to the latency view of this number, from 0.
    ViewNumber(usize),
    /// Maximize a panel, or show all panels again.
    ToggleMaximized(LivePanel),
    /// Move the frozen display by so many frames; one frame is a second, or more in a long repetition.
    Seek(isize),
    /// Show the previous (-1) or next (1) repetition.
    SwitchRepetition(isize),
    /// Cycle the log's least level: everything, warnings and errors, errors.
    CycleLogLevel,
    /// Enter a text that shown log lines or records must contain.
    Filter,
    /// Switch the bell on crossed thresholds on or off.
    ToggleBell,
    /// Enter: start, edit or confirm, depending on the input context.
    Accept,
    /// Esc: close or cancel.
    Back,
    /// Space: change a choice or a mark.
    Toggle,
    /// Edit the focused text field.
    Type(InputRequest),
    /// Text pasted in the terminal: goes into the focused text field, and has no effect without one.
    Paste(String),
    /// A weighty key that arrived faster than keys are pressed by hand: it has no effect.
    Burst,
    /// Reset the field to the profile's value.
    Reset,
    /// Switch between a cold and a warm server.
    ToggleWarmup,
    /// Start the run.
    Start,
    /// Freeze or unfreeze the display; the run continues in any case.
    Freeze,
    /// Ask how to stop the run.
    AskStop,
    /// Choose an answer of the question; Enter gives it.
    Choose(Answer),
    /// Pause the load in progress, or resume it.
    TogglePause,
    /// Raise the rate of the load in progress by one step.
    Faster,
    /// Lower the rate of the load in progress by one step.
    Slower,
    /// Switch half of the load's active users off.
    FewerUsers,
    /// Switch users of the load on again.
    MoreUsers,
    /// Ask which fault to inject into the main server.
    AskFault,
    /// Save the form's changes to the profile.
    Save,
    /// Ask for the name under which to save the profile.
    SaveAs,
    /// Ask for the profile's new name.
    Rename,
    /// Check the hub and this machine for the plan.
    CheckHub,
    /// Build the images of the form's plan, or show the build in progress.
    Images,
    /// Stop building images.
    StopImages,
    /// Show the differences between the form and the profile's file.
    Changes,
    /// Show the records on disk.
    Records,
    /// Show the results of the last run again.
    LastRun,
    /// Scroll by so many lines.
    Scroll(isize),
    /// Switch the list's sort order by so many positions.
    Sort(isize),
    /// Edit the selected record's tags.
    Tags,
    /// Edit the selected record's note.
    Note,
    /// Compare the selected record with the marked one.
    Compare,
    /// Ask whether to delete the selected record or profile.
    AskRemove,
    /// Ask for the export format of the record.
    AskExport,
    /// Export the record.
    Export(ExportFormat),
    /// Resume a partial record.
    Resume,
    /// Show the page of this number, from 0.
    Page(usize),
    /// Open the record of the finished run.
    OpenRecord,
    /// Write the report of the finished run, and show it in a browser where there is one.
    OpenReport,
    /// The terminal's background, as it replied.
    Background(Background),
    /// Measured throughput of the terminal.
    TerminalPace(TerminalPace),
    /// Suspend this process until its shell resumes it.
    Suspend,
    /// Open the command palette.
    Commands,
    /// Switch to the next theme.
    NextTheme,
    /// Let the screen or the terminal handle the mouse.
    ToggleMouse,
    /// Show or hide the help.
    Help,
    /// Quit; asks first while a run is in progress.
    Quit,
    /// React to a signal or a lost terminal: stop the run in order (a detached run continues), then quit.
    Terminate,
    /// Set the time since the screen's start.
    Tick(Duration),
    /// Draw again: the terminal was resumed.
    Redraw,
    /// The terminal has this many columns and rows.
    Resized(u16, u16),
    /// Event of the run.
    RunEvent(Box<Event>),
    /// The channel of the run's events is closed.
    RunEventsClosed,
    /// Planner's answer to [`Effect::Preview`].
    Previewed(Box<Result<PlanPreview, Vec<FormProblem>>>),
    /// Starting the run failed, with the reason.
    StartFailed(String),
}

impl Msg {
    /// Whether this is the operator's input, not an event, a response or the time.
    pub const fn is_input(&self) -> bool {
        !matches!(
            self,
            Self::Tick(_)
                | Self::Redraw
                | Self::Resized(..)
                | Self::RunEvent(_)
                | Self::RunEventsClosed
                | Self::Previewed(_)
                | Self::StartFailed(_)
                | Self::TerminalPace(_)
                | Self::Background(_)
                | Self::Terminate
        )
    }

    /// Whether this starts or ends something, or changes a file, when it is given in `context`.
    pub const fn is_weighty(&self, context: InputContext) -> bool {
        match self {
            Self::Accept => matches!(
                context,
                InputContext::Stop
                    | InputContext::Quit
                    | InputContext::Remove
                    | InputContext::Start
                    | InputContext::Unsaved
                    | InputContext::Add
                    | InputContext::Fault
            ),
            Self::Start
            | Self::Resume
            | Self::Choose(_)
            | Self::AskStop
            | Self::TogglePause
            | Self::Faster
            | Self::Slower
            | Self::FewerUsers
            | Self::MoreUsers
            | Self::AskFault
            | Self::AskRemove
            | Self::Export(_)
            | Self::OpenReport
            | Self::Images
            | Self::StopImages
            | Self::Save
            | Self::Suspend
            | Self::Quit => true,
            _ => false,
        }
    }
}

/// Answer to a question that loses something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Stop the run after this repetition.
    StopAfter,
    /// Stop the run now.
    StopNow,
    /// Skip the point in progress.
    Skip,
    /// Ask how many repetitions to add.
    Add,
    /// Quit and let a detached run continue.
    Detach,
    /// Stop the run after this repetition, then quit.
    LeaveAfter,
    /// Stop the run now, then quit.
    LeaveNow,
    /// Quit at once, although the run has not ended in order.
    Abandon,
    /// Delete the selected record or profile.
    Remove,
    /// Start the run that was asked about.
    Start,
    /// Quit and discard unsaved changes to profiles.
    LeaveUnsaved,
    /// Inject a fault into the main server.
    Inject(FaultChoice),
    /// Change nothing.
    GoOn,
}

/// Input or output that [`super::run`] performs for the model.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Plan the profile; the answer is [`Msg::Previewed`].
    Preview {
        /// The profile's text.
        text: String,
        /// The form's changes.
        overrides: Vec<(String, String)>,
    },
    /// Start a run.
    Start(Box<StartRequest>),
    /// Stop the run in progress.
    Stop(StopMode),
    /// Skip a point of the run in progress.
    Skip(usize),
    /// Add repetitions to every point of the run in progress.
    Add(u32),
    /// Change the load in progress.
    Steer(SteeringCommand),
    /// Send a request to the service; the response is passed to
    /// [`super::Model::handle_response`].
    Service(ServiceRequest),
    /// Stop building images.
    StopImages,
    /// Copy a text to the clipboard of the operator's terminal.
    Copy(String),
    /// Let the screen or the terminal handle the mouse.
    Mouse(MouseOwner),
    /// Remember the operator's choices for the next session.
    Remember(DisplayChoices),
    /// Return the terminal to the shell and suspend this process until the shell resumes it.
    Suspend,
    /// Ring the terminal's bell.
    Bell,
    /// End the screen.
    Quit,
}
