//! Fault injection: the built-in broker drops, duplicates, reorders, corrupts, delays and refuses known
//! shares of the messages, and reports afterwards what it did. The record must say exactly the same.

use std::{fs, panic::resume_unwind, thread, time::Duration};

use hubmark::{
    broker::{INJECTION_VARIABLE, fault_injection::InjectionCounts},
    measure::{Judgement, Ledger},
    record::{Latency, Repetition, histogram},
};

use crate::support::{
    loads::QUICK,
    process::ProgramOutput,
    records::{only_repetition, reason_codes},
    sandbox::Sandbox,
};

const PLANNED: u64 = 200;
/// How long a delayed message is held back: far longer than a busy machine delays one.
const DELAY: Duration = Duration::from_millis(400);
/// The drain waits its whole length for a message that never arrives; it is longer than a delayed
/// message takes on a busy machine.
const DRAIN: &str = "workload.drain=\"4 s\"";

/// A run with injected faults.
struct InjectedRun {
    counts: InjectionCounts,
    repetition: Repetition,
    output: ProgramOutput,
}

impl InjectedRun {
    /// Runs the quick load; the broker injects `faults`. The run must end with `status`.
    fn execute(faults: &str, sets: &[&str], status: i32) -> Self {
        let sandbox = Sandbox::new();
        let report = sandbox.path("injected.json");
        let faults = format!("{faults},report={}", report.display());
        let mut command = sandbox.run_command("first-look", &[QUICK, sets], &[]);
        let output = ProgramOutput::of(command.env(INJECTION_VARIABLE, &faults));
        let output = output.exits_with(status);
        let counts = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
        let repetition = only_repetition(&sandbox.out_record()).clone();
        Self { counts, repetition, output }
    }

    fn ledger(&self) -> Ledger {
        self.repetition.ledger
    }
}

