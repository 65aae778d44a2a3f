//! Built-in and saved profiles.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use super::{
    Profile,
    name::{VALID_NAMES, is_valid_name},
    problem::{nearest, nearest_hint},
    tree::{self, Value},
};
use crate::paths;

/// A profile that is part of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltinProfile {
    /// Name of the profile.
    pub name: &'static str,
    /// Purpose of the profile, in one line.
    pub description: String,
    /// TOML text, with comments.
    pub text: &'static str,
}

/// Names and texts of the files in `profiles/`, in the order of display.
const BUILTIN_TEXTS: [(&str, &str); 10] = [
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

static BUILTIN: LazyLock<Vec<BuiltinProfile>> = LazyLock::new(|| {
    let described = |(name, text)| BuiltinProfile { name, description: description(text), text };
    BUILTIN_TEXTS.map(described).to_vec()
});

/// The built-in profiles.
pub fn builtin_profiles() -> &'static [BuiltinProfile] {
    &BUILTIN
}

/// Text of a profile and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileSource {
    /// Name or file, for display.
    pub name: String,
    /// TOML text.
    pub text: String,
    /// Purpose of the profile in one line, as far as the text can be parsed.
    pub description: String,
    /// File of the profile; `None` for a built-in.
    pub path: Option<PathBuf>,
}

/// Error of the profile library, with a message for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// No profile has this name.
    #[error(
        "there is no profile {name:?}{}\n  built-in: {}; saved ones are in {}; anything else must be a file",
        nearest_hint(nearest.as_deref()), known.join(", "), folder.display()
    )]
    Unknown {
        /// Requested name.
        name: String,
        /// Most similar known name.
        nearest: Option<String>,
        /// The built-in profiles.
        known: Vec<String>,
        /// The folder of saved profiles.
        folder: PathBuf,
    },
    /// The name is not valid for a file.
    #[error("a profile cannot be called {0:?}: use {VALID_NAMES}")]
    InvalidName(String),
    /// The name belongs to a built-in profile.
    #[error("{0} is a built-in profile: save yours under another name")]
    BuiltIn(String),
    /// The file exists already.
    #[error("{} exists already: remove it, or choose another name", .0.display())]
    Exists(PathBuf),
    /// A file could not be read or written.
    #[error("{} could not be {action}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// `read`, `written` or `removed`.
        action: &'static str,
        /// Error of the operating system.
        source: io::Error,
    },
    /// No folder for saved profiles is configured.
    #[error("no folder for saved profiles: set HOME, XDG_CONFIG_HOME or HUBMARK_CONFIG_DIR")]
    NoHome,
}

impl LibraryError {
    /// Whether the error is a wrong argument of the operator, not a failure.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Unknown { .. } | Self::InvalidName(_) | Self::BuiltIn(_) => true,
            // A file that is not UTF-8 text is not a profile.
            Self::File { source, .. } => source.kind() == io::ErrorKind::InvalidData,
            Self::Exists(_) | Self::NoHome => false,
        }
    }
}

/// The built-in profiles and a folder of saved ones.
#[derive(Debug, Clone)]
pub struct Library {
    folder: PathBuf,
}

impl Library {
    /// Opens the operator's library; its folder need not exist.
    ///
    /// The folder is `profiles` in `HUBMARK_CONFIG_DIR`, or in `hubmark` in the XDG configuration
    /// folder.
    pub fn open() -> Result<Self, LibraryError> {
        let config = paths::config_dir().map_err(|_| LibraryError::NoHome)?;
        Ok(Self::new(config.join("profiles")))
    }

