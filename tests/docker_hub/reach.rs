//! Ways to an engine: as if it were on another machine, and when there is none.

use std::{
    io::Read,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::Command,
    time::Duration,
};

use hubmark::{
    hub::{Hub, HubError, docker::DockerHub},
    server::{Launch, Limits},
    units::Bytes,
};

use super::{SOCKET, containers_of, eventually, image, provided, server, started};

/// The same engine as if it were elsewhere: behind a port.
async fn elsewhere(run: &str) -> DockerHub {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut caller, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(mut engine) = tokio::net::UnixStream::connect(SOCKET).await else { return };
                let _ = tokio::io::copy_bidirectional(&mut caller, &mut engine).await;
            });
        }
    });
    DockerHub::open(Some(&format!("http://127.0.0.1:{port}")), run).await.unwrap()
}

/// A relay on a TCP port makes the local engine one that is reached over the network.
async fn relay() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut far = tokio::net::UnixStream::connect(SOCKET).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    address
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_remote_engines_servers_are_reached_at_published_ports() {
    let hub = DockerHub::open(Some(&relay().await), "test-remote").await.unwrap();
    assert!(!hub.facts().await.unwrap().shared_with_client);
    let script = "exec perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalPort => 7000, \
        Listen => 5, ReuseAddr => 1); while ($c = $s->accept) { print $c $ENV{SEEN}; close $c }'";
    let mut spec = server("greeter", script);
    let Launch::Container(container) = &mut spec.launch else { unreachable!() };
    container.environment = vec![("SEEN".to_owned(), "{host}:{port:7000}".to_owned())];
    let server = started(&hub, &spec, Limits::default()).await.unwrap();

    let endpoint = server.endpoint(7000);
    assert_ne!(endpoint.port(), 7000);
    eventually("the server greets", || async move {
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

    // No file of that machine can be read from here: the engine is asked.
    assert!(hub.read(&server).await.unwrap().cpu.unwrap() > Duration::ZERO);
    assert!(hub.data_size(&server).await.unwrap() > Bytes(0));
    assert_eq!(hub.disk_written(&server).await, None);
    hub.remove(&server).await.unwrap();
}

#[tokio::test]
async fn no_engine_is_said_with_what_to_do() {
    let error = DockerHub::open(Some("unix:///no/such/engine.sock"), "test").await.unwrap_err();
    assert!(matches!(error, HubError::NoEngine { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("unix:///no/such/engine.sock") && text.contains("start it"), "{text}");
}

const ASKED_SOCKET: &str = "HUBMARK_TEST_SOCKET";

#[test]
fn a_socket_without_permission_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(folder.path(), 0o755);
    let socket = folder.path().join("engine.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    open(&socket, 0o600);
    // Nothing is forbidden to root: the socket is tried by somebody else, with a program that
    // they may run.
    let program = folder.path().join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    open(&program, 0o755);
    let mut other = Command::new(&program);
    other
        .args(["--exact", "reach::somebody_tries_a_socket", "--ignored"])
        .env(ASKED_SOCKET, &socket);
    if nix::unistd::geteuid().is_root() {
        other.uid(65_534).gid(65_534);
    } else {
        open(&socket, 0o000);
    }
    let output = other.current_dir("/").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

#[tokio::test]
#[ignore = "the other half of a_socket_without_permission_is_said_with_what_to_do"]
async fn somebody_tries_a_socket() {
    let Ok(socket) = std::env::var(ASKED_SOCKET) else { return };
    let error = DockerHub::open(Some(&format!("unix://{socket}")), "test").await.unwrap_err();
    assert!(matches!(error, HubError::NoPermission { .. }), "{error:?}");
    assert!(error.to_string().contains("usermod -aG docker"), "{error}");
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_hub_elsewhere_is_read_by_one_helper_that_leaves_nothing_behind() {
    let run = "test-attend";
    let hub = elsewhere(run).await;
    let image = image("shared", "shared");
    provided(&hub, &image).await.unwrap();
    let mut attendance = hub.attend(Some(&image)).await.unwrap().unwrap();
    let here = hubmark::hub::machine::this_machine();
    let facts = &attendance.facts;
    assert_eq!((&facts.kernel, &facts.model, &facts.cpu), (&here.kernel, &here.model, &here.cpu));
    assert!(facts.fsync.is_some_and(|time| !time.is_zero()), "{facts:?}");
    assert!(facts.file_system.is_some(), "{facts:?}");
    let first = attendance.beats.recv().await.unwrap().pulse;
    let second = attendance.beats.recv().await.unwrap().pulse;
    assert!(first.busy.unwrap() <= second.busy.unwrap(), "{first:?} {second:?}");
    assert!(second.memory_available.is_some() && second.disk.is_some(), "{second:?}");
    assert!(second.own.is_some(), "it is this machine after all, whose load is partly ours");
    assert_eq!(containers_of(run).await, 1);
    drop(attendance.beats);
    attendance.gone.await.unwrap();
    assert_eq!(containers_of(run).await, 0);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_helper_is_abandoned_with_the_rest_of_its_run() {
    let run = "test-attend-abandon";
    let hub = elsewhere(run).await;
    let image = image("shared", "shared");
    provided(&hub, &image).await.unwrap();
    let attendance = hub.attend(Some(&image)).await.unwrap().unwrap();
    hub.abandon().await.unwrap();
    assert_eq!(containers_of(run).await, 0);
    attendance.gone.await.unwrap();
}
