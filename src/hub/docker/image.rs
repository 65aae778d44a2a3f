//! Images on the hub: built from a recipe when it has changed, pulled when missing, listed,
//! removed.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use bollard::{
    errors::Error as EngineError,
    models::{BuildInfo, CreateImageInfo, ImageInspect, ImageSummary},
    query_parameters::{
        BuildImageOptionsBuilder, CreateImageOptionsBuilder, ListImagesOptionsBuilder,
        RemoveImageOptionsBuilder,
    },
};
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;

use super::{
    Engine,
    call::{ASK, WORK, failed, status, within, words},
    progress::{BuildProgress, PullProgress},
    recipe,
};
use crate::{
    event::ImageStep,
    hub::HubError,
    server::{Image, Recipe},
    units::Bytes,
};

/// A build may be silent while one instruction works; after this the engine is given up.
const BUILD_SILENCE: Duration = Duration::from_mins(30);
/// The same of a pull.
const PULL_SILENCE: Duration = Duration::from_mins(3);
/// How often the time of a step that is silent is told.
const TICK: Duration = Duration::from_secs(1);

/// An image that was built from one of this program's recipes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnImage {
    /// Its name; `None` when a newer one has taken it.
    pub reference: Option<String>,
    /// The recipe's name; empty for what a build left behind.
    pub recipe: String,
    /// Digest of the recipe as it was then; `None` for a stage that a build left behind, from
    /// which the next build takes up what has not changed.
    pub built_from: Option<String>,
    /// The content digest by which the engine knows it.
    pub digest: String,
    /// Size of all its layers.
    pub size: Bytes,
    /// When it was built.
    pub created: jiff::Timestamp,
}

impl OwnImage {
    /// Whether it is what `image`, a recipe, would be built to now.
    pub fn is_current(&self, image: &Image) -> bool {
        let Image::Recipe { recipe, arguments, tag } = image else { return false };
        self.reference.as_ref() == Some(tag)
            && self.built_from.as_ref() == Some(&recipe::digest(recipe, arguments))
    }
}

/// Where progress of one image goes, and what is known of it so far.
struct Teller<'a> {
    progress: &'a mpsc::UnboundedSender<ImageStep>,
    began: Instant,
    last: ImageStep,
}

impl Teller<'_> {
    fn step(&mut self, step: String, percent: Option<u8>) {
        self.last.step = step;
        self.last.percent = percent;
        self.tell();
    }

    /// Tells where things stand now. Nobody listening is no reason to stop.
    fn tell(&mut self) {
        self.last.seconds = self.began.elapsed().as_secs_f64();
        let _ = self.progress.send(self.last.clone());
    }

    /// The next message of a stream, which may be silent only for so long; meanwhile the time goes
    /// on for whoever listens.
    async fn next<T>(
        &mut self,
        stream: &mut (impl Stream<Item = Result<T, EngineError>> + Unpin),
        silence: Duration,
    ) -> Result<Option<T>, EngineError> {
        let mut next = std::pin::pin!(within(silence, async { stream.next().await.transpose() }));
        loop {
            match tokio::time::timeout(TICK, &mut next).await {
                Ok(message) => return message,
                Err(_) => self.tell(),
            }
        }
    }
}

impl Engine {
    /// Makes sure that an image is there and up to date.
    pub(super) async fn provide(
        &self,
        image: &Image,
        progress: &mpsc::UnboundedSender<ImageStep>,
    ) -> Result<(), HubError> {
        let mut teller = Teller {
            progress,
            began: Instant::now(),
            last: ImageStep { image: image.reference().to_owned(), ..ImageStep::default() },
        };
        let present = self.image(image.reference()).await?;
        match image {
            Image::Recipe { recipe, arguments, tag } => {
                let wanted = recipe::digest(recipe, arguments);
                let labels =
                    present.as_ref().and_then(|image| image.config.as_ref()?.labels.as_ref());
                if recipe::is_current(labels, &wanted) {
                    return Ok(());
                }
                self.build(recipe, arguments, tag, &wanted, &mut teller).await?;
                self.forget_replaced(recipe.name).await;
                Ok(())
            }
            Image::Named(_) if present.is_some() => Ok(()),
            Image::Named(name) => self.pull(name, &mut teller).await,
        }
    }

