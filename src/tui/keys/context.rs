//! Input contexts: the parts of the screen that receive keys.

/// Part of the screen that receives keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InputContext {
    /// The list of profiles.
    Profiles,
    /// The form.
    Form,
    /// A text field of the form.
    Text,
    /// A list of choices of the form.
    Choices,
    /// A run in progress.
    Live,
    /// The filter of the run's log.
    Filter,
    /// The results of a finished run.
    Finished,
    /// The help.
    Help,
    /// The question how to stop or change the run.
    Stop,
    /// A step of the tour.
    Tour,
    /// The question how many repetitions to add.
    Add,
    /// The question which fault to inject.
    Fault,
    /// The question whether to quit.
    Quit,
    /// The command palette.
    Palette,
    /// The list of records.
    Records,
    /// A text field in the list of records.
    RecordInput,
    /// A record or another document.
    Document,
    /// The question whether to delete a record or profile.
    Remove,
    /// The question whether to start a long run.
    Start,
    /// The question whether to quit with unsaved changes.
    Unsaved,
    /// The question for the export format.
    Export,
    /// The input of a name.
    Name,
}

impl InputContext {
    /// Whether typed and pasted text goes into a text field.
    pub const fn edits_text(self) -> bool {
        matches!(self, Self::Text | Self::Filter | Self::RecordInput | Self::Name | Self::Palette)
    }
}

/// Input contexts in which actions have keys, with their names for messages.
pub const INPUT_CONTEXTS: [(InputContext, &str); 17] = [
    (InputContext::Profiles, "the list of profiles"),
    (InputContext::Form, "the form"),
    (InputContext::Choices, "a list of choices"),
    (InputContext::Live, "a run"),
    (InputContext::Finished, "the results"),
    (InputContext::Records, "the list of records"),
    (InputContext::Document, "a record"),
    (InputContext::Remove, "the question whether to delete"),
    (InputContext::Start, "the question whether to start"),
    (InputContext::Unsaved, "the question about unsaved changes"),
    (InputContext::Export, "the question how to export"),
    (InputContext::Help, "the help"),
    (InputContext::Tour, "the tour"),
    (InputContext::Stop, "the question how to stop"),
    (InputContext::Add, "the question how many to add"),
    (InputContext::Fault, "the question which fault"),
    (InputContext::Quit, "the question whether to leave"),
];
