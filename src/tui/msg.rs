//! What can happen to the screen, and what the screen wants done.

use std::time::Duration;

use tui_input::InputRequest;

use super::{
    model::{Pace, Panel},
    outside::{Ask, Export, PlanPreview, Problem, Request, Stop, Told},
};
use crate::event::Event;

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Msg {
    /// To the line above.
    Up,
    /// To the line below.
    Down,
    /// To the choice before, or the pane on the left.
    Left,
    /// To the choice after, or the pane on the right.
    Right,
    /// To the other pane, or the next panel.
    NextPane,
    /// To the panel before.
    PreviousPane,
    /// To this profile of the list.
    Profile(usize),
    /// To this field of the form; changes it when it is selected already.
    Field(usize),
    /// To this line of a list.
    Line(usize),
    /// The keys to this panel; enlarges it when it has them already.
    Focus(Panel),
    /// To another view of the latency, so many places further.
    View(isize),
    /// To the view of this number, from 0.
    ViewNumber(usize),
    /// Show a panel alone, or all of them again.
    Show(Panel),
    /// Look at a picture so many seconds later.
    Seek(isize),
    /// Look at the repetition before (-1) or after (1).
    Turn(isize),
    /// Show only warnings, only errors, or everything of the log.
    Sift,
    /// Type a text that lines of the log must hold.
    Filter,
    /// Ring the bell when a threshold is crossed, or be silent again.
    ToggleBell,
    /// Enter: start, edit or keep, by the place where it is pressed.
    Accept,
    /// Esc: give up what is open.
    Back,
    /// Space: change a choice.
    Toggle,
    /// A key within a text field.
    Type(InputRequest),
    /// The field's value back to the profile's own.
    Reset,
    /// Cold server to warm server and back.
    ToggleWarmup,
    /// Start the run.
    Start,
    /// Hold the display, or let it go on; the run goes on in any case.
    Freeze,
    /// Ask how to stop the run.
    AskStop,
    /// Stop the run.
    Stop(Stop),
    /// Skip the point in progress.
    Skip,
    /// Ask how many repetitions to add.
    AskAdd,
    /// Keep the form's changes in the profile.
    Save,
    /// Ask for the name under which the profile is kept.
    SaveAs,
    /// Ask for another name of the profile.
    Rename,
    /// Ask whether everything is ready for the plan.
    CheckHub,
    /// Make the images of the form's plan, or show how far they are.
    Images,
    /// Stop making them.
    StopImages,
    /// Show what the form changes of the profile's file.
    Changes,
    /// Show the records on disk.
    Records,
    /// So many lines further.
    Leap(isize),
    /// Another order of the list.
    Sort,
    /// Type tags.
    Tags,
    /// Type a note.
    Note,
    /// Compare the selected record with the marked one.
    Compare,
    /// Ask whether to delete the selected record or profile.
    AskRemove,
    /// Delete it.
    Remove,
    /// Ask in which form to export the record.
    AskExport,
    /// Export it.
    Export(Export),
    /// Go on with a partial record.
    Resume,
    /// To the page of this number, from 0.
    Page(usize),
    /// Open the record of the run that is over.
    OpenRecord,
    /// What came of [`Effect::Shelf`].
    Shelf(Box<Told>),
    /// What the terminal takes.
    Pace(Pace),
    /// Stop this process until its shell continues it.
    Suspend,
    /// Open the command palette.
    Commands,
    /// The next theme.
    NextTheme,
    /// Show or hide the help.
    Help,
    /// Leave; asks while a run is on.
    Quit,
    /// Stop the run as said, then leave.
    QuitAfter(Stop),
    /// Leave a run that goes on by itself.
    Detach,
    /// Leave at once, although the run has not ended in order.
    Abandon,
    /// A signal, or a lost terminal: stop the run in order, then leave.
    Terminate,
    /// The time since the screen's start.
    Tick(Duration),
    /// The terminal has another size, or came back: draw.
    Redraw,
    /// The run tells something.
    Engine(Box<Event>),
    /// The run's events ended.
    EngineGone,
    /// The planner's answer to [`Effect::Preview`].
    Previewed(Box<Result<PlanPreview, Vec<Problem>>>),
    /// The run could not be started.
    Refused(String),
}

/// Something that the screen wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask the planner; it answers with [`Msg::Previewed`].
    Preview {
        /// The profile's text.
        text: String,
        /// The form's changes.
        overrides: Vec<(String, String)>,
    },
    /// Start a run.
    Start(Box<Request>),
    /// Stop the run in progress.
    Stop(Stop),
    /// Skip a point of the run in progress.
    Skip(usize),
    /// Add repetitions to every point of the run in progress.
    Add(u32),
    /// Ask for something of the records on disk; [`Msg::Shelf`] is the answer.
    Shelf(Ask),
    /// Stop making images.
    StopImages,
    /// Put a text into the clipboard of the operator's terminal.
    Copy(String),
    /// Give the terminal back to the shell until it continues this process.
    Suspend,
    /// Ring the terminal's bell.
    Bell,
    /// End the screen.
    Quit,
}
