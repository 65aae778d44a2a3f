//! What nobody planned, on a hub on another machine: its engine is restarted, its power is cut, its
//! image goes away, its ports are taken. Rehearsed with an engine of its own.
//!
//! The representative rows are part of the container tests; `HUBMARK_FAULT_TABLE=full` plays every
//! row on every server at every moment (tests/long.sh does).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

mod common;
mod rehearsal;
mod support_faults;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::Command,
    sync::LazyLock,
    thread::sleep,
    time::Duration,
};

use common::Said;
use hubmark::{
    measure::Judgement,
    record::{Record, Status},
};
use rehearsal::Remote;
use support_faults::{Bench, Going, engine::begin, program};

const FULL: &str = "HUBMARK_FAULT_TABLE";

const IMAGES: [(&str, &str); 3] = [
    ("kafka:2.8.0", "hubmark/kafka:2.8.0"),
    ("kafka:4.4.0", "hubmark/kafka:4.4.0"),
    ("mariadb", "hubmark/mariadb:10.11"),
];

static REMOTE: LazyLock<Remote> = LazyLock::new(|| {
    let remote = Remote::start();
    let bench = Bench::new();
    let profile = bench.path("all.toml");
    let backends: Vec<_> = rows().iter().map(|(backend, _)| *backend).collect();
    let text = format!(
        "name = \"all\"\nbackend = {backends:?}\n[workload]\nkind = \"latency\"\nusers = 1\n\
         messages = 1\n"
    );
    std::fs::write(&profile, text).unwrap();
    let built = Command::new(program())
        .env("HUBMARK_STATE_DIR", bench.path("state"))
        .args(["images", "build", profile.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    remote.load(&rows().iter().map(|(_, image)| *image).collect::<Vec<_>>());
    remote
});

fn full() -> bool {
    std::env::var(FULL).as_deref() == Ok("full")
}

/// The systems whose rows are played.
fn rows() -> &'static [(&'static str, &'static str)] {
    if full() { &IMAGES } else { &IMAGES[2..] }
}

/// A run over `ssh://`, and what has to hold when it has ended.
struct Scene<'a> {
    remote: &'a Remote,
    bench: Bench,
    going: Going,
    run: String,
    row: String,
}

impl<'a> Scene<'a> {
    fn start(remote: &'a Remote, what: &str, backend: &str, sets: &[&str]) -> Self {
        let bench = Bench::new();
        let mut command = bench.command(program());
        remote.prepare(&mut command);
        // A broker that is ended in order may take its time.
        let length =
            if full() { "workload.duration=\"20 s\"" } else { "workload.duration=\"6 s\"" };
        let all = [
            &[
                "hub.engine=\"ssh://pi\"",
                "workload.users=20",
                length,
                "workload.arrival={ distribution = \"constant\", mean = \"100 ms\" }",
                "workload.drain=\"60 s\"",
                "run.baseline=\"1 s\"",
            ],
            sets,
        ]
        .concat();
        let (going, run) = begin(&bench, command, backend, &all);
        Self { remote, bench, going, run, row: format!("{what} on {backend}") }
    }

    fn until_load(&mut self) {
        self.going.until_load_within(Duration::from_mins(3));
        sleep(Duration::from_secs(1));
    }

    fn end(self, code: i32, words: &[&str]) -> Record {
        let answer = self.going.end_within(Duration::from_mins(5));
        let said = Said {
            status: answer.status.code(),
            out: answer.stdout.clone(),
            err: format!("{}\n{}", self.row, answer.stderr),
        };
        said.ends(code);
        let told = format!("{}{}", answer.stderr, answer.stdout);
        for word in words {
            assert!(told.contains(word), "{word:?} is missing: {}\n{told}", self.row);
        }
        assert!(!told.contains("panicked"), "{told}");
        assert!(!told.contains('\x1b') && told.ends_with('\n'), "the terminal: {told}");
        let record = common::read(&self.bench.record_file().expect("there is a record"));
        let left = format!("label=hubmark.run={}", self.run);
        let left = self.remote.docker(&["ps", "-aq", "--filter", &left]);
        assert_eq!(left, "", "left behind: {}\n{told}", self.row);
        assert_eq!(self.bench.folders().len(), 0, "{}", self.row);
        for repetition in common::repetitions(&record) {
            let ledger = repetition.ledger;
            if repetition.verdict.status != Judgement::Failed {
                assert_eq!((ledger.stored, ledger.lost), (Some(ledger.planned), 0), "{told}");
            }
        }
        println!("{}: ok", self.row);
        record
    }
}

