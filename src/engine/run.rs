//! A run: walks the plan's schedule and keeps the record.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    EngineError,
    attendant::{Attendant, Watch},
    control::Control,
    cooldown,
    fitness::Build,
    preflight, provenance,
    repetition::{self, Done, Shared},
};
use crate::{
    backend::{self, Backend, Setup},
    event::{End, Event, Level, Phase, Teller},
    hub::{Hub, machine, vitals},
    measure::{Cooled, Judgement},
    plan::{Plan, Point, Step},
    record::{self, Hubmark, PointResult, Provenance, Record, SCHEMA, Status, store, summary},
    server::{Image, Launch},
};

/// Repetitions that may fail one after the other before a run is given up.
const FAILURES_IN_A_ROW: u32 = 3;

/// What is asked of the engine.
#[derive(Debug)]
pub struct Request {
    /// The plan.
    pub plan: Plan,
    /// The profile's text, for the record.
    pub profile: String,
    /// Where the record is saved after every repetition.
    pub path: PathBuf,
    /// A partial record to go on from.
    pub resume: Option<Record>,
}

/// What a run left behind.
#[derive(Debug)]
pub struct Outcome {
    /// The record as it was last saved.
    pub record: Record,
    /// Why the run ended early, if it did.
    pub error: Option<EngineError>,
}

/// Executes plans.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Whom to tell.
    pub teller: Teller,
    /// How it is stopped.
    pub control: Control,
}

impl Engine {
    /// An engine that tells `teller`.
    pub fn new(teller: Teller, control: Control) -> Self {
        Self { teller, control }
    }

    /// Executes `request` on `hub`. Whatever happens after the first save, the record is on disk
    /// with every finished repetition.
    ///
    /// # Errors
    /// What kept the run from beginning. Later failures are in [`Outcome::error`].
    pub async fn run(
        &self,
        request: Request,
        hub: Arc<dyn Hub>,
        run: String,
    ) -> Result<Outcome, EngineError> {
        let plan = &request.plan;
        let backends = checked(plan)?;
        let client = machine::this_machine();
        let mut facts = hub.facts().await?;
        if facts.shared_with_client {
            // An engine does not know the machine under it; on this one we can see for ourselves.
            facts.model = facts.model.or_else(|| client.model.clone());
            facts.cpu = facts.cpu.or_else(|| client.cpu.clone());
        }
        let anew = request.resume.is_none();
        let mut record = match request.resume {
            Some(record) => resumable(record, plan, &request.path)?,
            None => begin(plan, &request.profile, run),
        };
        record.provenance.client = client;
        record.provenance.hub = facts.clone();
        let done = record.points.iter().map(|point| point.repetitions.len()).sum();
        let save = if anew { store::create } else { store::save };
        save(&record, &request.path)?;
        self.teller.tell(Event::Started {
            plan: Box::new(plan.clone()),
            record: request.path.clone(),
            done,
        });
        self.teller.tell(Event::Hub { place: hub.place(), facts: Box::new(facts) });
        let mut walk = Walk {
            engine: self,
            hub,
            backends,
            record,
            path: request.path,
            durations: Vec::new(),
            failures: 0,
            attendant: None,
        };
        let error = walk.walk(&request.plan).await.err();
        if let Some(attendant) = walk.attendant.take() {
            attendant.end().await;
        }
        walk.leave().await;
        Ok(walk.end(error))
    }
}

/// Whether `plan` can be executed by this program on this machine, before any hub is asked.
///
/// # Errors
/// Every setting that is refused, or what this machine lacks.
pub fn check(plan: &Plan) -> Result<(), EngineError> {
    checked(plan).map(drop)
}

fn checked(plan: &Plan) -> Result<Vec<Arc<dyn Backend>>, EngineError> {
    let backends = backends(plan)?;
    check_settings(plan, &backends)?;
    check_faults(plan, &backends)?;
    preflight::check(plan, |name, users| {
        backends.iter().find(|b| b.info().name == name).map(|b| b.needs(users))
    })?;
    Ok(backends)
}

