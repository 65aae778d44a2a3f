//! Mock backend that treats every message exactly as a test scripts it, with scripted times, so that
//! durations can be compared to the microsecond.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};

use super::{
    mock_hub::MockHub,
    mock_queue::{MessageQueue, QueuedMessage},
};
use crate::{
    backend::{
        Backend, BackendError, BackendInfo, Batching, ClientNeeds, Consumer, Fleet, Handover,
        MessageSink, RepetitionContext, SendError, SendOutcomes, SendReceipt, ServerFacts, Session,
    },
    clock::{Clock, Micros},
    engine::{
        control::Control,
        judge::host_spec::{HostMonitoring, HostSpec},
        measure::{host_monitor::MonitoredHost, recorder::Recorder},
        run::repetition::{self, RepetitionOutcome, RunContext},
    },
    event,
    hub::Hub,
    plan::{
        BackendChoice, CapacityGoal, Durability, Fault, HubRequest, Plan, Point, RepetitionOrder,
        ScheduledRepetition, Threshold, Workload,
    },
    server::{HubKind, LaunchSpec, ProcessSpec, ResourceLimits, RunningServer, ServerSpec},
    stamp::{Stamp, UserId},
    units::Bytes,
};

/// Microseconds from sending to acknowledgement of every message.
pub const ACK_MICROS: i64 = 500;
/// Microseconds from sending to arrival of a message by default.
pub const DELIVERY_MICROS: i64 = 1_000;

/// Scripted answer to the producer of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptedAnswer {
    Acked,
    Refused,
    Unknown,
    Silence,
    /// Stored and acknowledged when the connections are closed.
    AtClose,
    /// The client library did not accept the message.
    NotTaken,
}

/// Scripted time at which the consumer receives a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptedArrival {
    AtOnce,
    After(Duration),
    /// After the drain, when stored messages are counted.
    WhenCounted,
    Never,
}

/// Scripted treatment of one message.
#[derive(Debug, Clone, Copy)]
pub struct MessageScript {
    pub answer: ScriptedAnswer,
    pub arrival: ScriptedArrival,
    /// Microseconds from sending to arrival by the consumer's clock.
    pub delivery: i64,
    pub arrivals: usize,
    pub intact: bool,
}

/// Acknowledged, and arrives once.
pub const ARRIVES_ONCE: MessageScript = MessageScript {
    answer: ScriptedAnswer::Acked,
    arrival: ScriptedArrival::AtOnce,
    delivery: DELIVERY_MICROS,
    arrivals: 1,
    intact: true,
};

/// A backend that treats messages as scripted.
#[derive(Clone)]
pub struct MockBackend {
    /// Returns the script of the message with this number, counted over all users from 0.
    pub script: fn(u64) -> MessageScript,
    /// First message and duration of a stall in which the client's queues are full.
    pub stall: Option<(u64, Duration)>,
    /// Number of arrivals after which the consumer stalls, and for how long.
    pub reader_stall: Option<(u64, Duration)>,
    /// Number of stored messages that the server leaves out of its count.
    pub uncounted: u64,
    /// Whether the server leaves them out of its first count alone.
    pub counts_late: bool,
    /// Planned fault. Its server exits once more when stored messages are counted.
    pub fault: Option<Fault>,
    /// Objectives of a search of which every repetition is one.
    pub objectives: Vec<Threshold>,
    /// Starts of the server, counted from 0, after which it ends when it is first used.
    pub dies: fn(u32) -> bool,
    /// Whether the operator may steer the load.
    pub steering: bool,
    /// Whether the hub's host is read.
    pub monitoring: HostMonitoring,
    pub server: Arc<MockServerState>,
}

/// State of the one server.
#[derive(Default)]
pub struct MockServerState {
    /// Starts so far, and those that the hub refuses, counted from 0.
    pub started: AtomicU32,
    pub refused: Option<fn(u32) -> bool>,
    /// Starts after a planned fault.
    pub starts: AtomicU32,
    pub ended: AtomicBool,
}

impl Default for MockBackend {
    fn default() -> Self {
        Self {
            script: |_| ARRIVES_ONCE,
            stall: None,
            reader_stall: None,
            uncounted: 0,
            counts_late: false,
            fault: None,
            objectives: Vec::new(),
            dies: |_| false,
            steering: false,
            monitoring: HostMonitoring::Active,
            server: Arc::default(),
        }
    }
}

#[derive(Clone)]
struct MockSession {
    backend: MockBackend,
    clock: Clock,
    queue: Arc<Mutex<MessageQueue>>,
}

