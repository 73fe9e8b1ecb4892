//! A server that notes what it is asked, and answers as it is told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, Response};
use axum::serve::Listener;
use scanwatch::config;
use scanwatch::engine::{Severity, Timestamp};
use scanwatch::policy::SinkPlan;
use scanwatch::sink::Envelope;
use scanwatch::sink::transport::{self, Receipt, Transport};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What a sink's files hold.
pub const SECRET: &str = "5ecret-t0ken";

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// The answer comes so much later.
    pub delay: Duration,
}

impl Reply {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { status, headers, body: body.into(), delay: Duration::ZERO }
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn response(self) -> Response<Body> {
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        response.body(Body::from(self.body)).unwrap()
    }
}

/// A server; it ends with the test.
pub struct Receiver {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    /// On a port of its own of the loopback interface.
    pub async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self::on(listener, address, answer)
    }

    /// Behind a listener of any kind.
    pub fn on<L>(
        listener: L,
        address: SocketAddr,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self
    where
        L: Listener,
        L::Addr: std::fmt::Debug,
    {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (noted, answer) = (Arc::clone(&asked), Arc::new(answer));
        let router = Router::new().fallback(move |request: Request<Body>| {
            let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
            async move {
                let (head, body) = request.into_parts();
                let asked = Asked {
                    method: head.method.to_string(),
                    path: head.uri.to_string(),
                    headers: head.headers,
                    body: to_bytes(body, 64 << 20).await.unwrap(),
                };
                let reply = answer(&asked);
                noted.lock().unwrap().push(asked);
                tokio::time::sleep(reply.delay).await;
                reply.response()
            }
        });
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, asked, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// A sink as a configuration describes it, with the folder that holds its secret.
pub struct Configured {
    pub transport: Box<dyn Transport>,
    pub plan: SinkPlan,
    pub folder: TempDir,
}

impl Configured {
    /// The lines of a `[[sink]]`, in which `SECRET_FILE` is the path of a file with [`SECRET`].
    pub fn new(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, format!("{SECRET}\n")).unwrap();
        let lines = lines.replace("SECRET_FILE", file.to_str().unwrap());
        let text = format!("[[sink]]\nname = \"siem\"\n{lines}");
        let plan = config::parse(&text, "test.toml")
            .unwrap_or_else(|error| panic!("{error}\n{text}"))
            .sinks
            .remove(0);
        Self { transport: transport::of(&plan), plan, folder }
    }

    pub fn secret_file(&self) -> PathBuf {
        self.folder.path().join("secret")
    }

    pub async fn deliver(&mut self, batch: &[Envelope]) -> Receipt {
        let limit = self.transport.batch_max();
        assert!(batch.len() <= limit.messages, "a test has to keep to the limits, too");
        let receipt =
            tokio::time::timeout(limit.timeout, self.transport.deliver(batch)).await.expect("in time");
        assert!(receipt.fates.len() <= batch.len());
        if let Some(outage) = &receipt.outage {
            assert!(!outage.why.contains(SECRET), "{}", outage.why);
            assert!(!outage.why.contains('\n') && !outage.why.ends_with('.'), "{}", outage.why);
        }
        receipt
    }

    pub async fn probe(&mut self) -> Result<String, String> {
        self.transport.probe().await.map_err(|outage| outage.why)
    }
}

/// A message with that payload.
pub fn envelope(number: usize, payload: &str) -> Envelope {
    Envelope {
        id: format!("incident{number}-1"),
        key: format!("incident{number}"),
        at: Timestamp::from_ns(1_833_000_000_123_456_789),
        severity: Severity::High,
        payload: payload.to_owned().into(),
    }
}

/// So many documents, each different.
pub fn documents(count: usize) -> Vec<Envelope> {
    let document =
        |number| format!("{{\"@timestamp\":\"2028-02-01T10:40:00Z\",\"message\":\"scan {number} \u{fc}\"}}");
    (0..count).map(|number| envelope(number, &document(number))).collect()
}
