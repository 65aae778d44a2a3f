//! Every message is counted once, and memory follows what is not settled.

use proptest::prelude::*;

use super::*;

const SEND_TIMES: SendTimes = SendTimes { due: Micros(0), sent: Micros(1) };

fn total(messages: &MessageLedger, planned: u64) -> Ledger {
    let mut total = Ledger { planned, ..Ledger::default() };
    messages.add_to(&mut total, true);
    total.unsent = planned - total.sent;
    total
}

/// Simulated responses to one message.
#[derive(Debug, Clone, Copy)]
struct SimulatedOutcome {
    acked: bool,
    refused: bool,
    arrivals: u8,
}

fn simulated_outcomes() -> impl Strategy<Value = Vec<(UserId, SimulatedOutcome)>> {
    let outcome = (any::<bool>(), any::<bool>(), 0_u8..3).prop_map(|(acked, refused, arrivals)| {
        SimulatedOutcome { acked, refused: refused && !acked, arrivals }
    });
    prop::collection::vec((0_u32..5, outcome), 0..200)
}

proptest! {
    #[test]
    fn every_message_is_counted_once_whatever_happens(outcomes in simulated_outcomes(), order: u64) {
        let mut messages = MessageLedger::new(5);
        let mut steps = Vec::new();
        for (number, (user, outcome)) in outcomes.iter().enumerate() {
            let stamp = Stamp::new(*user, 10 + number as u64 * 3);
            messages.record_sent(stamp, SEND_TIMES);
            steps.extend(std::iter::repeat_n((stamp, 0), usize::from(outcome.arrivals)));
            steps.extend(outcome.acked.then_some((stamp, 1)));
            steps.extend(outcome.refused.then_some((stamp, 2)));
        }
        // Any order of outcomes, decided by `order`.
        steps.sort_by_key(|(stamp, kind)| (stamp.number() ^ order).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(*kind));
        for (stamp, kind) in steps {
            match kind {
                0 => { messages.record_arrival(stamp); }
                1 => { messages.record_ack(stamp); }
                _ => messages.record_refusal(stamp),
            }
        }
        let ledger = total(&messages, outcomes.len() as u64);
        let count = |what: fn(&SimulatedOutcome) -> bool| outcomes.iter().filter(|(_, f)| what(f)).count() as u64;
        prop_assert_eq!(ledger.delivered, count(|f| f.arrivals > 0));
        prop_assert_eq!(ledger.duplicate, count(|f| f.arrivals > 1));
        prop_assert_eq!(ledger.acked, Some(count(|f| f.acked)));
        prop_assert_eq!(ledger.failed, count(|f| f.refused && f.arrivals == 0));
        prop_assert_eq!(ledger.lost, count(|f| !f.refused && f.arrivals == 0));
        prop_assert_eq!(ledger.acked_then_lost, count(|f| f.acked && f.arrivals == 0));
        prop_assert_eq!(ledger.corrupt, 0);
        prop_assert!(ledger.contradictions().is_empty());
        let mut early = Ledger { planned: ledger.planned, ..Ledger::default() };
        messages.add_to(&mut early, false);
        prop_assert_eq!(early, Ledger { lost: 0, acked_then_lost: 0, on_the_way: ledger.lost, ..ledger });
    }
}

#[test]
fn memory_grows_with_what_is_in_flight() {
    let mut messages = MessageLedger::new(1);
    let lost = Stamp::new(0, 1);
    messages.record_sent(lost, SEND_TIMES);
    for tick in 2..100_000 {
        let stamp = Stamp::new(0, tick);
        messages.record_sent(stamp, SEND_TIMES);
        messages.record_ack(stamp);
        messages.record_arrival(stamp);
    }
    assert!(messages.users[0].entries.len() <= KEPT_SETTLED + 2);
    assert_eq!(messages.record_arrival(Stamp::new(0, 50)), ArrivalOutcome::Duplicate);
    assert_eq!(messages.record_arrival(lost), ArrivalOutcome::First(SEND_TIMES));
    assert_eq!(messages.record_arrival(Stamp::new(0, 100_000)), ArrivalOutcome::Unsent);
    assert_eq!(messages.record_arrival(Stamp::new(9, 5)), ArrivalOutcome::Unsent);
}

