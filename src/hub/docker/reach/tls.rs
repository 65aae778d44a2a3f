//! Connects to an engine with mutual TLS, with the certificate files of Docker's own tools:
//! `ca.pem`, `cert.pem` and `key.pem` in one folder.

use std::{
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use bollard::errors::Error as EngineError;
use rustls::{
    CertificateError, ClientConfig, Error as TlsError, RootCertStore,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{hub::HubError, paths, units::human_duration};

/// Pause before a lost connection to an engine that has answered before is opened again.
pub const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// A connection to an engine over TLS.
pub struct TlsTransport {
    host: String,
    port: u16,
    name: ServerName<'static>,
    files: CertificateFiles,
    roots: Arc<RootCertStore>,
    client_certificates: Vec<CertificateDer<'static>>,
    connector: TlsConnector,
    /// Longest wait for one connection.
    connect_timeout: Duration,
    /// Whether the engine has answered once: from then on a broken connection does not mean a
    /// refused certificate.
    answered: AtomicBool,
}

/// Paths of the three certificate files.
#[derive(Debug, Clone)]
struct CertificateFiles {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl TlsTransport {
    /// Reads the certificates in `folder`; `connect_timeout` is the longest wait for one connection.
    ///
    /// # Errors
    /// A file that is missing or invalid.
    pub fn new(
        host: &str,
        port: u16,
        folder: &Path,
        connect_timeout: Duration,
    ) -> Result<Self, HubError> {
        let file = |name: &str| folder.join(name);
        let files = CertificateFiles {
            authority: file("ca.pem"),
            certificate: file("cert.pem"),
            key: file("key.pem"),
        };
        let engine = format!("tcp://{host}:{port}");
        let file_error = |file: &Path, reason: String| HubError::Unreachable {
            engine: engine.clone(),
            reason: format!("it is reached over TLS, and {} {reason}", file.display()),
            advice: "name the folder with ca.pem, cert.pem and key.pem: hub.certificates, or \
                     DOCKER_CERT_PATH. For an engine without TLS, open to its whole network, \
                     write http://HOST:PORT"
                .to_owned(),
        };
        let pem_error = |file: &Path| {
            let file = file.to_owned();
            let file_error = &file_error;
            move |error: rustls::pki_types::pem::Error| {
                file_error(&file, describe_pem_error(&error))
            }
        };
        let certificates = |file: &Path| -> Result<Vec<CertificateDer<'static>>, HubError> {
            let text = read_pem(file).map_err(pem_error(file))?;
            let read = CertificateDer::pem_slice_iter(&text);
            let all = read.collect::<Result<Vec<_>, _>>().map_err(pem_error(file))?;
            if all.is_empty() {
                Err(file_error(file, "contains no certificate".into()))
            } else {
                Ok(all)
            }
        };
        let mut roots = RootCertStore::empty();
        for authority in certificates(&files.authority)? {
            roots
                .add(authority)
                .map_err(|e| file_error(&files.authority, format!("is invalid: {e}")))?;
        }
        let roots = Arc::new(roots);
        let own = certificates(&files.certificate)?;
        let key = read_pem(&files.key).and_then(|text| PrivateKeyDer::from_pem_slice(&text));
        let key = key.map_err(pem_error(&files.key))?;
        let config = ClientConfig::builder_with_provider(crypto_provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| file_error(&files.certificate, e.to_string()))?
            .with_root_certificates(Arc::clone(&roots))
            .with_client_auth_cert(own.clone(), key)
            .map_err(|e| file_error(&files.key, format!("does not match cert.pem: {e}")))?;
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            file_error(&files.authority, format!("cannot be used to verify the name {host}"))
        })?;
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self {
            host: host.to_owned(),
            port,
            name,
            files,
            roots,
            client_certificates: own,
            connector,
            connect_timeout,
            answered: AtomicBool::new(false),
        })
    }

    /// Records that the engine has answered.
    pub fn mark_answered(&self) {
        self.answered.store(true, Relaxed);
    }

    /// Whether the engine has answered before.
    pub fn has_answered(&self) -> bool {
        self.answered.load(Relaxed)
    }

    /// Connects and completes the TLS handshake, within `time_limit`.
    ///
    /// A refusal of the client certificate may show only with the first answer. An engine that has
    /// answered before is tried again until the deadline: nothing was sent yet.
    pub async fn connect(&self, time_limit: Duration) -> io::Result<TlsStream<TcpStream>> {
        let deadline = Instant::now() + time_limit;
        loop {
            match self.connect_once().await {
                Err(error) if self.has_answered() && Instant::now() + RETRY_INTERVAL < deadline => {
                    tracing::debug!("{}:{} does not answer: {error}", self.host, self.port);
                    sleep(RETRY_INTERVAL).await;
                }
                connected => return connected,
            }
        }
    }

    async fn connect_once(&self) -> io::Result<TlsStream<TcpStream>> {
        let connected = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            stream.set_nodelay(true)?;
            self.connector.connect(self.name.clone(), stream).await
        };
        let limit = self.connect_timeout;
        let timed_out = || {
            let text = format!("no connection over TLS within {}", human_duration(limit));
            io::Error::new(io::ErrorKind::TimedOut, text)
        };
        timeout(limit, connected).await.unwrap_or_else(|_| Err(timed_out()))
    }

    /// Explains a broken connection, if TLS may be the reason.
    ///
    /// An engine that refuses the client certificate sends an alert and closes the connection;
    /// during a write only the closing is visible.
    pub fn explain(&self, error: &EngineError) -> Option<HubError> {
        let certificate = |symptom: &str| {
            (
                format!(
                    "it refuses the client certificate: {} ({symptom})",
                    self.client_certificate_error()
                ),
                format!(
                    "get a client certificate from the engine's authority and save it as {}",
                    self.files.certificate.display()
                ),
            )
        };
        let (reason, advice) = match find_tls_error(error) {
            Some(TlsError::InvalidCertificate(why)) => (
                format!("its certificate is refused: {}", self.engine_certificate_error(why)),
                "if this is the right engine, give it a certificate that is signed by ca.pem for \
                 that name"
                    .to_owned(),
            ),
            Some(TlsError::AlertReceived(alert)) => certificate(&format!("TLS alert {alert:?}")),
            Some(TlsError::InvalidMessage(_)) => (
                "the server at this address does not speak TLS".to_owned(),
                "check the port (default 2376); for an engine without TLS, open to its whole \
                 network, write http://HOST:PORT"
                    .to_owned(),
            ),
            Some(other) => (other.to_string(), "check the certificates of both sides".to_owned()),
            None if matches!(error, EngineError::HyperResponseError { .. }) => {
                certificate("it closes the connection")
            }
            None => return None,
        };
        let engine = format!("tcp://{}:{}", self.host, self.port);
        Some(HubError::Unreachable { engine, reason, advice })
    }

    fn engine_certificate_error(&self, why: &CertificateError) -> String {
        match why {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                format!("it is not signed by {}", self.files.authority.display())
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "it has expired".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "it is not valid yet: check the clocks of both machines".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!("it is not valid for the name {}", self.host)
            }
            other => format!("{other}"),
        }
    }

    /// Explains why the engine refuses the client certificate, from local evidence: engines give
    /// few details.
    fn client_certificate_error(&self) -> String {
        let file = self.files.certificate.display();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&self.roots), crypto_provider())
                .build();
        let (first, rest) = (
            self.client_certificates.first(),
            self.client_certificates.get(1..).unwrap_or_default(),
        );
        let verdict = verifier
            .ok()
            .zip(first)
            .map(|(verifier, own)| verifier.verify_client_cert(own, rest, UnixTime::now()));
        match verdict {
            Some(Err(TlsError::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            ))) => format!("{file} has expired"),
            Some(Err(TlsError::InvalidCertificate(CertificateError::UnknownIssuer))) => {
                format!("{file} is not signed by {}", self.files.authority.display())
            }
            Some(Err(error)) => format!("{file}: {error}"),
            Some(Ok(_)) | None => {
                format!("{file} is signed by an authority that the engine does not trust")
            }
        }
    }
}

fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Finds the TLS error that caused an error.
fn find_tls_error(error: &EngineError) -> Option<&TlsError> {
    // bollard's error passes for the I/O error it contains, also when searching its sources.
    let first: &(dyn Error + 'static) = match error {
        EngineError::IOError { err } => err,
        other => other,
    };
    let mut next = Some(first);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<TlsError>() {
            return Some(found);
        }
        // The error wrapped in an I/O error is not its source: `source` returns that error's source
        // instead.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = wrapped.and_then(|wrapped| wrapped.downcast_ref::<TlsError>()) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn read_pem(file: &Path) -> Result<Vec<u8>, rustls::pki_types::pem::Error> {
    paths::read_regular(file).map_err(rustls::pki_types::pem::Error::Io)
}

fn describe_pem_error(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            "does not exist".to_owned()
        }
        rustls::pki_types::pem::Error::Io(error) => format!("cannot be read: {error}"),
        other => format!("is invalid: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A transport without certificates to `port` of this machine.
    fn transport(port: u16, connect_timeout: Duration) -> TlsTransport {
        let roots = Arc::new(RootCertStore::empty());
        let config = ClientConfig::builder_with_provider(crypto_provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(Arc::clone(&roots))
            .with_no_client_auth();
        let missing = PathBuf::new;
        TlsTransport {
            host: "127.0.0.1".into(),
            port,
            name: ServerName::try_from("127.0.0.1").unwrap(),
            files: CertificateFiles {
                authority: missing(),
                certificate: missing(),
                key: missing(),
            },
            roots,
            client_certificates: Vec::new(),
            connector: TlsConnector::from(Arc::new(config)),
            connect_timeout,
            answered: AtomicBool::new(false),
        }
    }

    #[tokio::test]
    async fn a_connection_is_waited_for_as_long_as_the_hub_s_time_out_says() {
        // It accepts connections and never answers.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = silent.local_addr().unwrap().port();
        let begun = Instant::now();
        let limit = Duration::from_millis(200);
        let error = transport(port, limit).connect(Duration::from_mins(1)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().contains("within 200 ms"), "{error}");
        assert!(begun.elapsed() >= limit && begun.elapsed() < Duration::from_secs(8));
    }
}
