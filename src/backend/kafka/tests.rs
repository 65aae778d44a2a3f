//! Recorded answers of real brokers (`tests/recorded/kafka`), decoded in every version that hubmark speaks.

use std::{collections::BTreeMap, fs, path::PathBuf};

use bytes::Bytes;
use kafka_protocol::{
    messages::{
        ApiVersionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
        InitProducerIdRequest, ListOffsetsRequest, MetadataRequest,
    },
    protocol::Request,
};

use super::{
    codec::{
        batch_reader::next_batch,
        fetch,
        metadata::{self, TopicMetadata},
        produce::{self, ProduceAnswer},
    },
    control::broker_connection::{ApiVersions, common_version, decode},
};

const VERSIONS: [&str; 3] = ["2.8.0", "3.9.1", "4.4.0"];
/// Number of every recorded request.
const NUMBER: i32 = 7;
const TOPIC: &str = "hubmark";
const VALUES: [&str; 3] = ["recorded 0", "recorded 1", "recorded 2"];
const UNKNOWN_TOPIC: i16 = 3;
const TOPIC_EXISTS: i16 = 36;

/// Recorded answers called `name` of a broker, by version of the request.
fn recorded(broker: &str, name: &str) -> BTreeMap<i16, Vec<u8>> {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/kafka").join(broker);
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let found: BTreeMap<_, _> = files
        .filter_map(|path| {
            let stem = path.file_stem()?.to_str()?;
            let version = stem.strip_prefix(name)?.strip_prefix("-v")?.parse().ok()?;
            Some((version, fs::read(&path).unwrap()))
        })
        .collect();
    assert!(!found.is_empty(), "{}: no {name}", folder.display());
    found
}

/// Decodes the recorded answers called `name`; each of their beginnings is refused.
fn decoded<R: Request>(broker: &str, name: &str) -> BTreeMap<i16, R::Response> {
    let decode_one = |(version, frame): (i16, Vec<u8>)| {
        for end in 0..frame.len().min(2_000) {
            let cut = Bytes::copy_from_slice(&frame[..end]);
            assert!(decode::<R>(NUMBER, version, cut).is_err(), "{broker} {name} {version}: {end}");
        }
        let answer = decode::<R>(NUMBER, version, frame.into());
        (version, answer.unwrap_or_else(|error| panic!("{broker} {name} {version}: {error}")))
    };
    recorded(broker, name).into_iter().map(decode_one).collect()
}

#[test]
fn answers_to_writes_are_read() {
    for broker in VERSIONS {
        let frames = recorded(broker, "produce");
        assert!(frames.keys().copied().eq(produce::VERSIONS.0..=produce::VERSIONS.1));
        for (version, frame) in frames {
            let answer = ProduceAnswer::read(&frame, version).unwrap();
            let expected = ProduceAnswer { number: NUMBER, error: 0, throttle_ms: 0 };
            assert_eq!(answer, expected, "{broker} {version}");
            for end in 0..frame.len() {
                assert!(ProduceAnswer::read(&frame[..end], version).is_err(), "{broker}: {end}");
            }
        }
        let unknown = recorded(broker, "produce_unknown");
        assert_eq!(ProduceAnswer::read(&unknown[&8], 8).unwrap().error, UNKNOWN_TOPIC);
    }
}

/// Values in an answer to a fetch of one partition.
fn values(broker: &str, version: i16, frame: &[u8]) -> Vec<String> {
    let mut values = Vec::new();
    let answer = fetch::read(frame, version, |partition| {
        assert_eq!((partition.partition, partition.error), (0, 0), "{broker} {version}");
        let mut rest = partition.records;
        while let Some(batch) = next_batch(&mut rest).unwrap() {
            assert!(batch.is_intact(), "{broker} {version}");
            let take = |_: i64, value: &[u8]| values.push(String::from_utf8(value.into()).unwrap());
            batch.for_each(take).unwrap();
        }
    });
    assert_eq!(answer.unwrap().number, NUMBER);
    values
}

