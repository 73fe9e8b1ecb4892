//! Who is let in: logins, permissions, certificates, and what the page about NATS tells people to write.

use std::fs;

use async_nats::jetstream::{self, stream};
use scanwatch::policy::{ClientCertificate, NatsLogin, NatsPlan, Secret, TlsPlan};
use scanwatch::sink::transport::{Fate, Receipt};

use super::{STREAM, SUBJECT, Server, why};
use crate::authority::Authority;
use crate::program::{Program, is_listening};
use crate::{configured, envelopes, on_page, transport};

/// The seed and the key of the example in the documentation of NATS.
const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
const KEY: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

#[test]
fn every_login_opens_the_door_it_is_for_and_no_other() {
    let secrets = tempfile::tempdir().unwrap();
    let secret = |name: &str, text: &str| {
        let path = secrets.path().join(name);
        fs::write(&path, format!("{text}\n")).unwrap();
        Secret::File(path)
    };
    let by_password = |password: Secret| NatsLogin::Password { user: "scanwatch".to_owned(), password };
    let wrong = by_password(secret("wrong", "guess"));
    let cases = [
        (
            "authorization { user: scanwatch, password: s3cret }".to_owned(),
            by_password(secret("password", "s3cret")),
        ),
        ("authorization { token: t0ken }".to_owned(), NatsLogin::Token(secret("token", "t0ken"))),
        (format!("authorization {{ users: [ {{ nkey: {KEY} }} ] }}"), NatsLogin::Nkey(secret("seed", SEED))),
    ];
    for (settings, login) in cases {
        let mut server = Server::new(settings);
        server.run();
        let with = |login: &NatsLogin| NatsPlan { login: login.clone(), ..server.plan() };
        // There is no stream: whoever is let in hears so.
        let receipt = server.deliver(with(&login), 1);
        assert!(why(&receipt).contains("has no stream that keeps"), "{login}: {receipt:?}");
        for stranger in [&NatsLogin::Nobody, &wrong] {
            let receipt = server.deliver(with(stranger), 1);
            let expected = format!("{} does not let us in with {stranger}; give what", server.url());
            assert!(why(&receipt).starts_with(&expected), "{receipt:?}");
            assert!(!why(&receipt).contains("guess"));
        }
    }
}

#[test]
fn a_user_who_may_not_publish_hears_what_the_server_said() {
    let user = "{ user: scanwatch, password: s3cret, permissions: { publish: other } }";
    let mut server = Server::new(format!("jetstream: enabled\nauthorization {{ users: [ {user} ] }}"));
    server.run();
    let path = server.path("password");
    fs::write(&path, "s3cret").unwrap();
    let login = NatsLogin::Password { user: "scanwatch".to_owned(), password: Secret::File(path) };
    let receipt = server.deliver(NatsPlan { login, ..server.plan() }, 2);
    assert_eq!(receipt.fates, [Fate::Again, Fate::Again]);
    let said = why(&receipt).to_lowercase();
    assert!(said.contains("permissions violation for publish to \"scanwatch.alerts\""), "{receipt:?}");
}

#[test]
fn tls_with_client_certificates() {
    let ours = Authority::new();
    let (certificate, key) = ours.certify("127.0.0.1");
    let mut server = Server::new(format!(
        "jetstream: enabled\ntls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}",
        certificate.display(),
        key.display(),
        ours.ca_file().display()
    ));
    server.run();
    let plan = |trusted: &Authority, client: Option<&Authority>| {
        let client = client.map(|authority| {
            let (certificate_file, key_file) = authority.certify("client.example");
            ClientCertificate { certificate_file, key_file }
        });
        let tls = TlsPlan { ca_file: Some(trusted.ca_file()), client, server_name: None };
        NatsPlan { tls: Some(tls), ..server.plan() }
    };
    let other = Authority::named("Other");
    for (plan, expected) in [
        (plan(&ours, Some(&ours)), "has no stream that keeps"),
        (plan(&other, Some(&ours)), "authority we do not trust; give"),
        (plan(&ours, None), "`certificate_file` and `key_file`"),
        (plan(&ours, Some(&other)), "`certificate_file` and `key_file`"),
    ] {
        let receipt = server.deliver(plan, 1);
        assert!(why(&receipt).contains(expected), "{expected}: {receipt:?}");
        assert!(why(&receipt).starts_with("tls://127.0.0.1:"), "{receipt:?}");
    }
}

#[test]
fn both_configurations_on_the_page_work_together() {
    let authority = Authority::new();
    let (certificate, key) = authority.certify("localhost");
    let server = Server::new("");
    let path = |name: &str| server.path(name).to_str().unwrap().to_owned();
    let text = on_page(
        "nats.md",
        "nats",
        &[
            ("0.0.0.0:4222", &format!("127.0.0.1:{}", server.port)),
            ("/var/lib/nats", &path("store")),
            ("/etc/nats/nats.example.pem", certificate.to_str().unwrap()),
            ("/etc/nats/nats.example.key", key.to_str().unwrap()),
        ],
    );
    fs::write(server.path("nats.conf"), text).unwrap();
    let arguments = ["-c", &path("nats.conf")];
    let mut program = Program::start("nats-server", "nats-server", &arguments, &server.path("log"));
    program.wait_until("nats-server listens", || is_listening(server.port));
    fs::write(server.path("password"), "s3cret\n").unwrap();
    let ours = on_page(
        "nats.md",
        "toml",
        &[
            ("nats.example:4222", &format!("localhost:{}", server.port)),
            ("/etc/scanwatch/nats-password", &path("password")),
            ("/etc/scanwatch/nats-ca.pem", authority.ca_file().to_str().unwrap()),
        ],
    );
    let sink = configured(&ours, server.folder.path());
    server.runtime.block_on(async {
        let options =
            async_nats::ConnectOptions::with_user_and_password("admin".to_owned(), "adm1n".to_owned())
                .add_root_certificates(authority.ca_file());
        let client = options.connect(format!("tls://localhost:{}", server.port)).await.unwrap();
        let subjects = vec![SUBJECT.to_owned()];
        let config = stream::Config { name: STREAM.to_owned(), subjects, ..stream::Config::default() };
        let mut kept = jetstream::new(client).create_stream(config).await.unwrap();

        let mut siem = transport::of(&sink);
        let found = format!("tls://localhost:{} keeps {SUBJECT} in the stream {STREAM}", server.port);
        assert_eq!(siem.probe().await.map_err(|outage| outage.why), Ok(found));
        assert_eq!(siem.deliver(&envelopes(20)).await, Receipt::taken(20));
        siem.close().await;
        assert_eq!(kept.info().await.unwrap().state.messages, 20);
    });
}
