//! Docker's own command-line client, independent of hubmark's client.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

/// The socket of this machine's engine.
pub const LOCAL_SOCKET: &str = "/var/run/docker.sock";

/// Output of a docker command on the engine of the environment.
#[track_caller]
pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("the docker program");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Bytes that a docker command printed on the engine at `socket`.
#[track_caller]
pub fn docker_at(socket: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = try_docker_at(socket, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Runs a docker command on the engine at `socket`.
pub fn try_docker_at(socket: &Path, arguments: &[&str]) -> Output {
    let mut docker = Command::new("docker");
    docker.args(["--host", &unix_address(socket)]).args(arguments);
    docker.stdin(Stdio::null()).output().expect("the docker program")
}

/// The engine address of a socket.
pub fn unix_address(socket: &Path) -> String {
    format!("unix://{}", socket.display())
}

/// A container of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunContainer {
    pub id: String,
    pub role: String,
    pub running: bool,
}

/// Every container of a run, found by its label.
pub fn containers_of_run(run: &str) -> Vec<RunContainer> {
    parse_containers(&docker(&list_arguments(&run_filter(run))))
}

/// Every container of a run on the engine at `socket`.
pub fn containers_of_run_at(socket: &Path, run: &str) -> Vec<RunContainer> {
    let listed = docker_at(socket, &list_arguments(&run_filter(run)));
    parse_containers(&String::from_utf8(listed).unwrap())
}

/// The filter for containers of a run.
pub fn run_filter(run: &str) -> String {
    format!("label=hubmark.run={run}")
}

fn list_arguments(filter: &str) -> [&str; 7] {
    let format = "{{.ID}} {{.Label \"hubmark.role\"}} {{.State}}";
    ["ps", "--all", "--no-trunc", "--filter", filter, "--format", format]
}

fn parse_containers(listed: &str) -> Vec<RunContainer> {
    let container = |line: &str| {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        let [id, role, state] = words.try_into().expect("an id, a role and a state");
        RunContainer { id, role, running: state == "running" }
    };
    listed.lines().map(container).collect()
}

/// Kills the container with `role` of a run.
pub fn kill_container(run: &str, role: &str) {
    let found = containers_of_run(run).into_iter().find(|container| container.role == role);
    docker(&["kill", &found.expect(role).id]);
}
