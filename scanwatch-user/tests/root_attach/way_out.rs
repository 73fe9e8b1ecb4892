//! What goes out: this host's own contacts, what it forwards, and answers behind a translated address. Needs nmap and nft.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use scanwatch::kernel::{Kernel, Mode, interface_index};
use scanwatch::policy::{Hook, Policy};
use scanwatch_common::abi::{Outcome, Technique, mapped};
use scanwatch_common::counters::Counter;
use scanwatch_common::sketch::Sketch;

use crate::support::net::{Far, in_namespace, ip, tool};
use crate::support::policy;
use crate::{counted, kernel, load};

/// Of the watched host: on its network inside, and on the one outside.
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const ROUTER_OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
/// Ports that nmap is told to try, and how many of them a sketch may miss.
const PORTS: u64 = 100;
const SLACK: u64 = 5;

/// A router between a client inside and a server outside; both its interfaces are watched.
struct Routed {
    kernel: Kernel,
    client: Far,
    server: Far,
}

impl Routed {
    async fn new() -> Self {
        let client = Far::new("lan", &["10.0.0.5/24"], "");
        let server = Far::new("wan", &["203.0.113.9/24"], "");
        ip("link set lo up");
        ip("address add 10.0.0.1/24 dev lan");
        ip("address add 203.0.113.1/24 dev wan");
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("forwarding switched on");
        client.run(|| ip("route add default via 10.0.0.1"));
        server.run(|| ip("route add default via 203.0.113.1"));
        let mut kernel = load(&small_policy());
        for name in ["lan", "wan"] {
            let index = interface_index(name).await.expect("the index");
            let attachment = kernel.attach(name, index, Hook::Auto).await.expect("attached");
            assert_eq!(attachment.egress, Some(Mode::Tcx), "{:?}", attachment.egress_refused);
        }
        Self { kernel, client, server }
    }

    /// Distinct pairs by source, technique and outcome.
    fn pairs(&mut self) -> BTreeMap<(Ipv4Addr, Technique, Outcome), u64> {
        let mut merged: BTreeMap<_, Sketch> = BTreeMap::new();
        for _ in 0..2 {
            self.kernel.flip().expect("the copies are flipped");
            let take = |drained: scanwatch::kernel::DrainedCell| {
                let [.., a, b, c, d] = drained.key.source;
                let source = Ipv4Addr::new(a, b, c, d);
                assert_eq!(drained.key.source, mapped(source.octets()), "only IPv4 is about");
                let (technique, outcome) = (drained.key.technique(), drained.key.outcome());
                let key = (source, technique.expect("a technique"), outcome.expect("an outcome"));
                merged.entry(key).or_default().merge(&drained.cell.pairs);
            };
            self.kernel.drain(take).expect("the cells are drained");
        }
        merged.into_iter().map(|(key, sketch)| (key, sketch.estimate().rounded())).collect()
    }
}

/// IPv6 would only say hello.
fn small_policy() -> Policy {
    fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").expect("IPv6 switched off");
    policy()
}

fn nmap(how: &str) -> String {
    tool("nmap", &format!("-n -Pn --max-retries 1 -T4 {how} -p 1-{PORTS} {SERVER}"))
}

fn is_about(found: Option<&u64>, expected: u64) -> bool {
    found.is_some_and(|found| found.abs_diff(expected) <= SLACK)
}

#[test]
fn a_hosts_own_scan_is_seen_and_so_are_its_answers() {
    in_namespace(async || {
        let mut routed = Routed::new().await;
        nmap("-sS");
        let pairs = routed.pairs();
        for outcome in [Outcome::Tried, Outcome::Refused] {
            let found = pairs.get(&(ROUTER_OUTSIDE, Technique::Syn, outcome));
            assert!(is_about(found, PORTS), "{outcome:?}: {pairs:?}");
        }
        assert_eq!(counted(&routed.kernel, Counter::Forwarded), 0);
    });
}

