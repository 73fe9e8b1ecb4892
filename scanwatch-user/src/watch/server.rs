//! The server: a thread of its own, a few connections at a time, each for one request and for a short time.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::ask::{Asker, PATIENCE};
use super::listener::{Listener, Socket};
use super::routes;
use crate::kernel::keep_none;

/// Connections at a time; others wait to be accepted.
const CONNECTIONS_MAX: usize = 16;
/// Time for the head of a request.
const HEAD_LIMIT: Duration = Duration::from_secs(5);
/// Time for a connection, its answer included.
const CONNECTION_LIMIT: Duration = Duration::from_secs(HEAD_LIMIT.as_secs() + PATIENCE.as_secs() + 5);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Headers of a request.
const HEADERS_MAX: usize = 64;
/// Where the system has no descriptor left, time until another is asked for.
const BREATHER: Duration = Duration::from_millis(100);

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct Server {
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves what a listener is asked, from a thread of its own; `hostname` is this machine's name in documents.
    pub fn start(listener: Listener, asker: Asker, hostname: &str) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel::<Infallible>();
        let router = routes::router(asker, hostname, listener.is_private);
        let thread = thread::Builder::new().name("watch".to_owned()).spawn(move || {
            keep_none();
            runtime.block_on(async {
                tokio::select! {
                    // Whoever holds the other end says nothing, and goes.
                    _ = stopped => {}
                    () = accept(listener, router) => {}
                }
            });
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A server that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Accepts connections for ever.
async fn accept(listener: Listener, router: Router) {
    let Listener { socket, endpoint, guard, .. } = listener;
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // As it is, for another descriptor may not be had.
    let accepted = match socket {
        Socket::Tcp(socket) => match TcpListener::from_std(socket) {
            Ok(socket) => accept_tcp(&socket, &slots, &router).await,
            Err(error) => error,
        },
        Socket::Unix(socket) => match UnixListener::from_std(socket) {
            Ok(socket) => accept_unix(&socket, &slots, &router).await,
            Err(error) => error,
        },
    };
    drop(guard);
    tracing::error!("{endpoint}: nothing is answered any more: {accepted}");
}

async fn accept_tcp(socket: &TcpListener, slots: &Arc<Semaphore>, router: &Router) -> io::Error {
    let mut breath = Breath::default();
    loop {
        let Ok(slot) = Arc::clone(slots).acquire_owned().await else { return closed() };
        match socket.accept().await {
            Ok((stream, _)) => {
                breath.is_back();
                tokio::spawn(serve(stream, router.clone(), slot));
            }
            Err(error) => breath.take(&error).await,
        }
    }
}

async fn accept_unix(socket: &UnixListener, slots: &Arc<Semaphore>, router: &Router) -> io::Error {
    let mut breath = Breath::default();
    loop {
        let Ok(slot) = Arc::clone(slots).acquire_owned().await else { return closed() };
        match socket.accept().await {
            Ok((stream, _)) => {
                breath.is_back();
                tokio::spawn(serve(stream, router.clone(), slot));
            }
            Err(error) => breath.take(&error).await,
        }
    }
}

fn closed() -> io::Error {
    io::Error::other("nobody counts connections any more")
}

/// A pause where no connection can be accepted.
#[derive(Debug, Default)]
struct Breath {
    /// It was said that none can.
    is_short: bool,
}

impl Breath {
    /// Waits a moment. Who connected and went away before is no trouble; anything else is said once.
    async fn take(&mut self, error: &io::Error) {
        if error.kind() == io::ErrorKind::ConnectionAborted {
            return;
        }
        if !std::mem::replace(&mut self.is_short, true) {
            tracing::warn!(
                "connections wait, for none can be accepted: {error}; raise the limit on open files (LimitNOFILE=)"
            );
        }
        tokio::time::sleep(BREATHER).await;
    }

    /// One was accepted.
    fn is_back(&mut self) {
        if std::mem::take(&mut self.is_short) {
            tracing::info!("connections are accepted again");
        }
    }
}

/// Answers one request.
async fn serve<S>(stream: S, router: Router, _slot: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    match tokio::time::timeout(CONNECTION_LIMIT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("a request was not answered: {error}"),
        Err(_) => tracing::debug!("a request was not answered: its connection took too long"),
    }
}
