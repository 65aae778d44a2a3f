//! Creates the topic anew for every repetition.

use std::time::{Duration, Instant};

use kafka_protocol::{
    ResponseError as Code,
    messages::{
        CreateTopicsRequest, DeleteTopicsRequest,
        create_topics_request::{CreatableTopic, CreatableTopicConfig},
    },
    protocol::StrBytes,
};

use super::{
    cluster::{Cluster, Recipient, topic_name},
    error::ControlError,
    facts,
    offsets::fetch_offsets,
    shared_cluster::SharedCluster,
};
use crate::{
    backend::{
        BackendError,
        external::is_leftover,
        kafka::{
            message_size,
            settings::{KafkaSettings, SettingsTable},
            target::{KafkaTarget, NAME_SEPARATOR},
        },
    },
    format::count_noun,
    plan::Durability,
    units::Bytes,
};

/// Longest time for deleting a topic, in times of one request.
const DELETE_REQUESTS: u32 = 3;
/// Longest time for deleting and creating a topic, in times of one request: a cold broker on a small box needs tens of
/// seconds for its first topic.
const CREATE_REQUESTS: u32 = 12;
/// Longest wait for an answer, after the time for which the server itself waits for a topic to be created or deleted.
const ANSWER_MARGIN: Duration = Duration::from_secs(1);
const RETRY_INTERVAL: Duration = Duration::from_millis(10);
/// Latest versions of the requests; later ones identify topics by number.
const CREATE_VERSION: i16 = 6;
const DELETE_VERSION: i16 = 5;

/// Partitions, replication and settings of a topic to create.
#[derive(Debug, Clone)]
pub struct TopicSpec {
    pub partitions: i32,
    pub replication: i32,
    pub settings: SettingsTable,
}

impl TopicSpec {
    /// Creates the specification; `largest_payload` is that of a topic whose limit on the size of a
    /// message follows from it, unless the profile sets one.
    pub fn new(
        settings: &KafkaSettings,
        durability: Durability,
        largest_payload: Option<Bytes>,
    ) -> Self {
        let mut topic = settings.topic.clone();
        if let Some(limit) = largest_payload.and_then(message_size::topic_limit) {
            topic.entry(message_size::TOPIC_KEY.into()).or_insert_with(|| limit.to_string());
        }
        if durability == Durability::Disk {
            topic.insert("flush.messages".into(), "1".into());
        }
        Self { partitions: settings.partitions, replication: settings.replication, settings: topic }
    }
}

/// Deletes the topic, if it exists, and creates it; returns when it is writable and has the
/// requested settings.
pub async fn recreate(
    cluster: &SharedCluster,
    target: &KafkaTarget,
    spec: &TopicSpec,
) -> Result<(), BackendError> {
    if !target.managed {
        verify_replication(cluster, target, spec).await?;
    }
    let deadline = Instant::now() + target.request_timeout * CREATE_REQUESTS;
    loop {
        create_replacing(cluster, target, spec, deadline).await?;
        let topic = target.topic.clone();
        let offsets = cluster.ask(target, move |cluster| fetch_offsets(cluster, &topic)).await?;
        offsets.map_err(|last| target.operation_error("waiting for the topic's leader", last))?;
        // With ZooKeeper, a broker that is still deleting the old topic removes the new topic's
        // settings together with the old ones. Once the new topic has a leader, that deletion is
        // over.
        let (topic, wanted) = (target.topic.clone(), spec.settings.clone());
        let missing = cluster
            .ask(target, move |cluster| facts::missing_topic_settings(cluster, &topic, &wanted))
            .await?
            .map_err(|error| target.operation_error("reading the topic's settings back", error))?;
        if missing.is_empty() {
            return Ok(());
        }
        let missing = missing.join(", ");
        tracing::debug!(target: "hubmark::kafka", "the new topic lacks {missing}: recreating it");
        if Instant::now() > deadline {
            return Err(target.operation_error(
                "creating the topic",
                format!("it lacks the settings {missing}"),
            ));
        }
    }
}

