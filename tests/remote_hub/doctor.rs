//! `hubmark doctor` on a hub with one defect: it is named, with what to do, and the exit status
//! tells whether a run will fail of it. Defects that cannot be planted are put into the engine's
//! mouth; all others are real.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::LazyLock,
};

use hubmark::engine::doctor::{Check, Finding};
use serde_json::{Value, json};

use super::{IMAGES, REMOTE};
use crate::{
    common::{Home, Said},
    gate::{Gate, Lie},
};

const PROFILE: &str = "study-latency-users-quick";

/// A question to the doctor, about a hub to which one thing may be done.
struct Visit {
    home: Home,
    command: Command,
    /// What must live as long as the visit.
    keep: Vec<Box<dyn std::any::Any>>,
}

impl Visit {
    /// To the hub at that address.
    fn to(hub: &str) -> Self {
        LazyLock::force(&IMAGES);
        let home = Home::new();
        let mut command = home.command(["doctor", PROFILE, "--format", "json", "--hub", hub]);
        command.args(["--set", "backend=\"mariadb\""]);
        REMOTE.prepare(&mut command);
        Self { home, command, keep: Vec::new() }
    }

    /// To this machine's engine, which says of itself what `lie` makes of a hub that is well.
    fn to_a_liar(path: &'static str, lie: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lie: Lie = Box::new(move |asked, answer| {
            if asked == "info" {
                well(answer);
            }
            if asked == path {
                lie(answer);
            }
        });
        let gate = Gate::open_to_a_liar(folder.path(), lie);
        let mut visit = Self::to(&gate.engine());
        visit.keep.push(Box::new((gate, folder)));
        visit
    }

    fn set(mut self, change: &str) -> Self {
        self.command.args(["--set", change]);
        self
    }

    fn env(mut self, name: &str, value: &Path) -> Self {
        self.command.env(name, value);
        self
    }

    /// What is found, and the exit status.
    fn checks(mut self) -> (Vec<Check>, Option<i32>) {
        let said = Said::from(self.command.output().unwrap());
        let checks = serde_json::from_str(&said.out);
        (checks.unwrap_or_else(|_| panic!("{}{}", said.out, said.err)), said.status)
    }
}

/// What a hub says that has none of the defects below.
fn well(info: &mut Value) {
    let healthy = json!({
        "Architecture": "x86_64", "MemTotal": 4_000_000_000_u64, "Driver": "overlay2",
        "CgroupVersion": "2", "MemoryLimit": true, "CpuCfsQuota": true, "ContainersRunning": 0,
        "SystemTime": jiff::Timestamp::now().to_string(),
    });
    info.as_object_mut().unwrap().extend(healthy.as_object().unwrap().clone());
}

fn info(key: &'static str, value: Value) -> Visit {
    Visit::to_a_liar("info", move |info| info[key] = value.clone())
}

/// An engine whose data lie on a disk of a few megabytes.
fn on_a_small_disk() -> Visit {
    struct Disk(tempfile::TempDir);

    impl Drop for Disk {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
        }
    }

    let disk = Disk(tempfile::tempdir().unwrap());
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=50m", "tmpfs"]).arg(disk.0.path());
    assert!(mount.status().unwrap().success());
    let mut visit = info("DockerRootDir", json!(disk.0.path()));
    visit.keep.push(Box::new(disk));
    visit
}

/// A hub with an image that another recipe made.
fn with_an_old_image() -> Visit {
    const IMAGE: &str = "hubmark/kafka:3.9.0";
    let mut import = Command::new("docker")
        .args(["--host", &REMOTE.engine(), "import", "--change", "LABEL hubmark.recipe=older"])
        .args(["-", IMAGE])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut nothing = Command::new("tar");
    let nothing = nothing.args(["-cT", "/dev/null"]).output().unwrap().stdout;
    std::io::Write::write_all(&mut import.stdin.take().unwrap(), &nothing).unwrap();
    assert!(import.wait().unwrap().success());
    Visit::to("ssh://pi").set("backend=\"kafka:3.9.0\"")
}

/// A process that may open few files.
fn with_few_descriptors() -> Visit {
    let visit = Visit::to("ssh://pi").set("workload.users=1000");
    let mut command = Command::new("prlimit");
    command.arg("--nofile=256:256").arg(visit.command.get_program()).args(visit.command.get_args());
    for (name, value) in visit.command.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Visit { command, ..visit }
}

/// A file where the records shall be.
fn with_a_file_in_the_way() -> Visit {
    let visit = Visit::to("ssh://pi");
    let file = visit.home.path("file");
    fs::write(&file, "").unwrap();
    visit.env("HUBMARK_RECORDS_DIR", &file.join("records"))
}

fn over_tls(folder: &str) -> Visit {
    let visit = Visit::to(&format!("tcp://{}:2376", REMOTE.address));
    visit.env("DOCKER_CERT_PATH", &REMOTE.path("tls").join(folder))
}

