//! The measured part of a repetition: connect, play, drain, collect.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicBool},
    thread,
    time::Duration,
};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout},
};

use super::{
    EngineError,
    course::Course,
    faults::Faults,
    generator::SelfWatch,
    load::Load,
    observer::Observer,
    recorder::Recorder,
    stage::{DiskMark, Marks, Stage},
    threads::{Fleetkeeper, Reader, StopOnDrop, failure, no_thread},
};
use crate::{
    backend::{BackendError, Bundling, Reports, Session},
    clock::Micros,
    event::Phase,
    measure::Generator,
    plan::{Scenario, Workload},
    record::Throughput,
    units::Bytes,
    workload::arrival::Schedule,
};

/// Time between the decision to start the load and its first possible due time.
const LEAD: Duration = Duration::from_millis(100);
/// How often the end of the drain is looked for.
const DRAIN_GLANCE: Duration = Duration::from_millis(10);
/// Longest wait for the independent count of stored messages.
const COUNT_PATIENCE: Duration = Duration::from_mins(1);

/// Pause before a server that was struck is asked again.
const COUNT_PAUSE: Duration = Duration::from_millis(200);

/// How messages of a workload travel.
pub const fn bundling(workload: &Workload) -> Bundling {
    match workload {
        Workload::Latency(_) => Bundling::Single,
        Workload::Throughput(_) => Bundling::Bulk,
    }
}

/// The measured time, from its start to its end.
pub struct Span {
    /// The servers' counters at its start.
    pub before: Marks,
    /// And at its end.
    pub after: Marks,
    /// Volume over time, in the throughput workload.
    pub throughput: Option<Throughput>,
    /// What this process cost.
    pub generator: Generator,
    /// Age of the servers at its start, in seconds.
    pub server_age: f64,
    /// How each server's data and disk stood before and after.
    pub disks: BTreeMap<String, (DiskMark, DiskMark)>,
    /// Messages that the server held afterwards, counted independently.
    pub stored: Option<u64>,
}

/// The load of a repetition, being played.
pub struct Play<'a> {
    /// Where it is played.
    pub stage: &'a Stage<'a>,
    /// Keeps the time of its phases.
    pub course: &'a mut Course,
    /// Where outcomes are recorded.
    pub recorder: &'a Arc<Recorder>,
    /// The servers.
    pub session: &'a dyn Session,
    /// What is played.
    pub workload: &'a Workload,
    /// Who works while it is measured.
    pub scenario: Scenario,
    /// The run's seed.
    pub seed: u64,
    /// Number of the repetition.
    pub repetition: u32,
    /// When the servers were started.
    pub servers_started: Instant,
    /// What is done to the servers meanwhile.
    pub faults: &'a Faults,
}

