//! A server's bytes against one user.

use std::{sync::Arc, time::Duration};

use super::{feed, target};
use crate::backend::kafka::{
    codec::{compression::Compression, produce::ProducePrefix},
    native::{
        addresses::AddressBook,
        outcomes::Outcomes,
        producer::{FleetShared, Producer, Versions},
        settings::ProducerSettings,
    },
    outcome_list::OutcomeList,
};
use crate::{
    clock::Clock,
    stamp::Stamp,
    wire::{Closed, Protocol, TestSocket},
};

const MESSAGES: u64 = 3;
const BROKER: i32 = 1;

/// A user with messages that wait for its connection.
struct User {
    clock: Clock,
    producer: Producer,
    socket: TestSocket,
    outcomes: Outcomes,
}

impl User {
    fn new(flags: u8, versions: u8) -> Self {
        let (clock, target) = (Clock::start(), target(flags & 2 != 0));
        let is_idempotent = flags & 1 != 0;
        let settings = ProducerSettings {
            acks: if flags & 8 != 0 && !is_idempotent { 0 } else { -1 },
            idempotent: is_idempotent,
            linger: Duration::from_millis(if flags & 4 == 0 { 0 } else { 5 }),
            batch_bytes: 1_000_000,
            compression: if flags & 16 == 0 { Compression::None } else { Compression::Snappy },
            max_in_flight: if is_idempotent { 5 } else { 1_000 },
            message_timeout: Duration::from_mins(5),
            request_timeout: Duration::from_secs(30),
            socket_timeout: Duration::from_mins(1),
            max_message_bytes: 1_000,
            queue_bytes: 1 << 20,
        };
        let addresses = AddressBook::default();
        addresses.insert(BROKER, target.broker);
        let produce = 3 + i16::from(versions % 6);
        let shared = Arc::new(FleetShared {
            clock,
            versions: Versions { produce, metadata: 4 + i16::from(versions / 6 % 5) },
            prefixes: vec![ProducePrefix::new(produce, &target.topic, 0, settings.acks, 1_000)],
            target,
            settings,
            addresses,
        });
        let mut user = Self {
            clock,
            producer: Producer::new(shared, 0, BROKER),
            socket: TestSocket::with_room(usize::MAX / 2),
            outcomes: Outcomes::default(),
        };
        for tick in 0..MESSAGES {
            let stamp = Stamp::new(0, tick);
            let mut out = user.socket.output(clock);
            let sent = user.producer.send(1_700_000_000_000, stamp, &stamp.to_bytes(), &mut out);
            assert!(sent.is_ok(), "a message is not taken: {sent:?}");
        }
        user
    }

    fn open(&mut self) -> bool {
        let mut out = self.socket.output(self.clock);
        let now = self.clock.now();
        self.producer.opened(now, &mut out, &mut self.outcomes).is_ok()
    }

    fn receive(&mut self, input: &[u8]) -> Result<usize, String> {
        let mut out = self.socket.output(self.clock);
        let now = self.clock.now();
        let received = self.producer.received(now, input, &mut out, &mut self.outcomes);
        received.map(|consumed| consumed.bytes).map_err(|error| error.0)
    }

    /// Returns whether the user connects again.
    fn close(&mut self, reason: String) -> bool {
        let unwritten = self.socket.lose();
        let closed = Closed { reason, was_open: true, unwritten };
        self.producer.closed(self.clock.now(), closed, &mut self.outcomes).is_some()
    }

    fn tick(&mut self) -> Result<(), String> {
        let now = self.clock.now().after(Duration::from_millis(200));
        let mut out = self.socket.output(self.clock);
        self.producer.tick(now, &mut out, &mut self.outcomes).map_err(|error| error.0)
    }

    /// Ends the user; returns the outcome of each message.
    fn finish(mut self) -> Vec<&'static str> {
        self.producer.give_up(&mut self.outcomes);
        let list = OutcomeList::default();
        self.outcomes.report(&list, |_| {});
        assert_eq!(list.len() as u64, MESSAGES, "messages without an outcome: {list:?}");
        list.single()
    }
}

/// Runs the whole connection in pieces of `piece` bytes; returns the outcomes.
fn run(flags: u8, versions: u8, server: &[u8], piece: usize) -> Vec<&'static str> {
    let mut user = User::new(flags, versions);
    if user.open() {
        let mut lost = None;
        feed(server, piece, |input| match user.receive(input) {
            Ok(consumed) => Some(consumed),
            Err(reason) => {
                lost = Some(reason);
                None
            }
        });
        if let Some(reason) = lost {
            user.close(reason);
        }
    }
    user.finish()
}

/// Checks that each message of a user has exactly one outcome whatever the server sends, that the outcomes do not
/// depend on how its bytes are split, and that a connection that is lost and opened again changes neither.
///
/// # Panics
/// Where one of these is not so.
pub fn producer_answers(input: &[u8]) {
    let [flags, versions, piece, server @ ..] = input else { return };
    let whole = run(*flags, *versions, server, server.len());
    let split = run(*flags, *versions, server, usize::from(*piece));
    assert_eq!(whole, split, "the outcomes depend on how the answers are split");

    let mut user = User::new(*flags, *versions);
    if !user.open() {
        return;
    }
    for read in server.chunks(usize::from(*piece).max(16)) {
        let result = user.receive(read).map(|_| ()).and_then(|()| user.tick());
        if let Err(reason) = result
            && !(user.close(reason) && user.open())
        {
            break;
        }
    }
    user.finish();
}
