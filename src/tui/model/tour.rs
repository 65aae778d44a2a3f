//! The tour of a first start: three short steps, each on the screen that it explains.

/// A step of the tour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TourStep {
    /// The setup of a run.
    Setup,
    /// A run in progress.
    Live,
    /// The results of a run, and the records.
    Results,
}

impl TourStep {
    /// All steps, in their order.
    pub const ALL: [Self; 3] = [Self::Setup, Self::Live, Self::Results];
}

/// The steps that were not shown yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tour {
    pending: Vec<TourStep>,
}

impl Tour {
    /// The whole tour.
    pub fn whole() -> Self {
        Self { pending: TourStep::ALL.to_vec() }
    }

    /// Takes a step, if it was not shown yet.
    pub fn take(&mut self, step: TourStep) -> Option<TourStep> {
        let place = self.pending.iter().position(|pending| *pending == step)?;
        Some(self.pending.remove(place))
    }

    /// Ends the tour.
    pub fn skip(&mut self) {
        self.pending.clear();
    }
}
