//! Where an axis begins and ends, and where it is labelled.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::{
    format::three,
    report::figures::{Kind, Panel, Scale},
};

/// Labels that fit on an axis.
const MOST: usize = 7;

/// An axis made ready for drawing: positions are linear in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruler {
    log: bool,
    /// Position of the axis' begin and end.
    pub range: (f64, f64),
    /// Positions and texts.
    pub labels: Vec<(f64, String)>,
}

impl Ruler {
    /// Where `value` lies.
    pub fn place(&self, value: f64) -> f64 {
        if self.log { value.max(f64::MIN_POSITIVE).log10() } else { value }
    }
}

/// How the plotting library sees it.
impl Ranged for Ruler {
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

impl ValueFormatter<f64> for Ruler {
    fn format_ext(&self, place: &f64) -> String {
        let distance = |label: &&(f64, String)| (label.0 - place).abs();
        let nearest = self.labels.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        nearest.map_or_else(String::new, |(_, text)| text.clone())
    }
}

/// The horizontal axis of `panel`.
pub fn horizontal(panel: &Panel) -> Ruler {
    let axis = &panel.x;
    let values = panel.series.iter().flat_map(|series| &series.marks).map(|mark| mark.x);
    let values = values.chain(guides(panel, true));
    let (low, high) = extent(values).unwrap_or((0.0, 1.0));
    if axis.scale == Scale::Categories {
        let last = axis.ticks.len().max(1) as f64 - 1.0;
        return Ruler { log: false, range: (-0.6, last + 0.6), labels: axis.ticks.clone() };
    }
    let log = axis.scale == Scale::Log && low > 0.0;
    let bare = Ruler { log, range: (0.0, 0.0), labels: Vec::new() };
    let (first, last) = (bare.place(low), bare.place(high));
    let span = last - first;
    let margin = match panel.kind {
        Kind::Lines if span > 0.0 => span * 0.06,
        Kind::Dots if span > 0.0 => span * 0.03,
        _ if span > 0.0 => 0.0,
        _ => first.abs().max(1.0) * 0.5,
    };
    let mut range = (first - margin, last + margin);
    if axis.ticks.is_empty() {
        if !log && low >= 0.0 && panel.kind != Kind::Lines {
            range.0 = range.0.min(0.0);
        }
        let labels = linear(range.0, range.1, MOST);
        return Ruler { range, labels, ..bare };
    }
    let placed: Vec<_> = axis
        .ticks
        .iter()
        .map(|(value, text)| (bare.place(*value), text.clone()))
        .filter(|(place, _)| *place >= range.0 - 1e-9 && *place <= range.1 + 1e-9)
        .collect();
    Ruler { range, labels: thinned(placed, span), ..bare }
}

/// Where the panel's lines across cross an axis: they are to be seen, too.
fn guides(panel: &Panel, upright: bool) -> impl Iterator<Item = f64> + '_ {
    panel.guides.iter().filter(move |guide| guide.upright == upright).map(|guide| guide.at)
}

/// The vertical axis of `panel`: from 0 unless it is logarithmic.
pub fn vertical(panel: &Panel) -> Ruler {
    let marks = || panel.series.iter().flat_map(|series| &series.marks);
    let values = marks().flat_map(|mark| {
        let ends = mark.whiskers.map_or([mark.y; 2], |(low, high)| [low, high]);
        [mark.y, ends[0], ends[1]]
    });
    let (low, high) = extent(values.chain(guides(panel, false))).unwrap_or((0.0, 1.0));
    // An interval may reach below what can be: what is never negative keeps its 0 as the ground.
    let ends = marks().filter_map(|mark| mark.interval).flat_map(|(least, most)| [least, most]);
    let (low, high) = match extent(ends) {
        Some((least, most)) if low < 0.0 => (low.min(least), high.max(most)),
        Some((_, most)) => (low, high.max(most)),
        None => (low, high),
    };
    if panel.y.scale == Scale::Log && low > 0.0 {
        return logarithmic(low, high);
    }
    let low = low.min(0.0);
    let high = if high > low { high } else { low + 1.0 };
    let labels = linear(low, high + (high - low) * 0.05, 6);
    let step = labels.get(1).map_or(1.0, |second| second.0 - labels[0].0);
    let low = if low < 0.0 { (low / step).floor() * step } else { 0.0 };
    let labels = linear(low, high + (high - low) * 0.05, 6);
    Ruler { log: false, range: (low, high + (high - low) * 0.08), labels }
}

fn logarithmic(low: f64, high: f64) -> Ruler {
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
                labels.push((value.log10(), short(value)));
            }
        }
    }
    Ruler { log: true, range, labels }
}

fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).fold(None, |extent, value| match extent {
        None => Some((value, value)),
        Some((low, high)) => Some((value.min(low), value.max(high))),
    })
}

/// Round steps of 1, 2 or 5 between `low` and `high`, at most about `most` of them.
fn linear(low: f64, high: f64, most: usize) -> Vec<(f64, String)> {
    let rough = (high - low) / most as f64;
    if rough <= 0.0 || !rough.is_finite() {
        return vec![(low, short(low))];
    }
    let magnitude = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * magnitude)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(10.0 * magnitude);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|k| k as f64 * step).map(|value| (value, short(value))).collect()
}

/// A label: no more figures than the step needs.
fn short(value: f64) -> String {
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if value.abs() >= 1_000.0 {
        return three(value);
    }
    if text == "-0" || text.is_empty() { "0".into() } else { text.into() }
}

/// Of labels that lie too close, every other goes, until they fit; the first and the last stay.
fn thinned(labels: Vec<(f64, String)>, span: f64) -> Vec<(f64, String)> {
    let room = span / MOST as f64 * 0.8;
    let mut kept: Vec<(f64, String)> = Vec::new();
    for label in labels {
        if kept.last().is_none_or(|last| label.0 - last.0 >= room) {
            kept.push(label);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn steps_are_round() {
        let texts = |low, high| -> Vec<String> {
            linear(low, high, 6).into_iter().map(|(_, text)| text).collect()
        };
        assert_eq!(texts(0.0, 3.1), ["0", "1", "2", "3"]);
        assert_eq!(texts(0.0, 0.021), ["0", "0.005", "0.01", "0.015", "0.02"]);
        assert_eq!(texts(-4.0, 9.0), ["0", "5"].map(String::from).to_vec().as_slice());
    }

    proptest! {
        #[test]
        fn labels_lie_on_the_axis_and_fit(low in -1e3..1e3_f64, span in 1e-3..1e6_f64) {
            let labels = linear(low, low + span, 6);
            prop_assert!(labels.len() <= 8, "{}", labels.len());
            for (place, _) in labels {
                prop_assert!(place >= low - span * 1e-6 && place <= low + span * (1.0 + 1e-6));
            }
        }
    }
}