    /// What the engine knows of an image; `None` when it has none of that name.
    pub(super) async fn image(&self, reference: &str) -> Result<Option<ImageInspect>, HubError> {
        match within(ASK, self.client.inspect_image(reference)).await {
            Ok(image) => Ok(Some(image)),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(failed(format!("looking for the image {reference}"))(error)),
        }
    }

    async fn build(
        &self,
        recipe: &Recipe,
        arguments: &BTreeMap<String, String>,
        tag: &str,
        digest: &str,
        teller: &mut Teller<'_>,
    ) -> Result<(), HubError> {
        let not_built = |reason| HubError::Image { image: tag.to_owned(), action: "built", reason };
        let context = recipe::context(recipe).map_err(|error| not_built(error.to_string()))?;
        let labels = HashMap::from([(recipe::DIGEST, digest), (recipe::NAME, recipe.name)]);
        let arguments: HashMap<&str, &str> =
            arguments.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
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

        teller.step("sending the recipe".to_owned(), Some(0));
        let mut progress = BuildProgress::default();
        let mut base = PullProgress::default();
        loop {
            match teller.next(&mut output, BUILD_SILENCE).await {
                Ok(None) => break,
                Ok(Some(message)) => {
                    if let Some(error) = build_error(&message) {
                        return Err(not_built(progress.failure(&error)));
                    }
                    let (id, status) = (message.id.as_deref(), message.status.as_deref());
                    let layer = base.take(id, status, message.progress_detail.as_ref());
                    let step = message.stream.and_then(|text| progress.take(&text));
                    let fetched = (progress.fetched(), base.fetched());
                    teller.last.fetched = match fetched {
                        (Some(files), Some((layers, _))) => Some(Bytes(files.0 + layers.0)),
                        (files, layers) => files.or(layers.map(|(fetched, _)| fetched)),
                    };
                    match step {
                        Some(step) => teller.step(step.to_string(), step.percent()),
                        None if layer => teller.tell(),
                        None => {}
                    }
                }
                Err(error) => return Err(not_built(progress.failure(&words(&error)))),
            }
        }
        // A connection that broke in the middle ends the stream without a word.
        let built = self.image(tag).await?;
        let labels = built.as_ref().and_then(|image| image.config.as_ref()?.labels.as_ref());
        if !recipe::is_current(labels, digest) {
            return Err(not_built(progress.failure("the build ended before its last step")));
        }
        teller.step("built".to_owned(), Some(100));
        Ok(())
    }

    /// Removes images of a recipe that a newer build has left without a name. One that a
    /// container still uses stays, and goes with the next build.
    async fn forget_replaced(&self, recipe: &str) {
        let filters = HashMap::from([
            ("dangling", vec!["true".to_owned()]),
            ("label", vec![format!("{}={recipe}", recipe::NAME)]),
        ]);
        let options = ListImagesOptionsBuilder::default().filters(&filters).build();
        let Ok(images) = within(ASK, self.client.list_images(Some(options))).await else { return };
        for image in images {
            let options = RemoveImageOptionsBuilder::default().build();
            let removed = self.client.remove_image(&image.id, Some(options), None);
            if let Err(error) = within(WORK, removed).await {
                tracing::debug!("the replaced image {} stays: {}", image.id, words(&error));
            }
        }
    }

    async fn pull(&self, name: &str, teller: &mut Teller<'_>) -> Result<(), HubError> {
        let not_pulled =
            |reason| HubError::Image { image: name.to_owned(), action: "pulled", reason };
        let options = CreateImageOptionsBuilder::default().from_image(&with_tag(name)).build();
        let mut messages = Box::pin(self.client.create_image(Some(options), None, None));

        teller.step("asking the registry".to_owned(), None);
        let mut progress = PullProgress::default();
        loop {
            match teller.next(&mut messages, PULL_SILENCE).await {
                Ok(None) => break,
                Ok(Some(message)) => {
                    if let Some(error) = pull_error(&message) {
                        return Err(not_pulled(error));
                    }
                    let (id, status) = (message.id.as_deref(), message.status.as_deref());
                    if progress.take(id, status, message.progress_detail.as_ref()) {
                        let (fetched, size) = progress.fetched().unzip();
                        (teller.last.fetched, teller.last.size) = (fetched, size);
                        teller.step(progress.step(), progress.percent());
                    }
                }
                Err(error) => return Err(not_pulled(words(&error))),
            }
        }
        if self.image(name).await?.is_none() {
            return Err(not_pulled("the engine stopped before it was whole".to_owned()));
        }
        teller.step("pulled".to_owned(), Some(100));
        Ok(())
    }

