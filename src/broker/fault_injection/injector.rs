//! Injects faults into messages, and counts them.

use std::{collections::HashMap, fs, io, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use kafka_protocol::records::Record;
use parking_lot::{Mutex, MutexGuard};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::{config::InjectionConfig, records};
use crate::{
    broker::{
        batch::BatchHeader,
        error_code::{ErrorCode, error_code},
        store::Partition,
    },
    stamp::{Stamp, UserId},
};

/// Shortest time between two writes of the report.
const REPORT_INTERVAL: Duration = Duration::from_millis(50);

/// Messages since the broker's start, by what was done with them.
///
/// `received + duplicated = stored + dropped + refused + held` holds unless memory was full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InjectionCounts {
    /// Messages sent by producers.
    pub received: u64,
    /// Messages that are or were available to fetch; a duplicated message counts twice.
    pub stored: u64,
    /// Messages acknowledged but never stored.
    pub dropped: u64,
    /// Messages stored twice.
    pub duplicated: u64,
    /// Messages stored right behind the same user's next message.
    pub reordered: u64,
    /// Messages held back for a successor that did not arrive in time, then stored in order: no
    /// fault.
    pub given_up: u64,
    /// Messages stored with a changed payload byte.
    pub corrupted: u64,
    /// Messages stored, or to be stored, later.
    pub delayed: u64,
    /// Messages in refused requests.
    pub refused: u64,
    /// Messages held back now, to be delayed or reordered; those of topics deleted meanwhile stay
    /// counted here.
    pub held: u64,
    /// Intact messages stored after a later one of the same user and partition: the reordered ones,
    /// and the delayed ones that were overtaken.
    pub out_of_order: u64,
}

/// Injects the faults of an [`InjectionConfig`] into the messages of a broker.
pub struct FaultInjector {
    config: InjectionConfig,
    state: Mutex<InjectorState>,
    changed: Notify,
}

struct InjectorState {
    rng: Xoshiro256PlusPlus,
    counts: InjectionCounts,
    /// Messages held back until the same user's next message.
    held: HashMap<PartitionUser, Record>,
    /// The latest stored message of each user.
    latest: HashMap<PartitionUser, Stamp>,
}

/// A partition and a user.
type PartitionUser = (u64, UserId);

/// A message to be appended to the log.
struct OutgoingRecord {
    record: Record,
    intact: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MessageAction {
    Store,
    Drop,
    Duplicate,
    Reorder,
    Corrupt,
    Delay,
}

impl FaultInjector {
    /// An injector of the configured faults.
    pub fn new(config: InjectionConfig) -> Self {
        let state = InjectorState {
            rng: Xoshiro256PlusPlus::seed_from_u64(config.seed),
            counts: InjectionCounts::default(),
            held: HashMap::new(),
            latest: HashMap::new(),
        };
        Self { config, state: Mutex::new(state), changed: Notify::new() }
    }

    /// The counts so far.
    pub fn counts(&self) -> InjectionCounts {
        self.state().counts
    }

    /// Stores a producer's batches for `partition` with faults injected, and answers as if all were
    /// stored, or with the configured error code. Must be called within a tokio runtime.
    ///
    /// Compressed batches are refused, because this broker does not decompress them.
    pub fn produce(
        self: &Arc<Self>,
        partition: &Arc<Partition>,
        headers: &[BatchHeader],
        bytes: Bytes,
    ) -> Result<i64, ErrorCode> {
        if headers.iter().any(|header| header.compressed) {
            return Err(ErrorCode::UnsupportedCompressionType);
        }
        let received = records::decode(bytes).ok_or(ErrorCode::InvalidRecord)?;
        let mut state = self.state();
        partition.check_sequences(headers).map_err(error_code)?;
        state.counts.received += received.len() as u64;
        self.changed.notify_one();
        if state.rng.random::<f64>() < self.config.refuse {
            state.counts.refused += received.len() as u64;
            return Err(ErrorCode::Unknown(self.config.refuse_code));
        }
        let mut outgoing = Vec::with_capacity(received.len());
        for record in received {
            self.apply_action(&mut state, partition, record, &mut outgoing);
        }
        state.store(partition, &outgoing)
    }

