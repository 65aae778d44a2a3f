//! `hubmark images` and `hubmark clean`: the images and leftovers of this program on a hub.

use std::fmt::Write as _;

use color_eyre::eyre::Result;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    hub_choice,
    output::{Exit, print, print_error},
    profile_choice,
    profiles::parse_with_changes,
    signals::Signals,
};
use crate::{
    backend,
    cli::{HubArgs, ImagesCommand},
    engine,
    event::{self, Event, EventSender, ImageProgress, LogLevel},
    headless,
    hub::{
        self, Hub, HubError,
        docker::{DockerHub, OwnImage},
        local::LocalHub,
    },
    paths,
    record::store,
    server::ServerImage,
};

/// Executes `hubmark images`.
pub async fn execute(command: ImagesCommand) -> Result<Exit> {
    match command {
        ImagesCommand::List(hub) => list(&hub).await,
        ImagesCommand::Build { profile, set, hub } => build(&profile, &set, hub).await,
        ImagesCommand::Remove { images, old, hub } => remove(images, old, &hub).await,
    }
}

async fn list(hub: &HubArgs) -> Result<Exit> {
    let hub = DockerHub::connect(&hub.request(), None).await?;
    let mut text = String::new();
    let images = hub.images().await?;
    let name = |image: &OwnImage| image.reference.clone().unwrap_or_else(|| "-".to_owned());
    let width = images.iter().map(|image| name(image).len()).max().unwrap_or(0);
    for image in &images {
        let name = name(image);
        let created = image.created.strftime("%Y-%m-%d %H:%M UTC");
        let digest: String = image.digest.chars().take(19).collect();
        let state = image_state(image);
        writeln!(
            text,
            "{name:<width$} {:>8}  {created}  {digest}  {state}",
            image.size.to_string()
        )?;
    }
    if text.is_empty() {
        writeln!(text, "no images of hubmark on {}", hub.location())?;
    }
    print(&text)?;
    Ok(Exit::Success)
}

/// State of an image with regard to the next run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnImageState {
    Current,
    Changed,
    Unknown,
    Replaced,
    LeftBehind,
}

impl std::fmt::Display for OwnImageState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Current => "current",
            Self::Changed => "old: its recipe has changed, the next run builds it anew",
            Self::Unknown => "old: this version has no such recipe",
            Self::Replaced => "old: replaced by a newer one",
            Self::LeftBehind => "old: left behind by a build, speeds up the next one",
        })
    }
}

fn image_state(image: &OwnImage) -> OwnImageState {
    match &image.reference {
        _ if image.recipe_digest.is_none() => OwnImageState::LeftBehind,
        None => OwnImageState::Replaced,
        Some(name) => match find_own_image(name) {
            None => OwnImageState::Unknown,
            Some(expected) if image.is_current(&expected) => OwnImageState::Current,
            Some(_) => OwnImageState::Changed,
        },
    }
}

/// The image that this program would build under that name.
fn find_own_image(name: &str) -> Option<ServerImage> {
    let tools = hub::docker::tools_image();
    if name == tools.reference() { Some(tools) } else { backend::own_image(name) }
}

