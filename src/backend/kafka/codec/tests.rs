//! The codec against the `kafka-protocol` crate, whose reading and writing is independent of it.

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        FetchRequest, FetchResponse, MetadataRequest, MetadataResponse, ProduceRequest,
        ProduceResponse, RequestHeader, ResponseHeader, TopicName,
        fetch_response::{FetchableTopicResponse, PartitionData},
        metadata_response::{
            MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
    },
    protocol::{Decodable, Encodable, HeaderVersion, StrBytes},
    records::RecordBatchDecoder,
};
use proptest::prelude::*;

use super::{
    answer::{FrameStart, first_frame},
    batch_reader::next_batch,
    batch_writer::{BatchWriter, Sequence},
    compression::Compression,
    fetch::{self, FetchLimits},
    metadata::{self, TopicMetadata},
    produce::{self, ProduceAnswer, ProducePrefix},
    request::renumber,
};

const LIMITS: FetchLimits =
    FetchLimits { max_wait_ms: 500, min_bytes: 1, max_bytes: 1 << 20, partition_bytes: 1 << 16 };

fn name(text: &'static str) -> TopicName {
    TopicName(StrBytes::from_static_str(text))
}

/// A frame's request, as the crate reads it.
fn read_request<R: Decodable + HeaderVersion>(frame: &[u8], version: i16) -> (RequestHeader, R) {
    let length = i32::from_be_bytes(*frame.first_chunk().unwrap());
    assert_eq!(length as usize, frame.len() - 4, "the frame's length");
    let mut rest = Bytes::copy_from_slice(&frame[4..]);
    let header = RequestHeader::decode(&mut rest, R::header_version(version)).unwrap();
    let request = R::decode(&mut rest, version).unwrap();
    assert!(rest.is_empty(), "bytes behind the request");
    (header, request)
}

/// An answer without its length, as the crate writes it.
fn write_answer<R: Encodable + HeaderVersion>(number: i32, version: i16, answer: &R) -> Vec<u8> {
    let mut frame = Vec::new();
    let header = ResponseHeader::default().with_correlation_id(number);
    header.encode(&mut frame, R::header_version(version)).unwrap();
    answer.encode(&mut frame, version).unwrap();
    frame
}

fn batch(values: &[Vec<u8>], compression: Compression, sequence: Option<Sequence>) -> Vec<u8> {
    let mut frame = Vec::new();
    let mut writer = BatchWriter::begin(&mut frame, 1_700_000_000_000);
    for (number, value) in (0_i64..).zip(values) {
        writer.push(&mut frame, 1_700_000_000_000 + number, value);
    }
    writer.finish(&mut frame, compression, sequence).unwrap();
    frame
}

fn compressions() -> impl Strategy<Value = Compression> {
    let zstd = cfg!(feature = "zstd").then_some(Compression::Zstd);
    let all = [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4];
    proptest::sample::select(all.into_iter().chain(zstd).collect::<Vec<_>>())
}

fn values() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..40)
}

