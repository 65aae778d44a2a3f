//! hubmark's own client: a connection for each user, on an event loop or a few, and a consumer.
//!
//! | file | content |
//! |---|---|
//! | `settings` | the producers' and the consumer's settings, under librdkafka's names |
//! | `login` | the first frames of a connection: credentials |
//! | `batch`, `producer` | one user: messages in batches, requests in flight, their outcomes |
//! | `sequence` | numbers of an idempotent producer's messages |
//! | `outcomes` | outcomes on their way to the engine |
//! | `addresses` | where the brokers of the cluster are |
//! | `loops` | event loops: how many, and which user is on which |
//! | `fleet`, `loop_thread` | all users; the thread of one of their loops |
//! | `fetcher`, `consumer` | one broker's partitions; all of them |

pub(super) mod addresses;
mod batch;
mod consumer;
pub(super) mod fetcher;
mod fleet;
mod login;
mod loop_thread;
pub(super) mod loops;
pub(super) mod outcomes;
pub(super) mod producer;
mod sequence;
pub(super) mod settings;
#[cfg(test)]
mod tests;

pub(super) use consumer::NativeConsumer;
pub(super) use fleet::{FleetPlan, NativeFleet};
