//! Checks whether a broker can take a load, and what it adds to it: by the settings that the broker
//! reports, or, before there is one, by those of the profile.

use std::time::Duration;

use super::{
    message_size,
    settings::{KafkaSettings, acknowledges_all},
    topic_settings::TopicSettings,
};
use crate::{
    backend::{BackendError, RepetitionContext, ServerFacts, setting_value::means_the_same},
    plan::Workload,
    units::{Bytes, human_duration},
};

/// Connections besides the users': consumer, counts, administration, each to a bootstrap server too.
const EXTRA_CONNECTIONS: u64 = 10;

/// Returns an error for each setting that keeps the server from taking the load of `context`.
pub(super) fn incompatibilities(
    title: &str,
    context: &RepetitionContext,
    facts: &ServerFacts,
) -> Vec<BackendError> {
    let settings = match KafkaSettings::read(title, &context.settings) {
        Ok(settings) => settings,
        Err(error) => return vec![error],
    };
    let mut found = problems(title, context, &settings, facts);
    found.extend(payload_error(title, &TopicSettings::in_force(facts), context));
    found
}

/// Returns an error for each of the profile's own settings that would keep the server from taking
/// the load of `context`; limits on the size of a message are checked apart from that.
pub(super) fn planned_problems(
    title: &str,
    context: &RepetitionContext,
    settings: &KafkaSettings,
) -> Vec<BackendError> {
    problems(title, context, settings, &planned_facts(settings))
}

fn problems(
    title: &str,
    context: &RepetitionContext,
    settings: &KafkaSettings,
    facts: &ServerFacts,
) -> Vec<BackendError> {
    let topic = TopicSettings::in_force(facts);
    let mut found = Vec::new();
    found.extend(batch_error(title, &topic, settings));
    found.extend(cleanup_error(title, &topic));
    found.extend(retention_time_error(title, &topic, context));
    found.extend(retention_size_error(title, &topic, settings, context));
    found.extend(replicas_error(title, &topic, settings, context));
    found.extend(connection_errors(title, context, facts));
    found
}

/// Returns the settings that the profile asks for, in the form in which a broker reports them.
fn planned_facts(settings: &KafkaSettings) -> ServerFacts {
    let prefixed = |prefix: &'static str| {
        move |(key, value): (&String, &String)| (format!("{prefix}.{key}"), value.clone())
    };
    let server = settings.server.iter().map(prefixed("server"));
    let topic = settings.topic.iter().map(prefixed("topic"));
    ServerFacts { settings: server.chain(topic).collect(), ..ServerFacts::default() }
}

/// Returns an error if the topic does not accept messages with the point's payload.
fn payload_error(
    title: &str,
    topic: &TopicSettings,
    context: &RepetitionContext,
) -> Option<BackendError> {
    let largest = topic.max_batch_bytes?;
    let payload = context.point.workload.payload();
    let needed = message_size::needed_bytes(payload);
    (needed > largest).then(|| {
        let reason = format!(
            "the server accepts messages of {largest} bytes at most: reduce the payload, or raise \
             the topic's limit: topic = {{ \"max.message.bytes\" = {needed} }}"
        );
        BackendError::setting(title, "workload.payload", payload, reason)
    })
}

/// Returns an error if the operator's own batches are larger than the topic accepts; those of
/// hubmark obey its limit.
fn batch_error(
    title: &str,
    topic: &TopicSettings,
    settings: &KafkaSettings,
) -> Option<BackendError> {
    let (largest, given) = (topic.max_batch_bytes?, settings.producer.get("batch.size")?);
    let size = given.trim().parse::<u64>().ok()?;
    (size > largest).then(|| {
        let reason = format!(
            "the server accepts batches of {largest} bytes at most: leave batch.size out, and the \
             batches obey that limit"
        );
        BackendError::setting(title, "producer.batch.size", size, reason)
    })
}

fn cleanup_error(title: &str, topic: &TopicSettings) -> Option<BackendError> {
    let policy = topic.cleanup_policy.as_ref().filter(|policy| policy.contains("compact"))?;
    let reason = "a compacted topic refuses messages without a key, and those of devices have none: \
                  topic = { \"cleanup.policy\" = \"delete\" }";
    Some(BackendError::setting(title, "topic.cleanup.policy", policy, reason))
}

