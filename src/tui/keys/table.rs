//! Every action that a key can have: its name, where it is there, its keys, what it does.

use crate::tui::{
    model::{Panel, Place},
    msg::Msg,
    outside::{Export, Stop},
};

/// A group of actions that are there together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// In every place without a text field.
    Everywhere,
    /// Where something is moved through.
    Move,
    /// The list of profiles.
    Profiles,
    /// The setup screen.
    Setup,
    /// A run in progress.
    Live,
    /// A run that is over.
    Finished,
    /// The list of records.
    Records,
    /// A record.
    Record,
    /// The question whether to delete a record.
    Remove,
    /// The question in which form to export.
    Export,
    /// The help.
    Help,
    /// The question how to stop or change the run.
    Stop,
    /// The question how many repetitions to add.
    Add,
    /// The question whether to leave.
    Quit,
}

impl Scope {
    /// The actions of a place, the first of them with the right of way.
    pub const fn of(place: Place) -> &'static [Self] {
        match place {
            // Keys are letters there, or belong to what is open.
            Place::Text | Place::Filter | Place::Palette | Place::RecordText | Place::Name => &[],
            Place::Profiles => &[Self::Profiles, Self::Setup, Self::Everywhere, Self::Move],
            Place::Form => &[Self::Setup, Self::Everywhere, Self::Move],
            Place::Choices => &[Self::Move],
            Place::Live => &[Self::Live, Self::Everywhere, Self::Move],
            Place::Finished => &[Self::Finished, Self::Everywhere, Self::Move],
            Place::Records => &[Self::Records, Self::Record, Self::Everywhere, Self::Move],
            Place::Record => &[Self::Record, Self::Everywhere, Self::Move],
            Place::Remove => &[Self::Remove],
            Place::Export => &[Self::Export],
            Place::Help => &[Self::Help, Self::Everywhere, Self::Move],
            Place::Stop => &[Self::Stop],
            Place::Add => &[Self::Add],
            Place::Quit => &[Self::Quit],
        }
    }
}

/// An action.
pub struct Action {
    /// Where it is there.
    pub scope: Scope,
    /// Its name in the key map.
    pub name: &'static str,
    /// Its keys, unless the operator's key map has others.
    pub keys: &'static [&'static str],
    /// What it does, in a few words.
    pub what: &'static str,
    /// What is said to the model.
    pub msg: fn() -> Msg,
}

macro_rules! actions {
    ($($scope:ident $name:literal [$($key:literal),*] $what:literal => $msg:expr;)*) => {
        &[$(Action {
            scope: Scope::$scope,
            name: $name,
            keys: &[$($key),*],
            what: $what,
            msg: || $msg,
        }),*]
    };
}

