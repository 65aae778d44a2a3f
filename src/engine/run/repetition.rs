//! Repetition: executes one point once on clean servers.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    load_phase::LoadPhase,
    results::{self, ResultContext},
};
use crate::{
    backend::{Backend, BackendError, RepetitionContext, ServerFacts, Session},
    clock::{Clock, Micros},
    engine::{
        RunError,
        control::Control,
        faults::scheduler::{FaultsByKey, PlannedFaults},
        judge::verdict::ClientMachine,
        load::{phase_timer::PhaseTimer, server_warmup},
        measure::{
            host_monitor::MonitoredHost, observer::Observer, recorder::Recorder, sampler::Sampler,
        },
        repetition_environment::RepetitionEnvironment,
        servers::RepetitionServers,
        steering::Steering,
    },
    event::{EventSender, Phase},
    hub::Hub,
    measure::{Judgement, Reason, SelfTest},
    plan::{Plan, Point, Scenario, ScheduledRepetition, Workload},
    record::Repetition,
    server::RunningServer,
    workload::payload::PayloadGenerator,
};

/// Interval between two checks whether a starting server still runs.
const EXIT_POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Time after a failure in which the exit of a server may still become known: connections break
/// before the hub reports the exit.
const EXIT_REPORT_TIMEOUT: Duration = Duration::from_secs(2);

/// Environment that all repetitions of a run share.
pub struct RunContext<'a> {
    pub plan: &'a Plan,
    pub hub: &'a Arc<dyn Hub>,
    pub events: &'a EventSender,
    pub control: &'a Control,
    /// Number of cores of this machine.
    pub cores: f64,
    /// Whether the hub is this machine.
    pub hub_is_local: bool,
    /// Whether the hub's kernel counts the writes of one server.
    pub counts_writes: bool,
    /// What this machine can do without a load, if it was tested.
    pub self_test: Option<&'a SelfTest>,
    /// Monitor of the hub's host.
    pub host: MonitoredHost<'a>,
}

/// Results of a repetition, with its servers and the facts that they reported.
pub struct RepetitionOutcome {
    pub repetition: Repetition,
    pub servers: Vec<RunningServer>,
    pub facts: Option<ServerFacts>,
    /// Error that ended the repetition early.
    pub error: Option<RunError>,
}

/// Executes `step` and always returns a repetition: an incomplete one has the verdict `failed`.
pub async fn execute(
    environment: &RunContext<'_>,
    backend: &dyn Backend,
    context: &RepetitionContext,
    step: ScheduledRepetition,
    position: u32,
) -> RepetitionOutcome {
    let mut run = RepetitionRun {
        environment,
        context,
        step,
        clock: Clock::start(),
        phases: PhaseTimer::new(environment.events),
        repetition: Repetition::unmeasured(step, position, jiff::Timestamp::now()),
        facts: None,
    };
    let (servers, result) = run.run_on_servers(backend).await;
    let mut repetition = run.repetition;
    repetition.phases = run.phases.into_seconds();
    let error = result.err();
    if let Some(error) = &error {
        let code = error.reason_code();
        repetition.verdict.status = Judgement::Failed;
        repetition.verdict.reasons.insert(0, Reason { code: code.into(), text: error.to_string() });
    }
    RepetitionOutcome { repetition, servers, facts: run.facts, error }
}

/// A repetition in progress.
struct RepetitionRun<'a> {
    environment: &'a RunContext<'a>,
    context: &'a RepetitionContext,
    step: ScheduledRepetition,
    clock: Clock,
    phases: PhaseTimer,
    repetition: Repetition,
    facts: Option<ServerFacts>,
}

