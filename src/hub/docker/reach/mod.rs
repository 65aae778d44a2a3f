//! Connections to a Docker engine.
//!
//! - [`contexts`] selects the engine; [`known_engines`] lists those that can be chosen.
//! - [`connect`] parses addresses and opens connections, over a local socket, [`tls`] or [`ssh`].
//! - [`host_name`] splits and resolves host names.
//! - [`transport`] carries the API calls over TLS and SSH.

pub mod connect;
pub mod contexts;
pub mod host_name;
pub mod known_engines;
pub mod ssh;
pub mod tls;
pub mod transport;
