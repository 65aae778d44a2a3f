//! The study's three quick profiles over TLS and over `ssh://`, with and without the screen: the same
//! ledger and the same provenance.

use std::{fs, sync::LazyLock, time::Duration};

use hubmark::record::{Record, RecordStatus};
use toml::{Table, Value};

use super::{HUB, IMAGES, containers_left};
use crate::support::{
    process::ProgramOutput,
    records::{read_checked, repetitions},
    sandbox::Sandbox,
    terminal::{LAST_PROFILE, Terminal, screen_command},
    turns::take_turn,
};

/// The quick profiles, each with one backend and overrides that shorten it.
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

/// How long the three studies may take side by side.
const STUDIES_LIMIT: Duration = Duration::from_mins(5);

/// Overrides for the hub over TLS.
fn tls_hub() -> [String; 2] {
    [
        format!("hub.engine=\"tcp://{}:2376\"", HUB.address),
        format!("hub.certificates=\"{}\"", HUB.path("tls/good").display()),
    ]
}

/// Checks that a study on the remote hub is complete and left nothing.
#[track_caller]
fn check_study(record: &Record, profile: &str) {
    assert_eq!(record.status, RecordStatus::Complete, "{profile}");
    for repetition in repetitions(record) {
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
    assert_eq!(containers_left(&record.run), "", "{profile}: left behind");
}

/// At full length this takes half an hour, as in `tests/long.sh tls`.
#[test]
#[ignore = "needs a Docker engine"]
fn the_three_studies_run_over_tls() {
    let _turn = take_turn("remote_hub");
    LazyLock::force(&IMAGES);
    let full_length = std::env::var_os("HUBMARK_TEST_FULL_LENGTH").is_some();
    let [engine, certificates] = tls_hub();
    let hub_sets = [engine.as_str(), &certificates, DRAIN];
    for (profile, short) in STUDIES {
        let sandbox = Sandbox::new();
        let set: &[&[&str]] =
            if full_length { &[&hub_sets] } else { &[&hub_sets, SHORTENED, short] };
        let mut command = sandbox.run_command(profile, set, &[]);
        ProgramOutput::of(HUB.prepare(&mut command)).exits_with(0);
        check_study(&sandbox.out_record(), profile);
    }
}

/// The text of a built-in profile with changes and the name `mine`.
fn changed_profile(profile: &str, changes: &[&str]) -> String {
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

/// Runs the three studies side by side from three screens and checks their records.
fn check_studies_from_screen(hub_sets: &[&str]) {
    let _turn = take_turn("remote_hub");
    LazyLock::force(&IMAGES);
    let screens = STUDIES.map(|(profile, short)| {
        let sandbox = Sandbox::with_profile(1);
        let text = changed_profile(profile, &[hub_sets, SHORTENED, short, &[DRAIN]].concat());
        sandbox.save_profile("mine", &text);
        let mut command = screen_command(&sandbox);
        command.env("PATH", HUB.search_path());
        for foreign in ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"] {
            command.env_remove(foreign);
        }
        let mut terminal = Terminal::screen_of(command, 160, 45);
        terminal.press(LAST_PROFILE);
        terminal.wait_for_selected_profile();
        terminal.press("\r");
        (profile, sandbox, terminal)
    });
    for (profile, sandbox, mut terminal) in screens {
        terminal.wait_until_within(STUDIES_LIMIT, "it ends", |frame| frame.contains(" r again"));
        assert!(terminal.has_shown("ledger (messages)"), "{profile}: {}", terminal.frame());
        assert!(terminal.frame().contains("Nothing lost"), "{profile}: {}", terminal.frame());
        terminal.press("q");
        assert_eq!(terminal.wait_for_exit(), 0, "{profile}");
        assert!(terminal.was_restored(), "{profile}");
        check_study(&read_checked(&sandbox.record_files()[0]), profile);
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_three_studies_run_from_the_screen_over_ssh() {
    check_studies_from_screen(&["hub.engine=\"ssh://pi\""]);
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_three_studies_run_from_the_screen_over_tls() {
    let [engine, certificates] = tls_hub();
    check_studies_from_screen(&[&engine, &certificates]);
}
