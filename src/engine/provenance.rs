//! On what a run is measured, gathered for the record.

use std::collections::BTreeMap;

use crate::{
    backend::{BackendInfo, ServerFacts},
    plan::Durability,
    record::{ImageProvenance, Provenance},
    server::Running,
};

/// Name of the clock that all durations are read from.
pub const CLOCK: &str = "CLOCK_MONOTONIC of the client, both ends";

/// Adds what the servers of one repetition said of themselves.
pub fn add(
    provenance: &mut Provenance,
    backend: &str,
    info: &BackendInfo,
    durability: Durability,
    servers: &[Running],
    facts: ServerFacts,
) {
    let entry = provenance.servers.entry(backend.to_owned()).or_default();
    entry.version = facts.version;
    entry.caution = info.caution.map(str::to_owned);
    for server in servers {
        let image = ImageProvenance { image: server.image.clone(), digest: server.digest.clone() };
        entry.images.insert(server.role.clone(), image);
    }
    let durability = format!("{durability:?}").to_lowercase();
    entry.settings.insert(durability, facts.settings.into_iter().collect());
    entry.client = facts.client.into_iter().collect::<BTreeMap<_, _>>();
}
