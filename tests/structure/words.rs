//! Plain technical English in comments, texts and documents: a list of shunned words, with the places where one is
//! meant as it stands in the dictionary.

use std::{fs, path::Path};

use crate::sources::rust_files;

/// Words that hide who does what, and what to write instead.
const SHUNNED: &[(&str, &str)] = &[
    ("nobody", "no client, no process: name who does not"),
    ("somebody", "name who"),
    ("anybody", "name who"),
    ("everybody", "name who"),
    ("whoever", "name who"),
    ("whom", "name who"),
    ("told", "sent, reported, logged"),
    ("gone", "removed, ended, missing"),
    ("stands", "is"),
    ("comes to", "is, equals"),
    ("come to", "are, equal"),
    ("that is none", "invalid"),
    ("wish", "command, request"),
    ("curtain", "end of the load"),
    ("nursery", "spawner"),
    ("obituary", "exit report"),
    ("liar", "fault injector"),
];

/// Uses that are meant: the file's end of path, and a part of the line.
const EXCEPTIONS: &[(&str, &str)] = &[("tests/structure/words.rs", "")];

/// Words of `line` in lower case, separated by single spaces, with a space at both ends.
fn spaced(line: &str) -> String {
    let words: Vec<_> =
        line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    format!(" {} ", words.join(" ").to_lowercase())
}

fn shunned(line: &str) -> Option<&'static (&'static str, &'static str)> {
    let spaced = spaced(line);
    SHUNNED.iter().find(|(word, _)| spaced.contains(&format!(" {word} ")))
}

#[test]
fn comments_texts_and_documents_avoid_shunned_words() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = ["src", "tests", "benches"]
        .iter()
        .flat_map(|folder| rust_files(&root.join(folder)))
        .collect();
    files.extend(["README.md", "CONTRIBUTING.md", "tests/README.md"].map(|name| root.join(name)));
    let mut found = Vec::new();
    for file in files {
        let name = file.strip_prefix(root).unwrap().display().to_string();
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            let meant =
                EXCEPTIONS.iter().any(|(path, part)| name.ends_with(path) && line.contains(part));
            if let Some((word, instead)) = shunned(line).filter(|_| !meant) {
                found.push(format!("{name}:{}: {word:?} ({instead}): {}", number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{} shunned words:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_shunned_word_is_found_whole_and_in_any_case() {
    assert!(shunned("/// Nobody knows.").is_some());
    assert!(shunned("    // what it comes to: 3").is_some());
    assert!(shunned("/// A nobodyish wishlist").is_none());
}
