//! Loading of records: streamed from the file, with the journal of a run in progress, and validated before use.

use std::path::Path;

use serde::de::{DeserializeOwned, Error as _};
use serde_json::{Map, Value};

use super::{
    PointResult, Record, Repetition,
    error::StoreError,
    stream::{self, RecordSink},
    summary::summarise,
    validate::{self, Contradictions},
};

/// What is loaded of each repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordDetail {
    /// Everything.
    Full,
    /// Everything but the values of single seconds (`timeline`, `intervals`, `samples`, `hub`), which make up
    /// most of a record: enough for tables, comparisons and CSV.
    WithoutSeconds,
}

/// Loads the record at `path` completely.
///
/// # Errors
/// When the file cannot be read, is not a record, contradicts itself, or has a newer schema.
pub fn load(path: &Path) -> Result<Record, StoreError> {
    load_detail(path, RecordDetail::Full)
}

/// Loads the record at `path` with the given detail.
///
/// # Errors
/// As [`load`].
pub fn load_detail(path: &Path, detail: RecordDetail) -> Result<Record, StoreError> {
    let mut loader = RecordLoader::new(detail);
    let head = stream::read_record(path, &mut loader)?;
    let (record, mut found) = loader.into_record(head).map_err(|error| StoreError::NotARecord {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    validate::check_record(&record, &mut found);
    let problems = found.into_sentences();
    if problems.is_empty() {
        return Ok(record);
    }
    Err(StoreError::Contradiction { path: path.to_owned(), problems })
}

/// Keeps the repetitions of a record, and compares each with its histograms.
struct RecordLoader {
    detail: RecordDetail,
    points: Vec<LoadedPoint>,
    journaled: Vec<JournaledResult>,
    found: Contradictions,
}

#[derive(Default)]
struct LoadedPoint {
    fields: Map<String, Value>,
    repetitions: Vec<Repetition>,
    failed_tries: Vec<Repetition>,
    /// Whether the journal has results that the saved summary lacks.
    has_journal: bool,
}

struct JournaledResult {
    point: usize,
    repetition: Repetition,
    is_failed_try: bool,
}

impl RecordSink for RecordLoader {
    type Repetition = Repetition;

    fn add_repetition(&mut self, point: usize, repetition: Repetition) {
        let repetition = self.checked(point, repetition);
        self.next_point(point).repetitions.push(repetition);
    }

    fn add_failed_try(&mut self, point: usize, repetition: Repetition) {
        let repetition = self.checked(point, repetition);
        self.next_point(point).failed_tries.push(repetition);
    }

    fn add_point(&mut self, point: usize, fields: Map<String, Value>) {
        self.next_point(point).fields = fields;
    }

    fn add_journaled(&mut self, point: usize, repetition: Repetition, is_failed_try: bool) {
        let repetition = self.checked(point, repetition);
        self.journaled.push(JournaledResult { point, repetition, is_failed_try });
    }
}

impl RecordLoader {
    fn new(detail: RecordDetail) -> Self {
        Self { detail, points: Vec::new(), journaled: Vec::new(), found: Contradictions::default() }
    }

    /// The point with the index `point`, which is the last one or follows it.
    fn next_point(&mut self, point: usize) -> &mut LoadedPoint {
        if point >= self.points.len() {
            self.points.push(LoadedPoint::default());
        }
        let last = self.points.len() - 1;
        &mut self.points[last]
    }

    fn checked(&mut self, point: usize, mut repetition: Repetition) -> Repetition {
        validate::check_repetition(point, &repetition, &mut self.found);
        if self.detail == RecordDetail::WithoutSeconds {
            repetition.timeline = Vec::new();
            repetition.intervals = String::new();
            repetition.hub = Vec::new();
            repetition.samples.clear();
        }
        // Lists that were parsed have room for as many values again.
        repetition.timeline.shrink_to_fit();
        repetition.hub.shrink_to_fit();
        repetition.samples.values_mut().for_each(Vec::shrink_to_fit);
        repetition
    }

    /// Builds the record of `head`, the keys beside its points.
    fn into_record(
        mut self,
        head: Map<String, Value>,
    ) -> serde_json::Result<(Record, Contradictions)> {
        for JournaledResult { point, repetition, is_failed_try } in
            std::mem::take(&mut self.journaled)
        {
            let Some(result) = self.points.get_mut(point) else {
                let points = self.points.len();
                self.found
                    .add(format!("its journal has a repetition of point {point} of {points}"));
                continue;
            };
            result.has_journal = true;
            let list =
                if is_failed_try { &mut result.failed_tries } else { &mut result.repetitions };
            list.push(repetition);
        }
        let points = self.points.into_iter().map(LoadedPoint::into_result);
        let points = points.collect::<serde_json::Result<Vec<_>>>()?;
        let mut head = head;
        head.insert("points".into(), Value::Array(Vec::new()));
        let mut record: Record = parse(Value::Object(head), "")?;
        record.points = points;
        Ok((record, self.found))
    }
}

impl LoadedPoint {
    fn into_result(self) -> serde_json::Result<PointResult> {
        let Self { mut fields, repetitions, failed_tries, has_journal } = self;
        let summary = fields.remove("summary").unwrap_or_default();
        let mut result = PointResult {
            point: parse(Value::Object(fields), "points: ")?,
            repetitions,
            failed_tries,
            summary: parse(summary, "summary: ")?,
        };
        if has_journal {
            result.summary = summarise(&result.repetitions);
        }
        Ok(result)
    }
}

fn parse<T: DeserializeOwned>(value: Value, place: &str) -> serde_json::Result<T> {
    serde_json::from_value(value)
        .map_err(|error| serde_json::Error::custom(format!("{place}{error}")))
}
