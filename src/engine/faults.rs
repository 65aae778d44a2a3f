//! Planned faults: struck on the load's own clock, told, and followed until the server is back.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    recorder::Recorder,
    sampler::Watches,
    servers::{LOG_LINES, Struck, last_words},
    stage::Stage,
};
use crate::{
    backend::Reports,
    clock::Micros,
    event::{Level, Teller},
    hub::{Hub, HubError},
    plan::{Fault, FaultKind},
    record::{FaultResult, Toll},
    server::{Life, Limits, Running},
};

/// How often is looked whether a server that was started again stays and answers.
const GLANCE: Duration = Duration::from_millis(100);
/// Pause before a server that has ended again is started once more, as a supervisor would.
const BREATH: Duration = Duration::from_secs(1);
/// Attempts to start a server again.
const MOST_STARTS: u32 = 60;

/// The faults of one repetition. Dropping it ends the work; the servers stay as they are.
pub struct Faults {
    scene: Arc<Scene>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Scene {
    hub: Arc<dyn Hub>,
    teller: Teller,
    recorder: Arc<Recorder>,
    struck: Arc<Struck>,
    watches: Arc<Watches>,
    limits: Limits,
    cases: Vec<Case>,
    /// The load and its drain are over: what lasts to the end ends.
    curtain: CancellationToken,
    /// How often a server was brought back so far.
    stirred: AtomicU64,
}

struct Case {
    /// Its place in the schedule.
    number: usize,
    planned: Fault,
    server: Running,
    /// Held by whoever does something to the server: one fault begins when the one before has
    /// ended, however long the hub takes.
    turn: Arc<tokio::sync::Mutex<()>>,
    state: Mutex<State>,
}

#[derive(Debug, Default, Clone)]
struct State {
    asked: Option<Micros>,
    began: Option<Micros>,
    end_asked: Option<Micros>,
    ended: Option<Micros>,
    starts: u32,
    error: Option<String>,
    /// From when on messages count for the recovery, and the number to ask by.
    awaited: Option<(Micros, usize)>,
    /// Duplicates counted when it began.
    duplicates: u64,
    /// Nothing more will be done to the server.
    over: bool,
}

impl Case {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ends_the_server(&self) -> bool {
        self.planned.kind.ends_the_server()
    }
}

impl Faults {
    /// The faults of a plan against the servers of a stage; nothing happens yet. A fault whose
    /// server does not exist has been refused before ([`super::check`]).
    pub fn new(
        stage: &Stage<'_>,
        recorder: &Arc<Recorder>,
        faults: &[Fault],
        limits: Limits,
    ) -> Self {
        let servers = &stage.servers.running;
        let mut turns: BTreeMap<String, Arc<tokio::sync::Mutex<()>>> = BTreeMap::new();
        let cases = faults.iter().enumerate().filter_map(|(number, planned)| {
            let server = match &planned.server {
                Some(role) => servers.iter().find(|server| server.role == *role),
                None => servers.last(),
            };
            let (planned, server) = (planned.clone(), server?.clone());
            let turn = Arc::clone(turns.entry(server.id.clone()).or_default());
            Some(Case { number, planned, server, turn, state: Mutex::default() })
        });
        let scene = Scene {
            hub: Arc::clone(stage.hub),
            teller: stage.teller.clone(),
            recorder: Arc::clone(recorder),
            struck: Arc::clone(&stage.servers.struck),
            watches: Arc::clone(stage.sampler.watches()),
            limits,
            cases: cases.collect(),
            curtain: CancellationToken::new(),
            stirred: AtomicU64::new(0),
        };
        Self { scene: Arc::new(scene), task: Mutex::default() }
    }

