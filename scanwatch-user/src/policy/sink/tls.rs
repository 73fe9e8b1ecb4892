//! How a receiver is trusted, and how it knows us.

use std::path::PathBuf;

/// Certificates of a connection. Without a CA of one's own, the system's are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsPlan {
    /// Certificates, in PEM, of the authorities that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Our certificate and its chain, in PEM, and its key: both or neither.
    pub client: Option<ClientCertificate>,
    /// The name the receiver's certificate must hold, where it is not the host that is connected to.
    pub server_name: Option<String>,
}

/// What we show to a receiver that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate and its chain, in PEM.
    pub certificate_file: PathBuf,
    /// Its private key, in PEM.
    pub key_file: PathBuf,
}
