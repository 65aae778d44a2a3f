//! A way that takes longer: a proxy on this machine that hands every byte on a set time after it
//! came.
//!
//! It stands in for the latency of a network where the kernel has nothing for that. One thread
//! reads and writes, another keeps the time for all connections: it sleeps exactly (some ten
//! microseconds), where tokio's own timers count whole milliseconds. What the proxy adds and what
//! it costs is measured before a run (see [`super::Hub::prove`]).
//!
//! What it does not delay is the opening of a connection, which the proxy itself accepts.

use std::{
    cell::RefCell,
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    io::AsyncWriteExt,
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot},
    task::LocalSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Descriptors that a proxied user takes here beside its own: two ends of a connection, and for a
/// client that first asks one address and then talks to another, twice.
pub const DESCRIPTORS: u64 = 4;

/// Bytes read at once.
const PIECE: usize = 64 << 10;
/// Pieces on their way in one direction of a connection: with more, its sender has to wait, as on a
/// way whose buffers are full. 16 MiB at most.
const PIECES: usize = 256;
/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// A proxy for the ports of one server. Dropping it closes all of its connections.
#[derive(Debug)]
pub struct Proxy {
    delay: Duration,
    listeners: BTreeMap<u16, std::net::TcpListener>,
    ports: BTreeMap<u16, u16>,
    stop: CancellationToken,
}

impl Proxy {
    /// Takes a free port of this machine's own address for each of `ports`. Connections wait until
    /// [`Proxy::serve`].
    ///
    /// # Errors
    /// When there is no free port.
    pub fn bind(ports: &[u16], delay: Duration) -> io::Result<Self> {
        let mut listeners = BTreeMap::new();
        let mut outside = BTreeMap::new();
        for &port in ports {
            let listener = std::net::TcpListener::bind((Self::address(), 0))?;
            listener.set_nonblocking(true)?;
            outside.insert(port, listener.local_addr()?.port());
            listeners.insert(port, listener);
        }
        Ok(Self { delay, listeners, ports: outside, stop: CancellationToken::new() })
    }

    /// The address at which it listens.
    pub const fn address() -> IpAddr {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    }

    /// The port that leads to each of the server's ports.
    pub const fn ports(&self) -> &BTreeMap<u16, u16> {
        &self.ports
    }

