//! Topics and their partitions: who finds them, who waits for them, how much memory they take.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};

use tokio::sync::Notify;

use super::{
    batch::Head,
    log::{self, Log, OutOfSequence},
};
use crate::units::Bytes;

/// All topics.
pub struct Store {
    topics: RwLock<HashMap<String, Arc<Topic>>>,
    memory: Arc<Memory>,
    next_partition: AtomicU64,
    next_producer: AtomicI64,
}

/// A topic's partitions, by index.
pub struct Topic {
    /// Its partitions.
    pub partitions: Vec<Arc<Partition>>,
}

/// One partition: a log, and those who wait for it to grow.
pub struct Partition {
    /// Unlike its topic's name, never used again.
    pub id: u64,
    log: Mutex<Log>,
    waiting: Mutex<Vec<Weak<Notify>>>,
    memory: Arc<Memory>,
}

/// Bytes of memory that all partitions take together.
struct Memory {
    limit: u64,
    used: AtomicU64,
    /// Whether it was said that it is full.
    said: AtomicBool,
}

/// Why a topic cannot be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exists;

/// Why batches were not appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAppended {
    /// Memory is full of data that nobody has fetched.
    Full,
    /// An idempotent producer's batch out of turn.
    OutOfSequence(OutOfSequence),
}

impl Store {
    /// A store without topics that keeps up to `retention`.
    pub fn new(retention: Bytes) -> Self {
        Self {
            topics: RwLock::default(),
            memory: Arc::new(Memory {
                limit: retention.0,
                used: AtomicU64::new(0),
                said: AtomicBool::new(false),
            }),
            next_partition: AtomicU64::new(0),
            next_producer: AtomicI64::new(1),
        }
    }

    /// Bytes of messages that are kept at most.
    pub fn retention(&self) -> Bytes {
        Bytes(self.memory.limit)
    }

    /// Creates a topic with so many partitions.
    pub fn create(&self, name: &str, partitions: u32) -> Result<(), Exists> {
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        if topics.contains_key(name) {
            return Err(Exists);
        }
        let partition = |_| {
            Arc::new(Partition {
                id: self.next_partition.fetch_add(1, Ordering::Relaxed),
                log: Mutex::default(),
                waiting: Mutex::default(),
                memory: Arc::clone(&self.memory),
            })
        };
        let topic = Topic { partitions: (0..partitions).map(partition).collect() };
        topics.insert(name.to_owned(), Arc::new(topic));
        Ok(())
    }

    /// Deletes a topic; `false` when there is none. Those who wait for it learn of it at once.
    pub fn delete(&self, name: &str) -> bool {
        let removed = self.topics.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        for partition in removed.iter().flat_map(|topic| &topic.partitions) {
            partition.wake();
        }
        removed.is_some()
    }

    /// The topic called `name`.
    pub fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Partition `index` of the topic called `name`.
    pub fn partition(&self, name: &str, index: i32) -> Option<Arc<Partition>> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.get(name)?.partitions.get(usize::try_from(index).ok()?).cloned()
    }

    /// Names of all topics, in order.
    pub fn names(&self) -> Vec<String> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<_> = topics.keys().cloned().collect();
        names.sort();
        names
    }

    /// A number for an idempotent producer that nobody else has.
    pub fn new_producer(&self) -> i64 {
        self.next_producer.fetch_add(1, Ordering::Relaxed)
    }
}

impl Partition {
    /// Its log, locked.
    pub fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks whether the batches of idempotent producers are in turn.
    pub fn follow(&self, heads: &[Head]) -> Result<(), NotAppended> {
        if heads.iter().all(|head| head.sequence.is_none()) {
            return Ok(());
        }
        let mut log = self.log();
        for head in heads {
            if let Some(sequence) = head.sequence {
                log.follow(sequence, head.records).map_err(NotAppended::OutOfSequence)?;
            }
        }
        Ok(())
    }