async fn build(name: &str, set: &[String], hub: HubArgs) -> Result<Exit> {
    let source = match profile_choice::find(name) {
        Ok(source) => source,
        Err(error) => {
            print_error(error);
            return Ok(Exit::Usage);
        }
    };
    let choice = hub_choice::resolve(hub.hub.as_deref(), set, &source);
    let parsed = choice.and_then(|choice| {
        let parsed = parse_with_changes(&source, &choice.changes);
        Ok((parsed.map_err(|problems| problems.to_string())?, choice.note))
    });
    let mut plan = match parsed {
        Ok((profile, note)) => {
            if let Some(note) = note {
                print_error(note);
            }
            profile.plan()
        }
        Err(problem) => {
            print_error(problem);
            return Ok(Exit::Usage);
        }
    };
    hub.apply_to(&mut plan.hub);
    let images = engine::required_images(&plan)?;
    if images.is_empty() {
        print(&format!("{name} needs no images\n"))?;
        return Ok(Exit::Success);
    }
    let hub = hub::open(&plan, None).await?;
    let cancel = CancellationToken::new();
    let mut signals = Signals::install();
    let stop = async {
        signals.next().await;
        cancel.cancel();
        // The second signal ends the command without waiting for an engine that hangs.
        signals.next().await;
    };
    let (sender, events) = event::channel();
    let follower = tokio::spawn(headless::follow(events, false));
    let built = tokio::select! {
        built = ensure_images(hub.as_ref(), &images, &sender, &cancel) => built,
        () = stop => Err(HubError::Cancelled),
    };
    drop(sender);
    follower.await?;
    match built {
        Ok(()) => Ok(Exit::Success),
        Err(HubError::Cancelled) => {
            print_error(
                "stopped; finished steps are saved on the hub: run the same command again to continue",
            );
            Ok(Exit::Interrupted)
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes all images available, one after the other, and logs a line for each.
async fn ensure_images(
    hub: &dyn Hub,
    images: &[ServerImage],
    sender: &EventSender,
    cancel: &CancellationToken,
) -> Result<(), HubError> {
    for image in images {
        let mut last: Option<ImageProgress> = None;
        ensure_image(hub, image, cancel, |step| {
            sender.send(Event::Image(step.clone()));
            last = Some(step);
        })
        .await?;
        let name = image.reference();
        let line = match last {
            None => format!("{name}: current"),
            Some(step) => format!("{name}: {}", step.summary()),
        };
        sender.log(LogLevel::Info, line);
    }
    Ok(())
}

/// Makes an image available and reports each step of the build or pull.
pub async fn ensure_image(
    hub: &dyn Hub,
    image: &ServerImage,
    cancel: &CancellationToken,
    mut report: impl FnMut(ImageProgress),
) -> Result<(), HubError> {
    let (sender, mut steps) = mpsc::unbounded_channel();
    let relay = async {
        while let Some(step) = steps.recv().await {
            report(step);
        }
    };
    tokio::join!(hub.ensure_image(image, sender, cancel.clone()), relay).0
}

async fn remove(images: Vec<String>, old: bool, hub: &HubArgs) -> Result<Exit> {
    let hub = DockerHub::connect(&hub.request(), None).await?;
    let own = hub.images().await?;
    let mut exit = Exit::Success;
    let named = |image: &OwnImage| {
        images.is_empty() || image.reference.as_ref().is_some_and(|name| images.contains(name))
    };
    let selected =
        |image: &&OwnImage| named(image) && (!old || image_state(image) != OwnImageState::Current);
    let mut freed = false;
    for image in own.iter().filter(selected) {
        let reference = image.reference.as_deref().unwrap_or(&image.digest);
        match hub.remove_image(reference).await {
            Ok(()) => {
                freed = true;
                print(&format!("removed {reference} ({})\n", image_state(image)))?;
            }
            Err(error) => {
                print_error(error);
                exit = Exit::Failed;
            }
        }
    }
    for name in &images {
        if own.iter().all(|image| image.reference.as_ref() != Some(name)) {
            print_error(format!(
                "{name} is not an image of hubmark on {}: left alone",
                hub.location()
            ));
            exit = Exit::Failed;
        }
    }
    if !freed && exit == Exit::Success {
        print("nothing to remove\n")?;
    }
    Ok(exit)
}

/// Executes `hubmark clean`: removes leftovers on the engine, if there is one, and on this machine.
pub async fn clean(hub: HubArgs) -> Result<Exit> {
    let mut removed = LocalHub::open()?.remove_leftovers().await?;
    let unfinished = store::remove_leftovers(&paths::records_dir()?)?;
    removed.extend(unfinished.iter().map(|path| path.display().to_string()));
    let engine = DockerHub::connect(&hub.request(), None).await;
    match engine {
        Ok(engine) => removed.extend(engine.remove_leftovers().await?),
        // A missing engine is an error only if one was named.
        Err(error) if hub.hub.is_some() => return Err(error.into()),
        Err(error) => print_error(format!("containers were not checked: {error}")),
    }
    let mut text = String::new();
    for what in &removed {
        writeln!(text, "removed {what}")?;
    }
    if removed.is_empty() {
        text.push_str("nothing was left behind\n");
    }
    print(&text)?;
    Ok(Exit::Success)
}
