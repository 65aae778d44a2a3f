//! One repetition: a point, executed once on clean servers.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    EngineError,
    attendant::Watch,
    control::Control,
    course::Course,
    faults::Faults,
    observer::Observer,
    play::Play,
    recorder::Recorder,
    results::{self, Circumstances},
    sampler::Sampler,
    servers::Servers,
    stage::Stage,
    strategy::STOPPED,
    warmup,
};
use crate::{
    backend::{Backend, ServerFacts, Session, Setup},
    clock::{Clock, Micros},
    event::{Phase, Teller},
    hub::{self, Hub},
    measure::{Durations, Generator, Judgement, Ledger, Reason, Verdict},
    plan::{Plan, Point, Scenario, Step, Workload},
    record::{Repetition, Warmup},
    server::Running,
    workload::payload::Payloads,
};

/// How often a server that starts is asked whether it still lives.
const LIFE_GLANCE: Duration = Duration::from_millis(250);

/// How long after a failure the news may come that a server has died: connections to it break
/// before its hub knows.
const BAD_NEWS: Duration = Duration::from_secs(2);

/// Everything that all repetitions of a run share.
pub struct Shared<'a> {
    pub plan: &'a Plan,
    pub hub: &'a Arc<dyn Hub>,
    pub teller: &'a Teller,
    pub control: &'a Control,
    /// This machine's cores.
    pub cores: f64,
    /// Whether the hub is this machine.
    pub on_hub: bool,
    /// The hub itself.
    pub watch: Watch<'a>,
}

/// What a repetition leaves: its results, and what its servers said of themselves.
pub struct Done {
    pub repetition: Repetition,
    pub servers: Vec<Running>,
    pub facts: Option<ServerFacts>,
    /// Why it failed, if it did.
    pub error: Option<EngineError>,
}

/// Executes `step`. Always returns a repetition; one that could not be measured to its end is
/// judged `failed`.
pub async fn execute(
    shared: &Shared<'_>,
    backend: &dyn Backend,
    setup: &Setup,
    step: Step,
    position: u32,
) -> Done {
    let mut work = Work {
        shared,
        setup,
        step,
        clock: Clock::start(),
        course: Course::new(shared.teller),
        repetition: blank(step, position),
        facts: None,
    };
    let (servers, result) = work.with_servers(backend).await;
    let mut repetition = work.repetition;
    repetition.phases = work.course.end();
    let error = result.err();
    if let Some(error) = &error {
        let code = if matches!(error, EngineError::Stopped) { STOPPED } else { "error" };
        repetition.verdict.status = Judgement::Failed;
        repetition.verdict.reasons.insert(0, Reason { code: code.into(), text: error.to_string() });
    }
    Done { repetition, servers, facts: work.facts, error }
}

/// A repetition of which nothing was measured.
pub fn blank(step: Step, position: u32) -> Repetition {
    Repetition {
        index: step.repetition,
        order: position,
        attempt: 1,
        started: jiff::Timestamp::now(),
        seconds: 0.0,
        phases: BTreeMap::new(),
        server_age_seconds: None,
        server_ready_seconds: None,
        warmup: Warmup::default(),
        verdict: Verdict::default(),
        ledger: Ledger::default(),
        latency: Durations::default(),
        throughput: None,
        resources: BTreeMap::new(),
        samples: BTreeMap::new(),
        hub: Vec::new(),
        cooled: None,
        generator: Generator::default(),
        timeline: Vec::new(),
        events: Vec::new(),
        faults: Vec::new(),
        crossed: Vec::new(),
        missed: Vec::new(),
    }
}

/// A repetition in progress.
struct Work<'a> {
    shared: &'a Shared<'a>,
    setup: &'a Setup,
    step: Step,
    clock: Clock,
    course: Course,
    repetition: Repetition,
    facts: Option<ServerFacts>,
}

