//! Proof that old transactions have ended; does no I/O.

use std::{collections::BTreeSet, time::Duration};

use crate::clock::Micros;

/// Proof that old transactions have ended, from repeated lists of the active ones.
///
/// An **epoch** begins with the list of active transactions; it ends when none of them is active
/// any more. A transaction that was assigned an id [`TransactionEpoch::LISTING_DELAY`] before the
/// epoch began was listed at its beginning or had ended by then; at the epoch's end it has
/// certainly ended.
#[derive(Debug)]
pub struct TransactionEpoch<T> {
    before: Micros,
    active: BTreeSet<T>,
}

impl<T: Ord> TransactionEpoch<T> {
    /// Longest time from the assignment of an id until its transaction is certainly listed as
    /// active.
    ///
    /// The server does both within one statement, microseconds apart, and the list may be a tenth
    /// of a second old; this value is generous, since the statement's thread may be kept from
    /// running meanwhile.
    pub const LISTING_DELAY: Duration = Duration::from_secs(5);

    /// Begins an epoch at `now` with the active transactions.
    pub fn begin(now: Micros, active: impl IntoIterator<Item = T>) -> Self {
        let delay = i64::try_from(Self::LISTING_DELAY.as_micros()).unwrap_or(i64::MAX);
        Self { before: Micros(now.0.saturating_sub(delay)), active: active.into_iter().collect() }
    }

    /// Updates the epoch with the active transactions.
    ///
    /// When the epoch ends, returns the instant before which no id was assigned to a transaction
    /// that is still active.
    pub fn observe(&mut self, active: impl IntoIterator<Item = T>) -> Option<Micros> {
        let now: BTreeSet<T> = active.into_iter().collect();
        self.active.retain(|transaction| now.contains(transaction));
        self.active.is_empty().then_some(self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: i64) -> Micros {
        Micros(n * 1_000_000)
    }

    #[test]
    fn an_epoch_ends_with_the_last_of_its_transactions() {
        let mut epoch = TransactionEpoch::begin(second(9), ["a", "b"]);
        assert_eq!(epoch.observe(["a", "b", "c"]), None);
        assert_eq!(epoch.observe(["a", "c"]), None);
        assert_eq!(epoch.observe(["c"]), Some(second(4)));
        assert_eq!(TransactionEpoch::<u8>::begin(second(9), []).observe([1]), Some(second(4)));
    }
}
