//! Finds, lists and removes images on the hub.

use std::collections::HashMap;

use bollard::{
    models::{ImageInspect, ImageSummary},
    query_parameters::{ListImagesOptionsBuilder, RemoveImageOptionsBuilder},
};
use tokio::sync::mpsc;

use super::{
    provide::{ImageBuild, ImageSource, ProgressSender},
    recipe,
};
use crate::{
    event::ImageProgress,
    hub::{
        HubError,
        docker::{
            api_call::{error_text, http_status, operation_error},
            engine::DockerEngine,
        },
    },
    server::ServerImage,
    units::Bytes,
};

/// An image that was built from one of this program's recipes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnImage {
    /// Name; `None` when a newer image has taken it.
    pub reference: Option<String>,
    /// Name of the recipe; empty for intermediate images of a build.
    pub recipe: String,
    /// Digest of the recipe at the time of the build; `None` for an intermediate image of a
    /// multi-stage build, whose layers the next build reuses.
    pub recipe_digest: Option<String>,
    /// Content digest by which the engine knows the image.
    pub digest: String,
    /// Total size of all layers.
    pub size: Bytes,
    /// Time of the build.
    pub created: jiff::Timestamp,
}

impl OwnImage {
    /// Whether the image is up to date with `image`, a recipe.
    pub fn is_current(&self, image: &ServerImage) -> bool {
        let ServerImage::Recipe { recipe, arguments, tag } = image else { return false };
        self.reference.as_ref() == Some(tag)
            && self.recipe_digest.as_ref() == Some(&recipe::digest(recipe, arguments))
    }
}

impl DockerEngine {
    /// Makes sure that an image is present and up to date: builds or pulls it if necessary.
    pub async fn ensure_image(
        &self,
        image: &ServerImage,
        progress: &mpsc::UnboundedSender<ImageProgress>,
    ) -> Result<(), HubError> {
        let mut sender = ProgressSender::new(image.reference(), progress);
        let present = self.image(image.reference()).await?;
        match image {
            ServerImage::Recipe { recipe, arguments, tag } => {
                let expected_digest = recipe::digest(recipe, arguments);
                let labels =
                    present.as_ref().and_then(|image| image.config.as_ref()?.labels.as_ref());
                if recipe::is_current(labels, &expected_digest) {
                    return Ok(());
                }
                let source = ImageBuild { recipe, arguments, tag, digest: &expected_digest };
                self.provide(ImageSource::Recipe(source), &mut sender).await?;
                self.remove_replaced_images(recipe.name).await;
                Ok(())
            }
            ServerImage::Named(_) if present.is_some() => Ok(()),
            ServerImage::Named(name) => {
                self.provide(ImageSource::Registry(name), &mut sender).await
            }
        }
    }

    /// Returns the engine's description of an image; `None` when it has none of that name.
    pub async fn image(&self, reference: &str) -> Result<Option<ImageInspect>, HubError> {
        match self.query("looking for an image", self.client.inspect_image(reference)).await {
            Ok(image) => Ok(Some(image)),
            Err(error) if http_status(&error) == Some(404) => Ok(None),
            Err(error) => Err(operation_error(format!("looking for the image {reference}"))(error)),
        }
    }

    /// Removes images of a recipe that lost their name to a newer build. An image that a container
    /// still uses remains until the next build.
    async fn remove_replaced_images(&self, recipe: &str) {
        let filters = HashMap::from([
            ("dangling", vec!["true".to_owned()]),
            ("label", vec![format!("{}={recipe}", recipe::NAME_LABEL)]),
        ]);
        let options = ListImagesOptionsBuilder::default().filters(&filters).build();
        let Ok(images) = self.query("listing images", self.client.list_images(Some(options))).await
        else {
            return;
        };
        for image in images {
            let options = RemoveImageOptionsBuilder::default().build();
            let removed = self.client.remove_image(&image.id, Some(options), None);
            if let Err(error) = self.operation("removing an image", removed).await {
                tracing::debug!("the replaced image {} remains: {}", image.id, error_text(&error));
            }
        }
    }

    /// Lists every image built from a recipe of this program, and intermediate images of builds,
    /// newest first.
    pub async fn own_images(&self) -> Result<Vec<OwnImage>, HubError> {
        let built = HashMap::from([("label", vec![recipe::DIGEST_LABEL])]);
        let left =
            HashMap::from([("label", vec![recipe::STAGE_LABEL]), ("dangling", vec!["true"])]);
        let mut found = Vec::new();
        for filters in [built, left] {
            let options = ListImagesOptionsBuilder::default().filters(&filters).build();
            let images = self
                .query("listing images", self.client.list_images(Some(options)))
                .await
                .map_err(operation_error("listing the images"))?;
            found.extend(images.into_iter().flat_map(own_images_of));
        }
        found.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.reference.cmp(&b.reference)));
        Ok(found)
    }

    /// Removes an image that this program built; refuses any other.
    pub async fn remove_image(&self, reference: &str) -> Result<(), HubError> {
        let what = || format!("removing the image {reference}");
        let refused =
            |reason: &str| HubError::Operation { what: what(), reason: reason.to_owned() };
        let image =
            self.image(reference).await?.ok_or_else(|| refused("there is no such image"))?;
        let nameless = image.repo_tags.as_ref().is_none_or(Vec::is_empty);
        let labels = image.config.and_then(|config| config.labels).unwrap_or_default();
        let is_stage = recipe::STAGE_LABEL
            .split_once('=')
            .is_some_and(|(key, value)| labels.get(key).is_some_and(|found| found == value));
        let left_behind = is_stage && nameless;
        if !labels.contains_key(recipe::DIGEST_LABEL) && !left_behind {
            return Err(refused("it was not built from a recipe of this program"));
        }
        let options = RemoveImageOptionsBuilder::default().build();
        self.operation(
            "removing an image",
            self.client.remove_image(reference, Some(options), None),
        )
        .await
        .map(drop)
        .map_err(operation_error(what()))
    }
}

/// Returns one entry for each name of the image, or one without a name.
fn own_images_of(image: ImageSummary) -> Vec<OwnImage> {
    let label = |key| image.labels.get(key).cloned();
    let one = OwnImage {
        reference: None,
        recipe: label(recipe::NAME_LABEL).unwrap_or_default(),
        recipe_digest: label(recipe::DIGEST_LABEL),
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

/// Removes the registry host that Podman adds to an image's name: an image built on the hub has
/// none.
fn without_host(name: String) -> String {
    match name.split_once('/') {
        Some((host, rest)) if host == "localhost" || host.contains(['.', ':']) => rest.to_owned(),
        _ => name,
    }
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
}
