//! The server in front of an agent that these tests play.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::documents::{Incidents, Sources, Status};
use super::*;
use crate::engine::tests::lab::{Lab, policy};
use crate::engine::{Gauges, Timestamp};
use crate::policy::{Endpoint, Listen};
use scanwatch_common::counters::Counter;

const NOW: Timestamp = Timestamp::from_ns(1_830_470_460_500_000_000);

fn sink() -> crate::sink::Reading {
    crate::sink::Reading {
        name: "siem".to_owned(),
        transport: "syslog",
        queued: 3,
        queued_bytes: 900,
        delivered: 0,
        retried: 0,
        dropped: 0,
        refused: 0,
        outage: None,
        spool_trouble: None,
    }
}

fn reading() -> Reading {
    Reading {
        now: NOW,
        began: Timestamp::from_ns(1_830_470_400_000_000_000),
        counters: Counter::ALL.iter().zip(1..).map(|(counter, n)| (*counter, n)).collect(),
        rates: Rates { packets: 1_200.5, probes: 3.0, novelties: 1.0 },
        cells: [CellsReading { used: 7, capacity: 16 }, CellsReading { used: 0, capacity: 8 }],
        engine: Gauges { sources: 12, ..Gauges::default() },
        interfaces: vec![InterfaceReading {
            name: "office".into(),
            mode: Some("xdp native".into()),
            egress: Some("tc (tcx)".into()),
        }],
        sinks: vec![sink()],
        ..Reading::default()
    }
}

fn loopback() -> (Listener, SocketAddr) {
    // The next one to ask gets another port.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let listen = Listen { endpoint: Endpoint::Tcp(free), group: None, expose: false };
    (Listener::bind(&listen).unwrap(), free)
}

/// A server whose agent answers each question by `answer`, from a thread that ends with the test.
pub(super) fn serving(answer: impl Fn(Ask) + Send + 'static) -> (Server, SocketAddr) {
    let (listener, address) = loopback();
    let (asker, mut asks) = Asks::channel();
    let server = Server::start(listener, asker, "gw1").unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            loop {
                answer(asks.next().await);
            }
        });
    });
    (server, address)
}

pub(super) fn well(ask: Ask) {
    match ask {
        Ask::Reading(to) => drop(to.send(Ok(Box::new(reading())))),
        Ask::Incidents(limit, to) => {
            let open_total = limit;
            drop(to.send(Ok(IncidentsReading { now: NOW, open_total, ..Default::default() })));
        }
        Ask::Sources(limit, to) => {
            drop(to.send(Ok(SourcesReading { now: NOW, tracked: limit, busiest: Vec::new() })));
        }
        Ask::Ports(_, to) => drop(to.send(Err("the ports are out".to_owned()))),
    }
}

/// Status, head and body of the answer to these bytes.
fn exchange(mut stream: impl std::io::Read + std::io::Write, request: &str) -> (u16, String, String) {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, head.to_ascii_lowercase(), body.to_owned())
}

