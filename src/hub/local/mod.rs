//! The local hub: servers as child processes on this machine, without containers.
//!
//! Each server has a fresh temporary folder ([`server_folder`]), is started through the guard
//! ([`super::child::guard`]) so that it cannot outlive this program, and is read from `/proc`
//! (`usage`). Resource limits need containers: they are refused here, not ignored.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    fs::OpenOptions,
    io::{self, Read, Seek, SeekFrom},
    net::{IpAddr, Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use async_trait::async_trait;
use nix::sys::signal::Signal;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::{
    Hub, HubError, READY_TIMEOUT, TimedReading,
    child::{
        guarded_command,
        program::{self, own_program},
        server_folder::{self, ServerFolder, TEMP_ROOT_VARIABLE},
        spawner::{ChildHandle, ChildSpawner, exit_code},
    },
    host::{self, HostReader},
    machine,
    placeholders::Placeholders,
};
use crate::{
    clock::Clock,
    plan::FaultKind,
    server::{
        BlockSource, HubFacts, HubKind, LaunchSpec, ProcessSpec, ResourceLimits, RunningServer,
        ServerImage, ServerReading, ServerSpec, ServerState,
    },
    units::Bytes,
};

pub(super) mod usage;

/// Longest wait for a server's exit after SIGTERM before it is killed; its data is removed next, so
/// killing it loses nothing.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);
/// Lines of a server's log quoted when it fails.
const FAILURE_LOG_LINES: usize = 20;
/// Bytes at the end of a log that are searched for its last lines.
const LOG_TAIL_BYTES: u64 = 64 << 10;
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Servers as child processes on this machine; dropping the hub kills them and removes their
/// folders.
pub struct LocalHub {
    own_program: PathBuf,
    root: PathBuf,
    spawner: ChildSpawner,
    servers: Mutex<HashMap<String, LocalServer>>,
    /// Removals in progress.
    removals: TaskTracker,
}

struct LocalServer {
    process: ChildHandle,
    folder: ServerFolder,
}

impl LocalServer {
    /// Kills the server's process group if the process still runs, and removes the folder.
    fn kill_and_remove(self) -> io::Result<()> {
        drop(self.process);
        self.folder.remove()
    }
}

impl LocalHub {
    /// A hub with this program's own executable as the guard.
    pub fn open() -> Result<Self, HubError> {
        Self::with_guard(own_program()?, server_folder::temp_root())
    }

    /// A hub with `own_program` as the guard and temporary folders in `root`.
    pub fn with_guard(own_program: PathBuf, root: PathBuf) -> Result<Self, HubError> {
        let spawner = ChildSpawner::new().map_err(operation_failed("starting a thread"))?;
        let (servers, removals) = (Mutex::default(), TaskTracker::new());
        Ok(Self { own_program, root, spawner, servers, removals })
    }

    fn servers(&self) -> MutexGuard<'_, HashMap<String, LocalServer>> {
        self.servers.lock()
    }

    /// A guarded command for `line`, with its output in the folder's log.
    fn server_command(
        &self,
        line: &[OsString],
        spec: &ProcessSpec,
        filled: &Placeholders,
        folder: &ServerFolder,
    ) -> io::Result<Command> {
        let log = OpenOptions::new().create(true).append(true).open(folder.log())?;
        let mut command = guarded_command(&self.own_program, line.iter().cloned());
        command
            .envs(spec.environment.iter().map(|(key, value)| (key, filled.fill(value))))
            .current_dir(folder.data())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(command)
    }

    fn signal_for_fault(
        &self,
        server: &RunningServer,
        fault: &FaultKind,
        signal: Signal,
    ) -> Result<(), HubError> {
        let refused = |reason: &str| HubError::Operation {
            what: format!("{} of {}", fault.name(), server.role),
            reason: reason.to_owned(),
        };
        if *fault != FaultKind::Pause {
            return Err(refused("it needs a container: choose the docker hub"));
        }
        match self.servers().get(&server.id) {
            Some(known) => known.process.signal(signal),
            None => return Err(refused("the process has ended")),
        }
        Ok(())
    }

    async fn prepare_data(
        &self,
        role: &str,
        command: Command,
        folder: &ServerFolder,
    ) -> Result<(), HubError> {
        let mut process = self.spawner.spawn(command).await.map_err(start_failed(role))?;
        let ended = process.wait_timeout(READY_TIMEOUT).await.map_err(start_failed(role))?;
        let reason = match ended {
            Some(status) if status.success() => return Ok(()),
            Some(status) => format!("preparing its data failed ({status})"),
            None => format!("preparing its data took longer than {READY_TIMEOUT:.0?}"),
        };
        let lines = last_lines(&folder.log(), FAILURE_LOG_LINES).join("\n  ");
        Err(HubError::Start { role: role.to_owned(), reason: format!("{reason}\n  {lines}") })
    }
}

