//! A hub on another machine, reached over `ssh://` and over TLS: rehearsed with an address, an
//! engine and an SSH server of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

mod common;
mod rehearsal;

use std::{
    process::{Command, Stdio},
    sync::LazyLock,
    time::Duration,
};

use common::{Home, Said, eventually};
use hubmark::{
    hub::{Hub, docker::DockerHub},
    measure::Judgement,
    plan::HubRequest,
    record::{Record, Status},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rehearsal::{Remote, processes};

/// One for all tests of this file; each has its own runs on it.
static REMOTE: LazyLock<Remote> = LazyLock::new(Remote::start);

/// Servers of the study, its newer broker too.
const BACKENDS: &str = "backend=[\"kafka:2.8.0\", \"kafka:4.4.0\", \"mariadb\"]";

/// Images on the rehearsed hub: built on this machine's engine where that has not been done, and
/// carried over.
static IMAGES: LazyLock<()> = LazyLock::new(|| {
    let home = Home::new();
    let profile = home.path("all.toml");
    let text = format!(
        "name = \"all\"\n{}\n[workload]\nkind = \"latency\"\nusers = 1\nmessages = 1\n",
        BACKENDS.replacen('=', " = ", 1)
    );
    std::fs::write(&profile, text).unwrap();
    Said::from(home.command(["images", "build", profile.to_str().unwrap()]).output().unwrap())
        .ends(0);
    REMOTE.load(&["hubmark/kafka:2.8.0", "hubmark/kafka:4.4.0", "hubmark/mariadb:10.11"]);
});

fn listed(home: &Home, hub: &str) -> Said {
    let mut command = home.command(["images", "list", "--hub", hub]);
    REMOTE.prepare(&mut command).output().unwrap().into()
}

#[test]
#[ignore = "needs a Docker engine"]
fn an_engine_is_reached_by_alias_by_address_and_port_and_over_a_jump() {
    let home = Home::new();
    let address = &REMOTE.address;
    let by_port = format!("ssh://root@{address}:2222");
    let by_path = format!("ssh://{address}/run/docker.sock");
    for hub in ["ssh://pi", "ssh://jumped", &by_port, &by_path] {
        let said = listed(&home, hub).ends(0);
        assert_eq!(said.err, "", "{hub}");
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn each_reason_for_not_reaching_an_engine_has_its_own_words() {
    let home = Home::new();
    let address = &REMOTE.address;
    let cases = [
        (format!("ssh://{address}:9"), "the host does not answer", "is it switched on"),
        (format!("ssh://{address}:3"), "no SSH server at that port", "raspi-config"),
        ("ssh://no-such-host.invalid".into(), "has no address", "~/.ssh/config"),
        ("ssh://stranger".into(), "key is not known here", "log in once by hand"),
        ("ssh://changed".into(), "not the one that is known here", "ssh-keygen -R"),
        ("ssh://keyless".into(), "takes none of this user's keys", "ssh-copy-id keyless"),
        ("ssh://guest".into(), "may not open /var/run/docker.sock", "usermod -aG docker"),
        ("ssh://pi/run/no.sock".into(), "no socket /run/no.sock", "rootless"),
        ("ssh://pi/run/dead.sock".into(), "no engine answers behind it", "systemctl start docker"),
    ];
    // A socket that nobody listens on.
    drop(std::os::unix::net::UnixListener::bind(REMOTE.path("run/dead.sock")).unwrap());
    for (hub, reason, advice) in cases {
        let said = listed(&home, &hub).ends(1);
        assert!(said.err.contains(reason), "{hub}: {}", said.err);
        assert!(said.err.contains(advice), "{hub}: {}", said.err);
        assert!(said.err.contains(&hub), "{hub}: {}", said.err);
        assert!(!said.err.contains("@@@"), "raw words of ssh: {}", said.err);
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn without_ssh_it_is_said_what_is_missing() {
    let home = Home::new();
    let mut command = home.command(["images", "list", "--hub", "ssh://pi"]);
    let said: Said = command.env("PATH", "/nonexistent").output().unwrap().into();
    let said = said.ends(1);
    assert!(said.err.contains("ssh is not installed here"), "{}", said.err);
    assert!(said.err.contains("apt install openssh-client"), "{}", said.err);
}

/// A run on the rehearsed hub, not yet started.
fn run(home: &Home, set: &[&[&str]]) -> Command {
    LazyLock::force(&IMAGES);
    let mut all = vec![
        &["hub.engine=\"ssh://pi\"", "run.baseline=\"3 s\"", "workload.drain=\"60 s\""][..],
        &["workload.users=50", "run.repetitions=1"],
    ];
    all.extend(set);
    let mut command = home.run("study-latency-users-quick", &all, &[]);
    REMOTE.prepare(&mut command);
    command
}

/// The record of a run to whose end all went well, on the hub that is not this machine.
fn whole(home: &Home, said: Said) -> Record {
    said.ends(0);
    let record = home.record();
    assert_eq!(record.status, Status::Complete);
    for repetition in common::repetitions(&record) {
        let ledger = repetition.ledger;
        assert_eq!([ledger.sent, ledger.acked, ledger.delivered], [ledger.planned; 3]);
        assert_eq!((ledger.stored, ledger.lost), (Some(ledger.planned), 0));
        for resources in repetition.resources.values() {
            assert!(resources.cpu.core_seconds.is_some() && resources.memory.mean.is_some());
        }
    }
    let path = record.path.expect("the path was measured");
    assert!(path.p50.is_some_and(|p50| p50 > 0.0), "{path}");
    assert!(path.from_hub > Some(1e3) && path.to_hub > Some(1e3), "{path}");
    let hub = &record.provenance.hub;
    assert!(!hub.shared_with_client, "{hub:?}");
    assert!(hub.engine.is_some() && hub.kernel.is_some() && hub.cores.is_some());
    let left = format!("label=hubmark.run={}", record.run);
    assert_eq!(REMOTE.docker(&["ps", "-aq", "--filter", &left]), "", "containers are left");
    record
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_study_runs_on_a_hub_over_ssh() {
    let home = Home::new();
    let said = run(&home, &[&[BACKENDS, "workload.messages=5"]]).output().unwrap().into();
    let record = whole(&home, said);
    assert_eq!(record.points.len(), 3);
}

/// The `ssh` processes that forward a socket of `home`.
fn tunnels(home: &Home) -> Vec<i32> {
    let word = home.path("tmp").display().to_string();
    let forwarding = |(_, line): &(i32, String)| line.contains("StreamLocalBindUnlink");
    processes(&word).into_iter().filter(forwarding).map(|(pid, _)| pid).collect()
}

/// A run on MariaDB with a load of so many seconds; returns once that has begun.
fn in_mid_run(home: &Home, seconds: u32) -> std::process::Child {
    std::fs::create_dir(home.path("tmp")).unwrap();
    let log = std::fs::File::create(home.path("told")).unwrap();
    let mut command =
        run(home, &[&["backend=\"mariadb\"", &format!("workload.messages={seconds}")]]);
    command.env("HUBMARK_TMP", home.path("tmp")).stderr(log).stdout(Stdio::null());
    let child = command.spawn().unwrap();
    eventually("the load to begin", || {
        std::fs::read_to_string(home.path("told")).unwrap().contains(": load ").then_some(())
    });
    child
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_run_goes_on_when_its_connection_is_killed() {
    let home = Home::new();
    let mut child = in_mid_run(&home, 12);
    let first = eventually("the tunnel", || tunnels(&home).first().copied());
    kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
    eventually("another tunnel", || tunnels(&home).into_iter().find(|&pid| pid != first));
    let status = child.wait().unwrap().code();
    let err = std::fs::read_to_string(home.path("told")).unwrap();
    whole(&home, Said { status, out: String::new(), err });
    let left: Vec<_> = std::fs::read_dir(home.path("tmp")).unwrap().collect();
    assert!(left.is_empty() && tunnels(&home).is_empty(), "{left:?}");
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_killed_run_takes_its_connection_along_and_is_cleared_away_later() {
    let home = Home::new();
    let mut child = in_mid_run(&home, 12);
    assert!(!tunnels(&home).is_empty());
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    eventually("the tunnel's end", || tunnels(&home).is_empty().then_some(()));
    let mut command = home.command(["clean", "--hub", "ssh://pi"]);
    REMOTE.prepare(&mut command).env("HUBMARK_TMP", home.path("tmp"));
    let said = Said::from(command.output().unwrap()).ends(0);
    assert!(said.out.contains("mariadb of run"), "{}{}", said.out, said.err);
    assert_eq!(std::fs::read_dir(home.path("tmp")).unwrap().count(), 0);
    let run = &home.record().run;
    let left = REMOTE.docker(&["ps", "-aq", "--filter", &format!("label=hubmark.run={run}")]);
    assert_eq!(left, "");
}

/// `hubmark images list` over TLS, with the certificates in that folder of the rehearsal.
fn over_tls(home: &Home, engine: &str, folder: &str) -> Said {
    let mut command = home.command(["images", "list", "--hub", engine]);
    let folder = REMOTE.path("tls").join(folder);
    REMOTE.prepare(&mut command).env("DOCKER_CERT_PATH", folder).output().unwrap().into()
}

#[test]
#[ignore = "needs a Docker engine"]
fn certificates_that_do_not_fit_are_refused_with_the_reason() {
    let home = Home::new();
    let engine = format!("tcp://{}:2376", REMOTE.address);
    over_tls(&home, &engine, "good").ends(0);
    let cases = [
        ("expired", "cert.pem has expired"),
        ("foreign", "is not signed by"),
        ("wrong", "its certificate is refused: it is not signed by"),
        ("none", "ca.pem is not there"),
        ("keyless", "key.pem is not there"),
        ("mixed", "key.pem does not fit cert.pem"),
    ];
    for (folder, reason) in cases {
        let said = over_tls(&home, &engine, folder).ends(1);
        assert!(said.err.contains(reason), "{folder}: {}", said.err);
        assert!(said.err.contains(&engine), "{folder}: {}", said.err);
    }
    // The right engine at an address for which its certificate is not made.
    let other = format!("{}.3", REMOTE.address.strip_suffix(".2").unwrap());
    let said = over_tls(&home, &format!("tcp://{other}:2376"), "good").ends(1);
    assert!(said.err.contains(&format!("not made for the name {other}")), "{}", said.err);
    // A port that speaks something else.
    let said = over_tls(&home, &format!("tcp://{}:22", REMOTE.address), "good").ends(1);
    assert!(said.err.contains("does not speak TLS"), "{}", said.err);
    assert!(said.err.contains("http://HOST:PORT"), "{}", said.err);
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_current_context_is_used_as_by_dockers_own_tools() {
    let home = Home::new();
    let config = home.path("docker");
    let docker = |arguments: &[&str]| {
        let mut command = Command::new("docker");
        command.env("DOCKER_CONFIG", &config).env_remove("DOCKER_HOST").args(arguments);
        assert!(command.output().unwrap().status.success(), "{arguments:?}");
    };
    let good = REMOTE.path("tls/good");
    let file = |name: &str| good.join(name).display().to_string();
    let endpoint = format!(
        "host=tcp://{}:2376,ca={},cert={},key={}",
        REMOTE.address,
        file("ca.pem"),
        file("cert.pem"),
        file("key.pem")
    );
    docker(&["context", "create", "tls", "--docker", &endpoint]);
    docker(&["context", "create", "pi", "--docker", "host=ssh://pi"]);
    docker(&["context", "use", "tls"]);
    let listed = |context: Option<&str>| -> Said {
        let mut command = home.command(["images", "list"]);
        REMOTE.prepare(&mut command).env("DOCKER_CONFIG", &config);
        command.envs(context.map(|name| ("DOCKER_CONTEXT", name))).output().unwrap().into()
    };
    listed(None).ends(0);
    listed(Some("pi")).ends(0);
    let said = listed(Some("gone")).ends(1);
    assert!(said.err.contains("no such context"), "{}", said.err);
}

/// The hub over TLS, for a profile.
fn tls() -> [String; 2] {
    [
        format!("hub.engine=\"tcp://{}:2376\"", REMOTE.address),
        format!("hub.certificates=\"{}\"", REMOTE.path("tls/good").display()),
    ]
}

/// As short as a run can be.
const BRIEF: &[&str] = &["workload.messages=3", "backend=\"mariadb\""];

#[test]
#[ignore = "needs a Docker engine"]
fn two_runs_on_one_hub_leave_each_other_alone_and_say_that_they_disturb_each_other() {
    let (home, other) = (Home::new(), Home::new());
    let mut long = in_mid_run(&other, 25);
    let said: Said = run(&home, &[BRIEF]).output().unwrap().into();
    let theirs = format!("run {}", other.record().run);
    let warned = format!("another run is at work on this hub: {theirs}");
    assert!(said.err.contains(&warned), "{}", said.err);
    let record = whole(&home, said);
    let doubts = |record: &Record| -> Vec<(Judgement, String)> {
        let verdicts = common::repetitions(record).map(|repetition| &repetition.verdict);
        let of = |verdict: &hubmark::measure::Verdict| {
            let found = verdict.reasons.iter().find(|reason| reason.code == "other-run");
            (verdict.status, found.map_or_else(String::new, |reason| reason.text.clone()))
        };
        verdicts.map(of).collect()
    };
    for (judged, reason) in doubts(&record) {
        assert_eq!(judged, Judgement::Suspect);
        assert!(reason.contains(&theirs), "{reason}");
    }
    // The other came to its end all the same: with its own servers to the last message.
    assert_eq!(long.wait().unwrap().code(), Some(0));
    let ledger = common::only(&other.record()).ledger;
    assert_eq!(ledger.delivered, ledger.planned);
}

/// The study's quick profiles, each with what makes it as short as it can be.
const STUDIES: [(&str, &[&str]); 3] = [
    ("study-latency-users-quick", &["workload.users=20", "workload.messages=3"]),
    ("study-latency-payload-quick", &["workload.users=20", "workload.messages=3"]),
    ("study-throughput-quick", &["workload.volume=\"2 MB\"", "workload.scenario=\"both\""]),
];
const SHORTENED: &[&str] = &["backend=\"mariadb\"", "run.repetitions=1", "run.baseline=\"1 s\""];

/// Whole, this takes half an hour: tests/long.sh does it so.
#[test]
#[ignore = "needs a Docker engine"]
fn the_three_studies_run_over_tls_with_what_the_profile_names() {
    LazyLock::force(&IMAGES);
    let full_length = std::env::var_os("HUBMARK_TEST_FULL_LENGTH").is_some();
    let [engine, certificates] = tls();
    let way = [engine.as_str(), &certificates, "workload.drain=\"60 s\""];
    for (profile, short) in STUDIES {
        let home = Home::new();
        let set: &[&[&str]] = if full_length { &[&way] } else { &[&way, SHORTENED, short] };
        let mut command = home.run(profile, set, &[]);
        Said::from(REMOTE.prepare(&mut command).output().unwrap()).ends(0);
        let record = home.record();
        assert_eq!(record.status, Status::Complete, "{profile}");
        for repetition in common::repetitions(&record) {
            let ledger = repetition.ledger;
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
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine"]
async fn a_question_over_tls_is_asked_again_while_the_engine_is_away() {
    let request = HubRequest {
        certificates: Some(REMOTE.path("tls/good").display().to_string()),
        ..HubRequest::docker(Some(format!("tcp://{}:2376", REMOTE.address)))
    };
    let hub = DockerHub::reach(&request, "none").await.unwrap();
    REMOTE.bar(2376, true);
    let asking = hub.clone();
    let asked = tokio::spawn(async move { asking.facts().await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    let waits = !asked.is_finished();
    REMOTE.bar(2376, false);
    assert!(waits, "{:?}", asked.await);
    assert!(asked.await.unwrap().unwrap().cores.is_some());
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_doctor_goes_over_tls() {
    LazyLock::force(&IMAGES);
    let home = Home::new();
    let engine = format!("tcp://{}:2376", REMOTE.address);
    let doctor = |folder: &str| -> Said {
        let mut command = home.command(["doctor", "study-latency-users-quick", "--hub", &engine]);
        let folder = REMOTE.path("tls").join(folder);
        REMOTE.prepare(&mut command).env("DOCKER_CERT_PATH", folder).output().unwrap().into()
    };
    let said = doctor("good").ends(0);
    assert!(said.out.contains(&format!("at {engine}")), "{}", said.out);
    assert!(!said.out.contains("not encrypted"), "{}", said.out);
    let said = doctor("expired").ends(1);
    assert!(said.out.contains("cert.pem has expired"), "{}", said.out);
}

/// Hands every connection to a port of this machine on to the engine's socket; until the test ends.
fn without_tls() -> u16 {
    use std::{io::copy, net::TcpListener, os::unix::net::UnixStream, thread::spawn};

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = REMOTE.path("run/docker.sock");
    spawn(move || {
        for caller in listener.incoming() {
            let (mut caller, mut engine) = (caller.unwrap(), UnixStream::connect(&socket).unwrap());
            let mut back = (engine.try_clone().unwrap(), caller.try_clone().unwrap());
            spawn(move || {
                let _ = copy(&mut caller, &mut engine);
                let _ = engine.shutdown(std::net::Shutdown::Write);
            });
            spawn(move || {
                let _ = copy(&mut back.0, &mut back.1);
                let _ = back.1.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    port
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_way_without_tls_is_taken_when_it_is_written_so_and_warned_of() {
    let port = without_tls();
    let home = Home::new();
    // Without being written so, it is not.
    let said = over_tls(&home, &format!("tcp://127.0.0.1:{port}"), "good").ends(1);
    assert!(said.err.contains("http://HOST:PORT"), "{}", said.err);
    let plain = format!("http://127.0.0.1:{port}");
    let engine = format!("hub.engine=\"{plain}\"");
    let address = format!("hub.address=\"{}\"", REMOTE.address);
    let said: Said = run(&home, &[BRIEF, &[&engine, &address]]).output().unwrap().into();
    assert!(said.err.contains("is reached without TLS"), "{}", said.err);
    let record = whole(&home, said);
    let cautions = &record.provenance.hub.cautions;
    assert!(cautions.iter().any(|said| said.contains(&plain)), "{cautions:?}");
    let mut doctor = home.command(["doctor", "--hub", &plain]);
    let said: Said = REMOTE.prepare(&mut doctor).output().unwrap().into();
    assert!(said.out.contains("not encrypted"), "{}", said.out);
}
