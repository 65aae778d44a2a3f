//! What the screen asks of records and profiles on disk, and of the hub.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use tokio::{runtime::Handle, sync::mpsc};
use tokio_util::sync::CancellationToken;

use super::{
    images::NO_RUN,
    run::render,
    screen::{changes, parse, profiles},
};
use crate::{
    cli::Format,
    engine::{
        self,
        doctor::{self, Check, Question},
    },
    hub::{self, HubError, docker},
    paths,
    plan::Plan,
    profile::{self, Library},
    record::{Record, index, label::Label, store},
    report::{
        cells::{Cells, Source},
        compare::{self, Side},
        folder,
    },
    server::HubKind,
    tui::{Ask, Export, HubPlace, Opened, ProfileEntry, Shelf, Told},
};

/// What is said of images whose making was stopped.
const STOPPED: &str =
    "stopped; what was finished is kept, and making them again goes on from there";

/// The records folder, with the index of heads among this program's own state; the operator's own
/// profiles; the doctor.
pub struct Outside {
    /// Where the doctor's questions to an engine are asked.
    runtime: Handle,
    /// Cancelled to stop the images that are being made.
    images: Mutex<CancellationToken>,
}

impl Shelf for Outside {
    fn answer(&self, ask: &Ask, tell: &dyn Fn(Told)) -> Told {
        match ask {
            Ask::List => Told::Listed(list(tell)),
            Ask::Open(path) => Told::Opened(open(path).map(Box::new)),
            Ask::Compare(a, b) => Told::Opened(compared(a, b).map(Box::new)),
            Ask::Label(path, label) => Told::Listed(
                label
                    .save(path)
                    .map_err(|error| {
                        format!("tags and note of {} were not kept: {error}", path.display())
                    })
                    .and_then(|()| list(tell)),
            ),
            Ask::Remove(path) => Told::Listed(remove(path).and_then(|()| list(tell))),
            Ask::Hubs => Told::Hubs(hubs()),
            Ask::Build(plan) => Told::Built(self.build(plan, tell)),
            Ask::Check(plan) => Told::Checked(self.check(plan)),
            Ask::Keep { name, text, overrides, replace } => {
                Told::Profiles(keep(name, text, overrides, *replace))
            }
            Ask::Rename { from, to } => Told::Profiles(rename(from, to)),
            Ask::Forget(name) => Told::Profiles(forget(name)),
            Ask::Export(path, export) => Told::Exported(write(path, *export)),
        }
    }

    fn stop_images(&self) {
        self.images.lock().unwrap_or_else(PoisonError::into_inner).cancel();
    }
}

impl Outside {
    /// With questions to an engine asked on `runtime`.
    pub fn new(runtime: Handle) -> Self {
        Self { runtime, images: Mutex::default() }
    }

    /// Makes a plan's images on its hub, one after the other; their names.
    fn build(&self, plan: &Plan, tell: &dyn Fn(Told)) -> Result<Vec<String>, String> {
        let images = engine::images(plan).map_err(|error| error.to_string())?;
        if images.is_empty() {
            return Ok(Vec::new());
        }
        let cancel = CancellationToken::new();
        *self.images.lock().unwrap_or_else(PoisonError::into_inner) = cancel.clone();
        let made = async {
            let hub = hub::open(plan, NO_RUN).await?;
            for image in &images {
                let (sender, mut steps) = mpsc::unbounded_channel();
                let relay = async {
                    while let Some(step) = steps.recv().await {
                        tell(Told::Image(step));
                    }
                };
                tokio::join!(hub.provide(image, sender, cancel.clone()), relay).0?;
            }
            Ok::<_, HubError>(())
        };
        self.runtime.block_on(made).map_err(|error| match error {
            HubError::Cancelled => STOPPED.to_owned(),
            error => error.to_string(),
        })?;
        Ok(images.iter().map(|image| image.reference().to_owned()).collect())
    }

    fn check(&self, plan: &Plan) -> Vec<Check> {
        let folders = [
            ("records", paths::records().ok()),
            ("profiles", Library::open().ok().map(|library| library.folder().to_owned())),
        ];
        let folders = folders
            .into_iter()
            .filter_map(|(what, folder)| Some((what.to_owned(), folder?)))
            .collect();
        let question = Question { hub: plan.hub.clone(), plan: Some(plan.clone()), folders };
        self.runtime.block_on(doctor::examine(&question))
    }
}

