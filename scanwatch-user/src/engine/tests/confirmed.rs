//! Who sent the probes: what shows it, and what a forger can do.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::build::{BROADCAST, arp_reply, arp_request, ether, icmpv6, ipv4, ipv6, tcp};
use super::lab::{Lab, host_in, policy};
use crate::engine::{Action, Snapshot};

const HOST: [u8; 6] = [2, 0, 0, 0, 1, 0x99];
const FORGER: [u8; 6] = [2, 0, 0, 0, 1, 0x66];
const ROUTER: [u8; 6] = [2, 0, 0, 0, 1, 1];
const SERVER: [u8; 6] = [2, 0, 0, 0, 2, 0x10];
/// A packet of a neighbour, and one that came over three routers.
const NEAR: u8 = 64;
const FAR: u8 = 61;

const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 99);
const TARGET: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 10);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 77);
/// The target's first sequence number; what it sends then goes over the end of the numbers.
const FIRST: u32 = 0xffff_fff0;

/// What becomes of an open port.
#[derive(Clone, Copy)]
enum Fate {
    /// The source acknowledges so many bytes of the target's, and ends the conversation.
    Ends(u32),
    /// The same, and no answer was seen.
    EndsUnseen(u32),
    /// The source's system, which knows nothing of a conversation, refuses the answer.
    Refused,
}

fn syn(lab: &mut Lab, (mac, ttl): ([u8; 6], u8), target: Ipv4Addr, port: u16) {
    lab.frame(&ether().from(mac).carry(ipv4(SOURCE, target).ttl(ttl).carry(tcp(20_000 + port, port))));
}

fn conversation(lab: &mut Lab, way: ([u8; 6], u8), target: Ipv4Addr, port: u16, fate: Fate) {
    let from = 20_000 + port;
    syn(lab, way, target, port);
    lab.wait(0.01);
    if !matches!(fate, Fate::EndsUnseen(_)) {
        let answer = tcp(port, from).flags(0x12).numbers(FIRST, 0x0102_0305);
        lab.frame(&ether().from(SERVER).carry(ipv4(target, SOURCE).carry(answer)));
    }
    let end = match fate {
        Fate::Ends(bytes) | Fate::EndsUnseen(bytes) => {
            let next = FIRST.wrapping_add(1).wrapping_add(bytes);
            tcp(from, port).flags(0x11).numbers(0x0102_0305, next)
        }
        Fate::Refused => tcp(from, port).flags(0x04).numbers(0x0102_0305, 0),
    };
    lab.frame(&ether().from(way.0).carry(ipv4(SOURCE, target).ttl(way.1).carry(end)));
    lab.wait(0.01);
}

/// Forty ports, one of which is open.
fn scan(lab: &mut Lab, way: ([u8; 6], u8), fate: Fate) {
    for port in 1..=40 {
        if port == 22 {
            conversation(lab, way, TARGET, port, fate);
        } else {
            syn(lab, way, TARGET, port);
        }
        lab.wait(0.05);
    }
    lab.wait(5.0);
}

fn ask(lab: &mut Lab, mac: [u8; 6], target: Ipv4Addr) {
    lab.frame(&ether().from(mac).to(BROADCAST).carry(arp_request(SOURCE, target)));
    lab.wait(0.01);
}

/// Asks for four neighbours: from the second on it is told at once.
fn ask_around(lab: &mut Lab, mac: [u8; 6]) {
    (1..=4).for_each(|host| ask(lab, mac, Ipv4Addr::new(10, 1, 0, host)));
}

fn last(lab: &Lab) -> &Snapshot {
    let last = lab.events.last().expect("no incident");
    assert_eq!(last.snapshot.scanner.address, SOURCE);
    &last.snapshot
}

fn confirmed(act: impl FnOnce(&mut Lab)) -> bool {
    let mut lab = Lab::new(policy());
    act(&mut lab);
    lab.finish();
    let last = last(&lab);
    assert_eq!(last.reason.contains("source unconfirmed"), !last.source_confirmed, "{}", last.reason);
    last.source_confirmed
}

#[test]
fn a_handshake_of_the_scan_confirms_its_source_however_far_away() {
    for way in [(HOST, NEAR), (ROUTER, FAR)] {
        for bytes in [0, 1, 21] {
            assert!(confirmed(|lab| scan(lab, way, Fate::Ends(bytes))), "{way:?}, {bytes} bytes");
        }
    }
}

#[test]
fn syns_alone_confirm_nobody() {
    for way in [(HOST, NEAR), (ROUTER, FAR)] {
        assert!(!confirmed(|lab| scan(lab, way, Fate::Refused)), "{way:?}");
    }
}

#[test]
fn to_acknowledge_by_guess_is_no_handshake() {
    for guess in [u32::MAX, 1 << 31, 5_000_000, 1 << 24] {
        assert!(!confirmed(|lab| scan(lab, (ROUTER, FAR), Fate::Ends(guess))), "{guess} too far");
    }
}

