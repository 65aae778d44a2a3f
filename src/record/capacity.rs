//! The answer of a search for a capacity: how many users a hub carries, how sure that is, and what
//! keeps it from carrying more.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    plan::{BackendChoice, Durability, Threshold},
    units::{Bytes, grouped},
};

/// A search for a capacity, as far as it has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Capacity {
    /// The system under test.
    pub backend: BackendChoice,
    /// What it promises when it acknowledges.
    pub durability: Durability,
    /// Payload of one message.
    pub payload: Bytes,
    /// What must hold.
    pub objectives: Vec<Threshold>,
    /// Share of such searches whose interval holds the capacity, at least: 0.95.
    pub confidence: f64,
    /// What the search is at.
    pub stage: Stage,
    /// Users of the next repetition; `null` when the search is over.
    pub next: Option<u32>,
    /// Largest number of users that is proven to be carried; `null` while none is.
    pub lower: Option<u32>,
    /// Smallest number of users that is proven to be too many; `null` while none is.
    pub upper: Option<u32>,
    /// Smallest and largest number of users that the search may try.
    pub among: (u32, u32),
    /// What was seen at each number of users that was tried, in rising order.
    pub probes: Vec<Probe>,
    /// Each number of users that was put to the test, in the order of testing.
    pub decisions: Vec<Decision>,
    /// What was used up where the objectives were missed, the most telling first; empty when
    /// nothing was seen to be used up, or nothing was missed.
    pub limiting: Vec<Constraint>,
    /// Whether the answer is one about the hub: `false` when it was hubmark itself, or its machine,
    /// that could do no more; `null` while nothing was missed.
    pub about_hub: Option<bool>,
}

/// What a search is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// More and more users, until the objectives are missed.
    Growth,
    /// Closing in on where they begin to be missed.
    Bisection,
    /// Both ends are put to the test.
    Proof,
    /// The search is over.
    Done,
}

impl Stage {
    /// The stage's name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Growth => "growth",
            Self::Bisection => "bisection",
            Self::Proof => "proof",
            Self::Done => "done",
        }
    }
}

/// What was seen at one number of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Probe {
    /// Users.
    pub users: u32,
    /// Repetitions in which every objective held.
    pub held: u32,
    /// Repetitions in which one was missed, or that could not be measured to their end.
    pub missed: u32,
}

/// A number of users that was put to the test, with fresh repetitions that scouting knew nothing of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// Users.
    pub users: u32,
    /// Repetitions of the test in which the objectives held.
    pub held: u32,
    /// And in which they were missed.
    pub missed: u32,
    /// What the test came to; `null` while it is not over, or where another made it needless.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    /// The largest chance that the test says *carried* or *too many* although it is not so.
    pub error_at_most: f64,
}

/// What a test of a number of users came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The objectives hold in more than half of the repetitions.
    Carried,
    /// They are missed in more than half.
    TooMany,
    /// Neither could be shown within the repetitions that a test may take.
    Grey,
}

impl Outcome {
    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Carried => "carried",
            Self::TooMany => "too many",
            Self::Grey => "grey",
        }
    }
}

/// Something that was used up where the objectives were missed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Constraint {
    /// What.
    pub resource: Resource,
    /// The server's role; `null` for what is not a server's.
    pub server: Option<String>,
    /// How it was seen, with its numbers.
    pub text: String,
    /// Repetitions in which it was seen, of all in which the objectives were missed at `upper`.
    pub seen: u32,
    /// Those repetitions.
    pub of: u32,
}

/// What can be used up.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Resource {
    /// Hubmark itself, or the machine that it shares with the hub.
    Generator,
    /// A server's processor time.
    Cpu,
    /// A server's memory.
    Memory,
    /// A server's writes to disk.
    Disk,
    /// The way between hubmark and a server.
    Link,
}

impl Resource {
    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Generator => "hubmark itself",
            Self::Cpu => "CPU",
            Self::Memory => "memory",
            Self::Disk => "disk writes",
            Self::Link => "the link",
        }
    }
}

impl Capacity {
    /// How far the search has come, in one line.
    pub fn progress(&self) -> String {
        let users =
            |users: Option<u32>| users.map_or_else(|| "?".into(), |users| grouped(users.into()));
        let at = match self.next {
            Some(next) => format!("{}, next {} users", self.stage.title(), grouped(next.into())),
            None => format!("{}: {}", self.stage.title(), self.answer()),
        };
        let (lower, upper) = (users(self.lower), users(self.upper));
        let proven = if self.lower.or(self.upper).is_some() && self.next.is_some() {
            format!(" · proven from {lower} to {upper} users")
        } else {
            String::new()
        };
        let limit = self.limit().filter(|_| self.next.is_none());
        let limit = limit.map_or_else(String::new, |limit| format!(" · limited by {limit}"));
        format!("capacity of {} ({}): {at}{proven}{limit}", self.backend, self.payload)
    }

    /// The answer in words: `620 to 680 users (95 %)`.
    pub fn answer(&self) -> String {
        let sure = format!("({:.0} %)", self.confidence * 100.0);
        let users = |users: u32| grouped(users.into());
        let (least, most) = self.among;
        match (self.lower, self.upper, self.stage) {
            (Some(lower), Some(upper), _) => {
                format!("{} to {} users {sure}", users(lower), users(upper))
            }
            (Some(lower), None, Stage::Done) if lower == most => {
                format!("at least {} users {sure}: no more were tried", users(lower))
            }
            (Some(lower), None, _) => {
                format!("at least {} users {sure}; an upper end is not decided", users(lower))
            }
            (None, Some(upper), Stage::Done) if upper == least => {
                format!("fewer than {} users {sure}: no fewer were tried", users(upper))
            }
            (None, Some(upper), _) => {
                format!("fewer than {} users {sure}; a lower end is not decided", users(upper))
            }
            (None, None, _) => "not decided".into(),
        }
    }

    /// What keeps it from carrying more, in words; `None` while nothing was missed.
    pub fn limit(&self) -> Option<String> {
        let about_hub = self.about_hub?;
        let Some(first) = self.limiting.first() else {
            return Some(
                "no resource was seen to be used up: the servers' own waiting, or one that is \
                 not sampled"
                    .into(),
            );
        };
        let mut text = first.to_string();
        if !about_hub {
            text.push_str(": this is not an answer about the hub");
        }
        Some(text)
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.resource.title())?;
        if let Some(server) = &self.server {
            write!(f, " of {server}")?;
        }
        write!(f, " ({}; in {} of {} repetitions)", self.text, self.seen, self.of)
    }
}
