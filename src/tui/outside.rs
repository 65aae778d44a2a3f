//! What the screen needs from the rest of the program, and what it hands back.

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::{
    model::{Live, Opened},
    preferences::Preferences,
};
use crate::{
    engine::doctor::Check,
    event::{End, Event, ImageStep},
    plan::{BackendChoice, Plan},
    profile::{self, Profile},
    record::{index::Head, label::Label},
    server::HubKind,
};

/// Everything that the screen starts from.
pub struct Inputs {
    /// The records and profiles on disk, and the hub.
    pub shelf: Arc<dyn Shelf>,
    /// Profiles to choose from; the first is chosen at the start.
    pub profiles: Vec<ProfileEntry>,
    /// Backends to choose from.
    pub backends: Vec<BackendOption>,
    /// Turns a profile and the form's values into a plan.
    pub planner: Arc<dyn Planner>,
    /// How this operator wants the screen.
    pub preferences: Preferences,
    /// A run that is on already, to begin with.
    pub attached: Option<Attached>,
    /// Cancelled on SIGTERM and SIGHUP: a run in progress is stopped, unless it is a process of
    /// its own, then the screen ends.
    pub terminate: CancellationToken,
}

/// A profile to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileEntry {
    /// Its name.
    pub name: String,
    /// One sentence on what it measures.
    pub description: String,
    /// Its text: TOML.
    pub text: String,
    /// Whether it is the operator's own, and may be changed and deleted.
    pub own: bool,
}

/// A backend to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendOption {
    /// The backend and its version.
    pub choice: BackendChoice,
    /// The name for people, with the version.
    pub title: String,
    /// A sentence that must stand beside every number of it, if any. It names the backend itself.
    pub caution: Option<String>,
    /// Kinds of hub on which it can run.
    pub hubs: Vec<HubKind>,
}

impl BackendOption {
    /// The backend as a profile writes it: `kafka:2.8.0`.
    pub fn value(&self) -> String {
        match &self.choice.version {
            Some(version) => format!("{}:{version}", self.choice.name),
            None => self.choice.name.clone(),
        }
    }
}

/// A place that can be a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubPlace {
    /// The kind of hub that it is.
    pub kind: HubKind,
    /// Its engine's address; `None` where none has to be named.
    pub engine: Option<String>,
    /// The folder with certificates of its own, if it has one.
    pub certificates: Option<String>,
    /// What it is, and where it is known from.
    pub title: String,
}

/// Turns a profile into a plan. Called on the screen's own thread at each change of the form, so
/// it answers within milliseconds.
pub trait Planner: Send + Sync {
    /// The plan of the profile `toml_text` with the values of `overrides` in place of its own:
    /// pairs of the profile's keys and values as people write them, such as
    /// `("workload.users", "100, 400")`. Lists are separated by commas.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, at once.
    fn plan(
        &self,
        toml_text: &str,
        overrides: &[(String, String)],
    ) -> Result<PlanPreview, Vec<Problem>>;
}

/// What would happen if the run were started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanPreview {
    /// The plan.
    pub plan: Plan,
    /// Further lines on what the run needs and how it will go.
    pub lines: Vec<String>,
    /// How long it is expected to take, in seconds.
    pub seconds: f64,
    /// The profile's values, as people write them, by key.
    #[serde(skip)]
    pub values: Vec<(String, String)>,
    /// What keys of the profile come to where they are not given: keys and values.
    #[serde(skip)]
    pub usual: Vec<(String, String)>,
}

impl PlanPreview {
    /// What a profile comes to, by its plan.
    pub fn new(profile: &Profile, plan: Plan, lines: Vec<String>, seconds: f64) -> Self {
        Self { plan, lines, seconds, values: profile.texts(), usual: profile.usual() }
    }

    /// That of a plan which no form shows: a record's, for example.
    pub fn of_plan(plan: Plan, seconds: f64) -> Self {
        Self { plan, lines: Vec::new(), seconds, values: Vec::new(), usual: Vec::new() }
    }
}

/// Something wrong with a profile or with a value of the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key whose value is wrong (`workload.users`), where there is one.
    pub key: Option<String>,
    /// What is wrong and what is allowed.
    pub text: String,
}

impl From<&profile::Problem> for Problem {
    fn from(problem: &profile::Problem) -> Self {
        let key = Some(problem.key.clone()).filter(|key| !key.is_empty());
        Self { key, text: problem.words() }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.text)
    }
}

/// Records, saved profiles and the hub. Asked on a thread of its own, so that it may take its time.
pub trait Shelf: Send + Sync {
    /// Does what is asked, and says what came of it; `tell` hears what can be said before.
    fn answer(&self, ask: &Ask, tell: &dyn Fn(Told)) -> Told;

