//! What the fuzzer of the host's code begins with, and what it found: frames that reach what nobody thought of.

use std::fs;
use std::path::Path;

use crate::dice::Dice;
use crate::frames;
use crate::packets;
use crate::twins::{Hook, Twins};
use crate::{OUT, hostile};

/// Where `cargo xtask fuzz` leaves its corpora.
const CORPORA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/fuzz/corpus");
/// Inputs between two ends of an epoch.
const EPOCH_INPUTS: usize = 200;
/// Inputs of a corpus at most, for each costs the kernel some calls a frame.
const INPUTS_MAX: usize = 3_000;

/// Inputs that are sequences of frames: fixtures as the fuzzer's seeds have them, mutated as it would.
pub fn mutated(dice: &mut Dice) -> Vec<Vec<u8>> {
    let fixtures: Vec<Vec<u8>> = packets::all().into_iter().map(|fixture| fixture.frame).collect();
    let mut inputs = Vec::new();
    for some in fixtures.chunks(24) {
        let steps = some.iter().map(|frame| (dice.any() as u8 & 2, &frame[..]));
        let whole = frames::write(1, steps.collect::<Vec<_>>());
        for _ in 0..4 {
            inputs.push(spliced(dice, &whole, &fixtures));
        }
        inputs.push(whole);
    }
    inputs
}

/// An input with a piece copied elsewhere, bits turned anywhere, and perhaps a frame put into it.
fn spliced(dice: &mut Dice, input: &[u8], fixtures: &[Vec<u8>]) -> Vec<u8> {
    let mut input = input.to_vec();
    let (from, to) = (dice.below(input.len()), dice.below(input.len()));
    let piece = input[from..(from + dice.below(60)).min(input.len())].to_vec();
    input.splice(to..(to + dice.below(40)).min(input.len()), piece);
    for _ in 0..dice.below(20) {
        let at = dice.below(input.len());
        input[at] ^= 1 << dice.below(8);
    }
    if dice.once_in(2) {
        let fixture = dice.pick(fixtures);
        let frame = hostile::flipped(dice, &fixture);
        let at = dice.below(input.len());
        input.splice(at..at, frame);
    }
    input
}

/// What fuzzing left on this machine, in order of name: sequences of frames, and single frames, which read as such behind two
/// bytes of length. Nothing where nobody fuzzed.
pub fn found() -> Vec<Vec<u8>> {
    let of = |name: &str| -> Vec<Vec<u8>> {
        let Ok(entries) = fs::read_dir(Path::new(CORPORA).join(name)) else { return Vec::new() };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths.iter().take(INPUTS_MAX).filter_map(|path| fs::read(path).ok()).collect()
    };
    let single = of("parser").into_iter().map(|frame| frames::write(1, [(0, &frame[..])]));
    of("observe").into_iter().chain(single).collect()
}

/// Shows inputs to both sides. What a step says of its way is the hook's to say; its time passes as the twins' does.
pub fn show(twins: &mut Twins, inputs: &[Vec<u8>]) -> usize {
    let mut shown = 0;
    for (number, input) in inputs.iter().enumerate() {
        for step in frames::read(input).1 {
            twins.see(step.frame);
            shown += 1;
        }
        if number % EPOCH_INPUTS == EPOCH_INPUTS - 1 {
            twins.end_epoch();
        }
    }
    shown
}

/// Every hook, each with dice of its own.
pub const HOOKS: [(Hook, u64); 4] = [(Hook::Xdp, 21), (Hook::Tc, 22), (OUT[0], 23), (OUT[1], 24)];
