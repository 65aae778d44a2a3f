//! Builds and pulls images; goes on where a lost connection interrupted it.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use bollard::{
    errors::Error as EngineError,
    models::{BuildInfo, CreateImageInfo},
    query_parameters::{BuildImageOptionsBuilder, CreateImageOptionsBuilder},
};
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;

use super::{
    progress::{BuildProgress, PullProgress},
    recipe,
};
use crate::{
    event::ImageProgress,
    hub::{
        HubError,
        docker::{
            api_call::{error_text, is_connection_failure},
            engine::DockerEngine,
        },
    },
    server::ImageRecipe,
    units::Bytes,
};

/// Time without output after which a build fails; a single instruction may be silent for long.
const BUILD_SILENCE_TIMEOUT: Duration = Duration::from_mins(30);
/// Time without output after which a pull fails.
const PULL_SILENCE_TIMEOUT: Duration = Duration::from_mins(3);
/// Interval at which the elapsed time of a silent step is sent.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);
/// Losses of the connection at one step after which an image is given up.
const MAX_LOSSES_AT_A_STEP: u32 = 5;

/// Sends the progress of one image.
pub struct ProgressSender<'a> {
    progress: &'a mpsc::UnboundedSender<ImageProgress>,
    started_at: Instant,
    latest: ImageProgress,
}

impl<'a> ProgressSender<'a> {
    /// Creates a sender for the image of this name.
    pub fn new(image: &str, progress: &'a mpsc::UnboundedSender<ImageProgress>) -> Self {
        Self {
            progress,
            started_at: Instant::now(),
            latest: ImageProgress { image: image.to_owned(), ..ImageProgress::default() },
        }
    }

    fn set_step(&mut self, step: String, percent: Option<u8>) {
        self.latest.step = step;
        self.latest.percent = percent;
        self.send();
    }

    /// Sends the current progress; a missing receiver is no error.
    fn send(&mut self) {
        self.latest.seconds = self.started_at.elapsed().as_secs_f64();
        let _ = self.progress.send(self.latest.clone());
    }

    /// Returns the next message of a stream, which may be silent for at most `silence`. Meanwhile
    /// the elapsed time is sent at each [`PROGRESS_INTERVAL`].
    async fn next_message<T>(
        &mut self,
        stream: &mut (impl Stream<Item = Result<T, EngineError>> + Unpin),
        silence: Duration,
    ) -> Result<Option<T>, EngineError> {
        let began = Instant::now();
        let mut next = std::pin::pin!(stream.next());
        loop {
            match tokio::time::timeout(PROGRESS_INTERVAL, &mut next).await {
                Ok(message) => return message.transpose(),
                Err(_) if began.elapsed() > silence => {
                    return Err(EngineError::RequestTimeoutError);
                }
                Err(_) => self.send(),
            }
        }
    }
}

/// Where an image comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum ImageSource<'a> {
    /// It is built from a recipe.
    Recipe(ImageBuild<'a>),
    /// It is pulled by its name.
    Registry(&'a str),
}

/// An image to build.
#[derive(Debug, Clone, Copy)]
pub(super) struct ImageBuild<'a> {
    /// The recipe.
    pub recipe: &'a ImageRecipe,
    /// Values of the recipe's build arguments.
    pub arguments: &'a BTreeMap<String, String>,
    /// Name of the image.
    pub tag: &'a str,
    /// Digest of recipe and arguments, which becomes a label.
    pub digest: &'a str,
}

/// How an attempt to build or pull an image ended early.
enum AttemptError {
    /// The connection was lost: another attempt goes on after the last finished step or layer, which the
    /// engine keeps.
    ConnectionLost(String),
    /// Any other failure.
    Failed(HubError),
}

/// Losses of the connection at one step.
#[derive(Default)]
struct ConnectionLosses {
    step: String,
    count: u32,
}

/// Whether an error means a lost connection; a build that was silent for too long is none.
const fn is_lost(error: &EngineError) -> bool {
    is_connection_failure(error) && !matches!(error, EngineError::RequestTimeoutError)
}

impl DockerEngine {
    /// Builds or pulls an image; after a lost connection from the last finished step or complete layer on.
    pub(super) async fn provide(
        &self,
        source: ImageSource<'_>,
        sender: &mut ProgressSender<'_>,
    ) -> Result<(), HubError> {
        let mut losses = ConnectionLosses::default();
        loop {
            let (action, attempt) = match source {
                ImageSource::Recipe(build) => ("built", self.try_build(build, sender).await),
                ImageSource::Registry(name) => ("pulled", self.try_pull(name, sender).await),
            };
            match attempt {
                Ok(()) => return Ok(()),
                Err(AttemptError::Failed(error)) => return Err(error),
                Err(AttemptError::ConnectionLost(reason)) => {
                    self.reconnect(&mut losses, action, reason, sender).await?;
                }
            }
        }
    }

