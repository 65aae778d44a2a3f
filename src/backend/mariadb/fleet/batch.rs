//! Messages that one statement stores, in order.

use crate::{backend::Receipt, clock::Micros, stamp::Stamp};

/// Messages of one user. Payloads lie one after the other in one piece of memory.
#[derive(Debug, Default)]
pub struct Batch {
    stamps: Vec<Stamp>,
    ends: Vec<usize>,
    payloads: Vec<u8>,
}

impl Batch {
    /// An empty batch with room for as much as this one holds.
    pub fn successor(&self) -> Self {
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

    /// Messages.
    pub fn rows(&self) -> usize {
        self.stamps.len()
    }

    /// Bytes of all messages, stamps included.
    pub fn bytes(&self) -> usize {
        self.payloads.len() + self.stamps.len() * Stamp::LEN
    }

    /// Each message as a row of the table: stamp and payload.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Vec<u8>)> + Send + '_ {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        self.stamps
            .iter()
            .zip(starts.zip(&self.ends))
            .map(|(stamp, (start, end))| (stamp.number(), self.payloads[start..*end].to_vec()))
    }

    /// The outcome of each message, known at `at`.
    pub fn receipts(&self, at: Micros) -> impl Iterator<Item = Receipt> + '_ {
        self.stamps.iter().map(move |stamp| Receipt { stamp: *stamp, at })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_come_out_as_they_went_in(messages: Vec<(u64, Vec<u8>)>) {
            let mut batch = Batch::default();
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
