//! Connections to an engine: through the network, to a missing engine, and without permission.

use std::{
    io::Read,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::Command,
    time::Duration,
};

use hubmark::{
    hub::{Hub, HubError, docker::DockerHub},
    server::{LaunchSpec, ResourceLimits},
    units::Bytes,
};

use super::{image, server, start_server};
use crate::support::{
    docker::LOCAL_SOCKET,
    local_engine::{container_count, ensure_image},
    wait::until_async,
};

/// Opens the local engine through a TCP relay, as an engine on another machine.
async fn open_relayed_hub(run: &str) -> DockerHub {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(mut engine) = tokio::net::UnixStream::connect(LOCAL_SOCKET).await else {
                    return;
                };
                let _ = tokio::io::copy_bidirectional(&mut client, &mut engine).await;
            });
        }
    });
    DockerHub::open(Some(&address), Some(run)).await.unwrap()
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_remote_engines_servers_are_reached_at_published_ports() {
    let hub = open_relayed_hub("test-remote").await;
    assert!(!hub.facts().await.unwrap().shared_with_client);
    let script = "exec perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalPort => 7000, \
        Listen => 5, ReuseAddr => 1); while ($c = $s->accept) { print $c $ENV{SEEN}; close $c }'";
    let mut spec = server("greeter", script);
    let LaunchSpec::Container(container) = &mut spec.launch else { unreachable!() };
    container.environment = vec![("SEEN".to_owned(), "{host}:{port:7000}".to_owned())];
    let server = start_server(&hub, &spec, ResourceLimits::default()).await.unwrap();

    let endpoint = server.endpoint(7000);
    assert_ne!(endpoint.port(), 7000);
    until_async("the server greets", async || {
        tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            std::net::TcpStream::connect(endpoint)
                .is_ok_and(|mut stream| stream.read_to_string(&mut text).is_ok())
                && text == endpoint.to_string()
        })
        .await
        .unwrap()
    })
    .await;

    // Files of a remote machine cannot be read, so the engine is asked.
    assert!(hub.read(&server).await.unwrap().cpu.unwrap() > Duration::ZERO);
    assert!(hub.data_size(&server).await.unwrap() > Bytes(0));
    assert_eq!(hub.disk_written(&server).await, None);
    hub.remove(&server).await.unwrap();
}

#[tokio::test]
async fn a_missing_engine_is_reported_with_advice() {
    let error = DockerHub::open(Some("unix:///no/such/engine.sock"), None).await.unwrap_err();
    assert!(matches!(error, HubError::NoEngine { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("unix:///no/such/engine.sock") && text.contains("start it"), "{text}");
}

/// The socket that the child process of a test opens.
const SOCKET_VARIABLE: &str = "HUBMARK_TEST_SOCKET";

#[test]
fn a_socket_without_permission_is_reported_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(folder.path(), 0o755);
    let socket = folder.path().join("engine.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    open(&socket, 0o600);
    // Permissions do not apply to root: another user opens the socket, with a copy of this program
    // that this user may run.
    let program = folder.path().join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    open(&program, 0o755);
    let mut child = Command::new(&program);
    child
        .args(["--exact", "docker_hub::reach::open_socket_as_other_user", "--ignored"])
        .env(SOCKET_VARIABLE, &socket);
    if nix::unistd::geteuid().is_root() {
        child.uid(65_534).gid(65_534);
    } else {
        open(&socket, 0o000);
    }
    let output = child.current_dir("/").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

#[tokio::test]
#[ignore = "a_socket_without_permission_is_reported_with_advice runs it as another user"]
async fn open_socket_as_other_user() {
    let Ok(socket) = std::env::var(SOCKET_VARIABLE) else { return };
    let error = DockerHub::open(Some(&format!("unix://{socket}")), None).await.unwrap_err();
    assert!(matches!(error, HubError::NoPermission { .. }), "{error:?}");
    assert!(error.to_string().contains("usermod -aG docker"), "{error}");
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_remote_hub_is_monitored_by_one_container_that_leaves_nothing() {
    let run = "test-attend";
    let hub = open_relayed_hub(run).await;
    let image = image("shared", "shared");
    ensure_image(&hub, &image).await.unwrap();
    let mut monitor = hub.monitor_host(Some(&image)).await.unwrap().unwrap();
    let here = hubmark::hub::machine::local_facts();
    let facts = &monitor.facts;
    assert_eq!((&facts.kernel, &facts.model, &facts.cpu), (&here.kernel, &here.model, &here.cpu));
    assert!(facts.fsync.is_some_and(|time| !time.is_zero()), "{facts:?}");
    assert!(facts.file_system.is_some(), "{facts:?}");
    let first = monitor.samples.recv().await.unwrap().counters;
    let second = monitor.samples.recv().await.unwrap().counters;
    assert!(first.busy.unwrap() <= second.busy.unwrap(), "{first:?} {second:?}");
    assert!(second.memory_available.is_some() && second.disk.is_some(), "{second:?}");
    assert!(second.own_cpu_time.is_some(), "the relayed engine runs on this machine");
    assert_eq!(container_count(run).await, 1);
    drop(monitor.samples);
    monitor.finished.await.unwrap();
    assert_eq!(container_count(run).await, 0);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn the_monitor_ends_when_its_run_shuts_down() {
    let run = "test-attend-abandon";
    let hub = open_relayed_hub(run).await;
    let image = image("shared", "shared");
    ensure_image(&hub, &image).await.unwrap();
    let monitor = hub.monitor_host(Some(&image)).await.unwrap().unwrap();
    hub.shutdown().await.unwrap();
    assert_eq!(container_count(run).await, 0);
    monitor.finished.await.unwrap();
}