impl MockSession {
    fn lock_queue(&self) -> MutexGuard<'_, MessageQueue> {
        self.queue.lock()
    }
}

/// Name of the mock in plans: one of the registry, in which a run looks up the images of its servers.
const NAME: &str = "builtin";

static INFO: BackendInfo = BackendInfo {
    name: NAME,
    title: "mock",
    caution: None,
    versions: &[],
    oldest_release: None,
    hubs: &[HubKind::Local],
    settings: &[],
};

#[async_trait]
impl Backend for MockBackend {
    fn info(&self) -> &'static BackendInfo {
        &INFO
    }

    fn check(&self, _context: &RepetitionContext) -> Vec<BackendError> {
        Vec::new()
    }

    fn servers(&self, _context: &RepetitionContext) -> Result<Vec<ServerSpec>, BackendError> {
        let launch = LaunchSpec::Process(ProcessSpec {
            program: "mock".into(),
            setup_command: None,
            arguments: Vec::new(),
            files: Vec::new(),
            environment: Vec::new(),
        });
        Ok(vec![ServerSpec { role: "mock".into(), launch, ports: vec![1] }])
    }

    fn client_needs(
        &self,
        _settings: &serde_json::Map<String, serde_json::Value>,
        _users: u32,
    ) -> ClientNeeds {
        ClientNeeds { descriptors: 0, threads: 0, memory: Bytes(0) }
    }

    async fn connect(
        &self,
        _context: &RepetitionContext,
        _servers: &[RunningServer],
        clock: Clock,
        _timeout: Duration,
    ) -> Result<Box<dyn Session>, BackendError> {
        if (self.dies)(self.server.started.load(SeqCst) - 1) {
            self.server.ended.store(true, SeqCst);
            std::future::pending::<()>().await;
        }
        Ok(Box::new(MockSession { backend: self.clone(), clock, queue: Arc::default() }))
    }
}

#[async_trait]
impl Session for MockSession {
    async fn facts(&self) -> Result<ServerFacts, BackendError> {
        Ok(ServerFacts::default())
    }

    async fn reset(&self) -> Result<(), BackendError> {
        *self.lock_queue() = MessageQueue::default();
        Ok(())
    }

    async fn open_fleet(
        &self,
        users: u32,
        batching: Batching,
        outcomes: Arc<dyn SendOutcomes>,
    ) -> Result<Box<dyn Fleet>, BackendError> {
        outcomes.connected(users);
        let session = self.clone();
        Ok(Box::new(MockFleet {
            session,
            batching,
            outcomes,
            number: 0,
            full_until: None,
            ack_at_close: Vec::new(),
        }))
    }

    async fn open_consumer(&self, _batching: Batching) -> Result<Box<dyn Consumer>, BackendError> {
        Ok(Box::new(self.clone()))
    }

    async fn count_messages(&self) -> Result<u64, BackendError> {
        let again = std::mem::replace(&mut self.lock_queue().counted, true);
        let state = &self.backend.server;
        if !again && self.backend.fault.is_some() {
            state.ended.store(true, SeqCst);
        }
        if state.ended.load(SeqCst) {
            return Err(BackendError::Operation {
                what: "counting".into(),
                server: "mock".into(),
                reason: "it does not run".into(),
            });
        }
        // Messages held back until now must be delivered before the consumer is stopped.
        while self
            .lock_queue()
            .messages
            .iter()
            .any(|message| message.arrival == ScriptedArrival::WhenCounted)
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        let uncounted = if again && self.backend.counts_late { 0 } else { self.backend.uncounted };
        Ok(self.lock_queue().stored - uncounted)
    }
}

struct MockFleet {
    session: MockSession,
    batching: Batching,
    outcomes: Arc<dyn SendOutcomes>,
    number: u64,
    full_until: Option<Instant>,
    ack_at_close: Vec<SendReceipt>,
}

impl Drop for MockFleet {
    fn drop(&mut self) {
        self.session.lock_queue().stored += self.ack_at_close.len() as u64;
        self.outcomes.acked(&self.ack_at_close);
    }
}

impl MockFleet {
    /// Send time of a message as recorded, so that scripted durations are exact.
    fn sent_time(&self, stamp: Stamp) -> Micros {
        let recorder = (&*self.outcomes as &dyn Any).downcast_ref::<Recorder>();
        recorder.and_then(|recorder| recorder.times_of(stamp)).unwrap().sent
    }
}

