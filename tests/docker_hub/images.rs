//! Images: built from recipes, pulled, found outdated, removed.

use std::{collections::BTreeMap, process::Command};

use bollard::query_parameters::ListContainersOptionsBuilder;
use hubmark::{
    hub::{Hub, HubError},
    server::{Image, Recipe},
    units::Bytes,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{client, eventually, hub, image, provided};

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn an_unchanged_recipe_is_never_rebuilt_and_a_changed_one_is() {
    let hub = hub("test-build").await;
    let of_recipe = || async {
        let mut images = hub.images().await.unwrap();
        images.retain(|i| i.reference.as_deref() == Some("hubmark-test/rebuild:1"));
        images
    };
    if !of_recipe().await.is_empty() {
        hub.remove_image("hubmark-test/rebuild:1").await.unwrap();
    }

    let steps = provided(&hub, &image("rebuild", "first")).await.unwrap();
    let step = steps.iter().find(|p| p.step.starts_with("step 3/")).unwrap();
    assert!(step.step.contains("COPY entry.sh") && step.percent.unwrap() > 0, "{step:?}");
    assert_eq!(steps.last().unwrap().percent, Some(100));
    let first = of_recipe().await;
    assert_eq!((first.len(), first[0].recipe.as_str()), (1, "test"));
    assert!(first[0].size > Bytes(1_000_000));

    assert_eq!(provided(&hub, &image("rebuild", "first")).await.unwrap(), []);
    assert_eq!(of_recipe().await, first);

    assert!(!provided(&hub, &image("rebuild", "second")).await.unwrap().is_empty());
    let second = of_recipe().await;
    assert_ne!(second[0].digest, first[0].digest);
    assert!(
        client().inspect_image(&first[0].digest).await.is_err(),
        "the old image is still there"
    );

    hub.remove_image("hubmark-test/rebuild:1").await.unwrap();
    assert_eq!(of_recipe().await, []);
    let error = hub.remove_image("debian:bookworm-slim").await.unwrap_err();
    assert!(error.to_string().contains("not built from a recipe"), "{error}");
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_failing_build_shows_its_last_lines() {
    static BROKEN: Recipe = Recipe {
        name: "test-broken",
        files: &[(
            "Dockerfile",
            b"FROM debian:bookworm-slim\nRUN echo the disk is full >&2; exit 7\n",
        )],
    };
    let tag = "hubmark-test/broken:1".to_owned();
    let image = Image::Recipe { recipe: &BROKEN, arguments: BTreeMap::new(), tag };
    let error = provided(&hub("test-broken").await, &image).await.unwrap_err();
    assert!(matches!(&error, HubError::Image { action: "built", .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("step 2/") && text.contains("\n  the disk is full"), "{text}");
    assert!(text.contains("code: 7"), "{text}");
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_build_can_be_stopped() {
    static ENDLESS: Recipe = Recipe {
        name: "test-endless",
        files: &[("Dockerfile", b"FROM debian:bookworm-slim\nRUN sleep 4242\n")],
    };
    let hub = hub("test-cancel").await;
    let image = Image::Recipe {
        recipe: &ENDLESS,
        arguments: BTreeMap::new(),
        tag: "hubmark-test/endless:1".to_owned(),
    };
    let (progress, mut told) = mpsc::unbounded_channel();
    let cancel = CancellationToken::new();
    let build = hub.provide(&image, progress, cancel.clone());
    let stop = async {
        while !told.recv().await.unwrap().step.starts_with("step 2/") {}
        eventually("the build's container runs", || async { endless_builds().await == 1 }).await;
        cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(build, stop);
    assert!(matches!(outcome, Err(HubError::Cancelled)), "{outcome:?}");
    eventually("the build's container is gone", || async { endless_builds().await == 0 }).await;
}

async fn endless_builds() -> usize {
    let options = ListContainersOptionsBuilder::default().all(true).build();
    let all = client().list_containers(Some(options)).await.unwrap();
    all.iter().filter(|c| c.command.as_deref().is_some_and(|c| c.contains("sleep 4242"))).count()
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn an_image_that_nobody_has_is_an_error_in_the_engines_words() {
    let hub = hub("test-pull").await;
    let image = Image::Named("localhost:1/hubmark-no-such-image:1".to_owned());
    let error = provided(&hub, &image).await.unwrap_err();
    assert!(matches!(&error, HubError::Image { action: "pulled", .. }), "{error:?}");
    assert!(error.to_string().contains("localhost:1"), "{error}");
    assert_eq!(provided(&hub, &Image::Named("debian:bookworm-slim".to_owned())).await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn the_command_line_says_which_images_are_old_and_removes_them() {
    let hub = hub("test-old").await;
    provided(&hub, &image("old", "old")).await.unwrap();
    let hubmark = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_hubmark")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let listed = hubmark(&["images", "list"]);
    let line = listed.lines().find(|line| line.starts_with("hubmark-test/old:1 ")).unwrap();
    assert!(line.contains("  old: ") && line.contains(" MB  "), "{line}");
    let removed = hubmark(&["images", "remove", "--old", "hubmark-test/old:1"]);
    assert!(removed.starts_with("removed hubmark-test/old:1 (old"), "{removed}");
    assert!(!hubmark(&["images", "list"]).contains("hubmark-test/old:1 "));
}
