//! The topic: made anew for every repetition, and what its leaders hold.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::Client,
    error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code},
    metadata::MetadataPartition,
};

use super::{
    facts,
    notes::Listener,
    place::{Place, reason},
    settings::{Settings, Table},
};
use crate::{
    backend::{BackendError, external::is_leftover},
    plan::Durability,
};

/// The one topic of every run on a broker of our own.
pub(super) const TOPIC: &str = "hubmark";
/// Between the words of a topic's name on a broker of others.
pub(super) const MARK: char = '-';
/// Longest time for a topic to be gone for good.
const FAREWELL: Duration = Duration::from_secs(15);
/// Longest time for a topic to be gone and there again: a cold broker on a small box needs tens of
/// seconds for its first one.
const PATIENCE: Duration = Duration::from_mins(1);
/// Longest time for one request, and for one question asked again and again.
pub(super) const REQUEST: Duration = Duration::from_secs(5);
/// Longest wait for one answer before it is asked for again.
const ANSWER: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// How a topic shall be made.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub partitions: i32,
    pub replication: i32,
    pub settings: Table,
}

impl Wanted {
    pub(super) fn new(settings: &Settings, durability: Durability) -> Self {
        let mut topic = settings.topic.clone();
        if durability == Durability::Disk {
            topic.insert("flush.messages".into(), "1".into());
        }
        Self { partitions: settings.partitions, replication: settings.replication, settings: topic }
    }
}

/// The offsets that one partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// Of its first message.
    pub low: i64,
    /// After its last message.
    pub high: i64,
}

/// Asks the leaders of all partitions what they hold; returns once all have answered. Blocks.
///
/// A broker may be named as the leader a moment before it knows, so it is asked again for a while.
pub(super) fn held(client: &Client<impl ClientContext>, topic: &str) -> Result<Vec<Held>, String> {
    let started = Instant::now();
    loop {
        match ask(client, topic) {
            Err(_) if started.elapsed() < REQUEST => thread::sleep(PAUSE),
            answer => return answer,
        }
    }
}

fn ask(client: &Client<impl ClientContext>, name: &str) -> Result<Vec<Held>, String> {
    let metadata = client.fetch_metadata(Some(name), ANSWER).map_err(|error| reason(&error))?;
    let topic = metadata
        .topics()
        .iter()
        .find(|topic| topic.name() == name)
        .ok_or("the server does not mention the topic")?;
    if let Some(error) = topic.error() {
        return Err(Code::from(error).to_string());
    }
    if topic.partitions().is_empty() {
        return Err("the topic has no partitions yet".into());
    }
    if let Some(partition) = topic.partitions().iter().find(|partition| partition.leader() < 0) {
        return Err(format!("partition {} has no leader", partition.id()));
    }
    let mut ids: Vec<_> = topic.partitions().iter().map(MetadataPartition::id).collect();
    ids.sort_unstable();
    ids.into_iter()
        .map(|id| {
            let (low, high) =
                client.fetch_watermarks(name, id, ANSWER).map_err(|error| reason(&error))?;
            Ok(Held { low, high })
        })
        .collect()
}

/// Deletes the topic, if there is one, and makes it anew; returns when it can be written to and has
/// the settings that were asked for.
pub(super) async fn make_anew(
    admin: &Arc<AdminClient<Listener>>,
    place: &Place,
    wanted: &Wanted,
) -> Result<(), BackendError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        create_anew(admin, place, wanted, deadline).await?;
        let (asked, topic) = (Arc::clone(admin), Arc::clone(&place.topic));
        let led = place.blocking(move || held(asked.inner(), &topic)).await?;
        led.map_err(|last| place.failed("waiting for the topic's leader", last))?;
        // With ZooKeeper a broker that is still at deleting the old topic takes the new one's
        // settings away with the old one's. Once the new one has a leader, that is over.
        let missing = facts::missing_from_topic(admin, &place.topic, &wanted.settings)
            .await
            .map_err(|error| place.failed("reading the topic's settings back", reason(&error)))?;
        if missing.is_empty() {
            return Ok(());
        }
        let missing = missing.join(", ");
        tracing::debug!(target: "hubmark::kafka", "the new topic came without {missing}: again");
        if Instant::now() > deadline {
            return Err(place.failed("creating the topic", format!("it came without {missing}")));
        }
    }
}