    fn apply_action(
        self: &Arc<Self>,
        state: &mut InjectorState,
        partition: &Arc<Partition>,
        record: Record,
        outgoing: &mut Vec<OutgoingRecord>,
    ) {
        let Some((stamp, payload)) = record.value.as_deref().and_then(Stamp::split) else {
            return outgoing.push(OutgoingRecord { record, intact: false });
        };
        let key = (partition.id, stamp.user());
        if let Some(earlier) = state.held.remove(&key) {
            state.counts.held -= 1;
            state.counts.reordered += 1;
            outgoing.push(OutgoingRecord { record, intact: true });
            return outgoing.push(OutgoingRecord { record: earlier, intact: true });
        }
        match state.choose_action(&self.config) {
            MessageAction::Drop => state.counts.dropped += 1,
            MessageAction::Duplicate => {
                state.counts.duplicated += 1;
                outgoing.push(OutgoingRecord { record: record.clone(), intact: true });
                outgoing.push(OutgoingRecord { record, intact: true });
            }
            MessageAction::Reorder => {
                state.counts.held += 1;
                state.held.insert(key, record);
                self.store_later(self.config.reorder_timeout, partition, move |state| {
                    let waiting = state.held.get(&key)?;
                    let same = waiting.value.as_deref().and_then(Stamp::split)?.0 == stamp;
                    state.counts.given_up += u64::from(same);
                    if same { state.held.remove(&key) } else { None }
                });
            }
            MessageAction::Corrupt if !payload.is_empty() => {
                state.counts.corrupted += 1;
                let record = state.corrupt(record);
                outgoing.push(OutgoingRecord { record, intact: false });
            }
            MessageAction::Delay => {
                state.counts.held += 1;
                state.counts.delayed += 1;
                self.store_later(self.config.delay_by, partition, |_| Some(record));
            }
            MessageAction::Corrupt | MessageAction::Store => {
                outgoing.push(OutgoingRecord { record, intact: true });
            }
        }
    }

