//! The users: a connection with a prepared `INSERT` each, a task each, all on a runtime of their
//! own that no screen and no other work can delay.
//!
//! `send` puts a message into its user's queue. The user's task (see [`user`]) takes from it in
//! order, one statement at a time, and reports what became of each. Bundled messages wait in an
//! open batch until it is full or flushed, and are then one bulk statement and one commit.

mod batch;
mod user;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{Semaphore, mpsc, oneshot},
    task::JoinSet,
    time::timeout,
};

use self::{
    batch::Batch,
    user::{Link, UserTask},
};
use super::login::Login;
use crate::{
    backend::{BackendError, Bundling, Fleet, Reports, SendError},
    clock::Clock,
    stamp::{Stamp, User},
};

/// Logins in flight at once: enough to keep both sides busy, few enough for any listen queue.
const LOGINS: usize = 64;
/// Bytes that may wait in queues. More cannot be sent until the server has caught up.
const SINGLE_BUDGET: usize = 256 << 20;
/// The same for bundled messages, of which there are always more.
const BULK_BUDGET: usize = 48 << 20;
/// A bulk statement of about this size is large enough for the best rate.
const LARGEST_BATCH: usize = 2 << 20;
/// Interval of a timer that spares all others a wake-up; far below a statement's time-out.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long statements under way may still take when the fleet is dropped.
const GRACE: Duration = Duration::from_secs(1);

/// What to assemble.
#[derive(Debug, Clone)]
pub struct Users {
    /// Where to log in.
    pub login: Login,
    /// How many.
    pub count: u32,
    /// One statement for each message, or bulk.
    pub bundling: Bundling,
    /// Rows of a bulk statement.
    pub batch: usize,
    /// Whether a failed statement leaves nothing behind.
    pub transactional: bool,
    /// The run's clock.
    pub clock: Clock,
}

/// What all users share.
struct Shared {
    users: Users,
    reports: Arc<dyn Reports>,
    logins: Semaphore,
    /// Bytes handed over whose outcome is not known yet.
    waiting: AtomicUsize,
    /// The fleet is being dropped: nothing more goes out.
    closing: AtomicBool,
    /// Users without a connection.
    cut_off: AtomicU32,
}

