//! A webhook: a request a message.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use scanwatch::sink::transport::Fate;

use crate::receiver::{Configured, Receiver, Reply, SECRET, documents, envelope};

fn sink(receiver: &Receiver, more: &str) -> Configured {
    Configured::new(&format!(
        "type = \"http\"\ndialect = \"webhook\"\nurl = \"{}/hook?x=1\"\n{more}",
        receiver.url()
    ))
}

#[tokio::test]
async fn every_message_is_a_request_of_its_own_with_its_identity_and_the_headers() {
    let receiver = Receiver::start(|_| Reply::new(204, "text/plain", "")).await;
    let mut sink = sink(
        &receiver,
        "method = \"PUT\"\nheaders = { X-Tenant = \"red\" }\nsecret_headers = { X-Key = { file = \"SECRET_FILE\" } }\n",
    );
    let batch = documents(3);
    assert_eq!(sink.deliver(&batch).await.fates, vec![Fate::Taken; 3]);
    let asked = receiver.asked();
    assert_eq!(asked.len(), 3);
    for (asked, message) in asked.iter().zip(&batch) {
        assert_eq!((asked.method.as_str(), asked.path.as_str()), ("PUT", "/hook?x=1"));
        assert_eq!(asked.body, message.payload);
        assert_eq!(asked.header("x-tenant"), "red");
        assert_eq!(asked.header("x-key"), SECRET);
        assert_eq!(asked.header("content-type"), "application/json");
        assert_eq!(asked.header("idempotency-key"), format!("\"{}\"", message.id));
        assert!(asked.header("user-agent").starts_with("scanwatch/"));
    }
}

#[tokio::test]
async fn the_media_type_is_that_of_the_form_unless_one_is_given() {
    let receiver = Receiver::start(|_| Reply::new(200, "text/plain", "ok")).await;
    for (more, expected) in [
        ("format = \"text\"\n", "text/plain; charset=utf-8"),
        ("format = \"text\"\ncontent_type = \"text/x-alert\"\n", "text/x-alert"),
        (
            "body = 'alert={{ event.action }}'\ncontent_type = \"application/x-www-form-urlencoded\"\n",
            "application/x-www-form-urlencoded",
        ),
        ("body = '{ \"text\": {{ event.reason | tojson }} }'\n", "application/json"),
        ("headers = { Content-Type = \"application/ecs+json\" }\n", "application/ecs+json"),
    ] {
        let mut sink = sink(&receiver, more);
        assert_eq!(sink.plan.template.is_some(), more.starts_with("body"));
        sink.deliver(&[envelope(0, "x")]).await;
        assert_eq!(receiver.asked().last().unwrap().header("content-type"), expected);
    }
}

#[tokio::test]
async fn a_token_is_shown_as_a_bearer_and_a_password_as_basic() {
    let receiver = Receiver::start(|_| Reply::new(200, "text/plain", "ok")).await;
    sink(&receiver, "token_file = \"SECRET_FILE\"\n").deliver(&documents(1)).await;
    assert_eq!(receiver.asked()[0].header("authorization"), format!("Bearer {SECRET}"));
    sink(&receiver, "user = \"scan\"\npassword_file = \"SECRET_FILE\"\n").deliver(&documents(1)).await;
    // base64 of scan:5ecret-t0ken
    assert_eq!(receiver.asked()[1].header("authorization"), "Basic c2Nhbjo1ZWNyZXQtdDBrZW4=");
}

#[tokio::test]
async fn a_message_at_fault_is_refused_and_does_not_keep_the_next_from_going() {
    let receiver = Receiver::start(|asked| {
        let bad = String::from_utf8_lossy(&asked.body).contains("scan 1");
        Reply::new(if bad { 422 } else { 200 }, "text/plain", "no such\tchannel\n")
    })
    .await;
    let receipt = sink(&receiver, "").deliver(&documents(3)).await;
    let refused = Fate::Refused(format!("{} answers 422: no such channel", receiver.url()));
    assert_eq!((&receipt.fates[..], receipt.outage), (&[Fate::Taken, refused, Fate::Taken][..], None));
}

#[tokio::test]
async fn after_an_outage_nothing_else_is_sent_and_what_was_taken_stays_taken() {
    for status in [401, 403, 404, 408, 425, 429, 500, 503] {
        let count = AtomicUsize::new(0);
        let receiver = Receiver::start(move |_| {
            let status = if count.fetch_add(1, Ordering::Relaxed) < 2 { 200 } else { status };
            Reply::new(status, "text/plain", "")
        })
        .await;
        let receipt = sink(&receiver, "").deliver(&documents(5)).await;
        let again = Fate::Again;
        assert_eq!(
            receipt.fates,
            [Fate::Taken, Fate::Taken, again.clone(), again.clone(), again],
            "{status}"
        );
        assert!(receipt.outage.is_some());
        assert_eq!(receiver.asked().len(), 3);
    }
}

#[tokio::test]
async fn the_date_to_come_back_is_read() {
    let at = jiff::Timestamp::try_from(SystemTime::now() + Duration::from_secs(100)).unwrap();
    let date = at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let receiver =
        Receiver::start(move |_| Reply::new(429, "text/plain", "").with("retry-after", &date)).await;
    let wait = sink(&receiver, "").deliver(&documents(1)).await.outage.unwrap().retry_after.unwrap();
    assert!((90..=100).contains(&wait.as_secs()), "{wait:?}");
}

#[tokio::test]
async fn a_probe_sends_no_message() {
    let receiver = Receiver::start(|_| Reply::new(405, "text/plain", "")).await;
    assert!(
        sink(&receiver, "")
            .probe()
            .await
            .unwrap()
            .ends_with("answers (405 to HEAD); messages were not tried")
    );
    assert_eq!(receiver.asked()[0].method, "HEAD");
    let receiver = Receiver::start(|_| Reply::new(502, "text/plain", "")).await;
    assert!(sink(&receiver, "").probe().await.is_err());
}