/// Runs once for each seed, all at once, and checks the counts of each run.
fn run_with<const N: usize>(faults: &str, seeds: [u64; N], status: i32) -> [InjectedRun; N] {
    thread::scope(|scope| {
        seeds
            .map(|seed| scope.spawn(move || run_with_seed(faults, seed, status)))
            .map(|run| run.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

fn run_with_seed(faults: &str, seed: u64, status: i32) -> InjectedRun {
    let sets = [DRAIN, &format!("run.seed={seed}")];
    let run = InjectedRun::execute(&format!("{faults},seed={seed}"), &sets, status);
    check_counts(&run);
    let (ledger, stdout) = (run.ledger(), &run.output.stdout);
    for (word, number) in [("lost", ledger.lost), ("duplicate", ledger.duplicate)] {
        assert!(stdout.contains(&format!("{word} {number}")), "{stdout}");
    }
    run
}

/// Checks that the record agrees with the broker's report, to the message.
fn check_counts(run: &InjectedRun) {
    let (counts, ledger) = (run.counts, run.ledger());
    assert_eq!(counts.received, PLANNED, "{counts:?}");
    assert_eq!(counts.held, 0, "every delayed message has been stored: {counts:?}");
    let expected = Ledger {
        planned: PLANNED,
        sent: PLANNED,
        unsent: 0,
        not_due: 0,
        acked: Some(PLANNED - counts.refused),
        failed: counts.refused,
        delivered: PLANNED - counts.refused - counts.dropped - counts.corrupted,
        duplicate: counts.duplicated,
        out_of_order: counts.out_of_order,
        corrupt: counts.corrupted,
        late: 0,
        lost: counts.dropped + counts.corrupted,
        acked_then_lost: counts.dropped + counts.corrupted,
        on_the_way: 0,
        stored: Some(counts.stored),
    };
    assert_eq!(ledger, expected, "{counts:?}");
    let delivery = run.repetition.latency.delivery.as_ref().unwrap();
    assert_eq!(delivery.count, ledger.delivered, "each message once, without duplicates");
    let ack = run.repetition.latency.ack.as_ref().unwrap();
    assert_eq!(Some(ack.count), ledger.acked);
    let slow = count_at_least(delivery, DELAY);
    assert!(slow >= counts.delayed, "{slow} slow messages, {} delayed", counts.delayed);
}

/// Number of samples of at least `time`.
fn count_at_least(latency: &Latency, time: Duration) -> u64 {
    let distribution = histogram::decode_latency(latency).unwrap();
    // A bucket is a thousandth wide.
    let from = time.as_micros() as u64 * 999 / 1_000;
    distribution.histogram().count_between(from, u64::MAX)
}

#[test]
fn dropped_messages_are_lost() {
    for run in run_with("drop=0.1", [1, 2], 3) {
        assert!(run.counts.dropped > 0);
        assert_eq!(reason_codes(&run.repetition), ["acknowledged-then-lost", "stored-differs"]);
        assert_eq!(run.repetition.verdict.status, Judgement::Suspect);
        let mut reasons = run.repetition.verdict.reasons.iter();
        let reason = reasons.find(|reason| reason.code == "acknowledged-then-lost").unwrap();
        assert!(reason.text.contains(&run.counts.dropped.to_string()), "{}", reason.text);
        assert_eq!(run.repetition.crossed.len(), 1, "the profile allows no loss");
    }
}

#[test]
fn messages_stored_twice_are_duplicates() {
    for run in run_with("duplicate=0.1", [1, 2], 0) {
        assert!(run.counts.duplicated > 0);
        assert_eq!(reason_codes(&run.repetition), ["messages-duplicate"]);
        assert_eq!(run.repetition.verdict.status, Judgement::Suspect);
    }
}

#[test]
fn swapped_messages_are_out_of_order() {
    for run in run_with("reorder=0.1:1s", [1, 2], 0) {
        assert!(run.counts.reordered > 0);
        assert_eq!(run.ledger().out_of_order, run.counts.reordered);
    }
}

#[test]
fn corrupted_messages_are_lost() {
    for run in run_with("corrupt=0.1", [1, 2], 3) {
        assert!(run.counts.corrupted > 0);
        assert_eq!(reason_codes(&run.repetition), ["acknowledged-then-lost", "messages-corrupt"]);
        assert_eq!(run.repetition.verdict.status, Judgement::Suspect);
    }
}

#[test]
fn delayed_messages_are_slow_and_not_lost() {
    for run in run_with(&format!("delay=0.1:{}ms", DELAY.as_millis()), [1, 2], 0) {
        assert!(run.counts.delayed > 0);
        // A delayed message is acknowledged at once: only its delivery is slow.
        let ack = run.repetition.latency.ack.as_ref().unwrap();
        let delivery = run.repetition.latency.delivery.as_ref().unwrap();
        assert!(delivery.max > ack.max, "{} {}", delivery.max, ack.max);
    }
}

#[test]
fn messages_delayed_beyond_the_drain_are_lost() {
    let run = InjectedRun::execute("delay=0.1:20s", &["workload.drain=\"2 s\""], 3);
    let (counts, ledger) = (run.counts, run.ledger());
    assert!(counts.delayed > 0 && counts.held == counts.delayed, "{counts:?}");
    assert_eq!((ledger.lost, ledger.acked_then_lost), (counts.held, counts.held));
    assert_eq!((ledger.acked, ledger.stored), (Some(PLANNED), Some(counts.stored)));
    assert_eq!(reason_codes(&run.repetition), ["acknowledged-then-lost", "stored-differs"]);
}

#[test]
fn refused_messages_have_failed_and_are_not_lost() {
    for run in run_with("refuse=0.1", [1, 2], 3) {
        assert!(run.counts.refused > 0);
        assert_eq!(reason_codes(&run.repetition), ["messages-failed", "send-errors"]);
        assert_eq!(run.repetition.verdict.status, Judgement::Suspect);
    }
}

#[test]
fn all_faults_at_once_are_distinguished() {
    let faults = format!(
        "drop=0.08,duplicate=0.08,reorder=0.08:500ms,corrupt=0.08,delay=0.08:{}ms,refuse=0.08",
        DELAY.as_millis()
    );
    for run in run_with(&faults, [1, 2, 3], 3) {
        let counts = run.counts;
        for count in
            [counts.dropped, counts.duplicated, counts.corrupted, counts.delayed, counts.refused]
        {
            assert!(count > 0, "{counts:?}");
        }
        assert!(counts.out_of_order > 0, "{counts:?}");
        let found = reason_codes(&run.repetition);
        for code in [
            "acknowledged-then-lost",
            "messages-failed",
            "messages-corrupt",
            "messages-duplicate",
            "send-errors",
        ] {
            assert!(found.contains(&code), "{found:?}");
        }
        assert_eq!(run.repetition.verdict.status, Judgement::Suspect);
    }
}
