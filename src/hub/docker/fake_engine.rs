//! A fake engine for tests, with prepared answers.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
};

use super::DockerHub;
use crate::plan::HubRequest;

/// Starts a fake engine; returns its hub and the number of matching requests so far.
///
/// A request whose first line contains `pattern` gets the status and body that `answers` returns for
/// the number of earlier such requests, or a closed connection for `None`; any other request gets
/// `others`.
pub async fn fake_engine(
    pattern: &'static str,
    others: Value,
    answers: impl Fn(u32) -> Option<(u16, Value)> + Send + 'static,
) -> (DockerHub, Arc<AtomicU32>) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("engine.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let requests = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&requests);
    tokio::spawn(async move {
        let _folder = folder;
        while let Ok((mut caller, _)) = listener.accept().await {
            let mut request = Vec::new();
            // Some clients only connect and send nothing.
            while let Ok(byte) = caller.read_u8().await {
                request.push(byte);
                if request.ends_with(b"\r\n\r\n") {
                    break;
                }
            }
            let request = String::from_utf8(request).unwrap();
            let (status, body) = if request.lines().next().unwrap_or("").contains(pattern) {
                let Some(answer) = answers(count.fetch_add(1, Relaxed)) else { continue };
                answer
            } else {
                (200, others.clone())
            };
            let body = body.to_string();
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json");
            let rest = format!("Connection: close\r\nContent-Length: {length}\r\n\r\n{body}");
            let _ = caller.write_all(format!("{head}\r\n{rest}").as_bytes()).await;
        }
    });
    let request = HubRequest::docker(Some(format!("unix://{}", socket.display())));
    (DockerHub::connect(&request, None).await.unwrap(), requests)
}

/// Starts a fake Docker engine that answers requests matching `pattern` with a status and a message.
pub async fn fake_refusing_engine(
    pattern: &'static str,
    answers: impl Fn(u32) -> Option<(u16, &'static str)> + Send + 'static,
) -> (DockerHub, Arc<AtomicU32>) {
    let docker = json!({"ApiVersion": "1.41", "Version": "20.10.24"});
    let messages = move |earlier| {
        answers(earlier).map(|(status, message)| (status, json!({"message": message})))
    };
    fake_engine(pattern, docker, messages).await
}
