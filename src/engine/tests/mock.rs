//! A backend and a hub that do to every message exactly what a test wrote down, and whose clock
//! says what the test wants it to say: so that durations can be compared to the microsecond.

use std::{
    collections::VecDeque,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::super::{
    attendant::Watch,
    control::Control,
    fitness::Build,
    repetition::{self, Done, Shared},
};
use crate::{
    backend::{
        Backend, BackendError, BackendInfo, Bundling, ClientNeeds, Consumer, Fleet, Inbox, Receipt,
        Reports, SendError, ServerFacts, Session, Setup,
    },
    clock::{Clock, Micros},
    event,
    hub::{Hub, HubError, Sampled},
    plan::{
        BackendChoice, Durability, Fault, FaultKind, HubRequest, Order, Plan, Point, Step, Workload,
    },
    server::{
        BlockSource, HubFacts, HubKind, Launch, Life, Limits, ProcessSpec, Reading, Running,
        ServerSpec,
    },
    stamp::{Stamp, User},
    units::Bytes,
};

/// Microseconds after its sending at which every message is acknowledged.
pub const ACK: i64 = 500;
/// Microseconds after its sending at which a message arrives, unless told otherwise.
pub const DELIVERY: i64 = 1_000;

/// What is said to the producer of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Acked,
    Refused,
    Unknown,
    Silence,
    /// Stored and acknowledged when the connections are closed.
    AtClose,
    /// The client library did not even take it.
    NotTaken,
}

/// When the consumer gets to see a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    AtOnce,
    After(Duration),
    /// When the drain is over.
    WhenCounted,
    Never,
}

/// What happens to one message.
#[derive(Debug, Clone, Copy)]
pub struct Fate {
    pub answer: Answer,
    pub seen: Seen,
    /// Microseconds from sending to arrival by the consumer's clock.
    pub delivery: i64,
    pub arrivals: usize,
    pub intact: bool,
}

/// Acknowledged, and arrived once.
pub const FINE: Fate = Fate {
    answer: Answer::Acked,
    seen: Seen::AtOnce,
    delivery: DELIVERY,
    arrivals: 1,
    intact: true,
};

/// A backend that treats messages as written down.
#[derive(Clone)]
pub struct Mock {
    /// The fate of the message with this number, counted over all users from 0.
    pub fate: fn(u64) -> Fate,
    /// From this message on, for so long, the client's queues are full.
    pub stall: Option<(u64, Duration)>,
    /// Messages that the server forgets when it is asked to count.
    pub forgotten: u64,
    /// A fault by plan. The server that it strikes ends once more when it is asked to count.
    pub fault: Option<Fault>,
    pub health: Arc<Health>,
}

/// How the one server is that a fault strikes.
#[derive(Default)]
pub struct Health {
    starts: AtomicU32,
    ended: AtomicBool,
}

impl Default for Mock {
    fn default() -> Self {
        Self { fate: |_| FINE, stall: None, forgotten: 0, fault: None, health: Arc::default() }
    }
}

/// A message on its way to the consumer.
struct Letter {
    stamp: Stamp,
    payload: Vec<u8>,
    at: Micros,
    bulk: bool,
    seen: Seen,
    since: Instant,
}

#[derive(Default)]
struct Post {
    letters: VecDeque<Letter>,
    stored: u64,
    counted: bool,
}

impl Post {
    /// The letters that may be seen now.
    fn take(&mut self) -> Vec<Letter> {
        let counted = self.counted;
        let ready = |letter: &Letter| match letter.seen {
            Seen::AtOnce => true,
            Seen::After(time) => letter.since.elapsed() >= time,
            Seen::WhenCounted => counted,
            Seen::Never => false,
        };
        let (now, later) = self.letters.drain(..).partition(ready);
        self.letters = later;
        now.into()
    }
}

#[derive(Clone)]
struct Office {
    mock: Mock,
    clock: Clock,
    post: Arc<Mutex<Post>>,
}

impl Office {
    fn post(&self) -> MutexGuard<'_, Post> {
        self.post.lock().unwrap()
    }
}

static INFO: BackendInfo = BackendInfo {
    name: "mock",
    title: "mock",
    caution: None,
    versions: &[],
    oldest: None,
    hubs: &[HubKind::Local],
    settings: &[],
};

