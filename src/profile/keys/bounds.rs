//! Bounds of the values in a profile: enforced by the reader, named by the descriptions of the keys.

use std::time::Duration;

use crate::{
    stamp::{MAX_TICK, MAX_USER},
    units::{ByteRate, Bytes, Celsius, Cpus, exact_duration},
};

/// Longest run that a stamp can count: 203 days.
pub(in crate::profile) const MAX_RUN_DURATION: Duration = Duration::from_micros(MAX_TICK);
pub(in crate::profile) const MAX_USERS: u64 = MAX_USER as u64;
pub(in crate::profile) const MAX_MESSAGES_PER_USER: u64 = u32::MAX as u64;
pub(in crate::profile) const MAX_PAYLOAD: Bytes = Bytes(16 << 20);
pub(in crate::profile) const MIN_MEAN_INTERVAL: Duration = Duration::from_micros(1);

pub(in crate::profile) const MAX_REPETITIONS: u64 = 10_000;
pub(in crate::profile) const MAX_RETRIES: u64 = 100;
/// Largest seed: TOML numbers end at 2^63.
pub(in crate::profile) const MAX_SEED: u64 = i64::MAX.unsigned_abs();

/// Smallest number of cores that a Docker engine accepts.
pub(in crate::profile) const MIN_CPUS: Cpus = Cpus(0.01);
/// Smallest memory that a Docker engine accepts.
pub(in crate::profile) const MIN_MEMORY: Bytes = Bytes(6 << 20);
/// Smallest rate of disk writes that a Docker engine accepts.
pub(in crate::profile) const MIN_DISK_WRITE: ByteRate = ByteRate(1.0);
/// Smallest link rate; below it a bucket of one packet already lasts for seconds.
pub(in crate::profile) const MIN_LINK_RATE: ByteRate = ByteRate(8_000.0);
/// Smallest delay; a shorter one is lost in the delay of the proxy itself.
pub(in crate::profile) const MIN_DELAY: Duration = Duration::from_micros(100);
pub(in crate::profile) const MAX_DELAY: Duration = Duration::from_secs(10);
pub(in crate::profile) const MIN_HUB_TIMEOUT: Duration = Duration::from_secs(10);
pub(in crate::profile) const MAX_HUB_TIMEOUT: Duration = Duration::from_hours(1);
pub(in crate::profile) const MIN_COOLDOWN_TEMPERATURE: Celsius = Celsius(0);
pub(in crate::profile) const MAX_COOLDOWN_TEMPERATURE: Celsius = Celsius(150_000);

/// Description of the allowed delays: `from 100 us to 10 s`.
pub(in crate::profile) fn delay_range() -> String {
    format!("from {} to {}", ascii_duration(MIN_DELAY), ascii_duration(MAX_DELAY))
}

/// Description of the allowed waits for a hub: `from 10 s to 1 h`.
pub(in crate::profile) fn hub_timeout_range() -> String {
    format!("from {} to {}", ascii_duration(MIN_HUB_TIMEOUT), ascii_duration(MAX_HUB_TIMEOUT))
}

/// Description of the allowed cool-down temperatures: `from 0 to 150 C`.
pub(in crate::profile) fn cooldown_temperature_range() -> String {
    format!("from {} to {}", MIN_COOLDOWN_TEMPERATURE.degrees(), MAX_COOLDOWN_TEMPERATURE.exact())
}

/// Formats a duration as typed on a keyboard: `100 us`, not `100 µs`.
pub(in crate::profile) fn ascii_duration(duration: Duration) -> String {
    exact_duration(duration).replace('µ', "u")
}
