//! Official images of the systems under test: pulled with progress from a registry, and started as their
//! documentation describes.
//!
//! No test uses a real registry: a local one serves a synthetic image, and the images in
//! `tests/containers/official`, written from the documentation, replace the official ones.
use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bollard::query_parameters::RemoveImageOptionsBuilder;
use hubmark::{
    backend,
    event::ImageProgress,
    hub::{Hub, HubError},
    record::{Record, store},
    server::{ImageRecipe, ServerImage},
    units::Bytes,
};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use crate::support::{
    local_engine::{client, ensure_image, open_hub},
    process::ProgramOutput,
    sandbox::Sandbox,
};

/// Size of the synthetic image's only file, which is random and not compressed.
const SIZE: usize = 6 << 20;
/// The registry sends the file in pieces with pauses, so that progress is visible.
const PIECE: usize = 1 << 20;
const PIECE_INTERVAL: Duration = Duration::from_millis(150);

/// A registry with one image.
struct Registry {
    /// The image's name for the engine.
    image: String,
    /// While set, only half of the layer is sent.
    stalls: Arc<AtomicBool>,
}

/// Paths of the registry, with type and content.
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
        let image = format!("{}/made/up:1", listener.local_addr().unwrap());
        let stalls = Arc::new(AtomicBool::new(false));
        let (contents, stalled) = (Arc::new(contents(seed)), Arc::clone(&stalls));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&contents), Arc::clone(&stalled)));
            }
        });
        Self { image, stalls }
    }
}

/// Answers one request and closes.
async fn serve(stream: TcpStream, contents: Arc<Contents>, stalls: Arc<AtomicBool>) {
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
            tokio::time::sleep(PIECE_INTERVAL).await;
        }
        if write.write_all(piece).await.is_err() {
            return;
        }
        if body.len() > PIECE {
            tokio::time::sleep(PIECE_INTERVAL).await;
        }
    }
}

const RUN: &str = "test-official";

async fn remove_image(name: &str) {
    let force = RemoveImageOptionsBuilder::default().force(true).build();
    client().remove_image(name, Some(force), None).await.unwrap();
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn an_image_is_pulled_with_progress_in_bytes() {
    let registry = Registry::start(rand::random()).await;
    let image = ServerImage::Named(registry.image.clone());
    let steps = ensure_image(&open_hub(RUN).await, &image).await.unwrap();
    remove_image(&registry.image).await;

    assert!(steps.iter().all(|step| step.image == registry.image));
    assert!(steps.is_sorted_by(|a, b| a.seconds <= b.seconds), "{steps:?}");
    let last = steps.last().unwrap();
    assert_eq!((last.step.as_str(), last.percent), ("pulled", Some(100)));
    assert!(last.fetched == last.size && last.size.is_some_and(|size| size >= Bytes(SIZE as u64)));
    let is_partial = |step: &&ImageProgress| {
        step.fetched.is_some_and(|bytes| bytes > Bytes(0)) && step.fetched < step.size
    };
    let partly = steps.iter().find(is_partial).expect("there was progress");
    assert!(partly.summary().contains(" of 6.29 MB"), "{}", partly.summary());
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_pull_can_be_stopped_and_repeated() {
    let registry = Registry::start(rand::random()).await;
    registry.stalls.store(true, Ordering::Relaxed);
    let image = ServerImage::Named(registry.image.clone());
    let hub = open_hub(RUN).await;
    let (sender, mut progress) = mpsc::unbounded_channel();
    let cancel = CancellationToken::new();
    let pull = hub.ensure_image(&image, sender, cancel.clone());
    let stop = async {
        while progress.recv().await.unwrap().fetched.is_none_or(|bytes| bytes == Bytes(0)) {}
        cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(pull, stop);
    assert!(matches!(outcome, Err(HubError::Cancelled)), "{outcome:?}");

    registry.stalls.store(false, Ordering::Relaxed);
    ensure_image(&hub, &image).await.unwrap();
    remove_image(&registry.image).await;
}

/// Builds the replacement for an official image, based on hubmark's own image.
async fn build_replacement(base: &str, name: &str, recipe: &'static ImageRecipe) {
    let hub = open_hub(RUN).await;
    let images = [
        backend::own_image(base).unwrap(),
        ServerImage::Recipe { recipe, arguments: BTreeMap::new(), tag: name.to_owned() },
    ];
    for image in &images {
        ensure_image(&hub, image).await.unwrap();
    }
}

/// Runs a small load on a backend with an official image.
fn run_with_image(backend: &str, backend_table: &str) -> Record {
    let sandbox = Sandbox::with_engine();
    let profile = sandbox.path("official.toml");
    let text = format!(
        "name = \"official\"\nbackend = \"{backend}\"\n\n[workload]\nkind = \"latency\"\nusers = 10\n\
         payload = \"100 B\"\nmessages = 3\narrival = {{ distribution = \"constant\", mean = \"200 ms\" }}\n\
         \n[run]\nbaseline = \"0 s\"\n\n{backend_table}\n"
    );
    fs::write(&profile, text).unwrap();
    let mut command = sandbox.run_command(profile.to_str().unwrap(), &[], &["--quiet"]);
    ProgramOutput::of(&mut command).exits_with(0);
    let record = store::load(&sandbox.out_path()).unwrap();
    let ledger = &record.points[0].repetitions[0].ledger;
    assert_eq!((ledger.planned, ledger.delivered, ledger.lost), (30, 30, 0), "{ledger:?}");
    record
}

static KAFKA: ImageRecipe = ImageRecipe {
    name: "stand-in-for-apache-kafka",
    files: &[
        ("Dockerfile", include_bytes!("official/kafka/Dockerfile")),
        ("run.sh", include_bytes!("official/kafka/run.sh")),
    ],
};

static MARIADB: ImageRecipe = ImageRecipe {
    name: "stand-in-for-mariadb",
    files: &[
        ("Dockerfile", include_bytes!("official/mariadb/Dockerfile")),
        ("docker-entrypoint.sh", include_bytes!("official/mariadb/docker-entrypoint.sh")),
    ],
};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine"]
async fn the_official_kafka_image_is_started_by_its_variables() {
    const NAME: &str = "hubmark-test/apache/kafka:4.4.0";
    build_replacement("hubmark/kafka:4.4.0", NAME, &KAFKA).await;
    let record =
        run_with_image("kafka", &format!("[kafka]\nimage = \"{NAME}\"\nheap = \"256 MiB\""));
    let server = &record.provenance.servers["kafka"];
    assert_eq!(server.version, format!("4.4.0 (the tag of {NAME})"));
    assert_eq!(server.images["kafka"].image, NAME);
    let settings = &server.settings["default"];
    assert_eq!(settings["server.log.dirs"], "/var/lib/kafka/data");
    assert_eq!(settings["server.auto.create.topics.enable"], "false");
    let growth = record.points[0].repetitions[0].resources["kafka"].block.data_growth;
    assert!(growth.is_some_and(|bytes| bytes > 0), "its data folder is found: {growth:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine"]
async fn an_older_official_mariadb_image_is_started_by_its_older_variables() {
    const NAME: &str = "hubmark-test/mariadb:10.4.17";
    build_replacement("hubmark/mariadb:10.11", NAME, &MARIADB).await;
    let record = run_with_image("mariadb", &format!("[mariadb]\nimage = \"{NAME}\""));
    let server = &record.provenance.servers["mariadb"];
    assert_eq!(server.images["mariadb"].image, NAME);
    // The version comes from the server, not from the tag.
    assert!(server.version.contains("MariaDB"), "{}", server.version);
}
