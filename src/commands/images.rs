//! `hubmark images` and `hubmark clean`: what this program keeps on a hub.

use std::fmt::Write as _;

use color_eyre::eyre::Result;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Exit, complain, print, signals::Signals};
use crate::{
    backend,
    cli::{HubArg, Images},
    engine,
    event::{self, Event, ImageStep, Level, Teller},
    headless,
    hub::{
        self, Hub, HubError,
        docker::{DockerHub, OwnImage},
        local::LocalHub,
    },
    paths,
    profile::{self, Profile},
    record::store,
    server::Image,
};

/// The run that looks after images has no containers.
pub const NO_RUN: &str = "none";

/// Executes `hubmark images`.
pub async fn execute(command: Images) -> Result<Exit> {
    match command {
        Images::List(hub) => list(&hub).await,
        Images::Build { profile, hub } => build(&profile, hub).await,
        Images::Remove { images, old, hub } => remove(images, old, &hub).await,
    }
}

async fn list(hub: &HubArg) -> Result<Exit> {
    let hub = DockerHub::open(hub.hub.as_deref(), NO_RUN).await?;
    let mut text = String::new();
    for image in hub.images().await? {
        let name = image.reference.as_deref().unwrap_or("-");
        let created = image.created.strftime("%Y-%m-%d %H:%M UTC");
        let digest: String = image.digest.chars().take(19).collect();
        let state = state(&image);
        writeln!(text, "{name:<28} {:>8}  {created}  {digest}  {state}", image.size.to_string())?;
    }
    if text.is_empty() {
        writeln!(text, "no images of hubmark on {}", hub.place())?;
    }
    print(&text)?;
    Ok(Exit::Well)
}

/// What becomes of an image at the next run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Current,
    Changed,
    Unknown,
    Replaced,
    LeftBehind,
}

impl std::fmt::Display for State {
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

fn state(image: &OwnImage) -> State {
    match &image.reference {
        _ if image.built_from.is_none() => State::LeftBehind,
        None => State::Replaced,
        Some(name) => match own_image(name) {
            None => State::Unknown,
            Some(wanted) if image.is_current(&wanted) => State::Current,
            Some(_) => State::Changed,
        },
    }
}

/// The image that this program would build under that name.
fn own_image(name: &str) -> Option<Image> {
    let tools = hub::docker::tools();
    if name == tools.reference() { Some(tools) } else { backend::own_image(name) }
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
    let hub = hub::open(&plan, NO_RUN).await?;
    let cancel = CancellationToken::new();
    let mut signals = Signals::take();
    let stop = async {
        signals.next().await;
        cancel.cancel();
        // A second one does not wait for an engine that hangs.
        signals.next().await;
    };
    let (teller, events) = event::channel();
    let follower = tokio::spawn(headless::follow(events, false));
    let built = tokio::select! {
        built = provide(hub.as_ref(), &images, &teller, &cancel) => built,
        () = stop => Err(HubError::Cancelled),
    };
    drop(teller);
    follower.await?;
    match built {
        Ok(()) => Ok(Exit::Well),
        Err(HubError::Cancelled) => {
            complain(
                "stopped; what was finished is kept on the hub: the same command goes on from there",
            );
            Ok(Exit::Interrupted)
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes sure of all images, one after the other, and prints a line for each.
async fn provide(
    hub: &dyn Hub,
    images: &[Image],
    teller: &Teller,
    cancel: &CancellationToken,
) -> Result<(), HubError> {
    for image in images {
        let (tell, mut told) = mpsc::unbounded_channel::<ImageStep>();
        let relay = async {
            let mut last: Option<ImageStep> = None;
            while let Some(step) = told.recv().await {
                teller.tell(Event::Image(step.clone()));
                last = Some(step);
            }
            last
        };
        let (provided, last) = tokio::join!(hub.provide(image, tell, cancel.clone()), relay);
        provided?;
        let name = image.reference();
        let line = match last {
            None => format!("{name}: current"),
            Some(step) => format!("{name}: {}", step.words()),
        };
        teller.log(Level::Info, line);
    }
    Ok(())
}

async fn remove(images: Vec<String>, old: bool, hub: &HubArg) -> Result<Exit> {
    let hub = DockerHub::open(hub.hub.as_deref(), NO_RUN).await?;
    let own = hub.images().await?;
    let mut exit = Exit::Well;
    let named = |image: &OwnImage| {
        images.is_empty() || image.reference.as_ref().is_some_and(|name| images.contains(name))
    };
    let wanted = |image: &&OwnImage| named(image) && (!old || state(image) != State::Current);
    let mut freed = false;
    for image in own.iter().filter(wanted) {
        let reference = image.reference.as_deref().unwrap_or(&image.digest);
        match hub.remove_image(reference).await {
            Ok(()) => {
                freed = true;
                print(&format!("removed {reference} ({})\n", state(image)))?;
            }
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
    if !freed && exit == Exit::Well {
        print("nothing to remove\n")?;
    }
    Ok(exit)
}

/// Executes `hubmark clean`: the engine, where there is one, and this machine.
pub async fn clean(hub: HubArg) -> Result<Exit> {
    let mut removed = LocalHub::open()?.sweep().await?;
    let unfinished = store::sweep(&paths::records()?)?;
    removed.extend(unfinished.iter().map(|path| path.display().to_string()));
    let engine = DockerHub::open(hub.hub.as_deref(), NO_RUN).await;
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
