//! Results of a finished run.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    live::{FinishedRepetition, LiveRun},
    run_results::RunResults,
};
use crate::{
    event::EndStatus,
    measure::{Judgement, PathCost, SelfTest},
    plan::Plan,
    record::Capacity,
    tui::{msg::Msg, requests::StartRequest},
};

/// Smallest terminal that shows numbers, distributions and a figure at once, in columns and rows.
const WIDE_SIZE: (u16, u16) = (110, 30);

/// Whether a terminal shows all parts of the results at once.
pub const fn is_wide(size: (u16, u16)) -> bool {
    size.0 >= WIDE_SIZE.0 && size.1 >= WIDE_SIZE.1
}

/// Part of the results that is shown below the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FinishedView {
    /// Figures of each point as numbers; on a wide terminal also distributions and a figure.
    #[default]
    Numbers,
    /// Distribution of each point over one axis.
    Distributions,
    /// A figure alone.
    Figure,
}

impl FinishedView {
    /// Name on the screen.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Numbers => "numbers",
            Self::Distributions => "distributions",
            Self::Figure => "figures",
        }
    }

    /// The view after this one on a terminal that is wide or not.
    #[must_use]
    pub const fn next(self, is_wide: bool) -> Self {
        match (self, is_wide) {
            (Self::Numbers, false) => Self::Distributions,
            (Self::Numbers, true) | (Self::Distributions, _) => Self::Figure,
            (Self::Figure, _) => Self::Numbers,
        }
    }

    /// The view before this one on a terminal that is wide or not.
    #[must_use]
    pub const fn previous(self, is_wide: bool) -> Self {
        match (self, is_wide) {
            (Self::Numbers, _) => Self::Figure,
            (Self::Distributions, _) | (Self::Figure, true) => Self::Numbers,
            (Self::Figure, false) => Self::Distributions,
        }
    }
}

/// Returns the point to select at first: the largest number of users that a capacity search found to
/// be carried, else the first measured point.
fn initial_point(live: &LiveRun) -> usize {
    let measured = |point: &usize| live.done.iter().any(|done| done.step.point == *point);
    let carried = live.searches().find_map(|search| {
        let found = |point: &usize| {
            let point = &live.plan.points[*point];
            point.backend == search.backend && Some(point.workload.users()) == search.lower
        };
        (0..live.plan.points.len()).filter(measured).find(found)
    });
    carried.or_else(|| (0..live.plan.points.len()).find(measured)).unwrap_or_default()
}

/// A figure over the repetitions of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FigureRange {
    /// Number of repetitions with this figure.
    pub n: usize,
    /// Mean.
    pub mean: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

/// A finished run.
#[derive(Debug)]
pub struct FinishedRun {
    /// Request of the run, to run it again.
    pub request: StartRequest,
    /// Plan of the run.
    pub plan: Plan,
    /// How the run ended.
    pub end: EndStatus,
    /// File of the record, if the engine created one.
    pub record: Option<PathBuf>,
    /// Cost of the network path to the hub, if measured.
    pub path: Option<PathCost>,
    /// What this machine can do without a load, if measured.
    pub self_test: Option<SelfTest>,
    /// Finished repetitions, including those of a resumed record.
    pub done: Vec<FinishedRepetition>,
    /// Results of capacity searches.
    pub searches: Vec<Capacity>,
    /// What the hub cannot measure, or what is unsafe about the connection to it.
    pub hub_cautions: Vec<String>,
    /// Duration in seconds.
    pub seconds: f64,
    /// Selected point.
    pub selected: usize,
    /// What the record says; `None` while it is being read.
    pub results: Option<Result<Box<RunResults>, String>>,
    /// Part of the results that is shown.
    pub view: FinishedView,
    /// Index of the shown figure.
    pub figure: usize,
    /// Message to show: a report's path, or why a key had no effect.
    pub notice: Option<Result<String, String>>,
}

impl FinishedRun {
    /// Creates the results of `live`, which ended with `end`.
    pub fn from_live(live: &LiveRun, end: EndStatus, now: Duration) -> Self {
        Self {
            request: live.request.clone(),
            plan: live.plan.clone(),
            end,
            record: live.record.clone(),
            path: live.path,
            self_test: live.self_test,
            done: live.done.clone(),
            searches: live.searches().cloned().collect(),
            hub_cautions: live.hub_cautions().to_vec(),
            seconds: now.saturating_sub(live.began).as_secs_f64(),
            selected: initial_point(live),
            results: None,
            view: FinishedView::default(),
            figure: 0,
            notice: None,
        }
    }

