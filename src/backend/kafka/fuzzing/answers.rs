//! Bytes without a connection: answers that are not about messages, and batches of records.

use bytes::Bytes;
use kafka_protocol::{
    messages::{
        ApiVersionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
        InitProducerIdRequest, ListOffsetsRequest, MetadataRequest, SaslAuthenticateRequest,
        SaslHandshakeRequest,
    },
    protocol::Request,
};

use crate::backend::kafka::{
    codec::{batch_reader::next_batch, batch_writer::BatchWriter, compression::Compression},
    control::broker_connection::decode,
};

pub(super) const COMPRESSIONS: [Compression; 5] = [
    Compression::None,
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

fn decode_answer<R: Request>(version: u8, frame: &[u8]) {
    // The number is right, so that what follows it is reached.
    let number = frame.first_chunk().map_or(0, |number| i32::from_be_bytes(*number));
    let versions = R::VERSIONS;
    let count = versions.max - versions.min + 1;
    let version = versions.min + i16::from(version) % count;
    let _ = decode::<R>(number, version, Bytes::copy_from_slice(frame));
}

/// Decodes an answer of the kind that the first byte chooses, in the version that the second one chooses: an error
/// or an answer, never an abort.
pub fn control_answer(input: &[u8]) {
    let [kind, version, frame @ ..] = input else { return };
    match kind % 9 {
        0 => decode_answer::<ApiVersionsRequest>(*version, frame),
        1 => decode_answer::<SaslHandshakeRequest>(*version, frame),
        2 => decode_answer::<SaslAuthenticateRequest>(*version, frame),
        3 => decode_answer::<MetadataRequest>(*version, frame),
        4 => decode_answer::<ListOffsetsRequest>(*version, frame),
        5 => decode_answer::<CreateTopicsRequest>(*version, frame),
        6 => decode_answer::<DeleteTopicsRequest>(*version, frame),
        7 => decode_answer::<InitProducerIdRequest>(*version, frame),
        _ => decode_answer::<DescribeConfigsRequest>(*version, frame),
    }
}

/// Reads arbitrary batches, and reads back what it writes: the input, cut into values.
///
/// # Panics
/// Where a batch is not read back as it was written.
pub fn record_batches(input: &[u8]) {
    let mut rest = input;
    while let Ok(Some(batch)) = next_batch(&mut rest) {
        let _ = batch.is_intact();
        let _ = batch.for_each(|_, _| {});
    }

    let [choice, size, values @ ..] = input else { return };
    let compression = COMPRESSIONS[usize::from(*choice) % COMPRESSIONS.len()];
    let values: Vec<_> = values.chunks(usize::from(*size).max(1)).collect();
    if values.is_empty() || compression == Compression::Zstd && !cfg!(feature = "zstd") {
        return;
    }
    let mut frame = Vec::new();
    let mut writer = BatchWriter::begin(&mut frame, 1);
    for value in &values {
        writer.push(&mut frame, 2, value);
    }
    assert_eq!(writer.finish(&mut frame, compression, None), Ok(()));
    let mut rest = &frame[..];
    let Ok(Some(batch)) = next_batch(&mut rest) else { panic!("its own batch is not read") };
    let mut read = Vec::new();
    let passed = batch.for_each(|offset, value| read.push((offset, value.to_vec())));
    assert!(passed.is_ok() && batch.is_intact() && rest.is_empty(), "{passed:?}");
    assert!(read.iter().map(|(_, value)| &value[..]).eq(values), "other values are read");
}
