//! The measured part of a repetition: connect, load, drain, collect.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::stored::StoredCount;
use crate::{
    backend::{Batching, Session},
    clock::Micros,
    engine::{
        RunError,
        faults::scheduler::{FaultsByKey, PlannedFaults},
        load::{
            phase_timer::PhaseTimer,
            sending_thread::SendingThread,
            threads::{ConsumerThread, FleetGuard, consumer_failure},
        },
        measure::{
            observer::Observer,
            recorder::{LoadStart, Recorder},
            standstill::Waiting,
            timeline::TimelineScope,
        },
        repetition_environment::{CounterReadings, DiskUsage, RepetitionEnvironment},
        steering::Steering,
    },
    event::Phase,
    measure::GeneratorHealth,
    plan::{Scenario, Workload},
    record::Throughput,
    stats::rate::throughput_gap,
    units::Bytes,
    workload::arrival::DueCounts,
};

/// Time between the decision to start the load and the earliest due time: for the sending thread, which is
/// ready, to learn of it.
const START_DELAY: Duration = Duration::from_millis(20);
/// How often the end of the drain is checked.
const DRAIN_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Figures of the measured time.
pub struct Measurement {
    /// Start of the load.
    pub start: Micros,
    /// End of the load: its last message was sent; in the throughput workload, acknowledged or delivered.
    pub load_end: Micros,
    /// End of the drain.
    pub drain_end: Micros,
    /// The servers' counters at the start of the load.
    pub before: CounterReadings,
    /// The servers' counters at the end of the load.
    pub after: CounterReadings,
    /// Volume over time in the throughput workload, or the reason why it gives no rate.
    pub throughput: Option<Result<Throughput, String>>,
    /// Resource use of this process over the load.
    pub generator: GeneratorHealth,
    /// Age of the servers at the start, in seconds.
    pub server_age: f64,
    /// Data size and disk writes of each server, before and after.
    pub disks: BTreeMap<String, (DiskUsage, DiskUsage)>,
    /// Messages that the server held afterwards, counted independently of the ledger.
    pub stored: Option<u64>,
}

/// The servers shortly before the load.
struct BeforeLoad {
    /// Their counters.
    counters: CounterReadings,
    /// Their age in seconds.
    server_age: f64,
    /// Data size and disk writes of each.
    disks: BTreeMap<String, DiskUsage>,
}

/// The load of a repetition in progress.
pub struct LoadPhase<'a> {
    /// The running servers and what may end the load early.
    pub context: &'a RepetitionEnvironment<'a>,
    /// Measures the length of each phase.
    pub phases: &'a mut PhaseTimer,
    /// Records the outcomes.
    pub recorder: &'a Arc<Recorder>,
    /// The session on the servers.
    pub session: &'a dyn Session,
    /// The workload.
    pub workload: &'a Workload,
    /// Which sides (producers, consumer) work during the measurement.
    pub scenario: Scenario,
    /// The run's seed.
    pub seed: u64,
    /// Number of the repetition.
    pub repetition: u32,
    /// When the servers were started.
    pub servers_started: Instant,
    /// The planned faults.
    pub faults: &'a PlannedFaults,
    /// The operator's changes of the load, if the plan allows them.
    pub steering: Option<Arc<Steering>>,
    /// Faults by key; taken when the load begins.
    pub faults_by_key: Option<FaultsByKey>,
}

