//! `hubmark doctor` on a hub with one defect: it names the defect with advice, and its exit status shows
//! whether a run will fail. Defects that cannot be created are simulated by altered answers of the
//! engine; all others are real.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::LazyLock,
};

use hubmark::engine::doctor::{Check, CheckStatus};
use serde_json::{Value, json};

use super::{HUB, IMAGES};
use crate::support::{
    engine_proxy::{AlterAnswer, EngineProxy},
    process::ProgramOutput,
    sandbox::Sandbox,
    tmpfs::TmpfsMount,
};

const PROFILE: &str = "study-latency-users-quick";

/// An examination of a hub that may have one defect.
struct Examination {
    sandbox: Sandbox,
    command: Command,
    /// Values that must live as long as the examination.
    keep: Vec<Box<dyn std::any::Any>>,
}

impl Examination {
    /// Examines the hub at an address.
    fn of(hub: &str) -> Self {
        LazyLock::force(&IMAGES);
        let sandbox = Sandbox::new();
        let mut command = sandbox.command(["doctor", PROFILE, "--format", "json", "--hub", hub]);
        command.args(["--set", "backend=\"mariadb\""]);
        HUB.prepare(&mut command);
        Self { sandbox, command, keep: Vec::new() }
    }

    /// Examines this machine's engine. It reports a healthy hub, and `alter` changes its answer to `path`.
    fn of_altered(path: &'static str, alter: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let alter: AlterAnswer = Box::new(move |question, answer| {
            if question == "info" {
                make_healthy(answer);
            }
            if question == path {
                alter(answer);
            }
        });
        let proxy = EngineProxy::altering(folder.path(), alter);
        let mut examination = Self::of(&proxy.address());
        examination.keep.push(Box::new((proxy, folder)));
        examination
    }

    fn set(mut self, change: &str) -> Self {
        self.command.args(["--set", change]);
        self
    }

    fn env(mut self, name: &str, value: &Path) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs the doctor; returns its checks and its exit status.
    fn checks(mut self) -> (Vec<Check>, Option<i32>) {
        let output = ProgramOutput::of(&mut self.command);
        let checks = serde_json::from_str(&output.stdout);
        (checks.unwrap_or_else(|_| panic!("{}{}", output.stdout, output.stderr)), output.status)
    }
}

/// Replaces facts of an engine by those of a hub without defects.
fn make_healthy(info: &mut Value) {
    let healthy = json!({
        "Architecture": "x86_64", "MemTotal": 4_000_000_000_u64, "Driver": "overlay2",
        "CgroupVersion": "2", "MemoryLimit": true, "CpuCfsQuota": true, "ContainersRunning": 0,
        "SystemTime": jiff::Timestamp::now().to_string(),
    });
    info.as_object_mut().unwrap().extend(healthy.as_object().unwrap().clone());
}

/// Examines an engine with one altered fact.
fn info(key: &'static str, value: Value) -> Examination {
    Examination::of_altered("info", move |info| info[key] = value.clone())
}

/// Examines an engine whose data are on a small disk.
fn on_a_small_disk() -> Examination {
    let folder = tempfile::tempdir().unwrap();
    let mount = TmpfsMount::new(folder.path(), "50m").expect("a mounted disk");
    let mut examination = info("DockerRootDir", json!(folder.path()));
    examination.keep.push(Box::new((mount, folder)));
    examination
}

/// Examines a hub with an image of another recipe.
fn with_an_old_image() -> Examination {
    const IMAGE: &str = "hubmark/kafka:3.9.0";
    let mut import = Command::new("docker")
        .args(["--host", &HUB.engine(), "import", "--change", "LABEL hubmark.recipe=older"])
        .args(["-", IMAGE])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut tar = Command::new("tar");
    let empty_archive = tar.args(["-cT", "/dev/null"]).output().unwrap().stdout;
    std::io::Write::write_all(&mut import.stdin.take().unwrap(), &empty_archive).unwrap();
    assert!(import.wait().unwrap().success());
    Examination::of("ssh://pi").set("backend=\"kafka:3.9.0\"")
}

/// Examines as a process that may open few files.
fn with_few_descriptors() -> Examination {
    let examination = Examination::of("ssh://pi").set("workload.users=1000");
    let mut command = Command::new("prlimit");
    command
        .arg("--nofile=256:256")
        .arg(examination.command.get_program())
        .args(examination.command.get_args());
    for (name, value) in examination.command.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Examination { command, ..examination }
}

/// Examines with a file in place of the records folder.
fn with_a_file_in_the_way() -> Examination {
    let examination = Examination::of("ssh://pi");
    let file = examination.sandbox.path("file");
    fs::write(&file, "").unwrap();
    examination.env("HUBMARK_RECORDS_DIR", &file.join("records"))
}

fn over_tls(folder: &str) -> Examination {
    let examination = Examination::of(&format!("tcp://{}:2376", HUB.address));
    examination.env("DOCKER_CERT_PATH", &HUB.path("tls").join(folder))
}

