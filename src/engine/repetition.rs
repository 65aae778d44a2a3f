//! One repetition: a point, executed once on clean servers.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use tokio::{
    sync::oneshot,
    task::{JoinError, JoinHandle},
    time::{Instant, sleep},
};

use super::{
    EngineError,
    control::Control,
    course::Course,
    generator::SelfWatch,
    inbox::RecorderInbox,
    load::Load,
    observer::{Observer, spreads},
    recorder::Recorder,
    sampler::Sampler,
    servers::{Alive, Servers},
    verdict::{self, Evidence},
    warmup,
};
use crate::{
    backend::{Backend, BackendError, Bundling, Consumer, Fleet, ServerFacts, Session, Setup},
    clock::{Clock, Micros},
    event::{Level, Phase, Teller},
    hub::{self, Hub},
    measure::{Durations, Judgement, Reason, Verdict},
    plan::{Plan, Point, Scenario, Step, Workload},
    record::{Repetition, Throughput, TimedNote, Warmup, histogram},
    server::{Reading, Running},
    units::Bytes,
    workload::{arrival::Schedule, payload::Payloads},
};

/// Time between the decision to start the load and its first possible due time.
const LEAD: Duration = Duration::from_millis(100);
/// How often the end of the drain is looked for.
const DRAIN_GLANCE: Duration = Duration::from_millis(10);
/// How often a server that starts is asked whether it still lives.
const LIFE_GLANCE: Duration = Duration::from_millis(250);
/// Longest wait for the independent count of stored messages.
const COUNT_PATIENCE: Duration = Duration::from_mins(1);

/// How messages of a workload travel.
pub(super) const fn bundling(workload: &Workload) -> Bundling {
    match workload {
        Workload::Latency(_) => Bundling::Single,
        Workload::Throughput(_) => Bundling::Bulk,
    }
}

/// Turns the end of a blocking task that did not return into an error.
pub(super) fn thread_error(what: &str) -> impl Fn(JoinError) -> EngineError {
    move |error| EngineError::Thread { what: what.to_owned(), reason: error.to_string() }
}

/// A consumer at work on a thread of its own.
pub(super) struct Reader {
    stop: Arc<AtomicBool>,
    ended: JoinHandle<Result<(), BackendError>>,
}

impl Reader {
    /// Puts `consumer` to work.
    pub(super) fn spawn(
        consumer: Box<dyn Consumer>,
        recorder: &Arc<Recorder>,
    ) -> Result<Self, EngineError> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut inbox = RecorderInbox::new(Arc::clone(recorder), Arc::clone(&stop));
        let (tell, told) = oneshot::channel();
        thread::Builder::new()
            .name("consumer".into())
            .spawn(move || {
                let result = consumer.run(&mut inbox);
                crate::backend::Inbox::flush(&mut inbox);
                let _ = tell.send(result);
            })
            .map_err(no_thread("the consumer"))?;
        let ended = tokio::spawn(async move {
            told.await.unwrap_or_else(|_| {
                Err(BackendError::Operation {
                    what: "reading".into(),
                    server: "the consumer's thread".into(),
                    reason: "it ended by a panic".into(),
                })
            })
        });
        Ok(Self { stop, ended })
    }

    /// Resolves with the consumer's error if it ends before it is told to.
    async fn failed(&mut self) -> EngineError {
        match (&mut self.ended).await {
            Ok(Err(error)) => EngineError::Consumer(error),
            Ok(Ok(())) => std::future::pending().await,
            Err(error) => thread_error("the consumer")(error),
        }
    }

    /// Tells the consumer to end and waits for it.
    pub(super) async fn end(self) -> Result<(), EngineError> {
        self.stop.store(true, Relaxed);
        self.ended.await.map_err(thread_error("the consumer"))?.map_err(EngineError::Consumer)
    }
}

fn no_thread(what: &'static str) -> impl Fn(io::Error) -> EngineError {
    move |error| EngineError::Thread {
        what: format!("{what} could not be started"),
        reason: error.to_string(),
    }
}

/// Everything that all repetitions of a run share.
pub(super) struct Shared<'a> {
    pub plan: &'a Plan,
    pub hub: &'a Arc<dyn Hub>,
    pub teller: &'a Teller,
    pub control: &'a Control,
    pub alive: &'a Alive,
    /// This machine's cores.
    pub cores: f64,
    /// Whether the hub is this machine.
    pub on_hub: bool,
}

