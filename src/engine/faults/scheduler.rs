//! Faults: injected on the load's clock by plan, or at once by key; reported, and followed until the server
//! recovers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use parking_lot::Mutex;
use tokio::{sync::mpsc::UnboundedReceiver, task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    results,
    scheduled_fault::{LockedServer, ScheduledFault},
};
use crate::{
    backend::SendOutcomes,
    clock::Micros,
    engine::{
        measure::{recorder::Recorder, sampler::ServerSampling},
        repetition_environment::RepetitionEnvironment,
        servers::{ActiveFaults, LOG_LINES_READ, last_log_lines},
        steering::{FaultChoice, Steering},
    },
    event::{EventSender, LogLevel},
    hub::{Hub, HubError},
    plan::{Fault, FaultKind},
    record::{FaultResult, SteeringChange},
    server::{ResourceLimits, ServerState},
};

/// How often a restarted server is checked: whether it is running and acknowledges messages.
const RECOVERY_POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Pause before a server that has exited again is restarted, as a supervisor would.
const RESTART_DELAY: Duration = Duration::from_secs(1);
/// Most starts of one server by one fault.
const MAX_STARTS: u32 = 60;

/// The planned faults of one repetition, and those by key; dropping them stops the work and leaves the servers as
/// they are.
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
    /// Planned faults, and after them those by key in the order of their injection.
    faults: Mutex<Vec<Arc<ScheduledFault>>>,
    /// The main server, into which faults by key are injected, and its lock.
    main_server: Option<LockedServer>,
    /// Cancelled when load and drain are over: faults without a duration end.
    load_over: CancellationToken,
    /// How often a server was brought back so far.
    recoveries: AtomicU64,
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
            let state = Mutex::default();
            let by_key = false;
            Some(Arc::new(ScheduledFault { number, planned, by_key, server, server_lock, state }))
        });
        let planned_faults = planned_faults.collect();
        let main_server = servers.last().map(|server| {
            let server_lock = server_locks.entry(server.id.clone()).or_default();
            (server.clone(), Arc::clone(server_lock))
        });
        let scheduler = FaultScheduler {
            hub: Arc::clone(context.hub),
            events: context.events.clone(),
            recorder: Arc::clone(recorder),
            active_faults: Arc::clone(&context.servers.active_faults),
            sampling: Arc::clone(context.sampler.sampling()),
            limits,
            faults: Mutex::new(planned_faults),
            main_server,
            load_over: CancellationToken::new(),
            recoveries: AtomicU64::new(0),
        };
        Self { scheduler: Arc::new(scheduler), task: Mutex::default() }
    }

    /// Starts the schedule of a load that begins at `start`; faults by key are those that `by_key` receives.
    pub fn start(&self, start: Micros, by_key: Option<FaultsByKey>) {
        let scheduler = Arc::clone(&self.scheduler);
        if self.scheduler.faults().is_empty() && by_key.is_none() {
            return;
        }
        *self.task.lock() = Some(tokio::spawn(async move { scheduler.run(start, by_key).await }));
    }

    /// Whether any fault is planned, or was injected by key.
    pub fn has_any(&self) -> bool {
        !self.scheduler.faults().is_empty()
    }

    /// Whether a fault is still to begin, or to end, before the drain's time counts.
    pub fn has_pending(&self) -> bool {
        self.scheduler.faults().iter().any(|fault| {
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
        while running() && self.scheduler.faults().iter().any(|fault| !fault.state().finished) {
            sleep(RECOVERY_POLL_INTERVAL / 10).await;
        }
    }

    /// Stops all work on faults, once nothing more is read from the servers.
    pub fn abort(&self) {
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
    }

    /// Returns the results of the faults in the order of time; seconds count from `start`.
    pub fn results(&self, start: Micros) -> Vec<FaultResult> {
        results::results(self.scheduler.faults(), &self.scheduler.recorder, start)
    }
}

impl Drop for PlannedFaults {
    fn drop(&mut self) {
        self.abort();
    }
}

/// Faults that an operator injects by key.
pub struct FaultsByKey {
    /// Keeps the injections among the operator's changes of the load.
    pub steering: Arc<Steering>,
    /// The faults to inject now.
    pub injections: UnboundedReceiver<FaultChoice>,
}

impl FaultScheduler {
    fn faults(&self) -> Vec<Arc<ScheduledFault>> {
        self.faults.lock().clone()
    }

    /// Runs the planned faults of a load that began at `start`, and those by key, until all have ended and no
    /// more can come.
    async fn run(&self, start: Micros, mut by_key: Option<FaultsByKey>) {
        let run = |fault: Arc<ScheduledFault>| -> BoxFuture<'_, ()> {
            async move { self.run_fault(&fault, start).await }.boxed()
        };
        let mut running: FuturesUnordered<_> = self.faults().into_iter().map(run).collect();
        loop {
            let injection = async {
                match &mut by_key {
                    Some(by_key) => by_key.injections.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                choice = injection => match choice.zip(by_key.as_ref()) {
                    Some((choice, by_key)) => {
                        running.extend(self.add_by_key(choice, start, &by_key.steering).map(run));
                    }
                    None => by_key = None,
                },
                Some(()) = running.next() => {}
                else => return,
            }
            if by_key.is_none() && running.is_empty() {
                return;
            }
        }
    }

    /// Adds a fault by key that is to begin now; `None` when the load is over.
    fn add_by_key(
        &self,
        choice: FaultChoice,
        start: Micros,
        steering: &Steering,
    ) -> Option<Arc<ScheduledFault>> {
        if self.load_over.is_cancelled() {
            return None;
        }
        let now = self.now();
        let at = Duration::from_micros(u64::try_from(now.since(start)).unwrap_or(0));
        let planned = choice.fault(at);
        let (server, server_lock) = self.main_server.clone()?;
        steering.add_action(now, SteeringChange::Fault { fault: planned.kind });
        let mut faults = self.faults.lock();
        let (number, state) = (faults.len(), Mutex::default());
        let fault =
            Arc::new(ScheduledFault { number, planned, by_key: true, server, server_lock, state });
        faults.push(Arc::clone(&fault));
        Some(fault)
    }

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
            self.report(LogLevel::Error, format!("{}: {error}", fault.origin()));
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
            self.report(LogLevel::Error, format!("{}: {error}", fault.origin()));
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
                state.recovery = Some((now, self.recorder.track_recovery(now)));
            }
        }
        self.report(LogLevel::Warn, format!("{}: {role}: {kind}", fault.origin()));
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
                state.recovery = Some((now, self.recorder.track_recovery(now)));
            }
        }
        self.recoveries.fetch_add(1, Relaxed);
        let outcome = match kind {
            FaultKind::Kill | FaultKind::Restart => "ended, server started again",
            _ => "ended",
        };
        let text = format!("{}: {role}: {} {outcome}", fault.origin(), kind.name());
        self.report(LogLevel::Info, text);
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
            let (ack, _) = self.recorder.first_responses(number);
            if let Some(ack) = ack {
                self.active_faults.end(fault.number);
                let seconds = ack.since(from) as f64 / 1e6;
                let origin = fault.origin();
                let text = format!("{origin}: {role} acknowledges again after {seconds:.3} s");
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
            format!("{}: {role} exited again{code} and was restarted{last_line}", fault.origin()),
        );
    }
}
