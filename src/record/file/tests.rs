//! Saves that append, that are interrupted at any byte, and that meet a changed file.

use proptest::prelude::*;

use super::*;
use crate::{
    plan::{
        ArrivalDistribution, BackendChoice, Durability, HubRequest, LatencyWorkload, PayloadSource,
        Plan, Point, RepetitionOrder, Workload, schedule,
    },
    record::{
        PointResult, ProgramVersion, Provenance, RecordStatus, SCHEMA, histogram::encode_latency,
        read::load,
    },
    stats::distribution::Distribution,
    units::Bytes,
};

/// A record of two points and `repetitions` of each, without results.
fn empty_record(repetitions: u32) -> Record {
    let point = |users| Point {
        backend: BackendChoice { name: "x".into(), version: None },
        workload: Workload::Latency(LatencyWorkload {
            users,
            payload: Bytes(100),
            payload_source: PayloadSource::Seeded,
            messages: 50,
            arrival: ArrivalDistribution::Constant { mean: std::time::Duration::from_millis(20) },
            warmup: std::time::Duration::ZERO,
            drain: std::time::Duration::from_secs(1),
        }),
        durability: Durability::Default,
    };
    let points = vec![point(1), point(2)];
    let result = |point: &Point| PointResult {
        point: point.clone(),
        repetitions: Vec::new(),
        failed_tries: Vec::new(),
        summary: None,
    };
    Record {
        schema: SCHEMA,
        hubmark: ProgramVersion::current(),
        run: "run".into(),
        started: jiff::Timestamp::UNIX_EPOCH,
        finished: None,
        status: RecordStatus::Partial,
        ended: None,
        profile: "name = \"x\"".into(),
        points: points.iter().map(result).collect(),
        plan: Plan {
            profile: "x".into(),
            seed: 1,
            order: RepetitionOrder::Interleaved,
            repetitions,
            retries: 1,
            baseline: std::time::Duration::ZERO,
            server_warmup: std::time::Duration::ZERO,
            cooldown: None,
            hub: HubRequest::local(),
            schedule: schedule(points.len(), repetitions, RepetitionOrder::Interleaved, 1),
            points,
            capacity: None,
            footprint: false,
            steering: false,
            settings: std::collections::BTreeMap::new(),
            thresholds: Vec::new(),
            faults: Vec::new(),
        },
        provenance: Provenance::default(),
        path: None,
        self_test: None,
        capacity: Vec::new(),
        footprints: std::collections::BTreeMap::new(),
        resumed: Vec::new(),
    }
}

/// A repetition of the step number `order`, with a histogram.
fn repetition(order: u32, index: u32) -> Repetition {
    let mut distribution = Distribution::default();
    (0..200).for_each(|value| distribution.record(1_000 + value * 7 + i64::from(order)));
    let latency = serde_json::to_value(encode_latency(&distribution)).unwrap();
    let value = serde_json::json!({
        "index": index, "order": order, "started": "2026-11-22T14:02:00Z", "seconds": 20.0, "phases": {},
        "server_age_seconds": 9.0, "server_ready_seconds": 2.0,
        "warmup": { "server_seconds": 0.0, "server_messages": 0, "load_seconds": 0.0 },
        "verdict": { "status": "valid", "reasons": [] },
        "ledger": {
            "planned": 200, "sent": 200, "unsent": 0, "acked": 200, "failed": 0, "delivered": 200,
            "duplicate": 0, "out_of_order": 0, "corrupt": 0, "late": 0, "lost": 0, "acked_then_lost": 0,
            "stored": 200,
        },
        "latency": { "lag": latency, "ack": null, "delivery": latency, "response": null },
        "throughput": null, "resources": {}, "samples": {},
        "generator": {
            "cpu_cores": 0.2, "resident": 50_000_000, "threads": 300, "descriptors": 500,
            "lag_p99": 90.0, "dropped_snapshots": 0, "machine_busy": 0.4,
        },
        "timeline": [], "events": [{ "second": 0.5, "text": "a line\nand \"another\"" }], "crossed": [],
    });
    serde_json::from_value(value).unwrap()
}

