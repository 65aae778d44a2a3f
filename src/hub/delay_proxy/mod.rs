//! A TCP proxy on this machine that forwards every byte after a fixed delay.
//!
//! It simulates network latency where the kernel offers no means for it. One thread reads and
//! writes; another runs the timers of all connections, because it can sleep precisely (to some ten
//! microseconds) while tokio's timers count whole milliseconds. The latency and cost that the proxy
//! adds are measured before a run (see [`super::Hub::verify_limits`]).
//!
//! The proxy accepts connections itself, so opening a connection is not delayed.

mod delay_clock;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::{
    io::AsyncWriteExt,
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    task::LocalSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use self::delay_clock::DelayClock;
use crate::hot_thread::{HotThread, ThreadRole, passes::PassMonitor};

/// File descriptors that a proxied user takes here beside its client's descriptors: two ends of a
/// connection, twice for a client that first asks one address and then talks to another.
pub const DESCRIPTORS_PER_USER: u64 = 4;

/// Name of the thread that reads and writes.
const RELAY_THREAD_NAME: &str = "delay";
/// Name of the thread that runs the timers.
const CLOCK_THREAD_NAME: &str = "delay-clock";
/// Bytes read at once.
const READ_BUFFER_SIZE: usize = 64 << 10;
/// Chunks in flight in one direction of a connection. Beyond this number the sender has to wait, as
/// on a network path with full buffers. 16 MiB at most.
const MAX_CHUNKS_IN_FLIGHT: usize = 256;
/// Longest wait until a server accepts a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A delaying proxy for the ports of one server; dropping it closes all its connections.
#[derive(Debug)]
pub struct DelayProxy {
    delay: Duration,
    listeners: BTreeMap<u16, std::net::TcpListener>,
    ports: BTreeMap<u16, u16>,
    stop: CancellationToken,
    threads: ProxyThreads,
}

/// The proxy's threads, which all messages pass through.
#[derive(Debug, Clone)]
struct ProxyThreads {
    /// Reads and writes.
    relay: Arc<HotThread>,
    /// Runs the timers.
    clock: Arc<HotThread>,
}

impl DelayProxy {
    /// Binds a free port of this machine for each of `ports`; connections wait until
    /// [`DelayProxy::serve`].
    ///
    /// # Errors
    /// No port is free.
    pub fn bind(ports: &[u16], delay: Duration) -> io::Result<Self> {
        let mut listeners = BTreeMap::new();
        let mut proxy_ports = BTreeMap::new();
        for &port in ports {
            let listener = std::net::TcpListener::bind((Self::address(), 0))?;
            listener.set_nonblocking(true)?;
            proxy_ports.insert(port, listener.local_addr()?.port());
            listeners.insert(port, listener);
        }
        let thread = |name| HotThread::new(name, ThreadRole::Forwards);
        let threads =
            ProxyThreads { relay: thread(RELAY_THREAD_NAME), clock: thread(CLOCK_THREAD_NAME) };
        let stop = CancellationToken::new();
        Ok(Self { delay, listeners, ports: proxy_ports, stop, threads })
    }

    /// The address on which the proxy listens.
    pub const fn address() -> IpAddr {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    }

    /// The proxy's port for each of the server's ports.
    pub const fn ports(&self) -> &BTreeMap<u16, u16> {
        &self.ports
    }

    /// The proxy's threads.
    pub fn threads(&self) -> Vec<Arc<HotThread>> {
        vec![Arc::clone(&self.threads.relay), Arc::clone(&self.threads.clock)]
    }

