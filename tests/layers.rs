//! Dependencies point one way, as `src/lib.rs` says: read from the code itself.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The rooms of the house from the ground up. A room may use those of lower floors, and nothing of
/// its own floor but itself.
const FLOORS: &[&[&str]] = &[
    &["units", "clock", "paths", "owner"],
    &["stamp", "server", "format"],
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

/// Reached through its port by everybody but those who start it.
const ONLY_STARTED: (&str, &[&str]) = ("broker", &["cli", "commands"]);

/// Crates that draw, read keys, parse arguments or report errors to a terminal, and who may use
/// them.
const TERMINAL: &[(&str, &[&str])] = &[
    ("ratatui", &["tui"]),
    ("tui_input", &["tui"]),
    ("crossterm", &["tui", "headless"]),
    ("clap", &["cli", "commands", "main"]),
    ("clap_complete", &["cli", "commands"]),
    ("clap_mangen", &["commands"]),
    ("color_eyre", &["commands", "main"]),
];

/// What belongs to one system under test alone.
const SYSTEMS: &[&str] = &["kafka", "mariadb", "mysql", "zookeeper", "kraft", "innodb"];
/// A room beside the backends that may name them: what it speaks is a library's, under its name.
///
/// The report names the two systems of the study whose findings it judges.
const NAMED_IN: &[(&str, &[&str])] =
    &[("broker", &["kafka_protocol"]), ("report", &["kafka", "mariadb", "Kafka", "MariaDB"])];

/// A source file without comments and without its tests.
struct Source {
    /// The room: the first part of the path below `src`.
    room: String,
    path: PathBuf,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let sources = files.into_iter().map(|path| {
        let below = path.strip_prefix(&root).unwrap();
        let first = Path::new(below.components().next().unwrap().as_os_str());
        let stem = first.file_stem().unwrap().to_str().unwrap().to_owned();
        let code = code_of(&fs::read_to_string(&path).unwrap());
        Source { room: stem, path: below.to_owned(), code }
    });
    let (tests, sources): (Vec<_>, Vec<_>) =
        sources.partition(|source| only_for_tests(&source.path));
    assert!(tests.len() < sources.len() / 4 && sources.len() > 100, "the house has been found");
    sources
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Files that their parents declare under `#[cfg(test)]`.
fn only_for_tests(path: &Path) -> bool {
    path.components().any(|part| {
        let name = Path::new(part.as_os_str()).file_stem().unwrap();
        name == "tests" || name == "fixture"
    })
}

/// Lines that are compiled into the program: tests stand at a file's end.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let tests_follow = lines.peek().is_some_and(|next| next.starts_with("mod tests {"));
        if line == "#[cfg(test)]" && tests_follow {
            break;
        }
        if !line.trim_start().starts_with("//") {
            code.push_str(line.split(" // ").next().unwrap_or_default());
            code.push('\n');
        }
    }
    code
}

/// The rooms that `code` uses: what follows `crate::`, of a group its first names.
fn used(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (at, path) in code.match_indices("crate::") {
        if code[..at].ends_with(is_word) {
            continue;
        }
        let rest = &code[at + path.len()..];
        match rest.strip_prefix('{') {
            Some(group) => rooms.extend(first_names(group)),
            None => rooms.extend(word(rest)),
        }
    }
    rooms
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn word(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|&c| is_word(c)).collect();
    (!word.is_empty()).then_some(word)
}

/// The names at the top of a group whose brace is open.
fn first_names(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut expected) = (0, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expected = true,
            c if expected && is_word(c) => {
                names.extend(word(&group[at..]));
                expected = false;
            }
            _ => {}
        }
    }
    names
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

#[test]
fn rooms_use_only_what_lies_below_them() {
    let mut wrong = BTreeMap::new();
    let sources = sources();
    let within = |source: &&Source| !["lib", "main"].contains(&source.room.as_str());
    for Source { room, path, code } in sources.iter().filter(within) {
        let own = floor(room).unwrap_or_else(|| panic!("{room} stands on no floor"));
        for other in used(code).iter().filter(|other| *other != room) {
            let below = floor(other).is_some_and(|other| other < own);
            let started = other != ONLY_STARTED.0 || ONLY_STARTED.1.contains(&room.as_str());
            // An item of the crate's root would be of no room at all.
            if !(below && started) {
                wrong.entry(path.clone()).or_insert_with(Vec::new).push(other.clone());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn terminals_are_known_above_the_engine_only() {
    let (sources, mut wrong) = (sources(), Vec::new());
    for Source { room, path, code } in &sources {
        for (library, rooms) in TERMINAL {
            if names(code).contains(*library) && !rooms.contains(&room.as_str()) {
                wrong.push((path, library));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn below_the_front_ends_nobody_prints() {
    let printing = ["println", "eprintln", "print", "eprint"];
    let rooms: Vec<_> = FLOORS[..9].concat();
    let (sources, mut wrong) = (sources(), Vec::new());
    for Source { room, path, code } in &sources {
        let prints = printing.iter().any(|name| code.contains(&format!("{name}!")));
        if rooms.contains(&room.as_str()) && prints {
            wrong.push(path);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// All words of `code`: identifiers, and words within literals.
fn names(code: &str) -> BTreeSet<&str> {
    code.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect()
}

#[test]
fn systems_under_test_are_named_in_their_own_rooms_only() {
    let (sources, mut wrong) = (sources(), Vec::new());
    for Source { room, path, code } in sources.iter().filter(|source| source.room != "backend") {
        let allowed = NAMED_IN.iter().find(|(named, _)| named == room).map_or(&[][..], |(_, n)| n);
        for name in names(code) {
            let lower = name.to_lowercase();
            if SYSTEMS.iter().any(|system| lower.contains(system)) && !allowed.contains(&name) {
                wrong.push((path, name.to_owned()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn this_test_sees() {
    let code = "use crate::{a::{b, c}, d, self::e};\nlet x = crate::f::g();\nmycrate::h();";
    assert_eq!(used(code), ["a", "d", "self", "f"].map(String::from).into());
    assert_eq!(code_of("a // b\n// c\n#[cfg(test)]\nmod tests {\nd"), "a\n");
    assert!(used(&sources().into_iter().find(|s| s.room == "engine").unwrap().code).len() > 1);
}

/// The time of day is for people: in the names of files and runs, and when something began. What
/// is measured is measured by the monotonic clock, whatever anybody sets.
#[test]
fn no_duration_is_taken_from_the_system_clock() {
    const TELLING: &[&str] = &[
        "commands/kept/runner.rs",
        "commands/launch.rs",
        "engine/repetition.rs",
        "engine/resume.rs",
        "engine/run.rs",
        "engine/walk.rs",
        // Compares the hub's time of day with ours.
        "hub/docker/examine.rs",
    ];
    const WALL: &[&str] =
        &["SystemTime::now", "Timestamp::now", "Zoned::now", "CLOCK_REALTIME", "gettimeofday"];
    let mut tellers = Vec::new();
    for source in sources() {
        if WALL.iter().any(|word| source.code.contains(word)) {
            tellers.push(source.path.to_str().unwrap().to_owned());
        }
    }
    tellers.sort();
    assert_eq!(tellers, TELLING);
}