#[test]
fn a_forwarded_scan_is_counted_once_and_for_its_client() {
    in_namespace(async || {
        let mut routed = Routed::new().await;
        routed.client.run(|| nmap("-sS"));
        let forwarded = counted(&routed.kernel, Counter::Forwarded);
        assert!(forwarded >= PORTS, "{forwarded} forwarded");
        let probes = counted(&routed.kernel, Counter::ProbeSyn);
        assert!((PORTS..=2 * PORTS).contains(&probes), "{probes} probes, retries among them");
        let pairs = routed.pairs();
        for outcome in [Outcome::Tried, Outcome::Refused] {
            assert!(is_about(pairs.get(&(CLIENT, Technique::Syn, outcome)), PORTS), "{outcome:?}: {pairs:?}");
        }
        assert!(
            pairs.keys().all(|(source, technique, _)| *source == CLIENT || *technique == Technique::Arp),
            "{pairs:?}"
        );
    });
}

/// The client's packets leave under the router's address outside.
fn masquerade() {
    tool("nft", "add table ip nat");
    tool("nft", "add chain ip nat out { type nat hook postrouting priority 100 ; }");
    tool("nft", "add rule ip nat out oifname wan masquerade");
}

/// By each technique whose answers tell something. The router's own ARP requests make it known, as on every real router.
#[test]
fn a_masquerading_router_is_not_accused_of_its_clients_scans_and_the_client_gets_the_answers() {
    for (how, technique) in [
        ("-sA", Technique::Ack),
        ("-sS", Technique::Syn),
        ("-sT", Technique::Syn),
        ("-sU --min-rate 300", Technique::Udp),
    ] {
        in_namespace(async || {
            let mut routed = Routed::new().await;
            masquerade();
            let how = how.to_owned();
            let said = routed.client.run(move || nmap(&how));
            let pairs = routed.pairs();
            let tried = pairs.get(&(CLIENT, technique, Outcome::Tried));
            assert!(is_about(tried, PORTS), "{technique:?}: {pairs:?}\n{said}");
            let told: u64 = [Outcome::Answered, Outcome::Refused]
                .iter()
                .filter_map(|outcome| pairs.get(&(CLIENT, technique, *outcome)))
                .sum();
            // A kernel says no more than a few times a second that a datagram's port is closed.
            let least = if technique == Technique::Udp { 1 } else { PORTS - SLACK };
            assert!(told >= least, "{technique:?}: {pairs:?}\n{said}");
            // What its address was answered is not what it tried; only refusals of nothing would make it a suspect.
            let is_suspicious = |key: &&(Ipv4Addr, Technique, Outcome)| match (key.1, key.2) {
                (Technique::Arp, _) => false,
                (Technique::Udp, Outcome::Answered) | (Technique::Ack, _) | (_, Outcome::Tried) => true,
                _ => false,
            };
            let of_router = pairs.keys().filter(|key| [ROUTER, ROUTER_OUTSIDE].contains(&key.0));
            let accused: Vec<_> = of_router.filter(is_suspicious).collect();
            assert!(accused.is_empty(), "the router is accused: {pairs:?}");
        });
    }
}

