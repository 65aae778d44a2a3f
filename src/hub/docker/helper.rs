//! The helper: one small container that reads a hub which is not this machine, for as long as a
//! run goes on.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use bollard::{
    container::LogOutput,
    errors::Error as EngineError,
    models::{ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig},
    query_parameters::{AttachContainerOptionsBuilder, CreateContainerOptionsBuilder},
};
use futures_util::{Stream, StreamExt};
use rand::RngExt;
use tokio::{sync::mpsc, time::timeout};

use super::{
    Engine,
    call::{ASK, WORK, failed, within},
    owner,
};
use crate::{
    hub::{
        HubError,
        vitals::{
            Attendance, BACKLOG, Beat, Pulse, READER, facts::seen, own, pulse::Places, tree::Tree,
        },
    },
    server::Life,
};

/// Its role, on its label.
const ROLE: &str = "hub-reader";
/// Where the hub's own `/proc` and `/sys` are seen in it.
const ROOT: &str = "/hub";
/// The first block has synchronous writes to a slow card in it.
const FIRST: Duration = Duration::from_secs(30);
/// A block comes each second; after so long without one the helper is asked for anew.
const SILENCE: Duration = Duration::from_secs(10);
/// Pause before a broken stream is opened anew.
const PAUSE: Duration = Duration::from_secs(1);

/// Lines of the reader, block by block.
struct Blocks<S> {
    output: S,
    text: String,
}

impl<S> Blocks<S>
where
    S: Stream<Item = Result<LogOutput, EngineError>> + Unpin,
{
    /// The next block; `None` when the stream is over, broken or silent for `patience`.
    async fn next(&mut self, patience: Duration) -> Option<String> {
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
        timeout(patience, block).await.ok().flatten()
    }
}

impl Engine {
    /// Starts the helper from an image that is on the hub and follows what it reads. When the
    /// receiver is dropped, the helper is removed.
    pub(super) async fn attend(self: Arc<Self>, image: &str) -> Result<Attendance, HubError> {
        let (tell, told) = tokio::sync::oneshot::channel();
        let engine = Arc::clone(&self);
        let image = image.to_owned();
        // In a task of its own: when the caller goes away in the middle, the helper goes, too.
        self.starts.spawn(async move {
            let started = engine.helper(&image).await;
            if let Err(Ok((id, _))) = tell.send(started) {
                engine.discard(&id).await;
            }
        });
        let (id, mut output) = told.await.unwrap_or(Err(HubError::Cancelled))?;
        let Some(text) = output.next(FIRST).await else {
            self.discard(&id).await;
            return Err(HubError::Operation {
                what: "reading the hub itself".into(),
                reason: "the helper says nothing (its image needs sh and grep)".into(),
            });
        };
        let first = Tree::listed(&text);
        let places = Places::find(&first, &first);
        let facts = seen(&first, &first, &self.root);
        // A hub may be this machine under another name: then its load is partly our own.
        let here = Tree::Folder("/".into());
        let boot = "proc/sys/kernel/random/boot_id";
        let same = first.read(boot).is_some() && first.read(boot) == here.read(boot);
        let (tell, beats) = mpsc::channel(BACKLOG);
        let gone = tokio::spawn(async move {
            let follower =
                Follower { engine: &self, id: &id, places, same, tell: &tell, disk: None };
            tokio::select! {
                () = tell.closed() => {}
                () = follower.follow(output, &first) => {}
            }
            self.discard(&id).await;
        });
        Ok(Attendance { facts, beats, gone })
    }

    /// A started helper and its output from the first line on.
    async fn helper(&self, image: &str) -> Result<(String, Output), HubError> {
        let what = || failed("starting the hub's reader");
        let mut last = None;
        // Some engines may not show their host's folders: a container sees most of it anyway.
        for mounts in [true, false] {
            let name = format!("hubmark-{ROLE}-{:08x}", rand::rng().random::<u32>());
            let options = CreateContainerOptionsBuilder::default().name(&name).build();
            let body = self.helper_body(image, mounts);
            let created =
                match within(WORK, self.client.create_container(Some(options), body)).await {
                    Ok(created) => created,
                    Err(error) => {
                        self.discard(&name).await;
                        last = Some(error);
                        continue;
                    }
                };
            let output = match self.output(&created.id).await {
                Ok(output) => within(WORK, self.client.start_container(&created.id, None))
                    .await
                    .map(|()| output),
                Err(error) => Err(error),
            };
            match output {
                Ok(output) => return Ok((created.id, output)),
                Err(error) => {
                    self.discard(&created.id).await;
                    last = Some(error);
                }
            }
        }
        Err(last.map_or(HubError::Cancelled, what()))
    }

