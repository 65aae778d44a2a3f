//! The readable files of a machine's `/proc` and `/sys`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

/// Files below a root, by relative path without a leading slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SystemFiles {
    /// A folder of this machine; `/` for this machine itself.
    Folder(PathBuf),
    /// File contents sent by a reader, by path.
    Listing(BTreeMap<String, String>),
}

/// The only path with a colon.
const PATH_WITH_COLON: &str = "firmware/get_throttled:";

impl SystemFiles {
    /// Parses lines of `path:text`, as `grep -H` writes them; consecutive lines of one path belong
    /// together.
    pub fn from_listing(lines: &str) -> Self {
        let mut listing = BTreeMap::<String, String>::new();
        for line in lines.lines() {
            let colon = match line.find(PATH_WITH_COLON) {
                Some(at) => Some(at + PATH_WITH_COLON.len() - 1),
                None => line.find(':'),
            };
            let Some((path, text)) = colon.map(|at| (&line[..at], &line[at + 1..])) else {
                continue;
            };
            let known = listing.entry(path.to_owned()).or_default();
            known.push_str(text);
            known.push('\n');
        }
        Self::Listing(listing)
    }

    /// Reads a file as text, without white space and zero bytes at its ends; `None` when nothing
    /// remains.
    pub fn read(&self, path: &str) -> Option<String> {
        let text = match self {
            Self::Folder(root) => {
                String::from_utf8_lossy(&fs::read(root.join(path)).ok()?).into_owned()
            }
            Self::Listing(listing) => listing.get(path)?.clone(),
        };
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Reads a file that contains one number.
    pub fn number<T: std::str::FromStr>(&self, path: &str) -> Option<T> {
        self.read(path)?.parse().ok()
    }

    /// The names in a folder, sorted.
    pub fn list(&self, folder: &str) -> BTreeSet<String> {
        match self {
            Self::Folder(root) => fs::read_dir(root.join(folder))
                .into_iter()
                .flatten()
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .collect(),
            Self::Listing(listing) => listing
                .keys()
                .filter_map(|path| path.strip_prefix(folder)?.strip_prefix('/'))
                .filter_map(|rest| rest.split('/').next().map(str::to_owned))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_files() {
        let tree = SystemFiles::from_listing(
            "proc/stat:cpu  1 2 3\nproc/vmstat:pswpin 1\nproc/vmstat:pswpout 2\nnoise\n\
             sys/devices/platform/soc/soc:firmware/get_throttled:50005\nsys/x/y/dev:179:2\n",
        );
        assert_eq!(tree.read("proc/vmstat").as_deref(), Some("pswpin 1\npswpout 2"));
        assert_eq!(tree.read("sys/x/y/dev").as_deref(), Some("179:2"));
        let throttled = "sys/devices/platform/soc/soc:firmware/get_throttled";
        assert_eq!(tree.read(throttled).as_deref(), Some("50005"));
        assert_eq!(tree.list("sys/x").into_iter().collect::<Vec<_>>(), ["y"]);
        assert_eq!(tree.read("sys/x"), None);
    }
}
