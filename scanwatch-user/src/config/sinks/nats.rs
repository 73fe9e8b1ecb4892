//! `type = "nats"`.

use super::common::{TLS_KEYS, host_and_port, path_at, secret, tls};
use crate::config::error::{Fault, quoted};
use crate::config::read::{Section, Value};
use crate::policy::{HostPort, NatsLogin, NatsPlan, TlsPlan, TransportPlan};

/// Keys of this type.
pub const KEYS: &[&str] = &[
    "servers",
    "subject",
    "stream",
    "user",
    "password_file",
    "password_env",
    "token_file",
    "token_env",
    "creds_file",
    "nkey_file",
    "nkey_env",
    "ca_file",
    "certificate_file",
    "key_file",
    "server_name",
];

const EXAMPLE: &str = "servers = [\"nats://nats.example:4222\"]";

/// Reads them.
pub fn plan(section: &Section) -> Result<TransportPlan, Fault> {
    let (servers, tls) = servers(section, &section.need("servers", EXAMPLE)?)?;
    Ok(TransportPlan::Nats(NatsPlan {
        servers,
        tls,
        subject: subject(&section.need("subject", "subject = \"scanwatch.alerts\"")?)?,
        stream: section.get("stream").map(|value| stream(&value)).transpose()?,
        login: login(section)?,
    }))
}

/// All by TLS, or none: a password that travels in the clear to one of them is known.
fn servers(section: &Section, value: &Value) -> Result<(Vec<HostPort>, Option<TlsPlan>), Fault> {
    const WANTED: &str = "nats://host:port or tls://host:port";
    const LIST: &str = "a list such as [\"nats://nats.example:4222\"]";
    let mut servers = Vec::new();
    let mut safe = None;
    for server in value.filled_list(LIST)? {
        let text = server.text(WANTED)?;
        if text.contains('@') {
            return Err(server.fault(
                "a login does not belong in `servers`; give `user` and `password_file`, `token_file`, `creds_file` or \
                 `nkey_file`",
            ));
        }
        let (is_safe, rest) = match text.split_once("://") {
            Some(("nats", rest)) => (false, rest),
            Some(("tls", rest)) => (true, rest),
            _ => return Err(server.expected(WANTED)),
        };
        if *safe.get_or_insert(is_safe) != is_safe {
            return Err(server.fault("`servers` has nats:// and tls://; begin all with the same"));
        }
        servers.push(host_and_port(rest).ok_or_else(|| server.expected(WANTED))?);
    }
    if safe == Some(true) {
        return Ok((servers, Some(tls(section)?)));
    }
    match TLS_KEYS.iter().find_map(|key| section.get(key)) {
        Some(value) => {
            let key = quoted(value.key);
            Err(value.fault(format!("{key} is of use with TLS only; begin `servers` with tls://")))
        }
        None => Ok((servers, None)),
    }
}

/// A subject that is published to: dots part its tokens, and none is a wildcard.
fn subject(value: &Value) -> Result<String, Fault> {
    const WANTED: &str =
        "words with dots between them, such as \"scanwatch.alerts\", and neither `*` nor `>`";
    let text = value.text(WANTED)?;
    let fits = |token: &str| !token.is_empty() && is_word(token);
    if text.split('.').all(fits) { Ok(text.to_owned()) } else { Err(value.expected(WANTED)) }
}

fn stream(value: &Value) -> Result<String, Fault> {
    const WANTED: &str = "the name of a stream, such as \"ALERTS\"";
    let text = value.text(WANTED)?;
    let fits = !text.is_empty() && is_word(text) && !text.contains(['.', '/', '\\']);
    if fits { Ok(text.to_owned()) } else { Err(value.expected(WANTED)) }
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b"*>".contains(&byte))
}

fn login(section: &Section) -> Result<NatsLogin, Fault> {
    let password = secret(section, "password_file", "password_env")?;
    let user =
        section.get("user").map(|value| value.text("the name of a user").map(str::to_owned)).transpose()?;
    let by_password = match (user, password) {
        (None, None) => None,
        (Some(user), Some(password)) => Some(NatsLogin::Password { user, password }),
        _ => {
            return Err(section.fault(
                "`user` and `password_file` or `password_env` belong together; give both, or neither",
            ));
        }
    };
    let ways = [
        by_password,
        secret(section, "token_file", "token_env")?.map(NatsLogin::Token),
        path_at(section, "creds_file")?.map(NatsLogin::Credentials),
        secret(section, "nkey_file", "nkey_env")?.map(NatsLogin::Nkey),
    ];
    let mut ways = ways.into_iter().flatten();
    let login = ways.next().unwrap_or(NatsLogin::Nobody);
    match ways.next() {
        None => Ok(login),
        Some(other) => Err(section.fault(format!("{login} and {other} are both given; keep one of them"))),
    }
}
