//! A gate before a Docker engine's socket: everything passes as it is, but before a container is
//! removed, a test may look into it. So a second reader can count what a server holds after the
//! run has done all its work, without a race and without a word to hubmark.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    panic::catch_unwind,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

const ENGINE: &str = "/var/run/docker.sock";

/// Looks into the container with this identity; what it returns is kept.
type Look = fn(container: &str) -> Option<u64>;

/// The open gate.
pub struct Gate {
    socket: PathBuf,
    seen: Arc<Mutex<Vec<u64>>>,
}

impl Gate {
    /// Opens a socket in `folder` that leads to the engine.
    pub fn open(folder: &Path, look: Look) -> Self {
        let socket = folder.join("gate.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
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

    /// What was seen in the containers that were removed.
    pub fn seen(&self) -> Vec<u64> {
        self.seen.lock().unwrap().clone()
    }
}

/// Passes on what client and engine say to each other.
fn pass(client: UnixStream, look: Look, keep: &Mutex<Vec<u64>>) {
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
            let figure = catch_unwind(|| if runs(&container) { look(&container) } else { None });
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

/// A container may also be given up before it ever ran.
fn runs(container: &str) -> bool {
    docker(&["inspect", "--format", "{{.State.Running}}", container]).starts_with(b"true")
}

/// What a docker command printed.
pub fn docker(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("docker").args(arguments).output().expect("the docker program");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
