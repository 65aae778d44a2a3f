//! A remote hub rehearsed on this machine (`tests/setup/remote.sh`): another address, another
//! engine, an SSH server, reached with the `ssh` of an operator who has a configuration and a key.
#![allow(dead_code, reason = "each test file takes what it needs")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::Mutex,
};

/// The rehearsed hub. It is gone a moment after this process is, however that ends.
pub struct Remote {
    /// Where it is reached.
    pub address: String,
    folder: PathBuf,
    /// It lives as long as its standard input is open, and takes orders there.
    script: Mutex<Script>,
    _keep: tempfile::TempDir,
}

/// Whoever has taken ports of the hub.
pub struct Taken(Child);

impl Drop for Taken {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Script {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Remote {
    /// Starts one; returns when its engine and its SSH server answer.
    pub fn start() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let folder = keep.path().join("hub");
        let mut script = Command::new("bash")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/setup/remote.sh"))
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(script.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("ready ").expect("a rehearsed hub").to_owned();
        let script = Mutex::new(Script { child: script, said });
        let remote = Self { address, folder, script, _keep: keep };
        remote.configure();
        remote
    }

    /// The operator's `ssh`: a configuration with a few aliases.
    fn configure(&self) {
        let ssh = self.folder.join("ssh");
        let (ssh, address) = (ssh.display(), &self.address);
        let other = self.path("ssh/other");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&other)
            .status();
        assert!(made.unwrap().success());
        let foreign = fs::read_to_string(other.with_extension("pub")).unwrap();
        let foreign = foreign.split(' ').nth(1).unwrap();
        let changed = format!("{address} ssh-ed25519 {foreign}\n");
        fs::write(self.path("ssh/changed"), changed).unwrap();
        // Of what is said twice, the first counts; of keys, all.
        let hosts = [
            ("pi", "User root".to_owned(), "id"),
            ("jumped", "User root\n ProxyJump pi".to_owned(), "id"),
            ("guest", "User guest".to_owned(), "id"),
            ("stranger", "UserKnownHostsFile /dev/null".to_owned(), "id"),
            ("changed", format!("UserKnownHostsFile {ssh}/changed"), "id"),
            ("keyless", "User root".to_owned(), "other"),
            ("10.*", "User root".to_owned(), "id"),
        ]
        .map(|(name, special, key)| {
            let place =
                if name.contains('*') { String::new() } else { format!(" HostName {address}\n") };
            format!("Host {name}\n{place} {special}\n IdentityFile {ssh}/{key}\n")
        });
        let rest = format!(
            "Host *\n IdentitiesOnly yes\n UserKnownHostsFile {ssh}/known\n \
             GlobalKnownHostsFile /dev/null\n"
        );
        let config = self.path("ssh/config");
        fs::write(&config, hosts.concat() + &rest).unwrap();
        fs::create_dir(self.path("bin")).unwrap();
        let program = self.path("bin/ssh");
        let real = which("ssh");
        let script = format!("#!/bin/sh\nexec {} -F {} \"$@\"\n", real.display(), config.display());
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A file of the rehearsal.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A `PATH` on which the operator's `ssh` comes first.
    pub fn search_path(&self) -> OsString {
        let mut path = self.path("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        path
    }

    /// Has the operator's `ssh` found by `command`, and nothing of Docker's own configuration.
    pub fn prepare<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("PATH", self.search_path())
            .env_remove("DOCKER_HOST")
            .env_remove("DOCKER_CONTEXT")
            .env_remove("DOCKER_TLS_VERIFY")
            .env_remove("DOCKER_CERT_PATH")
    }

    /// The engine there, for Docker's own client.
    pub fn engine(&self) -> String {
        format!("unix://{}", self.path("run/docker.sock").display())
    }

    /// What Docker's own client says of the engine there.
    pub fn docker(&self, arguments: &[&str]) -> String {
        let output = Command::new("docker")
            .args(["-H", &self.engine()])
            .args(arguments)
            .output()
            .expect("the docker program");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Ends the engine there in order and starts it again; returns when it answers.
    pub fn restart_engine(&self) {
        self.order("restart-engine");
    }

    /// Kills everything there at once and starts it anew; returns when it answers.
    pub fn reboot(&self) {
        self.order("reboot");
    }

    fn order(&self, word: &str) {
        let mut script = self.script.lock().unwrap();
        writeln!(script.child.stdin.as_mut().unwrap(), "{word}").unwrap();
        let mut line = String::new();
        script.said.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "done", "{word}");
    }

    /// Has every connection to a port there refused, or no longer.
    pub fn bar(&self, port: u16, barred: bool) {
        let rule = if barred { "-I" } else { "-D" };
        let done = self
            .inside_its_network()
            .args(["iptables", rule, "INPUT", "-p", "tcp", "--dport", &port.to_string()])
            .args(["-j", "REJECT", "--reject-with", "tcp-reset"])
            .status();
        assert!(done.unwrap().success());
    }

    fn inside_its_network(&self) -> Command {
        let number = self.address.split('.').nth(2).unwrap();
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/hubmark-pi{number}"));
        command
    }

    /// Takes so many ports there from 20000 on, until what it returns is dropped.
    pub fn take_ports(&self, count: u32) -> Taken {
        let take = format!(
            "use IO::Socket::INET; for my $port (20000 .. 20000 + {count} - 1) {{ \
             push @all, IO::Socket::INET->new(LocalPort => $port, Listen => 1, ReuseAddr => 1) }} \
             $| = 1; print \"taken\\n\"; sleep 600;"
        );
        let mut child = self
            .inside_its_network()
            .args(["bash", "-c", "ulimit -n 20000; exec \"$@\"", "take", "perl", "-e", &take])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "taken");
        Taken(child)
    }

    /// Carries images from this machine's engine to the one there.
    pub fn load(&self, images: &[&str]) {
        let script =
            format!("docker save {} | docker -H {} load -q", images.join(" "), self.engine());
        let loaded = Command::new("bash").args(["-o", "pipefail", "-c", &script]).output().unwrap();
        assert!(loaded.status.success(), "{loaded:?}");
    }
}

fn which(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(program));
    files.find(|file| Path::is_file(file)).expect("ssh is installed")
}

/// Processes whose command line holds `word`: number and command line.
pub fn processes(word: &str) -> Vec<(i32, String)> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers
        .filter_map(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            (line.contains(word)).then_some((pid, line))
        })
        .collect()
}
