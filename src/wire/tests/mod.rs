//! The loop against servers of this test: real sockets, no platform.

mod echo;
mod tls_tests;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::{
    Connection, Consumed, DialSettings, EventLoop, LoopSettings, LoopShare, ProtocolError, Sent,
    input::InputBuffer,
};
use crate::clock::Clock;
use echo::{Echo, Seen};

const SETTINGS: LoopSettings = LoopSettings {
    dial: DialSettings { in_progress: 100, per_second: None, timeout: Duration::from_secs(5) },
    share: LoopShare::ALONE,
    tick: Duration::from_millis(5),
    keep_room: false,
};

/// A server that passes each connection to `serve`, on a thread of its own.
fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = Arc::clone(&serve);
            let stream = stream.unwrap();
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Sends back what it receives.
fn echo(mut stream: TcpStream) {
    let mut room = vec![0; 1 << 16];
    while let Ok(read @ 1..) = stream.read(&mut room) {
        if stream.write_all(&room[..read]).is_err() {
            return;
        }
    }
}

struct Bench {
    clock: Clock,
    connections: Arc<[Connection<Echo>]>,
    event_loop: EventLoop<Echo>,
    seen: Seen,
}

impl Bench {
    fn new(address: std::net::SocketAddr, connections: usize, settings: LoopSettings) -> Self {
        let new = |_| Connection::new(address, Echo::new(address));
        Self::with((0..connections).map(new).collect(), settings)
    }

    fn with(connections: Vec<Connection<Echo>>, settings: LoopSettings) -> Self {
        let clock = Clock::start();
        let connections: Arc<[_]> = connections.into();
        let event_loop = EventLoop::new(clock, settings, Arc::clone(&connections)).unwrap();
        Self { clock, connections, event_loop, seen: Seen::default() }
    }

    /// Turns the loop until `done`, or fails after ten seconds.
    #[track_caller]
    fn turn_until(&mut self, what: &str, done: impl Fn(&EventLoop<Echo>, &Seen) -> bool) {
        let started = Instant::now();
        while !done(&self.event_loop, &self.seen) {
            assert!(started.elapsed() < Duration::from_secs(10), "{what}: {:?}", self.seen);
            self.event_loop.turn(Duration::from_millis(10), None, &mut self.seen).unwrap();
        }
    }

    #[track_caller]
    fn connected(address: std::net::SocketAddr, connections: usize) -> Self {
        let mut bench = Self::new(address, connections, SETTINGS);
        bench.turn_until("connecting", |event_loop, _| event_loop.ready() == connections);
        bench
    }

    fn send(&self, connection: usize, tag: u64, bytes: &[u8]) -> Sent {
        self.connections[connection].with(self.clock, |_, out| out.send(tag, bytes.to_vec()))
    }
}

#[test]
fn frames_of_many_connections_come_back_on_the_right_one() {
    let mut bench = Bench::connected(server(echo), 300);
    for number in 0..300_usize {
        let sent = bench.send(number, 0, &number.to_be_bytes());
        assert!(matches!(sent, Sent::Written { .. }), "{sent:?}");
    }
    bench.turn_until("answers", |_, seen| seen.received == 300 * 8);
    for (number, connection) in bench.connections.iter().enumerate() {
        let received = connection.look(|echo| echo.received.clone());
        assert_eq!(received, number.to_be_bytes());
    }
}

#[test]
fn what_the_socket_does_not_take_is_written_later_and_reported() {
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    // Reads nothing until it is released.
    let address = server(move |stream| {
        let _ = released.lock().unwrap().recv();
        echo(stream);
    });
    let mut bench = Bench::connected(address, 1);
    let large = vec![7; 16 << 20];
    let Sent::Waiting { begun: Some(first) } = bench.send(0, 1, &large) else { panic!() };
    assert_eq!(bench.send(0, 2, &[1, 2, 3]), Sent::Waiting { begun: None });
    release.send(()).unwrap();
    let bytes = large.len() + 3;
    bench.turn_until("all bytes", |_, seen| seen.received == bytes);
    assert_eq!(bench.seen.finished, [1, 2], "in the order in which they were sent");
    let [(2, begun)] = bench.seen.begun[..] else { panic!("{:?}", bench.seen.begun) };
    assert!(begun > first, "the second frame waited for the first");
}

#[test]
fn a_lost_connection_is_opened_again_and_unwritten_frames_come_back() {
    let (cut, cuts) = mpsc::channel::<TcpStream>();
    let address = server(move |stream| {
        cut.send(stream.try_clone().unwrap()).unwrap();
        thread::sleep(Duration::from_secs(30));
        drop(stream);
    });
    let mut bench = Bench::connected(address, 1);
    assert!(matches!(bench.send(0, 1, &vec![0; 32 << 20]), Sent::Waiting { .. }));
    bench.send(0, 2, &[1]);
    cuts.recv().unwrap().shutdown(std::net::Shutdown::Both).unwrap();
    bench.turn_until("a new connection", |event_loop, seen| {
        seen.closed == 1 && event_loop.ready() == 1
    });
    assert_eq!(bench.seen.unwritten, [(1, true), (2, false)], "mark, and whether it was begun");
    assert!(matches!(bench.send(0, 3, &[1]), Sent::Written { .. }), "the new one is empty");
}

