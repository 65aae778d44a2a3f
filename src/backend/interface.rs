//! The interface between a backend and the engine.

use std::{any::Any, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::error::BackendError;
use crate::{
    clock::{Clock, Micros},
    hot_thread::HotThread,
    plan::{Durability, Point, Workload},
    profile::catalogue::BackendInfo,
    server::{HubKind, ResourceLimits, RunningServer, ServerImage, ServerSpec},
    stamp::{Stamp, UserId},
    units::Bytes,
};

/// Everything that a backend needs to know about one repetition.
#[derive(Debug, Clone)]
pub struct RepetitionContext {
    /// The point to measure.
    pub point: Point,
    /// The backend's table of the profile: only keys of [`BackendInfo::settings`], with defaults
    /// filled in.
    pub settings: Map<String, Value>,
    /// The kind of hub.
    pub hub: HubKind,
    /// Limits in force for the servers.
    pub limits: ResourceLimits,
    /// Password of the server's account: random and new for each repetition, or the given password
    /// of an external server's account.
    pub password: String,
}

impl RepetitionContext {
    /// The point's durability.
    pub const fn durability(&self) -> Durability {
        self.point.durability
    }
}

/// A system under test.
#[async_trait]
pub trait Backend: Send + Sync {
    /// The backend's description.
    fn info(&self) -> &'static BackendInfo;

    /// Checks client settings as only the client library can (unknown or impossible values),
    /// without a server; returns all problems at once.
    fn check(&self, context: &RepetitionContext) -> Vec<BackendError>;

    /// The servers to start, in this order.
    fn servers(&self, context: &RepetitionContext) -> Result<Vec<ServerSpec>, BackendError>;

    /// The image built from the backend's recipe for `version`, if it has a recipe.
    fn recipe(&self, version: &str) -> Option<ServerImage> {
        let _ = version;
        None
    }

    /// Reasons why the server cannot take the load of `context`, judged by the settings that it
    /// reports: a measurement changes none of them.
    fn incompatibilities(
        &self,
        context: &RepetitionContext,
        facts: &ServerFacts,
    ) -> Vec<BackendError> {
        let _ = (context, facts);
        Vec::new()
    }

    /// What the server's settings add to the load of `context`, or change in it, without making it
    /// impossible: shown before a run, beside its results and in its record.
    ///
    /// Without `facts` it is judged by the profile's settings alone.
    fn cautions(&self, context: &RepetitionContext, facts: &ServerFacts) -> Vec<String> {
        let _ = context;
        facts.cautions.clone()
    }

    /// Resources that `users` users take on this machine, by the backend's table of the profile.
    fn client_needs(&self, settings: &Map<String, Value>, users: u32) -> ClientNeeds;

    /// Waits until the started servers answer by protocol, then returns a session.
    ///
    /// `servers` are in the order of [`Backend::servers`]. Fails with [`BackendError::NotReady`]
    /// after `timeout`; the caller drops the future when a server dies meanwhile.
    async fn connect(
        &self,
        context: &RepetitionContext,
        servers: &[RunningServer],
        clock: Clock,
        timeout: Duration,
    ) -> Result<Box<dyn Session>, BackendError>;
}

/// Resources that the users' clients need on this machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientNeeds {
    /// File descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
    /// Resident memory of the users' clients, as measured.
    pub memory: Bytes,
}

/// Facts read back from the server, for the record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerFacts {
    /// The version that the server reports.
    pub version: String,
    /// Settings in force that matter for durability and speed, as the server reports them.
    pub settings: Vec<(String, String)>,
    /// The client library, its version, and client settings in force.
    pub client: Vec<(String, String)>,
    /// What the operator must know about the server's objects, for example a changed row format.
    pub cautions: Vec<String>,
}

impl ServerFacts {
    /// Returns the value of the server's setting `name`, if the server reported it.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Whether a fleet sends each message at once or many in one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batching {
    /// Each message is sent at once: the latency workload.
    Single,
    /// Many messages share one request: the throughput workload.
    Bulk,
}

impl Batching {
    /// Returns the batching of a workload's messages.
    pub const fn for_workload(workload: &Workload) -> Self {
        match workload {
            Workload::Latency(_) => Self::Single,
            Workload::Throughput(_) => Self::Bulk,
        }
    }
}

/// A connection to servers that answer by protocol.
#[async_trait]
pub trait Session: Send + Sync {
    /// Reads back version and settings in force.
    async fn facts(&self) -> Result<ServerFacts, BackendError>;

    /// Deletes the topic (table), if it exists, and creates it anew. On an external server its name
    /// is unique.
    async fn reset(&self) -> Result<(), BackendError>;

    /// Removes what dead runs of this program left on an external server, and nothing else; returns
    /// a description of each removed item.
    async fn remove_leftovers(&self) -> Result<Vec<String>, BackendError> {
        Ok(Vec::new())
    }

