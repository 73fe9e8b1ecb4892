//! What all have in common: connections that fail, answers that do not come, and secrets that stay secret.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use scanwatch::sink::transport::{self, Fate};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::receiver::{Configured, Receiver, Reply, SECRET, documents};

fn sink(url: &str, more: &str) -> Configured {
    Configured::new(&format!(
        "type = \"http\"\ndialect = \"splunk_hec\"\nurl = \"{url}\"\ntoken_file = \"SECRET_FILE\"\n{more}"
    ))
}

async fn why(sink: &mut Configured) -> String {
    let receipt = sink.deliver(&documents(2)).await;
    assert!(receipt.fates.iter().all(|fate| *fate == Fate::Again));
    receipt.outage.expect("an outage").why
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_an_outage_and_its_return_is_noticed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut sink = sink(&format!("http://{address}"), "");
    let found = why(&mut sink).await;
    assert_eq!(
        found,
        format!(
            "http://{address} cannot be reached (Connection refused (os error 111)); check url, and that the receiver runs"
        )
    );
    let listener = TcpListener::bind(address).await.unwrap();
    let _receiver = Receiver::on(listener, address, |_| {
        Reply::new(200, "application/json", "{\"text\":\"Success\",\"code\":0}")
    });
    assert_eq!(sink.deliver(&documents(2)).await.fates, vec![Fate::Taken; 2]);
}

#[tokio::test]
async fn a_name_that_is_not_known_is_an_outage() {
    let found = why(&mut sink("http://no-such-host.invalid:8088", "")).await;
    assert!(found.starts_with("http://no-such-host.invalid:8088 cannot be reached ("), "{found}");
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_is_given_up_after_its_time() {
    let receiver = Receiver::start(|_| {
        let mut reply = Reply::new(200, "application/json", "{\"code\":0}");
        reply.delay = Duration::from_secs(20);
        reply
    })
    .await;
    let begun = Instant::now();
    let found = why(&mut sink(&receiver.url(), "timeout_s = 1\n")).await;
    assert!(found.contains("did not answer within 1 s"), "{found}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

/// A receiver that says this to whoever asks, and hangs up.
async fn hangs_up(said: &'static str) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 64 << 10];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(said.as_bytes()).await.unwrap();
        }
    });
    (url, server)
}

#[tokio::test]
async fn a_connection_that_is_cut_is_an_outage_wherever_it_was() {
    for (said, expected) in [
        ("", "broke off ("),
        ("HTTP/1.1 200 OK\r\ncontent-le", "broke off ("),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"code\":0}",
            "broke off in the middle of its answer (",
        ),
    ] {
        let (url, server) = hangs_up(said).await;
        let found = why(&mut sink(&url, "")).await;
        assert!(found.starts_with(&format!("{url} {expected}")), "{found}");
        server.abort();
    }
}

#[tokio::test]
async fn an_answer_without_an_end_is_given_up() {
    let receiver = Receiver::start(|_| Reply::new(200, "application/json", vec![b' '; 9 << 20])).await;
    let found = why(&mut sink(&receiver.url(), "")).await;
    assert!(
        found.ends_with("answers with more than 8 MiB, as no receiver of messages does; check url"),
        "{found}"
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_secret_goes_nowhere_else() {
    let elsewhere = Receiver::start(|_| Reply::new(200, "application/json", "{\"code\":0}")).await;
    let to = elsewhere.url();
    let receiver = Receiver::start(move |_| Reply::new(307, "text/plain", "").with("location", &to)).await;
    let found = why(&mut sink(&receiver.url(), "")).await;
    assert!(
        found.ends_with("answers 307, a redirect, which is not followed; set url to where it leads"),
        "{found}"
    );
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn a_proxy_is_used_where_one_is_configured() {
    let proxy =
        Receiver::start(|_| Reply::new(200, "application/json", "{\"text\":\"Success\",\"code\":0}")).await;
    let mut sink = sink("http://splunk.invalid:8088", &format!("proxy = \"{}\"\n", proxy.url()));
    assert_eq!(sink.deliver(&documents(1)).await.fates, [Fate::Taken]);
    assert_eq!(proxy.asked()[0].path, "http://splunk.invalid:8088/services/collector/event");
}

#[tokio::test]
async fn a_secret_that_a_receiver_repeats_is_not_repeated_by_us() {
    let echo = |asked: &crate::receiver::Asked| {
        Reply::new(
            418,
            "text/plain",
            format!("who is {}, {} of {}?", asked.header("authorization"), asked.header("x-key"), asked.path),
        )
    };
    let receiver = Receiver::start(echo).await;
    let url = receiver.url();
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&key, "0ther-key").unwrap();
    let hidden = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&hidden, format!("{url}/h1dden/path?k=h1dden")).unwrap();
    for (credentials, repeated) in [
        ("token_file = \"SECRET_FILE\"".to_owned(), "Bearer …"),
        ("user = \"scan\"\npassword_file = \"SECRET_FILE\"".to_owned(), "Basic …"),
    ] {
        let mut sink = Configured::new(&format!(
            "type = \"http\"\ndialect = \"webhook\"\nurl_file = \"{}\"\n{credentials}\nsecret_headers = {{ X-Key = {{ file = \"{}\" }} }}\n",
            hidden.path().display(),
            key.path().display(),
        ));
        let receipt = sink.deliver(&documents(1)).await;
        let [Fate::Refused(found)] = &receipt.fates[..] else { panic!("{receipt:?}") };
        assert!(found.contains(&format!("who is {repeated}, … of …?…?")), "{found}");
        for secret in [SECRET, "c2Nhbjo1ZWNyZXQtdDBrZW4=", "0ther-key", "h1dden"] {
            assert!(!found.contains(secret), "{found}");
            assert!(!format!("{:?}", sink.plan).contains(secret));
        }
    }
}

#[tokio::test]
async fn no_log_line_holds_a_secret_or_a_hidden_path() {
    let receiver = Receiver::start(|_| Reply::new(503, "text/plain", "")).await;
    let hidden = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&hidden, format!("{}/h1dden", receiver.url())).unwrap();
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    tracing::trace!("begins");
    let lines = format!(
        "type = \"http\"\ndialect = \"webhook\"\nurl_file = \"{}\"\ntoken_file = \"SECRET_FILE\"\n",
        hidden.path().display()
    );
    Configured::new(&lines).deliver(&documents(1)).await;
    drop(guard);
    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(text.contains("begins"));
    for secret in [SECRET, "h1dden"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn check_reads_what_has_to_be_read() {
    let mut sink = sink("https://siem.example", "");
    assert_eq!(transport::check(&sink.plan), Ok(()));
    let file = sink.secret_file();
    std::fs::write(&file, "").unwrap();
    assert!(transport::check(&sink.plan).unwrap_err().contains("is no secret"));
    std::fs::remove_file(&file).unwrap();
    let found = transport::check(&sink.plan).unwrap_err();
    assert!(found.contains("cannot be read") && found.contains(file.to_str().unwrap()), "{found}");
    // A run begins all the same, and says the same.
    assert_eq!(why(&mut sink).await, found);
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
