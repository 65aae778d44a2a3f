//! The ledger: what became of every message.
//!
//! Its memory grows with what is in flight, not with what was sent: a stamp is unique for its user
//! and rises, so a message that was acknowledged and delivered can be forgotten, and a stamp that
//! is not on the books but not above the user's last one must have been settled before.

use std::collections::VecDeque;

use crate::{
    clock::Micros,
    measure::Ledger,
    stamp::{Stamp, User},
};

/// A message on the books.
#[derive(Debug, Clone, Copy)]
struct Entry {
    tick: u64,
    times: Times,
    answer: Answer,
    delivered: bool,
}

/// What the server said of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Nothing yet.
    None,
    /// It has it.
    Acked,
    /// It certainly does not.
    Refused,
    /// The client gave up on learning it.
    Unknown,
}

impl Entry {
    /// Nothing that can still happen would change how this message is counted, except a further
    /// arrival, which is recognised without it.
    const fn settled(&self) -> bool {
        self.delivered && matches!(self.answer, Answer::Acked | Answer::Unknown)
    }
}

/// When a message was due and when it was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When it was to be sent.
    pub due: Micros,
    /// When it was.
    pub sent: Micros,
}

/// A message that has not arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// When it was handed over.
    pub sent: Micros,
    /// Whether the server said that it has it.
    pub acked: bool,
    /// Whether the server said that it certainly does not.
    pub refused: bool,
}

/// What an intact arrival turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The message's first arrival.
    First(Times),
    /// It had arrived before.
    Duplicate,
    /// Its user never sent it.
    Unsent,
}

/// A user's books are rid of settled messages in their middle when they hold more than this.
const COMPACT_ABOVE: usize = 4096;

#[derive(Debug, Default)]
struct Account {
    /// Rising ticks. Settled entries leave at the front; from the middle only by compaction.
    open: VecDeque<Entry>,
    last_sent: Option<u64>,
    last_arrived: Option<u64>,
    compact_at: usize,
}

impl Account {
    fn find(&mut self, tick: u64) -> Option<&mut Entry> {
        let front = self.open.front()?.tick;
        // In the throughput workload ticks are consecutive and the first guess is right.
        let guess = usize::try_from(tick.checked_sub(front)?).unwrap_or(usize::MAX);
        let index = match self.open.get(guess) {
            Some(entry) if entry.tick == tick => guess,
            _ => self.open.binary_search_by_key(&tick, |entry| entry.tick).ok()?,
        };
        self.open.get_mut(index)
    }

    fn tidy(&mut self) {
        while self.open.front().is_some_and(Entry::settled) {
            self.open.pop_front();
        }
        if self.open.len() > self.compact_at.max(COMPACT_ABOVE) {
            self.open.retain(|entry| !entry.settled());
            self.compact_at = self.open.len() * 2;
        }
    }
}

/// The books of some of the users: those whose number is `shard` modulo the number of shards.
#[derive(Debug, Default)]
pub struct Books {
    accounts: Vec<Account>,
    counts: Ledger,
    stride: u32,
}

impl Books {
    /// Books for every `stride`th of `users` users.
    pub fn new(users: u32, stride: u32) -> Self {
        let accounts = users.div_ceil(stride) as usize;
        Self {
            accounts: std::iter::repeat_with(Account::default).take(accounts).collect(),
            counts: Ledger::default(),
            stride,
        }
    }

    fn account(&mut self, user: User) -> Option<&mut Account> {
        self.accounts.get_mut((user / self.stride) as usize)
    }

    /// A message is about to be handed over.
    pub fn sent(&mut self, stamp: Stamp, times: Times) {
        self.counts.sent += 1;
        if let Some(account) = self.account(stamp.user()) {
            account.last_sent = Some(stamp.tick());
            let tick = stamp.tick();
            account.open.push_back(Entry { tick, times, answer: Answer::None, delivered: false });
        }
    }

    /// The last message of its user was not taken after all.
    pub fn withdrawn(&mut self, stamp: Stamp) {
        let Some(account) = self.account(stamp.user()) else { return };
        if account.open.back().is_some_and(|entry| entry.tick == stamp.tick()) {
            account.open.pop_back();
            self.counts.sent -= 1;
        }
    }

    /// The server acknowledged a message. Returns its times, unless it had been acknowledged
    /// before or was never sent.
    pub fn acked(&mut self, stamp: Stamp) -> Option<Times> {
        let account = self.account(stamp.user())?;
        let entry = account.find(stamp.tick())?;
        if entry.answer == Answer::Acked {
            return None;
        }
        entry.answer = Answer::Acked;
        let times = entry.times;
        account.tidy();
        self.counts.acked += 1;
        Some(times)
    }