fn backends(plan: &Plan) -> Result<Vec<Arc<dyn Backend>>, EngineError> {
    let mut found: Vec<Arc<dyn Backend>> = Vec::new();
    for point in &plan.points {
        let name = &point.backend.name;
        if found.iter().all(|backend| backend.info().name != name) {
            let backend =
                backend::find(name).ok_or_else(|| EngineError::NoBackend(name.clone()))?;
            found.push(backend);
        }
    }
    Ok(found)
}

fn setup(plan: &Plan, point: &Point) -> Setup {
    Setup {
        point: point.clone(),
        settings: plan.settings.get(&point.backend.name).cloned().unwrap_or_default(),
        hub: plan.hub.kind,
        limits: plan.hub.limits,
        password: password(),
    }
}

/// A password that nobody needs to know: the server lives for one repetition.
fn password() -> String {
    use rand::{RngExt, distr::Alphanumeric};
    rand::rng().sample_iter(Alphanumeric).take(24).map(char::from).collect()
}

fn check_settings(plan: &Plan, backends: &[Arc<dyn Backend>]) -> Result<(), EngineError> {
    let mut problems = Vec::new();
    for backend in backends {
        let name = backend.info().name;
        if let Some(point) = plan.points.iter().find(|point| point.backend.name == name) {
            problems.extend(backend.check(&setup(plan, point)));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(EngineError::Settings(problems)) }
}

/// Whether every backend has the servers that faults shall strike.
fn check_faults(plan: &Plan, backends: &[Arc<dyn Backend>]) -> Result<(), EngineError> {
    for point in &plan.points {
        let backend = backends.iter().find(|b| b.info().name == point.backend.name);
        let Some(backend) = backend.filter(|_| !plan.faults.is_empty()) else { continue };
        let servers = backend.servers(&setup(plan, point))?;
        for fault in &plan.faults {
            let Some(role) = &fault.server else { continue };
            if servers.iter().all(|server| server.role != *role) {
                let roles: Vec<_> = servers.iter().map(|server| server.role.as_str()).collect();
                return Err(EngineError::NoSuchServer {
                    fault: fault.to_string(),
                    backend: point.backend.to_string(),
                    role: role.clone(),
                    roles: roles.join(", "),
                });
            }
        }
    }
    Ok(())
}

/// The images that a plan's servers are made from.
///
/// # Errors
/// When a backend cannot run as the plan asks.
pub fn images(plan: &Plan) -> Result<Vec<Image>, EngineError> {
    let backends = backends(plan)?;
    let mut wanted: Vec<Image> = Vec::new();
    for point in &plan.points {
        let Some(backend) = backends.iter().find(|b| b.info().name == point.backend.name) else {
            continue;
        };
        for spec in backend.servers(&setup(plan, point))? {
            if let Launch::Container(container) = spec.launch
                && !wanted.contains(&container.image)
            {
                wanted.push(container.image);
            }
        }
    }
    Ok(wanted)
}

fn begin(plan: &Plan, profile: &str, run: String) -> Record {
    Record {
        schema: SCHEMA,
        hubmark: Hubmark::this(),
        run,
        started: jiff::Timestamp::now(),
        finished: None,
        status: Status::Partial,
        ended: None,
        profile: profile.to_owned(),
        plan: plan.clone(),
        provenance: Provenance { clock: provenance::CLOCK.into(), ..Provenance::default() },
        points: plan
            .points
            .iter()
            .map(|point| PointResult {
                point: point.clone(),
                repetitions: Vec::new(),
                summary: None,
            })
            .collect(),
    }
}

/// The partial `record` to go on from: failed repetitions are executed again.
fn resumable(mut record: Record, plan: &Plan, path: &Path) -> Result<Record, EngineError> {
    if record.plan != *plan {
        return Err(EngineError::Resume {
            path: path.display().to_string(),
            reason: "the profile's plan is not the one in the record; run it anew without --resume"
                .into(),
        });
    }
    for point in &mut record.points {
        point.repetitions.retain(|repetition| repetition.verdict.status != Judgement::Failed);
    }
    record.finished = None;
    record.ended = None;
    record.status = Status::Partial;
    Ok(record)
}

/// A run on its way through the schedule.
struct Walk<'a> {
    engine: &'a Engine,
    hub: Arc<dyn Hub>,
    backends: Vec<Arc<dyn Backend>>,
    record: Record,
    path: PathBuf,
    /// How long the repetitions took that were executed since the start or the resumption.
    durations: Vec<Duration>,
    failures: u32,
    /// Reads the hub itself.
    attendant: Option<Attendant>,
}

