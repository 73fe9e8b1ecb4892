//! An office machine sweeps the servers' network behind the router.

use anyhow::Result;
use xtask::lab::{Lab, Segment};

use crate::table::{Common, Row, check};

const SMB: &[(&str, u16)] = &[("10.2.0.20", 445), ("10.2.0.21", 445), ("10.2.0.22", 445), ("10.2.0.23", 445)];

const ALIVE: &[(&str, u16)] = &[
    ("10.2.0.1", 0),
    ("10.2.0.10", 0),
    ("10.2.0.11", 0),
    ("10.2.0.12", 0),
    ("10.2.0.13", 0),
    ("10.2.0.20", 0),
    ("10.2.0.21", 0),
    ("10.2.0.22", 0),
    ("10.2.0.23", 0),
    ("10.2.0.30", 0),
    ("10.2.0.31", 0),
    ("10.2.0.32", 0),
    ("10.2.0.33", 0),
];

fn check_sweeps(rows: &[Row]) -> Result<()> {
    let lab = Lab::new()?;
    check(&lab, Common { scanner: &lab.scanner, segment: Segment::Office, direction: "internal" }, rows)
}

#[test]
fn a_network_is_swept_for_one_service() -> Result<()> {
    check_sweeps(&[
        Row::horizontal("nmap -n -Pn -sS -p445 --min-rate 200 --max-retries 0 10.2.0.0/24", &["syn"])
            .by("nmap")
            .learns(SMB),
        Row::horizontal("nmap -n -Pn -sT -p445 --min-rate 200 --max-retries 0 10.2.0.0/24", &["connect"])
            .learns(SMB),
        Row::horizontal(
            "masscan -p445 --rate 500 --wait 1 -e eth0 --router-mac ROUTER 10.2.0.0/24",
            &["syn"],
        )
        .by("masscan")
        .learns(SMB),
        Row::horizontal(
            "zmap -q -v 0 -p 445 -r 200 -c 1 -i eth0 -G ROUTER -b /dev/null -o /dev/null 10.2.0.0/24",
            &["syn"],
        )
        .by("zmap")
        .learns(SMB),
        // Hosts drawn at random, some of them several times.
        Row::horizontal("hping3 -q -S -p 3389 --rand-dest 10.2.0.x -I eth0 -c 200 -i u5000", &["syn"])
            .of(50, 1)
            .by("hping3"),
        Row::horizontal("nmap -n -Pn -sU -p161 --min-rate 200 --max-retries 0 10.2.0.0/24", &["udp"]),
    ])
}

#[test]
fn a_network_is_asked_who_is_there() -> Result<()> {
    check_sweeps(&[
        Row::horizontal("nmap -n -sn --min-rate 200 10.2.0.0/24", &["syn", "icmp", "refused"]).by("nmap"),
        Row::horizontal("nmap -n -sn -PE --min-rate 200 10.2.0.0/24", &["icmp"]).learns(ALIVE),
        Row::horizontal("nmap -n -sn -PP -PM --min-rate 200 10.2.0.0/24", &["icmp"]),
        Row::horizontal("nmap -n -sn -PS22 --min-rate 200 10.2.0.0/24", &["syn"]).by("nmap"),
        Row::horizontal("nmap -6 -n -sn -PE --min-rate 200 fd00:2::/120", &["icmp"]),
        Row::horizontal(
            "zmap -q -v 0 -M icmp_echoscan -r 200 -c 1 -i eth0 -G ROUTER -b /dev/null -o /dev/null 10.2.0.0/24",
            &["icmp"],
        )
        .by("zmap"),
        Row::horizontal("hping3 -q -1 --rand-dest 10.2.0.x -I eth0 -c 200 -i u5000", &["icmp"]).of(50, 0),
    ])
}
