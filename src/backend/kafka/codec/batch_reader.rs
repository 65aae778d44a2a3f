//! Reading batches of records (magic 2) without copying them.

use super::{
    answer::{Answer, Malformed},
    compression::Compression,
};
use crate::layout::batch::{
    ATTRIBUTES_AT, CONTROL_BIT, HEADER_LENGTH, LENGTH_END, MAGIC, SMALLEST_RECORD,
};

/// A batch of records.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Offset of its first record.
    pub base_offset: i64,
    /// Offset after its last record.
    pub next_offset: i64,
    /// Number of its records.
    pub count: i32,
    attributes: i16,
    checksum: u32,
    /// What the checksum covers.
    checked: &'a [u8],
    records: &'a [u8],
}

/// Takes the next whole batch from `rest`; `None` at the end, or where only the beginning of one is left, as a
/// broker may send.
pub fn next_batch<'a>(rest: &mut &'a [u8]) -> Result<Option<Batch<'a>>, Malformed> {
    let mut header = Answer(rest);
    if rest.len() < LENGTH_END {
        return Ok(None);
    }
    let base_offset = header.i64()?;
    let length = usize::try_from(header.i32()?)
        .ok()
        .filter(|length| *length >= HEADER_LENGTH - LENGTH_END)
        .ok_or(Malformed("the length of a batch is impossible"))?;
    let Some((batch, behind)) = rest.split_at_checked(length + LENGTH_END) else {
        return Ok(None);
    };
    *rest = behind;
    let mut header = Answer(&batch[LENGTH_END..]);
    header.i32()?;
    if header.i8()?.cast_unsigned() != MAGIC {
        return Err(Malformed("a batch has a format older than Kafka 0.11"));
    }
    let checksum = header.u32()?;
    let attributes = header.i16()?;
    let last_delta = header.i32()?;
    header.take(8 + 8 + 8 + 2 + 4)?;
    let count = header.i32()?;
    if last_delta < 0 || count < 0 {
        return Err(Malformed("a batch counts fewer than no records"));
    }
    Ok(Some(Batch {
        base_offset,
        next_offset: base_offset.saturating_add(i64::from(last_delta)).saturating_add(1),
        count,
        attributes,
        checksum,
        checked: &batch[ATTRIBUTES_AT..],
        records: header.0,
    }))
}

impl Batch<'_> {
    /// Whether its bytes are those that its producer wrote.
    pub fn is_intact(&self) -> bool {
        crc32c::crc32c(self.checked) == self.checksum
    }

    /// Passes the offset and the value of each record to `take`; no value is an empty one.
    pub fn for_each(&self, mut take: impl FnMut(i64, &[u8])) -> Result<(), String> {
        if self.attributes & CONTROL_BIT != 0 {
            return Ok(());
        }
        let compression = Compression::from_attributes(self.attributes).map_err(text)?;
        if compression == Compression::None {
            return self.read_records(self.records, &mut take).map_err(text);
        }
        let records = compression.decompress(self.records)?;
        self.read_records(&records, &mut take).map_err(text)
    }

    fn read_records(
        &self,
        records: &[u8],
        take: &mut impl FnMut(i64, &[u8]),
    ) -> Result<(), Malformed> {
        let mut rest = Answer(records);
        if (self.count as usize).saturating_mul(SMALLEST_RECORD) > records.len() {
            return Err(Malformed("a batch announces more records than it has bytes for"));
        }
        for _ in 0..self.count {
            let length = usize::try_from(rest.varint()?);
            let mut record =
                Answer(rest.take(length.map_err(|_| Malformed("a record's length is negative"))?)?);
            record.i8()?;
            record.varint()?;
            let offset_delta = record.varint()?;
            skip_bytes(&mut record)?;
            let value = take_bytes(&mut record)?;
            take(self.base_offset.saturating_add(offset_delta), value);
        }
        Ok(())
    }
}

fn take_bytes<'a>(record: &mut Answer<'a>) -> Result<&'a [u8], Malformed> {
    match record.varint()? {
        -1 => Ok(&[]),
        length => {
            record.take(usize::try_from(length).map_err(|_| Malformed("a length is negative"))?)
        }
    }
}

fn skip_bytes(record: &mut Answer<'_>) -> Result<(), Malformed> {
    take_bytes(record).map(|_| ())
}

fn text(error: Malformed) -> String {
    error.to_string()
}