impl Walk<'_> {
    fn backend(&self, point: &Point) -> Result<Arc<dyn Backend>, EngineError> {
        let found = self.backends.iter().find(|backend| backend.info().name == point.backend.name);
        found.cloned().ok_or_else(|| EngineError::NoBackend(point.backend.name.clone()))
    }

    async fn walk(&mut self, plan: &Plan) -> Result<(), EngineError> {
        self.sweep().await;
        self.images(plan).await?;
        self.attend(plan).await?;
        for (position, step) in plan.schedule.iter().enumerate() {
            if self.engine.control.stopping() {
                return Err(EngineError::Stopped);
            }
            if self.has(*step) {
                continue;
            }
            self.step(plan, *step, position).await?;
        }
        Ok(())
    }

    fn has(&self, step: Step) -> bool {
        self.record.points[step.point].repetitions.iter().any(|done| done.index == step.repetition)
    }

    /// Removes what dead runs left behind, so that it does not disturb this one.
    async fn sweep(&self) {
        let teller = &self.engine.teller;
        match self.hub.sweep().await {
            Ok(removed) => {
                for what in removed {
                    teller.log(Level::Info, format!("removed a leftover of a dead run: {what}"));
                }
            }
            Err(error) => teller.log(Level::Warn, format!("leftovers not looked for: {error}")),
        }
    }

    /// Leaves the hub as it was found.
    async fn leave(&self) {
        if let Err(error) = self.hub.abandon().await {
            self.engine.teller.log(Level::Warn, format!("something is left on the hub: {error}"));
        }
    }

    /// Makes sure of every image that the plan needs.
    async fn images(&self, plan: &Plan) -> Result<(), EngineError> {
        let wanted = images(plan)?;
        if wanted.is_empty() {
            return Ok(());
        }
        let teller = self.engine.teller.clone();
        teller.tell(Event::Phase { phase: Phase::Images, seconds: None });
        let (tell, mut told) = mpsc::unbounded_channel::<crate::hub::ImageProgress>();
        let relay = tokio::spawn(async move {
            while let Some(progress) = told.recv().await {
                let crate::hub::ImageProgress { image, step, percent } = progress;
                teller.tell(Event::Image { image, step, percent });
            }
        });
        let token = self.engine.control.token();
        for image in &wanted {
            self.hub.provide(image, tell.clone(), token.clone()).await.map_err(|error| {
                if token.is_cancelled() { EngineError::Stopped } else { error.into() }
            })?;
        }
        drop(tell);
        let _ = relay.await;
        Ok(())
    }

    /// Begins to read the hub itself, and adds to its facts what can be seen from within.
    async fn attend(&mut self, plan: &Plan) -> Result<(), EngineError> {
        let teller = &self.engine.teller;
        let image = images(plan)?.into_iter().next();
        let attendance = match self.hub.attend(image.as_ref()).await {
            Ok(Some(attendance)) => attendance,
            Ok(None) => return Ok(()),
            Err(error) => {
                teller.log(Level::Warn, format!("the hub itself is not read: {error}"));
                return Ok(());
            }
        };
        let known = self.record.provenance.hub.clone();
        let facts = vitals::facts::completed(known, attendance.facts.clone());
        self.record.provenance.hub = facts.clone();
        teller.tell(Event::Hub { place: self.hub.place(), facts: Box::new(facts) });
        self.attendant = Some(Attendant::start(attendance));
        Ok(())
    }

    /// Lets the hub cool down, where the plan asks for it.
    async fn cool_down(&self, plan: &Plan) -> Option<Cooled> {
        let asked = plan.cooldown?;
        let teller = &self.engine.teller;
        let seconds = Some(asked.limit.as_secs_f64());
        teller.tell(Event::Phase { phase: Phase::Cooldown, seconds });
        let cooled = cooldown::wait(asked, self.attendant.as_ref(), &self.engine.control).await;
        let below = asked.below;
        match (cooled.reached, cooled.to) {
            (Some(true), _) => {}
            (_, Some(still)) => {
                teller.log(Level::Warn, format!("the hub did not cool below {below}: {still}"));
            }
            (_, None) => {
                teller.log(Level::Warn, "no cool-down: the hub's temperature cannot be read");
            }
        }
        Some(cooled)
    }

    async fn step(&mut self, plan: &Plan, step: Step, position: usize) -> Result<(), EngineError> {
        let point = &plan.points[step.point];
        let backend = self.backend(point)?;
        let setup = setup(plan, point);
        let teller = self.engine.teller.clone();
        teller.tell(Event::Repetition { step, position });
        let began = Instant::now();
        let cooled = self.cool_down(plan).await;
        let attendant = self.attendant.as_ref();
        if let Some(attendant) = attendant {
            attendant.forget();
        }
        let disk = attendant.and_then(|attendant| attendant.latest()?.disk);
        let build = Build::of(&self.record.provenance.hub, disk.map(|(_, size)| size));
        let shared = Shared {
            plan,
            hub: &self.hub,
            teller: &teller,
            control: &self.engine.control,
            cores: f64::from(self.record.provenance.client.cores.unwrap_or(1)),
            on_hub: self.record.provenance.hub.shared_with_client,
            watch: Watch { attendant, build: &build },
        };
        let mut done =
            repetition::execute(&shared, backend.as_ref(), &setup, step, position as u32).await;
        done.repetition.cooled = cooled;
        self.durations.push(began.elapsed());
        self.keep(plan, step, backend.as_ref(), done)
    }

    /// Adds a repetition to the record, saves, tells.
    fn keep(
        &mut self,
        plan: &Plan,
        step: Step,
        backend: &dyn Backend,
        done: Done,
    ) -> Result<(), EngineError> {
        let Done { repetition, servers, facts, error } = done;
        let point = &plan.points[step.point];
        if let Some(facts) = facts {
            let name = point.backend.to_string();
            let provenance = &mut self.record.provenance;
            provenance::add(provenance, &name, backend.info(), point.durability, &servers, facts);
        }
        let result = &mut self.record.points[step.point];
        result.repetitions.push(repetition.clone());
        result.summary = summary::summarise(&result.repetitions);
        store::save(&self.record, &self.path)?;
        let seconds_left = self.seconds_left(plan);
        let teller = &self.engine.teller;
        teller.tell(Event::Finished { step, repetition: Box::new(repetition), seconds_left });
        match error {
            None => {
                self.failures = 0;
                Ok(())
            }
            Some(EngineError::Stopped) => Err(EngineError::Stopped),
            Some(error) => {
                teller.log(Level::Error, error.to_string());
                self.failures += 1;
                if self.failures >= FAILURES_IN_A_ROW {
                    let last = error.to_string();
                    return Err(EngineError::GivenUp { count: self.failures, last });
                }
                Ok(())
            }
        }
    }

    fn seconds_left(&self, plan: &Plan) -> Option<f64> {
        let mean =
            self.durations.iter().sum::<Duration>().as_secs_f64() / self.durations.len() as f64;
        let missing = plan.schedule.iter().filter(|step| !self.has(**step)).count();
        (!self.durations.is_empty()).then_some(mean * missing as f64)
    }

    fn end(mut self, error: Option<EngineError>) -> Outcome {
        let whole = self.record.plan.schedule.iter().all(|step| self.has(*step));
        let failed = |r: &record::Repetition| r.verdict.status == Judgement::Failed;
        let failures =
            self.record.points.iter().flat_map(|p| &p.repetitions).filter(|r| failed(r)).count();
        self.record.finished = Some(jiff::Timestamp::now());
        let complete = whole && error.is_none() && failures == 0;
        self.record.status = if complete { Status::Complete } else { Status::Partial };
        self.record.ended = error.as_ref().map(ToString::to_string);
        let saved = store::save(&self.record, &self.path);
        let error = error.or_else(|| saved.err().map(EngineError::from));
        let end = match &error {
            None => End::Complete,
            Some(EngineError::Stopped) => End::Stopped,
            Some(error) => End::Failed { error: error.to_string() },
        };
        self.engine.teller.tell(Event::Ended { end, record: self.path });
        Outcome { record: self.record, error }
    }
}
