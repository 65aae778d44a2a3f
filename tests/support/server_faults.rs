//! Faults that are not planned, injected into a server's container without hubmark's knowledge.

use std::{
    fs,
    io::Write,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};

use super::{docker::docker, wait::until};

/// Memory above its present use that a server keeps before the rest is taken away.
const SPARE_MEMORY: u64 = 16 << 20;

/// The process number of a container on this machine.
fn process_of(container: &str) -> String {
    docker(&["inspect", "--format", "{{.State.Pid}}", container])
}

/// Exhausts a container's memory: lowers its limit to a little more than it uses, and lets a process
/// that the kernel does not kill take the rest.
pub fn exhaust_memory(container: &str) {
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", process_of(container))).unwrap();
    let path = |line: &str| line.split_once(":memory:").map(|(_, path)| path.to_owned());
    let (folder, used) = if let Some(path) = groups.lines().find_map(path) {
        (format!("/sys/fs/cgroup/memory{path}"), "memory.usage_in_bytes")
    } else {
        let path = groups.trim().rsplit_once("::").unwrap().1;
        (format!("/sys/fs/cgroup{path}"), "memory.current")
    };
    // A starting server may use more before the limit applies; the engine then refuses the limit.
    until("the container's memory is limited", || {
        let used = fs::read_to_string(format!("{folder}/{used}")).unwrap();
        let limit = (used.trim().parse::<u64>().unwrap() + SPARE_MEMORY).to_string();
        let limited = ["update", "--memory", &limit, "--memory-swap", &limit, container];
        Command::new("docker").args(limited).output().unwrap().status.success()
    });
    let script = "open my $f, '>', '/proc/self/oom_score_adj'; print $f '-1000'; close $f; \
                  <STDIN>; my @all; push @all, 'x' x 1048576 for 1 .. 512; sleep 60";
    let mut hog =
        Command::new("perl").args(["-e", script]).stdin(Stdio::piped()).spawn().expect("perl");
    fs::write(format!("{folder}/cgroup.procs"), hog.id().to_string()).unwrap();
    hog.stdin.take().unwrap().write_all(b"go\n").unwrap();
    until("the server is killed", || process_of(container) == "0");
    hog.kill().unwrap();
    hog.wait().unwrap();
}

/// Disconnects a container from all its networks.
pub fn disconnect(container: &str) {
    let format = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
    for network in docker(&["inspect", "--format", format, container]).split_whitespace() {
        docker(&["network", "disconnect", "--force", network, container]);
    }
}

/// Resets every connection to a port of a container for `duration`.
pub fn reset_connections(container: &str, port: u16, duration: Duration) {
    let pid = process_of(container);
    let change_rule = |action: &str| {
        let done = Command::new("nsenter")
            .args(["-t", &pid, "-n", "iptables", action, "INPUT", "-p", "tcp", "--dport"])
            .arg(port.to_string())
            .args(["-j", "REJECT", "--reject-with", "tcp-reset"])
            .output()
            .expect("nsenter and iptables");
        assert!(done.status.success(), "{done:?}");
    };
    change_rule("-I");
    sleep(duration);
    change_rule("-D");
}

/// Runs one statement as the administrator of a MariaDB container.
pub fn run_sql(container: &str, statement: &str) {
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

/// Processes that keep every core busy for a time, and end by themselves: a test that had to end them would wait for a
/// core, too, and all others with it.
pub struct CpuHogs(Vec<Child>);

impl CpuHogs {
    /// Starts eight processes of high priority for each core, for `seconds`.
    pub fn start(seconds: u32) -> Self {
        let cores = std::thread::available_parallelism().unwrap().get();
        let script = format!("my $end = time + {seconds}; 1 while time < $end");
        let spin = || {
            Command::new("nice")
                .args(["-n", "-19", "perl", "-e", &script])
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        };
        Self((0..cores * 8).map(|_| spin()).collect())
    }

    /// Waits for their end.
    pub fn wait(mut self) {
        for hog in &mut self.0 {
            hog.wait().unwrap();
        }
    }
}

impl Drop for CpuHogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}
