//! The local hub: servers as child processes on this machine, no container.
//!
//! Each server has a fresh temporary folder (`folder`), is started through the guard (`child`) so that
//! it cannot outlive us, and is read from `/proc` (`usage`). Resource limits need containers:
//! they are refused here, not ignored.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    fs::OpenOptions,
    io::{self, Read, Seek, SeekFrom},
    net::{IpAddr, Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use nix::sys::signal::Signal;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::{
    Hub, HubError, PATIENCE, Sampled, machine, own_program,
    vitals::{self, Attendance},
};
use crate::{
    clock::Clock,
    plan::FaultKind,
    server::{
        BlockSource, HubFacts, HubKind, Image, Launch, Life, Limits, ProcessSpec, Reading, Running,
        ServerSpec,
    },
    units::Bytes,
};

pub(super) mod usage;

pub use super::child::folder::ROOT_VARIABLE;
use super::child::{
    folder::{self, Folder},
    guarded,
    nursery::{Nursery, Offspring, code},
    program,
};

/// How long a server may take to end in order before it is killed. Its data is about to be
/// removed: nothing is lost with the rest.
const FAREWELL: Duration = Duration::from_secs(3);
/// Lines of a server's log that explain its failure.
const LAST_LINES: usize = 20;
/// The end of a log that is searched for its last lines.
const LOG_TAIL: u64 = 64 << 10;
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Child processes on this machine. Dropped, it kills them and removes their folders.
pub struct LocalHub {
    own_program: PathBuf,
    root: PathBuf,
    nursery: Nursery,
    servers: Mutex<HashMap<String, Server>>,
    /// The removals in progress.
    removals: TaskTracker,
}

struct Server {
    process: Offspring,
    folder: Folder,
}

impl Server {
    /// Waits for the process, ends what it may have left in its group, removes the folder.
    fn bury(self) -> io::Result<()> {
        drop(self.process);
        self.folder.remove()
    }
}

impl LocalHub {
    /// A hub whose guard is this program's own executable.
    pub fn open() -> Result<Self, HubError> {
        Self::with(own_program()?, folder::root())
    }

    /// A hub whose guard is `own_program`, with its temporary folders in `root`.
    pub fn with(own_program: PathBuf, root: PathBuf) -> Result<Self, HubError> {
        let nursery = Nursery::open().map_err(operation("starting a thread"))?;
        let (servers, removals) = (Mutex::default(), TaskTracker::new());
        Ok(Self { own_program, root, nursery, servers, removals })
    }

    fn servers(&self) -> MutexGuard<'_, HashMap<String, Server>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A command that runs `line` under guard, with its output in the folder's log.
    fn guarded(
        &self,
        line: &[OsString],
        spec: &ProcessSpec,
        filled: &Placeholders,
        folder: &Folder,
    ) -> io::Result<Command> {
        let log = OpenOptions::new().create(true).append(true).open(folder.log())?;
        let mut command = guarded(&self.own_program, line.iter().cloned());
        command
            .envs(spec.environment.iter().map(|(key, value)| (key, filled.fill(value))))
            .current_dir(folder.data())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(command)
    }

    fn strike(&self, server: &Running, fault: &FaultKind, signal: Signal) -> Result<(), HubError> {
        let refused = |reason: &str| HubError::Operation {
            what: format!("{} of {}", fault.word(), server.role),
            reason: reason.to_owned(),
        };
        if *fault != FaultKind::Pause {
            return Err(refused("it needs a container: choose the docker hub"));
        }
        match self.servers().get(&server.id) {
            Some(known) => known.process.signal(signal),
            None => return Err(refused("the process is gone")),
        }
        Ok(())
    }

    async fn prepare(&self, role: &str, command: Command, folder: &Folder) -> Result<(), HubError> {
        let mut process = self.nursery.start(command).await.map_err(not_started(role))?;
        let ended = process.end(PATIENCE).await.map_err(not_started(role))?;
        let reason = match ended {
            Some(status) if status.success() => return Ok(()),
            Some(status) => format!("laying out its data failed ({status})"),
            None => format!("laying out its data took longer than {PATIENCE:.0?}"),
        };
        let lines = tail(&folder.log(), LAST_LINES).join("\n  ");
        Err(HubError::Start { role: role.to_owned(), reason: format!("{reason}\n  {lines}") })
    }
}

#[async_trait]
impl Hub for LocalHub {
    fn kind(&self) -> HubKind {
        HubKind::Local
    }

    fn place(&self) -> String {
        "this machine".into()
    }

    async fn facts(&self) -> Result<HubFacts, HubError> {
        Ok(machine::this_machine())
    }

    async fn attend(&self, _: Option<&Image>) -> Result<Option<Attendance>, HubError> {
        let here = vitals::tree::Tree::Folder("/".into());
        Ok(Some(vitals::follow(here, self.root.clone()).await))
    }

    async fn start(
        &self,
        spec: &ServerSpec,
        limits: &Limits,
        _earlier: &[Running],
    ) -> Result<Running, HubError> {
        let role = &spec.role;
        let Launch::Process(process) = &spec.launch else {
            return Err(refused(role, "it needs a container: choose the docker hub"));
        };
        if *limits != Limits::default() {
            return Err(refused(role, "limits need a container: choose the docker hub"));
        }
        let program = program::find(&process.program)?;
        let mut folder = Folder::make(&self.root).map_err(|error| {
            let root = self.root.display();
            refused(
                role,
                &format!("no folder can be made in {root} ({error}): set {ROOT_VARIABLE}"),
            )
        })?;
        let (ports, reserved) = reserve(&spec.ports).map_err(not_started(role))?;
        let filled = Placeholders::new(&folder.data(), &spec.ports, &ports);
        for (name, content) in &process.files {
            folder.write(name, &filled.fill(content)).map_err(not_started(role))?;
        }
        if let Some((first, rest)) = process.before.as_deref().and_then(<[_]>::split_first) {
            let line = filled.line(&program::find(Path::new(&filled.fill(first)))?, rest);
            let command = self.guarded(&line, process, &filled, &folder);
            self.prepare(role, command.map_err(not_started(role))?, &folder).await?;
        }
        let line = filled.line(&program, &process.arguments);
        let command = self.guarded(&line, process, &filled, &folder).map_err(not_started(role))?;
        drop(reserved);
        let offspring = self.nursery.start(command).await.map_err(not_started(role))?;
        folder.adopt(offspring.id()).map_err(not_started(role))?;
        let running = Running {
            role: role.clone(),
            id: offspring.id().to_string(),
            address: HERE,
            ports,
            image: program.display().to_string(),
            digest: None,
            data_dir: Some(folder.data().display().to_string()),
            dir: Some(folder.data()),
        };
        self.servers().insert(running.id.clone(), Server { process: offspring, folder });
        Ok(running)
    }

    fn watch(&self, server: &Running, clock: Clock) -> mpsc::Receiver<Sampled> {
        // A process that cannot be is one that has ended.
        usage::watch(server.id.parse().unwrap_or(i32::MAX), clock)
    }

    async fn read(&self, server: &Running) -> Result<Reading, HubError> {
        let reading = usage::now(server.id.parse().unwrap_or(i32::MAX), &server.role)?;
        // Nothing limits the servers of this hub.
        Ok(Reading { throttled: Some(Duration::ZERO), ..reading })
    }

    async fn data_size(&self, server: &Running) -> Option<Bytes> {
        let dir = server.dir.clone()?;
        tokio::task::spawn_blocking(move || folder::size(&dir).ok().map(Bytes)).await.ok()?
    }

    async fn disk_written(&self, server: &Running) -> Option<Bytes> {
        usage::disk_written(server.dir.as_deref()?)
    }

    fn block_source(&self, _server: &Running) -> BlockSource {
        BlockSource::Process
    }

    async fn life(&self, server: &Running) -> Life {
        let mut servers = self.servers();
        let Some(known) = servers.get_mut(&server.id) else { return Life::Gone };
        match known.process.ended() {
            Ok(None) => Life::Running,
            // Without a memory limit of its own a process cannot run into it.
            Ok(Some(status)) => {
                Life::Ended { code: code(status).map(i64::from), out_of_memory: false }
            }
            Err(_) => Life::Gone,
        }
    }

    async fn log(&self, server: &Running, lines: usize) -> Vec<String> {
        let file = self.servers().get(&server.id).map(|known| known.folder.log());
        file.map_or_else(Vec::new, |file| tail(&file, lines))
    }

    /// Child processes can be paused. One that was killed would come back without its memory, which
    /// is all that the built-in broker has, and the other faults need a container.
    async fn inflict(
        &self,
        server: &Running,
        fault: &FaultKind,
        _limits: &Limits,
    ) -> Result<(), HubError> {
        self.strike(server, fault, Signal::SIGSTOP)
    }

    async fn relieve(
        &self,
        server: &Running,
        fault: &FaultKind,
        _limits: &Limits,
    ) -> Result<(), HubError> {
        self.strike(server, fault, Signal::SIGCONT)
    }

    async fn remove(&self, server: &Running) -> Result<(), HubError> {
        let known = self.servers().remove(&server.id);
        let Some(mut known) = known else { return Ok(()) };
        let what = format!("removing {}", server.role);
        known.process.signal(Signal::SIGTERM);
        // One that a planned fault has paused hears it only when it goes on.
        known.process.signal(Signal::SIGCONT);
        let ended = known.process.end(FAREWELL).await.map_err(operation(&what))?;
        if ended.is_none() {
            known.process.signal(Signal::SIGKILL);
        }
        let gone = self.removals.spawn_blocking(|| known.bury());
        gone.await.map_err(io::Error::other).flatten().map_err(operation(&what))
    }

    async fn abandon(&self) -> Result<(), HubError> {
        let left: Vec<_> = self.servers().drain().map(|(_, server)| server).collect();
        let buried = self.removals.spawn_blocking(|| left.into_iter().try_for_each(Server::bury));
        self.removals.close();
        self.removals.wait().await;
        let what = operation("removing the servers");
        buried.await.map_err(io::Error::other).flatten().map_err(what)
    }

    async fn sweep(&self) -> Result<Vec<String>, HubError> {
        let root = self.root.clone();
        let swept = tokio::task::spawn_blocking(move || folder::sweep(&root));
        swept.await.map_err(io::Error::other).flatten().map_err(operation("removing leftovers"))
    }
}

/// What stands for what in a specification's texts.
struct Placeholders(Vec<(String, String)>);

impl Placeholders {
    /// `{dir}`; `{port}` for the main port; `{port:N}` for the port that stands for port `N`.
    fn new(dir: &Path, asked: &[u16], ports: &BTreeMap<u16, u16>) -> Self {
        let mut pairs = vec![("{dir}".into(), dir.display().to_string())];
        if let Some(main) = asked.first().and_then(|port| ports.get(port)) {
            pairs.push(("{port}".into(), main.to_string()));
        }
        pairs.extend(ports.iter().map(|(own, free)| (format!("{{port:{own}}}"), free.to_string())));
        Self(pairs)
    }

    fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    fn line(&self, program: &Path, arguments: &[String]) -> Vec<OsString> {
        let arguments = arguments.iter().map(|argument| self.fill(argument).into());
        std::iter::once(program.into()).chain(arguments).collect()
    }
}

/// Finds a free port for each port asked for, and keeps them from others until the listeners are
/// dropped.
fn reserve(asked: &[u16]) -> io::Result<(BTreeMap<u16, u16>, Vec<TcpListener>)> {
    let mut ports = BTreeMap::new();
    let mut listeners = Vec::new();
    for port in asked {
        let listener = TcpListener::bind((HERE, 0))?;
        ports.insert(*port, listener.local_addr()?.port());
        listeners.push(listener);
    }
    Ok((ports, listeners))
}

/// The last lines of a file; none when it cannot be read.
fn tail(file: &Path, lines: usize) -> Vec<String> {
    let read = || {
        let mut file = OpenOptions::new().read(true).open(file)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        io::Result::Ok(text)
    };
    let text = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].iter().map(ToString::to_string).collect()
}