/// A busy peer behind the router, all of whose datagrams are answered; the answers arrive at the router's address.
#[test]
fn datagrams_back_to_a_translated_address_are_the_clients() {
    in_namespace(async || {
        let mut routed = Routed::new().await;
        masquerade();
        let ports = 20_001..20_041_u16;
        let bound = |address: Ipv4Addr, port| {
            let socket = UdpSocket::bind((address, port)).expect("a socket");
            socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a limit");
            socket
        };
        let listened = ports.clone();
        let servers: Vec<UdpSocket> =
            routed.server.run(move || listened.map(|port| bound(SERVER, port)).collect());
        let asked = ports.clone();
        let clients: Vec<UdpSocket> = routed.client.run(move || {
            let ask = |port: u16| {
                let socket = bound(CLIENT, port + 10_000);
                socket.send_to(b"question", (SERVER, port)).expect("a datagram sent");
                socket
            };
            asked.map(ask).collect()
        });
        for (server, client) in servers.iter().zip(&clients) {
            let (_, from) = server.recv_from(&mut [0; 16]).expect("the question");
            assert_eq!(from.ip(), ROUTER_OUTSIDE, "the address is translated");
            server.send_to(b"answer", from).expect("an answer sent");
            client.recv_from(&mut [0; 16]).expect("the answer");
        }
        let pairs = routed.pairs();
        for outcome in [Outcome::Tried, Outcome::Answered] {
            let found = pairs.get(&(CLIENT, Technique::Udp, outcome));
            assert!(is_about(found, ports.len() as u64), "{outcome:?}: {pairs:?}");
        }
        let others: Vec<_> = pairs.keys().filter(|key| key.0 != CLIENT && key.1 == Technique::Udp).collect();
        assert!(others.is_empty(), "{others:?}");
    });
}

/// A cable to one far host, and a way to send something out.
fn cabled() -> Far {
    small_policy();
    let far = Far::new("watched", &["10.0.1.7/24"], "");
    ip("address add 10.0.1.1/24 dev watched");
    ip("neighbour add 10.0.1.7 lladdr 02:00:00:00:00:07 dev watched");
    far
}

/// Sends one datagram of a flow of its own. It has passed what is on the way out when this returns: the far host's
/// link-layer address is told beforehand.
fn send(port: &mut u16) {
    *port += 1;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, *port)).expect("a socket");
    socket.send_to(b"hello", "10.0.1.7:9").expect("a datagram sent");
}

#[test]
fn the_way_out_is_watched_by_tcx_and_by_clsact_beside_another_program_and_no_longer_than_wanted() {
    in_namespace(async || {
        let _far = cabled();
        let mut port = 41_000;
        let (mut ours, mut another) = (kernel(), kernel());
        let index = interface_index("watched").await.expect("the index");
        for mode in [Mode::Tcx, Mode::Clsact] {
            let seen = |kernels: [&Kernel; 2]| kernels.map(|kernel| counted(kernel, Counter::ProbeUdp));
            let before = seen([&ours, &another]);
            for kernel in [&mut ours, &mut another] {
                kernel
                    .attach_out_by("watched", index, mode)
                    .unwrap_or_else(|error| panic!("{mode}: {error}"));
            }
            send(&mut port);
            // Whichever runs first lets the other run, too.
            assert_eq!(seen([&ours, &another]), before.map(|n| n + 1), "{mode}");
            ours.detach(index);
            send(&mut port);
            assert_eq!(seen([&ours, &another]), [before[0] + 1, before[1] + 2], "{mode}");
            another.detach(index);
            send(&mut port);
            assert_eq!(seen([&ours, &another]), [before[0] + 1, before[1] + 2], "{mode}");
        }
    });
}

#[test]
fn attaching_watches_the_way_out_and_detaching_ends_it() {
    in_namespace(async || {
        let _far = cabled();
        let mut port = 41_000;
        let mut kernel = kernel();
        let index = interface_index("watched").await.expect("the index");
        for (hook, expected) in [(Hook::Auto, 1), (Hook::XdpGeneric, 2), (Hook::Tc, 3)] {
            let attachment = kernel.attach("watched", index, hook).await.expect("attached");
            assert_eq!((attachment.egress, attachment.egress_refused.len()), (Some(Mode::Tcx), 0));
            send(&mut port);
            assert_eq!(counted(&kernel, Counter::ProbeUdp), expected, "{hook:?}");
            kernel.detach(index);
            send(&mut port);
            assert_eq!(counted(&kernel, Counter::ProbeUdp), expected, "{hook:?}");
        }
    });
}
