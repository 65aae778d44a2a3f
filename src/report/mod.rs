//! Results for people and programs, from a record alone.

pub mod csv;
pub mod text;
