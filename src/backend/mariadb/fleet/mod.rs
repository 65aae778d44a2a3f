//! The users: each has a connection with a prepared `INSERT` and a task, on a runtime separate from
//! the screen and all other work.
//!
//! `send` puts a message into its user's queue. The user's task (see [`user`]) takes messages from
//! the queue in order, one statement at a time, and reports their outcome. Batched messages wait in
//! an open batch until it is full or flushed, and are then one bulk statement and one commit.

mod batch;
mod config;
mod connection;
mod state;
mod user;

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::timeout,
};

use crate::{
    backend::{BackendError, Batching, Fleet, Handover, SendError, SendOutcomes},
    hot_thread::{HotThread, HotThreadGuard, ThreadRole, passes::PassMonitor},
    stamp::{Stamp, UserId},
};
use {
    batch::InsertBatch,
    config::BatchLimits,
    connection::UserConnection,
    state::{MAX_CONCURRENT_LOGINS, NEVER_SENT_REASON, SharedFleetState},
    user::UserTask,
};

pub use config::FleetConfig;

/// Name of the users' thread.
const USERS_THREAD_NAME: &str = "mariadb-users";
/// Name of the threads that build bulk statements.
const BULK_THREAD_NAME: &str = "mariadb-bulk";
/// Interval of a timer that saves the statements' timers a wake-up; far below a statement's
/// timeout.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
/// How long statements in flight may still take when the fleet is dropped.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Returns the maximum number of threads of a fleet.
pub fn max_threads() -> usize {
    1 + cores()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// All users, connected.
pub struct MariaDbFleet {
    queues: Vec<mpsc::UnboundedSender<InsertBatch>>,
    open_batches: Vec<InsertBatch>,
    shared: Arc<SharedFleetState>,
    limits: BatchLimits,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Connects all users; reports progress to `outcomes`.
pub async fn connect(
    config: FleetConfig,
    outcomes: Arc<dyn SendOutcomes>,
) -> Result<MariaDbFleet, BackendError> {
    let login = config.login.clone();
    let failed = |reason: String| login.operation_error("starting the users' thread", reason);
    let limits = BatchLimits::from_config(&config);
    let users = config.users;
    let shared = Arc::new(SharedFleetState::new(config, outcomes));
    let users_thread = HotThread::new(USERS_THREAD_NAME, ThreadRole::Acknowledges);
    let passes = PassMonitor::new(&users_thread);
    let runtime = build_runtime(&shared, &passes).map_err(|error| failed(error.to_string()))?;
    let (stop, stopped) = oneshot::channel();
    let (ready, connected) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name(USERS_THREAD_NAME.into())
        .spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.outcomes.watch_thread(&users_thread);
                let _entered = users_thread.enter();
                runtime.block_on(run_users(shared, passes, ready, stopped));
                runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
            }
        })
        .map_err(|error| failed(error.to_string()))?;
    let queues = connected.await.map_err(|_| failed("it ended unexpectedly".into()))??;
    Ok(MariaDbFleet {
        queues,
        open_batches: (0..users).map(|_| InsertBatch::default()).collect(),
        shared,
        limits,
        stop: Some(stop),
        thread: Some(thread),
    })
}

/// Builds the users' runtime: one thread suffices for single messages; building bulk statements
/// needs more.
///
/// Each thread that works for the users is watched: the users' thread if it is the only one, whose
/// passes `passes` measures.
fn build_runtime(shared: &Arc<SharedFleetState>, passes: &PassMonitor) -> std::io::Result<Runtime> {
    let threads = cores().min(shared.config.users as usize);
    let mut builder = match shared.config.batching {
        Batching::Bulk if threads > 1 => {
            let mut builder = Builder::new_multi_thread();
            let (outcomes, started) = (Arc::clone(&shared.outcomes), AtomicU32::new(0));
            builder.worker_threads(threads).thread_name(BULK_THREAD_NAME).on_thread_start(
                move || {
                    let number = started.fetch_add(1, Ordering::Relaxed) + 1;
                    let name = format!("{BULK_THREAD_NAME}-{number}");
                    let worker = HotThread::new(name, ThreadRole::Acknowledges);
                    outcomes.watch_thread(&worker);
                    WORKER.set(Some(worker.enter()));
                },
            );
            builder.on_thread_stop(|| drop(WORKER.take()));
            builder
        }
        _ => {
            let mut builder = Builder::new_current_thread();
            passes.attach(&mut builder);
            builder
        }
    };
    builder.enable_all().build()
}

