//! Records on disk: the list of them, and what its operator does with it.

use std::path::PathBuf;

use tui_input::Input;

use crate::{
    record::{
        index::{Content, Head},
        label::Label,
    },
    tui::{msg::Msg, outside::Ask},
};

/// By what the list is in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
    /// By the profile's name.
    Profile,
    /// By the backends.
    Backend,
    /// The most doubtful first: lost, failed, suspect, partial.
    Doubt,
}

impl Order {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Newest => "newest first",
            Self::Oldest => "oldest first",
            Self::Profile => "by profile",
            Self::Backend => "by backend",
            Self::Doubt => "doubtful first",
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::Newest => Self::Oldest,
            Self::Oldest => Self::Profile,
            Self::Profile => Self::Backend,
            Self::Backend => Self::Doubt,
            Self::Doubt => Self::Newest,
        }
    }
}

/// What is being typed.
#[derive(Debug, Clone)]
pub enum Typing {
    /// A text that shown records must have.
    Filter(Input),
    /// The selected record's tags.
    Tags(Input),
    /// The selected record's note.
    Note(Input),
}

/// The list.
#[derive(Debug, Default)]
pub struct Shelf {
    /// All records; `None` until they are read.
    pub heads: Option<Vec<Head>>,
    /// By what they are in order.
    pub order: Order,
    /// Text that shown records have.
    pub filter: String,
    /// The selected line.
    pub line: usize,
    /// The first side of a comparison.
    pub marked: Option<PathBuf>,
    /// What is being typed.
    pub typing: Option<Typing>,
    /// What there is to say: an export's place, a failure.
    pub word: Option<Result<String, String>>,
}

/// How doubtful a record is.
fn doubt(content: &Result<Content, String>) -> (u64, usize, usize, bool) {
    content.as_ref().map_or((0, 0, 0, false), |content| {
        let partial = content.status == crate::record::Status::Partial;
        (content.lost, content.failed, content.suspect, partial)
    })
}

impl Shelf {
    /// The records that are shown, in order.
    pub fn shown(&self) -> Vec<&Head> {
        let filter = match &self.typing {
            Some(Typing::Filter(input)) => input.value().to_lowercase(),
            _ => self.filter.to_lowercase(),
        };
        let matches = |head: &&Head| {
            let text = searched(head);
            filter.split_whitespace().all(|word| text.contains(word))
        };
        let mut shown: Vec<&Head> = self.heads.iter().flatten().filter(matches).collect();
        let profile = |head: &Head| head.content.as_ref().map(|c| c.profile.clone()).ok();
        let backends = |head: &Head| head.content.as_ref().map(|c| c.backends.clone()).ok();
        // A file's name may be anything, and what cannot be read was at least written at some time.
        // Sorts are stable.
        let began = |head: &Head| match &head.content {
            Ok(content) => content.started.as_nanosecond(),
            Err(_) => i128::from(head.modified),
        };
        shown.sort_by_key(|head| began(head));
        shown.reverse();
        match self.order {
            Order::Newest => {}
            Order::Oldest => shown.reverse(),
            Order::Profile => shown.sort_by_key(|head| profile(head)),
            Order::Backend => shown.sort_by_key(|head| backends(head)),
            Order::Doubt => shown.sort_by_key(|head| std::cmp::Reverse(doubt(&head.content))),
        }
        shown
    }

    /// The selected record.
    pub fn selected(&self) -> Option<&Head> {
        let shown = self.shown();
        shown.get(self.line.min(shown.len().saturating_sub(1))).copied()
    }

    /// Takes the list as it is on disk now; the selection stays on its record.
    pub fn listed(&mut self, heads: Vec<Head>) {
        let selected = self.selected().map(|head| head.path.clone());
        self.heads = Some(heads);
        let there = |path: &PathBuf| self.shown().iter().position(|head| head.path == *path);
        if let Some(line) = selected.as_ref().and_then(there) {
            self.line = line;
        }
        self.line = self.line.min(self.shown().len().saturating_sub(1));
    }

    /// Applies a message; the answer is what the disk is asked.
    pub fn update(&mut self, msg: &Msg) -> Option<Ask> {
        if let Some(typing) = self.typing.take() {
            return self.typing(typing, msg);
        }
        self.word = None;
        let last = self.shown().len().saturating_sub(1);
        match msg {
            Msg::Up => self.line = self.line.saturating_sub(1),
            Msg::Down => self.line = (self.line + 1).min(last),
            Msg::Leap(by) => self.line = self.line.saturating_add_signed(*by).min(last),
            Msg::Line(line) if *line != self.line => self.line = (*line).min(last),
            Msg::Accept | Msg::Line(_) => return Some(Ask::Open(self.selected()?.path.clone())),
            Msg::Sort => self.order = self.order.next(),
            Msg::Filter => self.typing = Some(Typing::Filter(Input::new(self.filter.clone()))),
            Msg::Tags => {
                let tags = self.selected()?.label.tags.join(" ");
                self.typing = Some(Typing::Tags(Input::new(tags)));
            }
            Msg::Note => {
                let note = self.selected()?.label.note.clone();
                self.typing = Some(Typing::Note(Input::new(note)));
            }
            Msg::Toggle => {
                let path = self.selected()?.path.clone();
                self.marked = if self.marked.as_ref() == Some(&path) { None } else { Some(path) };
            }
            Msg::Compare => return self.compare(),
            Msg::Records => return Some(Ask::List),
            _ => {}
        }
        None
    }

    fn compare(&mut self) -> Option<Ask> {
        let other = self.selected()?.path.clone();
        match self.marked.clone() {
            Some(marked) if marked != other => Some(Ask::Compare(marked, other)),
            _ => {
                let text = "mark one record with space, go to another, then compare";
                self.word = Some(Err(text.to_owned()));
                None
            }
        }
    }

    fn typing(&mut self, mut typing: Typing, msg: &Msg) -> Option<Ask> {
        let (Typing::Filter(input) | Typing::Tags(input) | Typing::Note(input)) = &mut typing;
        match msg {
            Msg::Type(request) => {
                input.handle(*request);
                self.line = if matches!(typing, Typing::Filter(_)) { 0 } else { self.line };
                self.typing = Some(typing);
            }
            Msg::Accept => return self.typed(&typing),
            Msg::Back => {}
            _ => self.typing = Some(typing),
        }
        None
    }

    fn typed(&mut self, typing: &Typing) -> Option<Ask> {
        match typing {
            Typing::Filter(input) => {
                input.value().trim().clone_into(&mut self.filter);
                None
            }
            Typing::Tags(input) => {
                let tags = input.value().split_whitespace().map(str::to_owned).collect();
                let head = self.selected()?;
                Some(Ask::Label(head.path.clone(), Label { tags, ..head.label.clone() }))
            }
            Typing::Note(input) => {
                let note = input.value().trim().to_owned();
                let head = self.selected()?;
                Some(Ask::Label(head.path.clone(), Label { note, ..head.label.clone() }))
            }
        }
    }
}

/// The text in which a filter searches.
fn searched(head: &Head) -> String {
    let name = head.path.file_stem().unwrap_or_default().to_string_lossy();
    let content = match &head.content {
        Ok(content) => {
            let status = match content.status {
                crate::record::Status::Complete => "complete",
                crate::record::Status::Partial => "partial",
            };
            let hub = content.hub.as_deref().unwrap_or_default();
            format!("{} {} {status} {hub}", content.profile, content.backends.join(" "))
        }
        Err(problem) => problem.clone(),
    };
    format!("{name} {content} {} {}", head.label.tags.join(" "), head.label.note).to_lowercase()
}
