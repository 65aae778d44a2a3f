//! Reaching an engine: which address, what connection, and what is wrong when there is none.

use std::{
    fmt, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bollard::{API_DEFAULT_VERSION, Docker, errors::Error as EngineError};
use tokio::net::{TcpStream, UnixStream, lookup_host};

use super::{
    call::{within, words},
    ssh::{Destination, tunnel::Tunnel},
    tls::Tls,
    wire::Wire,
};
use crate::hub::HubError;

/// The port of an engine with TLS.
const TLS_PORT: u16 = 2376;
/// The port of an engine without.
const PLAIN_PORT: u16 = 2375;
/// How long an engine may take to answer its first calls.
const PATIENCE: Duration = Duration::from_secs(10);
/// The oldest API that has everything asked of it.
const OLDEST_API: (usize, usize) = (1, 41);
/// bollard's own limit; every call has a shorter one of ours.
const LONGEST_CALL: u64 = 300;

/// An engine's address: one variant for each way to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A socket file of this machine.
    Unix(PathBuf),
    /// A TCP port, with certificates of both sides: `tcp://`.
    Tls {
        /// Host name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// A TCP port without encryption, open to everybody who reaches it: `http://`.
    Plain {
        /// Host name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// A socket of another machine, forwarded by `ssh`.
    Ssh(Destination),
}

impl Address {
    /// Reads an address as Docker's own tools write it.
    pub fn parse(text: &str) -> Result<Self, HubError> {
        const SUPPORTED: &str = "supported are unix:///path/to/docker.sock, \
             ssh://[user@]host[:port], tcp://HOST:PORT with TLS, and http://HOST:PORT without";
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(bad(text, &format!("it has no scheme; {SUPPORTED}")));
        };
        let place = |rest: &str, port| {
            host_and_port(rest.trim_end_matches('/'), port).ok_or_else(|| {
                bad(text, &format!("it must be {scheme}://HOST:PORT, without user or path"))
            })
        };
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Unix(rest.into())),
            "unix" => Err(bad(text, "the path of the socket must be absolute: unix:///path")),
            "tcp" => place(rest, TLS_PORT).map(|(host, port)| Self::Tls { host, port }),
            "http" => place(rest, PLAIN_PORT).map(|(host, port)| Self::Plain { host, port }),
            "ssh" => Destination::parse(rest).map(Self::Ssh).ok_or_else(|| {
                bad(text, "it must be ssh://[user@]host[:port][/path/to/docker.sock]")
            }),
            _ => Err(bad(text, &format!("the scheme {scheme}:// is not supported; {SUPPORTED}"))),
        }
    }

    /// Whether the engine's files and containers are this machine's: behind a socket of ours.
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    /// Whose the engine's socket is, as a user's number.
    pub fn owner(&self) -> Option<u32> {
        let Self::Unix(path) = self else { return None };
        std::fs::metadata(path).ok().map(|file| std::os::unix::fs::MetadataExt::uid(&file))
    }

    /// What the operator should know of this way, whatever comes of it.
    pub fn caution(&self) -> Option<String> {
        matches!(self, Self::Plain { .. }).then(|| {
            format!(
                "the engine at {self} is reached without TLS: everybody who reaches that port is \
                 master of the machine behind it"
            )
        })
    }

    /// Connects, and agrees with the engine on a version of its API. `certificates` is the folder
    /// with those for TLS.
    pub async fn connect(&self, certificates: &Path) -> Result<Docker, HubError> {
        self.connect_within(PATIENCE, certificates).await
    }

    async fn connect_within(
        &self,
        patience: Duration,
        certificates: &Path,
    ) -> Result<Docker, HubError> {
        let (client, wire) = self.client(patience, certificates).await?;
        let client = match within(patience, client.negotiate_version()).await {
            Ok(client) => client,
            Err(EngineError::RequestTimeoutError) => return Err(self.silent(patience)),
            Err(error) => {
                let explained = match wire {
                    Some(wire) => wire.explain(&error).await,
                    None => None,
                };
                let reason = || format!("it does not answer as an engine: {}", words(&error));
                return Err(explained.unwrap_or_else(|| self.none(reason())));
            }
        };
        let spoken = client.client_version();
        let (major, minor) = (spoken.major_version, spoken.minor_version);
        if (major, minor) < OLDEST_API {
            return Err(HubError::NoEngine {
                engine: self.to_string(),
                reason: format!(
                    "it speaks version {major}.{minor} of the engine's API; {}.{} or later is \
                     needed, which comes with Docker 20.10",
                    OLDEST_API.0, OLDEST_API.1
                ),
                advice: "upgrade it: sudo apt update && sudo apt install docker.io".to_owned(),
            });
        }
        Ok(client)
    }

    /// A client on a way that is open, and that way where it is of our own making.
    async fn client(
        &self,
        patience: Duration,
        certificates: &Path,
    ) -> Result<(Docker, Option<Wire>), HubError> {
        if !matches!(self, Self::Ssh(_)) {
            match tokio::time::timeout(patience, self.knock()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(self.unreachable(&error)),
                Err(_) => return Err(self.silent(patience)),
            }
        }
        let wire = match self {
            Self::Unix(_) | Self::Plain { .. } => None,
            Self::Tls { host, port } => {
                Some(Wire::Tls(Arc::new(Tls::new(host, *port, certificates)?)))
            }
            Self::Ssh(destination) => {
                Some(Wire::Tunnel(Arc::new(Tunnel::open(destination).await?)))
            }
        };
        let client = match (self, wire.clone()) {
            (_, Some(wire)) => {
                let send = move |request| wire.clone().request(request);
                let place = Some("http://engine");
                Docker::connect_with_custom_transport(
                    send,
                    place,
                    LONGEST_CALL,
                    API_DEFAULT_VERSION,
                )
            }
            (Self::Unix(path), None) => {
                let path = path.to_string_lossy();
                Docker::connect_with_unix(&path, LONGEST_CALL, API_DEFAULT_VERSION)
            }
            (_, None) => {
                let url = self.to_string();
                Docker::connect_with_http(&url, LONGEST_CALL, API_DEFAULT_VERSION)
            }
        };
        Ok((client.map_err(|error| self.none(words(&error)))?, wire))
    }

    /// The address at which ports published on the hub are reached.
    pub async fn published_at(&self) -> Result<IpAddr, HubError> {
        match self {
            Self::Unix(_) => Ok(IpAddr::from([127, 0, 0, 1])),
            Self::Ssh(destination) => destination.address().await,
            Self::Tls { host, port } | Self::Plain { host, port } => {
                let found = tokio::time::timeout(PATIENCE, lookup_host((host.as_str(), *port)))
                    .await
                    .map_err(|_| self.silent(PATIENCE))?
                    .map_err(|error| self.unreachable(&error))?
                    .next();
                found
                    .map(|found| found.ip())
                    .ok_or_else(|| self.none(format!("the name {host} has no address")))
            }
        }
    }

    /// Opens a connection and drops it: the system's own error says more than a client library's.
    async fn knock(&self) -> io::Result<()> {
        match self {
            Self::Unix(path) => UnixStream::connect(path).await.map(drop),
            Self::Tls { host, port } | Self::Plain { host, port } => {
                TcpStream::connect((host.as_str(), *port)).await.map(drop)
            }
            // Opening the tunnel is the knock.
            Self::Ssh(_) => Ok(()),
        }
    }

    fn unreachable(&self, error: &io::Error) -> HubError {
        match (self, error.kind()) {
            (Self::Unix(_), io::ErrorKind::PermissionDenied) => {
                HubError::NoPermission { engine: self.to_string() }
            }
            (Self::Unix(_), io::ErrorKind::NotFound) => {
                self.none("there is no such socket".to_owned())
            }
            (Self::Unix(_), io::ErrorKind::ConnectionRefused) => {
                self.none("the socket is there, but nothing listens on it".to_owned())
            }
            _ => self.none(error.to_string()),
        }
    }

    fn silent(&self, waited: Duration) -> HubError {
        self.none(format!("no answer within {waited:.0?}"))
    }

    fn none(&self, reason: String) -> HubError {
        let advice = match self {
            Self::Unix(_) => {
                "start it: sudo systemctl start docker; or install it: sudo apt install docker.io"
            }
            Self::Tls { .. } | Self::Plain { .. } => {
                "check the address, and that the engine was started with -H tcp://…"
            }
            Self::Ssh(_) => "is the engine there well? ask it by hand: ssh HOST docker version",
        };
        HubError::NoEngine { engine: self.to_string(), reason, advice: advice.to_owned() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tls { host, port } => write!(f, "tcp://{}:{port}", bracketed(host)),
            Self::Plain { host, port } => write!(f, "http://{}:{port}", bracketed(host)),
            Self::Ssh(destination) => destination.fmt(f),
        }
    }
}