/// A hub whose engine ends with all its containers, and comes back: the repetition has failed by
/// the server's name, and the next try is measured.
fn comes_back(what: &str, accident: fn(&Remote)) {
    let remote = &*REMOTE;
    let row = |backend: &str| {
        let mut scene = Scene::start(remote, what, backend, &["run.retries=1"]);
        scene.until_load();
        accident(remote);
        let role = backend.split(':').next().unwrap();
        // Of two servers that end together either may be seen first.
        let named =
            if backend == "kafka:2.8.0" { "server ".to_owned() } else { format!("server {role} ") };
        let record = scene.end(0, &[&named, "exit code"]);
        assert_eq!(record.status, Status::Complete);
        let [failed] = &record.points[0].failed_tries[..] else { panic!("one failed try") };
        assert_eq!(failed.verdict.status, Judgement::Failed);
        assert!(failed.ledger.sent > 0 && failed.ledger.lost == 0, "{:?}", failed.ledger);
        assert_eq!(failed.ledger.contradictions(), [""; 0]);
        assert_eq!(common::only(&record).attempt, 2);
    };
    let rows = rows();
    let played = |backend: &&str| catch_unwind(AssertUnwindSafe(|| row(backend))).is_err();
    let failed: Vec<_> = rows.iter().map(|(backend, _)| *backend).filter(played).collect();
    println!("{what}: {} of {} rows without a fault", rows.len() - failed.len(), rows.len());
    assert!(failed.is_empty(), "{what}: {failed:?}");
}

fn the_engine_is_restarted() {
    comes_back("engine restarted", Remote::restart_engine);
}

fn the_hub_is_rebooted() {
    comes_back("hub rebooted", Remote::reboot);
}

fn the_image_is_removed() {
    let remote = &*REMOTE;
    let (backend, image) = IMAGES[2];
    let twice = ["run.repetitions=2", "run.retries=0"];
    let mut scene = Scene::start(remote, "image removed", backend, &twice);
    scene.until_load();
    remote.docker(&["rmi", "--force", image]);
    let record = scene.end(1, &["mariadb did not start", image, "hubmark images build"]);
    remote.load(&[image]);
    let judged: Vec<_> = common::repetitions(&record).map(|r| r.verdict.status).collect();
    assert_eq!(judged.len(), 2);
    assert!(judged[0] != Judgement::Failed && judged[1] == Judgement::Failed, "{judged:?}");
}

fn ports_are_taken() {
    let remote = &*REMOTE;
    let (backend, _) = IMAGES[2];
    // All of those that are tried, and then a quarter of them.
    let mut others = remote.take_ports(12_768);
    Scene::start(remote, "all ports taken", backend, &["run.retries=0"])
        .end(1, &["mariadb did not start", "address already in use", "end what holds its ports"]);
    others.kill().unwrap();
    others.wait().unwrap();
    let mut others = remote.take_ports(3_192);
    Scene::start(remote, "a quarter of the ports taken", backend, &[]).end(0, &[]);
    others.kill().unwrap();
    others.wait().unwrap();
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_hub_on_another_machine_suffers() {
    let all = [
        the_engine_is_restarted as fn(),
        the_hub_is_rebooted,
        the_image_is_removed,
        ports_are_taken,
    ];
    let wanted = if full() { &all[..] } else { &all[..1] };
    let failed = wanted.iter().filter(|accident| catch_unwind(**accident).is_err()).count();
    println!("{} of {} accidents without a fault", wanted.len() - failed, wanted.len());
    assert_eq!(failed, 0, "accidents of which some row failed");
}