/// Refuses more copies than an external cluster has brokers.
async fn verify_replication(
    cluster: &SharedCluster,
    target: &KafkaTarget,
    spec: &TopicSpec,
) -> Result<(), BackendError> {
    let metadata =
        cluster.ask(target, |cluster| cluster.metadata(None, cluster.request_timeout())).await?;
    let metadata =
        metadata.map_err(|error| target.operation_error("listing the brokers", error))?;
    let brokers = metadata.brokers.len();
    if spec.replication.unsigned_abs() as usize > brokers {
        let reason = format!(
            "the cluster has {}, and each copy of a partition needs its own: set replication to \
             {brokers} at most",
            count_noun(brokers as u64, "broker")
        );
        let what = format!("creating the topic with replication = {}", spec.replication);
        return Err(target.operation_error(what, reason));
    }
    Ok(())
}

/// Creates the topic, deleting an existing topic of the same name as often as necessary.
async fn create_replacing(
    cluster: &SharedCluster,
    target: &KafkaTarget,
    spec: &TopicSpec,
    deadline: Instant,
) -> Result<(), BackendError> {
    loop {
        let (topic, wanted) = (target.topic.clone(), spec.clone());
        let created = cluster.ask(target, move |cluster| create(cluster, &topic, &wanted)).await?;
        let Err(error) = created else { return Ok(()) };
        match error.response() {
            // The server also reports this while it is still deleting the topic, which it does
            // asynchronously.
            Some(Code::TopicAlreadyExists) => {
                let topic = target.topic.clone();
                match cluster.ask(target, move |cluster| delete(cluster, &topic)).await? {
                    Err(error) if !outlasts_the_request(&error) => {
                        return Err(target.operation_error("deleting the topic", error));
                    }
                    _ => {}
                }
            }
            // The controller does not count a broker that has just started, and it may be too busy
            // to answer in time.
            Some(
                Code::InvalidReplicationFactor
                | Code::NotController
                | Code::LeaderNotAvailable
                | Code::RequestTimedOut,
            ) => {}
            _ if matches!(error, ControlError::TimedOut) => {}
            _ => return Err(creation_error(target, spec, &error)),
        }
        if Instant::now() > deadline {
            return Err(creation_error(target, spec, &error));
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
}

/// Whether the server may still be at work on a request that it did not answer in time.
fn outlasts_the_request(error: &ControlError) -> bool {
    matches!(error, ControlError::TimedOut)
        || error.response() == Some(Code::RequestTimedOut)
        // Another broker has become the controller.
        || error.response() == Some(Code::NotController)
}

fn creation_error(target: &KafkaTarget, spec: &TopicSpec, error: &ControlError) -> BackendError {
    let settings: Vec<_> =
        spec.settings.iter().map(|(key, value)| format!(", {key} = {value}")).collect();
    target.operation_error(
        format!(
            "creating the topic (partitions = {}, replication = {}{})",
            spec.partitions,
            spec.replication,
            settings.concat()
        ),
        error,
    )
}

fn create(cluster: &mut Cluster, name: &str, spec: &TopicSpec) -> Result<(), ControlError> {
    let configs = spec.settings.iter().map(|(key, value)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_string(key.clone()))
            .with_value(Some(StrBytes::from_string(value.clone())))
    });
    let topic = CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(spec.partitions)
        .with_replication_factor(i16::try_from(spec.replication).unwrap_or(i16::MAX))
        .with_configs(configs.collect());
    let timeout = cluster.request_timeout();
    let request = CreateTopicsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(timeout.as_millis() as i32);
    let controller = controller(cluster)?;
    let answer = cluster.call(controller, CREATE_VERSION, &request, timeout + ANSWER_MARGIN)?;
    answer.topics.iter().try_for_each(|topic| match ControlError::check(topic.error_code) {
        // The server's own words name the setting that it refuses.
        Err(error) if !is_expected(&error) => Err(match &topic.error_message {
            Some(text) => ControlError::State(format!("{error}: {}", text.as_str())),
            None => error,
        }),
        checked => checked,
    })
}

