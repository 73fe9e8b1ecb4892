//! What the tests that load BPF programs share.

#![allow(dead_code, reason = "each test crate that includes this module uses its own part of it")]

pub mod net;

use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::geteuid;
use scanwatch::host_tables::{Capacity, HostTables};
use scanwatch::policy::{Limits, Network, Policy, Service, Zone};
use scanwatch_common::abi::Settings;
use scanwatch_common::counters::Counter;
use scanwatch_common::sketch::Hasher;

/// Longest wait for anything the kernel does by itself, in an emulated machine on a busy one as well.
const PATIENCE: Duration = Duration::from_mins(2);

/// The interface that `BPF_PROG_TEST_RUN` pretends frames come in by: the loopback interface, 1 in every namespace.
pub const LOOPBACK: u32 = 1;

/// Zone of 10.0.0.0/8 and of IPv6 that is ours.
pub const OFFICE: u8 = 1;
/// Zone of 10.0.1.0/24 and fd00:1::/32, inside the office's blocks.
pub const SERVERS: u8 = 2;
/// Zone of 10.0.1.128/25 and of single addresses, inside the servers' blocks.
pub const VAULT: u8 = 3;
/// Zone of 172.16.0.0/12.
pub const PARTNERS: u8 = 4;

/// Stops a test that cannot do its work without rights.
///
/// # Panics
/// Where this is not root.
pub fn require_root() {
    assert!(geteuid().is_root(), "this test loads BPF programs: run it as root, e.g. by `cargo xtask test`");
}

/// Nested zones of both families, a few services, and maps small enough for several tests at a time.
pub fn policy() -> Policy {
    let zone = |name: &str, networks: &[(&str, u8)]| Zone {
        name: name.to_owned(),
        networks: networks.iter().map(|(address, prefix)| network(address, *prefix)).collect(),
    };
    let service = |name: &str, tcp: &[u16], udp: &[u16]| Service {
        name: name.to_owned(),
        tcp: tcp.to_vec(),
        udp: udp.to_vec(),
        sensitive: false,
    };
    Policy {
        zones: vec![
            zone("office", &[("10.0.0.0", 8), ("fd00::", 8), ("2001:db8:1::", 48), ("fe80::", 10)]),
            zone("servers", &[("10.0.1.0", 24), ("fd00:1::", 32)]),
            zone("vault", &[("10.0.1.128", 25), ("10.0.1.7", 32), ("fd00:1::7", 128)]),
            zone("partners", &[("172.16.0.0", 12)]),
        ],
        services: vec![
            service("web", &[80, 443], &[443]),
            service("smb", &[139, 445], &[]),
            service("dns", &[53], &[53, 5353]),
        ],
        limits: Limits { cells_internal: 8_192, cells_external: 4_096, ..Limits::default() },
        ..Policy::default()
    }
}

/// The same, with every source worth a cell from its first pair on.
pub fn admitting() -> Policy {
    let mut policy = policy();
    policy.limits.admit_internal = 1;
    policy.limits.admit_external = 1;
    policy
}

/// Tables on the host as the kernel's are under this policy and with these hashes.
pub fn host_tables(policy: &Policy, hasher: Hasher) -> HostTables {
    let settings = Settings { hasher, ..policy.settings() };
    let limits = &policy.limits;
    let cells_max = [limits.cells_internal as usize, limits.cells_external as usize];
    let capacity = Capacity { cells_max, ..Capacity::DEFAULT };
    HostTables::new(settings, &policy.zone_prefixes(), policy.service_table(), capacity)
}

/// Waits until something is so; what is behind the driver of an interface happens when the kernel gets to it.
///
/// # Panics
/// Where it does not become so.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
        thread::yield_now();
    }
}

/// A counter among those the kernel gave.
pub fn count(counters: &[(Counter, u64)], wanted: Counter) -> u64 {
    counters.iter().filter(|(counter, _)| *counter == wanted).map(|(_, n)| n).sum()
}

fn network(address: &str, prefix: u8) -> Network {
    Network { address: address.parse().expect("an address"), prefix }
}
