//! Results of capacity searches: the number of users that a hub carries, the confidence, and the
//! limiting factors.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    format::count_noun,
    plan::{BackendChoice, Durability, Threshold},
    units::{Bytes, group_thousands},
};

/// A capacity search, in progress or finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Capacity {
    /// The system under test.
    pub backend: BackendChoice,
    /// Durability of an acknowledged message.
    pub durability: Durability,
    /// Payload of one message.
    pub payload: Bytes,
    /// Objectives that must hold.
    pub objectives: Vec<Threshold>,
    /// Minimum share of such searches whose interval contains the capacity: 0.95.
    pub confidence: f64,
    /// Phase of the search.
    pub stage: SearchPhase,
    /// Users of the next repetition; `null` when the search is over.
    pub next: Option<u32>,
    /// Largest number of users proven to be carried; `null` while none is.
    pub lower: Option<u32>,
    /// Smallest number of users proven to be too many; `null` while none is.
    pub upper: Option<u32>,
    /// Smallest and largest number of users that the search may try.
    pub among: (u32, u32),
    /// Repetitions at each number of users that was tried, in rising order.
    pub probes: Vec<CandidateProbe>,
    /// Each number of users that was tested, in the order of testing.
    pub decisions: Vec<CandidateTest>,
    /// Resources that were exhausted where the objectives were missed, the most significant first;
    /// empty if no resource was seen exhausted, or nothing was missed.
    pub limiting: Vec<LimitingFactor>,
    /// Doubts about the result: suspect repetitions behind it, failures among those missed.
    #[serde(default)]
    pub cautions: Vec<String>,
    /// Whether the result describes the hub: `false` if hubmark itself, or its machine, was the
    /// limit; `null` while nothing was missed.
    pub about_hub: Option<bool>,
}

/// Phase of a capacity search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SearchPhase {
    /// Increase the users until the objectives are missed.
    Growth,
    /// Narrow down the number of users from which the objectives are missed.
    Bisection,
    /// Test both ends of the interval.
    Proof,
    /// The search is over.
    Done,
}

impl SearchPhase {
    /// Name of the phase, for display.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Growth => "growth",
            Self::Bisection => "bisection",
            Self::Proof => "proof",
            Self::Done => "done",
        }
    }
}

/// Repetitions at one number of users.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CandidateProbe {
    /// Number of users.
    pub users: u32,
    /// Repetitions in which every objective held.
    pub held: u32,
    /// Repetitions in which an objective was missed, or that could not be measured to their end.
    pub missed: u32,
    /// Repetitions among the missed ones that could not be measured to their end: a server ended, a user or
    /// the consumer lost it.
    #[serde(default)]
    pub failed: u32,
    /// Repetitions among the held ones whose verdict is suspect.
    #[serde(default)]
    pub suspect: u32,
    /// Further tries that do not count: the hub or the operator ended them.
    #[serde(default)]
    pub not_counted: u32,
}

impl CandidateProbe {
    /// Describes the repetitions that are not simply held or missed: `2 of the missed failed`; empty if
    /// there are none.
    pub fn notes(&self) -> String {
        let notes = [
            (self.failed, format!("{} failed", self.failed)),
            (self.suspect, format!("{} of {} that held suspect", self.suspect, self.held)),
            (self.not_counted, format!("{} more not counted (hub, operator)", self.not_counted)),
        ];
        let notes: Vec<_> =
            notes.into_iter().filter(|(number, _)| *number > 0).map(|(_, text)| text).collect();
        notes.join(", ")
    }
}

/// Test of a number of users, with fresh repetitions that were not used for scouting.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CandidateTest {
    /// Number of users.
    pub users: u32,
    /// Repetitions of the test in which the objectives held.
    pub held: u32,
    /// Repetitions of the test in which the objectives were missed.
    pub missed: u32,
    /// Repetitions among the missed ones that could not be measured to their end.
    #[serde(default)]
    pub failed: u32,
    /// Repetitions among the held ones whose verdict is suspect.
    #[serde(default)]
    pub suspect: u32,
    /// Outcome of the test; `null` while it is not over, or if another test made it unnecessary.
    #[serde(default)]
    pub outcome: Option<TestOutcome>,
    /// Largest probability that the test wrongly gives *carried* or *too many*.
    pub error_at_most: f64,
}

