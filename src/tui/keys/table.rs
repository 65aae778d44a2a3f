//! All actions: scope, name, default keys, description, message.

use super::context::InputContext;
use crate::{
    engine::steering::FaultChoice,
    tui::{
        live_panel::LivePanel,
        msg::{Answer, Msg},
        requests::ExportFormat,
    },
};

/// Group of actions that are available together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Every context without a text field.
    Everywhere,
    /// Contexts with a selection that moves.
    Move,
    /// The list of profiles.
    Profiles,
    /// The setup screen.
    Setup,
    /// A run in progress.
    Live,
    /// A finished run.
    Finished,
    /// The list of records.
    Records,
    /// A record.
    Record,
    /// Questions whose chosen answer Enter gives.
    Answer,
    /// The question whether to delete a record.
    Remove,
    /// The question whether to start a long run.
    Start,
    /// The question whether to quit with unsaved changes.
    Unsaved,
    /// The question for the export format.
    Export,
    /// The help.
    Help,
    /// A step of the tour.
    Tour,
    /// The question how to stop or change the run.
    Stop,
    /// The question how many repetitions to add.
    Add,
    /// The question which fault to inject.
    Fault,
    /// The question whether to quit.
    Quit,
}

impl Scope {
    /// Scopes of a context; an earlier scope takes precedence.
    pub const fn of_context(context: InputContext) -> &'static [Self] {
        match context {
            // Keys edit a text in these contexts.
            InputContext::Text
            | InputContext::Filter
            | InputContext::Palette
            | InputContext::RecordInput
            | InputContext::Name => &[],
            InputContext::Profiles => &[Self::Profiles, Self::Setup, Self::Everywhere, Self::Move],
            InputContext::Form => &[Self::Setup, Self::Everywhere, Self::Move],
            InputContext::Choices => &[Self::Move],
            InputContext::Live => &[Self::Live, Self::Everywhere, Self::Move],
            InputContext::Finished => &[Self::Finished, Self::Everywhere, Self::Move],
            InputContext::Records => &[Self::Records, Self::Record, Self::Everywhere, Self::Move],
            InputContext::Document => &[Self::Record, Self::Everywhere, Self::Move],
            InputContext::Remove => &[Self::Remove, Self::Answer],
            InputContext::Start => &[Self::Start, Self::Answer],
            InputContext::Unsaved => &[Self::Unsaved, Self::Answer],
            InputContext::Export => &[Self::Export],
            InputContext::Help => &[Self::Help, Self::Everywhere, Self::Move],
            InputContext::Tour => &[Self::Tour],
            InputContext::Stop => &[Self::Stop, Self::Answer],
            InputContext::Add => &[Self::Add],
            InputContext::Fault => &[Self::Fault, Self::Answer],
            InputContext::Quit => &[Self::Quit, Self::Answer],
        }
    }
}

/// An action.
pub struct Action {
    /// Scope in which the action is available.
    pub scope: Scope,
    /// Name in the key map.
    pub name: &'static str,
    /// Default keys.
    pub keys: &'static [&'static str],
    /// Short description for the help and the command palette.
    pub description: &'static str,
    /// Message to the model.
    pub msg: fn() -> Msg,
}

impl Action {
    /// Whether the operator may leave the action without a key: the command palette still offers it.
    pub fn may_have_no_key(&self) -> bool {
        let offered = matches!(
            self.scope,
            Scope::Everywhere
                | Scope::Profiles
                | Scope::Setup
                | Scope::Live
                | Scope::Finished
                | Scope::Records
                | Scope::Record
        );
        offered && self.name != "commands"
    }
}

macro_rules! actions {
    ($($scope:ident $name:literal [$($key:literal),*] $what:literal => $msg:expr;)*) => {
        &[$(Action {
            scope: Scope::$scope,
            name: $name,
            keys: &[$($key),*],
            description: $what,
            msg: || $msg,
        }),*]
    };
}

