//! A connection to one of the servers.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::{ContextBuilder, GetStreamByNameErrorKind};
use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, Event};
use tokio::time::timeout;

use crate::policy::{HostPort, NatsLogin, NatsPlan};
use crate::sink::transport::{Outage, tls};

/// Time in which one server has answered, with all handshakes.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Time in which a stream acknowledges.
pub(super) const ACKNOWLEDGE_MAX: Duration = Duration::from_secs(10);

/// A connection.
pub(super) struct Session {
    client: Client,
    pub jetstream: Context,
    /// The server, as its URL.
    pub server: String,
    /// What the server complained of last: it does so apart from its answers.
    complaint: Arc<Mutex<Option<String>>>,
}

impl Session {
    /// Connects to the first server that lets us.
    pub async fn open(plan: &NatsPlan) -> Result<Self, Outage> {
        let mut failed = Vec::new();
        for server in &plan.servers {
            match Self::connect(plan, server).await {
                Ok(session) => return Ok(session),
                Err(why) => failed.push(why),
            }
        }
        Err(Outage::new(failed.join("; ")))
    }

    async fn connect(plan: &NatsPlan, server: &HostPort) -> Result<Self, String> {
        let url = plan.url(server);
        let complaint: Arc<Mutex<Option<String>>> = Arc::default();
        let hears = Arc::clone(&complaint);
        let mut options = login(&plan.login)?
            .name("scanwatch")
            .connection_timeout(CONNECT_MAX)
            .ignore_discovered_servers()
            // The outlet tries again, and says so; this is the least that can be set.
            .max_reconnects(1)
            .event_callback(move |event| {
                if let Event::ServerError(error) = event {
                    *hears.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                }
                std::future::ready(())
            });
        if let Some(plan) = &plan.tls {
            // Read at every connection: a certificate may have been renewed.
            options = options.require_tls(true).tls_client_config((*tls::client_config(plan)?).clone());
        }
        let connected = timeout(CONNECT_MAX, options.connect(url.as_str())).await;
        let client = match connected {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => return Err(unreachable(&url, &plan.login, &error)),
            Err(_) => return Err(format!("{url} does not answer; start the server, or correct `servers`")),
        };
        let jetstream = ContextBuilder::new().timeout(ACKNOWLEDGE_MAX).build(client.clone());
        Ok(Self { client, jetstream, server: url, complaint })
    }

    pub fn is_open(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// The largest message the server takes, with its headers, bytes.
    pub fn bytes_max(&self) -> usize {
        self.client.server_info().max_payload
    }

    /// What the server complained of, with a space before it; nothing where it did not.
    pub fn complaint(&self) -> String {
        let complaint = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        complaint.as_ref().map_or_else(String::new, |complaint| format!(" (the server said: {complaint})"))
    }

    /// Finds out which stream keeps what is published.
    pub async fn stream(&self, plan: &NatsPlan) -> Result<String, Outage> {
        let (server, subject) = (&self.server, &plan.subject);
        let found = match self.jetstream.stream_by_subject(subject).await {
            Ok(found) => found,
            Err(error) if error.kind() == GetStreamByNameErrorKind::NotFound => {
                return Err(no_stream(server, subject));
            }
            Err(_) => {
                let complaint = self.complaint();
                return Ok(format!(
                    "{server} is connected, but does not tell which stream keeps {subject}{complaint}"
                ));
            }
        };
        match &plan.stream {
            Some(wanted) if *wanted != found => Err(Outage::new(format!(
                "{server} keeps {subject} in the stream {found}, and `stream` is {wanted}; correct `stream` or `subject`"
            ))),
            _ => Ok(format!("{server} keeps {subject} in the stream {found}")),
        }
    }

    pub async fn close(self) {
        // What was published has been acknowledged; this ends the connection in good order.
        let _ = self.client.drain().await;
        let _ = self.client.flush().await;
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Options with the login, whose secrets are read now.
pub(super) fn login(login: &NatsLogin) -> Result<ConnectOptions, String> {
    Ok(match login {
        NatsLogin::Nobody => ConnectOptions::new(),
        NatsLogin::Password { user, password } => {
            ConnectOptions::with_user_and_password(user.clone(), password.read()?)
        }
        NatsLogin::Token(token) => ConnectOptions::with_token(token.read()?),
        NatsLogin::Nkey(seed) => {
            let text = seed.read()?;
            // SU begins the seed of a user; the key of a user, which is no secret, begins with U.
            if !text.starts_with("SU") || text.len() != 58 {
                return Err(format!(
                    "{seed} holds no seed of a user's NKey, 58 characters that begin with SU; make one with `nk -gen user`"
                ));
            }
            ConnectOptions::with_nkey(text)
        }
        NatsLogin::Credentials(path) => {
            let shown = path.display();
            let text = std::fs::read_to_string(path).map_err(|error| {
                format!("{shown} cannot be read ({error}); correct the path, or let this user read it")
            })?;
            ConnectOptions::with_credentials(&text).map_err(|_| {
                format!(
                    "{shown} holds no NATS credentials, a JWT and a seed; make it with `nsc generate creds`"
                )
            })?
        }
    })
}

pub(super) fn no_stream(server: &str, subject: &str) -> Outage {
    Outage::new(format!(
        "{server} has no stream that keeps {subject}; enable JetStream there, and make one (`nats stream add ALERTS \
         --subjects {subject}`)"
    ))
}

fn unreachable(url: &str, login: &NatsLogin, error: &ConnectError) -> String {
    if let Some(why) = tls::explain(error) {
        return format!("{url} cannot be used: {why}");
    }
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            format!("{url} does not let us in with {login}; give what the server asks for")
        }
        _ => format!("{url} cannot be reached ({error}); start the server, or correct `servers`"),
    }
}
