//! The lying server: tells a known share of lies, counts each, and says afterwards exactly what it
//! did, so that a test can demand that a record reports exactly that.
//!
//! A message has at most one lie told about it. Messages are told apart by their stamp; what is
//! too short for one is stored as it came and only counted as received and stored.
//!
//! | lie | what happens to the message | what a faultless record says |
//! |---|---|---|
//! | `drop` | acknowledged, never stored | lost, acknowledged then lost |
//! | `duplicate` | stored twice in a row | one duplicate |
//! | `reorder` | held back until the next message of the same user and partition, and stored right behind that one, about which no lie is told | one out of order |
//! | `corrupt` | one byte behind the stamp is changed; the batch's checksum is right | one corrupt; lost, as it never arrived intact |
//! | `delay` | acknowledged at once, stored later | a long delivery; one out of order if a later message of the same user and partition was stored meanwhile ([`Counts::out_of_order`]) |
//! | `refuse` | the whole request of a partition is answered with an error code; nothing is stored | failed |
//!
//! A message held back for `reorder` that no other follows within the lie's time is stored in its
//! order after all and counted as given up. A message without payload cannot be corrupted and is
//! stored as it came. The order is judged among intact messages.

use std::{path::PathBuf, str::FromStr, time::Duration};

mod liar;
pub mod records;

pub use liar::{Counts, Liar};

/// The error code of `refuse`, unless another is given: `POLICY_VIOLATION`, which clients do not
/// retry.
const DEFAULT_REFUSAL: i16 = 44;
/// How long `delay` holds a message back, unless told otherwise.
const DEFAULT_DELAY: Duration = Duration::from_millis(500);
/// How long `reorder` waits for the same user's next message, unless told otherwise.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(3);

/// Which lies to tell. Written `drop=0.01,delay=0.02:500ms,refuse=0.01:44,seed=7,report=FILE`:
/// shares between 0 and 1, behind a colon the time of `delay` and `reorder` and the code of
/// `refuse`; all keys are optional.
#[derive(Debug, Clone, PartialEq)]
pub struct Lies {
    /// Share of messages that are acknowledged and dropped.
    pub drop: f64,
    /// Share of messages that are stored twice.
    pub duplicate: f64,
    /// Share of messages that change places with the same user's next.
    pub reorder: f64,
    /// Time after which a message that no other follows is stored after all.
    pub patience: Duration,
    /// Share of messages of which a payload byte is changed.
    pub corrupt: f64,
    /// Share of messages that are stored later.
    pub delay: f64,
    /// How much later.
    pub delay_by: Duration,
    /// Share of requests that are refused.
    pub refuse: f64,
    /// With which of Kafka's error codes.
    pub refuse_with: i16,
    /// Seed of all choices.
    pub seed: u64,
    /// File in which the counts are kept up to date, as JSON.
    pub report: Option<PathBuf>,
}

impl Default for Lies {
    fn default() -> Self {
        Self {
            drop: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            patience: DEFAULT_PATIENCE,
            corrupt: 0.0,
            delay: 0.0,
            delay_by: DEFAULT_DELAY,
            refuse: 0.0,
            refuse_with: DEFAULT_REFUSAL,
            seed: 0,
            report: None,
        }
    }
}

/// Lies that cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadLies(String);

impl FromStr for Lies {
    type Err = BadLies;

    fn from_str(text: &str) -> Result<Self, BadLies> {
        let mut lies = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| BadLies(format!("{part:?} is not KEY=VALUE")))?;
            lies.set(key, value).map_err(|reason| {
                BadLies(format!("{part:?} is no lie that can be told: {reason}"))
            })?;
        }
        let all = lies.drop + lies.duplicate + lies.reorder + lies.corrupt + lies.delay;
        if all > 1.0 {
            return Err(BadLies(format!("the shares of messages add up to {all}, more than 1")));
        }
        Ok(lies)
    }
}

impl Lies {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let (head, tail) = match value.split_once(':') {
            Some((head, tail)) => (head, Some(tail)),
            None => (value, None),
        };
        match (key, tail) {
            ("drop", None) => self.drop = share(value)?,
            ("duplicate", None) => self.duplicate = share(value)?,
            ("reorder", patience) => {
                self.reorder = share(head)?;
                self.patience = patience.map_or(Ok(self.patience), time)?;
            }
            ("corrupt", None) => self.corrupt = share(value)?,
            ("delay", by) => {
                self.delay = share(head)?;
                self.delay_by = by.map_or(Ok(self.delay_by), time)?;
            }
            ("refuse", code) => {
                self.refuse = share(head)?;
                self.refuse_with = code.map_or(Ok(self.refuse_with), number)?;
            }
            ("seed", None) => self.seed = number(value)?,
            ("report", _) => self.report = Some(value.into()),
            _ => {
                return Err("use drop, duplicate, reorder[:TIME], corrupt, delay[:TIME], \
                            refuse[:CODE], seed or report"
                    .into());
            }
        }
        Ok(())
    }
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| format!("{text:?} is not a share between 0 and 1"))
}

fn number<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{text:?} is not a number that fits"))
}

fn time(text: &str) -> Result<Duration, String> {
    let milliseconds = match text.strip_suffix("ms") {
        Some(number) => number.parse().ok(),
        None => text
            .strip_suffix('s')
            .and_then(|number| number.parse::<u64>().ok())
            .and_then(|seconds| seconds.checked_mul(1_000)),
    };
    milliseconds
        .map(Duration::from_millis)
        .ok_or_else(|| format!("{text:?} is not a time as 500ms or 2s"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lies_are_read_as_written() {
        let text = "drop=0.01,duplicate=0.02,reorder=0.03:1s,corrupt=0.04,delay=0.05:250ms,\
                    refuse=0.06:87,seed=7,report=/tmp/a:b.json";
        let lies: Lies = text.parse().unwrap();
        assert_eq!(
            lies,
            Lies {
                drop: 0.01,
                duplicate: 0.02,
                reorder: 0.03,
                patience: Duration::from_secs(1),
                corrupt: 0.04,
                delay: 0.05,
                delay_by: Duration::from_millis(250),
                refuse: 0.06,
                refuse_with: 87,
                seed: 7,
                report: Some("/tmp/a:b.json".into()),
            }
        );
        assert_eq!("".parse::<Lies>().unwrap(), Lies::default());
    }

    #[test]
    fn what_cannot_be_told_is_named() {
        for text in ["drop", "drop=2", "drop=-0.1", "drop=NaN", "delay=0.1:soon", "invent=0.1"] {
            let error = text.parse::<Lies>().unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        assert!("drop=0.6,delay=0.6".parse::<Lies>().is_err());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text: String) {
            let _ = text.parse::<Lies>();
        }
    }
}