impl Play<'_> {
    /// Plays it from connecting to collecting.
    ///
    /// # Errors
    /// What ended it early; what was recorded until then stays in the recorder.
    pub async fn run(&mut self, observer: &mut Observer<'_>) -> Result<Span, EngineError> {
        let bundling = bundling(self.workload);
        let mut reader = None;
        if self.scenario == Scenario::Both {
            reader = Some(self.reader(bundling).await?);
        }
        let users = self.workload.users();
        let reports = Arc::clone(self.recorder);
        let fleet = {
            let connect = self.session.fleet(users, bundling, reports);
            self.stage
                .unless_ended(async {
                    tokio::select! {
                        fleet = connect => fleet.map_err(EngineError::from),
                        () = observer.watch() => unreachable!("the observer watches until it is dropped"),
                    }
                })
                .await??
        };
        let fleet = Fleetkeeper(Some(fleet));
        if self.scenario == Scenario::Consumer {
            self.consume(observer, fleet).await
        } else {
            self.produce(observer, fleet, reader).await
        }
    }

    async fn reader(&self, bundling: Bundling) -> Result<Reader, EngineError> {
        let consumer = self.stage.unless_ended(self.session.consumer(bundling)).await??;
        Reader::spawn(consumer, self.recorder)
    }

    /// Latency, and throughput of producers with or without a consumer beside them.
    async fn produce(
        &mut self,
        observer: &mut Observer<'_>,
        mut fleet: Fleetkeeper,
        mut reader: Option<Reader>,
    ) -> Result<Span, EngineError> {
        let disks = self.stage.disks().await;
        let before = self.stage.marks().await;
        let mut watch = SelfWatch::start();
        let server_age = self.servers_started.elapsed().as_secs_f64();
        let start = self.begin(observer);
        let first = self.recorder.clock().now();
        self.faults.start(start);
        self.play(observer, &mut fleet, reader.as_mut(), start).await?;
        self.course.enter(Phase::Drain, Some(self.workload.drain().as_secs_f64()));
        self.drain(observer, reader.as_mut(), self.scenario == Scenario::Both).await?;
        observer.close_second();
        let generator = watch.lap();
        let after = self.stage.marks().await;
        let end = if self.scenario == Scenario::Producer {
            self.recorder.last_ack()
        } else {
            self.recorder.arrivals().map(|(_, last)| last)
        };
        let throughput = self.throughput(first, end);
        self.course.enter(Phase::Collect, None);
        if reader.is_none() {
            // Nobody has read yet: the ledger can only close when somebody does. Not measured.
            self.faults.finish().await;
            let mut verifier = self.reader(Bundling::Bulk).await?;
            self.drain(observer, Some(&mut verifier), true).await?;
            reader = Some(verifier);
        }
        self.recorder.close();
        observer.tell();
        self.stage.unless_ended(self.faults.finish()).await?;
        // Nothing may be acknowledged any more when the server is asked what it holds.
        fleet.close().await?;
        let (disks, stored) = self.stage.unless_ended(self.collect(disks)).await?;
        self.faults.leave();
        if let Some(reader) = reader {
            reader.end().await?;
        }
        Ok(Span { before, after, throughput, generator, server_age, disks, stored })
    }

    /// Throughput of the consumer alone: what it reads is loaded before and not counted.
    async fn consume(
        &mut self,
        observer: &mut Observer<'_>,
        mut fleet: Fleetkeeper,
    ) -> Result<Span, EngineError> {
        self.course.enter(Phase::Preload, None);
        let start = self.recorder.clock().now();
        self.play(observer, &mut fleet, None, start).await?;
        self.drain(observer, None, false).await?;
        fleet.close().await?;
        let consumer = self.stage.unless_ended(self.session.consumer(Bundling::Bulk)).await??;
        let disks = self.stage.disks().await;
        let before = self.stage.marks().await;
        let mut watch = SelfWatch::start();
        let server_age = self.servers_started.elapsed().as_secs_f64();
        self.course.enter(Phase::Load, None);
        let first = self.recorder.clock().now();
        self.recorder.begin(first, Micros(i64::MIN));
        observer.begin(first, None);
        self.faults.start(first);
        let mut reader = Reader::spawn(consumer, self.recorder)?;
        self.drain(observer, Some(&mut reader), true).await?;
        observer.close_second();
        let generator = watch.lap();
        let after = self.stage.marks().await;
        let throughput = self.throughput(first, self.recorder.arrivals().map(|(_, last)| last));
        self.course.enter(Phase::Collect, None);
        self.recorder.close();
        observer.tell();
        self.stage.unless_ended(self.faults.finish()).await?;
        let (disks, stored) = self.stage.unless_ended(self.collect(disks)).await?;
        self.faults.leave();
        reader.end().await?;
        Ok(Span { before, after, throughput, generator, server_age, disks, stored })
    }

    /// Decides when the load starts and tells everybody.
    fn begin(&mut self, observer: &mut Observer<'_>) -> Micros {
        let start = self.recorder.clock().now().after(LEAD);
        let (measure_from, seconds) = match self.workload {
            Workload::Latency(w) => {
                let end = Schedule::end(w, self.seed, self.repetition);
                (start.after(w.warmup), Some(end as f64 / 1e6))
            }
            Workload::Throughput(_) => (Micros(i64::MIN), None),
        };
        self.recorder.begin(start, measure_from);
        observer.begin(start, seconds);
        self.course.enter(Phase::Load, seconds);
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
        let (seed, repetition) = (self.seed, self.repetition);
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
        let played = self.stage.unless_ended(async {
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
        let (recorder, faults) = (self.recorder, self.faults);
        let patience = self.workload.drain();
        let bulk = matches!(self.workload, Workload::Throughput(_));
        let settled = async {
            let mut deadline = Instant::now() + patience;
            let (mut seen, mut stirred) = (0, faults.stirred());
            loop {
                // Planned faults are played to their end, and a server that was brought back has
                // the whole time to deliver what it holds.
                if faults.pending() || faults.stirred() != stirred {
                    stirred = faults.stirred();
                    deadline = Instant::now() + patience;
                } else if Instant::now() >= deadline || recorder.pending(arrivals_expected) == 0 {
                    break;
                }
                sleep(DRAIN_GLANCE).await;
                let progress = recorder.delivered() + recorder.acknowledged();
                if bulk && progress > seen {
                    seen = progress;
                    deadline = Instant::now() + patience;
                }
            }
        };
        self.stage
            .unless_ended(async {
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

    /// Counts what the server holds. One that a planned fault has struck may not be back yet.
    async fn count(&self) -> Result<u64, BackendError> {
        loop {
            match self.session.count().await {
                Err(_) if self.faults.any() => sleep(COUNT_PAUSE).await,
                counted => return counted,
            }
        }
    }

    /// Counts what the server holds and measures what its disk took.
    async fn collect(
        &self,
        before: BTreeMap<String, DiskMark>,
    ) -> (BTreeMap<String, (DiskMark, DiskMark)>, Option<u64>) {
        let stored = match timeout(COUNT_PATIENCE, self.count()).await {
            Ok(Ok(stored)) => Some(stored),
            Ok(Err(error)) => {
                self.recorder.note(format!("stored messages not counted: {error}"));
                None
            }
            Err(_) => {
                self.recorder.note("stored messages not counted: no answer in time".into());
                None
            }
        };
        let after = self.stage.disks().await;
        let pair = |(role, before): (String, DiskMark)| {
            let after = after.get(&role).copied().unwrap_or_default();
            (role, (before, after))
        };
        (before.into_iter().map(pair).collect(), stored)
    }
}