/// Whether [`create_replacing`] tries again after that error.
fn is_expected(error: &ControlError) -> bool {
    matches!(
        error.response(),
        Some(
            Code::TopicAlreadyExists
                | Code::InvalidReplicationFactor
                | Code::NotController
                | Code::LeaderNotAvailable
                | Code::RequestTimedOut
                | Code::TopicAuthorizationFailed
                | Code::ClusterAuthorizationFailed
        )
    )
}

/// The broker that creates and deletes topics. With KRaft every broker passes such requests on.
fn controller(cluster: &mut Cluster) -> Result<Recipient, ControlError> {
    let id = cluster.metadata(None, cluster.request_timeout())?.controller_id.0;
    Ok(if id >= 0 && cluster.broker_address(id).is_ok() {
        Recipient::Broker(id)
    } else {
        Recipient::Any
    })
}

/// Deletes the topic; returns when the server has confirmed the deletion.
pub async fn remove(cluster: &SharedCluster, target: &KafkaTarget) -> Result<(), BackendError> {
    remove_by_name(cluster, target, &target.topic).await
}

async fn remove_by_name(
    cluster: &SharedCluster,
    target: &KafkaTarget,
    name: &str,
) -> Result<(), BackendError> {
    let deadline = Instant::now() + target.request_timeout * DELETE_REQUESTS;
    loop {
        let topic = name.to_owned();
        match cluster.ask(target, move |cluster| delete(cluster, &topic)).await? {
            Ok(()) => return Ok(()),
            // Deletion may outlast the request: repeat it until the server no longer knows the
            // topic.
            Err(error) if outlasts_the_request(&error) && Instant::now() < deadline => {}
            Err(error) => {
                let reason = format!("{error}\n  remove the topic {name} by hand");
                return Err(target.operation_error("deleting the topic", reason));
            }
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
}

/// Deletes the topics that dead runs left behind, and returns their names.
pub async fn remove_leftovers(
    cluster: &SharedCluster,
    target: &KafkaTarget,
) -> Result<Vec<String>, BackendError> {
    let metadata =
        cluster.ask(target, |cluster| cluster.metadata(None, cluster.request_timeout())).await?;
    let metadata = metadata.map_err(|error| target.operation_error("listing the topics", error))?;
    let names = metadata.topics.into_iter().filter_map(|topic| Some(topic.name?.to_string()));
    let leftovers: Vec<_> = names.filter(|name| is_leftover(name, NAME_SEPARATOR)).collect();
    for name in &leftovers {
        remove_by_name(cluster, target, name).await?;
    }
    Ok(leftovers.into_iter().map(|name| format!("topic {name}")).collect())
}

fn delete(cluster: &mut Cluster, name: &str) -> Result<(), ControlError> {
    let timeout = cluster.request_timeout();
    let request = DeleteTopicsRequest::default()
        .with_topic_names(vec![topic_name(name)])
        .with_timeout_ms(timeout.as_millis() as i32);
    let controller = controller(cluster)?;
    let answer = cluster.call(controller, DELETE_VERSION, &request, timeout + ANSWER_MARGIN)?;
    answer.responses.iter().try_for_each(|topic| match ControlError::check(topic.error_code) {
        Err(error) if error.response() == Some(Code::UnknownTopicOrPartition) => Ok(()),
        checked => checked,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_accepts_the_profiles_messages() {
        let limit = |settings: &KafkaSettings, payload| {
            let spec = TopicSpec::new(settings, Durability::Default, payload);
            spec.settings.get(message_size::TOPIC_KEY).cloned()
        };
        let default = KafkaSettings::default();
        assert_eq!(limit(&default, Some(Bytes(1_000_000))), None);
        assert_eq!(limit(&default, Some(Bytes(2_000_000))).as_deref(), Some("2000200"));
        assert_eq!(limit(&default, None), None);
        let given = [(message_size::TOPIC_KEY.to_owned(), "3000000".to_owned())].into();
        let given = KafkaSettings { topic: given, ..KafkaSettings::default() };
        assert_eq!(limit(&given, Some(Bytes(2_000_000))).as_deref(), Some("3000000"));
    }
}
