//! Sinks of the types `http`, `otlp` and `kafka`.

use std::time::Duration;

use super::{full_example, refuses};
use crate::config::parse;
use crate::policy::{
    Address, ClientCertificate, Credentials, Dialect, HeaderText, HttpReceiver, Method, Secret, SinkPlan,
    TlsPlan, TransportPlan,
};
use crate::sink::Format;

const SPLUNK: &str = "[[sink]]\nname = \"a\"\ntype = \"http\"\ndialect = \"splunk_hec\"\n";
const ELASTIC: &str = "[[sink]]\nname = \"a\"\ntype = \"http\"\ndialect = \"elastic_bulk\"\n";
const WEBHOOK: &str = "[[sink]]\nname = \"a\"\ntype = \"http\"\ndialect = \"webhook\"\n";
const OTLP: &str = "[[sink]]\nname = \"a\"\ntype = \"otlp\"\n";
const KAFKA: &str = "[[sink]]\nname = \"a\"\ntype = \"kafka\"\n";
const URL: &str = "url = \"https://siem.example\"\n";

fn sink(text: &str) -> SinkPlan {
    parse(text, "a.toml").unwrap_or_else(|error| panic!("{error}\n{text}")).sinks.remove(0)
}

fn http(sink: &SinkPlan) -> (&HttpReceiver, &Dialect) {
    match &sink.transport {
        TransportPlan::Http(plan) => (&plan.receiver, &plan.dialect),
        other => panic!("{other:?}"),
    }
}

fn file(path: &str) -> Secret {
    Secret::File(path.into())
}

#[test]
fn the_receivers_by_http_in_the_example_are_read() {
    let policy = parse(&full_example(), "example").unwrap();
    let of = |name: &str| policy.sinks.iter().find(|sink| sink.name == name).unwrap();
    let (receiver, Dialect::SplunkHec(hec)) = http(of("splunk")) else { panic!("no Splunk") };
    let expected = HttpReceiver {
        url: Address::Plain("https://splunk.example:8088/".to_owned()),
        credentials: Credentials::Token { scheme: "Splunk", token: file("/etc/scanwatch/hec-token") },
        headers: Vec::new(),
        tls: TlsPlan {
            ca_file: Some("/etc/scanwatch/ca.pem".into()),
            client: Some(ClientCertificate {
                certificate_file: "/etc/scanwatch/client.pem".into(),
                key_file: "/etc/scanwatch/client.key".into(),
            }),
            server_name: Some("splunk.example".to_owned()),
        },
        proxy: Some("http://proxy.example:3128".to_owned()),
        timeout: Duration::from_secs(30),
    };
    assert_eq!(*receiver, expected);
    let found = (hec.host.as_deref(), hec.source.as_str(), hec.sourcetype.as_str(), hec.index.as_deref());
    assert_eq!(found, (Some("gw1"), "scanwatch", "scanwatch:alert", Some("security")));
    assert!(!hec.ack);

    let (receiver, Dialect::ElasticBulk(bulk)) = http(of("elastic")) else { panic!("no Elastic") };
    assert_eq!(bulk.data_stream, "logs-scanwatch-default");
    let key = Credentials::Token { scheme: "ApiKey", token: file("/etc/scanwatch/elastic-key") };
    assert_eq!(receiver.credentials, key);

    let chat = of("chat");
    let (receiver, Dialect::Webhook(webhook)) = http(chat) else { panic!("no webhook") };
    assert_eq!(receiver.url, Address::Secret(file("/etc/scanwatch/chat-url")));
    let headers = [
        ("x-team".to_owned(), HeaderText::Plain("soc".to_owned())),
        ("x-api-key".to_owned(), HeaderText::Secret(file("/etc/scanwatch/chat-key"))),
    ];
    assert_eq!(receiver.headers, headers);
    assert_eq!((webhook.method, webhook.content_type.as_deref()), (Method::Post, Some("application/json")));
    assert!(chat.template.is_some());

    let TransportPlan::Otlp(otlp) = &of("otel").transport else { panic!("no OTLP") };
    assert_eq!(otlp.receiver.url, Address::Plain("https://collector.example:4318/".to_owned()));
    assert_eq!(otlp.receiver.credentials, Credentials::None);
}