impl Work<'_> {
    fn point(&self) -> &Point {
        &self.setup.point
    }

    /// Starts the servers, measures, removes the servers.
    async fn with_servers(
        &mut self,
        backend: &dyn Backend,
    ) -> (Vec<Running>, Result<(), EngineError>) {
        self.course.enter(Phase::Servers, None);
        let started = Instant::now();
        let specs = match backend.servers(self.setup) {
            Ok(specs) => specs,
            Err(error) => return (Vec::new(), Err(error.into())),
        };
        let limits = &self.shared.plan.hub.limits;
        let servers = match Servers::start(self.shared.hub, &specs, limits).await {
            Ok(servers) => servers,
            Err(error) => return (Vec::new(), Err(error.into())),
        };
        let running = servers.running.clone();
        let mut result = self.measured(backend, &servers, started).await;
        if result.is_err()
            && !matches!(result, Err(EngineError::Stopped | EngineError::ServerEnded(_)))
            && let Some(obituary) = servers.obituary_within(BAD_NEWS).await
        {
            // A dead server is the better explanation for whatever else failed.
            result = Err(EngineError::ServerEnded(obituary));
        }
        self.course.enter(Phase::Cleanup, None);
        let removed = servers.remove().await.map_err(EngineError::from);
        (running, result.and(removed))
    }

    async fn measured(
        &mut self,
        backend: &dyn Backend,
        servers: &Servers,
        started: Instant,
    ) -> Result<(), EngineError> {
        let session = self.ready(backend, servers).await?;
        let played = self.played(session.as_ref(), servers, started).await;
        // Also of a repetition that has failed; on a server that is about to be removed it is
        // nothing.
        let left = session.leave().await.map_err(EngineError::from);
        played.and(left)
    }

    async fn played(
        &mut self,
        session: &dyn Session,
        servers: &Servers,
        started: Instant,
    ) -> Result<(), EngineError> {
        // Sampling begins before the warm-up: a server that dies there is noticed, too.
        let sampler = Sampler::start(self.shared.hub, &servers.running, self.clock);
        let stage = Stage {
            hub: self.shared.hub,
            teller: self.shared.teller,
            control: self.shared.control,
            servers,
            sampler: &sampler,
            watch: self.shared.watch,
            clock: self.clock,
        };
        stage.unless_ended(session.reset()).await??;
        self.repetition.server_ready_seconds = Some(started.elapsed().as_secs_f64());
        self.warm_up_server(&stage, session).await?;
        // Of the topic or table that is measured, not of the one that the warm-up has used up.
        self.facts = Some(stage.unless_ended(session.facts()).await??);
        let baseline = self.baseline(&stage).await?;
        self.load(&stage, session, started, baseline).await
    }

    /// Waits until the servers answer, but no longer than they live.
    async fn ready(
        &self,
        backend: &dyn Backend,
        servers: &Servers,
    ) -> Result<Box<dyn Session>, EngineError> {
        let dead = async {
            loop {
                sleep(LIFE_GLANCE).await;
                if let Some(obituary) = servers.obituary().await {
                    return obituary;
                }
            }
        };
        tokio::select! {
            session = backend.connect(self.setup, &servers.running, self.clock, hub::PATIENCE) => {
                session.map_err(EngineError::from)
            }
            obituary = dead => Err(EngineError::ServerEnded(obituary)),
            () = self.shared.control.token().cancelled() => Err(EngineError::Stopped),
        }
    }

    async fn warm_up_server(
        &mut self,
        stage: &Stage<'_>,
        session: &dyn Session,
    ) -> Result<(), EngineError> {
        let length = self.shared.plan.server_warmup;
        if length.is_zero() {
            return Ok(());
        }
        self.course.enter(Phase::ServerWarmup, Some(length.as_secs_f64()));
        let played = warmup::play(session, self.point(), length, self.clock);
        self.repetition.warmup.server_messages = stage.unless_ended(played).await??;
        self.repetition.warmup.server_seconds = length.as_secs_f64();
        stage.unless_ended(session.reset()).await?.map_err(EngineError::from)
    }

    /// Lets the servers idle. Returns when that began.
    async fn baseline(&mut self, stage: &Stage<'_>) -> Result<Micros, EngineError> {
        let length = self.shared.plan.baseline;
        let from = self.clock.now();
        self.course.enter(Phase::Baseline, Some(length.as_secs_f64()));
        stage.unless_ended(sleep(length)).await?;
        stage.sampler.end_baseline(from, &stage.marks().await.readings);
        Ok(from)
    }

    /// Connects everybody, plays the load, drains, collects; keeps what was measured however it
    /// ended.
    async fn load(
        &mut self,
        stage: &Stage<'_>,
        session: &dyn Session,
        servers_started: Instant,
        baseline: Micros,
    ) -> Result<(), EngineError> {
        let setup = self.setup;
        let point = &setup.point;
        let workload = &point.workload;
        let plan = self.shared.plan;
        self.course.enter(Phase::Connect, None);
        let payloads =
            Payloads::new(plan.seed, workload.payload().0 as usize, workload.payload_source());
        let recorder =
            Arc::new(Recorder::new(self.clock, workload.users(), workload.messages(), payloads));
        let scenario = match workload {
            Workload::Latency(w) => {
                self.repetition.warmup.load_seconds = w.warmup.as_secs_f64();
                Scenario::Both
            }
            Workload::Throughput(w) => w.scenario,
        };
        let machine = (self.shared.cores, self.shared.on_hub);
        let mut observer = Observer::new(
            &recorder,
            stage.sampler,
            self.shared.teller,
            point,
            &plan.thresholds,
            machine,
            self.shared.watch,
        );
        let faults = Faults::new(stage, &recorder, &plan.faults, plan.hub.limits);
        let mut scene = Play {
            stage,
            course: &mut self.course,
            recorder: &recorder,
            session,
            workload,
            scenario,
            seed: plan.seed,
            repetition: self.step.repetition,
            servers_started,
            faults: &faults,
        };
        let mut others = stage.hub.others().await;
        let result = scene.run(&mut observer).await;
        others.extend(stage.hub.others().await);
        let circumstances = Circumstances {
            point,
            scenario,
            recorder: &recorder,
            build: self.shared.watch.build,
            others: &others,
            thresholds: &plan.thresholds,
            objectives: plan.capacity.as_ref().map_or(&[], |asked| &asked.objectives),
            machine,
            dropped_snapshots: self.shared.teller.dropped(),
        };
        self.repetition.timeline = std::mem::take(&mut observer.timeline);
        self.repetition.hub = std::mem::take(&mut observer.vitals);
        self.repetition.events = recorder.take_notes();
        self.repetition.faults = faults.results(recorder.origin());
        match result {
            Ok(span) => {
                results::resources(&mut self.repetition, stage, baseline, &span);
                results::finish(&mut self.repetition, &circumstances, &span);
                Ok(())
            }
            Err(error) => {
                results::interrupted(&mut self.repetition, &circumstances);
                Err(error)
            }
        }
    }
}
