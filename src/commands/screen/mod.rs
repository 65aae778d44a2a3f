//! The screen as a subcommand, and the runs that it starts, in this process or in detached ones.
//!
//! | file | content |
//! |---|---|
//! | [`mod@open`] | preferences, and the screen itself |
//! | [`mod@attach`] | the screen of a detached run |
//! | [`controller`], [`detached`] | runs in this process, and runs in separate processes |
//! | [`first_start`] | whether the tour is shown |
//! | [`form`] | profiles and backends as the form shows and changes them |
//! | [`record_service`] | access to records and profiles on disk, and to the hub |
//! | [`results`] | results of finished runs, and their reports |

mod attach;
mod controller;
mod detached;
mod first_start;
mod form;
mod open;
mod record_service;
mod results;

pub use attach::attach;
pub use detached::runner::execute as execute_detached;
pub use open::open;
