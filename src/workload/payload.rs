//! The bytes of every message.
//!
//! Seeded payloads are a function of the run's seed and the message's stamp: incompressible, and
//! whoever receives one can tell whether a single bit of it is wrong. Payloads from the kernel's
//! urandom device are the study's own way; only their length can be checked.

use std::{
    fs::File,
    io::{self, Read},
};

use rand_xoshiro::rand_core::Rng;

use crate::{plan::PayloadSource, stamp::Stamp};

/// Makes and checks the payloads of one repetition. Cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Payloads {
    seed: u64,
    len: usize,
    source: PayloadSource,
}

/// Tells payload seeds apart from every other use of the run's seed.
const PURPOSE: u64 = u64::MAX;

impl Payloads {
    /// Payloads of `len` bytes.
    pub const fn new(seed: u64, len: usize, source: PayloadSource) -> Self {
        Self { seed, len, source }
    }

    /// Bytes of one payload, without the stamp.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether payloads are empty, so that a message is its stamp alone.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `payload` is what was sent under `stamp`.
    pub fn intact(&self, stamp: Stamp, payload: &[u8]) -> bool {
        if payload.len() != self.len {
            return false;
        }
        if self.source == PayloadSource::Urandom {
            return true;
        }
        let mut random = super::random(self.seed, PURPOSE, stamp.number());
        let (words, rest) = payload.as_chunks::<8>();
        // The difference is gathered without a branch for each word, so that checking runs at the
        // speed of generating.
        let difference =
            words.iter().fold(0, |d, word| d | (u64::from_le_bytes(*word) ^ random.next_u64()));
        difference == 0
            && (rest.is_empty() || rest == &random.next_u64().to_le_bytes()[..rest.len()])
    }

    fn fill_seeded(&self, stamp: Stamp, payload: &mut [u8]) {
        let mut random = super::random(self.seed, PURPOSE, stamp.number());
        let (words, rest) = payload.as_chunks_mut::<8>();
        for word in words {
            *word = random.next_u64().to_le_bytes();
        }
        if !rest.is_empty() {
            let len = rest.len();
            rest.copy_from_slice(&random.next_u64().to_le_bytes()[..len]);
        }
    }
}

/// Writes messages (stamp and payload) into a buffer of its own. One for each sending thread.
#[derive(Debug)]
pub struct Writer {
    payloads: Payloads,
    urandom: Option<File>,
    message: Vec<u8>,
}

impl Writer {
    /// A writer; opens the urandom device when the payload comes from there.
    ///
    /// # Errors
    /// When the device cannot be opened.
    pub fn new(payloads: Payloads) -> io::Result<Self> {
        let urandom = match payloads.source {
            PayloadSource::Seeded => None,
            PayloadSource::Urandom => Some(File::open("/dev/urandom")?),
        };
        Ok(Self { payloads, urandom, message: vec![0; Stamp::LEN + payloads.len] })
    }

    /// The message of `stamp`, valid until the next call.
    ///
    /// # Errors
    /// When the urandom device cannot be read.
    pub fn write(&mut self, stamp: Stamp) -> io::Result<&[u8]> {
        let (head, payload) = self.message.split_at_mut(Stamp::LEN);
        head.copy_from_slice(&stamp.to_bytes());
        match &mut self.urandom {
            None => self.payloads.fill_seeded(stamp, payload),
            Some(device) => device.read_exact(payload)?,
        }
        Ok(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_payload_is_intact_until_one_bit_changes(
            seed: u64, number: u64, len in 0_usize..300, bit: prop::sample::Index,
        ) {
            let stamp = Stamp::from_number(number);
            let payloads = Payloads::new(seed, len, PayloadSource::Seeded);
            let mut writer = Writer::new(payloads).unwrap();
            let message = writer.write(stamp).unwrap().to_vec();
            let (read, payload) = Stamp::split(&message).unwrap();
            prop_assert_eq!(read, stamp);
            prop_assert!(payloads.intact(stamp, payload));
            if len > 0 {
                let mut wrong = payload.to_vec();
                let bit = bit.index(len * 8);
                wrong[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(!payloads.intact(stamp, &wrong));
                prop_assert!(!payloads.intact(stamp, &payload[1..]));
            }
        }
    }

    #[test]
    fn payloads_of_other_stamps_and_seeds_differ() {
        let bytes = |seed, tick| {
            let payloads = Payloads::new(seed, 64, PayloadSource::Seeded);
            Writer::new(payloads).unwrap().write(Stamp::new(7, tick)).unwrap()[8..].to_vec()
        };
        assert_eq!(bytes(1, 1), bytes(1, 1));
        assert_ne!(bytes(1, 1), bytes(1, 2));
        assert_ne!(bytes(1, 1), bytes(2, 1));
    }

    #[test]
    fn urandom_payloads_are_new_each_time_and_only_their_length_is_checked() {
        let payloads = Payloads::new(1, 32, PayloadSource::Urandom);
        let mut writer = Writer::new(payloads).unwrap();
        let stamp = Stamp::new(1, 1);
        let first = writer.write(stamp).unwrap().to_vec();
        assert_ne!(first, writer.write(stamp).unwrap());
        assert!(payloads.intact(stamp, &[0; 32]));
        assert!(!payloads.intact(stamp, &[0; 31]));
    }
}