#[async_trait]
impl Backend for Mock {
    fn info(&self) -> &'static BackendInfo {
        &INFO
    }

    fn check(&self, _setup: &Setup) -> Vec<BackendError> {
        Vec::new()
    }

    fn servers(&self, _setup: &Setup) -> Result<Vec<ServerSpec>, BackendError> {
        let launch = Launch::Process(ProcessSpec {
            program: "mock".into(),
            before: None,
            arguments: Vec::new(),
            files: Vec::new(),
            environment: Vec::new(),
        });
        Ok(vec![ServerSpec { role: "mock".into(), launch, ports: vec![1] }])
    }

    fn needs(&self, _users: u32) -> ClientNeeds {
        ClientNeeds { descriptors: 0, threads: 0, memory: Bytes(0) }
    }

    async fn connect(
        &self,
        _setup: &Setup,
        _servers: &[Running],
        clock: Clock,
        _patience: Duration,
    ) -> Result<Box<dyn Session>, BackendError> {
        Ok(Box::new(Office { mock: self.clone(), clock, post: Arc::default() }))
    }
}

#[async_trait]
impl Session for Office {
    async fn facts(&self) -> Result<ServerFacts, BackendError> {
        Ok(ServerFacts::default())
    }

    async fn reset(&self) -> Result<(), BackendError> {
        *self.post() = Post::default();
        Ok(())
    }

    async fn fleet(
        &self,
        users: u32,
        bundling: Bundling,
        reports: Arc<dyn Reports>,
    ) -> Result<Box<dyn Fleet>, BackendError> {
        reports.connected(users);
        let office = self.clone();
        Ok(Box::new(MockFleet {
            office,
            bundling,
            reports,
            number: 0,
            full_until: None,
            held: Vec::new(),
        }))
    }

    async fn consumer(&self, _bundling: Bundling) -> Result<Box<dyn Consumer>, BackendError> {
        Ok(Box::new(self.clone()))
    }

    async fn count(&self) -> Result<u64, BackendError> {
        let again = std::mem::replace(&mut self.post().counted, true);
        let health = &self.mock.health;
        if !again && self.mock.fault.is_some() {
            health.ended.store(true, SeqCst);
        }
        if health.ended.load(SeqCst) {
            return Err(BackendError::Operation {
                what: "counting".into(),
                server: "mock".into(),
                reason: "it does not run".into(),
            });
        }
        // What was held back until now is on its way before the consumer is told to end.
        while self.post().letters.iter().any(|letter| letter.seen == Seen::WhenCounted) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(self.post().stored - self.mock.forgotten)
    }
}

struct MockFleet {
    office: Office,
    bundling: Bundling,
    reports: Arc<dyn Reports>,
    number: u64,
    full_until: Option<Instant>,
    held: Vec<Receipt>,
}

impl Drop for MockFleet {
    fn drop(&mut self) {
        self.office.post().stored += self.held.len() as u64;
        self.reports.acked(&self.held);
    }
}

impl Fleet for MockFleet {
    fn send(&mut self, _user: User, stamp: Stamp, message: &[u8]) -> Result<(), SendError> {
        if let Some((from, length)) = self.office.mock.stall
            && self.number == from
        {
            let until = *self.full_until.get_or_insert_with(|| Instant::now() + length);
            if Instant::now() < until {
                return Err(SendError::Full);
            }
        }
        let fate = (self.office.mock.fate)(self.number);
        self.number += 1;
        // In bulk the stamp is a number, not a time.
        let sent = match self.bundling {
            Bundling::Single => stamp.sent(),
            Bundling::Bulk => self.office.clock.now(),
        };
        let receipt = Receipt { stamp, at: Micros(sent.0 + ACK) };
        match fate.answer {
            Answer::NotTaken => return Err(SendError::Refused("not taken".into())),
            Answer::Acked => self.reports.acked(&[receipt]),
            Answer::Refused => self.reports.refused(receipt, "refused"),
            Answer::Unknown => self.reports.unknown(receipt, "unknown"),
            Answer::Silence => {}
            Answer::AtClose => self.held.push(receipt),
        }
        let mut payload = message[Stamp::LEN..].to_vec();
        payload[0] ^= u8::from(!fate.intact);
        let mut post = self.office.post();
        let is_stored = !matches!(fate.answer, Answer::Refused | Answer::AtClose);
        post.stored += u64::from(is_stored) * fate.arrivals as u64;
        for _ in 0..fate.arrivals {
            let at = Micros(sent.0 + fate.delivery);
            let payload = payload.clone();
            let since = Instant::now();
            let bulk = self.bundling == Bundling::Bulk;
            post.letters.push_back(Letter { stamp, payload, at, bulk, seen: fate.seen, since });
        }
        Ok(())
    }

    fn flush(&mut self) {}
}