/// All of them.
pub const ACTIONS: &[Action] = actions! {
    Everywhere "help" ["?", "F1"] "keys and words explained" => Msg::Help;
    Everywhere "commands" [":", "ctrl-p"] "find a command by its name" => Msg::Commands;
    Everywhere "suspend" ["ctrl-z"] "back to the shell, until fg" => Msg::Suspend;
    Everywhere "quit" ["q"] "leave" => Msg::Quit;
    Everywhere "theme" ["ctrl-t"] "next theme" => Msg::NextTheme;
    Move "up" ["up", "k"] "up" => Msg::Up;
    Move "down" ["down", "j"] "down" => Msg::Down;
    Move "left" ["left", "h"] "left" => Msg::Left;
    Move "right" ["right", "l"] "right" => Msg::Right;
    Move "next" ["tab"] "next panel" => Msg::NextPane;
    Move "previous" ["backtab"] "panel before" => Msg::PreviousPane;
    Move "accept" ["enter"] "edit, enlarge, accept" => Msg::Accept;
    Move "back" ["esc"] "back" => Msg::Back;
    Move "choose" ["space"] "change a choice" => Msg::Toggle;
    Profiles "start-profile" ["enter"] "start the run" => Msg::Start;
    Setup "start" ["F5"] "start the run" => Msg::Start;
    Setup "warm" ["w"] "warm or cold server" => Msg::ToggleWarmup;
    Setup "reset" ["delete", "backspace"] "the profile's own value" => Msg::Reset;
    Live "freeze" ["f"] "freeze the display, or go on" => Msg::Freeze;
    Live "stop" ["s"] "stop, skip a point, add repetitions…" => Msg::AskStop;
    Live "view" ["v"] "next view of the latency" => Msg::View(1);
    Live "view-before" ["V"] "view before" => Msg::View(-1);
    Live "view-histogram" ["1"] "latency as histogram" => Msg::ViewNumber(0);
    Live "view-percentiles" ["2"] "latency as percentiles over time" => Msg::ViewNumber(1);
    Live "view-durations" ["3"] "the four durations" => Msg::ViewNumber(2);
    Live "view-corrected" ["4"] "corrected beside uncorrected" => Msg::ViewNumber(3);
    Live "view-heat" ["5"] "latency as heat map" => Msg::ViewNumber(4);
    Live "map" ["m"] "the sweep's map" => Msg::Show(Panel::Map);
    Live "log" ["e"] "the log" => Msg::Show(Panel::Log);
    Live "filter" ["/"] "lines of the log with a text" => Msg::Filter;
    Live "level" ["!"] "warnings, errors, or all of the log" => Msg::Sift;
    Live "repetition-before" ["["] "look at the repetition before" => Msg::Turn(-1);
    Live "repetition-after" ["]"] "look at the repetition after" => Msg::Turn(1);
    Live "back-10" ["pageup"] "ten seconds back" => Msg::Seek(-10);
    Live "forth-10" ["pagedown"] "ten seconds forth" => Msg::Seek(10);
    Live "first" ["home"] "the first second" => Msg::Seek(isize::MIN);
    Live "last" ["end"] "the last second" => Msg::Seek(isize::MAX);
    Live "bell" ["b"] "bell on crossed thresholds" => Msg::ToggleBell;
    Setup "check" ["c"] "is the hub ready? what is missing?" => Msg::CheckHub;
    Setup "images" ["i"] "make the images of this run on its hub" => Msg::Images;
    Setup "changes" ["="] "what differs from the profile's file" => Msg::Changes;
    Setup "save" ["ctrl-s"] "keep the changes in the profile" => Msg::Save;
    Setup "save-as" ["S"] "keep the profile under another name" => Msg::SaveAs;
    Setup "rename" ["N"] "another name for the profile" => Msg::Rename;
    Setup "forget" ["D"] "delete the profile…" => Msg::AskRemove;
    Setup "records" ["R"] "the records on disk" => Msg::Records;
    Finished "run-again" ["r"] "run again" => Msg::Start;
    Finished "resume-run" ["g"] "go on with what is left of it" => Msg::Resume;
    Finished "open-record" ["o"] "figures, percentiles, findings of its record" => Msg::OpenRecord;
    Records "sort" ["o"] "another order" => Msg::Sort;
    Records "record-filter" ["/"] "records with a text" => Msg::Filter;
    Records "tags" ["t"] "tags of the record" => Msg::Tags;
    Records "note" ["n"] "a note on the record" => Msg::Note;
    Records "compare" ["c"] "compare with the marked record" => Msg::Compare;
    Records "remove" ["d"] "delete the record…" => Msg::AskRemove;
    Record "again" ["r"] "run again with the same profile" => Msg::Start;
    Record "stop-images" ["s"] "stop making images" => Msg::StopImages;
    Record "resume" ["g"] "go on with a partial record" => Msg::Resume;
    Record "export" ["x"] "export as JSON, CSV, report…" => Msg::AskExport;
    Record "page-up" ["pageup"] "ten lines up" => Msg::Leap(-10);
    Record "page-down" ["pagedown"] "ten lines down" => Msg::Leap(10);
    Record "top" ["home"] "the first line" => Msg::Leap(isize::MIN);
    Record "bottom" ["end"] "the last line" => Msg::Leap(isize::MAX);
    Record "page-1" ["1"] "the first page" => Msg::Page(0);
    Record "page-2" ["2"] "the second page" => Msg::Page(1);
    Record "page-3" ["3"] "the third page" => Msg::Page(2);
    Record "page-4" ["4"] "the fourth page" => Msg::Page(3);
    Record "page-5" ["5"] "the fifth page" => Msg::Page(4);
    Record "page-6" ["6"] "the sixth page" => Msg::Page(5);
    Record "page-7" ["7"] "the seventh page" => Msg::Page(6);
    Remove "remove-it" ["y"] "delete it" => Msg::Remove;
    Remove "keep-it" ["n", "esc", "g"] "keep it" => Msg::Back;
    Export "export-json" ["j"] "as JSON" => Msg::Export(Export::Json);
    Export "export-csv" ["c"] "as CSV" => Msg::Export(Export::Csv);
    Export "export-report" ["r"] "as a report" => Msg::Export(Export::Report);
    Export "export-none" ["g", "esc"] "not at all" => Msg::Back;
    Help "close" ["q"] "close" => Msg::Back;
    Stop "stop-after" ["a"] "after this repetition" => Msg::Stop(Stop::AfterRepetition);
    Stop "stop-now" ["n"] "now" => Msg::Stop(Stop::Now);
    Stop "skip" ["k"] "skip this point" => Msg::Skip;
    Stop "add" ["+"] "add repetitions" => Msg::AskAdd;
    Stop "go-on" ["g", "esc"] "go on" => Msg::Back;
    Add "more" ["up", "right", "k", "l", "+"] "more" => Msg::Up;
    Add "fewer" ["down", "left", "j", "h", "-"] "fewer" => Msg::Down;
    Add "add-them" ["enter"] "add them" => Msg::Accept;
    Add "add-none" ["g", "esc"] "go on without" => Msg::Back;
    Quit "detach" ["d"] "leave, the run goes on (--keep)" => Msg::Detach;
    Quit "leave-after" ["a"] "stop after this repetition" => Msg::QuitAfter(Stop::AfterRepetition);
    Quit "leave-now" ["n"] "stop now" => Msg::QuitAfter(Stop::Now);
    Quit "abandon" ["x"] "leave at once" => Msg::Abandon;
    Quit "stay" ["g", "esc"] "go on" => Msg::Back;
};