proptest! {
    #[test]
    fn a_batch_is_read_by_another_implementation(
        values in values(),
        compression in compressions(),
        first in 0..i32::MAX,
    ) {
        let sequence = Sequence { producer: 7, epoch: 2, first };
        let written = batch(&values, compression, Some(sequence));
        let mut bytes = Bytes::from(written);
        let read = RecordBatchDecoder::decode(&mut bytes).unwrap();
        prop_assert_eq!(read.records.len(), values.len());
        for (number, (record, value)) in (0_i64..).zip(read.records.iter().zip(&values)) {
            prop_assert_eq!(record.value.as_deref().unwrap_or_default(), &value[..]);
            prop_assert_eq!(record.offset, number);
            prop_assert_eq!(record.timestamp, 1_700_000_000_000 + number);
            prop_assert_eq!((record.producer_id, record.producer_epoch), (7, 2));
        }
    }

    #[test]
    fn a_batch_is_read_as_it_was_written(values in values(), compression in compressions()) {
        let written = [batch(&values, compression, None), batch(&values, compression, None)].concat();
        let mut rest = &written[..];
        let mut read = Vec::new();
        while let Some(batch) = next_batch(&mut rest).unwrap() {
            prop_assert!(batch.is_intact());
            prop_assert_eq!(batch.next_offset, i64::try_from(values.len()).unwrap());
            batch.for_each(|offset, value| read.push((offset, value.to_vec()))).unwrap();
        }
        let once = (0_i64..).zip(values.iter().cloned());
        prop_assert_eq!(read, once.clone().chain(once).collect::<Vec<_>>());
    }

    #[test]
    fn a_flipped_bit_is_found_by_the_checksum(
        values in values(),
        compression in compressions(),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        const CHECKED_FROM: usize = 21;
        let mut bytes = batch(&values, compression, None);
        let at = CHECKED_FROM + at.index(bytes.len() - CHECKED_FROM);
        bytes[at] ^= 1 << bit;
        // A count that has become negative is refused before.
        if let Ok(Some(batch)) = next_batch(&mut &bytes[..]) {
            prop_assert!(!batch.is_intact());
        }
    }

    /// A broker may send the beginning of a batch at the end of its answer.
    #[test]
    fn a_cut_batch_is_not_read(values in values(), cut in 1_usize..60) {
        let whole = batch(&values, Compression::None, None);
        let cut_off = [&whole[..], &whole[..whole.len().saturating_sub(cut).max(1)]].concat();
        let mut rest = &cut_off[..];
        prop_assert!(next_batch(&mut rest).unwrap().is_some());
        prop_assert!(next_batch(&mut rest).unwrap().is_none());
    }

    /// Bytes that are no batch give an error or nothing, never a panic and never an endless loop.
    #[test]
    fn mutated_batches_cause_no_panic(
        values in values(),
        compression in compressions(),
        mutations in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = batch(&values, compression, None);
        for (index, byte) in mutations {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let mut rest = &bytes[..];
        while let Ok(Some(batch)) = next_batch(&mut rest) {
            let _ = batch.for_each(|_, _| {});
        }
    }

    #[test]
    fn mutated_and_truncated_answers_cause_no_panic(
        version in 3_i16..=11,
        cut in any::<prop::sample::Index>(),
        mutations in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut frames = [
            write_answer(5, version.min(8), &produce_answer(0, 3)),
            write_answer(5, version.clamp(4, 11), &fetch_answer(&batch(&[vec![1; 50]], Compression::None, None))),
            write_answer(5, version.clamp(4, 8), &metadata_answer()),
        ];
        for frame in &mut frames {
            for (index, byte) in &mutations {
                let at = index.index(frame.len());
                frame[at] = *byte;
            }
            frame.truncate(cut.index(frame.len() + 1));
            let _ = ProduceAnswer::read(frame, version.min(8));
            let _ = fetch::read(frame, version.clamp(4, 11), |_| {});
            let _ = TopicMetadata::read(frame, version.clamp(4, 8), "t");
            let _ = first_frame(frame);
        }
    }

    #[test]
    fn a_request_to_write_is_read_by_another_implementation(
        values in values(),
        version in produce::VERSIONS.0..=produce::VERSIONS.1,
        number: i32,
    ) {
        let prefix = ProducePrefix::new(version, "devices", 3, -1, 30_000);
        let mut frame = Vec::new();
        prefix.begin(&mut frame);
        frame.extend(batch(&values, Compression::None, None));
        prefix.end(&mut frame);
        renumber(&mut frame, number);
        let (header, request) = read_request::<ProduceRequest>(&frame, version);
        prop_assert_eq!((header.correlation_id, header.request_api_version), (number, version));
        prop_assert_eq!((request.acks, request.timeout_ms), (-1, 30_000));
        let topic = &request.topic_data[0];
        prop_assert_eq!((&topic.name, topic.partition_data[0].index), (&name("devices"), 3));
        let records = topic.partition_data[0].records.clone().unwrap();
        prop_assert_eq!(records.to_vec(), batch(&values, Compression::None, None));
    }
}

fn produce_answer(error: i16, throttle: i32) -> ProduceResponse {
    let partition = PartitionProduceResponse::default().with_index(3).with_error_code(error);
    let topic = TopicProduceResponse::default()
        .with_name(name("devices"))
        .with_partition_responses(vec![partition]);
    ProduceResponse::default().with_responses(vec![topic]).with_throttle_time_ms(throttle)
}

fn fetch_answer(records: &[u8]) -> FetchResponse {
    let partition = |index, error, records: &[u8]| {
        PartitionData::default()
            .with_partition_index(index)
            .with_error_code(error)
            .with_records(Some(Bytes::copy_from_slice(records)))
    };
    let topic = FetchableTopicResponse::default()
        .with_topic(name("devices"))
        .with_partitions(vec![partition(0, 0, records), partition(1, 6, &[])]);
    FetchResponse::default().with_responses(vec![topic]).with_throttle_time_ms(9)
}

fn metadata_answer() -> MetadataResponse {
    let broker = |id: i32, host: &'static str| {
        MetadataResponseBroker::default()
            .with_node_id(id.into())
            .with_host(StrBytes::from_static_str(host))
            .with_port(9_092)
    };
    let partition = |index, leader: i32| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(leader.into())
            .with_replica_nodes(vec![1.into(), 2.into()])
    };
    let topic = MetadataResponseTopic::default()
        .with_name(Some(name("devices")))
        .with_partitions(vec![partition(1, -1), partition(0, 2)]);
    MetadataResponse::default()
        .with_brokers(vec![broker(1, "a"), broker(2, "b")])
        .with_cluster_id(Some(StrBytes::from_static_str("c")))
        .with_topics(vec![topic])
}

