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
    /// All records; `None` until the first of them are read.
    heads: Option<Vec<Head>>,
    /// The text of each in which a filter searches.
    texts: Vec<String>,
    /// The places of those that are shown, in order.
    places: Vec<usize>,
    /// How many there are, while they are still read for the first time.
    pub reading: Option<usize>,
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
    /// All records; `None` until the first of them are read.
    pub fn heads(&self) -> Option<&[Head]> {
        self.heads.as_deref()
    }

    /// The records that are shown, in order.
    pub fn shown(&self) -> Vec<&Head> {
        let heads = self.heads.as_deref().unwrap_or_default();
        self.places.iter().filter_map(|place| heads.get(*place)).collect()
    }

    /// Finds out which records are shown, in which order: thousands are not gone through for each
    /// key and each frame.
    fn arrange(&mut self) {
        let filter = match &self.typing {
            Some(Typing::Filter(input)) => input.value().to_lowercase(),
            _ => self.filter.to_lowercase(),
        };
        let heads = self.heads.as_deref().unwrap_or_default();
        let words: Vec<&str> = filter.split_whitespace().collect();
        let matches = |text: &String| words.iter().all(|word| text.contains(word));
        let mut places: Vec<usize> =
            (0..heads.len()).filter(|place| self.texts.get(*place).is_some_and(matches)).collect();
        let content = |place: &usize| heads[*place].content.as_ref().ok();
        // A file's name may be anything, and what cannot be read was at least written at some time.
        // Sorts are stable.
        places.sort_by_key(|place| {
            let head = &heads[*place];
            content(place).map_or(i128::from(head.modified), |it| it.started.as_nanosecond())
        });
        places.reverse();
        match self.order {
            Order::Newest => {}
            Order::Oldest => places.reverse(),
            Order::Profile => {
                places.sort_by(|a, b| {
                    content(a).map(|it| &it.profile).cmp(&content(b).map(|it| &it.profile))
                });
            }
            Order::Backend => {
                places.sort_by(|a, b| {
                    content(a).map(|it| &it.backends).cmp(&content(b).map(|it| &it.backends))
                });
            }
            Order::Doubt => {
                places.sort_by_key(|place| std::cmp::Reverse(doubt(&heads[*place].content)));
            }
        }
        self.places = places;
    }

    /// The selected record.
    pub fn selected(&self) -> Option<&Head> {
        let place = self.places.get(self.line.min(self.places.len().saturating_sub(1)))?;
        self.heads.as_ref()?.get(*place)
    }

    /// Takes the first part of a list that is not read yet; one that is known already stays until
    /// the whole new one is.
    pub fn listing(&mut self, heads: Vec<Head>, of: usize) {
        if self.heads.is_none() || self.reading.is_some() {
            self.reading = Some(of);
            self.take(heads);
        }
    }

    /// Takes the list as it is on disk now; the selection stays on its record.
    pub fn listed(&mut self, heads: Vec<Head>) {
        self.reading = None;
        self.take(heads);
    }

    /// Nothing can be read.
    pub fn unreadable(&mut self) {
        self.reading = None;
        self.heads.get_or_insert_default();
    }

    fn take(&mut self, heads: Vec<Head>) {
        // The first line means the newest, whichever that is by now.
        let selected = self.selected().filter(|_| self.line > 0).map(|head| head.path.clone());
        self.texts = heads.iter().map(searched).collect();
        self.heads = Some(heads);
        self.arrange();
        let there = |path: &PathBuf| self.shown().iter().position(|head| head.path == *path);
        if let Some(line) = selected.as_ref().and_then(there) {
            self.line = line;
        }
        self.line = self.line.min(self.places.len().saturating_sub(1));
    }

    /// Applies a message; the answer is what the disk is asked.
    pub fn update(&mut self, msg: &Msg) -> Option<Ask> {
        if let Some(typing) = self.typing.take() {
            return self.typing(typing, msg);
        }
        self.word = None;
        let last = self.places.len().saturating_sub(1);
        match msg {
            Msg::Up => self.line = self.line.saturating_sub(1),
            Msg::Down => self.line = (self.line + 1).min(last),
            Msg::Leap(by) => self.line = self.line.saturating_add_signed(*by).min(last),
            Msg::Line(line) if *line != self.line => self.line = (*line).min(last),
            Msg::Accept | Msg::Line(_) => return Some(Ask::Open(self.selected()?.path.clone())),
            Msg::Sort => {
                self.order = self.order.next();
                self.arrange();
            }
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
                let filters = matches!(typing, Typing::Filter(_));
                self.typing = Some(typing);
                if filters {
                    self.line = 0;
                    self.arrange();
                }
            }
            Msg::Accept => return self.typed(&typing),
            Msg::Back => self.arrange(),
            _ => self.typing = Some(typing),
        }
        None
    }

    fn typed(&mut self, typing: &Typing) -> Option<Ask> {
        match typing {
            Typing::Filter(input) => {
                input.value().trim().clone_into(&mut self.filter);
                self.arrange();
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
