//! Limits on real containers: read back, measured, felt by real servers, and refused where they
//! cannot be in force.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::{collections::HashMap, fs, time::Duration};

use bollard::{Docker, query_parameters::ListContainersOptionsBuilder};
use common::Home;
use hubmark::{
    hub::{self, Hub, docker::DockerHub},
    plan::HubRequest,
    record::Record,
    server::{ContainerSpec, Image, Launch, LimitKind, Limits, ServerSpec},
    units::{ByteRate, Bytes, Cpus},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const SOCKET: &str = "unix:///var/run/docker.sock";

async fn hub_with_tools(run: &str, limits: Limits) -> DockerHub {
    let hub = DockerHub::open(Some(SOCKET), run).await.unwrap();
    let request = HubRequest { limits, ..HubRequest::docker(None) };
    if let Some(image) = hub::tools_for(&request) {
        let (progress, _told) = mpsc::unbounded_channel();
        hub.provide(&image, progress, CancellationToken::new()).await.unwrap();
    }
    hub
}

async fn containers_of(run: &str) -> usize {
    let filters = HashMap::from([("label", vec![format!("hubmark.run={run}")])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let docker = Docker::connect_with_local_defaults().unwrap();
    docker.list_containers(Some(options)).await.unwrap().len()
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn every_limit_is_read_back_and_measured_before_a_run() {
    let limits = Limits {
        cpus: Some(Cpus(0.5)),
        memory: Some(Bytes(96 << 20)),
        disk_write: Some(ByteRate(4e6)),
        link: Some(ByteRate(10e6)),
        delay: Some(Duration::from_millis(20)),
    };
    let hub = hub_with_tools("test-prove", limits).await;
    let proven = hub.prove(&limits).await.unwrap();
    let of = |kind: LimitKind| *proven.iter().find(|one| one.limit == kind).unwrap();
    for kind in [
        LimitKind::Cpus,
        LimitKind::Memory,
        LimitKind::DiskWrite,
        LimitKind::LinkOut,
        LimitKind::LinkIn,
    ] {
        let limit = of(kind);
        assert_eq!(limit.in_force, Some(limit.asked), "{limit}");
        // How much less a busy machine gives is not ours to say; more than the limit nobody may.
        let measured = limit.measured.unwrap();
        assert!(measured > 0.0 && measured <= limit.asked * 1.25, "{limit}");
    }
    let delay = of(LimitKind::Delay);
    assert!(delay.in_force.is_none() && delay.measured.unwrap() >= 0.016, "{delay}");
    assert_eq!(proven.len(), 6);
    assert_eq!(containers_of("test-prove").await, 0);
    assert_eq!(hub.prove(&Limits::default()).await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn the_path_by_itself_is_measured_with_the_delay_that_is_in_force() {
    let limits = Limits { delay: Some(Duration::from_millis(15)), ..Limits::default() };
    let hub = hub_with_tools("test-path", limits).await;
    let tools = hub::tools_for(&HubRequest { limits, ..HubRequest::docker(None) }).unwrap();
    let gone = Image::Named("hubmark-test/is-not-there:1".to_owned());
    // An image that cannot answer is passed over.
    let images = [gone.clone(), tools];
    let slow = hub.path(&images, &limits).await.unwrap().unwrap();
    assert!(slow.p50.unwrap() >= 30_000.0 && slow.from_hub.unwrap() > 0.0, "{slow}");
    assert!(slow.round_trips < 1_000 && slow.p99.is_none(), "{slow}");
    let quick = hub.path(&images, &Limits::default()).await.unwrap().unwrap();
    assert!(quick.p50.unwrap() < slow.p50.unwrap() && quick.to_hub.unwrap() > 0.0, "{quick}");
    assert_eq!(quick.p99.is_some(), quick.round_trips == 1_000, "{quick}");
    assert!(hub.path(&[gone], &Limits::default()).await.is_err());
    assert_eq!(containers_of("test-path").await, 0);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_limit_that_cannot_be_in_force_refuses_the_start() {
    let limits = Limits { cpus: Some(Cpus(4096.0)), ..Limits::default() };
    let hub = hub_with_tools("test-refuse", limits).await;
    let error = hub.prove(&limits).await.unwrap_err().to_string();
    assert!(error.contains("4096 cpus") && error.contains("the hub has"), "{error}");

    // No kernel counts that far.
    let limits = Limits { link: Some(ByteRate(1e30)), ..Limits::default() };
    let spec = ServerSpec {
        role: "sleeper".into(),
        launch: Launch::Container(ContainerSpec {
            entry_point: None,
            image: hub::tools_for(&HubRequest { limits, ..HubRequest::docker(None) }).unwrap(),
            environment: Vec::new(),
            arguments: ["sleep", "600"].map(str::to_owned).to_vec(),
            data_dir: None,
        }),
        ports: vec![7001],
    };
    let error = hub.start(&spec, &limits, &[]).await.unwrap_err().to_string();
    assert!(error.contains("link's rate could not be limited"), "{error}");
    assert_eq!(containers_of("test-refuse").await, 0);
}

/// Plays a small load on a real server behind a slow way.
fn played(backend: &str) -> Record {
    let home = Home::new();
    let profile = home.path("limited.toml");
    let text = format!(
        "name = \"limited\"\nbackend = \"{backend}\"\n\n[hub]\nkind = \"docker\"\n\
         limits = {{ memory = \"1 GiB\", link = \"100 Mbit/s\", delay = \"15 ms\" }}\n\n[workload]\n\
         kind = \"latency\"\nusers = 20\npayload = \"100 B\"\nmessages = 3\n\
         arrival = {{ distribution = \"constant\", mean = \"300 ms\" }}\n\n[run]\nbaseline = \"0 s\"\n"
    );
    fs::write(&profile, text).unwrap();
    let out = home.path("record.json");
    let said =
        home.hubmark(["run", "--out", out.to_str().unwrap(), profile.to_str().unwrap()]).ends(0);
    assert!(
        said.err.contains("limit: link out 12.5 MB/s asked, 12.5 MB/s in force"),
        "{}",
        said.err
    );
    assert!(said.out.contains("limit: delay each way 15 ms asked"), "{}", said.out);
    let record = common::read(&out);
    let repetition = common::only(&record);
    assert_eq!((repetition.ledger.planned, repetition.ledger.delivered), (60, 60));
    // There and back: no acknowledgement can be faster than twice the delay.
    let ack = repetition.latency.ack.as_ref().unwrap();
    assert!(ack.min >= 30_000.0, "acknowledged after {} µs", ack.min);
    let delivery = repetition.latency.delivery.as_ref().unwrap();
    assert!(delivery.min >= 30_000.0, "delivered after {} µs", delivery.min);
    assert_eq!(record.provenance.limits.len(), 4);
    record
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_broker_behind_a_slow_way_is_reached_through_it() {
    let record = played("kafka:2.8.0");
    let server = record.provenance.servers.values().next().unwrap();
    assert!(server.images.contains_key("zookeeper"), "{server:?}");
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_database_behind_a_slow_way_is_reached_through_it() {
    played("mariadb");
}

/// Plays a load with a threshold on being throttled; returns what was crossed.
fn throttled(limits: &str, exit: i32) -> Vec<String> {
    let home = Home::new();
    let profile = home.path("throttled.toml");
    let text = format!(
        "name = \"throttled\"\nbackend = \"mariadb\"\nthresholds = {{ throttled = \"0 s\" }}\n\n\
         [hub]\nkind = \"docker\"\nlimits = {{ {limits} }}\n\n[workload]\nkind = \"latency\"\n\
         users = 20\npayload = \"100 B\"\nmessages = 100\n\
         arrival = {{ distribution = \"constant\", mean = \"20 ms\" }}\n\n[run]\nbaseline = \"0 s\"\n"
    );
    fs::write(&profile, text).unwrap();
    let out = home.path("record.json");
    home.hubmark(["run", "--out", out.to_str().unwrap(), profile.to_str().unwrap()]).ends(exit);
    common::only(&common::read(&out)).crossed.clone()
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_server_held_back_by_its_limit_crosses_a_threshold_on_being_throttled() {
    let crossed = throttled("cpus = \"0.2 cpus\"", 3);
    assert!(crossed.len() == 1 && crossed[0].starts_with("throttled is "), "{crossed:?}");
    assert!(throttled("memory = \"1 GiB\"", 0).is_empty());
}
