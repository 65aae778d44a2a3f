//! A published port that another process takes meanwhile: another port is tried. A fake engine refuses
//! the first starts as Docker does.
use std::sync::{Arc, Mutex};

use hubmark::{
    hub::{Hub, docker::DockerHub},
    server::{ContainerSpec, LaunchSpec, ResourceLimits, ServerImage, ServerSpec},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};

/// Requests that the engine received.
#[derive(Default)]
struct Requests {
    /// The published port of each container.
    ports: Vec<String>,
    started: usize,
    removed: usize,
}

/// Answers one request; the first `taken` starts find their port taken.
fn answer(requests: &Mutex<Requests>, taken: usize, line: &str, body: &Value) -> (u16, Value) {
    let mut requests = requests.lock().unwrap();
    let mut words = line.split_whitespace();
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let path = path.split('?').next().unwrap();
    if path.ends_with("/version") {
        (200, json!({"ApiVersion": "1.47", "Version": "27.1.1"}))
    } else if path.ends_with("/info") {
        // A rootless engine's containers are reached only through published ports.
        (200, json!({"NCPU": 4, "SecurityOptions": ["name=rootless"], "DockerRootDir": "/"}))
    } else if path.ends_with("/containers/create") {
        let port = &body["HostConfig"]["PortBindings"]["1234/tcp"][0]["HostPort"];
        requests.ports.push(port.as_str().unwrap().to_owned());
        (201, json!({"Id": format!("c{}", requests.ports.len()), "Warnings": []}))
    } else if path.ends_with("/start") {
        requests.started += 1;
        if requests.started <= taken {
            let port = requests.ports.last().unwrap();
            let message = format!(
                "driver failed programming external connectivity on endpoint x: Bind for \
                 0.0.0.0:{port} failed: port is already allocated"
            );
            return (500, json!({ "message": message }));
        }
        (204, json!(null))
    } else if method == "DELETE" {
        requests.removed += 1;
        (204, json!(null))
    } else if path.contains("/containers/c") && path.ends_with("/json") {
        (200, json!({"State": {"Running": true}}))
    } else {
        (404, json!({"message": "nothing there"}))
    }
}

async fn serve(stream: UnixStream, requests: Arc<Mutex<Requests>>, taken: usize) {
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
        let (status, value) = answer(&requests, taken, line, &body);
        let text = if status == 204 { String::new() } else { value.to_string() };
        let length = text.len();
        let text = format!(
            "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{text}"
        );
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Starts a server; returns its port or the error, and the engine's requests.
async fn start_server(taken: usize) -> (Result<u16, String>, Requests) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("engine.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let requests = Arc::new(Mutex::new(Requests::default()));
    let shared = Arc::clone(&requests);
    let engine = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&shared), taken));
        }
    });
    let hub = DockerHub::open(Some(&format!("unix://{}", socket.display())), Some("taken"))
        .await
        .unwrap();
    let spec = ServerSpec {
        role: "server".into(),
        launch: LaunchSpec::Container(ContainerSpec {
            entry_point: None,
            image: ServerImage::Named("x:1".into()),
            environment: Vec::new(),
            arguments: Vec::new(),
            data_dir: None,
        }),
        ports: vec![1234],
    };
    let result = hub.start(&spec, &ResourceLimits::default(), &[]).await;
    let result = result.map(|server| server.ports[&1234]).map_err(|error| error.to_string());
    engine.abort();
    let requests = std::mem::take(&mut *requests.lock().unwrap());
    (result, requests)
}

#[tokio::test]
async fn another_port_is_tried_and_containers_without_a_port_are_removed() {
    let (port, requests) = start_server(2).await;
    let [first, second, third] = &requests.ports[..] else { panic!("{:?}", requests.ports) };
    assert!(first != second && second != third, "{:?}", requests.ports);
    assert_eq!(port.unwrap().to_string(), *third);
    assert_eq!((requests.started, requests.removed), (3, 2));
}

#[tokio::test]
async fn the_start_fails_and_leaves_nothing_if_every_port_is_taken() {
    let (port, requests) = start_server(usize::MAX).await;
    let error = port.unwrap_err();
    assert!(error.contains("server did not start"), "{error}");
    assert!(error.contains("port is already allocated"), "{error}");
    assert!(error.contains("free some of its ports"), "{error}");
    assert_eq!(requests.removed, requests.ports.len());
}
