//! The form: a profile, and what the operator changes of it.

use std::{collections::BTreeMap, sync::Arc};

use tui_input::Input;

use super::Catalog;
use crate::format;
use crate::{
    plan::{BackendChoice, Durability, Plan},
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

/// A field of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Systems under test.
    Backend,
    /// Where the servers run.
    Hub,
    /// The engine's address.
    Engine,
    /// Users.
    Users,
    /// Payload of a message.
    Payload,
    /// What an acknowledgement promises.
    Durability,
    /// How often each point is repeated.
    Repetitions,
    /// The server's own warm-up.
    ServerWarmup,
}

/// How a field is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// By typing.
    Text,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// Any of the backends.
    Backends,
}

impl Field {
    /// All of them, in the form's order.
    pub const ALL: [Self; 8] = [
        Self::Backend,
        Self::Hub,
        Self::Engine,
        Self::Users,
        Self::Payload,
        Self::Durability,
        Self::Repetitions,
        Self::ServerWarmup,
    ];

    /// The profile's key.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::Hub => "hub.kind",
            Self::Engine => "hub.engine",
            Self::Users => "workload.users",
            Self::Payload => "workload.payload",
            Self::Durability => "run.durability",
            Self::Repetitions => "run.repetitions",
            Self::ServerWarmup => "run.server_warmup",
        }
    }

    /// The name on the screen.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Backend => "Backend",
            Self::Hub => "Hub",
            Self::Engine => "Engine",
            Self::Users => "Users",
            Self::Payload => "Payload",
            Self::Durability => "Durability",
            Self::Repetitions => "Repetitions",
            Self::ServerWarmup => "Server warm-up",
        }
    }

    /// What it means and how it is written.
    pub const fn help(self) -> &'static str {
        match self {
            Self::Backend => {
                "The systems under test. Several are measured in one run, their repetitions \
                 interleaved, so that heat and drift do not look like a difference."
            }
            Self::Hub => {
                "Where the servers run: docker, in clean containers of a Docker engine; local, as \
                 child processes on this machine, without containers."
            }
            Self::Engine => {
                "Address of the Docker engine, for example unix:///var/run/docker.sock. Empty \
                 takes DOCKER_HOST, or the default socket."
            }
            Self::Users => {
                "How many devices send at once; each has a connection of its own. A list makes a \
                 sweep: 100, 400, 1000."
            }
            Self::Payload => {
                "Bytes of one message beside its 8-byte stamp: 100 B, 1 kB, 1 MiB. A list makes a \
                 sweep: 1 B, 100 B, 10 kB."
            }
            Self::Durability => {
                "What an acknowledgement promises. default: each system's own, as the study. \
                 memory: received. disk: written to the disk. Compare like with like."
            }
            Self::Repetitions => {
                "How often each point is measured, each time on a clean server. From three on, \
                 results carry a confidence interval that means something."
            }
            Self::ServerWarmup => {
                "Load before the measured one, not counted. 0 s is a cold server, the study's way: \
                 a JVM in its first minute is up to four times slower. w changes cold and warm."
            }
        }
    }

    /// How it is changed.
    pub const fn kind(self) -> FieldKind {
        match self {
            Self::Backend => FieldKind::Backends,
            Self::Hub => FieldKind::Choice(&["docker", "local"]),
            Self::Durability => FieldKind::Choice(&["default", "memory", "disk"]),
            Self::Engine | Self::Users | Self::Payload | Self::Repetitions | Self::ServerWarmup => {
                FieldKind::Text
            }
        }
    }

    /// Its value in a plan, as people write it.
    fn of(self, plan: &Plan) -> String {
        let points = |value: fn(&crate::plan::Point) -> String| {
            let mut values: Vec<String> = Vec::new();
            for value in plan.points.iter().map(value) {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            values.join(", ")
        };
        match self {
            Self::Backend => points(|point| written(&point.backend)),
            Self::Hub => hub(plan.hub.kind).to_owned(),
            Self::Engine => plan.hub.engine.clone().unwrap_or_default(),
            Self::Users => points(|point| point.workload.users().to_string()),
            Self::Payload => points(|point| exact_bytes(point.workload.payload().0)),
            Self::Durability => points(|point| durability(point.durability).to_owned()),
            Self::Repetitions => plan.repetitions.to_string(),
            Self::ServerWarmup => format!("{} s", plan.server_warmup.as_secs_f64()),
        }
    }
}

/// A backend as a profile writes it.
fn written(choice: &BackendChoice) -> String {
    choice
        .version
        .as_ref()
        .map_or_else(|| choice.name.clone(), |version| format!("{}:{version}", choice.name))
}

/// The word for a kind of hub.
pub const fn hub(kind: HubKind) -> &'static str {
    match kind {
        HubKind::Docker => "docker",
        HubKind::Local => "local",
    }
}

/// The word for a durability.
pub const fn durability(durability: Durability) -> &'static str {
    match durability {
        Durability::Default => "default",
        Durability::Memory => "memory",
        Durability::Disk => "disk",
    }
}

/// Bytes with the largest unit that keeps them whole: `100 B`, `10 kB`, `16 MiB`.
pub fn exact_bytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 6] = [
        (1 << 30, "GiB"),
        (1_000_000_000, "GB"),
        (1 << 20, "MiB"),
        (1_000_000, "MB"),
        (1 << 10, "KiB"),
        (1_000, "kB"),
    ];
    UNITS.iter().find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit)).map_or_else(
        || format!("{} B", format::count(bytes)),
        |(unit, sign)| format!("{} {sign}", format::count(bytes / unit)),
    )
}

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
        }
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
        })
    }

    fn overrides(&self) -> Vec<(String, String)> {
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
                self.plan = Some(preview.plan.clone());
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
            (Msg::NextPane | Msg::Back, Pane::Form) => self.pane = Pane::Profiles,
            (Msg::Up, Pane::Profiles) => return self.load(self.profile.saturating_sub(1)),
            (Msg::Down, Pane::Profiles) => return self.load(self.profile + 1),
            (Msg::Up, Pane::Form) => self.field = self.field.saturating_sub(1),
            (Msg::Down, Pane::Form) => self.field = (self.field + 1).min(Field::ALL.len() - 1),
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
                None
            }
            Msg::Accept => {
                let value = input.value().trim().to_owned();
                self.editing = Editing::Nothing;
                let field = self.selected();
                if self.value(field).as_deref() == Some(value.as_str()) {
                    return None;
                }
                self.change(field, value)
            }
            Msg::Back => {
                self.editing = Editing::Nothing;
                None
            }
            _ => None,
        }
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
        let fits = [HubKind::Docker, HubKind::Local]
            .into_iter()
            .filter(|kind| runs_on(*kind))
            .map(hub)
            .collect::<Vec<_>>();
        if let (Some(first), Some(present)) = (fits.first(), present)
            && !fits.contains(&present.as_str())
        {
            self.changes.get_mut(self.profile)?.insert(Field::Hub, (*first).to_owned());
        }
        self.change(Field::Backend, values.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_exactly() {
        let cases = [
            (0, "0 B"),
            (1, "1 B"),
            (100, "100 B"),
            (10_000, "10 kB"),
            (1_234, "1,234 B"),
            (16 << 20, "16 MiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(exact_bytes(bytes), text);
        }
    }

    #[test]
    fn every_field_has_a_key_of_its_own() {
        let keys: std::collections::BTreeSet<_> =
            Field::ALL.iter().map(|field| field.key()).collect();
        assert_eq!(keys.len(), Field::ALL.len());
    }
}