fn retention_time_error(
    title: &str,
    topic: &TopicSettings,
    context: &RepetitionContext,
) -> Option<BackendError> {
    let retention = topic.retention?;
    let workload = &context.point.workload;
    let length = workload.nominal_load_duration().unwrap_or_default() + workload.drain();
    (retention < length).then(|| {
        let reason = format!(
            "a repetition takes {} with its drain, and the server would delete messages before they \
             are counted: topic = {{ \"retention.ms\" = -1 }}",
            human_duration(length)
        );
        BackendError::setting(title, "topic.retention.ms", retention.as_millis(), reason)
    })
}

fn retention_size_error(
    title: &str,
    topic: &TopicSettings,
    settings: &KafkaSettings,
    context: &RepetitionContext,
) -> Option<BackendError> {
    let retention = topic.retention_bytes?;
    let workload = &context.point.workload;
    let partitions = u64::from(settings.partitions.unsigned_abs().max(1));
    let volume = workload.messages().saturating_mul(workload.payload().0) / partitions;
    (retention < volume).then(|| {
        let reason = format!(
            "a repetition writes {} to a partition, and the server would delete messages before \
             they are counted: topic = {{ \"retention.bytes\" = -1 }}",
            Bytes(volume)
        );
        BackendError::setting(title, "topic.retention.bytes", retention, reason)
    })
}

fn replicas_error(
    title: &str,
    topic: &TopicSettings,
    settings: &KafkaSettings,
    context: &RepetitionContext,
) -> Option<BackendError> {
    let needed = topic.min_insync_replicas?;
    let copies = u64::from(settings.replication.unsigned_abs());
    (needed > copies && acknowledges_all(settings, context.durability())).then(|| {
        let reason = format!(
            "the topic has {copies} copies of each partition (replication), and the server refuses \
             every message with acks = all: topic = {{ \"min.insync.replicas\" = {copies} }}, or \
             more copies"
        );
        BackendError::setting(title, "topic.min.insync.replicas", needed, reason)
    })
}

fn connection_errors(
    title: &str,
    context: &RepetitionContext,
    facts: &ServerFacts,
) -> Vec<BackendError> {
    let users = u64::from(context.point.workload.users());
    let needed = users + EXTRA_CONNECTIONS;
    let limits = ["max.connections", "max.connections.per.ip"].into_iter().filter_map(|key| {
        let limit = facts.setting(&format!("server.{key}"))?.parse::<u64>().ok()?;
        (limit < needed).then(|| {
            let reason = format!(
                "these users need {key} = {needed}, and the server has {limit}: raise it on the \
                 server, or use fewer users"
            );
            BackendError::setting(title, "workload.users", users, reason)
        })
    });
    limits.collect()
}