    /// Removes what this session created, where the server outlives the session.
    async fn cleanup(&self) -> Result<(), BackendError> {
        Ok(())
    }

    /// Connects `users` users, each with a separate connection. Returns once all are connected and
    /// could send at once; progress is reported to [`SendOutcomes::connected`].
    async fn open_fleet(
        &self,
        users: u32,
        batching: Batching,
        outcomes: Arc<dyn SendOutcomes>,
    ) -> Result<Box<dyn Fleet>, BackendError>;

    /// Connects a consumer positioned at the start of the (empty or loaded) topic.
    async fn open_consumer(&self, batching: Batching) -> Result<Box<dyn Consumer>, BackendError>;

    /// Counts the messages that the server holds, over a separate connection that shares nothing
    /// with fleet and consumer.
    async fn count_messages(&self) -> Result<u64, BackendError>;
}

/// All users' producers in one object.
///
/// Dropping a fleet closes its connections, which may block for a moment.
pub trait Fleet: Send {
    /// Hands over one message: `message` is the stamp's 8 bytes followed by the payload.
    ///
    /// Never blocks. The outcome is reported to [`SendOutcomes`] from any thread. A user's messages
    /// are sent in the order of their hand-over.
    fn send(&mut self, user: UserId, stamp: Stamp, message: &[u8]) -> Result<Handover, SendError>;

    /// Sends the messages handed over and not yet sent, with [`Batching::Bulk`]. Never blocks.
    fn flush(&mut self);
}

/// Where a message is that was accepted, which decides when it counts as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handover {
    /// A client library has it, which does not tell when it writes: the hand-over counts.
    Taken,
    /// Its first byte was written to the socket, right after this time.
    Written(Micros),
    /// It waits in this program, for the socket or for a connection: [`SendOutcomes::written`] follows. The wait
    /// is lag, and no latency of the server.
    Waiting,
}

/// Why a message was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendError {
    /// Queues are full: try the same message again a little later.
    Full,
    /// The message will certainly not be sent.
    Refused(String),
}

/// A consumer, which knows where to start reading.
pub trait Consumer: Send {
    /// Reads until [`MessageSink::is_stopped`], passing each arrival to the sink. Blocks the
    /// calling thread.
    ///
    /// An error ends the consumer: a message that did not arrive is then not known to be lost, and
    /// the repetition fails.
    fn run(self: Box<Self>, sink: &mut dyn MessageSink) -> Result<(), BackendError>;
}

/// Receives a consumer's arrivals, on the consumer's thread.
pub trait MessageSink: Send {
    /// Records a message that arrived at `at`, a time taken as close to the wire as the client
    /// allows.
    fn arrived(&mut self, at: Micros, stamp: Stamp, payload: &[u8]);

    /// Records an arrival that this program did not send, for example one that is too short.
    fn foreign(&mut self);

    /// Ends a batch: makes the arrivals recorded so far visible to the ledger. Call it whenever no
    /// more messages are ready, and at least after each millisecond of work.
    fn flush(&mut self);

    /// Whether to stop reading; query it at least every 50 ms.
    fn is_stopped(&self) -> bool;

    /// Watches a thread of the client library that every arrival passes through, beside the calling
    /// one.
    fn watch_thread(&mut self, thread: &Arc<HotThread>) {
        let _ = thread;
    }
}

/// The outcome of one send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendReceipt {
    /// The message's stamp.
    pub stamp: Stamp,
    /// Time at which the outcome was known.
    pub at: Micros,
    /// Earliest time at which the answer can have been there: the client's look before `at`. Equal to
    /// `at` where the client is woken by each answer.
    pub not_before: Micros,
}

/// Receives the outcomes of a fleet's sends, from any thread.
///
/// [`Any`]: a mock fleet asks the engine's own receiver for the times that it recorded.
pub trait SendOutcomes: Any + Send + Sync {
    /// Records the number of users connected now.
    fn connected(&self, users: u32);

    /// Records that a message which had to wait in this program is written, right after `at`.
    fn written(&self, stamp: Stamp, at: Micros) {
        let _ = (stamp, at);
    }

    /// Records acknowledged messages.
    fn acked(&self, receipts: &[SendReceipt]);

    /// Records messages that are on their way, and that no server will acknowledge: the client asked
    /// for no acknowledgements.
    fn sent_without_ack(&self, receipts: &[SendReceipt]) {
        let _ = receipts;
    }

    /// Records a message that was certainly refused: it will never be stored.
    fn refused(&self, receipt: SendReceipt, reason: &str);

    /// Records a message whose outcome will never be known (time-out, connection lost).
    fn unknown(&self, receipt: SendReceipt, reason: &str);

    /// Records an event for the log, such as a lost connection or a stopped broker.
    fn note(&self, text: String);

    /// Watches a thread of the fleet that the messages of all users pass through.
    fn watch_thread(&self, thread: &Arc<HotThread>) {
        let _ = thread;
    }
}