    /// Starts forwarding: each port's connections go to its address in `to`.
    ///
    /// # Errors
    /// The runtime or a thread cannot be created.
    pub fn serve(&mut self, to: &BTreeMap<u16, SocketAddr>) -> io::Result<()> {
        let ProxyThreads { relay, clock: clock_thread } = self.threads.clone();
        let passes = PassMonitor::new(&relay);
        let mut builder = tokio::runtime::Builder::new_current_thread();
        passes.attach(&mut builder);
        let runtime = builder.enable_all().build()?;
        let routes: Vec<_> = std::mem::take(&mut self.listeners)
            .into_iter()
            .filter_map(|(port, listener)| Some((listener, *to.get(&port)?)))
            .collect();
        let clock = Arc::new(DelayClock::default());
        let timers = Arc::clone(&clock);
        thread::Builder::new().name(CLOCK_THREAD_NAME.into()).spawn(move || {
            let entered = clock_thread.enter();
            timers.run_timers(&entered);
        })?;
        let (delay, stop) = (self.delay, self.stop.clone());
        thread::Builder::new().name(RELAY_THREAD_NAME.into()).spawn(move || {
            let _entered = relay.enter();
            let ended = accept_all(routes, delay, &clock, stop, passes);
            if let Err(error) = runtime.block_on(LocalSet::new().run_until(ended)) {
                tracing::error!(%error, "the delay proxy has ended");
            }
            clock.stop();
        })?;
        Ok(())
    }
}

impl Drop for DelayProxy {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Serves until `stop` is cancelled; the connections' tasks end with the surrounding `LocalSet`.
async fn accept_all(
    routes: Vec<(std::net::TcpListener, SocketAddr)>,
    delay: Duration,
    clock: &Arc<DelayClock>,
    stop: CancellationToken,
    passes: Arc<PassMonitor>,
) -> io::Result<()> {
    tokio::task::spawn_local(Arc::clone(&passes).run());
    let shared = Rc::new(ProxyContext {
        delay,
        clock: Arc::clone(clock),
        passes,
        read_buffer: RefCell::new(vec![0; READ_BUFFER_SIZE].into_boxed_slice()),
    });
    for (listener, to) in routes {
        let listener = TcpListener::from_std(listener)?;
        tokio::task::spawn_local(accept(Rc::clone(&shared), listener, to));
    }
    stop.cancelled().await;
    Ok(())
}

/// State shared by all connections, which run on one thread.
struct ProxyContext {
    delay: Duration,
    clock: Arc<DelayClock>,
    /// Passes of the thread that all connections run on.
    passes: Arc<PassMonitor>,
    /// Buffer for a read, before the size of the chunk is known.
    read_buffer: RefCell<Box<[u8]>>,
}

async fn accept(shared: Rc<ProxyContext>, listener: TcpListener, to: SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((near, _)) => {
                let relay = relay_connection(Rc::clone(&shared), near, to);
                tokio::task::spawn_local(Arc::clone(&shared.passes).watch(relay));
            }
            // Most likely no descriptor is free: a later attempt may succeed.
            Err(error) => {
                tracing::warn!(%error, "the delay proxy could not accept a connection");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// Forwards one connection; closes it when the server does not accept.
async fn relay_connection(shared: Rc<ProxyContext>, near: TcpStream, to: SocketAddr) {
    let Ok(Ok(far)) = timeout(CONNECT_TIMEOUT, TcpStream::connect(to)).await else { return };
    if near.set_nodelay(true).is_err() || far.set_nodelay(true).is_err() {
        return;
    }
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::join!(
        relay_delayed(&shared, near_read, far_write),
        relay_delayed(&shared, far_read, near_write)
    );
}

/// Forwards the bytes of one direction, delayed, until either end is closed.
async fn relay_delayed(shared: &ProxyContext, from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let (sender, mut chunks) = mpsc::channel::<(Instant, Box<[u8]>)>(MAX_CHUNKS_IN_FLIGHT);
    let reader = async move {
        while let Ok(()) = from.readable().await {
            let read = from.try_read(&mut shared.read_buffer.borrow_mut());
            let length = match read {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(_) => break,
            };
            let due = Instant::now() + shared.delay;
            let chunk = Box::from(&shared.read_buffer.borrow()[..length]);
            if sender.send((due, chunk)).await.is_err() {
                break;
            }
        }
        // Delay the end of the stream as long as the bytes before it.
        let _ = sender.send((Instant::now() + shared.delay, Box::default())).await;
    };
    let writer = async move {
        while let Some((due, chunk)) = chunks.recv().await {
            shared.clock.sleep_until(due).await;
            if to.write_all(&chunk).await.is_err() {
                break;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(reader, writer);
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{Shutdown, TcpListener as Listener, TcpStream as Stream},
    };

    use super::*;

    /// Starts an echo server and a proxy in front of it; returns the proxy and its address.
    fn start_echo_server(delay: Duration) -> (DelayProxy, SocketAddr) {
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
        let mut proxy = DelayProxy::bind(&[7], delay).unwrap();
        proxy.serve(&BTreeMap::from([(7, address)])).unwrap();
        let proxy_address = SocketAddr::from((DelayProxy::address(), proxy.ports()[&7]));
        (proxy, proxy_address)
    }

    #[test]
    fn every_byte_comes_back_in_order_and_never_early() {
        let delay = Duration::from_millis(3);
        let (_proxy, address) = start_echo_server(delay);
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
    fn the_threads_that_forward_everything_are_watched() {
        let (proxy, address) = start_echo_server(Duration::from_millis(2));
        let mut stream = Stream::connect(address).unwrap();
        let mut answer = [0; 64];
        for _ in 0..20 {
            stream.write_all(&[7; 64]).unwrap();
            stream.read_exact(&mut answer).unwrap();
        }
        let threads = proxy.threads();
        let names: Vec<_> = threads.iter().map(|thread| (thread.name(), thread.role())).collect();
        let role = ThreadRole::Forwards;
        assert_eq!(names, [(RELAY_THREAD_NAME, role), (CLOCK_THREAD_NAME, role)]);
        for thread in threads {
            let (cpu, pass) = (thread.counters().cpu, thread.longest_pass_micros());
            assert!(cpu > Duration::ZERO && pass.is_some(), "{}: {cpu:?}, {pass:?}", thread.name());
            // Beside other work of the machine; the waits for the next byte are no passes.
            assert!(pass < Some(60_000), "{}: {pass:?} µs", thread.name());
        }
    }

    #[test]
    fn connections_do_not_wait_for_each_other() {
        let (_proxy, address) = start_echo_server(Duration::from_millis(20));
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
        // Sequentially they would take two seconds; no upper bound, because a busy machine may
        // double the time.
        assert!(began.elapsed() >= Duration::from_millis(40));
    }

    #[test]
    fn a_missing_server_closes_the_connection() {
        let closed = Listener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut proxy = DelayProxy::bind(&[7], Duration::from_millis(1)).unwrap();
        proxy.serve(&BTreeMap::from([(7, closed)])).unwrap();
        let mut stream = Stream::connect((DelayProxy::address(), proxy.ports()[&7])).unwrap();
        let mut rest = Vec::new();
        assert!(matches!(stream.read_to_end(&mut rest), Ok(0) | Err(_)));
        assert!(rest.is_empty());
    }

    #[test]
    fn dropping_a_proxy_closes_its_connections() {
        let (proxy, address) = start_echo_server(Duration::from_millis(1));
        let mut stream = Stream::connect(address).unwrap();
        stream.write_all(b"x").unwrap();
        let mut back = [0];
        stream.read_exact(&mut back).unwrap();
        drop(proxy);
        assert!(matches!(stream.read(&mut back), Ok(0) | Err(_)));
    }
}