#[test]
fn what_is_not_said_of_a_receiver_by_http_has_a_default() {
    let splunk = sink(&format!("{SPLUNK}{URL}token_env = \"HEC_TOKEN\"\n"));
    let (receiver, Dialect::SplunkHec(hec)) = http(&splunk) else { panic!("no Splunk") };
    assert_eq!((receiver.timeout, receiver.proxy.as_ref()), (Duration::from_secs(30), None));
    assert_eq!((hec.source.as_str(), hec.sourcetype.as_str()), ("scanwatch", "scanwatch:alert"));
    assert_eq!((hec.host.as_ref(), hec.index.as_ref(), hec.ack), (None, None, false));
    let webhook = sink(&format!("{WEBHOOK}{URL}format = \"text\"\n"));
    assert_eq!((webhook.format, webhook.template.is_none()), (Format::Text, true));
    let elastic = sink(&format!("{ELASTIC}{URL}user = \"beat\"\npassword_env = \"P\"\n"));
    let (receiver, _) = http(&elastic);
    let password = Secret::Environment("P".to_owned());
    assert_eq!(receiver.credentials, Credentials::Basic { user: "beat".to_owned(), password });
}

#[test]
fn what_no_receiver_by_http_can_be_is_refused_with_its_line() {
    refuses(
        SPLUNK,
        &[
            (
                "",
                "1: a Splunk HTTP Event Collector asks for a token; add token_file = \"/etc/scanwatch/hec-token\", or token_env",
            ),
            ("token_env = \"T\"\n", "1: [[sink]] has no `url`; add url = \"https://siem.example:8088\""),
            (
                "token_env = \"T\"\nurl = \"https://u:SECRET@siem\"\n",
                "6: `url` holds a user or a password; name the file or the environment variable that holds them instead",
            ),
            (
                "token_env = \"T\"\nurl = \"ftp://siem\"\n",
                "6: `url` begins neither with https:// nor with http:// and a host; these are spoken here",
            ),
            (
                "token_env = \"T\"\ntoken_file = \"/t\"\n",
                "5: `token_file` and `token_env` are both given; keep one of them",
            ),
            (
                "token_env = \"T\"\nurl = \"http://siem\"\nca_file = \"/ca.pem\"\n",
                "7: `ca_file` is of no use with http://; begin url with https://",
            ),
            (
                "token_env = \"T\"\nbody = \"x\"\n",
                "6: `body` is no key of dialect = \"splunk_hec\"; it has token_file, token_env, host, source, sourcetype, \
                 index, ack",
            ),
            (
                "token_file = \"SECRET\"\n",
                "5: `token_file` is no absolute path; give that of a file with the secret, as \"/etc/scanwatch/secret\"",
            ),
            (
                "token_env = \"SECRET==\"\n",
                "5: `token_env` is no name of an environment variable; give that of the one with the secret",
            ),
            ("token_env = \"T\"\nack = 1\n", "6: `ack` in [[sink]] is `1`; expected true or false"),
            (
                "token_env = \"T\"\nindex = \"\"\n",
                "6: `index` in [[sink]] is `\"\"`; expected a text on one line",
            ),
        ],
    );
    refuses(
        ELASTIC,
        &[
            (
                "format = \"text\"\n",
                "5: dialect = \"elastic_bulk\" takes format = \"ecs\" alone: a data stream asks for `@timestamp` and fields \
                 as ECS has them",
            ),
            (
                "data_stream = \"Logs/../x\"\n",
                "5: `data_stream` in [[sink]] is `\"Logs/../x\"`; expected the name of a data stream such as \
                 \"logs-scanwatch-default\"",
            ),
            (
                "user = \"beat\"\n",
                "1: `user` and `password_file` or `password_env` belong together; give both, or neither",
            ),
            (
                "user = \"beat\"\npassword_env = \"P\"\napi_key_env = \"K\"\n",
                "1: `api_key_file` or `api_key_env` is given as well as a user or a password; keep the one or the other",
            ),
        ],
    );
}