#[async_trait]
impl Hub for LocalHub {
    fn kind(&self) -> HubKind {
        HubKind::Local
    }

    fn location(&self) -> String {
        "this machine".into()
    }

    async fn facts(&self) -> Result<HubFacts, HubError> {
        Ok(machine::local_facts())
    }

    async fn monitor_host(&self, _: Option<&ServerImage>) -> Result<Option<HostReader>, HubError> {
        let here = host::files::SystemFiles::Folder("/".into());
        Ok(Some(host::read_local(here, self.root.clone()).await))
    }

    async fn start(
        &self,
        spec: &ServerSpec,
        limits: &ResourceLimits,
        _earlier: &[RunningServer],
    ) -> Result<RunningServer, HubError> {
        let role = &spec.role;
        let LaunchSpec::Process(process) = &spec.launch else {
            return Err(start_refused(role, "it needs a container: choose the docker hub"));
        };
        if *limits != ResourceLimits::default() {
            return Err(start_refused(role, "limits need a container: choose the docker hub"));
        }
        let program = program::find(&process.program)?;
        let mut folder = ServerFolder::create(&self.root).map_err(|error| {
            let root = self.root.display();
            start_refused(
                role,
                &format!("no folder can be created in {root} ({error}): set {TEMP_ROOT_VARIABLE}"),
            )
        })?;
        let (ports, reserved) = reserve_ports(&spec.ports).map_err(start_failed(role))?;
        let filled = placeholders(&folder.data(), &spec.ports, &ports);
        for (name, content) in &process.files {
            folder.write(name, &filled.fill(content)).map_err(start_failed(role))?;
        }
        if let Some((first, rest)) = process.setup_command.as_deref().and_then(<[_]>::split_first) {
            let line = command_line(&filled, &program::find(Path::new(&filled.fill(first)))?, rest);
            let command = self.server_command(&line, process, &filled, &folder);
            self.prepare_data(role, command.map_err(start_failed(role))?, &folder).await?;
        }
        let line = command_line(&filled, &program, &process.arguments);
        let command =
            self.server_command(&line, process, &filled, &folder).map_err(start_failed(role))?;
        drop(reserved);
        let child = self.spawner.spawn(command).await.map_err(start_failed(role))?;
        folder.add_process(child.id()).map_err(start_failed(role))?;
        let running = RunningServer {
            role: role.clone(),
            id: child.id().to_string(),
            address: LOCALHOST,
            ports,
            image: program.display().to_string(),
            digest: None,
            data_dir: Some(folder.data().display().to_string()),
            dir: Some(folder.data()),
        };
        self.servers().insert(running.id.clone(), LocalServer { process: child, folder });
        Ok(running)
    }

    fn watch(&self, server: &RunningServer, clock: Clock) -> mpsc::Receiver<TimedReading> {
        // An invalid number maps to a process that cannot exist: it counts as ended.
        usage::watch(server.id.parse().unwrap_or(i32::MAX), clock)
    }

    async fn read(&self, server: &RunningServer) -> Result<ServerReading, HubError> {
        let reading = usage::read_running(server.id.parse().unwrap_or(i32::MAX), &server.role)?;
        // Servers of this hub run without limits.
        Ok(ServerReading { throttled: Some(Duration::ZERO), ..reading })
    }

    async fn data_size(&self, server: &RunningServer) -> Option<Bytes> {
        let dir = server.dir.clone()?;
        tokio::task::spawn_blocking(move || server_folder::disk_usage(&dir).ok().map(Bytes))
            .await
            .ok()?
    }

    async fn disk_written(&self, server: &RunningServer) -> Option<Bytes> {
        usage::disk_written(server.dir.as_deref()?)
    }

    fn block_source(&self, _server: &RunningServer) -> BlockSource {
        BlockSource::Process
    }

    async fn server_state(&self, server: &RunningServer) -> ServerState {
        let mut servers = self.servers();
        let Some(known) = servers.get_mut(&server.id) else { return ServerState::NotFound };
        match known.process.try_wait() {
            Ok(None) => ServerState::Running,
            // Without a memory limit the process cannot have reached it.
            Ok(Some(status)) => {
                ServerState::Ended { code: exit_code(status).map(i64::from), out_of_memory: false }
            }
            Err(_) => ServerState::NotFound,
        }
    }

    async fn log(&self, server: &RunningServer, lines: usize) -> Vec<String> {
        let file = self.servers().get(&server.id).map(|known| known.folder.log());
        file.map_or_else(Vec::new, |file| last_lines(&file, lines))
    }

    /// Supports pausing only. A killed server would restart without its memory, which is all the
    /// data that the built-in broker has; the other faults need a container.
    async fn inject(
        &self,
        server: &RunningServer,
        fault: &FaultKind,
        _limits: &ResourceLimits,
    ) -> Result<(), HubError> {
        self.signal_for_fault(server, fault, Signal::SIGSTOP)
    }

