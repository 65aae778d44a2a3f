//! What nobody planned, done to the server of a run behind hubmark's back.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};

use super::{engine::docker, until};

/// How much more than it uses a server may have before the memory is taken away.
const LEFT: u64 = 16 << 20;

/// The process of a container, as this machine counts.
fn process(container: &str) -> String {
    docker(&["inspect", "--format", "{{.State.Pid}}", container]).trim().to_owned()
}

/// Leaves a container no memory: its limit is lowered to a little more than it uses, and somebody
/// whom the kernel does not kill takes the rest.
pub fn want_of_memory(container: &str) {
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", process(container))).unwrap();
    let path = |line: &str| line.split_once(":memory:").map(|(_, path)| path.to_owned());
    let (folder, used) = if let Some(path) = groups.lines().find_map(path) {
        (format!("/sys/fs/cgroup/memory{path}"), "memory.usage_in_bytes")
    } else {
        let path = groups.trim().rsplit_once("::").unwrap().1;
        (format!("/sys/fs/cgroup{path}"), "memory.current")
    };
    // One that is starting may have taken more before the limit is in force, which is then refused.
    until("its memory is limited", || {
        let used = fs::read_to_string(format!("{folder}/{used}")).unwrap();
        let limit = (used.trim().parse::<u64>().unwrap() + LEFT).to_string();
        let limited = ["update", "--memory", &limit, "--memory-swap", &limit, container];
        Command::new("docker").args(limited).output().unwrap().status.success()
    });
    let script = "open my $f, '>', '/proc/self/oom_score_adj'; print $f '-1000'; close $f; \
                  <STDIN>; my @all; push @all, 'x' x 1048576 for 1 .. 512; sleep 60";
    let mut hog =
        Command::new("perl").args(["-e", script]).stdin(Stdio::piped()).spawn().expect("perl");
    let go = format!("{folder}/cgroup.procs");
    fs::write(&go, hog.id().to_string()).unwrap();
    hog.stdin.take().unwrap().write_all(b"go\n").unwrap();
    until("the server is killed", || process(container) == "0");
    hog.kill().unwrap();
    hog.wait().unwrap();
}

/// Takes a container off all its networks.
pub fn cut(container: &str) {
    let format = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
    for network in docker(&["inspect", "--format", format, container]).split_whitespace() {
        docker(&["network", "disconnect", "--force", network, container]);
    }
}

/// Resets every connection to a port of a container, for a while.
pub fn reset(container: &str, port: u16, lasts: Duration) {
    let pid = process(container);
    let rule = |what: &str| {
        let done = Command::new("nsenter")
            .args(["-t", &pid, "-n", "iptables", what, "INPUT", "-p", "tcp", "--dport"])
            .arg(port.to_string())
            .args(["-j", "REJECT", "--reject-with", "tcp-reset"])
            .output()
            .expect("nsenter and iptables");
        assert!(done.status.success(), "{done:?}");
    };
    rule("-I");
    sleep(lasts);
    rule("-D");
}

/// One statement by the administrator who sits in the container.
pub fn sql(container: &str, statement: &str) {
    docker(&["exec", container, "mariadb", "hubmark", "-e", statement]);
}

/// Deletes the topic of a run.
pub fn delete_topic(container: &str) {
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";
    let address = docker(&["inspect", "--format", format, container]);
    let address = address.split_whitespace().next().unwrap();
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", format!("{address}:9092")).create().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let deleted = runtime.block_on(admin.delete_topics(&["hubmark"], &AdminOptions::new()));
    assert_eq!(deleted.unwrap(), [Ok("hubmark".to_owned())]);
}

/// A disk of a few megabytes, which containers take for their own by a volume's name. Gone when
/// dropped.
pub struct SmallDisk {
    /// The volume's name.
    pub name: String,
    folder: PathBuf,
}

impl SmallDisk {
    /// One of `megabytes`, mounted in `folder`.
    pub fn new(folder: &Path, megabytes: u32) -> Self {
        let folder = folder.join("disk");
        fs::create_dir(&folder).unwrap();
        let size = format!("size={megabytes}m");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&folder).status();
        assert!(mounted.unwrap().success());
        let name = format!("hubmark-test-{}-{:?}", std::process::id(), std::thread::current().id());
        let name: String =
            name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        let device = format!("device={}", folder.display());
        docker(&[
            "volume",
            "create",
            "--opt",
            "type=none",
            "--opt",
            "o=bind",
            "--opt",
            &device,
            &name,
        ]);
        Self { name, folder }
    }

    /// Fills it to the last byte.
    pub fn fill(&self) {
        let mut file = fs::File::create(self.folder.join("ballast")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    /// Gives the space free again.
    pub fn clear(&self) {
        fs::remove_file(self.folder.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["volume", "rm", "--force", &self.name]).output();
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}

/// Others who want all of the processor; gone when dropped.
pub struct Others(Vec<Child>);

impl Others {
    /// As many as keep every core busy many times over.
    pub fn crowd() -> Self {
        let cores = std::thread::available_parallelism().unwrap().get();
        let spin = || {
            Command::new("nice")
                .args(["-n", "-19", "perl", "-e", "1 while 1"])
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        };
        Self((0..cores * 8).map(|_| spin()).collect())
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        for other in &mut self.0 {
            let _ = other.kill();
            let _ = other.wait();
        }
    }
}
