//! Everything on a broker that is no message: waiting for it, the topic, settings, offsets.
//!
//! Requests and answers are those of the `kafka-protocol` crate; each is sent over a plain blocking connection, on
//! a thread that may wait. Whichever client the users have, this is the same.
//!
//! | file | content |
//! |---|---|
//! | `answer_shape` | the lengths that an answer may have |
//! | `broker_connection` | one connection: versions, credentials, one request after the other |
//! | `error` | why a request failed |
//! | `cluster` | all brokers of a cluster: which one to ask |
//! | `shared_cluster` | the connections of a session |
//! | `readiness` | waiting for a broker that starts |
//! | `topic` | creating and deleting the topic |
//! | `offsets` | first and last offsets of its partitions |
//! | `facts` | settings in force |

mod answer_shape;
pub(super) mod broker_connection;
pub(super) mod cluster;
pub(super) mod error;
pub(super) mod facts;
pub(super) mod offsets;
pub(super) mod readiness;
pub(super) mod shared_cluster;
#[cfg(test)]
mod tests;
pub(super) mod topic;
