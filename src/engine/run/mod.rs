//! A run from its first check to its saved record.
//!
//! [`start`] checks a plan ([`settings`]) and begins or resumes a record ([`resume`]); [`runner`] executes the steps that
//! [`strategy`] decides on; [`repetition`] executes one step on clean servers, with [`load_phase`] as its
//! measured part, and [`stored`] for its count of stored messages; [`results`] adds the results to the record; [`record_writer`] saves the record after
//! every repetition. [`cooldown`] waits until the hub is cool; [`external_probe`] checks servers that
//! hubmark did not start; [`cautions`] lists doubts about a capacity; [`footprint`] measures cold starts, idle use and recovery of a backend;
//! [`provenance`] collects the facts of the servers; [`time_left`] estimates the end of the run.

pub mod cautions;
pub mod cooldown;
pub mod external_probe;
pub mod footprint;
pub mod load_phase;
pub mod provenance;
pub mod record_writer;
pub mod repetition;
pub mod resolve;
pub mod results;
pub mod resume;
pub mod runner;
pub mod settings;
pub mod start;
pub mod stored;
pub mod strategy;
pub mod time_left;
