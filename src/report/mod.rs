//! Results for people and programs, from records alone.
//!
//! [`cells`] are the records' points with the repetitions that count, [`metric`] what can be asked
//! of a repetition. From them come the [`figures`] as plain values (drawn by [`svg`]), what differs
//! ([`versus`], [`findings`]) and the [`answer`] in sentences. [`folder`] writes all of it, with one
//! HTML [`page`]; [`text`] is the summary at the end of a run, [`compare`] holds two records
//! against each other.

pub mod answer;
pub mod capacity;
pub mod cells;
pub mod compare;
pub mod csv;
pub mod figures;
pub mod findings;
pub mod folder;
pub mod footprint;
pub mod limit;
pub mod metric;
pub mod page;
pub mod provenance;
pub mod svg;
pub mod text;
pub mod versus;

mod html;
