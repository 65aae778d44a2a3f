//! Images: built from recipes, pulled, found outdated, removed.

use std::collections::BTreeMap;

use bollard::query_parameters::ListContainersOptionsBuilder;
use hubmark::{
    hub::{Hub, HubError},
    server::{ImageRecipe, ServerImage},
    units::Bytes,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::image;
use crate::support::{
    local_engine::{client, ensure_image, open_hub},
    sandbox::Sandbox,
    wait::until_async,
};

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn an_unchanged_recipe_is_never_rebuilt_and_a_changed_one_is() {
    let hub = open_hub("test-build").await;
    let of_recipe = async || {
        let mut images = hub.images().await.unwrap();
        images.retain(|i| i.reference.as_deref() == Some("hubmark-test/rebuild:1"));
        images
    };
    if !of_recipe().await.is_empty() {
        hub.remove_image("hubmark-test/rebuild:1").await.unwrap();
    }

    let steps = ensure_image(&hub, &image("rebuild", "first")).await.unwrap();
    let step = steps.iter().find(|p| p.step.starts_with("step 3/")).unwrap();
    assert!(step.step.contains("COPY entry.sh") && step.percent.unwrap() > 0, "{step:?}");
    assert_eq!(steps.last().unwrap().percent, Some(100));
    let first = of_recipe().await;
    assert_eq!((first.len(), first[0].recipe.as_str()), (1, "test"));
    assert!(first[0].size > Bytes(1_000_000));

    assert_eq!(ensure_image(&hub, &image("rebuild", "first")).await.unwrap(), []);
    assert_eq!(of_recipe().await, first);

    assert!(!ensure_image(&hub, &image("rebuild", "second")).await.unwrap().is_empty());
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
    static BROKEN: ImageRecipe = ImageRecipe {
        name: "test-broken",
        files: &[(
            "Dockerfile",
            b"FROM debian:bookworm-slim\nRUN echo the disk is full >&2; exit 7\n",
        )],
    };
    let tag = "hubmark-test/broken:1".to_owned();
    let image = ServerImage::Recipe { recipe: &BROKEN, arguments: BTreeMap::new(), tag };
    let error = ensure_image(&open_hub("test-broken").await, &image).await.unwrap_err();
    assert!(matches!(&error, HubError::Image { action: "built", .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("step 2/") && text.contains("\n  the disk is full"), "{text}");
    assert!(text.contains("code: 7"), "{text}");
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_build_can_be_stopped() {
    static ENDLESS: ImageRecipe = ImageRecipe {
        name: "test-endless",
        files: &[("Dockerfile", b"FROM debian:bookworm-slim\nRUN sleep 4242\n")],
    };
    let hub = open_hub("test-cancel").await;
    let image = ServerImage::Recipe {
        recipe: &ENDLESS,
        arguments: BTreeMap::new(),
        tag: "hubmark-test/endless:1".to_owned(),
    };
    let (sender, mut progress) = mpsc::unbounded_channel();
    let cancel = CancellationToken::new();
    let build = hub.ensure_image(&image, sender, cancel.clone());
    let stop = async {
        while !progress.recv().await.unwrap().step.starts_with("step 2/") {}
        until_async("the build's container runs", async || endless_builds().await == 1).await;
        cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(build, stop);
    assert!(matches!(outcome, Err(HubError::Cancelled)), "{outcome:?}");
    until_async("the build's container has ended", async || endless_builds().await == 0).await;
}

async fn endless_builds() -> usize {
    let options = ListContainersOptionsBuilder::default().all(true).build();
    let all = client().list_containers(Some(options)).await.unwrap();
    all.iter().filter(|c| c.command.as_deref().is_some_and(|c| c.contains("sleep 4242"))).count()
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_missing_image_is_reported_with_the_engine_s_message() {
    let hub = open_hub("test-pull").await;
    let image = ServerImage::Named("localhost:1/hubmark-no-such-image:1".to_owned());
    let error = ensure_image(&hub, &image).await.unwrap_err();
    assert!(matches!(&error, HubError::Image { action: "pulled", .. }), "{error:?}");
    assert!(error.to_string().contains("localhost:1"), "{error}");
    assert_eq!(
        ensure_image(&hub, &ServerImage::Named("debian:bookworm-slim".to_owned())).await.unwrap(),
        []
    );
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn the_command_line_lists_and_removes_old_images() {
    let hub = open_hub("test-old").await;
    ensure_image(&hub, &image("old", "old")).await.unwrap();
    let sandbox = Sandbox::with_engine();
    let hubmark = |arguments: &[&str]| sandbox.run(arguments).exits_with(0).stdout;
    let listed = hubmark(&["images", "list"]);
    let line = listed.lines().find(|line| line.starts_with("hubmark-test/old:1 ")).unwrap();
    assert!(line.contains("  old: ") && line.contains(" MB  "), "{line}");
    let removed = hubmark(&["images", "remove", "--old", "hubmark-test/old:1"]);
    assert!(removed.starts_with("removed hubmark-test/old:1 (old"), "{removed}");
    assert!(!hubmark(&["images", "list"]).contains("hubmark-test/old:1 "));
}

/// Variable that marks the test process whose environment has a proxy.
const PROXIED: &str = "HUBMARK_TEST_PROXIED";
/// A proxy with a password, at an address that is reserved for documentation.
const PROXY: &str = "http://someone:secret@192.0.2.1:3128";

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_build_has_the_proxies_and_the_image_does_not_remember_them() {
    static PROXIED_BUILD: ImageRecipe = ImageRecipe {
        name: "test-proxied",
        files: &[(
            "Dockerfile",
            b"FROM debian:bookworm-slim\n\
              RUN test \"$HTTPS_PROXY\" = http://someone:secret@192.0.2.1:3128 \\\n\
               && test \"$http_proxy\" = http://configured:1 && test \"$no_proxy\" = .local\n",
        )],
    };
    // The proxies are read from the environment, which only a new process can have.
    if std::env::var_os(PROXIED).is_none() {
        let config = tempfile::tempdir().unwrap();
        let proxies =
            r#"{"proxies":{"default":{"httpProxy":"http://configured:1","noProxy":".local"}}}"#;
        std::fs::write(config.path().join("config.json"), proxies).unwrap();
        let test = "a_build_has_the_proxies_and_the_image_does_not_remember_them";
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([test, "--ignored"])
            .env(PROXIED, "1")
            .env("DOCKER_CONFIG", config.path())
            .env("HTTPS_PROXY", PROXY)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let hub = open_hub("test-proxied").await;
    let tag = "hubmark-test/proxied:1";
    let image = |tag: &str| ServerImage::Recipe {
        recipe: &PROXIED_BUILD,
        arguments: BTreeMap::new(),
        tag: tag.to_owned(),
    };
    ensure_image(&hub, &image(tag)).await.unwrap();
    let history = client().image_history(tag).await.unwrap();
    let built = client().inspect_image(tag).await.unwrap();
    hub.remove_image(tag).await.unwrap();
    let history = format!("{history:?}");
    assert!(history.contains("$no_proxy"), "{history}");
    // The recipe names the proxy itself; what the build was given is not in the image.
    assert!(!history.contains("|2 ") && !history.contains("HTTPS_PROXY=http"), "{history}");
    let config = format!("{:?}", built.config);
    assert!(!config.contains("secret"), "{config}");
}
