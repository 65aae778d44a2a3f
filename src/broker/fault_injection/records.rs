//! Decoding and encoding of record batches, which only fault injection needs.

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Record, RecordBatchDecoder, RecordBatchEncoder,
    RecordEncodeOptions,
};

/// Decodes the records of all batches in `bytes`; `None` when they are broken or compressed.
pub fn decode(mut bytes: Bytes) -> Option<Vec<Record>> {
    let batches = RecordBatchDecoder::decode_all(&mut bytes).ok()?;
    Some(batches.into_iter().flat_map(|batch| batch.records).collect())
}

/// Encodes the records in this order as one batch, from offset 0, without an idempotent producer;
/// `None` when they are too many or too large for a batch.
pub fn encode(records: &[Record]) -> Option<Bytes> {
    let mut renumbered = records.to_vec();
    for (number, record) in (0..).zip(&mut renumbered) {
        record.offset = i64::from(number);
        // The encoder starts a new batch where offset and sequence do not rise together.
        record.sequence = number;
        record.producer_id = NO_PRODUCER_ID;
        record.producer_epoch = NO_PRODUCER_EPOCH;
    }
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, &renumbered, &options).ok()?;
    Some(bytes.freeze())
}

/// Records with these values and nothing else.
#[cfg(test)]
pub fn plain_records(values: impl IntoIterator<Item = Bytes>) -> Vec<Record> {
    use kafka_protocol::records::{NO_PARTITION_LEADER_EPOCH, TimestampType};
    values
        .into_iter()
        .map(|value| Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            timestamp_type: TimestampType::Creation,
            offset: 0,
            sequence: 0,
            timestamp: 1,
            key: None,
            value: Some(value),
            headers: <_>::default(),
        })
        .collect()
}

/// Encodes a batch of these values as a producer would.
#[cfg(test)]
pub(crate) fn batch(values: &[&[u8]]) -> Bytes {
    encode(&plain_records(values.iter().map(|value| Bytes::copy_from_slice(value)))).unwrap()
}
