//! TLS against servers by rustls: in memory with any split of the bytes, and over real sockets.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};

use super::{Bench, Echo, SETTINGS, server};
use crate::{
    clock::Clock,
    wire::{
        Connection, DialSettings, LoopSettings, ProtocolError, Sent, TlsSettings, tls::TlsStream,
    },
};

/// A certificate for `localhost`, signed by itself, valid until 2126:
/// `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost
/// -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE`.
const CERTIFICATE: &[u8] = include_bytes!("certificate/cert.pem");
const KEY: &[u8] = include_bytes!("certificate/key.pem");

fn settings(server_name: &'static str) -> TlsSettings {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(CERTIFICATE).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsSettings { config: config.into(), server_name: ServerName::try_from(server_name).unwrap() }
}

fn server_config() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let config = ServerConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    config.unwrap().into()
}

type TlsServer = StreamOwned<ServerConnection, TcpStream>;

/// A server that passes each connection to `serve`, under TLS.
fn tls_server(serve: impl Fn(TlsServer) + Send + Sync + 'static) -> SocketAddr {
    let config = server_config();
    server(move |stream| {
        let session = ServerConnection::new(Arc::clone(&config)).unwrap();
        serve(StreamOwned::new(session, stream));
    })
}

/// Sends back what it receives; returns how the stream ended.
fn echo(mut stream: TlsServer) -> io::Result<usize> {
    let mut room = vec![0; 1 << 16];
    loop {
        match stream.read(&mut room) {
            Ok(read @ 1..) => {
                stream.write_all(&room[..read])?;
                stream.flush()?;
            }
            end => return end,
        }
    }
}

fn bench(address: SocketAddr, connections: usize, name: &'static str) -> Bench {
    let new = |_| Connection::with_tls(address, Echo::new(address), settings(name));
    Bench::with((0..connections).map(new).collect(), SETTINGS)
}

#[test]
fn frames_under_tls_come_back_and_what_was_negotiated_is_known() {
    let mut bench = bench(tls_server(|stream| drop(echo(stream))), 20, "localhost");
    assert_eq!(bench.connections[0].negotiated(), None, "not before the handshake");
    bench.turn_until("connecting", |event_loop, _| event_loop.ready() == 20);
    for number in 0..20_usize {
        let sent = bench.send(number, 0, &number.to_be_bytes());
        assert!(matches!(sent, Sent::Written { .. }), "{sent:?}");
    }
    bench.turn_until("answers", |_, seen| seen.received == 20 * 8);
    for (number, connection) in bench.connections.iter().enumerate() {
        assert_eq!(connection.look(|echo| echo.received.clone()), number.to_be_bytes());
        let negotiated = connection.negotiated().unwrap();
        assert_eq!(negotiated.version, "TLSv1_3");
        assert!(negotiated.cipher.starts_with("TLS13_AES_"), "{negotiated:?}");
    }
}

