//! What a backend costs by itself: its footprint card.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{server::BlockSource, units::Bytes};

/// A backend's footprint, all its servers together. What could not be measured is `null`, and why
/// is in `notes`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Footprint {
    /// Size of each server's image, by role: all its layers, uncompressed, as the engine counts
    /// them. Empty where there are no images.
    pub image_bytes: BTreeMap<String, Bytes>,
    /// Seconds from "start the servers" (images present) to the first acknowledged message: until
    /// they answered by protocol and the topic was made, and the way of the first message. The
    /// median of `cold_starts`.
    pub cold_start_seconds: Option<f64>,
    /// Every cold start that was measured.
    pub cold_starts: Vec<f64>,
    /// Cores in use while nothing happens.
    pub idle_cpu_cores: Option<f64>,
    /// Memory while nothing happens, as `docker stats` counts it.
    pub idle_memory: Option<Bytes>,
    /// Seconds over which idling was sampled.
    pub idle_seconds: f64,
    /// Memory of one more connected user that has not sent anything, in bytes: what the servers
    /// grew by when `users` connected. Negative where that is less than their own ups and downs.
    pub memory_per_user: Option<f64>,
    /// Users of the load from which this and the following come.
    pub users: u32,
    /// Payload of one of its messages, without the stamp.
    pub payload: Bytes,
    /// Messages that the server held afterwards.
    pub stored: Option<u64>,
    /// Growth of the data folders for each stored byte of payload.
    pub data_per_payload_byte: Option<f64>,
    /// Bytes written to disk for each stored byte of payload.
    pub written_per_payload_byte: Option<f64>,
    /// Where the written bytes come from: not every source sees every write.
    pub written_source: Option<BlockSource>,
    /// Bytes that the servers received over the network for each stored byte of payload.
    pub received_per_payload_byte: Option<f64>,
    /// Bytes that they sent for each stored byte of payload, which goes out once.
    pub sent_per_payload_byte: Option<f64>,
    /// Seconds from the kill (SIGKILL) of the main server, which was started again at once, to the
    /// first acknowledgement of a message that was sent after the kill.
    pub recovery_seconds: Option<f64>,
    /// What could not be measured, and why.
    pub notes: Vec<String>,
}
