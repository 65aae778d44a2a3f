//! Runner: executes a run repetition by repetition, and saves the record after each.

mod preparation;

use std::{path::PathBuf, sync::Arc};

use super::{
    cooldown, footprint, provenance,
    record_writer::RecordWriter,
    repetition::{self, RepetitionOutcome, RunContext},
    resolve::{self, repetition_context},
    strategy::Strategy,
    time_left,
};
use crate::{
    backend::Backend,
    engine::{
        RunError,
        control::Control,
        judge::host_spec::HostSpec,
        measure::host_monitor::{HostMonitor, MonitoredHost},
    },
    event::{EndStatus, Event, EventSender, LogLevel, Phase},
    hub::Hub,
    measure::CooldownResult,
    plan::{Plan, Point, ScheduledRepetition},
    record::{Record, RecordStatus, Repetition},
};

/// Number of consecutive failed repetitions after which a run is given up; retries are not counted.
const MAX_CONSECUTIVE_FAILURES: u32 = 3;

/// Result of a run.
#[derive(Debug)]
pub struct RunOutcome {
    /// The record.
    pub record: Record,
    /// Path of the last save: a substitute if the requested path could not be written.
    pub path: PathBuf,
    /// Error that ended the run early.
    pub error: Option<RunError>,
}

/// Whether a search learns from `repetition`, so that it must not be drawn again.
fn is_result(plan: &Plan, repetition: &Repetition) -> bool {
    plan.capacity.is_some() && repetition.is_conclusive()
}

/// Executes the steps of a run in the order of its strategy.
pub struct Runner<'a> {
    events: &'a EventSender,
    control: &'a Control,
    hub: Arc<dyn Hub>,
    backends: Vec<Arc<dyn Backend>>,
    strategy: Strategy,
    record: Record,
    writer: RecordWriter,
    consecutive_failures: u32,
    /// Consecutive failures of the hub in a capacity search, which draws such repetitions again.
    consecutive_hub_failures: u32,
    /// Monitor of the hub's host.
    host_monitor: Option<HostMonitor>,
    /// Properties of the hub's host that decide on its health.
    host_spec: HostSpec,
}

impl<'a> Runner<'a> {
    /// Creates a runner that continues `record`; `strategy` must have replayed that record.
    pub fn new(
        events: &'a EventSender,
        control: &'a Control,
        hub: Arc<dyn Hub>,
        backends: Vec<Arc<dyn Backend>>,
        strategy: Strategy,
        record: Record,
        writer: RecordWriter,
    ) -> Self {
        Self {
            events,
            control,
            hub,
            backends,
            strategy,
            record,
            writer,
            consecutive_failures: 0,
            consecutive_hub_failures: 0,
            host_monitor: None,
            host_spec: HostSpec::default(),
        }
    }

    fn backend(&self, point: &Point) -> Result<Arc<dyn Backend>, RunError> {
        let found = self.backends.iter().find(|backend| backend.info().name == point.backend.name);
        found.cloned().ok_or_else(|| RunError::UnknownBackend(point.backend.name.clone()))
    }

    /// Prepares the hub and executes all remaining steps.
    ///
    /// # Errors
    /// The failure or the stop that ended the run early.
    pub async fn run_steps(&mut self, plan: &Plan) -> Result<(), RunError> {
        self.remove_leftovers().await;
        self.warn_of_other_runs().await;
        self.provide_images(plan).await?;
        self.verify_limits(plan).await?;
        self.run_self_test(plan).await?;
        self.measure_path(plan).await?;
        self.start_host_monitor(plan).await?;
        for search in 0..plan.searches().len() {
            self.send_search_state(plan, search);
        }
        let control = self.control;
        let mut plan = plan.clone();
        loop {
            if control.is_stopping() {
                return Err(RunError::Stopped);
            }
            let added = control.take_added_repetitions();
            // A search chooses the number of its repetitions itself.
            if added > 0 && plan.capacity.is_none() {
                plan.set_repetitions(plan.repetitions.saturating_add(added));
                self.replan(&plan).await;
            }
            let next = self.strategy.next(&plan, &self.record, |point| control.is_skipped(point));
            let Some((step, position)) = next else { break };
            self.run_step(&plan, step, position).await?;
        }
        self.measure_footprints(&plan).await
    }

    /// Saves the record and logs a failure: the record stays in memory, and is saved again with the next
    /// repetition or at the end.
    async fn save(&mut self) {
        if let Err(error) = self.writer.save(&mut self.record).await {
            self.events.log(LogLevel::Error, error.to_string());
        }
    }

    /// Continues with a plan that has more repetitions.
    async fn replan(&mut self, plan: &Plan) {
        self.record.plan = plan.clone();
        self.save().await;
        self.events.send(Event::Replanned { plan: Box::new(plan.clone()) });
    }

