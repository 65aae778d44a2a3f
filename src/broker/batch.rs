//! The header of a record batch: the only part that the broker reads of the batches it stores.

use bytes::Buf;

use crate::layout::batch::{COMPRESSION_BITS, HEADER_LENGTH, LENGTH_AT, LENGTH_END, MAGIC};

/// The fields of a batch's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Bytes of the whole batch.
    pub length: usize,
    /// Records in it.
    pub records: i32,
    /// Largest timestamp of its records, in milliseconds.
    pub max_timestamp: i64,
    /// Whether its records are compressed.
    pub compressed: bool,
    /// The idempotent producer and the sequence number of the first record.
    pub sequence: Option<ProducerSequence>,
}

/// The position of a batch in the sequence of an idempotent producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerSequence {
    /// The producer's ID.
    pub producer: i64,
    /// The producer's epoch.
    pub epoch: i16,
    /// Sequence number of the batch's first record.
    pub first: i32,
}

/// Why bytes are not a valid batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MalformedBatch {
    /// The batch is truncated, or its numbers contradict each other.
    Broken,
    /// The format is older than Kafka 0.11.
    OldFormat,
}

impl BatchHeader {
    /// Reads the header of the batch at the start of `bytes`, which contains the whole batch.
    pub fn read(bytes: &[u8]) -> Result<Self, MalformedBatch> {
        if bytes.len() < HEADER_LENGTH {
            return Err(MalformedBatch::Broken);
        }
        let mut header = &bytes[LENGTH_AT..];
        let rest = usize::try_from(header.get_i32()).map_err(|_| MalformedBatch::Broken)?;
        let length = rest.checked_add(LENGTH_END).ok_or(MalformedBatch::Broken)?;
        header.advance(4);
        if header.get_u8() != MAGIC {
            return Err(MalformedBatch::OldFormat);
        }
        header.advance(4);
        let attributes = header.get_i16();
        let last_delta = header.get_i32();
        header.advance(8);
        let max_timestamp = header.get_i64();
        let producer = header.get_i64();
        let epoch = header.get_i16();
        let first = header.get_i32();
        let records = header.get_i32();
        if records <= 0
            || last_delta != records - 1
            || length < HEADER_LENGTH
            || length > bytes.len()
        {
            return Err(MalformedBatch::Broken);
        }
        Ok(Self {
            length,
            records,
            max_timestamp,
            compressed: attributes & COMPRESSION_BITS != 0,
            sequence: (producer >= 0).then_some(ProducerSequence { producer, epoch, first }),
        })
    }

    /// Reads the headers of all batches in `bytes`; at least one.
    pub fn read_all(mut bytes: &[u8]) -> Result<Vec<Self>, MalformedBatch> {
        let mut headers = Vec::with_capacity(1);
        loop {
            let header = Self::read(bytes)?;
            headers.push(header);
            bytes = &bytes[header.length..];
            if bytes.is_empty() {
                return Ok(headers);
            }
        }
    }
}

/// Appends `batch` to `to` with `base` as its base offset. Only fields outside the batch's checksum
/// change: base offset and leader epoch.
pub fn write_with_base_offset(to: &mut bytes::BytesMut, batch: &[u8], base: i64) {
    to.extend_from_slice(&base.to_be_bytes());
    to.extend_from_slice(&batch[LENGTH_AT..LENGTH_END]);
    to.extend_from_slice(&0_i32.to_be_bytes());
    to.extend_from_slice(&batch[LENGTH_END + 4..]);
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::*;
    use crate::broker::fault_injection::records::{self, batch};

    #[test]
    fn a_header_counts_its_batch() {
        let mut two = BytesMut::new();
        two.extend_from_slice(&batch(&[b"one", b"two"]));
        let first = two.len();
        two.extend_from_slice(&batch(&[b"three"]));
        let headers = BatchHeader::read_all(&two).unwrap();
        assert_eq!(headers.iter().map(|header| header.records).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(headers[0].length, first);
        assert_eq!(headers[1].length, two.len() - first);
        assert!(!headers[0].compressed && headers[0].sequence.is_none());
    }

    #[test]
    fn a_new_base_offset_leaves_the_checksum_valid() {
        let mut moved = BytesMut::new();
        write_with_base_offset(&mut moved, &batch(&[b"one", b"two"]), 41);
        let read = records::decode(moved.freeze()).unwrap();
        assert_eq!(read.iter().map(|record| record.offset).collect::<Vec<_>>(), [41, 42]);
        assert_eq!(read[1].value.as_deref(), Some(&b"two"[..]));
    }

    proptest! {
        #[test]
        fn garbage_is_refused_and_never_panics(bytes: Vec<u8>) {
            let _ = BatchHeader::read_all(&bytes);
        }

        #[test]
        fn a_cut_batch_is_refused(keep in 0_usize..75) {
            let whole = batch(&[b"0123456789"]);
            prop_assume!(keep < whole.len());
            prop_assert_eq!(BatchHeader::read_all(&whole[..keep]), Err(MalformedBatch::Broken));
        }
    }
}
