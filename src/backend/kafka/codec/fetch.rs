//! Requests for records, and their answers.

use super::{
    answer::{Answer, Malformed},
    request::{begin, end, put_i32, put_i64, put_string},
};

pub const KEY: i16 = 1;
/// Versions that this code speaks. 4 is the first with batches of magic 2, 10 the first with zstd; 12 is the first
/// "flexible" one.
pub const VERSIONS: (i16, i16) = (4, 11);

/// Limits of a consumer's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchLimits {
    /// Longest time in milliseconds that a broker waits for records.
    pub max_wait_ms: i32,
    /// Bytes for which a broker answers at once.
    pub min_bytes: i32,
    /// Bytes of an answer.
    pub max_bytes: i32,
    /// Bytes of one partition in an answer.
    pub partition_bytes: i32,
}

/// Writes a request for records of `partitions`, each from an offset on.
pub fn write(
    frame: &mut Vec<u8>,
    version: i16,
    number: i32,
    topic: &str,
    limits: FetchLimits,
    partitions: impl ExactSizeIterator<Item = (i32, i64)>,
) {
    begin(frame, KEY, version, number);
    // No replica asks.
    put_i32(frame, -1);
    put_i32(frame, limits.max_wait_ms);
    put_i32(frame, limits.min_bytes);
    put_i32(frame, limits.max_bytes);
    // Also records of open transactions: there are none.
    frame.push(0);
    if version >= 7 {
        // No session: each request names all partitions.
        put_i32(frame, 0);
        put_i32(frame, -1);
    }
    put_i32(frame, 1);
    put_string(frame, topic);
    put_i32(frame, i32::try_from(partitions.len()).unwrap_or(i32::MAX));
    for (partition, offset) in partitions {
        put_i32(frame, partition);
        if version >= 9 {
            put_i32(frame, -1);
        }
        put_i64(frame, offset);
        if version >= 5 {
            put_i64(frame, -1);
        }
        put_i32(frame, limits.partition_bytes);
    }
    if version >= 7 {
        put_i32(frame, 0);
    }
    if version >= 11 {
        put_string(frame, "");
    }
    end(frame);
}

/// What an answer holds of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchedPartition<'a> {
    /// The partition's number.
    pub partition: i32,
    /// Its error code.
    pub error: i16,
    /// Batches of records; the last one may be cut.
    pub records: &'a [u8],
}

/// The beginning of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchAnswer {
    /// Number of the request.
    pub number: i32,
    /// Error code of the whole request.
    pub error: i16,
    /// Time in milliseconds for which the broker asks to send nothing.
    pub throttle_ms: i32,
}

/// Reads a frame without its length field, and passes each partition to `take`.
pub fn read<'a>(
    frame: &'a [u8],
    version: i16,
    mut take: impl FnMut(FetchedPartition<'a>),
) -> Result<FetchAnswer, Malformed> {
    let mut answer = Answer(frame);
    let number = answer.i32()?;
    let throttle_ms = answer.i32()?;
    let mut error = 0;
    if version >= 7 {
        error = answer.i16()?;
        answer.i32()?;
    }
    for _ in 0..answer.count(6)? {
        answer.string()?;
        for _ in 0..answer.count(30)? {
            let partition = answer.i32()?;
            let code = answer.i16()?;
            answer.take(16)?;
            if version >= 5 {
                answer.i64()?;
            }
            for _ in 0..answer.count(16)? {
                answer.take(16)?;
            }
            if version >= 11 {
                answer.i32()?;
            }
            let records = answer.bytes()?;
            take(FetchedPartition { partition, error: code, records });
        }
    }
    Ok(FetchAnswer { number, error, throttle_ms })
}
