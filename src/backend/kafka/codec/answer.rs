//! Reading a broker's bytes, never beyond their end.

/// Bytes of a frame's length field.
pub const LENGTH_FIELD: usize = 4;
/// Largest frame that is believed: a broker's answer to a fetch has `fetch.max.bytes` (50 MiB by default), or one
/// batch that is larger.
const MAX_FRAME: usize = 256 << 20;

/// Bytes that are no answer to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an answer that breaks Kafka's protocol: {0}")]
pub struct Malformed(pub &'static str);

/// A frame at the start of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameStart<'a> {
    /// The whole frame without its length field.
    Whole(&'a [u8]),
    /// More bytes must arrive; the length of frame and length field, if it is known.
    Partial(usize),
}

/// Finds the frame at the start of `input`.
pub fn first_frame(input: &[u8]) -> Result<FrameStart<'_>, Malformed> {
    let Some((length, rest)) = input.split_first_chunk::<LENGTH_FIELD>() else {
        return Ok(FrameStart::Partial(0));
    };
    let length = usize::try_from(i32::from_be_bytes(*length))
        .ok()
        .filter(|length| (LENGTH_FIELD..=MAX_FRAME).contains(length))
        .ok_or(Malformed("the length of a frame is impossible"))?;
    Ok(rest.get(..length).map_or(FrameStart::Partial(length + LENGTH_FIELD), FrameStart::Whole))
}

/// The part of an answer that has not been read.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a>(pub &'a [u8]);

const TRUNCATED: Malformed = Malformed("it ends too early");

impl<'a> Answer<'a> {
    pub fn take(&mut self, bytes: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(TRUNCATED)?;
        self.0 = rest;
        Ok(taken)
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(TRUNCATED)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub fn i8(&mut self) -> Result<i8, Malformed> {
        Ok(i8::from_be_bytes(self.chunk()?))
    }

    pub fn i16(&mut self) -> Result<i16, Malformed> {
        Ok(i16::from_be_bytes(self.chunk()?))
    }

    pub fn i32(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_be_bytes(self.chunk()?))
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.chunk()?))
    }

    pub fn i64(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_be_bytes(self.chunk()?))
    }

    /// Reads a string; `None` for null.
    pub fn nullable_string(&mut self) -> Result<Option<&'a str>, Malformed> {
        let length = self.i16()?;
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| Malformed("a length is negative"))?;
        let text = std::str::from_utf8(self.take(length)?);
        text.map(Some).map_err(|_| Malformed("a string is not UTF-8"))
    }

    /// Reads a string that is not null.
    pub fn string(&mut self) -> Result<&'a str, Malformed> {
        self.nullable_string()?.ok_or(Malformed("a string is missing"))
    }

    /// Reads bytes; null is empty.
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.i32()?;
        if length == -1 {
            return Ok(&[]);
        }
        self.take(usize::try_from(length).map_err(|_| Malformed("a length is negative"))?)
    }

    /// Reads the number of an array's items, each of which has at least `smallest` bytes; null is empty.
    pub fn count(&mut self, smallest: usize) -> Result<usize, Malformed> {
        let count = self.i32()?;
        if count == -1 {
            return Ok(0);
        }
        let count = usize::try_from(count).map_err(|_| Malformed("a count is negative"))?;
        if count.saturating_mul(smallest) > self.0.len() {
            return Err(Malformed("it announces more items than it has bytes for"));
        }
        Ok(count)
    }

    /// Reads a variable-length signed number (zigzag, as in Protocol Buffers).
    pub fn varint(&mut self) -> Result<i64, Malformed> {
        let mut value = 0_u64;
        for (index, byte) in self.0.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.0 = &self.0[index + 1..];
                return Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
            }
        }
        Err(if self.0.len() < 10 { TRUNCATED } else { Malformed("a number has no end") })
    }
}