fn refused(role: &str, reason: &str) -> HubError {
    HubError::Start { role: role.to_owned(), reason: reason.to_owned() }
}

fn not_started(role: &str) -> impl Fn(io::Error) -> HubError {
    move |error| HubError::Start { role: role.to_owned(), reason: error.to_string() }
}

fn operation(what: &str) -> impl Fn(io::Error) -> HubError {
    move |error| HubError::Operation { what: what.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_wherever_they_stand() {
        let ports = BTreeMap::from([(3306, 40_001), (9092, 40_002)]);
        let filled = Placeholders::new(Path::new("/t/data"), &[3306, 9092], &ports);
        assert_eq!(
            filled.fill("--socket={dir}/s --port={port}"),
            "--socket=/t/data/s --port=40001"
        );
        assert_eq!(filled.fill("{port:9092} {port:1} {x}"), "40002 {port:1} {x}");
        let line = filled.line(Path::new("/bin/p"), &["{dir}".into()]);
        assert_eq!(line, ["/bin/p", "/t/data"]);
    }

    #[test]
    fn reserved_ports_differ() {
        let (ports, listeners) = reserve(&[1, 2, 3]).unwrap();
        assert_eq!((ports.len(), listeners.len()), (3, 3));
        let distinct: std::collections::BTreeSet<_> = ports.values().collect();
        assert_eq!(distinct.len(), 3);
    }

    #[test]
    fn a_tail_is_the_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log");
        assert!(tail(&file, 3).is_empty());
        std::fs::write(&file, "one\ntwo\nthree\nfour").unwrap();
        assert_eq!(tail(&file, 2), ["three", "four"]);
        assert_eq!(tail(&file, 9).len(), 4);
    }
}