    /// Appends `bytes`, which `heads` describe, wakes those who wait, and returns the offset of the
    /// first record.
    pub fn append(&self, heads: &[Head], bytes: &[u8]) -> Result<i64, NotAppended> {
        let first = {
            let mut log = self.log();
            self.memory.take(heads.iter().map(|head| log::cost(head.length)).sum(), &mut log)?;
            let first = log.end();
            let mut rest = bytes;
            for head in heads {
                let (batch, after) = rest.split_at(head.length);
                log.append(head, batch);
                rest = after;
            }
            first
        };
        self.wake();
        Ok(first)
    }

    /// Has `waiter` notified once, the next time that something is appended or the topic deleted.
    ///
    /// Call it before looking at the log: what comes between the look and the wait is then not
    /// missed.
    pub fn watch(&self, waiter: &Arc<Notify>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|known| known.strong_count() > 0);
        if !waiting.iter().any(|known| known.as_ptr() == Arc::as_ptr(waiter)) {
            waiting.push(Arc::downgrade(waiter));
        }
    }

    fn wake(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for waiter in waiting.drain(..) {
            if let Some(waiter) = waiter.upgrade() {
                waiter.notify_one();
            }
        }
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        let size = self.log.get_mut().unwrap_or_else(PoisonError::into_inner).memory();
        self.memory.used.fetch_sub(size, Ordering::Relaxed);
    }
}

impl Memory {
    /// Takes `bytes` for `log`, at the expense of its oldest fetched data if need be.
    fn take(&self, bytes: u64, log: &mut Log) -> Result<(), NotAppended> {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let excess = used.saturating_sub(self.limit);
        if excess == 0 {
            return Ok(());
        }
        let freed = log.drop_read(excess);
        self.used.fetch_sub(freed, Ordering::Relaxed);
        if freed < excess {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            if !self.said.swap(true, Ordering::Relaxed) {
                tracing::warn!(limit = self.limit, "memory is full of unread data: refusing more");
            }
            return Err(NotAppended::Full);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::batch::tests::batch;

    fn append(partition: &Partition) -> Result<i64, NotAppended> {
        let bytes = batch(&[b"0123456789"]);
        partition.append(&Head::read_all(&bytes).unwrap(), &bytes)
    }

    #[test]
    fn unread_data_is_kept_and_more_is_refused() {
        let size = log::cost(batch(&[b"0123456789"]).len());
        let store = Store::new(Bytes(2 * size));
        store.create("t", 1).unwrap();
        let partition = store.partition("t", 0).unwrap();
        assert_eq!(append(&partition), Ok(0));
        assert_eq!(append(&partition), Ok(1));
        assert_eq!(append(&partition), Err(NotAppended::Full));
        partition.log().read(0, 1, true).unwrap();
        assert_eq!(append(&partition), Ok(2), "the first batch was fetched and makes room");
        assert_eq!(partition.log().start(), 1);
        assert_eq!(append(&partition), Err(NotAppended::Full));
    }

    #[test]
    fn a_deleted_topic_gives_its_memory_back() {
        let size = log::cost(batch(&[b"0123456789"]).len());
        let store = Store::new(Bytes(size));
        for _ in 0..3 {
            store.create("t", 2).unwrap();
            assert_eq!(store.create("t", 2), Err(Exists));
            assert_eq!(append(&store.partition("t", 1).unwrap()), Ok(0));
            assert!(store.delete("t"));
        }
        assert!(!store.delete("t"));
        assert!(store.partition("t", 0).is_none());
    }

    #[tokio::test]
    async fn whoever_watches_is_woken() {
        let store = Store::new(Bytes(1_000));
        store.create("t", 1).unwrap();
        let partition = store.partition("t", 0).unwrap();
        let waiter = Arc::new(Notify::new());
        partition.watch(&waiter);
        partition.watch(&waiter);
        append(&partition).unwrap();
        waiter.notified().await;
        partition.watch(&waiter);
        store.delete("t");
        waiter.notified().await;
    }
}
