//! Every receiver by HTTP through what every sink must do.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};

use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use prost::Message as _;
use scanwatch::config;
use scanwatch::policy::TransportPlan;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::compliance::{self, Tells};
use crate::opentelemetry::{PROTOBUF, body, records};
use crate::receiver::{Asked, Receiver, Reply};

/// What a receiver has, and what it refuses.
#[derive(Default)]
struct Kept {
    documents: Vec<String>,
    /// Ids of documents, where the receiver knows such.
    ids: Vec<String>,
    refused: Option<String>,
}

impl Kept {
    fn is_refused(&self, document: &str) -> bool {
        self.refused.as_ref().is_some_and(|needle| document.contains(needle))
    }
}

type Answer = fn(&Asked, &mut Kept) -> Reply;

/// A server that is started and stopped at one address.
struct Server {
    /// The lines of its sink beside the URL.
    sink: &'static str,
    answer: Answer,
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    /// What ends it, and what it runs in.
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Server {
    fn new(sink: &'static str, answer: Answer) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        Self { sink, answer, address, kept: Arc::default(), running: None }
    }
}

impl compliance::Receiver for Server {
    fn plan(&self) -> TransportPlan {
        let text = format!("[[sink]]\nname = \"a\"\n{}url = \"http://{}\"\n", self.sink, self.address);
        config::parse(&text, "test.toml").unwrap_or_else(|error| panic!("{error}")).sinks.remove(0).transport
    }

    fn tells(&self) -> Tells {
        Tells::Refusals
    }

    fn start(&mut self) {
        let (kept, answer, address) = (Arc::clone(&self.kept), self.answer, self.address);
        let (stop, stopped) = oneshot::channel();
        let (listens, is_listening) = mpsc::channel();
        let server = async move {
            let listener = TcpListener::bind(address).await.unwrap();
            let _receiver =
                Receiver::on(listener, address, move |asked| answer(asked, &mut kept.lock().unwrap()));
            listens.send(()).unwrap();
            let _ = stopped.await;
        };
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        // With the runtime go its connections, whatever they are about.
        let thread = thread::spawn(move || runtime.block_on(server));
        is_listening.recv().unwrap();
        self.running = Some((stop, thread));
    }

    fn stop(&mut self) {
        let (stop, thread) = self.running.take().unwrap();
        stop.send(()).unwrap();
        thread.join().unwrap();
    }

    fn received(&mut self) -> Vec<String> {
        self.kept.lock().unwrap().documents.clone()
    }

    fn refuse(&mut self, needle: &str) {
        self.kept.lock().unwrap().refused = Some(needle.to_owned());
    }
}

/// All events, or none and the number of the one at fault.
fn splunk(asked: &Asked, kept: &mut Kept) -> Reply {
    let events = serde_json::Deserializer::from_slice(&asked.body).into_iter::<Value>();
    let events: Vec<String> = events.map(|event| event.unwrap()["event"].to_string()).collect();
    if let Some(number) = events.iter().position(|event| kept.is_refused(event)) {
        let said = json!({ "text": "Invalid data format", "code": 6, "invalid-event-number": number });
        return Reply::json(400, &said);
    }
    kept.documents.extend(events);
    Reply::json(200, &json!({ "text": "Success", "code": 0 }))
}

/// Every document by itself, each once.
fn elastic(asked: &Asked, kept: &mut Kept) -> Reply {
    let text = std::str::from_utf8(&asked.body).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let item = |pair: &[&str]| {
        let action: Value = serde_json::from_str(pair[0]).unwrap();
        let id = action["create"]["_id"].as_str().unwrap().to_owned();
        let status = if kept.is_refused(pair[1]) {
            400
        } else if kept.ids.contains(&id) {
            409
        } else {
            kept.ids.push(id.clone());
            kept.documents.push(pair[1].to_owned());
            201
        };
        let error = (status != 201).then(|| json!({ "type": "an_exception", "reason": "why" }));
        json!({ "create": { "_id": id, "status": status, "error": error } })
    };
    let items: Vec<Value> = lines.chunks(2).map(item).collect();
    Reply::json(200, &json!({ "errors": true, "items": items }))
}

fn webhook(asked: &Asked, kept: &mut Kept) -> Reply {
    let document = String::from_utf8(asked.body.to_vec()).unwrap();
    if kept.is_refused(&document) {
        return Reply::new(422, "text/plain", "no");
    }
    kept.documents.push(document);
    Reply::new(204, "text/plain", "")
}

/// Keeps what it takes, and says how many it did not.
fn opentelemetry(asked: &Asked, kept: &mut Kept) -> Reply {
    let documents: Vec<String> = records(asked).iter().map(body).collect();
    let (refused, taken): (Vec<String>, Vec<String>) =
        documents.into_iter().partition(|document| kept.is_refused(document));
    kept.documents.extend(taken);
    let partial_success = (!refused.is_empty()).then(|| ExportLogsPartialSuccess {
        rejected_log_records: i64::try_from(refused.len()).unwrap(),
        error_message: "no".to_owned(),
    });
    Reply::new(200, PROTOBUF, ExportLogsServiceResponse { partial_success }.encode_to_vec())
}

#[test]
fn a_splunk_collector_is_served_as_every_sink_must() {
    // Any variable that is set does for a token.
    let sink = "type = \"http\"\ndialect = \"splunk_hec\"\ntoken_env = \"PATH\"\n";
    compliance::complies(&mut Server::new(sink, splunk));
}

#[test]
fn a_data_stream_is_served_as_every_sink_must() {
    compliance::complies(&mut Server::new("type = \"http\"\ndialect = \"elastic_bulk\"\n", elastic));
}

#[test]
fn a_webhook_is_served_as_every_sink_must() {
    compliance::complies(&mut Server::new("type = \"http\"\ndialect = \"webhook\"\n", webhook));
}

#[test]
fn an_opentelemetry_collector_is_served_as_every_sink_must() {
    compliance::complies(&mut Server::new("type = \"otlp\"\n", opentelemetry));
}
