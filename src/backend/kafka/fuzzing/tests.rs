//! The seeds of the fuzz targets, replayed; `UPDATE_SEEDS=1` makes them anew of recorded answers.

use std::{fs, path::PathBuf};

use super::{consumer_answers, control_answer, producer_answers, record_batches};
use crate::backend::kafka::codec::{
    batch_writer::BatchWriter, compression::Compression, fetch, metadata, produce,
};

/// A broker whose answers the seeds are made of.
const BROKER: &str = "4.4.0";

fn folder(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn recorded(name: &str, version: i16) -> Vec<u8> {
    let file = folder("tests/recorded/kafka").join(BROKER).join(format!("{name}-v{version}.bin"));
    fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Writes a seed of `target`, if they are made anew.
fn write_seed(target: &str, name: &str, seed: &[u8]) {
    if std::env::var_os("UPDATE_SEEDS").is_some() {
        let folder = folder("fuzz/seeds").join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), seed).unwrap();
    }
}

fn replay(target: &str, run: fn(&[u8])) {
    let files = fs::read_dir(folder("fuzz/seeds").join(target)).unwrap();
    let seeds: Vec<_> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(!seeds.is_empty(), "{target} has no seeds");
    for seed in &seeds {
        run(seed);
    }
}

/// An answer as it travels, with the number of the request that it answers.
fn numbered(frame: &[u8], number: i32) -> Vec<u8> {
    let length = u32::try_from(frame.len()).unwrap();
    [&length.to_be_bytes()[..], &number.to_be_bytes(), &frame[4..]].concat()
}

#[test]
fn seeds_of_producers() {
    for version in produce::VERSIONS.0..=produce::VERSIONS.1 {
        let metadata = metadata::VERSIONS.1;
        let choice = u8::try_from((version - 3) + 6 * (metadata - 4)).unwrap();
        let answers = [
            numbered(&recorded("metadata", metadata), 1),
            numbered(&recorded("produce", version), 2),
            numbered(&recorded("produce_unknown", 8), 3),
            numbered(&recorded("produce", version), 4),
        ];
        write_seed(
            "producer_answers",
            &format!("v{version}"),
            &[&[0, choice, 7][..], &answers.concat()].concat(),
        );
    }
    // An idempotent producer that logs in: handshake, credentials, metadata, ID, write.
    let handshake = [&[0, 0, 0, 0][..], &[0, 0], &[0, 0, 0, 1, 0, 5], b"PLAIN"].concat();
    let authenticated = [&[0, 0, 0, 0][..], &[0, 0], &[0xff, 0xff], &[0, 0, 0, 0]].concat();
    let answers = [
        numbered(&handshake, 1),
        numbered(&authenticated, 2),
        numbered(&recorded("metadata", 8), 3),
        numbered(&recorded("init_producer_id", 1), 4),
        numbered(&recorded("produce", 8), 5),
    ];
    write_seed("producer_answers", "login", &[&[3, 29, 7][..], &answers.concat()].concat());
    replay("producer_answers", producer_answers);
}

#[test]
fn seeds_of_consumers() {
    for version in fetch::VERSIONS.0..=fetch::VERSIONS.1 {
        let answer = recorded("fetch", version);
        let choice = u8::try_from(version - 4).unwrap();
        let answers = [numbered(&answer, 1), numbered(&answer, 2)].concat();
        write_seed(
            "consumer_answers",
            &format!("v{version}"),
            &[&[2, choice, 50][..], &answers].concat(),
        );
    }
    for compression in ["gzip", "snappy", "lz4", "zstd"] {
        let answer = numbered(&recorded(&format!("fetch_{compression}"), 11), 1);
        write_seed("consumer_answers", compression, &[&[0, 7, 33][..], &answer].concat());
    }
    replay("consumer_answers", consumer_answers);
}

#[test]
fn seeds_of_answers_without_messages() {
    let names = [
        ("api_versions", 0, 0, 0),
        ("metadata", 3, 0, 9),
        ("metadata", 3, 0, 8),
        ("list_offsets", 4, 1, 7),
        ("list_offsets", 4, 1, 5),
        ("create_topics", 5, 2, 6),
        ("create_topics_exists", 5, 2, 6),
        ("create_topics", 5, 2, 4),
        ("delete_topics", 6, 1, 5),
        ("delete_topics", 6, 1, 3),
        ("init_producer_id", 7, 0, 1),
        ("describe_topic", 8, 1, 4),
        ("describe_topic", 8, 1, 3),
    ];
    for (name, kind, oldest, version) in names {
        let choice = [kind, u8::try_from(version - oldest).unwrap()];
        let seed = [&choice[..], &recorded(name, version)].concat();
        write_seed("control_answers", &format!("{name}-v{version}"), &seed);
    }
    replay("control_answers", control_answer);
}

#[test]
fn seeds_of_batches() {
    for compression in super::answers::COMPRESSIONS {
        let mut frame = Vec::new();
        let mut writer = BatchWriter::begin(&mut frame, 1);
        for value in [&b"a value"[..], &[7; 40], b""] {
            writer.push(&mut frame, 2, value);
        }
        if compression == Compression::Zstd && !cfg!(feature = "zstd") {
            continue;
        }
        writer.finish(&mut frame, compression, None).unwrap();
        write_seed("record_batches", &format!("{compression:?}").to_lowercase(), &frame);
        if compression == Compression::None {
            write_seed("broker_batches", "plain", &frame);
        }
    }
    replay("record_batches", record_batches);
}
