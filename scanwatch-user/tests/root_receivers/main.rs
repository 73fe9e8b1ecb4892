//! Receivers of other makers, as Debian has them, started by the tests themselves. They are among the root tests, for which
//! the programs are installed.

#[path = "../../src/sink/transport/tls/authority.rs"]
#[allow(dead_code, reason = "only its files are used here")]
mod authority;
#[path = "../support/compliance.rs"]
mod compliance;
mod nats;
#[path = "../support/program.rs"]
mod program;
mod rsyslog;

use std::fs;
use std::path::Path;

use scanwatch::policy::{SinkPlan, SpoolPlan, TransportPlan};
use scanwatch::sink::transport::{self, Transport};
use scanwatch::sink::{Envelope, Format, Message, Observer};

/// What stands on a page of the documentation in that language, the first such block, with other paths, ports and names.
fn on_page(page: &str, language: &str, others: &[(&str, &str)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/integrations").join(page);
    let text = fs::read_to_string(path).unwrap();
    let begin = format!("```{language}\n");
    let (_, block) = text.split_once(&begin).expect("a block in that language");
    let (block, _) = block.split_once("```").expect("its end");
    others.iter().fold(block.to_owned(), |block, (old, new)| {
        assert!(block.contains(old), "{page} has {old}:\n{block}");
        block.replace(old, new)
    })
}

/// The first sink of a configuration.
fn configured(text: &str, folder: &Path) -> SinkPlan {
    let path = folder.join("scanwatch.toml");
    fs::write(&path, text).unwrap();
    let policy = scanwatch::config::load(Some(&path)).unwrap_or_else(|error| panic!("{error}"));
    let sink = policy.sinks[0].clone();
    transport::check(&sink).unwrap();
    sink
}

/// A sink that goes this way.
fn sink(transport: TransportPlan) -> SinkPlan {
    SinkPlan {
        name: "siem".to_owned(),
        format: Format::Ecs,
        template: None,
        spool: SpoolPlan::default(),
        transport,
    }
}

fn transport(plan: TransportPlan) -> Box<dyn Transport> {
    transport::of(&sink(plan))
}

/// As many different messages as ECS documents.
fn envelopes(count: u32) -> Vec<Envelope> {
    let observer = Observer::on("gw1");
    let records = compliance::records(count);
    let messages = records.iter().map(Message::from);
    messages.map(|message| Envelope::new(&message, Format::Ecs.write(&message, &observer))).collect()
}