    /// The server certainly refused a message.
    pub fn refused(&mut self, stamp: Stamp) {
        if let Some(entry) = self.account(stamp.user()).and_then(|a| a.find(stamp.tick())) {
            entry.answer = Answer::Refused;
        }
    }

    /// Nobody will ever know whether the server took a message, unless it arrives.
    pub fn unknown(&mut self, stamp: Stamp) {
        let Some(account) = self.account(stamp.user()) else { return };
        if let Some(entry) = account.find(stamp.tick()) {
            entry.answer = Answer::Unknown;
            account.tidy();
        }
    }

    /// An intact message arrived.
    pub fn arrived(&mut self, stamp: Stamp) -> Arrival {
        let Some(account) = self.account(stamp.user()) else {
            self.counts.corrupt += 1;
            return Arrival::Unsent;
        };
        let tick = stamp.tick();
        let in_order = account.last_arrived.is_none_or(|last| last < tick);
        let settled_before = account.last_sent.is_some_and(|last| tick <= last);
        let arrival = match account.find(tick) {
            Some(entry) if entry.delivered => Arrival::Duplicate,
            Some(entry) => {
                entry.delivered = true;
                let times = entry.times;
                account.last_arrived = account.last_arrived.max(Some(tick));
                account.tidy();
                Arrival::First(times)
            }
            None if settled_before => Arrival::Duplicate,
            None => Arrival::Unsent,
        };
        match arrival {
            Arrival::First(_) => {
                self.counts.delivered += 1;
                self.counts.out_of_order += u64::from(!in_order);
            }
            Arrival::Duplicate => self.counts.duplicate += 1,
            Arrival::Unsent => self.counts.corrupt += 1,
        }
        arrival
    }

    /// Something arrived that is not what was sent.
    pub fn corrupt(&mut self) {
        self.counts.corrupt += 1;
    }

    /// Something arrived after the drain.
    pub fn late(&mut self) {
        self.counts.late += 1;
    }

    /// Adds this shard to `total`, counting what is still open as failed or, once nothing more is
    /// waited for (`over`), lost; before that as on the way.
    ///
    /// All three are counted from the open messages, not as differences, so that the
    /// ledger's equations can fail when the books are wrong.
    pub fn add_to(&self, total: &mut Ledger, over: bool) {
        total.sent += self.counts.sent;
        total.acked += self.counts.acked;
        total.delivered += self.counts.delivered;
        total.duplicate += self.counts.duplicate;
        total.out_of_order += self.counts.out_of_order;
        total.corrupt += self.counts.corrupt;
        total.late += self.counts.late;
        for entry in self.accounts.iter().flat_map(|account| &account.open) {
            if !entry.delivered {
                let refused = entry.answer == Answer::Refused;
                total.failed += u64::from(refused);
                total.on_the_way += u64::from(!refused && !over);
                total.lost += u64::from(!refused && over);
                total.acked_then_lost += u64::from(entry.answer == Answer::Acked && over);
            }
        }
    }

    /// Further arrivals of messages that had arrived.
    pub const fn duplicates(&self) -> u64 {
        self.counts.duplicate
    }

    /// Every message that has not arrived.
    pub fn missing(&self) -> Vec<Open> {
        let open = self.accounts.iter().flat_map(|account| &account.open);
        open.filter(|entry| !entry.delivered)
            .map(|entry| Open {
                sent: entry.times.sent,
                acked: entry.answer == Answer::Acked,
                refused: entry.answer == Answer::Refused,
            })
            .collect()
    }

