//! Certificates and keys from files.

use std::path::Path;

use rustls::pki_types::pem::{Error, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The certificates in a file, in their order; one at least.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(format!(
            "{} holds no certificate in PEM (`-----BEGIN CERTIFICATE-----`); give one, or convert it with openssl",
            path.display()
        )),
        Err(error) => Err(damaged(path, &error)),
    }
}

/// The private key in a file: PKCS #8, PKCS #1 or SEC 1.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    match PrivateKeyDer::from_pem_slice(&read(path)?) {
        Ok(key) => Ok(key),
        Err(Error::NoItemsFound) => Err(format!(
            "{} holds no private key in PEM that is open (`-----BEGIN PRIVATE KEY-----`); give one without a \
             passphrase, readable by this user alone",
            path.display()
        )),
        Err(error) => Err(damaged(path, &error)),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| {
        format!("{} cannot be read ({error}); correct the path, or let this user read it", path.display())
    })
}

fn damaged(path: &Path, error: &Error) -> String {
    // The error may quote the file as a list of bytes: of no use to a reader, and a key is nobody's to read.
    let what = match error {
        Error::MissingSectionEnd { .. } => "a section does not end",
        Error::IllegalSectionStart { .. } => "a section does not begin as it must",
        Error::Base64Decode(_) => "what is between the marks is not Base64",
        _ => "it is not PEM",
    };
    format!("{} is damaged ({what}); copy it anew", path.display())
}
