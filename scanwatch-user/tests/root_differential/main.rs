//! The kernel's programs and `observe` on the host decide alike: the same frames leave equal cells, counters and records.
//!
//! Every frame goes through `BPF_PROG_TEST_RUN` and through the host's tables, and the two are compared after each. Times
//! are compared, too: both sides are given the same clock. Needs root.

#[path = "../../../scanwatch-common/tests/build/mod.rs"]
mod build;
mod corpus;
mod dice;
#[path = "../../../fuzz/src/frames.rs"]
#[allow(clippy::pedantic, dead_code, reason = "fuzzing uses the rest")]
mod frames;
mod hostile;
mod mixture;
#[path = "../../../scanwatch-common/tests/packets/mod.rs"]
mod packets;
#[path = "../support/mod.rs"]
mod support;
mod twins;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use build::{Extension, ether, ipv4, ipv6, pppoe, tcp, udp};
use dice::Dice;
use mixture::Mixture;
use scanwatch::kernel::{Kernel, Options};
use scanwatch_common::abi::Settings;
use scanwatch_common::classify::tcp_flags::RST;
use scanwatch_common::counters::Counter;
use scanwatch_common::observe::{Passage, observe};
use scanwatch_common::sketch::Hasher;
use support::{LOOPBACK, admitting, host_tables, policy, require_root};
use twins::{FRAME_MIN, Hook, Twins};

/// Counters that no frame can raise while the tables are large enough.
const OUT_OF_REACH: [Counter; 2] = [Counter::CellRefused, Counter::RingLost];
/// Counters of frames that are broken or strange, which the mixture of ordinary traffic holds few of.
const BROKEN: [Counter; 7] = [
    Counter::Truncated,
    Counter::NotIp,
    Counter::VlanTooDeep,
    Counter::Malformed,
    Counter::ExtensionsTooMany,
    Counter::NoNextHeader,
    Counter::LaterFragment,
];

/// Addresses of a router, among those of others.
const ROUTER: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5)),
    IpAddr::V4(Ipv4Addr::new(10, 0, 1, 7)),
    IpAddr::V4(Ipv4Addr::new(10, 0, 1, 8)),
    IpAddr::V4(Ipv4Addr::new(10, 0, 1, 9)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1)),
];

/// What this host sends, and what it forwards.
const OUT: [Hook; 2] = [Hook::Egress { came_in_by: 0 }, Hook::Egress { came_in_by: 7 }];
const ALL: [Hook; 4] = [Hook::Xdp, Hook::Tc, OUT[0], OUT[1]];

#[tokio::test]
async fn every_fixture_leaves_the_same_behind() {
    for hook in ALL {
        // Of what goes through nobody is admitted by its probes.
        let policies = if hook == OUT[1] { vec![admitting()] } else { vec![policy(), admitting()] };
        for policy in policies {
            let mut twins = Twins::new(&policy, hook);
            for _ in 0..2 {
                for fixture in packets::all() {
                    if fixture.frame.len() >= FRAME_MIN {
                        twins.see(&fixture.frame);
                    }
                }
            }
            twins.finish();
        }
    }
}

#[tokio::test]
async fn every_fixture_cut_at_every_byte_leaves_the_same_behind() {
    for hook in ALL {
        let mut twins = Twins::new(&admitting(), hook);
        for fixture in packets::all() {
            for length in FRAME_MIN..fixture.frame.len().min(160) {
                twins.see(&fixture.frame[..length]);
            }
        }
        twins.finish();
    }
}

#[test]
fn the_kernel_refuses_frames_without_a_whole_ethernet_header_which_the_host_counts_as_truncated() {
    require_root();
    let mut kernel = Kernel::load(&policy(), Options::default()).expect("the programs are loaded");
    let mut host = host_tables(&policy(), Settings::DEFAULT.hasher);
    for length in 1..FRAME_MIN {
        let frame = vec![0x08; length];
        kernel.run(&frame).expect_err("a frame shorter than its header");
        kernel.run_tc(&frame).expect_err("a frame shorter than its header");
        kernel.run_egress(&frame, 0).expect_err("a frame shorter than its header");
        observe(&frame[..], LOOPBACK, Passage::IN, &mut host);
    }
    assert_eq!(host.counter(Counter::Truncated), FRAME_MIN as u64 - 1);
}

