//! Nouns after numbers: a text must not say `1 users`. The functions `count_noun` and `plural` of
//! `src/format.rs` choose the noun's number.

use crate::sources::sources;

/// Nouns that are counted in texts.
const NOUNS: &[&str] = &[
    "users",
    "messages",
    "repetitions",
    "points",
    "candidates",
    "records",
    "backends",
    "containers",
    "images",
    "samples",
    "faults",
    "tries",
];

/// Numbers that are never 1: the file's end of path, and a part of the text.
const NEVER_ONE: &[(&str, &str)] = &[
    ("stats/rate.rs", "{MIN_RATE_COUNT} messages"),
    ("model/setup/field/text.rs", "{messages} messages"),
    ("profile/read/mod.rs", "{} repetitions are possible"),
    ("profile/read/mod.rs", "{} points and"),
    ("profile/read/faults.rs", "{} faults are too many"),
    ("engine/error.rs", "{count} repetitions failed one after the other"),
    ("report/text.rs", "{most} repetitions"),
    ("figures/sweep.rs", "{text} users"),
    ("figures/sweep.rs", "{least} repetitions per point"),
    ("figures/sweep.rs", "{most} repetitions per point"),
];

/// Parts of `code` in which a plural follows a placeholder: `{count} users`.
fn plurals_after_placeholders(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("} ") {
        let rest = &code[at + 2..];
        let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let is_plural = NOUNS.contains(&&rest[..end]);
        // Only in a text: a placeholder is short and has no spaces.
        let placeholder = code[..at].rfind('{').filter(|&open| {
            let inner = &code[open + 1..at];
            inner.len() < 40 && !inner.contains([' ', '\n', '"'])
        });
        if let Some(open) = placeholder.filter(|_| is_plural) {
            let more = rest.char_indices().nth(end + 30).map_or(rest.len(), |(at, _)| at);
            found.push(&code[open..at + 2 + more]);
        }
    }
    found
}

#[test]
fn a_number_in_a_text_chooses_its_noun() {
    let mut wrong = Vec::new();
    for source in sources() {
        let path = source.path.display().to_string();
        for text in plurals_after_placeholders(&source.code) {
            let meant =
                |(file, part): &&(&str, &str)| path.ends_with(file) && text.starts_with(part);
            if !NEVER_ONE.iter().any(|exception| meant(&exception)) {
                wrong.push(format!("{path}: {text}"));
            }
        }
    }
    assert!(wrong.is_empty(), "use count_noun or plural of src/format.rs:\n{}", wrong.join("\n"));
}

#[test]
fn a_plural_after_a_placeholder_is_found() {
    let found = |code| !plurals_after_placeholders(code).is_empty();
    assert!(found("format!(\"{} users of {}\")") && found("\"at {count:.0} messages\""));
    assert!(!found("match x { a => b } users") && !found("\"{} userships\""));
    assert!(!found("count_noun(users, \"user\")"));
}
