//! Defects planted one by one on a hub that is otherwise well: each must be named, and nothing
//! else.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
};

use super::*;
use crate::{backend, hub::docker::Examination, profile::Profile, server::HubFacts, units::Bytes};

/// What an engine answers to each question.
#[derive(Clone)]
struct Engine {
    version: Value,
    info: Value,
    containers: Value,
    /// `None`: there is no image.
    image: Option<Value>,
}

/// An engine on a machine that is well.
fn well(root: &Path) -> Engine {
    Engine {
        version: json!({"ApiVersion": "1.47", "Version": "27.1.1"}),
        info: json!({
            "ServerVersion": "27.1.1", "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
            "Architecture": "aarch64", "NCPU": 4, "MemTotal": 4_000_000_000_u64,
            "Driver": "overlay2", "CgroupVersion": "2", "MemoryLimit": true, "CpuCfsQuota": true,
            "ContainersRunning": 0, "DockerRootDir": root, "SecurityOptions": [],
        }),
        containers: json!([]),
        image: Some(json!({"Id": "sha256:1", "Config": {"Labels": {}}})),
    }
}

impl Engine {
    fn answer(&self, request: &str) -> (u16, Value) {
        let path = request.split_whitespace().nth(1).unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        if path.ends_with("/version") {
            (200, self.version.clone())
        } else if path.ends_with("/info") {
            let mut info = self.info.clone();
            if info.get("SystemTime").is_none() {
                info["SystemTime"] = json!(jiff::Timestamp::now().to_string());
            }
            (200, info)
        } else if path.ends_with("/containers/json") {
            (200, self.containers.clone())
        } else if path.contains("/images/") {
            match &self.image {
                Some(image) => (200, image.clone()),
                None => (404, json!({"message": "No such image"})),
            }
        } else {
            (404, json!({"message": format!("nothing at {path}")}))
        }
    }

    /// Answers on `socket` until the runtime ends.
    fn listen(self, socket: &Path) {
        let listener = UnixListener::bind(socket).unwrap();
        tokio::spawn(async move {
            while let Ok((mut caller, _)) = listener.accept().await {
                let engine = self.clone();
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        match caller.read_u8().await {
                            Ok(byte) => request.push(byte),
                            Err(_) => return,
                        }
                    }
                    let (status, body) = engine.answer(&String::from_utf8_lossy(&request));
                    let body = body.to_string();
                    let answer = format!(
                        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n\
                         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    let _ = caller.write_all(answer.as_bytes()).await;
                });
            }
        });
    }
}

/// A hub, a profile and a folder, one of which may be defective.
struct Scene {
    engine: Option<Engine>,
    profile: BTreeMap<&'static str, String>,
    records: Option<PathBuf>,
}

impl Scene {
    async fn examine(self, folder: &Path) -> Vec<Check> {
        let socket = folder.join("engine.sock");
        if let Some(engine) = self.engine {
            engine.listen(&socket);
        }
        let lines: Vec<String> =
            self.profile.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let text = lines.join(
            "
",
        );
        let profile = Profile::parse(&text, &backend::catalogue()).unwrap();
        let mut plan = profile.plan();
        plan.hub.engine = Some(format!("unix://{}", socket.display()));
        let records = self.records.unwrap_or_else(|| folder.join("records"));
        examine(&Question {
            hub: plan.hub.clone(),
            plan: Some(plan),
            folders: vec![("records".into(), records)],
        })
        .await
    }
}

/// What is planted, what must be said of which subject.
type Defect = (fn(&mut Scene, &Path), &'static str, Finding, &'static str);