#[tokio::test]
async fn a_mixture_of_traffic_over_many_epochs_leaves_the_same_behind() {
    for (hook, seed) in [(Hook::Xdp, 1), (Hook::Tc, 2), (OUT[0], 5), (OUT[1], 6)] {
        let mut twins = Twins::new(&policy(), hook);
        twins.forward(&ROUTER);
        let mut mixture = Mixture::new(seed);
        for number in 1..=8_000 {
            twins.see(&mixture.next_frame());
            if number % 800 == 0 {
                twins.end_epoch();
            }
        }
        let out_of_reach = |c: &&Counter| OUT_OF_REACH.contains(c) || BROKEN.contains(c);
        let by_passage = |c: &&Counter| match hook {
            // Of what goes through only answers and refusals are told.
            Hook::Egress { came_in_by: 1.. } => {
                (Counter::ProbeSyn..=Counter::ProbeAck).contains(*c)
                    || matches!(c, Counter::TcpContinued | Counter::PortNovel)
            }
            _ => **c == Counter::Forwarded,
        };
        twins.require(Counter::ALL.iter().filter(|c| !out_of_reach(c) && !by_passage(c)));
        twins.finish();
    }
}

#[tokio::test]
async fn refusals_towards_a_host_that_forwards_are_not_told_where_it_may_stand_for_others() {
    let refusal = |to: [u8; 4]| ether().carry(ipv4([10, 0, 1, 7], to).carry(tcp(22, 40_000).flags(RST)));
    let mut twins = Twins::new(&admitting(), Hook::Xdp);
    twins.forward(&ROUTER);
    assert_eq!(twins.see(&refusal([10, 0, 0, 5])), [Counter::Translated]);
    assert_eq!(
        twins.see(&refusal([10, 0, 0, 6])),
        [Counter::TcpStranger, Counter::Novel, Counter::CellCreated]
    );
    twins.forward(&[]);
    assert_eq!(
        twins.see(&refusal([10, 0, 0, 5])),
        [Counter::TcpStranger, Counter::Novel, Counter::CellCreated]
    );
    twins.finish();
}

#[tokio::test]
async fn other_settings_mean_the_same_to_both() {
    let mut policy = policy();
    policy.limits.admit_internal = 3;
    policy.limits.admit_external = 6;
    for (internal, external) in [(64, 48), (1, 127), (72, 128)] {
        policy.limits.source_prefix_v6_internal = internal;
        policy.limits.source_prefix_v6_external = external;
        let mut twins = Twins::hashing(&policy, Hook::Xdp, Hasher::new(u64::from(external)));
        let mut mixture = Mixture::new(u64::from(internal));
        for _ in 0..1_500 {
            twins.see(&mixture.next_frame());
        }
        twins.finish();
    }
}

#[tokio::test]
async fn hostile_frames_leave_the_same_behind() {
    let fixtures: Vec<Vec<u8>> =
        packets::all().into_iter().map(|f| f.frame).filter(|f| f.len() > FRAME_MIN).collect();
    for (hook, seed) in [(Hook::Xdp, 3), (Hook::Tc, 4), (OUT[0], 7), (OUT[1], 8)] {
        let mut twins = Twins::new(&admitting(), hook);
        let mut dice = Dice::new(seed);
        for frame in hostile::lies() {
            twins.see(&frame);
        }
        for _ in 0..2_000 {
            let fixture = dice.pick(&fixtures);
            twins.see(&hostile::random(&mut dice));
            twins.see(&hostile::flipped(&mut dice, &fixture));
            twins.see(&hostile::extreme(&mut dice, &fixture));
            twins.see(&hostile::nested(&mut dice));
        }
        twins.require(&BROKEN);
        twins.finish();
    }
}

