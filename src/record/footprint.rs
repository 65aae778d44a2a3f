//! Footprint of a backend: its cost in size, start time, idle resources, and bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{server::BlockSource, units::Bytes};

/// Footprint of a backend, all its servers together; a figure that could not be measured is `null`,
/// with the reason in `notes`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Footprint {
    /// Size of each server's image, by role: all its layers, uncompressed, as the engine counts
    /// them. Empty where there are no images.
    pub image_bytes: BTreeMap<String, Bytes>,
    /// Seconds from "start the servers" (images present) to the first acknowledged message: until
    /// the servers answer by protocol, the topic exists, and the first message is acknowledged; the
    /// median of `cold_starts`.
    pub cold_start_seconds: Option<f64>,
    /// Every measured cold start, in seconds.
    pub cold_starts: Vec<f64>,
    /// Cores in use while idle.
    pub idle_cpu_cores: Option<f64>,
    /// Memory while idle, as `docker stats` counts it.
    pub idle_memory: Option<Bytes>,
    /// Seconds for which idling was sampled.
    pub idle_seconds: f64,
    /// Memory of one more connected user that has not sent anything, in bytes: from the growth of
    /// the servers when `users` connected. Negative if the growth is smaller than their
    /// fluctuations.
    pub memory_per_user: Option<f64>,
    /// Users of the load from which the figures per user and per byte come.
    pub users: u32,
    /// Payload of one message of that load, without the stamp.
    pub payload: Bytes,
    /// Messages stored by the server after that load.
    pub stored: Option<u64>,
    /// Growth of the data folders for each stored byte of payload.
    pub data_per_payload_byte: Option<f64>,
    /// Bytes written to disk for each stored byte of payload.
    pub written_per_payload_byte: Option<f64>,
    /// Bytes that the hub's disk wrote in all, by all programs, for each stored byte of payload.
    #[serde(default)]
    pub host_written_per_payload_byte: Option<f64>,
    /// Source of the written bytes: not every source sees every write.
    pub written_source: Option<BlockSource>,
    /// Bytes that the servers received over the network for each stored byte of payload.
    pub received_per_payload_byte: Option<f64>,
    /// Bytes that the servers sent over the network for each stored byte of payload, which is sent
    /// once.
    pub sent_per_payload_byte: Option<f64>,
    /// Seconds from the kill (SIGKILL) of the main server, which was started again at once, to the
    /// first acknowledgement of a message sent after the kill.
    pub recovery_seconds: Option<f64>,
    /// Figures that could not be measured, with the reasons.
    pub notes: Vec<String>,
}
