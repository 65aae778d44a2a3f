//! Tells pasted text from keys pressed by hand, on terminals that do not mark pasted text.

use std::time::{Duration, Instant};

/// Longest interval between two keys of a pasted text. Key repetition of terminals is slower: at most
/// about 40 keys per second.
const PASTE_KEY_INTERVAL: Duration = Duration::from_millis(10);
/// Keys in quick succession from which on they count as pasted. Two may be pressed together, or arrive
/// together over a slow connection.
const PASTE_KEYS: u32 = 3;

/// Counts keys that arrive in quick succession.
#[derive(Debug, Default)]
pub struct KeyBurst {
    last: Option<Instant>,
    count: u32,
}

impl KeyBurst {
    /// Counts a key; returns whether it belongs to a pasted text.
    pub fn add(&mut self, now: Instant) -> bool {
        let follows =
            self.last.is_some_and(|last| now.saturating_duration_since(last) <= PASTE_KEY_INTERVAL);
        self.count = if follows { self.count + 1 } else { 1 };
        self.last = Some(now);
        self.count >= PASTE_KEYS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_quick_succession_count_as_pasted_from_the_third_on() {
        let (mut burst, start) = (KeyBurst::default(), Instant::now());
        let mut at = |millis| burst.add(start + Duration::from_millis(millis));
        assert_eq!([at(0), at(1), at(2), at(12), at(13)], [false, false, true, true, true]);
        assert_eq!([at(100), at(130), at(160), at(190)], [false; 4], "key repetition");
    }
}