/// Adds the next repetition of the schedule, as the runner does.
fn add_next(record: &mut Record) {
    let done: usize = record.points.iter().map(|point| point.repetitions.len()).sum();
    let step = record.plan.schedule[done];
    let point = &mut record.points[step.point];
    point.repetitions.push(repetition(done as u32, step.repetition));
    point.summary = None;
}

/// The record as it is read back: with its summaries.
fn with_summaries(record: &Record) -> Record {
    let mut record = record.clone();
    add_summaries(&mut record);
    record
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[test]
fn a_save_adds_only_what_is_new_to_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record.json");
    let mut record = empty_record(40);
    let mut file = RecordFile::new(path.clone());
    file.create(&mut record).unwrap();
    let created = (inode(&path), fs::read(&path).unwrap());
    let mut sizes = vec![created.1.len()];
    for _ in 0..80 {
        add_next(&mut record);
        file.save(&mut record).unwrap();
        let text = fs::read(&path).unwrap();
        let kept = sizes[sizes.len() - 1] - JOURNAL_END.len();
        assert!(text.ends_with(JOURNAL_END));
        assert_eq!(text[..created.1.len() - 3], created.1[..created.1.len() - 3]);
        assert!(text.len() > kept);
        serde_json::from_slice::<Value>(&text).expect("one JSON document after every save");
        sizes.push(text.len());
    }
    assert_eq!(inode(&path), created.0, "the file was never written anew");
    let added: Vec<_> = sizes.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (least, most) = (added.iter().min().unwrap(), added.iter().max().unwrap());
    assert!(most - least < 100, "the last save writes no more than the first: {added:?}");
    assert_eq!(load(&path).unwrap(), with_summaries(&record));
    let before = sizes[80];
    file.save(&mut record).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len() as usize, before, "nothing new, nothing written");
}

#[test]
fn every_change_of_a_record_is_read_back_from_its_journal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record.json");
    let mut record = empty_record(3);
    let mut file = RecordFile::new(path.clone());
    file.create(&mut record).unwrap();
    let inode_before = inode(&path);
    let changes: [fn(&mut Record); 6] = [
        |record| record.provenance.hub.model = Some("a board".into()),
        |record| {
            let step = record.plan.schedule[0];
            let mut failed = repetition(0, step.repetition);
            failed.verdict.status = crate::measure::Judgement::Failed;
            record.points[step.point].failed_tries.push(failed);
        },
        add_next,
        |record| record.plan.set_repetitions(5),
        |record| {
            add_next(record);
            add_next(record);
            record.ended = Some("stopped".into());
        },
        |record| record.ended = None,
    ];
    for change in changes {
        change(&mut record);
        file.save(&mut record).unwrap();
        assert_eq!(load(&path).unwrap(), with_summaries(&record));
    }
    assert_eq!(inode(&path), inode_before);
    record.finished = Some(jiff::Timestamp::UNIX_EPOCH);
    assert!(matches!(file.finish(&mut record), Ok(SavedForm::Whole)));
    assert_eq!(load(&path).unwrap(), record);
    let whole: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(whole.get(JOURNAL_KEY), None, "a finished record has no journal");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "one file");
}

#[test]
fn a_file_that_others_changed_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record.json");
    let mut record = empty_record(10);
    let mut file = RecordFile::new(path.clone());
    file.create(&mut record).unwrap();
    let changes: [fn(&Path); 3] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::write(path, "other").unwrap(),
        |path| {
            let copy = path.with_extension("copy");
            fs::copy(path, &copy).unwrap();
            fs::rename(copy, path).unwrap();
        },
    ];
    for change in changes {
        add_next(&mut record);
        file.save(&mut record).unwrap();
        change(&path);
        add_next(&mut record);
        file.save(&mut record).unwrap();
        assert_eq!(load(&path).unwrap(), with_summaries(&record));
    }
}

#[test]
fn an_append_that_failed_is_made_up_for_by_the_next_save() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record.json");
    let mut record = empty_record(4);
    let mut file = RecordFile::new(path.clone());
    file.create(&mut record).unwrap();
    add_next(&mut record);
    file.save(&mut record).unwrap();
    let saved = fs::read(&path).unwrap();
    // What a full disk leaves: a part of a line.
    let open = file.open.as_ref().unwrap();
    open.file.write_all_at(b",\n{\"repetitions\":[{\"poi", open.end - 4).unwrap();
    open.restore_end().unwrap();
    assert_eq!(fs::read(&path).unwrap(), saved);
    add_next(&mut record);
    file.save(&mut record).unwrap();
    assert_eq!(load(&path).unwrap(), with_summaries(&record));
}

