//! `type = "syslog"`.

use super::common::{TLS_KEYS, host_and_port, tls};
use crate::config::error::{Fault, quoted};
use crate::config::read::{Section, Value};
use crate::policy::{Facility, Framing, SyslogAddress, SyslogPlan, TransportPlan};

/// Keys of this type.
pub const KEYS: &[&str] =
    &["address", "framing", "facility", "app_name", "ca_file", "certificate_file", "key_file", "server_name"];

const EXAMPLE: &str = "address = \"tls://siem.example:6514\"";

/// Longest APP-NAME (RFC 5424, section 6).
const APP_NAME_MAX: usize = 48;

/// Reads them.
pub fn plan(section: &Section) -> Result<TransportPlan, Fault> {
    let address = address(section, &section.need("address", EXAMPLE)?)?;
    if !matches!(address, SyslogAddress::Tls(..))
        && let Some(value) = TLS_KEYS.iter().find_map(|key| section.get(key))
    {
        let key = quoted(value.key);
        return Err(value.fault(format!("{key} is of use with TLS only; begin `address` with tls://")));
    }
    let framing = section.get("framing");
    if let (Some(value), SyslogAddress::Udp(_)) = (&framing, &address) {
        return Err(value.fault("`framing` is of use on streams only; a datagram is a message"));
    }
    let framing = framing.map(|value| value.choice(&Framing::NAMES)).transpose()?;
    let facility = section.get("facility").map(|value| value.choice(&Facility::NAMES)).transpose()?;
    let app_name = section.get("app_name").map(|value| app_name(&value)).transpose()?;
    Ok(TransportPlan::Syslog(SyslogPlan {
        address,
        framing: framing.unwrap_or_default(),
        facility: facility.unwrap_or_default(),
        app_name: app_name.unwrap_or_else(|| "scanwatch".to_owned()),
    }))
}

fn address(section: &Section, value: &Value) -> Result<SyslogAddress, Fault> {
    const WANTED: &str = "udp://host:port, tcp://host:port, tls://host:port or unix:/path";
    let text = value.text(WANTED)?;
    let read = |rest: &str| host_and_port(rest).ok_or_else(|| value.expected(WANTED));
    let (scheme, rest) = text.split_once(':').ok_or_else(|| value.expected(WANTED))?;
    match (scheme, rest.strip_prefix("//")) {
        ("udp", Some(rest)) => Ok(SyslogAddress::Udp(read(rest)?)),
        ("tcp", Some(rest)) => Ok(SyslogAddress::Tcp(read(rest)?)),
        ("tls", Some(rest)) => Ok(SyslogAddress::Tls(read(rest)?, tls(section)?)),
        // `unix:/dev/log`, or `unix:///dev/log` as in a URL.
        ("unix", path) if path.unwrap_or(rest).starts_with('/') && !rest.contains('\0') => {
            Ok(SyslogAddress::Unix(path.unwrap_or(rest).into()))
        }
        _ => Err(value.expected(WANTED)),
    }
}

fn app_name(value: &Value) -> Result<String, Fault> {
    const WANTED: &str = "1 to 48 letters, digits and signs of ASCII, without spaces";
    let text = value.text(WANTED)?;
    let fits = (1..=APP_NAME_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err(value.expected(WANTED)) }
}
