//! Band of the earlier repetitions of a point: the smallest and the largest value of each second, with which
//! the repetition in progress is compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::measure::TimelineSecond;

/// Largest number of seconds of a repetition that the band covers: four hours.
const MAX_SECONDS: usize = 4 * 3_600;
/// Share by which a value may lie outside of the band without being counted: two repetitions never agree
/// exactly.
const TOLERANCE: f64 = 0.1;
/// Smallest number of earlier repetitions whose band says something about a further one.
const MIN_REPETITIONS: u32 = 2;

/// Bands of all points of a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RepetitionBands(BTreeMap<usize, PointBand>);

/// Band of a point.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PointBand {
    /// Number of repetitions in the band.
    pub repetitions: u32,
    seconds: Vec<BandSecond>,
}

/// Smallest and largest values of one second.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct BandSecond {
    delivery_p50: Option<(f64, f64)>,
    ack_p50: Option<(f64, f64)>,
    delivered: Option<(f64, f64)>,
    bytes: Option<(f64, f64)>,
}

/// Value of a second that is compared with its band.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BandValue {
    /// Median delivery latency in microseconds.
    DeliveryP50,
    /// Median acknowledgement latency in microseconds.
    AckP50,
    /// Messages that arrived.
    Delivered,
    /// Payload bytes that arrived.
    Bytes,
}

impl BandValue {
    /// The value of a second.
    pub fn of_second(self, second: &TimelineSecond) -> Option<f64> {
        match self {
            Self::DeliveryP50 => second.delivery_p50,
            Self::AckP50 => second.ack_p50,
            Self::Delivered => Some(second.delivered as f64),
            Self::Bytes => Some(second.bytes as f64),
        }
    }
}

/// Where the seconds of a repetition lie, compared with the band.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BandDeviation {
    /// Number of seconds clearly above the band.
    pub above: usize,
    /// Number of seconds clearly below the band.
    pub below: usize,
}

impl RepetitionBands {
    /// Adds a repetition of a point.
    pub fn add(&mut self, point: usize, seconds: &[TimelineSecond]) {
        self.0.entry(point).or_default().add(seconds);
    }

    /// Band of a point, if a repetition of it has ended.
    pub fn of_point(&self, point: usize) -> Option<&PointBand> {
        self.0.get(&point)
    }
}

impl PointBand {
    fn add(&mut self, seconds: &[TimelineSecond]) {
        self.repetitions += 1;
        for second in seconds {
            let place = second.second as usize;
            if place >= MAX_SECONDS {
                continue;
            }
            if self.seconds.len() <= place {
                self.seconds.resize(place + 1, BandSecond::default());
            }
            let band = &mut self.seconds[place];
            widen(&mut band.delivery_p50, BandValue::DeliveryP50.of_second(second));
            widen(&mut band.ack_p50, BandValue::AckP50.of_second(second));
            widen(&mut band.delivered, BandValue::Delivered.of_second(second));
            widen(&mut band.bytes, BandValue::Bytes.of_second(second));
        }
    }

    fn range(&self, second: usize, value: BandValue) -> Option<(f64, f64)> {
        let band = self.seconds.get(second)?;
        match value {
            BandValue::DeliveryP50 => band.delivery_p50,
            BandValue::AckP50 => band.ack_p50,
            BandValue::Delivered => band.delivered,
            BandValue::Bytes => band.bytes,
        }
    }

    /// Second, smallest and largest value of each second that has the value.
    pub fn ranges(&self, value: BandValue) -> impl Iterator<Item = (f64, f64, f64)> {
        (0..self.seconds.len()).filter_map(move |second| {
            let (least, greatest) = self.range(second, value)?;
            Some((second as f64, least, greatest))
        })
    }

    /// Compares the seconds of a repetition with the band; `None` while the band has too few repetitions.
    pub fn deviation(&self, seconds: &[TimelineSecond], value: BandValue) -> Option<BandDeviation> {
        let mut deviation = BandDeviation::default();
        for second in seconds {
            let range = self.range(second.second as usize, value);
            if let (Some((least, greatest)), Some(value)) = (range, value.of_second(second)) {
                deviation.above += usize::from(value > greatest * (1.0 + TOLERANCE));
                deviation.below += usize::from(value < least * (1.0 - TOLERANCE));
            }
        }
        (self.repetitions >= MIN_REPETITIONS).then_some(deviation)
    }
}

fn widen(range: &mut Option<(f64, f64)>, value: Option<f64>) {
    let Some(value) = value else { return };
    *range = Some(range.map_or((value, value), |(a, b)| (a.min(value), b.max(value))));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(medians: &[f64]) -> Vec<TimelineSecond> {
        let second = |(second, p50): (u32, &f64)| TimelineSecond {
            second,
            delivery_p50: Some(*p50),
            ..TimelineSecond::default()
        };
        (0..).zip(medians).map(second).collect()
    }

    #[test]
    fn a_band_spans_the_repetitions_of_its_point_second_by_second() {
        let mut bands = RepetitionBands::default();
        bands.add(0, &seconds(&[1.0, 2.0, 3.0]));
        bands.add(0, &seconds(&[2.0, 1.0]));
        bands.add(1, &seconds(&[9.0]));
        let band = bands.of_point(0).unwrap();
        let ranges: Vec<_> = band.ranges(BandValue::DeliveryP50).collect();
        assert_eq!(ranges, [(0.0, 1.0, 2.0), (1.0, 1.0, 2.0), (2.0, 3.0, 3.0)]);
        assert_eq!(band.ranges(BandValue::AckP50).count(), 0);
        assert!(bands.of_point(2).is_none());
    }

    #[test]
    fn seconds_clearly_outside_of_the_band_are_counted() {
        let mut bands = RepetitionBands::default();
        bands.add(0, &seconds(&[10.0, 10.0, 10.0, 10.0]));
        let band = bands.of_point(0).unwrap();
        let running = seconds(&[10.5, 12.0, 8.0, 10.0, 99.0]);
        assert_eq!(band.deviation(&running, BandValue::DeliveryP50), None, "one is no band");
        bands.add(0, &seconds(&[10.0, 10.0, 10.0, 10.0]));
        let band = bands.of_point(0).unwrap();
        let found = band.deviation(&running, BandValue::DeliveryP50).unwrap();
        assert_eq!(found, BandDeviation { above: 1, below: 1 });
    }
}
