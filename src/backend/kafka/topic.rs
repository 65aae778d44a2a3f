//! The topic: made anew for every repetition, looked at by its leaders.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code},
    metadata::Metadata,
};

use super::{
    notes::Listener,
    place::{Place, reason},
    settings::{Settings, Table},
};
use crate::{backend::BackendError, plan::Durability};

/// The one topic of every run.
pub(super) const TOPIC: &str = "hubmark";
/// Longest time for a topic to be gone and there again.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest time for one request.
pub(super) const REQUEST: Duration = Duration::from_secs(5);
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

/// The number of the topic's partitions; an error while one of them has no leader.
pub(super) fn partitions(metadata: &Metadata) -> Result<i32, String> {
    let topic = metadata
        .topics()
        .iter()
        .find(|topic| topic.name() == TOPIC)
        .ok_or("the server does not mention the topic")?;
    if let Some(error) = topic.error() {
        return Err(Code::from(error).to_string());
    }
    if let Some(partition) = topic.partitions().iter().find(|partition| partition.leader() < 0) {
        return Err(format!("partition {} has no leader", partition.id()));
    }
    match i32::try_from(topic.partitions().len()) {
        Ok(0) | Err(_) => Err("the topic has no partitions yet".into()),
        Ok(partitions) => Ok(partitions),
    }
}

/// Deletes the topic, if there is one, and makes it anew; returns when it can be written to.
pub(super) async fn make_anew(
    admin: &Arc<AdminClient<Listener>>,
    place: &Place,
    wanted: &Wanted,
) -> Result<(), BackendError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let last = match create(admin, wanted).await {
            Ok(()) => break,
            // Also while the server is still at deleting it, which it does in its own time.
            Err(KafkaError::AdminOp(code @ Code::TopicAlreadyExists)) => {
                delete(admin)
                    .await
                    .map_err(|error| place.failed("deleting the topic", reason(&error)))?;
                code
            }
            // A broker that has only just started is not yet counted by its controller.
            Err(KafkaError::AdminOp(
                code @ (Code::InvalidReplicationFactor
                | Code::NotController
                | Code::LeaderNotAvailable),
            )) => code,
            Err(error) => return Err(refused(place, wanted, &error)),
        };
        if Instant::now() > deadline {
            return Err(refused(place, wanted, &KafkaError::AdminOp(last)));
        }
        tokio::time::sleep(PAUSE).await;
    }
    wait_for_leaders(admin, place, deadline).await
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

async fn create(admin: &AdminClient<Listener>, wanted: &Wanted) -> KafkaResult<()> {
    let mut topic =
        NewTopic::new(TOPIC, wanted.partitions, TopicReplication::Fixed(wanted.replication));
    for (key, value) in &wanted.settings {
        topic = topic.set(key, value);
    }
    let results = admin.create_topics([&topic], &options()).await?;
    results.into_iter().try_for_each(|result| match result {
        Ok(_) => Ok(()),
        Err((_, code)) => Err(KafkaError::AdminOp(code)),
    })
}

async fn delete(admin: &AdminClient<Listener>) -> KafkaResult<()> {
    let results = admin.delete_topics(&[TOPIC], &options()).await?;
    results.into_iter().try_for_each(|result| match result {
        Ok(_) | Err((_, Code::UnknownTopicOrPartition)) => Ok(()),
        Err((_, code)) => Err(KafkaError::AdminOp(code)),
    })
}

async fn wait_for_leaders(
    admin: &Arc<AdminClient<Listener>>,
    place: &Place,
    deadline: Instant,
) -> Result<(), BackendError> {
    loop {
        let asked = Arc::clone(admin);
        let state = place
            .blocking(move || {
                let metadata = asked.inner().fetch_metadata(Some(TOPIC), REQUEST);
                metadata.map_err(|error| reason(&error)).and_then(|found| partitions(&found))
            })
            .await?;
        match state {
            Ok(_) => return Ok(()),
            Err(last) if Instant::now() > deadline => {
                return Err(place.failed("waiting for the topic's leader", last));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
