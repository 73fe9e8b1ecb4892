//! Scans across the border: out of the network they are worth an alert, into it they are noise.

use anyhow::Result;
use xtask::lab::{Lab, Segment};

use crate::support::{assert_silent, counter};
use crate::table::{Common, Row, check, run_unheard};

#[test]
fn a_machine_inside_that_scans_the_internet_is_found() -> Result<()> {
    let lab = Lab::new()?;
    let common = Common { scanner: &lab.camera, segment: Segment::Office, direction: "outbound" };
    check(
        &lab,
        common,
        &[
            Row::vertical("nmap -n -Pn -sS -p1-100 --max-retries 0 198.18.0.5", &["syn"]).by("nmap"),
            Row::vertical("nmap -6 -n -Pn -sS -p1-100 --max-retries 0 2001:db8:c612::5", &["syn"]).by("nmap"),
            Row::vertical("nmap -n -Pn -sU -p1-100 --max-retries 0 --min-rate 50 198.18.0.5", &["udp"]),
            Row::horizontal(
                "masscan -p23 --rate 500 --wait 1 -e eth0 --router-mac ROUTER 198.19.7.0/24",
                &["syn"],
            )
            .by("masscan"),
            Row::horizontal(
                "zmap -q -v 0 -p 3389 -r 200 -c 1 -i eth0 -G ROUTER -b /dev/null -o /dev/null 198.18.7.0/24",
                &["syn"],
            )
            .by("zmap"),
            Row::horizontal("nmap -n -sn -PE --min-rate 200 198.19.7.0/24", &["icmp"]),
        ],
    )
}

#[test]
fn scans_from_the_internet_are_counted_and_raise_no_alert() -> Result<()> {
    let lab = Lab::new()?;
    for line in [
        "nmap -n -Pn -sS -p1-200 10.2.0.20",
        "nmap -n -Pn -sS -p445 --min-rate 200 --max-retries 0 10.2.0.0/24",
        "nmap -n -sn --min-rate 200 --max-retries 0 10.2.0.0/24",
    ] {
        println!("{line}");
        let report = run_unheard(&lab, &lab.outside, line)?;
        assert_silent(&report);
        assert_eq!(counter(&report, "directions.inbound.incidents"), 1, "{line}");
    }
    Ok(())
}
