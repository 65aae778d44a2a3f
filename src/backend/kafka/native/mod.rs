//! hubmark's own client: a connection for each user on one event loop, and a consumer.
//!
//! | file | content |
//! |---|---|
//! | `settings` | the producers' and the consumer's settings, under librdkafka's names |
//! | `login` | the first frames of a connection: credentials |
//! | `batch`, `producer` | one user: messages in batches, requests in flight, their outcomes |
//! | `sequence` | numbers of an idempotent producer's messages |
//! | `outcomes` | outcomes on their way to the engine |
//! | `addresses` | where the brokers of the cluster are |
//! | `fleet` | all users |
//! | `fetcher`, `consumer` | one broker's partitions; all of them |

pub(super) mod addresses;
mod batch;
mod consumer;
pub(super) mod fetcher;
mod fleet;
mod login;
pub(super) mod outcomes;
pub(super) mod producer;
mod sequence;
pub(super) mod settings;
#[cfg(test)]
mod tests;

pub(super) use consumer::NativeConsumer;
pub(super) use fleet::{FleetPlan, NativeFleet};
