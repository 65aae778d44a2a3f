//! Sequence numbers of an idempotent producer: by them a broker recognises a batch that is sent again.

use bytes::Bytes;
use kafka_protocol::messages::{InitProducerIdRequest, ProducerId};

use super::batch::Batch;
use crate::backend::kafka::{
    codec::{batch_writer::Sequence, error_code},
    control::broker_connection::{decode, encode},
};

/// Version of the request for an ID: before the "flexible" ones.
const VERSION: i16 = 1;

/// The ID of an idempotent producer, and the number of its next message.
#[derive(Debug)]
pub(super) struct Sequences {
    is_used: bool,
    id: Option<(i64, i16)>,
    next: i32,
}

impl Sequences {
    pub const fn new(is_used: bool) -> Self {
        Self { is_used, id: None, next: 0 }
    }

    /// Whether the broker must be asked for an ID first.
    pub const fn needs_id(&self) -> bool {
        self.is_used && self.id.is_none()
    }

    /// Numbers the messages of a batch, once.
    pub fn number(&mut self, batch: &mut Batch) {
        if let Some((producer, epoch)) = self.id
            && batch.sequence.is_none()
        {
            batch.sequence = Some(Sequence { producer, epoch, first: self.next });
            // After the largest number comes 0.
            self.next = self.next.wrapping_add(batch.records()) & i32::MAX;
        }
    }

    /// Returns the request for an ID.
    pub fn request_id(number: i32) -> Result<Vec<u8>, String> {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(i32::MAX)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        encode(number, VERSION, &request).map_err(|error| error.to_string())
    }

    /// Reads the answer to it.
    pub fn read_id(&mut self, number: i32, frame: &[u8]) -> Result<(), String> {
        let frame = Bytes::copy_from_slice(frame);
        let answer = decode::<InitProducerIdRequest>(number, VERSION, frame)
            .map_err(|error| error.to_string())?;
        if answer.error_code != error_code::NO_ERROR {
            let reason = error_code::describe(answer.error_code);
            return Err(format!("the broker gives no ID to an idempotent producer: {reason}"));
        }
        self.id = Some((answer.producer_id.0, answer.producer_epoch));
        Ok(())
    }
}