#[test]
fn a_server_that_refuses_is_tried_again_after_pauses() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut bench = Bench::new(address, 1, SETTINGS);
    let started = Instant::now();
    bench.turn_until("four attempts", |_, seen| seen.closed == 4);
    assert!(started.elapsed() >= Duration::from_millis(50 + 100 + 200), "pauses between them");
    assert!(bench.seen.reasons[0].contains("refused"), "{:?}", bench.seen.reasons);
    let listener = TcpListener::bind(address).unwrap();
    bench.turn_until("a server", |event_loop, _| event_loop.ready() == 1);
    drop(listener);
}

#[test]
fn a_protocol_that_wants_no_more_is_not_connected_again() {
    let address = server(drop);
    let mut bench = Bench::new(address, 1, SETTINGS);
    bench.connections[0].look(|echo| echo.next = None);
    bench.turn_until("the end", |_, seen| seen.closed == 1);
    for _ in 0..20 {
        bench.event_loop.turn(Duration::from_millis(10), None, &mut bench.seen).unwrap();
    }
    assert_eq!((bench.seen.opened, bench.seen.closed), (1, 1));
}

#[test]
fn no_more_connections_are_opened_in_a_second_than_set() {
    let dial = DialSettings { per_second: Some(100), ..SETTINGS.dial };
    let mut bench = Bench::new(server(echo), 20, LoopSettings { dial, ..SETTINGS });
    let started = Instant::now();
    bench.turn_until("all", |event_loop, _| event_loop.ready() == 20);
    assert!(started.elapsed() >= Duration::from_millis(190), "{:?}", started.elapsed());
}

/// Linux drops a connection that finds the queue full, and its client's kernel tries again after a second.
#[test]
fn the_shortest_usual_queue_of_new_connections_drops_none() {
    const QUEUE: i32 = 50;
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(QUEUE).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    // A server that looks for new connections now and then, and greets each.
    thread::spawn(move || {
        listener.set_nonblocking(true).unwrap();
        let mut accepted = Vec::new();
        loop {
            thread::sleep(Duration::from_millis(20));
            while let Ok((mut stream, _)) = listener.accept() {
                stream.write_all(&[1]).unwrap();
                accepted.push(stream);
            }
        }
    });
    let dial = DialSettings::default();
    let mut bench = Bench::new(address, 200, LoopSettings { dial, ..SETTINGS });
    for connection in &*bench.connections {
        connection.look(|echo| echo.waits_for_greeting = true);
    }
    let started = Instant::now();
    bench.turn_until("all", |event_loop, _| event_loop.ready() == 200);
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_given_up() {
    let address = server(|stream| {
        thread::sleep(Duration::from_secs(30));
        drop(stream);
    });
    let dial = DialSettings { timeout: Duration::from_millis(100), ..SETTINGS.dial };
    let mut bench = Bench::new(address, 1, LoopSettings { dial, ..SETTINGS });
    bench.connections[0].look(|echo| echo.waits_for_greeting = true);
    bench.turn_until("giving up", |_, seen| seen.closed > 0);
    assert!(bench.seen.reasons[0].contains("did not answer"), "{:?}", bench.seen.reasons);
}

proptest! {
    /// However the kernel splits what a server sends, frames arrive whole, once, in order.
    #[test]
    fn frames_survive_any_split(
        frames in proptest::collection::vec(0_usize..3_000, 1..20),
        splits in proptest::collection::vec(1_usize..2_000, 1..40),
        keep_room: bool,
    ) {
        let all: Vec<u8> = frames
            .iter()
            .enumerate()
            .flat_map(|(number, length)| {
                let header = u32::try_from(*length).unwrap().to_be_bytes();
                header.into_iter().chain(std::iter::repeat_n(number as u8, *length))
            })
            .collect();
        let mut rest = &all[..];
        let mut splits = splits.into_iter().cycle();
        let (mut buffer, mut scratch, mut found) = (InputBuffer::default(), vec![0; 512], Vec::new());
        while !rest.is_empty() {
            let (mut now, later) = rest.split_at(splits.next().unwrap().min(rest.len()));
            rest = later;
            while !now.is_empty() {
                let read = buffer.read(&mut now, &mut scratch, keep_room, |_, input| {
                    Ok::<_, std::io::Error>(take_frames(input, &mut found))
                });
                read.unwrap();
            }
        }
        let expected: Vec<_> =
            frames.iter().enumerate().map(|(number, length)| (number as u8, *length)).collect();
        let named: Vec<_> = found.iter().zip(&expected).filter(|(found, _)| found.1 > 0).collect();
        prop_assert!(named.iter().all(|(found, expected)| found == expected), "{found:?}");
        prop_assert_eq!(found.len(), frames.len());
    }
}

/// Takes whole frames of a length and as many equal bytes.
fn take_frames(input: &[u8], found: &mut Vec<(u8, usize)>) -> Consumed {
    let mut bytes = 0;
    loop {
        let rest = &input[bytes..];
        let Some((length, body)) = rest.split_first_chunk::<4>() else {
            return Consumed { bytes, expected: 0 };
        };
        let length = u32::from_be_bytes(*length) as usize;
        let Some(body) = body.get(..length) else {
            return Consumed { bytes, expected: length + 4 };
        };
        assert!(body.iter().all(|byte| *byte == body[0]), "frames are mixed");
        found.push((body.first().copied().unwrap_or(0), length));
        bytes += 4 + length;
    }
}

#[test]
fn an_error_of_the_protocol_closes_the_connection_with_its_reason() {
    let mut bench = Bench::connected(server(echo), 1);
    bench.connections[0].look(|echo| echo.error = Some(ProtocolError("nonsense".into())));
    bench.send(0, 0, &[1]);
    bench.turn_until("the end", |_, seen| seen.closed == 1);
    assert_eq!(bench.seen.reasons, ["nonsense"]);
}
