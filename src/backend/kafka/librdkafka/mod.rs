//! librdkafka, the client of the study: a producer for each user, one thread that polls all of them.
//!
//! | file | content |
//! |---|---|
//! | `client_config` | configurations of all its clients, and their check without a server |
//! | `fleet`, `poller` | the users |
//! | `consumer` | the consumer |
//! | `error`, `error_reporter` | its errors and its log |

mod client_config;
mod consumer;
mod error;
mod error_reporter;
mod fleet;
mod poller;

pub(super) use client_config::ClientConfigs;
pub(super) use consumer::RdkafkaConsumer;
pub(super) use fleet::RdkafkaFleet;
pub(super) use poller::FleetState;
