//! Parses engine addresses, connects to engines, and explains failed connections.

use std::{
    fmt, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bollard::{API_DEFAULT_VERSION, Docker};
use tokio::net::{TcpStream, UnixStream};

use super::{
    host_name::{ResolveError, bracketed, resolve, split_host_and_port},
    ssh::{SshDestination, tunnel::SshTunnel},
    tls::TlsTransport,
    transport::Transport,
};
use crate::{
    hub::{HubError, docker::api_call::error_text},
    plan::HubTimeouts,
    units::human_duration,
};

/// Default port of an engine with TLS.
const TLS_PORT: u16 = 2376;
/// Default port of an engine without TLS.
const PLAIN_PORT: u16 = 2375;
/// Oldest API version that has every call this program makes.
const MIN_API_VERSION: (usize, usize) = (1, 41);
/// Addition to this program's limit of a call that makes bollard's timeout: it never ends a call first.
const CLIENT_TIMEOUT_MARGIN: Duration = Duration::from_mins(2);

/// An engine's address: one variant for each kind of connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineAddress {
    /// Socket file of this machine.
    Unix(PathBuf),
    /// TCP port with mutual TLS: `tcp://`.
    Tls {
        /// Host name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// TCP port without encryption or authentication: `http://`.
    Plain {
        /// Host name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// Socket of another machine, forwarded by `ssh`.
    Ssh(SshDestination),
}

impl EngineAddress {
    /// Parses an address in the form of Docker's own tools.
    pub fn parse(text: &str) -> Result<Self, HubError> {
        const SUPPORTED: &str = "supported are unix:///path/to/docker.sock, \
             ssh://[user@]host[:port], tcp://HOST:PORT with TLS, and http://HOST:PORT without";
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(bad_address(text, &format!("it has no scheme; {SUPPORTED}")));
        };
        let host_port = |rest: &str, port| {
            parse_host_and_port(rest.trim_end_matches('/'), port).ok_or_else(|| {
                bad_address(text, &format!("it must be {scheme}://HOST:PORT, without user or path"))
            })
        };
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Unix(rest.into())),
            "unix" => {
                Err(bad_address(text, "the path of the socket must be absolute: unix:///path"))
            }
            "tcp" => host_port(rest, TLS_PORT).map(|(host, port)| Self::Tls { host, port }),
            "http" => host_port(rest, PLAIN_PORT).map(|(host, port)| Self::Plain { host, port }),
            "ssh" => SshDestination::parse(rest).map(Self::Ssh).ok_or_else(|| {
                bad_address(text, "it must be ssh://[user@]host[:port][/path/to/docker.sock]")
            }),
            _ => Err(bad_address(
                text,
                &format!("the scheme {scheme}:// is not supported; {SUPPORTED}"),
            )),
        }
    }

    /// Whether the engine runs on this machine, that is, behind a local socket.
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    /// Returns the user ID of the owner of the engine's socket.
    pub fn owner_uid(&self) -> Option<u32> {
        let Self::Unix(path) = self else { return None };
        std::fs::metadata(path).ok().map(|file| std::os::unix::fs::MetadataExt::uid(&file))
    }

    /// Returns a warning about the security of this connection, if there is one.
    pub fn caution(&self) -> Option<String> {
        matches!(self, Self::Plain { .. }).then(|| {
            format!(
                "the engine at {self} is reached without TLS: anyone who can reach that port has \
                 root rights on that machine"
            )
        })
    }

    /// Sets the longest wait for a connection that another program makes.
    #[must_use]
    pub fn with_connect_timeout(self, timeout: Duration) -> Self {
        match self {
            Self::Ssh(destination) => Self::Ssh(destination.with_connect_timeout(timeout)),
            other => other,
        }
    }

    /// Connects to the engine and negotiates the API version. `certificates` is the folder of the
    /// TLS certificates.
    pub async fn connect(
        &self,
        certificates: &Path,
        timeouts: HubTimeouts,
    ) -> Result<Docker, HubError> {
        let (client, transport) = self.open_client(timeouts, certificates).await?;
        // The first answer may take as long as any other that only reads.
        let negotiated = tokio::time::timeout(timeouts.query, client.negotiate_version()).await;
        let client = match negotiated {
            Ok(Ok(client)) => client,
            Err(_) => return Err(self.timeout_error(timeouts.query)),
            Ok(Err(error)) => {
                let explained = match transport {
                    Some(transport) => transport.explain(&error).await,
                    None => None,
                };
                let reason =
                    || format!("the answer is not that of a Docker engine: {}", error_text(&error));
                return Err(explained.unwrap_or_else(|| self.no_engine_error(reason())));
            }
        };
        let negotiated = client.client_version();
        let (major, minor) = (negotiated.major_version, negotiated.minor_version);
        if (major, minor) < MIN_API_VERSION {
            return Err(HubError::NoEngine {
                engine: self.to_string(),
                reason: format!(
                    "it supports version {major}.{minor} of the engine's API; {}.{} or later is \
                     needed, which comes with Docker 20.10",
                    MIN_API_VERSION.0, MIN_API_VERSION.1
                ),
                advice: "upgrade it: sudo apt update && sudo apt install docker.io".to_owned(),
            });
        }
        Ok(client)
    }

    /// Opens a client, and the transport below it where this program provides it.
    async fn open_client(
        &self,
        timeouts: HubTimeouts,
        certificates: &Path,
    ) -> Result<(Docker, Option<Transport>), HubError> {
        let client_timeout = (timeouts.operation + CLIENT_TIMEOUT_MARGIN).as_secs();
        if !matches!(self, Self::Ssh(_)) {
            match tokio::time::timeout(timeouts.connect, self.probe()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(self.connection_error(&error)),
                Err(_) => return Err(self.timeout_error(timeouts.connect)),
            }
        }
        let transport = match self {
            Self::Unix(_) | Self::Plain { .. } => None,
            Self::Tls { host, port } => {
                let connect = timeouts.connect;
                let tls = TlsTransport::new(host, *port, certificates, connect)?;
                Some(Transport::Tls(Arc::new(tls)))
            }
            Self::Ssh(destination) => {
                Some(Transport::Tunnel(Arc::new(SshTunnel::open(destination).await?)))
            }
        };
        let client = match (self, transport.clone()) {
            (_, Some(transport)) => {
                let send = move |request| transport.clone().request(request, timeouts);
                let base_url = Some("http://engine");
                Docker::connect_with_custom_transport(
                    send,
                    base_url,
                    client_timeout,
                    API_DEFAULT_VERSION,
                )
            }
            (Self::Unix(path), None) => {
                let path = path.to_string_lossy();
                Docker::connect_with_unix(&path, client_timeout, API_DEFAULT_VERSION)
            }
            (_, None) => {
                let url = self.to_string();
                Docker::connect_with_http(&url, client_timeout, API_DEFAULT_VERSION)
            }
        };
        Ok((client.map_err(|error| self.no_engine_error(error_text(&error)))?, transport))
    }

    /// Resolves the address at which ports published on the hub are reached.
    pub async fn published_address(&self, time_limit: Duration) -> Result<IpAddr, HubError> {
        match self {
            Self::Unix(_) => Ok(IpAddr::from([127, 0, 0, 1])),
            Self::Ssh(destination) => destination.host_address().await,
            Self::Tls { host, .. } | Self::Plain { host, .. } => {
                resolve(host, time_limit).await.map_err(|error| match error {
                    ResolveError::TimedOut => self.timeout_error(time_limit),
                    ResolveError::Failed(error) => self.connection_error(&error),
                    ResolveError::NoAddress => {
                        self.no_engine_error(format!("the name {host} has no address"))
                    }
                })
            }
        }
    }

    /// Opens and drops a connection: the system's error says more than that of the client library.
    async fn probe(&self) -> io::Result<()> {
        match self {
            Self::Unix(path) => UnixStream::connect(path).await.map(drop),
            Self::Tls { host, port } | Self::Plain { host, port } => {
                TcpStream::connect((host.as_str(), *port)).await.map(drop)
            }
            // Opening the tunnel tests the connection already.
            Self::Ssh(_) => Ok(()),
        }
    }

    fn connection_error(&self, error: &io::Error) -> HubError {
        match (self, error.kind()) {
            (Self::Unix(_), io::ErrorKind::PermissionDenied) => {
                HubError::NoPermission { engine: self.to_string() }
            }
            (Self::Unix(_), io::ErrorKind::NotFound) => {
                self.no_engine_error("there is no such socket".to_owned())
            }
            (Self::Unix(_), io::ErrorKind::ConnectionRefused) => {
                self.no_engine_error("the socket exists, but nothing listens on it".to_owned())
            }
            _ => self.no_engine_error(error.to_string()),
        }
    }

    fn timeout_error(&self, waited: Duration) -> HubError {
        self.no_engine_error(format!(
            "no answer within {} (a slow hub needs a longer hub.timeout or --hub-timeout)",
            human_duration(waited)
        ))
    }

    fn no_engine_error(&self, reason: String) -> HubError {
        let advice = match self {
            Self::Unix(_) => {
                "start it: sudo systemctl start docker; or install it: sudo apt install docker.io"
            }
            Self::Tls { .. } | Self::Plain { .. } => {
                "check the address, and that the engine was started with -H tcp://…"
            }
            Self::Ssh(_) => "check the engine by hand: ssh HOST docker version",
        };
        HubError::NoEngine { engine: self.to_string(), reason, advice: advice.to_owned() }
    }
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tls { host, port } => write!(f, "tcp://{}:{port}", bracketed(host)),
            Self::Plain { host, port } => write!(f, "http://{}:{port}", bracketed(host)),
            Self::Ssh(destination) => destination.fmt(f),
        }
    }
}

