//! What several threads record is counted once, whichever thread records what and whenever it is merged.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{
    backend::{SendOutcomes, SendReceipt},
    measure::{LatencySummary, TimelineSecond},
    plan::{PayloadSource, Scenario},
    workload::payload::PayloadGenerator,
};

const USERS: u32 = 7;
const START: Micros = Micros(1_000_000);

fn recorder(users: u32, planned: u64) -> Recorder {
    let payloads = PayloadGenerator::new(1, 8, PayloadSource::Seeded);
    let recorder = Recorder::new(Clock::start(), users, planned, payloads);
    recorder.start_load(LoadStart {
        start: START,
        measure_from: START.after(Duration::from_millis(20)),
        due: Vec::new(),
        scope: TimelineScope {
            payload: 8,
            scenario: Scenario::Both,
            is_paced: true,
            without_acks: false,
        },
        waiting: Waiting::Schedule,
    });
    recorder
}

const fn receipt(stamp: Stamp, at: Micros) -> SendReceipt {
    SendReceipt { stamp, at, not_before: at }
}

/// What happens to one message.
#[derive(Debug, Clone, Copy)]
struct Message {
    user: u32,
    answer: Answer,
    /// Microseconds from the send to the answer, and from there to the arrival, if it arrives.
    answered_after: i64,
    arrives_after: Option<i64>,
    /// Threads that learn the answer and the arrival.
    threads: (usize, usize),
    /// Whether a reader merges after the send.
    is_read: bool,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Acked,
    Refused,
    Unknown,
    WaitedThenAcked,
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let answer = prop_oneof![
        4 => Just(Answer::Acked),
        1 => Just(Answer::Refused),
        1 => Just(Answer::Unknown),
        1 => Just(Answer::WaitedThenAcked),
    ];
    let message = (
        0..USERS,
        answer,
        1_i64..900,
        prop::option::of(1_i64..900),
        (0..3_usize, 0..2_usize),
        any::<bool>(),
    );
    let message = message.prop_map(|(user, answer, answered, arrives, threads, is_read)| Message {
        user,
        answer,
        answered_after: answered,
        arrives_after: arrives,
        threads,
        is_read,
    });
    prop::collection::vec(message, 0..60)
}

type Results =
    (Ledger, Durations<LatencySummary>, Vec<TimelineSecond>, BTreeMap<String, u64>, [u64; 4]);

/// Records all messages; `is_split` is whether each thread records by itself, `is_read` whether a reader merges
/// meanwhile.
fn recorded(all: &[Message], is_split: bool, is_read: bool) -> Results {
    let recorder = recorder(USERS, all.len() as u64);
    let on = |is_other_thread: bool, record: &(dyn Fn() + Sync)| {
        if is_other_thread {
            thread::scope(|scope| scope.spawn(record).join().unwrap());
        } else {
            record();
        }
    };
    // A millisecond apart: the times of two messages' outcomes do not depend on the order of the threads.
    let times = (0..).map(|number| START.after(Duration::from_micros(1_003 * number)));
    for (message, due) in all.iter().zip(times) {
        let stamp = Stamp::new(message.user, due.0.unsigned_abs());
        let handed_over = SendTimes { due, sent: Micros(due.0 + 5) };
        recorder.record_sending(stamp, handed_over);
        let read = || is_read.then(|| recorder.ledger());
        let _ = message.is_read.then(read);
        let mut times = SendTimes { sent: Micros(due.0 + 9), ..handed_over };
        let waits = matches!(message.answer, Answer::WaitedThenAcked);
        if waits {
            times.sent = Micros(due.0 + 40);
        } else {
            recorder.record_sent(stamp, times, false);
        }
        let answered = Micros(times.sent.0 + message.answered_after);
        let receipt = receipt(stamp, answered);
        on(is_split && message.threads.0 > 0, &|| match message.answer {
            Answer::Acked => recorder.acked(&[receipt]),
            Answer::Refused => recorder.refused(receipt, "no"),
            Answer::Unknown => recorder.unknown(receipt, "lost"),
            Answer::WaitedThenAcked => {
                recorder.written(stamp, times.sent);
                recorder.acked(&[receipt]);
            }
        });
        if let Some(after) = message.arrives_after {
            let at = Micros(times.sent.0 + after);
            on(is_split && message.threads.1 > 0, &|| {
                recorder.record_arrivals(&[VerifiedArrival { stamp, at, intact: true }]);
            });
        }
    }
    recorder.end_drain();
    let counts =
        [recorder.offered(), recorder.sent(), recorder.acknowledged(), recorder.delivered()];
    let durations = recorder.durations();
    let durations = Durations {
        lag: durations.lag.summary(),
        ack: durations.ack.summary(),
        delivery: durations.delivery.summary(),
        response: durations.response.summary(),
    };
    let (seconds, _) = recorder.finish_timeline(START.after(Duration::from_secs(1)));
    (recorder.ledger(), durations, seconds, recorder.reasons(), counts)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_split_over_threads_and_merges_gives_the_same_result(all in messages()) {
        let one = recorded(&all, false, false);
        prop_assert_eq!(&recorded(&all, true, false), &one);
        prop_assert_eq!(&recorded(&all, true, true), &one);
        let (ledger, durations, ..) = one;
        prop_assert_eq!(ledger.sent, all.len() as u64);
        prop_assert!(ledger.contradictions().is_empty(), "{:?}", ledger.contradictions());
        let measured = all.len().saturating_sub(20) as u64;
        prop_assert_eq!(durations.lag.count, measured);
    }
}

