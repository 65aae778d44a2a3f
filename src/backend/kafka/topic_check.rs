//! When a topic that a server does not report counts as missing: the same for both clients.

use std::{thread, time::Duration};

use super::target::KafkaTarget;
use crate::backend::BackendError;

/// How long a server may report an existing topic as unknown.
///
/// A broker that has just restarted may know no topics for a moment; a topic that it does not know for longer is
/// lost.
pub(super) const TOPIC_RECOVERY_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest wait for one answer about the topic.
pub(super) const METADATA_TIMEOUT: Duration = Duration::from_millis(500);
/// Number of answers without the topic after which it counts as missing.
const TOPIC_CHECKS: u32 = 4;

/// Verifies that the topic still exists after the last read: a server may have lost it since.
///
/// `exists` asks the server; `None` without an answer.
pub(super) fn verify_topic_exists(
    target: &KafkaTarget,
    mut exists: impl FnMut() -> Option<bool>,
) -> Result<(), BackendError> {
    for _ in 0..TOPIC_CHECKS {
        if exists() != Some(false) {
            return Ok(());
        }
        thread::sleep(METADATA_TIMEOUT);
    }
    Err(target.topic_missing_error("the server does not know the topic"))
}
