//! What is refused, and how: engines that are not there, machines that are too small, profiles and
//! records that are wrong, output that nobody takes.

use std::{
    fs::{self, File, Permissions},
    io::Read,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
    process::{Command, Stdio},
};

use nix::unistd::Uid;
use proptest::prelude::*;

use crate::support_faults::{Answer, Bench, NO_ENGINE, SHORT, finished, is_record, program};

/// A profile that needs an engine.
const ON_AN_ENGINE: &str = "study-latency-users-quick";
/// The smallest run.
const SMALL: &[&str] =
    &["--set", "workload.users=2", "--set", "workload.messages=1", "--set", "run.baseline='0 s'"];

#[test]
fn no_engine() {
    let bench = Bench::new();
    let answer = bench.answer(&["run", ON_AN_ENGINE, "-q"]);
    answer.says(1, &[NO_ENGINE, "there is no such socket", "start it", "install it"]);
    assert_eq!(bench.record_file(), None, "a run that did not begin has no record");
    let elsewhere = format!("hub.engine=\"{NO_ENGINE}\"");
    bench.answer(&["run", ON_AN_ENGINE, "-q", "--set", &elsewhere]).says(1, &[NO_ENGINE]);
    bench.answer(&["clean", "--hub", NO_ENGINE]).says(1, &[NO_ENGINE]);
    bench.answer(&["images", "list", "--hub", NO_ENGINE]).says(1, &[NO_ENGINE]);
    bench.answer(&["clean"]).says(0, &["containers not looked for", NO_ENGINE]);
}

#[test]
fn the_doctor_says_what_a_run_would_fail_of() {
    let bench = Bench::new();
    let answer = bench.answer(&["doctor", ON_AN_ENGINE]);
    answer.says(1, &[]);
    for words in ["fail", "no Docker engine answers", NO_ENGINE, "start it"] {
        assert!(answer.stdout.contains(words), "{words}: {}", answer.stdout);
    }
    let answer = bench.answer(&["doctor", ON_AN_ENGINE, "--format", "json"]);
    answer.says(1, &[]);
    let checks: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
    let engine = checks.as_array().unwrap().iter().find(|one| one["subject"] == "engine").unwrap();
    assert_eq!(engine["finding"], "fail");
    assert!(engine["advice"].as_str().unwrap().contains("install it"), "{engine}");
    // The built-in broker needs no engine.
    let answer = bench.answer(&["doctor", "first-look"]);
    answer.says(0, &[]);
    assert!(answer.stdout.contains("file descriptors here"), "{}", answer.stdout);
    bench.answer(&["doctor", "no-such-profile"]).says(2, &["no-such-profile"]);
}

