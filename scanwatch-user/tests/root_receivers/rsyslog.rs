//! rsyslog, over every way it takes syslog.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use scanwatch::policy::{
    ClientCertificate, Facility, Framing, HostPort, SyslogAddress, SyslogPlan, TlsPlan, TransportPlan,
};
use scanwatch::sink::transport::{Fate, Receipt};
use tempfile::TempDir;

use crate::authority::Authority;
use crate::compliance::{self, Receiver, Tells};
use crate::program::{Program, free_port, is_bound, is_listening};
use crate::{configured, envelopes, on_page, transport};

/// How messages come to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Udp,
    Tcp,
    /// By which of its TLS libraries.
    Tls(&'static str),
    UnixDatagrams,
    UnixStream,
}

struct Rsyslog {
    way: Way,
    port: u16,
    folder: TempDir,
    authority: Authority,
    program: Option<Program>,
}

impl Rsyslog {
    fn new(way: Way) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        Self { way, port: free_port(), folder, authority, program: None }
    }

    fn running(way: Way) -> Self {
        let mut receiver = Self::new(way);
        receiver.start();
        receiver
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Its configuration: the fields of RFC 5424 as it understood them, apart from each other by tabs.
    fn configuration(&self) -> String {
        let port = self.port;
        let (socket, out) = (self.path("socket").display().to_string(), self.path("received"));
        let input = match self.way {
            Way::Udp => format!(
                "module(load=\"imudp\")\n\
                 input(type=\"imudp\" address=\"127.0.0.1\" port=\"{port}\" ruleset=\"alerts\")\n"
            ),
            Way::Tcp => format!(
                "module(load=\"imtcp\")\n\
                 input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\" ruleset=\"alerts\")\n"
            ),
            Way::Tls(driver) => {
                require_driver(driver);
                let (certificate, key) = self.authority.certify("127.0.0.1");
                format!(
                    "global(DefaultNetstreamDriverCAFile=\"{}\" DefaultNetstreamDriverCertFile=\"{}\" \
                     DefaultNetstreamDriverKeyFile=\"{}\")\n\
                     module(load=\"imtcp\" StreamDriver.Name=\"{driver}\" StreamDriver.Mode=\"1\" \
                     StreamDriver.AuthMode=\"x509/name\" PermittedPeer=[\"client.example\"])\n\
                     input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\" ruleset=\"alerts\")\n",
                    self.authority.ca_file().display(),
                    certificate.display(),
                    key.display(),
                )
            }
            Way::UnixDatagrams => format!(
                "module(load=\"imuxsock\" SysSock.Use=\"off\")\n\
                 input(type=\"imuxsock\" Socket=\"{socket}\" UseSpecialParser=\"off\" \
                 IgnoreTimestamp=\"off\" ruleset=\"alerts\")\n"
            ),
            Way::UnixStream => format!(
                "module(load=\"imptcp\")\ninput(type=\"imptcp\" path=\"{socket}\" ruleset=\"alerts\")\n"
            ),
        };
        format!(
            "global(workDirectory=\"{}\" maxMessageSize=\"256k\")\n\
             template(name=\"fields\" type=\"string\" string=\"%pri%\\t%protocol-version%\\t%timestamp:::date-rfc3339%\\t\
             %hostname%\\t%app-name%\\t%procid%\\t%msgid%\\t%structured-data%\\t%msg%\\n\")\n\
             {input}\
             ruleset(name=\"alerts\") {{ action(type=\"omfile\" file=\"{}\" template=\"fields\") }}\n",
            self.folder.path().display(),
            out.display()
        )
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("received")).unwrap_or_default();
        // What is being written may not have come to its end.
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        whole.lines().map(str::to_owned).collect()
    }

    fn with_client(&self, authority: &Authority, name: Option<&str>) -> TransportPlan {
        let address = HostPort { host: "127.0.0.1".to_owned(), port: self.port };
        let client = name.map(|name| {
            let (certificate_file, key_file) = authority.certify(name);
            ClientCertificate { certificate_file, key_file }
        });
        let tls = TlsPlan { ca_file: Some(self.authority.ca_file()), client, server_name: None };
        plan(SyslogAddress::Tls(address, tls))
    }
}

/// Stops a test whose rsyslog cannot speak TLS.
fn require_driver(driver: &str) {
    let library = format!("rsyslog/lmnsd_{driver}.so");
    let is_there =
        fs::read_dir("/usr/lib").unwrap().flatten().any(|folder| folder.path().join(&library).is_file());
    let package = if driver == "gtls" { "rsyslog-gnutls" } else { "rsyslog-openssl" };
    assert!(is_there, "{library} is missing: run `apt-get install {package}`, or `cargo xtask test` as root");
}

fn plan(address: SyslogAddress) -> TransportPlan {
    TransportPlan::Syslog(SyslogPlan {
        address,
        framing: Framing::default(),
        facility: Facility::default(),
        app_name: "scanwatch".to_owned(),
    })
}

