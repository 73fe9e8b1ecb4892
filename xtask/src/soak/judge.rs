//! Holds the incidents that were told against the scans that ran. Pure: logs in, complaints out.

use std::collections::BTreeMap;

use super::incidents::Incident;
use super::log::{Scan, shown};

/// How far the clocks of packets, records and of whoever starts programs may be apart.
const CLOCK_MS: i64 = 1_500;
/// From the last packet of a scan until it must have been told: silence, the verdict, and a busy machine.
const TOLD_MS: i64 = 30_000;
/// What SIGKILL may take with it: what is open is saved every ten seconds, on a busy machine a little later.
const SAVED_MS: i64 = 25_000;

/// For how long an incident stays open without growing: the default, and a look.
const OPEN_MS: i64 = 65_000;

/// What is judged.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The scans that ran.
    pub scans: &'a [Scan],
    /// The incidents that were told.
    pub incidents: &'a [Incident],
    /// When scanwatch was killed, milliseconds since 1970.
    pub kills: &'a [i64],
    /// There was quiet for so long that all incidents must have ended.
    pub all_ended: bool,
}

/// Figures of one sort of scans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Scans that ran to their end.
    pub ran: usize,
    /// Those with an incident.
    pub found: usize,
    /// Those cut short, of which nothing is asked.
    pub cut_short: usize,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// By sort of scan.
    pub sorts: BTreeMap<String, Tally>,
    /// Incidents that were told again, or not to their end, since SIGKILL came before they were saved.
    pub forgotten: usize,
    /// What does not hold, a sentence each.
    pub wrong: Vec<String>,
}

/// Judges everything.
#[must_use]
pub fn judge(evidence: Evidence<'_>) -> Verdict {
    let Evidence { scans, incidents, .. } = evidence;
    let mut verdict = Verdict::default();
    for scan in scans {
        let tally = verdict.sorts.entry(scan.sort()).or_default();
        if !scan.whole {
            tally.cut_short += 1;
            continue;
        }
        tally.ran += 1;
        if incidents.iter().any(|incident| shows(incident, scan)) {
            tally.found += 1;
        } else if scan.expected.is_some() {
            verdict.wrong.push(format!("missing: no incident of {}", of_scan(scan)));
        }
    }
    let own = scans_of_their_own(evidence);
    for (incident, own) in incidents.iter().zip(own) {
        judge_incident(evidence, incident, own.is_some(), &mut verdict);
    }
    verdict
}

fn judge_incident(evidence: Evidence<'_>, incident: &Incident, has_own: bool, verdict: &mut Verdict) {
    let shown_scan = evidence.scans.iter().find(|scan| shows(incident, scan));
    let is_forgotten = |incident: &Incident| {
        let lost = |kill: &&i64| (incident.detected_ms..incident.detected_ms + SAVED_MS).contains(*kill);
        evidence.kills.iter().find(lost).copied()
    };
    match shown_scan {
        None => verdict.wrong.push(format!("extra: nobody scanned, and there is {}", of_incident(incident))),
        Some(scan) if !has_own => {
            let others =
                evidence.incidents.iter().filter(|other| other.id != incident.id && shows(other, scan));
            let lost = others.filter_map(is_forgotten).any(|kill| kill <= incident.detected_ms);
            if lost {
                verdict.forgotten += 1;
            } else {
                let (again, of) = (of_incident(incident), of_scan(scan));
                verdict.wrong.push(format!("doubled: {again} is one incident too many of {of}"));
            }
        }
        Some(_) => {}
    }
    if incident.detections != 1 && is_forgotten(incident).is_none() {
        let (what, times) = (of_incident(incident), incident.detections);
        verdict.wrong.push(format!("told for the first time {times} times: {what}"));
    }
    if evidence.all_ended && !incident.ended {
        if is_forgotten(incident).is_some() {
            verdict.forgotten += 1;
        } else {
            verdict.wrong.push(format!("without an end: {}", of_incident(incident)));
        }
    }
}

