//! Reports and comparisons, computed from records alone.
//!
//! [`cells`] groups the counted repetitions of each point, [`metric`] names the values of a repetition.
//! From them are built the [`figures`] as plain values (drawn by [`svg`]), the differences
//! ([`series_comparison`], [`findings`]) and the [`conclusions`] in sentences. [`folder`] writes a whole
//! report with one HTML [`page`], [`text`] writes the summary at the end of a run, and [`compare`]
//! compares two records or two backends.

pub mod capacity;
pub mod cells;
pub mod compare;
pub mod conclusions;
pub mod csv;
pub mod difference_limit;
pub mod figures;
pub mod findings;
pub mod folder;
pub mod footprint;
mod hub_writes;
pub mod metric;
pub mod page;
pub mod provenance;
pub mod series_comparison;
pub mod svg;
pub mod text;

mod client;
mod standstills;
mod verdicts;
mod wrapping;
