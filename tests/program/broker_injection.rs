//! Faults injected by the built-in broker are counted exactly.

use std::{
    collections::{HashMap, HashSet},
    fs,
};

use hubmark::{
    broker::fault_injection::InjectionCounts,
    stamp::{Stamp, UserId},
};
use rdkafka::Offset;

use crate::support::{
    builtin_broker::{BuiltinBroker, CountingProducer, consume},
    wait::until_async,
};

/// Counts of what arrived at a consumer without faults.
#[derive(Debug, Default, PartialEq, Eq)]
struct Received {
    arrived: u64,
    intact: u64,
    duplicate: u64,
    out_of_order: u64,
    corrupt: u64,
}

fn count_received(values: &[Vec<u8>]) -> Received {
    let mut received = Received { arrived: values.len() as u64, ..Received::default() };
    let mut known = HashSet::new();
    let mut latest: HashMap<UserId, Stamp> = HashMap::new();
    for value in values {
        let (stamp, payload) = Stamp::split(value).unwrap();
        if payload != stamp.to_bytes().repeat(4) {
            received.corrupt += 1;
            continue;
        }
        if known.insert(stamp) {
            received.intact += 1;
        } else {
            received.duplicate += 1;
        }
        let latest = latest.entry(stamp.user()).or_insert(stamp);
        received.out_of_order += u64::from(stamp < *latest);
        *latest = stamp.max(*latest);
    }
    received
}

const USERS: u32 = 50;
const MESSAGES: u64 = 40;
/// Messages of all users together.
const ALL: u64 = USERS as u64 * MESSAGES;

/// Sends every user's messages over several connections to a broker that injects `faults`, consumes
/// what it stores, and compares its counts with what arrived; returns both.
async fn send_with_faults(faults: &str) -> (InjectionCounts, Received) {
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("report.json");
    let faults = format!("{faults},seed=11,report={}", report.display());
    let broker = BuiltinBroker::start(&["--lie", &faults]);
    broker.create_topic(1).await.unwrap();
    let producers: Vec<_> = (0..5)
        .map(|_| broker.producer(&[("linger.ms", "1"), ("batch.num.messages", "7")]))
        .collect();
    for number in 0..MESSAGES {
        for user in 0..USERS {
            let message = Stamp::new(user, number).to_bytes().repeat(5);
            producers[user as usize % producers.len()].send(&message);
        }
    }
    let outcomes = producers.iter().map(CountingProducer::wait_for_outcomes);
    let (acked, refused) = outcomes.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let read =
        || -> InjectionCounts { serde_json::from_slice(&fs::read(&report).unwrap()).unwrap() };
    let all_stored = async || read().received >= ALL && read().held == 0;
    until_async("the broker has handled every message", all_stored).await;
    let stored = read().stored;
    let values = consume(&broker.consumer(Offset::Beginning), usize::try_from(stored).unwrap());
    let received = count_received(&values);
    assert_eq!(broker.watermarks(), (0, i64::try_from(stored).unwrap()), "nothing else is stored");
    broker.stop();
    let counts = read();
    assert_eq!(counts.received, ALL);
    assert_eq!((acked, refused), (ALL - counts.refused, counts.refused));
    assert_eq!(received.duplicate, counts.duplicated);
    assert_eq!(received.out_of_order, counts.out_of_order);
    assert_eq!(received.corrupt, counts.corrupted);
    assert_eq!(received.intact, ALL - counts.dropped - counts.corrupted - counts.refused);
    (counts, received)
}

/// Far fewer than the tests below inject of each fault.
const FEW: u64 = 40;

#[tokio::test]
async fn without_faults_every_message_arrives() {
    let (counts, received) = send_with_faults("drop=0").await;
    assert_eq!(received, Received { arrived: ALL, intact: ALL, ..Received::default() });
    assert_eq!((counts.delayed, counts.reordered, counts.given_up), (0, 0, 0));
}

#[tokio::test]
async fn dropped_messages_are_counted_exactly() {
    let (counts, received) = send_with_faults("drop=0.05").await;
    assert!(counts.dropped > FEW);
    assert_eq!((received.arrived, received.out_of_order), (ALL - counts.dropped, 0));
}

#[tokio::test]
async fn duplicated_messages_are_counted_exactly() {
    let (counts, received) = send_with_faults("duplicate=0.05").await;
    assert!(counts.duplicated > FEW);
    assert_eq!((received.intact, received.out_of_order), (ALL, 0));
}

#[tokio::test]
async fn reordered_messages_are_counted_exactly() {
    let (counts, received) = send_with_faults("reorder=0.05:500ms").await;
    assert!(counts.reordered > FEW);
    assert_eq!((received.intact, received.out_of_order), (ALL, counts.reordered));
}

#[tokio::test]
async fn corrupted_messages_are_counted_exactly() {
    let (counts, received) = send_with_faults("corrupt=0.05").await;
    assert!(counts.corrupted > FEW);
    assert_eq!((received.arrived, received.out_of_order), (ALL, 0));
}

#[tokio::test]
async fn delayed_messages_are_counted_exactly() {
    let (counts, received) = send_with_faults("delay=0.05:300ms").await;
    assert!(counts.delayed > FEW);
    assert!(received.intact == ALL && received.out_of_order <= counts.delayed);
}

#[tokio::test]
async fn refused_messages_are_counted_exactly() {
    let (counts, received) = send_with_faults("refuse=0.2").await;
    assert!(counts.refused > FEW);
    assert_eq!((received.arrived, received.out_of_order), (ALL - counts.refused, 0));
}

#[tokio::test]
async fn all_faults_together_are_counted_exactly() {
    let faults = "drop=0.03,duplicate=0.03,reorder=0.03:200ms,corrupt=0.03,delay=0.03:100ms,\
                refuse=0.03";
    let (counts, _) = send_with_faults(faults).await;
    assert!(
        counts.dropped * counts.duplicated * counts.reordered * counts.corrupted * counts.delayed
            > 0
    );
}