    /// Stops the host monitor and removes everything that this run made on the hub.
    pub async fn cleanup(&mut self) {
        if let Some(monitor) = self.host_monitor.take() {
            monitor.shutdown().await;
        }
        if let Err(error) = self.hub.shutdown().await {
            let hub = self.record.plan.hub.command_options();
            let text = format!(
                "cleanup of the hub is incomplete: {error}\n  afterwards: hubmark clean{hub}"
            );
            self.events.log(LogLevel::Warn, text);
        }
    }

    /// Waits until the hub has cooled down, if the plan asks for it.
    async fn cool_down(&self, plan: &Plan) -> Option<CooldownResult> {
        let asked = plan.cooldown?;
        let events = self.events;
        let seconds = Some(asked.limit.as_secs_f64());
        events.send(Event::Phase { phase: Phase::Cooldown, seconds });
        let cooled = cooldown::wait(asked, self.host_monitor.as_ref(), self.control).await;
        let below = asked.below;
        match (cooled.reached, cooled.to) {
            (Some(true), _) => {}
            (_, Some(still)) => {
                events.log(LogLevel::Warn, format!("the hub did not cool below {below}: {still}"));
            }
            (_, None) => {
                events.log(LogLevel::Warn, "no cool-down: the hub's temperature cannot be read");
            }
        }
        Some(cooled)
    }

    /// Measures the requested footprints that the record does not have yet.
    async fn measure_footprints(&mut self, plan: &Plan) -> Result<(), RunError> {
        if !plan.footprint {
            return Ok(());
        }
        for point in &plan.points {
            let name = point.backend.to_string();
            if self.record.footprints.contains_key(&name) {
                continue;
            }
            let backend = self.backend(point)?;
            let ordinary = self
                .record
                .points
                .iter()
                .filter(|result| result.point == *point)
                .flat_map(|result| &result.repetitions)
                .find(|repetition| repetition.is_measured());
            let environment = self.environment(plan);
            let measured =
                footprint::measure(&environment, backend.as_ref(), point, ordinary).await?;
            self.record.footprints.insert(name, measured);
            self.save().await;
        }
        Ok(())
    }

