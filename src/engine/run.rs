//! A run: what is checked before it, and the record that it begins or goes on with.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use super::{
    EngineError, control::Control, external, preflight, provenance, resume, shelf::Shelf,
    strategy::Strategy, walk::Walk,
};
use crate::{
    backend::{self, Backend, Setup},
    event::{Event, Level, Teller},
    hub::{self, Hub, machine},
    plan::{FaultKind, Plan, Point, Step, external::ExternalServer},
    record::{Hubmark, PointResult, Provenance, Record, SCHEMA, Status, store},
    server::{HubKind, Image, Launch},
};

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
    /// The record.
    pub record: Record,
    /// Where it was last saved: elsewhere than asked for, where that was not possible.
    pub path: PathBuf,
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
        external::rehearse(plan, &hub, &self.control, &self.teller).await?;
        check_limits_of_faults(plan, facts.cores)?;
        if facts.shared_with_client {
            // An engine does not know the machine under it; on this one we can see for ourselves.
            facts.model = facts.model.or_else(|| client.model.clone());
            facts.cpu = facts.cpu.or_else(|| client.cpu.clone());
        }
        let now = Provenance { client, hub: facts.clone(), ..Provenance::default() };
        let anew = request.resume.is_none();
        let mut record = match request.resume {
            Some(record) => resume::ready(record, plan, &now, &request.path)?,
            None => begin(plan, &request.profile, run),
        };
        let strategy = Strategy::new(plan, &record).map_err(|reason| EngineError::Resume {
            path: request.path.display().to_string(),
            reason,
        })?;
        // Images that differ are found out before the record is touched.
        if !anew {
            resume::images(plan, &record, hub.as_ref(), &request.path).await?;
        }
        record.provenance.client = now.client;
        record.provenance.hub = now.hub;
        let done = record.points.iter().map(|point| point.repetitions.len()).sum();
        let save = if anew { store::create } else { store::save };
        save(&record, &request.path)?;
        self.teller.tell(Event::Started {
            plan: Box::new(plan.clone()),
            record: request.path.clone(),
            done,
        });
        for (point, result) in record.points.iter().enumerate() {
            for repetition in &result.repetitions {
                let step = Step { point, repetition: repetition.index };
                let repetition = Box::new(repetition.clone());
                self.teller.tell(Event::Kept { step, repetition });
            }
        }
        self.teller.tell(Event::Hub { place: hub.place(), facts: Box::new(facts) });
        for caution in &record.provenance.hub.cautions {
            self.teller.log(Level::Warn, caution.clone());
        }
        let kept = Shelf::new(request.path, &self.teller);
        let mut walk = Walk::new(self, hub, backends, strategy, record, kept);
        // The state of whole repetitions is not for everybody who holds a run.
        let error = Box::pin(walk.walk(&request.plan)).await.err();
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
    let delayed = plan.hub.limits.delay.is_some();
    preflight::check(plan, |name, users| {
        let mut needs = backends.iter().find(|b| b.info().name == name)?.needs(users);
        if delayed {
            needs.descriptors += hub::delay::DESCRIPTORS * u64::from(users);
        }
        Some(needs)
    })?;
    Ok(backends)
}

pub(super) fn backends(plan: &Plan) -> Result<Vec<Arc<dyn Backend>>, EngineError> {
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

/// What a backend needs to know to measure `point`.
///
/// # Errors
/// The password of a server that runs already cannot be had.
pub(super) fn setup(plan: &Plan, point: &Point) -> Result<Setup, EngineError> {
    let settings = plan.settings.get(&point.backend.name).cloned().unwrap_or_default();
    let password = match plan.hub.kind {
        HubKind::Docker | HubKind::Local => password(),
        HubKind::External => {
            let named = ExternalServer::of(&settings).ok().and_then(|server| server.password);
            hub::external::password(&point.backend.name, named.as_ref())?
        }
    };
    Ok(Setup {
        point: point.clone(),
        settings,
        hub: plan.hub.kind,
        limits: plan.hub.limits,
        password,
    })
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
            problems.extend(backend.check(&setup(plan, point)?));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(EngineError::Settings(problems)) }
}

/// Whether every backend has the servers that faults shall strike.
fn check_faults(plan: &Plan, backends: &[Arc<dyn Backend>]) -> Result<(), EngineError> {
    for point in &plan.points {
        let backend = backends.iter().find(|b| b.info().name == point.backend.name);
        let Some(backend) = backend.filter(|_| !plan.faults.is_empty()) else { continue };
        let servers = backend.servers(&setup(plan, point)?)?;
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

/// A limit above what there is would not be in force, and is no fault.
fn check_limits_of_faults(plan: &Plan, cores: Option<u32>) -> Result<(), EngineError> {
    for fault in &plan.faults {
        let (FaultKind::Limit { cpus: Some(asked), .. }, Some(cores)) = (&fault.kind, cores) else {
            continue;
        };
        if asked.0 > f64::from(cores) {
            return Err(EngineError::Fault {
                fault: fault.to_string(),
                reason: format!(
                    "{asked} cannot be a limit there, the hub has {cores} cores; set its key cpus \
                     to no more than that"
                ),
            });
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
        for spec in backend.servers(&setup(plan, point)?)? {
            if let Launch::Container(container) = spec.launch
                && !wanted.contains(&container.image)
            {
                wanted.push(container.image);
            }
        }
    }
    wanted.extend(hub::tools_for(&plan.hub));
    Ok(wanted)
}

/// A record of which nothing was measured.
pub(super) fn begin(plan: &Plan, profile: &str, run: String) -> Record {
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
        path: None,
        points: plan
            .points
            .iter()
            .map(|point| PointResult {
                point: point.clone(),
                repetitions: Vec::new(),
                failed_tries: Vec::new(),
                summary: None,
            })
            .collect(),
        capacity: Vec::new(),
        footprints: BTreeMap::new(),
        resumed: Vec::new(),
    }
}
