//! Journal of a record: the results and changes since its file was last written as a whole, in order of time.
//!
//! A run in progress appends an entry to its record's file after every repetition, instead of writing the
//! file anew. The file stays one JSON document: its last key is `journal`, with one entry a line. The end of
//! the run, and the next resumption after a crash, write the record without a journal.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Key of the journal in a record's file.
pub const JOURNAL_KEY: &str = "journal";
/// End of a record's file with a journal.
pub const JOURNAL_END: &[u8] = b"\n]}\n";

/// An entry of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(bound(deserialize = "R: Deserialize<'de>"))]
pub struct JournalEntry<R> {
    /// Keys of the record, without its points, as far as they have changed.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, Value>"))]
    pub changed: Map<String, Value>,
    /// New repetitions.
    #[serde(default, skip_serializing_if = "Vec::<PointRepetition<R>>::is_empty")]
    pub repetitions: Vec<PointRepetition<R>>,
    /// New failed tries.
    #[serde(default, skip_serializing_if = "Vec::<PointRepetition<R>>::is_empty")]
    pub failed_tries: Vec<PointRepetition<R>>,
}

/// A repetition in a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PointRepetition<R> {
    /// Index of its point.
    pub point: usize,
    /// The repetition.
    pub result: R,
}
