//! A gate before a Docker engine's socket: everything passes as it is, but before a container is
//! removed, a test may look into it. So a second reader can count what a server holds after the
//! run has done all its work, without a race and without a word to hubmark.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

pub mod look;

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    panic::catch_unwind,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Arc, Mutex},
    thread,
};

const ENGINE: &str = "/var/run/docker.sock";

/// Looks into the container with this identity; what it returns is kept.
type Look = fn(container: &str) -> u64;

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
        let socket = folder.join("gate.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let seen = Seen::default();
        let keep = Arc::clone(&seen);
        thread::spawn(move || {
            for client in listener.incoming() {
                let keep = Arc::clone(&keep);
                thread::spawn(move || pass(client.unwrap(), look, &keep));
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
fn pass(client: UnixStream, look: Look, keep: &Seen) {
    let engine = UnixStream::connect(ENGINE).unwrap();
    let (mut answers, mut back) = (engine.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || {
        let _ = io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let (mut client, mut engine) = (client, engine);
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        if let Some(container) = removed(&buffer[..length]) {
            // What a look comes to must not keep the request from the engine.
            let figure = catch_unwind(|| Some((run_of(&container)?, look(&container))));
            keep.lock().unwrap().extend(figure.ok().flatten());
        }
        if engine.write_all(&buffer[..length]).is_err() {
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

/// The run of a container; `None` when it does not run, as one that was given up before it did, or
/// one that somebody else has just removed.
fn run_of(container: &str) -> Option<String> {
    let format = "{{if .State.Running}}{{index .Config.Labels \"hubmark.run\"}}{{end}}";
    let output = command(&["inspect", "--format", format, container]);
    let run = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!run.is_empty()).then_some(run)
}

fn command(arguments: &[&str]) -> Output {
    Command::new("docker").args(arguments).output().expect("the docker program")
}

/// What a docker command printed.
pub fn docker(arguments: &[&str]) -> Vec<u8> {
    let output = command(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
