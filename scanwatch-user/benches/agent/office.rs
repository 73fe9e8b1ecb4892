//! What the sources of an office do, as the kernel's records tell it: no packets, for tables of packets would be measured
//! with them.

use std::sync::Arc;

use scanwatch::engine::{Engine, Timestamp};
use scanwatch::policy::Policy;
use scanwatch_common::abi::{
    Address, CellKey, Novelty, Outcome, ServiceTable, Side, Technique, mapped, port_bucket,
};

/// 3 January 2028, 00:00 UTC.
const START_NS: u64 = 1_830_470_400_000_000_000;
/// The zone of 10.0.0.0/8, and the one of all that is in none.
const INSIDE: u8 = 1;
const INTERNET: u8 = 0;

/// An engine, its clock, and sources that make contacts.
pub struct Office {
    pub engine: Engine,
    services: Box<ServiceTable>,
    now_ns: u64,
}

impl Office {
    /// Under the default policy.
    pub fn new() -> Self {
        let policy = Policy::default();
        let services = policy.service_table();
        Self { engine: Engine::new(Arc::new(policy)), services, now_ns: START_NS }
    }

    /// Makes sure that the row is about what it says: all these sources are tracked, and nobody is a scanner.
    pub fn check(&self, sources: u32) -> Result<(), String> {
        let statistics = self.engine.statistics();
        let (tracked, open) = (statistics.sources.tracked, statistics.incidents.open());
        if tracked == sources as usize && open == 0 {
            return Ok(());
        }
        Err(format!("{tracked} sources are tracked and {open} incidents are open, not {sources} and none"))
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_ns(self.now_ns)
    }

    /// Lets time pass.
    pub fn wait_ms(&mut self, ms: u64) {
        self.now_ns += ms * 1_000_000;
    }

    /// The cell of a contact.
    pub fn key(
        &self,
        source: u32,
        target: &Address,
        (technique, port): (Technique, u16),
        outcome: Outcome,
    ) -> CellKey {
        let service = match technique {
            Technique::Syn => self.services.tcp[usize::from(port)],
            Technique::Udp => self.services.udp[usize::from(port)],
            _ => 0,
        };
        CellKey {
            source: client(source),
            vlan: [0; 2],
            zone: if target[12] == 10 { INSIDE } else { INTERNET },
            service,
            bucket: if service == 0 { port_bucket(port) } else { 0 },
            contact: CellKey::contact_of(technique, outcome),
        }
    }

    /// The record of a contact.
    pub fn record(
        &self,
        source: u32,
        target: Address,
        contact: (Technique, u16),
        outcome: Outcome,
    ) -> Novelty {
        let [_, a, b, c] = source.to_be_bytes();
        Novelty {
            time_ns: self.now_ns,
            key: self.key(source, &target, contact, outcome),
            source: client(source),
            target,
            source_port: 50_000,
            target_port: contact.1,
            interface: 2,
            length: 60,
            ttl: 64,
            flags: if outcome == Outcome::Refused { 4 } else { 0 },
            mac: [2, 0, 9, a, b, c],
            side: Side::Internal as u8,
            ..Novelty::EMPTY
        }
    }

    /// A contact that nobody answers.
    pub fn knock(&mut self, source: u32, target: Address, contact: (Technique, u16)) {
        let record = self.record(source, target, contact, Outcome::Tried);
        self.engine.novelty(self.now(), &record, self.now());
    }

    /// A contact that is answered.
    pub fn meet(&mut self, source: u32, target: Address, contact: (Technique, u16)) {
        self.knock(source, target, contact);
        let record = self.record(source, target, contact, Outcome::Answered);
        self.engine.novelty(self.now(), &record, self.now());
    }

    /// What a source does in this minute of an office's day: names, a file server, the directory, a printer, and three sites
    /// over TCP and QUIC.
    pub fn minute(&mut self, source: u32, minute: u32) {
        let (tcp, udp) = (Technique::Syn, Technique::Udp);
        self.meet(source, server(53), (udp, 53));
        self.meet(source, server(1 + (source % 4) as u8), (tcp, 445));
        self.meet(source, server(20), (udp, 88));
        self.meet(source, server(20), (tcp, 389));
        self.meet(source, server(30), (tcp, 9100));
        for visit in 0..3 {
            let site = site(source.wrapping_mul(7) + minute * 31 + visit);
            self.meet(source, site, (tcp, 443));
            self.meet(source, site, (udp, 443));
        }
    }
}

/// The address of a source.
pub fn client(number: u32) -> Address {
    let [_, a, b, c] = number.to_be_bytes();
    mapped([10, 64 + a, b, c])
}

/// A server inside.
pub fn server(number: u8) -> Address {
    mapped([10, 2, 0, number])
}

/// One of a thousand sites on the internet, each in a network of its own.
pub fn site(number: u32) -> Address {
    let [_, _, a, b] = (number % 1_000).to_be_bytes();
    mapped([198, 100 + a, b, 80])
}
