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

use scanwatch::policy::{SinkPlan, SpoolPlan, TransportPlan};
use scanwatch::sink::transport::{self, Transport};
use scanwatch::sink::{Envelope, Format, Message, Observer};

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
