//! UDP, whose direction is memory: the flow cache tells the first datagram, its first answer, and all the others.

use core::borrow::Borrow;

use super::{CONTACT, Ports, TO_GROUP, Tables};
use crate::abi::{OTHER_SERVICE, Settings};
use crate::classify::is_large_datagram;
use crate::counters::Counter;
use crate::sighting::Workspace;
use crate::sketch::Flow;

/// Tells the first datagram of a flow, and its first answer, from all others: [`CONTACT`] for these two, else the number of
/// the counter by which the frame leaves. On a stack of its own: the kernel gives 512 bytes to all functions that are under way together.
#[inline(always)]
pub(super) fn first_datagram<T: Tables>(space: &mut Workspace, tables: &mut T) -> u32 {
    let Workspace { seen, source, target, .. } = space;
    let settings = tables.settings();
    let settings: &Settings = settings.borrow();
    let tick = tables.tick();
    let idle = settings.flow_idle_ticks;
    let hasher = &settings.hasher;
    let from = hasher.endpoint_of(*source).pair(hasher, seen.source_port());
    let to = hasher.endpoint_of(*target).pair(hasher, seen.target_port());
    // A sum is the same from both ends; which end is the greater tells the direction.
    let flow = from.wrapping_add(to);
    let state = match tables.flow_line(flow) {
        // What is forwarded under a translated address is answered there, too, and told where it came in.
        Some(line) => line.note(flow, from < to, seen.through(), tick, idle),
        None => Flow::First,
    };
    match state {
        Flow::First => {}
        Flow::Known => return Counter::UdpKnown as u32,
        Flow::Answered => return Counter::UdpAnswered as u32,
        Flow::Answer => {
            // The target's: everything about it is the other way round.
            seen.answered();
            seen.turn();
            core::mem::swap(source, target);
            return CONTACT;
        }
    }
    if is_large_datagram(seen.udp_payload(), seen.target_port()) {
        return Counter::UdpLarge as u32;
    }
    // A socket that talks is there: peers, relays, and answers from another port than was asked (RFC 1350, RFC 8445).
    let talks = match tables.flow_line(to) {
        Some(line) => line.knows(to, tick, idle),
        None => false,
    };
    if let Some(line) = tables.flow_line(from) {
        line.note(from, true, 0, tick, idle);
    }
    if talks {
        seen.answered();
        return CONTACT;
    }
    let from_service =
        seen.source_port() < 1024 || tables.service(Ports::Udp, seen.source_port()) != OTHER_SERVICE;
    let to_service =
        seen.target_port() < 1024 || tables.service(Ports::Udp, seen.target_port()) != OTHER_SERVICE;
    if from_service && !to_service { Counter::UdpAnswerShape as u32 } else { CONTACT }
}

/// Remembers who asked all others. Whoever answers does so from its own address to that very socket, at a well-known port
/// often enough: NetBIOS (RFC 1002, 4.2.13), mDNS (RFC 6762, 5.4). The number of the counter by which the frame leaves. On a
/// stack of its own, as above.
#[inline(never)]
pub(super) fn question_to_all<T: Tables>(space: &mut Workspace, tables: &mut T) -> u32 {
    let Workspace { seen, source, .. } = space;
    let settings = tables.settings();
    let settings: &Settings = settings.borrow();
    let tick = tables.tick();
    let hasher = &settings.hasher;
    let socket = hasher.endpoint_of(*source).pair(hasher, seen.source_port());
    if let Some(line) = tables.flow_line(socket) {
        line.note(socket, true, 0, tick, settings.flow_idle_ticks);
    }
    TO_GROUP
}