#[test]
fn an_answer_to_a_write_is_read_in_every_version() {
    for version in produce::VERSIONS.0..=produce::VERSIONS.1 {
        let frame = write_answer(11, version, &produce_answer(6, 250));
        let read = ProduceAnswer::read(&frame, version).unwrap();
        assert_eq!(read, ProduceAnswer { number: 11, error: 6, throttle_ms: 250 }, "{version}");
    }
}

#[test]
fn records_are_asked_for_and_read_in_every_version() {
    let records = batch(&[vec![1, 2]], Compression::None, None);
    for version in fetch::VERSIONS.0..=fetch::VERSIONS.1 {
        let mut frame = Vec::new();
        let wanted = [(0, 5_i64), (1, 7)];
        fetch::write(&mut frame, version, 12, "devices", LIMITS, wanted.iter().copied());
        let (header, request) = read_request::<FetchRequest>(&frame, version);
        assert_eq!((header.correlation_id, request.max_wait_ms, request.min_bytes), (12, 500, 1));
        let asked: Vec<_> = request.topics[0]
            .partitions
            .iter()
            .map(|partition| (partition.partition, partition.fetch_offset))
            .collect();
        assert_eq!((&request.topics[0].topic, &asked[..]), (&name("devices"), &wanted[..]));

        let answer = write_answer(12, version, &fetch_answer(&records));
        let mut read = Vec::new();
        let header = fetch::read(&answer, version, |partition| {
            read.push((partition.partition, partition.error, partition.records.to_vec()));
        });
        let header = header.unwrap();
        assert_eq!((header.number, header.error, header.throttle_ms), (12, 0, 9), "{version}");
        assert_eq!(read, [(0, 0, records.clone()), (1, 6, vec![])], "{version}");
    }
}

#[test]
fn leaders_are_asked_for_and_read_in_every_version() {
    for version in metadata::VERSIONS.0..=metadata::VERSIONS.1 {
        let mut frame = Vec::new();
        metadata::write(&mut frame, version, 13, "devices");
        let (_, request) = read_request::<MetadataRequest>(&frame, version);
        assert!(!request.allow_auto_topic_creation, "{version}");
        assert_eq!(request.topics.unwrap()[0].name, Some(name("devices")));
        let read =
            TopicMetadata::read(&write_answer(13, version, &metadata_answer()), version, "devices");
        let read = read.unwrap();
        assert_eq!((read.number, read.cluster.as_deref(), read.error), (13, Some("c"), Some(0)));
        assert_eq!(read.leaders, [Some(2), None], "{version}");
        let brokers: Vec<_> =
            read.brokers.iter().map(|broker| (broker.id, &*broker.host)).collect();
        assert_eq!(brokers, [(1, "a"), (2, "b")]);
        let other = write_answer(13, version, &metadata_answer());
        assert_eq!(TopicMetadata::read(&other, version, "other").unwrap().error, None);
    }
}

#[test]
fn a_frame_is_taken_when_all_of_it_is_there() {
    let mut frame = BytesMut::from(&[0, 0, 0, 5][..]);
    assert_eq!(first_frame(&frame[..3]), Ok(FrameStart::Partial(0)));
    assert_eq!(first_frame(&frame), Ok(FrameStart::Partial(9)));
    frame.extend_from_slice(&[1, 2, 3, 4, 5, 6]);
    assert_eq!(first_frame(&frame), Ok(FrameStart::Whole(&[1, 2, 3, 4, 5])));
    assert!(first_frame(b"HTTP/1.1 400").is_err(), "no length of a frame");
    assert!(first_frame(&[0xff; 4]).is_err());
}