/// All actions.
pub const ACTIONS: &[Action] = actions! {
    Everywhere "help" ["?", "F1"] "keys and words explained" => Msg::Help;
    Everywhere "commands" [":", "ctrl-p"] "find a command by its name" => Msg::Commands;
    Everywhere "suspend" ["ctrl-z"] "suspend to the shell; fg resumes" => Msg::Suspend;
    Everywhere "quit" ["q"] "leave" => Msg::Quit;
    Everywhere "theme" ["ctrl-t"] "next theme" => Msg::NextTheme;
    Everywhere "mouse" ["M"] "mouse for the screen or the terminal" => Msg::ToggleMouse;
    Move "up" ["up", "k"] "up" => Msg::Up;
    Move "down" ["down", "j"] "down" => Msg::Down;
    Move "left" ["left", "h"] "left" => Msg::Left;
    Move "right" ["right", "l"] "right" => Msg::Right;
    Move "next" ["tab"] "next panel" => Msg::NextPane;
    Move "previous" ["backtab"] "previous panel" => Msg::PreviousPane;
    Move "accept" ["enter"] "edit, enlarge, accept" => Msg::Accept;
    Move "back" ["esc"] "back" => Msg::Back;
    Move "choose" ["space"] "change a choice" => Msg::Toggle;
    Profiles "start-profile" ["enter"] "start the run" => Msg::Start;
    Setup "start" ["F5"] "start the run" => Msg::Start;
    Setup "warm" ["w"] "warm or cold server" => Msg::ToggleWarmup;
    Setup "reset" ["delete", "backspace"] "reset to the profile's value" => Msg::Reset;
    Live "freeze" ["f"] "freeze or unfreeze the display" => Msg::Freeze;
    Live "stop" ["s"] "stop, skip a point, add repetitions…" => Msg::AskStop;
    Live "view" ["v"] "next view of the latency" => Msg::View(1);
    Live "view-before" ["V"] "previous view of the latency" => Msg::View(-1);
    Live "view-histogram" ["1"] "latency as histogram" => Msg::ViewNumber(0);
    Live "view-percentiles" ["2"] "latency as percentiles over time" => Msg::ViewNumber(1);
    Live "view-durations" ["3"] "the four durations" => Msg::ViewNumber(2);
    Live "view-corrected" ["4"] "corrected beside uncorrected" => Msg::ViewNumber(3);
    Live "view-heat" ["5"] "latency as heat map" => Msg::ViewNumber(4);
    Live "map" ["m"] "the sweep's map" => Msg::ToggleMaximized(LivePanel::Map);
    Live "log" ["e"] "the log" => Msg::ToggleMaximized(LivePanel::Log);
    Live "filter" ["/"] "filter the log by text" => Msg::Filter;
    Live "level" ["!"] "log level: all, warnings, errors" => Msg::CycleLogLevel;
    Live "repetition-before" ["["] "show the previous repetition" => Msg::SwitchRepetition(-1);
    Live "repetition-after" ["]"] "show the next repetition" => Msg::SwitchRepetition(1);
    Live "back-10" ["pageup"] "ten seconds back" => Msg::Seek(-10);
    Live "forth-10" ["pagedown"] "ten seconds forward" => Msg::Seek(10);
    Live "first" ["home"] "the first second" => Msg::Seek(isize::MIN);
    Live "last" ["end"] "the last second" => Msg::Seek(isize::MAX);
    Live "bell" ["b"] "bell on crossed thresholds" => Msg::ToggleBell;
    Live "pause-load" ["p"] "steering: pause or resume the load" => Msg::TogglePause;
    Live "faster" ["+", "="] "steering: raise the rate of the load" => Msg::Faster;
    Live "slower" ["-"] "steering: lower the rate of the load" => Msg::Slower;
    Live "fewer-users" ["<", ","] "steering: switch half of the users off" => Msg::FewerUsers;
    Live "more-users" [">", "."] "steering: switch users on again" => Msg::MoreUsers;
    Live "fault" ["x"] "steering: inject a fault into the server…" => Msg::AskFault;
    Setup "check" ["c"] "is the hub ready? what is missing?" => Msg::CheckHub;
    Setup "images" ["i"] "build this run's images on its hub" => Msg::Images;
    Setup "changes" ["="] "differences from the profile's file" => Msg::Changes;
    Setup "save" ["ctrl-s"] "save the changes to the profile" => Msg::Save;
    Setup "save-as" ["S"] "save the profile under another name" => Msg::SaveAs;
    Setup "rename" ["N"] "rename the profile" => Msg::Rename;
    Setup "forget" ["D"] "delete the profile…" => Msg::AskRemove;
    Setup "details-up" ["pageup"] "scroll preview and explanation up" => Msg::Scroll(-1);
    Setup "details-down" ["pagedown"] "scroll preview and explanation down" => Msg::Scroll(1);
    Setup "records" ["R"] "the records on disk" => Msg::Records;
    Setup "last-run" ["L"] "the results of the last run" => Msg::LastRun;
    Finished "run-records" ["R"] "the records on disk" => Msg::Records;
    Finished "run-again" ["r"] "run again" => Msg::Start;
    Finished "resume-run" ["g"] "resume the run" => Msg::Resume;
    Finished "open-record" ["f"] "figures, percentiles, findings of its record" => Msg::OpenRecord;
    Finished "compare-run" ["c"] "compare with the last comparable run" => Msg::Compare;
    Finished "open-report" ["o"] "write its report, open it in a browser" => Msg::OpenReport;
    Records "sort" ["o"] "the next sort order" => Msg::Sort(1);
    Records "sort-before" ["O"] "the previous sort order" => Msg::Sort(-1);
    Records "record-filter" ["/"] "filter: words, hub:pi, users>100, p99<5" => Msg::Filter;
    Records "tags" ["t"] "edit the record's tags" => Msg::Tags;
    Records "note" ["n"] "edit the record's note" => Msg::Note;
    Records "compare" ["c"] "compare with the marked record, or two marked" => Msg::Compare;
    Records "remove" ["d"] "delete the record…" => Msg::AskRemove;
    Record "again" ["r"] "run again with the same profile" => Msg::Start;
    Record "stop-images" ["s"] "stop building images" => Msg::StopImages;
    Record "resume" ["g"] "resume a partial record" => Msg::Resume;
    Record "export" ["x"] "export as JSON, CSV, report…" => Msg::AskExport;
    Record "page-up" ["pageup"] "ten lines up" => Msg::Scroll(-10);
    Record "page-down" ["pagedown"] "ten lines down" => Msg::Scroll(10);
    Record "top" ["home"] "the first line" => Msg::Scroll(isize::MIN);
    Record "bottom" ["end"] "the last line" => Msg::Scroll(isize::MAX);
    Record "page-1" ["1"] "the first page" => Msg::Page(0);
    Record "page-2" ["2"] "the second page" => Msg::Page(1);
    Record "page-3" ["3"] "the third page" => Msg::Page(2);
    Record "page-4" ["4"] "the fourth page" => Msg::Page(3);
    Record "page-5" ["5"] "the fifth page" => Msg::Page(4);
    Record "page-6" ["6"] "the sixth page" => Msg::Page(5);
    Record "page-7" ["7"] "the seventh page" => Msg::Page(6);
    Answer "answer-above" ["up", "left", "backtab"] "choose the answer above" => Msg::Up;
    Answer "answer-below" ["down", "right", "tab"] "choose the answer below" => Msg::Down;
    Answer "answer" ["enter"] "give the chosen answer" => Msg::Accept;
    Remove "remove-it" ["y"] "delete it" => Msg::Choose(Answer::Remove);
    Remove "keep-it" ["n", "esc", "g"] "do not delete" => Msg::Back;
    Start "start-it" ["y"] "start the run" => Msg::Choose(Answer::Start);
    Start "not-yet" ["n", "esc", "g"] "do not start" => Msg::Back;
    Unsaved "discard" ["y"] "leave, discard the changes" => Msg::Choose(Answer::LeaveUnsaved);
    Unsaved "stay-here" ["n", "esc", "g"] "do not leave" => Msg::Back;
    Export "export-json" ["j"] "as JSON" => Msg::Export(ExportFormat::Json);
    Export "export-csv" ["c"] "as CSV" => Msg::Export(ExportFormat::Csv);
    Export "export-report" ["r"] "as a report" => Msg::Export(ExportFormat::Report);
    Export "export-none" ["g", "esc"] "do not export" => Msg::Back;
    Tour "tour-next" ["enter", "space"] "close this step of the tour" => Msg::Accept;
    Tour "tour-skip" ["esc", "q"] "skip the rest of the tour" => Msg::Back;
    Help "close" ["q"] "close" => Msg::Back;
    Stop "stop-after" ["a"] "after this repetition" => Msg::Choose(Answer::StopAfter);
    Stop "stop-now" ["n"] "now" => Msg::Choose(Answer::StopNow);
    Stop "skip" ["k"] "skip this point" => Msg::Choose(Answer::Skip);
    Stop "add" ["+"] "add repetitions" => Msg::Choose(Answer::Add);
    Stop "go-on" ["g", "esc"] "go on" => Msg::Back;
    Add "more" ["up", "right", "k", "l", "+"] "more" => Msg::Up;
    Add "fewer" ["down", "left", "j", "h", "-"] "fewer" => Msg::Down;
    Add "add-them" ["enter"] "add them" => Msg::Accept;
    Add "add-none" ["g", "esc"] "add none" => Msg::Back;
    Fault "fault-pause" ["p"] "pause the server for 2 s" => Msg::Choose(Answer::Inject(FaultChoice::Pause));
    Fault "fault-cut" ["c"] "cut its network for 2 s" => Msg::Choose(Answer::Inject(FaultChoice::Cut));
    Fault "fault-limit" ["l"] "limit its CPU to 0.1 cores for 5 s" => Msg::Choose(Answer::Inject(FaultChoice::LimitCpu));
    Fault "fault-restart" ["r"] "stop it and start it again after 2 s" => Msg::Choose(Answer::Inject(FaultChoice::Restart));
    Fault "fault-kill" ["k"] "kill it and start it again after 2 s" => Msg::Choose(Answer::Inject(FaultChoice::Kill));
    Fault "fault-none" ["g", "esc"] "no fault" => Msg::Back;
    Quit "detach" ["d"] "leave, the run goes on (--keep)" => Msg::Choose(Answer::Detach);
    Quit "leave-after" ["a"] "stop after this repetition" => Msg::Choose(Answer::LeaveAfter);
    Quit "leave-now" ["n"] "stop now" => Msg::Choose(Answer::LeaveNow);
    Quit "abandon" ["x"] "leave at once" => Msg::Choose(Answer::Abandon);
    Quit "stay" ["g", "esc"] "go on" => Msg::Back;
};