    async fn output(&self, id: &str) -> Result<Output, EngineError> {
        let options = AttachContainerOptionsBuilder::default().stream(true).stdout(true).build();
        let attached = within(ASK, self.client.attach_container(id, Some(options))).await?;
        Ok(Blocks { output: attached.output, text: String::new() })
    }

    fn helper_body(&self, image: &str, mounts: bool) -> ContainerCreateBody {
        let mut labels: HashMap<String, String> =
            self.owner.iter().flat_map(owner::Owner::labels).collect();
        labels.insert(owner::RUN.to_owned(), self.run.clone());
        labels.insert(owner::ROLE.to_owned(), ROLE.to_owned());
        let root = if mounts { ROOT } else { "" };
        let line = ["-c", READER, "sh", root, ""];
        ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(vec!["sh".to_owned()]),
            cmd: Some(line.map(str::to_owned).to_vec()),
            user: Some("0".to_owned()),
            labels: Some(labels),
            attach_stdout: Some(true),
            healthcheck: Some(HealthConfig {
                test: Some(vec!["NONE".to_owned()]),
                ..HealthConfig::default()
            }),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                binds: mounts.then(|| {
                    ["proc", "sys"].map(|folder| format!("/{folder}:{ROOT}/{folder}:ro")).to_vec()
                }),
                // What it reads must not be written to the card that is being measured.
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

type Output = Blocks<std::pin::Pin<Box<dyn Stream<Item = Result<LogOutput, EngineError>> + Send>>>;

/// Turns blocks into pulses.
struct Follower<'a> {
    engine: &'a Engine,
    id: &'a str,
    places: Places,
    /// Whether the hub is this machine.
    same: bool,
    tell: &'a mpsc::Sender<Beat>,
    /// Space is read less often than the rest.
    disk: Option<(crate::units::Bytes, crate::units::Bytes)>,
}

impl Follower<'_> {
    async fn follow(mut self, mut output: Output, first: &Tree) {
        self.pulse(first);
        loop {
            while let Some(text) = output.next(SILENCE).await {
                self.pulse(&Tree::listed(&text));
            }
            // A connection that broke may come back; a helper that ended does not.
            loop {
                tokio::time::sleep(PAUSE).await;
                match self.engine.life(self.id).await {
                    Life::Running => {}
                    Life::Ended { .. } | Life::Gone => return,
                }
                if let Ok(again) = self.engine.output(self.id).await {
                    output = again;
                    // The first block may have lost its beginning.
                    let _ = output.next(SILENCE).await;
                    break;
                }
            }
        }
    }

    fn pulse(&mut self, tree: &Tree) {
        let read = Pulse::read(tree, &self.places);
        self.disk = read.disk.or(self.disk);
        let own = if self.same { own() } else { None };
        let pulse = Pulse { own, disk: self.disk, ..read };
        // Whoever is so slow misses pulses rather than holding the reader up.
        let _ = self.tell.try_send(Beat { at: Instant::now(), pulse });
    }
}

/// Where an engine keeps its data, unless it says otherwise.
pub fn usual_root() -> PathBuf {
    Path::new("/var/lib/docker").to_owned()
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn blocks_are_put_together_whatever_the_pieces() {
        let text = "a:1\nb:2\n.\n.\nc:3\n.\nd";
        for size in 1..text.len() {
            let pieces: Vec<_> = text
                .as_bytes()
                .chunks(size)
                .map(|piece| Ok(LogOutput::StdOut { message: piece.to_vec().into() }))
                .collect();
            let mut blocks = Blocks { output: stream::iter(pieces), text: String::new() };
            for expected in [Some("a:1\nb:2\n"), Some(""), Some("c:3\n"), None] {
                assert_eq!(blocks.next(FIRST).await.as_deref(), expected, "{size}");
            }
        }
    }
}
