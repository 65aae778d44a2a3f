//! A record's file: an error or a record.
#![no_main]

use std::{env, fs, path::PathBuf, process, sync::LazyLock};

use hubmark::record::store::load;
use libfuzzer_sys::fuzz_target;

/// A file in memory, where there is such a folder.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { env::temp_dir() };
    folder.join(format!("hubmark-fuzz-{}.json", process::id()))
});

fuzz_target!(|input: &[u8]| {
    fs::write(&*FILE, input).expect("the file of the record is written");
    let _ = load(&FILE);
});
