use crate::policy::{HostPort, NatsLogin, NatsPlan, Secret, TlsPlan};

use super::check;

fn plan(login: NatsLogin) -> NatsPlan {
    NatsPlan {
        servers: vec![HostPort { host: "nats.example".to_owned(), port: 4222 }],
        tls: None,
        subject: "scanwatch.alerts".to_owned(),
        stream: None,
        login,
    }
}

#[test]
fn logins_and_certificates_are_checked_without_connecting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4\n").unwrap();
    let missing = folder.path().join("missing");
    let wrong = [
        (NatsLogin::Token(Secret::File(missing.clone())), "cannot be read"),
        (NatsLogin::Credentials(missing.clone()), "cannot be read"),
        (NatsLogin::Credentials(path.clone()), "holds no NATS credentials"),
        // The key of a user where its seed should be.
        (NatsLogin::Nkey(Secret::File(path.clone())), "58 characters that begin with SU"),
    ];
    for (login, expected) in wrong {
        let why = check(&plan(login)).unwrap_err();
        assert!(why.contains(expected) && why.contains(folder.path().to_str().unwrap()), "{why}");
        assert!(!why.contains("UDXU4"), "{why}");
    }
    check(&plan(NatsLogin::Token(Secret::File(path)))).unwrap();
    let tls = TlsPlan { ca_file: Some(missing), ..TlsPlan::default() };
    let why = check(&NatsPlan { tls: Some(tls), ..plan(NatsLogin::Nobody) }).unwrap_err();
    assert!(why.contains("missing cannot be read"), "{why}");
}
