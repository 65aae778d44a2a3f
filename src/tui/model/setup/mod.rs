//! The form: a profile, and what the operator changes of it.

mod edit;
mod pick;
mod switch;

use std::{collections::BTreeMap, sync::Arc};

use tui_input::Input;

use super::{Catalog, field::Field};
use crate::tui::{
    msg::{Effect, Msg},
    outside::{BackendOption, HubPlace, PlanPreview, Problem, ProfileEntry, Request},
};

/// The part of the form that has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// The list of profiles.
    Profiles,
    /// The fields.
    Form,
}

/// What is being edited.
#[derive(Debug)]
pub enum Editing {
    /// Nothing.
    Nothing,
    /// The selected field's text.
    Text(Input),
    /// The list of backends or of places, with the line that has the keys.
    Choices(usize),
}

/// The planner's last answer.
#[derive(Debug)]
pub enum Preview {
    /// None yet.
    Waiting,
    /// A plan.
    Plan(Box<PlanPreview>),
    /// What is wrong.
    Problems(Vec<Problem>),
}

/// The form.
#[derive(Debug)]
pub struct Setup {
    catalog: Arc<Catalog>,
    /// The chosen profile.
    pub profile: usize,
    /// Which part has the keys.
    pub pane: Pane,
    /// The number of the selected one among [`Self::fields`].
    pub field: usize,
    /// Changes of each profile.
    changes: Vec<BTreeMap<Field, String>>,
    /// What each profile's other kinds of workload had when they were left.
    left: Vec<switch::Left>,
    /// What is being edited.
    pub editing: Editing,
    /// The planner's last answer.
    pub preview: Preview,
    /// The last plan of this profile that was right, for the values that nobody changed.
    pub plan: Option<PlanPreview>,
    /// What the profiles come to as their files have them, once that is known.
    files: Vec<Option<PlanPreview>>,
    /// The places that can be a hub, once they are known.
    pub hubs: Option<Vec<HubPlace>>,
    /// What there is to say: a failure to keep a profile.
    pub word: Option<Result<String, String>>,
}

