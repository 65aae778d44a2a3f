//! Rates of counted events, and the smallest basis on which one is given.

use std::time::Duration;

use crate::{
    format::count_noun,
    units::{Bytes, human_duration},
};

/// Shortest window of a rate in seconds. The ends of a window are known to a pass of the thread that
/// sees them, a few milliseconds: a few percent of this window, and all of a window of 1 ms.
pub const MIN_RATE_SECONDS: f64 = 0.05;
/// Smallest number of events of a rate: one event more or less at the ends is at most 5 % of it.
pub const MIN_RATE_COUNT: u64 = 20;
/// Safety of the volume that [`throughput_gap`] recommends: the next run may be faster.
const VOLUME_MARGIN: f64 = 3.0;

/// Returns `amount` per second; `None` in a window shorter than [`MIN_RATE_SECONDS`].
pub fn per_second(amount: f64, seconds: f64) -> Option<f64> {
    (seconds >= MIN_RATE_SECONDS).then(|| amount / seconds)
}

/// Returns why `messages` of `volume` together in `seconds` give no throughput, and what to do;
/// `None` if they give one.
pub fn throughput_gap(messages: u64, volume: Bytes, seconds: f64) -> Option<String> {
    if messages >= MIN_RATE_COUNT && seconds >= MIN_RATE_SECONDS {
        return None;
    }
    let window = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let advice = if messages == 0 {
        String::new()
    } else if seconds < MIN_RATE_SECONDS {
        let needed = volume.0 as f64 * MIN_RATE_SECONDS / seconds.max(1e-6) * VOLUME_MARGIN;
        format!("; give workload.volume at least {}", Bytes(needed as u64))
    } else {
        "; give a larger workload.volume, or a smaller payload".to_owned()
    };
    Some(format!(
        "{} in {}: a rate needs at least {MIN_RATE_COUNT} messages and {}{advice}",
        count_noun(messages, "message"),
        human_duration(window),
        human_duration(Duration::from_secs_f64(MIN_RATE_SECONDS)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_needs_a_window_and_a_number_of_events() {
        assert_eq!(throughput_gap(20, Bytes(2_000), 0.05), None);
        let short = throughput_gap(1_000, Bytes(100_000), 0.000_4).unwrap();
        assert!(short.starts_with("1,000 messages in 400 µs: a rate needs at least 20"), "{short}");
        assert!(short.ends_with("and 50 ms; give workload.volume at least 37.5 MB"), "{short}");
        let few = throughput_gap(1, Bytes(1_000_000), 3.0).unwrap();
        assert!(few.starts_with("1 message in 3 s") && few.contains("smaller payload"), "{few}");
        let none = throughput_gap(0, Bytes(0), -0.5).unwrap();
        assert!(none.starts_with("0 messages in 0 s") && !none.contains("give"), "{none}");
    }

    #[test]
    fn the_recommended_volume_is_enough() {
        let needed = Bytes(37_500_000);
        // The same rate as above: 100 kB in 0.4 ms.
        assert_eq!(throughput_gap(375_000, needed, needed.0 as f64 / 2.5e8), None);
    }

    #[test]
    fn nothing_per_second_in_too_short_a_window() {
        assert_eq!(per_second(5.0, 0.049), None);
        assert_eq!(per_second(5.0, 0.5), Some(10.0));
        assert_eq!(per_second(5.0, 0.0), None);
    }
}
