//! The docker hub against a real engine: images, containers, limits, counters, leftovers.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod images;
mod reach;

use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    time::Duration,
};

use bollard::{
    Docker,
    models::ContainerCreateBody,
    query_parameters::{
        CreateContainerOptions, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
    },
};
use hubmark::{
    clock::Clock,
    event::ImageStep,
    hub::{Hub, HubError, docker::DockerHub},
    server::{ContainerSpec, Image, Launch, Life, Limits, Recipe, Running, ServerSpec},
    units::{ByteRate, Bytes, Cpus},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const SOCKET: &str = "/var/run/docker.sock";
/// How long something may take that is waited for; nothing is asserted about how long it took.
const PATIENCE: Duration = Duration::from_mins(1);

static RECIPE: Recipe = Recipe {
    name: "test",
    files: &[
        (
            "Dockerfile",
            b"FROM debian:bookworm-slim\n\
              ARG FLAVOUR=none\n\
              COPY entry.sh /entry.sh\n\
              RUN echo $FLAVOUR > /flavour && mkdir /data\n\
              HEALTHCHECK --interval=1s CMD true\n\
              ENTRYPOINT [\"/entry.sh\"]\n",
        ),
        ("entry.sh", b"#!/bin/sh\nexec \"$@\"\n"),
    ],
};

async fn hub(run: &str) -> DockerHub {
    DockerHub::open(Some(&format!("unix://{SOCKET}")), run).await.unwrap()
}

fn client() -> Docker {
    Docker::connect_with_unix(SOCKET, 60, bollard::API_DEFAULT_VERSION).unwrap()
}

fn image(tag: &str, flavour: &str) -> Image {
    Image::Recipe {
        recipe: &RECIPE,
        arguments: BTreeMap::from([("FLAVOUR".to_owned(), flavour.to_owned())]),
        tag: format!("hubmark-test/{tag}:1"),
    }
}

/// A server that runs `script` in an image that every test may share.
fn server(role: &str, script: &str) -> ServerSpec {
    ServerSpec {
        role: role.to_owned(),
        launch: Launch::Container(ContainerSpec {
            entry_point: None,
            image: image("shared", "shared"),
            environment: Vec::new(),
            arguments: ["sh", "-c", script].map(str::to_owned).to_vec(),
            data_dir: Some("/data".to_owned()),
        }),
        ports: vec![7000],
    }
}

async fn provided(hub: &DockerHub, image: &Image) -> Result<Vec<ImageStep>, HubError> {
    let (progress, mut told) = mpsc::unbounded_channel();
    hub.provide(image, progress, CancellationToken::new()).await?;
    let mut all = Vec::new();
    while let Some(one) = told.recv().await {
        all.push(one);
    }
    Ok(all)
}

/// Starts `spec` with its image provided.
async fn started(hub: &DockerHub, spec: &ServerSpec, limits: Limits) -> Result<Running, HubError> {
    let Launch::Container(container) = &spec.launch else { unreachable!() };
    provided(hub, &container.image).await?;
    hub.start(spec, &limits, &[]).await
}

async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn containers_of(run: &str) -> usize {
    let filters = HashMap::from([("label", vec![format!("hubmark.run={run}")])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    client().list_containers(Some(options)).await.unwrap().len()
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_server_lives_is_measured_and_is_gone() {
    let hub = hub("test-life").await;
    let facts = hub.facts().await.unwrap();
    assert!(facts.cores.unwrap() >= 1 && facts.engine.unwrap().starts_with("docker "));
    assert!(facts.shared_with_client);

    let script = "echo one; echo two >&2; \
        dd if=/dev/zero of=/data/file bs=1M count=3 oflag=direct 2>/dev/null; \
        while :; do :; done";
    let server = started(&hub, &server("spinner", script), Limits::default()).await.unwrap();
    assert_eq!(server.endpoint(7000).port(), 7000);
    assert!(server.digest.as_deref().unwrap().starts_with("sha256:"));
    assert_eq!(hub.life(&server).await, Life::Running);

    let inspect = client().inspect_container(&server.id, None).await.unwrap();
    assert!(
        inspect
            .state
            .unwrap()
            .health
            .is_none_or(|health| health.log.is_none_or(|log| log.is_empty()))
    );
    let labels = inspect.config.unwrap().labels.unwrap();
    assert_eq!(
        (labels["hubmark.run"].as_str(), labels["hubmark.role"].as_str()),
        ("test-life", "spinner")
    );

    let before = hub.read(&server).await.unwrap();
    let mut readings = hub.watch(&server, Clock::start());
    let (first, second) = (readings.recv().await.unwrap(), readings.recv().await.unwrap());
    drop(readings);
    let after = hub.read(&server).await.unwrap();
    assert!(first.at < second.at);
    let order = [before, first.reading, second.reading, after].map(|reading| reading.cpu.unwrap());
    assert!(order.is_sorted() && order[0] < order[3], "{order:?}");
    assert!(after.memory.unwrap() > Bytes(0) && after.resident.unwrap() > Bytes(0));
    assert_eq!(after.tasks, Some(1));
    assert!(after.network_received.is_some() && second.reading.network_received.is_some());
    // Both sources count the same bytes, and where they count at all, those written directly.
    assert_eq!(after.block_written, second.reading.block_written);
    assert!(after.block_written.is_none_or(|bytes| bytes >= Bytes(3 << 20)), "{after:?}");

    assert!(hub.data_size(&server).await.unwrap() >= Bytes(3 << 20));
    assert!(hub.disk_written(&server).await.is_none_or(|bytes| bytes > Bytes(0)));
    let mut log = hub.log(&server, 10).await;
    log.sort();
    assert_eq!(log, ["one", "two"]);

    hub.remove(&server).await.unwrap();
    assert_eq!(hub.life(&server).await, Life::Gone);
    hub.remove(&server).await.unwrap();
    assert!(hub.read(&server).await.is_err());
    let mut readings = hub.watch(&server, Clock::start());
    assert_eq!(readings.recv().await, None);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_stream_ends_with_its_server() {
    let hub = hub("test-stream").await;
    let server = started(&hub, &server("brief", "sleep 3"), Limits::default()).await.unwrap();
    let mut readings = hub.watch(&server, Clock::start());
    let mut count = 0;
    while let Some(sample) = readings.recv().await {
        assert!(sample.reading.cpu.unwrap() > Duration::ZERO);
        count += 1;
    }
    assert_eq!(hub.life(&server).await, Life::Ended { code: Some(0), out_of_memory: false });
    assert!(count >= 1);
    hub.remove(&server).await.unwrap();
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_server_that_does_not_start_shows_its_log_and_leaves_nothing() {
    let hub = hub("test-fail").await;
    // Whether the engine has seen the end when the start is judged is the engine's secret.
    match started(&hub, &server("brief", "echo no such licence; exit 3"), Limits::default()).await {
        Err(error) => {
            assert!(matches!(error, HubError::Start { .. }));
            let text = error.to_string();
            assert!(text.contains("brief did not start") && text.contains("exit code 3"), "{text}");
            assert!(text.contains("\n  no such licence"), "{text}");
        }
        Ok(server) => {
            let ended = Life::Ended { code: Some(3), out_of_memory: false };
            eventually("the server ends", || async { hub.life(&server).await == ended }).await;
            assert_eq!(hub.log(&server, 5).await, ["no such licence"]);
            hub.remove(&server).await.unwrap();
        }
    }

    let mut spec = server("nonsense", "");
    let Launch::Container(container) = &mut spec.launch else { unreachable!() };
    container.image = Image::Named("debian:bookworm-slim".to_owned());
    container.arguments = vec!["/no/such/program".to_owned()];
    let error = hub.start(&spec, &Limits::default(), &[]).await.unwrap_err();
    assert!(error.to_string().contains("/no/such/program"), "{error}");

    let Launch::Container(container) = &mut spec.launch else { unreachable!() };
    container.image = Image::Named("hubmark-test/never-built:1".to_owned());
    let error = hub.start(&spec, &Limits::default(), &[]).await.unwrap_err();
    assert!(error.to_string().contains("never-built"), "{error}");
    assert_eq!(containers_of("test-fail").await, 0);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_start_that_nobody_waits_for_leaves_nothing() {
    let hub = hub("test-dropped").await;
    provided(&hub, &image("shared", "shared")).await.unwrap();
    let spec = server("orphan", "sleep 600");
    let limits = Limits::default();
    let start = hub.start(&spec, &limits, &[]);
    let appears =
        eventually("the container appears", || async { containers_of("test-dropped").await == 1 });
    tokio::select! {
        biased;
        () = appears => {}
        // Too quick to be caught: then there is nothing to drop.
        started = start => hub.remove(&started.unwrap()).await.unwrap(),
    }
    eventually("the container is removed", || async { containers_of("test-dropped").await == 0 })
        .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn limits_are_in_force() {
    let hub = hub("test-limits").await;
    let limits = Limits {
        cpus: Some(Cpus(0.25)),
        memory: Some(Bytes(64 << 20)),
        disk_write: Some(ByteRate(5e6)),
        ..Limits::default()
    };
    let server_1 = started(&hub, &server("spinner", "while :; do :; done"), limits).await.unwrap();
    eventually("the processor's limit holds the server back", || async {
        hub.read(&server_1).await.unwrap().throttled.is_some_and(|time| time > Duration::ZERO)
    })
    .await;
    let host = client().inspect_container(&server_1.id, None).await.unwrap().host_config.unwrap();
    assert_eq!(
        (host.nano_cpus, host.memory, host.memory_swap),
        (Some(250_000_000), Some(64 << 20), Some(64 << 20))
    );
    assert_eq!(host.blkio_device_write_bps.unwrap()[0].rate, Some(5_000_000));
    hub.remove(&server_1).await.unwrap();

    let eater = server("eater", "sleep 1; exec tail /dev/zero");
    let server_2 = started(&hub, &eater, limits).await.unwrap();
    eventually("the server ends", || async { hub.life(&server_2).await != Life::Running }).await;
    assert!(matches!(hub.life(&server_2).await, Life::Ended { out_of_memory: true, .. }));
    hub.remove(&server_2).await.unwrap();

    let more_cores_than_there_are = Limits { cpus: Some(Cpus(4096.0)), ..Limits::default() };
    let sleeper = server("sleeper", "sleep 600");
    let error = started(&hub, &sleeper, more_cores_than_there_are).await.unwrap_err().to_string();
    assert!(error.contains("4096 cpus") && error.contains("cores"), "{error}");
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_later_server_knows_the_address_of_an_earlier_one() {
    let hub = hub("test-chain").await;
    let first = started(&hub, &server("keeper", "sleep 600"), Limits::default()).await.unwrap();
    let mut spec = server("user", "echo $KEEPER {host} {port:7000}; sleep 600");
    let Launch::Container(container) = &mut spec.launch else { unreachable!() };
    container.environment = vec![("KEEPER".to_owned(), "{keeper}:2181".to_owned())];
    let second = hub.start(&spec, &Limits::default(), std::slice::from_ref(&first)).await.unwrap();
    let expected = format!("{}:2181 127.0.0.1 7000", first.address);
    eventually("the server has written", || async { !hub.log(&second, 1).await.is_empty() }).await;
    assert_eq!(hub.log(&second, 1).await, [expected]);
    hub.remove(&second).await.unwrap();
    hub.remove(&first).await.unwrap();
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn leftovers_of_the_dead_are_swept_and_the_living_are_spared() {
    let hub = hub("test-sweep").await;
    let living = started(&hub, &server("living", "sleep 600"), Limits::default()).await.unwrap();
    let inspect = client().inspect_container(&living.id, None).await.unwrap();
    let labels = inspect.config.unwrap().labels.unwrap();

    let with_labels = |change: &[(&str, Option<&str>)]| {
        let mut labels = labels.clone();
        for &(key, value) in change {
            match value {
                Some(value) => labels.insert(key.to_owned(), value.to_owned()),
                None => labels.remove(key),
            };
        }
        create(labels)
    };
    let dead = with_labels(&[("hubmark.pid-born", Some("1"))]).await;
    let elsewhere =
        with_labels(&[("hubmark.host", Some("another")), ("hubmark.boot", Some("x"))]).await;
    let unnamed = with_labels(&[("hubmark.run", None), ("hubmark.pid-born", Some("1"))]).await;

    // Another test's sweep may have been first: what counts is that it is gone.
    let removed = hub.sweep().await.unwrap();
    assert!(removed.iter().all(|name| name.contains("of run")), "{removed:?}");
    assert!(!exists(&dead).await);
    for spared in [&living.id, &elsewhere, &unnamed] {
        assert!(exists(spared).await, "{spared} was removed: {removed:?}");
    }
    hub.remove(&living).await.unwrap();
    for id in [elsewhere, unnamed] {
        let force = RemoveContainerOptionsBuilder::default().force(true).build();
        client().remove_container(&id, Some(force)).await.unwrap();
    }
}

async fn create(labels: HashMap<String, String>) -> String {
    let body = ContainerCreateBody {
        image: Some("debian:bookworm-slim".to_owned()),
        labels: Some(labels),
        ..ContainerCreateBody::default()
    };
    client().create_container(None::<CreateContainerOptions>, body).await.unwrap().id
}

async fn exists(id: &str) -> bool {
    client().inspect_container(id, None).await.is_ok()
}
