//! Tests with one defect each on an otherwise healthy hub: the doctor must report that defect and
//! nothing else.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
};

use super::*;
use crate::{backend, profile::Profile};

/// Answers of a fake engine to each request.
#[derive(Clone)]
struct FakeEngine {
    version: Value,
    info: Value,
    containers: Value,
    /// `None` if the engine has no image.
    image: Option<Value>,
}

/// Returns an engine on a healthy machine.
fn healthy_engine(root: &Path) -> FakeEngine {
    FakeEngine {
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

impl FakeEngine {
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
        } else if path.ends_with("/images/json") {
            (200, json!([]))
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

    /// Serves requests on `socket` until the runtime ends.
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
                    if body.is_null() {
                        // A lost connection.
                        return;
                    }
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

/// A hub, a profile and a records folder, one of which may be defective.
struct DoctorCase {
    engine: Option<FakeEngine>,
    profile: BTreeMap<&'static str, String>,
    records: Option<PathBuf>,
}

impl DoctorCase {
    async fn examine(self, folder: &Path) -> Vec<Check> {
        let mut checks = Vec::new();
        let request = self.request(folder);
        examine(&request, &CancellationToken::new(), &mut |check| checks.push(check)).await;
        checks
    }

    /// Starts the engine, and returns the request to the doctor.
    fn request(self, folder: &Path) -> DoctorRequest {
        let socket = folder.join("engine.sock");
        if let Some(engine) = self.engine {
            engine.listen(&socket);
        }
        let lines: Vec<String> =
            self.profile.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let text = lines.join("\n");
        let profile = Profile::parse(&text, &backend::catalogue()).unwrap();
        let mut plan = profile.plan();
        plan.hub.engine = Some(format!("unix://{}", socket.display()));
        let records = self.records.unwrap_or_else(|| folder.join("records"));
        DoctorRequest {
            hub: plan.hub.clone(),
            images_build: format!("hubmark images build mariadb{}", plan.hub.command_options()),
            plan: Some(plan),
            folders: vec![("records".into(), records)],
        }
    }
}

/// A defect with the expected subject, status and text.
type Defect = (fn(&mut DoctorCase, &Path), &'static str, CheckStatus, &'static str);

const DEFECTS: &[Defect] = &[
    (|case, _| case.engine = None, "engine", CheckStatus::Fail, "no such socket"),
    (
        |case, _| case.engine.as_mut().unwrap().version["ApiVersion"] = json!("1.40"),
        "engine",
        CheckStatus::Fail,
        "1.41 or later",
    ),
    (
        |case, _| case.set_info("Architecture", json!("armv7l")),
        "architecture",
        CheckStatus::Fail,
        "64-bit",
    ),
    (
        |case, _| case.set_info("MemTotal", json!(512_000_000)),
        "memory",
        CheckStatus::Warn,
        "512 MB",
    ),
    (
        |case, _| case.set_info("Driver", json!("vfs")),
        "storage driver",
        CheckStatus::Warn,
        "overlay2",
    ),
    (
        |case, _| case.set_info("CgroupVersion", json!("1")),
        "cgroup",
        CheckStatus::Warn,
        "version 1",
    ),
    (
        |case, _| case.set_info("MemoryLimit", json!(false)),
        "memory cgroup",
        CheckStatus::Warn,
        "cgroup_enable=memory cgroup_memory=1",
    ),
    (
        |case, _| {
            let past = jiff::Timestamp::now() - std::time::Duration::from_hours(1);
            case.set_info("SystemTime", json!(past.to_string()));
        },
        "clock",
        CheckStatus::Warn,
        "behind this machine's",
    ),
    (
        |case, _| {
            case.set_info("ContainersRunning", json!(1));
            let label = json!({"hubmark.run": "1"});
            case.engine.as_mut().unwrap().containers =
                json!([{"Id": "1", "Labels": label, "Status": "Up 2 minutes"}]);
        },
        "other containers",
        CheckStatus::Warn,
        "another run of hubmark",
    ),
    (
        |case, _| case.set_info("SecurityOptions", json!(["name=rootless"])),
        "engine",
        CheckStatus::Warn,
        "rootless",
    ),
    (
        |case, _| case.engine.as_mut().unwrap().image = None,
        "image mariadb:x",
        CheckStatus::Warn,
        "hubmark images build",
    ),
    (
        |case, _| {
            case.set_key("workload.users", "1_000_000");
            case.set_key("workload.payload", "\"8 B\"");
        },
        "file descriptors here",
        CheckStatus::Fail,
        "1,000,000 users of",
    ),
    (
        |case, folder| {
            std::fs::write(folder.join("file"), "").unwrap();
            case.records = Some(folder.join("file/records"));
        },
        "records folder",
        CheckStatus::Fail,
        "cannot be created",
    ),
    (
        |case, _| case.set_key("hub.limits.cpus", "\"8 cpus\""),
        "limit of cores",
        CheckStatus::Fail,
        "the hub has 4",
    ),
    (
        |case, _| case.set_key("hub.limits.memory", "\"8 GB\""),
        "limit of memory",
        CheckStatus::Fail,
        "8 GB requested",
    ),
];

impl DoctorCase {
    fn set_info(&mut self, key: &str, value: Value) {
        self.engine.as_mut().unwrap().info[key] = value;
    }

    fn set_key(&mut self, key: &'static str, value: &str) {
        self.profile.insert(key, value.to_owned());
    }
}

/// Checks whose results depend on the machine that runs the tests.
const MACHINE_DEPENDENT: [&str; 8] = [
    "storage",
    "heat and supply",
    "free disk",
    "governor",
    "memory pressure",
    "threads here",
    "local ports here",
    "memory here",
];

fn problems(checks: &[Check]) -> Vec<&Check> {
    // The fake engine gives one answer for every image, so the image that verifies limits appears to
    // be built from another recipe.
    let relevant = |check: &&Check| {
        !MACHINE_DEPENDENT.contains(&check.subject.as_str())
            && !check.subject.starts_with("image hubmark/tools:")
    };
    checks.iter().filter(relevant).filter(|check| check.finding != CheckStatus::Ok).collect()
}

fn healthy_case(root: &Path) -> DoctorCase {
    let profile = [
        ("name", "\"d\""),
        ("backend", "\"mariadb\""),
        ("mariadb.image", "\"mariadb:x\""),
        ("workload.kind", "\"latency\""),
        ("workload.users", "1"),
        ("workload.messages", "1"),
    ];
    DoctorCase {
        engine: Some(healthy_engine(root)),
        profile: profile.map(|(key, value)| (key, value.to_owned())).into(),
        records: None,
    }
}

#[tokio::test]
async fn a_healthy_hub_has_no_problems() {
    let folder = tempfile::tempdir().unwrap();
    let checks = healthy_case(folder.path()).examine(folder.path()).await;
    assert!(problems(&checks).is_empty(), "{:#?}", problems(&checks));
    for subject in ["engine", "architecture", "memory cgroup", "clock", "image mariadb:x"] {
        assert!(checks.iter().any(|check| check.subject == subject), "{subject}: {checks:#?}");
    }
}

#[tokio::test]
async fn each_planted_defect_is_reported_and_nothing_else() {
    assert!(DEFECTS.len() >= 10);
    for (plant, subject, finding, words) in DEFECTS {
        let folder = tempfile::tempdir().unwrap();
        let mut case = healthy_case(folder.path());
        plant(&mut case, folder.path());
        let checks = case.examine(folder.path()).await;
        let found = problems(&checks);
        let [check] = found[..] else { panic!("{subject}: {found:#?}") };
        assert_eq!((check.subject.as_str(), check.finding), (*subject, *finding), "{check:?}");
        let advice = check.advice.as_deref().expect("what to do");
        let shown = format!("{} {advice}", check.seen);
        assert!(shown.contains(words), "{subject}: {shown}");
        assert_eq!(
            worst_status(&checks) == CheckStatus::Fail,
            *finding == CheckStatus::Fail,
            "{checks:#?}"
        );
    }
}

#[tokio::test]
async fn an_image_of_another_recipe_is_outdated() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = healthy_case(folder.path());
    case.profile.remove("mariadb.image");
    let labels = json!({"hubmark.recipe": "older"});
    case.engine.as_mut().unwrap().image = Some(json!({"Config": {"Labels": labels}}));
    let checks = case.examine(folder.path()).await;
    let found = problems(&checks);
    assert!(found.len() == 1 && found[0].seen.contains("another recipe"), "{found:#?}");
}

#[tokio::test]
async fn podman_is_reported_with_specific_advice() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = healthy_case(folder.path());
    case.set_info("Driver", json!("vfs"));
    let podman = json!([{"Name": "Podman Engine", "Version": "4.3.1"}]);
    case.engine.as_mut().unwrap().version["Components"] = podman;
    let checks = case.examine(folder.path()).await;
    let found: Vec<_> = problems(&checks).iter().filter_map(|check| check.advice.clone()).collect();
    let [engine, driver] = &found[..] else { panic!("{found:#?}") };
    assert!(engine.contains("Podman"), "{engine}");
    assert!(driver.contains("containers/storage.conf"), "{driver}");
}

#[test]
fn values_that_an_engine_does_not_report_are_warnings() {
    let nothing = Examination::default();
    let steps = [
        ExaminationStep::Engine,
        ExaminationStep::Clock,
        ExaminationStep::Containers,
        ExaminationStep::HostFacts,
        ExaminationStep::HostReading,
    ];
    for check in steps.into_iter().flat_map(|step| hub::checks(step, "there", &nothing, "")) {
        if check.subject != "engine" {
            assert_eq!(
                (check.finding, check.seen.as_str()),
                (CheckStatus::Warn, "not known"),
                "{check:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_hub_is_asked_no_more_after_the_first_lost_connection() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = healthy_case(folder.path());
    // The fake engine closes the connection on requests for containers.
    case.engine.as_mut().unwrap().containers = Value::Null;
    let checks = case.examine(folder.path()).await;
    // What the engine had answered by then is reported.
    for subject in ["architecture", "memory", "clock"] {
        assert!(checks.iter().any(|check| check.subject == subject), "{subject}: {checks:#?}");
    }
    let of_hub: Vec<_> = checks.iter().filter(|check| check.finding == CheckStatus::Fail).collect();
    let [check] = of_hub[..] else { panic!("{checks:#?}") };
    assert_eq!(check.subject, "engine");
    assert!(check.advice.as_deref().unwrap().contains("end here"), "{check:?}");
    assert!(!checks.iter().any(|check| check.subject.starts_with("image ")), "{checks:#?}");
    assert!(checks.iter().any(|check| check.subject == "memory here"), "this machine is checked");
}

#[tokio::test]
async fn each_check_is_reported_as_soon_as_it_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let cancel = CancellationToken::new();
    let mut subjects = Vec::new();
    let case = healthy_case(folder.path());
    let request = case.request(folder.path());
    // Stopped after its first check, the doctor has reported that check and none of this machine.
    let mut report = |check: Check| {
        subjects.push(check.subject);
        cancel.cancel();
    };
    examine(&request, &cancel, &mut report).await;
    assert!(subjects.contains(&"engine".to_owned()), "{subjects:?}");
    assert!(!subjects.contains(&"memory here".to_owned()), "{subjects:?}");
}

#[test]
fn the_worst_status_decides() {
    let (ok, warn) = (Check::ok("a", "b"), Check::warn("a", "b", "c"));
    assert_eq!(worst_status(&[]), CheckStatus::Ok);
    assert_eq!(worst_status(&[ok.clone(), warn.clone()]), CheckStatus::Warn);
    assert_eq!(worst_status(&[warn, Check::fail("a", "b", "c"), ok]), CheckStatus::Fail);
}
