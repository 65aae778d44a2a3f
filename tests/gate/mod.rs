//! A gate before a Docker engine's socket: everything passes as it is, but before a container is
//! removed, a test may look into it. So a second reader can count what a server holds after the
//! run has done all its work, without a race and without a word to hubmark. And before a container
//! is made, a test may change what is asked for.
#![allow(dead_code, reason = "each test file takes what it needs")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

pub mod look;

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    panic::catch_unwind,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
};

const ENGINE: &str = "/var/run/docker.sock";
const ROLE: &str = "hubmark.role";
/// The role of a container that is no server: one that answers while the way to it is measured.
const PATH: &str = "path";

/// Looks into the container with this identity; what it returns is kept.
type Look = fn(container: &str) -> u64;

/// Changes the body of a request for a container.
pub type Change = Box<dyn Fn(&mut serde_json::Value) + Send + Sync>;

/// How the gate is kept.
struct Keeper {
    look: Look,
    /// Whether containers that have ended are looked into, too.
    dead: bool,
    change: Option<Change>,
    seen: Seen,
}

/// What was seen, with the run that the container belonged to.
type Seen = Arc<Mutex<Vec<(String, u64)>>>;

/// The open gate.
pub struct Gate {
    socket: PathBuf,
    seen: Seen,
}

impl Gate {
    /// Opens a socket in `folder` that leads to the engine.
    pub fn open(folder: &Path, look: Look) -> Self {
        Self::kept(folder, look, false, None)
    }

    /// The same, for a test in which servers end; `change` is made to every container asked for.
    pub fn open_to_the_dead(folder: &Path, look: Look, change: Option<Change>) -> Self {
        Self::kept(folder, look, true, change)
    }

    fn kept(folder: &Path, look: Look, dead: bool, change: Option<Change>) -> Self {
        let socket = folder.join("gate.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let seen = Seen::default();
        let keeper = Arc::new(Keeper { look, dead, change, seen: Arc::clone(&seen) });
        thread::spawn(move || {
            for client in listener.incoming() {
                let keeper = Arc::clone(&keeper);
                thread::spawn(move || pass(client.unwrap(), &keeper));
            }
        });
        Self { socket, seen }
    }

    /// The engine's address through the gate.
    pub fn engine(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// What was seen in the containers of a run before they were removed.
    pub fn seen(&self, run: &str) -> Vec<u64> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|(of, _)| of == run).map(|(_, figure)| *figure).collect()
    }
}

/// Passes on what client and engine say to each other.
fn pass(client: UnixStream, keeper: &Keeper) {
    let engine = UnixStream::connect(ENGINE).unwrap();
    let (mut answers, mut back) = (engine.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || {
        let _ = io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let (mut client, mut engine) = (client, engine);
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        let mut request = buffer[..length].to_vec();
        if let Some(container) = removed(&request) {
            // What a look comes to must not keep the request from the engine.
            let (look, dead) = (keeper.look, keeper.dead);
            let figure = catch_unwind(|| Some((run_of(&container, dead)?, look(&container))));
            keeper.seen.lock().unwrap().extend(figure.ok().flatten());
        }
        if let Some(change) = keeper.change.as_ref().filter(|_| creates(&request)) {
            request = changed(request, &mut client, change);
        }
        if engine.write_all(&request).is_err() {
            break;
        }
    }
    let _ = engine.shutdown(Shutdown::Write);
}

/// The container that a request asks to remove.
fn removed(request: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(request.split(|&byte| byte == b'\r').next()?);
    let path = line.strip_prefix("DELETE ")?.split_once("/containers/")?.1;
    Some(path.split(['?', ' ']).next()?.to_owned())
}

/// Whether a request asks for a container.
fn creates(request: &[u8]) -> bool {
    let line = request.split(|&byte| byte == b'\r').next().unwrap_or_default();
    line.starts_with(b"POST ") && String::from_utf8_lossy(line).contains("/containers/create")
}

/// A request with another body; what of it has not come yet is waited for.
fn changed(mut request: Vec<u8>, client: &mut UnixStream, change: &Change) -> Vec<u8> {
    const END: &[u8] = b"\r\n\r\n";
    let head = request.windows(END.len()).position(|piece| piece == END).unwrap() + END.len();
    let lines = String::from_utf8(request[..head].to_vec()).unwrap();
    let is_length = |line: &&str| line.to_lowercase().starts_with("content-length:");
    let length: usize = {
        let line = lines.lines().find(is_length).expect("a body of a known length");
        line.split_once(':').unwrap().1.trim().parse().unwrap()
    };
    let mut body = request.split_off(head);
    let came = body.len();
    body.resize(length, 0);
    client.read_exact(&mut body[came..]).unwrap();
    let mut value: serde_json::Value = serde_json::from_slice(&body).unwrap();
    if value["Labels"][ROLE] != PATH {
        change(&mut value);
    }
    let body = serde_json::to_vec(&value).unwrap();
    let mut changed = Vec::new();
    for line in lines.lines().filter(|line| !line.is_empty() && !is_length(line)) {
        changed.extend_from_slice(format!("{line}\r\n").as_bytes());
    }
    changed.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    changed.extend_from_slice(&body);
    changed
}

/// The run of a container; `None` when it does not run, as one that was given up before it did, or
/// one that somebody else has just removed, and of one that is no server. With `dead`, it may have
/// ended after it was started.
fn run_of(container: &str, dead: bool) -> Option<String> {
    let state =
        if dead { "ne .State.StartedAt \"0001-01-01T00:00:00Z\"" } else { ".State.Running" };
    let format = format!(
        "{{{{if and ({state}) (ne (index .Config.Labels \"{ROLE}\") \"{PATH}\")}}}}\
         {{{{index .Config.Labels \"hubmark.run\"}}}}{{{{end}}}}"
    );
    let output = command(&["inspect", "--format", &format, container]);
    let run = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!run.is_empty()).then_some(run)
}

fn command(arguments: &[&str]) -> Output {
    let mut docker = Command::new("docker");
    docker.args(arguments).stdin(Stdio::null()).output().expect("the docker program")
}

/// What a docker command printed.
pub fn docker(arguments: &[&str]) -> Vec<u8> {
    let output = command(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
