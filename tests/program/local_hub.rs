//! The local hub: it starts and watches servers as child processes, and leaves nothing behind.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use hubmark::{
    clock::Clock,
    hub::{Hub, HubError, local::LocalHub},
    server::{
        BlockSource, LaunchSpec, ProcessSpec, ResourceLimits, RunningServer, ServerSpec,
        ServerState,
    },
    units::Cpus,
};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::support::{process::program, wait::until_async};

const PORT: u16 = 9092;

struct TestHub {
    hub: LocalHub,
    root: TempDir,
}

impl TestHub {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let hub = LocalHub::with_guard(program().into(), root.path().to_owned()).unwrap();
        Self { hub, root }
    }

    async fn start(&self, process: ProcessSpec) -> Result<RunningServer, HubError> {
        self.start_within(process, ResourceLimits::default()).await
    }

    async fn start_within(
        &self,
        process: ProcessSpec,
        limits: ResourceLimits,
    ) -> Result<RunningServer, HubError> {
        let launch = LaunchSpec::Process(process);
        let spec = ServerSpec { role: "server".into(), launch, ports: vec![PORT] };
        self.hub.start(&spec, &limits, &[]).await
    }

    fn folders(&self) -> usize {
        fs::read_dir(self.root.path()).unwrap().count()
    }
}

fn spec(program: impl Into<PathBuf>, arguments: &[&str]) -> ProcessSpec {
    ProcessSpec {
        program: program.into(),
        setup_command: None,
        arguments: arguments.iter().map(ToString::to_string).collect(),
        files: Vec::new(),
        environment: Vec::new(),
    }
}

fn shell(script: &str) -> ProcessSpec {
    spec("sh", &["-c", script])
}

fn broker() -> ProcessSpec {
    spec(program(), &["broker", "--listen", "127.0.0.1:{port}"])
}

/// Whether a process runs; a zombie does not.
fn is_alive(pid: &str) -> bool {
    fs::read_link(Path::new("/proc").join(pid).join("exe")).is_ok()
}

#[tokio::test]
async fn the_built_in_broker_starts_is_measured_and_is_removed() {
    let test = TestHub::new();
    let server = test.start(broker()).await.unwrap();
    let endpoint = server.endpoint(PORT);
    until_async("the port opens", async || TcpStream::connect(endpoint).await.is_ok()).await;
    assert_eq!(test.hub.server_state(&server).await, ServerState::Running);
    // The port opens before the broker has printed its address.
    until_async("its log names where it listens", async || {
        test.hub.log(&server, 5).await.iter().any(|line| line.contains(&endpoint.to_string()))
    })
    .await;

    let reading = test.hub.read(&server).await.unwrap();
    assert!(reading.cpu.is_some() && reading.tasks.unwrap() > 0);
    assert!(reading.memory.unwrap() >= reading.resident.unwrap());
    assert_eq!((reading.cache, reading.network_sent), (None, None), "not countable for processes");
    assert_eq!(test.hub.block_source(&server), BlockSource::Process);
    let mut readings = test.hub.watch(&server, Clock::start());
    assert!(readings.recv().await.unwrap().at < readings.recv().await.unwrap().at);

    test.hub.remove(&server).await.unwrap();
    assert!(!is_alive(&server.id));
    assert_eq!((test.hub.server_state(&server).await, test.folders()), (ServerState::NotFound, 0));
    test.hub.remove(&server).await.unwrap();
    assert!(test.hub.read(&server).await.is_err());
    until_async("the readings end", async || readings.recv().await.is_none()).await;
}

#[tokio::test]
async fn a_server_gets_its_folder_its_files_and_its_port() {
    let test = TestHub::new();
    let mut process = shell("echo started with $GREETING >> {dir}/output; exec sleep 60");
    process.setup_command =
        Some(["sh", "-c", "cat {dir}/my.conf > {dir}/output"].map(Into::into).into());
    process.files = vec![("my.conf".into(), "port={port}\n".into())];
    process.environment = vec![("GREETING".into(), "{port}".into())];
    let server = test.start(process).await.unwrap();
    let dir = server.dir.clone().unwrap();
    let port = server.ports[&PORT];
    let output = format!("port={port}\nstarted with {port}\n");
    until_async("the output is complete", async || {
        fs::read_to_string(dir.join("output")).unwrap() == output
    })
    .await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir), mode(&dir.join("my.conf"))), (0o700, 0o600));
    assert!(test.hub.data_size(&server).await.unwrap().0 > 0);
    test.hub.remove(&server).await.unwrap();
    assert!(!dir.exists());
}

#[tokio::test]
async fn a_server_that_cannot_start_leaves_nothing() {
    let test = TestHub::new();
    let error = test.start(spec("no-such-server", &[])).await.unwrap_err();
    assert!(matches!(&error, HubError::NoProgram { program, .. } if program == "no-such-server"));

    let mut process = broker();
    process.setup_command =
        Some(["sh", "-c", "echo the disk is full; exit 7"].map(Into::into).into());
    let error = test.start(process).await.unwrap_err().to_string();
    assert!(error.contains("the disk is full") && error.contains('7'), "{error}");

    let cpus = Some(Cpus(1.0));
    let error = test
        .start_within(broker(), ResourceLimits { cpus, ..ResourceLimits::default() })
        .await
        .unwrap_err();
    assert!(error.to_string().contains("docker"), "limits are refused, not ignored: {error}");
    assert_eq!(test.folders(), 0);
}

