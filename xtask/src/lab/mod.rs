//! A small company in network namespaces: a router, two segments, an internet; made in a second, removed by `Drop`.
//!
//! ```text
//!   office 10.1.0.0/24 fd00:1::/64          internet 203.0.113.0/24 2001:db8:113::/64
//!   client proxy relay assets                internet (.254, all of 198.18.0.0/16) outside (.66)
//!   resolver camera scanner                        |
//!        |                                         |
//!     br-office ---- office [ router ] internet -- br-internet
//!                           servers
//!                              |
//!                          br-servers ---- web (.10-.13) files (.20-.23) infra (.30-.33)
//!                                          servers 10.2.0.0/24 fd00:2::/64
//! ```
//!
//! The three bridges live in one namespace, `switch`. Names, numbers and servers are in [`plan`].
//! Frames cross the lab as they would a wire: checksums filled in, VLAN tags inline, no super-packets.

pub mod actors;
pub mod agent;
mod banner;
mod dns;
pub mod frame;
pub mod host;
pub mod machine;
mod netns;
pub mod peers;
pub mod plan;
pub mod process;
mod service;
pub mod session;
pub mod wait;
mod wiring;

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, bail};

pub use agent::Scanwatch;
pub use host::Host;
pub use plan::Segment;
pub use wait::Stop;

use self::netns::{LabId, Netns};
use self::plan::{GUESTS, MACHINES, Machine, ROUTER_NUMBER, mac_of};
use self::service::Service;

/// Programs that building a lab runs; masquerading and scenes need more.
pub const PROGRAMS: &[&str] = &["ip", "ethtool", "nginx", "dnsmasq"];

/// Fails, saying what to do, where no lab can be made for want of rights.
pub fn require_root() -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("the lab makes network namespaces and needs root: run the same command with sudo");
    }
    Ok(())
}

/// Number of the next lab of this process.
static SERIAL: AtomicU32 = AtomicU32::new(0);

/// A lab that is up. Dropping it, also while panicking, removes everything it made.
#[derive(Debug)]
pub struct Lab {
    /// The router between the segments, where scanwatch runs; interfaces `office`, `servers`, `internet`.
    pub router: Host,
    /// The bridges of all segments; each port is named after the machine in it, or the router's interface.
    pub switch: Host,
    /// An office machine without any role.
    pub client: Host,
    /// The office's web proxy.
    pub proxy: Host,
    /// The office's mail relay.
    pub relay: Host,
    /// The machine that takes stock of all others.
    pub assets: Host,
    /// The office's name server.
    pub resolver: Host,
    /// A camera, of the kind that becomes part of a botnet.
    pub camera: Host,
    /// An office machine in wrong hands.
    pub scanner: Host,
    /// Web servers: 80, 443, 8080 and 22 on four addresses.
    pub web: Host,
    /// File servers: 22, 139, 445 on four addresses.
    pub files: Host,
    /// Names, mail, a database: 53, 22, 25, 3306 on four addresses.
    pub infra: Host,
    /// All the internet: 80, 443, 25, 53 on every live address, the others refused.
    pub internet: Host,
    /// A machine on the internet that attacks.
    pub outside: Host,
    /// The machines of [`plan::GUESTS`], where they were asked for.
    pub guests: Vec<Host>,
    remains: Remains,
}

/// What must be removed; made before anything else, so that a failure half-way leaves nothing either.
#[derive(Debug)]
struct Remains {
    services: Vec<Service>,
    namespaces: Vec<Netns>,
    folder: PathBuf,
}

