//! The table of zones is replaced while packets look it through.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::thread;
use std::time::{Duration, Instant};

use scanwatch::kernel::{DrainedCell, Kernel, Mode};
use scanwatch::policy::Policy;
use scanwatch_common::abi::Side;

use crate::build::{ether, ipv4, tcp};
use crate::support::net::{Veth, in_namespace};
use crate::support::{OFFICE, PARTNERS, SERVERS, VAULT, admitting, require_root};
use crate::{load, syn};

/// An interface that none of these tests watches.
const INTERFACE: u32 = 7;
/// Networks there is room for besides those of the configuration.
const LEARNED_MAX: u32 = 256;
/// How long the table is replaced over and over.
const UNREST: Duration = Duration::from_secs(2);

/// The n-th of some addresses that are in no zone. They come before the zones', which lie elsewhere in each table.
fn public(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(9, 0, 0, 0)) + n * 0x0001_0101)
}

/// Makes these addresses the interface's own.
fn learn(kernel: &mut Kernel, addresses: &[Ipv4Addr]) -> Result<(), String> {
    let addresses: Vec<(IpAddr, u8)> = addresses.iter().map(|address| ((*address).into(), 32)).collect();
    kernel.learn_from(INTERFACE, &addresses, false).map(drop).map_err(|error| error.to_string())
}

/// The sides on which cells were drained, and the zones these are of.
fn drained(kernel: &mut Kernel) -> HashSet<(Side, u8)> {
    kernel.flip().expect("the copies are flipped");
    let mut seen = HashSet::new();
    let take = |cell: DrainedCell| {
        seen.insert((cell.side, cell.key.zone));
    };
    kernel.drain(take).expect("the cells are drained");
    seen
}

fn side_of(kernel: &mut Kernel, source: Ipv4Addr) -> Side {
    kernel.run(&syn(source, 22)).expect("the program runs");
    let seen = drained(kernel);
    assert_eq!(seen.len(), 1, "{seen:?}");
    seen.iter().next().expect("a cell").0
}

#[test]
fn each_table_that_replaces_another_is_whole() {
    require_root();
    let mut kernel = load(&admitting());
    for round in 0..5 {
        learn(&mut kernel, &[public(round)]).expect("there is room");
        for other in 0..5 {
            let expected = if other == round { Side::Internal } else { Side::External };
            assert_eq!(side_of(&mut kernel, public(other)), expected, "round {round}, address {other}");
        }
        for (target, zone) in [
            ([10, 9, 9, 9], OFFICE),
            ([10, 0, 1, 9], SERVERS),
            ([10, 0, 1, 7], VAULT),
            ([172, 20, 0, 1], PARTNERS),
        ] {
            kernel.run(&to(target)).expect("the program runs");
            assert_eq!(drained(&mut kernel), HashSet::from([(Side::External, zone)]), "round {round}");
        }
    }
}

/// Zones and groups of drained cells.
fn numbers(kernel: &mut Kernel) -> HashSet<(u8, u8)> {
    let mut seen = HashSet::new();
    let take = |cell: DrainedCell| {
        seen.insert((cell.key.zone, cell.key.service));
    };
    kernel.drain(take).expect("the cells are drained");
    seen
}

#[test]
fn what_was_counted_before_another_policy_is_drained_by_the_old_numbers_and_what_comes_after_by_the_new() {
    require_root();
    let before = admitting();
    let mut after = before.clone();
    after.zones.reverse();
    after.services.reverse();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut kernel = load(&before);
    let zone = |policy: &Policy| policy.zone_of(IpAddr::from([172, 20, 0, 1]));
    let group = |policy: &Policy| policy.service_table().tcp[445];
    let target = ether().carry(ipv4([198, 51, 100, 9], [172, 20, 0, 1]).carry(tcp(40_000, 445)));
    for policies in [[&before, &after], [&after, &before], [&before, &before]] {
        kernel.run(&target).expect("the program runs");
        let plan = runtime.block_on(kernel.plan(policies[1])).expect("there is room");
        kernel.run(&target).expect("the program runs");
        kernel.switch(plan).expect("the programs are told");
        assert_eq!(numbers(&mut kernel), HashSet::from([(zone(policies[0]), group(policies[0]))]));
        kernel.run(&target).expect("the program runs");
        kernel.flip().expect("the copies are flipped");
        assert_eq!(numbers(&mut kernel), HashSet::from([(zone(policies[1]), group(policies[1]))]));
    }
}

fn to(target: [u8; 4]) -> Vec<u8> {
    ether().carry(ipv4([198, 51, 100, 9], target).carry(tcp(40_000, 22)))
}

#[test]
fn more_networks_than_there_is_room_for_are_refused_and_the_table_stays() {
    require_root();
    let mut kernel = load(&admitting());
    let most: Vec<Ipv4Addr> = (0..LEARNED_MAX).map(public).collect();
    learn(&mut kernel, &most).expect("there is room");
    let last = most[most.len() - 1];
    assert_eq!(side_of(&mut kernel, last), Side::Internal);
    let more: Vec<Ipv4Addr> = (1_000..=1_000 + LEARNED_MAX).map(public).collect();
    let refused = learn(&mut kernel, &more).expect_err("one network too many");
    assert!(refused.contains("name a block that holds many of them in a [[zone]]"), "{refused}");
    assert_eq!(side_of(&mut kernel, last), Side::Internal);
    assert_eq!(side_of(&mut kernel, more[0]), Side::External);
    learn(&mut kernel, &[]).expect("there is room");
    assert_eq!(side_of(&mut kernel, last), Side::External);
}

#[test]
fn packets_find_their_zones_while_the_table_is_replaced() {
    in_namespace(async || {
        let veth = Veth::new("watched");
        let mut kernel = load(&admitting());
        kernel.attach_by(&veth.name, veth.index, Mode::XdpNative).expect("attached");
        let begun = Instant::now();
        thread::scope(|scope| {
            let mut sender = veth.into_sender();
            // From a server, which is in the office's network but in a zone of its own, to the vault.
            let frames: Vec<Vec<u8>> = (1..=250).map(|port| syn([10, 0, 1, 20], port)).collect();
            scope.spawn(move || {
                while begun.elapsed() < UNREST {
                    sender.send(&frames);
                }
            });
            let mut seen = HashSet::new();
            while begun.elapsed() < UNREST {
                for count in [200, 0, 1, 256, 3] {
                    learn(&mut kernel, &(0..count).map(public).collect::<Vec<_>>()).expect("there is room");
                }
                seen.extend(drained(&mut kernel));
            }
            assert_eq!(seen, HashSet::from([(Side::Internal, VAULT)]));
        });
    });
}
