//! Planned faults: injected on the load's clock, reported, and followed until the server recovers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::future::join_all;
use parking_lot::{Mutex, MutexGuard};
use tokio::{task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    backend::SendOutcomes,
    clock::Micros,
    engine::{
        measure::{recorder::Recorder, sampler::ServerSampling},
        repetition_environment::RepetitionEnvironment,
        servers::{ActiveFaults, LOG_LINES_READ, last_log_lines},
    },
    event::{EventSender, LogLevel},
    hub::{Hub, HubError},
    plan::{Fault, FaultKind},
    record::{FaultResult, Impact},
    server::{ResourceLimits, RunningServer, ServerState},
};

/// How often a restarted server is checked: whether it is running and acknowledges messages.
const RECOVERY_POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Pause before a server that has exited again is restarted, as a supervisor would.
const RESTART_DELAY: Duration = Duration::from_secs(1);
/// Most starts of one server by one fault.
const MAX_STARTS: u32 = 60;

/// The planned faults of one repetition; dropping them stops the work and leaves the servers as they are.
pub struct PlannedFaults {
    scheduler: Arc<FaultScheduler>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// Runs planned faults against the servers of one repetition.
struct FaultScheduler {
    hub: Arc<dyn Hub>,
    events: EventSender,
    recorder: Arc<Recorder>,
    active_faults: Arc<ActiveFaults>,
    sampling: Arc<ServerSampling>,
    limits: ResourceLimits,
    faults: Vec<ScheduledFault>,
    /// Cancelled when load and drain are over: faults without a duration end.
    load_over: CancellationToken,
    /// How often a server was brought back so far.
    recoveries: AtomicU64,
}

/// A planned fault with its server and its progress.
struct ScheduledFault {
    /// Index in the plan's faults.
    number: usize,
    planned: Fault,
    server: RunningServer,
    /// Held while a fault acts on the server, so that a fault begins only after the previous fault has
    /// ended, however long the hub takes.
    server_lock: Arc<tokio::sync::Mutex<()>>,
    state: Mutex<FaultState>,
}

#[derive(Debug, Default, Clone)]
struct FaultState {
    asked: Option<Micros>,
    began: Option<Micros>,
    end_asked: Option<Micros>,
    ended: Option<Micros>,
    starts: u32,
    error: Option<String>,
    /// Send time from which messages count for the recovery, and the number that identifies it.
    recovery: Option<(Micros, usize)>,
    /// Duplicates counted when the fault began.
    duplicates_before: u64,
    /// Whether the fault has ended, has failed or will not begin; its recovery may still be in progress.
    finished: bool,
}

impl ScheduledFault {
    fn state(&self) -> MutexGuard<'_, FaultState> {
        self.state.lock()
    }

    fn ends_server(&self) -> bool {
        self.planned.kind.stops_server()
    }
}

impl PlannedFaults {
    /// Assigns a plan's faults to the servers of a run, without starting any. A fault whose server does
    /// not exist has been refused before ([`crate::engine::check`]).
    pub fn new(
        context: &RepetitionEnvironment<'_>,
        recorder: &Arc<Recorder>,
        faults: &[Fault],
        limits: ResourceLimits,
    ) -> Self {
        let servers = &context.servers.running;
        let mut server_locks: BTreeMap<String, Arc<tokio::sync::Mutex<()>>> = BTreeMap::new();
        let planned_faults = faults.iter().enumerate().filter_map(|(number, planned)| {
            let server = match &planned.server {
                Some(role) => servers.iter().find(|server| server.role == *role),
                None => servers.last(),
            };
            let (planned, server) = (planned.clone(), server?.clone());
            let server_lock = Arc::clone(server_locks.entry(server.id.clone()).or_default());
            Some(ScheduledFault { number, planned, server, server_lock, state: Mutex::default() })
        });
        let scheduler = FaultScheduler {
            hub: Arc::clone(context.hub),
            events: context.events.clone(),
            recorder: Arc::clone(recorder),
            active_faults: Arc::clone(&context.servers.active_faults),
            sampling: Arc::clone(context.sampler.sampling()),
            limits,
            faults: planned_faults.collect(),
            load_over: CancellationToken::new(),
            recoveries: AtomicU64::new(0),
        };
        Self { scheduler: Arc::new(scheduler), task: Mutex::default() }
    }

    /// Starts the schedule of a load that begins at `start`.
    pub fn start(&self, start: Micros) {
        if self.scheduler.faults.is_empty() {
            return;
        }
        let scheduler = Arc::clone(&self.scheduler);
        let task = tokio::spawn(async move {
            join_all(scheduler.faults.iter().map(|fault| scheduler.run_fault(fault, start))).await;
        });
        *self.task.lock() = Some(task);
    }

    /// Whether any fault is planned.
    pub fn any_planned(&self) -> bool {
        !self.scheduler.faults.is_empty()
    }

