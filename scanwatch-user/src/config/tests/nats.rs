//! `type = "nats"`.

use super::{full_example, refuses};
use crate::config::parse;
use crate::policy::{HostPort, NatsLogin, NatsPlan, Secret, TlsPlan, TransportPlan};

const NATS: &str = "[[sink]]\nname = \"bus\"\ntype = \"nats\"\n";
const LEAST: &str = "servers = [\"nats://nats.example:4222\"]\nsubject = \"scanwatch.alerts\"\n";

fn plan(keys: &str) -> NatsPlan {
    let policy = parse(&format!("{NATS}{keys}"), "a.toml").unwrap();
    let TransportPlan::Nats(plan) = &policy.sinks[0].transport else { panic!("{policy:?}") };
    plan.clone()
}

fn server(host: &str) -> HostPort {
    HostPort { host: host.to_owned(), port: 4222 }
}

#[test]
fn the_nats_sink_of_the_example_is_read_key_by_key() {
    let policy = parse(&full_example(), "example").unwrap();
    let nats = policy.sinks.iter().find(|sink| sink.name == "nats").unwrap();
    let expected = NatsPlan {
        servers: vec![server("nats1.example"), server("nats2.example")],
        tls: Some(TlsPlan::default()),
        subject: "scanwatch.alerts".to_owned(),
        stream: Some("ALERTS".to_owned()),
        login: NatsLogin::Password {
            user: "scanwatch".to_owned(),
            password: Secret::File("/etc/scanwatch/nats-password".into()),
        },
    };
    assert_eq!(expected.url(&expected.servers[0]), "tls://nats1.example:4222");
    assert_eq!(nats.transport, TransportPlan::Nats(expected));
    let least = plan(LEAST);
    assert_eq!((&least.tls, &least.stream, &least.login), (&None, &None, &NatsLogin::Nobody));
    assert_eq!(least.url(&least.servers[0]), "nats://nats.example:4222");
}

#[test]
fn every_login_and_certificate_is_read() {
    let logins = [
        ("token_file = \"/etc/token\"", NatsLogin::Token(Secret::File("/etc/token".into()))),
        ("token_env = \"TOKEN\"", NatsLogin::Token(Secret::Environment("TOKEN".to_owned()))),
        ("creds_file = \"/etc/user.creds\"", NatsLogin::Credentials("/etc/user.creds".into())),
        ("nkey_file = \"/etc/seed\"", NatsLogin::Nkey(Secret::File("/etc/seed".into()))),
        ("nkey_env = \"SEED\"", NatsLogin::Nkey(Secret::Environment("SEED".to_owned()))),
    ];
    for (key, expected) in logins {
        assert_eq!(plan(&format!("{LEAST}{key}\n")).login, expected);
    }
    let tls = plan("servers = [\"tls://[2001:db8::7]:4222\"]\nsubject = \"a\"\nca_file = \"/etc/ca.pem\"\n");
    assert_eq!(tls.tls.unwrap().ca_file, Some("/etc/ca.pem".into()));
}

#[test]
fn what_no_nats_sink_can_be_is_refused_with_its_line() {
    let with = |key: &str| format!("{LEAST}{key}\n");
    let servers = |list: &str| format!("servers = [{list}]\nsubject = \"a\"\n");
    let subject = |name: &str| format!("servers = [\"nats://a:4222\"]\nsubject = \"{name}\"\n");
    refuses(
        NATS,
        &[
            (
                "subject = \"a\"\n",
                "1: [[sink]] has no `servers`; add servers = [\"nats://nats.example:4222\"]",
            ),
            (
                "servers = [\"nats://a:4222\"]\n",
                "1: [[sink]] has no `subject`; add subject = \"scanwatch.alerts\"",
            ),
            (
                &servers(""),
                "4: `servers` in [[sink]] is an empty list; expected a list such as [\"nats://nats.example:4222\"]",
            ),
            (
                &servers("\"nats.example:4222\""),
                "4: an element of `servers` in [[sink]] is `\"nats.example:4222\"`; expected nats://host:port or \
                 tls://host:port",
            ),
            (
                &servers("\"nats://scanwatch:s3cret@nats.example:4222\""),
                "4: a login does not belong in `servers`; give `user` and `password_file`, `token_file`, `creds_file` or \
                 `nkey_file`",
            ),
            (
                &servers("\"nats://a:4222\", \"tls://b:4222\""),
                "4: `servers` has nats:// and tls://; begin all with the same",
            ),
            (
                &subject("scanwatch.*"),
                "5: `subject` in [[sink]] is `\"scanwatch.*\"`; expected words with dots between them, such as \
                 \"scanwatch.alerts\", and neither `*` nor `>`",
            ),
            (
                &subject("a..b"),
                "5: `subject` in [[sink]] is `\"a..b\"`; expected words with dots between them, such as \
                 \"scanwatch.alerts\", and neither `*` nor `>`",
            ),
            (
                &with("stream = \"my.alerts\""),
                "6: `stream` in [[sink]] is `\"my.alerts\"`; expected the name of a stream, such as \"ALERTS\"",
            ),
            (
                &with("user = \"scanwatch\""),
                "1: `user` and `password_file` or `password_env` belong together; give both, or neither",
            ),
            (
                &with("token_file = \"/etc/token\"\ncreds_file = \"/etc/user.creds\""),
                "1: the token and the credentials in /etc/user.creds are both given; keep one of them",
            ),
            (
                &with("ca_file = \"/etc/ca.pem\""),
                "6: `ca_file` is of use with TLS only; begin `servers` with tls://",
            ),
        ],
    );
}
