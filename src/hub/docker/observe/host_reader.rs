//! The host reader: a small container that reads the counters of a remote hub during a run.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bollard::{
    container::LogOutput,
    errors::Error as EngineError,
    models::{ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig},
    query_parameters::AttachContainerOptionsBuilder,
};
use futures_util::{Stream, StreamExt};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    hub::{
        HubError,
        docker::{api_call::operation_error, engine::DockerEngine},
        host::{
            HostCounters, HostReader, HostSample, MAX_QUEUED_SAMPLES, READER_SCRIPT,
            counters::SensorPaths,
            facts::{disk_name, read_facts},
            files::SystemFiles,
            own_cpu_time,
        },
    },
    server::ServerState,
};

/// Role in the container's label.
const ROLE: &str = "hub-reader";
/// Folder in the container where the hub's `/proc` and `/sys` are mounted.
const HOST_MOUNT: &str = "/hub";
/// Time without a block after which the stream is opened again; a block arrives each second.
const BLOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before a broken stream is opened again.
const RECONNECT_INTERVAL: Duration = Duration::from_secs(1);

/// Splits the reader's output into blocks.
struct ReaderBlocks<S> {
    output: S,
    text: String,
}

impl<S> ReaderBlocks<S>
where
    S: Stream<Item = Result<LogOutput, EngineError>> + Unpin,
{
    /// Returns the next block; `None` when the stream has ended, broke, or was silent for
    /// `time_limit`.
    async fn next(&mut self, time_limit: Duration) -> Option<String> {
        let block = async {
            loop {
                let end = if self.text.starts_with(".\n") {
                    Some((0, 2))
                } else {
                    self.text.find("\n.\n").map(|at| (at + 1, at + 3))
                };
                if let Some((end, next)) = end {
                    let rest = self.text.split_off(next);
                    let mut block = std::mem::replace(&mut self.text, rest);
                    block.truncate(end);
                    return Some(block);
                }
                let piece = self.output.next().await?.ok()?;
                self.text.push_str(&String::from_utf8_lossy(&piece.into_bytes()));
            }
        };
        timeout(time_limit, block).await.ok().flatten()
    }
}

impl DockerEngine {
    /// Starts the host reader from an image on the hub and follows its output. When the receiver is
    /// dropped, the container is removed. With `seconds`, it ends and is removed after that time even if
    /// this program no longer exists.
    pub async fn monitor_host(
        self: Arc<Self>,
        image: &str,
        seconds: Option<u32>,
    ) -> Result<HostReader, HubError> {
        let engine = Arc::clone(&self);
        let image = image.to_owned();
        let start = async move { engine.start_host_reader(&image, seconds).await };
        let (id, mut output) = self.run_start(start, |(id, _)| id.clone()).await?;
        let Some(text) = output.next(self.timeouts.operation).await else {
            self.remove_or_warn(&id).await;
            return Err(HubError::Operation {
                what: "reading the hub itself".into(),
                reason: "the host reader prints nothing (its image needs sh and grep)".into(),
            });
        };
        let first = SystemFiles::from_listing(&text);
        let sensor_paths =
            SensorPaths::find(&first, &first).with_disk(disk_name(&first, &self.data_root));
        let facts = read_facts(&first, &first, &self.data_root);
        // The hub may be this machine under another name: then part of its load is our own.
        let here = SystemFiles::Folder("/".into());
        let boot = "proc/sys/kernel/random/boot_id";
        let same = first.read(boot).is_some() && first.read(boot) == here.read(boot);
        let (sender, samples) = mpsc::channel(MAX_QUEUED_SAMPLES);
        let finished = tokio::spawn(async move {
            let follower = HostReaderFollower {
                engine: &self,
                id: &id,
                sensor_paths,
                is_this_machine: same,
                samples: &sender,
                disk: None,
            };
            tokio::select! {
                () = sender.closed() => {}
                () = follower.follow(output, &first) => {}
            }
            self.remove_or_warn(&id).await;
        });
        Ok(HostReader { facts, samples, finished })
    }

    /// Creates and starts the host reader.
    async fn start_host_reader(
        &self,
        image: &str,
        seconds: Option<u32>,
    ) -> Result<(String, ReaderOutput), HubError> {
        match self.try_host_reader(self.host_reader_body(image, true, seconds)).await {
            Ok(started) => Ok(started),
            // Some engines refuse to mount the host's folders; a container sees most of the
            // counters anyway.
            Err(_) => self
                .try_host_reader(self.host_reader_body(image, false, seconds))
                .await
                .map_err(operation_error("starting the host reader")),
        }
    }

