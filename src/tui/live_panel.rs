//! Panels of the live screen, and views of its latency.

/// Panel of the live screen, in the order of Tab.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LivePanel {
    /// Latency, in one of its views.
    #[default]
    Latency,
    /// Percentiles and events over time.
    Time,
    /// Messages and bytes per second.
    Throughput,
    /// Resources of the servers.
    Servers,
    /// Ledger, hubmark's health, verdict.
    Ledger,
    /// Log.
    Log,
    /// Map of points × repetitions.
    Map,
}

impl LivePanel {
    /// All panels.
    pub const ALL: [Self; 7] = [
        Self::Latency,
        Self::Time,
        Self::Throughput,
        Self::Servers,
        Self::Ledger,
        Self::Log,
        Self::Map,
    ];

    /// Panel `by` positions further, wrapping around.
    pub fn after(self, by: isize) -> Self {
        let here = Self::ALL.iter().position(|panel| *panel == self).unwrap_or(0);
        Self::ALL[wrap_index(here, by, Self::ALL.len())]
    }
}

/// View of the latency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LatencyView {
    /// Counts over a logarithmic axis.
    #[default]
    Histogram,
    /// p50, p99 and maximum of each second.
    Percentiles,
    /// Lag, ack, delivery and response over one axis.
    Durations,
    /// Delivery beside response, which is free of coordinated omission.
    Corrected,
    /// Counts over time and latency.
    Heat,
}

impl LatencyView {
    /// All views, in the order of their keys from 1.
    pub const ALL: [Self; 5] =
        [Self::Histogram, Self::Percentiles, Self::Durations, Self::Corrected, Self::Heat];

    /// Name on the screen.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Histogram => "histogram",
            Self::Percentiles => "percentiles over time",
            Self::Durations => "four durations",
            Self::Corrected => "corrected and uncorrected",
            Self::Heat => "heat map",
        }
    }

    /// View `by` positions further, wrapping around.
    pub fn after(self, by: isize) -> Self {
        let here = Self::ALL.iter().position(|view| *view == self).unwrap_or(0);
        Self::ALL[wrap_index(here, by, Self::ALL.len())]
    }
}

fn wrap_index(here: usize, by: isize, len: usize) -> usize {
    (here.cast_signed() + by).rem_euclid(len.cast_signed()).cast_unsigned()
}

/// Whether one panel fills the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PanelSize {
    /// All panels that fit are shown.
    #[default]
    Shared,
    /// The focused panel fills the screen.
    Maximized,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_and_views_wrap_around_in_both_directions() {
        for by in [1, -1] {
            let (mut panel, mut view) = (LivePanel::Latency, LatencyView::Histogram);
            for _ in LivePanel::ALL {
                panel = panel.after(by);
            }
            for _ in LatencyView::ALL {
                view = view.after(by);
            }
            assert_eq!((panel, view), (LivePanel::Latency, LatencyView::Histogram));
        }
        assert_eq!(LivePanel::Latency.after(-1), LivePanel::Map);
    }
}
