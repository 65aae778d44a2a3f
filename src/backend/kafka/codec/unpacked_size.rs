//! Upper bounds of what compressed records become, read from their headers.
//!
//! A few hundred compressed bytes can announce, or become, gigabytes, for which no process has the memory: it would
//! abort. So the size is bounded before anything is decompressed.

use super::answer::{Answer, Malformed};

/// Most bytes that the records of one batch may have. A producer's batch has at most `message.max.bytes` before its
/// compression, 1 MB by default.
pub(super) const MAX_UNPACKED: usize = 256 << 20;

/// Start of snappy-java's streams: magic number and two versions. Without it, the bytes are one block.
const SNAPPY_STREAM: &[u8; 16] = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01";
const LZ4_MAGIC: u32 = 0x184D_2204;
#[cfg(feature = "zstd")]
const ZSTD_MAGIC: u32 = 0xFD2F_B528;
/// Largest block of a zstd frame.
#[cfg(feature = "zstd")]
const ZSTD_BLOCK: usize = 128 << 10;

const TOO_LARGE: Malformed =
    Malformed("compressed records are announced to be larger than 256 MiB");

/// Refuses Snappy's blocks that announce too much.
pub(super) fn check_snappy(compressed: &[u8]) -> Result<(), Malformed> {
    let Some(blocks) = compressed.strip_prefix(SNAPPY_STREAM) else {
        return check(snappy_block(compressed)?);
    };
    let (mut rest, mut bytes) = (Answer(blocks), 0_usize);
    while !rest.0.is_empty() {
        let length = rest.u32()? as usize;
        bytes = bytes.saturating_add(snappy_block(rest.take(length)?)?);
    }
    check(bytes)
}

/// The size that a block announces: a little-endian variable-length number at its start.
fn snappy_block(block: &[u8]) -> Result<usize, Malformed> {
    let mut bytes = 0_u64;
    for (index, byte) in block.iter().take(5).enumerate() {
        bytes |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
    }
    Err(Malformed("a Snappy block does not announce its size"))
}

/// Refuses an LZ4 frame whose blocks can become too much.
pub(super) fn check_lz4(compressed: &[u8]) -> Result<(), Malformed> {
    /// Bits of the frame's descriptor: checksums of blocks, the content's size, a dictionary's ID.
    const BLOCK_CHECKSUM: u8 = 1 << 4;
    const CONTENT_SIZE: u8 = 1 << 3;
    const DICTIONARY: u8 = 1;
    /// Bit of a block's size that says that it is not compressed.
    const PLAIN: u32 = 1 << 31;
    /// A compressed byte becomes at most so many.
    const RATIO: usize = 255;

    let mut rest = Answer(compressed);
    if little_endian(&mut rest)? != LZ4_MAGIC {
        return Err(Malformed("LZ4's magic number is missing"));
    }
    let &[flags, sizes] = rest.take(2)? else { return Err(Malformed("an LZ4 frame is cut")) };
    let largest = match (sizes >> 4) & 7 {
        code @ 4..=7 => 1_usize << (8 + 2 * code),
        _ => return Err(Malformed("the size of an LZ4 frame's blocks is impossible")),
    };
    let optional = [(CONTENT_SIZE, 8), (DICTIONARY, 4)];
    let optional = optional.iter().filter(|(flag, _)| flags & flag != 0);
    rest.take(optional.map(|(_, bytes)| bytes).sum::<usize>() + 1)?;
    let mut bytes = 0_usize;
    loop {
        // Without an end mark the decompression fails later; what is there is bounded all the same.
        let Ok(size) = little_endian(&mut rest) else { return check(bytes) };
        if size == 0 {
            return check(bytes);
        }
        let length = (size & !PLAIN) as usize;
        bytes = bytes.saturating_add(length.saturating_mul(RATIO).min(largest));
        let checksum = if flags & BLOCK_CHECKSUM == 0 { 0 } else { 4 };
        if rest.take(length.saturating_add(checksum)).is_err() {
            return check(bytes);
        }
    }
}

