//! Sends requests to an engine over connections of this program: TLS and SSH. Each request uses a
//! new connection, as with the client library.
//!
//! bollard's feature `ssl` is not used. It gives no access to the connection, which is needed to
//! repeat a reading request that was lost and to distinguish a refused certificate from a broken
//! connection; SSH needs the same transport anyway. It ignores errors in `cert.pem` and `key.pem`
//! and connects without them, where [`TlsTransport`] names the faulty file, and it trusts every
//! authority known to this machine beside `ca.pem`.

use std::{io, sync::Arc};

use bollard::{BollardRequest, errors::Error as EngineError};
use http_body_util::Either;
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep},
};

use super::{
    ssh::tunnel::SshTunnel,
    tls::{RETRY_INTERVAL, TlsTransport},
};
use crate::{hub::HubError, plan::HubTimeouts};

/// Placeholder for the engine's host name; engines ignore it.
const HOST_HEADER: HeaderValue = HeaderValue::from_static("engine");

/// A connection to an engine; clones share it.
#[derive(Debug, Clone)]
pub enum Transport {
    /// Over SSH.
    Tunnel(Arc<SshTunnel>),
    /// Over TLS.
    Tls(Arc<TlsTransport>),
}

impl Transport {
    /// Sends a request; returns the head of the response, with the body to be read.
    ///
    /// A reading request that is lost with its connection is repeated, because it changes nothing.
    pub async fn request(
        self,
        request: BollardRequest,
        timeouts: HubTimeouts,
    ) -> Result<Response<Incoming>, EngineError> {
        let is_query = request.method() == Method::GET;
        let limit_of_call = if is_query { timeouts.query } else { timeouts.operation };
        // Shorter than the limit of the call, so that the error names the connection.
        let time_limit = limit_of_call / 4 * 3;
        let deadline = Instant::now() + time_limit;
        let (parts, body) = request.into_parts();
        let retry_parts = parts.clone();
        let mut answer = self.send_once(Request::from_parts(parts, body), deadline).await;
        while let Err(EngineError::HyperResponseError { .. }) = &answer
            && is_query
            && Instant::now() < deadline
            && self.can_retry().await
        {
            let body = Either::Left(http_body_util::Full::new(Bytes::new()));
            answer = self.send_once(Request::from_parts(retry_parts.clone(), body), deadline).await;
        }
        answer
    }

    async fn send_once(
        &self,
        mut request: BollardRequest,
        deadline: Instant,
    ) -> Result<Response<Incoming>, EngineError> {
        // HTTP/1.1 sends only the path of the URI.
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        *request.uri_mut() = path.parse().map_err(io::Error::other)?;
        request.headers_mut().insert(HOST, HOST_HEADER);
        let time_limit = deadline.saturating_duration_since(Instant::now());
        match self {
            Self::Tunnel(tunnel) => send(tunnel.connect(time_limit).await?, request).await,
            Self::Tls(tls) => {
                let answer = send(tls.connect(time_limit).await?, request).await;
                if answer.is_ok() {
                    tls.mark_answered();
                }
                answer
            }
        }
    }

    /// Explains why no engine answers on an open connection, where the transport knows.
    pub async fn explain(&self, error: &EngineError) -> Option<HubError> {
        match self {
            Self::Tunnel(tunnel) => Some(tunnel.diagnose().await),
            Self::Tls(tls) => tls.explain(error),
        }
    }

    /// Whether the connection broke just now, so that the same request may succeed in a moment.
    async fn can_retry(&self) -> bool {
        match self {
            Self::Tunnel(tunnel) => tunnel.detect_loss().await,
            // Before its first answer the engine may have closed the connection because of the
            // certificate.
            Self::Tls(tls) => {
                let answered = tls.has_answered();
                if answered {
                    sleep(RETRY_INTERVAL).await;
                }
                answered
            }
        }
    }
}

async fn send<S>(stream: S, request: BollardRequest) -> Result<Response<Incoming>, EngineError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // The task ends when the response has been read or dropped.
    tokio::spawn(connection.with_upgrades());
    Ok(sender.send_request(request).await?)
}