    /// Begins to hand on what comes for each port to its address.
    ///
    /// # Errors
    /// When the thread or its clock cannot be made.
    pub fn serve(&mut self, to: &BTreeMap<u16, SocketAddr>) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ways: Vec<_> = std::mem::take(&mut self.listeners)
            .into_iter()
            .filter_map(|(port, listener)| Some((listener, *to.get(&port)?)))
            .collect();
        let alarm = Arc::new(Alarm::default());
        let keeper = Arc::clone(&alarm);
        thread::Builder::new().name("delay-clock".into()).spawn(move || keeper.keep())?;
        let (delay, stop) = (self.delay, self.stop.clone());
        thread::Builder::new().name("delay".into()).spawn(move || {
            let ended = run(ways, delay, &alarm, stop);
            if let Err(error) = runtime.block_on(LocalSet::new().run_until(ended)) {
                tracing::error!(%error, "the proxy that delays has ended");
            }
            alarm.stop();
        })?;
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Serves until it is stopped. The tasks end with the set of tasks that they are in.
async fn run(
    ways: Vec<(std::net::TcpListener, SocketAddr)>,
    delay: Duration,
    alarm: &Arc<Alarm>,
    stop: CancellationToken,
) -> io::Result<()> {
    let shared = Rc::new(Shared {
        delay,
        alarm: Arc::clone(alarm),
        scratch: RefCell::new(vec![0; PIECE].into_boxed_slice()),
    });
    for (listener, to) in ways {
        let listener = TcpListener::from_std(listener)?;
        tokio::task::spawn_local(accept(Rc::clone(&shared), listener, to));
    }
    stop.cancelled().await;
    Ok(())
}

/// What all connections share; they are all on one thread.
struct Shared {
    delay: Duration,
    alarm: Arc<Alarm>,
    /// Where a piece is read to before its size is known.
    scratch: RefCell<Box<[u8]>>,
}

async fn accept(shared: Rc<Shared>, listener: TcpListener, to: SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((near, _)) => {
                tokio::task::spawn_local(connection(Rc::clone(&shared), near, to));
            }
            // Most likely no descriptor is free: the next may be luckier.
            Err(error) => {
                tracing::warn!(%error, "the proxy that delays could not accept a connection");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// One connection; a server that does not accept closes it.
async fn connection(shared: Rc<Shared>, near: TcpStream, to: SocketAddr) {
    let Ok(Ok(far)) = timeout(CONNECT, TcpStream::connect(to)).await else { return };
    if near.set_nodelay(true).is_err() || far.set_nodelay(true).is_err() {
        return;
    }
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::join!(
        direction(&shared, near_read, far_write),
        direction(&shared, far_read, near_write)
    );
}

/// Hands on what comes from one end to the other until one of them is closed.
async fn direction(shared: &Shared, from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let (sender, mut pieces) = mpsc::channel::<(Instant, Box<[u8]>)>(PIECES);
    let reader = async move {
        while let Ok(()) = from.readable().await {
            let read = from.try_read(&mut shared.scratch.borrow_mut());
            let length = match read {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(_) => break,
            };
            let due = Instant::now() + shared.delay;
            let piece = Box::from(&shared.scratch.borrow()[..length]);
            if sender.send((due, piece)).await.is_err() {
                break;
            }
        }
        // The end comes as late as the bytes before it.
        let _ = sender.send((Instant::now() + shared.delay, Box::default())).await;
    };
    let writer = async move {
        while let Some((due, piece)) = pieces.recv().await {
            shared.alarm.until(due).await;
            if to.write_all(&piece).await.is_err() {
                break;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(reader, writer);
}

/// Wakes its waiters at their moments, from a thread that sleeps exactly.
#[derive(Default)]
struct Alarm {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    moments: BinaryHeap<Reverse<Waiter>>,
    stopped: bool,
}

impl Alarm {
    fn state(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `due`; returns at once when that is over.
    async fn until(&self, due: Instant) {
        if due <= Instant::now() {
            return;
        }
        let (wake, woken) = oneshot::channel();
        let first = {
            let mut state = self.state();
            let first = state.moments.peek().is_none_or(|Reverse(next)| due < next.due);
            state.moments.push(Reverse(Waiter { due, wake }));
            first
        };
        if first {
            self.changed.notify_one();
        }
        let _ = woken.await;
    }

    /// Keeps the time until it is stopped.
    fn keep(&self) {
        // The kernel otherwise bundles wake-ups of up to 50 µs.
        let _ = nix::sys::prctl::set_timerslack(1);
        let mut state = self.state();
        while !state.stopped {
            let now = Instant::now();
            while state.moments.peek().is_some_and(|Reverse(next)| next.due <= now) {
                if let Some(Reverse(waiter)) = state.moments.pop() {
                    let _ = waiter.wake.send(());
                }
            }
            let next = state.moments.peek().map(|Reverse(next)| next.due);
            state = match next {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    let left = due.saturating_duration_since(Instant::now());
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        state.moments.clear();
    }

    fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_one();
    }
}

struct Waiter {
    due: Instant,
    wake: oneshot::Sender<()>,
}

impl PartialEq for Waiter {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Waiter {}

impl PartialOrd for Waiter {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiter {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{Shutdown, TcpListener as Listener, TcpStream as Stream},
    };

    use super::*;

    /// A server that gives everything back, and the way to it.
    fn echo(delay: Duration) -> (Proxy, SocketAddr) {
        let server = Listener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        thread::spawn(move || {
            while let Ok((mut stream, _)) = server.accept() {
                thread::spawn(move || {
                    let mut back = stream.try_clone().unwrap();
                    let _ = io::copy(&mut stream, &mut back);
                    let _ = back.shutdown(Shutdown::Write);
                });
            }
        });
        let mut proxy = Proxy::bind(&[7], delay).unwrap();
        proxy.serve(&BTreeMap::from([(7, address)])).unwrap();
        let outside = SocketAddr::from((Proxy::address(), proxy.ports()[&7]));
        (proxy, outside)
    }

    #[test]
    fn every_byte_comes_back_in_order_and_never_early() {
        let delay = Duration::from_millis(3);
        let (_proxy, address) = echo(delay);
        let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n * 7 % 251) as u8).collect();
        let mut stream = Stream::connect(address).unwrap();
        let began = Instant::now();
        let mut writer = stream.try_clone().unwrap();
        let bytes = sent.clone();
        let writing = thread::spawn(move || {
            writer.write_all(&bytes).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut first = [0; 1];
        stream.read_exact(&mut first).unwrap();
        assert!(began.elapsed() >= 2 * delay, "{:?}", began.elapsed());
        let mut received = first.to_vec();
        stream.read_to_end(&mut received).unwrap();
        writing.join().unwrap();
        assert!(received == sent, "{} bytes of {}", received.len(), sent.len());
    }

    #[test]
    fn connections_do_not_wait_for_each_other() {
        let (_proxy, address) = echo(Duration::from_millis(20));
        let began = Instant::now();
        let clients: Vec<_> = (0..50_u8)
            .map(|number| {
                thread::spawn(move || {
                    let mut stream = Stream::connect(address).unwrap();
                    stream.write_all(&[number]).unwrap();
                    let mut back = [0];
                    stream.read_exact(&mut back).unwrap();
                    assert_eq!(back, [number]);
                })
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
        // One after the other they would take two seconds; a busy machine may double what is due.
        assert!(began.elapsed() >= Duration::from_millis(40));
    }

    #[test]
    fn a_server_that_is_not_there_closes_the_connection() {
        let nobody = Listener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut proxy = Proxy::bind(&[7], Duration::from_millis(1)).unwrap();
        proxy.serve(&BTreeMap::from([(7, nobody)])).unwrap();
        let mut stream = Stream::connect((Proxy::address(), proxy.ports()[&7])).unwrap();
        let mut rest = Vec::new();
        assert!(matches!(stream.read_to_end(&mut rest), Ok(0) | Err(_)));
        assert!(rest.is_empty());
    }

    #[test]
    fn dropping_a_proxy_closes_what_goes_through_it() {
        let (proxy, address) = echo(Duration::from_millis(1));
        let mut stream = Stream::connect(address).unwrap();
        stream.write_all(b"x").unwrap();
        let mut back = [0];
        stream.read_exact(&mut back).unwrap();
        drop(proxy);
        assert!(matches!(stream.read(&mut back), Ok(0) | Err(_)));
    }
}
