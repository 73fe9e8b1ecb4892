use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::KeyPair;
use rustls::{ClientConnection, Error, ServerConfig, ServerConnection};

use super::authority::Authority;
use super::{client_config, explain, server_name};
use crate::policy::{ClientCertificate, TlsPlan};

fn trusted(authority: &Authority) -> TlsPlan {
    TlsPlan { ca_file: Some(authority.ca_file()), ..TlsPlan::default() }
}

/// A handshake without a network, as far as the client sees it.
fn handshake(plan: &TlsPlan, host: &str, server: Arc<ServerConfig>) -> Result<(), Error> {
    let mut client = ClientConnection::new(client_config(plan).unwrap(), server_name(host).unwrap()).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    for _ in 0..8 {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut &wire[..]).unwrap();
        server.process_new_packets()?;
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut &wire[..]).unwrap();
        client.process_new_packets()?;
    }
    assert!(!client.is_handshaking());
    Ok(())
}

#[test]
fn a_certificate_is_held_to_the_host_or_to_the_name_that_is_given_for_it() {
    let ours = Authority::new();
    handshake(&trusted(&ours), "siem.example", ours.server("siem.example", false)).unwrap();
    handshake(&trusted(&ours), "127.0.0.1", ours.server("127.0.0.1", false)).unwrap();

    let error = handshake(&trusted(&ours), "other.example", ours.server("siem.example", false)).unwrap_err();
    let why = explain(&error).unwrap();
    assert!(why.contains("siem.example") && why.contains("not other.example"), "{why}");
    assert!(why.contains("`server_name`"), "{why}");

    let named = TlsPlan { server_name: Some("siem.example".to_owned()), ..trusted(&ours) };
    handshake(&named, "192.0.2.7", ours.server("siem.example", false)).unwrap();
    handshake(&named, "192.0.2.7", ours.server("192.0.2.7", false)).unwrap_err();
}

#[test]
fn a_foreign_authority_is_named_as_the_cause_wherever_the_error_is_wrapped() {
    let (ours, theirs, namesake) = (Authority::new(), Authority::named("Other"), Authority::new());
    let error = handshake(&trusted(&ours), "siem.example", theirs.server("siem.example", false)).unwrap_err();
    let other_key =
        handshake(&trusted(&ours), "siem.example", namesake.server("siem.example", false)).unwrap_err();
    assert_eq!(explain(&error), explain(&other_key));
    let named = TlsPlan { server_name: Some("siem.example".to_owned()), ..trusted(&ours) };
    handshake(&named, "siem.example", theirs.server("siem.example", false)).unwrap_err();
    let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error));
    let why = explain(&wrapped).unwrap();
    assert!(why.contains("authority we do not trust") && why.contains("`ca_file`"), "{why}");
    assert_eq!(explain(&io::Error::other("no route")), None);
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_path() {
    let ours = Authority::new();
    let (certificate, key) = ours.certify("client.example");
    let key_text = std::fs::read_to_string(&key).unwrap();
    let with_ca = |path: &PathBuf| TlsPlan { ca_file: Some(path.clone()), ..TlsPlan::default() };
    let with_client = |certificate_file: &PathBuf, key_file: &PathBuf| TlsPlan {
        client: Some(ClientCertificate {
            certificate_file: certificate_file.clone(),
            key_file: key_file.clone(),
        }),
        ..trusted(&ours)
    };
    let missing = ours.folder().join("missing.pem");
    let text = ours.file("text.pem", "not a certificate");
    let cut = ours.file("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    let garbled = ours.file("garbled.pem", "-----BEGIN CERTIFICATE-----\n*!\n-----END CERTIFICATE-----\n");
    let other = ours.file("other.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    let foreign_key = ours.file("foreign.key", &KeyPair::generate().unwrap().serialize_pem());
    let locked = ours.file("locked.key", &key_text.replace("PRIVATE", "ENCRYPTED PRIVATE"));

    let cases = [
        (with_ca(&missing), &missing, "cannot be read"),
        (with_ca(&ours.folder().to_owned()), &ours.folder().to_owned(), "cannot be read"),
        (with_ca(&text), &text, "holds no certificate"),
        (with_ca(&cut), &cut, "does not end"),
        (with_ca(&garbled), &garbled, "not Base64"),
        (with_ca(&other), &other, "of no authority"),
        (with_client(&text, &key), &text, "holds no certificate"),
        (with_client(&other, &key), &other, "cannot be used"),
        (with_client(&certificate, &certificate), &certificate, "no private key"),
        (with_client(&certificate, &locked), &locked, "without a passphrase"),
        (with_client(&certificate, &missing), &missing, "cannot be read"),
        (with_client(&certificate, &foreign_key), &foreign_key, "does not belong to"),
    ];
    for (plan, path, wrong) in cases {
        let why = client_config(&plan).unwrap_err();
        assert!(why.contains(&path.display().to_string()), "{why}");
        assert!(why.contains(wrong), "{why} lacks {wrong:?}");
        assert!(why.contains("; "), "{why} does not say what to do");
    }
    client_config(&with_client(&certificate, &key)).unwrap();
}

#[test]
fn a_name_no_certificate_can_hold_is_refused() {
    let ours = Authority::new();
    let plan = TlsPlan { server_name: Some("no such name".to_owned()), ..trusted(&ours) };
    let why = client_config(&plan).unwrap_err();
    assert!(why.contains("\"no such name\" is no host name"), "{why}");
    for host in ["siem.example", "192.0.2.7", "2001:db8::7", "[2001:db8::7]"] {
        server_name(host).unwrap();
    }
}