/// Returns what the server's settings add to the load, or change in what was asked for.
pub(super) fn cautions(
    title: &str,
    context: &RepetitionContext,
    facts: &ServerFacts,
) -> Vec<String> {
    let Ok(settings) = KafkaSettings::read(title, &context.settings) else { return Vec::new() };
    let mut found = facts.cautions.clone();
    for (prefix, asked) in [("server", &settings.server), ("topic", &settings.topic)] {
        for (key, asked) in asked {
            if let Some(value) = facts.setting(&format!("{prefix}.{key}"))
                && !means_the_same(asked, value)
            {
                found.push(format!("the {prefix} has {key} = {value}, not {asked} as asked for"));
            }
        }
    }
    let compression = facts.setting("topic.compression.type").unwrap_or("producer");
    if compression != "producer" {
        found.push(format!(
            "the server compresses messages anew: the topic has compression.type = {compression}"
        ));
    }
    let idle = facts.setting("server.connections.max.idle.ms").and_then(|ms| ms.parse().ok());
    if let Some(idle) = idle.map(Duration::from_millis)
        && let Workload::Latency(load) = &context.point.workload
        && load.arrival.longest(load.messages) >= idle
    {
        found.push(format!(
            "the server closes connections that are idle for {} (connections.max.idle.ms), and the \
             users wait up to {}: they connect again, which is part of their messages' times",
            human_duration(idle),
            human_duration(load.arrival.longest(load.messages)),
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{backend::fixture::repetition_context, plan::Durability};

    const TITLE: &str = "Apache Kafka";

    fn facts(settings: &[(&str, &str)]) -> ServerFacts {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        ServerFacts { settings: settings.iter().map(owned).collect(), ..ServerFacts::default() }
    }

    fn context(payload: u64, settings: &serde_json::Value) -> RepetitionContext {
        let mut context = repetition_context("kafka", 10, payload);
        context.settings = settings.as_object().cloned().unwrap_or_default();
        context
    }

    fn refused(settings: &serde_json::Value, reported: &[(&str, &str)]) -> Vec<String> {
        let errors = incompatibilities(TITLE, &context(100, settings), &facts(reported));
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_payload_beyond_a_brokers_limit_is_refused_once() {
        let reported = facts(&[("server.message.max.bytes", "1048588")]);
        let texts = |payload, settings: &serde_json::Value| {
            let errors = incompatibilities(TITLE, &context(payload, settings), &reported);
            errors.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(texts(1_000_000, &json!({})), [""; 0]);
        let refused = texts(2_000_000, &json!({}));
        assert!(refused[0].contains("\"max.message.bytes\" = 2000200"), "{refused:?}");
    }

    #[test]
    fn batches_larger_than_the_topic_accepts_are_refused() {
        let small = [("topic.max.message.bytes", "100000"), ("topic.segment.bytes", "50000")];
        assert_eq!(refused(&json!({}), &small), [""; 0], "hubmark's own batches obey the limit");
        let given = json!({ "producer": { "batch.size": 60_000 } });
        assert!(refused(&given, &small)[0].contains("batches of 50000 bytes at most"));
    }

    #[test]
    fn a_compacted_topic_is_refused() {
        let compacted = refused(&json!({}), &[("topic.cleanup.policy", "compact,delete")]);
        assert!(compacted[0].contains("without a key"), "{compacted:?}");
        assert_eq!(refused(&json!({}), &[("topic.cleanup.policy", "delete")]), [""; 0]);
        let server = refused(&json!({}), &[("server.log.cleanup.policy", "compact")]);
        assert_eq!(server.len(), 1, "the topic takes it from the server");
    }

    #[test]
    fn a_retention_shorter_than_the_run_is_refused() {
        // The fixture's load takes 1 s and its drain 1 s.
        assert!(refused(&json!({}), &[("topic.retention.ms", "1999")])[0].contains("retention.ms"));
        assert_eq!(refused(&json!({}), &[("topic.retention.ms", "2000")]), [""; 0]);
        assert_eq!(refused(&json!({}), &[("topic.retention.ms", "-1")]), [""; 0]);
        assert_eq!(refused(&json!({}), &[("topic.retention.bytes", "1000")]), [""; 0]);
        let short = refused(&json!({}), &[("topic.retention.bytes", "999")]);
        assert!(short[0].contains("writes 1 kB to a partition"), "{short:?}");
    }

    #[test]
    fn more_replicas_in_sync_than_there_are_copies_are_refused() {
        let two = [("topic.min.insync.replicas", "2")];
        assert!(refused(&json!({}), &two)[0].contains("acks = all"), "librdkafka's default");
        assert_eq!(refused(&json!({ "replication": 2 }), &two), [""; 0]);
        assert_eq!(refused(&json!({ "producer": { "acks": 1 } }), &two), [""; 0]);
        let mut memory = context(100, &json!({}));
        memory.point.durability = Durability::Memory;
        assert!(incompatibilities(TITLE, &memory, &facts(&two)).is_empty());
    }

    #[test]
    fn fewer_connections_than_users_are_refused() {
        let few = refused(&json!({}), &[("server.max.connections.per.ip", "19")]);
        assert!(few[0].contains("max.connections.per.ip = 20"), "{few:?}");
        assert_eq!(refused(&json!({}), &[("server.max.connections", "20")]), [""; 0]);
    }

    #[test]
    fn the_profiles_own_settings_are_judged_before_there_is_a_server() {
        let given = json!({
            "topic": { "cleanup.policy": "compact" }, "server": { "log.retention.minutes": 0 },
        });
        let settings = KafkaSettings::read(TITLE, given.as_object().unwrap()).unwrap();
        let errors = planned_problems(TITLE, &context(100, &given), &settings);
        assert_eq!(errors.len(), 2, "{errors:?}");
    }

    #[test]
    fn what_the_server_changes_is_said() {
        let said = |settings: &serde_json::Value, reported: &[(&str, &str)]| {
            cautions(TITLE, &context(100, settings), &facts(reported))
        };
        assert_eq!(said(&json!({}), &[("topic.compression.type", "producer")]), [""; 0]);
        assert!(said(&json!({}), &[("topic.compression.type", "gzip")])[0].contains("gzip"));
        let asked = json!({ "server": { "num.io.threads": 4 } });
        let other = said(&asked, &[("server.num.io.threads", "8")]);
        assert!(other[0].contains("num.io.threads = 8, not 4"), "{other:?}");
        let idle = said(&json!({}), &[("server.connections.max.idle.ms", "900")]);
        assert!(idle[0].contains("connect again"), "{idle:?}");
    }
}
