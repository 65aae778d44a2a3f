//! Compression of a batch's records.

use std::io::Read;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use kafka_protocol::compression::{Compressor, Decompressor, Gzip, Lz4, Snappy};

use super::{
    answer::Malformed,
    unpacked_size::{self, MAX_UNPACKED},
};
use crate::layout::batch::COMPRESSION_BITS;

/// How records are compressed; the numbers are those of a batch's attributes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None = 0,
    /// By gzip.
    Gzip = 1,
    /// By Snappy.
    Snappy = 2,
    /// By LZ4.
    Lz4 = 3,
    /// By Zstandard.
    Zstd = 4,
}

impl Compression {
    /// Reads a batch's attributes.
    pub fn from_attributes(attributes: i16) -> Result<Self, Malformed> {
        Ok(match attributes & COMPRESSION_BITS {
            0 => Self::None,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            _ => return Err(Malformed("a batch has an unknown compression")),
        })
    }

    /// The setting's value with this meaning.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "none" | "uncompressed" => Self::None,
            "gzip" => Self::Gzip,
            "snappy" => Self::Snappy,
            "lz4" => Self::Lz4,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }

    /// Appends `records`, compressed, to `frame`.
    pub fn compress(self, records: &[u8], frame: &mut Vec<u8>) -> Result<(), String> {
        let fill = |buffer: &mut BytesMut| {
            buffer.put_slice(records);
            Ok(())
        };
        match self {
            Self::None => {
                frame.extend_from_slice(records);
                Ok(())
            }
            Self::Gzip => Gzip::compress(frame, fill),
            Self::Snappy => Snappy::compress(frame, fill),
            Self::Lz4 => Lz4::compress(frame, fill),
            #[cfg(feature = "zstd")]
            Self::Zstd => kafka_protocol::compression::Zstd::compress(frame, fill),
            #[cfg(not(feature = "zstd"))]
            Self::Zstd => return Err(crate::backend::kafka::settings::MISSING_ZSTD.into()),
        }
        .map_err(|error| format!("compressing by {self:?}: {error:#}"))
    }

    /// Returns the uncompressed records; an error where they are larger than any producer's batch.
    pub fn decompress(self, compressed: &[u8]) -> Result<Bytes, String> {
        let bounded = match self {
            Self::None => Ok(()),
            Self::Gzip => return unpack_gzip(compressed),
            Self::Snappy => unpacked_size::check_snappy(compressed),
            Self::Lz4 => unpacked_size::check_lz4(compressed),
            #[cfg(feature = "zstd")]
            Self::Zstd => unpacked_size::check_zstd(compressed),
            #[cfg(not(feature = "zstd"))]
            Self::Zstd => return Err(crate::backend::kafka::settings::MISSING_ZSTD.into()),
        };
        bounded.map_err(|error| format!("unpacking {self:?}: {error}"))?;
        let mut input = Bytes::copy_from_slice(compressed);
        let whole = |buffer: &mut Bytes| Ok(buffer.copy_to_bytes(buffer.remaining()));
        match self {
            Self::None | Self::Gzip => Ok(input),
            Self::Snappy => Snappy::decompress(&mut input, whole),
            Self::Lz4 => Lz4::decompress(&mut input, whole),
            #[cfg(feature = "zstd")]
            Self::Zstd => kafka_protocol::compression::Zstd::decompress(&mut input, whole),
            #[cfg(not(feature = "zstd"))]
            Self::Zstd => return Err(crate::backend::kafka::settings::MISSING_ZSTD.into()),
        }
        .map_err(|error| format!("unpacking {self:?}: {error:#}"))
    }
}

/// gzip announces its size behind the records, where it cannot be trusted: it is unpacked up to the limit.
fn unpack_gzip(compressed: &[u8]) -> Result<Bytes, String> {
    let mut unpacked = Vec::new();
    let mut limited = MultiGzDecoder::new(compressed).take(MAX_UNPACKED as u64 + 1);
    match limited.read_to_end(&mut unpacked) {
        Ok(read) if read > MAX_UNPACKED => {
            Err("unpacking Gzip: compressed records are larger than 256 MiB".into())
        }
        Ok(_) => Ok(unpacked.into()),
        Err(error) => Err(format!("unpacking Gzip: {error}")),
    }
}
