//! Planned faults in a record.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::{Fault, FaultKind};

/// A planned fault and what came of it. Seconds count from the start of the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FaultResult {
    /// What was planned.
    pub planned: Fault,
    /// The role of the server that it struck.
    pub server: String,
    /// When the hub was asked to bring it about; `null` when the load ended before.
    pub asked: Option<f64>,
    /// When the hub said that it is in force; `null` when it never was.
    pub began: Option<f64>,
    /// When the hub was asked to end it.
    pub end_asked: Option<f64>,
    /// When the hub said that it is over (a server that had ended: that it was started again).
    pub ended: Option<f64>,
    /// How often the server had to be started until it stayed; 0 where it never ended.
    pub starts: u32,
    /// Why it, or its end, could not be brought about.
    pub error: Option<String>,
    /// Seconds until the first acknowledgement of a message that was sent afterwards: after the
    /// beginning of a fault that ends the server (kill, restart), after the end of any other.
    /// `null` when there was none, or nothing was measured.
    pub recovery_ack: Option<f64>,
    /// Seconds from the same moment until the first arrival of a message that was sent after it.
    pub recovery_delivery: Option<f64>,
    /// What it cost. `null` when it was never in force, or when the repetition ended early.
    pub toll: Option<Toll>,
}

/// What a planned fault cost: of the messages that were sent after the fault before it had been
/// recovered from (or after the start of the load), and before this one was (or before the end).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Toll {
    /// Acknowledged, then lost.
    pub acked_then_lost: u64,
    /// Lost, the former included.
    pub lost: u64,
    /// Certainly refused.
    pub failed: u64,
    /// Arrivals of messages that had arrived before, between the beginning of this fault and that
    /// of the next.
    pub duplicate: u64,
}

impl FaultResult {
    /// What was planned and has not happened yet.
    pub fn planned(planned: Fault, server: String) -> Self {
        Self {
            planned,
            server,
            asked: None,
            began: None,
            end_asked: None,
            ended: None,
            starts: 0,
            error: None,
            recovery_ack: None,
            recovery_delivery: None,
            toll: None,
        }
    }

    /// Seconds for which the server was gone.
    pub fn away(&self) -> f64 {
        match (self.planned.kind.ends_the_server(), self.began, self.ended) {
            (true, Some(began), Some(ended)) => ended - began,
            _ => 0.0,
        }
    }

    /// What happened, in a sentence with its figures.
    pub fn sentence(&self) -> String {
        let server = &self.server;
        let Some(began) = self.began else {
            let why = self.error.as_deref().unwrap_or("the load was over before");
            return format!(
                "{} of {server} was planned and did not take place: {why}",
                self.planned.kind
            );
        };
        let did = match self.planned.kind {
            FaultKind::Pause => "was paused".to_owned(),
            FaultKind::Kill => "was killed".to_owned(),
            FaultKind::Restart => "was stopped".to_owned(),
            FaultKind::Cut => "was cut off from the network".to_owned(),
            FaultKind::SlowDisk { disk_write } => format!("wrote at most {disk_write}"),
            FaultKind::Limit { .. } => format!("had a {}", self.planned.kind),
        };
        let lasted = match self.ended {
            Some(ended) => format!("for {:.2} s", ended - began),
            None => "to the end".to_owned(),
        };
        let mut parts = vec![format!("by plan {server} {did} at {began:.2} s {lasted}")];
        if self.starts > 1 {
            parts.push(format!("it was started {} times until it stayed", self.starts));
        }
        let since = if self.planned.kind.ends_the_server() { "that" } else { "its end" };
        let back = |what: &str, seconds: Option<f64>| Some(format!("{what} {:.3} s", seconds?));
        let back: Vec<String> =
            [back("acknowledged", self.recovery_ack), back("arrived", self.recovery_delivery)]
                .into_iter()
                .flatten()
                .collect();
        parts.push(if back.is_empty() {
            "nothing sent afterwards was acknowledged or arrived".to_owned()
        } else {
            format!("messages sent afterwards: {} after {since}", back.join(", "))
        });
        parts.extend(self.toll.map(|toll| {
            format!(
                "acknowledged, then lost {}, lost {}, refused {}, duplicate {}",
                toll.acked_then_lost, toll.lost, toll.failed, toll.duplicate
            )
        }));
        parts.extend(self.error.as_ref().map(|error| format!("its end failed: {error}")));
        parts.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn kill() -> FaultResult {
        let planned = Fault {
            at: Duration::from_secs(20),
            lasts: Some(Duration::from_secs(3)),
            server: None,
            kind: FaultKind::Kill,
        };
        FaultResult::planned(planned, "kafka".into())
    }

    #[test]
    fn a_fault_that_took_place_is_told_with_its_figures() {
        let result = FaultResult {
            asked: Some(20.0),
            began: Some(20.1),
            end_asked: Some(23.1),
            ended: Some(23.4),
            starts: 2,
            recovery_ack: Some(4.5),
            recovery_delivery: Some(4.75),
            toll: Some(Toll { lost: 7, acked_then_lost: 2, ..Toll::default() }),
            ..kill()
        };
        assert_eq!(
            result.sentence(),
            "by plan kafka was killed at 20.10 s for 3.30 s; it was started 2 times until it stayed; \
             messages sent afterwards: acknowledged 4.500 s, arrived 4.750 s after that; \
             acknowledged, then lost 2, lost 7, refused 0, duplicate 0"
        );
        assert!((result.away() - 3.3).abs() < 1e-9);
    }

    #[test]
    fn a_fault_that_did_not_take_place_says_why() {
        let error = Some("no permission".to_owned());
        assert_eq!(
            FaultResult { error, ..kill() }.sentence(),
            "kill of kafka was planned and did not take place: no permission"
        );
        assert!(kill().away().abs() < 1e-9);
    }
}
