//! The one who lies, and keeps count.

use std::{
    collections::HashMap,
    fs, io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use kafka_protocol::records::Record;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::{Lies, records};
use crate::{
    broker::{
        api::{Refusal, refusal},
        batch::Head,
        store::Partition,
    },
    stamp::{Stamp, User},
};

/// The report is written at most this often.
const REPORT_INTERVAL: Duration = Duration::from_millis(50);

/// What was done, in messages, since the broker's start.
///
/// `received + duplicated = stored + dropped + refused + held`, always; unless memory was full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Messages that producers sent.
    pub received: u64,
    /// Messages that are, or were, there to be fetched; a duplicated one counts twice.
    pub stored: u64,
    /// Acknowledged, never stored.
    pub dropped: u64,
    /// Stored twice.
    pub duplicated: u64,
    /// Stored right behind the same user's next message.
    pub reordered: u64,
    /// Held back for a successor that did not come, then stored in order: no lie was told.
    pub given_up: u64,
    /// Stored with a changed payload byte.
    pub corrupted: u64,
    /// Stored, or to be stored, later.
    pub delayed: u64,
    /// In requests that were refused.
    pub refused: u64,
    /// Held back at this moment, to be delayed or reordered; of topics that were deleted
    /// meanwhile, for ever.
    pub held: u64,
    /// Intact messages stored after a later one of the same user and partition: those reordered,
    /// and those delayed that were overtaken.
    pub out_of_order: u64,
}

/// Tells [`Lies`] about the messages of a broker.
pub struct Liar {
    lies: Lies,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    rng: Xoshiro256PlusPlus,
    counts: Counts,
    /// What is held back until the same user's next message.
    held: HashMap<Seat, Record>,
    /// The latest message of each user that was stored.
    latest: HashMap<Seat, Stamp>,
}

/// A user in a partition.
type Seat = (u64, User);

/// A message on its way into the log.
struct Outgoing {
    record: Record,
    intact: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Honest,
    Drop,
    Duplicate,
    Reorder,
    Corrupt,
    Delay,
}

