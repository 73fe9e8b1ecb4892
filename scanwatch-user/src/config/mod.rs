//! The configuration file: TOML in, a validated [`Policy`] out.
//!
//! Everything has a default, so an empty file works. Whatever is wrong is a [`ConfigError`] that names file and line;
//! nothing is guessed, ignored or repaired. `scanwatch.example.toml` at the root of the project spells out every key.

mod defaults;
mod error;
mod interfaces;
mod limits;
mod listen;
mod network;
mod read;
mod rights;
mod roles;
mod services;
mod sinks;
mod state;
mod thresholds;
mod time;
mod trust;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use toml::de::DeTable;

pub use error::ConfigError;
use error::{Fault, Lines, quoted};
pub(crate) use interfaces::check_interface_name;
use read::Section;
pub use trust::check_trust;

use crate::policy::{Direction, Policy, Treatment};

/// Largest file that is read, bytes: a thousand times an ordinary one, and a bound for special files without end.
pub const FILE_BYTES_MAX: u64 = 4 << 20;

const KEYS: [&str; 12] = [
    "interface",
    "zone",
    "services",
    "sensitive_services",
    "role",
    "directions",
    "thresholds",
    "limits",
    "sink",
    "state",
    "listen",
    "rights",
];

/// Reads a configuration file; without one, the defaults.
pub fn load(path: Option<&Path>) -> Result<Policy, ConfigError> {
    let Some(path) = path else { return Ok(Policy::default()) };
    let file = path.display().to_string();
    let whole = |message: String| ConfigError { file: file.clone(), line: None, message };
    let bytes = read_bounded(path).map_err(|error| whole(unreadable(&error)))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(whole(format!(
            "is larger than {} MiB and so no configuration; check the path",
            FILE_BYTES_MAX >> 20
        )));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => parse(text, &file),
        Err(error) => {
            let line = Lines::new(&String::from_utf8_lossy(&bytes)).of(error.valid_up_to());
            Err(ConfigError {
                file,
                line: Some(line),
                message: "is not UTF-8 text; save the file as UTF-8".into(),
            })
        }
    }
}

/// Validates the text of a configuration; `file` is its name in errors.
pub fn parse(text: &str, file: &str) -> Result<Policy, ConfigError> {
    let lines = Lines::new(text);
    policy(text, &lines).map_err(|fault| ConfigError {
        file: file.to_owned(),
        line: Some(fault.line),
        message: fault.message,
    })
}

/// One line that says what a valid configuration holds.
#[must_use]
pub fn summary(policy: &Policy) -> String {
    let interfaces: Vec<&str> = policy.interfaces.iter().map(|interface| interface.name.as_str()).collect();
    let on = if interfaces.is_empty() {
        "the interface of the default route".into()
    } else {
        interfaces.join(", ")
    };
    let directions = [
        ("lateral", Direction::Lateral),
        ("outbound", Direction::Outbound),
        ("inbound", Direction::Inbound),
        ("transit", Direction::Transit),
    ];
    let alerts = directions
        .map(|(name, direction)| (policy.directions.of(direction) == Treatment::Alert).then_some(name));
    let alerts: Vec<&str> = alerts.into_iter().flatten().collect();
    let alerts = if alerts.is_empty() { "nothing".into() } else { alerts.join(", ") };
    let sinks: Vec<String> =
        policy.sinks.iter().map(|sink| format!("{} ({})", sink.name, sink.transport.name())).collect();
    let sinks = if sinks.is_empty() { String::new() } else { format!("; tells {}", sinks.join(", ")) };
    let listens =
        policy.listen.as_ref().map_or_else(String::new, |listen| format!("; listens on {}", listen.endpoint));
    format!(
        "{}, {}, {}; watches {on}; alerts on {alerts}{sinks}{listens}",
        counted(policy.zones.len(), "zone"),
        counted(policy.services.len(), "service"),
        counted(policy.roles.len(), "role"),
    )
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "let this user read it, or run as one who may",
        io::ErrorKind::IsADirectory => "name a file in it",
        _ => "name a readable file",
    };
    format!("cannot be read ({error}); {advice}")
}

fn policy(text: &str, lines: &Lines) -> Result<Policy, Fault> {
    let table = DeTable::parse(text).map_err(|error| not_toml(text, lines, &error))?;
    let top = Section::top(table.get_ref(), lines);
    top.expect_keys(&KEYS)?;
    let mut zones = network::zones(&top)?;
    if zones.is_empty() {
        zones.push(defaults::zone());
    }
    let services = services::services(&top)?;
    let roles = roles::roles(&top, &zones, &services)?;
    Ok(Policy {
        interfaces: interfaces::interfaces(&top)?,
        zones,
        services,
        roles,
        directions: interfaces::directions(&top)?,
        thresholds: thresholds::thresholds(&top)?,
        limits: limits::limits(&top)?,
        sinks: sinks::sinks(&top)?,
        state_directory: state::directory(&top)?,
        listen: listen::listen(&top)?,
        rights: rights::rights(&top)?,
    })
}

/// How the TOML parser reports a key that is there already; it leaves out which.
const DUPLICATE: &str = "duplicate key";

fn not_toml(text: &str, lines: &Lines, error: &toml::de::Error) -> Fault {
    let span = error.span().unwrap_or(0..0);
    let line = lines.of(span.start);
    let message = match text.get(span) {
        Some(key @ ("interface" | "zone" | "role" | "sink")) if error.message() == DUPLICATE => {
            format!("`{key}` is given twice; begin each with [[{key}]], in double brackets")
        }
        Some(key) if error.message() == DUPLICATE => {
            format!("{} is given twice; keep one of them", quoted(key))
        }
        _ => format!("this is not TOML: {}", error.message()),
    };
    Fault::new(line, message)
}
