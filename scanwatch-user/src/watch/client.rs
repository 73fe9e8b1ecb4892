//! Asks an agent over its own address, as `scanwatch top` does.

use std::io;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::policy::Endpoint;

/// Longest time for an answer: a little more than the agent takes to say that it has none.
const PATIENCE: Duration = Duration::from_secs(8);
/// Largest answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Asks one agent.
#[derive(Clone, Debug)]
pub struct Client {
    endpoint: Endpoint,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// Nobody listens there.
    #[error(
        "no agent listens on {endpoint} ({error}); set `address` in [listen] of the agent's configuration, or name its \
         address with --listen"
    )]
    Nobody {
        /// Where.
        endpoint: Endpoint,
        /// What the system says.
        error: io::Error,
    },
    /// Somebody listens, but does not answer as an agent.
    #[error("what listens on {endpoint} does not answer as this version of scanwatch does: {why}")]
    Odd {
        /// Where.
        endpoint: Endpoint,
        /// What it does instead.
        why: String,
    },
    /// The agent cannot answer.
    #[error("the agent on {endpoint} has no answer: {why}")]
    NoAnswer {
        /// Where.
        endpoint: Endpoint,
        /// Why.
        why: String,
    },
}

impl Client {
    /// Asks the agent that listens there.
    #[must_use]
    pub const fn new(endpoint: Endpoint) -> Self {
        Self { endpoint }
    }

    /// Where it asks.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The document at a path.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Unreachable> {
        let (status, body) = match tokio::time::timeout(PATIENCE, self.fetch(path)).await {
            Ok(answer) => answer?,
            Err(_) => return Err(self.no_answer(format!("it took more than {} s", PATIENCE.as_secs()))),
        };
        if status != StatusCode::OK {
            let told = serde_json::from_slice::<serde_json::Value>(&body).ok();
            let why = told.and_then(|told| told["error"].as_str().map(str::to_owned));
            return Err(match why {
                Some(why) => self.no_answer(why),
                None => self.odd(&format!("status {status}")),
            });
        }
        serde_json::from_slice(&body).map_err(|error| self.odd(&error))
    }

    async fn fetch(&self, path: &str) -> Result<(StatusCode, Bytes), Unreachable> {
        let nobody = |error| Unreachable::Nobody { endpoint: self.endpoint.clone(), error };
        match &self.endpoint {
            Endpoint::Tcp(address) => {
                self.converse(TcpStream::connect(address).await.map_err(nobody)?, path).await
            }
            Endpoint::Unix(socket) => {
                self.converse(UnixStream::connect(socket).await.map_err(nobody)?, path).await
            }
        }
    }

    async fn converse<S>(&self, stream: S, path: &str) -> Result<(StatusCode, Bytes), Unreachable>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let odd = |error: hyper::Error| self.odd(&error);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(odd)?;
        // It ends with the connection, which is for this one request.
        tokio::spawn(connection);
        let host = match &self.endpoint {
            Endpoint::Tcp(address) => address.to_string(),
            Endpoint::Unix(_) => "localhost".to_owned(),
        };
        let request = Request::get(path).header(HOST, host).body(Empty::<Bytes>::new());
        let request = request.map_err(|error| self.odd(&error))?;
        let response = sender.send_request(request).await.map_err(odd)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        Ok((status, body.map_err(|error| self.odd(&error))?.to_bytes()))
    }

    fn odd(&self, why: &dyn std::fmt::Display) -> Unreachable {
        Unreachable::Odd { endpoint: self.endpoint.clone(), why: why.to_string() }
    }

    fn no_answer(&self, why: String) -> Unreachable {
        Unreachable::NoAnswer { endpoint: self.endpoint.clone(), why }
    }
}
