//! A server's bytes against the connection of a consumer.

use std::{sync::Arc, time::Duration};

use super::{feed, target};
use crate::backend::kafka::{
    codec::fetch::FetchLimits,
    native::{
        fetcher::{Arrivals, FetchShared, Fetcher},
        settings::ConsumerSettings,
    },
};
use crate::{
    backend::MessageSink,
    clock::{Clock, Micros},
    stamp::Stamp,
    wire::{Closed, Protocol, TestSocket},
};

/// Arrivals: a checksum of all of them in their order, and their number.
#[derive(Debug, Default, PartialEq, Eq)]
struct Summary {
    arrived: u64,
    foreign: u64,
    checksum: u32,
}

impl MessageSink for Summary {
    fn arrived(&mut self, _: Micros, stamp: Stamp, payload: &[u8]) {
        self.arrived += 1;
        self.checksum = crc32c::crc32c_append(self.checksum, &stamp.to_bytes());
        self.checksum = crc32c::crc32c_append(self.checksum, payload);
    }

    fn foreign(&mut self) {
        self.foreign += 1;
    }

    fn flush(&mut self) {}

    fn is_stopped(&self) -> bool {
        false
    }
}

/// What a connection has read: arrivals, partitions with their next offsets, whether it goes on.
type Read = (Summary, Vec<(i32, i64)>, bool);

fn run(flags: u8, version: u8, server: &[u8], piece: usize) -> Read {
    let clock = Clock::start();
    let target = target(flags & 1 != 0);
    let address = target.broker;
    let limits = FetchLimits {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 1 << 20,
        partition_bytes: 1 << 20,
    };
    let settings = ConsumerSettings {
        limits,
        check_crcs: flags & 2 != 0,
        socket_timeout: Duration::from_mins(1),
    };
    let version = 4 + i16::from(version % 8);
    let shared = Arc::new(FetchShared { target, settings, version });
    let mut fetcher = Fetcher::new(shared, address, vec![(0, 0), (1, 5)], true);
    let mut socket = TestSocket::with_room(usize::MAX / 2);
    let mut summary = Summary::default();
    let mut arrivals = Arrivals { sink: &mut summary, unflushed: 0 };
    let now = Micros(0);
    let mut is_lost = fetcher.opened(now, &mut socket.output(clock), &mut arrivals).is_err();
    if !is_lost {
        feed(server, piece, |input| {
            let received = fetcher.received(now, input, &mut socket.output(clock), &mut arrivals);
            is_lost = received.is_err();
            received.ok().map(|consumed| consumed.bytes)
        });
    }
    let partitions = fetcher.partitions().to_vec();
    let closed = Closed { reason: "lost".into(), was_open: true, unwritten: socket.lose() };
    let goes_on = fetcher.closed(now, closed, &mut arrivals).is_some();
    assert!(fetcher.take_trouble().is_some(), "a lost connection is not reported");
    (summary, partitions, goes_on && !is_lost)
}

/// Checks that what arrives does not depend on how a server's bytes are split, and that a lost connection is
/// reported whatever came before it.
///
/// # Panics
/// Where one of these is not so.
pub fn consumer_answers(input: &[u8]) {
    let [flags, version, piece, server @ ..] = input else { return };
    let whole = run(*flags, *version, server, server.len());
    let split = run(*flags, *version, server, usize::from(*piece));
    assert_eq!(whole, split, "what arrives depends on how the answers are split");
}
