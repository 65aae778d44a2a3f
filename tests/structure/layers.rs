//! Dependencies point one way, as `src/lib.rs` says.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::{Source, sources};

/// Modules of the crate from the lowest layer up. A module may use those of lower layers and, of its own layer, only
/// itself.
const LAYERS: &[&[&str]] = &[
    &["units", "clock", "paths", "owner", "hot_thread"],
    &["stamp", "server", "format", "wire", "layout"],
    &["measure", "plan"],
    &["stats", "profile", "workload"],
    &["record"],
    &["event"],
    &["backend", "hub", "broker"],
    &["engine"],
    &["report"],
    &["headless", "tui", "cli"],
    &["commands"],
];

/// Parts of the engine from the lowest layer up, under the same rule.
const ENGINE_LAYERS: &[&[&str]] = &[
    &["steering"],
    &["control", "preflight", "judge"],
    &["error", "measure"],
    &["servers"],
    &["repetition_environment", "load"],
    &["faults"],
    &["run"],
    &["doctor"],
];

/// Layers that print nothing: all below the front ends.
const SILENT_LAYERS: usize = 9;

/// A module that others reach through its port only, and the modules that may start it.
const STARTED_ONLY: (&str, &[&str]) = ("broker", &["cli", "commands"]);

/// Crates that draw, read keys, parse arguments or report errors to a terminal, and the modules that may use them.
const TERMINAL: &[(&str, &[&str])] = &[
    ("ratatui", &["tui"]),
    ("tui_input", &["tui"]),
    ("crossterm", &["tui", "headless"]),
    ("clap", &["cli", "commands", "main"]),
    ("clap_complete", &["cli", "commands"]),
    ("clap_mangen", &["commands"]),
    ("color_eyre", &["commands", "main"]),
];

/// Parts of names that belong to one system under test.
const SYSTEMS: &[&str] = &["kafka", "mariadb", "mysql", "zookeeper", "kraft", "innodb"];

/// Such names that a module beside the backends may use: a library's own, and the two systems of the study whose
/// findings the report judges.
const ALLOWED_NAMES: &[(&str, &[&str])] =
    &[("broker", &["kafka_protocol"]), ("report", &["kafka", "mariadb", "Kafka", "MariaDB"])];

/// Modules that `source` uses: the name number `depth` of each path.
fn used(source: &Source, depth: usize, within: &[&str]) -> BTreeSet<String> {
    let paths = source.imports.iter().map(|import| &import.path).chain(&source.paths);
    paths
        .filter(|path| path.len() > depth && path[..depth].iter().eq(within))
        .map(|path| path[depth].clone())
        .collect()
}

fn layer_of(module: &str, layers: &[&[&str]]) -> Option<usize> {
    layers.iter().position(|modules| modules.contains(&module))
}

#[test]
fn modules_use_only_lower_layers() {
    let mut wrong = BTreeMap::new();
    let sources = sources();
    let within = |source: &&Source| !["lib", "main"].contains(&source.layer().as_str());
    for source in sources.iter().filter(within) {
        let module = source.layer();
        let own = layer_of(&module, LAYERS).unwrap_or_else(|| panic!("{module} is in no layer"));
        for other in used(source, 0, &[]).into_iter().filter(|other| *other != module) {
            let is_lower = layer_of(&other, LAYERS).is_some_and(|other| other < own);
            let may_start = other != STARTED_ONLY.0 || STARTED_ONLY.1.contains(&module.as_str());
            // An item of the crate's root would be in no layer at all.
            if !(is_lower && may_start) {
                wrong.entry(source.path.clone()).or_insert_with(Vec::new).push(other);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn parts_of_the_engine_use_only_lower_parts() {
    let (sources, mut wrong) = (sources(), BTreeMap::new());
    let is_part = |source: &&Source| source.module.len() > 1 && source.module[0] == "engine";
    for source in sources.iter().filter(is_part) {
        let part = &source.module[1];
        let own = layer_of(part, ENGINE_LAYERS)
            .unwrap_or_else(|| panic!("engine::{part} is in no layer"));
        for other in used(source, 1, &["engine"]).into_iter().filter(|other| other != part) {
            // Other names are re-exports, which the test of cycles follows.
            let is_module = sources.iter().any(|source| source.module.get(1) == Some(&other));
            if is_module && layer_of(&other, ENGINE_LAYERS).is_none_or(|other| other >= own) {
                wrong.entry(source.path.clone()).or_insert_with(Vec::new).push(other);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_front_ends_use_terminal_crates() {
    let (sources, mut wrong) = (sources(), Vec::new());
    for source in sources {
        for (library, modules) in TERMINAL {
            if names(&source.code).contains(*library) && !modules.contains(&source.layer().as_str())
            {
                wrong.push((&source.path, library));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn modules_below_the_front_ends_print_nothing() {
    let printing = ["println", "eprintln", "print", "eprint"];
    let silent: Vec<_> = LAYERS[..SILENT_LAYERS].concat();
    let (sources, mut wrong) = (sources(), Vec::new());
    for source in sources.iter().filter(|source| silent.contains(&source.layer().as_str())) {
        if source.identifiers.iter().any(|name| printing.contains(&name.as_str())) {
            wrong.push(&source.path);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// All words of `code`: identifiers, and words within literals.
fn names(code: &str) -> BTreeSet<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect()
}

#[test]
fn only_backends_name_systems_under_test() {
    let (sources, mut wrong) = (sources(), Vec::new());
    for source in sources.iter().filter(|source| source.layer() != "backend") {
        let layer = source.layer();
        let allowed = ALLOWED_NAMES
            .iter()
            .find(|(module, _)| *module == layer)
            .map_or(&[][..], |(_, names)| names);
        for name in names(&source.code) {
            let lower = name.to_lowercase();
            if SYSTEMS.iter().any(|system| lower.contains(system)) && !allowed.contains(&name) {
                wrong.push((&source.path, name.to_owned()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The time of day only names files and runs and says when something began. Durations are measured by the monotonic
/// clock, which no one can set.
#[test]
fn no_duration_is_taken_from_the_system_clock() {
    const ALLOWED: &[&str] = &[
        // Kafka's records carry the time of day at which they were made.
        "backend/kafka/native/fleet.rs",
        "commands/launch.rs",
        "commands/screen/detached/runner.rs",
        "engine/run/repetition.rs",
        "engine/run/resume.rs",
        "engine/run/runner/mod.rs",
        "engine/run/start.rs",
        // Compares the hub's time of day with this machine's.
        "hub/docker/examine.rs",
    ];
    const SYSTEM_CLOCK: &[&str] = &[
        "SystemTime :: now",
        "Timestamp :: now",
        "Zoned :: now",
        "CLOCK_REALTIME",
        "gettimeofday",
    ];
    let mut found = Vec::new();
    for source in sources() {
        if SYSTEM_CLOCK.iter().any(|call| source.code.contains(call)) {
            found.push(source.path.to_str().unwrap().to_owned());
        }
    }
    found.sort();
    assert_eq!(found, ALLOWED);
}
