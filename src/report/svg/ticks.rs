//! Range and labels of an axis.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::{
    format::three_significant,
    report::figures::{AxisScale, FigurePanel, PlotKind},
};

/// Largest number of labels on an axis.
const MAX_LABELS: usize = 7;

/// Coordinate of a drawn axis, in which positions are linear.
#[derive(Debug, Clone, PartialEq)]
pub struct AxisCoord {
    log: bool,
    /// Positions of the axis' start and end.
    pub range: (f64, f64),
    /// Positions and texts of the labels.
    pub labels: Vec<(f64, String)>,
}

impl AxisCoord {
    /// Returns the position of `value`: its logarithm on a logarithmic axis.
    pub fn position(&self, value: f64) -> f64 {
        if self.log { value.max(f64::MIN_POSITIVE).log10() } else { value }
    }
}

impl Ranged for AxisCoord {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, limit: (i32, i32)) -> i32 {
        let share = (place - self.range.0) / (self.range.1 - self.range.0);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() && hint.max_num_points() == 0 {
            return Vec::new();
        }
        self.labels.iter().map(|(place, _)| *place).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.0..self.range.1
    }
}

impl ValueFormatter<f64> for AxisCoord {
    fn format_ext(&self, place: &f64) -> String {
        let distance = |label: &&(f64, String)| (label.0 - place).abs();
        let nearest = self.labels.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        nearest.map_or_else(String::new, |(_, text)| text.clone())
    }
}

/// Returns the horizontal axis of `panel`.
pub fn horizontal_axis(panel: &FigurePanel) -> AxisCoord {
    let axis = &panel.x;
    let values = panel.series.iter().flat_map(|series| &series.marks).map(|mark| mark.x);
    let values = values.chain(reference_values(panel, true));
    let (low, high) = extent(values).unwrap_or((0.0, 1.0));
    if axis.scale == AxisScale::Categories {
        let last = axis.ticks.len().max(1) as f64 - 1.0;
        return AxisCoord { log: false, range: (-0.6, last + 0.6), labels: axis.ticks.clone() };
    }
    let log = axis.scale == AxisScale::Log && low > 0.0;
    let bare = AxisCoord { log, range: (0.0, 0.0), labels: Vec::new() };
    let (first, last) = (bare.position(low), bare.position(high));
    let span = last - first;
    let margin = match panel.kind {
        PlotKind::Lines if span > 0.0 => span * 0.06,
        PlotKind::Dots if span > 0.0 => span * 0.03,
        _ if span > 0.0 => 0.0,
        _ => first.abs().max(1.0) * 0.5,
    };
    let mut range = (first - margin, last + margin);
    if axis.ticks.is_empty() {
        if !log && low >= 0.0 && panel.kind != PlotKind::Lines {
            range.0 = range.0.min(0.0);
        }
        let labels = linear_labels(range.0, range.1, MAX_LABELS);
        return AxisCoord { range, labels, ..bare };
    }
    let placed: Vec<_> = axis
        .ticks
        .iter()
        .map(|(value, text)| (bare.position(*value), text.clone()))
        .filter(|(place, _)| *place >= range.0 - 1e-9 && *place <= range.1 + 1e-9)
        .collect();
    AxisCoord { range, labels: thin_labels(placed, span), ..bare }
}

/// Returns the values of the panel's reference lines on an axis, which the axis must include.
fn reference_values(panel: &FigurePanel, upright: bool) -> impl Iterator<Item = f64> + '_ {
    panel
        .reference_lines
        .iter()
        .filter(move |guide| guide.is_vertical == upright)
        .map(|guide| guide.at)
}

