//! Run: checks a plan, then begins a record or resumes one, and executes the plan.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use super::{
    external_probe, provenance,
    record_writer::RecordWriter,
    resolve::{repetition_context, required_backends},
    resume,
    runner::{RunOutcome, Runner},
    settings,
    strategy::Strategy,
};
use crate::{
    backend::Backend,
    engine::{RunError, control::Control, preflight},
    event::{Event, EventSender, LogLevel},
    format::count_noun,
    hub::{self, Hub, machine},
    plan::{FaultKind, Plan, ScheduledRepetition},
    record::{PointResult, ProgramVersion, Provenance, Record, RecordStatus, SCHEMA},
};

/// A plan to execute, and its record.
#[derive(Debug)]
pub struct RunSpec {
    /// The plan.
    pub plan: Plan,
    /// Text of the profile, for the record.
    pub profile: String,
    /// Path at which the record is saved after every repetition.
    pub path: PathBuf,
    /// Partial record to resume.
    pub resume: Option<Record>,
}

/// Executes plans.
#[derive(Debug, Clone)]
pub struct PlanExecutor {
    /// Sender of the run's events.
    pub events: EventSender,
    /// Control through which the operator stops or changes the run.
    pub control: Control,
}

impl PlanExecutor {
    /// Creates an executor that sends its events to `events`.
    pub fn new(events: EventSender, control: Control) -> Self {
        Self { events, control }
    }

    /// Executes `spec` on `hub`. After the first save, the record on disk always holds every finished
    /// repetition.
    ///
    /// # Errors
    /// The failure that prevented the start of the run. Later failures are in [`RunOutcome::error`].
    pub async fn run(
        &self,
        spec: RunSpec,
        hub: Arc<dyn Hub>,
        run: String,
    ) -> Result<RunOutcome, RunError> {
        let plan = &spec.plan;
        let backends = checked_backends(plan)?;
        let client = machine::local_facts();
        let mut facts = hub.facts().await?;
        external_probe::probe_servers(plan, &hub, &self.control, &self.events).await?;
        check_fault_limits(plan, facts.cores)?;
        if facts.shared_with_client {
            // An engine does not report the machine's model and processor; this program can read both
            // when the hub is this machine.
            facts.model = facts.model.or_else(|| client.model.clone());
            facts.cpu = facts.cpu.or_else(|| client.cpu.clone());
        }
        let now = Provenance { client, hub: facts.clone(), ..Provenance::default() };
        let is_new = spec.resume.is_none();
        let mut record = match spec.resume {
            Some(record) => resume::prepare_record(record, plan, &now, &spec.path)?,
            None => new_record(plan, &spec.profile, run),
        };
        let strategy = Strategy::new(plan, &record)
            .map_err(|reason| RunError::Resume { path: spec.path.display().to_string(), reason })?;
        // Different images are found before the record is written.
        if !is_new {
            resume::verify_images(plan, &record, hub.as_ref(), &spec.path).await?;
        }
        record.provenance.client = now.client;
        record.provenance.hub = now.hub;
        let done = record.points.iter().map(|point| point.repetitions.len()).sum();
        let mut writer = RecordWriter::new(spec.path.clone(), &self.events);
        writer.begin(&mut record, is_new).await?;
        self.events.send(Event::Started {
            plan: Box::new(plan.clone()),
            record: spec.path.clone(),
            done,
        });
        for (point, result) in record.points.iter().enumerate() {
            for repetition in &result.repetitions {
                let step = ScheduledRepetition { point, repetition: repetition.index };
                let repetition = Box::new(repetition.clone());
                self.events.send(Event::AlreadyRecorded { step, repetition });
            }
        }
        self.events.send(Event::Hub { place: hub.location(), facts: Box::new(facts) });
        for caution in &record.provenance.hub.cautions {
            self.events.log(LogLevel::Warn, caution.clone());
        }
        let mut runner =
            Runner::new(&self.events, &self.control, hub, backends, strategy, record, writer);
        // Boxed: the future holds the state of whole repetitions and would enlarge every caller's.
        let error = Box::pin(runner.run_steps(&spec.plan)).await.err();
        runner.cleanup().await;
        Ok(runner.finish(error).await)
    }
}

/// Checks that this program can execute `plan` on this machine, without contacting a hub.
///
/// # Errors
/// All settings that are refused, or the resources that this machine lacks.
pub fn check(plan: &Plan) -> Result<(), RunError> {
    checked_backends(plan).map(drop)
}

fn checked_backends(plan: &Plan) -> Result<Vec<Arc<dyn Backend>>, RunError> {
    let backends = required_backends(plan)?;
    check_settings(plan, &backends)?;
    check_faults(plan, &backends)?;
    let delayed = plan.hub.limits.delay.is_some();
    preflight::check(plan, |name, users| {
        let backend = backends.iter().find(|b| b.info().name == name)?;
        let settings = plan.settings.get(name).cloned().unwrap_or_default();
        let mut needs = backend.client_needs(&settings, users);
        if delayed {
            needs.descriptors += hub::delay_proxy::DESCRIPTORS_PER_USER * u64::from(users);
        }
        Some(needs)
    })?;
    Ok(backends)
}

fn check_settings(plan: &Plan, backends: &[Arc<dyn Backend>]) -> Result<(), RunError> {
    let problems = settings::problems(plan, backends);
    if problems.is_empty() { Ok(()) } else { Err(RunError::Settings(problems)) }
}

/// Checks that every backend has the servers named by the planned faults.
fn check_faults(plan: &Plan, backends: &[Arc<dyn Backend>]) -> Result<(), RunError> {
    for point in &plan.points {
        let backend = backends.iter().find(|b| b.info().name == point.backend.name);
        let Some(backend) = backend.filter(|_| !plan.faults.is_empty()) else { continue };
        let servers = backend.servers(&repetition_context(plan, point)?)?;
        for fault in &plan.faults {
            let Some(role) = &fault.server else { continue };
            if servers.iter().all(|server| server.role != *role) {
                let roles: Vec<_> = servers.iter().map(|server| server.role.as_str()).collect();
                return Err(RunError::UnknownServer {
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

/// Checks that a fault that limits cores asks for no more than the hub has: a higher limit would have
/// no effect.
fn check_fault_limits(plan: &Plan, cores: Option<u32>) -> Result<(), RunError> {
    for fault in &plan.faults {
        let (FaultKind::Limit { cpus: Some(asked), .. }, Some(cores)) = (&fault.kind, cores) else {
            continue;
        };
        if asked.0 > f64::from(cores) {
            return Err(RunError::Fault {
                fault: fault.to_string(),
                reason: format!(
                    "a limit of {asked} has no effect, the hub has {}; set its key cpus \
                     to no more than that",
                    count_noun(cores.into(), "core")
                ),
            });
        }
    }
    Ok(())
}

/// Returns a record without any measurement.
pub(in crate::engine) fn new_record(plan: &Plan, profile: &str, run: String) -> Record {
    Record {
        schema: SCHEMA,
        hubmark: ProgramVersion::current(),
        run,
        started: jiff::Timestamp::now(),
        finished: None,
        status: RecordStatus::Partial,
        ended: None,
        profile: profile.to_owned(),
        plan: plan.clone(),
        provenance: Provenance {
            clock: provenance::CLOCK_DESCRIPTION.into(),
            ..Provenance::default()
        },
        path: None,
        self_test: None,
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
