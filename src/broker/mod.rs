//! The built-in broker: an in-memory server that speaks Kafka's wire protocol.
//!
//! It is *not* Apache Kafka. It exists for a first look on a machine without containers, for
//! tests, and to measure this program's own floor: what is left of a latency when the server does
//! next to nothing. It runs as a child process of the same program and is reached only through its
//! port, by the same unchanged client library as the real one. The local hub's guard ties it to the
//! life of its parent.
//!
//! ```text
//! connection ─► api ─► store ─► log            one task for each connection
//!                 └─► lies ─┘                  only when it was told to lie
//! ```
//!
//! `log` keeps record batches as the opaque bytes that producers sent; `store` holds topics,
//! wakes waiting fetches and watches over memory; `api` answers requests; [`lies`] makes a lying
//! server of it, so that a test can prove that every message is accounted for.
//!
//! # Limits
//! - One node, no replication, no consumer groups, no transactions. Topics are not created by use.
//! - Nothing is on disk. Topic settings that promise durability are refused, not ignored.
//! - Memory is bounded by [`Options::retention`]: beyond it the oldest data of a partition that a
//!   consumer has fetched is dropped (fetching it then answers `OFFSET_OUT_OF_RANGE`). Data that
//!   nobody has fetched is never dropped: when there is nothing else left, produce requests are
//!   refused with `POLICY_VIOLATION`, which clients do not retry.

use std::{
    io::{self, Write},
    net::SocketAddr,
    sync::Arc,
};

use tokio::{
    net::{TcpListener, TcpSocket},
    signal::unix::{SignalKind, signal},
};

use crate::units::Bytes;

mod api;
mod batch;
mod connection;
pub mod lies;
mod log;
mod store;

use lies::{Liar, Lies};
use store::Store;

/// Connections that may wait to be accepted: thousands of users connect at once.
const BACKLOG: u32 = 4_096;
/// [`Options::retention`] is never more than this by default …
const MOST_RETENTION: u64 = 4 << 30;
/// … nor than this share of the machine's memory.
const MEMORY_SHARE: u64 = 2;

/// The environment variable that carries [`Lies`] through the hub to a broker that it starts, so
/// that a test can have a lying server without any setting of it in profiles or plans.
pub const LIES_VARIABLE: &str = "HUBMARK_BUILTIN_LIES";

/// What went wrong with the built-in broker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The port cannot be had.
    #[error("the built-in broker cannot listen on {listen}: {source}")]
    Listen {
        /// The address asked for.
        listen: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// The runtime, a signal handler or the output failed.
    #[error("the built-in broker cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

/// How the built-in broker is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address to listen on; port 0 takes any free one. Clients are told the address by which
    /// they came.
    pub listen: SocketAddr,
    /// Bytes of memory for messages, all topics together.
    pub retention: Bytes,
    /// Threads that serve connections.
    pub workers: usize,
    /// Lies to tell.
    pub lies: Option<Lies>,
}

impl Options {
    /// An honest broker at `listen` with the memory that this machine can spare: half of it, and
    /// at most 4 GiB.
    pub fn new(listen: SocketAddr) -> Self {
        Self { listen, retention: default_retention(), workers: 1, lies: None }
    }
}

fn default_retention() -> Bytes {
    use procfs::Current;
    let machine = procfs::Meminfo::current().map_or(u64::MAX, |memory| memory.mem_total);
    Bytes(MOST_RETENTION.min(machine / MEMORY_SHARE))
}

/// Serves until SIGTERM or SIGINT. Prints one line with the address to standard output once the
/// port is open.
pub fn run(options: &Options) -> Result<(), BrokerError> {
    let system = |what| move |source| BrokerError::System { what, source };
    let mut runtime = if options.workers <= 1 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    let runtime = runtime
        .worker_threads(options.workers.max(1))
        .enable_all()
        .build()
        .map_err(system("start its runtime"))?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(system("catch SIGTERM"))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(system("catch SIGINT"))?;
        let broker = Broker::bind(options)?;
        announce(broker.address()).map_err(system("write to its standard output"))?;
        let liar = broker.liar();
        tokio::select! {
            () = broker.serve() => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if let Some(liar) = liar {
            liar.publish().map_err(system("write its report of lies"))?;
        }
        Ok(())
    })
}

fn announce(address: SocketAddr) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "listening on {address}")?;
    out.flush()
}

/// A broker whose port is open.
pub struct Broker {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What all connections share.
struct Shared {
    store: Store,
    liar: Option<Arc<Liar>>,
}

impl Broker {
    /// Opens the port. Must be called within a tokio runtime.
    pub fn bind(options: &Options) -> Result<Self, BrokerError> {
        let open = || {
            let socket = match options.listen {
                SocketAddr::V4(_) => TcpSocket::new_v4(),
                SocketAddr::V6(_) => TcpSocket::new_v6(),
            }?;
            socket.set_reuseaddr(true)?;
            socket.bind(options.listen)?;
            let listener = socket.listen(BACKLOG)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) =
            open().map_err(|source| BrokerError::Listen { listen: options.listen, source })?;
        let shared = Shared {
            store: Store::new(options.retention),
            liar: options.lies.clone().map(|lies| Arc::new(Liar::new(lies))),
        };
        Ok(Self { listener, address, shared: Arc::new(shared) })
    }

    /// The address that it listens on.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The one who lies, if it was told to.
    pub fn liar(&self) -> Option<Arc<Liar>> {
        self.shared.liar.clone()
    }

    /// Accepts connections for ever.
    pub async fn serve(self) {
        if let Some(liar) = self.liar() {
            tokio::spawn(liar.keep_published());
        }
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(connection::serve(Arc::clone(&self.shared), stream));
                }
                // Out of descriptors, or a client that went away while it waited: later ones may
                // have more luck, and a busy loop helps nobody.
                Err(error) => {
                    tracing::warn!(%error, "the built-in broker could not accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
            }
        }
    }
}
