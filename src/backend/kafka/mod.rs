//! Apache Kafka, and the broker that is built into hubmark.
//!
//! Users and consumer are hubmark's own client ([`native`]), on the event loop of [`crate::wire`], or librdkafka, the
//! client of the study. Everything that is no message goes through [`control`], whichever client it is.
//!
//! | file | content |
//! |---|---|
//! | `backend` | what all brokers have in common |
//! | `apache`, `builtin` | each broker's description, servers and version |
//! | `settings` | the profile's table |
//! | `message_size` | limits on the size of a message |
//! | `compatibility`, `topic_settings` | whether a server can take a load, and what it adds to it |
//! | `servers`, `environment`, `listeners`, `image`, `official_images` | the containers |
//! | `target` | the broker and the topic under test |
//! | `session` | operations on a broker that is ready |
//! | `client` | the choice between the two clients |
//! | `control` | requests that are no messages |
//! | `codec` | the protocol on the way of a message |
//! | `native`, `librdkafka` | the two clients |
//! | `topic_check` | when a topic counts as missing |
//! | `note_limiter` | one note for a thousand equal errors |
//! | `outcome_list` | a list of what a client reports; as `fuzzing` |
//! | `fuzzing` | entries for fuzzing; compiled for tests and cargo-fuzz alone |

mod apache;
mod backend;
mod builtin;
mod client;
mod codec;
mod compatibility;
mod control;
mod environment;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod image;
#[cfg(feature = "librdkafka")]
mod librdkafka;
mod listeners;
mod message_size;
mod native;
mod note_limiter;
mod official_images;
#[cfg(any(test, fuzzing))]
mod outcome_list;
mod servers;
mod session;
mod settings;
mod target;
#[cfg(test)]
mod tests;
mod topic_check;
mod topic_settings;

use std::sync::Arc;

use super::Backend;
use {apache::ApacheKafka, backend::KafkaBackend, builtin::BuiltinBroker};

/// Returns the backends of this module.
pub fn backends() -> [Arc<dyn Backend>; 2] {
    [Arc::new(KafkaBackend(ApacheKafka)), Arc::new(KafkaBackend(BuiltinBroker))]
}
