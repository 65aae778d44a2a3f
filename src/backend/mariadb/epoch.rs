//! Proof that old transactions are gone. Pure.

use std::{collections::BTreeSet, time::Duration};

use crate::clock::Micros;

/// Proof that old transactions are gone, from looking at the active ones now and then.
///
/// An **epoch** begins by noting which transactions are active; it ends when none of these is any
/// more. Whoever was handed an id [`Epoch::SETTLED`] before the epoch began was active at its
/// beginning or had ended; at its end it has certainly ended.
#[derive(Debug)]
pub struct Epoch<T> {
    before: Micros,
    active: BTreeSet<T>,
}

impl<T: Ord> Epoch<T> {
    /// Time between the hand-out of an id and the moment at which its transaction is certainly
    /// listed as active. The server does both within one statement, microseconds apart, and the
    /// list may be a tenth of a second old; this is generous, since the statement's thread may be
    /// kept from running meanwhile.
    pub const SETTLED: Duration = Duration::from_secs(5);

    /// An epoch that begins at `now`, when these transactions are active.
    pub fn begin(now: Micros, active: impl IntoIterator<Item = T>) -> Self {
        let settled = i64::try_from(Self::SETTLED.as_micros()).unwrap_or(i64::MAX);
        Self { before: Micros(now.0.saturating_sub(settled)), active: active.into_iter().collect() }
    }

    /// These transactions are active now. When the epoch is over: the instant before which nobody
    /// who was handed an id can still be active.
    pub fn observe(&mut self, active: impl IntoIterator<Item = T>) -> Option<Micros> {
        let now: BTreeSet<T> = active.into_iter().collect();
        self.active.retain(|one| now.contains(one));
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
        let mut epoch = Epoch::begin(second(9), ["a", "b"]);
        assert_eq!(epoch.observe(["a", "b", "c"]), None);
        assert_eq!(epoch.observe(["a", "c"]), None);
        assert_eq!(epoch.observe(["c"]), Some(second(4)));
        assert_eq!(Epoch::<u8>::begin(second(9), []).observe([1]), Some(second(4)));
    }
}