    /// The load begins at `start`.
    pub fn start(&self, start: Micros) {
        if self.scene.cases.is_empty() {
            return;
        }
        let scene = Arc::clone(&self.scene);
        let task = tokio::spawn(async move {
            join_all(scene.cases.iter().map(|case| scene.play(case, start))).await;
        });
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// Whether any fault is planned.
    pub fn any(&self) -> bool {
        !self.scene.cases.is_empty()
    }

    /// Whether a fault is still to come, or to end before the drain's time counts.
    pub fn pending(&self) -> bool {
        self.scene.cases.iter().any(|case| {
            let state = case.state();
            !state.over && (case.planned.lasts.is_some() || state.began.is_none())
        })
    }

    /// Grows each time a server has been brought back: the drain's time then begins anew.
    pub fn stirred(&self) -> u64 {
        self.scene.stirred.load(Relaxed)
    }

    /// Load and drain are over: ends what is still in force, and returns when it is. A server that does not
    /// stay up is started anew until [`Faults::leave`]: it still has to be read and asked.
    pub async fn finish(&self) {
        self.scene.curtain.cancel();
        let running = || {
            let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            task.as_ref().is_some_and(|task| !task.is_finished())
        };
        while running() && self.scene.cases.iter().any(|case| !case.state().over) {
            sleep(GLANCE / 10).await;
        }
    }

    /// Nothing more is asked of the servers: what becomes of them is no longer looked at.
    pub fn leave(&self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }

    /// What came of the faults; seconds count from `start`.
    pub fn results(&self, start: Micros) -> Vec<FaultResult> {
        let scene = &self.scene;
        let mut tolls = self.tolls();
        let seconds = |at: Option<Micros>| at.map(|at| at.since(start) as f64 / 1e6);
        let cases = scene.cases.iter().zip(tolls.drain(..));
        cases
            .map(|(case, toll)| {
                let state = case.state().clone();
                let (ack, delivery) = state.awaited.map_or((None, None), |(from, number)| {
                    let (ack, delivery) = scene.recorder.comebacks().seen(number);
                    let after = |at: Micros| at.since(from) as f64 / 1e6;
                    (ack.map(after), delivery.map(after))
                });
                FaultResult {
                    asked: seconds(state.asked),
                    began: seconds(state.began),
                    end_asked: seconds(state.end_asked),
                    ended: seconds(state.ended),
                    starts: state.starts,
                    error: state.error,
                    recovery_ack: ack,
                    recovery_delivery: delivery,
                    toll,
                    ..FaultResult::planned(case.planned.clone(), case.server.role.clone())
                }
            })
            .collect()
    }

    /// Whom to blame for what: a message that is missing belongs to the first fault that had not
    /// been recovered from when it was sent. Before the drain is over nothing is missing yet.
    fn tolls(&self) -> Vec<Option<Toll>> {
        let scene = &self.scene;
        let states: Vec<State> = scene.cases.iter().map(|case| case.state().clone()).collect();
        let mut tolls: Vec<_> =
            states.iter().map(|state| state.began.map(|_| Toll::default())).collect();
        if !scene.recorder.is_closed() {
            return vec![None; tolls.len()];
        }
        let recovered: Vec<Option<Micros>> = states
            .iter()
            .map(|state| scene.recorder.comebacks().seen(state.awaited?.1).0)
            .collect();
        for open in scene.recorder.open() {
            let culprit = tolls.iter_mut().zip(&recovered).find_map(|(toll, recovered)| {
                toll.as_mut().filter(|_| recovered.is_none_or(|at| open.sent <= at))
            });
            if let Some(toll) = culprit {
                toll.failed += u64::from(open.refused);
                toll.lost += u64::from(!open.refused);
                toll.acked_then_lost += u64::from(open.acked);
            }
        }
        let mut next = scene.recorder.duplicates();
        for (toll, state) in tolls.iter_mut().zip(&states).rev() {
            if let Some(toll) = toll {
                toll.duplicate = next.saturating_sub(state.duplicates);
                next = state.duplicates;
            }
        }
        tolls
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Scene {
    fn now(&self) -> Micros {
        self.recorder.clock().now()
    }

    /// Tells it on the screen and on the repetition's time axis.
    fn tell(&self, level: Level, text: String) {
        self.teller.log(level, text.clone());
        self.recorder.note(text);
    }

    async fn until(&self, due: Micros) {
        let wait = due.since(self.now());
        sleep(Duration::from_micros(u64::try_from(wait).unwrap_or(0))).await;
    }

    async fn play(&self, case: &Case, start: Micros) {
        tokio::select! {
            () = self.until(start.after(case.planned.at)) => {}
            () = self.curtain.cancelled() => {
                case.state().over = true;
                return;
            }
        }
        let turn = case.turn.lock().await;
        if let Err(error) = self.begin(case).await {
            self.tell(Level::Error, format!("planned fault: {error}"));
            let mut state = case.state();
            state.error = Some(error.to_string());
            state.over = true;
            return;
        }
        let began = case.state().began;
        match (case.planned.lasts, began) {
            (Some(lasts), Some(began)) => self.until(began.after(lasts)).await,
            _ => self.curtain.cancelled().await,
        }
        let ended = self.end(case).await;
        if let Err(error) = ended {
            self.tell(Level::Error, format!("planned fault: {error}"));
            case.state().error = Some(error.to_string());
        }
        case.state().over = true;
        drop(turn);
        self.follow(case).await;
    }

    async fn begin(&self, case: &Case) -> Result<(), HubError> {
        let (role, kind) = (&case.server.role, &case.planned.kind);
        self.struck.begin(case.number, role, kind.to_string(), case.ends_the_server());
        if case.ends_the_server() {
            self.watches.suspend(role);
        }
        case.state().asked = Some(self.now());
        let struck = self.hub.inflict(&case.server, kind, &self.limits).await;
        let now = self.now();
        if let Err(error) = struck {
            self.struck.end(case.number);
            if case.ends_the_server() {
                self.watches.resume(&case.server);
            }
            return Err(error);
        }
        let duplicates = self.recorder.duplicates();
        {
            let mut state = case.state();
            state.began = Some(now);
            state.duplicates = duplicates;
            if case.ends_the_server() {
                state.awaited = Some((now, self.recorder.comebacks().await_from(now)));
            }
        }
        self.tell(Level::Warn, format!("planned fault: {role}: {kind}"));
        Ok(())
    }

    async fn end(&self, case: &Case) -> Result<(), HubError> {
        let (role, kind) = (&case.server.role, &case.planned.kind);
        case.state().end_asked = Some(self.now());
        self.hub.relieve(&case.server, kind, &self.limits).await?;
        let now = self.now();
        {
            let mut state = case.state();
            state.ended = Some(now);
            if case.ends_the_server() {
                state.starts += 1;
            } else {
                state.awaited = Some((now, self.recorder.comebacks().await_from(now)));
            }
        }
        self.stirred.fetch_add(1, Relaxed);
        let again = match kind {
            FaultKind::Kill | FaultKind::Restart => "started again",
            FaultKind::Pause => "goes on",
            _ => "over",
        };
        self.tell(Level::Info, format!("planned fault: {role}: {} {again}", kind.word()));
        if case.ends_the_server() {
            self.watches.resume(&case.server);
        } else {
            self.struck.end(case.number);
        }
        Ok(())
    }

    /// Until messages are acknowledged again; a server that does not stay up is started anew, as
    /// its supervisor would: Kafka refuses to start while ZooKeeper still knows its last life.
    async fn follow(&self, case: &Case) {
        let role = &case.server.role;
        loop {
            sleep(GLANCE).await;
            // While another fault has the server, its end is that one's.
            let turn = case.turn.try_lock();
            if case.ends_the_server() && turn.is_ok() {
                match self.hub.life(&case.server).await {
                    Life::Running => {}
                    Life::Gone => return,
                    Life::Ended { code, .. } => {
                        self.again(case, code).await;
                        continue;
                    }
                }
            }
            drop(turn);
            let awaited = case.state().awaited;
            let Some((from, number)) = awaited else { return };
            let (ack, _) = self.recorder.comebacks().seen(number);
            if let Some(ack) = ack {
                self.struck.end(case.number);
                let seconds = ack.since(from) as f64 / 1e6;
                let text = format!("planned fault: {role} acknowledges again after {seconds:.3} s");
                self.tell(Level::Info, text);
                return;
            }
        }
    }

    async fn again(&self, case: &Case, code: Option<i64>) {
        if case.state().starts >= MOST_STARTS {
            // From here on its end is the server's own.
            self.struck.end(case.number);
            return;
        }
        let log = self.hub.log(&case.server, LOG_LINES).await;
        let word = last_words(log).pop().map_or_else(String::new, |line| format!(": {line}"));
        sleep(BREATH).await;
        self.watches.suspend(&case.server.role);
        if self.hub.relieve(&case.server, &case.planned.kind, &self.limits).await.is_err() {
            return;
        }
        let code = code.map_or_else(String::new, |code| format!(" (exit code {code})"));
        {
            let mut state = case.state();
            state.starts += 1;
            state.ended = Some(self.now());
        }
        self.stirred.fetch_add(1, Relaxed);
        self.watches.resume(&case.server);
        let role = &case.server.role;
        self.tell(
            Level::Warn,
            format!("planned fault: {role} ended again{code} and was started once more{word}"),
        );
    }
}
