//! Backends: the systems under test, behind a small interface.
//!
//! A [`Backend`] specifies the servers it needs and opens a [`Session`] on them once they answer by
//! protocol. A session gives the engine a [`Fleet`] (all users' producers in one object, whose
//! `send` never blocks) and a [`Consumer`] (which runs on a separate thread). Both report to the
//! engine through [`SendOutcomes`] and [`MessageSink`], with the time at which the client received
//! an event; they do not depend on the engine's ledger and histograms.
//!
//! | file | content |
//! |---|---|
//! | `interface` | traits and data between a backend and the engine |
//! | `error` | errors between this program and a server |
//! | `registry` | all backends, by name |
//! | `external` | code shared by backends for external servers |
//! | `setting_value` | values of settings as they are given and as servers report them |
//!
//! A new backend is one folder here, one image recipe under `assets/images/`, and one line in
//! [`registry()`].

mod error;
mod external;
#[cfg(test)]
mod fixture;
mod interface;
pub mod kafka;
pub mod mariadb;
mod registry;
mod setting_value;

pub use crate::profile::catalogue::{BackendInfo, SettingKey, SettingKind};
pub use error::BackendError;
pub use interface::{
    Backend, Batching, ClientNeeds, Consumer, Fleet, Handover, MessageSink, RepetitionContext,
    SendError, SendOutcomes, SendReceipt, ServerFacts, Session,
};
pub use registry::{catalogue, find, own_image, registry};
