//! No two source files depend on each other, not even over others.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::sources::{ItemPath, Source, sources};

/// Depth at which a chain of re-exports is given up.
const MAX_REEXPORTS: usize = 8;

/// Which file uses which, by their numbers, with the names that tie them.
type Graph = BTreeMap<usize, BTreeMap<usize, BTreeSet<String>>>;

struct Crate<'a> {
    sources: &'a [Source],
    files: HashMap<&'a [String], usize>,
}

impl<'a> Crate<'a> {
    fn new(sources: &'a [Source]) -> Self {
        let files = sources
            .iter()
            .enumerate()
            .map(|(number, source)| (&source.module[..], number))
            .collect();
        Self { sources, files }
    }

    /// The file that defines the item at `path`, with re-exports followed.
    fn file_of(&self, path: &[String], depth: usize) -> Option<usize> {
        let length =
            (0..=path.len()).rev().find(|&length| self.files.contains_key(&path[..length]))?;
        let file = self.files[&path[..length]];
        let Some(name) = path.get(length) else { return Some(file) };
        let import = self.sources[file].imports.iter().find(|import| import.name == *name);
        match import {
            Some(import) if depth < MAX_REEXPORTS => {
                let target: ItemPath =
                    import.path.iter().chain(&path[length + 1..]).cloned().collect();
                self.file_of(&target, depth + 1)
            }
            _ => Some(file),
        }
    }

    fn graph(&self) -> Graph {
        let mut graph = Graph::new();
        for (file, source) in self.sources.iter().enumerate() {
            // A re-export alone hands a name on; it is a use only where the file's own code uses the name, too.
            let is_used = |name: &String| {
                let known = if name.starts_with(char::is_uppercase) {
                    &source.identifiers
                } else {
                    &source.calls
                };
                known.contains(name)
            };
            let own = source
                .imports
                .iter()
                .filter(|import| !import.is_reexport || is_used(&import.name))
                .map(|import| &import.path);
            for path in own.chain(&source.paths) {
                if let Some(used) = self.file_of(path, 0).filter(|used| *used != file) {
                    let name = path.last().cloned().unwrap_or_default();
                    graph.entry(file).or_default().entry(used).or_default().insert(name);
                }
            }
        }
        graph
    }
}

/// Files that are reached from `start`.
fn reached(graph: &Graph, start: usize) -> BTreeSet<usize> {
    let (mut found, mut open) = (BTreeSet::new(), vec![start]);
    while let Some(file) = open.pop() {
        for next in graph.get(&file).into_iter().flat_map(BTreeMap::keys) {
            if found.insert(*next) {
                open.push(*next);
            }
        }
    }
    found
}

/// Every use that is part of a cycle, in words.
fn cycles(sources: &[Source]) -> Vec<String> {
    let graph = Crate::new(sources).graph();
    let reach: BTreeMap<usize, BTreeSet<usize>> =
        graph.keys().map(|&file| (file, reached(&graph, file))).collect();
    let mut wrong = Vec::new();
    for (&file, uses) in &graph {
        for (&used, names) in uses {
            if reach.get(&used).is_some_and(|back| back.contains(&file)) {
                let [a, b] = [file, used].map(|number| sources[number].path.display());
                wrong.push(format!("{a} -> {b}: {names:?}"));
            }
        }
    }
    wrong
}

#[test]
fn files_do_not_depend_on_each_other_in_cycles() {
    let wrong = cycles(sources());
    assert!(wrong.is_empty(), "move what is shared below both:\n{}", wrong.join("\n"));
}

#[test]
fn a_cycle_over_a_reexport_is_found() {
    let import = |name: &str, path: &[&str], is_reexport| crate::sources::Import {
        name: name.to_owned(),
        path: path.iter().map(|&name| name.to_owned()).collect(),
        is_reexport,
    };
    let source = |path: &str, module: &[&str], imports| Source {
        path: path.into(),
        module: module.iter().map(|&name| name.to_owned()).collect(),
        imports,
        paths: Vec::new(),
        identifiers: Vec::new(),
        calls: Vec::new(),
        code: String::new(),
    };
    let root = source("lib.rs", &[], Vec::new());
    let parent = source("a/mod.rs", &["a"], vec![import("B", &["a", "b", "B"], true)]);
    let b = source("a/b.rs", &["a", "b"], vec![import("C", &["c", "C"], false)]);
    let c = source("c.rs", &["c"], vec![import("B", &["a", "B"], false)]);
    let found = cycles(&[root, parent, b, c]);
    assert_eq!(found, ["a/b.rs -> c.rs: {\"C\"}", "c.rs -> a/b.rs: {\"B\"}"]);
}