impl RepetitionRun<'_> {
    fn point(&self) -> &Point {
        &self.context.point
    }

    /// Starts the servers, measures, and removes the servers.
    async fn run_on_servers(
        &mut self,
        backend: &dyn Backend,
    ) -> (Vec<RunningServer>, Result<(), RunError>) {
        self.phases.enter(Phase::Servers, None);
        let started = Instant::now();
        let specs = match backend.servers(self.context) {
            Ok(specs) => specs,
            Err(error) => return (Vec::new(), Err(error.into())),
        };
        let limits = &self.environment.plan.hub.limits;
        let servers = match RepetitionServers::start(self.environment.hub, &specs, limits).await {
            Ok(servers) => servers,
            Err(error) => return (Vec::new(), Err(error.into())),
        };
        let running = servers.running.clone();
        let mut result = self.measure(backend, &servers, started).await;
        if result.is_err()
            && !matches!(result, Err(RunError::Stopped | RunError::ServerExited(_)))
            && let Some(report) = servers.exit_report_within(EXIT_REPORT_TIMEOUT).await
        {
            // The exit of a server explains the other failure.
            result = Err(RunError::ServerExited(report));
        }
        self.phases.enter(Phase::Cleanup, None);
        let removed = servers.remove().await.map_err(RunError::from);
        (running, result.and(removed))
    }

    async fn measure(
        &mut self,
        backend: &dyn Backend,
        servers: &RepetitionServers,
        started: Instant,
    ) -> Result<(), RunError> {
        self.phases.enter(Phase::Ready, None);
        let session = self.connect_when_ready(backend, servers).await?;
        let measured = self.run_phases(backend, session.as_ref(), servers, started).await;
        // A failed repetition is cleaned up, too; on a server that is about to be removed there is
        // nothing to clean up.
        let cleaned_up = session.cleanup().await.map_err(RunError::from);
        measured.and(cleaned_up)
    }

    async fn run_phases(
        &mut self,
        backend: &dyn Backend,
        session: &dyn Session,
        servers: &RepetitionServers,
        started: Instant,
    ) -> Result<(), RunError> {
        // Sampling begins before the warm-up, to notice also a server that exits during it.
        let sampler = Sampler::start(self.environment.hub, &servers.running, self.clock);
        let run = RepetitionEnvironment {
            hub: self.environment.hub,
            events: self.environment.events,
            control: self.environment.control,
            servers,
            sampler: &sampler,
            host: self.environment.host,
            clock: self.clock,
        };
        run.unless_ended(session.reset()).await??;
        self.repetition.server_ready_seconds = Some(started.elapsed().as_secs_f64());
        self.warm_up_server(&run, session).await?;
        // Facts of the topic or table that is measured, not of the one used by the warm-up.
        let facts = run.unless_ended(session.facts()).await??;
        let problems = backend.incompatibilities(self.context, &facts);
        self.facts = Some(facts);
        if !problems.is_empty() {
            return Err(RunError::Settings(problems));
        }
        let baseline = self.measure_baseline(&run).await?;
        self.run_load(&run, session, started, baseline).await
    }

    /// The operator's changes of the load and faults by key, if the plan allows them.
    fn steering(&self) -> Option<(Arc<Steering>, FaultsByKey)> {
        self.environment.plan.steering.then(|| {
            let users = self.point().workload.users();
            let (steering, injections) = Steering::new(self.environment.events.clone(), users);
            let steering = Arc::new(steering);
            (Arc::clone(&steering), FaultsByKey { steering, injections })
        })
    }

    /// Connects as soon as the servers answer.
    ///
    /// # Errors
    /// No server answers in time, a server exits, or the operator stops the run.
    async fn connect_when_ready(
        &self,
        backend: &dyn Backend,
        servers: &RepetitionServers,
    ) -> Result<Box<dyn Session>, RunError> {
        let ready_timeout = self.environment.plan.hub.timeouts().operation;
        let exit = async {
            loop {
                sleep(EXIT_POLL_INTERVAL).await;
                if let Some(report) = servers.exit_report().await {
                    return report;
                }
            }
        };
        let connected = tokio::select! {
            session = backend.connect(self.context, &servers.running, self.clock, ready_timeout) => {
                session
            }
            report = exit => return Err(RunError::ServerExited(report)),
            () = self.environment.control.stop_token().cancelled() => return Err(RunError::Stopped),
        };
        match connected {
            Err(BackendError::NotReady { server, address, waited, last }) => {
                let last = self.with_closed_ports(servers, last).await;
                Err(BackendError::NotReady { server, address, waited, last }.into())
            }
            connected => connected.map_err(RunError::from),
        }
    }

    /// Adds to the last error of a server that did not answer why its ports may be closed.
    async fn with_closed_ports(&self, servers: &RepetitionServers, last: String) -> String {
        for server in &servers.running {
            if let Some(why) = self.environment.hub.explain_closed_port(server).await {
                return format!("{last}\n  {why}");
            }
        }
        last
    }

    async fn warm_up_server(
        &mut self,
        run: &RepetitionEnvironment<'_>,
        session: &dyn Session,
    ) -> Result<(), RunError> {
        let length = self.environment.plan.server_warmup;
        if length.is_zero() {
            return Ok(());
        }
        self.phases.enter(Phase::ServerWarmup, Some(length.as_secs_f64()));
        let warmup = server_warmup::run_warmup(session, self.point(), length, self.clock);
        self.repetition.warmup.server_messages = run.unless_ended(warmup).await??;
        self.repetition.warmup.server_seconds = length.as_secs_f64();
        run.unless_ended(session.reset()).await?.map_err(RunError::from)
    }

    /// Samples the idle servers for the baseline and returns its start.
    async fn measure_baseline(
        &mut self,
        run: &RepetitionEnvironment<'_>,
    ) -> Result<Micros, RunError> {
        let length = self.environment.plan.baseline;
        let from = self.clock.now();
        self.phases.enter(Phase::Baseline, Some(length.as_secs_f64()));
        run.unless_ended(sleep(length)).await?;
        run.sampler.end_baseline(from, &run.read_counters().await.readings);
        Ok(from)
    }

    /// Connects all users, runs the load, drains and collects; stores the measurements even when the
    /// load ends early.
    async fn run_load(
        &mut self,
        run: &RepetitionEnvironment<'_>,
        session: &dyn Session,
        servers_started: Instant,
        baseline: Micros,
    ) -> Result<(), RunError> {
        let context = self.context;
        let point = &context.point;
        let workload = &point.workload;
        let plan = self.environment.plan;
        self.phases.enter(Phase::Connect, None);
        let payloads = PayloadGenerator::new(
            plan.seed,
            workload.payload().0 as usize,
            workload.payload_source(),
        );
        let recorder =
            Arc::new(Recorder::new(self.clock, workload.users(), workload.messages(), payloads));
        let scenario = match workload {
            Workload::Latency(w) => {
                self.repetition.warmup.load_seconds = w.warmup.as_secs_f64();
                Scenario::Both
            }
            Workload::Throughput(w) => w.scenario,
        };
        let machine = ClientMachine {
            cores: self.environment.cores,
            is_hub: self.environment.hub_is_local,
            self_test: self.environment.self_test,
        };
        let mut observer = Observer::new(
            &recorder,
            run.sampler,
            self.environment.events,
            point,
            &plan.thresholds,
            machine,
            self.environment.host,
        );
        let (steering, faults_by_key) = self.steering().unzip();
        observer.steering.clone_from(&steering);
        let faults = PlannedFaults::new(run, &recorder, &plan.faults, plan.hub.limits);
        let mut load_phase = LoadPhase {
            context: run,
            phases: &mut self.phases,
            recorder: &recorder,
            session,
            workload,
            scenario,
            seed: plan.seed,
            repetition: self.step.repetition,
            servers_started,
            faults: &faults,
            steering: steering.clone(),
            faults_by_key,
        };
        let mut other_runs = run.hub.other_runs().await;
        let result = load_phase.run(&mut observer).await;
        other_runs.extend(run.hub.other_runs().await);
        let result_context = ResultContext {
            point,
            scenario,
            recorder: &recorder,
            host_spec: self.environment.host.spec,
            other_runs: &other_runs,
            thresholds: &plan.thresholds,
            objectives: plan.capacity.as_ref().map_or(&[], |asked| &asked.objectives),
            machine,
            dropped_snapshots: self.environment.events.dropped_snapshots(),
        };
        let until =
            result.as_ref().map_or_else(|_| self.clock.now(), |measured| measured.drain_end);
        self.repetition.standstills = recorder.standstills();
        (self.repetition.timeline, self.repetition.intervals) = recorder.finish_timeline(until);
        self.repetition.hub = std::mem::take(&mut observer.host_metrics);
        self.repetition.events = recorder.take_notes();
        self.repetition.faults = faults.results(recorder.origin());
        self.repetition.steered = steering.map_or_else(Vec::new, |steering| steering.actions());
        match result {
            Ok(measurement) => {
                results::add_resources(&mut self.repetition, run, baseline, &measurement);
                results::add_results(&mut self.repetition, &result_context, &measurement);
                let retransmissions = &observer.retransmissions;
                results::add_causes(&mut self.repetition, &recorder, retransmissions);
                Ok(())
            }
            Err(error) => {
                results::add_partial_results(&mut self.repetition, &result_context);
                Err(error)
            }
        }
    }
}
