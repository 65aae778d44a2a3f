//! What an operator changed during the load of a repetition.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{format, plan::FaultKind, workload::rate_factor::RateFactor};

/// A change of the load by the operator, with its time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SteeringAction {
    /// Seconds since the load began, when the change took effect.
    pub second: f64,
    /// The change.
    #[serde(flatten)]
    pub change: SteeringChange,
}

/// A change of the load by the operator.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum SteeringChange {
    /// The load was paused: no message became due from then on.
    Pause,
    /// The load was resumed where it was paused.
    Resume,
    /// The rate became that of the plan times a factor.
    Rate {
        /// The factor.
        factor: RateFactor,
    },
    /// Users were switched off or on: from then on, only messages of the first `to` users became due. All
    /// stayed connected.
    Users {
        /// Number of active users before.
        from: u32,
        /// Number of active users from then on.
        to: u32,
    },
    /// A fault was injected; [`Repetition::faults`](super::Repetition::faults) has its effects.
    Fault {
        /// Kind of the fault.
        fault: FaultKind,
    },
}

impl fmt::Display for SteeringChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pause => f.write_str("load paused"),
            Self::Resume => f.write_str("load resumed"),
            Self::Rate { factor } => write!(f, "rate {factor}"),
            Self::Users { from, to } => {
                write!(
                    f,
                    "users {} → {}",
                    format::count((*from).into()),
                    format::count((*to).into())
                )
            }
            Self::Fault { fault } => write!(f, "{fault} by key"),
        }
    }
}

/// Formats the action with its time: `12.5 s load paused`.
impl fmt::Display for SteeringAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} s {}", self.second, self.change)
    }
}

/// Most actions that [`describe_actions`] lists.
const MAX_LISTED: usize = 8;

/// Describes all actions of a repetition in one line; `None` without any.
pub fn describe_actions(actions: &[SteeringAction]) -> Option<String> {
    if actions.is_empty() {
        return None;
    }
    let mut parts: Vec<String> = actions.iter().take(MAX_LISTED).map(ToString::to_string).collect();
    let more = actions.len().saturating_sub(MAX_LISTED);
    if more > 0 {
        parts.push(format!("and {more} more"));
    }
    Some(parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(second: f64, change: SteeringChange) -> SteeringAction {
        SteeringAction { second, change }
    }

    #[test]
    fn actions_are_readable_in_json_and_in_words() {
        let factor = RateFactor::default().faster().faster();
        let actions = [
            action(1.25, SteeringChange::Pause),
            action(3.0, SteeringChange::Resume),
            action(4.0, SteeringChange::Rate { factor }),
            action(4.5, SteeringChange::Users { from: 1_000, to: 500 }),
            action(5.0, SteeringChange::Fault { fault: FaultKind::Pause }),
        ];
        let json = serde_json::to_value(actions).unwrap();
        assert_eq!(
            json,
            serde_json::json!([
                {"second": 1.25, "change": "pause"},
                {"second": 3.0, "change": "resume"},
                {"second": 4.0, "change": "rate", "factor": 2.0},
                {"second": 4.5, "change": "users", "from": 1000, "to": 500},
                {"second": 5.0, "change": "fault", "fault": {"kind": "pause"}},
            ])
        );
        assert_eq!(serde_json::from_value::<Vec<SteeringAction>>(json).unwrap(), actions);
        assert_eq!(
            describe_actions(&actions).unwrap(),
            "1.2 s load paused, 3.0 s load resumed, 4.0 s rate ×2, 4.5 s users 1,000 → 500, 5.0 s pause by key"
        );
        assert_eq!(describe_actions(&[]), None);
        let many = [actions[0]; 12];
        assert!(describe_actions(&many).unwrap().ends_with(", and 4 more"));
    }
}