impl Receiver for Rsyslog {
    fn plan(&self) -> TransportPlan {
        let address = HostPort { host: "127.0.0.1".to_owned(), port: self.port };
        match self.way {
            Way::Udp => plan(SyslogAddress::Udp(address)),
            Way::Tcp => plan(SyslogAddress::Tcp(address)),
            Way::Tls(_) => self.with_client(&self.authority, Some("client.example")),
            Way::UnixDatagrams | Way::UnixStream => plan(SyslogAddress::Unix(self.path("socket"))),
        }
    }

    fn tells(&self) -> Tells {
        if self.way == Way::Udp { Tells::Nothing } else { Tells::Receipts }
    }

    fn start(&mut self) {
        let (configuration, socket) = (self.path("rsyslog.conf"), self.path("socket"));
        fs::write(&configuration, self.configuration()).unwrap();
        // A socket that is left over is not one that is listened on.
        let _ = fs::remove_file(&socket);
        let arguments = ["-n", "-iNONE", "-f", configuration.to_str().unwrap()];
        let mut program = Program::start("rsyslogd", "rsyslog", &arguments, &self.path("log"));
        program.wait_until("rsyslog listens", || match self.way {
            Way::Udp => is_bound(self.port),
            Way::Tcp | Way::Tls(_) => is_listening(self.port),
            Way::UnixDatagrams | Way::UnixStream => socket.exists(),
        });
        self.program = Some(program);
    }

    fn stop(&mut self) {
        self.program = None;
    }

    fn received(&mut self) -> Vec<String> {
        let message = |line: &String| line.splitn(9, '\t').nth(8).expect("nine fields").to_owned();
        self.lines().iter().map(message).collect()
    }
}

#[test]
fn rsyslog_over_udp() {
    compliance::complies(&mut Rsyslog::new(Way::Udp));
}

#[test]
fn rsyslog_over_tcp() {
    compliance::complies(&mut Rsyslog::new(Way::Tcp));
}

#[test]
fn rsyslog_over_tls_with_client_certificates_by_gnutls() {
    compliance::complies(&mut Rsyslog::new(Way::Tls("gtls")));
}

#[test]
fn rsyslog_over_tls_with_client_certificates_by_openssl() {
    compliance::complies(&mut Rsyslog::new(Way::Tls("ossl")));
}

#[test]
fn rsyslog_over_a_unix_socket_for_datagrams() {
    compliance::complies(&mut Rsyslog::new(Way::UnixDatagrams));
}

#[test]
fn rsyslog_over_a_unix_socket_for_streams() {
    compliance::complies(&mut Rsyslog::new(Way::UnixStream));
}

