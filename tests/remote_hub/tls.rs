//! The way over TLS: certificates, contexts, what is asked again, and the way without it.

use std::{process::Command, time::Duration};

use hubmark::{
    hub::{Hub, docker::DockerHub},
    plan::HubRequest,
};

use super::{BRIEF, REMOTE, run, whole};
use crate::common::{Home, Said};

/// `hubmark images list` over TLS, with the certificates in that folder of the rehearsal.
fn over_tls(home: &Home, engine: &str, folder: &str) -> Said {
    let mut command = home.command(["images", "list", "--hub", engine]);
    let folder = REMOTE.path("tls").join(folder);
    REMOTE.prepare(&mut command).env("DOCKER_CERT_PATH", folder).output().unwrap().into()
}

#[test]
#[ignore = "needs a Docker engine"]
fn certificates_that_do_not_fit_are_refused_with_the_reason() {
    let home = Home::new();
    let engine = format!("tcp://{}:2376", REMOTE.address);
    over_tls(&home, &engine, "good").ends(0);
    let cases = [
        ("expired", "cert.pem has expired"),
        ("foreign", "is not signed by"),
        ("wrong", "its certificate is refused: it is not signed by"),
        ("none", "ca.pem is not there"),
        ("keyless", "key.pem is not there"),
        ("mixed", "key.pem does not fit cert.pem"),
    ];
    for (folder, reason) in cases {
        let said = over_tls(&home, &engine, folder).ends(1);
        assert!(said.err.contains(reason), "{folder}: {}", said.err);
        assert!(said.err.contains(&engine), "{folder}: {}", said.err);
    }
    // The right engine at an address for which its certificate is not made.
    let other = format!("{}.3", REMOTE.address.strip_suffix(".2").unwrap());
    let said = over_tls(&home, &format!("tcp://{other}:2376"), "good").ends(1);
    assert!(said.err.contains(&format!("not made for the name {other}")), "{}", said.err);
    // A port that speaks something else.
    let said = over_tls(&home, &format!("tcp://{}:22", REMOTE.address), "good").ends(1);
    assert!(said.err.contains("does not speak TLS"), "{}", said.err);
    assert!(said.err.contains("http://HOST:PORT"), "{}", said.err);
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_current_context_is_used_as_by_dockers_own_tools() {
    let home = Home::new();
    let config = home.path("docker");
    let docker = |arguments: &[&str]| {
        let mut command = Command::new("docker");
        command.env("DOCKER_CONFIG", &config).env_remove("DOCKER_HOST").args(arguments);
        assert!(command.output().unwrap().status.success(), "{arguments:?}");
    };
    let good = REMOTE.path("tls/good");
    let file = |name: &str| good.join(name).display().to_string();
    let endpoint = format!(
        "host=tcp://{}:2376,ca={},cert={},key={}",
        REMOTE.address,
        file("ca.pem"),
        file("cert.pem"),
        file("key.pem")
    );
    docker(&["context", "create", "tls", "--docker", &endpoint]);
    docker(&["context", "create", "pi", "--docker", "host=ssh://pi"]);
    docker(&["context", "use", "tls"]);
    let listed = |context: Option<&str>| -> Said {
        let mut command = home.command(["images", "list"]);
        REMOTE.prepare(&mut command).env("DOCKER_CONFIG", &config);
        command.envs(context.map(|name| ("DOCKER_CONTEXT", name))).output().unwrap().into()
    };
    listed(None).ends(0);
    listed(Some("pi")).ends(0);
    let said = listed(Some("gone")).ends(1);
    assert!(said.err.contains("no such context"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine"]
async fn a_question_over_tls_is_asked_again_while_the_engine_is_away() {
    let request = HubRequest {
        certificates: Some(REMOTE.path("tls/good").display().to_string()),
        ..HubRequest::docker(Some(format!("tcp://{}:2376", REMOTE.address)))
    };
    let hub = DockerHub::reach(&request, "none").await.unwrap();
    REMOTE.bar(2376, true);
    let asking = hub.clone();
    let asked = tokio::spawn(async move { asking.facts().await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    let waits = !asked.is_finished();
    REMOTE.bar(2376, false);
    assert!(waits, "{:?}", asked.await);
    assert!(asked.await.unwrap().unwrap().cores.is_some());
}

/// Hands every connection to a port of this machine on to the engine's socket; until the test ends.
fn without_tls() -> u16 {
    use std::{io::copy, net::TcpListener, os::unix::net::UnixStream, thread::spawn};

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = REMOTE.path("run/docker.sock");
    spawn(move || {
        for caller in listener.incoming() {
            let (mut caller, mut engine) = (caller.unwrap(), UnixStream::connect(&socket).unwrap());
            let mut back = (engine.try_clone().unwrap(), caller.try_clone().unwrap());
            spawn(move || {
                let _ = copy(&mut caller, &mut engine);
                let _ = engine.shutdown(std::net::Shutdown::Write);
            });
            spawn(move || {
                let _ = copy(&mut back.0, &mut back.1);
                let _ = back.1.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    port
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_way_without_tls_is_taken_when_it_is_written_so_and_warned_of() {
    let port = without_tls();
    let home = Home::new();
    // Without being written so, it is not.
    let said = over_tls(&home, &format!("tcp://127.0.0.1:{port}"), "good").ends(1);
    assert!(said.err.contains("http://HOST:PORT"), "{}", said.err);
    let plain = format!("http://127.0.0.1:{port}");
    let engine = format!("hub.engine=\"{plain}\"");
    let address = format!("hub.address=\"{}\"", REMOTE.address);
    let said: Said = run(&home, &[BRIEF, &[&engine, &address]]).output().unwrap().into();
    assert!(said.err.contains("is reached without TLS"), "{}", said.err);
    let record = whole(&home, said);
    let cautions = &record.provenance.hub.cautions;
    assert!(cautions.iter().any(|said| said.contains(&plain)), "{cautions:?}");
    let mut doctor = home.command(["doctor", "--hub", &plain]);
    let said: Said = REMOTE.prepare(&mut doctor).output().unwrap().into();
    assert!(said.out.contains("not encrypted"), "{}", said.out);
}
