//! Images of others: pulled with progress from a registry, and started by what their makers
//! document.
//!
//! No test reaches a real registry: one that serves a made-up image stands in for it, and images
//! built under `tests/official` from the documentation stand in for those of the makers.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bollard::{Docker, query_parameters::RemoveImageOptionsBuilder};
use hubmark::{
    backend,
    event::ImageStep,
    hub::{Hub, HubError, docker::DockerHub},
    record::{Record, store},
    server::{Image, Recipe},
    units::Bytes,
};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

/// Bytes of the made-up image's only file; they cannot be compressed, and are not.
const SIZE: usize = 6 << 20;
/// The registry sends them in pieces with a pause, so that there is progress to see.
const PIECE: usize = 1 << 20;
const PAUSE: Duration = Duration::from_millis(150);

/// A registry with one image, as the engine asks for it.
struct Registry {
    name: String,
    /// While set, half of the layer is all that is sent.
    stalls: Arc<AtomicBool>,
}

/// What the engine may ask for: path, type and content.
type Contents = BTreeMap<String, (&'static str, Vec<u8>)>;

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// An image of one layer with one file, made from `seed`.
fn contents(seed: u64) -> Contents {
    const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    let mut state = seed | 1;
    let noise: Vec<u8> = (0..SIZE)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect();
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(noise.len() as u64);
    archive.append_data(&mut header, "noise", &noise[..]).unwrap();
    let layer = archive.into_inner().unwrap();
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    });
    let config = serde_json::to_vec(&config).unwrap();
    let part = |kind: &str, bytes: &[u8]| serde_json::json!({ "mediaType": kind, "size": bytes.len(), "digest": digest(bytes) });
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": part(CONFIG, &config), "layers": [part(LAYER, &layer)],
    });
    let manifest = serde_json::to_vec(&manifest).unwrap();
    Contents::from([
        ("/v2/".to_owned(), ("application/json", b"{}".to_vec())),
        ("/v2/made/up/manifests/1".to_owned(), (MANIFEST, manifest.clone())),
        (format!("/v2/made/up/manifests/{}", digest(&manifest)), (MANIFEST, manifest)),
        (format!("/v2/made/up/blobs/{}", digest(&config)), (CONFIG, config)),
        (format!("/v2/made/up/blobs/{}", digest(&layer)), (LAYER, layer)),
    ])
}

impl Registry {
    async fn start(seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let name = format!("{}/made/up:1", listener.local_addr().unwrap());
        let stalls = Arc::new(AtomicBool::new(false));
        let (contents, stalled) = (Arc::new(contents(seed)), Arc::clone(&stalls));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&contents), Arc::clone(&stalled)));
            }
        });
        Self { name, stalls }
    }
}