#[test]
fn where_no_answer_was_seen_nothing_is_known_of_what_acknowledges_it() {
    assert!(!confirmed(|lab| scan(lab, (HOST, NEAR), Fate::EndsUnseen(0))));
    assert!(confirmed(|lab| {
        ask_around(lab, HOST);
        scan(lab, (HOST, NEAR), Fate::EndsUnseen(0));
    }));
}

#[test]
fn arp_confirms_who_never_completes_a_handshake() {
    assert!(confirmed(|lab| {
        ask_around(lab, HOST);
        scan(lab, (HOST, NEAR), Fate::Refused);
    }));
    // As a neighbour that was asked for.
    assert!(confirmed(|lab| {
        for asked in [Ipv4Addr::new(10, 1, 0, 98), Ipv4Addr::new(10, 1, 0, 97), SOURCE] {
            let question = arp_request([10, 1, 0, 1], asked);
            lab.frame(&ether().from(ROUTER).to(BROADCAST).carry(question));
        }
        lab.frame(&ether().from(HOST).to(ROUTER).carry(arp_reply(SOURCE, [10, 1, 0, 1])));
        scan(lab, (HOST, NEAR), Fate::Refused);
    }));
}

#[test]
fn arp_of_another_link_layer_address_confirms_nothing() {
    assert!(!confirmed(|lab| {
        ask_around(lab, HOST);
        scan(lab, (FORGER, NEAR), Fate::Refused);
    }));
}

#[test]
fn what_the_victim_asked_first_is_not_taken_for_the_forgers() {
    assert!(!confirmed(|lab| {
        ask(lab, HOST, Ipv4Addr::new(10, 1, 0, 1));
        scan(lab, (FORGER, NEAR), Fate::Refused);
    }));
    assert!(confirmed(|lab| {
        ask(lab, HOST, Ipv4Addr::new(10, 1, 0, 1));
        scan(lab, (HOST, NEAR), Fate::Refused);
    }));
}

#[test]
fn an_address_that_two_claim_is_nobodys_until_an_hour_has_passed() {
    let contested = |pause_s: f64| {
        confirmed(|lab| {
            ask_around(lab, HOST);
            lab.turns_a_second(1);
            lab.wait(pause_s);
            ask_around(lab, FORGER);
            scan(lab, (FORGER, NEAR), Fate::Refused);
        })
    };
    assert!(!contested(60.0), "ARP of both");
    assert!(contested(4_000.0), "the address was lent to another");
    assert!(!confirmed(|lab| {
        ask_around(lab, FORGER);
        // The same question within an epoch is no news.
        lab.wait(11.0);
        ask_around(lab, HOST);
        scan(lab, (FORGER, NEAR), Fate::Ends(0));
    }));
}

#[test]
fn probes_that_came_from_two_places_are_not_all_the_hosts() {
    assert!(!confirmed(|lab| {
        ask_around(lab, HOST);
        syn(lab, (FORGER, NEAR), TARGET, 500);
        scan(lab, (HOST, NEAR), Fate::Refused);
        syn(lab, (FORGER, NEAR), TARGET, 501);
    }));
}

#[test]
fn arp_in_one_vlan_says_nothing_of_another() {
    let tagged = |vlan: u16| {
        confirmed(|lab| {
            for host in 1..=4 {
                let question = arp_request(SOURCE, [10, 1, 0, host]);
                lab.frame(&ether().from(HOST).to(BROADCAST).tag(7).carry(question));
            }
            for port in 1..=40 {
                let probe = ipv4(SOURCE, TARGET).carry(tcp(20_000 + port, port));
                lab.frame(&ether().from(HOST).tag(vlan).carry(probe));
                lab.wait(0.05);
            }
            lab.wait(5.0);
        })
    };
    assert!(tagged(7));
    assert!(!tagged(8));
}

#[test]
fn a_routers_link_layer_address_confirms_nobody() {
    let answers_for_others = |lab: &mut Lab| {
        // It answers for hosts of two networks.
        for asked in [Ipv4Addr::new(10, 1, 0, 98), Ipv4Addr::new(10, 3, 0, 5), SOURCE] {
            lab.frame(&ether().to(BROADCAST).carry(arp_request([10, 1, 0, 2], asked)));
            lab.frame(&ether().from(ROUTER).carry(arp_reply(asked, [10, 1, 0, 2])));
        }
    };
    assert!(!confirmed(|lab| {
        answers_for_others(lab);
        scan(lab, (ROUTER, FAR), Fate::Refused);
    }));
    assert!(confirmed(|lab| {
        answers_for_others(lab);
        scan(lab, (ROUTER, FAR), Fate::Ends(0));
    }));
}

