//! Stamp: 8 bytes at the start of every message, with the user that sent it and the time at which it was due.
//!
//! 44 bits of microseconds since the run's start (203 days) and 20 bits of user number
//! (1,048,575 users). The time at which it was really sent is in the ledger: a message is complete before it
//! is sent. It is unique for each user and rises with every message, so it is also the
//! message's identity in the ledger. In the throughput workload the 44 bits carry the message's
//! number instead of a time.

use std::fmt;

/// The number of a simulated device, from 0.
pub type UserId = u32;

const USER_BITS: u32 = 20;
/// The largest user number that a stamp can carry.
pub const MAX_USER: UserId = (1 << USER_BITS) - 1;
/// The largest time or message number that a stamp can carry (2^44 − 1).
pub const MAX_TICK: u64 = (1 << (64 - USER_BITS)) - 1;

/// Identity and due time of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(u64);

impl Stamp {
    /// Bytes that a stamp takes on the wire.
    pub const LEN: usize = 8;

    /// Creates a stamp of `user` at `tick` (microseconds of the run's clock, or a message's number).
    ///
    /// Ticks beyond [`MAX_TICK`] and users beyond [`MAX_USER`] are truncated to their bits; a plan that
    /// would need them is refused before a run.
    pub const fn new(user: UserId, tick: u64) -> Self {
        Self(((tick & MAX_TICK) << USER_BITS) | (user & MAX_USER) as u64)
    }

    /// The 44-bit time or number.
    pub const fn tick(self) -> u64 {
        self.0 >> USER_BITS
    }

    /// User that sent the message.
    pub const fn user(self) -> UserId {
        (self.0 & MAX_USER as u64) as UserId
    }

    /// The stamp as an unsigned number: how a SQL backend stores it, and the payload's seed.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Creates a stamp from its unsigned number.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// Encodes the stamp for the wire, most significant byte first.
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        self.0.to_be_bytes()
    }

    /// Splits a message into stamp and payload; `None` if it is shorter than a stamp.
    pub fn split(message: &[u8]) -> Option<(Self, &[u8])> {
        let (head, payload) = message.split_first_chunk::<{ Self::LEN }>()?;
        Some((Self(u64::from_be_bytes(*head)), payload))
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {} at {}", self.user(), self.tick())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_stamp_survives_the_wire(user in 0..=MAX_USER, tick in 0..=MAX_TICK, payload: Vec<u8>) {
            let stamp = Stamp::new(user, tick);
            let mut message = stamp.to_bytes().to_vec();
            message.extend(&payload);
            let (read, rest) = Stamp::split(&message).unwrap();
            prop_assert_eq!((read, rest), (stamp, &payload[..]));
            prop_assert_eq!((read.user(), read.tick()), (user, tick));
            prop_assert_eq!(Stamp::from_number(stamp.number()), stamp);
        }

        #[test]
        fn stamps_of_one_user_rise_with_time(user in 0..=MAX_USER, a in 0..MAX_TICK) {
            prop_assert!(Stamp::new(user, a) < Stamp::new(user, a + 1));
        }
    }

    #[test]
    fn a_short_message_has_no_stamp() {
        assert!(Stamp::split(&[1, 2, 3]).is_none());
    }
}
