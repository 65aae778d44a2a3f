//! A proxy before the socket of a Docker engine. It passes requests on unchanged, except that a test
//! may count the messages in a container before hubmark removes it (without a race, and without
//! hubmark knowing of it), alter the request that creates a container, and alter what the engine
//! answers about itself.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    panic::catch_unwind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
};

use super::docker::{LOCAL_SOCKET, try_docker_at, unix_address};

/// Name of the proxy's socket in a test's folder.
pub const SOCKET: &str = "proxy.sock";
const ROLE: &str = "hubmark.role";
/// Roles of servers that store messages.
const STORING_ROLES: [&str; 2] = ["kafka", "mariadb"];
/// Role of the container that answers while the network path is measured.
const PATH_ROLE: &str = "path";
/// Questions whose answers can be altered: the last part of their paths.
const ALTERABLE: [&str; 2] = ["info", "version"];

/// Counts the messages in a container of the engine at a socket.
pub type MessageCounter = fn(socket: &Path, container: &str) -> u64;

/// Alters the body of a request that creates a container.
pub type AlterRequest = Box<dyn Fn(&mut serde_json::Value) + Send + Sync>;

/// Alters the answer to `info` or `version`.
pub type AlterAnswer = Box<dyn Fn(&str, &mut serde_json::Value) + Send + Sync>;

/// Runs, each with the messages counted in one of its containers.
type Counts = Arc<Mutex<Vec<(String, u64)>>>;

/// What the proxy does besides passing on.
struct Rules {
    engine: PathBuf,
    counter: Option<MessageCounter>,
    /// Count in containers that have ended, too.
    count_ended: bool,
    alter_request: Option<AlterRequest>,
    alter_answer: Option<AlterAnswer>,
    counts: Counts,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            engine: LOCAL_SOCKET.into(),
            counter: None,
            count_ended: false,
            alter_request: None,
            alter_answer: None,
            counts: Counts::default(),
        }
    }
}

/// A listening proxy.
pub struct EngineProxy {
    socket: PathBuf,
    counts: Counts,
}

impl EngineProxy {
    /// Listens in `folder` for this machine's engine and counts in each server that is removed
    /// while it runs.
    pub fn counting(folder: &Path, counter: MessageCounter) -> Self {
        Self::listen(folder.join(SOCKET), Rules { counter: Some(counter), ..Rules::default() })
    }

    /// Listens at `socket` for the engine at `engine`, counts in every server that is removed, even
    /// if it has ended, and applies `alter_request`.
    pub fn counting_ended(
        socket: &Path,
        engine: &Path,
        counter: MessageCounter,
        alter_request: Option<AlterRequest>,
    ) -> Self {
        let engine = engine.to_owned();
        let counter = Some(counter);
        let rules = Rules { engine, counter, count_ended: true, alter_request, ..Rules::default() };
        Self::listen(socket.to_owned(), rules)
    }

    /// Listens in `folder` for this machine's engine and alters what it answers about itself.
    pub fn altering(folder: &Path, alter_answer: AlterAnswer) -> Self {
        let rules = Rules { alter_answer: Some(alter_answer), ..Rules::default() };
        Self::listen(folder.join(SOCKET), rules)
    }

    fn listen(socket: PathBuf, rules: Rules) -> Self {
        let listener = UnixListener::bind(&socket).unwrap();
        let counts = Arc::clone(&rules.counts);
        let rules = Arc::new(rules);
        thread::spawn(move || {
            for client in listener.incoming() {
                let rules = Arc::clone(&rules);
                thread::spawn(move || forward(client.unwrap(), &rules));
            }
        });
        Self { socket, counts }
    }

    /// The engine's address through the proxy.
    pub fn address(&self) -> String {
        unix_address(&self.socket)
    }

    /// Messages counted in the containers of a run before they were removed.
    pub fn counts_of(&self, run: &str) -> Vec<u64> {
        let counts = self.counts.lock().unwrap();
        counts.iter().filter(|(of, _)| of == run).map(|(_, count)| *count).collect()
    }
}

