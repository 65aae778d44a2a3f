//! Topics and partitions: lookup, waiting fetches, memory limit.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, MutexGuard, RwLock};
use tokio::sync::Notify;

use super::{
    batch::BatchHeader,
    log::{self, PartitionLog, SequenceError},
};
use crate::units::Bytes;

/// All topics of the broker.
pub struct TopicStore {
    topics: RwLock<HashMap<String, Arc<Topic>>>,
    memory: Arc<MemoryBudget>,
    next_partition: AtomicU64,
    next_producer: AtomicI64,
}

/// The partitions of a topic, by index.
pub struct Topic {
    /// The partitions.
    pub partitions: Vec<Arc<Partition>>,
}

/// One partition: a log, and the fetches that wait for it to grow.
pub struct Partition {
    /// Unique and, unlike the topic's name, never reused.
    pub id: u64,
    log: Mutex<PartitionLog>,
    waiters: Mutex<Vec<Weak<Notify>>>,
    memory: Arc<MemoryBudget>,
}

/// The memory limit that all partitions share, in bytes.
struct MemoryBudget {
    limit: u64,
    used: AtomicU64,
    /// Whether full memory was logged already.
    warned: AtomicBool,
}

/// A topic with that name already exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicExists;

/// Why batches were not appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendError {
    /// Memory is full of unfetched data.
    MemoryFull,
    /// An idempotent producer's batch is out of sequence.
    OutOfSequence(SequenceError),
}

impl TopicStore {
    /// A store without topics, limited to `retention` bytes of memory.
    pub fn new(retention: Bytes) -> Self {
        Self {
            topics: RwLock::default(),
            memory: Arc::new(MemoryBudget {
                limit: retention.0,
                used: AtomicU64::new(0),
                warned: AtomicBool::new(false),
            }),
            next_partition: AtomicU64::new(0),
            next_producer: AtomicI64::new(1),
        }
    }

    /// The memory limit for messages.
    pub fn retention(&self) -> Bytes {
        Bytes(self.memory.limit)
    }

    /// Creates a topic with `partitions` partitions.
    pub fn create(&self, name: &str, partitions: u32) -> Result<(), TopicExists> {
        let mut topics = self.topics.write();
        if topics.contains_key(name) {
            return Err(TopicExists);
        }
        let partition = |_| {
            Arc::new(Partition {
                id: self.next_partition.fetch_add(1, Ordering::Relaxed),
                log: Mutex::default(),
                waiters: Mutex::default(),
                memory: Arc::clone(&self.memory),
            })
        };
        let topic = Topic { partitions: (0..partitions).map(partition).collect() };
        topics.insert(name.to_owned(), Arc::new(topic));
        Ok(())
    }

    /// Deletes a topic and wakes the fetches that wait for it; `false` when there is no such topic.
    pub fn delete(&self, name: &str) -> bool {
        let removed = self.topics.write().remove(name);
        for partition in removed.iter().flat_map(|topic| &topic.partitions) {
            partition.wake_waiters();
        }
        removed.is_some()
    }

    /// The topic with that name.
    pub fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.topics.read().get(name).cloned()
    }

    /// Partition `index` of the topic with that name.
    pub fn partition(&self, name: &str, index: i32) -> Option<Arc<Partition>> {
        let topics = self.topics.read();
        topics.get(name)?.partitions.get(usize::try_from(index).ok()?).cloned()
    }

    /// The names of all topics, sorted.
    pub fn names(&self) -> Vec<String> {
        let topics = self.topics.read();
        let mut names: Vec<_> = topics.keys().cloned().collect();
        names.sort();
        names
    }

    /// A new, unique ID for an idempotent producer.
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer.fetch_add(1, Ordering::Relaxed)
    }
}

