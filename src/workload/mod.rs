//! Workload: due times and bytes of all messages, as pure functions of plan and seed.
//!
//! [`arrival`] computes the due times of the open-loop workload, [`payload`] the bytes of every
//! message; [`time_warp`] moves due times while an operator steers the load, by a [`rate_factor`] and for
//! its [`active_users`].
//! None of them uses a clock, a thread or a backend.

pub mod active_users;
pub mod arrival;
pub mod payload;
pub mod rate_factor;
pub mod time_warp;

use rand_xoshiro::{SplitMix64, Xoshiro256PlusPlus, rand_core::SeedableRng};

/// Returns a random number generator for one purpose and number, seeded by the run's seed.
fn purpose_rng(seed: u64, purpose: u64, number: u64) -> Xoshiro256PlusPlus {
    // The seeding function (SplitMix64) scatters similar seeds.
    Xoshiro256PlusPlus::seed_from_u64(mix_seed(seed, purpose, number))
}

/// Returns a generator for a few numbers: seeding the larger one would take longer than drawing them.
fn quick_rng(seed: u64, purpose: u64, number: u64) -> SplitMix64 {
    SplitMix64::seed_from_u64(mix_seed(seed, purpose, number))
}

/// Mixes the three numbers into one seed. Multiplication by odd constants preserves differences; the
/// constants are the golden ratio and that of `SplitMix64`'s finaliser.
const fn mix_seed(seed: u64, purpose: u64, number: u64) -> u64 {
    seed ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ number.wrapping_add(1).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}