/// Waits until that many lines are there.
fn lines_of(receiver: &Rsyslog, count: usize) -> Vec<String> {
    for _ in 0..500 {
        let lines = receiver.lines();
        if lines.len() >= count {
            return lines;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("{} of {count} lines", receiver.lines().len());
}

#[tokio::test]
async fn rsyslog_understands_every_field_and_every_character() {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for way in [Way::Udp, Way::Tcp, Way::UnixDatagrams, Way::UnixStream] {
        let receiver = Rsyslog::running(way);
        let mut siem = transport(receiver.plan());
        let mut message = envelopes(1).remove(0);
        message.payload = "Büro → 東京 🛰 \\ \" % $ |".into();
        assert_eq!(siem.deliver(std::slice::from_ref(&message)).await, Receipt::taken(1));
        let line = lines_of(&receiver, 1).remove(0);
        let fields: Vec<&str> = line.split('\t').collect();
        let process = std::process::id().to_string();
        let [priority, version, time, rest @ ..] = &fields[..] else { panic!("{line}") };
        assert!(["130", "131", "132", "133"].contains(priority), "{way:?}: {line}");
        assert_eq!(*version, "1", "{way:?}: {line}");
        let at = jiff::Timestamp::from_nanosecond(i128::from(message.at.as_ns())).unwrap();
        assert_eq!(time.parse::<jiff::Timestamp>().unwrap().as_microsecond(), at.as_microsecond());
        let expected = [host.trim(), "scanwatch", &process, "-", "-", "Büro → 東京 🛰 \\ \" % $ |"];
        assert_eq!(rest, expected, "{way:?}");
    }
}

#[tokio::test]
async fn a_client_that_rsyslog_does_not_know_delivers_nothing_and_is_told_why() {
    const CERTIFICATE: &str = "`certificate_file` and `key_file`";
    for driver in ["gtls", "ossl"] {
        let receiver = Rsyslog::running(Way::Tls(driver));
        let stranger = Authority::named("Stranger");
        let mut unknown = vec![
            receiver.with_client(&receiver.authority, None),
            receiver.with_client(&stranger, Some("client.example")),
        ];
        // The other driver, as Debian 12 has it, takes every name its authority vouches for.
        if driver == "gtls" {
            unknown.push(receiver.with_client(&receiver.authority, Some("other.example")));
        }
        for plan in unknown {
            let receipt = transport(plan.clone()).deliver(&envelopes(3)).await;
            assert!(!receipt.fates.contains(&Fate::Taken), "{driver}: {plan:?}: {receipt:?}");
            let why = receipt.outage.expect("an outage").why;
            assert!(why.contains(CERTIFICATE), "{driver}: {plan:?}: {why}");
        }
        assert!(receiver.lines().is_empty());
    }
}

#[tokio::test]
async fn rsyslog_with_a_certificate_we_do_not_trust_gets_nothing() {
    let mut receiver = Rsyslog::running(Way::Tls("ossl"));
    let port = receiver.port;
    // rsyslog reads its certificates as late as it can: they stay where they are.
    let theirs = std::mem::replace(&mut receiver.authority, Authority::named("Other"));
    let receipt = transport(receiver.plan()).deliver(&envelopes(3)).await;
    assert!(receipt.fates.is_empty());
    let why = receipt.outage.expect("an outage").why;
    assert_eq!(
        why,
        format!(
            "tls://127.0.0.1:{port} cannot be used: the receiver's certificate comes from an authority we do not trust; \
             give that authority's certificate as `ca_file`"
        )
    );
    drop(theirs);
}

#[tokio::test]
async fn nothing_is_lost_when_rsyslog_is_killed_while_it_receives() {
    for way in [Way::Tcp, Way::Tls("ossl"), Way::UnixStream] {
        let mut receiver = Rsyslog::running(way);
        let mut siem = transport(receiver.plan());
        let all = envelopes(500);
        for (number, batch) in all.chunks(100).enumerate() {
            let killer = thread::spawn(move || {
                thread::sleep(Duration::from_millis(7 * number as u64));
                receiver.stop();
                receiver
            });
            let mut receipt = siem.deliver(batch).await;
            receiver = tokio::task::spawn_blocking(|| killer.join().unwrap()).await.unwrap();
            receiver.start();
            for _ in 0..50 {
                if receipt.outage.is_none() {
                    break;
                }
                assert!(!receipt.fates.contains(&Fate::Taken));
                tokio::time::sleep(Duration::from_millis(50)).await;
                receipt = siem.deliver(batch).await;
            }
            assert_eq!(receipt, Receipt::taken(100), "{way:?}");
        }
        let text = lines_of(&receiver, 500).join("\n");
        let missing = all.iter().filter(|one| !text.contains(&format!("\"{}\"", one.id))).count();
        assert_eq!(missing, 0, "{way:?}");
    }
}

#[tokio::test]
async fn both_configurations_on_the_page_work_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (authority, port) = (Authority::new(), free_port());
    let shown = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let ca = shown(&authority.ca_file());
    let (certificate, key) = authority.certify("localhost");
    let (client_certificate, client_key) = authority.certify("client.example");
    require_driver("gtls");
    let receiver = on_page(
        "rsyslog.md",
        "rsyslog",
        &[
            ("/etc/rsyslog-tls/ca.pem", &ca),
            ("/etc/rsyslog-tls/logs.example.pem", &shown(&certificate)),
            ("/etc/rsyslog-tls/logs.example.key", &shown(&key)),
            ("6514", &port.to_string()),
            ("/var/log/scanwatch-alerts.json", &path("alerts.json")),
        ],
    );
    fs::write(path("rsyslog.conf"), receiver).unwrap();
    let ours = on_page(
        "rsyslog.md",
        "toml",
        &[
            ("/etc/scanwatch/logs-ca.pem", &ca),
            ("/etc/scanwatch/client.pem", &shown(&client_certificate)),
            ("/etc/scanwatch/client.key", &shown(&client_key)),
            ("logs.example:6514", &format!("localhost:{port}")),
        ],
    );
    let arguments = ["-n", "-iNONE", "-f", &path("rsyslog.conf")];
    let mut program = Program::start("rsyslogd", "rsyslog", &arguments, folder.path().join("log").as_path());
    program.wait_until("rsyslog listens", || is_listening(port));

    let sink = configured(&ours, folder.path());
    let mut siem = transport::of(&sink);
    assert_eq!(
        siem.probe().await.map_err(|outage| outage.why),
        Ok(format!("tls://localhost:{port} is connected"))
    );
    let sent = envelopes(20);
    assert_eq!(siem.deliver(&sent).await, Receipt::taken(20));
    siem.close().await;
    let expected =
        sent.iter().fold(String::new(), |text, one| text + std::str::from_utf8(&one.payload).unwrap() + "\n");
    program.wait_until("all is written", || {
        fs::read_to_string(path("alerts.json")).is_ok_and(|text| text == expected)
    });
}
