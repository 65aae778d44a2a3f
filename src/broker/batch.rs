//! The head of a record batch: the little that the broker must know of what it keeps.

use bytes::Buf;

/// Bytes before a batch's records: magic 2, the only format since Kafka 0.11.
const HEAD: usize = 61;
/// Bytes before the field that counts the rest of the batch, that field included.
const LENGTH_END: usize = 12;
const MAGIC: i8 = 2;
const COMPRESSION_BITS: i16 = 0b111;

/// What a batch's head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the whole batch.
    pub length: usize,
    /// Records in it.
    pub records: i32,
    /// Largest timestamp of its records, in milliseconds.
    pub max_timestamp: i64,
    /// Whether its records are compressed.
    pub compressed: bool,
    /// The idempotent producer and the sequence number of the first record.
    pub sequence: Option<Sequence>,
}

/// Where an idempotent producer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence {
    /// The producer.
    pub producer: i64,
    /// Its incarnation.
    pub epoch: i16,
    /// Number of the batch's first record.
    pub first: i32,
}

/// Why bytes are not a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Cut short, or its numbers contradict each other.
    Broken,
    /// Of a format older than Kafka 0.11.
    OldFormat,
}

impl Head {
    /// Reads the head of the batch at the start of `bytes`, which holds it wholly.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() < HEAD {
            return Err(Malformed::Broken);
        }
        let mut head = &bytes[8..];
        let rest = usize::try_from(head.get_i32()).map_err(|_| Malformed::Broken)?;
        let length = rest.checked_add(LENGTH_END).ok_or(Malformed::Broken)?;
        head.advance(4);
        if head.get_i8() != MAGIC {
            return Err(Malformed::OldFormat);
        }
        head.advance(4);
        let attributes = head.get_i16();
        let last_delta = head.get_i32();
        head.advance(8);
        let max_timestamp = head.get_i64();
        let producer = head.get_i64();
        let epoch = head.get_i16();
        let first = head.get_i32();
        let records = head.get_i32();
        if records <= 0 || last_delta != records - 1 || length < HEAD || length > bytes.len() {
            return Err(Malformed::Broken);
        }
        Ok(Self {
            length,
            records,
            max_timestamp,
            compressed: attributes & COMPRESSION_BITS != 0,
            sequence: (producer >= 0).then_some(Sequence { producer, epoch, first }),
        })
    }

    /// Reads the heads of all batches in `bytes`; at least one.
    pub fn read_all(mut bytes: &[u8]) -> Result<Vec<Self>, Malformed> {
        let mut heads = Vec::with_capacity(1);
        loop {
            let head = Self::read(bytes)?;
            heads.push(head);
            bytes = &bytes[head.length..];
            if bytes.is_empty() {
                return Ok(heads);
            }
        }
    }
}

/// Appends `batch` to `to` as the one that begins at `base`. Only fields outside of the batch's
/// checksum change: base offset and leader epoch.
pub fn write_at(to: &mut bytes::BytesMut, batch: &[u8], base: i64) {
    to.extend_from_slice(&base.to_be_bytes());
    to.extend_from_slice(&batch[8..LENGTH_END]);
    to.extend_from_slice(&0_i32.to_be_bytes());
    to.extend_from_slice(&batch[LENGTH_END + 4..]);
}

#[cfg(test)]
pub mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::*;
    use crate::broker::lies::records;

    /// A batch of these values, as a producer would send it.
    pub fn batch(values: &[&[u8]]) -> bytes::Bytes {
        let values = values.iter().map(|value| bytes::Bytes::copy_from_slice(value));
        records::encode(&records::plain(values)).unwrap()
    }

    #[test]
    fn a_head_counts_its_batch() {
        let mut two = BytesMut::new();
        two.extend_from_slice(&batch(&[b"one", b"two"]));
        let first = two.len();
        two.extend_from_slice(&batch(&[b"three"]));
        let heads = Head::read_all(&two).unwrap();
        assert_eq!(heads.iter().map(|head| head.records).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(heads[0].length, first);
        assert_eq!(heads[1].length, two.len() - first);
        assert!(!heads[0].compressed && heads[0].sequence.is_none());
    }

    #[test]
    fn a_new_base_offset_leaves_the_checksum_valid() {
        let mut moved = BytesMut::new();
        write_at(&mut moved, &batch(&[b"one", b"two"]), 41);
        let read = records::decode(moved.freeze()).unwrap();
        assert_eq!(read.iter().map(|record| record.offset).collect::<Vec<_>>(), [41, 42]);
        assert_eq!(read[1].value.as_deref(), Some(&b"two"[..]));
    }

    proptest! {
        #[test]
        fn garbage_is_refused_and_never_panics(bytes: Vec<u8>) {
            let _ = Head::read_all(&bytes);
        }

        #[test]
        fn a_cut_batch_is_refused(keep in 0_usize..75) {
            let whole = batch(&[b"0123456789"]);
            prop_assume!(keep < whole.len());
            prop_assert_eq!(Head::read_all(&whole[..keep]), Err(Malformed::Broken));
        }
    }
}
