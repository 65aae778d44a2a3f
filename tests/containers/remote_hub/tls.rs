//! Connections over TLS: certificates, contexts, repeated requests, and connections without TLS.

use std::{process::Command, time::Duration};

use hubmark::{
    hub::{Hub, docker::DockerHub},
    plan::HubRequest,
};

use super::{HUB, SHORTEST, check_complete, study_command};
use crate::support::{process::ProgramOutput, sandbox::Sandbox};

/// Runs `hubmark images list` over TLS with the certificates in a folder of the hub.
fn list_images_over_tls(sandbox: &Sandbox, engine: &str, folder: &str) -> ProgramOutput {
    let mut command = sandbox.command(["images", "list", "--hub", engine]);
    let folder = HUB.path("tls").join(folder);
    HUB.prepare(&mut command).env("DOCKER_CERT_PATH", folder).output().unwrap().into()
}

#[test]
#[ignore = "needs a Docker engine"]
fn invalid_certificates_are_refused_with_the_reason() {
    let sandbox = Sandbox::new();
    let engine = format!("tcp://{}:2376", HUB.address);
    list_images_over_tls(&sandbox, &engine, "good").exits_with(0);
    let cases = [
        ("expired", "cert.pem has expired"),
        ("foreign", "is not signed by"),
        ("wrong", "its certificate is refused: it is not signed by"),
        ("none", "ca.pem does not exist"),
        ("keyless", "key.pem does not exist"),
        ("mixed", "key.pem does not match cert.pem"),
    ];
    for (folder, reason) in cases {
        let output = list_images_over_tls(&sandbox, &engine, folder).exits_with(1);
        assert!(output.stderr.contains(reason), "{folder}: {}", output.stderr);
        assert!(output.stderr.contains(&engine), "{folder}: {}", output.stderr);
    }
    // The right engine at an address that its certificate does not contain.
    let other = format!("{}.3", HUB.address.strip_suffix(".2").unwrap());
    let output =
        list_images_over_tls(&sandbox, &format!("tcp://{other}:2376"), "good").exits_with(1);
    assert!(
        output.stderr.contains(&format!("not valid for the name {other}")),
        "{}",
        output.stderr
    );
    // A port with another protocol.
    let output =
        list_images_over_tls(&sandbox, &format!("tcp://{}:22", HUB.address), "good").exits_with(1);
    assert!(output.stderr.contains("does not speak TLS"), "{}", output.stderr);
    assert!(output.stderr.contains("http://HOST:PORT"), "{}", output.stderr);
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_current_docker_context_is_used() {
    let sandbox = Sandbox::new();
    let config = sandbox.path("docker");
    let docker = |arguments: &[&str]| {
        let mut command = Command::new("docker");
        command.env("DOCKER_CONFIG", &config).env_remove("DOCKER_HOST").args(arguments);
        assert!(command.output().unwrap().status.success(), "{arguments:?}");
    };
    let good = HUB.path("tls/good");
    let file = |name: &str| good.join(name).display().to_string();
    let endpoint = format!(
        "host=tcp://{}:2376,ca={},cert={},key={}",
        HUB.address,
        file("ca.pem"),
        file("cert.pem"),
        file("key.pem")
    );
    docker(&["context", "create", "tls", "--docker", &endpoint]);
    docker(&["context", "create", "pi", "--docker", "host=ssh://pi"]);
    docker(&["context", "use", "tls"]);
    let listed = |context: Option<&str>| -> ProgramOutput {
        let mut command = sandbox.command(["images", "list"]);
        HUB.prepare(&mut command).env("DOCKER_CONFIG", &config);
        command.envs(context.map(|name| ("DOCKER_CONTEXT", name))).output().unwrap().into()
    };
    listed(None).exits_with(0);
    listed(Some("pi")).exits_with(0);
    let output = listed(Some("unknown")).exits_with(1);
    assert!(output.stderr.contains("no such context"), "{}", output.stderr);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine"]
async fn a_request_over_tls_is_repeated_while_the_engine_is_unreachable() {
    let request = HubRequest {
        certificates: Some(HUB.path("tls/good").display().to_string()),
        ..HubRequest::docker(Some(format!("tcp://{}:2376", HUB.address)))
    };
    let hub = DockerHub::connect(&request, None).await.unwrap();
    HUB.reject_port(2376, true);
    let clone = hub.clone();
    let request = tokio::spawn(async move { clone.facts().await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    let waits = !request.is_finished();
    HUB.reject_port(2376, false);
    assert!(waits, "{:?}", request.await);
    assert!(request.await.unwrap().unwrap().cores.is_some());
}

/// Forwards a port of this machine to the engine's socket without TLS, until the process ends.
fn forward_without_tls() -> u16 {
    use std::{io::copy, net::TcpListener, os::unix::net::UnixStream, thread::spawn};

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = HUB.path("run/docker.sock");
    spawn(move || {
        for client in listener.incoming() {
            let (mut client, mut engine) = (client.unwrap(), UnixStream::connect(&socket).unwrap());
            let mut back = (engine.try_clone().unwrap(), client.try_clone().unwrap());
            spawn(move || {
                let _ = copy(&mut client, &mut engine);
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
fn a_connection_without_tls_needs_an_http_address_and_gives_a_warning() {
    let port = forward_without_tls();
    let sandbox = Sandbox::new();
    // An address with tcp:// requires TLS.
    let output =
        list_images_over_tls(&sandbox, &format!("tcp://127.0.0.1:{port}"), "good").exits_with(1);
    assert!(output.stderr.contains("http://HOST:PORT"), "{}", output.stderr);
    let plain = format!("http://127.0.0.1:{port}");
    let engine = format!("hub.engine=\"{plain}\"");
    let address = format!("hub.address=\"{}\"", HUB.address);
    let output = ProgramOutput::of(&mut study_command(&sandbox, &[SHORTEST, &[&engine, &address]]));
    assert!(output.stderr.contains("is reached without TLS"), "{}", output.stderr);
    let record = check_complete(&sandbox, output);
    let cautions = &record.provenance.hub.cautions;
    assert!(cautions.iter().any(|output| output.contains(&plain)), "{cautions:?}");
    let mut doctor = sandbox.command(["doctor", "--hub", &plain]);
    let output = ProgramOutput::of(HUB.prepare(&mut doctor));
    assert!(output.stdout.contains("not encrypted"), "{}", output.stdout);
}
