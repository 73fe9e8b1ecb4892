//! What sketches are fed in practice: addresses and ports in order, not random numbers.

use scanwatch_common::abi::{Address, Settings};
use scanwatch_common::sketch::Hasher;

/// Steele et al., 2014: enough to choose where a test begins, the same in every run.
pub struct SplitMix(pub u64);

impl SplitMix {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A way to walk through many distinct elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// IPv4 addresses in order.
    Hosts,
    /// Ports of one host in order.
    Ports,
    /// IPv6 networks of 64 bits in order, the same interface identifier in each.
    Networks,
    /// 256 ports on each of a row of hosts.
    Block,
    /// Random addresses and ports.
    Random,
}

impl Walk {
    pub const ALL: [Self; 5] = [Self::Hosts, Self::Ports, Self::Networks, Self::Block, Self::Random];

    /// The hashes of the walk that starts where `trial` says; they do not repeat within 65,536 steps.
    pub fn hashes(self, trial: u64) -> impl Iterator<Item = u64> {
        let hasher = Hasher::new(Settings::SEED);
        let mut random = SplitMix(trial.wrapping_mul(0x5851_f42d_4c95_7f2d));
        let start = random.next();
        (0..65_536_u32).map(move |step| match self {
            Self::Hosts => hasher.endpoint(&v4(start, step)).host(),
            Self::Ports => hasher.endpoint(&v4(start, 0)).pair(&hasher, (start >> 40) as u16 ^ step as u16),
            Self::Networks => {
                let network = u128::from((start | 1 << 61).wrapping_add(u64::from(step))) << 64;
                hasher.endpoint(&(network | 1).to_be_bytes()).host()
            }
            Self::Block => hasher
                .endpoint(&v4(start, step >> 8))
                .pair(&hasher, (start >> 40) as u16 ^ (step & 0xff) as u16),
            Self::Random => hasher.endpoint(&v4(random.next(), 0)).pair(&hasher, step as u16),
        })
    }
}

fn v4(start: u64, step: u32) -> Address {
    let [a, b, c, d] = (start as u32).wrapping_add(step).to_be_bytes();
    scanwatch_common::abi::mapped([a, b, c, d])
}