/// The bytes of a file before and after its last append.
fn last_append(folder: &Path, repetitions: usize) -> (Vec<u8>, Vec<u8>, Record, Record) {
    let path = folder.join("record.json");
    let mut record = empty_record(10);
    let mut file = RecordFile::new(path.clone());
    file.create(&mut record).unwrap();
    for _ in 0..repetitions {
        add_next(&mut record);
        file.save(&mut record).unwrap();
    }
    let (before, then) = (fs::read(&path).unwrap(), with_summaries(&record));
    add_next(&mut record);
    file.save(&mut record).unwrap();
    (before, fs::read(&path).unwrap(), then, with_summaries(&record))
}

#[test]
fn a_save_that_is_cut_at_any_byte_loses_nothing_that_was_saved_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.json");
    for repetitions in [0, 1, 3] {
        let (before, after, then, now) = last_append(folder.path(), repetitions);
        let _ = fs::remove_file(folder.path().join("record.json"));
        let kept = before.len() - JOURNAL_END.len();
        let near_an_end = |cut: usize| cut < kept + 16 || cut + 16 > after.len();
        for cut in (kept..after.len()).filter(|cut| near_an_end(*cut) || cut % 23 == 0) {
            // The process was killed: the beginning of the write is there.
            let mut text = after[..cut].to_vec();
            if text.len() < before.len() {
                text.extend(&before[text.len()..]);
            }
            fs::write(&path, &text).unwrap();
            let read = load(&path).unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
            assert!(read == then || read == now, "cut at {cut}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// After a power cut, any of the written blocks may be missing: old, or zero beyond the old end.
    #[test]
    fn a_save_of_which_any_blocks_are_missing_loses_nothing_that_was_saved_before(
        written in prop::collection::vec(any::<bool>(), 64),
        block in 16_usize..200,
        cut in 0_usize..4_000,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (before, after, then, now) = last_append(folder.path(), 2);
        let kept = before.len() - JOURNAL_END.len();
        let mut text = after.clone();
        for (place, byte) in text.iter_mut().enumerate().skip(kept) {
            if !written[place / block % written.len()] {
                *byte = before.get(place).copied().unwrap_or(0);
            }
        }
        text.truncate(text.len().saturating_sub(cut).max(before.len()));
        let path = folder.path().join("cut.json");
        fs::write(&path, &text).unwrap();
        let read = load(&path).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(read == then || read == now);
    }
}

#[test]
fn a_block_that_ends_within_the_old_end_loses_nothing_that_was_saved_before() {
    let folder = tempfile::tempdir().unwrap();
    let (before, after, then, now) = last_append(folder.path(), 2);
    let kept = before.len() - JOURNAL_END.len();
    let path = folder.path().join("cut.json");
    for written in 0..=JOURNAL_END.len() {
        for lost in [JOURNAL_END.len(), 60, 600] {
            // The first bytes of the save are there, those up to `lost` are as before, the others are there.
            let mut text = after.clone();
            for (place, byte) in text.iter_mut().enumerate().take(kept + lost).skip(kept + written)
            {
                *byte = before.get(place).copied().unwrap_or(0);
            }
            fs::write(&path, &text).unwrap();
            let read = load(&path).unwrap_or_else(|error| panic!("{written}, {lost}: {error}"));
            assert!(read == then || read == now, "{written}, {lost}");
        }
    }
}

#[test]
fn damage_before_the_last_save_is_not_taken_for_an_interrupted_save() {
    let folder = tempfile::tempdir().unwrap();
    let (_, after, ..) = last_append(folder.path(), 3);
    let path = folder.path().join("damaged.json");
    let text = String::from_utf8(after).unwrap();
    let damaged = text.replacen("\"index\":0", "\"index\":", 1);
    fs::write(&path, damaged).unwrap();
    let error = load(&path).unwrap_err().to_string();
    assert!(error.contains("is not a hubmark record"), "{error}");
}
