//! Planned faults in a record.

use serde::{Deserialize, Serialize};

use crate::plan::{Fault, FaultKind};

/// A planned fault and its effects; seconds count from the start of the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FaultResult {
    /// The fault as planned, or as injected by key.
    pub planned: Fault,
    /// Whether an operator injected the fault by key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_key: bool,
    /// Role of the affected server.
    pub server: String,
    /// Time when the hub was asked to inject the fault; `null` if the load ended before.
    pub asked: Option<f64>,
    /// Time when the hub reported the fault active; `null` if it never was.
    pub began: Option<f64>,
    /// Time when the hub was asked to clear the fault.
    pub end_asked: Option<f64>,
    /// Time when the hub reported the fault cleared (for a stopped server: that it was started
    /// again).
    pub ended: Option<f64>,
    /// Number of starts until the server kept running; 0 if it never stopped.
    pub starts: u32,
    /// Reason why the fault could not be injected or cleared.
    pub error: Option<String>,
    /// Seconds until the first acknowledgement of a message sent afterwards: after the beginning of
    /// a fault that stops the server (kill, restart), after the end of any other; `null` if there
    /// was none, or nothing was measured.
    pub recovery_ack: Option<f64>,
    /// Seconds from the same moment until the first arrival of a message sent after it.
    pub recovery_delivery: Option<f64>,
    /// Whether a message was sent after that moment; `null` if nothing was measured, and in records of
    /// older versions.
    #[serde(default)]
    pub sent_after: Option<bool>,
    /// Impact on messages; `null` if the fault was never active, or the repetition ended early.
    pub toll: Option<Impact>,
}

/// Impact of a planned fault on messages sent between the recovery from the previous fault (or the
/// start of the load) and the recovery from this one (or the end).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Impact {
    /// Messages acknowledged, then lost.
    pub acked_then_lost: u64,
    /// Messages lost, including those acknowledged before.
    pub lost: u64,
    /// Messages certainly refused.
    pub failed: u64,
    /// Arrivals of messages that had arrived before, between the beginning of this fault and that
    /// of the next.
    pub duplicate: u64,
}

impl FaultResult {
    /// Creates the result of a fault that has not happened yet.
    pub fn new(planned: Fault, server: String) -> Self {
        Self {
            planned,
            by_key: false,
            server,
            asked: None,
            began: None,
            end_asked: None,
            ended: None,
            starts: 0,
            error: None,
            recovery_ack: None,
            recovery_delivery: None,
            sent_after: None,
            toll: None,
        }
    }

    /// Seconds for which the server was down.
    pub fn downtime_seconds(&self) -> f64 {
        match (self.planned.kind.stops_server(), self.began, self.ended) {
            (true, Some(began), Some(ended)) => ended - began,
            _ => 0.0,
        }
    }

    /// Describes the fault and its effects in one sentence with figures.
    pub fn describe(&self) -> String {
        let server = &self.server;
        let Some(began) = self.began else {
            let why = self.error.as_deref().unwrap_or("the load ended before");
            let wanted = if self.by_key { "asked for by key" } else { "planned" };
            return format!(
                "{} of {server} was {wanted} and did not take place: {why}",
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
        let origin = if self.by_key { "by key" } else { "by plan" };
        let mut parts = vec![format!("{origin} {server} {did} at {began:.2} s {lasted}")];
        if self.starts > 1 {
            parts.push(format!("it was started {} times until it kept running", self.starts));
        }
        let since = if self.planned.kind.stops_server() { "that" } else { "its end" };
        let back = |what: &str, seconds: Option<f64>| Some(format!("{what} {:.3} s", seconds?));
        let back: Vec<String> =
            [back("acknowledged", self.recovery_ack), back("arrived", self.recovery_delivery)]
                .into_iter()
                .flatten()
                .collect();
        parts.push(if !back.is_empty() {
            format!("messages sent afterwards: {} after {since}", back.join(", "))
        } else if self.sent_after == Some(false) {
            format!("no message was sent after {since}: the load was over")
        } else {
            "no message sent afterwards was acknowledged or arrived".to_owned()
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
            duration: Some(Duration::from_secs(3)),
            server: None,
            kind: FaultKind::Kill,
        };
        FaultResult::new(planned, "kafka".into())
    }

    #[test]
    fn a_fault_that_took_place_is_described_with_its_figures() {
        let result = FaultResult {
            asked: Some(20.0),
            began: Some(20.1),
            end_asked: Some(23.1),
            ended: Some(23.4),
            starts: 2,
            recovery_ack: Some(4.5),
            recovery_delivery: Some(4.75),
            toll: Some(Impact { lost: 7, acked_then_lost: 2, ..Impact::default() }),
            ..kill()
        };
        assert_eq!(
            result.describe(),
            "by plan kafka was killed at 20.10 s for 3.30 s; it was started 2 times until it kept running; \
             messages sent afterwards: acknowledged 4.500 s, arrived 4.750 s after that; \
             acknowledged, then lost 2, lost 7, refused 0, duplicate 0"
        );
        assert!((result.downtime_seconds() - 3.3).abs() < 1e-9);
    }

    #[test]
    fn a_fault_by_key_is_described_as_such() {
        let by_key = FaultResult { by_key: true, began: Some(20.0), ..kill() };
        assert!(by_key.describe().starts_with("by key kafka was killed at 20.00 s"));
        let none = FaultResult { began: None, ..by_key };
        assert!(none.describe().contains("was asked for by key and did not take place"));
    }

    #[test]
    fn a_fault_after_which_nothing_was_sent_does_not_blame_the_server() {
        let active = FaultResult { began: Some(20.0), ended: Some(23.0), ..kill() };
        let said = |sent_after| FaultResult { sent_after, ..active.clone() }.describe();
        let nothing_sent = said(Some(false));
        assert!(nothing_sent.ends_with("no message was sent after that: the load was over"));
        assert!(!nothing_sent.contains("acknowledged"), "{nothing_sent}");
        for sent in [Some(true), None] {
            let unanswered = "no message sent afterwards was acknowledged or arrived";
            assert!(said(sent).ends_with(unanswered), "{}", said(sent));
        }
    }

    #[test]
    fn a_fault_that_did_not_take_place_is_described_with_the_reason() {
        let error = Some("no permission".to_owned());
        assert_eq!(
            FaultResult { error, ..kill() }.describe(),
            "kill of kafka was planned and did not take place: no permission"
        );
        assert!(kill().downtime_seconds().abs() < 1e-9);
    }
}
