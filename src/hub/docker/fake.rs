//! An engine for tests: its answers are written down, and nothing stands behind them.

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

/// An engine that answers the calls whose first line has `word` as told, and all others as
/// `others`; how often it was asked. Told is the number of such calls before; `None` hangs up.
pub async fn engine(
    word: &'static str,
    others: Value,
    answers: impl Fn(u32) -> Option<(u16, Value)> + Send + 'static,
) -> (DockerHub, Arc<AtomicU32>) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("engine.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        let _folder = folder;
        while let Ok((mut caller, _)) = listener.accept().await {
            let mut request = Vec::new();
            // Some only knock.
            while let Ok(byte) = caller.read_u8().await {
                request.push(byte);
                if request.ends_with(b"\r\n\r\n") {
                    break;
                }
            }
            let request = String::from_utf8(request).unwrap();
            let (status, body) = if request.lines().next().unwrap_or("").contains(word) {
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
    (DockerHub::reach(&request, "none").await.unwrap(), asked)
}

/// A Docker engine that gives those calls a status and its words.
pub async fn refusing(
    word: &'static str,
    answers: impl Fn(u32) -> Option<(u16, &'static str)> + Send + 'static,
) -> (DockerHub, Arc<AtomicU32>) {
    let docker = json!({"ApiVersion": "1.41", "Version": "20.10.24"});
    let told =
        move |asked| answers(asked).map(|(status, words)| (status, json!({"message": words})));
    engine(word, docker, told).await
}