    /// Messages that waiting may still change: without an answer (one that has arrived may yet be
    /// sent again by a client that has none), or (where arrivals are expected) acknowledged and not
    /// yet arrived.
    pub fn pending(&self, arrivals_expected: bool) -> u64 {
        let pending = |entry: &&Entry| match entry.answer {
            Answer::None => true,
            Answer::Acked => arrivals_expected && !entry.delivered,
            Answer::Refused | Answer::Unknown => false,
        };
        self.accounts.iter().flat_map(|account| &account.open).filter(pending).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const TIMES: Times = Times { due: Micros(0), sent: Micros(1) };

    fn total(books: &Books, planned: u64) -> Ledger {
        let mut total = Ledger { planned, ..Ledger::default() };
        books.add_to(&mut total, true);
        total.unsent = planned - total.sent;
        total
    }

    /// What happens to one message.
    #[derive(Debug, Clone, Copy)]
    struct Fate {
        acked: bool,
        refused: bool,
        arrivals: u8,
    }

    fn fates() -> impl Strategy<Value = Vec<(User, Fate)>> {
        let fate =
            (any::<bool>(), any::<bool>(), 0_u8..3).prop_map(|(acked, refused, arrivals)| Fate {
                acked,
                refused: refused && !acked,
                arrivals,
            });
        prop::collection::vec((0_u32..5, fate), 0..200)
    }

    proptest! {
        #[test]
        fn every_message_is_counted_once_whatever_happens(fates in fates(), order: u64) {
            let mut books = Books::new(5, 1);
            let mut steps = Vec::new();
            for (number, (user, fate)) in fates.iter().enumerate() {
                let stamp = Stamp::new(*user, 10 + number as u64 * 3);
                books.sent(stamp, TIMES);
                steps.extend(std::iter::repeat_n((stamp, 0), usize::from(fate.arrivals)));
                steps.extend(fate.acked.then_some((stamp, 1)));
                steps.extend(fate.refused.then_some((stamp, 2)));
            }
            // Any order of outcomes, decided by `order`.
            steps.sort_by_key(|(stamp, kind)| (stamp.number() ^ order).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(*kind));
            for (stamp, kind) in steps {
                match kind {
                    0 => { books.arrived(stamp); }
                    1 => { books.acked(stamp); }
                    _ => books.refused(stamp),
                }
            }
            let ledger = total(&books, fates.len() as u64);
            let count = |what: fn(&Fate) -> bool| fates.iter().filter(|(_, f)| what(f)).count() as u64;
            prop_assert_eq!(ledger.delivered, count(|f| f.arrivals > 0));
            prop_assert_eq!(ledger.duplicate, count(|f| f.arrivals > 1));
            prop_assert_eq!(ledger.acked, count(|f| f.acked));
            prop_assert_eq!(ledger.failed, count(|f| f.refused && f.arrivals == 0));
            prop_assert_eq!(ledger.lost, count(|f| !f.refused && f.arrivals == 0));
            prop_assert_eq!(ledger.acked_then_lost, count(|f| f.acked && f.arrivals == 0));
            prop_assert_eq!(ledger.corrupt, 0);
            prop_assert!(ledger.contradictions().is_empty());
            let mut early = Ledger { planned: ledger.planned, ..Ledger::default() };
            books.add_to(&mut early, false);
            prop_assert_eq!(early, Ledger { lost: 0, acked_then_lost: 0, on_the_way: ledger.lost, ..ledger });
        }
    }

    #[test]
    fn memory_grows_with_what_is_in_flight() {
        let mut books = Books::new(1, 1);
        let lost = Stamp::new(0, 1);
        books.sent(lost, TIMES);
        for tick in 2..100_000 {
            let stamp = Stamp::new(0, tick);
            books.sent(stamp, TIMES);
            books.acked(stamp);
            books.arrived(stamp);
        }
        assert!(books.accounts[0].open.len() <= COMPACT_ABOVE + 1);
        assert_eq!(books.arrived(Stamp::new(0, 50)), Arrival::Duplicate);
        assert_eq!(books.arrived(lost), Arrival::First(TIMES));
        assert_eq!(books.arrived(Stamp::new(0, 100_000)), Arrival::Unsent);
        assert_eq!(books.arrived(Stamp::new(9, 5)), Arrival::Unsent);
    }

    #[test]
    fn arrivals_out_of_order_are_counted_once_each() {
        let mut books = Books::new(2, 1);
        let arrived: Vec<_> = (1..=4).map(|tick| Stamp::new(0, tick)).collect();
        for stamp in &arrived {
            books.sent(*stamp, TIMES);
        }
        for index in [0, 2, 1, 3] {
            books.arrived(arrived[index]);
        }
        assert_eq!(total(&books, 4).out_of_order, 1);
    }

    #[test]
    fn a_message_that_was_not_taken_was_not_sent() {
        let mut books = Books::new(1, 1);
        let stamp = Stamp::new(0, 5);
        books.sent(stamp, TIMES);
        books.withdrawn(stamp);
        let ledger = total(&books, 1);
        assert_eq!((ledger.sent, ledger.unsent, ledger.lost), (0, 1, 0));
    }

    #[test]
    fn users_of_one_shard_do_not_mix() {
        let stride = 4;
        let mut books = Books::new(10, stride);
        let users = BTreeSet::from([1_u32, 5, 9]);
        for user in &users {
            books.sent(Stamp::new(*user, 7), TIMES);
        }
        assert!(matches!(books.arrived(Stamp::new(5, 7)), Arrival::First(_)));
        assert_eq!(total(&books, 3).lost, 2);
    }
}
