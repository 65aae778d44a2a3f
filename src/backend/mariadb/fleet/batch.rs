//! Messages that one statement stores, in order.

use crate::{backend::SendReceipt, clock::Micros, stamp::Stamp};

/// Messages of one user; the payloads are adjacent in one buffer.
#[derive(Debug, Default)]
pub struct InsertBatch {
    stamps: Vec<Stamp>,
    ends: Vec<usize>,
    payloads: Vec<u8>,
}

impl InsertBatch {
    /// Returns an empty batch with capacity for as much as this batch holds.
    pub fn with_same_capacity(&self) -> Self {
        Self {
            stamps: Vec::with_capacity(self.stamps.len()),
            ends: Vec::with_capacity(self.ends.len()),
            payloads: Vec::with_capacity(self.payloads.len()),
        }
    }

    /// Adds a message.
    pub fn push(&mut self, stamp: Stamp, payload: &[u8]) {
        self.stamps.push(stamp);
        self.payloads.extend_from_slice(payload);
        self.ends.push(self.payloads.len());
    }

    /// Returns the number of messages.
    pub fn rows(&self) -> usize {
        self.stamps.len()
    }

    /// Returns the bytes of all messages, stamps included.
    pub fn bytes(&self) -> usize {
        self.payloads.len() + self.stamps.len() * Stamp::LEN
    }

    /// Returns each message as a row of the table: stamp and payload.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Vec<u8>)> + Send + '_ {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        self.stamps
            .iter()
            .zip(starts.zip(&self.ends))
            .map(|(stamp, (start, end))| (stamp.number(), self.payloads[start..*end].to_vec()))
    }

    /// Returns a receipt for each message whose outcome is known at `at`.
    pub fn receipts(&self, at: Micros) -> impl Iterator<Item = SendReceipt> + '_ {
        self.stamps.iter().map(move |stamp| SendReceipt { stamp: *stamp, at, not_before: at })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_come_out_as_they_went_in(messages: Vec<(u64, Vec<u8>)>) {
            let mut batch = InsertBatch::default();
            for (number, payload) in &messages {
                batch.push(Stamp::from_number(*number), payload);
            }
            prop_assert_eq!(batch.rows(), messages.len());
            let bytes: usize = messages.iter().map(|(_, payload)| payload.len() + 8).sum();
            prop_assert_eq!(batch.bytes(), bytes);
            let stamps: Vec<u64> = batch.receipts(Micros(1)).map(|r| r.stamp.number()).collect();
            prop_assert_eq!(stamps, messages.iter().map(|(number, _)| *number).collect::<Vec<_>>());
            prop_assert_eq!(batch.iter().collect::<Vec<_>>(), messages);
        }
    }
}
