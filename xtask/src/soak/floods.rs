//! Floods from the internet, mostly under forged sources, each for some seconds at the highest rate there is.

use std::time::Duration;

use anyhow::{Result, ensure};
use fastrand::Rng;

use super::stage::Stage;
use crate::lab::Host;

/// What is flooded, by hping3, its words parted by blanks. Nobody may be accused: forged addresses at random send a packet
/// each, and what is done in the client's name is one pair.
const FLOODS: &[&str] = &[
    "-q -S --flood --rand-source -p ++1 10.2.0.10",
    "-q -S --flood --rand-source -p 443 10.2.0.11",
    "-q -A --flood --rand-source -p ++1 10.2.0.20",
    "-q --udp --flood --rand-source -p 53 10.2.0.30",
    "-q --icmp --flood --rand-source 10.2.0.12",
    "-q -S --flood -p 80 10.2.0.13",
    "-q -S --flood -a 10.1.0.10 -p 443 10.2.0.11",
];

/// How long floods and pauses between them are, seconds.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    /// Of one flood.
    pub flood_s: (f64, f64),
    /// Between two.
    pauses_s: (f64, f64),
}

impl Rhythm {
    /// For a soak of half a minute or of hours.
    #[must_use]
    pub const fn new(is_short: bool) -> Self {
        if is_short {
            Self { flood_s: (1.0, 2.0), pauses_s: (4.0, 8.0) }
        } else {
            Self { flood_s: (2.0, 6.0), pauses_s: (20.0, 60.0) }
        }
    }
}

/// Floods until the actors' time is over.
pub fn act(stage: &Stage, hosts: &[Host], rhythm: Rhythm, seed: u64) -> Result<()> {
    let mut rng = Rng::with_seed(seed);
    let between = |rng: &mut Rng, (least, most): (f64, f64)| {
        Duration::from_secs_f64(least + rng.f64() * (most - least))
    };
    loop {
        let pause = between(&mut rng, rhythm.pauses_s);
        if !stage.pause(pause) {
            return Ok(());
        }
        let host = &hosts[rng.usize(0..hosts.len())];
        let words = FLOODS[rng.usize(0..FLOODS.len())];
        let time = between(&mut rng, rhythm.flood_s);
        stage.note(&format!("flood: {} for {:.1} s: hping3 {words}", host.name(), time.as_secs_f64()))?;
        stage.note_work("floods", flood(stage, host, words, time))?;
    }
}

fn flood(stage: &Stage, host: &Host, words: &str, time: Duration) -> Result<()> {
    let mut flood = host.spawn("hping3", words.split_whitespace())?;
    stage.pause(time);
    // Dropping it kills it.
    ensure!(flood.is_running()?, "hping3 ended by itself: {}", flood.stderr().text());
    Ok(())
}