impl Consumer for Office {
    fn run(self: Box<Self>, inbox: &mut dyn Inbox) -> Result<(), BackendError> {
        while !inbox.stopped() {
            let letters = self.post().take();
            for letter in letters {
                // What was loaded before is read now.
                let now = if letter.bulk { self.clock.now() } else { letter.at };
                inbox.arrived(letter.at.max(now), letter.stamp, &letter.payload);
            }
            inbox.flush();
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

/// A hub whose servers cost nothing, and never die but by plan.
struct Nowhere {
    health: Arc<Health>,
    watched: Mutex<Vec<mpsc::Sender<Sampled>>>,
}

#[async_trait]
impl Hub for Nowhere {
    fn kind(&self) -> HubKind {
        HubKind::Local
    }
    fn place(&self) -> String {
        "nowhere".into()
    }
    async fn facts(&self) -> Result<HubFacts, HubError> {
        Ok(HubFacts::default())
    }
    async fn start(
        &self,
        spec: &ServerSpec,
        _limits: &Limits,
        _earlier: &[Running],
    ) -> Result<Running, HubError> {
        Ok(Running {
            role: spec.role.clone(),
            id: "1".into(),
            address: Ipv4Addr::LOCALHOST.into(),
            ports: [(1, 1)].into(),
            image: "mock".into(),
            digest: None,
            data_dir: None,
            dir: None,
        })
    }
    fn watch(&self, _server: &Running, _clock: Clock) -> mpsc::Receiver<Sampled> {
        let (sender, receiver) = mpsc::channel(1);
        self.watched.lock().unwrap().push(sender);
        receiver
    }
    async fn read(&self, _server: &Running) -> Result<Reading, HubError> {
        Ok(Reading::default())
    }
    async fn data_size(&self, _server: &Running) -> Option<Bytes> {
        None
    }
    async fn disk_written(&self, _server: &Running) -> Option<Bytes> {
        None
    }
    fn block_source(&self, _server: &Running) -> BlockSource {
        BlockSource::Process
    }
    async fn life(&self, _server: &Running) -> Life {
        if self.health.ended.load(SeqCst) {
            Life::Ended { code: Some(1), out_of_memory: false }
        } else {
            Life::Running
        }
    }
    async fn inflict(&self, _: &Running, _: &FaultKind, _: &Limits) -> Result<(), HubError> {
        Ok(())
    }
    async fn relieve(&self, _: &Running, _: &FaultKind, _: &Limits) -> Result<(), HubError> {
        self.health.starts.fetch_add(1, SeqCst);
        self.health.ended.store(false, SeqCst);
        Ok(())
    }
    async fn log(&self, _server: &Running, _lines: usize) -> Vec<String> {
        Vec::new()
    }
    async fn remove(&self, _server: &Running) -> Result<(), HubError> {
        Ok(())
    }
    async fn abandon(&self) -> Result<(), HubError> {
        Ok(())
    }
    async fn sweep(&self) -> Result<Vec<String>, HubError> {
        Ok(Vec::new())
    }
}

/// The seed of every plan here.
pub const SEED: u64 = 11;

/// Plays one repetition of `workload` on `mock`.
pub async fn play(workload: Workload, mock: Mock, control: &Control) -> Done {
    let backend = BackendChoice { name: "mock".into(), version: None };
    let point = Point { backend, workload, durability: Durability::Default };
    let step = Step { point: 0, repetition: 0 };
    let plan = Plan {
        profile: "mock".into(),
        seed: SEED,
        order: Order::Blocked,
        repetitions: 1,
        retries: 0,
        baseline: Duration::ZERO,
        server_warmup: Duration::ZERO,
        cooldown: None,
        hub: HubRequest::local(),
        points: vec![point.clone()],
        schedule: vec![step],
        capacity: None,
        footprint: false,
        settings: [].into(),
        thresholds: Vec::new(),
        faults: mock.fault.iter().cloned().collect(),
    };
    let setup = Setup {
        point,
        settings: serde_json::Map::new(),
        hub: HubKind::Local,
        limits: Limits::default(),
        password: String::new(),
    };
    let hub: Arc<dyn Hub> =
        Arc::new(Nowhere { health: Arc::clone(&mock.health), watched: Mutex::default() });
    let (teller, _events) = event::channel();
    let build = Build::default();
    let watch = Watch { attendant: None, build: &build };
    let shared = Shared {
        plan: &plan,
        hub: &hub,
        teller: &teller,
        control,
        cores: 2.0,
        on_hub: true,
        watch,
    };
    repetition::execute(&shared, &mock, &setup, step, 0).await
}
