//! An office machine scans the ports of one server, and of several, behind the router.

use anyhow::Result;
use xtask::lab::{Lab, Segment};

use crate::table::{Common, Row, check};

const FILES: &[(&str, u16)] = &[("10.2.0.20", 22), ("10.2.0.20", 139), ("10.2.0.20", 445)];
const FILES_LOW: &[(&str, u16)] = &[("10.2.0.20", 22)];
const FILES_V6: &[(&str, u16)] = &[("fd00:2::20", 22), ("fd00:2::20", 139), ("fd00:2::20", 445)];

fn check_inside(rows: &[Row]) -> Result<()> {
    let lab = Lab::new()?;
    check(&lab, Common { scanner: &lab.scanner, segment: Segment::Office, direction: "internal" }, rows)
}

#[test]
fn connections_that_are_tried_on_many_ports_are_told_from_bare_syns() -> Result<()> {
    check_inside(&[
        Row::vertical("nmap -n -Pn -sS -p1-500 10.2.0.20", &["syn"]).by("nmap").learns(FILES),
        Row::vertical("nmap -n -Pn -sT -p1-500 10.2.0.20", &["connect"]).learns(FILES),
        Row::vertical("nmap -6 -n -Pn -sS -p1-500 fd00:2::20", &["syn"]).by("nmap").learns(FILES_V6),
        Row::vertical("nmap -n -Pn -sS -g 53 -p1-100 10.2.0.20", &["syn"]).by("nmap").learns(FILES_LOW),
        Row::vertical("nmap -n -Pn -sS --top-ports 100 10.2.0.20", &["syn"]).by("nmap").learns(FILES),
        Row::vertical("masscan -p1-500 --rate 1000 --wait 1 -e eth0 --router-mac ROUTER 10.2.0.20", &["syn"])
            .by("masscan")
            .learns(FILES),
        Row::vertical("hping3 --scan 1-100 -S 10.2.0.20", &["syn"]).by("hping3").learns(FILES_LOW),
    ])
}

#[test]
fn segments_with_impossible_flags_are_named_by_them() -> Result<()> {
    check_inside(&[
        Row::vertical("nmap -n -Pn -sN -p1-100 --max-retries 0 10.2.0.20", &["null"]).by("nmap"),
        Row::vertical("nmap -n -Pn -sF -p1-100 --max-retries 0 10.2.0.20", &["fin"]).by("nmap"),
        Row::vertical("nmap -n -Pn -sX -p1-100 --max-retries 0 10.2.0.20", &["xmas"]).by("nmap"),
        Row::vertical("nmap -n -Pn -sF -g 53 -p1-100 --max-retries 0 10.2.0.20", &["fin"]).by("nmap"),
        Row::vertical("nmap -n -Pn -sS --scanflags SYNFIN -p1-100 --max-retries 0 10.2.0.20", &["flags"])
            .by("nmap"),
        Row::vertical("nmap -n -Pn -sS --scanflags URGPSH -p1-100 --max-retries 0 10.2.0.20", &["flags"])
            .by("nmap"),
        Row::vertical("hping3 -q -F -P -U -p ++1 -c 60 -i u10000 10.2.0.20", &["xmas"]).by("hping3"),
        Row::vertical("hping3 -q -S -F -p ++1 -c 60 -i u10000 10.2.0.20", &["flags"]).by("hping3"),
        // The first fragment ends before the flags, which no stack does (RFC 3128).
        Row::vertical("nmap -n -Pn -sS -f -p1-100 --max-retries 0 10.2.0.20", &["flags"]),
    ])
}

#[test]
fn segments_of_no_conversation_are_found_by_their_refusals() -> Result<()> {
    check_inside(&[
        Row::vertical("nmap -n -Pn -sA -p1-100 --max-retries 0 10.2.0.20", &["refused"]).by("nmap"),
        Row::vertical("nmap -n -Pn -sW -p1-100 --max-retries 0 10.2.0.20", &["refused"]).by("nmap"),
        Row::vertical("nmap -n -Pn -sM -p1-100 --max-retries 0 10.2.0.20", &["refused"]),
        Row::vertical("nmap -n -Pn -sM -g 53 -p1-100 --max-retries 0 10.2.0.20", &["refused"]),
        Row::vertical("nmap -6 -n -Pn -sA -p1-100 --max-retries 0 fd00:2::20", &["refused"]).by("nmap"),
    ])
}

#[test]
fn other_protocols_than_tcp_are_scanned_too() -> Result<()> {
    check_inside(&[
        Row::vertical("nmap -n -Pn -sU -p1-100 --max-retries 0 --min-rate 50 10.2.0.30", &["udp"])
            .learns(&[("10.2.0.30", 53)]),
        Row::vertical("nmap -n -Pn -sU -g 53 -p1-100 --max-retries 0 --min-rate 50 10.2.0.20", &["udp"]),
        Row::vertical("nmap -n -Pn -sY -p1-100 --max-retries 0 --min-rate 50 10.2.0.20", &["sctp"]),
        Row::vertical("nmap -n -Pn -sO --max-retries 0 --min-rate 50 10.2.0.20", &["proto"]),
    ])
}

#[test]
fn fingerprinting_and_blocks_are_one_scan_each() -> Result<()> {
    check_inside(&[
        Row::vertical("nmap -n -Pn -O -p1-100 --max-os-tries 1 10.2.0.20", &["syn", "null", "xmas", "flags"])
            .by("nmap"),
        Row { kind: "block", ..Row::vertical("nmap -n -Pn -sS -p1-60 10.2.0.10-13,20-23,30-33", &["syn"]) }
            .of(10, 40)
            .by("nmap"),
    ])
}
