//! Refused requests and their messages: missing engines, too small machines, invalid profiles and
//! records, output that cannot be written.

use std::{
    fs::{self, File, Permissions},
    io::Read,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    process::{Command, Stdio},
};

use hubmark::record::{RecordStatus, store};
use nix::unistd::Uid;
use proptest::prelude::*;

use crate::support::{
    loads::MANY_REPETITIONS,
    process::{ProgramOutput, program},
    records::finished,
    sandbox::{NO_ENGINE, Sandbox},
    tmpfs::TmpfsMount,
};

/// A profile that needs an engine.
const ENGINE_PROFILE: &str = "footprint";
/// Arguments for the smallest run.
const SMALLEST: &[&str] =
    &["--set", "workload.users=2", "--set", "workload.messages=1", "--set", "run.baseline='0 s'"];

#[test]
fn a_missing_engine_is_reported() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(["run", ENGINE_PROFILE, "-q"]);
    output.reports(1, &[NO_ENGINE, "there is no such socket", "start it", "install it"]);
    assert_eq!(sandbox.record_file(), None, "a run that did not begin has no record");
    let elsewhere = format!("hub.engine=\"{NO_ENGINE}\"");
    sandbox.run(["run", ENGINE_PROFILE, "-q", "--set", &elsewhere]).reports(1, &[NO_ENGINE]);
    sandbox.run(["clean", "--hub", NO_ENGINE]).reports(1, &[NO_ENGINE]);
    sandbox.run(["images", "list", "--hub", NO_ENGINE]).reports(1, &[NO_ENGINE]);
    sandbox.run(["clean"]).reports(0, &["containers were not checked", NO_ENGINE]);
}

#[test]
fn the_doctor_names_what_a_run_would_fail_of() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(["doctor", ENGINE_PROFILE]);
    output.reports(1, &[]);
    for words in ["fail", "no Docker engine answers", NO_ENGINE, "start it"] {
        assert!(output.stdout.contains(words), "{words}: {}", output.stdout);
    }
    let output = sandbox.run(["doctor", ENGINE_PROFILE, "--format", "json"]);
    output.reports(1, &[]);
    let checks: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let engine = checks.as_array().unwrap().iter().find(|one| one["subject"] == "engine").unwrap();
    assert_eq!(engine["finding"], "fail");
    assert!(engine["advice"].as_str().unwrap().contains("install it"), "{engine}");
    // The built-in broker needs no engine.
    let output = sandbox.run(["doctor", "first-look"]);
    output.reports(0, &[]);
    assert!(output.stdout.contains("file descriptors here"), "{}", output.stdout);
    sandbox.run(["doctor", "no-such-profile"]).reports(2, &["no-such-profile"]);
}