/// Outcome of a test of a number of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TestOutcome {
    /// The objectives hold in more than half of the repetitions.
    Carried,
    /// The objectives are missed in more than half of the repetitions.
    TooMany,
    /// Neither could be shown within the repetitions that a test may take.
    Grey,
}

impl TestOutcome {
    /// Name for display.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Carried => "carried",
            Self::TooMany => "too many",
            Self::Grey => "grey",
        }
    }
}

/// A resource that was exhausted where the objectives were missed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LimitingFactor {
    /// Exhausted resource.
    pub resource: LimitingResource,
    /// Role of the server; `null` for a resource that is not a server's.
    pub server: Option<String>,
    /// Evidence, with its numbers.
    pub text: String,
    /// Repetitions in which it was seen, among all in which the objectives were missed at `upper`.
    pub seen: u32,
    /// Repetitions in which the objectives were missed at `upper`.
    pub of: u32,
}

/// A resource that can be exhausted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LimitingResource {
    /// Hubmark itself, or the machine that it shares with the hub.
    Generator,
    /// A server's processor time.
    Cpu,
    /// A server's memory.
    Memory,
    /// A server's writes to disk.
    Disk,
    /// The network link between hubmark and a server.
    Link,
    /// None that was seen: a server ended, or a user or the consumer lost it.
    Failure,
}

impl LimitingResource {
    /// Name for display.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Generator => "hubmark or its machine",
            Self::Cpu => "CPU",
            Self::Memory => "memory",
            Self::Disk => "disk writes",
            Self::Link => "the link",
            Self::Failure => "failures",
        }
    }
}

/// Addition to a result whose lower end only suspect repetitions prove.
const SUSPECT_LOWER: &str = "every repetition that held there is suspect";

impl Capacity {
    /// Progress of the search in one line.
    pub fn progress_line(&self) -> String {
        let users = |users: Option<u32>| {
            users.map_or_else(|| "?".into(), |users| group_thousands(users.into()))
        };
        let at = match self.next {
            Some(next) => {
                format!("{}, next {}", self.stage.title(), count_noun(next.into(), "user"))
            }
            None => format!("{}: {}", self.stage.title(), self.result_text()),
        };
        let (lower, upper) = (users(self.lower), users(self.upper));
        let proven = if self.lower.or(self.upper).is_some() && self.next.is_some() {
            let noun = if self.upper == Some(1) { "user" } else { "users" };
            format!(" · proven from {lower} to {upper} {noun}")
        } else {
            String::new()
        };
        let over = self.next.is_none();
        let limit = self.limit_clause().filter(|_| over).into_iter();
        let ends = limit.chain(self.cautions.iter().filter(|_| over).cloned());
        let start = format!("capacity of {} ({}): {at}{proven}", self.backend, self.payload);
        std::iter::once(start).chain(ends).collect::<Vec<_>>().join(" · ")
    }

    /// Result as text: `620 to 680 users (95 %)`.
    pub fn result_text(&self) -> String {
        let confidence = format!("({:.0} %)", self.confidence * 100.0);
        let users = |users: u32| count_noun(users.into(), "user");
        let (least, most) = self.among;
        let result = match (self.lower, self.upper, self.stage) {
            (Some(lower), Some(upper), _) => {
                format!("{} to {} {confidence}", group_thousands(lower.into()), users(upper))
            }
            (Some(lower), None, SearchPhase::Done) if lower == most => {
                format!("at least {} {confidence}: no more were tried", users(lower))
            }
            (Some(lower), None, _) => {
                format!("at least {} {confidence}; an upper end is not decided", users(lower))
            }
            (None, Some(upper), SearchPhase::Done) if upper == least => {
                format!("fewer than {} {confidence}: no fewer were tried", users(upper))
            }
            (None, Some(upper), _) => {
                format!("fewer than {} {confidence}; a lower end is not decided", users(upper))
            }
            (None, None, _) => "not decided".into(),
        };
        if self.is_lower_suspect() { format!("{result}; {SUSPECT_LOWER}") } else { result }
    }