/// What a repetition leaves: its results, and what its servers said of themselves.
pub(super) struct Done {
    pub repetition: Repetition,
    pub servers: Vec<Running>,
    pub facts: Option<ServerFacts>,
    /// Why it failed, if it did.
    pub error: Option<EngineError>,
}

/// Executes `step`. Always returns a repetition; one that could not be measured to its end is
/// judged `failed`.
pub(super) async fn execute(
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
        let code = if matches!(error, EngineError::Stopped) { "stopped" } else { "error" };
        repetition.verdict.status = Judgement::Failed;
        repetition.verdict.reasons.insert(0, Reason { code: code.into(), text: error.to_string() });
    }
    Done { repetition, servers, facts: work.facts, error }
}

fn blank(step: Step, position: u32) -> Repetition {
    Repetition {
        index: step.repetition,
        order: position,
        started: jiff::Timestamp::now(),
        seconds: 0.0,
        phases: BTreeMap::new(),
        server_age_seconds: None,
        server_ready_seconds: None,
        warmup: Warmup::default(),
        verdict: Verdict::default(),
        ledger: crate::measure::Ledger::default(),
        latency: Durations::default(),
        throughput: None,
        resources: BTreeMap::new(),
        samples: BTreeMap::new(),
        generator: crate::measure::Generator::default(),
        timeline: Vec::new(),
        events: Vec::new(),
        crossed: Vec::new(),
    }
}

/// Readings of all servers at one moment.
struct Marks {
    at: Micros,
    readings: BTreeMap<String, Reading>,
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

    /// Resolves `future`, unless the operator stops the run first.
    async fn unless_stopped<T>(&self, future: impl Future<Output = T>) -> Result<T, EngineError> {
        tokio::select! {
            value = future => Ok(value),
            () = self.shared.control.token().cancelled() => Err(EngineError::Stopped),
        }
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
        let servers = match Servers::start(self.shared.hub, self.shared.alive, &specs, limits).await
        {
            Ok(servers) => servers,
            Err(error) => return (Vec::new(), Err(error.into())),
        };
        let running = servers.running.clone();
        let mut result = self.measured(backend, &servers, started).await;
        if result.is_err()
            && !matches!(result, Err(EngineError::Stopped | EngineError::ServerEnded(_)))
            && let Some(obituary) = servers.obituary().await
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
        self.unless_stopped(session.reset()).await??;
        self.repetition.server_ready_seconds = Some(started.elapsed().as_secs_f64());
        self.facts = Some(self.unless_stopped(session.facts()).await??);
        self.warm_up_server(session.as_ref()).await?;

        let sampler = Sampler::start(self.shared.hub, &servers.running, self.clock);
        let baseline = self.baseline(&sampler, servers).await?;
        let ended = tokio::select! {
            ended = self.load(session.as_ref(), &sampler, servers, (started, baseline)) => ended,
            obituary = death(&sampler, servers) => Err(EngineError::ServerEnded(obituary)),
        };
        ended
    }

    /// Waits until the servers answer, but no longer than they live.
    async fn ready(
        &self,
        backend: &dyn Backend,
        servers: &Servers,
    ) -> Result<Box<dyn Session>, EngineError> {
        let connect = backend.connect(self.setup, &servers.running, self.clock, hub::PATIENCE);
        let dead = async {
            loop {
                sleep(LIFE_GLANCE).await;
                if let Some(obituary) = servers.obituary().await {
                    return obituary;
                }
            }
        };
        self.unless_stopped(async {
            tokio::select! {
                session = connect => session.map_err(EngineError::from),
                obituary = dead => Err(EngineError::ServerEnded(obituary)),
            }
        })
        .await?
    }

    async fn warm_up_server(&mut self, session: &dyn Session) -> Result<(), EngineError> {
        let length = self.shared.plan.server_warmup;
        if length.is_zero() {
            return Ok(());
        }
        self.course.enter(Phase::ServerWarmup, Some(length.as_secs_f64()));
        let played = warmup::play(session, self.point(), length, self.clock);
        self.repetition.warmup.server_messages = self.unless_stopped(played).await??;
        self.repetition.warmup.server_seconds = length.as_secs_f64();
        self.unless_stopped(session.reset()).await??;
        Ok(())
    }

