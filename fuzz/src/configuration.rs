//! A configuration file: a policy, or an error that names a line.

use std::fs;

use scanwatch::config::{self, ConfigError};
use scanwatch::policy::Policy;

const EXAMPLE: &str = include_str!("../../scanwatch.example.toml");
const PACKAGED: &str = include_str!("../../dist/debian/scanwatch.toml");
/// What people copy from.
const PAGES: [&str; 6] = [
    include_str!("../../docs/integrations/elastic.md"),
    include_str!("../../docs/integrations/nats.md"),
    include_str!("../../docs/integrations/opentelemetry.md"),
    include_str!("../../docs/integrations/rsyslog.md"),
    include_str!("../../docs/integrations/splunk.md"),
    include_str!("../../docs/integrations/webhook.md"),
];
/// Longest error: what it repeats of the file is bounded.
const ERROR_MAX: usize = 4_000;

/// Reads the input as a configuration.
///
/// # Panics
/// Where an error names no line of the file or is no sentence, where a policy is not what the rest of the program relies on,
/// or where the same text reads otherwise the second time.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return is_refused_whole(input) };
    let read = config::parse(text, "fuzzed.toml");
    let lines = text.lines().count().max(1);
    match &read {
        Ok(policy) => is_sound(policy),
        Err(error) => says_where(error, lines),
    }
    assert_eq!(config::parse(text, "fuzzed.toml"), read, "read again");
}

/// What is no text at all is refused by the line of its first bad byte, and is only told apart where files are read.
fn is_refused_whole(input: &[u8]) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), input).expect("room");
    let error = config::load(Some(file.path())).expect_err("what is no UTF-8 is no configuration");
    says_where(&error, String::from_utf8_lossy(input).lines().count().max(1));
}

fn says_where(error: &ConfigError, lines: usize) {
    let line = error.line.expect("every fault has a line");
    assert!((1..=lines).contains(&line), "line {line} of {lines}: {error}");
    assert!(!error.message.is_empty() && error.message.len() < ERROR_MAX, "{error}");
    assert!(!error.message.contains(char::is_control), "{:?}", error.message);
}

fn is_sound(policy: &Policy) {
    let summary = config::summary(policy);
    assert!(!summary.is_empty() && !summary.contains(char::is_control), "{summary:?}");
    assert!((1..=255).contains(&policy.zones.len()) && (1..=255).contains(&policy.services.len()));
    // What is made of it for the kernel, and for one that judges.
    let table = policy.service_table();
    let groups = policy.services.len();
    assert!(table.tcp.iter().chain(&table.udp).all(|group| usize::from(*group) <= groups));
    let settings = policy.settings();
    assert!(settings.admit.iter().all(|pairs| *pairs > 0) && settings.cells.iter().all(|cells| *cells > 0));
    for network in policy.zones.iter().flat_map(|zone| &zone.networks) {
        assert_ne!(policy.zone_of(network.address), scanwatch::policy::INTERNET, "{network:?}");
    }
    for (prefix, zone) in policy.zone_prefixes().iter().zip(1..) {
        assert!(prefix.prefix <= 128 && usize::from(prefix.zone) <= policy.zones.len(), "network {zone}");
    }
}

/// The example as it is and with all its settings in force, its paragraphs one by one, and what the pages tell people to write.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let in_force = |text: &str| -> String {
        let lines = text.lines().map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => setting,
            _ => line,
        });
        lines.map(|line| format!("{line}\n")).collect()
    };
    let mut seeds = vec![String::new(), EXAMPLE.to_owned(), PACKAGED.to_owned()];
    let full = in_force(EXAMPLE);
    let known: Vec<&str> = full.split("\n\n").filter(|part| !part.contains("\"kafka\"")).collect();
    seeds.push(known.join("\n\n"));
    seeds.extend(known.iter().map(|part| format!("{part}\n")));
    for page in PAGES {
        let parts = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        seeds.extend(parts.map(str::to_owned));
    }
    seeds.into_iter().map(String::into_bytes).collect()
}
