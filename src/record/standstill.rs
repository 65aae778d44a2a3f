//! Standstills in a record: times in which nothing happened although it should have.

use serde::{Deserialize, Serialize};

/// A time without acknowledgements, arrivals or sends that is far outside the load's own rhythm, while
/// messages waited for them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Standstill {
    /// Start, in seconds since the load began.
    pub from: f64,
    /// End, in seconds since the load began.
    pub to: f64,
    /// What stood still.
    pub what: StandstillKind,
    /// Its cause, by what was measured meanwhile; `None` if that was not enough to tell.
    #[serde(default)]
    pub cause: Option<StandstillCause>,
}

/// Cause of a standstill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StandstillCause {
    /// hubmark or its machine: messages were due and not sent, or one of its threads did not look for work.
    Client,
    /// The network: connections sent segments again.
    Network,
    /// The hub's disk: tasks waited for it.
    Disk,
    /// The server: none of the others.
    Server,
}

impl StandstillCause {
    /// Name of the cause in a sentence.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "hubmark or its machine",
            Self::Network => "the network",
            Self::Disk => "the hub's disk",
            Self::Server => "the server",
        }
    }
}

/// What stood still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StandstillKind {
    /// Nothing was acknowledged or delivered: the server or the way to it.
    Answers,
    /// Nothing was acknowledged.
    Acks,
    /// Nothing was delivered: the consumer or its side of the server.
    Deliveries,
    /// Nothing was sent although messages were due: hubmark itself.
    Sends,
    /// Nothing was sent, acknowledged or delivered: hubmark itself.
    Everything,
}

impl Standstill {
    /// Length in seconds.
    pub fn length(&self) -> f64 {
        self.to - self.from
    }

    /// Describes the standstill: `nothing acknowledged or delivered from 10.1 to 10.7 s`.
    pub fn describe(&self) -> String {
        let (what, why) = match self.what {
            StandstillKind::Answers => ("acknowledged or delivered", ""),
            StandstillKind::Acks => ("acknowledged", ""),
            StandstillKind::Deliveries => ("delivered", ""),
            StandstillKind::Sends => {
                ("sent", ", although messages were due: hubmark itself stood still")
            }
            StandstillKind::Everything => {
                ("sent, acknowledged or delivered", ": hubmark itself stood still")
            }
        };
        let text = format!("nothing {what} from {:.1} to {:.1} s{why}", self.from, self.to);
        match self.cause {
            // The kind says it.
            None | Some(StandstillCause::Client) if !why.is_empty() => text,
            None => text,
            Some(cause) => format!("{text}; cause: {}", cause.name()),
        }
    }

    /// Seconds of the standstill within the load's second `number`.
    pub fn seconds_within(&self, number: u32) -> f64 {
        let (start, end) = (f64::from(number), f64::from(number) + 1.0);
        (self.to.min(end) - self.from.max(start)).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standstill_is_described_and_divided_into_seconds() {
        let still =
            Standstill { from: 10.1, to: 12.25, what: StandstillKind::Answers, cause: None };
        assert_eq!(still.describe(), "nothing acknowledged or delivered from 10.1 to 12.2 s");
        let of_disk = Standstill { cause: Some(StandstillCause::Disk), ..still };
        assert_eq!(of_disk.describe(), still.describe() + "; cause: the hub's disk");
        let sender = Standstill {
            what: StandstillKind::Sends,
            cause: Some(StandstillCause::Client),
            ..still
        };
        assert!(sender.describe().ends_with("hubmark itself stood still"));
        let parts: Vec<_> = (9..14).map(|second| still.seconds_within(second)).collect();
        assert!((parts.iter().sum::<f64>() - still.length()).abs() < 1e-9, "{parts:?}");
        assert!(parts[0] == 0.0 && (parts[2] - 1.0).abs() < 1e-9 && parts[4] == 0.0, "{parts:?}");
    }
}
