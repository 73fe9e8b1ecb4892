//! Whether a source is who its packets say: anybody can write any address into a packet that asks for no answer.
//!
//! Two things show it. A *handshake*: whoever acknowledges a SYN-ACK has read it, for its sequence number is random (RFC 6528),
//! and a blind forger guesses one in 2³². A *binding*: ARP or neighbour discovery named the link-layer address that the
//! probes come from ([`World::standing`]). Neither says anything of packets that came another way, so every link-layer address
//! that probes is to be shown by itself; and a router's stands for everybody behind it, so there the scan itself must hold a
//! handshake.
//!
//! Established traffic leaves no record, and with it the ACK that ends a handshake. The next segment of the source that does
//! leave one ends or aborts the conversation, and acknowledges besides what the target sent: the fewer bytes, the less likely
//! it is a guess.

use scanwatch_common::abi::{Novelty, Outcome, Technique};
use serde::{Deserialize, Serialize};

use super::probe::Probe;
use super::source::SourceKey;
use super::time::Timestamp;
use super::world::{Mac, Standing, World, is_initial};

/// Link-layer addresses told apart; what more there are share the last place.
const ORIGINS_MAX: usize = 4;
/// SYN-ACKs that wait to be acknowledged, the latest: every source has room for so many.
const ANSWERS_MAX: usize = 4;
/// Bits of surprise that a blind forger would need: one guess in 2²⁴, and as many bits more as guesses were made.
const ENOUGH: u32 = 24;
/// Fewer bits are none: what a conversation of 1 MiB or more acknowledges is as well a guess …
const LEAST: u32 = 12;
/// … and takes so many from what conversations before it showed.
const GUESS: u32 = 8;
/// Flags of a segment that acknowledges (RFC 9293, 3.1).
const ACK: u8 = 0x10;

/// What is known of who a source is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Proof {
    origins: Vec<Origin>,
    #[serde(skip)]
    answers: [Answer; ANSWERS_MAX],
    bits: u32,
    guesses: u32,
}

/// A link-layer address from which it probed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Origin {
    mac: Mac,
    /// A handshake was completed from there, and no router was between.
    completed: bool,
    /// Last probe, the epoch's start at the earliest.
    last: Timestamp,
}

/// A SYN-ACK that was seen on its way to the source.
#[derive(Clone, Copy, Debug, Default)]
struct Answer {
    /// Hash of target and both ports, never zero; zero where there is no answer.
    conversation: u32,
    /// What acknowledges it and nothing more.
    next: u32,
}

impl Proof {
    /// Notes a record of the source. True where it shows a completed handshake with the probe's target.
    pub fn note(&mut self, novelty: &Novelty, probe: &Probe, outcome: Outcome) -> bool {
        let conversation = (probe.element.pair >> 32) as u32 ^ u32::from(novelty.source_port) << 8 | 1;
        match (probe.technique, outcome) {
            (_, Outcome::Tried) => self.probed(novelty.mac, probe.at),
            (Technique::Syn, Outcome::Answered) => {
                self.answered(Answer { conversation, next: novelty.sequence.wrapping_add(1) });
            }
            (Technique::Syn, Outcome::Continued) => return self.continued(novelty, conversation),
            _ => {}
        }
        false
    }

    fn probed(&mut self, mac: Mac, at: Timestamp) {
        let origin = self.origin(mac);
        origin.last = at;
    }

    /// The place of a link-layer address. Those for which there is none share the last, as nobody's.
    fn origin(&mut self, mac: Mac) -> &mut Origin {
        let known = self.origins.iter().position(|origin| origin.mac == mac);
        let at = known.unwrap_or(self.origins.len().min(ORIGINS_MAX - 1));
        let nobody = Origin { mac: [0; 6], completed: false, last: Timestamp::default() };
        if at == self.origins.len() {
            self.origins.reserve_exact(1);
            self.origins.push(Origin { mac, ..nobody });
        } else if known.is_none() {
            self.origins[at] = nobody;
        }
        &mut self.origins[at]
    }

    fn answered(&mut self, answer: Answer) {
        let known = self.answers.iter().position(|known| known.conversation == answer.conversation);
        self.answers[..=known.unwrap_or(ANSWERS_MAX - 1)].rotate_right(1);
        self.answers[0] = answer;
    }