#[tokio::test]
async fn an_ended_server_has_an_exit_code_and_a_log() {
    let test = TestHub::new();
    let server = test.start(shell("echo one; echo out of luck >&2; exit 3")).await.unwrap();
    let ended = ServerState::Ended { code: Some(3), out_of_memory: false };
    until_async("it ends", async || test.hub.server_state(&server).await == ended).await;
    assert_eq!(test.hub.log(&server, 1).await, ["out of luck"]);
    assert!(test.hub.read(&server).await.is_err());

    let killed = test.start(shell("kill -9 $$")).await.unwrap();
    let ended = ServerState::Ended { code: Some(128 + 9), out_of_memory: false };
    until_async("it is killed", async || test.hub.server_state(&killed).await == ended).await;
    test.hub.remove(&killed).await.unwrap();
    test.hub.remove(&server).await.unwrap();
    assert_eq!(test.folders(), 0);
}

#[tokio::test]
async fn a_server_that_ignores_its_signal_is_killed_with_its_children() {
    let test = TestHub::new();
    let script = "trap '' TERM; sleep 60 & echo $! > {dir}/child; while :; do wait; done";
    let server = test.start(shell(script)).await.unwrap();
    let file = server.dir.clone().unwrap().join("child");
    let child = async || fs::read_to_string(&file).unwrap_or_default().trim().to_owned();
    until_async("it has a child", async || !child().await.is_empty()).await;
    let child = child().await;
    test.hub.remove(&server).await.unwrap();
    assert!(!is_alive(&server.id));
    until_async("its child has ended", async || !is_alive(&child)).await;
    assert_eq!(test.folders(), 0);
}

#[tokio::test]
async fn servers_do_not_outlive_their_hub() {
    let test = TestHub::new();
    let server = test.start(broker()).await.unwrap();
    assert!(is_alive(&server.id));
    let TestHub { hub, root } = test;
    drop(hub);
    assert!(!is_alive(&server.id));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_guarded_program_is_killed_with_its_parent() {
    let script = format!("{} guard --parent $$ -- sleep 60 & echo $! >&3; wait", program());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("child");
    let mut parent = Command::new("sh")
        .args(["-c", &format!("exec 3> {}; {script}", file.display())])
        .spawn()
        .unwrap();
    let child = || fs::read_to_string(&file).unwrap_or_default().trim().to_owned();
    let name = |pid: &str| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    until_async("the guard has become the program", async || name(&child()).trim() == "sleep")
        .await;
    parent.kill().unwrap();
    parent.wait().unwrap();
    until_async("the program dies", async || !is_alive(&child())).await;
}

#[test]
fn an_orphaned_guard_starts_nothing() {
    let output =
        Command::new(program()).args(["guard", "--parent", "1", "--", "true"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("has ended"));
}

#[tokio::test]
async fn leftovers_of_a_killed_run_are_removed() {
    let test = TestHub::new();
    let alive = test.start(broker()).await.unwrap();
    // A folder as a killed run leaves it: its owner's process does not exist.
    let ours = fs::read_dir(test.root.path()).unwrap().next().unwrap().unwrap().path();
    let owner = fs::read_to_string(ours.join("owner")).unwrap();
    let mut owner: serde_json::Value = serde_json::from_str(&owner).unwrap();
    owner["maker"]["started"] = 0.into();
    owner["children"] = serde_json::json!([]);
    let dead = test.root.path().join("hubmark-dead");
    fs::create_dir(&dead).unwrap();
    fs::write(dead.join("owner"), owner.to_string()).unwrap();

    assert_eq!(test.hub.remove_leftovers().await.unwrap(), [dead.display().to_string()]);
    assert!(ours.exists() && is_alive(&alive.id));
    assert!(test.hub.remove_leftovers().await.unwrap().is_empty());
}

#[tokio::test]
#[ignore = "needs mariadbd and mariadb-install-db on this machine"]
async fn mariadbd_runs_from_a_process_specification() {
    let test = TestHub::new();
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::current()).unwrap().unwrap().name;
    let user = format!("--user={user}");
    let layout = [
        "mariadb-install-db",
        "--no-defaults",
        "--datadir={dir}/db",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        &user,
    ];
    let arguments = [
        "--no-defaults",
        "--datadir={dir}/db",
        "--socket={dir}/s",
        "--bind-address=127.0.0.1",
        "--port={port}",
        &user,
    ];
    let mut process = spec("mariadbd", &arguments);
    process.setup_command = Some(layout.map(Into::into).into());
    let server = test.start(process).await.unwrap();
    let endpoint = server.endpoint(PORT);
    until_async("the port opens", async || TcpStream::connect(endpoint).await.is_ok()).await;
    until_async("it reports that it is ready", async || {
        test.hub.log(&server, 9).await.join("\n").contains("ready for connections")
    })
    .await;
    assert!(test.hub.data_size(&server).await.unwrap().0 > 1 << 20);
    test.hub.remove(&server).await.unwrap();
    assert!(!is_alive(&server.id));
    assert_eq!(test.folders(), 0);
}
