//! Configuration of a fleet, and the limits of its batches and queues.

use crate::{
    backend::{
        Batching,
        mariadb::{login::MariaDbLogin, user_sessions::UserSessions},
    },
    clock::Clock,
};

/// Bytes that may wait in queues when each message is sent at once; then `send` returns `Full`.
const SINGLE_QUEUE_BYTES: usize = 256 << 20;
/// Bytes that may wait in queues when messages are batched, since then more are always available.
const BULK_QUEUE_BYTES: usize = 48 << 20;
/// Size of a bulk statement, in bytes, that suffices for the best rate.
const MAX_BATCH_BYTES: usize = 2 << 20;

/// Configuration of a fleet.
#[derive(Debug, Clone)]
pub struct FleetConfig {
    /// Login of all users.
    pub login: MariaDbLogin,
    /// Number of users.
    pub users: u32,
    /// Whether each message is one statement, or messages are batched.
    pub batching: Batching,
    /// Maximum number of rows per bulk statement.
    pub batch_rows: usize,
    /// Whether a failed statement has no effect.
    pub transactional: bool,
    /// The run's clock.
    pub clock: Clock,
    /// The users' sessions, as the server numbers them.
    pub sessions: UserSessions,
}

/// Limits of a batch and of all queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Maximum number of rows of a batch.
    pub rows: usize,
    /// Bytes from which a batch is sent.
    pub bytes: usize,
    /// Maximum number of bytes in all queues.
    pub max_queued_bytes: usize,
}

impl BatchLimits {
    /// Returns the limits for a fleet.
    ///
    /// All open batches together never take more than half of the queues' limit, so that a fleet
    /// that has reached the limit always has statements in flight that will free some of it.
    pub fn from_config(config: &FleetConfig) -> Self {
        match config.batching {
            Batching::Single => Self { rows: 1, bytes: 1, max_queued_bytes: SINGLE_QUEUE_BYTES },
            Batching::Bulk => Self {
                rows: config.batch_rows,
                bytes: (BULK_QUEUE_BYTES / 2 / config.users.max(1) as usize)
                    .min(MAX_BATCH_BYTES)
                    .min(config.login.max_packet() / 2),
                max_queued_bytes: BULK_QUEUE_BYTES,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(users: u32, batching: Batching) -> FleetConfig {
        FleetConfig {
            login: MariaDbLogin::new(([127, 0, 0, 1], 1).into(), String::new()),
            users,
            batching,
            batch_rows: 1_000,
            transactional: true,
            clock: Clock::start(),
            sessions: UserSessions::default(),
        }
    }

    #[test]
    fn open_batches_never_reach_the_queue_limit() {
        for users in [1, 7, 1_000, 100_000] {
            let limits = BatchLimits::from_config(&config(users, Batching::Bulk));
            assert!(limits.bytes * users as usize <= limits.max_queued_bytes / 2, "{users} users");
            assert!(limits.bytes > 0);
        }
        assert_eq!(BatchLimits::from_config(&config(5, Batching::Single)).rows, 1);
    }
}