/// What is planted, of what it is said, how bad it is, and words of what is seen and to be done.
type Defect = (&'static str, fn() -> Visit, &'static str, Finding, [&'static str; 2]);

const DEFECTS: &[Defect] = &[
    (
        "memory cgroup off",
        || info("MemoryLimit", json!(false)),
        "memory cgroup",
        Finding::Warn,
        ["neither measured nor limited", "cgroup_enable=memory cgroup_memory=1"],
    ),
    (
        "memory cgroup off under a limit",
        || info("MemoryLimit", json!(false)).set("hub.limits.memory=\"1 GB\""),
        "limit of memory",
        Finding::Fail,
        ["the memory cgroup is off", "leave hub.limits.memory out"],
    ),
    (
        "cgroup of version 1",
        || info("CgroupVersion", json!("1")),
        "cgroup",
        Finding::Warn,
        ["version 1", "systemd.unified_cgroup_hierarchy=1"],
    ),
    (
        "little memory",
        || info("MemTotal", json!(512_000_000)),
        "memory",
        Finding::Warn,
        ["512 MB", "fewer users"],
    ),
    (
        "slow storage driver",
        || info("Driver", json!("vfs")),
        "storage driver",
        Finding::Warn,
        ["vfs", "\"storage-driver\": \"overlay2\""],
    ),
    (
        "foreign architecture",
        || info("Architecture", json!("armv7l")),
        "architecture",
        Finding::Fail,
        ["armv7l", "64-bit Raspberry Pi OS"],
    ),
    (
        "clock an hour behind",
        || {
            Visit::to_a_liar("info", |info| {
                let past = jiff::Timestamp::now() - std::time::Duration::from_hours(1);
                info["SystemTime"] = json!(past.to_string());
            })
        },
        "clock",
        Finding::Warn,
        ["behind ours", "timedatectl set-ntp true"],
    ),
    (
        "old engine",
        || Visit::to_a_liar("version", |version| version["ApiVersion"] = json!("1.40")),
        "engine",
        Finding::Fail,
        ["1.40 of the engine's API; 1.41 or later", "upgrade it"],
    ),
    (
        "disk full",
        on_a_small_disk,
        "free disk",
        Finding::Fail,
        ["52.4 MB of", "docker system prune"],
    ),
    (
        "no engine",
        || Visit::to("unix:///nonexistent/engine.sock"),
        "engine",
        Finding::Fail,
        ["no such socket", "systemctl start docker"],
    ),
    (
        "no permission on the socket",
        || Visit::to("ssh://guest"),
        "engine",
        Finding::Fail,
        ["may not open", "usermod -aG docker"],
    ),
    (
        "no key",
        || Visit::to("ssh://keyless"),
        "engine",
        Finding::Fail,
        ["takes none of this user's keys", "ssh-copy-id keyless"],
    ),
    (
        "unknown host",
        || Visit::to("ssh://stranger"),
        "engine",
        Finding::Fail,
        ["key is not known here", "log in once by hand"],
    ),
    (
        "host that has changed",
        || Visit::to("ssh://changed"),
        "engine",
        Finding::Fail,
        ["not the one that is known here", "ssh-keygen -R"],
    ),
    (
        "expired certificate",
        || over_tls("expired"),
        "engine",
        Finding::Fail,
        ["cert.pem has expired", ""],
    ),
    (
        "image that is not there",
        || Visit::to("ssh://pi").set("mariadb.image=\"mariadb:none\""),
        "image mariadb:none",
        Finding::Warn,
        ["not there", "hubmark images build"],
    ),
    (
        "image of another recipe",
        with_an_old_image,
        "image hubmark/kafka:3.9.0",
        Finding::Warn,
        ["another recipe", "hubmark images build"],
    ),
    (
        "few file descriptors",
        with_few_descriptors,
        "file descriptors here",
        Finding::Fail,
        ["256, and 1,000 users of", "ulimit -n"],
    ),
    (
        "nowhere to keep records",
        with_a_file_in_the_way,
        "records folder",
        Finding::Fail,
        ["a file stands in its place", "name another folder"],
    ),
];

#[test]
#[ignore = "needs a Docker engine"]
fn the_doctor_names_each_planted_defect_with_what_to_do() {
    let healthy = [
        ("a hub that says it is well", info("Driver", json!("overlay2"))),
        ("over ssh", Visit::to("ssh://pi")),
        ("over tls", over_tls("good")),
    ];
    let well: Vec<_> = healthy
        .into_iter()
        .map(|(what, visit)| {
            let (checks, status) = visit.checks();
            assert_eq!(status, Some(0), "{what}: {checks:#?}");
            checks
        })
        .collect();
    let is = |check: &Check, subject: &str, finding| {
        check.subject == subject && check.finding == finding
    };
    for (what, plant, subject, finding, words) in DEFECTS {
        let (checks, status) = plant().checks();
        let named = checks.iter().find(|check| is(check, subject, *finding));
        let check = named.unwrap_or_else(|| panic!("{what} is not named: {checks:#?}"));
        let advice = check.advice.as_deref().unwrap_or_else(|| panic!("{what}: {check:?}"));
        assert!(check.seen.contains(words[0]), "{what}: {check:?}");
        assert!(advice.contains(words[1]), "{what}: {check:?}");
        assert_eq!(status, Some(i32::from(*finding == Finding::Fail)), "{what}: {checks:#?}");
        // It was planted, not there before: where this machine's own cgroup or memory is as bad,
        // the engine that says it is well shows the difference.
        assert!(
            !well[0].iter().any(|check| is(check, subject, *finding)),
            "{what} was there before"
        );
        println!("{what}: {} ({})", check.seen, check.finding.word());
    }
    println!("{} planted defects named", DEFECTS.len());
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_doctor_goes_over_tls() {
    let (checks, _) = over_tls("good").checks();
    let engine = checks.iter().find(|check| check.subject == "engine").unwrap();
    assert!(engine.seen.contains(&format!("at tcp://{}:2376", REMOTE.address)), "{engine:?}");
    assert!(!checks.iter().any(|check| check.subject == "connection"), "{checks:#?}");
}