    /// Stores a message after `time`, if `choose` still returns one then.
    fn store_later(
        self: &Arc<Self>,
        time: Duration,
        partition: &Arc<Partition>,
        choose: impl FnOnce(&mut InjectorState) -> Option<Record> + Send + 'static,
    ) {
        let injector = Arc::clone(self);
        // Deleting the topic drops the messages held back for it.
        let partition = Arc::downgrade(partition);
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            let Some(partition) = partition.upgrade() else { return };
            let mut state = injector.state();
            if let Some(record) = choose(&mut state) {
                state.counts.held -= 1;
                if state.store(&partition, &[OutgoingRecord { record, intact: true }]).is_err() {
                    tracing::warn!("memory is full: a held-back message was not stored");
                }
                injector.changed.notify_one();
            }
        });
    }

    /// Writes the counts to the report file, if one is configured.
    pub fn write_report(&self) -> io::Result<()> {
        let Some(file) = &self.config.report else { return Ok(()) };
        let counts = self.counts();
        write_atomically(file, &serde_json::to_vec_pretty(&counts)?)
    }

    /// Keeps the report file up to date forever.
    pub async fn run_report_writer(self: Arc<Self>) {
        loop {
            if let Err(error) = self.write_report() {
                tracing::warn!(%error, "the fault report could not be written");
            }
            tokio::time::sleep(REPORT_INTERVAL).await;
            self.changed.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, InjectorState> {
        self.state.lock()
    }
}

impl InjectorState {
    fn choose_action(&mut self, config: &InjectionConfig) -> MessageAction {
        let mut rest = self.rng.random::<f64>();
        let shares = [
            (config.drop, MessageAction::Drop),
            (config.duplicate, MessageAction::Duplicate),
            (config.reorder, MessageAction::Reorder),
            (config.corrupt, MessageAction::Corrupt),
            (config.delay, MessageAction::Delay),
        ];
        for (share, action) in shares {
            if rest < share {
                return action;
            }
            rest -= share;
        }
        MessageAction::Store
    }

    /// Changes one byte of the payload.
    fn corrupt(&mut self, mut record: Record) -> Record {
        let mut value = record.value.take().unwrap_or_default().to_vec();
        let index = self.rng.random_range(Stamp::LEN..value.len());
        value[index] ^= self.rng.random_range(1..=u8::MAX);
        record.value = Some(value.into());
        record
    }

    /// Appends messages to the log and returns the offset of the first; the log's end offset
    /// without messages, so that dropped messages look stored.
    fn store(
        &mut self,
        partition: &Partition,
        outgoing: &[OutgoingRecord],
    ) -> Result<i64, ErrorCode> {
        if outgoing.is_empty() {
            return Ok(partition.log().end());
        }
        let records: Vec<_> = outgoing.iter().map(|message| message.record.clone()).collect();
        let bytes = records::encode(&records).ok_or(ErrorCode::InvalidRecord)?;
        let headers = BatchHeader::read_all(&bytes).map_err(|_| ErrorCode::InvalidRecord)?;
        let base = partition.append(&headers, &bytes).map_err(error_code)?;
        self.counts.stored += outgoing.len() as u64;
        for message in outgoing.iter().filter(|message| message.intact) {
            let value = message.record.value.as_deref();
            let Some((stamp, _)) = value.and_then(Stamp::split) else { continue };
            let latest = self.latest.entry((partition.id, stamp.user())).or_insert(stamp);
            self.counts.out_of_order += u64::from(stamp < *latest);
            *latest = stamp.max(*latest);
        }
        Ok(base)
    }
}

/// Replaces a file's content atomically: readers see either the old or the new content.
fn write_atomically(file: &Path, content: &[u8]) -> io::Result<()> {
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(".new");
    fs::write(&temporary, content)?;
    fs::rename(&temporary, file)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{broker::store::TopicStore, units};

    const USERS: u32 = 7;

    struct TestInjector {
        injector: Arc<FaultInjector>,
        partition: Arc<Partition>,
        _store: TopicStore,
    }

    impl TestInjector {
        fn new(config: &str) -> Self {
            let store = TopicStore::new(units::Bytes(1 << 20));
            store.create("t", 1).unwrap();
            let partition = store.partition("t", 0).unwrap();
            Self {
                injector: Arc::new(FaultInjector::new(config.parse().unwrap())),
                partition,
                _store: store,
            }
        }

        /// Sends message `number` of every user in one request.
        fn send(&self, number: u64) -> Result<i64, ErrorCode> {
            let value = |user| {
                let mut value = Stamp::new(user, number).to_bytes().to_vec();
                value.extend_from_slice(b"payload");
                value.into()
            };
            let bytes = records::encode(&records::plain_records((0..USERS).map(value))).unwrap();
            self.injector.produce(&self.partition, &BatchHeader::read_all(&bytes).unwrap(), bytes)
        }

        /// Counts what a faultless consumer finds in the log.
        fn consume(&self) -> InjectionCounts {
            let mut consumed = InjectionCounts::default();
            let mut latest: HashMap<UserId, Stamp> = HashMap::new();
            let mut known = std::collections::HashSet::new();
            let bytes = self.partition.log().read(0, usize::MAX, true).unwrap();
            for record in records::decode(bytes).unwrap() {
                let value = record.value.unwrap();
                let (stamp, payload) = Stamp::split(&value).unwrap();
                consumed.stored += 1;
                if payload != b"payload" {
                    consumed.corrupted += 1;
                    continue;
                }
                consumed.duplicated += u64::from(!known.insert(stamp));
                let latest = latest.entry(stamp.user()).or_insert(stamp);
                consumed.out_of_order += u64::from(stamp < *latest);
                *latest = stamp.max(*latest);
            }
            consumed
        }
    }

    #[tokio::test]
    async fn a_consumer_sees_exactly_the_counted_faults() {
        let fixture = TestInjector::new(
            "drop=0.1,duplicate=0.1,reorder=0.1:999s,corrupt=0.1,delay=0.1:300ms,seed=3",
        );
        for number in 0..200 {
            fixture.send(number).unwrap();
        }
        // Messages held for reordering stay held; delayed messages are stored in time.
        while fixture.injector.counts().held > fixture.injector.state().held.len() as u64 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let counted = fixture.injector.counts();
        let consumed = fixture.consume();
        assert_eq!(counted.received, 200 * u64::from(USERS));
        assert_eq!(
            counted.received + counted.duplicated,
            counted.stored + counted.dropped + counted.held
        );
        assert_eq!(
            (consumed.stored, consumed.duplicated, consumed.corrupted, consumed.out_of_order),
            (counted.stored, counted.duplicated, counted.corrupted, counted.out_of_order)
        );
        for count in [
            counted.dropped,
            counted.duplicated,
            counted.reordered,
            counted.corrupted,
            counted.delayed,
        ] {
            assert!((70..200).contains(&count), "{counted:?}");
        }
        assert!(counted.out_of_order > counted.reordered, "some delayed messages were overtaken");
    }

    #[tokio::test]
    async fn a_swap_is_one_message_out_of_order() {
        let fixture = TestInjector::new("reorder=1:999s");
        fixture.send(0).unwrap();
        assert_eq!(
            (fixture.injector.counts().held, fixture.consume().stored),
            (u64::from(USERS), 0)
        );
        fixture.send(1).unwrap();
        let counted = fixture.injector.counts();
        assert_eq!((counted.held, counted.reordered), (0, u64::from(USERS)));
        assert_eq!(fixture.consume().out_of_order, counted.out_of_order);
        assert_eq!(counted.out_of_order, counted.reordered);
    }

    #[tokio::test]
    async fn without_a_successor_there_is_no_swap() {
        let fixture = TestInjector::new("reorder=1:1ms");
        fixture.send(0).unwrap();
        while fixture.injector.counts().held > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let counted = fixture.injector.counts();
        assert_eq!((counted.given_up, counted.reordered), (u64::from(USERS), 0));
        assert_eq!((fixture.consume().stored, counted.out_of_order), (u64::from(USERS), 0));
    }

    #[tokio::test]
    async fn a_refused_request_stores_nothing() {
        let fixture = TestInjector::new("refuse=1:87");
        assert_eq!(fixture.send(0).unwrap_err().code(), 87);
        assert_eq!(fixture.injector.counts().refused, u64::from(USERS));
        assert_eq!(fixture.consume().stored, 0);
    }

    proptest! {
        #[test]
        fn every_message_is_accounted_for(seed: u64, rounds in 1_u64..20) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let _inside = runtime.enter();
            let config = format!(
                "drop=0.2,duplicate=0.2,reorder=0.2,corrupt=0.2,delay=0.1,refuse=0.2,seed={seed}"
            );
            let fixture = TestInjector::new(&config);
            for number in 0..rounds {
                let _ = fixture.send(number);
            }
            let c = fixture.injector.counts();
            prop_assert_eq!(c.received, rounds * u64::from(USERS));
            prop_assert_eq!(c.received + c.duplicated, c.stored + c.dropped + c.refused + c.held);
        }
    }
}
