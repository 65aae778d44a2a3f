//! Waiting for a condition, with a limit that only a failing test reaches.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// Long enough for a busy machine.
pub const WAIT_LIMIT: Duration = Duration::from_mins(1);
/// Pause between two checks of a condition.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits until a condition holds.
#[track_caller]
pub fn until(what: &str, holds: impl FnMut() -> bool) {
    until_within(WAIT_LIMIT, what, holds);
}

/// Waits at most `limit` until a condition holds.
#[track_caller]
pub fn until_within(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        sleep(POLL_INTERVAL);
    }
}

/// Waits until `find` returns a value.
#[track_caller]
pub fn until_some<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let mut found = None;
    until(what, || {
        found = find();
        found.is_some()
    });
    found.unwrap()
}

/// Waits until a condition holds, without blocking the runtime.
pub async fn until_async(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + WAIT_LIMIT;
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {WAIT_LIMIT:?}: {what}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