#[test]
fn a_socket_without_a_listener_is_reported() {
    let sandbox = Sandbox::new();
    let socket = sandbox.path("engine.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let mut command = sandbox.program();
    command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    let output = ProgramOutput::of(command.args(["run", ENGINE_PROFILE, "-q"]));
    output.reports(1, &["engine.sock", "nothing listens on it", "start it"]);
}

#[test]
fn a_socket_without_permission_is_reported() {
    let sandbox = Sandbox::new();
    let socket = sandbox.path("engine.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let closed = if Uid::effective().is_root() { 0o600 } else { 0o000 };
    fs::set_permissions(&socket, Permissions::from_mode(closed)).unwrap();
    let mut command = unprivileged(&sandbox);
    command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    let output = ProgramOutput::of(command.args(["run", ENGINE_PROFILE, "-q"]));
    output.reports(1, &["no permission", "engine.sock", "docker group"]);
}

/// The program run by a user without the privileges of root.
fn unprivileged(sandbox: &Sandbox) -> Command {
    if !Uid::effective().is_root() {
        return sandbox.program();
    }
    // Other users may not enter the program's folder.
    let copy = sandbox.path("hubmark");
    fs::copy(program(), &copy).unwrap();
    fs::set_permissions(sandbox.path(""), Permissions::from_mode(0o755)).unwrap();
    let mut command = sandbox.other_command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(copy);
    command
}

#[test]
fn unusable_engine_addresses_are_refused_with_an_example() {
    let sandbox = Sandbox::new();
    let cases = [
        ("ssh+x://hub", "ssh+x://", "unix:///path/to/docker.sock"),
        ("/var/run/docker.sock", "no scheme", "unix:///path/to/docker.sock"),
        ("unix://docker.sock", "absolute", "unix:///path"),
        ("tcp://hub:port", "tcp://HOST:PORT", "without user or path"),
    ];
    for (address, what, instead) in cases {
        let mut command = sandbox.program();
        command.env("DOCKER_HOST", address).args(["run", ENGINE_PROFILE, "-q"]);
        ProgramOutput::of(&mut command).reports(1, &[address, what, instead]);
        sandbox.run(["clean", "--hub", address]).reports(1, &[address, what, instead]);
    }
}

#[test]
fn too_few_file_descriptors_are_refused_with_both_numbers() {
    let sandbox = Sandbox::new();
    let limited = |users: u32| {
        let mut command = sandbox.other_command("sh");
        command.args(["-c", "ulimit -Sn 256 && ulimit -Hn 256 && exec \"$0\" \"$@\"", program()]);
        command.args(["run", "first-look", "-q"]).args(SMALLEST);
        ProgramOutput::of(command.args(["--set", &format!("workload.users={users}")]))
    };
    let output = limited(300);
    output.reports(1, &["300 users", "428 file descriptors", "may open 256", "ulimit -n 428"]);
    assert_eq!(sandbox.record_file(), None, "refused before anything began");
    let (_, rest) = output.stderr.split_once("at most ").unwrap();
    let possible = rest.split_once(' ').unwrap().0.parse().unwrap();
    limited(possible).reports(0, &[]);
}

#[test]
fn all_settings_that_the_client_refuses_are_listed_before_the_engine_is_used() {
    let sandbox = Sandbox::new();
    let sets = [
        "kafka.producer.\"no.such.thing\"=1",
        "kafka.producer.\"linger.ms\"=\"soon\"",
        "kafka.consumer.\"fetch.min.byte\"=1",
    ];
    let mut arguments = vec!["run", ENGINE_PROFILE, "-q"];
    arguments.extend(sets.iter().flat_map(|set| ["--set", set]));
    let output = sandbox.run(arguments);
    output.reports(2, &["producer.no.such.thing", "producer.linger.ms = soon", "fetch.min.byte"]);
    assert!(!output.stderr.contains(NO_ENGINE), "{}", output.stderr);
    let own = ["run", "first-look", "-q", "--set", "builtin.producer.\"no.such.thing\"=1"];
    sandbox.run(own).reports(2, &["producer.no.such.thing"]);
    assert_eq!(sandbox.record_file(), None);
}

#[test]
fn invalid_profiles_are_refused_with_their_lines() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("mine.toml");
    let text = fs::read_to_string("profiles/first-look.toml").unwrap();
    let line = |wanted: &str| {
        let index = text.lines().position(|line| line.contains(wanted)).unwrap();
        format!("{}:{}", file.display(), index + 1)
    };
    let wrong = text.replace("users = 100", "usres = 100").replace("seed = 42", "seed = \"dice\"");
    fs::write(&file, wrong).unwrap();
    for command in [["run"].as_slice(), &["profiles", "check"]] {
        let arguments = [command, &[file.to_str().unwrap()]].concat();
        let both = [line("users = 100"), line("seed = 42")];
        sandbox.run(arguments).reports(2, &[&both[0], &both[1], "users"]);
    }
    fs::write(&file, "backend = [").unwrap();
    sandbox.run(["run", file.to_str().unwrap()]).reports(2, &["mine.toml:1"]);
    fs::write(&file, [0xff, 0xfe, 0x00]).unwrap();
    let output = sandbox.run(["run", file.to_str().unwrap()]);
    output.reports(2, &["mine.toml", "UTF-8"]);
    sandbox.run(["run", "frist-look"]).reports(2, &["frist-look", "did you mean first-look?"]);
    sandbox.run(["run", "first-look", "--set", "workload.user=3"]).reports(2, &["users"]);
    sandbox.run(["run", "first-look", "--set", "nonsense"]).reports(2, &["nonsense"]);
    sandbox.run(["profiles", "show", "frist-look"]).reports(2, &["did you mean first-look?"]);
    sandbox.run(["run", "/"]).reports(2, &["/"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbage_is_an_invalid_profile_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..900) {
        let sandbox = Sandbox::new();
        let file = sandbox.path("garbage.toml");
        let mut text = fs::read("profiles/first-look.toml").unwrap();
        text.truncate(cut);
        text.extend(bytes);
        fs::write(&file, text).unwrap();
        let output = sandbox.run(["profiles", "check", file.to_str().unwrap()]);
        prop_assert!(matches!(output.status, Some(0 | 2)), "{output:?}");
        prop_assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    }
}

#[test]
fn unreadable_records_are_reported_with_the_reason() {
    let sandbox = Sandbox::new();
    let cases = [
        ("newer.json", "{\"schema\": 99}", "newer hubmark (schema 99"),
        ("none.json", "seventeen", "not a hubmark record"),
        ("half.json", "{\"schema\": 1, \"run\": ", "not a hubmark record"),
        ("other.json", "[]", "not a hubmark record"),
        ("empty.json", "", "not a hubmark record"),
    ];
    for (name, content, why) in cases {
        let file = sandbox.path(name);
        fs::write(&file, content).unwrap();
        let file = file.to_str().unwrap();
        sandbox.run(["records", "show", file]).reports(1, &[name, why]);
        let resumed = ["run", "first-look", "-q", "--resume", file];
        sandbox.run(resumed).reports(1, &["could not be loaded", name, why]);
        sandbox.run(["records", "remove", file]).reports(1, &["was not removed", name]);
        assert_eq!(fs::read_to_string(file).unwrap(), content, "the record is unchanged");
    }
    let missing = sandbox.path("missing.json");
    let missing = missing.to_str().unwrap();
    sandbox.run(["records", "show", missing]).reports(1, &[missing, "No such file"]);
    let resumed = ["run", "first-look", "-q", "--resume", missing];
    let output = sandbox.run(resumed);
    output.reports(1, &[missing, "No such file"]);
    assert_eq!(output.stderr.matches("No such file").count(), 1, "{}", output.stderr);
}

#[test]
fn a_record_of_another_plan_is_not_resumed() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("records/mine.json");
    let file = file.to_str().unwrap();
    let run = |option: &str, more: &[&str]| {
        sandbox.run([&["run", "first-look", "-q", option, file], SMALLEST, more].concat())
    };
    run("--out", &[]).reports(0, &[]);
    let record = sandbox.record();
    let others = ["--set", "run.seed=7", "--set", "workload.users=6"];
    let differences = ["plan.seed: 42 in the record, 7 now", "plan.points[0].workload.users"];
    let output = run("--resume", &others);
    output.reports(1, &[&["cannot resume", file, "start a new run"], &differences[..]].concat());
    let output = sandbox.run(["run", "-q", "--resume", file, "--set", "run.seed=7"]);
    output.reports(1, &["cannot resume", differences[0]]);
    run("--out", &[]).reports(1, &[file, "exists already", "--resume"]);
    sandbox.run(["run", "--resume", file, "--out", file]).reports(2, &["--out"]);
    assert_eq!(sandbox.record(), record, "the record is unchanged");
    run("--resume", &[]).reports(0, &[]);
    sandbox.run(["run", "-q", "--resume", file]).reports(0, &[]);
}

#[test]
fn a_record_of_another_hub_client_or_version_is_not_resumed() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("records/mine.json");
    let name = file.to_str().unwrap();
    sandbox.run([&["run", "first-look", "-q", "--out", name], SMALLEST].concat()).reports(0, &[]);
    let text = fs::read_to_string(&file).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(&text).unwrap();
    record["provenance"]["hub"]["kernel"] = "2.4.0".into();
    record["provenance"]["client"]["cores"] = 1_024.into();
    record["hubmark"]["version"] = "0.0.0".into();
    let text = record.to_string();
    fs::write(&file, &text).unwrap();
    sandbox.run(["run", "-q", "--resume", name]).reports(
        1,
        &[
            "hub.kernel: 2.4.0 in the record",
            "client.cores: 1024 in the record",
            "hubmark.version: 0.0.0 in the record",
        ],
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), text, "the record is unchanged");
}