impl Remains {
    /// Starts what the plan says that `hosts`, in the plan's order, serve, and waits until the first host can
    /// reach all of it.
    fn serve(&mut self, hosts: &[Host], stop: &Stop) -> Result<()> {
        let served: Vec<_> = hosts.iter().cloned().zip(MACHINES.map(|machine| machine.servers)).collect();
        for (host, servers) in &served {
            for &server in *servers {
                stop.check()?;
                self.services.push(Service::start(server, host, &self.folder)?);
            }
        }
        service::wait_until_all_answer(&hosts[0], &served).or_else(|error| {
            // A server that could not start says more than the silence of its port.
            service::check_alive(&mut self.services)?;
            Err(error)
        })
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        self.services.clear();
        // Nobody is left to hand an error to.
        if let Err(error) = netns::remove(&self.namespaces) {
            eprintln!("lab: {error:#}");
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What kind of lab to build; see [`Lab::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    masquerade: bool,
    guests: bool,
    stop: Stop,
}

impl Builder {
    /// Hides office and servers behind the router's IPv4 address on the internet side (nftables masquerade).
    pub fn masquerade(mut self) -> Self {
        self.masquerade = true;
        self
    }

    /// With the machines of [`plan::GUESTS`].
    pub fn guests(mut self) -> Self {
        self.guests = true;
        self
    }

    /// Ends every wait in the lab when `stop` is requested, for example by Ctrl-C.
    pub fn stop(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// Builds it and waits until every server answers. Needs root.
    pub fn build(self) -> Result<Lab> {
        require_root()?;
        netns::sweep().context("cannot remove what an earlier lab has left")?;
        Lab::build(&self)
    }
}

impl Lab {
    /// The ordinary lab, with servers. Needs root.
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// Options before building.
    pub fn builder() -> Builder {
        Builder { masquerade: false, guests: false, stop: Stop::new() }
    }

    /// The machine called `name` in the plan, or `router`, or `switch`.
    pub fn machine(&self, name: &str) -> Result<&Host> {
        let hosts = [
            &self.router,
            &self.switch,
            &self.client,
            &self.proxy,
            &self.relay,
            &self.assets,
            &self.resolver,
            &self.camera,
            &self.scanner,
            &self.web,
            &self.files,
            &self.infra,
            &self.internet,
            &self.outside,
        ];
        let found = hosts.into_iter().chain(&self.guests).find(|host| host.name() == name);
        found.with_context(|| format!("the lab has no machine called {name}"))
    }

    /// The router's MAC address on `segment`: where a frame goes that shall be routed.
    #[must_use]
    pub fn router_mac(&self, segment: Segment) -> [u8; 6] {
        mac_of(segment.v4(ROUTER_NUMBER))
    }

    /// A folder for files of this lab; removed with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.remains.folder
    }

    /// Names of all its namespaces, as `ip netns` lists them.
    #[must_use]
    pub fn namespaces(&self) -> Vec<String> {
        self.remains.namespaces.iter().map(|netns| netns.name().to_owned()).collect()
    }

    /// Fails with what it said if a server program of the lab has ended.
    pub fn check_services(&mut self) -> Result<()> {
        service::check_alive(&mut self.remains.services)
    }

    /// The stop request this lab listens to.
    #[must_use]
    pub fn stop(&self) -> &Stop {
        self.router.stop()
    }

    fn build(options: &Builder) -> Result<Self> {
        let id = LabId::new(SERIAL.fetch_add(1, Ordering::Relaxed));
        let folder = id.folder();
        fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let netns = |name| Netns::named(id.namespace(name));
        let guests: &'static [Machine] = if options.guests { &GUESTS } else { &[] };
        let machines: Vec<&Machine> = MACHINES.iter().chain(guests).collect();
        let names = ["router", "switch"].into_iter().chain(machines.iter().map(|machine| machine.name));
        let mut remains = Remains { services: Vec::new(), namespaces: names.map(netns).collect(), folder };

        let stop = &options.stop;
        wiring::build(&id, &machines, stop).context("cannot build the lab")?;
        let host_of = |machine: &&Machine| {
            let v4: Vec<_> = machine.numbers.iter().map(|&number| machine.segment.v4(number)).collect();
            let v6 = machine.numbers.iter().map(|&number| machine.segment.v6(number)).collect();
            Host::new(machine.name, netns(machine.name), mac_of(v4[0]), v4, v6, stop.clone())
        };
        let mut hosts: Vec<Host> = machines.iter().map(host_of).collect();
        let guests = hosts.split_off(MACHINES.len());
        remains.serve(&hosts, stop)?;
        let router_v4 = Segment::ALL.map(|segment| segment.v4(ROUTER_NUMBER)).to_vec();
        let router_v6 = Segment::ALL.map(|segment| segment.v6(ROUTER_NUMBER)).to_vec();
        let router =
            Host::new("router", netns("router"), mac_of(router_v4[0]), router_v4, router_v6, stop.clone());
        let switch = Host::new("switch", netns("switch"), [0; 6], Vec::new(), Vec::new(), stop.clone());
        if options.masquerade {
            wiring::masquerade(&router)?;
        }
        let host = |name: &str| {
            let found = hosts.iter().find(|host| host.name() == name);
            found.cloned().with_context(|| format!("the plan has no machine called {name}"))
        };
        Ok(Self {
            router,
            switch,
            client: host("client")?,
            proxy: host("proxy")?,
            relay: host("relay")?,
            assets: host("assets")?,
            resolver: host("resolver")?,
            camera: host("camera")?,
            scanner: host("scanner")?,
            web: host("web")?,
            files: host("files")?,
            infra: host("infra")?,
            internet: host("internet")?,
            outside: host("outside")?,
            guests,
            remains,
        })
    }
}

/// The first `count` addresses that answer on the internet side, for actors that take any address family.
#[must_use]
pub fn internet_hosts(count: usize) -> Vec<IpAddr> {
    plan::internet_hosts_v4(count).into_iter().map(IpAddr::V4).collect()
}
