//! The built-in broker, used by the unchanged client library.

use std::collections::HashSet;

use rdkafka::{
    Offset,
    admin::{AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    types::RDKafkaErrorCode,
};

use crate::support::{
    builtin_broker::{BuiltinBroker, TOPIC, consume},
    wait::WAIT_LIMIT,
};

#[tokio::test]
async fn messages_arrive_unchanged_and_in_order() {
    let broker = BuiltinBroker::start(&[]);
    broker.create_topic(1).await.unwrap();
    let producer = broker.producer(&[("linger.ms", "1")]);
    let sent: Vec<Vec<u8>> = (0..5_000_u32).map(|n| n.to_be_bytes().repeat(25)).collect();
    for value in &sent {
        producer.send(value);
    }
    assert_eq!(producer.wait_for_outcomes(), (5_000, 0));
    assert_eq!(consume(&broker.consumer(Offset::Beginning), 5_000), sent);
    let from_the_middle = consume(&broker.consumer(Offset::Offset(4_321)), 5_000 - 4_321);
    assert_eq!(from_the_middle, sent[4_321..]);
    assert_eq!(broker.watermarks(), (0, 5_000));
    broker.stop();
}

#[tokio::test]
async fn a_new_message_ends_a_waiting_fetch() {
    let broker = BuiltinBroker::start(&[]);
    broker.create_topic(1).await.unwrap();
    let consumer = broker.consumer(Offset::Beginning);
    let producer = broker.producer(&[("linger.ms", "0")]);
    // The consumer's fetches wait far longer than this test lasts, unless a message ends them.
    for round in 0..50_u32 {
        producer.send(&round.to_be_bytes());
        assert_eq!(consume(&consumer, 1), [round.to_be_bytes()]);
    }
}

#[tokio::test]
async fn large_messages_arrive_unchanged() {
    let broker = BuiltinBroker::start(&[]);
    broker.create_topic(1).await.unwrap();
    let producer = broker.producer(&[("message.max.bytes", "2000000")]);
    let sent: Vec<Vec<u8>> = [10_000, 1_000_000, 1, 1_500_000]
        .into_iter()
        .map(|size| (0..size).map(|n: u32| (n % 251) as u8).collect())
        .collect();
    for value in &sent {
        producer.send(value);
    }
    assert_eq!(producer.wait_for_outcomes(), (4, 0));
    let received = consume(&broker.consumer(Offset::Beginning), 4);
    assert!(received == sent, "{:?}", received.iter().map(Vec::len).collect::<Vec<_>>());
}

#[tokio::test]
async fn compression_and_idempotence_work() {
    let broker = BuiltinBroker::start(&[]);
    broker.create_topic(1).await.unwrap();
    let mut codecs = vec!["none", "gzip", "lz4", "snappy"];
    if cfg!(feature = "zstd") {
        codecs.push("zstd");
    }
    for codec in &codecs {
        let producer =
            broker.producer(&[("compression.codec", codec), ("enable.idempotence", "true")]);
        for _ in 0..100 {
            producer.send(&codec.as_bytes().repeat(100));
        }
        assert_eq!(producer.wait_for_outcomes(), (100, 0), "{codec}");
    }
    let received = consume(&broker.consumer(Offset::Beginning), 100 * codecs.len());
    for codec in &codecs {
        let expected = codec.as_bytes().repeat(100);
        assert_eq!(received.iter().filter(|value| **value == expected).count(), 100, "{codec}");
    }
}

#[tokio::test]
async fn topics_are_created_and_deleted() {
    let broker = BuiltinBroker::start(&[]);
    assert_eq!(broker.delete_topic().await, Err(RDKafkaErrorCode::UnknownTopicOrPartition));
    broker.create_topic(3).await.unwrap();
    assert_eq!(broker.create_topic(1).await, Err(RDKafkaErrorCode::TopicAlreadyExists));
    let admin = broker.admin();
    let metadata = admin.inner().fetch_metadata(Some(TOPIC), WAIT_LIMIT).unwrap();
    assert_eq!(metadata.topics()[0].partitions().len(), 3);
    let producer = broker.producer(&[]);
    producer.send(b"old");
    assert_eq!(producer.wait_for_outcomes(), (1, 0));
    broker.delete_topic().await.unwrap();
    broker.create_topic(1).await.unwrap();
    producer.send(b"new");
    assert_eq!(producer.wait_for_outcomes(), (2, 0));
    assert_eq!(consume(&broker.consumer(Offset::Beginning), 1), [b"new"]);
    assert_eq!(broker.watermarks(), (0, 1));
}

#[tokio::test]
async fn topic_settings_that_memory_cannot_fulfil_are_refused() {
    let broker = BuiltinBroker::start(&[]);
    let flushed = NewTopic::new(TOPIC, 1, TopicReplication::Fixed(1)).set("flush.messages", "1");
    assert_eq!(broker.create(&flushed).await, Err(RDKafkaErrorCode::InvalidConfig));
    let three = NewTopic::new(TOPIC, 1, TopicReplication::Fixed(3));
    assert_eq!(broker.create(&three).await, Err(RDKafkaErrorCode::InvalidReplicationFactor));
}

#[tokio::test]
async fn unread_data_is_never_dropped() {
    let broker = BuiltinBroker::start(&["--retention", "1 MB"]);
    broker.create_topic(1).await.unwrap();
    let producer = broker.producer(&[("linger.ms", "0"), ("batch.num.messages", "1")]);
    for _ in 0..200 {
        producer.send(&[7; 10_000]);
    }
    let (acked, refused) = producer.wait_for_outcomes();
    assert!((90..100).contains(&acked), "{acked} acknowledged");
    assert_eq!(refused, 200 - acked);
    let all = usize::try_from(acked).unwrap();
    assert_eq!(consume(&broker.consumer(Offset::Beginning), all).len(), all);
    // Data that was read is dropped to make room, as the watermarks show.
    producer.send(&[8; 10_000]);
    assert_eq!(producer.wait_for_outcomes(), (acked + 1, refused));
    let (low, high) = broker.watermarks();
    assert!(low > 0 && high == i64::try_from(acked).unwrap() + 1);
}

#[tokio::test]
async fn effective_settings_are_described() {
    let broker = BuiltinBroker::start(&["--retention", "123456789 B"]);
    broker.create_topic(1).await.unwrap();
    let resources = [ResourceSpecifier::Broker(1), ResourceSpecifier::Topic(TOPIC)];
    let described =
        broker.admin().describe_configs(&resources, &AdminOptions::new()).await.unwrap();
    let value = |index: usize, name: &str| {
        let entries = described[index].as_ref().unwrap().entry_map();
        entries.get(name).and_then(|entry| entry.value.clone())
    };
    assert_eq!(value(0, "log.retention.bytes").as_deref(), Some("123456789"));
    assert_eq!(value(1, "hubmark.storage").as_deref(), Some("memory"));
    assert_eq!(value(1, "flush.messages"), None);
}

#[tokio::test]
async fn many_users_connect_and_send() {
    const USERS: usize = 100;
    let broker = BuiltinBroker::start(&[]);
    broker.create_topic(1).await.unwrap();
    let users: Vec<_> = (0..USERS).map(|_| broker.producer(&[("linger.ms", "0")])).collect();
    for (user, number) in users.iter().zip(0_u32..) {
        user.send(&number.to_be_bytes());
    }
    for user in &users {
        assert_eq!(user.wait_for_outcomes(), (1, 0));
    }
    let received: HashSet<_> =
        consume(&broker.consumer(Offset::Beginning), USERS).into_iter().collect();
    assert_eq!(received.len(), USERS);
}

#[test]
fn connections_with_another_protocol_are_closed() {
    use std::io::{Read, Write};
    let broker = BuiltinBroker::start(&[]);
    for nonsense in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0, 0, 0, 8, 0, 99, 0, 0, 0, 0, 0, 0]] {
        let mut stream = std::net::TcpStream::connect(&broker.address).unwrap();
        stream.set_read_timeout(Some(WAIT_LIMIT)).unwrap();
        stream.write_all(nonsense).unwrap();
        let answer = stream.read(&mut [0; 8]);
        let waited = matches!(&answer, Err(e) if e.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!waited && !matches!(answer, Ok(1..)), "{answer:?}");
    }
    broker.stop();
}
