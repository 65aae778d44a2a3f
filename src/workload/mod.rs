//! What users do and when: pure functions of plan and seed.
//!
//! [`arrival`] decides the due times of the open-loop workload, [`payload`] the bytes of every
//! message. Nothing here knows a clock, a thread or a backend.

pub mod arrival;
pub mod payload;

use rand_xoshiro::{SplitMix64, Xoshiro256PlusPlus, rand_core::SeedableRng};

/// A generator for one purpose, decided by the run's seed and what tells that purpose apart.
fn random(seed: u64, purpose: u64, number: u64) -> Xoshiro256PlusPlus {
    // The seeding function (SplitMix64) scatters what differs.
    Xoshiro256PlusPlus::seed_from_u64(mixed(seed, purpose, number))
}

/// The same for a few words alone, which a generator with a larger state would take longer to
/// prepare for than to give.
fn quick_random(seed: u64, purpose: u64, number: u64) -> SplitMix64 {
    SplitMix64::seed_from_u64(mixed(seed, purpose, number))
}

/// Multiplying by odd constants keeps different triples different. Constants: the golden ratio, and
/// that of `SplitMix64`'s finaliser.
const fn mixed(seed: u64, purpose: u64, number: u64) -> u64 {
    seed ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ number.wrapping_add(1).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}