/// True where an incident is about a scan: by source, direction, technique and time. Which techniques it took up on its
/// way is known once it has ended.
fn shows(incident: &Incident, scan: &Scan) -> bool {
    let Some(expected) = &scan.expected else { return false };
    let is_kind = incident.kinds.contains(&expected.kind) || incident.kinds.contains("block");
    let is_technique = !incident.ended
        || expected.techniques.iter().any(|technique| incident.techniques.contains(technique));
    // What is open may have taken up more than its last record tells.
    let open_ms = if incident.ended { 0 } else { OPEN_MS };
    incident.source == scan.source
        && incident.direction == expected.direction
        && is_kind
        && is_technique
        && incident.first_ms <= scan.ended_ms + CLOCK_MS
        && incident.last_ms + CLOCK_MS + open_ms >= scan.begun_ms
}

/// True where an incident may have begun with a scan.
fn opens(scan: &Scan, incident: &Incident) -> bool {
    shows(incident, scan)
        && (scan.begun_ms - CLOCK_MS..=scan.ended_ms + TOLD_MS).contains(&incident.detected_ms)
}

/// For each incident the scan that opened it, and no other: several scans may be one incident, but not the reverse.
///
/// A maximum matching by augmenting paths (Berge, 1957).
fn scans_of_their_own(evidence: Evidence<'_>) -> Vec<Option<usize>> {
    let Evidence { scans, incidents, .. } = evidence;
    let mut taken: Vec<Option<usize>> = vec![None; scans.len()];
    for incident in 0..incidents.len() {
        let mut seen = vec![false; scans.len()];
        place(incident, evidence, &mut taken, &mut seen);
    }
    let mut own = vec![None; incidents.len()];
    for (scan, incident) in taken.iter().enumerate() {
        if let Some(incident) = incident {
            own[*incident] = Some(scan);
        }
    }
    own
}

/// Finds a scan for an incident, by moving others where need be.
fn place(incident: usize, evidence: Evidence<'_>, taken: &mut [Option<usize>], seen: &mut [bool]) -> bool {
    for scan in 0..evidence.scans.len() {
        if seen[scan] || !opens(&evidence.scans[scan], &evidence.incidents[incident]) {
            continue;
        }
        seen[scan] = true;
        let is_free = match taken[scan] {
            None => true,
            Some(other) => place(other, evidence, taken, seen),
        };
        if is_free {
            taken[scan] = Some(incident);
            return true;
        }
    }
    false
}

fn of_scan(scan: &Scan) -> String {
    format!("{} {} from {}: `{}`", scan.who, scan.source, shown(scan.begun_ms), scan.what)
}

