//! A simulated remote hub on this machine (`tests/setup/remote.sh`): a network namespace with its
//! own address, Docker engine and SSH server, reached by an `ssh` with its own configuration and key.
use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::Mutex,
};

use super::docker::{docker, unix_address};

/// A simulated remote hub; ends shortly after this process, however that ends.
pub struct RemoteHub {
    /// The hub's IP address.
    pub address: String,
    folder: PathBuf,
    /// Runs as long as its standard input is open, and reads commands there.
    script: Mutex<Script>,
    _temporary: tempfile::TempDir,
}

/// A process that occupies ports of the hub; killed when dropped.
pub struct TakenPorts(Child);

impl Drop for TakenPorts {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Script {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl RemoteHub {
    /// Starts a hub; returns when its engine and its SSH server answer.
    pub fn start() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("hub");
        let mut script = Command::new("bash")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/setup/remote.sh"))
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(script.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("ready ").expect("a simulated hub").to_owned();
        let script = Mutex::new(Script { child: script, output });
        let hub = Self { address, folder, script, _temporary: temporary };
        hub.write_ssh_config();
        hub
    }

    /// Creates an `ssh` with a configuration of several aliases.
    fn write_ssh_config(&self) {
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
        // ssh uses the first value of an option, but every key file.
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
            let host_name =
                if name.contains('*') { String::new() } else { format!(" HostName {address}\n") };
            format!("Host {name}\n{host_name} {special}\n IdentityFile {ssh}/{key}\n")
        });
        let rest = format!(
            "Host *\n IdentitiesOnly yes\n UserKnownHostsFile {ssh}/known\n \
             GlobalKnownHostsFile /dev/null\n"
        );
        let config = self.path("ssh/config");
        fs::write(&config, hosts.concat() + &rest).unwrap();
        fs::create_dir(self.path("bin")).unwrap();
        let program = self.path("bin/ssh");
        let real = find_in_path("ssh");
        let script = format!("#!/bin/sh\nexec {} -F {} \"$@\"\n", real.display(), config.display());
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A file of the hub.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A `PATH` with the configured `ssh` first.
    pub fn search_path(&self) -> OsString {
        let mut path = self.path("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        path
    }

    /// Lets a command find the configured `ssh`, and removes Docker's own configuration.
    pub fn prepare<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("PATH", self.search_path())
            .env_remove("DOCKER_HOST")
            .env_remove("DOCKER_CONTEXT")
            .env_remove("DOCKER_TLS_VERIFY")
            .env_remove("DOCKER_CERT_PATH")
    }

    /// The hub's engine for Docker's own client.
    pub fn engine(&self) -> String {
        unix_address(&self.path("run/docker.sock"))
    }

    /// Output of a docker command on the hub's engine.
    #[track_caller]
    pub fn docker(&self, arguments: &[&str]) -> String {
        docker(&[&["--host", &self.engine()], arguments].concat())
    }

    /// Restarts the hub's engine in order; returns when it answers.
    pub fn restart_engine(&self) {
        self.send_command("restart-engine");
    }

    /// Kills every process of the hub at once and starts it anew; returns when it answers.
    pub fn reboot(&self) {
        self.send_command("reboot");
    }

    fn send_command(&self, word: &str) {
        let mut script = self.script.lock().unwrap();
        writeln!(script.child.stdin.as_mut().unwrap(), "{word}").unwrap();
        let mut line = String::new();
        script.output.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "done", "{word}");
    }

    /// Rejects every connection to a port of the hub, or no longer.
    pub fn reject_port(&self, port: u16, rejected: bool) {
        let rule = if rejected { "-I" } else { "-D" };
        let done = self
            .network_command()
            .args(["iptables", rule, "INPUT", "-p", "tcp", "--dport", &port.to_string()])
            .args(["-j", "REJECT", "--reject-with", "tcp-reset"])
            .status();
        assert!(done.unwrap().success());
    }

    /// A command that enters the hub's network namespace.
    fn network_command(&self) -> Command {
        let number = self.address.split('.').nth(2).unwrap();
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/hubmark-pi{number}"));
        command
    }

    /// Occupies `count` ports of the hub from 20000 on until the result is dropped.
    pub fn take_ports(&self, count: u32) -> TakenPorts {
        let take = format!(
            "use IO::Socket::INET; for my $port (20000 .. 20000 + {count} - 1) {{ \
             push @all, IO::Socket::INET->new(LocalPort => $port, Listen => 1, ReuseAddr => 1) }} \
             $| = 1; print \"taken\\n\"; sleep 600;"
        );
        let mut child = self
            .network_command()
            .args(["bash", "-c", "ulimit -n 20000; exec \"$@\"", "take", "perl", "-e", &take])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "taken");
        TakenPorts(child)
    }

    /// Copies images from this machine's engine to the hub's engine.
    pub fn load_images(&self, images: &[&str]) {
        let script =
            format!("docker save {} | docker -H {} load -q", images.join(" "), self.engine());
        let loaded = Command::new("bash").args(["-o", "pipefail", "-c", &script]).output().unwrap();
        assert!(loaded.status.success(), "{loaded:?}");
    }
}

fn find_in_path(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(program));
    files.find(|file| Path::is_file(file)).expect("ssh is installed")
}

/// Numbers and command lines of the processes whose command line contains `text`.
pub fn processes_with(text: &str) -> Vec<(i32, String)> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers
        .filter_map(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(text).then_some((pid, line))
        })
        .collect()
}