    /// Whether every repetition that proved [`Self::lower`] is suspect.
    pub fn is_lower_suspect(&self) -> bool {
        let proof = |test: &&CandidateTest| {
            Some(test.users) == self.lower && test.outcome == Some(TestOutcome::Carried)
        };
        let proof = self.decisions.iter().find(proof);
        proof.is_some_and(|test| test.held > 0 && test.suspect == test.held)
    }

    /// Limit as a clause: `limited by CPU of kafka (…)`, or that no resource was seen exhausted;
    /// `None` while nothing was missed.
    pub fn limit_clause(&self) -> Option<String> {
        let limit = self.limit_text()?;
        Some(if self.limiting.is_empty() { limit } else { format!("limited by {limit}") })
    }

    /// Limiting factor as text, or that no resource was seen exhausted; `None` while nothing was
    /// missed.
    pub fn limit_text(&self) -> Option<String> {
        let about_hub = self.about_hub?;
        let Some(first) = self.limiting.first() else {
            return Some(
                "no resource was seen exhausted: the servers wait internally, or the resource is \
                 not sampled"
                    .into(),
            );
        };
        let mut text = first.to_string();
        if !about_hub {
            text.push_str(": the result does not describe the hub");
        }
        Some(text)
    }
}

impl fmt::Display for LimitingFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.resource.title())?;
        if let Some(server) = &self.server {
            write!(f, " of {server}")?;
        }
        let of = count_noun(self.of.into(), "repetition");
        write!(f, " ({}; in {} of {of})", self.text, self.seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A finished search with 100 to 200 users as its result.
    fn search(limiting: Vec<LimitingFactor>, about_hub: Option<bool>) -> Capacity {
        Capacity {
            backend: BackendChoice { name: "kafka".into(), version: None },
            durability: Durability::Default,
            payload: Bytes(100),
            objectives: Vec::new(),
            confidence: 0.95,
            stage: SearchPhase::Done,
            next: None,
            lower: Some(100),
            upper: Some(200),
            among: (1, 1_000),
            probes: Vec::new(),
            decisions: Vec::new(),
            limiting,
            cautions: Vec::new(),
            about_hub,
        }
    }

    fn cpu() -> LimitingFactor {
        LimitingFactor {
            resource: LimitingResource::Cpu,
            server: Some("kafka".into()),
            text: "0.99 of 1 cores in use".into(),
            seen: 4,
            of: 5,
        }
    }

    #[test]
    fn the_limiting_resource_is_named() {
        let line = search(vec![cpu()], Some(true)).progress_line();
        let limit = "limited by CPU of kafka (0.99 of 1 cores in use; in 4 of 5 repetitions)";
        assert!(line.ends_with(&format!("100 to 200 users (95 %) · {limit}")), "{line}");
        let other = search(vec![cpu()], Some(false)).limit_clause();
        assert_eq!(other, Some(format!("{limit}: the result does not describe the hub")));
        assert_eq!(search(Vec::new(), None).limit_clause(), None);
    }

    #[test]
    fn a_search_without_an_exhausted_resource_is_not_limited_by_one() {
        let clause = search(Vec::new(), Some(true)).limit_clause().unwrap();
        assert!(clause.starts_with("no resource was seen exhausted: the servers wait"), "{clause}");
        let line = search(Vec::new(), Some(true)).progress_line();
        assert!(line.contains(" · no resource was") && !line.contains("limited by"), "{line}");
    }

    #[test]
    fn a_result_that_only_suspect_repetitions_prove_says_so() {
        let proof = |held, suspect| Capacity {
            decisions: vec![CandidateTest {
                users: 100,
                held,
                missed: 0,
                failed: 0,
                suspect,
                outcome: Some(TestOutcome::Carried),
                error_at_most: 0.0125,
            }],
            ..search(Vec::new(), None)
        };
        assert_eq!(proof(7, 6).result_text(), "100 to 200 users (95 %)");
        let doubtful = proof(7, 7);
        let expected = "100 to 200 users (95 %); every repetition that held there is suspect";
        assert_eq!(doubtful.result_text(), expected);
        assert!(doubtful.progress_line().contains(expected));
    }
}
