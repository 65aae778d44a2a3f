//! A gate before a Docker engine's socket: everything passes as it is, but before a container is
//! removed, a test may look into it. So a second reader can count what a server holds after the
//! run has done all its work, without a race and without a word to hubmark. Before a container is
//! made, a test may change what is asked for, and what the engine answers to a question.
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

const SOCKET: &str = "gate.sock";
/// The socket of this machine's engine.
pub const ENGINE: &str = "/var/run/docker.sock";
const ROLE: &str = "hubmark.role";
/// The roles of servers that hold messages.
const HOLDERS: [&str; 2] = ["kafka", "mariadb"];
/// The role of a container that answers while the way to it is measured.
const PATH: &str = "path";

/// Looks into the container with this identity, on the engine at this socket; what it returns is
/// kept.
pub type Look = fn(engine: &Path, container: &str) -> u64;

/// Changes the body of a request for a container.
pub type Change = Box<dyn Fn(&mut serde_json::Value) + Send + Sync>;

/// Changes the answer to a question for what its path ends with: `info` or `version`.
pub type Lie = Box<dyn Fn(&str, &mut serde_json::Value) + Send + Sync>;

/// What a lie may be about.
const LIED_ABOUT: [&str; 2] = ["info", "version"];

/// How the gate is kept.
struct Keeper {
    engine: PathBuf,
    look: Option<Look>,
    lie: Option<Lie>,
    /// Whether containers that have ended are looked into, too.
    dead: bool,
    change: Option<Change>,
    seen: Seen,
}

impl Default for Keeper {
    fn default() -> Self {
        let engine = ENGINE.into();
        Self { engine, look: None, lie: None, dead: false, change: None, seen: Seen::default() }
    }
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
        let socket = folder.join(SOCKET);
        Self::kept(socket, Keeper { look: Some(look), ..Keeper::default() })
    }

    /// The same, for a test in which servers end; `change` is made to every container asked for.
    pub fn open_to_the_dead(folder: &Path, look: Look, change: Option<Change>) -> Self {
        Self::open_elsewhere(&folder.join(SOCKET), Path::new(ENGINE), look, change)
    }

    /// The same at a path of its own, before another engine.
    pub fn open_elsewhere(
        socket: &Path,
        engine: &Path,
        look: Look,
        change: Option<Change>,
    ) -> Self {
        let (engine, look) = (engine.to_owned(), Some(look));
        let keeper = Keeper { engine, look, dead: true, change, ..Keeper::default() };
        Self::kept(socket.to_owned(), keeper)
    }

    /// Opens a socket in `folder` that leads to an engine which lies about itself.
    pub fn open_to_a_liar(folder: &Path, lie: Lie) -> Self {
        let keeper = Keeper { lie: Some(lie), ..Keeper::default() };
        Self::kept(folder.join(SOCKET), keeper)
    }

    fn kept(socket: PathBuf, keeper: Keeper) -> Self {
        let listener = UnixListener::bind(&socket).unwrap();
        let seen = Arc::clone(&keeper.seen);
        let keeper = Arc::new(keeper);
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
    // An engine that is away is so for the client, too.
    let Ok(engine) = UnixStream::connect(&keeper.engine) else { return };
    let (mut answers, mut back) = (engine.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || {
        let _ = io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let (mut client, mut engine) = (client, engine);
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        let mut request = buffer[..length].to_vec();
        if let Some((container, look)) = removed(&request).zip(keeper.look) {
            // What a look comes to must not keep the request from the engine.
            let (engine, dead) = (&keeper.engine, keeper.dead);
            let figure = catch_unwind(|| {
                Some((run_of(engine, &container, dead)?, look(engine, &container)))
            });
            keeper.seen.lock().unwrap().extend(figure.ok().flatten());
        }
        if let Some((path, lie)) = asks(&request).zip(keeper.lie.as_ref()) {
            client.write_all(&falsified(&keeper.engine, &path, lie)).unwrap();
            continue;
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

/// The path of a request that asks what may be lied about.
fn asks(request: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(request.split(|&byte| byte == b'\r').next()?);
    let path = line.strip_prefix("GET ")?.split(' ').next()?;
    LIED_ABOUT.contains(&path.rsplit('/').next()?).then(|| path.to_owned())
}

/// What the engine answers to a question, changed.
fn falsified(engine: &Path, path: &str, lie: &Lie) -> Vec<u8> {
    let mut engine = UnixStream::connect(engine).unwrap();
    write!(engine, "GET {path} HTTP/1.0\r\nHost: engine\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    engine.read_to_end(&mut answer).unwrap();
    let head = head(&answer);
    let mut value = serde_json::from_slice(&answer[head..]).unwrap();
    lie(path.rsplit('/').next().unwrap(), &mut value);
    let body = serde_json::to_vec(&value).unwrap();
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length:";
    [format!("{head} {length}\r\n\r\n").into_bytes(), body].concat()
}

/// How long the head of a message is.
fn head(message: &[u8]) -> usize {
    const END: &[u8] = b"\r\n\r\n";
    message.windows(END.len()).position(|piece| piece == END).unwrap() + END.len()
}

/// Whether a request asks for a container.
fn creates(request: &[u8]) -> bool {
    let line = request.split(|&byte| byte == b'\r').next().unwrap_or_default();
    line.starts_with(b"POST ") && String::from_utf8_lossy(line).contains("/containers/create")
}

/// A request with another body; what of it has not come yet is waited for.
fn changed(mut request: Vec<u8>, client: &mut UnixStream, change: &Change) -> Vec<u8> {
    let head = head(&request);
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
/// one that somebody else has just removed, and of one that holds no messages. With `dead`, it may
/// have ended after it was started.
fn run_of(engine: &Path, container: &str, dead: bool) -> Option<String> {
    let state =
        if dead { "ne .State.StartedAt \"0001-01-01T00:00:00Z\"" } else { ".State.Running" };
    let format = format!(
        "{{{{if {state}}}}}{{{{index .Config.Labels \"{ROLE}\"}}}} \
         {{{{index .Config.Labels \"hubmark.run\"}}}}{{{{end}}}}"
    );
    let output = command(engine, &["inspect", "--format", &format, container]);
    let told = String::from_utf8(output.stdout).ok()?;
    let (role, run) = told.trim().split_once(' ')?;
    HOLDERS.contains(&role).then(|| run.to_owned())
}

fn command(engine: &Path, arguments: &[&str]) -> Output {
    let mut docker = Command::new("docker");
    docker.arg("--host").arg(format!("unix://{}", engine.display())).args(arguments);
    docker.stdin(Stdio::null()).output().expect("the docker program")
}

/// What a docker command printed.
pub fn docker(engine: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = command(engine, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