pub(super) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn get(address: SocketAddr, path: &str) -> (u16, String, String) {
    exchange(connect(address), &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"))
}

fn json(address: SocketAddr, path: &str) -> (u16, Value) {
    let (status, head, body) = get(address, path);
    assert!(head.contains("content-type: application/json"), "{head}");
    (status, serde_json::from_str(&body).unwrap())
}

#[test]
fn every_path_answers_with_its_document() {
    let (_server, address) = serving(well);
    let (status, head, text) = get(address, "/metrics");
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    assert!(head.contains("cache-control: no-store") && head.contains("connection: close"), "{head}");
    assert!(text.contains("\nscanwatch_sink_queue_records{sink=\"siem\",type=\"syslog\"} 3\n"), "{text}");

    let (status, health) = json(address, "/healthz");
    assert_eq!((status, &health["status"]), (200, &"ok".into()));
    let (status, found) = json(address, "/api/status");
    assert_eq!(status, 200);
    let document: Status = serde_json::from_value(found).unwrap();
    assert_eq!((document.hostname.as_str(), document.uptime_s), ("gw1", 60));
    assert_eq!((document.now.as_str(), document.sources.tracked), ("2028-01-03T00:01:00.500Z", 12));
    assert_eq!(document.counters.len(), Counter::COUNT);
    let (_, found) = json(address, "/api/incidents");
    assert_eq!(serde_json::from_value::<Incidents>(found).unwrap().open_total, 100);
    let (_, found) = json(address, "/api/sources?limit=1000");
    assert_eq!(serde_json::from_value::<Sources>(found).unwrap().tracked, 1_000);
}

#[test]
fn what_is_no_question_is_refused_in_one_sentence() {
    let (_server, address) = serving(well);
    let cases = [
        ("GET /api/sources?limit=1001 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "from 1 to 1000"),
        ("GET /api/sources?limit=0 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "from 1 to 1000"),
        ("GET /api/ports?all HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "expected limit=N"),
        ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "/api/incidents"),
        ("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 405, "read with GET"),
        ("GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody", 413, "no body"),
        ("GET /metrics HTTP/1.1\r\nHost: evil.example:9477\r\n\r\n", 403, "expose = true"),
        ("GET /api/ports HTTP/1.1\r\nHost: [::1]:9477\r\n\r\n", 500, "the ports are out"),
    ];
    for (request, expected, sentence) in cases {
        let (status, _, body) = exchange(connect(address), request);
        assert_eq!(status, expected, "{request}{body}");
        let error: Value = serde_json::from_str(&body).unwrap();
        assert!(error["error"].as_str().unwrap().contains(sentence), "{request}{body}");
    }
    let long = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(40_000));
    let mut stream = connect(address);
    // The server may hang up before it has read all of it.
    let _ = stream.write_all(long.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn a_silent_agent_is_unresponsive_and_a_gone_one_too() {
    let (_server, address) = serving(std::mem::forget);
    let began = Instant::now();
    let (status, health) = json(address, "/healthz");
    assert_eq!((status, &health["status"]), (503, &"unresponsive".into()));
    assert!(health["reasons"][0].as_str().unwrap().contains("did not answer within 5 s"), "{health}");
    assert!(began.elapsed() >= Duration::from_secs(5));

    let (listener, address) = loopback();
    let (asker, asks) = Asks::channel();
    drop(asks);
    let _server = Server::start(listener, asker, "gw1").unwrap();
    let (status, body) = json(address, "/api/status");
    assert_eq!((status, &body["error"]), (503, &"the agent is ending".into()));
}

#[test]
fn an_interface_that_is_gone_and_a_sink_that_is_out_degrade_and_do_not_kill() {
    let (_server, address) = serving(|ask| {
        let Ask::Reading(to) = ask else { return };
        let mut reading = reading();
        reading.interfaces[0].mode = None;
        reading.sinks[0].outage = Some("connection refused".to_owned());
        reading.reloads.last_error = Some("office.toml:3: unknown key".to_owned());
        let _ = to.send(Ok(Box::new(reading)));
    });
    let (status, health) = json(address, "/healthz");
    assert_eq!((status, &health["status"]), (200, &"degraded".into()));
    let reasons = health["reasons"].as_array().unwrap();
    assert_eq!(reasons[0], "office: the interface is not watched");
    assert_eq!(reasons[1], "the configuration stays as it was: office.toml:3: unknown key");
    assert_eq!(reasons[2], "sink siem: connection refused");
    let (_, _, text) = get(address, "/metrics");
    assert!(text.contains("scanwatch_interface_watched{interface=\"office\"} 0"), "{text}");
    assert!(text.contains("\nscanwatch_config_last_reload_successful 0\n"), "{text}");
    assert!(text.contains("scanwatch_sink_outage{sink=\"siem\",type=\"syslog\"} 1"), "{text}");
}

#[test]
fn connections_that_say_nothing_hold_up_others_for_a_short_time_only() {
    let (server, address) = serving(well);
    let idle: Vec<TcpStream> = (0..16).map(|_| connect(address)).collect();
    let began = Instant::now();
    let (status, ..) = get(address, "/healthz");
    assert_eq!(status, 200);
    let waited = began.elapsed();
    assert!((Duration::from_secs(3)..Duration::from_secs(12)).contains(&waited), "{waited:?}");
    drop(idle);
    let began = Instant::now();
    drop(server);
    assert!(began.elapsed() < Duration::from_secs(2), "the server ends at once");
    assert!(TcpStream::connect(address).is_err());
}

#[tokio::test]
async fn a_client_asks_by_a_unix_socket_and_says_who_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let listen = Listen { endpoint: Endpoint::Unix(path.clone()), group: None, expose: false };
    let listener = Listener::bind(&listen).unwrap();
    let (asker, mut asks) = Asks::channel();
    let server = Server::start(listener, asker, "gw1").unwrap();
    let agent = tokio::spawn(async move {
        loop {
            well(asks.next().await);
        }
    });
    let client = Client::new(listen.endpoint.clone());
    assert_eq!(client.get::<Status>("/api/status").await.unwrap().hostname, "gw1");
    let error = client.get::<Status>("/api/ports").await.unwrap_err();
    assert!(error.to_string().contains("has no answer: the ports are out"), "{error}");
    let error = client.get::<Status>("/api/sources").await.unwrap_err();
    assert!(error.to_string().contains("does not answer as this version of scanwatch does"), "{error}");
    let stream = UnixStream::connect(&path).unwrap();
    // Names mean nothing on a socket.
    let (status, ..) = tokio::task::spawn_blocking(move || {
        exchange(stream, "GET /healthz HTTP/1.1\r\nHost: agent.example\r\n\r\n")
    })
    .await
    .unwrap();
    assert_eq!(status, 200);
    agent.abort();
    tokio::task::spawn_blocking(move || drop(server)).await.unwrap();
    assert!(!path.exists());
    let error = client.get::<Status>("/api/status").await.unwrap_err();
    let expected =
        format!("no agent listens on unix:{} (No such file or directory (os error 2)); set", path.display());
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn documents_say_what_the_engine_knows() {
    let mut lab = Lab::exact(policy());
    lab.scan_ports("10.1.0.99", "10.2.0.10", 1..=50, 50.0);
    lab.wait(4.0);
    let at = Timestamp::from_ns(NOW.as_ns());
    let open = lab.engine.open_incidents(10, at);
    let reading = IncidentsReading { now: at, open_total: open.len(), open, ended: lab.events.clone() };
    let document = Incidents::from(reading);
    let incident = &document.open[0];
    assert_eq!((incident.treatment.as_str(), incident.kind.as_str()), ("alert", "vertical"));
    assert_eq!((incident.source.as_deref(), incident.direction.as_str()), (Some("10.1.0.99"), "lateral"));
    assert_eq!((incident.severity.as_str(), incident.zone.as_str()), ("high", "office"));
    assert_eq!((incident.hosts, incident.id.len()), (1, 32));
    assert!(incident.targets.iter().all(|target| target.address == "10.2.0.10" && target.port.is_some()));
    assert_eq!(document.ended.len(), lab.events.len());
    let busiest = lab.engine.busiest_sources(1, at);
    let document = Sources::from(SourcesReading { now: at, tracked: 1, busiest });
    let source = &document.sources[0];
    assert_eq!((source.address.as_str(), source.side.as_str()), ("10.1.0.99", "internal"));
    assert_eq!(source.windows.keys().collect::<Vec<_>>(), ["10m", "1h", "1m", "24h"]);
    assert_eq!(source.incidents, std::slice::from_ref(&incident.id));
    assert_eq!(source.mac.as_deref(), Some("02-00-00-00-00-01"));
}

/// Names of all samples in the text format, and of the series of histograms.
fn sample_names(text: &str) -> Vec<&str> {
    let samples = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    samples.filter_map(|line| line.split(['{', ' ']).next()).collect()
}

#[test]
fn every_counter_of_the_data_plane_is_in_one_sample() {
    let text = exposition(&reading()).unwrap();
    for (counter, count) in reading().counters {
        let value = format!(" {count}");
        let of_counter = |line: &&str| {
            line.ends_with(&value)
                && (line.contains(&format!("\"{}\"", counter.name()))
                    || matches!(
                        (counter, line.split(' ').next()),
                        (Counter::PortNovel, Some("scanwatch_port_table_changes_total{change=\"novel\"}"))
                            | (
                                Counter::PortAnswered,
                                Some("scanwatch_port_table_changes_total{change=\"answered\"}")
                            )
                            | (Counter::FirstNovel, Some("scanwatch_first_contacts_total"))
                            | (Counter::CellCreated, Some("scanwatch_cells_created_total"))
                            | (Counter::CellRefused, Some("scanwatch_cells_refused_total"))
                            | (Counter::RingLost, Some("scanwatch_ring_records_lost_total"))
                    ))
        };
        assert_eq!(text.lines().filter(of_counter).count(), 1, "{}", counter.name());
    }
}

#[test]
fn zeros_are_there_from_the_start_and_no_label_is_an_address() {
    let nothing = Reading { counters: Counter::ALL.iter().map(|c| (*c, 0)).collect(), ..Reading::default() };
    let text = exposition(&nothing).unwrap();
    for expected in [
        "scanwatch_records_total{action=\"detected\",direction=\"lateral\",severity=\"critical\"} 0",
        "scanwatch_incidents_total{direction=\"inbound\",kind=\"surge\",treatment=\"alert\"} 0",
        "scanwatch_incidents_open{kind=\"block\",treatment=\"statistics\"} 0",
        "scanwatch_packets_total{class=\"probe\",reason=\"probe_syn\"} 0",
        "scanwatch_drain_duration_seconds_bucket{le=\"+Inf\"} 0",
        "scanwatch_cells_refused_total 0",
    ] {
        assert!(text.lines().any(|line| line == expected), "{expected}");
    }
    let known =
        ["action", "change", "class", "direction", "interface", "kind", "outcome", "reason", "severity"];
    let known = [&known[..], &["side", "sink", "treatment", "type", "version"]].concat();
    for family in families(&reading()) {
        assert!(family.labels().iter().all(|label| known.contains(label)), "{}", family.name());
        assert!(family.help().ends_with(['.', '0', '1']), "{}: {}", family.name(), family.help());
    }
}

fn file(path: &str) -> String {
    let path = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_table_of_metrics_is_the_metrics_there_are() {
    let rows: Vec<String> = file("docs/METRICS.md")
        .lines()
        .filter(|line| line.starts_with("| `scanwatch_") || line.starts_with("| `process_"))
        .map(str::to_owned)
        .collect();
    let expected: Vec<String> = families(&reading())
        .iter()
        .map(|family| {
            let labels: Vec<String> = family.labels().iter().map(|label| format!("`{label}`")).collect();
            format!("| `{}` | {} | {} | {} |", family.name(), family.kind(), labels.join(", "), family.help())
        })
        .collect();
    assert!(rows == expected, "docs/METRICS.md should hold:\n{}", expected.join("\n"));
}

#[test]
fn the_dashboard_and_the_rules_ask_for_metrics_there_are() {
    let text = exposition(&reading()).unwrap();
    let known = sample_names(&text);
    for path in ["contrib/grafana/scanwatch.json", "contrib/prometheus/scanwatch.rules.yml"] {
        let text = file(path);
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let words = text.split(|c: char| !is_name(c));
        // Names that the rules give are recorded with colons: `scanwatch:…`.
        let asked: Vec<&str> =
            words.filter(|word| word.starts_with("scanwatch_") || word.starts_with("process_")).collect();
        assert!(asked.len() > 10, "{path}");
        for name in asked {
            assert!(known.contains(&name), "{path} asks for {name}, which there is not");
        }
    }
    let dashboard: Value = serde_json::from_str(&file("contrib/grafana/scanwatch.json")).unwrap();
    assert!(dashboard["panels"].as_array().unwrap().len() >= 8);
}
