//! Tables of what goes wrong: which of their rows are played, and how many of them held.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// `full` plays every row of a table, not only the one that stands for the others.
const TABLE: &str = "HUBMARK_FAULT_TABLE";
/// Pieces of rows' names, separated by commas: of a whole table only these rows are played.
const ROWS: &str = "HUBMARK_FAULT_ROWS";
/// The seed of every run's arrivals and payloads.
const SEED: &str = "HUBMARK_FAULT_SEED";

/// Whether whole tables are played.
pub fn full() -> bool {
    std::env::var(TABLE).as_deref() == Ok("full")
}

/// Whether somebody wants that row of a whole table.
fn wanted(name: &str) -> bool {
    std::env::var(ROWS).map_or(true, |rows| rows.split(',').any(|piece| name.contains(piece)))
}

/// The seed of every run, as a profile's key.
pub fn seed() -> String {
    let seed = std::env::var(SEED).map_or(42, |seed| seed.parse::<u64>().expect("a number"));
    format!("run.seed={seed}")
}

/// Plays the rows of a table, of which each has a name: all of them, or the one at
/// `representative`. One that fails does not keep the others from being played.
pub fn play<R>(
    what: &str,
    rows: impl IntoIterator<Item = (String, R)>,
    representative: usize,
    play: impl Fn(R),
) {
    let rows = rows.into_iter();
    let rows: Vec<_> = if full() {
        rows.filter(|(name, _)| wanted(name)).collect()
    } else {
        rows.skip(representative).take(1).collect()
    };
    let all = rows.len();
    let mut failed = Vec::new();
    for (name, row) in rows {
        println!("row: {name}");
        if catch_unwind(AssertUnwindSafe(|| play(row))).is_err() {
            println!("row: {name}: FAILED");
            failed.push(name);
        }
    }
    println!("{what}: {} of {all} rows without a fault", all - failed.len());
    assert!(failed.is_empty(), "{what}: {failed:#?}");
}

/// Plays several tables, the others too when one of them has a row that failed; of those that take
/// long only the first, unless whole tables are played.
pub fn play_all(tables: &[fn()]) {
    let tables = if full() { tables } else { &tables[..1] };
    let failed = tables.iter().filter(|table| catch_unwind(**table).is_err()).count();
    assert_eq!(failed, 0, "tables of which some row failed");
}
