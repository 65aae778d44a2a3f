//! Built-in profiles, and those that the operator saved.

use std::{
    ffi::OsStr,
    fs, io,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use super::{
    Profile,
    problem::nearest,
    tree::{self, Value},
};
use crate::paths;

/// A profile that comes with this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Builtin {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in one line.
    pub description: String,
    /// The TOML, with its comments.
    pub text: &'static str,
}

/// The files of `profiles/`, in the order in which they are listed.
const TEXTS: [(&str, &str); 10] = [
    ("first-look", include_str!("../../profiles/first-look.toml")),
    ("study-latency-users", include_str!("../../profiles/study-latency-users.toml")),
    ("study-latency-users-quick", include_str!("../../profiles/study-latency-users-quick.toml")),
    ("study-latency-payload", include_str!("../../profiles/study-latency-payload.toml")),
    (
        "study-latency-payload-quick",
        include_str!("../../profiles/study-latency-payload-quick.toml"),
    ),
    ("study-throughput", include_str!("../../profiles/study-throughput.toml")),
    ("study-throughput-quick", include_str!("../../profiles/study-throughput-quick.toml")),
    ("capacity", include_str!("../../profiles/capacity.toml")),
    ("footprint", include_str!("../../profiles/footprint.toml")),
    ("capacity-quick", include_str!("../../profiles/capacity-quick.toml")),
];

static BUILTIN: LazyLock<Vec<Builtin>> = LazyLock::new(|| {
    let described = |(name, text)| Builtin { name, description: description(text), text };
    TEXTS.map(described).to_vec()
});

/// The built-in profiles.
pub fn builtin() -> &'static [Builtin] {
    &BUILTIN
}

/// A profile's text and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The name, or the file, as it is shown.
    pub name: String,
    /// The TOML.
    pub text: String,
    /// What the profile is for, in one line, as far as the text can be read.
    pub description: String,
    /// Its file; `None` for a built-in.
    pub path: Option<PathBuf>,
}

/// What went wrong with files of profiles, in words for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// Nothing has that name.
    #[error(
        "there is no profile {name:?}{}\n  built-in: {}; saved ones are in {}; anything else must be a file",
        hint(nearest.as_deref()), known.join(", "), folder.display()
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The name most like it.
        nearest: Option<String>,
        /// The built-in profiles.
        known: Vec<String>,
        /// The folder of saved profiles.
        folder: PathBuf,
    },
    /// A name that no file can have.
    #[error(
        "a profile cannot be called {0:?}: use 1 to 64 letters, digits, '-', '_' or '.', not beginning with '.'"
    )]
    Name(String),
    /// The name of a built-in profile.
    #[error("{0} is a built-in profile: save yours under another name")]
    BuiltIn(String),
    /// A file is in the way.
    #[error("{} exists already: remove it, or choose another name", .0.display())]
    Exists(PathBuf),
    /// A file could not be read or written.
    #[error("{} could not be {action}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// `read`, `written` or `removed`.
        action: &'static str,
        /// The system's words.
        source: io::Error,
    },
    /// There is no home folder.
    #[error("no folder for saved profiles: set HOME, XDG_CONFIG_HOME or HUBMARK_CONFIG_DIR")]
    NoHome,
}

impl LibraryError {
    /// Whether the operator named the wrong thing, rather than something failed.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Unknown { .. } | Self::Name(_) | Self::BuiltIn(_) => true,
            // A text that is not text is no profile.
            Self::File { source, .. } => source.kind() == io::ErrorKind::InvalidData,
            Self::Exists(_) | Self::NoHome => false,
        }
    }
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!(", did you mean {name}?"))
}

/// The folder of saved profiles, beside the built-in ones.
#[derive(Debug, Clone)]
pub struct Library {
    folder: PathBuf,
}

impl Library {
    /// The operator's own library: `profiles` in `HUBMARK_CONFIG_DIR`, or in `hubmark` in XDG's
    /// folder of configuration. The folder need not exist.
    pub fn open() -> Result<Self, LibraryError> {
        let config = paths::config().map_err(|_| LibraryError::NoHome)?;
        Ok(Self::new(config.join("profiles")))
    }

