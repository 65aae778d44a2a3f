//! The log of one partition: batches in order, found by offset. Pure: no locks, no clocks.

use std::collections::{HashMap, VecDeque};

use bytes::{Bytes, BytesMut};

use super::batch::{self, BatchHeader, ProducerSequence};

/// Batches are copied into blocks of this size, so that a small message costs no allocation.
const BLOCK_SIZE: usize = 1 << 20;

/// The batches of one partition.
#[derive(Debug, Default)]
pub struct PartitionLog {
    batches: VecDeque<StoredBatch>,
    /// Offset of the next record.
    end: i64,
    /// Bytes appended since the start.
    written: u64,
    /// Memory taken by the stored batches.
    memory: u64,
    /// The first offset that no fetch has returned yet.
    unread: i64,
    /// The unused part of the current block.
    block: BytesMut,
    /// The next expected sequence number of each idempotent producer.
    producers: HashMap<i64, ExpectedSequence>,
}

#[derive(Debug)]
struct StoredBatch {
    base: i64,
    /// [`PartitionLog::written`] before this batch.
    position: u64,
    max_timestamp: i64,
    bytes: Bytes,
}

#[derive(Debug, Clone, Copy)]
struct ExpectedSequence {
    epoch: i16,
    next: i32,
}

/// Bytes of memory that a batch of `length` bytes takes, its log entry included: a small batch is
/// not much larger than its entry.
pub const fn memory_cost(length: usize) -> u64 {
    (length + size_of::<StoredBatch>()) as u64
}

/// Why an idempotent producer's batch is not appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SequenceError {
    /// The batch was appended before.
    Duplicate,
    /// An earlier batch is missing.
    Gap,
}

/// An offset is before the log's start or after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetOutOfRange;

impl PartitionLog {
    /// Offset of the oldest stored record; of the next record when the log is empty.
    pub fn start(&self) -> i64 {
        self.batches.front().map_or(self.end, |batch| batch.base)
    }

    /// Offset that the next record will get.
    pub const fn end(&self) -> i64 {
        self.end
    }

    /// Checks the sequence number of an idempotent producer's batch, and advances the expected
    /// number past the batch.
    pub fn check_sequence(
        &mut self,
        sequence: ProducerSequence,
        records: i32,
    ) -> Result<(), SequenceError> {
        let known = self.producers.get(&sequence.producer).copied();
        if let Some(known) = known.filter(|known| known.epoch == sequence.epoch)
            && sequence.first != known.next
        {
            // Sequence numbers wrap from the largest to 0.
            let behind = known.next.wrapping_sub(sequence.first) & i32::MAX;
            let repeated = behind < i32::MAX / 2;
            return Err(if repeated { SequenceError::Duplicate } else { SequenceError::Gap });
        }
        let next = sequence.first.wrapping_add(records) & i32::MAX;
        self.producers.insert(sequence.producer, ExpectedSequence { epoch: sequence.epoch, next });
        Ok(())
    }

    /// Appends one batch and returns the offset of its first record.
    pub fn append(&mut self, header: &BatchHeader, bytes: &[u8]) -> i64 {
        let base = self.end;
        if self.block.capacity() < bytes.len() {
            self.block = BytesMut::with_capacity(BLOCK_SIZE.max(bytes.len()));
        }
        batch::write_with_base_offset(&mut self.block, bytes, base);
        self.batches.push_back(StoredBatch {
            base,
            position: self.written,
            max_timestamp: header.max_timestamp,
            bytes: self.block.split().freeze(),
        });
        self.end += i64::from(header.records);
        self.written += bytes.len() as u64;
        self.memory += memory_cost(bytes.len());
        base
    }

    /// Bytes from the batch with `offset` to the end of the log.
    pub fn available_bytes(&self, offset: i64) -> Result<u64, OffsetOutOfRange> {
        let index = self.find(offset)?;
        Ok(self.batches.get(index).map_or(0, |batch| self.written - batch.position))
    }

    /// Reads batches from the one with `offset` on, up to `most` bytes; with `at_least_one`, the
    /// first batch is returned even if it is larger.
    pub fn read(
        &mut self,
        offset: i64,
        most: usize,
        at_least_one: bool,
    ) -> Result<Bytes, OffsetOutOfRange> {
        let first = self.find(offset)?;
        let mut taken = 0;
        let mut bytes = 0;
        for batch in self.batches.range(first..) {
            let exempt = taken == 0 && at_least_one;
            if !exempt && bytes + batch.bytes.len() > most {
                break;
            }
            taken += 1;
            bytes += batch.bytes.len();
        }
        let next = self.batches.get(first + taken).map_or(self.end, |batch| batch.base);
        self.unread = self.unread.max(next);
        if taken == 1 {
            return Ok(self.batches[first].bytes.clone());
        }
        let mut joined = BytesMut::with_capacity(bytes);
        for batch in self.batches.range(first..first + taken) {
            joined.extend_from_slice(&batch.bytes);
        }
        Ok(joined.freeze())
    }

    /// Offset and largest timestamp of the first batch with a record of `timestamp` or later.
    pub fn find_by_time(&self, timestamp: i64) -> Option<(i64, i64)> {
        self.batches
            .iter()
            .find(|batch| batch.max_timestamp >= timestamp)
            .map(|batch| (batch.base, batch.max_timestamp))
    }

