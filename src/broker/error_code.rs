//! Kafka's error codes, and those of the store's errors.

pub use kafka_protocol::error::ResponseError as ErrorCode;

use super::{log::SequenceError, store::AppendError};

/// The error code for batches that were not appended.
pub const fn error_code(reason: AppendError) -> ErrorCode {
    match reason {
        // Not a retriable error code: waiting frees no memory, and a silent retry would look like a
        // slow server.
        AppendError::MemoryFull => ErrorCode::PolicyViolation,
        AppendError::OutOfSequence(SequenceError::Duplicate) => ErrorCode::DuplicateSequenceNumber,
        AppendError::OutOfSequence(SequenceError::Gap) => ErrorCode::OutOfOrderSequenceNumber,
    }
}
