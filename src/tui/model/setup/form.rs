//! State of the form: a profile, and the operator's changes to it.

use std::{collections::BTreeMap, sync::Arc};

use tui_input::Input;

use super::{field::Field, hub_cautions::HubCautions};
use crate::{
    engine::doctor::{Check, CheckStatus},
    plan::{HubRequest, Plan},
    tui::{
        msg::Effect,
        requests::{
            BackendOption, Catalog, FormProblem, HubCandidate, PlanPreview, ProfileEntry,
            ServiceRequest, StartRequest,
        },
    },
};

/// Part of the form that has the focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// List of profiles.
    Profiles,
    /// Fields.
    Form,
}

/// What is being edited in the form.
#[derive(Debug)]
pub enum Editing {
    /// Nothing.
    Nothing,
    /// Text of the selected field.
    Text(Input),
    /// List of backends or hubs, with the selected line.
    Choices(usize),
}

/// Last answer of the planner.
#[derive(Debug)]
pub enum Preview {
    /// No answer yet.
    Waiting,
    /// A plan.
    Plan(Box<PlanPreview>),
    /// Problems of the form.
    Problems(Vec<FormProblem>),
}

/// Values of fields by the name of a kind of workload and the field.
pub type SavedSizes = BTreeMap<(String, Field), String>;

/// Form with its profile and changes.
#[derive(Debug)]
pub struct SetupForm {
    pub(super) catalog: Arc<Catalog>,
    /// Index of the chosen profile.
    pub profile: usize,
    /// Focused part.
    pub pane: Pane,
    /// Index of the selected field among [`Self::fields`].
    pub field: usize,
    /// Changes to each profile.
    pub(super) changes: Vec<BTreeMap<Field, String>>,
    /// For each profile, values of the kinds of workload that the operator switched away from.
    pub(super) saved_sizes: Vec<SavedSizes>,
    /// What is being edited.
    pub editing: Editing,
    /// Last answer of the planner.
    pub preview: Preview,
    /// Last valid plan of the chosen profile; gives the values of unchanged fields.
    pub last_plan: Option<PlanPreview>,
    /// Preview of each profile's file without changes, once known.
    file_plans: Vec<Option<PlanPreview>>,
    /// Hubs that were found, once known.
    pub hubs: Option<Vec<HubCandidate>>,
    /// Hub whose check was requested last.
    pub checked_hub: Option<HubRequest>,
    /// What that check found to be missing or doubtful.
    hub_findings: Vec<String>,
    /// What is missing on hubs that no check was asked for.
    pub hub_cautions: HubCautions,
    /// Number of lines by which the preview and the explanation are scrolled.
    pub scrolled_lines: usize,
    /// Message to show, such as an error when saving a profile.
    pub notice: Option<Result<String, String>>,
}

