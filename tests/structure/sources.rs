//! Source files of the crate, parsed, without what is compiled for tests only.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item, ItemUse, UseTree};

/// Path of an item or module from the crate's root, one name an element.
pub type ItemPath = Vec<String>;

/// A parsed source file.
pub struct Source {
    /// Path below `src`.
    pub path: PathBuf,
    /// Module that the file defines; empty for the crate's root.
    pub module: ItemPath,
    /// Imports and re-exports.
    pub imports: Vec<Import>,
    /// Paths written out in the code, outside imports: `crate::a::b`, `super::c`.
    pub paths: Vec<ItemPath>,
    /// Every identifier of the code, outside imports.
    pub identifiers: Vec<String>,
    /// Functions and macros called by their bare names.
    pub calls: Vec<String>,
    /// Words of string literals and macro names are part of this text; comments are not.
    pub code: String,
}

/// A name that a file imports from this crate.
pub struct Import {
    /// Name in the importing file.
    pub name: String,
    /// Path of what is imported.
    pub path: ItemPath,
    /// Whether the file makes the name visible to others.
    pub is_reexport: bool,
}

impl Source {
    /// First module of the path: the layer that the file belongs to.
    pub fn layer(&self) -> String {
        let first = self.path.components().next().unwrap();
        Path::new(first.as_os_str()).file_stem().unwrap().to_str().unwrap().to_owned()
    }
}

/// Folder of the crate's source files.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All source files except those compiled for tests only, parsed once for all tests.
pub fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(parse_all);
    &SOURCES
}

fn parse_all() -> Vec<Source> {
    let root = root();
    let mut files = rust_files(&root);
    let all = files.len();
    files.retain(|path| !is_test_only(path.strip_prefix(&root).unwrap()));
    assert!(files.len() > 100 && all - files.len() < all / 4, "the source files were found");
    files.iter().map(|path| parse(&root, path)).collect()
}

/// All Rust files below `folder`.
pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Whether the parent module declares the file under `#[cfg(test)]`.
fn is_test_only(path: &Path) -> bool {
    path.components().any(|part| {
        let name = Path::new(part.as_os_str()).file_stem().unwrap();
        ["tests", "fixture", "fake_engine"].iter().any(|test| name == *test)
    })
}

fn parse(root: &Path, path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap();
    let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let path = path.strip_prefix(root).unwrap().to_owned();
    let module = module_of(&path);
    Source::of(path, module, &file.items)
}

/// Module that a file defines.
fn module_of(path: &Path) -> ItemPath {
    let mut module: ItemPath = path
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_str().unwrap().to_owned())
        .collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    module
}

impl Source {
    /// Reads what the `items` of a file import, name and call.
    fn of(path: PathBuf, module: ItemPath, items: &[Item]) -> Self {
        let mut source = Self {
            path,
            module,
            imports: Vec::new(),
            paths: Vec::new(),
            identifiers: Vec::new(),
            calls: Vec::new(),
            code: String::new(),
        };
        let module = source.module.clone();
        source.add_items(items, &module);
        source
    }

    fn add_items(&mut self, items: &[Item], module: &[String]) {
        for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
            match item {
                Item::Use(import) => self.add_imports(import, module),
                Item::Mod(inline) if inline.content.is_some() => {
                    let inner: ItemPath =
                        module.iter().cloned().chain([inline.ident.to_string()]).collect();
                    let (_, items) = inline.content.as_ref().unwrap();
                    self.add_items(items, &inner);
                }
                item => {
                    let tokens = without_docs(item.to_token_stream());
                    self.code.push_str(&tokens.to_string());
                    self.code.push('\n');
                    self.add_tokens(tokens, module);
                }
            }
        }
    }

    fn add_imports(&mut self, import: &ItemUse, module: &[String]) {
        self.code.push_str(&import.to_token_stream().to_string());
        self.code.push('\n');
        let is_reexport = !matches!(import.vis, syn::Visibility::Inherited);
        let mut found = Vec::new();
        leaves(&import.tree, Vec::new(), &mut found);
        for (name, path) in found {
            // A bare first name is an external crate or a child module; only the latter is a file here.
            if let Some(path) = absolute(&path, module).or_else(|| child(&path, module)) {
                self.imports.push(Import { name, path, is_reexport });
            }
        }
    }

    /// Collects identifiers and written-out paths, inside macro calls and function bodies, too.
    fn add_tokens(&mut self, tokens: TokenStream, module: &[String]) {
        let mut path: ItemPath = Vec::new();
        let mut colons = 0;
        let tokens: Vec<_> = tokens.into_iter().collect();
        self.calls.extend(bare_calls(&tokens));
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.end_path(&mut path, module);
                    }
                    self.identifiers.push(name.to_string());
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' && !path.is_empty() => colons += 1,
                TokenTree::Group(group) => {
                    self.end_path(&mut path, module);
                    self.add_tokens(group.stream(), module);
                    colons = 0;
                }
                _ => {
                    self.end_path(&mut path, module);
                    colons = 0;
                }
            }
        }
        self.end_path(&mut path, module);
    }

    fn end_path(&mut self, path: &mut ItemPath, module: &[String]) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.paths.extend(absolute(&path, module));
        }
    }
}