#[test]
fn a_socket_that_nobody_listens_on() {
    let bench = Bench::new();
    let socket = bench.path("engine.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let mut command = bench.command(program());
    command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    let answer = Answer::of(command.args(["run", ON_AN_ENGINE, "-q"]));
    answer.says(1, &["engine.sock", "nothing listens on it", "start it"]);
}

#[test]
fn no_permission_on_the_socket() {
    let bench = Bench::new();
    let socket = bench.path("engine.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let closed = if Uid::effective().is_root() { 0o600 } else { 0o000 };
    fs::set_permissions(&socket, Permissions::from_mode(closed)).unwrap();
    let mut command = as_nobody(&bench);
    command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    let answer = Answer::of(command.args(["run", ON_AN_ENGINE, "-q"]));
    answer.says(1, &["no permission", "engine.sock", "docker group"]);
}

/// The program run by somebody to whom permissions apply.
fn as_nobody(bench: &Bench) -> Command {
    if !Uid::effective().is_root() {
        return bench.command(program());
    }
    // The program's own folder may be closed to others.
    let copy = bench.path("hubmark");
    fs::copy(program(), &copy).unwrap();
    fs::set_permissions(bench.path(""), Permissions::from_mode(0o755)).unwrap();
    let mut command = bench.command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(copy);
    command
}

#[test]
fn addresses_of_engines_that_cannot_be_used() {
    let bench = Bench::new();
    let cases = [
        ("ssh+x://hub", "ssh+x://", "unix:///path/to/docker.sock"),
        ("/var/run/docker.sock", "no scheme", "unix:///path/to/docker.sock"),
        ("unix://docker.sock", "absolute", "unix:///path"),
        ("tcp://hub:port", "tcp://HOST:PORT", "without user or path"),
    ];
    for (address, what, instead) in cases {
        let mut command = bench.command(program());
        command.env("DOCKER_HOST", address).args(["run", ON_AN_ENGINE, "-q"]);
        Answer::of(&mut command).says(1, &[address, what, instead]);
        bench.answer(&["clean", "--hub", address]).says(1, &[address, what, instead]);
    }
}

#[test]
fn too_few_file_descriptors_are_refused_with_both_numbers() {
    let bench = Bench::new();
    let limited = |users: u32| {
        let mut command = bench.command("sh");
        command.args(["-c", "ulimit -Sn 256 && ulimit -Hn 256 && exec \"$0\" \"$@\"", program()]);
        command.args(["run", "first-look", "-q"]).args(SMALL);
        Answer::of(command.args(["--set", &format!("workload.users={users}")]))
    };
    let answer = limited(100);
    answer.says(1, &["100 users", "628 file descriptors", "may open 256", "ulimit -n 628"]);
    assert_eq!(bench.record_file(), None, "refused before anything began");
    let (_, rest) = answer.stderr.split_once("at most ").unwrap();
    let possible = rest.split_once(' ').unwrap().0.parse().unwrap();
    limited(possible).says(0, &[]);
}

#[test]
fn settings_that_the_client_refuses_are_told_all_at_once_before_the_engine_is_asked() {
    let bench = Bench::new();
    let sets = [
        "kafka.producer.\"no.such.thing\"=1",
        "kafka.producer.\"linger.ms\"=\"soon\"",
        "kafka.consumer.\"fetch.min.byte\"=1",
    ];
    let mut arguments = vec!["run", ON_AN_ENGINE, "-q"];
    arguments.extend(sets.iter().flat_map(|set| ["--set", set]));
    let answer = bench.answer(&arguments);
    answer.says(2, &["producer.no.such.thing", "producer.linger.ms = soon", "fetch.min.byte"]);
    assert!(!answer.stderr.contains(NO_ENGINE), "{}", answer.stderr);
    let own = ["run", "first-look", "-q", "--set", "builtin.producer.\"no.such.thing\"=1"];
    bench.answer(&own).says(2, &["producer.no.such.thing"]);
    assert_eq!(bench.record_file(), None);
}

#[test]
fn profiles_that_are_wrong_are_refused_with_their_lines() {
    let bench = Bench::new();
    let file = bench.path("mine.toml");
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
        bench.answer(&arguments).says(2, &[&both[0], &both[1], "users"]);
    }
    fs::write(&file, "backend = [").unwrap();
    bench.answer(&["run", file.to_str().unwrap()]).says(2, &["mine.toml:1"]);
    fs::write(&file, [0xff, 0xfe, 0x00]).unwrap();
    let answer = bench.answer(&["run", file.to_str().unwrap()]);
    answer.says(2, &["mine.toml", "UTF-8"]);
    bench.answer(&["run", "frist-look"]).says(2, &["frist-look", "did you mean first-look?"]);
    bench.answer(&["run", "first-look", "--set", "workload.user=3"]).says(2, &["users"]);
    bench.answer(&["run", "first-look", "--set", "nonsense"]).says(2, &["nonsense"]);
    bench.answer(&["profiles", "show", "frist-look"]).says(2, &["did you mean first-look?"]);
    bench.answer(&["run", "/"]).says(2, &["/"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbage_is_a_bad_profile_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..900) {
        let bench = Bench::new();
        let file = bench.path("garbage.toml");
        let mut text = fs::read("profiles/first-look.toml").unwrap();
        text.truncate(cut);
        text.extend(bytes);
        fs::write(&file, text).unwrap();
        let answer = bench.answer(&["profiles", "check", file.to_str().unwrap()]);
        prop_assert!(matches!(answer.status.code(), Some(0 | 2)), "{answer:?}");
        prop_assert!(!answer.stderr.contains("panicked"), "{}", answer.stderr);
    }
}

#[test]
fn records_that_cannot_be_read_say_why() {
    let bench = Bench::new();
    let cases = [
        ("newer.json", "{\"schema\": 99}", "newer hubmark (schema 99"),
        ("none.json", "seventeen", "not a hubmark record"),
        ("half.json", "{\"schema\": 1, \"run\": ", "not a hubmark record"),
        ("other.json", "[]", "not a hubmark record"),
        ("empty.json", "", "not a hubmark record"),
    ];
    for (name, content, why) in cases {
        let file = bench.path(name);
        fs::write(&file, content).unwrap();
        let file = file.to_str().unwrap();
        bench.answer(&["records", "show", file]).says(1, &[name, why]);
        let resumed = ["run", "first-look", "-q", "--resume", file];
        bench.answer(&resumed).says(1, &["nothing to go on with", name, why]);
        bench.answer(&["records", "remove", file]).says(1, &["was not removed", name]);
        assert_eq!(fs::read_to_string(file).unwrap(), content, "left as it was");
    }
    let missing = bench.path("missing.json");
    let missing = missing.to_str().unwrap();
    bench.answer(&["records", "show", missing]).says(1, &[missing, "No such file"]);
    let resumed = ["run", "first-look", "-q", "--resume", missing];
    let answer = bench.answer(&resumed);
    answer.says(1, &[missing, "No such file"]);
    assert_eq!(answer.stderr.matches("No such file").count(), 1, "{}", answer.stderr);
}

#[test]
fn a_record_of_another_plan_is_not_gone_on_with() {
    let bench = Bench::new();
    let file = bench.path("records/mine.json");
    let file = file.to_str().unwrap();
    let run = |place: &str, more: &[&str]| {
        bench.answer(&[&["run", "first-look", "-q", place, file], SMALL, more].concat())
    };
    run("--out", &[]).says(0, &[]);
    let record = bench.record();
    let others = ["--set", "run.seed=7", "--set", "workload.users=6"];
    let differences = ["plan.seed: 42 in the record, 7 now", "plan.points[0].workload.users"];
    let answer = run("--resume", &others);
    answer.says(1, &[&["cannot resume", file, "start a new run"], &differences[..]].concat());
    let answer = bench.answer(&["run", "-q", "--resume", file, "--set", "run.seed=7"]);
    answer.says(1, &["cannot resume", differences[0]]);
    run("--out", &[]).says(1, &[file, "exists already", "--resume"]);
    bench.answer(&["run", "--resume", file, "--out", file]).says(2, &["--out"]);
    assert_eq!(bench.record(), record, "left as it was");
    run("--resume", &[]).says(0, &[]);
    bench.answer(&["run", "-q", "--resume", file]).says(0, &[]);
}

#[test]
fn a_record_of_another_hub_client_or_program_is_not_gone_on_with() {
    let bench = Bench::new();
    let file = bench.path("records/mine.json");
    let name = file.to_str().unwrap();
    bench.answer(&[&["run", "first-look", "-q", "--out", name], SMALL].concat()).says(0, &[]);
    let text = fs::read_to_string(&file).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(&text).unwrap();
    record["provenance"]["hub"]["kernel"] = "2.4.0".into();
    record["provenance"]["client"]["cores"] = 1_024.into();
    record["hubmark"]["version"] = "0.0.0".into();
    let text = record.to_string();
    fs::write(&file, &text).unwrap();
    bench.answer(&["run", "-q", "--resume", name]).says(
        1,
        &[
            "hub.kernel: 2.4.0 in the record",
            "client.cores: 1024 in the record",
            "hubmark.version: 0.0.0 in the record",
        ],
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), text, "left as it was");
}

#[test]
fn a_place_where_no_record_can_be_is_told_before_anything_is_started() {
    let bench = Bench::new();
    fs::write(bench.path("file"), "").unwrap();
    let inside = bench.path("file/record.json");
    for out in [inside.to_str().unwrap(), "/proc/record.json"] {
        let answer = bench.answer(&[&["run", "first-look", "-q", "--out", out], SMALL].concat());
        answer.says(1, &["could not be saved", out, "--out FILE"]);
        assert_eq!(answer.stdout, "");
    }
    // Whatever is there is not replaced, least of all a device.
    let device =
        bench.answer(&[&["run", "first-look", "-q", "--out", "/dev/null"], SMALL].concat());
    device.says(1, &["/dev/null", "exists already"]);
}

#[test]
fn a_disk_that_fills_up_loses_nothing() {
    let bench = Bench::new();
    let records = bench.path("records");
    let Some(_disk) = SmallDisk::mount(&records) else {
        eprintln!("skipped: only root can make a small disk");
        return;
    };
    let load = [SHORT, &["run.repetitions=14"]].concat();
    let answer = bench.run("first-look", &load).end();
    answer.says(0, &["could not be saved", "No space left on device", "it was saved as"]);
    assert!(answer.stdout.contains("delivery"), "the result is told: {}", answer.stdout);
    assert!((1..14).contains(&finished(&bench.record()).len()), "what fitted is still there");
    assert_eq!(fs::read_dir(&records).unwrap().count(), 1, "no half-written file is left");
    let files = fs::read_dir(bench.path("state")).unwrap().map(|file| file.unwrap().path());
    let kept: Vec<_> = files.filter(|file| file.extension().is_some_and(|e| e == "json")).collect();
    assert_eq!(finished(&hubmark::record::store::load(&kept[0]).unwrap()).len(), 14);
    assert!(answer.stdout.contains(&kept[0].display().to_string()), "{}", answer.stdout);
    assert_eq!(bench.folders().len(), 0);
}

/// A disk of a few repetitions' size.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=64k", "none"]).arg(at);
        let mounted = Uid::effective().is_root() && command.status().is_ok_and(|s| s.success());
        mounted.then_some(Self(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn readers_that_leave_early_are_no_failure() {
    let bench = Bench::new();
    for arguments in [
        ["profiles", "list"].as_slice(),
        &["profiles", "show", "first-look"],
        &["completions", "bash"],
        &["man"],
        &["--help"],
        &["run", "first-look", "--dry-run"],
        &[&["run", "first-look"], SMALL].concat(),
    ] {
        let mut child = bench
            .command(program())
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        // Not to be waited for before it is read: a full pipe would stop it.
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

#[test]
fn progress_that_nobody_reads_does_not_end_a_run() {
    let bench = Bench::new();
    let mut command = bench.command(program());
    command.args(["run", "first-look"]).args(SMALL).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(finished(&bench.record()).len(), 1);
}

#[test]
fn a_result_that_cannot_be_printed_is_in_the_record() {
    let bench = Bench::new();
    let mut command = bench.command(program());
    command.args(["run", "first-look", "-q"]).args(SMALL);
    command.stdout(File::options().write(true).open("/dev/full").unwrap()).stderr(Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let file = bench.record_file().unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    for words in ["could not be printed", "No space left", file.to_str().unwrap()] {
        assert!(stderr.contains(words), "{words:?} is missing in {stderr}");
    }
    assert!(is_record(&file));
}

#[test]
fn the_screen_without_a_terminal_names_the_other_way() {
    Bench::new().answer(&[]).says(2, &["needs a terminal", "hubmark run"]);
}

#[test]
fn no_home_is_no_failure_where_folders_are_named() {
    let bench = Bench::new();
    let mut command = bench.command(program());
    command.env_remove("HOME").args(["run", "first-look", "-q"]).args(SMALL);
    Answer::of(&mut command).says(0, &[]);
    assert_eq!(finished(&bench.record()).len(), 1);
}
