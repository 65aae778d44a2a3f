//! What can be read of a machine's `/proc` and `/sys`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

/// Files below a root, by their paths without a slash before them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// A folder of this machine; `/` is this machine itself.
    Folder(PathBuf),
    /// What somebody sent, by path.
    Listing(BTreeMap<String, String>),
}

/// The one file whose path holds a colon.
const WITH_COLON: &str = "firmware/get_throttled:";

impl Tree {
    /// From lines of `path:text`, as `grep -H` writes them; several of one path follow each other.
    pub fn listed(lines: &str) -> Self {
        let mut listing = BTreeMap::<String, String>::new();
        for line in lines.lines() {
            let colon = match line.find(WITH_COLON) {
                Some(at) => Some(at + WITH_COLON.len() - 1),
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

    /// A file's text without the white space and zero bytes at its ends; `None` when there is
    /// nothing in it.
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

    /// A file that holds one number.
    pub fn number<T: std::str::FromStr>(&self, path: &str) -> Option<T> {
        self.read(path)?.parse().ok()
    }

    /// The names in a folder, in order.
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
        let tree = Tree::listed(
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
