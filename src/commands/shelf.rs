//! What the screen asks of records and profiles on disk, and of the hub.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use tokio::runtime::Handle;

use super::{
    run::render,
    screen::{changes, parse, profiles},
};
use crate::{
    cli::Format,
    engine::doctor::{self, Check, Question},
    paths,
    plan::Plan,
    profile::{self, Library},
    record::{Record, index, label::Label, store},
    report::{
        cells::{Cells, Source},
        compare::{self, Side},
        folder,
    },
    tui::{Ask, Export, Opened, ProfileEntry, Shelf, Told},
};

/// The records folder, with the index of heads among this program's own state; the operator's own
/// profiles; the doctor.
pub struct Outside {
    /// Where the doctor's questions to an engine are asked.
    pub runtime: Handle,
}

impl Shelf for Outside {
    fn answer(&self, ask: &Ask) -> Told {
        match ask {
            Ask::List => Told::Listed(list()),
            Ask::Open(path) => Told::Opened(open(path).map(Box::new)),
            Ask::Compare(a, b) => Told::Opened(compared(a, b).map(Box::new)),
            Ask::Label(path, label) => Told::Listed(
                label
                    .save(path)
                    .map_err(|error| {
                        format!("tags and note of {} were not kept: {error}", path.display())
                    })
                    .and_then(|()| list()),
            ),
            Ask::Remove(path) => Told::Listed(remove(path).and_then(|()| list())),
            Ask::Check(plan) => Told::Checked(self.check(plan)),
            Ask::Keep { name, text, overrides, replace } => {
                Told::Profiles(keep(name, text, overrides, *replace))
            }
            Ask::Rename { from, to } => Told::Profiles(rename(from, to)),
            Ask::Forget(name) => Told::Profiles(forget(name)),
            Ask::Export(path, export) => Told::Exported(write(path, *export)),
        }
    }
}

impl Outside {
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

/// All profiles, and the one to choose.
type Profiles = Result<(Vec<ProfileEntry>, String), String>;

fn library() -> Result<Library, String> {
    Library::open().map_err(|error| error.to_string())
}

fn keep(name: &str, text: &str, overrides: &[(String, String)], replace: bool) -> Profiles {
    parse(text, overrides).map_err(|problems| {
        problems.into_iter().map(|problem| problem.text).collect::<Vec<_>>().join("; ")
    })?;
    let changes = changes(overrides).map_err(|problem| problem.to_string())?;
    let text = profile::edited(text, Some(name), &changes)?;
    library()?.keep(name, &text, replace).map_err(|error| error.to_string())?;
    Ok((profiles(), name.to_owned()))
}

fn rename(from: &str, to: &str) -> Profiles {
    let library = library()?;
    let source = library.find(from).map_err(|error| error.to_string())?;
    let text = profile::edited(&source.text, Some(to), &[])?;
    library.keep(to, &text, false).map_err(|error| error.to_string())?;
    library.remove(from).map_err(|error| error.to_string())?;
    Ok((profiles(), to.to_owned()))
}

fn forget(name: &str) -> Profiles {
    library()?.remove(name).map_err(|error| error.to_string())?;
    Ok((profiles(), String::new()))
}

fn list() -> Result<Vec<index::Head>, String> {
    let folder = paths::records().map_err(|error| error.to_string())?;
    let index = paths::state().ok().map(|state| state.join("records-index.json"));
    index::heads(&folder, index.as_deref()).map_err(|error| error.to_string())
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
