//! Provenance of a run's servers, for the record.

use std::collections::BTreeMap;

use crate::{
    backend::{Backend, RepetitionContext, ServerFacts},
    record::{ImageProvenance, Provenance},
    server::RunningServer,
};

/// Description of the clock that all durations are read from, as it is in the record.
pub const CLOCK_DESCRIPTION: &str = "CLOCK_MONOTONIC of the client, both ends";

/// Adds the facts reported by the servers of one repetition; returns the cautions about them that
/// the record did not have yet.
pub fn add_servers(
    provenance: &mut Provenance,
    backend: &dyn Backend,
    context: &RepetitionContext,
    servers: &[RunningServer],
    facts: ServerFacts,
) -> Vec<String> {
    let name = context.point.backend.to_string();
    let entry = provenance.servers.entry(name).or_default();
    entry.caution = backend.info().caution.map(str::to_owned);
    let mut cautions = backend.cautions(context, &facts);
    cautions.retain(|caution| !entry.cautions.contains(caution));
    entry.cautions.extend(cautions.iter().cloned());
    entry.version = facts.version;
    for server in servers {
        let image = ImageProvenance { image: server.image.clone(), digest: server.digest.clone() };
        entry.images.insert(server.role.clone(), image);
    }
    let durability = format!("{:?}", context.durability()).to_lowercase();
    entry.settings.insert(durability, facts.settings.into_iter().collect());
    entry.client = facts.client.into_iter().collect::<BTreeMap<_, _>>();
    cautions
}