impl Setup {
    /// The form on the first profile.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Self {
            changes: vec![BTreeMap::new(); catalog.profiles.len()],
            left: vec![BTreeMap::new(); catalog.profiles.len()],
            files: vec![None; catalog.profiles.len()],
            hubs: None,
            catalog,
            profile: 0,
            pane: Pane::Profiles,
            field: 0,
            editing: Editing::Nothing,
            preview: Preview::Waiting,
            plan: None,
            word: None,
        }
    }

    /// Takes another list of profiles and chooses one. Its changes are in its file now, and so are those
    /// of the profile that was chosen before where it is a copy of that one; a renamed profile takes its
    /// own along. Changes of the others stay.
    pub fn reload(&mut self, catalog: Arc<Catalog>, chosen: &str) -> Option<Effect> {
        let before: BTreeMap<&str, &BTreeMap<Field, String>> = self
            .catalog
            .profiles
            .iter()
            .map(|entry| entry.name.as_str())
            .zip(&self.changes)
            .collect();
        let was = self.entry().map_or("", |entry| entry.name.as_str());
        let is_new = !chosen.is_empty() && !before.contains_key(chosen);
        let is_renamed = is_new && !catalog.profiles.iter().any(|entry| entry.name == was);
        let changes = catalog.profiles.iter().map(|entry| {
            let name = entry.name.as_str();
            let of = if name == chosen && is_renamed { was } else { name };
            let is_kept = name == chosen && !is_renamed || is_new && name == was;
            before.get(of).filter(|_| !is_kept).map_or_else(BTreeMap::new, |&it| it.clone())
        });
        self.changes = changes.collect();
        // Files that are not chosen may have changed as well.
        self.files = vec![None; catalog.profiles.len()];
        self.left = vec![BTreeMap::new(); catalog.profiles.len()];
        let place = catalog.profiles.iter().position(|entry| entry.name == chosen);
        self.profile = place.unwrap_or(0);
        self.catalog = catalog;
        self.plan = None;
        self.preview = Preview::Waiting;
        self.ask()
    }

    /// The chosen profile.
    pub fn entry(&self) -> Option<&ProfileEntry> {
        self.catalog.profiles.get(self.profile)
    }

    /// Whether a profile was changed.
    pub fn is_changed(&self, profile: usize) -> bool {
        self.changes.get(profile).is_some_and(|changes| !changes.is_empty())
    }

    /// The fields of this kind of workload, in the form's order.
    pub fn fields(&self) -> Vec<Field> {
        let kind = self.value(Field::Kind).unwrap_or_default();
        Field::ALL.into_iter().filter(|field| field.is_of(&kind)).collect()
    }

    /// The selected field.
    pub fn selected(&self) -> Field {
        let fields = self.fields();
        fields.get(self.field).or(fields.last()).copied().unwrap_or(Field::Backend)
    }

    /// A field's value: the operator's, or the profile's; `None` while it is not known.
    pub fn value(&self, field: Field) -> Option<String> {
        let changed = self.changes.get(self.profile).and_then(|changes| changes.get(&field));
        changed.cloned().or_else(|| self.plan.as_ref().map(|shown| field.of(shown)))
    }

    /// Whether the operator changed a field.
    pub fn is_field_changed(&self, field: Field) -> bool {
        self.changes.get(self.profile).is_some_and(|changes| changes.contains_key(&field))
    }

    /// A field's value in the profile's file, where it is known.
    pub fn in_file(&self, field: Field) -> Option<String> {
        self.files.get(self.profile)?.as_ref().map(|file| field.of(file))
    }

    /// What the operator changed: the field, its value in the file where it is known, and here.
    pub fn differences(&self) -> Vec<(Field, Option<String>, String)> {
        self.applied().map(|(field, value)| (*field, self.in_file(*field), value.clone())).collect()
    }

    /// What a field comes to where the profile does not give it.
    pub fn usual(&self, field: Field) -> Option<String> {
        let Preview::Plan(preview) = &self.preview else { return None };
        field.usual_among(&preview.usual).filter(|usual| !usual.is_empty())
    }

    /// What is wrong with a field's value.
    pub fn problem(&self, field: Field) -> Option<&str> {
        self.problems()
            .iter()
            .find(|problem| problem.key.as_deref().is_some_and(|key| field.holds(key)))
            .map(|problem| problem.text.as_str())
    }

    /// Everything that is wrong.
    pub fn problems(&self) -> &[Problem] {
        match &self.preview {
            Preview::Problems(problems) => problems,
            Preview::Waiting | Preview::Plan(_) => &[],
        }
    }

    /// The chosen backends.
    pub fn backends(&self) -> Vec<&BackendOption> {
        let value = self.value(Field::Backend).unwrap_or_default();
        let chosen: Vec<&str> = value.split(',').map(str::trim).collect();
        let is_chosen = |option: &&BackendOption| {
            let default = self
                .catalog
                .backends
                .iter()
                .find(|other| other.choice.name == option.choice.name)
                .is_some_and(|first| first == *option);
            chosen.contains(&option.value().as_str())
                || default && chosen.contains(&option.choice.name.as_str())
        };
        self.catalog.backends.iter().filter(is_chosen).collect()
    }

    /// The question to the planner.
    pub fn ask(&self) -> Option<Effect> {
        let entry = self.entry()?;
        Some(Effect::Preview { text: entry.text.clone(), overrides: self.overrides() })
    }

    /// What can be started, if the form is right.
    pub fn request(&self) -> Option<Request> {
        let Preview::Plan(preview) = &self.preview else { return None };
        Some(Request {
            profile: self.entry()?.clone(),
            overrides: self.overrides(),
            preview: (**preview).clone(),
            resume: None,
        })
    }

    /// The form's changes of the chosen profile.
    pub fn overrides(&self) -> Vec<(String, String)> {
        self.overrides_but(None)
    }

    fn overrides_but(&self, other: Option<Field>) -> Vec<(String, String)> {
        self.applied()
            .filter(|(field, value)| Some(**field) != other && self.is_given(**field, value))
            .map(|(field, value)| field.given(value))
            .collect()
    }

    /// The changes that this kind of workload has a field for.
    fn applied(&self) -> impl Iterator<Item = (&Field, &String)> {
        let kind = self.value(Field::Kind).unwrap_or_default();
        let changes = self.changes.get(self.profile).into_iter().flatten();
        changes.filter(move |(field, _)| field.is_of(&kind))
    }

    /// Whether a value is one: no address is only a change where the file has one.
    fn is_given(&self, field: Field, value: &str) -> bool {
        let optional = matches!(field, Field::Engine | Field::Certificates);
        !(optional && value.is_empty() && self.in_file(field).is_none_or(|file| file.is_empty()))
    }

    /// Takes the planner's answer.
    pub fn answered(&mut self, answer: Result<PlanPreview, Vec<Problem>>) {
        self.preview = match answer {
            Ok(preview) => {
                // What is still typed is no value yet.
                if !matches!(self.editing, Editing::Text(_)) {
                    let unchanged = self.overrides().is_empty();
                    self.plan = Some(preview.clone());
                    if let Some(file) = self.files.get_mut(self.profile).filter(|_| unchanged) {
                        *file = Some(preview.clone());
                    }
                }
                Preview::Plan(Box::new(preview))
            }
            Err(problems) => Preview::Problems(problems),
        };
    }

    /// Applies a message; the answer is a new question to the planner, if there is one.
    pub fn update(&mut self, msg: &Msg) -> Option<Effect> {
        match self.editing {
            Editing::Text(_) => self.typing(msg),
            Editing::Choices(line) if self.selected() == Field::Engine => self.placing(line, msg),
            Editing::Choices(line) => self.choosing(line, msg),
            Editing::Nothing => self.moving(msg),
        }
    }

    fn moving(&mut self, msg: &Msg) -> Option<Effect> {
        match (msg, self.pane) {
            (Msg::NextPane | Msg::Right, Pane::Profiles) => {
                self.pane = Pane::Form;
            }
            (Msg::PreviousPane, Pane::Profiles) => self.pane = Pane::Form,
            (Msg::NextPane | Msg::PreviousPane | Msg::Back, Pane::Form) => {
                self.pane = Pane::Profiles;
            }
            (Msg::Up, Pane::Profiles) => return self.load(self.profile.saturating_sub(1)),
            (Msg::Down, Pane::Profiles) => return self.load(self.profile + 1),
            (Msg::Up, Pane::Form) => self.field = self.field.saturating_sub(1),
            (Msg::Down, Pane::Form) => self.field = (self.field + 1).min(self.last_field()),
            (Msg::Profile(profile), _) => {
                self.pane = Pane::Profiles;
                return self.load(*profile);
            }
            (Msg::Field(field), Pane::Form) if self.field == *field => return self.open(),
            (Msg::Field(field), _) => {
                self.pane = Pane::Form;
                self.field = (*field).min(self.last_field());
            }
            (Msg::ToggleWarmup, _) => return self.toggle_warmup(),
            (Msg::Left, Pane::Form) => return self.cycle(-1),
            (Msg::Right | Msg::Toggle, Pane::Form) => return self.cycle(1),
            (Msg::Accept, Pane::Form) => return self.open(),
            (Msg::Reset, Pane::Form) => {
                let field = self.selected();
                let changes = self.changes.get_mut(self.profile)?;
                changes.remove(&field)?;
                match field {
                    Field::Engine => {
                        changes.remove(&Field::Certificates);
                    }
                    Field::Kind => self.back_to_the_file_s_kind(),
                    _ => {}
                }
                return self.ask();
            }
            _ => {}
        }
        None
    }

    fn last_field(&self) -> usize {
        self.fields().len().saturating_sub(1)
    }

    fn load(&mut self, profile: usize) -> Option<Effect> {
        let profile = profile.min(self.catalog.profiles.len().saturating_sub(1));
        if profile == self.profile {
            return None;
        }
        self.profile = profile;
        self.plan = None;
        self.preview = Preview::Waiting;
        self.ask()
    }
}
