//! The whole decision about one packet, generic over where packets and tables live.

mod admit;
mod cell;
mod datagram;
mod port;
mod short;
mod source;
mod tables;

pub use crate::ports::Ports;
pub use tables::{Clock, Tables};

use core::borrow::BorrowMut;

use crate::abi::{Outcome, Side, Technique};
use crate::classify::{Contact, View, classify};
use crate::counters::Counter;
use crate::packet::Packet;
use crate::parse::{self, Headers, Payload, Reader};
use crate::sighting::{self, Sighting, Workspace};
use admit::{Verdict, admit, keep_first};
use cell::{count_first, count_pair};
use datagram::{first_datagram, question_to_all};
use port::note_port;
use short::{UNKNOWN, short_way};
use source::{is_possible, meet, place};

/// Where a frame is seen, which decides what it can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    through: u8,
}

impl Passage {
    /// On its way in.
    pub const IN: Self = Self { through: 0 };
    /// On its way out, from this host itself.
    pub const OUT: Self = Self { through: 0 };
    /// On its way out for somebody else: what the source does was counted where it came in, under the source's own address,
    /// which masquerading may have replaced by now. Answers and refusals are told, and UDP flows are remembered.
    pub const THROUGH: Self = Self { through: 1 };

    /// Of a packet on its way out that came in by this interface, 0 for one of this host's own. Arithmetic, for the
    /// verifier would go both ways of a branch.
    #[inline(always)]
    #[must_use]
    pub const fn out_from(ingress_interface: u32) -> Self {
        Self { through: ((ingress_interface as u64).wrapping_neg() >> 63) as u8 }
    }

    #[inline(always)]
    pub(crate) const fn number(self) -> u8 {
        self.through
    }
}

/// Observes one Ethernet frame that passes `interface`.
///
/// What nearly every frame goes through is one function in the kernel: where returns are guarded against speculation, a call
/// costs more than all that an established connection's segment is asked.
#[inline(always)]
pub fn observe<P: Packet + ?Sized, T: Tables>(packet: &P, interface: u32, passage: Passage, tables: &mut T) {
    observe_by::<true, P, T>(packet, interface, passage, tables);
}

/// The same without the short way, to which it must be equal in all but time: for tests.
pub fn observe_by_the_long_way<P: Packet + ?Sized, T: Tables>(
    packet: &P,
    interface: u32,
    passage: Passage,
    tables: &mut T,
) {
    observe_by::<false, P, T>(packet, interface, passage, tables);
}

#[inline(always)]
fn observe_by<const SHORT: bool, P: Packet + ?Sized, T: Tables>(
    packet: &P,
    interface: u32,
    passage: Passage,
    tables: &mut T,
) {
    let short = if SHORT { short_way(packet, passage, tables) } else { Err(UNKNOWN) };
    let known = match short {
        Err(UNKNOWN) => at_length(packet, passage, tables),
        known => known,
    };
    let outcome = match known {
        Ok(mut space) => {
            let space = space.borrow_mut();
            T::settle(space);
            tables.begin();
            second_look(packet, interface, space, tables)
        }
        Err(reason) => reason,
    };
    tables.count_number(outcome);
}

/// The long way to a workspace.
#[inline(always)]
fn at_length<P: Packet + ?Sized, T: Tables>(
    packet: &P,
    passage: Passage,
    tables: &mut T,
) -> Result<T::Workspace, u32> {
    let Some(mut space) = tables.workspace() else { return Err(Counter::CellRefused as u32) };
    match long_way::<P, T>(packet, passage, space.borrow_mut()) {
        CONTACT => Ok(space),
        reason => Err(reason),
    }
}

/// The frame tells of a contact: it leaves by none of the counters yet.
const CONTACT: u32 = u32::MAX;
/// The frame leaves because its target is a group.
const TO_GROUP: u32 = Counter::GroupTarget as u32;
/// The frame leaves because nobody can have sent it.
const FROM_NOBODY: u32 = Counter::SourceUnusable as u32;

/// Parses, classifies and reads the addresses, of any frame: [`CONTACT`] where there is one, which stands in the workspace,
/// else the number of the counter by which the frame leaves. A function of its own, whose stack is free again when the contact
/// is counted: the kernel gives 512 bytes to all functions that are under way together.
#[inline(never)]
fn long_way<P: Packet + ?Sized, T: Tables>(packet: &P, passage: Passage, space: &mut Workspace) -> u32 {
    if let Err(reason) = parse::ethernet_for(packet, See { passage, seen: &mut space.seen }) {
        return reason as u32;
    }
    T::settle(space);
    meet(packet, space)
}

/// Classifies, and notes what was seen.
struct See<'a> {
    passage: Passage,
    seen: &'a mut Sighting,
}

impl Reader for See<'_> {
    type Read = ();

    #[inline(always)]
    fn read(self, headers: &Headers) -> Result<(), Counter> {
        let contact = match classify(headers) {
            Err(Counter::GroupTarget) => to_all(headers)?,
            other => other?,
        };
        *self.seen = Sighting::new(headers, &contact, self.passage);
        Ok(())
    }
}

/// A datagram to all or to a group, which teaches who asked; nothing else to a group does.
#[inline(always)]
fn to_all(headers: &Headers) -> Result<Contact, Counter> {
    match &headers.payload {
        Payload::Udp(udp) => Ok(Contact {
            technique: Technique::Udp,
            outcome: Outcome::Tried,
            view: View::Source,
            source_port: udp.source_port,
            target_port: udp.target_port,
            counter: Counter::GroupTarget,
        }),
        _ => Err(Counter::GroupTarget),
    }
}

/// Counts the contact that was seen, and returns the number of the counter by which the frame leaves.
#[inline(always)]
fn second_look<P: Packet + ?Sized, T: Tables>(
    packet: &P,
    interface: u32,
    space: &mut Workspace,
    tables: &mut T,
) -> u32 {
    let mut outcome = is_possible(space);
    match (space.seen.payload(), outcome) {
        (sighting::UDP, CONTACT) => outcome = first_datagram(space, tables),
        (sighting::UDP, TO_GROUP) | (sighting::UDP_TO_ALL, CONTACT | TO_GROUP | FROM_NOBODY) => {
            outcome = question_to_all(space, tables);
        }
        _ => {}
    }
    if outcome != CONTACT {
        return outcome;
    }
    let parties = match place(space, tables) {
        Ok(parties) => parties,
        Err(reason) => return reason as u32,
    };
    if parties.side == Side::External as u32 {
        // Before the doorkeeper: on the internet many a scanner sends one packet.
        note_port(space, &parties, tables);
    }
    space.record.interface = interface;
    match admit(&space.seen, &parties, tables) {
        Verdict::Leaves(reason) => return reason as u32,
        Verdict::Counts => {}
        Verdict::KeepsFirst(way) => return keep_first(packet, space, way, tables),
        Verdict::CountsWithFirst(way) => {
            count_first(packet, space, way, tables);
        }
    }
    count_pair(packet, space, &parties, tables)
}
