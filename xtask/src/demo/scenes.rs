//! The scenes of the demo, as data: who does what, and what scanwatch is expected to make of it.

use std::net::IpAddr;

use anyhow::{Result, ensure};

use crate::lab::{Host, Lab, internet_hosts};

/// What a machine does in a scene.
#[derive(Clone, Copy)]
pub enum Action {
    /// Runs this command line.
    Tool(&'static str),
    /// Works with sockets of its own; described for the table.
    Own(&'static str, fn(&Lab, &Host) -> Result<()>),
}

impl Action {
    /// What the table shows.
    pub fn shown(&self) -> &'static str {
        match self {
            Self::Tool(line) => line,
            Self::Own(description, _) => description,
        }
    }
}

/// What scanwatch should say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// One incident of this kind; `role`, where the source steps outside that role of its own.
    Alert { kind: &'static str, role: Option<&'static str> },
    /// Nothing, since this role covers it; its counters show at least so many hosts (a fifth less than the
    /// scene contacts: three standard errors of the sketches).
    Covered { role: &'static str, hosts_min: u64 },
    /// Nothing, since it comes from the internet: a figure in the statistics.
    Statistics,
    /// Nothing, for the reason given.
    Ordinary(&'static str),
}

/// One scene.
pub struct Scene {
    /// The machine that acts.
    pub actor: &'static str,
    /// What it is up to, for the progress display.
    pub title: &'static str,
    /// What it does.
    pub action: Action,
    /// What should come of it.
    pub expected: Expectation,
}

/// The scenes in the order they are played.
pub const SCENES: [Scene; 11] = [
    Scene {
        actor: "client",
        title: "browses 15 sites, asks the name server 500 times",
        action: Action::Own("browses 15 sites, asks the name server 500 times from 500 ports", browse),
        expected: Expectation::Ordinary("few partners, all answer; a name server's replies are not probes"),
    },
    Scene {
        actor: "client",
        title: "sends 10,000 packets over one connection",
        action: Action::Own("10,000 packets to a server over one TCP connection", talk),
        expected: Expectation::Ordinary("one connection is one contact, however many packets it carries"),
    },
    Scene {
        actor: "scanner",
        title: "looks for open ports on one server",
        action: Action::Tool("nmap -n -Pn -sS -p1-1000 --min-rate 500 10.2.0.10"),
        expected: Expectation::Alert { kind: "vertical", role: None },
    },
    Scene {
        actor: "scanner",
        title: "looks for file shares on all servers",
        action: Action::Tool("nmap -n -Pn -sS -p445 --min-rate 200 --max-retries 1 10.2.0.0/24"),
        expected: Expectation::Alert { kind: "horizontal", role: None },
    },
    Scene {
        actor: "proxy",
        title: "opens 300 web sites for its users",
        action: Action::Own("connects to 300 hosts of the internet on 80 and 443", |_, proxy| {
            reach(proxy, 300, &[80, 443])
        }),
        expected: Expectation::Covered { role: "egress proxies", hosts_min: 240 },
    },
    Scene {
        actor: "proxy",
        title: "is broken into and looks for file shares",
        action: Action::Tool("nmap -n -Pn -sT -p445 --min-rate 200 --max-retries 1 10.2.0.0/24"),
        expected: Expectation::Alert { kind: "horizontal", role: Some("egress proxies") },
    },
    Scene {
        actor: "relay",
        title: "delivers mail to 200 hosts",
        action: Action::Own("connects to 200 hosts of the internet on 25", |_, relay| {
            reach(relay, 200, &[25])
        }),
        expected: Expectation::Covered { role: "mail relays", hosts_min: 160 },
    },
    Scene {
        actor: "resolver",
        title: "asks 300 name servers",
        action: Action::Own("asks 300 name servers of the internet", resolve),
        expected: Expectation::Covered { role: "resolvers", hosts_min: 240 },
    },
    Scene {
        actor: "assets",
        title: "takes stock of the servers",
        action: Action::Tool("nmap -n -sS --top-ports 20 --min-rate 500 --max-retries 1 10.2.0.0/24"),
        expected: Expectation::Covered { role: "asset managers", hosts_min: 10 },
    },
    Scene {
        actor: "camera",
        title: "joins a botnet and looks for telnet on the internet",
        action: Action::Tool("masscan -p23 --rate 1000 --wait 1 198.18.0.0/22 198.19.0.0/22"),
        expected: Expectation::Alert { kind: "horizontal", role: None },
    },
    Scene {
        actor: "outside",
        title: "scans the servers from the internet",
        action: Action::Tool("masscan -p22,80,443,445 --rate 1000 --wait 1 10.2.0.0/24"),
        expected: Expectation::Statistics,
    },
];

fn browse(lab: &Lab, client: &Host) -> Result<()> {
    let sites = internet_hosts(15);
    let pages = client.browse(&sites)?;
    ensure!(pages == sites.len(), "only {pages} of {} sites answered", sites.len());
    let answers = client.ask_names(lab.infra.v4().into(), 500)?;
    ensure!(answers == 500, "only {answers} of 500 questions to the name server were answered");
    Ok(())
}

fn talk(lab: &Lab, client: &Host) -> Result<()> {
    client.long_connection((lab.web.v4(), 80).into(), 10_000).map(drop)
}

fn resolve(_: &Lab, resolver: &Host) -> Result<()> {
    let answers = resolver.ask_servers(&internet_hosts(300))?;
    ensure!(answers == 300, "only {answers} of 300 name servers answered");
    Ok(())
}

/// Connects to `count` hosts of the internet side, all of which let everybody in on `ports`.
fn reach(host: &Host, count: usize, ports: &[u16]) -> Result<()> {
    let hosts: Vec<IpAddr> = internet_hosts(count);
    let contacts = host.connect_many(&hosts, ports, 1_000, 16)?;
    let wanted = count * ports.len();
    ensure!(contacts.answered == wanted, "only {} of {wanted} connections were let in", contacts.answered);
    Ok(())
}
