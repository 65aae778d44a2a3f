//! Kafka's protocol on the way of a message: frames, requests to write and to fetch, batches of records.
//!
//! Written here, because each message passes through it and must cost no allocation; everything else of the
//! protocol comes from the `kafka-protocol` crate, in `control`. Versions of requests before the "flexible" ones
//! are enough for all brokers from 2.8 to 4.4, and simpler.
//!
//! | file | content |
//! |---|---|
//! | `answer` | reading a broker's bytes: frames, numbers, strings, arrays, all within bounds |
//! | `request` | writing frames and headers |
//! | `produce`, `fetch`, `metadata` | the three requests that clients of users and the consumer send |
//! | `batch_writer`, `batch_reader` | batches of records |
//! | `compression`, `unpacked_size` | their compression; bounds of what compressed records become |
//! | `error_code` | what an error code says about a message |

pub(super) mod answer;
pub(super) mod batch_reader;
pub(super) mod batch_writer;
pub(super) mod compression;
pub(super) mod error_code;
pub(super) mod fetch;
pub(super) mod metadata;
pub(super) mod produce;
pub(super) mod request;
#[cfg(test)]
mod tests;
mod unpacked_size;
