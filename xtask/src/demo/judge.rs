//! Holds what scanwatch said against what each scene expects. Pure: records and counters in, outcomes out.

use std::time::Instant;

use serde_json::Value;

use super::scenes::{Expectation, Scene};
use crate::lab::agent::{Record, field};

const DETECTED: &str = "scan-detected";

/// A scene that was played.
pub struct Played<'a> {
    /// The scene.
    pub scene: &'a Scene,
    /// The address its actor used.
    pub source: String,
    /// When it began.
    pub started: Instant,
}

/// What came of one scene.
pub struct Outcome<'a> {
    /// The scene.
    pub played: &'a Played<'a>,
    /// The first incident it caused.
    pub detected: Option<Record>,
    /// Kinds of further incidents it caused.
    pub further: Vec<String>,
    /// scanwatch's own account: the reason of the alert, or what its counters say about the silence.
    pub account: String,
    /// Whether the counters contradict the reason expected for the silence.
    contradicted: bool,
}

/// The outcome of every scene, in order. `stats` are scanwatch's counters, once it has ended.
pub fn outcomes<'a>(played: &'a [Played<'a>], records: &[Record], stats: Option<&Value>) -> Vec<Outcome<'a>> {
    let mut caused: Vec<Vec<&Record>> = vec![Vec::new(); played.len()];
    for record in records.iter().filter(|record| record.action() == DETECTED) {
        if let Some(scene) = cause(played, record) {
            caused[scene].push(record);
        }
    }
    let outcome = |(played, caused): (&'a Played<'a>, Vec<&Record>)| {
        let detected = caused.first().copied().cloned();
        let further = caused.iter().skip(1).map(|record| record.kind().to_owned()).collect();
        let (account, contradicted) = match &detected {
            Some(record) => (reason_of(record), false),
            None => silence(played.scene.expected, stats),
        };
        Outcome { played, detected, further, account, contradicted }
    };
    played.iter().zip(caused).map(outcome).collect()
}

/// Alerts about addresses that took part in no scene.
pub fn strangers(played: &[Played<'_>], records: &[Record]) -> Vec<String> {
    let detected = records.iter().filter(|record| record.action() == DETECTED);
    let strange = detected.filter(|record| cause(played, record).is_none());
    strange
        .map(|record| format!("{} did nothing, scanwatch raised '{}'", record.source(), record.kind()))
        .collect()
}

/// The scene a record is about: of those its source had begun, the one that expects such a kind, or the latest.
fn cause(played: &[Played<'_>], record: &Record) -> Option<usize> {
    let begun = |scene: &Played<'_>| scene.source == record.source() && scene.started <= record.at;
    let expects = |scene: &Played<'_>| matches!(scene.scene.expected, Expectation::Alert { kind, .. } if kind == record.kind());
    let last = |wanted: &dyn Fn(&Played<'_>) -> bool| played.iter().rposition(wanted);
    last(&|scene| begun(scene) && expects(scene)).or_else(|| last(&begun))
}

fn reason_of(record: &Record) -> String {
    let reason = record.text("event.reason");
    if reason.is_empty() { "-".to_owned() } else { reason.to_owned() }
}

/// Why nothing was said, by scanwatch's counters as far as they go; and whether they contradict what was expected.
fn silence(expected: Expectation, stats: Option<&Value>) -> (String, bool) {
    match expected {
        Expectation::Alert { .. } => ("-".to_owned(), false),
        Expectation::Ordinary(reason) => (reason.to_owned(), false),
        Expectation::Covered { role, hosts_min } => {
            let entry = stats.and_then(|stats| role_entry(stats, role));
            let count = |name: &str| entry.and_then(|entry| field(entry, name)).and_then(Value::as_u64);
            let (hosts, pairs) = (count("hosts"), count("pairs"));
            let account =
                format!("role \"{role}\" covers it: {} hosts, {} pairs", shown(hosts), shown(pairs));
            (account, hosts.is_some_and(|hosts| hosts < hosts_min))
        }
        Expectation::Statistics => {
            let count = |name: &str| stats.and_then(|stats| field(stats, name)).and_then(Value::as_u64);
            let (sources, incidents) =
                (count("directions.inbound.sources"), count("directions.inbound.incidents"));
            let account = format!(
                "scans from the internet are statistics: {} sources, {} incidents",
                shown(sources),
                shown(incidents)
            );
            (account, sources == Some(0))
        }
    }
}

fn role_entry<'a>(stats: &'a Value, role: &str) -> Option<&'a Value> {
    let roles = stats.get("roles")?.as_array()?;
    roles.iter().find(|entry| entry.get("name").and_then(Value::as_str) == Some(role))
}

fn shown(count: Option<u64>) -> String {
    count.map_or_else(|| "-".to_owned(), |count| count.to_string())
}

impl Outcome<'_> {
    /// What scanwatch said, in short.
    pub fn said(&self) -> String {
        let Some(record) = &self.detected else { return "silent".to_owned() };
        let severity = match record.number("event.severity") {
            Some(score) if score >= 99.0 => "critical",
            Some(score) if score >= 73.0 => "high",
            Some(score) if score >= 47.0 => "medium",
            Some(_) => "low",
            None => "-",
        };
        let others =
            if self.further.is_empty() { String::new() } else { format!(" and {}", self.further.join(", ")) };
        format!("ALERT {}{others}, {severity}", record.kind())
    }

    /// Whether it is what was expected.
    pub fn is_expected(&self) -> bool {
        self.complaint().is_none()
    }

    /// What differs from what was expected, as one clause.
    pub fn complaint(&self) -> Option<String> {
        let scene = self.played.scene;
        let wrong = |expected: String| {
            format!(
                "{} ({}): expected {expected}, scanwatch said '{}'",
                scene.actor,
                scene.title,
                self.said()
            )
        };
        match (scene.expected, &self.detected) {
            (Expectation::Alert { kind, .. }, None) => Some(wrong(format!("an alert of kind '{kind}'"))),
            (Expectation::Alert { kind, role }, Some(record)) => {
                let named = record.texts("scanwatch.role");
                if record.kind() != kind || !self.further.is_empty() {
                    Some(wrong(format!("one alert, of kind '{kind}'")))
                } else if let Some(role) = role
                    && !named.iter().any(|named| named.contains(role))
                {
                    Some(wrong(format!("scanwatch.role to name '{role}'")))
                } else {
                    None
                }
            }
            (_, Some(_)) => Some(wrong("silence".to_owned())),
            (_, None) if self.contradicted => {
                Some(wrong(format!("its counters to give the reason, which say: {}", self.account)))
            }
            (_, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::scenes::SCENES;
    use super::*;

    fn played(actor: &str, number: usize, source: &str) -> Played<'static> {
        let scene = SCENES.iter().filter(|scene| scene.actor == actor).nth(number).unwrap();
        Played { scene, source: source.to_owned(), started: Instant::now() }
    }

    fn alert(source: &str, kind: &str, role: Option<&str>) -> Record {
        let scan = json!({"scan": {"kind": kind}, "role": role});
        let event = json!({"action": DETECTED, "severity": 73, "reason": "because"});
        let value = json!({"event": event, "source": {"ip": source}, "scanwatch": scan});
        Record { at: Instant::now(), line: String::new(), value }
    }

    #[test]
    fn an_alert_goes_to_the_scene_that_expects_its_kind() {
        let played = [played("scanner", 0, "10.1.0.99"), played("scanner", 1, "10.1.0.99")];
        let records = [alert("10.1.0.99", "horizontal", None), alert("10.1.0.99", "vertical", None)];
        let outcomes = outcomes(&played, &records, None);
        assert!(outcomes.iter().all(Outcome::is_expected));
        assert_eq!(outcomes[0].said(), "ALERT vertical, high");
        assert_eq!(outcomes[1].account, "because");
    }

    #[test]
    fn an_alert_that_does_not_come_or_comes_twice_is_a_complaint() {
        let played = [played("scanner", 0, "10.1.0.99")];
        let missing = outcomes(&played, &[], None)[0].complaint().unwrap();
        assert!(missing.contains("expected an alert of kind 'vertical'"), "{missing}");
        let twice = [alert("10.1.0.99", "vertical", None), alert("10.1.0.99", "block", None)];
        assert!(!outcomes(&played, &twice, None)[0].is_expected());
    }

    #[test]
    fn the_proxy_is_silent_on_the_web_and_outside_its_role_inside() {
        let played = [played("proxy", 0, "10.1.0.20"), played("proxy", 1, "10.1.0.20")];
        let stats = json!({"roles": [{"name": "egress proxies", "hosts": 301, "pairs": 598}]});
        let records = [alert("10.1.0.20", "horizontal", Some("egress proxies"))];
        let good = outcomes(&played, &records, Some(&stats));
        assert!(good.iter().all(Outcome::is_expected));
        assert_eq!(good[0].account, "role \"egress proxies\" covers it: 301 hosts, 598 pairs");
        let roleless = [alert("10.1.0.20", "horizontal", None)];
        assert!(!outcomes(&played, &roleless, Some(&stats))[1].is_expected());
    }

    #[test]
    fn a_silence_that_the_counters_contradict_is_a_complaint() {
        let played = [played("relay", 0, "10.1.0.25"), played("outside", 0, "203.0.113.66")];
        let blind = json!({"roles": [{"name": "mail relays", "hosts": 0, "pairs": 0}],
                           "directions": {"inbound": {"sources": 0, "incidents": 0}}});
        assert!(outcomes(&played, &[], Some(&blind)).iter().all(|outcome| !outcome.is_expected()));
        let unknown = outcomes(&played, &[], None);
        assert!(unknown.iter().all(Outcome::is_expected));
        assert_eq!(unknown[0].account, "role \"mail relays\" covers it: - hosts, - pairs");
    }

    #[test]
    fn an_alert_about_a_bystander_is_a_complaint() {
        let played = [played("scanner", 0, "10.1.0.99")];
        let records = [alert("10.2.0.10", "vertical", None)];
        assert_eq!(strangers(&played, &records), ["10.2.0.10 did nothing, scanwatch raised 'vertical'"]);
        assert!(strangers(&played, &[alert("10.1.0.99", "vertical", None)]).is_empty());
    }
}