impl LoadPhase<'_> {
    /// Runs the load, from connecting to collecting.
    ///
    /// # Errors
    /// The load ended early; outcomes recorded until then remain in the recorder.
    pub async fn run(&mut self, observer: &mut Observer<'_>) -> Result<Measurement, RunError> {
        for server in &self.context.servers.running {
            for thread in self.context.hub.forwarding_threads(server) {
                self.recorder.client_watch.add_thread(&thread);
            }
        }
        let batching = Batching::for_workload(self.workload);
        let mut reader = None;
        if self.scenario == Scenario::Both {
            reader = Some(self.start_reader(batching).await?);
        }
        let users = self.workload.users();
        let outcomes = Arc::clone(self.recorder);
        let fleet = {
            let connect = self.session.open_fleet(users, batching, outcomes);
            self.context
                .unless_ended(async {
                    tokio::select! {
                        fleet = connect => fleet.map_err(RunError::from),
                        () = observer.observe() => unreachable!("the observer runs until it is dropped"),
                    }
                })
                .await??
        };
        let fleet = FleetGuard(Some(fleet));
        if self.scenario == Scenario::Consumer {
            self.consume(observer, fleet).await
        } else {
            self.produce(observer, fleet, reader).await
        }
    }

    async fn start_reader(&self, batching: Batching) -> Result<ConsumerThread, RunError> {
        let consumer = self.context.unless_ended(self.session.open_consumer(batching)).await??;
        ConsumerThread::spawn(consumer, self.recorder)
    }

    /// Measures latency, or throughput of producers with or without a consumer beside them.
    async fn produce(
        &mut self,
        observer: &mut Observer<'_>,
        mut fleet: FleetGuard,
        mut reader: Option<ConsumerThread>,
    ) -> Result<Measurement, RunError> {
        let disks = self.context.measure_disks().await;
        let (sending, due) = self.prepare_sending(&mut fleet).await?;
        let before = self.read_before(disks).await;
        let start = self.recorder.clock().now().after(START_DELAY);
        self.start_load(observer, start, due);
        if let Some(steering) = &self.steering {
            steering.begin(start);
        }
        sending.begin(start);
        self.faults.start(start, self.faults_by_key.take());
        let permit = self.steering.as_ref().map(|it| self.context.control.permit_steering(it));
        let sent = self.send_messages(observer, &mut fleet, reader.as_mut(), sending).await?;
        drop(permit);
        self.phases.enter(Phase::Drain, Some(self.workload.drain().as_secs_f64()));
        let arrivals_expected = self.scenario == Scenario::Both;
        let paced = matches!(self.workload, Workload::Latency(_));
        let generator_until_sent = paced.then(|| observer.generator_over_load());
        let drain = self.drain(observer, reader.as_mut(), arrivals_expected);
        let (load_end, after, generator) = if let Some(mut generator) = generator_until_sent {
            let (after, drained) = tokio::join!(self.context.read_counters(), drain);
            drained?;
            observer.add_drain_passes(&mut generator);
            (sent, after, generator)
        } else {
            // The load of a volume ends when its last message is worked off.
            drain.await?;
            let end = if arrivals_expected {
                self.recorder.arrival_span().map(|(_, last)| last)
            } else {
                self.recorder.last_ack()
            };
            let end = sent.max(end.unwrap_or(sent));
            let generator = observer.generator_over_load();
            (end, self.context.read_counters_after(end).await, generator)
        };
        let measured = self.end_load(observer, start, before, (load_end, after, generator));
        if reader.is_none() {
            // No consumer has read the messages yet, which the ledger needs to close. Not measured.
            self.faults.end_all().await;
            let mut verifier = self.start_reader(Batching::Bulk).await?;
            self.drain(observer, Some(&mut verifier), true).await?;
            reader = Some(verifier);
        }
        self.collect(observer, measured, Some(fleet), reader).await
    }

    /// Measures throughput of the consumer alone; its messages are sent before, without being measured.
    async fn consume(
        &mut self,
        observer: &mut Observer<'_>,
        mut fleet: FleetGuard,
    ) -> Result<Measurement, RunError> {
        self.phases.enter(Phase::Preload, None);
        let (sending, _) = self.prepare_sending(&mut fleet).await?;
        sending.begin(self.recorder.clock().now());
        self.send_messages(observer, &mut fleet, None, sending).await?;
        self.drain(observer, None, false).await?;
        fleet.close().await?;
        let consumer =
            self.context.unless_ended(self.session.open_consumer(Batching::Bulk)).await??;
        let disks = self.context.measure_disks().await;
        let before = self.read_before(disks).await;
        let start = self.recorder.clock().now();
        self.start_load(observer, start, DueCounts::default());
        self.faults.start(start, None);
        let mut reader = ConsumerThread::spawn(consumer, self.recorder)?;
        self.drain(observer, Some(&mut reader), true).await?;
        let load_end = self.recorder.arrival_span().map_or(start, |(_, last)| last);
        let generator = observer.generator_over_load();
        let after = self.context.read_counters_after(load_end).await;
        let measured = self.end_load(observer, start, before, (load_end, after, generator));
        self.collect(observer, measured, None, Some(reader)).await
    }

    /// Reads the servers shortly before the load.
    async fn read_before(&self, disks: BTreeMap<String, DiskUsage>) -> BeforeLoad {
        let counters = self.context.read_counters().await;
        let server_age = self.servers_started.elapsed().as_secs_f64();
        BeforeLoad { counters, server_age, disks }
    }

    /// Ends the measured time, in which standstills are looked for: load and drain are over.
    fn end_load(
        &mut self,
        observer: &Observer<'_>,
        start: Micros,
        before: BeforeLoad,
        (load_end, after, generator): (Micros, CounterReadings, GeneratorHealth),
    ) -> Measurement {
        let drain_end = self.recorder.clock().now();
        observer.report_standstills(drain_end, true);
        let throughput = self.throughput(start, load_end);
        self.phases.enter(Phase::Collect, None);
        let disks = before.disks.into_iter();
        Measurement {
            start,
            load_end,
            drain_end,
            before: before.counters,
            after,
            throughput,
            generator,
            server_age: before.server_age,
            disks: disks.map(|(role, used)| (role, (used, DiskUsage::default()))).collect(),
            stored: None,
        }
    }

    /// Ends faults, users and consumer after the drain, and adds what the servers then hold to `measured`.
    async fn collect(
        &self,
        observer: &mut Observer<'_>,
        mut measured: Measurement,
        fleet: Option<FleetGuard>,
        reader: Option<ConsumerThread>,
    ) -> Result<Measurement, RunError> {
        self.recorder.end_drain();
        observer.send_snapshot();
        self.context.unless_ended(self.faults.end_all()).await?;
        if let Some(fleet) = fleet {
            // No message may be acknowledged any more when the server's messages are counted.
            fleet.close().await?;
        }
        let counting = async {
            let stored = self.stored_count().count().await;
            (stored, self.context.measure_disks().await)
        };
        let (stored, disks) = self.context.unless_ended(counting).await?;
        for (role, (_, after)) in &mut measured.disks {
            *after = disks.get(role).copied().unwrap_or_default();
        }
        self.faults.abort();
        if let Some(reader) = reader {
            reader.stop().await?;
        }
        measured.stored = self.stored_count().recount_if_contradicted(stored).await;
        Ok(measured)
    }

    /// Starts the sending thread, which prepares the load's schedule: its length does not delay the start.
    async fn prepare_sending(
        &self,
        fleet: &mut FleetGuard,
    ) -> Result<(SendingThread, DueCounts), RunError> {
        let Some(fleet) = fleet.0.take() else {
            let reason = "the users' connections are closed".into();
            return Err(RunError::Thread { what: "the load's thread".into(), reason });
        };
        let prepared = SendingThread::prepare(
            fleet,
            self.recorder,
            self.workload,
            self.seed,
            self.repetition,
            self.steering.clone(),
        );
        self.context.unless_ended(prepared).await?
    }

    /// Passes the start of the load to recorder, observer and phase timer.
    fn start_load(&mut self, observer: &mut Observer<'_>, start: Micros, due: DueCounts) {
        let (measure_from, seconds, waiting) = match self.workload {
            Workload::Latency(w) => {
                (start.after(w.warmup), Some(due.end as f64 / 1e6), Waiting::Schedule)
            }
            Workload::Throughput(_) => {
                let waiting = Waiting::Volume {
                    acks: self.scenario != Scenario::Consumer,
                    arrivals: self.scenario != Scenario::Producer,
                };
                (Micros(i64::MIN), None, waiting)
            }
        };
        let scope = TimelineScope {
            payload: self.workload.payload().0,
            scenario: self.scenario,
            is_paced: matches!(self.workload, Workload::Latency(_)),
            without_acks: false,
        };
        let load = LoadStart { start, measure_from, due: due.per_second, scope, waiting };
        self.recorder.start_load(load);
        observer.start_load(start, seconds);
        self.phases.enter(Phase::Load, seconds);
    }

    /// Sends all messages on a separate thread, under observation; returns the time of the last.
    async fn send_messages(
        &self,
        observer: &mut Observer<'_>,
        fleet: &mut FleetGuard,
        reader: Option<&mut ConsumerThread>,
        sending: SendingThread,
    ) -> Result<Micros, RunError> {
        let ended = self.context.unless_ended(async {
            tokio::select! {
                ended = sending.ended() => ended,
                error = consumer_failure(reader) => Err(error),
                () = observer.observe() => unreachable!("the observer runs until it is dropped"),
            }
        });
        let (open_fleet, at) = ended.await??;
        fleet.0 = Some(open_fleet);
        Ok(at)
    }

    /// Waits until no message is pending or the drain's time is over. In the throughput workload the
    /// drain's time restarts with every acknowledgement and arrival.
    async fn drain(
        &self,
        observer: &mut Observer<'_>,
        reader: Option<&mut ConsumerThread>,
        arrivals_expected: bool,
    ) -> Result<(), RunError> {
        let (recorder, faults) = (self.recorder, self.faults);
        let drain_time = self.workload.drain();
        let bulk = matches!(self.workload, Workload::Throughput(_));
        let all_settled = async {
            let mut deadline = Instant::now() + drain_time;
            let (mut last_progress, mut recoveries) = (0, faults.recoveries());
            loop {
                // Planned faults run to their end, and a server that was brought back has the whole
                // drain time to deliver its messages.
                if faults.has_pending() || faults.recoveries() != recoveries {
                    recoveries = faults.recoveries();
                    deadline = Instant::now() + drain_time;
                } else if Instant::now() >= deadline
                    || recorder.pending_count(arrivals_expected) == 0
                {
                    break;
                }
                sleep(DRAIN_POLL_INTERVAL).await;
                let progress = recorder.delivered() + recorder.acknowledged();
                if bulk && progress > last_progress {
                    last_progress = progress;
                    deadline = Instant::now() + drain_time;
                }
            }
        };
        self.context
            .unless_ended(async {
                tokio::select! {
                    () = all_settled => Ok(()),
                    error = consumer_failure(reader) => Err(error),
                    () = observer.observe() => unreachable!("the observer runs until it is dropped"),
                }
            })
            .await?
    }

    /// Volume over time in the throughput workload; the error is the reason why it gives no rate.
    fn throughput(&self, start: Micros, end: Micros) -> Option<Result<Throughput, String>> {
        if !matches!(self.workload, Workload::Throughput(_)) {
            return None;
        }
        let seconds = end.since(start) as f64 / 1e6;
        let messages = if self.scenario == Scenario::Producer {
            self.recorder.acknowledged()
        } else {
            self.recorder.delivered()
        };
        let bytes = Bytes(messages * self.workload.payload().0);
        if let Some(reason) = throughput_gap(messages, bytes, seconds) {
            return Some(Err(reason));
        }
        Some(Ok(Throughput {
            bytes,
            seconds,
            bytes_per_second: bytes.0 as f64 / seconds,
            messages_per_second: messages as f64 / seconds,
        }))
    }

    fn stored_count(&self) -> StoredCount<'_> {
        StoredCount { session: self.session, recorder: self.recorder, faults: self.faults }
    }
}