    /// What the record says, once it is read.
    pub fn results(&self) -> Option<&RunResults> {
        self.results.as_ref()?.as_deref().ok()
    }

    /// Sets what the record at `path` says; ignored if it is the record of another run.
    pub fn set_results(&mut self, path: &Path, results: Result<Box<RunResults>, String>) {
        if self.record.as_deref() == Some(path) {
            self.results = Some(results);
        }
    }

    /// Applies a message that moves the selection or changes the view, on a terminal of `size`.
    pub fn update(&mut self, msg: &Msg, size: (u16, u16)) {
        match msg {
            Msg::Up => self.select(-1),
            Msg::Down => self.select(1),
            Msg::Line(point) => self.selected = *point,
            Msg::NextPane => self.view = self.view.next(is_wide(size)),
            Msg::PreviousPane => self.view = self.view.previous(is_wide(size)),
            Msg::Left | Msg::Right => {
                let count = self.results().map_or(0, |results| results.figures.len()).max(1);
                let step = if matches!(msg, Msg::Left) { count - 1 } else { 1 };
                self.figure = (self.figure + step) % count;
            }
            _ => {}
        }
    }

    /// Moves the selection by `by` points.
    pub fn select(&mut self, by: isize) {
        let last = self.plan.points.len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(by).min(last);
    }

    /// Repetitions of a point.
    pub fn of_point(&self, point: usize) -> impl Iterator<Item = &FinishedRepetition> {
        self.done.iter().filter(move |done| done.step.point == point)
    }

    /// Range of a figure over the repetitions of a point, without failed ones; `None` if none has it.
    pub fn range(&self, point: usize, figure: &str) -> Option<FigureRange> {
        let values: Vec<f64> = self
            .of_point(point)
            .filter(|done| done.verdict.status.counts())
            .filter_map(|done| done.figures.get(figure).copied())
            .collect();
        let (min, max) = values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), v| (min.min(*v), max.max(*v)));
        (!values.is_empty()).then(|| FigureRange {
            n: values.len(),
            mean: values.iter().sum::<f64>() / values.len() as f64,
            min,
            max,
        })
    }

    /// Messages whose outcome is unknown because their repetition ended early.
    pub fn on_the_way(&self) -> u64 {
        self.done.iter().map(|done| done.ledger.on_the_way).sum()
    }

    /// Messages lost, failed, or never sent in all repetitions. A repetition that ended early was to send no
    /// more.
    pub fn undelivered(&self) -> u64 {
        let of = |done: &FinishedRepetition| match done.verdict.status {
            Judgement::Failed => done.ledger.lost + done.ledger.failed,
            _ => done.ledger.undelivered(),
        };
        self.done.iter().map(of).sum()
    }

    /// Messages lost in all repetitions.
    pub fn lost(&self) -> u64 {
        self.done.iter().map(|done| done.ledger.lost).sum()
    }

    /// Number of thresholds crossed in all repetitions.
    pub fn crossed(&self) -> usize {
        self.done.iter().map(|done| done.crossed.len()).sum()
    }

    /// Number of repetitions with this judgement.
    pub fn count_judged(&self, status: Judgement) -> usize {
        self.done.iter().filter(|done| done.verdict.status == status).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture;

    #[test]
    fn a_range_leaves_failed_repetitions_out() {
        let mut finished = fixture::finished(EndStatus::Complete);
        let whole = finished.range(0, "delivery.p50").expect("measured");
        assert_eq!(whole.n, finished.of_point(0).count());
        let point_of_first = finished.done[0].step.point;
        finished.done[0].verdict.status = Judgement::Failed;
        let rest = finished.range(point_of_first, "delivery.p50").expect("measured");
        assert_eq!(rest.n, whole.n - 1);
        assert!(finished.range(0, "no such figure").is_none());
    }

    #[test]
    fn messages_that_were_refused_or_never_sent_are_undelivered() {
        let mut finished = fixture::finished(EndStatus::Complete);
        let before = finished.undelivered();
        let ledger = &mut finished.done[0].ledger;
        (ledger.failed, ledger.unsent) = (3, 2);
        assert_eq!(finished.undelivered(), before + 5);
        // A repetition that ended early was to send no more.
        finished.done[0].verdict.status = Judgement::Failed;
        assert_eq!(finished.undelivered(), before + 3);
    }

    #[test]
    fn a_selection_stays_within_the_points() {
        let mut finished = fixture::finished(EndStatus::Complete);
        finished.select(-5);
        assert_eq!(finished.selected, 0);
        finished.select(500);
        assert_eq!(finished.selected, finished.plan.points.len() - 1);
    }
}
