//! The tool, where its packets give it away.

use std::collections::BTreeMap;

use scanwatch_common::abi::{Novelty, Technique, is_mapped};
use serde::{Deserialize, Serialize};

/// A scanner known by its packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum Tool {
    /// No mark of any.
    #[default]
    None,
    /// IP identification 54321 (Durumeric et al., `ZMap`: fast internet-wide scanning, 2013).
    ZMap,
    /// IP identification = target address ⊕ target port ⊕ sequence number, folded to 16 bits (Durumeric et al., An
    /// internet-wide view of internet-wide scanning, 2014).
    Masscan,
    /// Sequence number = target address (Antonakakis et al., Understanding the Mirai botnet, 2017).
    Mirai,
    /// Window 1024, 2048, 3072 or 4096, with a maximum segment size and no other option in SYNs, without any option
    /// otherwise (Lyon, Nmap network scanning, 2009; nmap's `tcpip.cc` and `scan_engine_raw.cc`).
    Nmap,
    /// Window 512 and no options (hping3's `globals.h` and `sendtcp.c`).
    Hping3,
}

impl Tool {
    /// Name in records.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::ZMap => Some("zmap"),
            Self::Masscan => Some("masscan"),
            Self::Mirai => Some("mirai"),
            Self::Nmap => Some("nmap"),
            Self::Hping3 => Some("hping3"),
        }
    }

    /// The tool whose marks a probe bears. Of answers nothing can be said.
    #[must_use]
    pub fn of(technique: Technique, probe: &Novelty) -> Self {
        /// IP and TCP headers without options, and with a maximum segment size.
        const BARE: u16 = 40;
        const WITH_MSS: u16 = 44;
        const SYN: u8 = scanwatch_common::classify::tcp_flags::SYN;
        if !technique.is_tcp() || probe.window == 0 && probe.sequence == 0 {
            let is_fixed = matches!(technique, Technique::Udp | Technique::Icmp) && probe.ip_id == 54_321;
            return if is_fixed { Self::ZMap } else { Self::None };
        }
        let v4 = is_mapped(&probe.target);
        let target =
            u32::from_be_bytes([probe.target[12], probe.target[13], probe.target[14], probe.target[15]]);
        let folded = target ^ u32::from(probe.target_port) ^ probe.sequence;
        let extra = if v4 { 0 } else { 20 };
        if v4 && probe.ip_id == 54_321 {
            Self::ZMap
        } else if v4 && probe.sequence == target {
            Self::Mirai
        } else if v4 && probe.ip_id == (folded & 0xffff) as u16 && probe.ip_id != 0 {
            Self::Masscan
        } else if matches!(probe.window, 1_024 | 2_048 | 3_072 | 4_096)
            && probe.length == extra + if probe.flags & SYN != 0 { WITH_MSS } else { BARE }
        {
            Self::Nmap
        } else if probe.window == 512 && probe.length == extra + BARE {
            Self::Hping3
        } else {
            Self::None
        }
    }
}

/// Marks on a scan's probes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tally(BTreeMap<Tool, u32>);

impl Tally {
    /// Counts a probe's mark.
    pub fn note(&mut self, tool: Tool) {
        let count = self.0.entry(tool).or_default();
        *count = count.saturating_add(1);
    }

    /// The tool, where most probes that could bear its mark do. One packet in some thousands bears a mark by chance.
    #[must_use]
    pub fn tool(&self) -> Option<&'static str> {
        const MIN: u32 = 3;
        let all: u32 = self.0.values().sum();
        let (tool, count) = self.0.iter().max_by_key(|(_, count)| **count)?;
        (*count >= MIN && 2 * *count > all).then(|| tool.name()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scanwatch_common::abi::mapped;

    fn probe() -> Novelty {
        Novelty {
            target: mapped([198, 51, 100, 7]),
            target_port: 443,
            sequence: 0x1234_5678,
            window: 64_240,
            length: 60,
            ip_id: 7,
            ..Novelty::EMPTY
        }
    }

    #[test]
    fn each_tool_is_known_by_its_marks_and_a_stack_by_none() {
        let target = u32::from_be_bytes([198, 51, 100, 7]);
        let folded = (target ^ 0x01bb ^ 0x1234_5678) as u16;
        let cases = [
            (Technique::Syn, probe(), Tool::None),
            (Technique::Syn, Novelty { ip_id: 54_321, ..probe() }, Tool::ZMap),
            (Technique::Syn, Novelty { ip_id: folded, window: 1_024, length: 40, ..probe() }, Tool::Masscan),
            (Technique::Syn, Novelty { sequence: target, ..probe() }, Tool::Mirai),
            (Technique::Syn, Novelty { window: 1_024, length: 44, flags: 2, ..probe() }, Tool::Nmap),
            (Technique::Flags, Novelty { window: 1_024, length: 44, flags: 3, ..probe() }, Tool::Nmap),
            (Technique::Flags, Novelty { window: 1_024, length: 40, flags: 3, ..probe() }, Tool::None),
            (Technique::Syn, Novelty { window: 1_024, length: 60, ..probe() }, Tool::None),
            (Technique::Xmas, Novelty { window: 3_072, length: 40, ..probe() }, Tool::Nmap),
            (Technique::Syn, Novelty { window: 512, length: 40, ..probe() }, Tool::Hping3),
            (Technique::Udp, Novelty { sequence: 0, window: 0, ip_id: 54_321, ..probe() }, Tool::ZMap),
            (Technique::Icmp, Novelty { sequence: 0, window: 0, ip_id: 54_321, ..probe() }, Tool::ZMap),
            (Technique::Icmp, Novelty { sequence: 0, window: 0, ..probe() }, Tool::None),
        ];
        for (technique, probe, tool) in cases {
            assert_eq!(Tool::of(technique, &probe), tool, "{probe:?}");
        }
    }

    #[test]
    fn a_tool_is_named_where_most_probes_bear_its_mark() {
        let mut tally = Tally::default();
        (0..2).for_each(|_| tally.note(Tool::Nmap));
        assert_eq!(tally.tool(), None);
        tally.note(Tool::Nmap);
        assert_eq!(tally.tool(), Some("nmap"));
        (0..3).for_each(|_| tally.note(Tool::None));
        assert_eq!(tally.tool(), None);
    }
}