    /// Stops making images; their [`Ask::Build`] is answered then.
    fn stop_images(&self);
}

/// What the disk and the hub are asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// The list of them.
    List,
    /// A record's pages.
    Open(PathBuf),
    /// The pages of a comparison of the second with the first.
    Compare(PathBuf, PathBuf),
    /// Other tags and another note; then the list.
    Label(PathBuf, Label),
    /// That one is no more; then the list.
    Remove(PathBuf),
    /// That one is written elsewhere in another form.
    Export(PathBuf, Export),
    /// Whether everything is ready for a plan.
    Check(Box<Plan>),
    /// The places that can be a hub.
    Hubs,
    /// That a plan's images are made on its hub; each step is told.
    Build(Box<Plan>),
    /// That a profile is kept under a name, with the form's changes.
    Keep {
        /// The name.
        name: String,
        /// The text of the profile that was changed.
        text: String,
        /// The changes: keys and values as in [`Planner::plan`].
        overrides: Vec<(String, String)>,
        /// Whether one of that name is replaced.
        replace: bool,
    },
    /// That one of the operator's own profiles has another name.
    Rename {
        /// The present one.
        from: String,
        /// The new one.
        to: String,
    },
    /// That one of the operator's own profiles is no more.
    Forget(String),
}

/// A form in which a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// The record itself.
    Json,
    /// A line for each repetition.
    Csv,
    /// A folder with figures and one page.
    Report,
}

/// What came of an [`Ask`]; a failure is in words.
#[derive(Debug, Clone)]
pub enum Told {
    /// The heads of the newest records, while others are still read, and of how many.
    Listing(Vec<Head>, usize),
    /// The heads of all records.
    Listed(Result<Vec<Head>, String>),
    /// The pages of what was opened.
    Opened(Result<Box<Opened>, String>),
    /// Where an export lies.
    Exported(Result<PathBuf, String>),
    /// What is ready and what is missing.
    Checked(Vec<Check>),
    /// The places that can be a hub, the usual one first.
    Hubs(Vec<HubPlace>),
    /// How far an image is.
    Image(ImageStep),
    /// The images of a plan are there, by their names; or why not.
    Built(Result<Vec<String>, String>),
    /// All profiles, and the one to choose.
    Profiles(Result<(Vec<ProfileEntry>, String), String>),
}

/// Starts runs.
pub trait Controller {
    /// Starts a run in the background and returns at once; what goes wrong later is told by the
    /// run's own [`Event::Ended`].
    ///
    /// # Errors
    ///
    /// Why the run cannot begin, and what to do.
    fn start(&mut self, request: &Request) -> Result<Started, String>;
}

/// What the operator wants to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The profile that was chosen.
    pub profile: ProfileEntry,
    /// The form's changes: keys and values as in [`Planner::plan`].
    pub overrides: Vec<(String, String)>,
    /// What came of the two.
    pub preview: PlanPreview,
    /// A partial record to go on with, by the plan of that record.
    pub resume: Option<PathBuf>,
}

/// A run in progress.
pub struct Started {
    /// What it tells. The last event is [`Event::Ended`].
    pub events: UnboundedReceiver<Event>,
    /// Asks it to stop or to change; may be called more than once.
    pub steer: Box<dyn Fn(Wish) + Send>,
}

/// A run that was on before this screen.
pub struct Attached {
    /// What it has come to.
    pub live: Box<Live>,
    /// Its age now, by the clock of `live`.
    pub age: Duration,
    /// What it tells from now on.
    pub started: Started,
}

/// What an operator wants of a run in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// That it stops.
    Stop(Stop),
    /// That none of a point's further repetitions is executed, and that one in progress ends.
    Skip(usize),
    /// That every point has so many repetitions more.
    Add(u32),
}

/// How a run shall stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// When the repetition in progress is finished and saved.
    AfterRepetition,
    /// At once, in order: what is measured so far is saved, the servers are removed.
    Now,
}

/// How the screen ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How the last run ended, if there was one.
    pub last: Option<RunEnd>,
    /// Whether a signal or a lost terminal ended the screen.
    pub terminated: bool,
    /// Whether a run goes on without the screen.
    pub runs_on: bool,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// How it ended.
    pub end: End,
    /// The file of its record, once there was one.
    pub record: Option<PathBuf>,
    /// Messages lost or refused over all repetitions.
    pub undelivered: u64,
    /// Thresholds crossed over all repetitions.
    pub crossed: usize,
}
