//! One user without a socket: whatever the broker answers, and whenever the connection is lost, each message has
//! exactly one outcome.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;

use super::{FleetShared, Producer, Versions};
use crate::backend::kafka::native::{
    addresses::AddressBook, outcomes::Outcomes, settings::ProducerSettings,
};
use crate::{
    backend::{
        Handover, SendError,
        kafka::{
            codec::{compression::Compression, produce::ProducePrefix},
            outcome_list::OutcomeList,
            target::KafkaTarget,
        },
    },
    clock::{Clock, Micros},
    stamp::Stamp,
    wire::{Closed, Protocol, TestSocket},
};

const SETTINGS: ProducerSettings = ProducerSettings {
    acks: -1,
    idempotent: false,
    linger: Duration::ZERO,
    batch_bytes: 1_000_000,
    compression: Compression::None,
    max_in_flight: 1_000,
    message_timeout: Duration::from_mins(5),
    request_timeout: Duration::from_secs(30),
    socket_timeout: Duration::from_mins(1),
    max_message_bytes: 1_000,
    queue_bytes: 1 << 20,
};
const BROKER: i32 = 1;
const NOT_LEADER: i16 = 6;
const TOO_LARGE: i16 = 10;
const TIMED_OUT: i16 = 7;

/// A user, its socket, and a broker that answers as the test wants.
struct Bench {
    clock: Clock,
    user: Producer,
    socket: TestSocket,
    outcomes: Outcomes,
    list: OutcomeList,
    sent: u64,
}

impl Bench {
    fn new(settings: ProducerSettings) -> Self {
        let clock = Clock::start();
        let address = ([127, 0, 0, 1], 9_092).into();
        let addresses = AddressBook::default();
        addresses.insert(BROKER, address);
        let shared = Arc::new(FleetShared {
            clock,
            target: KafkaTarget::new("kafka", address),
            versions: Versions { produce: 7, metadata: 8 },
            prefixes: vec![ProducePrefix::new(7, "hubmark", 0, settings.acks, 1_000)],
            settings,
            addresses,
        });
        Self {
            clock,
            user: Producer::new(shared, 0, BROKER),
            socket: TestSocket::with_room(usize::MAX / 2),
            outcomes: Outcomes::default(),
            list: OutcomeList::default(),
            sent: 0,
        }
    }

    /// Connects the user, and tells it that the broker leads the partition.
    fn connect(&mut self) {
        let now = self.clock.now();
        let mut out = self.socket.output(self.clock);
        self.user.opened(now, &mut out, &mut self.outcomes).unwrap();
        let asked = self.requests();
        let (number, _) = *asked.last().unwrap();
        self.receive(&metadata(number, BROKER));
        assert!(self.user.is_ready());
    }

    fn send(&mut self) -> Result<Handover, SendError> {
        self.sent += 1;
        let stamp = Stamp::new(0, self.sent);
        let message = [&stamp.to_bytes()[..], &[7; 20]].concat();
        let mut out = self.socket.output(self.clock);
        self.user.send(1_700_000_000_000, stamp, &message, &mut out)
    }

    /// Numbers and kinds of the requests that the socket has taken completely since the last call.
    fn requests(&mut self) -> Vec<(i32, i16)> {
        let written = self.socket.take_written();
        let (mut rest, mut found) = (&written[..], Vec::new());
        while let Some((length, behind)) = rest.split_first_chunk::<4>()
            && let Some((frame, next)) =
                behind.split_at_checked(u32::from_be_bytes(*length) as usize)
        {
            let kind = i16::from_be_bytes(*frame.first_chunk().unwrap());
            found.push((i32::from_be_bytes(*frame[4..].first_chunk().unwrap()), kind));
            rest = next;
        }
        self.socket.put_back(rest);
        found
    }

    fn receive(&mut self, bytes: &[u8]) {
        let now = self.clock.now();
        let mut out = self.socket.output(self.clock);
        let consumed = self.user.received(now, bytes, &mut out, &mut self.outcomes).unwrap();
        assert_eq!(consumed.bytes, bytes.len());
    }

    fn lose(&mut self) {
        let unwritten = self.socket.lose();
        let closed = Closed { reason: "reset".into(), was_open: true, unwritten };
        let next = self.user.closed(self.clock.now(), closed, &mut self.outcomes);
        assert!(next.is_some(), "it is connected again");
    }

    fn tick(&mut self, after: Duration) {
        let now = self.clock.now().after(after);
        let mut out = self.socket.output(self.clock);
        self.user.tick(now, &mut out, &mut self.outcomes).unwrap();
    }

    /// Outcomes of all messages; each has one.
    #[track_caller]
    fn outcomes(&mut self) -> Vec<&'static str> {
        self.outcomes.report(&self.list, |_| {});
        self.list.single()
    }
}

fn frame(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], body].concat()
}

fn string(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
}