impl Partition {
    /// The partition's log, locked.
    pub fn log(&self) -> MutexGuard<'_, PartitionLog> {
        self.log.lock()
    }

    /// Checks the sequence numbers of the batches of idempotent producers.
    pub fn check_sequences(&self, headers: &[BatchHeader]) -> Result<(), AppendError> {
        if headers.iter().all(|header| header.sequence.is_none()) {
            return Ok(());
        }
        let mut log = self.log();
        for header in headers {
            if let Some(sequence) = header.sequence {
                log.check_sequence(sequence, header.records).map_err(AppendError::OutOfSequence)?;
            }
        }
        Ok(())
    }

    /// Appends `bytes`, described by `headers`, wakes waiting fetches, and returns the offset of the
    /// first record.
    pub fn append(&self, headers: &[BatchHeader], bytes: &[u8]) -> Result<i64, AppendError> {
        let first = {
            let mut log = self.log();
            self.memory.reserve(
                headers.iter().map(|header| log::memory_cost(header.length)).sum(),
                &mut log,
            )?;
            let first = log.end();
            let mut rest = bytes;
            for header in headers {
                let (batch, after) = rest.split_at(header.length);
                log.append(header, batch);
                rest = after;
            }
            first
        };
        self.wake_waiters();
        Ok(first)
    }

    /// Notifies `waiter` once, at the next append or when the topic is deleted.
    ///
    /// Call it before reading the log, so that an append between reading and waiting is not missed.
    pub fn add_waiter(&self, waiter: &Arc<Notify>) {
        let mut waiting = self.waiters.lock();
        waiting.retain(|known| known.strong_count() > 0);
        if !waiting.iter().any(|known| known.as_ptr() == Arc::as_ptr(waiter)) {
            waiting.push(Arc::downgrade(waiter));
        }
    }

    fn wake_waiters(&self) {
        let mut waiting = self.waiters.lock();
        for waiter in waiting.drain(..) {
            if let Some(waiter) = waiter.upgrade() {
                waiter.notify_one();
            }
        }
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        let size = self.log.get_mut().memory();
        self.memory.used.fetch_sub(size, Ordering::Relaxed);
    }
}

impl MemoryBudget {
    /// Reserves `bytes` for `log`, dropping the log's oldest fetched data if necessary.
    fn reserve(&self, bytes: u64, log: &mut PartitionLog) -> Result<(), AppendError> {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let excess = used.saturating_sub(self.limit);
        if excess == 0 {
            return Ok(());
        }
        let freed = log.evict_fetched(excess);
        self.used.fetch_sub(freed, Ordering::Relaxed);
        if freed < excess {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            if !self.warned.swap(true, Ordering::Relaxed) {
                tracing::warn!(limit = self.limit, "memory is full of unread data: refusing more");
            }
            return Err(AppendError::MemoryFull);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::fault_injection::records::batch;

    fn append(partition: &Partition) -> Result<i64, AppendError> {
        let bytes = batch(&[b"0123456789"]);
        partition.append(&BatchHeader::read_all(&bytes).unwrap(), &bytes)
    }

    #[test]
    fn unread_data_stays_and_more_is_refused() {
        let size = log::memory_cost(batch(&[b"0123456789"]).len());
        let store = TopicStore::new(Bytes(2 * size));
        store.create("t", 1).unwrap();
        let partition = store.partition("t", 0).unwrap();
        assert_eq!(append(&partition), Ok(0));
        assert_eq!(append(&partition), Ok(1));
        assert_eq!(append(&partition), Err(AppendError::MemoryFull));
        partition.log().read(0, 1, true).unwrap();
        assert_eq!(append(&partition), Ok(2), "the first batch was fetched: its memory is reused");
        assert_eq!(partition.log().start(), 1);
        assert_eq!(append(&partition), Err(AppendError::MemoryFull));
    }

    #[test]
    fn a_deleted_topic_gives_its_memory_back() {
        let size = log::memory_cost(batch(&[b"0123456789"]).len());
        let store = TopicStore::new(Bytes(size));
        for _ in 0..3 {
            store.create("t", 2).unwrap();
            assert_eq!(store.create("t", 2), Err(TopicExists));
            assert_eq!(append(&store.partition("t", 1).unwrap()), Ok(0));
            assert!(store.delete("t"));
        }
        assert!(!store.delete("t"));
        assert!(store.partition("t", 0).is_none());
    }

    #[tokio::test]
    async fn waiters_are_woken() {
        let store = TopicStore::new(Bytes(1_000));
        store.create("t", 1).unwrap();
        let partition = store.partition("t", 0).unwrap();
        let waiter = Arc::new(Notify::new());
        partition.add_waiter(&waiter);
        partition.add_waiter(&waiter);
        append(&partition).unwrap();
        waiter.notified().await;
        partition.add_waiter(&waiter);
        store.delete("t");
        waiter.notified().await;
    }
}