    /// Names a lost connection and waits until the engine answers again.
    ///
    /// # Errors
    /// The connection was lost too often at the same step.
    async fn reconnect(
        &self,
        losses: &mut ConnectionLosses,
        action: &'static str,
        reason: String,
        sender: &mut ProgressSender<'_>,
    ) -> Result<(), HubError> {
        let step = std::mem::take(&mut sender.latest.step);
        if losses.step == step {
            losses.count += 1;
        } else {
            *losses = ConnectionLosses { step: step.clone(), count: 1 };
        }
        let (address, count) = (&self.address, losses.count);
        if count > MAX_LOSSES_AT_A_STEP {
            let reason =
                format!("the connection to {address} was lost {count} times at {step}: {reason}");
            return Err(HubError::Image { image: sender.latest.image.clone(), action, reason });
        }
        tracing::warn!("the connection to {address} was lost at {step}: {reason}");
        let percent = sender.latest.percent;
        let lost = format!("the connection to {address} was lost at {step}: reconnecting");
        sender.set_step(lost, percent);
        self.wait_until_reachable().await;
        sender.set_step("connected again: going on after the last finished step".into(), percent);
        Ok(())
    }

    async fn try_build(
        &self,
        ImageBuild { recipe, arguments, tag, digest }: ImageBuild<'_>,
        sender: &mut ProgressSender<'_>,
    ) -> Result<(), AttemptError> {
        let proxies = self.build_proxies.describe();
        let not_built = |reason: String| {
            let reason = match &proxies {
                Some(proxies) => format!("{reason}\n  {proxies}"),
                None => reason,
            };
            AttemptError::Failed(HubError::Image { image: tag.to_owned(), action: "built", reason })
        };
        let context =
            recipe::build_context(recipe).map_err(|error| not_built(error.to_string()))?;
        let labels =
            HashMap::from([(recipe::DIGEST_LABEL, digest), (recipe::NAME_LABEL, recipe.name)]);
        // The recipe's own arguments last: they decide over a proxy of the same name.
        let arguments: HashMap<&str, &str> = self
            .build_proxies
            .arguments()
            .iter()
            .chain(arguments)
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let options = BuildImageOptionsBuilder::default()
            .dockerfile("Dockerfile")
            .t(tag)
            .buildargs(&arguments)
            .labels(&labels)
            .rm(true)
            .forcerm(true)
            .build();
        let body = bollard::body_full(context.into());
        let mut output = Box::pin(self.client.build_image(options, None, Some(body)));

        sender.set_step("sending the recipe".to_owned(), Some(0));
        let mut progress = BuildProgress::default();
        let mut base = PullProgress::default();
        loop {
            match sender.next_message(&mut output, BUILD_SILENCE_TIMEOUT).await {
                Ok(None) => break,
                Ok(Some(message)) => {
                    if let Some(error) = build_error(&message) {
                        return Err(not_built(progress.failure_text(&error)));
                    }
                    let (id, status) = (message.id.as_deref(), message.status.as_deref());
                    let layer = base.update(id, status, message.progress_detail.as_ref());
                    let step = message.stream.and_then(|text| progress.push_output(&text));
                    let fetched = (progress.fetched(), base.fetched());
                    sender.latest.fetched = match fetched {
                        (Some(files), Some((layers, _))) => Some(Bytes(files.0 + layers.0)),
                        (files, layers) => files.or(layers.map(|(fetched, _)| fetched)),
                    };
                    match step {
                        Some(step) => sender.set_step(step.to_string(), step.percent()),
                        None if layer => sender.send(),
                        None => {}
                    }
                }
                Err(error) if is_lost(&error) => {
                    return Err(AttemptError::ConnectionLost(error_text(&error)));
                }
                Err(error) => return Err(not_built(progress.failure_text(&error_text(&error)))),
            }
        }
        // A connection that breaks in the middle ends the stream without an error.
        let built = self
            .image(tag)
            .await
            .map_err(|error| AttemptError::ConnectionLost(error.to_string()))?;
        let labels = built.as_ref().and_then(|image| image.config.as_ref()?.labels.as_ref());
        if !recipe::is_current(labels, digest) {
            let reason = progress.failure_text("the build ended before its last step");
            return Err(AttemptError::ConnectionLost(reason));
        }
        sender.set_step("built".to_owned(), Some(100));
        Ok(())
    }