/// Bytes of the entries of all users.
fn memory(messages: &MessageLedger) -> usize {
    let room: usize = messages.users.iter().map(|user| user.entries.capacity()).sum();
    room * size_of::<LedgerEntry>() + messages.users.len() * size_of::<UserLedger>()
}

/// A killed server loses one message of each of 10,000 users, answers nothing for a minute, and the load goes on.
#[test]
fn a_kill_with_many_users_takes_little_memory() {
    const USERS: u32 = 10_000;
    const OUTAGE: u64 = 60;
    const MESSAGES: u64 = 100;
    let mut messages = MessageLedger::new(USERS);
    for tick in 0..MESSAGES {
        for user in 0..USERS {
            messages.record_sent(Stamp::new(user, tick), SEND_TIMES);
        }
        if tick == OUTAGE {
            assert!(memory(&messages) <= 60 << 20, "in the outage: {} B", memory(&messages));
        }
        let settled = match tick {
            ..OUTAGE => 0..0,
            OUTAGE => 1..OUTAGE + 1,
            _ => tick..tick + 1,
        };
        for stamp in settled.flat_map(|tick| (0..USERS).map(move |user| Stamp::new(user, tick))) {
            messages.record_ack(stamp);
            messages.record_arrival(stamp);
        }
    }
    assert_eq!(messages.missing_messages().len(), USERS as usize);
    assert!(memory(&messages) <= 25 << 20, "at the end: {} B", memory(&messages));
    for user in 0..USERS {
        let arrived = messages.record_arrival(Stamp::new(user, 0));
        assert_eq!(arrived, ArrivalOutcome::First(SEND_TIMES));
    }
    let all = total(&messages, u64::from(USERS) * MESSAGES);
    assert_eq!((all.delivered, all.out_of_order), (all.planned, u64::from(USERS)));
}

/// During an outage every message of every user waits; afterwards its memory is given back.
#[test]
fn memory_of_an_outage_is_given_back() {
    let mut messages = MessageLedger::new(1);
    let mut stamps = (0..10_000).map(|tick| Stamp::new(0, tick));
    let lost = stamps.next().unwrap();
    messages.record_sent(lost, SEND_TIMES);
    let stamps: Vec<_> = stamps.inspect(|stamp| messages.record_sent(*stamp, SEND_TIMES)).collect();
    for stamp in stamps {
        messages.record_arrival(stamp);
        messages.record_ack(stamp);
    }
    assert!(
        messages.users[0].entries.capacity() <= KEPT_ROOM,
        "{:?}",
        messages.users[0].entries.len()
    );
}

#[test]
fn arrivals_out_of_order_are_counted_once_each() {
    let mut messages = MessageLedger::new(2);
    let arrived: Vec<_> = (1..=4).map(|tick| Stamp::new(0, tick)).collect();
    for stamp in &arrived {
        messages.record_sent(*stamp, SEND_TIMES);
    }
    for index in [0, 2, 1, 3] {
        messages.record_arrival(arrived[index]);
    }
    assert_eq!(total(&messages, 4).out_of_order, 1);
}

#[test]
fn a_message_without_an_acknowledgement_is_awaited_until_it_arrives() {
    let mut messages = MessageLedger::new(1);
    let stamps = [Stamp::new(0, 1), Stamp::new(0, 2)];
    for stamp in stamps {
        messages.record_sent(stamp, SEND_TIMES);
        messages.record_without_ack(stamp);
    }
    assert_eq!((messages.pending_count(true), messages.pending_count(false)), (2, 0));
    messages.record_arrival(stamps[0]);
    assert_eq!((messages.pending_count(true), total(&messages, 2).lost), (1, 1));
}

#[test]
fn a_withdrawn_message_does_not_count_as_sent() {
    let mut messages = MessageLedger::new(1);
    let stamp = Stamp::new(0, 5);
    messages.record_sent(stamp, SEND_TIMES);
    messages.withdraw(stamp);
    let ledger = total(&messages, 1);
    assert_eq!((ledger.sent, ledger.unsent, ledger.lost), (0, 1, 0));
}

#[test]
fn users_do_not_mix() {
    let mut messages = MessageLedger::new(10);
    for user in [1, 5, 9] {
        messages.record_sent(Stamp::new(user, 7), SEND_TIMES);
    }
    assert!(matches!(messages.record_arrival(Stamp::new(5, 7)), ArrivalOutcome::First(_)));
    assert_eq!(total(&messages, 3).lost, 2);
}