    /// Creates and starts a container, attached to its output from the first line on; removes it on
    /// failure.
    async fn try_host_reader(
        &self,
        body: ContainerCreateBody,
    ) -> Result<(String, ReaderOutput), EngineError> {
        let id = self.create_container(ROLE, body).await?.id;
        let started = async {
            let output = self.attach_output(&id).await?;
            self.operation("starting a container", self.client.start_container(&id, None)).await?;
            Ok(output)
        };
        match started.await {
            Ok(output) => Ok((id, output)),
            Err(error) => {
                self.remove_or_warn(&id).await;
                Err(error)
            }
        }
    }

    async fn attach_output(&self, id: &str) -> Result<ReaderOutput, EngineError> {
        let options = AttachContainerOptionsBuilder::default().stream(true).stdout(true).build();
        let attached = self
            .query("attaching to a container", self.client.attach_container(id, Some(options)))
            .await?;
        Ok(ReaderBlocks { output: attached.output, text: String::new() })
    }

    fn host_reader_body(
        &self,
        image: &str,
        mounts: bool,
        seconds: Option<u32>,
    ) -> ContainerCreateBody {
        let root = if mounts { HOST_MOUNT } else { "" };
        let length = seconds.map_or_else(String::new, |seconds| seconds.to_string());
        let line = ["-c", READER_SCRIPT, "sh", root, &length];
        ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(vec!["sh".to_owned()]),
            cmd: Some(line.map(str::to_owned).to_vec()),
            user: Some("0".to_owned()),
            labels: Some(self.labels(ROLE)),
            attach_stdout: Some(true),
            healthcheck: Some(HealthConfig {
                test: Some(vec!["NONE".to_owned()]),
                ..HealthConfig::default()
            }),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                auto_remove: Some(seconds.is_some()),
                binds: mounts.then(|| {
                    ["proc", "sys"]
                        .map(|folder| format!("/{folder}:{HOST_MOUNT}/{folder}:ro"))
                        .to_vec()
                }),
                // Its output must not be written to the card that is being measured.
                log_config: Some(HostConfigLogConfig {
                    typ: Some("none".to_owned()),
                    config: None,
                }),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        }
    }
}

type ReaderOutput =
    ReaderBlocks<std::pin::Pin<Box<dyn Stream<Item = Result<LogOutput, EngineError>> + Send>>>;

/// Turns blocks into samples of the host.
struct HostReaderFollower<'a> {
    engine: &'a DockerEngine,
    id: &'a str,
    sensor_paths: SensorPaths,
    /// Whether the hub is this machine.
    is_this_machine: bool,
    samples: &'a mpsc::Sender<HostSample>,
    /// Last known disk space, which is read less often than the rest.
    disk: Option<(crate::units::Bytes, crate::units::Bytes)>,
}

impl HostReaderFollower<'_> {
    async fn follow(mut self, mut output: ReaderOutput, first: &SystemFiles) {
        self.send_sample(first);
        loop {
            while let Some(text) = output.next(BLOCK_TIMEOUT).await {
                self.send_sample(&SystemFiles::from_listing(&text));
            }
            // A broken connection may recover; a container that ended does not.
            loop {
                tokio::time::sleep(RECONNECT_INTERVAL).await;
                match self.engine.container_state(self.id).await {
                    ServerState::Running => {}
                    ServerState::Ended { .. } | ServerState::NotFound => return,
                }
                if let Ok(again) = self.engine.attach_output(self.id).await {
                    output = again;
                    // The first block may be incomplete.
                    let _ = output.next(BLOCK_TIMEOUT).await;
                    break;
                }
            }
        }
    }

    fn send_sample(&mut self, tree: &SystemFiles) {
        let read = HostCounters::read(tree, &self.sensor_paths);
        self.disk = read.disk.or(self.disk);
        let own = if self.is_this_machine { own_cpu_time() } else { None };
        let counters = HostCounters { own_cpu_time: own, disk: self.disk, ..read };
        // A slow receiver misses samples instead of blocking the reader.
        let _ = self.samples.try_send(HostSample { at: Instant::now(), counters });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn blocks_are_assembled_from_pieces_of_any_size() {
        let text = "a:1\nb:2\n.\n.\nc:3\n.\nd";
        for size in 1..text.len() {
            let pieces: Vec<_> = text
                .as_bytes()
                .chunks(size)
                .map(|piece| Ok(LogOutput::StdOut { message: piece.to_vec().into() }))
                .collect();
            let mut blocks = ReaderBlocks { output: stream::iter(pieces), text: String::new() };
            for expected in [Some("a:1\nb:2\n"), Some(""), Some("c:3\n"), None] {
                assert_eq!(blocks.next(BLOCK_TIMEOUT).await.as_deref(), expected, "{size}");
            }
        }
    }
}