#[test]
fn a_full_socket_holds_frames_back_under_tls_too() {
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    // After its handshake it reads nothing until it is released.
    let address = tls_server(move |mut stream| {
        stream.conn.complete_io(&mut stream.sock).unwrap();
        let _ = released.lock().unwrap().recv();
        drop(echo(stream));
    });
    let mut bench = bench(address, 1, "localhost");
    bench.turn_until("connecting", |event_loop, _| event_loop.ready() == 1);
    let large = vec![7; 12 << 20];
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
fn a_certificate_for_another_name_is_refused_with_the_reason() {
    let mut bench = bench(tls_server(|stream| drop(echo(stream))), 1, "other.example");
    bench.turn_until("refusing", |_, seen| seen.closed > 0);
    assert!(bench.seen.reasons[0].contains("certificate"), "{:?}", bench.seen.reasons);
    assert_eq!(bench.seen.opened, 0, "no byte of the protocol was sent");
}

#[test]
fn a_handshake_without_an_end_is_given_up_with_the_attempt_to_connect() {
    let address = server(|stream| {
        thread::sleep(Duration::from_secs(30));
        drop(stream);
    });
    let dial = DialSettings { timeout: Duration::from_millis(100), ..SETTINGS.dial };
    let connection = Connection::with_tls(address, Echo::new(address), settings("localhost"));
    let mut bench = Bench::with(vec![connection], LoopSettings { dial, ..SETTINGS });
    let started = Instant::now();
    bench.turn_until("giving up", |_, seen| seen.closed > 0);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(bench.seen.reasons[0].contains("TLS handshake"), "{:?}", bench.seen.reasons);
}

#[test]
fn both_sides_announce_the_end_of_the_stream() {
    let (end, ends) = mpsc::channel();
    let address = tls_server(move |stream| end.send(echo(stream)).unwrap());
    let mut bench = bench(address, 1, "localhost");
    bench.turn_until("connecting", |event_loop, _| event_loop.ready() == 1);
    bench.connections[0].look(|echo| echo.error = Some(ProtocolError("enough".into())));
    bench.send(0, 0, &[1]);
    bench.turn_until("the end", |_, seen| seen.closed == 1);
    assert_eq!(ends.recv().unwrap().unwrap(), 0, "close_notify has arrived");
}

#[test]
fn a_stream_that_is_cut_off_and_one_that_ends_have_different_reasons() {
    for (is_announced, reason) in [(true, "the server closed"), (false, "close_notify")] {
        let address = tls_server(move |mut stream| {
            stream.conn.complete_io(&mut stream.sock).unwrap();
            if is_announced {
                stream.conn.send_close_notify();
                stream.conn.write_tls(&mut stream.sock).unwrap();
            }
        });
        let mut bench = bench(address, 1, "localhost");
        bench.turn_until("the end", |_, seen| seen.closed > 0);
        assert!(bench.seen.reasons[0].contains(reason), "{:?}", bench.seen.reasons);
    }
}

/// A socket in memory: reads return at most the next split, writes take at most the room.
#[derive(Debug)]
struct Pipe {
    incoming: VecDeque<u8>,
    outgoing: Vec<u8>,
    splits: Vec<usize>,
    reads: usize,
    room: usize,
}

impl Read for Pipe {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let split = self.splits[self.reads % self.splits.len()];
        self.reads += 1;
        let length = room.len().min(split);
        self.incoming.read(&mut room[..length])
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.room);
        if taken == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.room -= taken;
        self.outgoing.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Passes what the client has written to the server, and the server's records to the client; returns what the
/// server has received.
fn exchange(client: &mut TlsStream<Pipe>, server: &mut ServerConnection) -> Vec<u8> {
    let written = std::mem::take(&mut client.socket.outgoing);
    let (mut written, mut received) = (&written[..], Vec::new());
    while !written.is_empty() {
        server.read_tls(&mut written).unwrap();
        server.process_new_packets().unwrap();
        // Its end is that of what has arrived.
        let _ = server.reader().read_to_end(&mut received);
    }
    while server.wants_write() {
        let mut records = Vec::new();
        server.write_tls(&mut records).unwrap();
        client.socket.incoming.extend(records);
    }
    received
}

/// A client and a server that have shaken hands.
fn pair(splits: Vec<usize>) -> (TlsStream<Pipe>, ServerConnection) {
    let socket = Pipe {
        incoming: VecDeque::new(),
        outgoing: Vec::new(),
        splits,
        reads: 0,
        room: usize::MAX,
    };
    let mut client = TlsStream::new(&settings("localhost"), socket, Clock::start()).unwrap();
    let mut server = ServerConnection::new(server_config()).unwrap();
    server.set_buffer_limit(None);
    while !client.shake_hands().unwrap() {
        exchange(&mut client, &mut server);
    }
    exchange(&mut client, &mut server);
    (client, server)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// However the kernel splits records, and whatever room a reader has, the stream is the same.
    #[test]
    fn a_stream_survives_any_split(
        data in prop::collection::vec(any::<u8>(), 0..60_000),
        splits in prop::collection::vec(1_usize..4_000, 1..20),
        rooms in prop::collection::vec(1_usize..20_000, 1..10),
    ) {
        let (mut client, mut server) = pair(splits);
        server.writer().write_all(&data).unwrap();
        server.send_close_notify();
        exchange(&mut client, &mut server);
        let mut received = Vec::new();
        for room in rooms.iter().cycle() {
            let mut room = vec![0; *room];
            let read = client.read(&mut room).unwrap();
            if read == 0 {
                break;
            }
            received.extend_from_slice(&room[..read]);
        }
        prop_assert_eq!(received, data);
    }

    /// However little of a record the socket takes at a time, the server gets all bytes once, in order.
    #[test]
    fn half_written_records_are_completed(
        data in prop::collection::vec(any::<u8>(), 1..60_000),
        rooms in prop::collection::vec(0_usize..9_000, 1..20),
    ) {
        prop_assume!(rooms.iter().any(|room| *room > 0));
        let (mut client, mut server) = pair(vec![1_000]);
        let mut rooms = rooms.into_iter().cycle();
        client.socket.room = 0;
        let mut written = 0;
        while written < data.len() {
            let was_full = client.socket.room == 0;
            match client.write(&data[written..]) {
                Ok(taken) => {
                    prop_assert!(!was_full, "no byte counts as written while the socket is full");
                    written += taken;
                }
                Err(error) => {
                    prop_assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    client.socket.room = rooms.next().unwrap();
                }
            }
        }
        client.socket.room = usize::MAX;
        client.flush().unwrap();
        prop_assert_eq!(exchange(&mut client, &mut server), data);
    }
}
