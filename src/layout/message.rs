//! Shapes of requests and answers, and a check of a message's lengths against its shape.
//!
//! A decoder reserves memory for as many items as a message announces. A few bytes can announce billions, for
//! which no process has the memory: it would abort. So a message's lengths are checked before it is decoded.

/// The fields of a kind of message.
#[derive(Debug, Clone, Copy)]
pub struct MessageShape {
    /// First version with compact lengths and tagged fields.
    pub flexible_from: i16,
    /// Fields in their order.
    pub fields: &'static [Field],
}

/// A field, and the versions that have it.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    kind: Kind,
    first: i16,
    last: i16,
    /// Number of a tagged field that a decoder knows; other tagged fields are skipped.
    tag: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// So many bytes.
    Fixed(usize),
    /// A string or null.
    Text,
    /// Bytes or null.
    Blob,
    /// Structures or null.
    Structs(&'static [Field]),
    /// Values of so many bytes, or null.
    Numbers(usize),
    /// Strings, or null.
    Texts,
}

impl Field {
    const fn new(kind: Kind) -> Self {
        Self { kind, first: 0, last: i16::MAX, tag: None }
    }

    /// Adjacent numbers of `bytes` bytes in all.
    pub const fn fixed(bytes: usize) -> Self {
        Self::new(Kind::Fixed(bytes))
    }

    /// A string, or null.
    pub const fn text() -> Self {
        Self::new(Kind::Text)
    }

    /// Bytes, or null.
    pub const fn blob() -> Self {
        Self::new(Kind::Blob)
    }

    /// An array of structures with `fields`, or null.
    pub const fn structs(fields: &'static [Self]) -> Self {
        Self::new(Kind::Structs(fields))
    }

    /// An array of numbers of `bytes` bytes each, or null.
    pub const fn numbers(bytes: usize) -> Self {
        Self::new(Kind::Numbers(bytes))
    }

    /// An array of strings, or null.
    pub const fn texts() -> Self {
        Self::new(Kind::Texts)
    }

    /// The field, which `version` is the first to have.
    #[must_use]
    pub const fn since(self, version: i16) -> Self {
        Self { first: version, ..self }
    }

    /// The field, which `version` is the last to have.
    #[must_use]
    pub const fn until(self, version: i16) -> Self {
        Self { last: version, ..self }
    }

    /// The field, which flexible versions may have behind all others, marked by `tag`.
    #[must_use]
    pub const fn tagged(self, tag: u32) -> Self {
        Self { tag: Some(tag), ..self }
    }

    const fn exists_in(&self, version: i16) -> bool {
        self.first <= version && version <= self.last
    }
}

/// Lengths that a message's bytes cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ImpossibleLength(&'static str);

const TOO_SHORT: ImpossibleLength = ImpossibleLength("it ends too early");
const WRONG_TAG: ImpossibleLength =
    ImpossibleLength("a tagged field has another length than its content");
const NEGATIVE: ImpossibleLength = ImpossibleLength("a length is negative");
const TOO_MANY: ImpossibleLength =
    ImpossibleLength("it announces more items than it has bytes for");

impl MessageShape {
    /// Checks all lengths of `body`, a message of `version` without its header. Bytes behind the message are
    /// allowed.
    pub fn check(&self, version: i16, body: &[u8]) -> Result<(), ImpossibleLength> {
        let is_flexible = version >= self.flexible_from;
        Walk { rest: body, version, is_flexible }.structure(self.fields)
    }
}

/// A walk over a message.
struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    is_flexible: bool,
}