impl SetupForm {
    /// Creates the form on the first profile.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Self {
            changes: vec![BTreeMap::new(); catalog.profiles.len()],
            saved_sizes: vec![BTreeMap::new(); catalog.profiles.len()],
            file_plans: vec![None; catalog.profiles.len()],
            hubs: None,
            catalog,
            profile: 0,
            pane: Pane::Profiles,
            field: 0,
            editing: Editing::Nothing,
            preview: Preview::Waiting,
            last_plan: None,
            checked_hub: None,
            hub_findings: Vec::new(),
            hub_cautions: HubCautions::default(),
            scrolled_lines: 0,
            notice: None,
        }
    }

    /// Replaces the list of profiles and chooses one.
    ///
    /// The changes to the chosen profile are dropped, since its file has them now; if it is a new copy of
    /// the profile that was chosen before, that profile's changes are dropped, too. A renamed profile
    /// keeps its changes. Changes to all other profiles stay.
    pub fn reload(&mut self, catalog: Arc<Catalog>, chosen: &str) -> Option<Effect> {
        let before: BTreeMap<&str, &BTreeMap<Field, String>> = self
            .catalog
            .profiles
            .iter()
            .map(|entry| entry.name.as_str())
            .zip(&self.changes)
            .collect();
        let previous = self.entry().map_or("", |entry| entry.name.as_str());
        let is_new = !chosen.is_empty() && !before.contains_key(chosen);
        let is_renamed = is_new && !catalog.profiles.iter().any(|entry| entry.name == previous);
        let changes = catalog.profiles.iter().map(|entry| {
            let name = entry.name.as_str();
            let of = if name == chosen && is_renamed { previous } else { name };
            let is_saved = name == chosen && !is_renamed || is_new && name == previous;
            before.get(of).filter(|_| !is_saved).map_or_else(BTreeMap::new, |&it| it.clone())
        });
        self.changes = changes.collect();
        // Files of other profiles may have changed as well.
        self.file_plans = vec![None; catalog.profiles.len()];
        self.saved_sizes = vec![BTreeMap::new(); catalog.profiles.len()];
        let index = catalog.profiles.iter().position(|entry| entry.name == chosen);
        self.profile = index.unwrap_or(0);
        self.catalog = catalog;
        self.last_plan = None;
        self.preview = Preview::Waiting;
        self.preview_effect()
    }

    /// Chosen profile.
    pub fn entry(&self) -> Option<&ProfileEntry> {
        self.catalog.profiles.get(self.profile)
    }

    /// Whether the operator changed a profile.
    pub fn is_changed(&self, profile: usize) -> bool {
        self.changes.get(profile).is_some_and(|changes| !changes.is_empty())
    }

    /// Names of the profiles with changes that are not saved.
    pub fn changed_profiles(&self) -> Vec<&str> {
        let profiles = self.catalog.profiles.iter().enumerate();
        let changed = profiles.filter(|(place, _)| self.is_changed(*place));
        changed.map(|(_, entry)| entry.name.as_str()).collect()
    }

    /// Keeps what a check of the hub found, to show it before a run on that hub.
    pub fn set_hub_checks(&mut self, checks: &[Check]) {
        let doubtful = checks.iter().filter(|check| check.finding != CheckStatus::Ok);
        self.hub_findings =
            doubtful.map(|check| format!("{}: {}", check.subject, check.seen)).collect();
    }

    /// What is missing or doubtful on the hub of `plan`, as far as it is known: by its last check, or else
    /// by what its engine says.
    pub fn hub_findings(&self, plan: &Plan) -> &[String] {
        if self.checked_hub.as_ref() == Some(&plan.hub) && !self.hub_findings.is_empty() {
            &self.hub_findings
        } else {
            self.hub_cautions.of(&plan.hub)
        }
    }

    /// Returns a request for what is missing on the hub of the plan, unless it was asked for before. A hub
    /// whose address is being typed is not asked.
    pub fn request_hub_cautions(&mut self) -> Option<ServiceRequest> {
        let Preview::Plan(preview) = &self.preview else { return None };
        if matches!(self.editing, Editing::Text(_)) {
            return None;
        }
        self.hub_cautions.request(&preview.plan.hub)
    }

    /// Fields of the present kind of workload, in display order.
    pub fn fields(&self) -> Vec<Field> {
        let kind = self.value(Field::Kind).unwrap_or_default();
        let mut fields: Vec<Field> =
            Field::ALL.into_iter().filter(|field| field.applies_to(&kind)).collect();
        for option in self.backends() {
            let (backend, keys) = option.table;
            let settings = keys.iter().map(|key| Field::Setting(backend, key));
            let new: Vec<Field> = settings.filter(|field| !fields.contains(field)).collect();
            fields.extend(new);
        }
        fields
    }

    /// Selected field.
    pub fn selected(&self) -> Field {
        let fields = self.fields();
        fields.get(self.field).or(fields.last()).copied().unwrap_or(Field::Backend)
    }

    /// Value of a field: the operator's or the profile's; `None` until known.
    pub fn value(&self, field: Field) -> Option<String> {
        let changed = self.changes.get(self.profile).and_then(|changes| changes.get(&field));
        changed.cloned().or_else(|| self.last_plan.as_ref().map(|shown| field.value_in(shown)))
    }

    /// Whether the operator changed a field.
    pub fn is_field_changed(&self, field: Field) -> bool {
        self.changes.get(self.profile).is_some_and(|changes| changes.contains_key(&field))
    }

    /// Value of a field in the profile's file; `None` until known.
    pub fn file_value(&self, field: Field) -> Option<String> {
        self.file_plans.get(self.profile)?.as_ref().map(|file| field.value_in(file))
    }

    /// The operator's changes: field, value in the file if known, value in the form.
    pub fn differences(&self) -> Vec<(Field, Option<String>, String)> {
        self.applicable_changes()
            .map(|(field, value)| (*field, self.file_value(*field), value.clone()))
            .collect()
    }

    /// Default value of a field.
    pub fn default_value(&self, field: Field) -> Option<String> {
        let Preview::Plan(preview) = &self.preview else { return None };
        field.default_value(&preview.defaults).filter(|value| !value.is_empty())
    }

    /// Problem of a field's value.
    pub fn problem(&self, field: Field) -> Option<&str> {
        self.problems()
            .iter()
            .find(|problem| problem.key.as_deref().is_some_and(|key| field.owns_key(key)))
            .map(|problem| problem.text.as_str())
    }

    /// All problems of the form.
    pub fn problems(&self) -> &[FormProblem] {
        match &self.preview {
            Preview::Problems(problems) => problems,
            Preview::Waiting | Preview::Plan(_) => &[],
        }
    }

    /// Chosen backends.
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
            chosen.contains(&option.choice.profile_value().as_str())
                || default && chosen.contains(&option.choice.name.as_str())
        };
        self.catalog.backends.iter().filter(is_chosen).collect()
    }

    /// Effect that requests a preview of the form.
    pub fn preview_effect(&self) -> Option<Effect> {
        let entry = self.entry()?;
        Some(Effect::Preview { text: entry.text.clone(), overrides: self.overrides() })
    }

    /// Request to start the form's plan; `None` if the form has problems.
    pub fn start_request(&self) -> Option<StartRequest> {
        let Preview::Plan(preview) = &self.preview else { return None };
        Some(StartRequest {
            profile: self.entry()?.clone(),
            overrides: self.overrides(),
            preview: (**preview).clone(),
            resume: None,
        })
    }

    /// Changes to the chosen profile, as profile keys and values.
    pub fn overrides(&self) -> Vec<(String, String)> {
        self.overrides_without(None)
    }

    /// Changes to the chosen profile without that of one field.
    pub(super) fn overrides_without(&self, other: Option<Field>) -> Vec<(String, String)> {
        self.applicable_changes()
            .filter(|(field, value)| Some(**field) != other && self.is_override(**field, value))
            .map(|(field, value)| field.to_override(value))
            .collect()
    }

    /// Changes to the fields of the present kind of workload.
    fn applicable_changes(&self) -> impl Iterator<Item = (&Field, &String)> {
        let kind = self.value(Field::Kind).unwrap_or_default();
        let changes = self.changes.get(self.profile).into_iter().flatten();
        changes.filter(move |(field, _)| field.applies_to(&kind))
    }

    /// Whether a value overrides the file; an empty field of what need not be given does so only if the
    /// file gives a value.
    pub(super) fn is_override(&self, field: Field, value: &str) -> bool {
        let optional = matches!(field, Field::Engine | Field::Certificates | Field::Setting(..));
        !(optional && value.is_empty() && self.file_value(field).is_none_or(|file| file.is_empty()))
    }

    /// Sets the planner's answer.
    pub fn set_preview(&mut self, answer: Result<PlanPreview, Vec<FormProblem>>) {
        self.preview = match answer {
            Ok(preview) => {
                // A text that is still being typed is not yet a value.
                if !matches!(self.editing, Editing::Text(_)) {
                    let unchanged = self.overrides().is_empty();
                    self.last_plan = Some(preview.clone());
                    if let Some(file) = self.file_plans.get_mut(self.profile).filter(|_| unchanged)
                    {
                        *file = Some(preview.clone());
                    }
                }
                Preview::Plan(Box::new(preview))
            }
            Err(problems) => Preview::Problems(problems),
        };
    }
}
