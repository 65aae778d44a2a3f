//! What engines of hubs say of missing figures, read once for each engine as soon as a plan names it.

use crate::{plan::HubRequest, server::HubKind, tui::requests::ServiceRequest};

/// Cautions of the engines that were asked.
#[derive(Debug, Default)]
pub struct HubCautions {
    /// Engines, and their cautions; empty until they are known.
    asked: Vec<(HubRequest, Vec<String>)>,
}

impl HubCautions {
    /// Returns a request for the cautions of `hub`, unless its engine was asked before or it has none.
    pub fn request(&mut self, hub: &HubRequest) -> Option<ServiceRequest> {
        if hub.kind != HubKind::Docker || self.asked.iter().any(|(one, _)| is_same_engine(one, hub))
        {
            return None;
        }
        self.asked.push((hub.clone(), Vec::new()));
        Some(ServiceRequest::ReadHubCautions(Box::new(hub.clone())))
    }

    /// Keeps the cautions of a hub's engine.
    pub fn set(&mut self, hub: &HubRequest, cautions: Vec<String>) {
        if let Some((_, known)) = self.asked.iter_mut().find(|(one, _)| is_same_engine(one, hub)) {
            *known = cautions;
        }
    }

    /// Returns the cautions of a hub's engine, as far as they are known.
    pub fn of(&self, hub: &HubRequest) -> &[String] {
        let known = self.asked.iter().find(|(one, _)| is_same_engine(one, hub));
        known.filter(|_| hub.kind == HubKind::Docker).map_or(&[], |(_, cautions)| cautions)
    }
}

fn is_same_engine(a: &HubRequest, b: &HubRequest) -> bool {
    (&a.engine, &a.certificates) == (&b.engine, &b.certificates)
}