impl Fleet for MockFleet {
    fn send(&mut self, _user: UserId, stamp: Stamp, message: &[u8]) -> Result<Handover, SendError> {
        if let Some((from, length)) = self.session.backend.stall
            && self.number == from
        {
            let until = *self.full_until.get_or_insert_with(|| Instant::now() + length);
            if Instant::now() < until {
                return Err(SendError::Full);
            }
        }
        let script = (self.session.backend.script)(self.number);
        self.number += 1;
        let sent = match self.batching {
            Batching::Single => self.sent_time(stamp),
            Batching::Bulk => self.session.clock.now(),
        };
        let at = Micros(sent.0 + ACK_MICROS);
        let receipt = SendReceipt { stamp, at, not_before: at };
        match script.answer {
            ScriptedAnswer::NotTaken => return Err(SendError::Refused("not taken".into())),
            ScriptedAnswer::Acked => self.outcomes.acked(&[receipt]),
            ScriptedAnswer::Refused => self.outcomes.refused(receipt, "refused"),
            ScriptedAnswer::Unknown => self.outcomes.unknown(receipt, "unknown"),
            ScriptedAnswer::Silence => {}
            ScriptedAnswer::AtClose => self.ack_at_close.push(receipt),
        }
        let mut payload = message[Stamp::LEN..].to_vec();
        payload[0] ^= u8::from(!script.intact);
        let mut queue = self.session.lock_queue();
        let is_stored = !matches!(script.answer, ScriptedAnswer::Refused | ScriptedAnswer::AtClose);
        queue.stored += u64::from(is_stored) * script.arrivals as u64;
        for _ in 0..script.arrivals {
            let at = Micros(sent.0 + script.delivery);
            let payload = payload.clone();
            let since = Instant::now();
            let bulk = self.batching == Batching::Bulk;
            queue.messages.push_back(QueuedMessage {
                stamp,
                payload,
                at,
                batched: bulk,
                arrival: script.arrival,
                queued_at: since,
            });
        }
        Ok(Handover::Taken)
    }

    fn flush(&mut self) {}
}

impl Consumer for MockSession {
    fn run(self: Box<Self>, sink: &mut dyn MessageSink) -> Result<(), BackendError> {
        let mut arrived = 0;
        while !sink.is_stopped() {
            let messages = self.lock_queue().take_visible();
            for message in messages {
                arrived += 1;
                if let Some((number, length)) = self.backend.reader_stall
                    && arrived == number
                {
                    std::thread::sleep(length);
                }
                // Preloaded messages are read now.
                let now = if message.batched { self.clock.now() } else { message.at };
                sink.arrived(message.at.max(now), message.stamp, &message.payload);
            }
            sink.flush();
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

/// Seed of every plan in these tests.
pub const SEED: u64 = 11;

/// Returns a plan of one repetition of `workload` on `mock`.
pub fn mock_plan(workload: Workload, mock: &MockBackend) -> Plan {
    let backend = BackendChoice { name: NAME.into(), version: None };
    let point = Point { backend, workload, durability: Durability::Default };
    let objectives = mock.objectives.clone();
    Plan {
        profile: "mock".into(),
        seed: SEED,
        order: RepetitionOrder::Blocked,
        repetitions: 1,
        retries: 0,
        baseline: Duration::ZERO,
        server_warmup: Duration::ZERO,
        cooldown: None,
        hub: HubRequest::local(),
        points: vec![point],
        schedule: vec![ScheduledRepetition { point: 0, repetition: 0 }],
        capacity: (!objectives.is_empty()).then(|| CapacityGoal::new(objectives)),
        footprint: false,
        steering: mock.steering,
        settings: [].into(),
        thresholds: Vec::new(),
        faults: mock.fault.iter().cloned().collect(),
    }
}

/// Runs one repetition of `workload` on `mock`.
pub async fn run_repetition(
    workload: Workload,
    mock: MockBackend,
    control: &Control,
) -> RepetitionOutcome {
    let plan = mock_plan(workload, &mock);
    let (step, point) = (plan.schedule[0], plan.points[0].clone());
    let context = RepetitionContext {
        point,
        settings: serde_json::Map::new(),
        hub: HubKind::Local,
        limits: ResourceLimits::default(),
        password: String::new(),
    };
    let hub: Arc<dyn Hub> = Arc::new(MockHub::new(Arc::clone(&mock.server)));
    let (events, _events) = event::channel();
    let build = HostSpec { monitoring: mock.monitoring.clone(), ..HostSpec::default() };
    let watch = MonitoredHost { monitor: None, spec: &build };
    let environment = RunContext {
        plan: &plan,
        hub: &hub,
        events: &events,
        control,
        cores: 2.0,
        counts_writes: true,
        hub_is_local: true,
        self_test: None,
        host: watch,
    };
    repetition::execute(&environment, &mock, &context, step, 0).await
}
