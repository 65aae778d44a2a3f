//! Turns of groups of tests: tests of one group run side by side, tests of different groups do not.
//!
//! For tests that keep the whole machine busy, or must act at a certain moment of a load: two such
//! groups at once would only time each other out.

use std::sync::{Condvar, Mutex};

/// The group that has its turn, and how many of its tests run.
static CURRENT: Mutex<(&str, usize)> = Mutex::new(("", 0));
static RELEASED: Condvar = Condvar::new();

/// A test's part of its group's turn; ends when dropped.
pub struct Turn(());

/// Waits until no test of another group has its turn.
pub fn take_turn(group: &'static str) -> Turn {
    let current = CURRENT.lock().unwrap();
    let busy = |&mut (other, tests): &mut (&str, usize)| tests > 0 && other != group;
    let mut current = RELEASED.wait_while(current, busy).unwrap();
    *current = (group, current.1 + 1);
    Turn(())
}

impl Drop for Turn {
    fn drop(&mut self) {
        CURRENT.lock().unwrap().1 -= 1;
        RELEASED.notify_all();
    }
}