const DEFECTS: &[Defect] = &[
    (|scene, _| scene.engine = None, "engine", Finding::Fail, "no such socket"),
    (
        |scene, _| scene.engine.as_mut().unwrap().version["ApiVersion"] = json!("1.40"),
        "engine",
        Finding::Fail,
        "1.41 or later",
    ),
    (
        |scene, _| scene.info("Architecture", json!("armv7l")),
        "architecture",
        Finding::Fail,
        "64-bit",
    ),
    (|scene, _| scene.info("MemTotal", json!(512_000_000)), "memory", Finding::Warn, "512 MB"),
    (|scene, _| scene.info("Driver", json!("vfs")), "storage driver", Finding::Warn, "overlay2"),
    (|scene, _| scene.info("CgroupVersion", json!("1")), "cgroup", Finding::Warn, "version 1"),
    (
        |scene, _| scene.info("MemoryLimit", json!(false)),
        "memory cgroup",
        Finding::Warn,
        "cgroup_enable=memory cgroup_memory=1",
    ),
    (
        |scene, _| {
            let past = jiff::Timestamp::now() - std::time::Duration::from_hours(1);
            scene.info("SystemTime", json!(past.to_string()));
        },
        "clock",
        Finding::Warn,
        "behind ours",
    ),
    (
        |scene, _| {
            scene.info("ContainersRunning", json!(1));
            let label = json!({"hubmark.run": "1"});
            scene.engine.as_mut().unwrap().containers =
                json!([{"Id": "1", "Labels": label, "Status": "Up 2 minutes"}]);
        },
        "other containers",
        Finding::Warn,
        "another run of hubmark",
    ),
    (
        |scene, _| scene.info("SecurityOptions", json!(["name=rootless"])),
        "engine",
        Finding::Warn,
        "rootless",
    ),
    (
        |scene, _| scene.engine.as_mut().unwrap().image = None,
        "image mariadb:x",
        Finding::Warn,
        "hubmark images build",
    ),
    (
        |scene, _| {
            scene.set("workload.users", "1_000_000");
            scene.set("workload.payload", "\"8 B\"");
        },
        "file descriptors here",
        Finding::Fail,
        "1,000,000 users of",
    ),
    (
        |scene, folder| {
            std::fs::write(folder.join("file"), "").unwrap();
            scene.records = Some(folder.join("file/records"));
        },
        "records folder",
        Finding::Fail,
        "cannot be made",
    ),
    (
        |scene, _| scene.set("hub.limits.cpus", "\"8 cpus\""),
        "limit of cores",
        Finding::Fail,
        "4 there",
    ),
    (
        |scene, _| scene.set("hub.limits.memory", "\"8 GB\""),
        "limit of memory",
        Finding::Fail,
        "8 GB asked for",
    ),
];

impl Scene {
    fn info(&mut self, key: &str, value: Value) {
        self.engine.as_mut().unwrap().info[key] = value;
    }

    fn set(&mut self, key: &'static str, value: &str) {
        self.profile.insert(key, value.to_owned());
    }
}

/// What depends on the machine that tests this.
const OF_THIS_MACHINE: [&str; 4] = ["heat and supply", "free disk", "threads here", "memory here"];

fn faults(checks: &[Check]) -> Vec<&Check> {
    // The engine of these tests gives one answer for every image: where a limit brings in the image
    // that proves it, that one is of another recipe.
    let ours = |check: &&Check| {
        !OF_THIS_MACHINE.contains(&check.subject.as_str())
            && !check.subject.starts_with("image hubmark/tools:")
    };
    checks.iter().filter(ours).filter(|check| check.finding != Finding::Ok).collect()
}

fn scene(root: &Path) -> Scene {
    let profile = [
        ("name", "\"d\""),
        ("backend", "\"mariadb\""),
        ("mariadb.image", "\"mariadb:x\""),
        ("workload.kind", "\"latency\""),
        ("workload.users", "1"),
        ("workload.messages", "1"),
    ];
    Scene {
        engine: Some(well(root)),
        profile: profile.map(|(key, value)| (key, value.to_owned())).into(),
        records: None,
    }
}

#[tokio::test]
async fn a_hub_that_is_well_has_nothing_to_complain_of() {
    let folder = tempfile::tempdir().unwrap();
    let checks = scene(folder.path()).examine(folder.path()).await;
    assert!(faults(&checks).is_empty(), "{:#?}", faults(&checks));
    for subject in ["engine", "architecture", "memory cgroup", "clock", "image mariadb:x"] {
        assert!(checks.iter().any(|check| check.subject == subject), "{subject}: {checks:#?}");
    }
}

