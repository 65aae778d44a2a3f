//! Decoding and encoding of record batches, which only fault injection needs.

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Record, RecordBatchDecoder, RecordBatchEncoder,
    RecordEncodeOptions,
};

use crate::{
    broker::batch::BatchHeader,
    layout::batch::{BASE_TIMESTAMP_AT, HEADER_LENGTH, SMALLEST_RECORD},
};

/// Largest time of a record, so that no difference of two times overflows in the encoder.
const MAX_TIME: u64 = i64::MAX.unsigned_abs() / 2;

/// Decodes the records of all batches in `bytes`; `None` when they are broken or compressed.
pub fn decode(mut bytes: Bytes) -> Option<Vec<Record>> {
    check_counts(&bytes)?;
    let batches = RecordBatchDecoder::decode_all(&mut bytes).ok()?;
    Some(batches.into_iter().flat_map(|batch| batch.records).collect())
}

/// Checks that no batch announces more records, and no record more headers, than there are bytes for, and that no
/// time or offset overflows: the decoder reserves memory for as many as are announced, and adds without a check.
fn check_counts(mut bytes: &[u8]) -> Option<()> {
    while !bytes.is_empty() {
        let header = BatchHeader::read(bytes).ok()?;
        let (batch, behind) = bytes.split_at_checked(header.length)?;
        bytes = behind;
        let mut records = batch.get(HEADER_LENGTH..)?;
        let number = |at: usize| Some(i64::from_be_bytes(*batch.get(at..)?.first_chunk()?));
        let (base_offset, base_time) = (number(0)?, number(BASE_TIMESTAMP_AT)?);
        let count = usize::try_from(header.records).ok()?;
        if header.compressed || count.checked_mul(SMALLEST_RECORD)? > records.len() {
            return None;
        }
        for _ in 0..count {
            let length = take_varint(&mut records)?;
            let mut record = take(&mut records, length)?;
            take(&mut record, 1)?;
            let time = base_time.checked_add(take_varlong(&mut record)?)?;
            if time.unsigned_abs() > MAX_TIME {
                return None;
            }
            base_offset.checked_add(take_varint(&mut record)?.into())?;
            for _ in ["key", "value"] {
                let length = take_varint(&mut record)?;
                take(&mut record, length.max(0))?;
            }
            if usize::try_from(take_varint(&mut record)?).ok()? > record.len() {
                return None;
            }
        }
    }
    Some(())
}

fn take<'a>(rest: &mut &'a [u8], bytes: i32) -> Option<&'a [u8]> {
    let (taken, behind) = rest.split_at_checked(usize::try_from(bytes).ok()?)?;
    *rest = behind;
    Some(taken)
}

/// Reads a variable-length number (zigzag, at most ten bytes), as the decoder does.
fn take_varlong(rest: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for index in 0..10 {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        value |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            break;
        }
    }
    Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
}

/// Reads a variable-length number (zigzag, at most five bytes), as the decoder does.
fn take_varint(rest: &mut &[u8]) -> Option<i32> {
    let mut value = 0_u32;
    for index in 0..5 {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        value |= u32::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            break;
        }
    }
    Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
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

/// Gives every batch in `bytes` the checksum of its content, so that a fuzzer reaches what lies behind the check.
#[cfg(any(test, fuzzing))]
pub fn fix_checksums(bytes: &[u8]) -> Bytes {
    use crate::layout::batch::{ATTRIBUTES_AT, CHECKSUM_AT};
    let mut fixed = bytes.to_vec();
    let mut start = 0;
    while let Ok(header) = BatchHeader::read(&fixed[start..]) {
        let batch = &mut fixed[start..start + header.length];
        let checksum = crc32c::crc32c(&batch[ATTRIBUTES_AT..]);
        batch[CHECKSUM_AT..ATTRIBUTES_AT].copy_from_slice(&checksum.to_be_bytes());
        start += header.length;
    }
    fixed.into()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    /// A batch of one record with this time delta (zigzag) and number of headers (zigzag).
    fn one_record(time: u64, headers: u64) -> Bytes {
        let record = [&[0][..], &varint(time), &[0, 1, 2, b'x'], &varint(headers)].concat();
        let records = [&varint(2 * record.len() as u64)[..], &record].concat();
        let mut bytes = batch(&[b"x"])[..HEADER_LENGTH].to_vec();
        bytes.extend_from_slice(&records);
        let length = u32::try_from(bytes.len() - 12).unwrap();
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        fix_checksums(&bytes)
    }

    /// Found by fuzzing: the decoder would abort, or panic in a build with overflow checks.
    #[test]
    fn impossible_counts_and_times_are_refused_before_they_are_decoded() {
        assert_eq!(decode(one_record(2, 0)).unwrap().len(), 1);
        assert!(decode(one_record(2, u64::from(u32::MAX) - 1)).is_none(), "two billion headers");
        assert!(decode(one_record(u64::MAX - 1, 0)).is_none(), "a time beyond all times");
        let far_apart = [one_record(u64::MAX, 0), one_record(2, 0)].concat();
        assert!(
            decode(far_apart.into()).is_none(),
            "two times with more than all times between them"
        );
        let mut many = batch(&[b"x"]).to_vec();
        many[23..27].copy_from_slice(&i32::MAX.wrapping_sub(1).to_be_bytes());
        many[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
        assert!(decode(fix_checksums(&many)).is_none(), "two billion records");
    }
}
