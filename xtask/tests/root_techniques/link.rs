//! A machine looks for others in its own segment, or hides among others' addresses there.

use anyhow::Result;
use xtask::lab::{Lab, Segment};

use crate::table::{Common, Row, check};

fn check_link(rows: &[Row]) -> Result<()> {
    let lab = Lab::new()?;
    check(&lab, Common { scanner: &lab.scanner, segment: Segment::Office, direction: "internal" }, rows)
}

#[test]
fn a_segment_is_asked_who_is_there() -> Result<()> {
    check_link(&[
        Row::horizontal("nmap -n -sn -PR 10.1.0.0/24", &["arp"]),
        Row::horizontal("arp-scan -q -I eth0 -r 1 10.1.0.0/24", &["arp"]),
        Row::horizontal("arp-scan -q -I eth0 -R -r 1 10.1.0.0/24", &["arp"]),
        Row::horizontal("nmap -6 -n -sn fd00:1::/120", &["arp"]),
    ])
}

#[test]
fn decoys_behind_one_machine_are_one_scanner() -> Result<()> {
    check_link(&[
        // Addresses that nobody has.
        Row::vertical("nmap -n -Pn -sS -p1-100 -D 10.1.0.201,10.1.0.202,ME,10.1.0.203 10.2.0.20", &["syn"])
            .by("nmap")
            .under(3),
        // Addresses of machines that are there.
        Row::vertical("nmap -n -Pn -sS -p1-100 -D 10.1.0.10,10.1.0.77,ME 10.2.0.20", &["syn"])
            .by("nmap")
            .under(2),
        // Any addresses of the internet.
        Row::vertical("nmap -n -Pn -sS -p1-100 -D RND:4,ME 10.2.0.20", &["syn"]).by("nmap").under(4),
    ])
}
