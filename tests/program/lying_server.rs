//! The lying server: the built-in broker is told to drop, duplicate, reorder, corrupt, delay and
//! refuse known shares of what it gets, and says afterwards what it did. The record must say
//! exactly the same.

use std::{fs, panic::resume_unwind, thread, time::Duration};

use hubmark::{
    broker::{LIES_VARIABLE, lies::Counts},
    measure::{Judgement, Ledger},
    record::{Latency, Repetition, histogram},
};

use crate::common::{Home, SHORT, Said, codes, only};

const PLANNED: u64 = 200;
/// How long a delayed message is held back: far beyond what a busy machine does by itself.
const HELD: Duration = Duration::from_millis(400);
/// A message that never arrives keeps the drain waiting to its end: it is longer than what is held
/// back, by what a machine that is busy with something else may be late.
const DRAIN: &str = "workload.drain=\"4 s\"";

/// What came out of one run under lies.
struct Trial {
    told: Counts,
    repetition: Repetition,
}

impl Trial {
    fn ledger(&self) -> Ledger {
        self.repetition.ledger
    }
}

/// Runs a short look under `lies` for each seed, all at once; each must end with `status`.
fn under<const N: usize>(lies: &str, seeds: [u64; N], status: i32) -> [Trial; N] {
    thread::scope(|scope| {
        seeds
            .map(|seed| scope.spawn(move || one(lies, seed, status)))
            .map(|trial| trial.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

fn one(lies: &str, seed: u64, status: i32) -> Trial {
    let home = Home::new();
    let report = home.path("lies.json");
    let lies = format!("{lies},seed={seed},report={}", report.display());
    let seed = format!("run.seed={seed}");
    let said: Said = home
        .run("first-look", &[SHORT, &[DRAIN, &seed]], &[])
        .env(LIES_VARIABLE, &lies)
        .output()
        .unwrap()
        .into();
    let said = said.ends(status);
    let told: Counts = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    let record = home.record();
    let trial = Trial { told, repetition: only(&record).clone() };
    exactly(&trial);
    let ledger = trial.ledger();
    for (word, number) in [("lost", ledger.lost), ("duplicate", ledger.duplicate)] {
        assert!(said.out.contains(&format!("{word} {number}")), "{}", said.out);
    }
    trial
}

/// What the record says is what the server did, to the message.
fn exactly(trial: &Trial) {
    let (told, ledger) = (trial.told, trial.ledger());
    assert_eq!(told.received, PLANNED, "{told:?}");
    assert_eq!(told.held, 0, "all that was held back has been stored: {told:?}");
    let expected = Ledger {
        planned: PLANNED,
        sent: PLANNED,
        unsent: 0,
        acked: PLANNED - told.refused,
        failed: told.refused,
        delivered: PLANNED - told.refused - told.dropped - told.corrupted,
        duplicate: told.duplicated,
        out_of_order: told.out_of_order,
        corrupt: told.corrupted,
        late: 0,
        lost: told.dropped + told.corrupted,
        acked_then_lost: told.dropped + told.corrupted,
        on_the_way: 0,
        stored: Some(told.stored),
    };
    assert_eq!(ledger, expected, "{told:?}");
    let delivery = trial.repetition.latency.delivery.as_ref().unwrap();
    assert_eq!(delivery.count, ledger.delivered, "each message once, a duplicate not again");
    let ack = trial.repetition.latency.ack.as_ref().unwrap();
    assert_eq!(ack.count, ledger.acked);
    let slow = at_least(delivery, HELD);
    assert!(slow >= told.delayed, "{slow} slow messages, {} delayed", told.delayed);
}

/// Samples that took at least `time`.
fn at_least(latency: &Latency, time: Duration) -> u64 {
    let distribution = histogram::distribution(latency).unwrap();
    // A bucket is a thousandth wide.
    let from = time.as_micros() as u64 * 999 / 1_000;
    distribution.histogram().count_between(from, u64::MAX)
}

#[test]
fn what_was_dropped_is_lost() {
    for trial in under("drop=0.1", [1, 2], 3) {
        assert!(trial.told.dropped > 0);
        assert_eq!(codes(&trial.repetition), ["acknowledged-then-lost", "stored-differs"]);
        assert_eq!(trial.repetition.verdict.status, Judgement::Suspect);
        let mut reasons = trial.repetition.verdict.reasons.iter();
        let reason = reasons.find(|reason| reason.code == "acknowledged-then-lost").unwrap();
        assert!(reason.text.contains(&trial.told.dropped.to_string()), "{}", reason.text);
        assert_eq!(trial.repetition.crossed.len(), 1, "the profile allows no loss");
    }
}

#[test]
fn what_was_stored_twice_is_a_duplicate() {
    for trial in under("duplicate=0.1", [1, 2], 0) {
        assert!(trial.told.duplicated > 0);
        assert_eq!(codes(&trial.repetition), ["messages-duplicate"]);
        assert_eq!(trial.repetition.verdict.status, Judgement::Suspect);
    }
}

#[test]
fn what_was_swapped_is_out_of_order() {
    for trial in under("reorder=0.1:1s", [1, 2], 0) {
        assert!(trial.told.reordered > 0);
        assert_eq!(trial.ledger().out_of_order, trial.told.reordered);
    }
}

#[test]
fn what_was_changed_is_corrupt_and_therefore_lost() {
    for trial in under("corrupt=0.1", [1, 2], 3) {
        assert!(trial.told.corrupted > 0);
        assert_eq!(codes(&trial.repetition), ["acknowledged-then-lost", "messages-corrupt"]);
        assert_eq!(trial.repetition.verdict.status, Judgement::Suspect);
    }
}

#[test]
fn what_was_held_back_is_slow_and_not_lost() {
    for trial in under(&format!("delay=0.1:{}ms", HELD.as_millis()), [1, 2], 0) {
        assert!(trial.told.delayed > 0);
        // It was acknowledged at once: only its delivery is slow.
        let ack = trial.repetition.latency.ack.as_ref().unwrap();
        let delivery = trial.repetition.latency.delivery.as_ref().unwrap();
        assert!(delivery.max > ack.max, "{} {}", delivery.max, ack.max);
    }
}

#[test]
fn what_comes_after_the_drain_is_lost() {
    let home = Home::new();
    let report = home.path("lies.json");
    let said: Said = home
        .run("first-look", &[SHORT, &["workload.drain=\"2 s\""]], &[])
        .env(LIES_VARIABLE, format!("delay=0.1:20s,report={}", report.display()))
        .output()
        .unwrap()
        .into();
    said.ends(3);
    let told: Counts = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    let record = home.record();
    let ledger = only(&record).ledger;
    assert!(told.delayed > 0 && told.held == told.delayed, "{told:?}");
    assert_eq!((ledger.lost, ledger.acked_then_lost), (told.held, told.held));
    assert_eq!((ledger.acked, ledger.stored), (PLANNED, Some(told.stored)));
    assert_eq!(codes(only(&record)), ["acknowledged-then-lost", "stored-differs"]);
}

#[test]
fn what_was_refused_has_failed_and_is_not_lost() {
    for trial in under("refuse=0.1", [1, 2], 3) {
        assert!(trial.told.refused > 0);
        assert_eq!(codes(&trial.repetition), ["messages-failed", "send-errors"]);
        assert_eq!(trial.repetition.verdict.status, Judgement::Suspect);
    }
}

#[test]
fn all_lies_at_once_are_told_apart() {
    let lies = format!(
        "drop=0.08,duplicate=0.08,reorder=0.08:500ms,corrupt=0.08,delay=0.08:{}ms,refuse=0.08",
        HELD.as_millis()
    );
    for trial in under(&lies, [1, 2, 3], 3) {
        let told = trial.told;
        for count in [told.dropped, told.duplicated, told.corrupted, told.delayed, told.refused] {
            assert!(count > 0, "{told:?}");
        }
        assert!(told.out_of_order > 0, "{told:?}");
        let found = codes(&trial.repetition);
        for code in [
            "acknowledged-then-lost",
            "messages-failed",
            "messages-corrupt",
            "messages-duplicate",
            "send-errors",
        ] {
            assert!(found.contains(&code), "{found:?}");
        }
        assert_eq!(trial.repetition.verdict.status, Judgement::Suspect);
    }
}
