//! Tables of faults: which of their rows run, and how many of them passed.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// With the value `full`, every row of a table runs, not only its representative one.
const TABLE_VARIABLE: &str = "HUBMARK_FAULT_TABLE";
/// Parts of row names, separated by commas: only these rows of full tables run.
const ROWS_VARIABLE: &str = "HUBMARK_FAULT_ROWS";
/// The seed of every run's arrivals and payloads.
const SEED_VARIABLE: &str = "HUBMARK_FAULT_SEED";

/// Whether full tables run.
pub fn is_full() -> bool {
    std::env::var(TABLE_VARIABLE).as_deref() == Ok("full")
}

/// Whether a row of a full table is selected.
fn is_selected(name: &str) -> bool {
    let selects = |rows: String| rows.split(',').any(|part| name.contains(part));
    std::env::var(ROWS_VARIABLE).map_or(true, selects)
}

/// The override that gives a run its seed.
pub fn seed_setting() -> String {
    let seed =
        std::env::var(SEED_VARIABLE).map_or(42, |seed| seed.parse::<u64>().expect("a number"));
    format!("run.seed={seed}")
}

/// Runs all named rows of a table, or only the one at `representative`. A row that fails does not
/// stop the others.
pub fn run_rows<R>(
    table: &str,
    rows: impl IntoIterator<Item = (String, R)>,
    representative: usize,
    run: impl Fn(R),
) {
    let rows = rows.into_iter();
    let rows: Vec<_> = if is_full() {
        rows.filter(|(name, _)| is_selected(name)).collect()
    } else {
        rows.skip(representative).take(1).collect()
    };
    let count = rows.len();
    let mut failed = Vec::new();
    for (name, row) in rows {
        println!("row: {name}");
        if catch_unwind(AssertUnwindSafe(|| run(row))).is_err() {
            println!("row: {name}: FAILED");
            failed.push(name);
        }
    }
    println!("{table}: {} of {count} rows without a fault", count - failed.len());
    assert!(failed.is_empty(), "{table}: {failed:#?}");
}

/// Runs several tables, or only the first one unless full tables run. A table that fails does not
/// stop the others.
pub fn run_tables(tables: &[fn()]) {
    let tables = if is_full() { tables } else { &tables[..1] };
    let failed = tables.iter().filter(|table| catch_unwind(**table).is_err()).count();
    assert_eq!(failed, 0, "tables with failed rows");
}
