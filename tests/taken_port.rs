//! A published port that is taken meanwhile: another one is tried. Played by an engine that refuses
//! the first start as Docker does.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

use std::sync::{Arc, Mutex};

use hubmark::{
    hub::{Hub, docker::DockerHub},
    server::{ContainerSpec, Image, Launch, Limits, ServerSpec},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};

/// What was asked of the engine.
#[derive(Default)]
struct Asked {
    /// The port that each container asked for.
    ports: Vec<String>,
    started: usize,
    removed: usize,
}

/// Answers to one request; `taken` is how many starts find their port taken.
fn answer(asked: &Mutex<Asked>, taken: usize, line: &str, body: &Value) -> (u16, Value) {
    let mut asked = asked.lock().unwrap();
    let mut words = line.split_whitespace();
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let path = path.split('?').next().unwrap();
    if path.ends_with("/version") {
        (200, json!({"ApiVersion": "1.47", "Version": "27.1.1"}))
    } else if path.ends_with("/info") {
        // Rootless: its containers are reached by published ports alone.
        (200, json!({"NCPU": 4, "SecurityOptions": ["name=rootless"], "DockerRootDir": "/"}))
    } else if path.ends_with("/containers/create") {
        let port = &body["HostConfig"]["PortBindings"]["1234/tcp"][0]["HostPort"];
        asked.ports.push(port.as_str().unwrap().to_owned());
        (201, json!({"Id": format!("c{}", asked.ports.len()), "Warnings": []}))
    } else if path.ends_with("/start") {
        asked.started += 1;
        if asked.started <= taken {
            let port = asked.ports.last().unwrap();
            let message = format!(
                "driver failed programming external connectivity on endpoint x: Bind for \
                 0.0.0.0:{port} failed: port is already allocated"
            );
            return (500, json!({ "message": message }));
        }
        (204, json!(null))
    } else if method == "DELETE" {
        asked.removed += 1;
        (204, json!(null))
    } else if path.contains("/containers/c") && path.ends_with("/json") {
        (200, json!({"State": {"Running": true}}))
    } else {
        (404, json!({"message": "nothing there"}))
    }
}

async fn serve(stream: UnixStream, asked: Arc<Mutex<Asked>>, taken: usize) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while stream.read_line(&mut head).await.unwrap_or(0) > 2 {
            let last = head.lines().last().unwrap().to_lowercase();
            if let Some(value) = last.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let Some(line) = head.lines().next().filter(|line| !line.is_empty()) else { return };
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        let (status, said) = answer(&asked, taken, line, &body);
        let said = if status == 204 { String::new() } else { said.to_string() };
        let length = said.len();
        let said = format!(
            "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{said}"
        );
        if stream.write_all(said.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// How a start comes out, and what was asked of the engine for it.
async fn started(taken: usize) -> (Result<u16, String>, Asked) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("engine.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let asked = Arc::new(Mutex::new(Asked::default()));
    let told = Arc::clone(&asked);
    let engine = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&told), taken));
        }
    });
    let hub =
        DockerHub::open(Some(&format!("unix://{}", socket.display())), "taken").await.unwrap();
    let spec = ServerSpec {
        role: "server".into(),
        launch: Launch::Container(ContainerSpec {
            entry_point: None,
            image: Image::Named("x:1".into()),
            environment: Vec::new(),
            arguments: Vec::new(),
            data_dir: None,
        }),
        ports: vec![1234],
    };
    let result = hub.start(&spec, &Limits::default(), &[]).await;
    let result = result.map(|server| server.ports[&1234]).map_err(|error| error.to_string());
    engine.abort();
    let asked = std::mem::take(&mut *asked.lock().unwrap());
    (result, asked)
}

#[tokio::test]
async fn a_taken_port_is_tried_again_with_another_and_the_first_container_is_removed() {
    let (port, asked) = started(2).await;
    let [first, second, third] = &asked.ports[..] else { panic!("{:?}", asked.ports) };
    assert!(first != second && second != third, "{:?}", asked.ports);
    assert_eq!(port.unwrap().to_string(), *third);
    assert_eq!((asked.started, asked.removed), (3, 2));
}

#[tokio::test]
async fn where_every_port_is_taken_it_is_said_and_nothing_is_left() {
    let (port, asked) = started(usize::MAX).await;
    let error = port.unwrap_err();
    assert!(error.contains("server did not start"), "{error}");
    assert!(error.contains("port is already allocated"), "{error}");
    assert!(error.contains("end what holds its ports"), "{error}");
    assert_eq!(asked.removed, asked.ports.len());
}
