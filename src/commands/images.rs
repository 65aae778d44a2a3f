//! `hubmark images` and `hubmark clean`: what this program keeps on a hub.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use color_eyre::eyre::Result;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Exit, complain, print};
use crate::{
    backend,
    cli::{HubArg, Images},
    engine,
    hub::{self, Hub, docker::DockerHub, local::LocalHub},
    paths,
    plan::HubRequest,
    profile::{self, Profile},
    record::store,
};

/// The run that looks after images has no containers.
const NO_RUN: &str = "none";

/// Executes `hubmark images`.
pub async fn execute(command: Images) -> Result<Exit> {
    match command {
        Images::List(hub) => list(&hub).await,
        Images::Build { profile, hub } => build(&profile, hub).await,
        Images::Remove { images, hub } => remove(images, &hub).await,
    }
}

async fn list(hub: &HubArg) -> Result<Exit> {
    let hub = DockerHub::open(hub.hub.as_deref(), NO_RUN).await?;
    let mut text = String::new();
    for image in hub.images().await? {
        let name = image.reference.as_deref().unwrap_or("(replaced by a newer one)");
        let created = image.created.strftime("%Y-%m-%d %H:%M UTC");
        let digest: String = image.digest.chars().take(19).collect();
        writeln!(text, "{name:<32} {:>10}  {created}  {digest}", image.size.to_string())?;
    }
    if text.is_empty() {
        writeln!(text, "no images of hubmark on {}", hub.place())?;
    }
    print(&text)?;
    Ok(Exit::Well)
}

async fn build(name: &str, hub: HubArg) -> Result<Exit> {
    let source = match profile::find(name) {
        Ok(source) => source,
        Err(error) => {
            complain(error);
            return Ok(Exit::Usage);
        }
    };
    let mut plan = match Profile::parse(&source.text, &backend::catalogue()) {
        Ok(profile) => profile.plan(),
        Err(problems) => {
            complain(problems.of(&source.name));
            return Ok(Exit::Usage);
        }
    };
    if hub.hub.is_some() {
        plan.hub.engine = hub.hub;
    }
    let images = engine::images(&plan)?;
    if images.is_empty() {
        print(&format!("{name} needs no images\n"))?;
        return Ok(Exit::Well);
    }
    let hub = hub::open(&plan.hub, NO_RUN).await?;
    let (tell, mut told) = mpsc::unbounded_channel();
    let relay = tokio::spawn(async move {
        while let Some(hub::ImageProgress { image, step, percent }) = told.recv().await {
            let percent = percent.map_or_else(String::new, |percent| format!(" {percent} %"));
            // Progress that nobody reads is no reason to stop.
            let _ = writeln!(io::stderr(), "{image}:{percent} {step}");
        }
    });
    for image in &images {
        hub.provide(image, tell.clone(), CancellationToken::new()).await?;
    }
    drop(tell);
    relay.await?;
    Ok(Exit::Well)
}

async fn remove(images: Vec<String>, hub: &HubArg) -> Result<Exit> {
    let hub = DockerHub::open(hub.hub.as_deref(), NO_RUN).await?;
    let own = hub.images().await?;
    let mut exit = Exit::Well;
    let wanted = |image: &hub::docker::OwnImage| {
        images.is_empty() || image.reference.as_ref().is_some_and(|name| images.contains(name))
    };
    for image in own.iter().filter(|image| wanted(image)) {
        let reference = image.reference.as_deref().unwrap_or(&image.digest);
        match hub.remove_image(reference).await {
            Ok(()) => print(&format!("removed {reference}\n"))?,
            Err(error) => {
                complain(error);
                exit = Exit::Failed;
            }
        }
    }
    for name in &images {
        if own.iter().all(|image| image.reference.as_ref() != Some(name)) {
            complain(format!("{name} is not an image of hubmark on {}: left alone", hub.place()));
            exit = Exit::Failed;
        }
    }
    Ok(exit)
}

/// Executes `hubmark clean`: the engine, where there is one, and this machine.
pub async fn clean(hub: HubArg) -> Result<Exit> {
    let mut removed = LocalHub::open()?.sweep().await?;
    let unfinished = store::sweep(&paths::records()?)?;
    removed.extend(unfinished.iter().map(|path| path.display().to_string()));
    let engine = hub::open(&HubRequest::docker(hub.hub.clone()), NO_RUN).await;
    match engine {
        Ok(engine) => removed.extend(engine.sweep().await?),
        // A machine without an engine has nothing to clean there, unless one was asked for.
        Err(error) if hub.hub.is_some() => return Err(error.into()),
        Err(error) => complain(format!("containers not looked for: {error}")),
    }
    let mut text = String::new();
    for what in &removed {
        writeln!(text, "removed {what}")?;
    }
    if removed.is_empty() {
        text.push_str("nothing was left behind\n");
    }
    print(&text)?;
    Ok(Exit::Well)
}