    /// Whether a fault is still to begin, or to end, before the drain's time counts.
    pub fn has_pending(&self) -> bool {
        self.scheduler.faults.iter().any(|fault| {
            let state = fault.state();
            !state.finished && (fault.planned.duration.is_some() || state.began.is_none())
        })
    }

    /// Returns how often a server was brought back; the drain's time restarts each time.
    pub fn recoveries(&self) -> u64 {
        self.scheduler.recoveries.load(Relaxed)
    }

    /// Ends all faults still in force, after load and drain, and waits until they have ended.
    ///
    /// A server that does not stay up is restarted until [`PlannedFaults::abort`]: its messages are
    /// still to be read and counted.
    pub async fn end_all(&self) {
        self.scheduler.load_over.cancel();
        let running = || {
            let task = self.task.lock();
            task.as_ref().is_some_and(|task| !task.is_finished())
        };
        while running() && self.scheduler.faults.iter().any(|fault| !fault.state().finished) {
            sleep(RECOVERY_POLL_INTERVAL / 10).await;
        }
    }

    /// Stops all work on faults, once nothing more is read from the servers.
    pub fn abort(&self) {
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
    }

    /// Returns the results of the faults; seconds count from `start`.
    pub fn results(&self, start: Micros) -> Vec<FaultResult> {
        let scheduler = &self.scheduler;
        let mut impacts = self.impacts();
        let seconds = |at: Option<Micros>| at.map(|at| at.since(start) as f64 / 1e6);
        let faults = scheduler.faults.iter().zip(impacts.drain(..));
        faults
            .map(|(fault, impact)| {
                let state = fault.state().clone();
                let (ack, delivery) = state.recovery.map_or((None, None), |(from, number)| {
                    let (ack, delivery) = scheduler.recorder.recoveries().first_responses(number);
                    let after = |at: Micros| at.since(from) as f64 / 1e6;
                    (ack.map(after), delivery.map(after))
                });
                let last_sent = scheduler.recorder.last_sent();
                let sent_after =
                    state.recovery.map(|(from, _)| last_sent.is_some_and(|sent| sent >= from));
                FaultResult {
                    asked: seconds(state.asked),
                    began: seconds(state.began),
                    end_asked: seconds(state.end_asked),
                    ended: seconds(state.ended),
                    starts: state.starts,
                    error: state.error,
                    recovery_ack: ack,
                    recovery_delivery: delivery,
                    sent_after,
                    toll: impact,
                    ..FaultResult::new(fault.planned.clone(), fault.server.role.clone())
                }
            })
            .collect()
    }

    /// Attributes each missing message to the first fault not yet recovered from when the message was
    /// sent. Returns only `None` before the drain is over: no message counts as missing until then.
    fn impacts(&self) -> Vec<Option<Impact>> {
        let scheduler = &self.scheduler;
        let states: Vec<FaultState> =
            scheduler.faults.iter().map(|fault| fault.state().clone()).collect();
        let mut impacts: Vec<_> =
            states.iter().map(|state| state.began.map(|_| Impact::default())).collect();
        if !scheduler.recorder.is_drain_over() {
            return vec![None; impacts.len()];
        }
        let recovered: Vec<Option<Micros>> = states
            .iter()
            .map(|state| scheduler.recorder.recoveries().first_responses(state.recovery?.1).0)
            .collect();
        for message in scheduler.recorder.missing_messages() {
            let responsible = impacts.iter_mut().zip(&recovered).find_map(|(impact, recovered)| {
                impact.as_mut().filter(|_| recovered.is_none_or(|at| message.sent <= at))
            });
            if let Some(impact) = responsible {
                impact.failed += u64::from(message.refused);
                impact.lost += u64::from(!message.refused);
                impact.acked_then_lost += u64::from(message.acked);
            }
        }
        let mut next = scheduler.recorder.duplicates();
        for (impact, state) in impacts.iter_mut().zip(&states).rev() {
            if let Some(impact) = impact {
                impact.duplicate = next.saturating_sub(state.duplicates_before);
                next = state.duplicates_before;
            }
        }
        impacts
    }
}

impl Drop for PlannedFaults {
    fn drop(&mut self) {
        self.abort();
    }
}

impl FaultScheduler {
    fn now(&self) -> Micros {
        self.recorder.clock().now()
    }

    /// Sends `text` to the log and to the repetition's timeline.
    fn report(&self, level: LogLevel, text: String) {
        self.events.log(level, text.clone());
        self.recorder.note(text);
    }

    async fn sleep_until(&self, due: Micros) {
        let wait = due.since(self.now());
        sleep(Duration::from_micros(u64::try_from(wait).unwrap_or(0))).await;
    }