/// Resolves the host that the operator named for the servers' ports.
pub async fn resolve_host(named: &str, time_limit: Duration) -> Result<IpAddr, HubError> {
    if let Ok(address) = named.parse() {
        return Ok(address);
    }
    resolve(named, time_limit).await.map_err(|_| HubError::Unreachable {
        engine: named.to_owned(),
        reason: "the name has no address".to_owned(),
        advice: "check hub.address in the profile".to_owned(),
    })
}

fn bad_address(engine: &str, reason: &str) -> HubError {
    HubError::BadAddress { engine: engine.to_owned(), reason: reason.to_owned() }
}

fn parse_host_and_port(text: &str, default_port: u16) -> Option<(String, u16)> {
    let (host, port) = split_host_and_port(text)?;
    let port = if port.is_empty() { default_port } else { port.parse().ok()? };
    let plain = !host.is_empty() && !host.contains(['/', '@', '?', '#', ' ']);
    plain.then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::HubRequest;

    #[test]
    fn addresses_are_parsed() {
        let tcp = |host: &str, port| EngineAddress::Tls { host: host.to_owned(), port };
        let cases = [
            ("unix:///run/x.sock", EngineAddress::Unix("/run/x.sock".into())),
            ("tcp://10.0.0.7:2375", tcp("10.0.0.7", 2375)),
            ("tcp://pi.local", tcp("pi.local", 2376)),
            ("http://pi.local", EngineAddress::Plain { host: "pi.local".to_owned(), port: 2375 }),
            ("tcp://[fe80::1]:4000", tcp("fe80::1", 4000)),
        ];
        for (text, expected) in cases {
            assert_eq!(EngineAddress::parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn errors_of_unusable_addresses_list_the_supported_ones() {
        for text in ["npipe://engine", "https://x:1", "/var/run/docker.sock", "fd://"] {
            let error = EngineAddress::parse(text).unwrap_err();
            assert!(matches!(error, HubError::BadAddress { .. }), "{text}: {error}");
            assert!(error.to_string().contains("tcp://HOST:PORT"), "{error}");
        }
        for text in ["unix://relative", "tcp://", "tcp://host:port", "tcp://u@host:1", "tcp://h/x"]
        {
            assert!(
                matches!(EngineAddress::parse(text), Err(HubError::BadAddress { .. })),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn addresses_never_panic_and_round_trip(text in "(unix|tcp|http|ssh)://[ -~]{0,20}") {
            if let Ok(address) = EngineAddress::parse(&text) {
                prop_assert_eq!(EngineAddress::parse(&address.to_string()).unwrap(), address);
            }
        }
    }

    async fn connect_error(address: &EngineAddress) -> HubError {
        let short = Duration::from_millis(100);
        let timeouts =
            HubTimeouts { operation: short, query: short, connect: short, recovery: short };
        address.connect(Path::new("/nonexistent"), timeouts).await.unwrap_err()
    }

    #[tokio::test]
    async fn each_failed_connection_has_a_distinct_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engine.sock");
        let address = EngineAddress::Unix(path.clone());

        let missing = connect_error(&address).await;
        assert!(matches!(missing, HubError::NoEngine { .. }));
        assert!(missing.to_string().contains("no such socket"), "{missing}");
        assert!(missing.to_string().contains("systemctl start docker"), "{missing}");

        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let hanging = connect_error(&address).await;
        assert!(hanging.to_string().contains("no answer within"), "{hanging}");

        drop(listener);
        // A process that another test forks at this moment holds the socket, too, until it calls
        // exec.
        let mut dead = connect_error(&address).await;
        for _ in 0..100 {
            if dead.to_string().contains("nothing listens") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            dead = connect_error(&address).await;
        }
        panic!("{dead}");
    }

    #[tokio::test]
    async fn an_engine_that_is_too_old_is_refused() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engine.sock");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            while let Ok((mut caller, _)) = listener.accept().await {
                let answer =
                    b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{\"ApiVersion\":\"1.40\"}";
                let _ = caller.read(&mut [0; 1024]).await;
                let _ = caller.write_all(answer).await;
            }
        });
        let address = EngineAddress::Unix(path);
        let timeouts = HubRequest::docker(None).timeouts();
        let error = address.connect(Path::new("/nonexistent"), timeouts).await.unwrap_err();
        assert!(error.to_string().contains("1.40"), "{error}");
        assert!(error.to_string().contains("upgrade it"), "{error}");
    }

    #[tokio::test]
    async fn a_closed_tcp_port_is_no_engine() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error =
            connect_error(&EngineAddress::Plain { host: "127.0.0.1".to_owned(), port }).await;
        assert!(matches!(error, HubError::NoEngine { .. }), "{error}");
        assert!(error.to_string().contains("refused"), "{error}");
    }
}