    /// Lets the servers idle. Returns when that began.
    async fn baseline(
        &mut self,
        sampler: &Sampler,
        servers: &Servers,
    ) -> Result<Micros, EngineError> {
        let length = self.shared.plan.baseline;
        let from = self.clock.now();
        self.course.enter(Phase::Baseline, Some(length.as_secs_f64()));
        let idle = async {
            tokio::select! {
                () = sleep(length) => Ok(()),
                obituary = death(sampler, servers) => Err(EngineError::ServerEnded(obituary)),
            }
        };
        self.unless_stopped(idle).await??;
        sampler.end_baseline(from);
        Ok(from)
    }

    /// Connects everybody, plays the load, drains, collects.
    async fn load(
        &mut self,
        session: &dyn Session,
        sampler: &Sampler,
        servers: &Servers,
        (started, baseline): (Instant, Micros),
    ) -> Result<(), EngineError> {
        let point = self.point().clone();
        let workload = &point.workload;
        self.course.enter(Phase::Connect, None);
        let payloads = Payloads::new(
            self.shared.plan.seed,
            workload.payload().0 as usize,
            workload.payload_source(),
        );
        let recorder =
            Arc::new(Recorder::new(self.clock, workload.users(), workload.messages(), payloads));
        let scenario = match workload {
            Workload::Latency(_) => Scenario::Both,
            Workload::Throughput(w) => w.scenario,
        };
        let teller = self.shared.teller.clone();
        let mut observer = Observer::new(
            &recorder,
            sampler,
            &teller,
            &point,
            (self.shared.cores, self.shared.on_hub),
        );
        let mut play = Play { work: self, recorder: &recorder, session, workload, scenario };
        let result = play.run(&mut observer, servers, started).await;
        let timeline = std::mem::take(&mut observer.timeline);
        drop(observer);
        self.repetition.timeline = timeline;
        self.repetition.events.extend(recorder.take_notes());
        let (before, after) = match &result {
            Ok(span) => (Some(&span.before), Some(&span.after)),
            Err(_) => (None, None),
        };
        self.resources(sampler, servers, baseline, before, after);
        self.results(&recorder, scenario);
        if let Ok(span) = &result {
            self.finish(&recorder, &point, span, scenario);
        }
        result.map(|_| ())
    }

    /// Resources over the load.
    fn resources(
        &mut self,
        sampler: &Sampler,
        servers: &Servers,
        baseline: Micros,
        before: Option<&Marks>,
        after: Option<&Marks>,
    ) {
        let (Some(before), Some(after)) = (before, after) else { return };
        for server in &servers.running {
            let mark = |marks: &Marks| (marks.at, marks.readings.get(&server.role).copied());
            let mut resources =
                sampler.resources(&server.role, baseline, mark(before), mark(after));
            if let Some(known) = self.repetition.resources.get(&server.role) {
                resources.block.data_growth = known.block.data_growth;
                resources.block.host_written = known.block.host_written;
            }
            self.repetition.resources.insert(server.role.clone(), resources);
        }
        self.repetition.samples = sampler.samples(before.at, after.at, before.at);
    }

    /// Ledger and durations, as far as they go.
    fn results(&mut self, recorder: &Recorder, scenario: Scenario) {
        let stored = self.repetition.ledger.stored;
        self.repetition.ledger = crate::measure::Ledger { stored, ..recorder.ledger() };
        let durations = recorder.durations();
        let paced = matches!(self.point().workload, Workload::Latency(_));
        self.repetition.latency = Durations {
            lag: histogram::latency(&durations.lag),
            ack: histogram::latency(&durations.ack).filter(|_| scenario != Scenario::Consumer),
            // What waited on the server for its consumer says nothing about the way.
            delivery: histogram::latency(&durations.delivery)
                .filter(|_| scenario == Scenario::Both),
            response: histogram::latency(&durations.response).filter(|_| paced),
        };
    }

    /// Verdict and thresholds of a repetition that was measured to its end.
    fn finish(&mut self, recorder: &Recorder, point: &Point, span: &Span, scenario: Scenario) {
        let repetition = &mut self.repetition;
        repetition.seconds = span.after.at.since(span.before.at) as f64 / 1e6;
        repetition.generator = span.generator;
        let mut durations = spreads(&recorder.durations());
        if scenario != Scenario::Both {
            durations.delivery = crate::measure::Spread::default();
            durations.response = crate::measure::Spread::default();
        }
        repetition.generator.lag_p99 = durations.lag.p99;
        repetition.generator.dropped_snapshots = self.shared.teller.dropped();
        repetition.throughput = span.throughput;
        repetition.verdict = verdict::judge(&Evidence {
            point,
            ledger: &repetition.ledger,
            settled: true,
            durations: &durations,
            generator: &repetition.generator,
            cores: self.shared.cores,
            shared: self.shared.on_hub,
            samples: &repetition.samples,
            seconds: repetition.seconds,
            reasons: &recorder.reasons(),
        });
        repetition.crossed =
            verdict::crossed(&self.shared.plan.thresholds, &durations, &repetition.ledger);
    }