/// An answer to a write, version 7.
fn produced(number: i32, error: i16) -> Vec<u8> {
    let partition = [&0_i32.to_be_bytes()[..], &error.to_be_bytes(), &[0; 24]].concat();
    let topics =
        [&1_i32.to_be_bytes()[..], &string("hubmark"), &1_i32.to_be_bytes(), &partition].concat();
    frame(&[&number.to_be_bytes()[..], &topics, &[0; 4]].concat())
}

/// An answer that names the leader of the one partition, version 8.
fn metadata(number: i32, leader: i32) -> Vec<u8> {
    let brokers: Vec<u8> = [1_i32, 2]
        .iter()
        .flat_map(|id| {
            let port = 9_091 + id;
            [&id.to_be_bytes()[..], &string("127.0.0.1"), &port.to_be_bytes(), &[0xff; 2]].concat()
        })
        .collect();
    let partition =
        [&[0; 2][..], &[0; 4], &leader.to_be_bytes(), &[0; 4], &[0; 4], &[0; 4], &[0; 4]].concat();
    let topic = [
        &1_i32.to_be_bytes()[..],
        &[0; 2],
        &string("hubmark"),
        &[0],
        &1_i32.to_be_bytes(),
        &partition,
        &[0; 4],
    ]
    .concat();
    let head = [&number.to_be_bytes()[..], &[0; 4], &2_i32.to_be_bytes()].concat();
    frame(&[&head[..], &brokers, &[0xff; 2], &1_i32.to_be_bytes(), &topic, &[0; 4]].concat())
}

#[test]
fn an_answer_decides_what_became_of_a_message() {
    let mut bench = Bench::new(SETTINGS);
    bench.connect();
    for error in [0, TOO_LARGE, TIMED_OUT] {
        assert!(matches!(bench.send(), Ok(Handover::Written(_))));
        let (number, _) = bench.requests()[0];
        bench.receive(&produced(number, error));
    }
    assert_eq!(bench.outcomes(), ["acked", "refused", "unknown"]);
}

#[test]
fn a_partition_that_has_moved_is_followed_and_its_message_sent_again() {
    let mut bench = Bench::new(SETTINGS);
    bench.connect();
    bench.send().unwrap();
    let (number, _) = bench.requests()[0];
    bench.receive(&produced(number, NOT_LEADER));
    assert!(!bench.user.is_ready());
    assert_eq!(bench.send(), Ok(Handover::Waiting), "later messages wait behind it");
    bench.tick(Duration::from_millis(200));
    let [(asked, 3)] = bench.requests()[..] else { panic!("it asks for the leader") };
    let now = bench.clock.now();
    let mut out = bench.socket.output(bench.clock);
    let moved = bench.user.received(now, &metadata(asked, 2), &mut out, &mut bench.outcomes);
    assert!(moved.unwrap_err().0.contains("broker 2"));
    let closed = Closed { reason: String::new(), was_open: true, unwritten: Vec::new() };
    let next = bench.user.closed(now, closed, &mut bench.outcomes).unwrap();
    assert_eq!(next.port(), 9_093, "the address of broker 2");
    let mut out = bench.socket.output(bench.clock);
    bench.user.opened(now, &mut out, &mut bench.outcomes).unwrap();
    let (asked, _) = bench.requests()[0];
    bench.receive(&metadata(asked, 2));
    let sent = bench.requests();
    assert_eq!(sent.len(), 2, "both are sent: {sent:?}");
    for (number, _) in sent {
        bench.receive(&produced(number, 0));
    }
    assert_eq!(bench.outcomes(), ["acked", "acked"]);
}

#[test]
fn a_lost_connection_leaves_written_messages_unknown_and_sends_the_others_again() {
    let mut bench = Bench::new(SETTINGS);
    bench.connect();
    bench.send().unwrap();
    let frame = bench.socket.take_written().len();
    bench.socket = TestSocket::with_room(frame / 2);
    assert!(matches!(bench.send(), Ok(Handover::Written(_))), "its first half is written");
    bench.lose();
    bench.socket = TestSocket::with_room(usize::MAX / 2);
    bench.connect();
    let (number, _) = bench.requests()[0];
    bench.receive(&produced(number, 0));
    assert_eq!(bench.outcomes(), ["unknown", "acked"]);
}

#[test]
fn a_fleet_that_is_closed_gives_every_message_an_outcome() {
    let mut bench = Bench::new(SETTINGS);
    bench.connect();
    bench.send().unwrap();
    bench.lose();
    bench.send().unwrap();
    bench.user.give_up(&mut bench.outcomes);
    assert_eq!(bench.outcomes(), ["unknown", "refused"]);
}

#[test]
fn what_cannot_be_sent_in_time_is_refused_with_the_reason() {
    let mut bench = Bench::new(SETTINGS);
    bench.send().unwrap();
    let late = bench.clock.now().after(Duration::from_secs(301));
    bench.user.tick_unconnected(late, &mut bench.outcomes);
    assert_eq!(bench.outcomes(), ["refused"]);
}

#[test]
fn without_acknowledgements_a_message_is_sent_once_the_socket_has_it() {
    let mut bench = Bench::new(ProducerSettings { acks: 0, ..SETTINGS });
    bench.connect();
    bench.send().unwrap();
    bench.tick(Duration::ZERO);
    assert_eq!(bench.outcomes(), ["sent"]);
}