#[tokio::test]
async fn inputs_of_the_fuzzer_leave_the_same_behind() {
    let found = corpus::found();
    for (hook, seed) in corpus::HOOKS {
        let mut twins = Twins::new(&admitting(), hook);
        let mutated = corpus::mutated(&mut Dice::new(seed));
        let frames = corpus::show(&mut twins, &mutated);
        assert!(frames > 1_000, "{frames} frames");
        let more = corpus::show(&mut twins, &found);
        println!("{} inputs, and {} of a corpus with {more} frames", mutated.len(), found.len());
        twins.finish();
    }
}

#[tokio::test]
async fn headers_far_into_a_frame_are_found_by_both() {
    for hook in ALL {
        let mut twins = Twins::new(&admitting(), hook);
        let seen = if hook == OUT[1] { Counter::Forwarded } else { Counter::ProbeSyn };
        // Six extension headers, as long together as one page of memory lets a frame be.
        for units in [0, 1, 31, 32, 63, 64, 67] {
            let mut header = ipv6(packets::CLIENT_V6, packets::SERVER_V6);
            for _ in 0..6 {
                header = header.extension(Extension::destination(units));
            }
            let raised = twins.see(&ether().tag(1).tag(2).carry(header.carry(tcp(packets::FROM, 22))));
            assert!(raised.contains(&seen), "{units} units: {raised:?}");
        }
        let raised =
            twins.see(&ether().carry(ipv4([10, 0, 0, 9], [10, 0, 1, 9]).options(10).carry(tcp(1, 2))));
        assert!(raised.contains(&seen), "{raised:?}");
        twins.see(&answer_far_in());
        twins.finish();
    }
}

/// A refusal of something that nobody else can have sent, behind everything a frame can begin with.
fn answer_far_in() -> Vec<u8> {
    let header = ipv6(packets::SERVER_V6, packets::CLIENT_V6).extension(Extension::destination(40));
    ether().tag(1).tag(2).carry(pppoe(header.carry(tcp(22, packets::FROM).flags(RST))))
}

#[tokio::test]
async fn udp_flows_age_alike() {
    let idle = Settings::DEFAULT.flow_idle_ticks;
    let (client, server) = ([10, 0, 0, 5], [10, 0, 1, 7]);
    let ask = ether().carry(ipv4(client, server).carry(udp(40_000, 5_000)));
    let answer = ether().carry(ipv4(server, client).carry(udp(5_000, 40_000)));
    let mut twins = Twins::new(&admitting(), Hook::Xdp);
    let probe = [Counter::ProbeUdp, Counter::Novel, Counter::CellCreated];
    assert_eq!(twins.see(&ask), probe);
    for _ in 0..idle {
        twins.end_epoch();
    }
    let answered = [Counter::UdpAnswered, Counter::Novel, Counter::CellCreated];
    assert_eq!(twins.see(&answer), answered, "at the last tick of its life");
    for _ in 0..idle {
        twins.end_epoch();
    }
    assert_eq!(twins.see(&ask), [Counter::UdpKnown], "the answer made it live on");
    for _ in 0..=idle {
        twins.end_epoch();
    }
    assert_eq!(twins.see(&answer), probe, "one tick later nobody remembers the question");
    twins.finish();
}

#[tokio::test]
async fn cells_are_of_the_epoch_in_which_they_were_written() {
    let mut twins = Twins::new(&admitting(), Hook::Xdp);
    let probe = |host, port| ether().carry(ipv4([10, 0, 0, 5], [10, 0, 1, host]).carry(tcp(40_000, port)));
    let created = [Counter::ProbeSyn, Counter::Novel, Counter::CellCreated];
    let again = [Counter::ProbeSyn, Counter::NotNovel];
    for _ in 0..4 {
        assert_eq!(twins.see(&probe(9, 445)), created, "a copy that was drained is empty");
        assert_eq!(twins.see(&probe(9, 445)), again);
        assert_eq!(twins.see(&probe(10, 445)), created[..2]);
        twins.end_epoch();
    }
    twins.finish();
}
