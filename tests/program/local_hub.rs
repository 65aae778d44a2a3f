//! The local hub: what it starts, how it watches, and that nothing is left behind.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use hubmark::{
    clock::Clock,
    hub::{Hub, HubError, local::LocalHub},
    server::{BlockSource, Launch, Life, Limits, ProcessSpec, Running, ServerSpec},
    units::Cpus,
};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// Long enough for a busy machine; reached only by a failing test.
const PATIENCE: Duration = Duration::from_secs(30);
const PORT: u16 = 9092;

struct Rig {
    hub: LocalHub,
    root: TempDir,
}

impl Rig {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let hub = LocalHub::with(program(), root.path().to_owned()).unwrap();
        Self { hub, root }
    }

    async fn start(&self, process: ProcessSpec) -> Result<Running, HubError> {
        self.start_within(process, Limits::default()).await
    }

    async fn start_within(
        &self,
        process: ProcessSpec,
        limits: Limits,
    ) -> Result<Running, HubError> {
        let launch = Launch::Process(process);
        let spec = ServerSpec { role: "server".into(), launch, ports: vec![PORT] };
        self.hub.start(&spec, &limits, &[]).await
    }

    fn folders(&self) -> usize {
        fs::read_dir(self.root.path()).unwrap().count()
    }
}

fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_hubmark").into()
}

fn spec(program: impl Into<PathBuf>, arguments: &[&str]) -> ProcessSpec {
    ProcessSpec {
        program: program.into(),
        before: None,
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

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether the process runs; a zombie does not.
fn lives(pid: &str) -> bool {
    fs::read_link(Path::new("/proc").join(pid).join("exe")).is_ok()
}

#[tokio::test]
async fn the_built_in_broker_starts_is_measured_and_goes() {
    let rig = Rig::new();
    let server = rig.start(broker()).await.unwrap();
    let endpoint = server.endpoint(PORT);
    until("the port opens", async || TcpStream::connect(endpoint).await.is_ok()).await;
    assert_eq!(rig.hub.life(&server).await, Life::Running);
    // The port opens before the broker has said so.
    until("its log names where it listens", async || {
        rig.hub.log(&server, 5).await.iter().any(|line| line.contains(&endpoint.to_string()))
    })
    .await;

    let reading = rig.hub.read(&server).await.unwrap();
    assert!(reading.cpu.is_some() && reading.tasks.unwrap() > 0);
    assert!(reading.memory.unwrap() >= reading.resident.unwrap());
    assert_eq!((reading.cache, reading.network_sent), (None, None), "not countable, so missing");
    assert_eq!(rig.hub.block_source(&server), BlockSource::Process);
    let mut readings = rig.hub.watch(&server, Clock::start());
    assert!(readings.recv().await.unwrap().at < readings.recv().await.unwrap().at);

    rig.hub.remove(&server).await.unwrap();
    assert!(!lives(&server.id));
    assert_eq!((rig.hub.life(&server).await, rig.folders()), (Life::Gone, 0));
    rig.hub.remove(&server).await.unwrap();
    assert!(rig.hub.read(&server).await.is_err());
    until("the readings end", async || readings.recv().await.is_none()).await;
}

#[tokio::test]
async fn a_server_finds_its_folder_its_files_and_its_port() {
    let rig = Rig::new();
    let mut process = shell("echo started with $GREETING >> {dir}/story; exec sleep 60");
    process.before = Some(["sh", "-c", "cat {dir}/my.conf > {dir}/story"].map(Into::into).into());
    process.files = vec![("my.conf".into(), "port={port}\n".into())];
    process.environment = vec![("GREETING".into(), "{port}".into())];
    let server = rig.start(process).await.unwrap();
    let dir = server.dir.clone().unwrap();
    let port = server.ports[&PORT];
    let story = format!("port={port}\nstarted with {port}\n");
    until("the story is told", async || fs::read_to_string(dir.join("story")).unwrap() == story)
        .await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir), mode(&dir.join("my.conf"))), (0o700, 0o600));
    assert!(rig.hub.data_size(&server).await.unwrap().0 > 0);
    rig.hub.remove(&server).await.unwrap();
    assert!(!dir.exists());
}

#[tokio::test]
async fn a_server_that_cannot_start_leaves_nothing() {
    let rig = Rig::new();
    let error = rig.start(spec("no-such-server", &[])).await.unwrap_err();
    assert!(matches!(&error, HubError::NoProgram { program, .. } if program == "no-such-server"));

    let mut process = broker();
    process.before = Some(["sh", "-c", "echo the disk is full; exit 7"].map(Into::into).into());
    let error = rig.start(process).await.unwrap_err().to_string();
    assert!(error.contains("the disk is full") && error.contains('7'), "{error}");

    let cpus = Some(Cpus(1.0));
    let error = rig.start_within(broker(), Limits { cpus, ..Limits::default() }).await.unwrap_err();
    assert!(error.to_string().contains("docker"), "limits are refused, not ignored: {error}");
    assert_eq!(rig.folders(), 0);
}

