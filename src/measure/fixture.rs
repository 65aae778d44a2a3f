//! Measured values for tests.

use super::Ledger;

impl Ledger {
    /// Returns the ledger of `messages` that were all sent, acknowledged, stored and delivered once.
    pub const fn complete(messages: u64) -> Self {
        Self {
            planned: messages,
            sent: messages,
            unsent: 0,
            not_due: 0,
            acked: Some(messages),
            failed: 0,
            delivered: messages,
            duplicate: 0,
            out_of_order: 0,
            corrupt: 0,
            late: 0,
            lost: 0,
            acked_then_lost: 0,
            on_the_way: 0,
            stored: Some(messages),
        }
    }
}
