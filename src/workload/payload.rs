//! Payloads: the bytes of every message.
//!
//! Seeded payloads are a function of the run's seed and the message's stamp: incompressible, and the
//! receiver can detect a single wrong bit. Payloads from the kernel's urandom device are those of the
//! study; only their length can be checked.

use std::{
    fs::File,
    io::{self, Read},
    sync::Arc,
};

use rand_xoshiro::rand_core::Rng;

use crate::{plan::PayloadSource, stamp::Stamp};

/// Makes and checks the payloads of one repetition. Cheap to clone.
///
/// A payload is a section of a pool of random words, each xored with a key; seed and stamp determine
/// the start of the section and the key. So two messages have no bytes in common that a compressor
/// could find, and making or checking a kilobyte costs a sending thread little more than a copy: a
/// generator that computes every word of every message took a tenth of that thread.
#[derive(Debug, Clone)]
pub struct PayloadGenerator {
    seed: u64,
    len: usize,
    source: PayloadSource,
    pool: Arc<[u64]>,
}

/// Number of words of a payload that share one key; the pool holds twice as many.
const BLOCK_WORDS: usize = 512;
/// Number of bytes of a block.
const BLOCK_BYTES: usize = BLOCK_WORDS * size_of::<u64>();

/// Purpose number of payloads, distinct from every other use of the run's seed.
const PAYLOAD_PURPOSE: u64 = u64::MAX;

impl PayloadGenerator {
    /// Creates a generator of payloads of `len` bytes.
    pub fn new(seed: u64, len: usize, source: PayloadSource) -> Self {
        let mut random = super::purpose_rng(seed, PAYLOAD_PURPOSE, 0);
        let pool = (0..2 * BLOCK_WORDS).map(|_| random.next_u64()).collect();
        Self { seed, len, source, pool }
    }

    /// Number of bytes of one payload, without the stamp.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether payloads are empty, so that a message is its stamp alone.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `payload` equals the payload sent with `stamp`.
    pub fn is_intact(&self, stamp: Stamp, payload: &[u8]) -> bool {
        if payload.len() != self.len {
            return false;
        }
        if self.source == PayloadSource::Urandom {
            return true;
        }
        // The difference is collected without a branch for each word, so that checking is as fast as
        // generating.
        let mut difference = 0;
        for (bytes, (key, pool)) in payload.chunks(BLOCK_BYTES).zip(self.blocks(stamp)) {
            let (words, rest) = bytes.as_chunks::<8>();
            for (word, random) in words.iter().zip(pool) {
                difference |= u64::from_le_bytes(*word) ^ random ^ key;
            }
            let last = (pool[words.len() % BLOCK_WORDS] ^ key).to_le_bytes();
            difference |= u64::from(rest != &last[..rest.len()]);
        }
        difference == 0
    }

    fn fill_seeded(&self, stamp: Stamp, payload: &mut [u8]) {
        for (bytes, (key, pool)) in payload.chunks_mut(BLOCK_BYTES).zip(self.blocks(stamp)) {
            let (words, rest) = bytes.as_chunks_mut::<8>();
            for (word, random) in words.iter_mut().zip(pool) {
                *word = (random ^ key).to_le_bytes();
            }
            let last = (pool[words.len() % BLOCK_WORDS] ^ key).to_le_bytes();
            rest.copy_from_slice(&last[..rest.len()]);
        }
    }

    /// Returns key and random words of each block of a payload.
    fn blocks(&self, stamp: Stamp) -> impl Iterator<Item = (u64, &[u64])> {
        let mut random = super::quick_rng(self.seed, PAYLOAD_PURPOSE, stamp.number());
        std::iter::from_fn(move || {
            let (start, key) = (random.next_u64() as usize % BLOCK_WORDS, random.next_u64());
            Some((key, &self.pool[start..start + BLOCK_WORDS]))
        })
    }
}

/// Writes messages (stamp and payload) into a reused buffer; each sending thread has one writer.
#[derive(Debug)]
pub struct MessageWriter {
    payloads: PayloadGenerator,
    urandom: Option<File>,
    message: Vec<u8>,
}

