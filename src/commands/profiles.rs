//! `hubmark profiles`: lists, shows, checks and copies profiles, each to a given output.

use std::{
    io::{self, Write},
    path::Path,
};

use color_eyre::eyre::Result as Report;

use super::output::{Exit, print_bytes, print_error};
use crate::{
    backend, cli,
    engine::{self, RunError},
    profile::{
        Catalogue, Library, LibraryError, Override, Profile, ProfileProblems, ProfileSource,
        builtin_profiles,
    },
};

/// Why a command about profiles failed: a profile's problems are a usage error, the rest is a
/// failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfilesError {
    /// The profile has problems.
    #[error(transparent)]
    Problems(#[from] ProfileProblems),
    /// A profile could not be found, read or written.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The backends or their client libraries refuse settings.
    #[error(transparent)]
    Settings(#[from] RunError),
    /// The output could not be written.
    #[error("the output could not be written: {0}")]
    Output(#[from] io::Error),
}

/// Executes `hubmark profiles`.
pub fn execute(command: &cli::ProfilesCommand) -> Report<Exit> {
    let library = Library::open()?;
    let catalogue = backend::catalogue();
    let mut out = Vec::new();
    let done = match command {
        cli::ProfilesCommand::List => list(&library, &catalogue, &mut out),
        cli::ProfilesCommand::Show { name } => show(&library, name, &mut out),
        cli::ProfilesCommand::Check { file } => check(&library, file, &catalogue, &mut out),
        cli::ProfilesCommand::Copy { name, file } => copy(&library, name, file, &mut out),
    };
    match done {
        Ok(()) => print_bytes(&out).map(|()| Exit::Success),
        Err(ProfilesError::Problems(problems)) => {
            print_error(format!("the profile has problems:\n{problems}"));
            Ok(Exit::Usage)
        }
        Err(ProfilesError::Settings(error)) => {
            print_error(format!("the profile has problems:\n{error}"));
            Ok(Exit::Usage)
        }
        Err(ProfilesError::Library(error)) if error.is_usage() => {
            print_error(error);
            Ok(Exit::Usage)
        }
        Err(error) => Err(error.into()),
    }
}

/// Parses a profile with changes, each `KEY=VALUE`; all problems are reported at once.
pub(super) fn parse_with_changes(
    source: &ProfileSource,
    changes: &[String],
) -> Result<Profile, ProfileProblems> {
    let (overrides, malformed) = Override::parse_all(changes);
    let parsed = Profile::parse_with(&source.text, &overrides, &backend::catalogue())
        .map_err(|problems| problems.with_source(&source.name));
    match parsed {
        Ok(profile) if malformed.is_empty() => Ok(profile),
        Ok(_) => Err(ProfileProblems { source: source.name.clone(), list: malformed }),
        Err(mut problems) => {
            problems.list.extend(malformed);
            Err(problems)
        }
    }
}

/// Lists built-in and saved profiles, one per line with its description. A saved profile with
/// problems is marked; `check` shows the problems.
pub fn list(
    library: &Library,
    catalogue: &Catalogue,
    out: &mut dyn Write,
) -> Result<(), ProfilesError> {
    let saved = library.saved()?;
    let names = builtin_profiles().iter().map(|profile| profile.name.len());
    let width = names.chain(saved.iter().map(|source| source.name.len())).max().unwrap_or(0);
    writeln!(out, "built-in")?;
    for profile in builtin_profiles() {
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

/// Checks a profile (a file or a name), and its settings as the client libraries do: writes its plan,
/// or returns all its problems.
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
    let profile =
        Profile::parse(&source.text, catalogue).map_err(|problems| problems.with_source(shown))?;
    let plan = profile.plan();
    engine::check_settings(&plan)?;
    writeln!(out, "{plan}")?;
    Ok(())
}

/// Copies a profile's text, comments included, to a file that must not exist.
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