#[test]
fn an_unwritable_record_path_is_refused_before_anything_is_started() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("file"), "").unwrap();
    let inside = sandbox.path("file/record.json");
    for out in [inside.to_str().unwrap(), "/proc/record.json"] {
        let output = sandbox.run([&["run", "first-look", "-q", "--out", out], SMALLEST].concat());
        output.reports(1, &["could not be saved", out, "--out FILE"]);
        assert_eq!(output.stdout, "");
    }
    // Neither an existing file nor a device is replaced.
    let device =
        sandbox.run([&["run", "first-look", "-q", "--out", "/dev/null"], SMALLEST].concat());
    device.reports(1, &["/dev/null", "exists already"]);
}

#[test]
fn a_full_disk_loses_no_repetition() {
    let sandbox = Sandbox::new();
    let records = sandbox.path("records");
    let Some(_disk) = TmpfsMount::new(&records, "32k") else {
        eprintln!("skipped: only root can make a small disk");
        return;
    };
    let load = [MANY_REPETITIONS, &["run.repetitions=14"]].concat();
    let output = sandbox.start_run("first-look", &load).wait();
    output.reports(0, &["could not be saved", "No space left on device", "it was saved as"]);
    assert!(output.stdout.contains("delivery"), "the result is printed: {}", output.stdout);
    assert!((1..14).contains(&finished(&sandbox.record()).len()), "what fitted is saved");
    assert_eq!(fs::read_dir(&records).unwrap().count(), 1, "no half-written file is left");
    let files = fs::read_dir(sandbox.path("state")).unwrap().map(|file| file.unwrap().path());
    let saved: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|e| e == "json")).collect();
    assert_eq!(finished(&store::load(&saved[0]).unwrap()).len(), 14);
    assert!(output.stdout.contains(&saved[0].display().to_string()), "{}", output.stdout);
    assert_eq!(sandbox.server_folders().len(), 0);
}

