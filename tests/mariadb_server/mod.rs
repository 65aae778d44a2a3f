//! A MariaDB server for tests, started from the backend's own specification: in a container
//! through the docker command, or as a child process.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

pub mod witness;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use hubmark::{
    backend::{Backend, Session, Setup, find},
    clock::Clock,
    plan::{Arrival, BackendChoice, Durability, LatencyWorkload, PayloadSource, Point, Workload},
    server::{HubKind, Launch, Limits, Running, ServerSpec},
    units::Bytes,
};

pub const PASSWORD: &str = "S3cret-of-th1s-test";

/// The backend under test.
pub fn backend() -> Arc<dyn Backend> {
    find("mariadb").expect("it is in the registry")
}

/// A repetition with `users` users and payloads of `payload` bytes.
pub fn setup(users: u32, payload: u64) -> Setup {
    Setup {
        point: Point {
            backend: BackendChoice { name: "mariadb".into(), version: None },
            workload: Workload::Latency(LatencyWorkload {
                users,
                payload: Bytes(payload),
                payload_source: PayloadSource::Seeded,
                messages: 1,
                arrival: Arrival::Constant { mean: Duration::from_secs(1) },
                warmup: Duration::ZERO,
                drain: Duration::from_secs(5),
            }),
            durability: Durability::Default,
        },
        settings: serde_json::Map::new(),
        hub: HubKind::Docker,
        limits: Limits::default(),
        password: PASSWORD.into(),
    }
}

/// A server that runs until it is dropped.
pub struct Server {
    pub running: Running,
    life: Life,
}

enum Life {
    Container(String),
    Process(Child, tempfile::TempDir),
}

impl Server {
    /// Starts what the backend asks for.
    pub fn start(setup: &Setup) -> Self {
        let spec = backend().servers(setup).expect("a specification").remove(0);
        match &spec.launch {
            Launch::Container(_) => container(&spec, None),
            Launch::Process(_) => process(&spec),
            Launch::External(_) => panic!("it is not asked for"),
        }
    }

    /// Starts a container that keeps its place over a restart: its own address may go to another
    /// container meanwhile.
    pub fn start_published(setup: &Setup) -> Self {
        let spec = backend().servers(setup).expect("a specification").remove(0);
        container(&spec, Some(free_port()))
    }

    /// A session on it.
    pub async fn session(&self, setup: &Setup, clock: Clock) -> Box<dyn Session> {
        backend()
            .connect(setup, std::slice::from_ref(&self.running), clock, Duration::from_mins(1))
            .await
            .expect("a session")
    }

    /// `docker VERB ... CONTAINER`.
    pub fn docker(&self, verb: &[&str]) {
        docker(&[verb, &[&self.running.id]].concat());
    }

    /// What a process list shows of the server and its helpers.
    pub fn command_line(&self) -> String {
        match &self.life {
            Life::Container(id) => docker(&["top", id, "-eo", "pid,args"]),
            Life::Process(child, _) => {
                fs::read_to_string(format!("/proc/{}/cmdline", child.id())).expect("it runs")
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        match &mut self.life {
            Life::Container(id) => {
                let _ = Command::new("docker").args(["rm", "-fv", id]).output();
            }
            Life::Process(child, _) => {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn container(spec: &ServerSpec, publish: Option<u16>) -> Server {
    let Launch::Container(container) = &spec.launch else { panic!("not a container") };
    // Variables go through the environment: arguments are in every process list.
    let mut command = Command::new("docker");
    command.args(["run", "-d", "--pull", "never", "--label", "hubmark.test=mariadb"]);
    if let Some(port) = publish {
        command.args(["-p", &format!("127.0.0.1:{port}:{}", spec.ports[0])]);
    }
    for (name, value) in &container.environment {
        command.args(["-e", name]).env(name, value);
    }
    let output = command
        .arg(container.image.reference())
        .args(&container.arguments)
        .output()
        .expect("the docker command");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let id = String::from_utf8(output.stdout).expect("an id").trim().to_owned();
    let address = docker(&["inspect", "-f", "{{.NetworkSettings.IPAddress}}", &id]);
    let (address, port) = match publish {
        Some(port) => ("127.0.0.1", port),
        None => (address.trim(), spec.ports[0]),
    };
    Server { running: running(spec, id.clone(), address, port, None), life: Life::Container(id) }
}

fn process(spec: &ServerSpec) -> Server {
    let Launch::Process(process) = &spec.launch else { panic!("not a process") };
    let dir = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let fill = |text: &String| {
        text.replace("{dir}", &dir.path().display().to_string())
            .replace("{port}", &port.to_string())
    };
    for (name, content) in &process.files {
        let mut options = fs::OpenOptions::new();
        let mut written =
            options.write(true).create_new(true).mode(0o600).open(dir.path().join(name)).unwrap();
        std::io::Write::write_all(&mut written, content.as_bytes()).unwrap();
    }
    if let Some(before) = &process.before {
        let before: Vec<String> = before.iter().map(fill).collect();
        let mut command = Command::new(&before[0]);
        // A server that starts removes the temporary tables of others in a folder that they share.
        let output = command.args(&before[1..]).env("TMPDIR", dir.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let child = Command::new(&process.program)
        .env("TMPDIR", dir.path())
        .args(process.arguments.iter().map(fill))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server's program");
    let path = Some(dir.path().to_owned());
    let id = child.id().to_string();
    Server { running: running(spec, id, "127.0.0.1", port, path), life: Life::Process(child, dir) }
}

fn running(
    spec: &ServerSpec,
    id: String,
    address: &str,
    port: u16,
    dir: Option<PathBuf>,
) -> Running {
    Running {
        role: spec.role.clone(),
        id,
        address: address.parse().expect("an address"),
        ports: BTreeMap::from([(spec.ports[0], port)]),
        image: "test".into(),
        digest: None,
        data_dir: None,
        dir,
    }
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("the docker command");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}