/// A defect: its name, its examination, subject and status of the check that finds it, and words of the
/// observation and of the advice.
type Defect = (&'static str, fn() -> Examination, &'static str, CheckStatus, [&'static str; 2]);

const DEFECTS: &[Defect] = &[
    (
        "memory cgroup off",
        || info("MemoryLimit", json!(false)),
        "memory cgroup",
        CheckStatus::Warn,
        ["neither measured nor limited", "cgroup_enable=memory cgroup_memory=1"],
    ),
    (
        "memory cgroup off under a limit",
        || info("MemoryLimit", json!(false)).set("hub.limits.memory=\"1 GB\""),
        "limit of memory",
        CheckStatus::Fail,
        ["the memory cgroup is off", "leave hub.limits.memory out"],
    ),
    (
        "cgroup of version 1",
        || info("CgroupVersion", json!("1")),
        "cgroup",
        CheckStatus::Warn,
        ["version 1", "systemd.unified_cgroup_hierarchy=1"],
    ),
    (
        "little memory",
        || info("MemTotal", json!(512_000_000)),
        "memory",
        CheckStatus::Warn,
        ["512 MB", "fewer users"],
    ),
    (
        "slow storage driver",
        || info("Driver", json!("vfs")),
        "storage driver",
        CheckStatus::Warn,
        ["vfs", "\"storage-driver\": \"overlay2\""],
    ),
    (
        "foreign architecture",
        || info("Architecture", json!("armv7l")),
        "architecture",
        CheckStatus::Fail,
        ["armv7l", "64-bit Raspberry Pi OS"],
    ),
    (
        "clock an hour behind",
        || {
            Examination::of_altered("info", |info| {
                let past = jiff::Timestamp::now() - std::time::Duration::from_hours(1);
                info["SystemTime"] = json!(past.to_string());
            })
        },
        "clock",
        CheckStatus::Warn,
        ["behind this machine's", "timedatectl set-ntp true"],
    ),
    (
        "old engine",
        || Examination::of_altered("version", |version| version["ApiVersion"] = json!("1.40")),
        "engine",
        CheckStatus::Fail,
        ["1.40 of the engine's API; 1.41 or later", "upgrade it"],
    ),
    (
        "disk full",
        on_a_small_disk,
        "free disk",
        CheckStatus::Fail,
        ["52.4 MB of", "docker system prune"],
    ),
    (
        "no engine",
        || Examination::of("unix:///nonexistent/engine.sock"),
        "engine",
        CheckStatus::Fail,
        ["no such socket", "systemctl start docker"],
    ),
    (
        "no permission on the socket",
        || Examination::of("ssh://guest"),
        "engine",
        CheckStatus::Fail,
        ["may not open", "usermod -aG docker"],
    ),
    (
        "no key",
        || Examination::of("ssh://keyless"),
        "engine",
        CheckStatus::Fail,
        ["accepts none of this user's keys", "ssh-copy-id keyless"],
    ),
    (
        "unknown host",
        || Examination::of("ssh://stranger"),
        "engine",
        CheckStatus::Fail,
        ["key is not known here", "log in once by hand"],
    ),
    (
        "changed host key",
        || Examination::of("ssh://changed"),
        "engine",
        CheckStatus::Fail,
        ["not the one that is known here", "ssh-keygen -R"],
    ),
    (
        "expired certificate",
        || over_tls("expired"),
        "engine",
        CheckStatus::Fail,
        ["cert.pem has expired", ""],
    ),
    (
        "missing image",
        || Examination::of("ssh://pi").set("mariadb.image=\"mariadb:none\""),
        "image mariadb:none",
        CheckStatus::Warn,
        ["missing", "hubmark images build"],
    ),
    (
        "image of another recipe",
        with_an_old_image,
        "image hubmark/kafka:3.9.0",
        CheckStatus::Warn,
        ["another recipe", "hubmark images build"],
    ),
    (
        "few file descriptors",
        with_few_descriptors,
        "file descriptors here",
        CheckStatus::Fail,
        ["256, and 1,000 users of", "ulimit -n"],
    ),
    (
        "no folder for records",
        with_a_file_in_the_way,
        "records folder",
        CheckStatus::Fail,
        ["a file with this name exists", "choose another folder"],
    ),
];

#[test]
#[ignore = "needs a Docker engine"]
fn the_doctor_names_each_defect_with_advice() {
    let healthy = [
        ("a healthy hub", info("Driver", json!("overlay2"))),
        ("over ssh", Examination::of("ssh://pi")),
        ("over tls", over_tls("good")),
    ];
    let healthy_checks: Vec<_> = healthy
        .into_iter()
        .map(|(what, examination)| {
            let (checks, status) = examination.checks();
            assert_eq!(status, Some(0), "{what}: {checks:#?}");
            checks
        })
        .collect();
    let is = |check: &Check, subject: &str, finding| {
        check.subject == subject && check.finding == finding
    };
    for (what, examine, subject, finding, words) in DEFECTS {
        let (checks, status) = examine().checks();
        let named = checks.iter().find(|check| is(check, subject, *finding));
        let check = named.unwrap_or_else(|| panic!("{what} is not named: {checks:#?}"));
        let advice = check.advice.as_deref().unwrap_or_else(|| panic!("{what}: {check:?}"));
        assert!(check.seen.contains(words[0]), "{what}: {check:?}");
        assert!(advice.contains(words[1]), "{what}: {check:?}");
        assert_eq!(status, Some(i32::from(*finding == CheckStatus::Fail)), "{what}: {checks:#?}");
        // The healthy hub must not have the defect, whatever this machine's own cgroup or memory is.
        assert!(
            !healthy_checks[0].iter().any(|check| is(check, subject, *finding)),
            "the healthy hub has it: {what}"
        );
        println!("{what}: {} ({})", check.seen, check.finding.name());
    }
    println!("{} defects named", DEFECTS.len());
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_doctor_works_over_tls() {
    let (checks, _) = over_tls("good").checks();
    let engine = checks.iter().find(|check| check.subject == "engine").unwrap();
    assert!(engine.seen.contains(&format!("at tcp://{}:2376", HUB.address)), "{engine:?}");
    assert!(!checks.iter().any(|check| check.subject == "connection"), "{checks:#?}");
}
