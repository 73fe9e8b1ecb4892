//! TLS towards a receiver: whom we trust, what we show, and what an error means to the operator.

#[cfg(test)]
pub(super) mod authority;
mod files;
mod named;
#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig, Error, RootCertStore};

use crate::policy::{ClientCertificate, TlsPlan};

/// The configuration of connections by this plan; its files are read now.
///
/// The name that the receiver's certificate must hold, where the plan gives one, is part of it: whoever connects names
/// the host it connects to.
///
/// # Errors
/// One sentence that says what is wrong with which file, and what to do.
pub fn client_config(plan: &TlsPlan) -> Result<Arc<ClientConfig>, String> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let roots = Arc::new(roots(plan)?);
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&ring))
        .build()
        .map_err(|error| format!("the trusted certificates cannot be used ({error}); renew `ca_file`"))?;
    let builder = ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be used ({error}); this is a fault of scanwatch"))?;
    let builder = match &plan.server_name {
        None => builder.with_webpki_verifier(verifier),
        Some(name) => {
            let name = server_name(name)?;
            let verifier = named::Named::new(verifier, name);
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    let config = match &plan.client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let chain = files::certificates(&client.certificate_file)?;
            let key = files::key(&client.key_file)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| unfit(client, &error))?
        }
    };
    Ok(Arc::new(config))
}

/// A host's name, or its address, as certificates hold it.
///
/// # Errors
/// One sentence where it is neither.
pub fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    // As in a URL.
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(bare.to_owned()).map_err(|_| {
        format!("{host:?} is no host name, and no address; give the name in the receiver's certificate")
    })
}

/// The authorities we trust: those of the plan, or else the system's.
fn roots(plan: &TlsPlan) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = &plan.ca_file {
        for certificate in files::certificates(path)? {
            roots.add(certificate).map_err(|error| {
                format!("{} holds a certificate of no authority ({error}); replace it", path.display())
            })?;
        }
        return Ok(roots);
    }
    // Old authorities that are kept in many systems' stores cannot all be read; one that can is enough.
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        return Err(
            "this system trusts no authority; install its certificates (Debian: ca-certificates), or give \
                    `ca_file`"
                .to_owned(),
        );
    }
    Ok(roots)
}

fn unfit(client: &ClientCertificate, error: &Error) -> String {
    let (certificate, key) = (client.certificate_file.display(), client.key_file.display());
    match error {
        Error::InconsistentKeys(_) => {
            format!(
                "the key in {key} does not belong to the certificate in {certificate}; give the right pair"
            )
        }
        error => format!(
            "the certificate in {certificate} and its key in {key} cannot be used ({error}); give an RSA, ECDSA or \
             Ed25519 key"
        ),
    }
}

/// What went wrong with TLS, and what to do: one sentence, where an error comes from TLS at all.
#[must_use]
pub fn explain(error: &(dyn StdError + 'static)) -> Option<String> {
    let error = cause(error)?;
    Some(match error {
        Error::InvalidCertificate(certificate) => about_certificate(certificate),
        Error::AlertReceived(alert) => about_alert(*alert),
        Error::InvalidMessage(_) => {
            "the receiver does not speak TLS at this address; check the port, and that it expects TLS"
                .to_owned()
        }
        Error::PeerIncompatible(why) => {
            format!("the receiver offers no TLS that is safe ({why:?}); let it speak TLS 1.2 or 1.3")
        }
        error => format!("TLS failed ({error}); see the receiver's log"),
    })
}

/// The error of TLS among the causes of another.
fn cause<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<Error>() {
            return Some(found);
        }
        // What an I/O error wraps is not among its sources: these begin one further on.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

fn about_certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    match error {
        // An authority of the same name, but with another key, shows as a bad signature.
        E::UnknownIssuer | E::BadSignature => {
            "the receiver's certificate comes from an authority we do not trust; give that \
                             authority's certificate as `ca_file`"
                .to_owned()
        }
        E::NotValidForName => {
            "the receiver's certificate does not hold its host's name; connect to the name it holds, \
                               or give that as `server_name`"
                .to_owned()
        }
        E::NotValidForNameContext { expected, presented } => format!(
            "the receiver's certificate holds {}, not {}; connect to a name it holds, or give that as `server_name`",
            if presented.is_empty() { "no name".to_owned() } else { presented.join(", ") },
            expected.to_str()
        ),
        E::Expired | E::ExpiredContext { .. } => {
            "the receiver's certificate has expired; renew it, or set the clock".to_owned()
        }
        E::NotValidYet | E::NotValidYetContext { .. } => {
            "the receiver's certificate is not valid yet; set the clock".to_owned()
        }
        error => format!("the receiver's certificate is not accepted ({error}); renew it"),
    }
}

fn about_alert(alert: AlertDescription) -> String {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired => {
            "the receiver asks for a client certificate; give `certificate_file` and `key_file`".to_owned()
        }
        A::UnknownCA
        | A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateExpired
        | A::CertificateUnknown
        | A::AccessDenied => format!(
            "the receiver refused our client certificate ({alert:?}); give `certificate_file` and `key_file` from an \
             authority it trusts"
        ),
        A::HandshakeFailure => {
            "the receiver refused the connection (HandshakeFailure); it may ask for a client \
                                certificate, or for older TLS than 1.2"
                .to_owned()
        }
        alert => format!("the receiver closed the connection by a TLS alert ({alert:?}); see its log"),
    }
}