    async fn clear(
        &self,
        server: &RunningServer,
        fault: &FaultKind,
        _limits: &ResourceLimits,
    ) -> Result<(), HubError> {
        self.signal_for_fault(server, fault, Signal::SIGCONT)
    }

    async fn remove(&self, server: &RunningServer) -> Result<(), HubError> {
        let known = self.servers().remove(&server.id);
        let Some(mut known) = known else { return Ok(()) };
        let what = format!("removing {}", server.role);
        known.process.signal(Signal::SIGTERM);
        // A process paused by a planned fault receives SIGTERM only after it continues.
        known.process.signal(Signal::SIGCONT);
        let ended =
            known.process.wait_timeout(STOP_TIMEOUT).await.map_err(operation_failed(&what))?;
        if ended.is_none() {
            known.process.signal(Signal::SIGKILL);
        }
        let removal = self.removals.spawn_blocking(|| known.kill_and_remove());
        removal.await.map_err(io::Error::other).flatten().map_err(operation_failed(&what))
    }

    async fn shutdown(&self) -> Result<(), HubError> {
        let left: Vec<_> = self.servers().drain().map(|(_, server)| server).collect();
        let removal = self
            .removals
            .spawn_blocking(|| left.into_iter().try_for_each(LocalServer::kill_and_remove));
        self.removals.close();
        self.removals.wait().await;
        let what = operation_failed("removing the servers");
        removal.await.map_err(io::Error::other).flatten().map_err(what)
    }

    async fn remove_leftovers(&self) -> Result<Vec<String>, HubError> {
        let root = self.root.clone();
        let removal = tokio::task::spawn_blocking(move || server_folder::remove_leftovers(&root));
        removal
            .await
            .map_err(io::Error::other)
            .flatten()
            .map_err(operation_failed("removing leftovers"))
    }
}

/// Returns the values of `{dir}`, of `{port}` for the main port, and of `{port:N}` for the actual
/// port of port `N`.
fn placeholders(dir: &Path, requested: &[u16], ports: &BTreeMap<u16, u16>) -> Placeholders {
    let filled = Placeholders::for_ports(ports).with("dir", &dir.display());
    match requested.first().and_then(|port| ports.get(port)) {
        Some(main) => filled.with("port", main),
        None => filled,
    }
}

fn command_line(filled: &Placeholders, program: &Path, arguments: &[String]) -> Vec<OsString> {
    let arguments = arguments.iter().map(|argument| filled.fill(argument).into());
    std::iter::once(program.into()).chain(arguments).collect()
}

/// Reserves a free port for each requested port, until the listeners are dropped.
fn reserve_ports(requested: &[u16]) -> io::Result<(BTreeMap<u16, u16>, Vec<TcpListener>)> {
    let mut ports = BTreeMap::new();
    let mut listeners = Vec::new();
    for port in requested {
        let listener = TcpListener::bind((LOCALHOST, 0))?;
        ports.insert(*port, listener.local_addr()?.port());
        listeners.push(listener);
    }
    Ok((ports, listeners))
}

/// The last lines of a file; empty when it cannot be read.
fn last_lines(file: &Path, lines: usize) -> Vec<String> {
    let read = || {
        let mut file = OpenOptions::new().read(true).open(file)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        io::Result::Ok(text)
    };
    let text = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].iter().map(ToString::to_string).collect()
}

fn start_refused(role: &str, reason: &str) -> HubError {
    HubError::Start { role: role.to_owned(), reason: reason.to_owned() }
}

fn start_failed(role: &str) -> impl Fn(io::Error) -> HubError {
    move |error| HubError::Start { role: role.to_owned(), reason: error.to_string() }
}

fn operation_failed(what: &str) -> impl Fn(io::Error) -> HubError {
    move |error| HubError::Operation { what: what.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_has_its_placeholders_filled() {
        let ports = BTreeMap::from([(3306, 40_001), (9092, 40_002)]);
        let filled = placeholders(Path::new("/t/data"), &[3306, 9092], &ports);
        let arguments = ["--socket={dir}/s", "--port={port}", "{port:9092}"].map(str::to_owned);
        let line = command_line(&filled, Path::new("/bin/p"), &arguments);
        assert_eq!(line, ["/bin/p", "--socket=/t/data/s", "--port=40001", "40002"]);
    }

    #[test]
    fn reserved_ports_differ() {
        let (ports, listeners) = reserve_ports(&[1, 2, 3]).unwrap();
        assert_eq!((ports.len(), listeners.len()), (3, 3));
        let distinct: std::collections::BTreeSet<_> = ports.values().collect();
        assert_eq!(distinct.len(), 3);
    }

    #[test]
    fn a_tail_is_the_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log");
        assert!(last_lines(&file, 3).is_empty());
        std::fs::write(&file, "one\ntwo\nthree\nfour").unwrap();
        assert_eq!(last_lines(&file, 2), ["three", "four"]);
        assert_eq!(last_lines(&file, 9).len(), 4);
    }
}
