use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConnection, Error, ServerConfig, ServerConnection};
use tempfile::TempDir;

use super::{client_config, explain, server_name};
use crate::policy::{ClientCertificate, TlsPlan};

/// An authority, what it certified, and the files of it.
struct Authority {
    folder: TempDir,
    ca: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        Self::named("Authority")
    }

    fn named(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, ca, issuer: Issuer::new(params, key) }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Certificate and key, in PEM.
    fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer);
        (certificate.unwrap().pem(), key.serialize_pem())
    }

    fn trusted(&self) -> TlsPlan {
        TlsPlan { ca_file: Some(self.ca.clone()), ..TlsPlan::default() }
    }

    fn client(&self) -> ClientCertificate {
        let (certificate, key) = self.certify("client.example");
        ClientCertificate {
            certificate_file: self.file("client.pem", &certificate),
            key_file: self.file("client.key", &key),
        }
    }

    fn server(&self, name: &str) -> ServerConfig {
        let (certificate, key) = self.certify(name);
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap()
    }
}

/// A handshake without a network, as far as the client sees it.
fn handshake(plan: &TlsPlan, host: &str, server: ServerConfig) -> Result<(), Error> {
    let mut client = ClientConnection::new(client_config(plan).unwrap(), server_name(host).unwrap()).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
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
    handshake(&ours.trusted(), "siem.example", ours.server("siem.example")).unwrap();
    handshake(&ours.trusted(), "127.0.0.1", ours.server("127.0.0.1")).unwrap();

    let error = handshake(&ours.trusted(), "other.example", ours.server("siem.example")).unwrap_err();
    let why = explain(&error).unwrap();
    assert!(why.contains("siem.example") && why.contains("not other.example"), "{why}");
    assert!(why.contains("`server_name`"), "{why}");

    let named = TlsPlan { server_name: Some("siem.example".to_owned()), ..ours.trusted() };
    handshake(&named, "192.0.2.7", ours.server("siem.example")).unwrap();
    handshake(&named, "192.0.2.7", ours.server("192.0.2.7")).unwrap_err();
}

#[test]
fn a_foreign_authority_is_named_as_the_cause_wherever_the_error_is_wrapped() {
    let (ours, theirs, namesake) = (Authority::new(), Authority::named("Other"), Authority::new());
    let error = handshake(&ours.trusted(), "siem.example", theirs.server("siem.example")).unwrap_err();
    let other_key = handshake(&ours.trusted(), "siem.example", namesake.server("siem.example")).unwrap_err();
    assert_eq!(explain(&error), explain(&other_key));
    let named = TlsPlan { server_name: Some("siem.example".to_owned()), ..ours.trusted() };
    handshake(&named, "siem.example", theirs.server("siem.example")).unwrap_err();
    let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error));
    let why = explain(&wrapped).unwrap();
    assert!(why.contains("authority we do not trust") && why.contains("`ca_file`"), "{why}");
    assert_eq!(explain(&io::Error::other("no route")), None);
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_path() {
    let ours = Authority::new();
    let client = ours.client();
    let key = std::fs::read_to_string(&client.key_file).unwrap();
    let with_ca = |path: &PathBuf| TlsPlan { ca_file: Some(path.clone()), ..TlsPlan::default() };
    let with_client = |certificate_file: &PathBuf, key_file: &PathBuf| TlsPlan {
        client: Some(ClientCertificate {
            certificate_file: certificate_file.clone(),
            key_file: key_file.clone(),
        }),
        ..ours.trusted()
    };
    let missing = ours.folder.path().join("missing.pem");
    let text = ours.file("text.pem", "not a certificate");
    let cut = ours.file("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    let garbled = ours.file("garbled.pem", "-----BEGIN CERTIFICATE-----\n*!\n-----END CERTIFICATE-----\n");
    let other = ours.file("other.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    let foreign_key = ours.file("foreign.key", &KeyPair::generate().unwrap().serialize_pem());
    let locked = ours.file("locked.key", &key.replace("PRIVATE", "ENCRYPTED PRIVATE"));

    let cases = [
        (with_ca(&missing), &missing, "cannot be read"),
        (with_ca(&ours.folder.path().to_owned()), &ours.folder.path().to_owned(), "cannot be read"),
        (with_ca(&text), &text, "holds no certificate"),
        (with_ca(&cut), &cut, "does not end"),
        (with_ca(&garbled), &garbled, "not Base64"),
        (with_ca(&other), &other, "of no authority"),
        (with_client(&text, &client.key_file), &text, "holds no certificate"),
        (with_client(&other, &client.key_file), &other, "cannot be used"),
        (
            with_client(&client.certificate_file, &client.certificate_file),
            &client.certificate_file,
            "no private key",
        ),
        (with_client(&client.certificate_file, &locked), &locked, "without a passphrase"),
        (with_client(&client.certificate_file, &missing), &missing, "cannot be read"),
        (with_client(&client.certificate_file, &foreign_key), &foreign_key, "does not belong to"),
    ];
    for (plan, path, wrong) in cases {
        let why = client_config(&plan).unwrap_err();
        assert!(why.contains(&path.display().to_string()), "{why}");
        assert!(why.contains(wrong), "{why} lacks {wrong:?}");
        assert!(why.contains("; "), "{why} does not say what to do");
    }
    client_config(&with_client(&client.certificate_file, &client.key_file)).unwrap();
}

#[test]
fn a_name_no_certificate_can_hold_is_refused() {
    let ours = Authority::new();
    let plan = TlsPlan { server_name: Some("no such name".to_owned()), ..ours.trusted() };
    let why = client_config(&plan).unwrap_err();
    assert!(why.contains("\"no such name\" is no host name"), "{why}");
    for host in ["siem.example", "192.0.2.7", "2001:db8::7", "[2001:db8::7]"] {
        server_name(host).unwrap();
    }
}
