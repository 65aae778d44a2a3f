//! The state that all connections share.

use std::sync::Arc;

use super::{fault_injection::FaultInjector, store::TopicStore};

/// State shared by all connections.
pub struct BrokerContext {
    /// The topics.
    pub store: TopicStore,
    /// The fault injector, if faults are configured.
    pub injector: Option<Arc<FaultInjector>>,
}
