//! Paths, hubs and numbers as an operator names them: what is meant is said, and nothing waits.

use std::{fs, path::Path};

use nix::{sys::stat::Mode, unistd::mkfifo};

use crate::support::{
    process::{ProgramOutput, program},
    sandbox::Sandbox,
};

/// Seconds after which a program that waits for a pipe is killed: the test then fails by its status.
const KILL_AFTER: &str = "60";

fn make_pipe(path: &Path) {
    mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
}

/// Runs the program, which is killed if it waits.
fn run(sandbox: &Sandbox, arguments: &[&str]) -> ProgramOutput {
    let mut command = sandbox.other_command("timeout");
    ProgramOutput::of(command.args(["-s", "KILL", KILL_AFTER, program()]).args(arguments))
}

#[test]
fn a_named_pipe_among_the_records_is_listed_as_unreadable() {
    let sandbox = Sandbox::new();
    let records = sandbox.path("records");
    make_pipe(&records.join("pipe.json"));
    fs::create_dir(records.join("folder.json")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", records.join("endless.json")).unwrap();
    fs::write(records.join("kept.json"), "{}").unwrap();
    make_pipe(&records.join("kept.label.toml"));
    make_pipe(&sandbox.path("state").join("records-index.json"));
    let output = run(&sandbox, &["records", "list"]).exits_with(0);
    for (name, kind) in [("pipe", "a named pipe"), ("folder", "a folder"), ("endless", "a device")]
    {
        let line = output.stdout.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.contains("unreadable") && line.contains(kind), "{line}");
    }
}

#[test]
fn a_named_pipe_in_place_of_a_file_is_refused_by_name() {
    let sandbox = Sandbox::new();
    let pipe = sandbox.path("pipe.toml");
    make_pipe(&pipe);
    make_pipe(&sandbox.path("records").join("run.json"));
    let profiles = sandbox.path("config").join("profiles");
    fs::create_dir_all(&profiles).unwrap();
    make_pipe(&profiles.join("mine.toml"));
    let name = pipe.to_str().unwrap();
    run(&sandbox, &["profiles", "check", name]).reports(1, &["pipe.toml", "a named pipe"]);
    run(&sandbox, &["run", name, "-q"]).reports(2, &["pipe.toml", "a named pipe"]);
    run(&sandbox, &["records", "show", "run"]).reports(1, &["run.json", "a named pipe"]);
    run(&sandbox, &["compare", "run", "run"]).reports(1, &["run.json", "a named pipe"]);
    let output = run(&sandbox, &["profiles", "list"]).exits_with(0);
    assert!(output.stdout.contains("a named pipe"), "{}", output.stdout);
}

#[test]
fn a_pipe_that_the_shell_hands_over_is_read() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.other_command("sh");
    let script = "\"$0\" profiles show first-look | \"$0\" profiles check /dev/stdin";
    ProgramOutput::of(command.args(["-c", script, program()])).exits_with(0);
}

#[test]
fn a_folder_in_place_of_the_record_s_file_is_refused_before_the_run() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("results");
    fs::create_dir(&folder).unwrap();
    let folder = folder.to_str().unwrap();
    let example = format!("{folder}/record.json");
    let words = [folder, "is a folder", "name the record's file there", &example];
    sandbox.run(["run", "first-look", "--out", folder]).reports(1, &words);
    sandbox.run(["footprint", "mariadb", "--out", folder]).reports(1, &["is a folder"]);
    sandbox.run(["run", "first-look", "--out", "new/"]).reports(1, &["new/ is a folder"]);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
}

#[test]
fn a_file_in_place_of_the_report_s_folder_is_refused() {
    let sandbox = Sandbox::with_profile(1);
    sandbox.run(["run", "mine", "-q", "--set", "run.baseline=0 s"]);
    let file = sandbox.path("file");
    fs::write(&file, "mine").unwrap();
    let output = sandbox.run(["report", "--out", file.to_str().unwrap()]);
    output.reports(1, &["is a file, and a report is a folder", "--out"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn a_hub_on_the_command_line_says_what_it_replaces() {
    let sandbox = Sandbox::new();
    let text = "name = \"remote\"\nbackend = \"kafka:4.4.0\"\n[hub]\nengine = \"ssh://pi\"\n\
                address = \"10.0.0.7\"\n";
    sandbox.save_profile("remote", text);
    let output = sandbox.run(["run", "remote", "--hub", "ssh://box", "--dry-run"]);
    output.reports(0, &["--hub ssh://box replaces hub.engine", "ssh://pi", "hub.address 10.0.0.7"]);
    assert!(output.stdout.contains("ssh://box"), "{}", output.stdout);
    let engine = "hub.engine=ssh://other";
    let output = sandbox.run(["run", "remote", "--hub", "ssh://box", "--set", engine, "--dry-run"]);
    output.reports(2, &["ssh://box", engine, "give only one of the two"]);
    let output = sandbox.run(["run", "remote", "--hub", "docker", "--dry-run"]);
    output.reports(0, &["--hub docker: on hub.engine of the profile, ssh://pi"]);
}

#[test]
fn a_comma_in_a_number_is_refused_with_both_readings() {
    let sandbox = Sandbox::with_profile(1);
    for (change, readings) in [
        ("workload.drain=1,000 ms", ["1000 ms", "1.000 ms"]),
        ("thresholds.\"ack.p50\"=1,000 ms", ["1000 ms", "1.000 ms"]),
        ("workload.users=1,500", ["1500", "1, 500"]),
    ] {
        let output = sandbox.run(["run", "mine", "--dry-run", "--set", change]);
        output.reports(2, &readings);
    }
    let limit = "delivery.p99 > +1,000 ms";
    let output = sandbox.run(["compare", "a", "b", "--fail-if", limit]);
    output.reports(2, &["\"1000 ms\"", "\"1.000 ms\""]);
}
