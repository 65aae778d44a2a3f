//! Fault injection into messages: applies a configured share of faults, counts each, and reports
//! the counts, so that a test can compare them with a record.
//!
//! A message suffers at most one fault. Messages are identified by their stamp; a message too short
//! for a stamp is stored unchanged and counted as received and stored only.
//!
//! | fault | what happens to the message | what a faultless record says |
//! |---|---|---|
//! | `drop` | acknowledged, never stored | lost, acknowledged then lost |
//! | `duplicate` | stored twice in a row | one duplicate |
//! | `reorder` | held back until the next message of the same user and partition, and stored right behind that message, which suffers no fault | one out of order |
//! | `corrupt` | one byte behind the stamp is changed; the batch's checksum is right | one corrupt; lost, as it never arrived intact |
//! | `delay` | acknowledged at once, stored later | a long delivery; one out of order if a later message of the same user and partition was stored meanwhile ([`InjectionCounts::out_of_order`]) |
//! | `refuse` | the whole request of a partition is answered with an error code; nothing is stored | failed |
//!
//! A message held back for `reorder` without a successor in time is stored in order and counted as
//! given up. A message without payload cannot be corrupted and is stored unchanged. The order is
//! judged among intact messages.

pub mod config;
pub mod injector;
pub mod records;

pub use config::{InjectionConfig, InvalidInjection};
pub use injector::{FaultInjector, InjectionCounts};
#[cfg(any(test, fuzzing))]
pub use records::fix_checksums;
