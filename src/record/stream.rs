//! Streaming reader of records: passes each repetition on as soon as it is parsed, so that neither the text
//! nor the tree of a large record is ever in memory as a whole.

use std::{
    fmt,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
    },
};
use serde_json::{Map, Value};

use super::{
    SCHEMA,
    error::StoreError,
    journal::{JOURNAL_KEY, JournalEntry, PointRepetition},
};
use crate::paths::open_regular;

/// Size up to which a file is parsed from memory, which is about twice as fast.
const MAX_SIZE_IN_MEMORY: u64 = 8 << 20;
/// Size of the buffer through which larger files are read.
const READ_BUFFER_SIZE: usize = 1 << 18;

const SCHEMA_KEY: &str = "schema";
const POINTS_KEY: &str = "points";
const REPETITIONS_KEY: &str = "repetitions";
const FAILED_TRIES_KEY: &str = "failed_tries";

/// Receiver of a record's repetitions.
pub trait RecordSink {
    /// What is parsed of a repetition.
    type Repetition: DeserializeOwned;

    /// Receives a repetition of the point with the index `point`.
    fn add_repetition(&mut self, point: usize, repetition: Self::Repetition);

    /// Receives a failed try of the point with the index `point`.
    fn add_failed_try(&mut self, point: usize, repetition: Self::Repetition);

    /// Receives all other keys of the point with the index `point`, after its repetitions.
    fn add_point(&mut self, point: usize, fields: Map<String, Value>);

    /// Receives a repetition or a failed try from the journal, which may precede the points; its point may
    /// not exist.
    fn add_journaled(&mut self, point: usize, repetition: Self::Repetition, is_failed_try: bool);
}

/// Reads the record at `path` into `sink`, and returns its other keys, with the changes of the journal.
///
/// Only the part that the file has at the beginning is read: a run in progress may append to it meanwhile.
/// An unfinished entry at the end of the journal, left by an interrupted save, is not part of the record.
///
/// # Errors
/// When the file cannot be read, is not a record, or has a newer schema.
pub fn read_record<S: RecordSink>(
    path: &Path,
    sink: &mut S,
) -> Result<Map<String, Value>, StoreError> {
    let not_a_record = |reason: String| StoreError::NotARecord { path: path.to_owned(), reason };
    let read_error = |source| StoreError::Read { path: path.to_owned(), source };
    let file = open_regular(path).map_err(read_error)?;
    let metadata = file.metadata().map_err(read_error)?;
    let length = if metadata.is_file() { metadata.len() } else { u64::MAX };
    let mut parsing =
        Parsing { sink, head: Map::new(), changed: Map::new(), state: ParseState::Begun };
    let result = if metadata.is_file() && length > MAX_SIZE_IN_MEMORY {
        let reader = BufReader::with_capacity(READ_BUFFER_SIZE, file.take(length));
        parsing.parse(serde_json::Deserializer::from_reader(reader))
    } else {
        let mut text = Vec::new();
        file.take(length).read_to_end(&mut text).map_err(read_error)?;
        parsing.parse(serde_json::Deserializer::from_slice(&text))
    };
    let Parsing { mut head, changed, state, .. } = parsing;
    if let Err(error) = result {
        if error.is_io() {
            return Err(read_error(error.into()));
        }
        let is_torn = !error.is_data()
            && match state {
                ParseState::Begun => false,
                ParseState::InJournal => {
                    !has_entry_after(path, length, error.line()).unwrap_or(true)
                }
                // What follows a journal are the remains of an interrupted save.
                ParseState::JournalEnded => true,
            };
        if !is_torn {
            // A newer record may have another structure, and its schema number may come after the error.
            return Err(match schema_number(path, length) {
                Some(found) if found > u64::from(SCHEMA) => {
                    StoreError::NewerSchema { path: path.to_owned(), found }
                }
                _ => not_a_record(error.to_string()),
            });
        }
        tracing::warn!(%error, "{}: its last save was interrupted", path.display());
    }
    head.extend(changed);
    if head.get(SCHEMA_KEY).and_then(Value::as_u64).is_none() {
        return Err(not_a_record("it has no schema number".into()));
    }
    Ok(head)
}

/// The schema number of a record that cannot be parsed; the rest is skipped.
fn schema_number(path: &Path, length: u64) -> Option<u64> {
    #[derive(Deserialize)]
    struct SchemaHeader {
        schema: Value,
    }
    let reader = BufReader::new(open_regular(path).ok()?.take(length));
    serde_json::from_reader::<_, SchemaHeader>(reader).ok()?.schema.as_u64()
}

/// Whether an intact entry follows the line with the number `line`, counted from 1. The remains of an
/// interrupted save, with those of the end before it, may be two lines, and are never a whole entry.
fn has_entry_after(path: &Path, length: u64, line: usize) -> io::Result<bool> {
    let mut reader = BufReader::with_capacity(READ_BUFFER_SIZE, open_regular(path)?.take(length));
    for _ in 0..line {
        reader.skip_until(b'\n')?;
    }
    let mut text = Vec::new();
    while reader.read_until(b'\n', &mut text)? > 0 {
        let entry = text.trim_ascii();
        let entry = entry.strip_suffix(b",").unwrap_or(entry);
        if entry.starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(entry).is_ok() {
            return Ok(true);
        }
        text.clear();
    }
    Ok(false)
}