    /// Opens the library in `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder of saved profiles.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Saved profiles sorted by name, including invalid ones and files whose names a profile cannot have.
    /// Hidden files, such as those of editors, are left out.
    pub fn saved(&self) -> Result<Vec<ProfileSource>, LibraryError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(file_error(&self.folder, "read", error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| file_error(&self.folder, "read", error))?.path();
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
            let is_toml = path.extension().is_some_and(|extension| extension == "toml");
            if let Some(name) = name.filter(|name| is_toml && !name.starts_with('.')) {
                // One file that cannot be read does not hide the others.
                found.push(read_file(&path, name.clone()).unwrap_or_else(|error| ProfileSource {
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

    /// Finds a built-in profile, a saved profile or a file, in this order.
    pub fn find(&self, name_or_path: &str) -> Result<ProfileSource, LibraryError> {
        if let Some(found) = builtin_profiles().iter().find(|profile| profile.name == name_or_path)
        {
            return Ok(ProfileSource {
                name: found.name.to_owned(),
                text: found.text.to_owned(),
                description: found.description.clone(),
                path: None,
            });
        }
        if is_file_name(name_or_path) {
            let path = self.path(name_or_path);
            if path.is_file() {
                return read_file(&path, name_or_path.to_owned());
            }
        }
        let path = Path::new(name_or_path);
        // The argument is clearly a path: report why the file cannot be read.
        let is_toml = path.extension().is_some_and(|extension| extension == "toml");
        if path.is_file() || path.components().count() > 1 || is_toml {
            return read_file(path, name_or_path.to_owned());
        }
        Err(self.unknown_profile(name_or_path))
    }

    /// Saves a profile under its name and replaces an older one of that name.
    pub fn save(&self, profile: &Profile) -> Result<PathBuf, LibraryError> {
        let path = self.save_path(&profile.name)?;
        write_file(&path, &profile.to_toml(), true)?;
        Ok(path)
    }

    /// Renames and saves a profile; refuses a name that exists.
    pub fn save_as(&self, name: &str, profile: &Profile) -> Result<PathBuf, LibraryError> {
        let path = self.save_path(name)?;
        let renamed = Profile { name: name.to_owned(), ..profile.clone() };
        write_file(&path, &renamed.to_toml(), false)?;
        Ok(path)
    }

    /// Saves a profile's text under a name; `replace` permits replacing a saved profile.
    pub fn save_text(
        &self,
        name: &str,
        text: &str,
        replace: bool,
    ) -> Result<PathBuf, LibraryError> {
        let path = self.save_path(name)?;
        write_file(&path, text, replace)?;
        Ok(path)
    }

    /// Removes a saved profile.
    pub fn remove(&self, name: &str) -> Result<(), LibraryError> {
        if builtin_profiles().iter().any(|profile| profile.name == name) {
            return Err(LibraryError::BuiltIn(name.to_owned()));
        }
        if !is_file_name(name) {
            return Err(LibraryError::InvalidName(name.to_owned()));
        }
        let path = self.path(name);
        fs::remove_file(&path).map_err(|error| file_error(&path, "removed", error))
    }

    /// Copies a profile's text, comments included, to a new file.
    pub fn copy(&self, name_or_path: &str, file: &Path) -> Result<(), LibraryError> {
        write_file(file, &self.find(name_or_path)?.text, false)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.toml"))
    }

    /// Path for saving a profile; refuses invalid names and names of built-in profiles.
    fn save_path(&self, name: &str) -> Result<PathBuf, LibraryError> {
        if !is_valid_name(name) {
            return Err(LibraryError::InvalidName(name.to_owned()));
        }
        if builtin_profiles().iter().any(|profile| profile.name == name) {
            return Err(LibraryError::BuiltIn(name.to_owned()));
        }
        Ok(self.path(name))
    }

    fn unknown_profile(&self, name: &str) -> LibraryError {
        let saved = self.saved().unwrap_or_default();
        let built_in = builtin_profiles().iter().map(|profile| profile.name);
        let all = built_in.clone().chain(saved.iter().map(|source| source.name.as_str()));
        LibraryError::Unknown {
            name: name.to_owned(),
            nearest: nearest(name, all).map(str::to_owned),
            known: built_in.map(str::to_owned).collect(),
            folder: self.folder.clone(),
        }
    }
}

/// Finds a profile in the operator's [`Library`]; see [`Library::find`].
pub fn find(name_or_path: &str) -> Result<ProfileSource, LibraryError> {
    Library::open()?.find(name_or_path)
}

/// Whether a name is that of a file in a folder, even if a profile could not be saved under it.
fn is_file_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0'])
}

/// Description in a profile's text, as far as the text can be parsed.
fn description(text: &str) -> String {
    let (root, _) = tree::parse(text);
    match root.at("description").map(|(_, node)| &node.value) {
        Some(Value::Text(description)) => description.clone(),
        _ => String::new(),
    }
}

fn read_file(path: &Path, name: String) -> Result<ProfileSource, LibraryError> {
    let text = paths::read_text(path).map_err(|error| file_error(path, "read", error))?;
    let description = description(&text);
    Ok(ProfileSource { name, text, description, path: Some(path.to_owned()) })
}

/// Writes a file completely or not at all.
fn write_file(path: &Path, text: &str, replace: bool) -> Result<(), LibraryError> {
    let failed = |error| file_error(path, "written", error);
    paths::check_writable(path).map_err(failed)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    // Permissions by the operator's umask, not private as those of a temporary file.
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