    /// Drops the oldest fetched batches until `wanted` bytes of memory are free or no fetched batch
    /// is left; returns the bytes freed.
    pub fn evict_fetched(&mut self, wanted: u64) -> u64 {
        let mut freed = 0;
        while freed < wanted {
            let end = self.batches.get(1).map_or(self.end, |next| next.base);
            match self.batches.front() {
                Some(oldest) if end <= self.unread => freed += memory_cost(oldest.bytes.len()),
                _ => break,
            }
            self.batches.pop_front();
        }
        self.memory -= freed;
        freed
    }

    /// Bytes of memory that the stored batches take, by [`memory_cost`].
    pub const fn memory(&self) -> u64 {
        self.memory
    }

    /// Index of the batch with `offset`; the number of batches for the end of the log.
    fn find(&self, offset: i64) -> Result<usize, OffsetOutOfRange> {
        if offset < self.start() || offset > self.end {
            return Err(OffsetOutOfRange);
        }
        if offset == self.end {
            return Ok(self.batches.len());
        }
        Ok(self.batches.partition_point(|batch| batch.base <= offset) - 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::broker::fault_injection::records::{self, batch};

    fn append(log: &mut PartitionLog, values: &[&[u8]]) -> i64 {
        let bytes = batch(values);
        log.append(&BatchHeader::read(&bytes).unwrap(), &bytes)
    }

    fn values(bytes: Bytes) -> Vec<(i64, Vec<u8>)> {
        let records = records::decode(bytes).unwrap();
        records.into_iter().map(|r| (r.offset, r.value.unwrap().to_vec())).collect()
    }

    #[test]
    fn what_was_appended_is_read_from_any_offset() {
        let mut log = PartitionLog::default();
        assert_eq!(append(&mut log, &[b"a", b"b"]), 0);
        assert_eq!(append(&mut log, &[b"c"]), 2);
        assert_eq!((log.start(), log.end()), (0, 3));
        let all = log.read(0, usize::MAX, true).unwrap();
        assert_eq!(values(all), [(0, b"a".to_vec()), (1, b"b".to_vec()), (2, b"c".to_vec())]);
        assert_eq!(values(log.read(2, usize::MAX, true).unwrap()), [(2, b"c".to_vec())]);
        // An offset within a batch returns the whole batch: clients skip the records that they
        // have.
        assert_eq!(values(log.read(1, 1, true).unwrap()).len(), 2);
        assert!(log.read(1, 1, false).unwrap().is_empty());
        assert!(log.read(3, 1, true).unwrap().is_empty());
        assert_eq!(log.read(4, 1, true), Err(OffsetOutOfRange));
        assert_eq!(log.available_bytes(3), Ok(0));
        let lengths = batch(&[b"a", b"b"]).len() + batch(&[b"c"]).len();
        assert_eq!(log.available_bytes(0), Ok(lengths as u64));
    }

    #[test]
    fn only_what_was_read_is_dropped() {
        let mut log = PartitionLog::default();
        for value in [b"a", b"b", b"c"] {
            append(&mut log, &[value]);
        }
        assert_eq!(log.evict_fetched(1), 0, "nothing was fetched yet");
        let one = log.memory() / 3;
        log.read(0, 1, true).unwrap();
        assert_eq!(log.evict_fetched(u64::MAX), one);
        assert_eq!((log.start(), log.end(), log.memory()), (1, 3, 2 * one));
        assert_eq!(log.read(0, 1, true), Err(OffsetOutOfRange));
        log.read(1, usize::MAX, true).unwrap();
        assert_eq!(log.evict_fetched(u64::MAX), 2 * one);
        assert_eq!((log.start(), log.end(), log.memory()), (3, 3, 0));
    }

    #[test]
    fn a_repeated_batch_of_an_idempotent_producer_is_noticed() {
        let mut log = PartitionLog::default();
        let at = |first| ProducerSequence { producer: 7, epoch: 0, first };
        assert_eq!(log.check_sequence(at(0), 3), Ok(()));
        assert_eq!(log.check_sequence(at(3), 2), Ok(()));
        assert_eq!(log.check_sequence(at(3), 2), Err(SequenceError::Duplicate));
        assert_eq!(log.check_sequence(at(6), 1), Err(SequenceError::Gap));
        assert_eq!(log.check_sequence(at(5), 1), Ok(()));
        assert_eq!(log.check_sequence(ProducerSequence { epoch: 1, ..at(0) }, 1), Ok(()));
        let last = ProducerSequence { producer: 8, epoch: 0, first: i32::MAX };
        assert_eq!(log.check_sequence(last, 1), Ok(()));
        assert_eq!(
            log.check_sequence(ProducerSequence { first: 0, ..last }, 1),
            Ok(()),
            "numbers wrap to 0"
        );
    }

    proptest! {
        #[test]
        fn every_offset_is_found(sizes in prop::collection::vec(1_usize..5, 1..20)) {
            let mut log = PartitionLog::default();
            for size in &sizes {
                append(&mut log, &vec![&b"x"[..]; *size]);
            }
            for offset in 0..log.end() {
                let found = values(log.read(offset, 1, true).unwrap());
                prop_assert!(found.iter().any(|(o, _)| *o == offset));
                let expected: u64 =
                    log.batches.iter().skip_while(|b| b.base < found[0].0).map(|b| b.bytes.len() as u64).sum();
                prop_assert_eq!(log.available_bytes(offset).unwrap(), expected);
            }
        }
    }
}