    /// Injects a fault when it is due, clears it, and waits for the recovery.
    async fn run_fault(&self, fault: &ScheduledFault, start: Micros) {
        tokio::select! {
            () = self.sleep_until(start.after(fault.planned.at)) => {}
            () = self.load_over.cancelled() => {
                fault.state().finished = true;
                return;
            }
        }
        let server_lock = fault.server_lock.lock().await;
        if let Err(error) = self.inject(fault).await {
            self.report(LogLevel::Error, format!("planned fault: {error}"));
            let mut state = fault.state();
            state.error = Some(error.to_string());
            state.finished = true;
            return;
        }
        let began = fault.state().began;
        match (fault.planned.duration, began) {
            (Some(duration), Some(began)) => self.sleep_until(began.after(duration)).await,
            _ => self.load_over.cancelled().await,
        }
        let ended = self.clear(fault).await;
        if let Err(error) = ended {
            self.report(LogLevel::Error, format!("planned fault: {error}"));
            fault.state().error = Some(error.to_string());
        }
        fault.state().finished = true;
        drop(server_lock);
        self.await_recovery(fault).await;
    }

    async fn inject(&self, fault: &ScheduledFault) -> Result<(), HubError> {
        let (role, kind) = (&fault.server.role, &fault.planned.kind);
        self.active_faults.begin(fault.number, role, kind.to_string(), fault.ends_server());
        if fault.ends_server() {
            self.sampling.suspend(role);
        }
        fault.state().asked = Some(self.now());
        let injected = self.hub.inject(&fault.server, kind, &self.limits).await;
        let now = self.now();
        if let Err(error) = injected {
            self.active_faults.end(fault.number);
            if fault.ends_server() {
                self.sampling.resume(&fault.server);
            }
            return Err(error);
        }
        let duplicates = self.recorder.duplicates();
        {
            let mut state = fault.state();
            state.began = Some(now);
            state.duplicates_before = duplicates;
            if fault.ends_server() {
                state.recovery = Some((now, self.recorder.recoveries().track_from(now)));
            }
        }
        self.report(LogLevel::Warn, format!("planned fault: {role}: {kind}"));
        Ok(())
    }

    async fn clear(&self, fault: &ScheduledFault) -> Result<(), HubError> {
        let (role, kind) = (&fault.server.role, &fault.planned.kind);
        fault.state().end_asked = Some(self.now());
        self.hub.clear(&fault.server, kind, &self.limits).await?;
        let now = self.now();
        {
            let mut state = fault.state();
            state.ended = Some(now);
            if fault.ends_server() {
                state.starts += 1;
            } else {
                state.recovery = Some((now, self.recorder.recoveries().track_from(now)));
            }
        }
        self.recoveries.fetch_add(1, Relaxed);
        let outcome = match kind {
            FaultKind::Kill | FaultKind::Restart => "ended, server started again",
            _ => "ended",
        };
        self.report(LogLevel::Info, format!("planned fault: {role}: {} {outcome}", kind.name()));
        if fault.ends_server() {
            self.sampling.resume(&fault.server);
        } else {
            self.active_faults.end(fault.number);
        }
        Ok(())
    }

    /// Waits until messages are acknowledged again, and restarts a server that does not stay up, as a
    /// supervisor would: Kafka refuses to start while ZooKeeper still has its previous registration.
    async fn await_recovery(&self, fault: &ScheduledFault) {
        let role = &fault.server.role;
        loop {
            sleep(RECOVERY_POLL_INTERVAL).await;
            // While another fault holds the server, that fault accounts for its exit.
            let server_lock = fault.server_lock.try_lock();
            if fault.ends_server() && server_lock.is_ok() {
                match self.hub.server_state(&fault.server).await {
                    ServerState::Running => {}
                    ServerState::NotFound => return,
                    ServerState::Ended { code, .. } => {
                        self.restart_server(fault, code).await;
                        continue;
                    }
                }
            }
            drop(server_lock);
            let recovery = fault.state().recovery;
            let Some((from, number)) = recovery else { return };
            let (ack, _) = self.recorder.recoveries().first_responses(number);
            if let Some(ack) = ack {
                self.active_faults.end(fault.number);
                let seconds = ack.since(from) as f64 / 1e6;
                let text = format!("planned fault: {role} acknowledges again after {seconds:.3} s");
                self.report(LogLevel::Info, text);
                return;
            }
        }
    }

    async fn restart_server(&self, fault: &ScheduledFault, code: Option<i64>) {
        if fault.state().starts >= MAX_STARTS {
            // A further exit is no longer attributed to the fault.
            self.active_faults.end(fault.number);
            return;
        }
        let log = self.hub.log(&fault.server, LOG_LINES_READ).await;
        let last_line =
            last_log_lines(log).pop().map_or_else(String::new, |line| format!(": {line}"));
        sleep(RESTART_DELAY).await;
        self.sampling.suspend(&fault.server.role);
        if self.hub.clear(&fault.server, &fault.planned.kind, &self.limits).await.is_err() {
            return;
        }
        let code = code.map_or_else(String::new, |code| format!(" (exit code {code})"));
        {
            let mut state = fault.state();
            state.starts += 1;
            state.ended = Some(self.now());
        }
        self.recoveries.fetch_add(1, Relaxed);
        self.sampling.resume(&fault.server);
        let role = &fault.server.role;
        self.report(
            LogLevel::Warn,
            format!("planned fault: {role} exited again{code} and was restarted{last_line}"),
        );
    }
}