#[tokio::test]
async fn each_planted_defect_is_named_and_nothing_else() {
    assert!(DEFECTS.len() >= 10);
    for (plant, subject, finding, words) in DEFECTS {
        let folder = tempfile::tempdir().unwrap();
        let mut scene = scene(folder.path());
        plant(&mut scene, folder.path());
        let checks = scene.examine(folder.path()).await;
        let found = faults(&checks);
        let [check] = found[..] else { panic!("{subject}: {found:#?}") };
        assert_eq!((check.subject.as_str(), check.finding), (*subject, *finding), "{check:?}");
        let advice = check.advice.as_deref().expect("what to do");
        let said = format!("{} {advice}", check.seen);
        assert!(said.contains(words), "{subject}: {said}");
        assert_eq!(worst(&checks) == Finding::Fail, *finding == Finding::Fail, "{checks:#?}");
    }
}

#[tokio::test]
async fn an_image_of_another_recipe_is_outdated() {
    let folder = tempfile::tempdir().unwrap();
    let mut scene = scene(folder.path());
    scene.profile.remove("mariadb.image");
    let labels = json!({"hubmark.recipe": "older"});
    scene.engine.as_mut().unwrap().image = Some(json!({"Config": {"Labels": labels}}));
    let checks = scene.examine(folder.path()).await;
    let found = faults(&checks);
    assert!(found.len() == 1 && found[0].seen.contains("another recipe"), "{found:#?}");
}

#[tokio::test]
async fn podman_is_named_and_gets_advice_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut scene = scene(folder.path());
    scene.info("Driver", json!("vfs"));
    let podman = json!([{"Name": "Podman Engine", "Version": "4.3.1"}]);
    scene.engine.as_mut().unwrap().version["Components"] = podman;
    let checks = scene.examine(folder.path()).await;
    let found: Vec<_> = faults(&checks).iter().filter_map(|check| check.advice.clone()).collect();
    let [engine, driver] = &found[..] else { panic!("{found:#?}") };
    assert!(engine.contains("Podman"), "{engine}");
    assert!(driver.contains("containers/storage.conf"), "{driver}");
}

#[test]
fn a_full_disk_is_named_before_a_build_fills_it() {
    let check = |free| {
        let disk = Some((Bytes(free), Bytes(32_000_000_000)));
        let checks = hub::checks("there", &Examination { disk, ..Examination::default() });
        checks.into_iter().find(|check| check.subject == "free disk").unwrap()
    };
    assert_eq!(check(100_000_000).finding, Finding::Fail);
    assert_eq!(check(1_000_000_000).finding, Finding::Warn);
    assert_eq!(check(9_000_000_000).finding, Finding::Ok);
}

#[test]
fn a_hub_that_sags_or_is_throttled_is_named() {
    let check = |bits, under_voltage| {
        let facts = HubFacts { throttle_bits: Some(bits), ..HubFacts::default() };
        let found = Examination { facts, under_voltage, ..Examination::default() };
        let checks = hub::checks("there", &found);
        checks.into_iter().find(|check| check.subject == "heat and supply").unwrap()
    };
    assert_eq!(check(0, Some(false)).finding, Finding::Ok);
    assert!(check(0x1, Some(true)).seen.starts_with("under-voltage now"));
    assert!(check(0x4, None).seen.starts_with("the clock is lowered now"));
    assert!(check(0x5_0000, None).seen.starts_with("under-voltage since its start"));
    assert!(check(0x8_0000, None).seen.starts_with("the clock was lowered"));
}

#[test]
fn what_an_engine_does_not_say_is_not_taken_for_well() {
    for check in hub::checks("there", &Examination::default()) {
        if !["engine", "storage", "heat and supply"].contains(&check.subject.as_str()) {
            assert_eq!(
                (check.finding, check.seen.as_str()),
                (Finding::Warn, "not known"),
                "{check:?}"
            );
        }
    }
}

#[test]
fn the_worst_finding_decides() {
    let (ok, warn) = (Check::ok("a", "b"), Check::warn("a", "b", "c"));
    assert_eq!(worst(&[]), Finding::Ok);
    assert_eq!(worst(&[ok.clone(), warn.clone()]), Finding::Warn);
    assert_eq!(worst(&[warn, Check::fail("a", "b", "c"), ok]), Finding::Fail);
}
