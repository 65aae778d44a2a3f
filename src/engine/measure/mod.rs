//! Measurement of a repetition, from single messages to the readings of each second.
//!
//! [`message_sink`] verifies each arrival; [`recorder`] records histograms and the [`ledger`];
//! [`timeline`] assigns outcomes to seconds, [`standstill`] finds times without any; [`recovery`] times the
//! first messages after a fault. [`sampler`] reads the servers' resources, [`host_monitor`] and
//! [`host_series`] the hub's host, [`generator`] this process, [`client_watch`] its hot threads,
//! [`retransmissions`] its connections that send segments again;
//! [`observer`] combines them into snapshots. [`self_test`] measures, before a run, what this machine's
//! timer and loopback can do.

pub mod client_watch;
pub mod generator;
pub mod host_monitor;
pub mod host_series;
pub mod ledger;
pub mod message_sink;
pub mod notes;
pub mod observer;
pub mod recorder;
pub mod recovery;
pub mod retransmissions;
pub mod sampler;
pub mod self_test;
pub mod standstill;
pub mod timeline;