/// Returns the vertical axis of `panel`, which includes 0 unless it is logarithmic.
pub fn vertical_axis(panel: &FigurePanel) -> AxisCoord {
    let marks = || panel.series.iter().flat_map(|series| &series.marks);
    let values = marks().flat_map(|mark| {
        let ends = mark.whiskers.map_or([mark.y; 2], |(low, high)| [low, high]);
        [mark.y, ends[0], ends[1]]
    });
    let (low, high) = extent(values.chain(reference_values(panel, false))).unwrap_or((0.0, 1.0));
    // An interval may reach below 0 although no value does: the axis then still starts at 0.
    let ends = marks().filter_map(|mark| mark.interval).flat_map(|(least, most)| [least, most]);
    let (low, high) = match extent(ends) {
        Some((least, most)) if low < 0.0 => (low.min(least), high.max(most)),
        Some((_, most)) => (low, high.max(most)),
        None => (low, high),
    };
    if panel.y.scale == AxisScale::Log && low > 0.0 {
        return logarithmic_axis(low, high);
    }
    let low = low.min(0.0);
    let high = if high > low { high } else { low + 1.0 };
    let labels = linear_labels(low, high + (high - low) * 0.05, 6);
    let step = labels.get(1).map_or(1.0, |second| second.0 - labels[0].0);
    let low = if low < 0.0 { (low / step).floor() * step } else { 0.0 };
    let labels = linear_labels(low, high + (high - low) * 0.05, 6);
    AxisCoord { log: false, range: (low, high + (high - low) * 0.08), labels }
}

fn logarithmic_axis(low: f64, high: f64) -> AxisCoord {
    let (first, last) = (low.log10(), high.log10());
    let margin = ((last - first) * 0.06).max(0.05);
    let range = (first - margin, last + margin);
    let decades = range.1 - range.0;
    let factors: &[f64] = if decades < 1.6 {
        &[1.0, 2.0, 3.0, 5.0, 7.0]
    } else if decades < 3.2 {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    let mut labels = Vec::new();
    for power in range.0.floor() as i32..=range.1.ceil() as i32 {
        for factor in factors {
            let value = factor * 10_f64.powi(power);
            if (range.0..=range.1).contains(&value.log10()) {
                labels.push((value.log10(), format_label(value)));
            }
        }
    }
    AxisCoord { log: true, range, labels }
}

fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).fold(None, |extent, value| match extent {
        None => Some((value, value)),
        Some((low, high)) => Some((value.min(low), value.max(high))),
    })
}

/// Returns labels at round steps (1, 2 or 5 times a power of ten) from `low` to `high`, about `most` at most.
fn linear_labels(low: f64, high: f64, most: usize) -> Vec<(f64, String)> {
    let rough = (high - low) / most as f64;
    if rough <= 0.0 || !rough.is_finite() {
        return vec![(low, format_label(low))];
    }
    let magnitude = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * magnitude)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(10.0 * magnitude);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|k| k as f64 * step).map(|value| (value, format_label(value))).collect()
}

/// Formats a label without trailing zeros; from 1,000 on with three significant figures.
fn format_label(value: f64) -> String {
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if value.abs() >= 1_000.0 {
        return three_significant(value);
    }
    if text == "-0" || text.is_empty() { "0".into() } else { text.into() }
}

/// Drops labels that are too close to the previous one.
fn thin_labels(labels: Vec<(f64, String)>, span: f64) -> Vec<(f64, String)> {
    let room = span / MAX_LABELS as f64 * 0.8;
    let mut thinned: Vec<(f64, String)> = Vec::new();
    for label in labels {
        if thinned.last().is_none_or(|last| label.0 - last.0 >= room) {
            thinned.push(label);
        }
    }
    thinned
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn steps_are_round() {
        let texts = |low, high| -> Vec<String> {
            linear_labels(low, high, 6).into_iter().map(|(_, text)| text).collect()
        };
        assert_eq!(texts(0.0, 3.1), ["0", "1", "2", "3"]);
        assert_eq!(texts(0.0, 0.021), ["0", "0.005", "0.01", "0.015", "0.02"]);
        assert_eq!(texts(-4.0, 9.0), ["0", "5"].map(String::from).to_vec().as_slice());
    }

    proptest! {
        #[test]
        fn labels_are_within_the_axis_and_fit(low in -1e3..1e3_f64, span in 1e-3..1e6_f64) {
            let labels = linear_labels(low, low + span, 6);
            prop_assert!(labels.len() <= 8, "{}", labels.len());
            for (place, _) in labels {
                prop_assert!(place >= low - span * 1e-6 && place <= low + span * (1.0 + 1e-6));
            }
        }
    }
}