    /// Executes a repetition, and retries a failed one as often as the plan allows.
    ///
    /// A search retries only what the hub ended: a server that dies of the load, or loses its users, does
    /// not carry them, and drawing again until it survives would find a capacity that does not exist.
    async fn run_step(
        &mut self,
        plan: &Plan,
        step: ScheduledRepetition,
        position: usize,
    ) -> Result<(), RunError> {
        let backend = self.backend(&plan.points[step.point])?;
        let first = self.record.points[step.point]
            .failed_tries
            .iter()
            .filter(|tried| tried.index == step.repetition)
            .count() as u32;
        for attempt in 1..=plan.retries + 1 {
            let number = first + attempt;
            let mut outcome =
                self.run_attempt(plan, step, position, number, backend.as_ref()).await?;
            outcome.repetition.attempt = number;
            match outcome.error.take() {
                None => {
                    (self.consecutive_failures, self.consecutive_hub_failures) = (0, 0);
                    self.add_repetition(plan, step, backend.as_ref(), outcome).await;
                    return Ok(());
                }
                Some(RunError::Stopped) => {
                    self.add_repetition(plan, step, backend.as_ref(), outcome).await;
                    if self.control.is_stopped_now() {
                        return Err(RunError::Stopped);
                    }
                    let name = &plan.points[step.point].backend;
                    let events = self.events;
                    events.log(LogLevel::Info, format!("skipped by the operator: {name}"));
                    return Ok(());
                }
                // Refused settings are refused again, in this repetition and in all others.
                Some(error @ RunError::Settings(_)) => {
                    self.add_repetition(plan, step, backend.as_ref(), outcome).await;
                    return Err(error);
                }
                Some(error) if attempt <= plan.retries && !is_result(plan, &outcome.repetition) => {
                    self.events
                        .log(LogLevel::Warn, format!("{error}\n  the repetition is retried"));
                    self.record.points[step.point].failed_tries.push(outcome.repetition);
                    self.save().await;
                }
                Some(error) => {
                    self.events.log(LogLevel::Error, error.to_string());
                    let result = is_result(plan, &outcome.repetition);
                    self.add_repetition(plan, step, backend.as_ref(), outcome).await;
                    self.count_failure(&error, result)?;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn environment<'b>(&'b self, plan: &'b Plan) -> RunContext<'b> {
        RunContext {
            plan,
            hub: &self.hub,
            events: self.events,
            control: self.control,
            cores: f64::from(self.record.provenance.client.cores.unwrap_or(1)),
            counts_writes: self.record.provenance.hub.counts_writes(),
            hub_is_local: self.record.provenance.hub.shared_with_client,
            self_test: self.record.self_test.as_ref(),
            host: MonitoredHost { monitor: self.host_monitor.as_ref(), spec: &self.host_spec },
        }
    }

    async fn run_attempt(
        &self,
        plan: &Plan,
        step: ScheduledRepetition,
        position: usize,
        attempt: u32,
        backend: &dyn Backend,
    ) -> Result<RepetitionOutcome, RunError> {
        let context = repetition_context(plan, &plan.points[step.point])?;
        let events = self.events;
        events.send(Event::Repetition { step, position, attempt });
        let control = self.control.for_repetition(step.point);
        let environment = RunContext { control: &control, ..self.environment(plan) };
        let cooled = self.cool_down(plan).await;
        if let Some(monitor) = &self.host_monitor {
            monitor.discard_history();
        }
        let mut outcome =
            repetition::execute(&environment, backend, &context, step, position as u32).await;
        outcome.repetition.cooled = cooled;
        Ok(outcome)
    }

    /// Counts a repetition that failed for good, and gives the run up after too many in a row. `result`
    /// says whether a search learned from it.
    fn count_failure(&mut self, error: &RunError, result: bool) -> Result<(), RunError> {
        let is_search = self.record.plan.capacity.is_some();
        let count = if is_search && !result {
            &mut self.consecutive_hub_failures
        } else {
            self.consecutive_hub_failures = 0;
            &mut self.consecutive_failures
        };
        *count += 1;
        let count = *count;
        // In a search, too many users may fail every repetition: that is a result, not a defect.
        let mut all = self.record.points.iter().flat_map(|point| &point.repetitions);
        let found = result && all.any(Repetition::is_measured);
        if count >= MAX_CONSECUTIVE_FAILURES && !found {
            return Err(RunError::TooManyFailures { count, last: error.to_string() });
        }
        Ok(())
    }

    /// Adds a repetition to the record, updates the searches, saves the record and sends events.
    async fn add_repetition(
        &mut self,
        plan: &Plan,
        step: ScheduledRepetition,
        backend: &dyn Backend,
        outcome: RepetitionOutcome,
    ) {
        let RepetitionOutcome { repetition, servers, facts, .. } = outcome;
        let point = &plan.points[step.point];
        // Without its password a context is as good for the cautions.
        let context = resolve::context_without_password(plan, point);
        if let Some(facts) = facts {
            let provenance = &mut self.record.provenance;
            for caution in provenance::add_servers(provenance, backend, &context, &servers, facts) {
                self.events.log(LogLevel::Warn, format!("{}: {caution}", point.backend));
            }
        }
        let result = &mut self.record.points[step.point];
        result.repetitions.push(repetition.clone());
        // The summary is made anew when the whole record is saved: after every repetition, its cost would
        // grow with the run.
        result.summary = None;
        let learned = repetition
            .is_conclusive()
            .then(|| self.strategy.learn(step, repetition.objectives_held()))
            .flatten();
        self.record.capacity = self.strategy.capacities(plan, &self.record);
        self.save().await;
        let control = self.control;
        let mut remaining = self.strategy.remaining(plan, &self.record);
        remaining.retain(|(point, _)| !control.is_skipped(*point));
        let seconds_left = time_left::estimate_seconds(plan, &self.record, &remaining);
        let tally = self.record.tally();
        let repetition = Box::new(repetition);
        self.events.send(Event::Finished { step, repetition, seconds_left, tally });
        if let Some(search) = learned {
            self.send_search_state(plan, search);
        }
    }

    fn send_search_state(&self, plan: &Plan, search: usize) {
        let mut capacities = self.strategy.capacities(plan, &self.record);
        if search < capacities.len() {
            let state = Box::new(capacities.swap_remove(search));
            self.events.send(Event::Capacity { search, state });
        }
    }

    /// Completes and saves the record, however the run ended.
    pub async fn finish(mut self, error: Option<RunError>) -> RunOutcome {
        let plan = &self.record.plan;
        let has_footprint =
            |point: &Point| self.record.footprints.contains_key(&point.backend.to_string());
        let all_executed = self.strategy.next(plan, &self.record, |_| false).is_none()
            && (!plan.footprint || plan.points.iter().all(has_footprint));
        // Failed repetitions are results of a search; in a sweep they are gaps.
        let has_gaps = self.record.plan.capacity.is_none() && self.record.tally().failed > 0;
        self.record.finished = Some(jiff::Timestamp::now());
        let complete = all_executed && error.is_none() && !has_gaps;
        self.record.status = if complete { RecordStatus::Complete } else { RecordStatus::Partial };
        self.record.ended = match &error {
            Some(error) => Some(error.to_string()),
            None => (!all_executed).then(|| "points were skipped by the operator".to_owned()),
        };
        let saved = self.writer.finish(&mut self.record).await;
        let error = error.or_else(|| saved.err().map(RunError::from));
        let end = match &error {
            None if all_executed => EndStatus::Complete,
            None | Some(RunError::Stopped) => EndStatus::Stopped,
            Some(error) => EndStatus::Failed { error: error.to_string() },
        };
        let path = self.writer.current_path().to_owned();
        // A record that was never saved cannot be opened or resumed.
        let record = Some(path.clone()).filter(|path| path.exists()).unwrap_or_default();
        self.events.send(Event::Ended { end, record });
        RunOutcome { record: self.record, path, error }
    }
}
