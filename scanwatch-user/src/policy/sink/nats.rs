//! A stream of NATS JetStream.

use std::fmt;
use std::path::PathBuf;

use super::{HostPort, Secret, TlsPlan};

/// Where alerts go by NATS, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatsPlan {
    /// Servers, tried in this order; one at least.
    pub servers: Vec<HostPort>,
    /// Certificates, where the servers are spoken to by TLS.
    pub tls: Option<TlsPlan>,
    /// What alerts are published under.
    pub subject: String,
    /// The stream that must keep them; without one, whichever takes the subject does.
    pub stream: Option<String>,
    /// Who we are.
    pub login: NatsLogin,
}

impl NatsPlan {
    /// The URL of one of its servers.
    #[must_use]
    pub fn url(&self, server: &HostPort) -> String {
        format!("{}://{server}", if self.tls.is_some() { "tls" } else { "nats" })
    }
}

/// How we say who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NatsLogin {
    /// Not at all, or by a client certificate.
    Nobody,
    /// User and password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token.
    Token(Secret),
    /// A file of credentials: a JWT and the seed of its key.
    Credentials(PathBuf),
    /// The seed of an NKey.
    Nkey(Secret),
}

impl fmt::Display for NatsLogin {
    /// What it is, as an operator calls it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("no login"),
            Self::Password { user, .. } => write!(f, "user {user:?} and its password"),
            Self::Token(_) => f.write_str("the token"),
            Self::Credentials(path) => write!(f, "the credentials in {}", path.display()),
            Self::Nkey(_) => f.write_str("the NKey"),
        }
    }
}