    /// Every image that was built from a recipe of this program, and what building left behind,
    /// newest first.
    pub(super) async fn own_images(&self) -> Result<Vec<OwnImage>, HubError> {
        let built = HashMap::from([("label", vec![recipe::DIGEST])]);
        let left = HashMap::from([("label", vec![recipe::STAGE]), ("dangling", vec!["true"])]);
        let mut found = Vec::new();
        for filters in [built, left] {
            let options = ListImagesOptionsBuilder::default().filters(&filters).build();
            let images = within(ASK, self.client.list_images(Some(options)))
                .await
                .map_err(failed("listing the images"))?;
            found.extend(images.into_iter().flat_map(own_images_of));
        }
        found.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.reference.cmp(&b.reference)));
        Ok(found)
    }

    /// Removes an image of this program's making, and refuses any other.
    pub(super) async fn remove_image(&self, reference: &str) -> Result<(), HubError> {
        let what = || format!("removing the image {reference}");
        let refused =
            |reason: &str| HubError::Operation { what: what(), reason: reason.to_owned() };
        let image =
            self.image(reference).await?.ok_or_else(|| refused("there is no such image"))?;
        let nameless = image.repo_tags.as_ref().is_none_or(Vec::is_empty);
        let labels = image.config.and_then(|config| config.labels).unwrap_or_default();
        let is_stage = recipe::STAGE
            .split_once('=')
            .is_some_and(|(key, value)| labels.get(key).is_some_and(|found| found == value));
        let left_behind = is_stage && nameless;
        if !labels.contains_key(recipe::DIGEST) && !left_behind {
            return Err(refused("it was not built from a recipe of this program"));
        }
        let options = RemoveImageOptionsBuilder::default().build();
        within(WORK, self.client.remove_image(reference, Some(options), None))
            .await
            .map(drop)
            .map_err(failed(what()))
    }
}

/// An image under each of its names, or under none.
fn own_images_of(image: ImageSummary) -> Vec<OwnImage> {
    let label = |key| image.labels.get(key).cloned();
    let one = OwnImage {
        reference: None,
        recipe: label(recipe::NAME).unwrap_or_default(),
        built_from: label(recipe::DIGEST),
        digest: image.id,
        size: Bytes(u64::try_from(image.size).unwrap_or(0)),
        created: jiff::Timestamp::from_second(image.created).unwrap_or_default(),
    };
    let names: Vec<_> = image.repo_tags.into_iter().filter(|tag| !tag.contains("<none>")).collect();
    if names.is_empty() {
        return vec![one];
    }
    let under = |name: String| OwnImage { reference: Some(without_host(name)), ..one.clone() };
    names.into_iter().map(under).collect()
}

/// The name without the host that Podman writes before it: what was built on a hub comes from none.
fn without_host(name: String) -> String {
    match name.split_once('/') {
        Some((host, rest)) if host == "localhost" || host.contains(['.', ':']) => rest.to_owned(),
        _ => name,
    }
}

fn build_error(message: &BuildInfo) -> Option<String> {
    message.error_detail.as_ref().map(|detail| detail.message.clone().unwrap_or_default())
}

fn pull_error(message: &CreateImageInfo) -> Option<String> {
    message.error_detail.as_ref().map(|detail| detail.message.clone().unwrap_or_default())
}

/// The name with `:latest` when it has neither tag nor digest: an engine that is asked for a bare
/// name pulls every tag there is.
fn with_tag(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains([':', '@']) { name.to_owned() } else { format!("{name}:latest") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_built_on_a_hub_has_no_host() {
        let own = "hubmark/mariadb:10.11";
        for named in
            [own, "localhost/hubmark/mariadb:10.11", "registry.example/hubmark/mariadb:10.11"]
        {
            assert_eq!(without_host(named.to_owned()), own);
        }
    }

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
}