impl Liar {
    /// One who tells these lies.
    pub fn new(lies: Lies) -> Self {
        let state = State {
            rng: Xoshiro256PlusPlus::seed_from_u64(lies.seed),
            counts: Counts::default(),
            held: HashMap::new(),
            latest: HashMap::new(),
        };
        Self { lies, state: Mutex::new(state), changed: Notify::new() }
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// Takes what a producer sent for `partition` and answers it as if all were well, or with the
    /// refusal that was asked for. Must be called within a tokio runtime.
    ///
    /// Compressed batches are refused: this broker cannot look into them.
    pub fn produce(
        self: &Arc<Self>,
        partition: &Arc<Partition>,
        heads: &[Head],
        bytes: Bytes,
    ) -> Result<i64, Refusal> {
        if heads.iter().any(|head| head.compressed) {
            return Err(Refusal::UnsupportedCompressionType);
        }
        let received = records::decode(bytes).ok_or(Refusal::InvalidRecord)?;
        let mut state = self.state();
        partition.follow(heads).map_err(refusal)?;
        state.counts.received += received.len() as u64;
        self.changed.notify_one();
        if state.rng.random::<f64>() < self.lies.refuse {
            state.counts.refused += received.len() as u64;
            return Err(Refusal::Unknown(self.lies.refuse_with));
        }
        let mut outgoing = Vec::with_capacity(received.len());
        for record in received {
            self.tell(&mut state, partition, record, &mut outgoing);
        }
        state.store(partition, &outgoing)
    }

    fn tell(
        self: &Arc<Self>,
        state: &mut State,
        partition: &Arc<Partition>,
        record: Record,
        outgoing: &mut Vec<Outgoing>,
    ) {
        let Some((stamp, payload)) = record.value.as_deref().and_then(Stamp::split) else {
            return outgoing.push(Outgoing { record, intact: false });
        };
        let seat = (partition.id, stamp.user());
        if let Some(earlier) = state.held.remove(&seat) {
            state.counts.held -= 1;
            state.counts.reordered += 1;
            outgoing.push(Outgoing { record, intact: true });
            return outgoing.push(Outgoing { record: earlier, intact: true });
        }
        match state.fate(&self.lies) {
            Fate::Drop => state.counts.dropped += 1,
            Fate::Duplicate => {
                state.counts.duplicated += 1;
                outgoing.push(Outgoing { record: record.clone(), intact: true });
                outgoing.push(Outgoing { record, intact: true });
            }
            Fate::Reorder => {
                state.counts.held += 1;
                state.held.insert(seat, record);
                self.later(self.lies.patience, partition, move |state| {
                    let waiting = state.held.get(&seat)?;
                    let same = waiting.value.as_deref().and_then(Stamp::split)?.0 == stamp;
                    state.counts.given_up += u64::from(same);
                    if same { state.held.remove(&seat) } else { None }
                });
            }
            Fate::Corrupt if !payload.is_empty() => {
                state.counts.corrupted += 1;
                let record = state.corrupt(record);
                outgoing.push(Outgoing { record, intact: false });
            }
            Fate::Delay => {
                state.counts.held += 1;
                state.counts.delayed += 1;
                self.later(self.lies.delay_by, partition, |_| Some(record));
            }
            Fate::Corrupt | Fate::Honest => outgoing.push(Outgoing { record, intact: true }),
        }
    }

    /// Stores a held back message after `time`, if `choose` then still names one.
    fn later(
        self: &Arc<Self>,
        time: Duration,
        partition: &Arc<Partition>,
        choose: impl FnOnce(&mut State) -> Option<Record> + Send + 'static,
    ) {
        let liar = Arc::clone(self);
        // A topic deleted meanwhile takes what is held back for it along.
        let partition = Arc::downgrade(partition);
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            let Some(partition) = partition.upgrade() else { return };
            let mut state = liar.state();
            if let Some(record) = choose(&mut state) {
                state.counts.held -= 1;
                if state.store(&partition, &[Outgoing { record, intact: true }]).is_err() {
                    tracing::warn!("no room for a message that was held back");
                }
                liar.changed.notify_one();
            }
        });
    }

    /// Writes the counts to the report's file, if one was asked for.
    pub fn publish(&self) -> io::Result<()> {
        let Some(file) = &self.lies.report else { return Ok(()) };
        let counts = self.counts();
        write_whole(file, &serde_json::to_vec_pretty(&counts)?)
    }

    /// Keeps the report's file up to date for ever.
    pub async fn keep_published(self: Arc<Self>) {
        loop {
            if let Err(error) = self.publish() {
                tracing::warn!(%error, "the report of lies could not be written");
            }
            tokio::time::sleep(REPORT_INTERVAL).await;
            self.changed.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fate(&mut self, lies: &Lies) -> Fate {
        let mut rest = self.rng.random::<f64>();
        let shares = [
            (lies.drop, Fate::Drop),
            (lies.duplicate, Fate::Duplicate),
            (lies.reorder, Fate::Reorder),
            (lies.corrupt, Fate::Corrupt),
            (lies.delay, Fate::Delay),
        ];
        for (share, fate) in shares {
            if rest < share {
                return fate;
            }
            rest -= share;
        }
        Fate::Honest
    }

    /// Changes one byte of the payload.
    fn corrupt(&mut self, mut record: Record) -> Record {
        let mut value = record.value.take().unwrap_or_default().to_vec();
        let victim = self.rng.random_range(Stamp::LEN..value.len());
        value[victim] ^= self.rng.random_range(1..=u8::MAX);
        record.value = Some(value.into());
        record
    }

    /// Appends messages to the log, and returns the offset of the first; of the log's end when
    /// there are none, so that whatever was dropped looks stored.
    fn store(&mut self, partition: &Partition, outgoing: &[Outgoing]) -> Result<i64, Refusal> {
        if outgoing.is_empty() {
            return Ok(partition.log().end());
        }
        let records: Vec<_> = outgoing.iter().map(|message| message.record.clone()).collect();
        let bytes = records::encode(&records).ok_or(Refusal::InvalidRecord)?;
        let heads = Head::read_all(&bytes).map_err(|_| Refusal::InvalidRecord)?;
        let base = partition.append(&heads, &bytes).map_err(refusal)?;
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

/// Readers find the old content or the new, never a half.
fn write_whole(file: &Path, content: &[u8]) -> io::Result<()> {
    let mut fresh = file.as_os_str().to_owned();
    fresh.push(".new");
    fs::write(&fresh, content)?;
    fs::rename(&fresh, file)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{broker::store::Store, units};

    const USERS: u32 = 7;

    struct Rig {
        liar: Arc<Liar>,
        partition: Arc<Partition>,
        _store: Store,
    }

    impl Rig {
        fn new(lies: &str) -> Self {
            let store = Store::new(units::Bytes(1 << 20));
            store.create("t", 1).unwrap();
            let partition = store.partition("t", 0).unwrap();
            Self { liar: Arc::new(Liar::new(lies.parse().unwrap())), partition, _store: store }
        }

        /// Sends message `number` of every user in one request.
        fn send(&self, number: u64) -> Result<i64, Refusal> {
            let value = |user| {
                let mut value = Stamp::new(user, number).to_bytes().to_vec();
                value.extend_from_slice(b"payload");
                value.into()
            };
            let bytes = records::encode(&records::plain((0..USERS).map(value))).unwrap();
            self.liar.produce(&self.partition, &Head::read_all(&bytes).unwrap(), bytes)
        }

        /// What a faultless consumer makes of the log.
        fn consume(&self) -> Counts {
            let mut seen = Counts::default();
            let mut latest: HashMap<User, Stamp> = HashMap::new();
            let mut known = std::collections::HashSet::new();
            let bytes = self.partition.log().read(0, usize::MAX, true).unwrap();
            for record in records::decode(bytes).unwrap() {
                let value = record.value.unwrap();
                let (stamp, payload) = Stamp::split(&value).unwrap();
                seen.stored += 1;
                if payload != b"payload" {
                    seen.corrupted += 1;
                    continue;
                }
                seen.duplicated += u64::from(!known.insert(stamp));
                let latest = latest.entry(stamp.user()).or_insert(stamp);
                seen.out_of_order += u64::from(stamp < *latest);
                *latest = stamp.max(*latest);
            }
            seen
        }
    }

    #[tokio::test]
    async fn a_consumer_sees_exactly_the_lies_that_were_counted() {
        let rig =
            Rig::new("drop=0.1,duplicate=0.1,reorder=0.1:999s,corrupt=0.1,delay=0.1:300ms,seed=3");
        for number in 0..200 {
            rig.send(number).unwrap();
        }
        // What waits for a successor waits for ever; what is delayed comes.
        while rig.liar.counts().held > rig.liar.state().held.len() as u64 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let told = rig.liar.counts();
        let seen = rig.consume();
        assert_eq!(told.received, 200 * u64::from(USERS));
        assert_eq!(told.received + told.duplicated, told.stored + told.dropped + told.held);
        assert_eq!(
            (seen.stored, seen.duplicated, seen.corrupted, seen.out_of_order),
            (told.stored, told.duplicated, told.corrupted, told.out_of_order)
        );
        for count in [told.dropped, told.duplicated, told.reordered, told.corrupted, told.delayed] {
            assert!((70..200).contains(&count), "{told:?}");
        }
        assert!(told.out_of_order > told.reordered, "some delayed messages were overtaken");
    }

    #[tokio::test]
    async fn a_swap_is_one_message_out_of_order() {
        let rig = Rig::new("reorder=1:999s");
        rig.send(0).unwrap();
        assert_eq!((rig.liar.counts().held, rig.consume().stored), (u64::from(USERS), 0));
        rig.send(1).unwrap();
        let told = rig.liar.counts();
        assert_eq!((told.held, told.reordered), (0, u64::from(USERS)));
        assert_eq!(rig.consume().out_of_order, told.out_of_order);
        assert_eq!(told.out_of_order, told.reordered);
    }

    #[tokio::test]
    async fn without_a_successor_there_is_no_swap() {
        let rig = Rig::new("reorder=1:1ms");
        rig.send(0).unwrap();
        while rig.liar.counts().held > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let told = rig.liar.counts();
        assert_eq!((told.given_up, told.reordered), (u64::from(USERS), 0));
        assert_eq!((rig.consume().stored, told.out_of_order), (u64::from(USERS), 0));
    }

    #[tokio::test]
    async fn a_refused_request_stores_nothing() {
        let rig = Rig::new("refuse=1:87");
        assert_eq!(rig.send(0).unwrap_err().code(), 87);
        assert_eq!(rig.liar.counts().refused, u64::from(USERS));
        assert_eq!(rig.consume().stored, 0);
    }

    proptest! {
        #[test]
        fn every_message_is_accounted_for(seed: u64, rounds in 1_u64..20) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let _inside = runtime.enter();
            let lies = format!(
                "drop=0.2,duplicate=0.2,reorder=0.2,corrupt=0.2,delay=0.1,refuse=0.2,seed={seed}"
            );
            let rig = Rig::new(&lies);
            for number in 0..rounds {
                let _ = rig.send(number);
            }
            let c = rig.liar.counts();
            prop_assert_eq!(c.received, rounds * u64::from(USERS));
            prop_assert_eq!(c.received + c.duplicated, c.stored + c.dropped + c.refused + c.held);
        }
    }
}
