//! Requests to an engine over a connection that is our own to make, for ways that the client
//! library does not go. Each request has a connection of its own, as with the library.

use std::{io, sync::Arc, time::Duration};

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

use super::{ssh::tunnel::Tunnel, tls::Tls};
use crate::hub::HubError;

/// How long a question waits for a lost connection: less than a call may take, so that the error
/// tells of the connection.
const ASK: Duration = Duration::from_secs(15);
/// The same of what makes the engine work: a container that could not be removed stays.
const WORK: Duration = Duration::from_secs(75);
/// Pause before an engine that answered before is tried again.
pub const PAUSE: Duration = Duration::from_millis(250);
/// What stands for the engine's name; no engine looks at it.
const NAME: HeaderValue = HeaderValue::from_static("engine");

/// A way to an engine. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Wire {
    /// Over SSH.
    Tunnel(Arc<Tunnel>),
    /// Over TLS.
    Tls(Arc<Tls>),
}

impl Wire {
    /// Sends a request, returns its answer's head and the body to come.
    ///
    /// A question that is lost with its connection is asked again: it changes nothing.
    pub async fn request(self, request: BollardRequest) -> Result<Response<Incoming>, EngineError> {
        let question = request.method() == Method::GET;
        let patience = if question { ASK } else { WORK };
        let deadline = Instant::now() + patience;
        let (parts, body) = request.into_parts();
        let again = parts.clone();
        let mut answer = self.once(Request::from_parts(parts, body), deadline).await;
        while let Err(EngineError::HyperResponseError { .. }) = &answer
            && question
            && Instant::now() < deadline
            && self.breaks().await
        {
            let body = Either::Left(http_body_util::Full::new(Bytes::new()));
            answer = self.once(Request::from_parts(again.clone(), body), deadline).await;
        }
        answer
    }

    async fn once(
        &self,
        mut request: BollardRequest,
        deadline: Instant,
    ) -> Result<Response<Incoming>, EngineError> {
        // On the wire a request names the path alone.
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        *request.uri_mut() = path.parse().map_err(io::Error::other)?;
        request.headers_mut().insert(HOST, NAME);
        let patience = deadline.saturating_duration_since(Instant::now());
        match self {
            Self::Tunnel(tunnel) => send(tunnel.connect(patience).await?, request).await,
            Self::Tls(tls) => {
                let answer = send(tls.connect(patience).await?, request).await;
                if answer.is_ok() {
                    tls.prove();
                }
                answer
            }
        }
    }

    /// Why no engine answers on a way that is open, where the way knows.
    pub async fn explain(&self, error: &EngineError) -> Option<HubError> {
        match self {
            Self::Tunnel(tunnel) => Some(tunnel.diagnosis().await),
            Self::Tls(tls) => tls.explain(error),
        }
    }

    /// Whether the way broke down just now, so that it may carry the same question in a moment.
    async fn breaks(&self) -> bool {
        match self {
            Self::Tunnel(tunnel) => tunnel.goes_down().await,
            // Before its first answer it may have hung up for want of a certificate that it likes.
            Self::Tls(tls) => {
                let proven = tls.is_proven();
                if proven {
                    sleep(PAUSE).await;
                }
                proven
            }
        }
    }
}

async fn send<S>(stream: S, request: BollardRequest) -> Result<Response<Incoming>, EngineError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends when the answer has been read, or is no longer wanted.
    tokio::spawn(connection.with_upgrades());
    Ok(sender.send_request(request).await?)
}