#[tokio::test]
async fn a_server_that_ends_says_why() {
    let rig = Rig::new();
    let server = rig.start(shell("echo one; echo out of luck >&2; exit 3")).await.unwrap();
    let ended = Life::Ended { code: Some(3), out_of_memory: false };
    until("it ends", async || rig.hub.life(&server).await == ended).await;
    assert_eq!(rig.hub.log(&server, 1).await, ["out of luck"]);
    assert!(rig.hub.read(&server).await.is_err());

    let killed = rig.start(shell("kill -9 $$")).await.unwrap();
    let ended = Life::Ended { code: Some(128 + 9), out_of_memory: false };
    until("it is killed", async || rig.hub.life(&killed).await == ended).await;
    rig.hub.remove(&killed).await.unwrap();
    rig.hub.remove(&server).await.unwrap();
    assert_eq!(rig.folders(), 0);
}

#[tokio::test]
async fn a_server_that_will_not_go_is_killed_with_its_children() {
    let rig = Rig::new();
    let script = "trap '' TERM; sleep 60 & echo $! > {dir}/child; while :; do wait; done";
    let server = rig.start(shell(script)).await.unwrap();
    let file = server.dir.clone().unwrap().join("child");
    let child = async || fs::read_to_string(&file).unwrap_or_default().trim().to_owned();
    until("it has a child", async || !child().await.is_empty()).await;
    let child = child().await;
    rig.hub.remove(&server).await.unwrap();
    assert!(!lives(&server.id));
    until("its child is gone", async || !lives(&child)).await;
    assert_eq!(rig.folders(), 0);
}

#[tokio::test]
async fn servers_do_not_outlive_their_hub() {
    let rig = Rig::new();
    let server = rig.start(broker()).await.unwrap();
    assert!(lives(&server.id));
    let Rig { hub, root } = rig;
    drop(hub);
    assert!(!lives(&server.id));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_guarded_program_dies_when_its_parent_is_killed() {
    let script =
        format!("{} guard --parent $$ -- sleep 60 & echo $! >&3; wait", program().display());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("child");
    let mut parent = Command::new("sh")
        .args(["-c", &format!("exec 3> {}; {script}", file.display())])
        .spawn()
        .unwrap();
    let child = || fs::read_to_string(&file).unwrap_or_default().trim().to_owned();
    let name = |pid: &str| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    until("the guard has become the program", async || name(&child()).trim() == "sleep").await;
    parent.kill().unwrap();
    parent.wait().unwrap();
    until("the program dies", async || !lives(&child())).await;
}

#[test]
fn an_orphaned_guard_starts_nothing() {
    let output =
        Command::new(program()).args(["guard", "--parent", "1", "--", "true"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("gone"));
}

#[tokio::test]
async fn leftovers_of_a_killed_run_are_swept() {
    let rig = Rig::new();
    let alive = rig.start(broker()).await.unwrap();
    // A folder as a killed run leaves it: its maker is gone.
    let ours = fs::read_dir(rig.root.path()).unwrap().next().unwrap().unwrap().path();
    let owner = fs::read_to_string(ours.join("owner")).unwrap();
    let mut owner: serde_json::Value = serde_json::from_str(&owner).unwrap();
    owner["maker"]["started"] = 0.into();
    owner["children"] = serde_json::json!([]);
    let dead = rig.root.path().join("hubmark-dead");
    fs::create_dir(&dead).unwrap();
    fs::write(dead.join("owner"), owner.to_string()).unwrap();

    assert_eq!(rig.hub.sweep().await.unwrap(), [dead.display().to_string()]);
    assert!(ours.exists() && lives(&alive.id));
    assert!(rig.hub.sweep().await.unwrap().is_empty());
}

#[tokio::test]
#[ignore = "needs mariadbd and mariadb-install-db on this machine"]
async fn mariadbd_runs_from_the_same_specification() {
    let rig = Rig::new();
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
    process.before = Some(layout.map(Into::into).into());
    let server = rig.start(process).await.unwrap();
    let endpoint = server.endpoint(PORT);
    until("the port opens", async || TcpStream::connect(endpoint).await.is_ok()).await;
    until("it says that it is ready", async || {
        rig.hub.log(&server, 9).await.join("\n").contains("ready for connections")
    })
    .await;
    assert!(rig.hub.data_size(&server).await.unwrap().0 > 1 << 20);
    rig.hub.remove(&server).await.unwrap();
    assert!(!lives(&server.id));
    assert_eq!(rig.folders(), 0);
}