/// Passes bytes between a client and the engine and applies the rules to requests.
fn forward(client: UnixStream, rules: &Rules) {
    // The client sees an engine that does not answer as one that closes the connection.
    let Ok(engine) = UnixStream::connect(&rules.engine) else { return };
    let (mut answers, mut back) = (engine.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || {
        let _ = io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let (mut client, mut engine) = (client, engine);
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        let mut request = buffer[..length].to_vec();
        if let Some((container, counter)) = removed_container(&request).zip(rules.counter) {
            // A failing count must not keep the request from the engine.
            let (engine, ended) = (&rules.engine, rules.count_ended);
            let count = catch_unwind(|| {
                Some((run_of(engine, &container, ended)?, counter(engine, &container)))
            });
            rules.counts.lock().unwrap().extend(count.ok().flatten());
        }
        if let Some((path, alter)) = alterable_path(&request).zip(rules.alter_answer.as_ref()) {
            client.write_all(&altered_answer(&rules.engine, &path, alter)).unwrap();
            continue;
        }
        if let Some(alter) = rules.alter_request.as_ref().filter(|_| creates_container(&request)) {
            request = altered_request(request, &mut client, alter);
        }
        if engine.write_all(&request).is_err() {
            break;
        }
    }
    let _ = engine.shutdown(Shutdown::Write);
}

/// The container that a request removes.
fn removed_container(request: &[u8]) -> Option<String> {
    let line = request_line(request);
    let path = line.strip_prefix("DELETE ")?.split_once("/containers/")?.1;
    Some(path.split(['?', ' ']).next()?.to_owned())
}

/// The path of a request whose answer can be altered.
fn alterable_path(request: &[u8]) -> Option<String> {
    let line = request_line(request);
    let path = line.strip_prefix("GET ")?.split(' ').next()?;
    ALTERABLE.contains(&path.rsplit('/').next()?).then(|| path.to_owned())
}

/// Whether a request creates a container.
fn creates_container(request: &[u8]) -> bool {
    let line = request_line(request);
    line.starts_with("POST ") && line.contains("/containers/create")
}

fn request_line(request: &[u8]) -> String {
    let line = request.split(|&byte| byte == b'\r').next().unwrap_or_default();
    String::from_utf8_lossy(line).into_owned()
}

/// Asks the engine and alters its answer.
fn altered_answer(engine: &Path, path: &str, alter: &AlterAnswer) -> Vec<u8> {
    let mut engine = UnixStream::connect(engine).unwrap();
    write!(engine, "GET {path} HTTP/1.0\r\nHost: engine\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    engine.read_to_end(&mut answer).unwrap();
    let mut value = serde_json::from_slice(&answer[head_length(&answer)..]).unwrap();
    alter(path.rsplit('/').next().unwrap(), &mut value);
    let body = serde_json::to_vec(&value).unwrap();
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length:";
    [format!("{head} {length}\r\n\r\n").into_bytes(), body].concat()
}

/// Length of a message's head, with the empty line.
fn head_length(message: &[u8]) -> usize {
    const END: &[u8] = b"\r\n\r\n";
    message.windows(END.len()).position(|piece| piece == END).unwrap() + END.len()
}

/// Reads the rest of a request and alters its body.
fn altered_request(mut request: Vec<u8>, client: &mut UnixStream, alter: &AlterRequest) -> Vec<u8> {
    let head = head_length(&request);
    let lines = String::from_utf8(request[..head].to_vec()).unwrap();
    let is_length = |line: &&str| line.to_lowercase().starts_with("content-length:");
    let length: usize = {
        let line = lines.lines().find(is_length).expect("a body of a known length");
        line.split_once(':').unwrap().1.trim().parse().unwrap()
    };
    let mut body = request.split_off(head);
    let received = body.len();
    body.resize(length, 0);
    client.read_exact(&mut body[received..]).unwrap();
    let mut value: serde_json::Value = serde_json::from_slice(&body).unwrap();
    if value["Labels"][ROLE] != PATH_ROLE {
        alter(&mut value);
    }
    let body = serde_json::to_vec(&value).unwrap();
    let mut altered = Vec::new();
    for line in lines.lines().filter(|line| !line.is_empty() && !is_length(line)) {
        altered.extend_from_slice(format!("{line}\r\n").as_bytes());
    }
    altered.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    altered.extend_from_slice(&body);
    altered
}

/// The run of a container that stores messages. `None` if the container does not run (it was given
/// up before it did, or another process has just removed it); with `ended`, it may have ended after
/// its start.
fn run_of(engine: &Path, container: &str, ended: bool) -> Option<String> {
    let state =
        if ended { "ne .State.StartedAt \"0001-01-01T00:00:00Z\"" } else { ".State.Running" };
    let format = format!(
        "{{{{if {state}}}}}{{{{index .Config.Labels \"{ROLE}\"}}}} \
         {{{{index .Config.Labels \"hubmark.run\"}}}}{{{{end}}}}"
    );
    let output = try_docker_at(engine, &["inspect", "--format", &format, container]);
    let answer = String::from_utf8(output.stdout).ok()?;
    let (role, run) = answer.trim().split_once(' ')?;
    STORING_ROLES.contains(&role).then(|| run.to_owned())
}
