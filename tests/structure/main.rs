//! Rules of the source code itself, read from the files: layers, cycles of imports, shunned words, nouns after
//! numbers, text on the screen. Links nothing of the crate.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

mod cycles;
mod layers;
mod plurals;
mod screen_text;
mod sources;
mod words;