/// The engines that are known here, and this machine without one.
fn hubs() -> Vec<HubPlace> {
    let engines = docker::known().into_iter().map(|known| HubPlace {
        kind: HubKind::Docker,
        engine: known.address,
        certificates: known.certificates.map(|folder| folder.display().to_string()),
        title: known.source,
    });
    let here = HubPlace {
        kind: HubKind::Local,
        engine: None,
        certificates: None,
        title: "this machine, without containers".to_owned(),
    };
    engines.chain([here]).collect()
}

/// All profiles, and the one to choose.
type Profiles = Result<(Vec<ProfileEntry>, String), String>;

fn library() -> Result<Library, String> {
    Library::open().map_err(|error| error.to_string())
}

fn keep(name: &str, text: &str, overrides: &[(String, String)], replace: bool) -> Profiles {
    let made = parse(text, overrides).map_err(|problems| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    })?;
    let changes = changes(overrides).map_err(|problem| problem.to_string())?;
    let text = profile::edited(text, Some(name), &changes, Some(&made))?;
    library()?.keep(name, &text, replace).map_err(|error| error.to_string())?;
    Ok((profiles(), name.to_owned()))
}

fn rename(from: &str, to: &str) -> Profiles {
    let library = library()?;
    let source = library.find(from).map_err(|error| error.to_string())?;
    let text = profile::edited(&source.text, Some(to), &[], None)?;
    library.keep(to, &text, false).map_err(|error| error.to_string())?;
    library.remove(from).map_err(|error| error.to_string())?;
    Ok((profiles(), to.to_owned()))
}

fn forget(name: &str) -> Profiles {
    library()?.remove(name).map_err(|error| error.to_string())?;
    Ok((profiles(), String::new()))
}

fn list(tell: &dyn Fn(Told)) -> Result<Vec<index::Head>, String> {
    let folder = paths::records().map_err(|error| error.to_string())?;
    let index = paths::state().ok().map(|state| state.join("records-index.json"));
    let tell = |heads: &[index::Head], of| tell(Told::Listing(heads.to_vec(), of));
    index::heads(&folder, index.as_deref(), &tell).map_err(|error| error.to_string())
}

fn load(path: &Path) -> Result<Record, String> {
    store::load(path).map_err(|error| error.to_string())
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn open(path: &Path) -> Result<Opened, String> {
    Ok(Opened::of(&name(path), path, &load(path)?))
}

fn compared(a: &Path, b: &Path) -> Result<Opened, String> {
    let (record_a, record_b) = (load(a)?, load(b)?);
    let (name_a, name_b) = (name(a), name(b));
    let side = |name: &str, source| Side { name: name.to_owned(), source, backend: None };
    let comparison = compare::compare(
        &side(&name_a, Source { name: &name_a, record: &record_a }),
        &side(&name_b, Source { name: &name_b, record: &record_b }),
        false,
        &[],
    )
    .map_err(|error| error.to_string())?;
    let cells = Cells::of(
        vec![
            Source { name: &name_a, record: &record_a },
            Source { name: &name_b, record: &record_b },
        ],
        false,
    );
    Ok(Opened::comparison(&compare::text(&comparison), &cells))
}

/// Only what is a record is ever removed; an unreadable one is for its owner to judge.
fn remove(path: &Path) -> Result<(), String> {
    let failed = |reason: String| format!("{} was not removed: {reason}", path.display());
    load(path).map_err(failed)?;
    fs::remove_file(path).map_err(|error| failed(error.to_string()))?;
    Label::default().save(path).map_err(|error| failed(error.to_string()))
}

/// Writes an export into the folder in which the screen was opened.
fn write(path: &Path, export: Export) -> Result<PathBuf, String> {
    let record = load(path)?;
    let name = name(path);
    let (to, format) = match export {
        Export::Json => (format!("{name}.json"), Format::Json),
        Export::Csv => (format!("{name}.csv"), Format::Csv),
        Export::Report => {
            let cells = Cells::of(vec![Source { name: &name, record: &record }], false);
            let to = PathBuf::from(format!("{name}-report"));
            let written = folder::write(&cells, &to).map_err(|error| error.to_string())?;
            return Ok(fs::canonicalize(&written.page).unwrap_or(written.page));
        }
    };
    let text = render(&record, path, format).map_err(|error| error.to_string())?;
    // What is there already may be the record itself.
    let file = File::create_new(&to).and_then(|mut file| file.write_all(text.as_bytes()));
    file.map_err(|error| format!("{to} was not written: {error}"))?;
    Ok(fs::canonicalize(&to).unwrap_or_else(|_| PathBuf::from(to)))
}