/// The most threads that a fleet takes.
pub fn most_threads() -> usize {
    1 + cores()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// All users, connected.
pub struct Connected {
    queues: Vec<mpsc::UnboundedSender<Batch>>,
    open: Vec<Batch>,
    shared: Arc<Shared>,
    limits: Limits,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What a batch and the queues may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limits {
    rows: usize,
    bytes: usize,
    budget: usize,
}

impl Limits {
    /// All open batches together never take more than half of the budget, so that a fleet whose
    /// budget is used up has always something under way that will free it.
    fn of(users: &Users) -> Self {
        match users.bundling {
            Bundling::Single => Self { rows: 1, bytes: 1, budget: SINGLE_BUDGET },
            Bundling::Bulk => Self {
                rows: users.batch,
                bytes: (BULK_BUDGET / 2 / users.count.max(1) as usize)
                    .min(LARGEST_BATCH)
                    .min(users.login.packet() / 2),
                budget: BULK_BUDGET,
            },
        }
    }
}

/// Connects all users; progress goes to `reports`.
pub async fn assemble(users: Users, reports: Arc<dyn Reports>) -> Result<Connected, BackendError> {
    let login = users.login.clone();
    let failed = |reason: String| login.operation("starting the users' thread", reason);
    let limits = Limits::of(&users);
    let count = users.count;
    let shared = Arc::new(Shared {
        users,
        reports,
        logins: Semaphore::new(LOGINS),
        waiting: AtomicUsize::new(0),
        closing: AtomicBool::new(false),
        cut_off: AtomicU32::new(0),
    });
    let runtime = runtime(&shared.users).map_err(|error| failed(error.to_string()))?;
    let (stop, stopped) = oneshot::channel();
    let (ready, connected) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("mariadb-users".into())
        .spawn({
            let shared = Arc::clone(&shared);
            move || {
                runtime.block_on(live(shared, ready, stopped));
                runtime.shutdown_timeout(GRACE);
            }
        })
        .map_err(|error| failed(error.to_string()))?;
    let queues = connected.await.map_err(|_| failed("it ended unexpectedly".into()))??;
    Ok(Connected {
        queues,
        open: (0..count).map(|_| Batch::default()).collect(),
        shared,
        limits,
        stop: Some(stop),
        thread: Some(thread),
    })
}

/// One thread does for single messages; making bulk statements is work for more.
fn runtime(users: &Users) -> std::io::Result<Runtime> {
    let threads = cores().min(users.count as usize);
    match users.bundling {
        Bundling::Bulk if threads > 1 => Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("mariadb-bulk")
            .enable_all()
            .build(),
        _ => Builder::new_current_thread().enable_all().build(),
    }
}

type Queues = Vec<mpsc::UnboundedSender<Batch>>;

/// The users' lives, from the first login to the last good-bye.
async fn live(
    shared: Arc<Shared>,
    ready: oneshot::Sender<Result<Queues, BackendError>>,
    mut stopped: oneshot::Receiver<()>,
) {
    let links = tokio::select! {
        links = connect_all(&shared) => links,
        _ = &mut stopped => return,
    };
    let links = match links {
        Ok(links) => links,
        Err(error) => {
            // Nobody waits any more when this fails.
            let _ = ready.send(Err(error));
            return;
        }
    };
    let mut tasks = JoinSet::new();
    let mut queues = Vec::with_capacity(links.len());
    for (user, link) in (0..).zip(links) {
        let (sender, queue) = mpsc::unbounded_channel();
        queues.push(sender);
        tasks.spawn(UserTask::new(user, Arc::clone(&shared), link, queue).run());
    }
    if ready.send(Ok(queues)).is_err() {
        return;
    }
    // Each statement sets a timer. A timer that would be the next to ring wakes the runtime's
    // thread once more; with this one ringing soon anyway, none of theirs is the next. An error
    // means that the fleet is gone: the same as being told to stop.
    while timeout(HEARTBEAT, &mut stopped).await.is_err() {}
    let _ = timeout(GRACE, async { while tasks.join_next().await.is_some() {} }).await;
    tasks.shutdown().await;
}

async fn connect_all(shared: &Arc<Shared>) -> Result<Vec<Link>, BackendError> {
    let connected = AtomicU32::new(0);
    stream::iter(0..shared.users.count)
        .map(|_| async {
            let link = shared.first_login().await?;
            shared.reports.connected(connected.fetch_add(1, Ordering::Relaxed) + 1);
            Ok(link)
        })
        .buffered(LOGINS)
        .try_collect()
        .await
}

impl Fleet for Connected {
    fn send(&mut self, user: User, _stamp: Stamp, message: &[u8]) -> Result<(), SendError> {
        let Some((stamp, payload)) = Stamp::split(message) else {
            return Err(SendError::Refused("a message must begin with its stamp".into()));
        };
        let Some(open) = self.open.get_mut(user as usize) else {
            return Err(SendError::Refused(format!("there is no user {user}")));
        };
        let waiting = self.shared.waiting.load(Ordering::Relaxed);
        if waiting > 0 && waiting + message.len() > self.limits.budget {
            return Err(SendError::Full);
        }
        self.shared.waiting.fetch_add(message.len(), Ordering::Relaxed);
        open.push(stamp, payload);
        if open.rows() >= self.limits.rows || open.bytes() >= self.limits.bytes {
            self.submit(user as usize);
        }
        Ok(())
    }

    fn flush(&mut self) {
        for user in 0..self.open.len() {
            if self.open[user].rows() > 0 {
                self.submit(user);
            }
        }
    }
}

impl Connected {
    fn submit(&mut self, user: usize) {
        let next = self.open[user].successor();
        let batch = std::mem::replace(&mut self.open[user], next);
        if let Err(unsent) = self.queues[user].send(batch) {
            self.shared.never_sent(&unsent.0, "this user's task has ended");
        }
    }
}

impl Drop for Connected {
    /// Closes all connections. What is in a queue is reported as refused, since it was never
    /// sent; what is under way for longer than the grace as unknown.
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        for batch in self.open.iter().filter(|batch| batch.rows() > 0) {
            self.shared.never_sent(batch, user::CLOSED);
        }
        self.queues.clear();
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to close.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(count: u32, bundling: Bundling) -> Users {
        Users {
            login: Login::new(([127, 0, 0, 1], 1).into(), String::new()),
            count,
            bundling,
            batch: 1_000,
            transactional: true,
            clock: Clock::start(),
        }
    }

    #[test]
    fn open_batches_never_use_up_the_budget() {
        for count in [1, 7, 1_000, 100_000] {
            let limits = Limits::of(&users(count, Bundling::Bulk));
            assert!(limits.bytes * count as usize <= limits.budget / 2, "{count} users");
            assert!(limits.bytes > 0);
        }
        assert_eq!(Limits::of(&users(5, Bundling::Single)).rows, 1);
    }
}