#[test]
fn what_no_webhook_can_be_is_refused_with_its_line() {
    refuses(
        WEBHOOK,
        &[
            (
                "body = \"{{ event.reason\"\nurl = \"https://a\"\n",
                "5: `body`: the template cannot be used in line 1: syntax error: unexpected end of input, expected end of \
                 variable block",
            ),
            (
                "body = \"{{ evnt.reason }}\"\nurl = \"https://a\"\nformat = \"ecs\"\n",
                "7: `format` and `body` are both given; keep one of them",
            ),
            (
                "url = \"https://a\"\nheaders = { \"X Y\" = \"a\" }\n",
                "6: \"X Y\" is no name of a header; expected one such as \"X-Tenant\"",
            ),
            (
                "url = \"https://a\"\nheaders = { Host = \"a\" }\n",
                "6: the header host follows from the connection; leave it out",
            ),
            (
                "url = \"https://a\"\nheaders = { A = \"a\" }\nsecret_headers = { a = { env = \"A\" } }\n",
                "7: the header a is given twice; keep one of them",
            ),
            (
                "url = \"https://a\"\ntoken_env = \"T\"\nheaders = { Authorization = \"a\" }\n",
                "7: the header authorization follows from the token or the password; keep one of them",
            ),
            (
                "url = \"https://a\"\nsecret_headers = { A = \"hunter2\" }\n",
                "6: `A` in `secret_headers` is no place of a secret; expected a place such as { file = \
                 \"/etc/scanwatch/key\" } or { env = \"SIEM_KEY\" }",
            ),
            (
                "url = \"https://a\"\nurl_env = \"A\"\n",
                "5: `url` and the file or variable that holds it are both given; keep one of them",
            ),
            (
                "url = \"https://a\"\nproxy = \"proxy:3128\"\n",
                "6: `proxy:3128` begins neither with https:// nor with http:// and a host; these are spoken here",
            ),
            (
                "url = \"https://a\"\ntimeout_s = 0\n",
                "6: `timeout_s` in [[sink]] is `0`; expected a whole number from 1 to 300",
            ),
        ],
    );
    refuses(
        OTLP,
        &[(
            "dialect = \"webhook\"\n",
            "4: unknown key `dialect` in [[sink]]; expected one of name, type, format, spool_max_mib, when_full, url, url_file, url_env, proxy, timeout_s, ca_file, certificate_file, key_file, server_name, token_file, token_env, user, password_file, password_env, headers, secret_headers",
        )],
    );
}

#[test]
fn what_no_topic_can_be_is_refused_with_its_line() {
    refuses(
        KAFKA,
        &[
            ("topic = \"t\"\n", "1: [[sink]] has no `brokers`; add brokers = [\"kafka1.example:9092\"]"),
            (
                "brokers = [\"ssl://k:9092\"]\n",
                "4: `ssl://k:9092` is no broker; expected host and port, as \"kafka1.example:9092\"",
            ),
            (
                "brokers = [\"k\"]\n",
                "4: `k` is no broker; expected host and port, as \"kafka1.example:9092\"",
            ),
            ("brokers = [\"k:9092\"]\n", "1: [[sink]] has no `topic`; add topic = \"scanwatch\""),
            (
                "brokers = [\"k:9092\"]\ntopic = \"a b\"\n",
                "5: `topic` in [[sink]] is `\"a b\"`; expected the name of a topic: letters, digits, `.`, `_` and `-`, at \
                 most 249",
            ),
            (
                "brokers = [\"k:9092\"]\ntopic = \"t\"\nca_file = \"/ca.pem\"\n",
                "6: `ca_file` is of no use without TLS; add tls = true",
            ),
            (
                "brokers = [\"k:9092\"]\ntopic = \"t\"\nuser = \"u\"\n",
                "1: `sasl_mechanism`, `user` and `password_file` or `password_env` belong together; give all three, or none",
            ),
        ],
    );
}

#[cfg(not(feature = "kafka"))]
#[test]
fn a_build_without_kafka_says_so() {
    refuses(
        KAFKA,
        &[(
            "brokers = [\"k:9092\"]\ntopic = \"t\"\n",
            "1: this scanwatch is built without Kafka; build one with `cargo xtask build --release --features kafka`, or \
             choose another type",
        )],
    );
}
