//! Machines at their work: nothing is to be said of any of them.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use fastrand::Rng;

use super::stage::Stage;
use crate::lab::{Host, internet_hosts};

const LIMIT: Duration = Duration::from_mins(4);

/// The servers that others talk to.
#[derive(Clone, Debug)]
pub struct Servers {
    /// 80, 443, 8080 and 22.
    pub web: Vec<IpAddr>,
    /// 22, 139, 445.
    pub files: Vec<IpAddr>,
    /// 53, 22, 25, 3306.
    pub infra: Vec<IpAddr>,
}

type Work = fn(&Host, &Servers, &mut Rng) -> Result<()>;

/// A machine and what it does.
pub struct Quiet {
    /// What it is called in the table.
    pub who: &'static str,
    /// Its name in the plan.
    pub machine: &'static str,
    /// Its kinds of work, one of which is chosen each time.
    work: &'static [Work],
    /// Seconds between two pieces of work, at least and at most.
    pauses_s: (f64, f64),
}

/// Everybody who works.
pub const QUIET: &[Quiet] = &[
    Quiet {
        who: "client",
        machine: "client",
        work: &[browse, ask, talk, serve_oneself],
        pauses_s: (2.0, 15.0),
    },
    Quiet { who: "proxy", machine: "proxy", work: &[fetch], pauses_s: (4.0, 20.0) },
    Quiet { who: "mail relay", machine: "relay", work: &[deliver], pauses_s: (5.0, 25.0) },
    Quiet { who: "resolver", machine: "resolver", work: &[resolve], pauses_s: (5.0, 25.0) },
    Quiet { who: "asset manager", machine: "assets", work: &[take_stock], pauses_s: (20.0, 60.0) },
    Quiet { who: "monitoring", machine: "monitor", work: &[watch], pauses_s: (8.0, 20.0) },
    Quiet { who: "server", machine: "web", work: &[update, look_up], pauses_s: (5.0, 25.0) },
];

impl Quiet {
    /// Works until the actors' time is over.
    pub fn act(&self, stage: &Stage, host: &Host, servers: &Servers, seed: u64) -> Result<()> {
        let mut rng = Rng::with_seed(seed);
        let (least, most) = self.pauses_s;
        while stage.pause(Duration::from_secs_f64(least + rng.f64() * (most - least))) {
            let work = self.work[rng.usize(0..self.work.len())];
            stage.note_work(self.who, work(host, servers, &mut rng))?;
        }
        Ok(())
    }
}

fn browse(host: &Host, _: &Servers, rng: &mut Rng) -> Result<()> {
    let count = rng.usize(3..15);
    let pages = host.browse(&internet_hosts(15)[..count])?;
    ensure!(pages == count, "only {pages} of {count} sites answered");
    Ok(())
}

fn ask(host: &Host, servers: &Servers, rng: &mut Rng) -> Result<()> {
    let count = rng.u16(50..300);
    let answers = host.ask_names(servers.infra[0], count)?;
    ensure!(answers == usize::from(count), "only {answers} of {count} questions were answered");
    Ok(())
}

fn talk(host: &Host, servers: &Servers, rng: &mut Rng) -> Result<()> {
    host.long_connection((servers.web[0], 80).into(), rng.u32(500..4_000)).map(drop)
}

/// An office machine at its servers.
fn serve_oneself(host: &Host, servers: &Servers, _: &mut Rng) -> Result<()> {
    reach(host, &servers.files, &[139, 445])?;
    reach(host, &servers.web, &[80, 443, 8080])
}

/// What its role is for.
fn fetch(host: &Host, _: &Servers, rng: &mut Rng) -> Result<()> {
    reach(host, &internet_hosts(rng.usize(50..300)), &[80, 443])
}

fn deliver(host: &Host, _: &Servers, rng: &mut Rng) -> Result<()> {
    reach(host, &internet_hosts(rng.usize(20..200)), &[25])
}

fn resolve(host: &Host, _: &Servers, rng: &mut Rng) -> Result<()> {
    let count = rng.usize(50..300);
    let answers = host.ask_servers(&internet_hosts(count))?;
    ensure!(answers == count, "only {answers} of {count} name servers answered");
    Ok(())
}

fn take_stock(host: &Host, _: &Servers, _: &mut Rng) -> Result<()> {
    let line = "nmap -n -sS --top-ports 20 --min-rate 200 --max-retries 1 10.2.0.0/24";
    host.run_line(line, LIMIT).map(drop)
}

/// The same services again and again.
fn watch(host: &Host, servers: &Servers, _: &mut Rng) -> Result<()> {
    reach(host, &servers.web, &[22, 80])?;
    reach(host, &servers.files, &[22, 445])?;
    reach(host, &servers.infra, &[22, 25])
}

/// A server fetches what it needs from outside.
fn update(host: &Host, _: &Servers, rng: &mut Rng) -> Result<()> {
    reach(host, &internet_hosts(rng.usize(1..6)), &[443])
}

fn look_up(host: &Host, _: &Servers, rng: &mut Rng) -> Result<()> {
    let (count, server) = (rng.u16(5..40), internet_hosts(1)[0]);
    let answers = host.ask_names(server, count)?;
    ensure!(answers == usize::from(count), "only {answers} of {count} questions were answered");
    Ok(())
}

/// Connects to services all of which let everybody in.
fn reach(host: &Host, hosts: &[IpAddr], ports: &[u16]) -> Result<()> {
    let contacts = host.connect_many(hosts, ports, 2_000, 8)?;
    let wanted = hosts.len() * ports.len();
    ensure!(contacts.answered == wanted, "not all of {wanted} connections were let in: {contacts:?}");
    Ok(())
}