#[test]
fn threads_that_record_at_the_same_time_lose_nothing() {
    const MESSAGES: u64 = 200_000;
    let recorder = &recorder(USERS, MESSAGES);
    let (answers, consumer): (Vec<_>, _) = (
        (0..3).map(|_| std::sync::mpsc::channel::<Stamp>()).collect(),
        std::sync::mpsc::channel::<Stamp>(),
    );
    let (answer_to, answered): (Vec<_>, Vec<_>) = answers.into_iter().unzip();
    let is_over = &AtomicBool::new(false);
    thread::scope(|scope| {
        for stamps in answered {
            scope.spawn(move || {
                for stamp in stamps {
                    recorder.acked(&[receipt(stamp, recorder.clock().now())]);
                }
            });
        }
        let arrivals = scope.spawn(move || {
            for stamp in consumer.1 {
                let at = recorder.clock().now();
                recorder.record_arrivals(&[VerifiedArrival { stamp, at, intact: true }]);
            }
        });
        scope.spawn(|| {
            while !is_over.load(Relaxed) {
                let ledger = recorder.ledger();
                assert!(ledger.sent >= ledger.delivered && ledger.corrupt == 0, "{ledger:?}");
            }
        });
        for number in 1..=MESSAGES {
            let stamp = Stamp::new((number % u64::from(USERS)) as u32, number);
            let now = recorder.clock().now();
            let times = SendTimes { due: now, sent: now };
            recorder.record_sending(stamp, times);
            answer_to[(number % 3) as usize].send(stamp).unwrap();
            consumer.0.send(stamp).unwrap();
            recorder.record_sent(stamp, times, false);
        }
        drop((answer_to, consumer.0));
        arrivals.join().unwrap();
        is_over.store(true, Relaxed);
    });
    recorder.end_drain();
    let ledger = recorder.ledger();
    assert_eq!((ledger.sent, ledger.delivered), (MESSAGES, MESSAGES));
    assert_eq!((ledger.acked, ledger.lost, ledger.duplicate), (Some(MESSAGES), 0, 0));
    assert_eq!(recorder.durations().ack.negative(), 0);
    assert_eq!((recorder.sent(), recorder.pending_count(true)), (MESSAGES, 0));
}

#[test]
fn without_a_reader_the_logs_do_not_grow() {
    const MESSAGES: u64 = 1_000_000;
    let recorder = recorder(1, MESSAGES);
    for number in 1..=MESSAGES {
        let (stamp, at) = (Stamp::new(0, number), Micros(number.cast_signed()));
        let times = SendTimes { due: at, sent: at };
        recorder.record_sending(stamp, times);
        recorder.record_sent(stamp, times, false);
        recorder.acked(&[receipt(stamp, at)]);
        recorder.record_arrivals(&[VerifiedArrival { stamp, at, intact: true }]);
    }
    let logs = recorder.logs.lock();
    let entries: usize = logs
        .iter()
        .map(|(_, log)| log.sends.lock().capacity() + log.outcomes.lock().answers.capacity())
        .sum();
    assert!(entries <= 2 * (MERGE_SENDS + MERGE_OUTCOMES), "{entries}");
    drop(logs);
    assert_eq!(recorder.delivered(), MESSAGES);
}

#[test]
fn a_message_that_is_merged_during_its_hand_over_is_corrected() {
    let recorder = recorder(1, 2);
    let (first, second) = (Stamp::new(0, 1), Stamp::new(0, 2));
    let times = |sent| SendTimes { due: Micros(2_000_000), sent: Micros(sent) };
    recorder.record_sending(first, times(2_000_010));
    assert_eq!((recorder.ledger().sent, recorder.sent()), (1, 0), "merged in between");
    recorder.record_sent(first, times(2_000_030), false);
    recorder.acked(&[receipt(first, Micros(2_000_100))]);
    assert_eq!(recorder.durations().ack.max(), Some(70.0), "from the write on");
    recorder.record_sending(second, times(2_000_200));
    assert_eq!(recorder.ledger().sent, 2);
    recorder.withdraw(second, times(2_000_200), Some("too large"));
    assert_eq!((recorder.ledger().sent, recorder.offered()), (1, 2));
    assert_eq!(recorder.reasons(), BTreeMap::from([("too large".to_owned(), 1)]));
}
