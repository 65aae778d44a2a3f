//! The server's sessions of the users, by the server's own numbers.

use std::{collections::HashSet, sync::Arc};

use parking_lot::Mutex;

/// Numbers of the sessions of users; clones share one set.
///
/// A session outlives its connection on the server while a statement is executed.
#[derive(Debug, Clone, Default)]
pub struct UserSessions(Arc<Mutex<HashSet<u32>>>);

impl UserSessions {
    /// Adds the session of a user that has logged in.
    pub fn add(&self, session: u32) {
        self.0.lock().insert(session);
    }

    /// Adds all sessions of `others`.
    pub fn add_all(&self, others: &Self) {
        let others = others.0.lock().clone();
        self.0.lock().extend(others);
    }

    /// Removes the number of a session that belongs to no user: a restarted server counts from 1
    /// again.
    pub fn remove(&self, session: u32) {
        self.0.lock().remove(&session);
    }

    /// Whether no session is known.
    pub fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Keeps only the sessions that the server lists; returns their number.
    pub fn retain_listed(&self, listed: &[u32]) -> usize {
        let listed: HashSet<u32> = listed.iter().copied().collect();
        let mut own = self.0.lock();
        own.retain(|session| listed.contains(session));
        own.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_counts_until_the_server_no_longer_lists_it() {
        let sessions = UserSessions::default();
        for session in [3, 4, 5] {
            sessions.clone().add(session);
        }
        sessions.remove(5);
        assert_eq!(sessions.retain_listed(&[4, 5, 9]), 1);
        assert!(!sessions.is_empty());
        assert_eq!(sessions.retain_listed(&[5, 9]), 0);
        assert!(sessions.is_empty());
        let closed = UserSessions::default();
        sessions.add(7);
        closed.add_all(&sessions);
        assert_eq!(closed.retain_listed(&[7]), 1);
    }
}
