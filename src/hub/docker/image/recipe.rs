//! Build contexts of recipes, and digests that show when a recipe has changed.

use std::{collections::BTreeMap, fmt::Write, io, path::Path};

use sha2::{Digest, Sha256};

use crate::server::ImageRecipe;

/// Label with the recipe's digest.
pub const DIGEST_LABEL: &str = "hubmark.recipe";
/// Label with the recipe's name.
pub const NAME_LABEL: &str = "hubmark.recipe-name";

/// Label, with its value, of an intermediate stage of a build.
pub const STAGE_LABEL: &str = "hubmark.stage=build";

/// Returns the SHA-256 over every file and every build argument. Each part is preceded by its
/// length, so that no two recipes have the same digest.
pub fn digest(recipe: &ImageRecipe, arguments: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    let files: BTreeMap<&str, &[u8]> = recipe.files.iter().copied().collect();
    part(&files.len().to_be_bytes());
    for (path, content) in files {
        part(path.as_bytes());
        part(content);
    }
    for (name, value) in arguments {
        part(name.as_bytes());
        part(value.as_bytes());
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the build context: a reproducible tar archive of the recipe's files.
pub fn build_context(recipe: &ImageRecipe) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in recipe.files {
        let script = Path::new(path).extension().is_some_and(|extension| extension == "sh");
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(if script { 0o755 } else { 0o644 });
        header.set_size(content.len() as u64);
        header.set_mtime(0);
        archive.append_data(&mut header, path, *content)?;
    }
    archive.into_inner()
}

/// Whether an image with these labels was built from the recipe with this digest.
pub fn is_current(
    labels: Option<&std::collections::HashMap<String, String>>,
    expected_digest: &str,
) -> bool {
    labels.and_then(|labels| labels.get(DIGEST_LABEL)).is_some_and(|found| found == expected_digest)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, io::Read};

    use super::*;

    const RECIPE: ImageRecipe = ImageRecipe {
        name: "example",
        files: &[("Dockerfile", b"FROM scratch\n"), ("conf/entry.sh", b"#!/bin/sh\n")],
    };

    fn arguments(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_digest_changes_with_everything_that_changes_the_image() {
        let base = digest(&RECIPE, &arguments(&[("VERSION", "1")]));
        assert_eq!(base.len(), 64);
        let reordered = ImageRecipe {
            name: "other name",
            files: &[("conf/entry.sh", b"#!/bin/sh\n"), ("Dockerfile", b"FROM scratch\n")],
        };
        assert_eq!(digest(&reordered, &arguments(&[("VERSION", "1")])), base);

        let others = [
            (RECIPE.files, arguments(&[])),
            (RECIPE.files, arguments(&[("VERSION", "2")])),
            (RECIPE.files, arguments(&[("VERSIO", "N1")])),
            (&RECIPE.files[..1], arguments(&[("VERSION", "1")])),
            (
                &[("Dockerfile", b"FROM scratch\n"), ("conf/entry.s", b"h#!/bin/sh\n")],
                arguments(&[("VERSION", "1")]),
            ),
        ];
        for (files, arguments) in others {
            assert_ne!(digest(&ImageRecipe { name: "example", files }, &arguments), base);
        }
    }

    #[test]
    fn an_image_is_current_only_with_the_same_digest() {
        let labels = |value: &str| HashMap::from([(DIGEST_LABEL.to_owned(), value.to_owned())]);
        assert!(is_current(Some(&labels("a")), "a"));
        assert!(!is_current(Some(&labels("b")), "a"));
        assert!(!is_current(Some(&HashMap::new()), "a"));
        assert!(!is_current(None, "a"));
    }

    #[test]
    fn the_context_holds_the_files_and_makes_scripts_executable() {
        let bytes = build_context(&RECIPE).unwrap();
        assert_eq!(bytes, build_context(&RECIPE).unwrap());
        let mut archive = tar::Archive::new(&bytes[..]);
        let found: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let path = entry.path().unwrap().to_string_lossy().into_owned();
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                (path, entry.header().mode().unwrap(), content)
            })
            .collect();
        let expected = [
            ("Dockerfile".to_owned(), 0o644, b"FROM scratch\n".to_vec()),
            ("conf/entry.sh".to_owned(), 0o755, b"#!/bin/sh\n".to_vec()),
        ];
        assert_eq!(found, expected);
    }
}
