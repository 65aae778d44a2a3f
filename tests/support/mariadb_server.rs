//! A MariaDB server for tests, started from the backend's own specification: in a container
//! through the docker command, or as a child process.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::OpenOptionsExt,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use hubmark::{
    backend::{Backend, RepetitionContext, Session, find},
    clock::Clock,
    server::{LaunchSpec, RunningServer, ServerSpec},
};

use super::{
    docker::docker,
    repetition::{latency_workload, repetition_context, running_server},
};

pub const PASSWORD: &str = "S3cret-of-th1s-test";

/// The backend under test.
pub fn backend() -> Arc<dyn Backend> {
    find("mariadb").expect("the backend is registered")
}

/// A repetition of `users` users with payloads of `payload` bytes.
pub fn mariadb_context(users: u32, payload: u64) -> RepetitionContext {
    let context = repetition_context("mariadb", None, latency_workload(users, payload));
    RepetitionContext { password: PASSWORD.into(), ..context }
}

/// A server that runs until it is dropped.
pub struct MariaDbServer {
    pub running: RunningServer,
    host: Host,
}

enum Host {
    Container(String),
    Process(Child, tempfile::TempDir),
}

impl MariaDbServer {
    /// Starts the server that the backend specifies.
    pub fn start(context: &RepetitionContext) -> Self {
        let spec = backend().servers(context).expect("a specification").remove(0);
        match &spec.launch {
            LaunchSpec::Container(_) => start_container(&spec, None),
            LaunchSpec::Process(_) => start_process(&spec),
            LaunchSpec::External(_) => panic!("an external server is not started"),
        }
    }

    /// Starts a container with a published port, which survives a restart: the container's own
    /// address may be given to another one meanwhile.
    pub fn start_published(context: &RepetitionContext) -> Self {
        let spec = backend().servers(context).expect("a specification").remove(0);
        start_container(&spec, Some(free_port()))
    }

    /// Opens a session on it.
    pub async fn session(&self, context: &RepetitionContext, clock: Clock) -> Box<dyn Session> {
        backend()
            .connect(context, std::slice::from_ref(&self.running), clock, Duration::from_mins(1))
            .await
            .expect("a session")
    }

    /// Runs `docker VERB ... CONTAINER`.
    pub fn docker(&self, verb: &[&str]) {
        docker(&[verb, &[&self.running.id]].concat());
    }

    /// Command lines of the server and its helper processes.
    pub fn command_line(&self) -> String {
        match &self.host {
            Host::Container(id) => docker(&["top", id, "-eo", "pid,args"]),
            Host::Process(child, _) => {
                fs::read_to_string(format!("/proc/{}/cmdline", child.id())).expect("it runs")
            }
        }
    }
}

impl Drop for MariaDbServer {
    fn drop(&mut self) {
        match &mut self.host {
            Host::Container(id) => {
                let _ = Command::new("docker").args(["rm", "-fv", id]).output();
            }
            Host::Process(child, _) => {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn start_container(spec: &ServerSpec, publish: Option<u16>) -> MariaDbServer {
    let LaunchSpec::Container(container) = &spec.launch else { panic!("not a container") };
    // Variables go through the environment: every process list shows arguments.
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
    let address = match publish {
        Some(port) => local(port),
        None => SocketAddr::new(address.parse().expect("an address"), spec.ports[0]),
    };
    let running = running_server(&spec.role, &id, address, spec.ports[0]);
    MariaDbServer { running, host: Host::Container(id) }
}

fn start_process(spec: &ServerSpec) -> MariaDbServer {
    let LaunchSpec::Process(process) = &spec.launch else { panic!("not a process") };
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
    if let Some(before) = &process.setup_command {
        let before: Vec<String> = before.iter().map(fill).collect();
        let mut command = Command::new(&before[0]);
        // A starting server removes other servers' temporary tables from a shared folder.
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
    let running = running_server(&spec.role, &child.id().to_string(), local(port), spec.ports[0]);
    let running = RunningServer { dir: Some(dir.path().to_owned()), ..running };
    MariaDbServer { running, host: Host::Process(child, dir) }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}
