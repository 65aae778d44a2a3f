//! `hubmark profiles`: list, show, check and copy profiles. Each writes to the output it is given.

use std::{
    io::{self, Write},
    path::Path,
};

use color_eyre::eyre::Result as Report;

use super::{Exit, complain, print_bytes};
use crate::{
    backend, cli,
    profile::{Catalogue, Library, LibraryError, Problems, Profile, builtin},
};

/// Why a command about profiles did not succeed. Problems of a profile are bad usage; the rest is
/// failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfilesError {
    /// The profile is wrong.
    #[error(transparent)]
    Problems(#[from] Problems),
    /// A profile could not be found, read or written.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The output could not be written.
    #[error("the output could not be written: {0}")]
    Output(#[from] io::Error),
}

/// Executes `hubmark profiles`.
pub fn execute(command: &cli::Profiles) -> Report<Exit> {
    let library = Library::open()?;
    let catalogue = backend::catalogue();
    let mut out = Vec::new();
    let done = match command {
        cli::Profiles::List => list(&library, &catalogue, &mut out),
        cli::Profiles::Show { name } => show(&library, name, &mut out),
        cli::Profiles::Check { file } => check(&library, file, &catalogue, &mut out),
        cli::Profiles::Copy { name, file } => copy(&library, name, file, &mut out),
    };
    match done {
        Ok(()) => print_bytes(&out).map(|()| Exit::Well),
        Err(ProfilesError::Problems(problems)) => {
            complain(format!("the profile has problems:\n{problems}"));
            Ok(Exit::Usage)
        }
        Err(ProfilesError::Library(error)) if error.is_usage() => {
            complain(error);
            Ok(Exit::Usage)
        }
        Err(error) => Err(error.into()),
    }
}

/// Lists built-in and saved profiles, one on a line with its description. A saved one that has
/// problems is marked; `check` tells them.
pub fn list(
    library: &Library,
    catalogue: &Catalogue,
    out: &mut dyn Write,
) -> Result<(), ProfilesError> {
    let saved = library.saved()?;
    let names = builtin().iter().map(|profile| profile.name.len());
    let width = names.chain(saved.iter().map(|source| source.name.len())).max().unwrap_or(0);
    writeln!(out, "built-in")?;
    for profile in builtin() {
        writeln!(out, "  {:<width$}  {}", profile.name, profile.description)?;
    }
    writeln!(out, "saved in {}", library.folder().display())?;
    for source in &saved {
        let mark = match Profile::parse(&source.text, catalogue) {
            Ok(_) => String::new(),
            Err(problems) => format!(" (problems: {})", problems.list.len()),
        };
        writeln!(out, "  {:<width$}  {}{mark}", source.name, source.description)?;
    }
    if saved.is_empty() {
        writeln!(out, "  none")?;
    }
    Ok(())
}

/// Writes a profile's text, comments included.
pub fn show(library: &Library, name: &str, out: &mut dyn Write) -> Result<(), ProfilesError> {
    out.write_all(library.find(name)?.text.as_bytes())?;
    Ok(())
}

/// Checks a profile (a file, or a name): writes its plan when it is well, and returns everything
/// that is wrong with it when it is not.
pub fn check(
    library: &Library,
    name_or_path: &str,
    catalogue: &Catalogue,
    out: &mut dyn Write,
) -> Result<(), ProfilesError> {
    let source = library.find(name_or_path)?;
    let shown = match &source.path {
        Some(path) => path.display().to_string(),
        None => source.name,
    };
    let profile = Profile::parse(&source.text, catalogue).map_err(|problems| problems.of(shown))?;
    writeln!(out, "{}", profile.plan())?;
    Ok(())
}

/// Copies a profile's text, comments included, to a file that must not exist yet.
pub fn copy(
    library: &Library,
    name: &str,
    file: &Path,
    out: &mut dyn Write,
) -> Result<(), ProfilesError> {
    library.copy(name, file)?;
    writeln!(out, "{} written; run it with: hubmark run {}", file.display(), file.display())?;
    Ok(())
}