/// How far a record is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ParseState {
    Begun,
    InJournal,
    JournalEnded,
}

/// A record that is being parsed. It keeps what was parsed before an error.
struct Parsing<'s, S: RecordSink> {
    sink: &'s mut S,
    head: Map<String, Value>,
    /// Changes of the head by the journal.
    changed: Map<String, Value>,
    state: ParseState,
}

impl<S: RecordSink> Parsing<'_, S> {
    fn parse<'de, R: serde_json::de::Read<'de>>(
        &mut self,
        mut json: serde_json::Deserializer<R>,
    ) -> serde_json::Result<()> {
        json.deserialize_map(RecordVisitor(self))?;
        json.end()
    }
}

struct RecordVisitor<'p, 's, S: RecordSink>(&'p mut Parsing<'s, S>);

impl<'de, S: RecordSink> Visitor<'de> for RecordVisitor<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(parsing) = self;
        let mut has_points = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                POINTS_KEY => {
                    if std::mem::replace(&mut has_points, true) {
                        return Err(A::Error::duplicate_field(POINTS_KEY));
                    }
                    map.next_value_seed(PointsSeed(&mut *parsing.sink))?;
                }
                JOURNAL_KEY => {
                    parsing.state = ParseState::InJournal;
                    map.next_value_seed(JournalSeed(parsing))?;
                    parsing.state = ParseState::JournalEnded;
                }
                _ => {
                    let value: Value = map.next_value()?;
                    if key == SCHEMA_KEY
                        && value.as_u64().is_some_and(|found| found > u64::from(SCHEMA))
                    {
                        return Err(A::Error::custom("its schema is newer"));
                    }
                    parsing.head.insert(key, value);
                }
            }
        }
        if has_points { Ok(()) } else { Err(A::Error::missing_field(POINTS_KEY)) }
    }
}

/// Parses all points.
struct PointsSeed<'s, S>(&'s mut S);

impl<'de, S: RecordSink> DeserializeSeed<'de> for PointsSeed<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de, S: RecordSink> Visitor<'de> for PointsSeed<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of points")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut points: A) -> Result<(), A::Error> {
        let mut point = 0;
        while points.next_element_seed(PointSeed { sink: &mut *self.0, point })?.is_some() {
            point += 1;
        }
        Ok(())
    }
}

/// Parses one point.
struct PointSeed<'s, S> {
    sink: &'s mut S,
    point: usize,
}

impl<'de, S: RecordSink> DeserializeSeed<'de> for PointSeed<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, S: RecordSink> Visitor<'de> for PointSeed<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a point with its repetitions")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { sink, point } = self;
        let mut has_repetitions = false;
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                REPETITIONS_KEY => {
                    has_repetitions = true;
                    let add = S::add_repetition;
                    map.next_value_seed(RepetitionsSeed { sink: &mut *sink, point, add })?;
                }
                FAILED_TRIES_KEY => {
                    let add = S::add_failed_try;
                    map.next_value_seed(RepetitionsSeed { sink: &mut *sink, point, add })?;
                }
                _ => {
                    fields.insert(key, map.next_value()?);
                }
            }
        }
        if !has_repetitions {
            return Err(A::Error::missing_field(REPETITIONS_KEY));
        }
        sink.add_point(point, fields);
        Ok(())
    }
}

/// Parses a list of repetitions, and passes each to `add`.
struct RepetitionsSeed<'s, S: RecordSink> {
    sink: &'s mut S,
    point: usize,
    add: fn(&mut S, usize, S::Repetition),
}

impl<'de, S: RecordSink> DeserializeSeed<'de> for RepetitionsSeed<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de, S: RecordSink> Visitor<'de> for RepetitionsSeed<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of repetitions")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut repetitions: A) -> Result<(), A::Error> {
        while let Some(repetition) = repetitions.next_element()? {
            (self.add)(&mut *self.sink, self.point, repetition);
        }
        Ok(())
    }
}

/// Parses the journal, and keeps its entries.
struct JournalSeed<'p, 's, S: RecordSink>(&'p mut Parsing<'s, S>);

impl<'de, S: RecordSink> DeserializeSeed<'de> for JournalSeed<'_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de, S: RecordSink> Visitor<'de> for JournalSeed<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a journal")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element::<JournalEntry<S::Repetition>>()? {
            let JournalEntry { changed, repetitions, failed_tries } = entry;
            self.0.changed.extend(changed);
            let sink = &mut *self.0.sink;
            for PointRepetition { point, result } in repetitions {
                sink.add_journaled(point, result, false);
            }
            for PointRepetition { point, result } in failed_tries {
                sink.add_journaled(point, result, true);
            }
        }
        Ok(())
    }
}