    async fn marks(&self, servers: &Servers) -> Marks {
        let mut readings = BTreeMap::new();
        for server in &servers.running {
            match self.shared.hub.read(server).await {
                Ok(reading) => {
                    readings.insert(server.role.clone(), reading);
                }
                Err(error) => self.shared.teller.log(Level::Warn, error.to_string()),
            }
        }
        Marks { at: self.clock.now(), readings }
    }

    /// Size of each server's data and what its disk has written.
    async fn disks(&self, servers: &Servers) -> BTreeMap<String, (Option<Bytes>, Option<Bytes>)> {
        let mut disks = BTreeMap::new();
        for server in &servers.running {
            let hub = self.shared.hub;
            let disk = (hub.data_size(server).await, hub.disk_written(server).await);
            disks.insert(server.role.clone(), disk);
        }
        disks
    }
}

/// Resolves with an obituary when one of the servers has died.
async fn death(sampler: &Sampler, servers: &Servers) -> String {
    sampler.ended().await;
    loop {
        // Readings may end for other reasons, too; only the hub knows who lives.
        if let Some(obituary) = servers.obituary().await {
            return obituary;
        }
        sleep(LIFE_GLANCE).await;
    }
}

/// The measured time, from its start to its end.
struct Span {
    before: Marks,
    after: Marks,
    throughput: Option<Throughput>,
    generator: crate::measure::Generator,
}

/// The load of a repetition, being played.
struct Play<'a, 'b> {
    work: &'a mut Work<'b>,
    recorder: &'a Arc<Recorder>,
    session: &'a dyn Session,
    workload: &'a Workload,
    scenario: Scenario,
}

impl Play<'_, '_> {
    async fn run(
        &mut self,
        observer: &mut Observer<'_>,
        servers: &Servers,
        started: Instant,
    ) -> Result<Span, EngineError> {
        let bundling = bundling(self.workload);
        let mut reader = None;
        if self.scenario == Scenario::Both {
            reader = Some(self.reader(bundling).await?);
        }
        let users = self.workload.users();
        let reports = Arc::clone(self.recorder);
        let fleet = {
            let connect = self.session.fleet(users, bundling, reports);
            self.work
                .unless_stopped(async {
                    tokio::select! {
                        fleet = connect => fleet.map_err(EngineError::from),
                        () = observer.watch() => unreachable!("the observer watches until it is dropped"),
                    }
                })
                .await??
        };
        let fleet = Fleetkeeper(Some(fleet));
        if self.scenario == Scenario::Consumer {
            self.consume(observer, servers, started, fleet).await
        } else {
            self.produce(observer, servers, started, fleet, reader).await
        }
    }

    async fn reader(&self, bundling: Bundling) -> Result<Reader, EngineError> {
        let consumer = self.work.unless_stopped(self.session.consumer(bundling)).await??;
        Reader::spawn(consumer, self.recorder)
    }

    /// Latency, and throughput of producers with or without a consumer beside them.
    async fn produce(
        &mut self,
        observer: &mut Observer<'_>,
        servers: &Servers,
        started: Instant,
        mut fleet: Fleetkeeper,
        mut reader: Option<Reader>,
    ) -> Result<Span, EngineError> {
        let disks = self.work.disks(servers).await;
        let before = self.work.marks(servers).await;
        let mut watch = SelfWatch::start();
        self.work.repetition.server_age_seconds = Some(started.elapsed().as_secs_f64());
        let start = self.begin(observer);
        let first = self.recorder.clock().now();
        self.play(observer, &mut fleet, reader.as_mut(), start).await?;
        self.work.course.enter(Phase::Drain, Some(self.workload.drain().as_secs_f64()));
        self.drain(observer, reader.as_mut(), self.scenario == Scenario::Both).await?;
        observer.close_second();
        let generator = watch.lap();
        let after = self.work.marks(servers).await;
        let end = if self.scenario == Scenario::Producer {
            self.recorder.last_ack()
        } else {
            self.recorder.arrivals().map(|(_, last)| last)
        };
        let throughput = self.throughput(first, end);
        self.work.course.enter(Phase::Collect, None);
        if reader.is_none() {
            // Nobody has read yet: the ledger can only close when somebody does. Not measured.
            let mut verifier = self.reader(Bundling::Bulk).await?;
            self.drain(observer, Some(&mut verifier), true).await?;
            reader = Some(verifier);
        }
        self.recorder.close();
        self.collect(servers, disks).await;
        fleet.close().await?;
        if let Some(reader) = reader {
            reader.end().await?;
        }
        Ok(Span { before, after, throughput, generator })
    }