/// Refuses Zstandard frames whose blocks can become too much.
#[cfg(feature = "zstd")]
pub(super) fn check_zstd(compressed: &[u8]) -> Result<(), Malformed> {
    let (mut rest, mut bytes) = (Answer(compressed), 0_usize);
    while !rest.0.is_empty() {
        if little_endian(&mut rest)? != ZSTD_MAGIC {
            return Err(Malformed("Zstandard's magic number is missing"));
        }
        let descriptor = rest.i8()?.cast_unsigned();
        let is_single_segment = descriptor & 0x20 != 0;
        let size_bytes = match (descriptor >> 6, is_single_segment) {
            (0, false) => 0,
            (code, _) => 1_usize << code,
        };
        let dictionary_bytes = [0, 1, 2, 4][usize::from(descriptor & 3)];
        rest.take(usize::from(!is_single_segment) + dictionary_bytes + size_bytes)?;
        loop {
            let &[low, middle, high] = rest.take(3)? else { return Err(TOO_LARGE) };
            let header = u32::from_le_bytes([low, middle, high, 0]);
            let size = (header >> 3) as usize;
            let (stored, becomes) = match (header >> 1) & 3 {
                0 => (size, size),
                1 => (1, size),
                _ => (size, ZSTD_BLOCK),
            };
            rest.take(stored)?;
            bytes = bytes.saturating_add(becomes);
            if header & 1 != 0 {
                break;
            }
        }
        if descriptor & 4 != 0 {
            rest.take(4)?;
        }
    }
    check(bytes)
}

fn little_endian(rest: &mut Answer<'_>) -> Result<u32, Malformed> {
    rest.u32().map(u32::swap_bytes)
}

const fn check(bytes: usize) -> Result<(), Malformed> {
    if bytes > MAX_UNPACKED { Err(TOO_LARGE) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::kafka::codec::compression::Compression;

    fn codecs() -> Vec<Compression> {
        let zstd = cfg!(feature = "zstd").then_some(Compression::Zstd);
        let all = [Compression::Gzip, Compression::Snappy, Compression::Lz4];
        all.into_iter().chain(zstd).collect()
    }

    #[test]
    fn well_compressed_records_are_unpacked_and_too_large_ones_refused() {
        for codec in codecs() {
            let mut compressed = Vec::new();
            codec.compress(&vec![7; 3 << 20], &mut compressed).unwrap();
            let unpacked = codec.decompress(&compressed).unwrap();
            assert_eq!((unpacked.len(), unpacked[9]), (3 << 20, 7), "{codec:?}");
            let mut compressed = Vec::new();
            codec.compress(&vec![7; MAX_UNPACKED + 1], &mut compressed).unwrap();
            let error = codec.decompress(&compressed).unwrap_err();
            assert!(error.contains("larger than 256 MiB"), "{codec:?}: {error}");
        }
    }

    /// Found by fuzzing the readers: sizes that no process can reserve.
    #[test]
    fn announced_gigabytes_are_refused_before_memory_is_reserved() {
        let announced = [0xff, 0xff, 0xff, 0xff, 0x0f, 0];
        assert_eq!(check_snappy(&announced), Err(TOO_LARGE));
        let stream = [&SNAPPY_STREAM[..], &[0, 0, 0, 6], &announced].concat();
        assert_eq!(check_snappy(&stream), Err(TOO_LARGE));
        let cut = [&SNAPPY_STREAM[..], &[0, 0, 0, 60], &announced].concat();
        assert!(check_snappy(&cut).is_err() && check_snappy(&[0x80; 5]).is_err());
        assert!(check_lz4(&[4, 0x22, 0x4d, 0x18, 0x40, 0x30, 0]).is_err(), "an impossible size");
        assert!(check_lz4(&[4, 0x22]).is_err());
    }
}
