//! Requests to write records to one partition, and their answers.

use super::{
    answer::{Answer, Malformed},
    request::{begin, end, put_i16, put_i32, put_string},
};

pub const KEY: i16 = 0;
/// Versions that this code speaks. 3 is the first with batches of magic 2, 7 the first with zstd; 9 is the first
/// "flexible" one.
pub const VERSIONS: (i16, i16) = (3, 8);

/// What all requests to write to one partition have in common.
#[derive(Debug, Clone)]
pub struct ProducePrefix {
    bytes: Vec<u8>,
    /// Position of the length of the records.
    records_at: usize,
}

impl ProducePrefix {
    /// Prepares requests of `version`. `acks` is the number of brokers that must have a message, or −1 for all in
    /// sync; the broker gives up waiting for them after `timeout_ms`.
    pub fn new(version: i16, topic: &str, partition: i32, acks: i16, timeout_ms: i32) -> Self {
        let mut bytes = Vec::with_capacity(64 + topic.len());
        begin(&mut bytes, KEY, version, 0);
        // Outside of a transaction.
        put_i16(&mut bytes, -1);
        put_i16(&mut bytes, acks);
        put_i32(&mut bytes, timeout_ms);
        put_i32(&mut bytes, 1);
        put_string(&mut bytes, topic);
        put_i32(&mut bytes, 1);
        put_i32(&mut bytes, partition);
        let records_at = bytes.len();
        put_i32(&mut bytes, 0);
        Self { bytes, records_at }
    }

    /// Begins a frame; a batch of records follows.
    pub fn begin(&self, frame: &mut Vec<u8>) {
        frame.clear();
        frame.extend_from_slice(&self.bytes);
    }

    /// Completes a frame: [`renumber`](super::request::renumber) gives it its number.
    pub fn end(&self, frame: &mut [u8]) {
        let records = frame.len() - self.bytes.len();
        let records = i32::try_from(records).unwrap_or(i32::MAX);
        frame[self.records_at..self.records_at + 4].copy_from_slice(&records.to_be_bytes());
        end(frame);
    }
}

/// The answer to a request to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProduceAnswer {
    /// Number of the request.
    pub number: i32,
    /// Error code of the partition.
    pub error: i16,
    /// Time in milliseconds for which the broker asks to send nothing.
    pub throttle_ms: i32,
}

impl ProduceAnswer {
    /// Reads a frame without its length field.
    pub fn read(frame: &[u8], version: i16) -> Result<Self, Malformed> {
        let mut answer = Answer(frame);
        let number = answer.i32()?;
        let mut error = None;
        for _ in 0..answer.count(6)? {
            answer.string()?;
            for _ in 0..answer.count(14)? {
                answer.i32()?;
                error = Some(answer.i16()?);
                answer.take(16)?;
                if version >= 5 {
                    answer.i64()?;
                }
                if version >= 8 {
                    for _ in 0..answer.count(6)? {
                        answer.i32()?;
                        answer.nullable_string()?;
                    }
                    answer.nullable_string()?;
                }
            }
        }
        let throttle_ms = answer.i32()?;
        let error = error.ok_or(Malformed("it names no partition"))?;
        Ok(Self { number, error, throttle_ms })
    }
}