    /// Throughput of the consumer alone: what it reads is loaded before and not counted.
    async fn consume(
        &mut self,
        observer: &mut Observer<'_>,
        servers: &Servers,
        started: Instant,
        mut fleet: Fleetkeeper,
    ) -> Result<Span, EngineError> {
        self.work.course.enter(Phase::Preload, None);
        let start = self.recorder.clock().now();
        self.play(observer, &mut fleet, None, start).await?;
        self.drain(observer, None, false).await?;
        fleet.close().await?;
        let consumer = self.work.unless_stopped(self.session.consumer(Bundling::Bulk)).await??;
        let disks = self.work.disks(servers).await;
        let before = self.work.marks(servers).await;
        let mut watch = SelfWatch::start();
        self.work.repetition.server_age_seconds = Some(started.elapsed().as_secs_f64());
        self.work.course.enter(Phase::Load, None);
        observer.timeline.clear();
        observer.start = self.recorder.clock().now();
        self.recorder.begin(observer.start, Micros(i64::MIN));
        let first = self.recorder.clock().now();
        let mut reader = Reader::spawn(consumer, self.recorder)?;
        self.drain(observer, Some(&mut reader), true).await?;
        observer.close_second();
        let generator = watch.lap();
        let after = self.work.marks(servers).await;
        let throughput = self.throughput(first, self.recorder.arrivals().map(|(_, last)| last));
        self.work.course.enter(Phase::Collect, None);
        self.recorder.close();
        self.collect(servers, disks).await;
        reader.end().await?;
        Ok(Span { before, after, throughput, generator })
    }

    /// Decides when the load starts and tells everybody.
    fn begin(&mut self, observer: &mut Observer<'_>) -> Micros {
        let start = self.recorder.clock().now().after(LEAD);
        let (measure_from, seconds) = match self.workload {
            Workload::Latency(w) => {
                let end = Schedule::end(w, self.work.shared.plan.seed, self.work.step.repetition);
                self.work.repetition.warmup.load_seconds = w.warmup.as_secs_f64();
                (start.after(w.warmup), Some(end as f64 / 1e6))
            }
            Workload::Throughput(_) => (Micros(i64::MIN), None),
        };
        self.recorder.begin(start, measure_from);
        observer.start = start;
        observer.planned_seconds = seconds;
        self.work.course.enter(Phase::Load, seconds);
        start
    }

    /// Plays all messages on a thread of their own, watching.
    async fn play(
        &mut self,
        observer: &mut Observer<'_>,
        fleet: &mut Fleetkeeper,
        reader: Option<&mut Reader>,
        start: Micros,
    ) -> Result<(), EngineError> {
        let Some(mut own) = fleet.0.take() else { return Ok(()) };
        let stop = Arc::new(AtomicBool::new(false));
        let _stopper = StopOnDrop(Arc::clone(&stop));
        let (tell, told) = oneshot::channel();
        let (recorder, workload) = (Arc::clone(self.recorder), self.workload.clone());
        let (seed, repetition) = (self.work.shared.plan.seed, self.work.step.repetition);
        thread::Builder::new()
            .name("load".into())
            .spawn(move || {
                let mut load = Load { recorder, stop: &stop, fleet: own.as_mut() };
                let result = match &workload {
                    Workload::Latency(w) => load.paced(w, seed, repetition, start),
                    Workload::Throughput(w) => load.unpaced(w),
                };
                let _ = tell.send((own, result));
            })
            .map_err(no_thread("the load"))?;
        let played = self.work.unless_stopped(async {
            tokio::select! {
                played = told => Ok(played),
                error = failure(reader) => Err(error),
                () = observer.watch() => unreachable!("the observer watches until it is dropped"),
            }
        });
        let (own, result) = played.await??.map_err(|_| EngineError::Thread {
            what: "the load's thread".into(),
            reason: "it ended by a panic".into(),
        })?;
        fleet.0 = Some(own);
        result.map_err(|error| EngineError::Thread {
            what: "making payloads".into(),
            reason: error.to_string(),
        })
    }

