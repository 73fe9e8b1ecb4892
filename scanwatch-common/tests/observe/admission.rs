//! When a source is worth a cell.

use crate::build::{ether, ipv4, ipv6, tcp};
use crate::host_tables::Capacity;
use crate::world::{World, outside, syn};
use scanwatch_common::abi::{Settings, Side};
use scanwatch_common::classify::tcp_flags::{FIN, PSH, URG};
use scanwatch_common::counters::Counter;
use std::net::{Ipv4Addr, Ipv6Addr};

const SERVER: [u8; 4] = [10, 0, 1, 7];

/// After how many distinct pairs each of 400 sources got its cell.
fn pairs_needed(side: Side) -> Vec<usize> {
    let mut world = World::new();
    let source = |n: u32| match side {
        Side::Internal => Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 8, 0)) + n),
        Side::External => outside(n),
    };
    let mut needed = Vec::new();
    for n in 0..400 {
        let pairs = (1..=32).find(|pair| {
            let raised = world.see(&syn(source(n), SERVER, 1000 + *pair));
            raised.contains(&Counter::CellCreated)
        });
        needed.push(usize::from(pairs.expect("32 pairs admit every source")));
    }
    needed
}

/// Two of four pairs share one of the doorkeeper's 32 bits in 18 % of cases, and then one pair more is needed.
#[test]
fn an_external_source_gets_its_cell_at_its_fourth_distinct_pair_or_a_little_later() {
    let needed = pairs_needed(Side::External);
    assert_eq!(needed.iter().min(), Some(&4));
    assert!(needed.iter().filter(|n| **n == 4).count() > 300, "{needed:?}");
    assert!(*needed.iter().max().unwrap() <= 7, "{needed:?}");
}

#[test]
fn an_internal_source_gets_its_cell_at_its_second_distinct_pair_or_a_little_later() {
    let needed = pairs_needed(Side::Internal);
    assert_eq!(needed.iter().min(), Some(&2));
    assert!(needed.iter().filter(|n| **n == 2).count() > 370, "{needed:?}");
    assert!(*needed.iter().max().unwrap() <= 4, "{needed:?}");
}

#[test]
fn distinct_hosts_are_distinct_pairs() {
    let mut world = World::new();
    for host in 1..=12 {
        world.see(&syn(outside(0), [10, 0, 1, host], 445));
    }
    assert_eq!(world.tables.cells(Side::External).len(), 1);
}

#[test]
fn one_pair_repeated_never_admits() {
    let mut world = World::new();
    for source in [[10, 0, 0, 5], [192, 0, 2, 5]] {
        for _ in 0..1000 {
            let raised = world.see(&syn(source, SERVER, 445));
            assert_eq!(raised[..2], [Counter::ProbeSyn, Counter::NotAdmitted]);
        }
    }
    assert_eq!(world.cells(), 0);
}

#[test]
fn one_pair_by_several_techniques_counts_once_for_each() {
    let mut world = World::new();
    let by = |flags| ether().carry(ipv4([10, 0, 0, 5], SERVER).carry(tcp(40_000, 445).flags(flags)));
    world.see(&by(0));
    world.see(&by(FIN));
    world.see(&by(FIN | PSH | URG));
    assert_eq!(world.count(Counter::NotAdmitted), 1);
    assert_eq!(world.count(Counter::Novel), 2);
}

#[test]
fn what_admits_is_configured_by_side() {
    for (need_internal, need_external) in [(1, 15), (15, 1), (3, 6)] {
        let settings = Settings { admit: [need_internal, need_external], ..Settings::DEFAULT };
        let mut world = World::with(settings, Capacity::DEFAULT);
        let mut needed = |source: [u8; 4]| {
            let novel = |port| world.see(&syn(source, SERVER, port)).contains(&Counter::Novel);
            (1..=64).map(|n| 2000 + n).position(novel).expect("64 pairs admit") + 1
        };
        let (internal, external) = (needed([10, 0, 0, 5]), needed([192, 0, 2, 5]));
        assert!(internal >= usize::from(need_internal) && internal <= usize::from(need_internal) * 2);
        assert!(external >= usize::from(need_external) && external <= usize::from(need_external) * 2);
    }
}

#[test]
fn addresses_of_one_external_ipv6_network_are_one_source() {
    let mut world = World::new();
    let server = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 7);
    for host in 1..=12 {
        let source = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 3, 0, 0, host, 9);
        world.see(&ether().carry(ipv6(source, server).carry(tcp(40_000, 1000 + host))));
    }
    let cells: Vec<_> =
        world.tables.cells(Side::External).keys().map(|key| Ipv6Addr::from(key.source)).collect();
    assert!(!cells.is_empty());
    assert!(cells.iter().all(|source| *source == Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 3, 0, 0, 0, 0)));
}

#[test]
fn addresses_of_one_internal_ipv6_network_are_sources_each() {
    let mut world = World::new();
    let server = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 7);
    for host in 1..=200 {
        let source = Ipv6Addr::new(0x2001, 0xdb8, 1, 3, 0, 0, host, 9);
        world.see(&ether().carry(ipv6(source, server).carry(tcp(40_000, 1000 + host))));
    }
    assert_eq!(world.cells(), 0);
}

#[test]
fn admission_outlives_an_epoch() {
    let mut world = World::new();
    for port in 1..=8 {
        world.see(&syn([10, 0, 0, 5], SERVER, port));
    }
    assert!(!world.tables.end_epoch().is_empty());
    assert_eq!(world.cells(), 0);
    let raised = world.see(&syn([10, 0, 0, 5], SERVER, 1));
    assert_eq!(raised, [Counter::ProbeSyn, Counter::Novel, Counter::CellCreated]);
}
