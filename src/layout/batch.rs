//! The header of a record batch (magic 2, the only format since 2017).
//!
//! Positions are in bytes from the batch's start; all numbers are big-endian.

/// Version of the format.
pub const MAGIC: u8 = 2;
/// Position of the batch's length, which counts the bytes behind it.
pub const LENGTH_AT: usize = 8;
/// End of the length field.
pub const LENGTH_END: usize = 12;
/// Position of the checksum (CRC-32C), which covers everything from the attributes on.
pub const CHECKSUM_AT: usize = 17;
/// Position of the attributes.
pub const ATTRIBUTES_AT: usize = 21;
/// Position of the last record's offset, relative to the first one's.
pub const LAST_OFFSET_AT: usize = 23;
/// Position of the first record's timestamp, to which those of the others are relative.
pub const BASE_TIMESTAMP_AT: usize = 27;
/// Position of the largest timestamp of its records.
pub const MAX_TIMESTAMP_AT: usize = 35;
/// Position of an idempotent producer's ID; its epoch and the first record's sequence number follow.
pub const PRODUCER_AT: usize = 43;
/// Position of the number of records.
pub const COUNT_AT: usize = 57;
/// Bytes before the records.
pub const HEADER_LENGTH: usize = 61;

/// Bits of the attributes that say how the records are compressed.
pub const COMPRESSION_BITS: i16 = 0b111;
/// Bit of the attributes that marks control records, which no client wrote.
pub const CONTROL_BIT: i16 = 1 << 5;

/// Bytes of the smallest record: length, attributes, two deltas, no key, no value, no headers.
pub const SMALLEST_RECORD: usize = 7;
