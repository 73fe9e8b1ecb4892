mod bad_names;
mod bad_shape;
mod bounds;
mod http_sinks;
mod listen;
mod nats;
mod pages;
mod properties;
mod rights;
mod sinks;
mod syslog;
mod valid;

use super::parse;

/// The example at the root of the project.
const EXAMPLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../scanwatch.example.toml"));

/// The example with its commented-out settings in force.
fn full_example() -> String {
    let uncomment = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    let text: String = EXAMPLE.lines().map(uncomment).collect();
    // Paragraph by paragraph: what this build has not cannot be configured.
    let known = |paragraph: &&str| cfg!(feature = "kafka") || !paragraph.contains("type = \"kafka\"");
    text.split("\n\n").filter(known).collect::<Vec<_>>().join("\n\n")
}

/// Each case is what follows `prefix` in the file, and the line and message of the error.
#[track_caller]
fn refuses(prefix: &str, cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let text = format!("{prefix}{text}");
        match parse(&text, "office.toml") {
            Ok(_) => panic!("accepted:\n{text}"),
            Err(error) => assert_eq!(error.to_string(), format!("office.toml:{expected}"), "\n{text}"),
        }
    }
}