impl MessageWriter {
    /// Creates a writer, and opens the urandom device if the payloads come from it.
    ///
    /// # Errors
    /// The device cannot be opened.
    pub fn new(payloads: PayloadGenerator) -> io::Result<Self> {
        let urandom = match payloads.source {
            PayloadSource::Seeded => None,
            PayloadSource::Urandom => Some(File::open("/dev/urandom")?),
        };
        let message = vec![0; Stamp::LEN + payloads.len];
        Ok(Self { payloads, urandom, message })
    }

    /// Returns the message of `stamp`, valid until the next call.
    ///
    /// # Errors
    /// The urandom device cannot be read.
    pub fn write(&mut self, stamp: Stamp) -> io::Result<&[u8]> {
        let (head, payload) = self.message.split_at_mut(Stamp::LEN);
        head.copy_from_slice(&stamp.to_bytes());
        match &mut self.urandom {
            None => self.payloads.fill_seeded(stamp, payload),
            Some(device) => device.read_exact(payload)?,
        }
        Ok(&self.message)
    }

    /// The message that was written last.
    pub fn message(&self) -> &[u8] {
        &self.message
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_payload_is_intact_until_one_bit_changes(
            seed: u64, number: u64, len in prop_oneof![0_usize..300, 0..3 * BLOCK_BYTES],
            bit: prop::sample::Index,
        ) {
            let stamp = Stamp::from_number(number);
            let payloads = PayloadGenerator::new(seed, len, PayloadSource::Seeded);
            let mut writer = MessageWriter::new(payloads.clone()).unwrap();
            let message = writer.write(stamp).unwrap().to_vec();
            let (read, payload) = Stamp::split(&message).unwrap();
            prop_assert_eq!(read, stamp);
            prop_assert!(payloads.is_intact(stamp, payload));
            if len > 0 {
                let mut wrong = payload.to_vec();
                let bit = bit.index(len * 8);
                wrong[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(!payloads.is_intact(stamp, &wrong));
                prop_assert!(!payloads.is_intact(stamp, &payload[1..]));
            }
        }
    }

    #[test]
    fn payloads_of_other_stamps_and_seeds_differ() {
        let bytes = |seed, tick| {
            let payloads = PayloadGenerator::new(seed, 64, PayloadSource::Seeded);
            MessageWriter::new(payloads).unwrap().write(Stamp::new(7, tick)).unwrap()[8..].to_vec()
        };
        assert_eq!(bytes(1, 1), bytes(1, 1));
        assert_ne!(bytes(1, 1), bytes(1, 2));
        assert_ne!(bytes(1, 1), bytes(2, 1));
    }

    #[test]
    fn payloads_are_incompressible() {
        let payloads = PayloadGenerator::new(1, 992, PayloadSource::Seeded);
        let long = PayloadGenerator::new(1, 3 * BLOCK_BYTES, PayloadSource::Seeded);
        let mut bytes = Vec::new();
        for (user, payloads, count) in [(7, payloads, 200), (8, long, 10)] {
            let mut writer = MessageWriter::new(payloads).unwrap();
            for tick in 0..count {
                bytes.extend_from_slice(
                    &writer.write(Stamp::new(user, tick)).unwrap()[Stamp::LEN..],
                );
            }
        }
        // Six bytes at any place: by chance about one pair in 2^48, and there are 2^36 pairs.
        let seen: std::collections::HashSet<_> = bytes.windows(6).collect();
        assert_eq!(seen.len(), bytes.len() - 5);
        let mut counts = [0_u32; 256];
        for byte in &bytes {
            counts[usize::from(*byte)] += 1;
        }
        let mean = bytes.len() as f64 / 256.0;
        // Ten standard deviations of a fair draw.
        let far =
            counts.iter().find(|count| (f64::from(**count) - mean).abs() > 10.0 * mean.sqrt());
        assert_eq!(far, None, "of {mean}");
    }

    #[test]
    fn urandom_payloads_are_new_each_time_and_only_their_length_is_checked() {
        let payloads = PayloadGenerator::new(1, 32, PayloadSource::Urandom);
        let mut writer = MessageWriter::new(payloads.clone()).unwrap();
        let stamp = Stamp::new(1, 1);
        let first = writer.write(stamp).unwrap().to_vec();
        assert_ne!(first, writer.write(stamp).unwrap());
        assert!(payloads.is_intact(stamp, &[0; 32]));
        assert!(!payloads.is_intact(stamp, &[0; 31]));
    }
}