#[test]
fn a_disk_without_room_for_a_second_copy_holds_the_whole_record_in_its_journal() {
    let sandbox = Sandbox::new();
    let records = sandbox.path("records");
    let Some(_disk) = TmpfsMount::new(&records, "64k") else {
        eprintln!("skipped: only root can make a small disk");
        return;
    };
    let load = [MANY_REPETITIONS, &["run.repetitions=10"]].concat();
    let output = sandbox.start_run("first-look", &load).wait();
    output.reports(0, &["No space left on device", "is complete", "under the key journal"]);
    assert_eq!(fs::read_dir(&records).unwrap().count(), 1, "no half-written file is left");
    let record = sandbox.record();
    assert_eq!((finished(&record).len(), record.status), (10, RecordStatus::Complete));
    assert_eq!(record.points[0].summary.as_ref().map(|summary| summary.repetitions), Some(10));
    let file = sandbox.record_file().unwrap();
    let shown = sandbox.run(["records", "show", file.to_str().unwrap()]).exits_with(0).stdout;
    assert!(shown.contains("complete · 10 of 10 repetitions"), "{shown}");
}

#[test]
fn a_closed_output_pipe_is_no_failure() {
    let sandbox = Sandbox::new();
    for arguments in [
        ["profiles", "list"].as_slice(),
        &["profiles", "show", "first-look"],
        &["completions", "bash"],
        &["man"],
        &["--help"],
        &["run", "first-look", "--dry-run"],
        &[&["run", "first-look"], SMALLEST].concat(),
    ] {
        let mut child = sandbox
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        // Read before waiting: a full pipe would stop the program.
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

#[test]
fn a_closed_progress_pipe_does_not_end_a_run() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(["run", "first-look"]);
    command.args(SMALLEST).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(finished(&sandbox.record()).len(), 1);
}

#[test]
fn a_result_that_cannot_be_printed_is_in_the_record() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(["run", "first-look", "-q"]);
    command.args(SMALLEST);
    command.stdout(File::options().write(true).open("/dev/full").unwrap()).stderr(Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let file = sandbox.record_file().unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    for words in ["could not be printed", "No space left", file.to_str().unwrap()] {
        assert!(stderr.contains(words), "{words:?} is missing in {stderr}");
    }
    assert!(store::load(&file).is_ok());
}

#[test]
fn the_screen_without_a_terminal_names_the_run_command() {
    Sandbox::new().run([""; 0]).reports(2, &["needs a terminal", "hubmark run"]);
}

#[test]
fn a_missing_home_is_no_failure_when_all_folders_are_given() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.program();
    command.env_remove("HOME").args(["run", "first-look", "-q"]).args(SMALLEST);
    ProgramOutput::of(&mut command).reports(0, &[]);
    assert_eq!(finished(&sandbox.record()).len(), 1);
}
