//! The docker hub on a real engine: images, containers, limits, counters, leftovers.

mod images;
mod reach;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use bollard::{
    models::ContainerCreateBody,
    query_parameters::{CreateContainerOptions, RemoveContainerOptionsBuilder},
};
use hubmark::{
    clock::Clock,
    hub::{Hub, HubError, docker::DockerHub},
    server::{
        ContainerSpec, ImageRecipe, LaunchSpec, ResourceLimits, RunningServer, ServerImage,
        ServerSpec, ServerState,
    },
    units::{ByteRate, Bytes, Cpus},
};

use crate::support::{
    local_engine::{client, container_count, ensure_image, open_hub},
    wait::until_async,
};

static RECIPE: ImageRecipe = ImageRecipe {
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

fn image(tag: &str, flavour: &str) -> ServerImage {
    ServerImage::Recipe {
        recipe: &RECIPE,
        arguments: BTreeMap::from([("FLAVOUR".to_owned(), flavour.to_owned())]),
        tag: format!("hubmark-test/{tag}:1"),
    }
}

/// A server that runs `script` in an image that the tests share.
fn server(role: &str, script: &str) -> ServerSpec {
    ServerSpec {
        role: role.to_owned(),
        launch: LaunchSpec::Container(ContainerSpec {
            entry_point: None,
            image: image("shared", "shared"),
            environment: Vec::new(),
            arguments: ["sh", "-c", script].map(str::to_owned).to_vec(),
            data_dir: Some("/data".to_owned()),
        }),
        ports: vec![7000],
    }
}

/// Builds a server's image if necessary and starts the server.
async fn start_server(
    hub: &DockerHub,
    spec: &ServerSpec,
    limits: ResourceLimits,
) -> Result<RunningServer, HubError> {
    let LaunchSpec::Container(container) = &spec.launch else { unreachable!() };
    ensure_image(hub, &container.image).await?;
    hub.start(spec, &limits, &[]).await
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_server_starts_is_measured_and_is_removed() {
    let hub = open_hub("test-life").await;
    let facts = hub.facts().await.unwrap();
    assert!(facts.cores.unwrap() >= 1 && facts.engine.unwrap().starts_with("docker "));
    assert!(facts.shared_with_client);

    let script = "echo one; echo two >&2; \
        dd if=/dev/zero of=/data/file bs=1M count=3 oflag=direct 2>/dev/null; \
        while :; do :; done";
    let server =
        start_server(&hub, &server("spinner", script), ResourceLimits::default()).await.unwrap();
    assert_eq!(server.endpoint(7000).port(), 7000);
    assert!(server.digest.as_deref().unwrap().starts_with("sha256:"));
    assert_eq!(hub.server_state(&server).await, ServerState::Running);

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
    // Both sources count the same bytes; if they count at all, they include direct writes.
    assert_eq!(after.block_written, second.reading.block_written);
    assert!(after.block_written.is_none_or(|bytes| bytes >= Bytes(3 << 20)), "{after:?}");

    assert!(hub.data_size(&server).await.unwrap() >= Bytes(3 << 20));
    assert!(hub.disk_written(&server).await.is_none_or(|bytes| bytes > Bytes(0)));
    let mut log = hub.log(&server, 10).await;
    log.sort();
    assert_eq!(log, ["one", "two"]);

    hub.remove(&server).await.unwrap();
    assert_eq!(hub.server_state(&server).await, ServerState::NotFound);
    hub.remove(&server).await.unwrap();
    assert!(hub.read(&server).await.is_err());
    let mut readings = hub.watch(&server, Clock::start());
    assert_eq!(readings.recv().await, None);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn readings_end_with_their_server() {
    let hub = open_hub("test-stream").await;
    let server =
        start_server(&hub, &server("brief", "sleep 3"), ResourceLimits::default()).await.unwrap();
    let mut readings = hub.watch(&server, Clock::start());
    let mut count = 0;
    while let Some(sample) = readings.recv().await {
        assert!(sample.reading.cpu.unwrap() > Duration::ZERO);
        count += 1;
    }
    assert_eq!(
        hub.server_state(&server).await,
        ServerState::Ended { code: Some(0), out_of_memory: false }
    );
    assert!(count >= 1);
    hub.remove(&server).await.unwrap();
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_server_that_does_not_start_shows_its_log_and_leaves_nothing() {
    let hub = open_hub("test-fail").await;
    // The engine may or may not notice the end before hubmark checks the start.
    match start_server(
        &hub,
        &server("brief", "echo no such licence; exit 3"),
        ResourceLimits::default(),
    )
    .await
    {
        Err(error) => {
            assert!(matches!(error, HubError::Start { .. }));
            let text = error.to_string();
            assert!(text.contains("brief did not start") && text.contains("exit code 3"), "{text}");
            assert!(text.contains("\n  no such licence"), "{text}");
        }
        Ok(server) => {
            let ended = ServerState::Ended { code: Some(3), out_of_memory: false };
            until_async("the server ends", async || hub.server_state(&server).await == ended).await;
            assert_eq!(hub.log(&server, 5).await, ["no such licence"]);
            hub.remove(&server).await.unwrap();
        }
    }

    let mut spec = server("nonsense", "");
    let LaunchSpec::Container(container) = &mut spec.launch else { unreachable!() };
    container.image = ServerImage::Named("debian:bookworm-slim".to_owned());
    container.arguments = vec!["/no/such/program".to_owned()];
    let error = hub.start(&spec, &ResourceLimits::default(), &[]).await.unwrap_err();
    assert!(error.to_string().contains("/no/such/program"), "{error}");

    let LaunchSpec::Container(container) = &mut spec.launch else { unreachable!() };
    container.image = ServerImage::Named("hubmark-test/never-built:1".to_owned());
    let error = hub.start(&spec, &ResourceLimits::default(), &[]).await.unwrap_err();
    assert!(error.to_string().contains("never-built"), "{error}");
    assert_eq!(container_count("test-fail").await, 0);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn an_abandoned_start_leaves_nothing() {
    let hub = open_hub("test-dropped").await;
    ensure_image(&hub, &image("shared", "shared")).await.unwrap();
    let spec = server("orphan", "sleep 600");
    let limits = ResourceLimits::default();
    let start = hub.start(&spec, &limits, &[]);
    let appears =
        until_async("the container appears", async || container_count("test-dropped").await == 1);
    tokio::select! {
        biased;
        () = appears => {}
        // The start was too quick to be abandoned.
        started = start => hub.remove(&started.unwrap()).await.unwrap(),
    }
    until_async("the container is removed", async || container_count("test-dropped").await == 0)
        .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn limits_take_effect() {
    let hub = open_hub("test-limits").await;
    let limits = ResourceLimits {
        cpus: Some(Cpus(0.25)),
        memory: Some(Bytes(64 << 20)),
        disk_write: Some(ByteRate(5e6)),
        ..ResourceLimits::default()
    };
    let server_1 =
        start_server(&hub, &server("spinner", "while :; do :; done"), limits).await.unwrap();
    until_async("the server is throttled", async || {
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
    let server_2 = start_server(&hub, &eater, limits).await.unwrap();
    until_async("the server ends", async || {
        hub.server_state(&server_2).await != ServerState::Running
    })
    .await;
    assert!(matches!(
        hub.server_state(&server_2).await,
        ServerState::Ended { out_of_memory: true, .. }
    ));
    hub.remove(&server_2).await.unwrap();

    let more_cores_than_there_are =
        ResourceLimits { cpus: Some(Cpus(4096.0)), ..ResourceLimits::default() };
    let sleeper = server("sleeper", "sleep 600");
    let error =
        start_server(&hub, &sleeper, more_cores_than_there_are).await.unwrap_err().to_string();
    assert!(error.contains("4096 cpus") && error.contains("cores"), "{error}");
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_server_gets_the_addresses_of_earlier_servers() {
    let hub = open_hub("test-chain").await;
    let first = start_server(&hub, &server("keeper", "sleep 600"), ResourceLimits::default())
        .await
        .unwrap();
    let mut spec = server("user", "echo $KEEPER {host} {port:7000}; sleep 600");
    let LaunchSpec::Container(container) = &mut spec.launch else { unreachable!() };
    container.environment = vec![("KEEPER".to_owned(), "{keeper}:2181".to_owned())];
    let second =
        hub.start(&spec, &ResourceLimits::default(), std::slice::from_ref(&first)).await.unwrap();
    let expected = format!("{}:2181 127.0.0.1 7000", first.address);
    until_async("the server has written", async || !hub.log(&second, 1).await.is_empty()).await;
    assert_eq!(hub.log(&second, 1).await, [expected]);
    hub.remove(&second).await.unwrap();
    hub.remove(&first).await.unwrap();
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn leftovers_of_dead_runs_are_removed_and_running_ones_are_spared() {
    let hub = open_hub("test-sweep").await;
    let running = start_server(&hub, &server("running", "sleep 600"), ResourceLimits::default())
        .await
        .unwrap();
    let inspect = client().inspect_container(&running.id, None).await.unwrap();
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

    // Another test may have removed it first.
    let removed = hub.remove_leftovers().await.unwrap();
    // An earlier run of this test may have left a network, whose name is all that is known of it.
    let is_leftover = |name: &String| name.contains("of run") || name.starts_with("network ");
    assert!(removed.iter().all(is_leftover), "{removed:?}");
    assert!(!exists(&dead).await);
    for spared in [&running.id, &elsewhere, &unnamed] {
        assert!(exists(spared).await, "{spared} was removed: {removed:?}");
    }
    hub.remove(&running).await.unwrap();
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
