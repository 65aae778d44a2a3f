//! An engine over TLS with certificates of both sides, as Docker's own tools lay them out:
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

use super::wire::PAUSE;
use crate::hub::HubError;

/// Longest wait for one connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// A way to an engine over TLS.
pub struct Tls {
    host: String,
    port: u16,
    name: ServerName<'static>,
    files: Files,
    roots: Arc<RootCertStore>,
    own: Vec<CertificateDer<'static>>,
    connector: TlsConnector,
    /// Whether the engine has answered: from then on a connection that breaks is no refusal.
    proven: AtomicBool,
}

/// The three files.
#[derive(Debug, Clone)]
struct Files {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the certificates in `folder`.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn new(host: &str, port: u16, folder: &Path) -> Result<Self, HubError> {
        let file = |name: &str| folder.join(name);
        let files = Files {
            authority: file("ca.pem"),
            certificate: file("cert.pem"),
            key: file("key.pem"),
        };
        let engine = format!("tcp://{host}:{port}");
        let useless = |file: &Path, reason: String| {
            HubError::Unreachable {
            engine: engine.clone(),
            reason: format!("it is reached over TLS, and {} {reason}", file.display()),
            advice: "name the folder with ca.pem, cert.pem and key.pem: hub.certificates, or \
                     DOCKER_CERT_PATH. An engine that is to be reached without TLS, by everybody on \
                     its network, is written http://HOST:PORT"
                .to_owned(),
        }
        };
        let cannot = |file: &Path| {
            let file = file.to_owned();
            let useless = &useless;
            move |error: rustls::pki_types::pem::Error| useless(&file, cause(&error))
        };
        let certificates = |file: &Path| -> Result<Vec<CertificateDer<'static>>, HubError> {
            let read = CertificateDer::pem_file_iter(file).map_err(cannot(file))?;
            let all = read.collect::<Result<Vec<_>, _>>().map_err(cannot(file))?;
            if all.is_empty() { Err(useless(file, "holds no certificate".into())) } else { Ok(all) }
        };
        let mut roots = RootCertStore::empty();
        for authority in certificates(&files.authority)? {
            roots
                .add(authority)
                .map_err(|e| useless(&files.authority, format!("is of no use: {e}")))?;
        }
        let roots = Arc::new(roots);
        let own = certificates(&files.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(cannot(&files.key))?;
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| useless(&files.certificate, e.to_string()))?
            .with_root_certificates(Arc::clone(&roots))
            .with_client_auth_cert(own.clone(), key)
            .map_err(|e| useless(&files.key, format!("does not fit cert.pem: {e}")))?;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| useless(&files.authority, format!("cannot be held against {host}")))?;
        let connector = TlsConnector::from(Arc::new(config));
        let proven = AtomicBool::new(false);
        Ok(Self { host: host.to_owned(), port, name, files, roots, own, connector, proven })
    }

    /// The engine has answered.
    pub fn prove(&self) {
        self.proven.store(true, Relaxed);
    }

    /// Whether the engine has ever answered.
    pub fn is_proven(&self) -> bool {
        self.proven.load(Relaxed)
    }

    /// Connects and agrees on keys. That the engine refuses our certificate may show only with its
    /// first answer. One that has answered before is tried for so long: nothing was sent yet.
    pub async fn connect(&self, patience: Duration) -> io::Result<TlsStream<TcpStream>> {
        let deadline = Instant::now() + patience;
        loop {
            match self.dial().await {
                Err(error) if self.is_proven() && Instant::now() + PAUSE < deadline => {
                    tracing::debug!("{}:{} is away: {error}", self.host, self.port);
                    sleep(PAUSE).await;
                }
                dialled => return dialled,
            }
        }
    }

    async fn dial(&self) -> io::Result<TlsStream<TcpStream>> {
        let dial = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            stream.set_nodelay(true)?;
            self.connector.connect(self.name.clone(), stream).await
        };
        let late =
            || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {PATIENCE:?}"));
        timeout(PATIENCE, dial).await.unwrap_or_else(|_| Err(late()))
    }

    /// What it means that a connection broke, if TLS may be the reason.
    ///
    /// An engine that refuses our certificate says so and hangs up; when we were writing just then,
    /// only the hanging up is seen.
    pub fn explain(&self, error: &EngineError) -> Option<HubError> {
        let certificate = |said: &str| {
            (
                format!("it refuses our certificate: {} ({said})", self.fault_of_ours()),
                format!(
                    "have a client's certificate made by the engine's authority and put it into {}",
                    self.files.certificate.display()
                ),
            )
        };
        let (reason, advice) = match tls_error(error) {
            Some(TlsError::InvalidCertificate(why)) => (
                format!("its certificate is refused: {}", self.fault_of_engine(why)),
                "if this is the right engine, give it a certificate that is signed by ca.pem and \
                 made for that name"
                    .to_owned(),
            ),
            Some(TlsError::AlertReceived(alert)) => certificate(&format!("it says {alert:?}")),
            Some(TlsError::InvalidMessage(_)) => (
                "something answers there that does not speak TLS".to_owned(),
                "check the port (2376 is usual); an engine without TLS, open to everybody on its \
                 network, is written http://HOST:PORT"
                    .to_owned(),
            ),
            Some(other) => (other.to_string(), "check the certificates of both sides".to_owned()),
            None if matches!(error, EngineError::HyperResponseError { .. }) => {
                certificate("it hangs up")
            }
            None => return None,
        };
        let engine = format!("tcp://{}:{}", self.host, self.port);
        Some(HubError::Unreachable { engine, reason, advice })
    }

    fn fault_of_engine(&self, why: &CertificateError) -> String {
        match why {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                format!("it is not signed by {}", self.files.authority.display())
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "it has expired".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "it is not valid yet; are the clocks right?".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!("it is not made for the name {}", self.host)
            }
            other => format!("{other}"),
        }
    }

    /// Engines tell little of why they refuse: this is what can be seen from here.
    fn fault_of_ours(&self) -> String {
        let file = self.files.certificate.display();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&self.roots), provider())
                .build();
        let (first, rest) = (self.own.first(), self.own.get(1..).unwrap_or_default());
        let judged = verifier
            .ok()
            .zip(first)
            .map(|(verifier, own)| verifier.verify_client_cert(own, rest, UnixTime::now()));
        match judged {
            Some(Err(TlsError::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            ))) => format!("{file} has expired"),
            Some(Err(TlsError::InvalidCertificate(CertificateError::UnknownIssuer))) => {
                format!("{file} is not signed by {}", self.files.authority.display())
            }
            Some(Err(error)) => format!("{file}: {error}"),
            Some(Ok(_)) | None => {
                format!("{file} is of an authority that the engine does not trust")
            }
        }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The error of TLS at the bottom of another.
fn tls_error(error: &EngineError) -> Option<&TlsError> {
    // It passes for its own I/O error, also where that is looked for among its sources.
    let first: &(dyn Error + 'static) = match error {
        EngineError::IOError { err } => err,
        other => other,
    };
    let mut next = Some(first);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<TlsError>() {
            return Some(found);
        }
        // What an I/O error wraps is not its source, whose source it passes on.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = wrapped.and_then(|wrapped| wrapped.downcast_ref::<TlsError>()) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn cause(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            "is not there".to_owned()
        }
        rustls::pki_types::pem::Error::Io(error) => format!("cannot be read: {error}"),
        other => format!("is of no use: {other}"),
    }
}
