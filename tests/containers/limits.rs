//! Limits of real containers: read back, measured, effective on real servers, and refused where they
//! cannot take effect.

use std::{fs, time::Duration};

use hubmark::{
    hub::{self, Hub, docker::DockerHub},
    plan::HubRequest,
    record::Record,
    server::{ContainerSpec, LaunchSpec, LimitKind, ResourceLimits, ServerImage, ServerSpec},
    units::{ByteRate, Bytes, Cpus},
};

use crate::support::{
    local_engine::{container_count, ensure_image, open_hub},
    process::ProgramOutput,
    records::only_repetition,
    sandbox::Sandbox,
};

/// Opens the hub with the image of the tools that set and measure limits.
async fn hub_with_tools(run: &str, limits: ResourceLimits) -> DockerHub {
    let hub = open_hub(run).await;
    let request = HubRequest { limits, ..HubRequest::docker(None) };
    if let Some(image) = hub::tool_image_for(&request) {
        ensure_image(&hub, &image).await.unwrap();
    }
    hub
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn every_limit_is_read_back_and_measured_before_a_run() {
    let limits = ResourceLimits {
        cpus: Some(Cpus(0.5)),
        memory: Some(Bytes(96 << 20)),
        disk_write: Some(ByteRate(4e6)),
        link: Some(ByteRate(10e6)),
        delay: Some(Duration::from_millis(20)),
    };
    let hub = hub_with_tools("test-prove", limits).await;
    let verified = hub.verify_limits(&limits).await.unwrap();
    let of = |kind: LimitKind| *verified.iter().find(|one| one.limit == kind).unwrap();
    for kind in [
        LimitKind::Cpus,
        LimitKind::Memory,
        LimitKind::DiskWrite,
        LimitKind::LinkOut,
        LimitKind::LinkIn,
    ] {
        let limit = of(kind);
        assert_eq!(limit.in_force, Some(limit.asked), "{limit}");
        // A busy machine may give less than the limit, but never more.
        let measured = limit.measured.unwrap();
        assert!(measured > 0.0 && measured <= limit.asked * 1.25, "{limit}");
    }
    let delay = of(LimitKind::Delay);
    assert!(delay.in_force.is_none() && delay.measured.unwrap() >= 0.016, "{delay}");
    assert_eq!(verified.len(), 6);
    assert_eq!(container_count("test-prove").await, 0);
    assert_eq!(hub.verify_limits(&ResourceLimits::default()).await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn the_network_path_is_measured_with_the_delay_in_effect() {
    let limits =
        ResourceLimits { delay: Some(Duration::from_millis(15)), ..ResourceLimits::default() };
    let hub = hub_with_tools("test-path", limits).await;
    let tools = hub::tool_image_for(&HubRequest { limits, ..HubRequest::docker(None) }).unwrap();
    let missing = ServerImage::Named("hubmark-test/is-not-there:1".to_owned());
    // A missing image is skipped.
    let images = [missing.clone(), tools];
    let slow = hub.measure_path(&images, &limits).await.unwrap().unwrap();
    assert!(slow.p50.unwrap() >= 30_000.0 && slow.from_hub.unwrap() > 0.0, "{slow}");
    assert!(slow.round_trips < 1_000 && slow.p99.is_none(), "{slow}");
    let quick = hub.measure_path(&images, &ResourceLimits::default()).await.unwrap().unwrap();
    assert!(quick.p50.unwrap() < slow.p50.unwrap() && quick.to_hub.unwrap() > 0.0, "{quick}");
    assert_eq!(quick.p99.is_some(), quick.round_trips == 1_000, "{quick}");
    assert!(hub.measure_path(&[missing], &ResourceLimits::default()).await.is_err());
    assert_eq!(container_count("test-path").await, 0);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_limit_that_cannot_take_effect_prevents_the_start() {
    let limits = ResourceLimits { cpus: Some(Cpus(4096.0)), ..ResourceLimits::default() };
    let hub = hub_with_tools("test-refuse", limits).await;
    let error = hub.verify_limits(&limits).await.unwrap_err().to_string();
    assert!(error.contains("4096 cpus") && error.contains("the hub has"), "{error}");

    // No kernel supports such a rate.
    let limits = ResourceLimits { link: Some(ByteRate(1e30)), ..ResourceLimits::default() };
    let spec = ServerSpec {
        role: "sleeper".into(),
        launch: LaunchSpec::Container(ContainerSpec {
            entry_point: None,
            image: hub::tool_image_for(&HubRequest { limits, ..HubRequest::docker(None) }).unwrap(),
            environment: Vec::new(),
            arguments: ["sleep", "600"].map(str::to_owned).to_vec(),
            data_dir: None,
        }),
        ports: vec![7001],
    };
    let error = hub.start(&spec, &limits, &[]).await.unwrap_err().to_string();
    assert!(error.contains("link's rate could not be limited"), "{error}");
    assert_eq!(container_count("test-refuse").await, 0);
}

/// Runs a profile file and checks the exit status; returns the output and the record.
fn run_profile(text: &str, status: i32) -> (ProgramOutput, Record) {
    let sandbox = Sandbox::with_engine();
    let profile = sandbox.path("limited.toml");
    fs::write(&profile, text).unwrap();
    let mut command = sandbox.run_command(profile.to_str().unwrap(), &[], &[]);
    let output = ProgramOutput::of(&mut command).exits_with(status);
    (output, sandbox.out_record())
}

/// Runs a small load on a real server behind a delayed link.
fn run_with_delay(backend: &str) -> Record {
    let (output, record) = run_profile(
        &format!(
            "name = \"limited\"\nbackend = \"{backend}\"\n\n[hub]\nkind = \"docker\"\n\
             limits = {{ memory = \"1 GiB\", link = \"100 Mbit/s\", delay = \"15 ms\" }}\n\n\
             [workload]\nkind = \"latency\"\nusers = 20\npayload = \"100 B\"\nmessages = 3\n\
             arrival = {{ distribution = \"constant\", mean = \"300 ms\" }}\n\n\
             [run]\nbaseline = \"0 s\"\n"
        ),
        0,
    );
    assert!(
        output.stderr.contains("limit: link out 12.5 MB/s asked, 12.5 MB/s in force"),
        "{}",
        output.stderr
    );
    assert!(output.stdout.contains("limit: delay each way 15 ms asked"), "{}", output.stdout);
    let repetition = only_repetition(&record);
    assert_eq!((repetition.ledger.planned, repetition.ledger.delivered), (60, 60));
    // No acknowledgement is faster than the delay in both directions.
    let ack = repetition.latency.ack.as_ref().unwrap();
    assert!(ack.min >= 30_000.0, "acknowledged after {} µs", ack.min);
    let delivery = repetition.latency.delivery.as_ref().unwrap();
    assert!(delivery.min >= 30_000.0, "delivered after {} µs", delivery.min);
    assert_eq!(record.provenance.limits.len(), 4);
    let threads: Vec<_> =
        repetition.generator.hot_threads.iter().map(|thread| thread.name.as_str()).collect();
    for forwards in ["delay", "delay-clock"] {
        assert!(threads.contains(&forwards), "{threads:?}");
    }
    record
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_broker_behind_a_delayed_link_is_measured() {
    let record = run_with_delay("kafka:2.8.0");
    let server = record.provenance.servers.values().next().unwrap();
    assert!(server.images.contains_key("zookeeper"), "{server:?}");
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_database_behind_a_delayed_link_is_measured() {
    run_with_delay("mariadb");
}

/// Runs a load with a threshold for throttling; returns the crossed thresholds.
fn crossed_thresholds(limits: &str, status: i32) -> Vec<String> {
    let (_, record) = run_profile(
        &format!(
            "name = \"throttled\"\nbackend = \"mariadb\"\nthresholds = {{ throttled = \"0 s\" }}\n\n\
             [hub]\nkind = \"docker\"\nlimits = {{ {limits} }}\n\n[workload]\nkind = \"latency\"\n\
             users = 20\npayload = \"100 B\"\nmessages = 100\n\
             arrival = {{ distribution = \"constant\", mean = \"20 ms\" }}\n\n[run]\nbaseline = \"0 s\"\n"
        ),
        status,
    );
    only_repetition(&record).crossed.clone()
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_throttled_server_crosses_the_threshold_for_throttling() {
    let crossed = crossed_thresholds("cpus = \"0.2 cpus\"", 3);
    assert!(crossed.len() == 1 && crossed[0].starts_with("throttled is "), "{crossed:?}");
    assert!(crossed_thresholds("memory = \"1 GiB\"", 0).is_empty());
}