    /// Waits until nothing can change any more, or the drain is over. In the throughput workload
    /// the drain's time begins anew with every message that arrives.
    async fn drain(
        &mut self,
        observer: &mut Observer<'_>,
        reader: Option<&mut Reader>,
        arrivals_expected: bool,
    ) -> Result<(), EngineError> {
        let recorder = self.recorder;
        let patience = self.workload.drain();
        let bulk = matches!(self.workload, Workload::Throughput(_));
        let settled = async {
            let mut deadline = Instant::now() + patience;
            let mut seen = 0;
            while Instant::now() < deadline && recorder.pending(arrivals_expected) > 0 {
                sleep(DRAIN_GLANCE).await;
                let progress = recorder.delivered() + recorder.acknowledged();
                if bulk && progress > seen {
                    seen = progress;
                    deadline = Instant::now() + patience;
                }
            }
        };
        self.work
            .unless_stopped(async {
                tokio::select! {
                    () = settled => Ok(()),
                    error = failure(reader) => Err(error),
                    () = observer.watch() => unreachable!("the observer watches until it is dropped"),
                }
            })
            .await?
    }

    fn throughput(&self, first: Micros, end: Option<Micros>) -> Option<Throughput> {
        if !matches!(self.workload, Workload::Throughput(_)) {
            return None;
        }
        let seconds = end?.since(first) as f64 / 1e6;
        let messages = if self.scenario == Scenario::Producer {
            self.recorder.acknowledged()
        } else {
            self.recorder.delivered()
        };
        let bytes = Bytes(messages * self.workload.payload().0);
        (seconds > 0.0).then(|| Throughput {
            bytes,
            seconds,
            bytes_per_second: bytes.0 as f64 / seconds,
            messages_per_second: messages as f64 / seconds,
        })
    }

    /// Counts what the server holds and what its disk took.
    async fn collect(
        &mut self,
        servers: &Servers,
        disks: BTreeMap<String, (Option<Bytes>, Option<Bytes>)>,
    ) {
        match tokio::time::timeout(COUNT_PATIENCE, self.session.count()).await {
            Ok(Ok(stored)) => self.work.repetition.ledger.stored = Some(stored),
            Ok(Err(error)) => self.note(format!("stored messages not counted: {error}")),
            Err(_) => self.note("stored messages not counted: no answer in time".into()),
        }
        for (role, (size, written)) in self.work.disks(servers).await {
            let (size_before, written_before) = disks.get(&role).copied().unwrap_or_default();
            let block = &mut self.work.repetition.resources.entry(role).or_default().block;
            block.data_growth =
                size.zip(size_before).map(|(now, then)| now.0.cast_signed() - then.0.cast_signed());
            block.host_written = written
                .zip(written_before)
                .and_then(|(now, then)| now.0.checked_sub(then.0))
                .map(Bytes);
        }
    }

    fn note(&mut self, text: String) {
        self.work.shared.teller.log(Level::Warn, text.clone());
        let second = self.work.repetition.timeline.len() as f64;
        self.work.repetition.events.push(TimedNote { second, text });
    }
}

async fn failure(reader: Option<&mut Reader>) -> EngineError {
    match reader {
        Some(reader) => reader.failed().await,
        None => std::future::pending().await,
    }
}

struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Keeps a fleet, whose closing may block, from being dropped on a runtime's thread.
struct Fleetkeeper(Option<Box<dyn Fleet>>);

impl Fleetkeeper {
    async fn close(mut self) -> Result<(), EngineError> {
        let fleet = self.0.take();
        tokio::task::spawn_blocking(move || drop(fleet))
            .await
            .map_err(thread_error("closing users"))
    }
}

impl Drop for Fleetkeeper {
    fn drop(&mut self) {
        if let Some(fleet) = self.0.take() {
            // Not waited for: the repetition has failed or was stopped.
            let _ = thread::Builder::new().name("closing".into()).spawn(move || drop(fleet));
        }
    }
}
