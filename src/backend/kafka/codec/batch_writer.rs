//! Writing a batch of records (magic 2, the only format since Kafka 0.11), in place, at the end of a frame.

use super::{
    compression::Compression,
    request::{put_i16, put_i32, put_i64, put_varint, varint_len},
};
use crate::layout::batch::{
    ATTRIBUTES_AT, CHECKSUM_AT, COUNT_AT, HEADER_LENGTH, LAST_OFFSET_AT, LENGTH_AT, LENGTH_END,
    MAGIC, MAX_TIMESTAMP_AT, PRODUCER_AT,
};

/// An idempotent producer and its sequence number of a batch's first record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence {
    /// The producer's ID.
    pub producer: i64,
    /// Its epoch.
    pub epoch: i16,
    /// Number of the first record.
    pub first: i32,
}

/// A batch that is being filled, from `start` of the frame on.
#[derive(Debug, Clone, Copy)]
pub struct BatchWriter {
    start: usize,
    first_timestamp: i64,
    max_timestamp: i64,
    records: i32,
}

impl BatchWriter {
    /// Begins a batch at the frame's end; `timestamp` in milliseconds since 1970 is that of its first record.
    pub fn begin(frame: &mut Vec<u8>, timestamp: i64) -> Self {
        let start = frame.len();
        put_i64(frame, 0);
        put_i32(frame, 0);
        // The leader's epoch is the broker's to fill in.
        put_i32(frame, -1);
        frame.push(MAGIC);
        put_i32(frame, 0);
        put_i16(frame, 0);
        put_i32(frame, 0);
        put_i64(frame, timestamp);
        put_i64(frame, timestamp);
        put_i64(frame, -1);
        put_i16(frame, -1);
        put_i32(frame, -1);
        put_i32(frame, 0);
        Self { start, first_timestamp: timestamp, max_timestamp: timestamp, records: 0 }
    }

    /// Appends a record without key and headers.
    pub fn push(&mut self, frame: &mut Vec<u8>, timestamp: i64, value: &[u8]) {
        let timestamp_delta = timestamp - self.first_timestamp;
        let offset_delta = i64::from(self.records);
        let value_length = signed(value.len());
        // Attributes, no key, no headers: a byte each.
        let length = 3
            + varint_len(timestamp_delta)
            + varint_len(offset_delta)
            + varint_len(value_length)
            + value.len();
        put_varint(frame, signed(length));
        frame.push(0);
        put_varint(frame, timestamp_delta);
        put_varint(frame, offset_delta);
        put_varint(frame, -1);
        put_varint(frame, value_length);
        frame.extend_from_slice(value);
        put_varint(frame, 0);
        self.records += 1;
        self.max_timestamp = self.max_timestamp.max(timestamp);
    }

    /// Number of records.
    pub const fn records(&self) -> i32 {
        self.records
    }

    /// Bytes of the batch in `frame`, without compression.
    pub const fn bytes(&self, frame: &[u8]) -> usize {
        frame.len() - self.start
    }

    /// Completes the batch: compression, header, checksum.
    pub fn finish(
        self,
        frame: &mut Vec<u8>,
        compression: Compression,
        sequence: Option<Sequence>,
    ) -> Result<(), String> {
        if compression != Compression::None {
            let records = frame.split_off(self.start + HEADER_LENGTH);
            compression.compress(&records, frame)?;
        }
        let batch = &mut frame[self.start..];
        let length = i32::try_from(batch.len() - LENGTH_END).unwrap_or(i32::MAX);
        put(batch, LENGTH_AT, length.to_be_bytes());
        put(batch, ATTRIBUTES_AT, (compression as i16).to_be_bytes());
        put(batch, LAST_OFFSET_AT, (self.records - 1).to_be_bytes());
        put(batch, MAX_TIMESTAMP_AT, self.max_timestamp.to_be_bytes());
        if let Some(sequence) = sequence {
            put(batch, PRODUCER_AT, sequence.producer.to_be_bytes());
            put(batch, PRODUCER_AT + 8, sequence.epoch.to_be_bytes());
            put(batch, PRODUCER_AT + 10, sequence.first.to_be_bytes());
        }
        put(batch, COUNT_AT, self.records.to_be_bytes());
        let checksum = crc32c::crc32c(&batch[ATTRIBUTES_AT..]);
        put(batch, CHECKSUM_AT, checksum.to_be_bytes());
        Ok(())
    }
}

/// A length as the format has it: no slice is longer than the largest signed number.
const fn signed(length: usize) -> i64 {
    (length as u64).cast_signed()
}

fn put<const N: usize>(batch: &mut [u8], at: usize, bytes: [u8; N]) {
    batch[at..at + N].copy_from_slice(&bytes);
}