/// Answers one request and closes.
async fn answer(stream: TcpStream, contents: Arc<Contents>, stalls: Arc<AtomicBool>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let Ok(Some(request)) = lines.next_line().await else { return };
    while lines.next_line().await.is_ok_and(|line| line.is_some_and(|line| !line.is_empty())) {}
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let Some((kind, body)) = contents.get(path) else {
        let _ = write
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .await;
        return;
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nDocker-Content-Digest: {}\r\n\
         Docker-Distribution-Api-Version: registry/2.0\r\nConnection: close\r\n\r\n",
        body.len(),
        digest(body),
    );
    let _ = write.write_all(head.as_bytes()).await;
    if method == "HEAD" {
        return;
    }
    for (number, piece) in body.chunks(PIECE).enumerate() {
        while number * PIECE >= SIZE / 2 && stalls.load(Ordering::Relaxed) {
            tokio::time::sleep(PAUSE).await;
        }
        if write.write_all(piece).await.is_err() {
            return;
        }
        if body.len() > PIECE {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn hub() -> DockerHub {
    DockerHub::open(Some("unix:///var/run/docker.sock"), "test-official").await.unwrap()
}

async fn forget(name: &str) {
    let docker = Docker::connect_with_local_defaults().unwrap();
    let force = RemoveImageOptionsBuilder::default().force(true).build();
    docker.remove_image(name, Some(force), None).await.unwrap();
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_named_image_is_pulled_with_its_bytes_told() {
    let registry = Registry::start(rand::random()).await;
    let image = Image::Named(registry.name.clone());
    let (progress, mut told) = mpsc::unbounded_channel();
    hub().await.provide(&image, progress, CancellationToken::new()).await.unwrap();
    let mut steps: Vec<ImageStep> = Vec::new();
    while let Some(step) = told.recv().await {
        steps.push(step);
    }
    forget(&registry.name).await;

    assert!(steps.iter().all(|step| step.image == registry.name));
    assert!(steps.is_sorted_by(|a, b| a.seconds <= b.seconds), "{steps:?}");
    let last = steps.last().unwrap();
    assert_eq!((last.step.as_str(), last.percent), ("pulled", Some(100)));
    assert!(last.fetched == last.size && last.size.is_some_and(|size| size >= Bytes(SIZE as u64)));
    let part = |step: &&ImageStep| {
        step.fetched.is_some_and(|bytes| bytes > Bytes(0)) && step.fetched < step.size
    };
    let partly = steps.iter().find(part).expect("there was progress");
    assert!(partly.words().contains(" of 6.29 MB"), "{}", partly.words());
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_pull_can_be_stopped_and_taken_up_again() {
    let registry = Registry::start(rand::random()).await;
    registry.stalls.store(true, Ordering::Relaxed);
    let image = Image::Named(registry.name.clone());
    let hub = hub().await;
    let (progress, mut told) = mpsc::unbounded_channel();
    let cancel = CancellationToken::new();
    let pull = hub.provide(&image, progress, cancel.clone());
    let stop = async {
        while told.recv().await.unwrap().fetched.is_none_or(|bytes| bytes == Bytes(0)) {}
        cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(pull, stop);
    assert!(matches!(outcome, Err(HubError::Cancelled)), "{outcome:?}");

    registry.stalls.store(false, Ordering::Relaxed);
    let (progress, _told) = mpsc::unbounded_channel();
    hub.provide(&image, progress, CancellationToken::new()).await.unwrap();
    forget(&registry.name).await;
}

/// Builds the stand-in for an official image, on top of our own.
async fn stand_in(base: &str, name: &str, recipe: &'static Recipe) {
    let hub = hub().await;
    let images = [
        backend::own_image(base).unwrap(),
        Image::Recipe { recipe, arguments: BTreeMap::new(), tag: name.to_owned() },
    ];
    for image in &images {
        let (progress, _told) = mpsc::unbounded_channel();
        hub.provide(image, progress, CancellationToken::new()).await.unwrap();
    }
}

/// Plays a small load on a backend with an image of others.
fn play(backend: &str, table: &str) -> Record {
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("official.toml");
    let text = format!(
        "name = \"official\"\nbackend = \"{backend}\"\n\n[workload]\nkind = \"latency\"\nusers = 10\n\
         payload = \"100 B\"\nmessages = 3\narrival = {{ distribution = \"constant\", mean = \"200 ms\" }}\n\
         \n[run]\nbaseline = \"0 s\"\n\n{table}\n"
    );
    fs::write(&profile, text).unwrap();
    let out = folder.path().join("record.json");
    let output = Command::new(env!("CARGO_BIN_EXE_hubmark"))
        .args(["run", "--quiet", "--out"])
        .args([out.as_path(), profile.as_path()])
        .env("HUBMARK_STATE_DIR", folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    load(&out)
}

fn load(path: &Path) -> Record {
    let record = store::load(path).unwrap();
    let ledger = &record.points[0].repetitions[0].ledger;
    assert_eq!((ledger.planned, ledger.delivered, ledger.lost), (30, 30, 0), "{ledger:?}");
    record
}

static KAFKA: Recipe = Recipe {
    name: "stand-in-for-apache-kafka",
    files: &[
        ("Dockerfile", include_bytes!("official/kafka/Dockerfile")),
        ("run.sh", include_bytes!("official/kafka/run.sh")),
    ],
};

static MARIADB: Recipe = Recipe {
    name: "stand-in-for-mariadb",
    files: &[
        ("Dockerfile", include_bytes!("official/mariadb/Dockerfile")),
        ("docker-entrypoint.sh", include_bytes!("official/mariadb/docker-entrypoint.sh")),
    ],
};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine"]
async fn an_image_of_kafkas_makers_is_started_by_their_variables() {
    const NAME: &str = "hubmark-test/apache/kafka:4.4.0";
    stand_in("hubmark/kafka:4.4.0", NAME, &KAFKA).await;
    let record = play("kafka", &format!("[kafka]\nimage = \"{NAME}\"\nheap = \"256 MiB\""));
    let server = &record.provenance.servers["kafka"];
    assert_eq!(server.version, format!("4.4.0 (the tag of {NAME})"));
    assert_eq!(server.images["kafka"].image, NAME);
    let settings = &server.settings["default"];
    assert_eq!(settings["server.log.dirs"], "/var/lib/kafka/data");
    assert_eq!(settings["server.auto.create.topics.enable"], "false");
    let growth = record.points[0].repetitions[0].resources["kafka"].block.data_growth;
    assert!(growth.is_some_and(|bytes| bytes > 0), "its data is found: {growth:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine"]
async fn an_older_image_of_mariadbs_makers_is_started_by_its_older_variables() {
    const NAME: &str = "hubmark-test/mariadb:10.4.17";
    stand_in("hubmark/mariadb:10.11", NAME, &MARIADB).await;
    let record = play("mariadb", &format!("[mariadb]\nimage = \"{NAME}\""));
    let server = &record.provenance.servers["mariadb"];
    assert_eq!(server.images["mariadb"].image, NAME);
    // The server names its own version, whatever the tag says.
    assert!(server.version.contains("MariaDB"), "{}", server.version);
}
