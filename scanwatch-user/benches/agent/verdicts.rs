//! What judging takes where every source that can be tracked is active: each makes one contact more a second, at its own
//! moment, and the engine is looked at every turn, as the agent does it.

use scanwatch::engine::TURN;
use scanwatch_common::abi::{Technique, mapped};

use super::Effort;
use super::office::{Office, site};
use super::row::{Row, quantile, timed_ms};

pub const OFFICE: &[&str] =
    &["judge_65536_sources", "look_at_65536_sources", "verdicts_per_second", "record_to_engine"];
pub const SUSPECTS: &[&str] = &["judge_65536_suspects"];

/// Time for judging a second of the busiest office, milliseconds.
const TARGET_MS: f64 = 300.0;
const TURNS: u32 = (1_000 / TURN.as_millis()) as u32;
/// Turns after which nothing of a look can be left.
const LOOK_TURNS_MAX: u32 = 10_000;

/// Sources whose contacts are answered.
pub fn office(effort: Effort) -> Result<Vec<Row>, String> {
    let sources = effort.sources;
    let mut office = warm(sources);
    let (mut judging, mut feeding) = (Vec::new(), Vec::new());
    for second in 0..effort.runs as u32 {
        let (judged, fed) = a_second(&mut office, sources, |office, source| {
            office.meet(source, site(source + second * 331 + 500), (Technique::Syn, 443));
        });
        judging.push(judged);
        feeding.push(fed);
    }
    let mut looks = Vec::new();
    for second in 0..effort.runs as u32 {
        office.wait_ms(1_000);
        for source in 0..sources {
            office.meet(source, site(source + second * 173 + 250), (Technique::Syn, 443));
        }
        looks.push(look(&mut office));
    }
    office.check(sources)?;
    let look = quantile(&looks, 0.5);
    let second = quantile(&judging, 0.5);
    let record_ns = quantile(&feeding, 0.5) * 1e6 / f64::from(2 * sources);
    Ok(vec![
        Row::new(
            OFFICE[0],
            second,
            "ms",
            format!("judging of one second in which each of {sources} sources makes a new contact"),
        )
        .at_most(TARGET_MS),
        Row::new(OFFICE[1], look, "ms", format!("one look at {sources} sources with news")),
        Row::new(OFFICE[2], f64::from(sources) / look * 1e3, "sources/s", "the same as sources a second"),
        Row::new(OFFICE[3], record_ns, "ns", "taking in one record of the kernel, of so many sources"),
    ])
}

/// Sources whose every contact fails, for longer than silence lasts, and too few in any place for any rule.
pub fn suspects(effort: Effort) -> Result<Vec<Row>, String> {
    let sources = effort.sources;
    let mut office = warm(sources);
    let mut judging = Vec::new();
    for second in 0..10 + effort.runs as u32 {
        let (judged, _) = a_second(&mut office, sources, |office, source| {
            let [_, _, a, b] = (source + second * 4_099).to_be_bytes();
            office.knock(source, mapped([203, a, b, 7]), (Technique::Syn, 443));
        });
        if second >= 10 {
            judging.push(judged);
        }
    }
    office.check(sources)?;
    let what = format!("the same where every contact of {sources} sources goes unanswered");
    Ok(vec![Row::new(SUSPECTS[0], quantile(&judging, 0.5), "ms", what).at_most(TARGET_MS)])
}

/// An office in which every source worked for two minutes.
fn warm(sources: u32) -> Office {
    let mut office = Office::new();
    for minute in 0..2 {
        for source in 0..sources {
            office.minute(source, minute);
        }
        office.engine.judge(office.now());
        office.wait_ms(60_000);
    }
    look(&mut office);
    office
}

/// Turns of a second, in each of which a share of the sources do something: time for judging, and for taking it in, both in
/// milliseconds.
fn a_second(office: &mut Office, sources: u32, act: impl Fn(&mut Office, u32)) -> (f64, f64) {
    let (mut judging, mut feeding) = (0.0, 0.0);
    for turn in 0..TURNS {
        feeding += timed_ms(|| {
            for source in (turn..sources).step_by(TURNS as usize) {
                act(office, source);
            }
        });
        office.wait_ms(TURN.as_millis() as u64);
        judging += timed_ms(|| drop(office.engine.judge(office.now())));
    }
    (judging, feeding)
}

/// Judges until nothing is new, however many turns that takes: time in milliseconds.
fn look(office: &mut Office) -> f64 {
    let mut judging = 0.0;
    for _ in 0..LOOK_TURNS_MAX {
        judging += timed_ms(|| drop(office.engine.judge(office.now())));
        if !office.engine.is_dirty() {
            break;
        }
        office.wait_ms(TURN.as_millis() as u64);
    }
    judging
}
