//! The form: a profile, and what the operator changes of it.

use std::{collections::BTreeMap, sync::Arc};

use tui_input::Input;

use super::{
    Catalog,
    field::{Field, FieldKind},
};
use crate::{
    plan::Plan,
    server::HubKind,
    tui::{
        msg::{Effect, Msg},
        outside::{BackendOption, PlanPreview, Problem, ProfileEntry, Request},
    },
};

/// The server warm-up that one key asks for: what a JVM needs to compile its busy code.
const WARM: &str = "30 s";
/// The study's way.
const COLD: &str = "0 s";

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
    /// The list of backends, with the line that has the keys.
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
    /// The selected field.
    pub field: usize,
    /// Changes of each profile.
    changes: Vec<BTreeMap<Field, String>>,
    /// What is being edited.
    pub editing: Editing,
    /// The planner's last answer.
    pub preview: Preview,
    /// The last plan of this profile that was right, for the values that nobody changed.
    pub plan: Option<Plan>,
    /// What there is to say: a failure to keep a profile.
    pub word: Option<Result<String, String>>,
}

impl Setup {
    /// The form on the first profile.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Self {
            changes: vec![BTreeMap::new(); catalog.profiles.len()],
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

    /// Takes another list of profiles and chooses one, whose changes are kept in it now. Changes of
    /// the others stay.
    pub fn reload(&mut self, catalog: Arc<Catalog>, chosen: &str) -> Option<Effect> {
        let before: BTreeMap<&str, &BTreeMap<Field, String>> = self
            .catalog
            .profiles
            .iter()
            .map(|entry| entry.name.as_str())
            .zip(&self.changes)
            .collect();
        let changes = catalog.profiles.iter().map(|entry| {
            let changes = before.get(entry.name.as_str()).filter(|_| entry.name != chosen);
            changes.map(|changes| (*changes).clone()).unwrap_or_default()
        });
        self.changes = changes.collect();
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

    /// The selected field.
    pub fn selected(&self) -> Field {
        Field::ALL[self.field.min(Field::ALL.len() - 1)]
    }

    /// A field's value: the operator's, or the profile's; `None` while it is not known.
    pub fn value(&self, field: Field) -> Option<String> {
        let changed = self.changes.get(self.profile).and_then(|changes| changes.get(&field));
        changed.cloned().or_else(|| self.plan.as_ref().map(|plan| field.of(plan)))
    }

    /// Whether the operator changed a field.
    pub fn is_field_changed(&self, field: Field) -> bool {
        self.changes.get(self.profile).is_some_and(|changes| changes.contains_key(&field))
    }

    /// What is wrong with a field's value.
    pub fn problem(&self, field: Field) -> Option<&str> {
        self.problems()
            .iter()
            .find(|problem| problem.key.as_deref() == Some(field.key()))
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
        let changes = self.changes.get(self.profile).into_iter().flatten();
        changes
            // An empty engine is the absence of one.
            .filter(|(field, value)| **field != Field::Engine || !value.is_empty())
            .map(|(field, value)| (field.key().to_owned(), value.clone()))
            .collect()
    }

    /// Takes the planner's answer.
    pub fn answered(&mut self, answer: Result<PlanPreview, Vec<Problem>>) {
        self.preview = match answer {
            Ok(preview) => {
                // What is still typed is no value yet.
                if !matches!(self.editing, Editing::Text(_)) {
                    self.plan = Some(preview.plan.clone());
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
            (Msg::Down, Pane::Form) => self.field = (self.field + 1).min(Field::ALL.len() - 1),
            (Msg::Profile(profile), _) => {
                self.pane = Pane::Profiles;
                return self.load(*profile);
            }
            (Msg::Field(field), Pane::Form) if self.field == *field => return self.open(),
            (Msg::Field(field), _) => {
                self.pane = Pane::Form;
                self.field = (*field).min(Field::ALL.len() - 1);
            }
            (Msg::ToggleWarmup, _) => return self.toggle_warmup(),
            (Msg::Left, Pane::Form) => return self.cycle(-1),
            (Msg::Right | Msg::Toggle, Pane::Form) => return self.cycle(1),
            (Msg::Accept, Pane::Form) => return self.open(),
            (Msg::Reset, Pane::Form) => {
                let field = self.selected();
                let changes = self.changes.get_mut(self.profile)?;
                changes.remove(&field)?;
                return self.ask();
            }
            _ => {}
        }
        None
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

    fn change(&mut self, field: Field, value: String) -> Option<Effect> {
        self.changes.get_mut(self.profile)?.insert(field, value);
        self.ask()
    }

    fn open(&mut self) -> Option<Effect> {
        let field = self.selected();
        match field.kind() {
            FieldKind::Text => {
                let value = self.value(field).unwrap_or_default();
                self.editing = Editing::Text(Input::new(value));
                None
            }
            FieldKind::Choice(_) => self.cycle(1),
            FieldKind::Backends => {
                self.editing = Editing::Choices(0);
                None
            }
        }
    }

    fn cycle(&mut self, by: isize) -> Option<Effect> {
        let field = self.selected();
        match field.kind() {
            FieldKind::Choice(words) => {
                let value = self.value(field).unwrap_or_default();
                let next = words.iter().position(|word| *word == value).map_or(0, |place| {
                    place.saturating_add_signed(by + words.len().cast_signed()) % words.len()
                });
                self.change(field, (*words.get(next)?).to_owned())
            }
            FieldKind::Text | FieldKind::Backends => None,
        }
    }

    fn toggle_warmup(&mut self) -> Option<Effect> {
        let warm = self.plan.as_ref()?.server_warmup.is_zero();
        let value = if warm { WARM } else { COLD };
        self.change(Field::ServerWarmup, value.to_owned())
    }

    fn typing(&mut self, msg: &Msg) -> Option<Effect> {
        let Editing::Text(input) = &mut self.editing else { return None };
        match msg {
            Msg::Type(request) => {
                input.handle(*request);
                let typed = input.value().trim().to_owned();
                self.try_out(typed)
            }
            Msg::Accept => {
                let value = input.value().trim().to_owned();
                self.editing = Editing::Nothing;
                let field = self.selected();
                if self.value(field).as_deref() == Some(value.as_str()) {
                    return self.ask();
                }
                self.change(field, value)
            }
            Msg::Back => {
                self.editing = Editing::Nothing;
                self.ask()
            }
            _ => None,
        }
    }

    /// Asks what a text would come to while it is still typed.
    fn try_out(&self, typed: String) -> Option<Effect> {
        let entry = self.entry()?;
        let key = self.selected().key();
        let mut overrides = self.overrides();
        overrides.retain(|(other, _)| other != key);
        if self.selected() != Field::Engine || !typed.is_empty() {
            overrides.push((key.to_owned(), typed));
        }
        Some(Effect::Preview { text: entry.text.clone(), overrides })
    }

    fn choosing(&mut self, line: usize, msg: &Msg) -> Option<Effect> {
        let last = self.catalog.backends.len().saturating_sub(1);
        match msg {
            Msg::Up => self.editing = Editing::Choices(line.saturating_sub(1)),
            Msg::Down => self.editing = Editing::Choices((line + 1).min(last)),
            Msg::Toggle => return self.toggle_backend(line),
            Msg::Accept => {
                self.editing = Editing::Nothing;
                if self.backends().is_empty() {
                    return self.toggle_backend(line);
                }
            }
            Msg::Back => self.editing = Editing::Nothing,
            _ => {}
        }
        None
    }

    /// Adds or removes a backend, and moves to a hub on which all the chosen ones can run.
    fn toggle_backend(&mut self, line: usize) -> Option<Effect> {
        let catalog = Arc::clone(&self.catalog);
        let toggled = catalog.backends.get(line)?;
        let chosen = self.backends();
        let removed = chosen.contains(&toggled);
        let chosen: Vec<&BackendOption> = catalog
            .backends
            .iter()
            .filter(|option| if *option == toggled { !removed } else { chosen.contains(option) })
            .collect();
        let values: Vec<String> = chosen.iter().map(|option| option.value()).collect();
        let runs_on = |kind: HubKind| chosen.iter().all(|option| option.hubs.contains(&kind));
        let present = self.value(Field::Hub);
        let fits = HubKind::ALL
            .into_iter()
            .filter(|kind| runs_on(*kind))
            .map(HubKind::word)
            .collect::<Vec<_>>();
        if let (Some(first), Some(present)) = (fits.first(), present)
            && !fits.contains(&present.as_str())
        {
            self.changes.get_mut(self.profile)?.insert(Field::Hub, (*first).to_owned());
        }
        self.change(Field::Backend, values.join(", "))
    }
}