#[test]
fn records_are_read_in_every_version_and_compression() {
    for broker in VERSIONS {
        let frames = recorded(broker, "fetch");
        assert!(frames.keys().copied().eq(fetch::VERSIONS.0..=fetch::VERSIONS.1));
        for (version, frame) in frames {
            // One batch for each version of the request to write.
            let expected = VALUES.repeat(6);
            assert_eq!(values(broker, version, &frame), expected, "{broker} {version}");
        }
        let zstd = cfg!(feature = "zstd").then_some("fetch_zstd");
        for name in ["fetch_gzip", "fetch_snappy", "fetch_lz4"].into_iter().chain(zstd) {
            let frame = &recorded(broker, name)[&11];
            assert_eq!(values(broker, 11, frame), VALUES, "{broker} {name}");
        }
    }
}

#[test]
fn leaders_are_read() {
    for broker in VERSIONS {
        let frames = recorded(broker, "metadata");
        for (version, frame) in frames.range(metadata::VERSIONS.0..=metadata::VERSIONS.1) {
            let found = TopicMetadata::read(frame, *version, TOPIC).unwrap();
            assert_eq!((found.number, found.error), (NUMBER, Some(0)), "{broker} {version}");
            assert_eq!(found.leaders, [Some(1), Some(1)], "{broker} {version}");
            assert_eq!(
                (found.brokers.len(), found.brokers[0].id, found.brokers[0].port),
                (1, 1, 9_092)
            );
            assert!(found.cluster.is_some());
        }
        let unknown = &recorded(broker, "metadata_unknown")[&8];
        let found = TopicMetadata::read(unknown, 8, "unknown").unwrap();
        assert_eq!((found.error, found.leaders.len()), (Some(UNKNOWN_TOPIC), 0));
    }
}

#[test]
fn answers_about_topics_and_settings_are_read() {
    for broker in VERSIONS {
        for (version, answer) in decoded::<MetadataRequest>(broker, "metadata") {
            assert_eq!(answer.topics[0].partitions.len(), 2, "{broker} {version}");
        }
        for (version, answer) in decoded::<ListOffsetsRequest>(broker, "list_offsets") {
            assert_eq!(answer.topics[0].partitions[0].offset, 18, "{broker} {version}");
        }
        for (version, answer) in decoded::<CreateTopicsRequest>(broker, "create_topics") {
            assert_eq!(answer.topics[0].error_code, 0, "{broker} {version}");
        }
        let refused = decoded::<CreateTopicsRequest>(broker, "create_topics_exists");
        assert_eq!(refused[&6].topics[0].error_code, TOPIC_EXISTS);
        assert!(refused[&6].topics[0].error_message.is_some());
        for (version, answer) in decoded::<DeleteTopicsRequest>(broker, "delete_topics") {
            assert_eq!(answer.responses[0].error_code, 0, "{broker} {version}");
        }
        for (version, answer) in decoded::<DescribeConfigsRequest>(broker, "describe_topic") {
            let names = answer.results[0].configs.iter().map(|config| config.name.as_str());
            assert!({ names }.any(|name| name == "max.message.bytes"), "{broker} {version}");
        }
        let settings = decoded::<DescribeConfigsRequest>(broker, "describe_broker");
        assert!(settings[&4].results[0].configs.len() > 100, "{broker}");
        let id = decoded::<InitProducerIdRequest>(broker, "init_producer_id");
        assert_eq!(id[&1].error_code, 0, "{broker}");
    }
}

#[test]
fn every_broker_supports_the_versions_that_the_codec_speaks() {
    for broker in VERSIONS {
        let answer = decoded::<ApiVersionsRequest>(broker, "api_versions").remove(&0).unwrap();
        let supported: ApiVersions = answer
            .api_keys
            .into_iter()
            .map(|api| (api.api_key, (api.min_version, api.max_version)))
            .collect();
        for (key, own) in [
            (produce::KEY, produce::VERSIONS),
            (fetch::KEY, fetch::VERSIONS),
            (metadata::KEY, metadata::VERSIONS),
        ] {
            assert_eq!(common_version(&supported, key, own), Some(own.1), "{broker} {key}");
        }
    }
}
