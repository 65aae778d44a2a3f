//! The configuration of fault injection, parsed from text.

use std::{path::PathBuf, str::FromStr, time::Duration};

use crate::units::{parse_duration, parse_number as parse_decimal, split_list};

/// Default error code of `refuse`: `POLICY_VIOLATION`, which clients do not retry.
const DEFAULT_REFUSE_CODE: i16 = 44;
/// Default time for which `delay` holds a message back.
const DEFAULT_DELAY: Duration = Duration::from_millis(500);
/// Default time for which `reorder` waits for the same user's next message.
const DEFAULT_REORDER_TIMEOUT: Duration = Duration::from_secs(3);

/// Faults to inject, written `drop=0.01,delay=0.02:500ms,refuse=0.01:44,seed=7,report=FILE`: shares
/// between 0 and 1; after a colon the time of `delay` and `reorder` and the error code of `refuse`.
/// All keys are optional.
#[derive(Debug, Clone, PartialEq)]
pub struct InjectionConfig {
    /// Share of messages acknowledged and dropped.
    pub drop: f64,
    /// Share of messages stored twice.
    pub duplicate: f64,
    /// Share of messages that change places with the same user's next message.
    pub reorder: f64,
    /// Time after which a held message without successor is stored in order.
    pub reorder_timeout: Duration,
    /// Share of messages with a changed payload byte.
    pub corrupt: f64,
    /// Share of messages stored later.
    pub delay: f64,
    /// Delay of those messages.
    pub delay_by: Duration,
    /// Share of refused requests.
    pub refuse: f64,
    /// Kafka's error code of a refused request.
    pub refuse_code: i16,
    /// Seed of all random choices.
    pub seed: u64,
    /// File to which the counts are written, as JSON.
    pub report: Option<PathBuf>,
}

impl Default for InjectionConfig {
    fn default() -> Self {
        Self {
            drop: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            reorder_timeout: DEFAULT_REORDER_TIMEOUT,
            corrupt: 0.0,
            delay: 0.0,
            delay_by: DEFAULT_DELAY,
            refuse: 0.0,
            refuse_code: DEFAULT_REFUSE_CODE,
            seed: 0,
            report: None,
        }
    }
}

/// An injection configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidInjection(String);

impl FromStr for InjectionConfig {
    type Err = InvalidInjection;

    fn from_str(text: &str) -> Result<Self, InvalidInjection> {
        let mut config = Self::default();
        for part in split_list(text).into_iter().filter(|part| !part.is_empty()) {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| InvalidInjection(format!("{part:?} is not KEY=VALUE")))?;
            config.set(key, value).map_err(|reason| {
                InvalidInjection(format!("{part:?} is not a valid fault: {reason}"))
            })?;
        }
        let all = config.drop + config.duplicate + config.reorder + config.corrupt + config.delay;
        if all > 1.0 {
            return Err(InvalidInjection(format!(
                "the shares of messages add up to {all}, more than 1"
            )));
        }
        Ok(config)
    }
}

impl InjectionConfig {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let (head, tail) = match value.split_once(':') {
            Some((head, tail)) => (head, Some(tail)),
            None => (value, None),
        };
        match (key, tail) {
            ("drop", None) => self.drop = parse_share(value)?,
            ("duplicate", None) => self.duplicate = parse_share(value)?,
            ("reorder", timeout) => {
                self.reorder = parse_share(head)?;
                self.reorder_timeout = timeout.map_or(Ok(self.reorder_timeout), parse_time)?;
            }
            ("corrupt", None) => self.corrupt = parse_share(value)?,
            ("delay", by) => {
                self.delay = parse_share(head)?;
                self.delay_by = by.map_or(Ok(self.delay_by), parse_time)?;
            }
            ("refuse", code) => {
                self.refuse = parse_share(head)?;
                self.refuse_code = code.map_or(Ok(self.refuse_code), parse_number)?;
            }
            ("seed", None) => self.seed = parse_number(value)?,
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

fn parse_share(text: &str) -> Result<f64, String> {
    let share = parse_decimal(text)?;
    if (0.0..=1.0).contains(&share) {
        return Ok(share);
    }
    Err(format!("{text:?} is not a share between 0 and 1"))
}

fn parse_number<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{text:?} is not a number that fits"))
}

fn parse_time(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_configuration_is_parsed_as_written() {
        let text = "drop=0.01,duplicate=0.02,reorder=0.03:1s,corrupt=0.04,delay=0.05:250ms,\
                    refuse=0.06:87,seed=7,report=/tmp/a:b.json";
        let config: InjectionConfig = text.parse().unwrap();
        assert_eq!(
            config,
            InjectionConfig {
                drop: 0.01,
                duplicate: 0.02,
                reorder: 0.03,
                reorder_timeout: Duration::from_secs(1),
                corrupt: 0.04,
                delay: 0.05,
                delay_by: Duration::from_millis(250),
                refuse: 0.06,
                refuse_code: 87,
                seed: 7,
                report: Some("/tmp/a:b.json".into()),
            }
        );
        assert_eq!("".parse::<InjectionConfig>().unwrap(), InjectionConfig::default());
    }

    #[test]
    fn an_invalid_fault_is_named() {
        for text in [
            "drop",
            "drop=2",
            "drop=-0.1",
            "drop=NaN",
            "delay=0.1:soon",
            "delay=0.1:1,000ms",
            "drop=0,5",
            "invent=0.1",
        ] {
            let error = text.parse::<InjectionConfig>().unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        assert!("drop=0.6,delay=0.6".parse::<InjectionConfig>().is_err());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text: String) {
            let _ = text.parse::<InjectionConfig>();
        }
    }
}