thread_local! {
    /// Marks the end of a worker of the users' runtime.
    static WORKER: Cell<Option<HotThreadGuard>> = const { Cell::new(None) };
}

type Queues = Vec<mpsc::UnboundedSender<InsertBatch>>;

/// Runs the users from the first login until the fleet is dropped.
async fn run_users(
    shared: Arc<SharedFleetState>,
    passes: Arc<PassMonitor>,
    ready: oneshot::Sender<Result<Queues, BackendError>>,
    mut stopped: oneshot::Receiver<()>,
) {
    let connections = tokio::select! {
        connections = connect_all(&shared) => connections,
        _ = &mut stopped => return,
    };
    let connections = match connections {
        Ok(connections) => connections,
        Err(error) => {
            // An error means that the caller was dropped.
            let _ = ready.send(Err(error));
            return;
        }
    };
    let mut tasks = JoinSet::new();
    let mut queues = Vec::with_capacity(connections.len());
    for (user, connection) in (0..).zip(connections) {
        let (sender, queue) = mpsc::unbounded_channel();
        queues.push(sender);
        let user = UserTask::new(user, Arc::clone(&shared), connection, queue);
        tasks.spawn(Arc::clone(&passes).watch(user.run()));
    }
    // Ends with the runtime.
    tokio::spawn(passes.run());
    if ready.send(Ok(queues)).is_err() {
        return;
    }
    // Each statement sets a timer. A timer that becomes the next to fire wakes the runtime's thread
    // once more; while this one fires soon anyway, no statement's timer is the next. An error means
    // that the fleet was dropped, which is equivalent to a stop.
    while timeout(HEARTBEAT_INTERVAL, &mut stopped).await.is_err() {}
    let _ = timeout(SHUTDOWN_TIMEOUT, async { while tasks.join_next().await.is_some() {} }).await;
    tasks.shutdown().await;
}

async fn connect_all(shared: &Arc<SharedFleetState>) -> Result<Vec<UserConnection>, BackendError> {
    let connected = AtomicU32::new(0);
    stream::iter(0..shared.config.users)
        .map(|_| async {
            let connection = shared.connect_user_with_retries().await?;
            shared.outcomes.connected(connected.fetch_add(1, Ordering::Relaxed) + 1);
            Ok(connection)
        })
        .buffered(MAX_CONCURRENT_LOGINS)
        .try_collect()
        .await
}

impl Fleet for MariaDbFleet {
    fn send(&mut self, user: UserId, _stamp: Stamp, message: &[u8]) -> Result<Handover, SendError> {
        let Some((stamp, payload)) = Stamp::split(message) else {
            return Err(SendError::Refused("a message must begin with its stamp".into()));
        };
        let Some(open) = self.open_batches.get_mut(user as usize) else {
            return Err(SendError::Refused(format!("there is no user {user}")));
        };
        let queued = self.shared.queued_bytes();
        if queued > 0 && queued + message.len() > self.limits.max_queued_bytes {
            return Err(SendError::Full);
        }
        self.shared.add_queued(message.len());
        open.push(stamp, payload);
        if open.rows() >= self.limits.rows || open.bytes() >= self.limits.bytes {
            self.submit(user as usize);
        }
        Ok(Handover::Taken)
    }

    fn flush(&mut self) {
        for user in 0..self.open_batches.len() {
            if self.open_batches[user].rows() > 0 {
                self.submit(user);
            }
        }
    }
}

impl MariaDbFleet {
    fn submit(&mut self, user: usize) {
        let next = self.open_batches[user].with_same_capacity();
        let batch = std::mem::replace(&mut self.open_batches[user], next);
        if let Err(unsent) = self.queues[user].send(batch) {
            self.shared.report_never_sent(&unsent.0, "this user's task has ended");
        }
    }
}

impl Drop for MariaDbFleet {
    /// Closes all connections.
    ///
    /// Queued messages are reported as refused, since they were never sent; statements in flight
    /// for longer than [`SHUTDOWN_TIMEOUT`] as unknown.
    fn drop(&mut self) {
        self.shared.close();
        for batch in self.open_batches.iter().filter(|batch| batch.rows() > 0) {
            self.shared.report_never_sent(batch, NEVER_SENT_REASON);
        }
        self.queues.clear();
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has no connections left to close.
            let _ = thread.join();
        }
        self.shared.report_repeated_logins();
        let config = &self.shared.config;
        config.login.closed_sessions().add_all(&config.sessions);
    }
}
