//! What every panel of the live screen draws from.

use ratatui::text::Line;

use crate::{
    measure::LatencySummary,
    plan::{Scenario, Workload},
    tui::{
        model::{LiveRun, Model, RepetitionState},
        theme::Theme,
        view::parts::{Panel, panel},
    },
};

/// Input of every panel of the screen.
pub struct LiveContext<'a> {
    /// Live run.
    pub live: &'a LiveRun,
    /// Shown repetition: the one in progress, a frozen state of it, or an earlier one.
    pub shown: &'a RepetitionState,
    /// Model of the whole screen.
    pub model: &'a Model,
    /// Styles of the terminal.
    pub theme: Theme,
    /// Whether the log panel is shown.
    pub has_log: bool,
}

impl<'a> LiveContext<'a> {
    /// Collects what the panels draw from.
    pub fn new(live: &'a LiveRun, model: &'a Model, has_log: bool) -> Self {
        Self { live, shown: live.shown(), model, theme: model.theme, has_log }
    }

    /// Returns the frame of a panel.
    pub fn block<'b>(&self, title: impl Into<Line<'b>>) -> Panel<'b> {
        panel(self.theme, title)
    }

    /// Returns whether the scenario has producers only, whose latency is the acknowledgement.
    pub fn is_producer_only(&self) -> bool {
        matches!(
            self.live.point().map(|point| &point.workload),
            Some(Workload::Throughput(workload)) if workload.scenario == Scenario::Producer
        )
    }

    /// Returns the main duration of this repetition: name, summary, histogram bars.
    pub fn primary_latency(&self) -> (&'static str, &'a LatencySummary, &'a [u64]) {
        let snapshot = &self.shown.snapshot;
        let (durations, bars) = (&snapshot.durations, &snapshot.bars);
        if self.is_producer_only() {
            ("acknowledgement", &durations.ack, &bars.ack)
        } else {
            ("delivery latency", &durations.delivery, &bars.delivery)
        }
    }
}