impl Walk<'_> {
    fn structure(&mut self, fields: &[Field]) -> Result<(), ImpossibleLength> {
        let version = self.version;
        let fields = || fields.iter().filter(|field| field.exists_in(version));
        for field in fields().filter(|field| field.tag.is_none()) {
            self.value(field.kind)?;
        }
        if !self.is_flexible {
            return Ok(());
        }
        for _ in 0..self.varint()? {
            let (tag, length) = (self.varint()?, self.varint()? as usize);
            let end = self.rest.len().checked_sub(length).ok_or(TOO_SHORT)?;
            match fields().find(|field| field.tag == Some(tag)) {
                // The decoder reads the content of such a field and believes no length.
                Some(field) => self.value(field.kind)?,
                None => self.skip(length)?,
            }
            if self.rest.len() != end {
                return Err(WRONG_TAG);
            }
        }
        Ok(())
    }

    fn value(&mut self, kind: Kind) -> Result<(), ImpossibleLength> {
        match kind {
            Kind::Fixed(bytes) => self.skip(bytes)?,
            Kind::Text => self.text()?,
            Kind::Blob => {
                let length = self.length(Self::plain_i32)?;
                self.skip(length)?;
            }
            Kind::Structs(fields) => {
                for _ in 0..self.count()? {
                    self.structure(fields)?;
                }
            }
            Kind::Numbers(bytes) => {
                let bytes = self.count()?.checked_mul(bytes).ok_or(TOO_MANY)?;
                self.skip(bytes)?;
            }
            Kind::Texts => {
                for _ in 0..self.count()? {
                    self.text()?;
                }
            }
        }
        Ok(())
    }

    fn skip(&mut self, bytes: usize) -> Result<(), ImpossibleLength> {
        self.rest = self.rest.get(bytes..).ok_or(TOO_SHORT)?;
        Ok(())
    }

    fn text(&mut self) -> Result<(), ImpossibleLength> {
        let length = self.length(Self::plain_i16)?;
        self.skip(length)
    }

    /// Reads the number of an array's items; each of them has at least one byte.
    fn count(&mut self) -> Result<usize, ImpossibleLength> {
        let count = self.length(Self::plain_i32)?;
        if count > self.rest.len() { Err(TOO_MANY) } else { Ok(count) }
    }

    /// Reads a length; null is 0. `plain` reads it where it is not compact.
    fn length(
        &mut self,
        plain: impl FnOnce(&mut Self) -> Result<i32, ImpossibleLength>,
    ) -> Result<usize, ImpossibleLength> {
        if self.is_flexible {
            return Ok((self.varint()? as usize).saturating_sub(1));
        }
        match plain(self)? {
            -1 => Ok(0),
            length => usize::try_from(length).map_err(|_| NEGATIVE),
        }
    }

    fn plain_i16(&mut self) -> Result<i32, ImpossibleLength> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(TOO_SHORT)?;
        self.rest = rest;
        Ok(i16::from_be_bytes(*bytes).into())
    }

    fn plain_i32(&mut self) -> Result<i32, ImpossibleLength> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(TOO_SHORT)?;
        self.rest = rest;
        Ok(i32::from_be_bytes(*bytes))
    }

    /// Reads a variable-length number. As the decoder, it takes five bytes at most and drops bits beyond 32: where
    /// the two differed, a message could pass the check and be decoded as another.
    fn varint(&mut self) -> Result<u32, ImpossibleLength> {
        let mut value = 0;
        for index in 0..5 {
            let (byte, rest) = self.rest.split_first().ok_or(TOO_SHORT)?;
            self.rest = rest;
            value |= u32::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                break;
            }
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: MessageShape = MessageShape {
        flexible_from: 2,
        fields: &[
            Field::fixed(2),
            Field::structs(&[Field::text(), Field::numbers(4).since(1)]),
            Field::blob().until(2),
            Field::texts().since(3),
        ],
    };

    #[test]
    fn a_message_is_walked_to_its_end_in_every_version() {
        let plain = [&[0, 7][..], &[0, 0, 0, 1, 0, 1, b'a'], &[0, 0, 0, 2, 9, 9]].concat();
        assert_eq!(SHAPE.check(0, &plain), Ok(()));
        assert_eq!(SHAPE.check(0, &plain[..plain.len() - 1]), Err(TOO_SHORT));
        let nulls = [&[0, 7][..], &[0xff; 4], &[0xff; 4]].concat();
        assert_eq!(SHAPE.check(1, &nulls), Ok(()));
        // One structure with a string, one number and no tags; a blob; one tag of two bytes.
        let compact = [0, 7, 2, 2, b'a', 2, 0, 0, 0, 1, 0, 3, 9, 9, 1, 5, 2, 8, 8];
        assert_eq!(SHAPE.check(2, &compact), Ok(()));
        for end in 0..compact.len() {
            assert!(SHAPE.check(2, &compact[..end]).is_err(), "{end}");
        }
        assert_eq!(SHAPE.check(3, &[0, 7, 0, 3, 2, b'a', 1, 0]), Ok(()));
    }

    /// Found by fuzzing: a decoder that knows a tag reads its content, whatever length is announced, and would read
    /// what follows from another place than the check.
    #[test]
    fn the_length_of_a_tagged_field_is_that_of_its_content() {
        const TAGGED: MessageShape =
            MessageShape { flexible_from: 0, fields: &[Field::fixed(2).tagged(0)] };
        assert_eq!(TAGGED.check(0, &[2, 0, 2, 7, 7, 9, 1, 5]), Ok(()));
        assert_eq!(TAGGED.check(0, &[1, 0, 1, 7, 7]), Err(WRONG_TAG));
        assert_eq!(TAGGED.check(0, &[1, 0, 3, 7, 7, 7]), Err(WRONG_TAG));
        assert_eq!(TAGGED.check(0, &[1, 0, 3, 7, 7]), Err(TOO_SHORT));
    }

    #[test]
    fn announced_items_without_bytes_are_refused() {
        assert_eq!(SHAPE.check(0, &[0, 7, 0x7f, 0xff, 0xff, 0xff, 0, 0]), Err(TOO_MANY));
        assert_eq!(SHAPE.check(0, &[0, 7, 0x80, 0, 0, 0]), Err(NEGATIVE));
        assert_eq!(SHAPE.check(2, &[0, 7, 0xff, 0xff, 0xff, 0xff, 0x0f]), Err(TOO_MANY));
        assert_eq!(SHAPE.check(2, &[0, 7, 2, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]), Err(TOO_SHORT));
    }
}