#[test]
fn a_neighbour_that_conversed_before_is_known_and_one_behind_a_router_is_not() {
    let conversed = |before: ([u8; 6], u8), scans: ([u8; 6], u8)| {
        confirmed(|lab| {
            (80..=83).for_each(|port| conversation(lab, before, ELSEWHERE, port, Fate::Ends(0)));
            lab.wait(30.0);
            scan(lab, scans, Fate::Refused);
        })
    };
    assert!(conversed((HOST, NEAR), (HOST, NEAR)));
    assert!(!conversed((HOST, NEAR), (FORGER, NEAR)), "forged on the link");
    assert!(!conversed((ROUTER, FAR), (ROUTER, FAR)), "whoever is behind the router may have forged it");
    assert!(!conversed((ROUTER, FAR), (ROUTER, NEAR)), "nor does a hop limit make the forger a neighbour");
}

#[test]
fn neighbour_discovery_confirms_with_the_hop_limit_that_nothing_forwarded_has() {
    let discovered = |hop_limit: u8| {
        let (source, target): (Ipv6Addr, Ipv6Addr) =
            ("fd00:1::99".parse().unwrap(), "fd00:2::10".parse().unwrap());
        let mut lab = Lab::new(policy());
        for host in 1..=4u16 {
            let asked = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, host);
            let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, host);
            let question = ipv6(source, group).hop_limit(hop_limit).carry(icmpv6(135).about(asked));
            lab.frame(&ether().from(HOST).to([0x33, 0x33, 0xff, 0, 0, 1]).carry(question));
        }
        for port in 1..=40 {
            lab.frame(&ether().from(HOST).carry(ipv6(source, target).carry(tcp(20_000 + port, port))));
            lab.wait(0.05);
        }
        lab.wait(5.0);
        lab.the_detection().source_confirmed
    };
    assert!(discovered(255));
    assert!(!discovered(64));
}

#[test]
fn a_segment_that_is_known_by_its_refusal_shows_nobody() {
    assert!(!confirmed(|lab| {
        ask_around(lab, HOST);
        for port in 1..=60 {
            let refusal = tcp(port, 50_000).flags(0x04).numbers(77, 0);
            lab.frame(&ether().from(SERVER).carry(ipv4(TARGET, SOURCE).carry(refusal)));
            lab.wait(0.05);
        }
        lab.wait(5.0);
    }));
}

#[test]
fn many_who_share_a_scan_are_confirmed_together_or_not_at_all() {
    let shared = |forged: u16| {
        let mut lab = Lab::new(policy());
        for host in 1..=30u16 {
            let source: Ipv4Addr = host_in("10.1.3", host).parse().unwrap();
            let mac = [2, 0, 0, 0, 3, host as u8];
            let asks = if host <= forged { FORGER } else { mac };
            for asked in 1..=3 {
                lab.frame(
                    &ether().from(asks).to(BROADCAST).carry(arp_request(source, [10, 1, 3, 250 + asked])),
                );
            }
            for port in 0..3 {
                let port = 3_000 + host * 3 + port;
                lab.frame(&ether().from(mac).carry(ipv4(source, TARGET).carry(tcp(40_000, port))));
            }
            lab.wait(1.0);
        }
        lab.wait(5.0);
        let detected = lab.snapshots(Action::Detected);
        let found =
            detected.iter().find(|found| found.kind.name() == "distributed").expect("one scan of many");
        assert_eq!(found.reason.contains("sources unconfirmed"), !found.source_confirmed, "{}", found.reason);
        found.source_confirmed
    };
    assert!(shared(0));
    assert!(!shared(1));
}

#[test]
fn who_is_known_stays_known_over_a_restart() {
    for is_far in [false, true] {
        let mut lab = Lab::new(policy());
        let way = if is_far { (ROUTER, FAR) } else { (HOST, NEAR) };
        if is_far {
            scan(&mut lab, way, Fate::Ends(0));
        } else {
            ask_around(&mut lab, HOST);
            scan(&mut lab, way, Fate::Refused);
        }
        lab.restart(&policy(), 3.0);
        (100..=140).for_each(|port| syn(&mut lab, way, TARGET, port));
        lab.finish();
        assert_eq!(lab.snapshots(Action::Ended).len(), 1);
        assert!(last(&lab).source_confirmed, "far away: {is_far}");
    }
}

#[test]
fn a_state_of_before_is_read_and_confirms_nobody() {
    let mut lab = Lab::new(policy());
    scan(&mut lab, (ROUTER, FAR), Fate::Ends(0));
    let state = lab.engine.state(crate::engine::Extent::Everything);
    let mut written = serde_json::to_value(&state).unwrap();
    lab.take_up(&written.to_string());
    lab.finish();
    assert!(last(&lab).source_confirmed);
    let source = &mut written["sources"][0];
    let has_gone = [
        source["profile"].as_object_mut().unwrap().remove("proof"),
        source["incidents"][0].as_object_mut().unwrap().remove("completed"),
        written["rest"]["world"].as_object_mut().unwrap().remove("bound"),
    ];
    assert!(has_gone.iter().all(Option::is_some), "{has_gone:?}");
    lab.take_up(&written.to_string());
    lab.finish();
    assert!(!last(&lab).source_confirmed);
}