/// Creates the topic, and deletes it first as often as it is in the way.
async fn create_anew(
    admin: &AdminClient<Listener>,
    place: &Place,
    wanted: &Wanted,
    deadline: Instant,
) -> Result<(), BackendError> {
    loop {
        let last = match create(admin, &place.topic, wanted).await {
            Ok(()) => return Ok(()),
            // Also while the server is still at deleting it, which it does in its own time.
            Err(KafkaError::AdminOp(code @ Code::TopicAlreadyExists)) => {
                match delete(admin, &place.topic).await {
                    Ok(())
                    | Err(KafkaError::AdminOp(Code::OperationTimedOut | Code::RequestTimedOut)) => {
                    }
                    Err(error) => {
                        return Err(place.failed("deleting the topic", reason(&error)));
                    }
                }
                code
            }
            // A broker that has only just started is not yet counted by its controller, and may be
            // too busy to answer in time.
            Err(KafkaError::AdminOp(
                code @ (Code::InvalidReplicationFactor
                | Code::NotController
                | Code::LeaderNotAvailable
                | Code::OperationTimedOut
                | Code::RequestTimedOut),
            )) => code,
            Err(error) => return Err(refused(place, wanted, &error)),
        };
        if Instant::now() > deadline {
            return Err(refused(place, wanted, &KafkaError::AdminOp(last)));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn refused(place: &Place, wanted: &Wanted, error: &KafkaError) -> BackendError {
    let settings: Vec<_> =
        wanted.settings.iter().map(|(key, value)| format!(", {key} = {value}")).collect();
    place.failed(
        format!(
            "creating the topic (partitions = {}, replication = {}{})",
            wanted.partitions,
            wanted.replication,
            settings.concat()
        ),
        reason(error),
    )
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST)).operation_timeout(Some(REQUEST))
}

async fn create(admin: &AdminClient<Listener>, name: &str, wanted: &Wanted) -> KafkaResult<()> {
    let mut topic =
        NewTopic::new(name, wanted.partitions, TopicReplication::Fixed(wanted.replication));
    for (key, value) in &wanted.settings {
        topic = topic.set(key, value);
    }
    let results = admin.create_topics([&topic], &options()).await?;
    results.into_iter().try_for_each(|result| match result {
        Ok(_) => Ok(()),
        Err((_, code)) => Err(KafkaError::AdminOp(code)),
    })
}

/// Deletes the topic; returns when the server has said so.
pub(super) async fn remove(
    admin: &AdminClient<Listener>,
    place: &Place,
) -> Result<(), BackendError> {
    remove_named(admin, place, &place.topic).await
}

async fn remove_named(
    admin: &AdminClient<Listener>,
    place: &Place,
    name: &str,
) -> Result<(), BackendError> {
    let deadline = Instant::now() + FAREWELL;
    loop {
        match delete(admin, name).await {
            Ok(()) => return Ok(()),
            // It may take its time: it is asked until it knows the topic no more.
            Err(KafkaError::AdminOp(Code::OperationTimedOut | Code::RequestTimedOut))
                if Instant::now() < deadline => {}
            Err(error) => {
                let reason = format!("{}\n  remove the topic {name} by hand", reason(&error));
                return Err(place.failed("deleting the topic", reason));
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Deletes the topics of dead runs; returns their names.
pub(super) async fn sweep(
    admin: &Arc<AdminClient<Listener>>,
    place: &Place,
) -> Result<Vec<String>, BackendError> {
    let asked = Arc::clone(admin);
    let known = place.blocking(move || asked.inner().fetch_metadata(None, REQUEST)).await?;
    let known = known.map_err(|error| place.failed("listing the topics", reason(&error)))?;
    let names = known.topics().iter().map(|topic| topic.name().to_owned());
    let dead: Vec<_> = names.filter(|name| is_leftover(name, MARK)).collect();
    for name in &dead {
        remove_named(admin, place, name).await?;
    }
    Ok(dead.into_iter().map(|name| format!("topic {name}")).collect())
}

async fn delete(admin: &AdminClient<Listener>, name: &str) -> KafkaResult<()> {
    let results = admin.delete_topics(&[name], &options()).await?;
    results.into_iter().try_for_each(|result| match result {
        Ok(_) | Err((_, Code::UnknownTopicOrPartition)) => Ok(()),
        Err((_, code)) => Err(KafkaError::AdminOp(code)),
    })
}