    async fn try_pull(
        &self,
        name: &str,
        sender: &mut ProgressSender<'_>,
    ) -> Result<(), AttemptError> {
        let not_pulled = |reason| {
            AttemptError::Failed(HubError::Image {
                image: name.to_owned(),
                action: "pulled",
                reason,
            })
        };
        let options = CreateImageOptionsBuilder::default().from_image(&with_tag(name)).build();
        let mut messages = Box::pin(self.client.create_image(Some(options), None, None));

        sender.set_step("asking the registry".to_owned(), None);
        let mut progress = PullProgress::default();
        loop {
            match sender.next_message(&mut messages, PULL_SILENCE_TIMEOUT).await {
                Ok(None) => break,
                Ok(Some(message)) => {
                    if let Some(error) = pull_error(&message) {
                        return Err(not_pulled(error));
                    }
                    let (id, status) = (message.id.as_deref(), message.status.as_deref());
                    if progress.update(id, status, message.progress_detail.as_ref()) {
                        let (fetched, size) = progress.fetched().unzip();
                        (sender.latest.fetched, sender.latest.size) = (fetched, size);
                        sender.set_step(progress.step(), progress.percent());
                    }
                }
                Err(error) if is_lost(&error) => {
                    return Err(AttemptError::ConnectionLost(error_text(&error)));
                }
                Err(error) => return Err(not_pulled(error_text(&error))),
            }
        }
        let found = self.image(name).await;
        if found.map_err(|error| AttemptError::ConnectionLost(error.to_string()))?.is_none() {
            let reason = "the engine stopped before the image was complete";
            return Err(AttemptError::ConnectionLost(reason.to_owned()));
        }
        sender.set_step("pulled".to_owned(), Some(100));
        Ok(())
    }
}

fn build_error(message: &BuildInfo) -> Option<String> {
    message.error_detail.as_ref().map(|detail| detail.message.clone().unwrap_or_default())
}

fn pull_error(message: &CreateImageInfo) -> Option<String> {
    message.error_detail.as_ref().map(|detail| detail.message.clone().unwrap_or_default())
}

/// Adds `:latest` to a name without tag or digest: an engine that is asked for a bare name pulls
/// every tag.
fn with_tag(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains([':', '@']) { name.to_owned() } else { format!("{name}:latest") }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use serde_json::json;

    use super::*;
    use crate::hub::docker::{fake_engine::fake_engine, image::tools::tools_image};

    #[test]
    fn a_bare_name_gets_a_tag() {
        let digest = format!("mariadb@sha256:{}", "0".repeat(64));
        let cases = [
            ("mariadb", "mariadb:latest"),
            ("mariadb:10.4.17", "mariadb:10.4.17"),
            ("box:5000/mariadb", "box:5000/mariadb:latest"),
            ("box:5000/mariadb:1", "box:5000/mariadb:1"),
            (digest.as_str(), digest.as_str()),
        ];
        for (name, expected) in cases {
            assert_eq!(with_tag(name), expected);
        }
    }

    /// Builds on an engine whose answers to builds are `answers`; returns the result, the number of
    /// builds, and the steps shown.
    async fn build_with(
        answers: impl Fn(u32) -> Option<(u16, serde_json::Value)> + Send + 'static,
    ) -> (Result<(), HubError>, u32, Vec<String>) {
        let crate::server::ServerImage::Recipe { recipe, arguments, tag } = tools_image() else {
            panic!("the tools have a recipe")
        };
        let digest = recipe::digest(recipe, &arguments);
        // The image is current once a build has ended.
        let others = json!({
            "ApiVersion": "1.41", "Version": "20.10.24",
            "Config": {"Labels": {"hubmark.recipe": digest}}
        });
        let (hub, requests) = fake_engine("/build", others, answers).await;
        let (steps, mut shown) = mpsc::unbounded_channel();
        let mut sender = ProgressSender::new(&tag, &steps);
        let source = ImageBuild { recipe, arguments: &arguments, tag: &tag, digest: &digest };
        let built = hub.engine.provide(ImageSource::Recipe(source), &mut sender).await;
        let mut texts = Vec::new();
        while let Ok(step) = shown.try_recv() {
            texts.push(step.step);
        }
        (built, requests.load(Relaxed), texts)
    }

    #[tokio::test]
    async fn a_build_goes_on_after_a_lost_connection_which_is_named() {
        let (built, builds, steps) =
            build_with(|earlier| (earlier > 0).then(|| (200, json!({"stream": ""})))).await;
        built.unwrap();
        assert_eq!(builds, 2);
        let lost = steps.iter().find(|step| step.contains("was lost at")).unwrap();
        assert!(lost.contains("unix://") && lost.contains("sending the recipe"), "{lost}");
        assert!(steps.iter().any(|step| step.contains("last finished step")), "{steps:?}");
        assert_eq!(steps.last().unwrap(), "built");
    }

    #[tokio::test]
    async fn a_build_is_given_up_after_several_losses_at_one_step_or_one_refusal() {
        let (built, builds, _) = build_with(|_| None).await;
        let error = built.unwrap_err().to_string();
        assert!(error.contains("was lost 6 times at sending the recipe"), "{error}");
        assert_eq!(builds, MAX_LOSSES_AT_A_STEP + 1);
        let refusal = |_| Some((500, json!({"message": "no space left on device"})));
        let (built, builds, _) = build_with(refusal).await;
        assert!(built.unwrap_err().to_string().contains("no space left"));
        assert_eq!(builds, 1, "a refusal is an answer");
    }
}
