//! The built-in broker: an in-memory server that speaks Kafka's wire protocol.
//!
//! It is *not* Apache Kafka. It exists for a first look on a machine without containers, for tests,
//! and to measure this program's own overhead: the latency that remains when the server does next
//! to nothing. It runs as a child process of the same program and is reached only through its port,
//! by the same unchanged client library as the real Kafka. The local hub's guard ends it with its
//! parent.
//!
//! ```text
//! connection ─► api ─► store ─► log            one task for each connection
//!                 └─► fault_injection ─┘       only when faults are configured
//! ```
//!
//! `log` stores record batches as the opaque bytes that producers sent; `store` holds topics, wakes
//! waiting fetches and limits memory; `api` answers requests; [`fault_injection`] loses, repeats,
//! reorders or damages messages, so that a test can prove that every message is accounted for.
//!
//! # Limits
//! - One node, no replication, no consumer groups, no transactions. Topics are not created by use.
//! - Nothing is on disk. Topic settings that promise durability are refused, not ignored.
//! - Memory is bounded by [`BrokerOptions::retention`]: beyond it the oldest fetched data of a
//!   partition is dropped (fetching it then answers `OFFSET_OUT_OF_RANGE`). Unfetched data is never
//!   dropped: when nothing else is left, produce requests are refused with `POLICY_VIOLATION`,
//!   which clients do not retry.

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
use {
    context::BrokerContext,
    fault_injection::{FaultInjector, InjectionConfig},
    store::TopicStore,
};

mod api;
mod batch;
mod connection;
mod context;
mod error_code;
pub mod fault_injection;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod log;
mod store;

/// Connections that may wait to be accepted: thousands of users connect at once.
const BACKLOG: u32 = 4_096;
/// Upper limit of the default [`BrokerOptions::retention`].
const MAX_DEFAULT_RETENTION: u64 = 4 << 30;
/// Divisor of the machine's memory for the default [`BrokerOptions::retention`].
const DEFAULT_RETENTION_DIVISOR: u64 = 2;

/// Environment variable with an [`InjectionConfig`], which the hub passes on to the broker that it
/// starts: a test can inject faults without any setting in profiles or plans.
pub const INJECTION_VARIABLE: &str = "HUBMARK_BUILTIN_LIES";

/// An error of the built-in broker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The broker cannot listen on its port.
    #[error("the built-in broker cannot listen on {listen}: {source}")]
    Listen {
        /// The requested address.
        listen: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The runtime, a signal handler or the output failed.
    #[error("the built-in broker cannot {what}: {source}")]
    System {
        /// The operation that failed.
        what: &'static str,
        /// The system's error.
        source: io::Error,
    },
}

/// Options of the built-in broker.
#[derive(Debug, Clone)]
pub struct BrokerOptions {
    /// Address to listen on; port 0 takes any free port. Metadata responses name the address under
    /// which a client connected.
    pub listen: SocketAddr,
    /// Bytes of memory for messages, all topics together.
    pub retention: Bytes,
    /// Threads that serve connections.
    pub workers: usize,
    /// Faults to inject.
    pub injection: Option<InjectionConfig>,
}

impl BrokerOptions {
    /// Options for a broker at `listen` without faults, with half of this machine's memory and at
    /// most 4 GiB for messages.
    pub fn new(listen: SocketAddr) -> Self {
        Self { listen, retention: default_retention(), workers: 1, injection: None }
    }
}

fn default_retention() -> Bytes {
    use procfs::Current;
    let machine = procfs::Meminfo::current().map_or(u64::MAX, |memory| memory.mem_total);
    Bytes(MAX_DEFAULT_RETENTION.min(machine / DEFAULT_RETENTION_DIVISOR))
}

/// Serves until SIGTERM or SIGINT. Prints one line with the address to standard output once the
/// port is open.
pub fn run(options: &BrokerOptions) -> Result<(), BrokerError> {
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
        print_address(broker.address()).map_err(system("write to its standard output"))?;
        let injector = broker.injector();
        tokio::select! {
            () = broker.serve() => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if let Some(injector) = injector {
            injector.write_report().map_err(system("write its fault report"))?;
        }
        Ok(())
    })
}

fn print_address(address: SocketAddr) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "listening on {address}")?;
    out.flush()
}

/// A broker with an open port.
pub struct Broker {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<BrokerContext>,
}

impl Broker {
    /// Opens the port. Must be called within a tokio runtime.
    pub fn bind(options: &BrokerOptions) -> Result<Self, BrokerError> {
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
        let shared = BrokerContext {
            store: TopicStore::new(options.retention),
            injector: options.injection.clone().map(|config| Arc::new(FaultInjector::new(config))),
        };
        Ok(Self { listener, address, shared: Arc::new(shared) })
    }

    /// The address on which the broker listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The fault injector, if faults are configured.
    pub fn injector(&self) -> Option<Arc<FaultInjector>> {
        self.shared.injector.clone()
    }

    /// Accepts connections forever.
    pub async fn serve(self) {
        if let Some(injector) = self.injector() {
            tokio::spawn(injector.run_report_writer());
        }
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(connection::serve(Arc::clone(&self.shared), stream));
                }
                // No descriptor is free, or a waiting client disconnected: later connections may
                // succeed, and a busy loop would not help.
                Err(error) => {
                    tracing::warn!(%error, "the built-in broker could not accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
            }
        }
    }
}
