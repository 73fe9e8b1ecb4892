//! What the pages about integrations tell people to write.

use crate::config::parse;
use crate::sink::Format;

const ARCSIGHT: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/integrations/arcsight-cef.md"));
const QRADAR: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/integrations/qradar-leef.md"));

const RSYSLOG: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/integrations/rsyslog.md"));
const WAZUH: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/integrations/wazuh.md"));
const NATS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/integrations/nats.md"));

/// The configurations on a page.
fn configurations(page: &str) -> Vec<&str> {
    page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_configurations_on_the_pages_are_valid_and_choose_the_form_they_are_about() {
    for (page, format) in [
        (ARCSIGHT, Format::Cef),
        (QRADAR, Format::Leef),
        (RSYSLOG, Format::Ecs),
        (WAZUH, Format::Eve),
        (NATS, Format::Ecs),
    ] {
        let configurations = configurations(page);
        assert!(!configurations.is_empty());
        for text in configurations {
            let policy = parse(text, "page").unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert!(policy.sinks.iter().all(|sink| sink.format == format), "{text}");
        }
    }
}

#[test]
fn every_form_is_a_value_of_format() {
    for (name, format) in Format::NAMES {
        let text = format!("[[sink]]\nname = \"a\"\ntype = \"stdout\"\nformat = \"{name}\"\n");
        assert_eq!(parse(&text, "page").unwrap().sinks[0].format, format);
    }
}
