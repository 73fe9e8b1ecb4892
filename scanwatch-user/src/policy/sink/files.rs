//! Which files a sink reads.

use std::path::Path;

use super::{Address, Credentials, HeaderText, HttpReceiver, NatsLogin, Secret, SyslogAddress};
use super::{TlsPlan, TransportPlan};

impl TransportPlan {
    /// Files with secrets, certificates and keys.
    #[must_use]
    pub fn files_read(&self) -> Vec<&Path> {
        let files: Vec<Option<&Path>> = match self {
            Self::Stdout | Self::File(_) => Vec::new(),
            Self::Syslog(plan) => match &plan.address {
                SyslogAddress::Tls(_, tls) => tls.files().into(),
                SyslogAddress::Udp(_) | SyslogAddress::Tcp(_) | SyslogAddress::Unix(_) => Vec::new(),
            },
            Self::Nats(plan) => {
                let login = match &plan.login {
                    NatsLogin::Nobody => None,
                    NatsLogin::Password { password: secret, .. }
                    | NatsLogin::Token(secret)
                    | NatsLogin::Nkey(secret) => secret.file(),
                    NatsLogin::Credentials(path) => Some(path.as_path()),
                };
                plan.tls.iter().flat_map(TlsPlan::files).chain([login]).collect()
            }
            Self::Http(plan) => plan.receiver.files(),
            Self::Otlp(plan) => plan.receiver.files(),
            #[cfg(feature = "kafka")]
            Self::Kafka(plan) => {
                let password = plan.sasl.as_ref().and_then(|sasl| sasl.password.file());
                plan.tls.iter().flat_map(TlsPlan::files).chain([password]).collect()
            }
        };
        files.into_iter().flatten().collect()
    }
}

impl Secret {
    fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Environment(_) => None,
        }
    }
}

impl TlsPlan {
    fn files(&self) -> [Option<&Path>; 3] {
        let client = self.client.as_ref();
        [
            self.ca_file.as_deref(),
            client.map(|client| client.certificate_file.as_path()),
            client.map(|client| client.key_file.as_path()),
        ]
    }
}

impl HttpReceiver {
    fn files(&self) -> Vec<Option<&Path>> {
        let url = match &self.url {
            Address::Plain(_) => None,
            Address::Secret(secret) => secret.file(),
        };
        let credentials = match &self.credentials {
            Credentials::None => None,
            Credentials::Token { token: secret, .. } | Credentials::Basic { password: secret, .. } => {
                secret.file()
            }
        };
        let headers = self.headers.iter().map(|(_, text)| match text {
            HeaderText::Plain(_) => None,
            HeaderText::Secret(secret) => secret.file(),
        });
        headers.chain(self.tls.files()).chain([url, credentials]).collect()
    }
}