    fn continued(&mut self, novelty: &Novelty, conversation: u32) -> bool {
        let Some(at) = self.answers.iter().position(|answer| answer.conversation == conversation) else {
            return false;
        };
        let answer = std::mem::take(&mut self.answers[at]);
        let ahead = novelty.acknowledgement.wrapping_sub(answer.next);
        let is_completed = novelty.flags & ACK != 0 && self.is_no_guess(ahead);
        if is_completed && novelty.mac != [0; 6] && is_initial(novelty.ttl) {
            self.origin(novelty.mac).completed = true;
        }
        is_completed
    }

    /// Judges a segment that acknowledges so many bytes after the SYN-ACK. A guess is anywhere, so that to come within
    /// `ahead` bytes tells as many bits as `ahead` lacks; they add up over conversations (a sequential test; Wald, 1945),
    /// are never below none, and begin anew once they were enough.
    fn is_no_guess(&mut self, ahead: u32) -> bool {
        let bits = ahead.leading_zeros();
        if bits < LEAST {
            self.bits = self.bits.saturating_sub(GUESS);
            self.guesses = self.guesses.saturating_add(1);
            return false;
        }
        self.bits += bits;
        // 32 bits are all there are: who acknowledges that very number is believed, however many others guessed.
        let is_enough =
            ahead == 0 || self.bits >= ENOUGH + self.guesses.checked_ilog2().map_or(0, |log| log + 1);
        if is_enough {
            self.bits = 0;
        }
        is_enough
    }

    /// True where nobody else can have sent what came from the source since a time, as far as was seen. `has_completed` says
    /// that one of those it tried since has its handshake.
    #[must_use]
    pub fn holds(&self, world: &World, source: SourceKey, since: Timestamp, has_completed: bool) -> bool {
        let mut origins = self.origins.iter().filter(|origin| origin.last >= since).peekable();
        if origins.peek().is_none() {
            return has_completed;
        }
        origins.all(|origin| match world.standing(source, origin.mac) {
            Standing::Bound => true,
            Standing::Contested => false,
            Standing::Near => origin.completed || has_completed,
            Standing::Far => has_completed,
        })
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.origins.capacity() * size_of::<Origin>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_acknowledge_the_very_next_byte_is_enough_and_so_is_a_greeting() {
        for ahead in [0, 1, 78, 255] {
            assert!(Proof::default().is_no_guess(ahead), "{ahead} bytes");
        }
    }

    #[test]
    fn longer_conversations_add_up_and_the_longest_tell_nothing() {
        let mut proof = Proof::default();
        assert_eq!([4_000, 60_000].map(|ahead| proof.is_no_guess(ahead)), [false, true]);
        assert!(!proof.is_no_guess(60_000), "what was enough once begins anew");
        assert!((0..1_000).all(|_| !proof.is_no_guess(1 << 20)));
    }

    #[test]
    fn who_guesses_needs_the_more_luck_the_more_often() {
        let mut proof = Proof::default();
        let guesses = (1..=1_000u32).map(|n| n.wrapping_mul(0x9e37_79b9) | 1 << 31);
        assert!(guesses.into_iter().all(|ahead| !proof.is_no_guess(ahead)));
        assert!(!proof.is_no_guess(255), "24 bits were enough at first");
        assert!(proof.is_no_guess(0));
    }

    #[test]
    fn a_thousand_forged_conversations_are_hardly_ever_believed() {
        // SplitMix64 (Steele, Lea and Flood, 2014): the same numbers on each run.
        let mut state = 7u64;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            ((mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb) >> 32) as u32
        };
        let mut believed = 0;
        for _ in 0..1_000 {
            let mut proof = Proof::default();
            believed += u32::from((0..1_000).any(|_| proof.is_no_guess(next())));
        }
        assert!(believed <= 1, "{believed} of 1,000 sources in whose name 1,000 numbers were guessed each");
    }

    #[test]
    fn link_layer_addresses_beyond_the_most_are_nobodys() {
        let mut proof = Proof::default();
        for n in 1..=9 {
            proof.probed([n; 6], Timestamp::from_ns(u64::from(n)));
        }
        let macs: Vec<u8> = proof.origins.iter().map(|origin| origin.mac[0]).collect();
        assert_eq!(macs, [1, 2, 3, 0]);
        assert_eq!(proof.origins[3].last, Timestamp::from_ns(9));
    }
}