/// Names that are called without a path before them.
fn bare_calls(tokens: &[TokenTree]) -> Vec<String> {
    let is_call = |at: usize| {
        let follows = matches!(tokens.get(at + 1), Some(TokenTree::Group(group))
            if group.delimiter() == Delimiter::Parenthesis);
        let belongs_to_another = at.checked_sub(1).is_some_and(|before| match &tokens[before] {
            TokenTree::Punct(mark) => matches!(mark.as_char(), '.' | ':'),
            TokenTree::Ident(name) => name == "fn",
            _ => false,
        });
        follows && !belongs_to_another
    };
    let names = tokens.iter().enumerate().filter_map(|(at, token)| match token {
        TokenTree::Ident(name) if is_call(at) => Some(name.to_string()),
        _ => None,
    });
    names.collect()
}

/// Path from the crate's root, where `path` begins with `crate`, `self` or `super`.
fn absolute(path: &[String], module: &[String]) -> Option<ItemPath> {
    let mut base = module.to_vec();
    let mut rest = path;
    match rest.first()?.as_str() {
        "crate" => return Some(rest[1..].to_vec()),
        "self" | "super" => {}
        _ => return None,
    }
    while let Some(first) = rest.first().filter(|first| matches!(first.as_str(), "self" | "super"))
    {
        if first == "super" {
            base.pop();
        }
        rest = &rest[1..];
    }
    base.extend_from_slice(rest);
    Some(base)
}

/// Path from the crate's root, where `path` begins with a child module of `module`.
fn child(path: &[String], module: &[String]) -> Option<ItemPath> {
    let folder: PathBuf = root().join(module.iter().collect::<PathBuf>());
    let name = path.first()?;
    let exists =
        folder.join(name).join("mod.rs").exists() || folder.join(format!("{name}.rs")).exists();
    exists.then(|| module.iter().chain(path).cloned().collect())
}

/// Names that a use tree imports, with their paths; a glob has the name `*`.
fn leaves(tree: &UseTree, mut prefix: ItemPath, found: &mut Vec<(String, ItemPath)>) {
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            leaves(&path.tree, prefix, found);
        }
        UseTree::Group(group) => {
            group.items.iter().for_each(|item| leaves(item, prefix.clone(), found));
        }
        UseTree::Glob(_) => found.push(("*".to_owned(), prefix)),
        UseTree::Name(name) if name.ident == "self" => {
            found.push((prefix.last().unwrap().clone(), prefix));
        }
        UseTree::Name(name) => {
            prefix.push(name.ident.to_string());
            found.push((name.ident.to_string(), prefix));
        }
        UseTree::Rename(rename) => {
            if rename.ident != "self" {
                prefix.push(rename.ident.to_string());
            }
            found.push((rename.rename.to_string(), prefix));
        }
    }
}

/// `tokens` without doc comments, which the parser turns into attributes.
fn without_docs(tokens: TokenStream) -> TokenStream {
    let mut kept: Vec<TokenTree> = Vec::new();
    for token in tokens {
        let is_doc = matches!(&token, TokenTree::Group(group)
            if group.delimiter() == Delimiter::Bracket && group.stream().to_string().starts_with("doc ="));
        let after_hash =
            matches!(kept.last(), Some(TokenTree::Punct(mark)) if mark.as_char() == '#');
        match token {
            _ if is_doc && after_hash => {
                kept.pop();
            }
            TokenTree::Group(group) => {
                kept.push(Group::new(group.delimiter(), without_docs(group.stream())).into());
            }
            token => kept.push(token),
        }
    }
    kept.into_iter().collect()
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.to_token_stream().to_string().contains("(test)")
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[test]
fn paths_are_read_from_imports_code_and_macros() {
    let file = syn::parse_file(
        "use crate::{a::{B, c::{self, *}}, d as e};\npub use super::f;\n\
         fn g() { println!(\"{}\", crate::h::i()); }\n/// Seen by crate::k.\nstruct J;\n#[cfg(test)]\nmod tests { use crate::unseen; }",
    )
    .unwrap();
    let module = vec!["x".to_owned(), "y".to_owned()];
    let source = Source::of(PathBuf::from("x/y.rs"), module, &file.items);
    let imports: Vec<_> = source
        .imports
        .iter()
        .map(|import| {
            format!(
                "{}={}{}",
                import.name,
                import.path.join("."),
                if import.is_reexport { "!" } else { "" }
            )
        })
        .collect();
    assert_eq!(imports, ["B=a.B", "c=a.c", "*=a.c", "e=d", "f=x.f!"]);
    assert_eq!(source.paths, [["h", "i"]]);
    assert!(
        source.identifiers.iter().any(|name| name == "println")
            && !source.code.contains("unseen")
            && !source.code.contains("Seen")
    );
}
