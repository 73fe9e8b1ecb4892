//! Keys that several types of sink share: paths, secrets, certificates.

use std::path::PathBuf;

use crate::config::error::Fault;
use crate::config::read::{Section, Value};
use crate::policy::{ClientCertificate, HostPort, Secret, TlsPlan};

/// Keys of a connection by TLS, read by [`tls`].
pub const TLS_KEYS: [&str; 4] = ["ca_file", "certificate_file", "key_file", "server_name"];

/// An absolute path: where scanwatch is started must not matter.
pub fn path(value: &Value) -> Result<PathBuf, Fault> {
    const WANTED: &str = "an absolute path such as \"/var/log/scanwatch/alerts.json\"";
    let path = PathBuf::from(value.text(WANTED)?);
    if path.is_absolute() && path.file_name().is_some() { Ok(path) } else { Err(value.expected(WANTED)) }
}

/// The path under a key, where it is given.
pub fn path_at(section: &Section, key: &'static str) -> Result<Option<PathBuf>, Fault> {
    section.get(key).map(|value| path(&value)).transpose()
}

/// A secret by one of two keys, as `token_file` and `token_env`.
pub fn secret(
    section: &Section,
    file_key: &'static str,
    environment_key: &'static str,
) -> Result<Option<Secret>, Fault> {
    match (section.get(file_key), section.get(environment_key)) {
        (None, None) => Ok(None),
        // What is wrong may be the secret itself, and is not repeated.
        (Some(file), None) => match path(&file) {
            Ok(path) => Ok(Some(Secret::File(path))),
            Err(_) => Err(file.fault(format!(
                "`{file_key}` is no absolute path; give that of a file with the secret, as \"/etc/scanwatch/secret\""
            ))),
        },
        (None, Some(name)) => {
            let text = name.text("the name of an environment variable").unwrap_or_default();
            if text.is_empty() || text.contains(['=', '\0']) {
                return Err(name.fault(format!(
                    "`{environment_key}` is no name of an environment variable; give that of the one with the secret"
                )));
            }
            Ok(Some(Secret::Environment(text.to_owned())))
        }
        (Some(_), Some(name)) => {
            Err(name.fault(format!("`{file_key}` and `{environment_key}` are both given; keep one of them")))
        }
    }
}

/// The certificates of a connection.
pub fn tls(section: &Section) -> Result<TlsPlan, Fault> {
    let certificate = path_at(section, "certificate_file")?;
    let key = path_at(section, "key_file")?;
    let client = match (certificate, key) {
        (Some(certificate_file), Some(key_file)) => Some(ClientCertificate { certificate_file, key_file }),
        (None, None) => None,
        _ => {
            return Err(
                section.fault("`certificate_file` and `key_file` belong together; give both, or neither")
            );
        }
    };
    let server_name = section.get("server_name").map(|value| value.text("a host name")).transpose()?;
    Ok(TlsPlan { ca_file: path_at(section, "ca_file")?, client, server_name: server_name.map(str::to_owned) })
}

/// A host and its port, as `siem.example:6514`, `192.0.2.7:514` or `[2001:db8::7]:514`.
pub fn host_and_port(text: &str) -> Option<HostPort> {
    let (host, port) = text.rsplit_once(':')?;
    // A sign is no digit of a port, though a number may begin with it.
    let port =
        port.parse().ok().filter(|number| *number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()))?;
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let fits = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        }
    };
    fits.then(|| HostPort { host: bracketed.unwrap_or(host).to_owned(), port })
}