    /// A library in another folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder of saved profiles.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The saved profiles by name, those that have problems included.
    pub fn saved(&self) -> Result<Vec<Source>, LibraryError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(file_error(&self.folder, "read", error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| file_error(&self.folder, "read", error))?.path();
            let name = path.file_stem().and_then(OsStr::to_str).map(str::to_owned);
            let is_toml = path.extension().is_some_and(|extension| extension == "toml");
            if let Some(name) = name.filter(|name| is_toml && is_name(name)) {
                // One file that cannot be read does not hide the others.
                found.push(read_file(&path, name.clone()).unwrap_or_else(|error| Source {
                    name,
                    text: String::new(),
                    description: error.to_string(),
                    path: Some(path),
                }));
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The profile with that name: a built-in, a saved one, or a file, looked for in this order.
    pub fn find(&self, name_or_path: &str) -> Result<Source, LibraryError> {
        if let Some(found) = builtin().iter().find(|profile| profile.name == name_or_path) {
            return Ok(Source {
                name: found.name.to_owned(),
                text: found.text.to_owned(),
                description: found.description.clone(),
                path: None,
            });
        }
        if is_name(name_or_path) {
            let path = self.path(name_or_path);
            if path.is_file() {
                return read_file(&path, name_or_path.to_owned());
            }
        }
        let path = Path::new(name_or_path);
        // A path that is meant as one says by itself why it cannot be read.
        let is_toml = path.extension().is_some_and(|extension| extension == "toml");
        if path.is_file() || path.components().count() > 1 || is_toml {
            return read_file(path, name_or_path.to_owned());
        }
        Err(self.unknown(name_or_path))
    }

    /// Saves a profile under its own name, over an older one of that name.
    pub fn save(&self, profile: &Profile) -> Result<PathBuf, LibraryError> {
        let path = self.own_path(&profile.name)?;
        write_file(&path, &profile.to_toml(), true)?;
        Ok(path)
    }

    /// Saves a profile under a new name, which it gets; refuses when there is one of that name.
    pub fn save_as(&self, name: &str, profile: &Profile) -> Result<PathBuf, LibraryError> {
        let path = self.own_path(name)?;
        let renamed = Profile { name: name.to_owned(), ..profile.clone() };
        write_file(&path, &renamed.to_toml(), false)?;
        Ok(path)
    }

    /// Keeps a profile's text under a name: a new one, or, where it may `replace`, any of the
    /// operator's own.
    pub fn keep(&self, name: &str, text: &str, replace: bool) -> Result<PathBuf, LibraryError> {
        let path = self.own_path(name)?;
        write_file(&path, text, replace)?;
        Ok(path)
    }

    /// Removes a profile of the operator's own.
    pub fn remove(&self, name: &str) -> Result<(), LibraryError> {
        let path = self.own_path(name)?;
        fs::remove_file(&path).map_err(|error| file_error(&path, "removed", error))
    }

    /// Copies a profile's text, comments included, to a new file.
    pub fn copy(&self, name_or_path: &str, file: &Path) -> Result<(), LibraryError> {
        write_file(file, &self.find(name_or_path)?.text, false)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.toml"))
    }

    /// Where a profile of the operator's own may be saved.
    fn own_path(&self, name: &str) -> Result<PathBuf, LibraryError> {
        if !is_name(name) {
            return Err(LibraryError::Name(name.to_owned()));
        }
        if builtin().iter().any(|profile| profile.name == name) {
            return Err(LibraryError::BuiltIn(name.to_owned()));
        }
        Ok(self.path(name))
    }

    fn unknown(&self, name: &str) -> LibraryError {
        let saved = self.saved().unwrap_or_default();
        let built_in = builtin().iter().map(|profile| profile.name);
        let all = built_in.clone().chain(saved.iter().map(|source| source.name.as_str()));
        LibraryError::Unknown {
            name: name.to_owned(),
            nearest: nearest(name, all).map(str::to_owned),
            known: built_in.map(str::to_owned).collect(),
            folder: self.folder.clone(),
        }
    }
}

/// The profile with that name in the operator's own [`Library`]; see [`Library::find`].
pub fn find(name_or_path: &str) -> Result<Source, LibraryError> {
    Library::open()?.find(name_or_path)
}

/// Whether a profile can be called so: its name is also a file's, and part of records' names.
pub(super) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// The description in a profile's text, as far as it can be read.
fn description(text: &str) -> String {
    let (root, _) = tree::parse(text);
    match root.at("description").map(|(_, node)| &node.value) {
        Some(Value::Text(description)) => description.clone(),
        _ => String::new(),
    }
}

fn read_file(path: &Path, name: String) -> Result<Source, LibraryError> {
    let text = fs::read_to_string(path).map_err(|error| file_error(path, "read", error))?;
    let description = description(&text);
    Ok(Source { name, text, description, path: Some(path.to_owned()) })
}

/// Writes a file whole or not at all.
fn write_file(path: &Path, text: &str, replace: bool) -> Result<(), LibraryError> {
    let failed = |error| file_error(path, "written", error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    // Readable to all whom the operator's umask allows, not private as a temporary file.
    let mut file = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    let result = if replace { file.persist(path) } else { file.persist_noclobber(path) };
    match result {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(LibraryError::Exists(path.to_owned()))
        }
        Err(error) => Err(failed(error.error)),
    }
}

fn file_error(path: &Path, action: &'static str, source: io::Error) -> LibraryError {
    LibraryError::File { path: path.to_owned(), action, source }
}