fn of_incident(incident: &Incident) -> String {
    format!("incident {} of {}: {}", incident.id, shown(incident.detected_ms), incident.reason)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::log::Expected;
    use super::*;

    const S: i64 = 1_000;

    fn scan(source: &str, begun_s: i64, ended_s: i64) -> Scan {
        let expected = Expected {
            kind: "vertical".to_owned(),
            direction: "internal".to_owned(),
            techniques: vec!["syn".to_owned()],
        };
        Scan {
            begun_ms: begun_s * S,
            ended_ms: ended_s * S,
            who: "desk1".to_owned(),
            source: source.to_owned(),
            what: "nmap".to_owned(),
            expected: Some(expected),
            whole: true,
        }
    }

    fn incident(id: &str, source: &str, begun_s: i64, ended_s: i64) -> Incident {
        Incident {
            id: id.to_owned(),
            source: source.to_owned(),
            direction: "internal".to_owned(),
            kinds: BTreeSet::from(["vertical".to_owned()]),
            techniques: BTreeSet::from(["syn".to_owned()]),
            detected_ms: begun_s * S + 500,
            first_ms: begun_s * S,
            last_ms: ended_s * S,
            detections: 1,
            ended: true,
            reason: "because".to_owned(),
        }
    }

    fn wrong(scans: &[Scan], incidents: &[Incident], kills: &[i64]) -> Vec<String> {
        judge(Evidence { scans, incidents, kills, all_ended: true }).wrong
    }

    fn assert_one(wrong: &[String], begins: &str) {
        assert!(wrong.len() == 1 && wrong[0].starts_with(begins), "{wrong:?}");
    }

    #[test]
    fn scans_within_the_gap_are_one_incident_and_scans_beyond_it_are_two() {
        let scans = [scan("a", 0, 5), scan("a", 40, 50), scan("a", 200, 210), scan("b", 3, 9)];
        let incidents = [incident("1", "a", 0, 50), incident("2", "a", 200, 210), incident("3", "b", 3, 9)];
        let verdict = judge(Evidence { scans: &scans, incidents: &incidents, kills: &[], all_ended: true });
        assert!(verdict.wrong.is_empty(), "{:?}", verdict.wrong);
        let found = Tally { ran: 4, found: 4, cut_short: 0 };
        assert_eq!(verdict.sorts["vertical internal"], found);
    }

    #[test]
    fn a_missing_incident_is_named_by_its_scan() {
        let complaints = wrong(&[scan("a", 0, 5), scan("b", 0, 5)], &[incident("1", "a", 0, 5)], &[]);
        assert_one(&complaints, "missing: no incident of desk1 b from 1970-01-01T00:00:00Z: `nmap`");
        // Another direction, another technique or another time is another scan.
        let other = |change: &dyn Fn(&mut Incident)| {
            let mut told = incident("1", "a", 0, 5);
            change(&mut told);
            wrong(&[scan("a", 0, 5)], &[told], &[])
        };
        for complaints in [
            other(&|told| told.direction = "outbound".to_owned()),
            other(&|told| told.techniques = BTreeSet::from(["udp".to_owned()])),
            other(&|told| (told.first_ms, told.last_ms, told.detected_ms) = (90 * S, 95 * S, 91 * S)),
        ] {
            assert!(complaints.iter().any(|complaint| complaint.starts_with("missing: ")), "{complaints:?}");
            assert!(complaints.iter().any(|complaint| complaint.starts_with("extra: ")), "{complaints:?}");
        }
    }

    #[test]
    fn an_incident_of_somebody_quiet_is_extra() {
        let complaints = wrong(&[], &[incident("1", "10.1.0.10", 0, 5)], &[]);
        assert_one(
            &complaints,
            "extra: nobody scanned, and there is incident 1 of 1970-01-01T00:00:00.5Z: because",
        );
        let outside = Scan { expected: None, ..scan("a", 0, 5) };
        assert_one(&wrong(&[outside], &[incident("1", "a", 0, 5)], &[]), "extra: ");
    }

    #[test]
    fn a_second_incident_of_one_scan_is_doubled_unless_sigkill_came_before_the_first_was_saved() {
        let scans = [scan("a", 0, 60)];
        let mut first = incident("1", "a", 0, 20);
        let second = incident("2", "a", 25, 60);
        assert_one(&wrong(&scans, &[first.clone(), second.clone()], &[]), "doubled: incident 2 of ");
        assert_one(&wrong(&scans, &[first.clone(), second.clone()], &[40 * S]), "doubled: ");
        first.ended = false;
        let evidence =
            Evidence { scans: &scans, incidents: &[first, second], kills: &[8 * S], all_ended: true };
        let verdict = judge(evidence);
        assert!(verdict.wrong.is_empty(), "{:?}", verdict.wrong);
        assert_eq!(verdict.forgotten, 2, "one told again, one without an end");
    }

    #[test]
    fn an_incident_without_an_end_is_named_once_there_was_quiet() {
        let open = Incident { ended: false, ..incident("1", "a", 0, 5) };
        assert_one(&wrong(&[scan("a", 0, 5)], std::slice::from_ref(&open), &[]), "without an end: ");
        let scans = [scan("a", 0, 5)];
        let early = Evidence { scans: &scans, incidents: &[open], kills: &[], all_ended: false };
        assert!(judge(early).wrong.is_empty());
    }

    #[test]
    fn an_incident_that_is_told_for_the_first_time_twice_is_named() {
        let twice = Incident { detections: 2, ..incident("1", "a", 0, 5) };
        assert_one(&wrong(&[scan("a", 0, 5)], &[twice], &[]), "told for the first time 2 times: ");
    }

    #[test]
    fn of_a_scan_that_was_cut_short_there_may_be_an_incident_or_none() {
        let cut = Scan { whole: false, ..scan("a", 0, 5) };
        assert!(wrong(std::slice::from_ref(&cut), &[], &[]).is_empty());
        assert!(wrong(&[cut], &[incident("1", "a", 0, 5)], &[]).is_empty());
    }

    #[test]
    fn incidents_share_out_scans_so_that_as_many_as_can_have_one_of_their_own() {
        // The first incident could have begun with either scan, the second with the first only.
        let scans = [scan("a", 0, 20), scan("a", 10, 50)];
        let incidents = [incident("1", "a", 15, 30), incident("2", "a", 2, 12)];
        assert!(wrong(&scans, &incidents, &[]).is_empty());
    }
}
