//! The study's three quick profiles over TLS and over `ssh://`, without the screen and from it: the
//! same ledger and the same provenance.

use std::{fs, sync::LazyLock, time::Duration};

use hubmark::record::{Record, Status};
use toml::{Table, Value};

use super::{IMAGES, REMOTE};
use crate::{
    common::{self, Home, Said},
    terminal::{Folders, LAST_PROFILE, Terminal, hubmark},
};

/// The quick profiles, each with a server of its own and what makes it as short as it can be.
const STUDIES: [(&str, &[&str]); 3] = [
    (
        "study-latency-users-quick",
        &["backend=\"kafka:4.4.0\"", "workload.users=20", "workload.messages=3"],
    ),
    (
        "study-latency-payload-quick",
        &["backend=\"mariadb\"", "workload.users=20", "workload.messages=3"],
    ),
    (
        "study-throughput-quick",
        &["backend=\"kafka:2.8.0\"", "workload.volume=\"2 MB\"", "workload.scenario=\"both\""],
    ),
];
const SHORTENED: &[&str] = &["run.repetitions=1", "run.baseline=\"1 s\""];
const DRAIN: &str = "workload.drain=\"60 s\"";

/// How long the three may take side by side.
const PATIENCE: Duration = Duration::from_mins(5);

/// The hub over TLS, for a profile.
fn tls() -> [String; 2] {
    [
        format!("hub.engine=\"tcp://{}:2376\"", REMOTE.address),
        format!("hub.certificates=\"{}\"", REMOTE.path("tls/good").display()),
    ]
}

/// A study of which nothing is missing, on the hub that is not this machine.
#[track_caller]
fn whole(record: &Record, profile: &str) {
    assert_eq!(record.status, Status::Complete, "{profile}");
    for repetition in common::repetitions(record) {
        let ledger = repetition.ledger;
        assert!(ledger.planned > 0, "{profile}");
        assert_eq!(ledger.contradictions(), [""; 0], "{profile}");
        assert_eq!((ledger.unsent, ledger.failed, ledger.lost), (0, 0, 0), "{profile}");
        assert_eq!(ledger.stored, Some(ledger.planned), "{profile}");
    }
    let provenance = &record.provenance;
    assert!(!provenance.hub.shared_with_client && provenance.hub.cautions.is_empty());
    assert!(provenance.hub.kernel.is_some() && provenance.hub.storage_driver.is_some());
    assert!(provenance.hub.file_system.is_some() && provenance.hub.fsync.is_some());
    for server in provenance.servers.values() {
        assert!(!server.version.is_empty() && !server.settings.is_empty(), "{profile}");
        assert!(server.images.values().all(|image| image.digest.is_some()), "{profile}");
    }
    assert!(record.path.is_some(), "{profile}");
    let left = format!("label=hubmark.run={}", record.run);
    assert_eq!(REMOTE.docker(&["ps", "-aq", "--filter", &left]), "", "{profile}: left behind");
}

/// Whole, this takes half an hour: tests/long.sh does it so.
#[test]
#[ignore = "needs a Docker engine"]
fn the_three_studies_run_over_tls_with_what_the_profile_names() {
    LazyLock::force(&IMAGES);
    let full_length = std::env::var_os("HUBMARK_TEST_FULL_LENGTH").is_some();
    let [engine, certificates] = tls();
    let way = [engine.as_str(), &certificates, DRAIN];
    for (profile, short) in STUDIES {
        let home = Home::new();
        let set: &[&[&str]] = if full_length { &[&way] } else { &[&way, SHORTENED, short] };
        let mut command = home.run(profile, set, &[]);
        Said::from(REMOTE.prepare(&mut command).output().unwrap()).ends(0);
        whole(&home.record(), profile);
    }
}

/// The text of a built-in profile, changed and with another name.
fn saved(profile: &str, changes: &[&str]) -> String {
    let file = format!("{}/profiles/{profile}.toml", env!("CARGO_MANIFEST_DIR"));
    let mut text: Table = fs::read_to_string(file).unwrap().parse().unwrap();
    for change in changes {
        let (key, value) = change.split_once('=').unwrap();
        let value = format!("value = {value}").parse::<Table>().unwrap().remove("value").unwrap();
        let (table, key) = match key.split_once('.') {
            Some((table, key)) => (text[table].as_table_mut().unwrap(), key),
            None => (&mut text, key),
        };
        table.insert(key.to_owned(), value);
    }
    text.insert("name".to_owned(), Value::from("mine"));
    text.to_string()
}

/// Starts the three by the keys of three screens, and reads what they have left.
fn from_the_screen(way: &[&str]) {
    LazyLock::force(&IMAGES);
    let screens = STUDIES.map(|(profile, short)| {
        let folders = Folders::new(1);
        let [(_, config), ..] = folders.variables();
        let text = saved(profile, &[way, SHORTENED, short, &[DRAIN]].concat());
        fs::write(config.join("profiles/mine.toml"), text).unwrap();
        let mut command = hubmark(&folders);
        command.env("PATH", REMOTE.search_path());
        for foreign in ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"] {
            command.env_remove(foreign);
        }
        let mut terminal = Terminal::open(command, 160, 45);
        terminal.wait("q quit");
        terminal.press(LAST_PROFILE);
        terminal.press("\r");
        (profile, folders, terminal)
    });
    for (profile, folders, mut terminal) in screens {
        terminal.until_within(PATIENCE, "it ends", |frame| frame.contains("back to setup"));
        assert!(terminal.showed("ledger (messages)"), "{profile}: {}", terminal.frame());
        assert!(terminal.frame().contains("Nothing lost"), "{profile}: {}", terminal.frame());
        terminal.press("q");
        assert_eq!(terminal.exit(), 0, "{profile}");
        assert!(terminal.restored(), "{profile}");
        whole(&common::read(&folders.records()[0]), profile);
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_three_studies_run_from_the_screen_over_ssh() {
    from_the_screen(&["hub.engine=\"ssh://pi\""]);
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_three_studies_run_from_the_screen_over_tls() {
    let [engine, certificates] = tls();
    from_the_screen(&[&engine, &certificates]);
}