/// The address of a host that the operator named as the one with the servers' ports.
pub async fn resolved(named: &str) -> Result<IpAddr, HubError> {
    if let Ok(address) = named.parse() {
        return Ok(address);
    }
    let found = tokio::time::timeout(PATIENCE, lookup_host((named, 0))).await;
    let first = found.ok().and_then(Result::ok).and_then(|mut found| found.next());
    first.map(|found| found.ip()).ok_or_else(|| HubError::Unreachable {
        engine: named.to_owned(),
        reason: "the name has no address".to_owned(),
        advice: "check hub.address in the profile".to_owned(),
    })
}

fn bad(engine: &str, reason: &str) -> HubError {
    HubError::BadAddress { engine: engine.to_owned(), reason: reason.to_owned() }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn host_and_port(text: &str, usual: u16) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            (host, after.strip_prefix(':').or(after.is_empty().then_some(""))?)
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let port = if port.is_empty() { usual } else { port.parse().ok()? };
    let plain = !host.is_empty() && !host.contains(['/', '@', '?', '#', ' ']);
    plain.then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_read_as_docker_writes_them() {
        let tcp = |host: &str, port| Address::Tls { host: host.to_owned(), port };
        let cases = [
            ("unix:///run/x.sock", Address::Unix("/run/x.sock".into())),
            ("tcp://10.0.0.7:2375", tcp("10.0.0.7", 2375)),
            ("tcp://pi.local", tcp("pi.local", 2376)),
            ("http://pi.local", Address::Plain { host: "pi.local".to_owned(), port: 2375 }),
            ("tcp://[fe80::1]:4000", tcp("fe80::1", 4000)),
        ];
        for (text, expected) in cases {
            assert_eq!(Address::parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_used_says_what_can() {
        for text in ["npipe://engine", "https://x:1", "/var/run/docker.sock", "fd://"] {
            let error = Address::parse(text).unwrap_err();
            assert!(matches!(error, HubError::BadAddress { .. }), "{text}: {error}");
            assert!(error.to_string().contains("tcp://HOST:PORT"), "{error}");
        }
        for text in ["unix://relative", "tcp://", "tcp://host:port", "tcp://u@host:1", "tcp://h/x"]
        {
            assert!(matches!(Address::parse(text), Err(HubError::BadAddress { .. })), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_address_panics_and_what_is_read_is_written_the_same(text in "(unix|tcp|http|ssh)://[ -~]{0,20}") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert_eq!(Address::parse(&address.to_string()).unwrap(), address);
            }
        }
    }

    async fn refused(address: &Address) -> HubError {
        address
            .connect_within(Duration::from_millis(100), Path::new("/nonexistent"))
            .await
            .unwrap_err()
    }

    #[tokio::test]
    async fn each_way_of_not_answering_has_its_own_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engine.sock");
        let address = Address::Unix(path.clone());

        let missing = refused(&address).await;
        assert!(matches!(missing, HubError::NoEngine { .. }));
        assert!(missing.to_string().contains("no such socket"), "{missing}");
        assert!(missing.to_string().contains("systemctl start docker"), "{missing}");

        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let hanging = refused(&address).await;
        assert!(hanging.to_string().contains("no answer within"), "{hanging}");

        drop(listener);
        // A program that another test starts just now has the socket, too, until it is executed.
        let mut dead = refused(&address).await;
        for _ in 0..100 {
            if dead.to_string().contains("nothing listens") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            dead = refused(&address).await;
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
        let address = Address::Unix(path);
        let error = address
            .connect_within(Duration::from_secs(5), Path::new("/nonexistent"))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("1.40"), "{error}");
        assert!(error.to_string().contains("upgrade it"), "{error}");
    }

    #[tokio::test]
    async fn a_closed_tcp_port_is_no_engine() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = refused(&Address::Plain { host: "127.0.0.1".to_owned(), port }).await;
        assert!(matches!(error, HubError::NoEngine { .. }), "{error}");
        assert!(error.to_string().contains("refused"), "{error}");
    }
}