#[test]
fn the_load_waits_once_a_user_holds_too_much() {
    let mut bench = Bench::new(ProducerSettings { queue_bytes: 2_000, ..SETTINGS });
    assert!(bench.send().is_ok() && bench.send().is_ok() && bench.send().is_ok());
    assert_eq!(bench.send(), Err(SendError::Full));
    bench.connect();
    let sent = bench.requests();
    assert_eq!(sent.len(), 3);
    bench.receive(&produced(sent[0].0, 0));
    assert!(bench.send().is_ok(), "an answer makes room");
}

#[test]
fn messages_wait_for_each_other_as_long_as_set() {
    let linger = Duration::from_millis(5);
    let mut bench = Bench::new(ProducerSettings { linger, ..SETTINGS });
    bench.connect();
    assert_eq!((bench.send(), bench.send()), (Ok(Handover::Taken), Ok(Handover::Taken)));
    assert_eq!(bench.requests(), []);
    bench.tick(Duration::from_millis(6));
    let [(number, 0)] = bench.requests()[..] else { panic!("one request") };
    bench.receive(&produced(number, 0));
    assert_eq!(bench.outcomes(), ["acked", "acked"]);
}

#[test]
fn a_message_that_is_too_large_is_not_taken() {
    let mut bench = Bench::new(ProducerSettings { max_message_bytes: 10, ..SETTINGS });
    let Err(SendError::Refused(reason)) = bench.send() else { panic!("it was taken") };
    assert!(reason.contains("did not ask the server"), "{reason}");
}

/// What happens to a user next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Send,
    Answer(i16),
    Lose,
    Tick,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let errors = prop::sample::select(vec![0, 0, 0, TOO_LARGE, TIMED_OUT, NOT_LEADER, 46, 19]);
    let step = prop_oneof![
        4 => Just(Step::Send),
        4 => errors.prop_map(Step::Answer),
        1 => Just(Step::Lose),
        1 => Just(Step::Tick),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    /// Whatever happens, in whatever order, each message that was taken has exactly one outcome.
    #[test]
    fn every_message_has_one_outcome(steps in steps(), room in 1_usize..2_000, lingers: bool) {
        let linger = if lingers { Duration::from_millis(1) } else { Duration::ZERO };
        let mut bench = Bench::new(ProducerSettings { linger, ..SETTINGS });
        bench.connect();
        bench.socket = TestSocket::with_room(room);
        let (mut open, mut taken) = (Vec::new(), 0);
        for step in steps {
            match step {
                Step::Send => taken += u64::from(bench.send().is_ok()),
                Step::Answer(error) => {
                    // A broker answers only what it has got completely, in order.
                    for frame in bench.socket.make_room(room, bench.clock) {
                        let now = bench.clock.now();
                        bench.user.finished(now, frame, &mut bench.outcomes);
                    }
                    open.extend(bench.requests());
                    if !open.is_empty() {
                        let (number, kind) = open.remove(0);
                        let answer = match kind {
                            0 => produced(number, error),
                            _ => metadata(number, BROKER),
                        };
                        bench.receive(&answer);
                    }
                }
                Step::Lose => {
                    bench.lose();
                    open.clear();
                    bench.socket = TestSocket::with_room(usize::MAX / 2);
                    bench.connect();
                    open.extend(bench.requests());
                    bench.socket = TestSocket::with_room(room);
                }
                Step::Tick => bench.tick(Duration::from_millis(150)),
            }
        }
        bench.user.give_up(&mut bench.outcomes);
        prop_assert_eq!(bench.outcomes().len() as u64, taken);
    }

    /// However the kernel splits a broker's answers, the outcomes are the same.
    #[test]
    fn answers_survive_any_split(
        errors in prop::collection::vec(prop::sample::select(vec![0, TOO_LARGE, TIMED_OUT]), 1..10),
        splits in prop::collection::vec(1_usize..60, 1..20),
    ) {
        let mut bench = Bench::new(SETTINGS);
        bench.connect();
        for _ in &errors {
            bench.send().unwrap();
        }
        let requests = bench.requests();
        let answers: Vec<u8> = requests
            .iter()
            .zip(&errors)
            .flat_map(|((number, _), error)| produced(*number, *error))
            .collect();
        let (mut held, mut rest) = (Vec::new(), &answers[..]);
        let mut splits = splits.into_iter().cycle();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(splits.next().unwrap().min(rest.len()));
            held.extend_from_slice(now);
            rest = later;
            let mut out = bench.socket.output(bench.clock);
            let at = Micros(1);
            let consumed = bench.user.received(at, &held, &mut out, &mut bench.outcomes).unwrap();
            held.drain(..consumed.bytes);
        }
        let expected: Vec<_> = errors
            .iter()
            .map(|error| match *error {
                0 => "acked",
                TOO_LARGE => "refused",
                _ => "unknown",
            })
            .collect();
        prop_assert_eq!(bench.outcomes(), expected);
    }
}
