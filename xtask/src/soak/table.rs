//! The summary of a soak: plain text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::incidents::Incident;
use super::judge::Verdict;
use super::keeper::Figures;
use super::meter::Reading;
use super::stage::Done;

/// What the summary tells.
pub struct Summary<'a> {
    /// Of the random choices.
    pub seed: u64,
    /// Length of the soak, seconds.
    pub seconds: u64,
    /// What became of scans and incidents.
    pub verdict: &'a Verdict,
    /// All incidents.
    pub incidents: &'a [Incident],
    /// Records of all processes.
    pub records: usize,
    /// What was done, by whom.
    pub done: &'a BTreeMap<&'static str, Done>,
    /// What was done to scanwatch.
    pub figures: &'a Figures,
    /// What the first process held at its start.
    pub start: Reading,
    /// What the last process held after its warm-up.
    pub warm: Reading,
    /// What it held after the last quiet phase.
    pub end: Reading,
}

/// Actors with columns of their own.
const NOT_QUIET: [&str; 2] = ["scanners", "floods"];

impl Summary<'_> {
    /// The table, with a line end after each row.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = format!("{} s, seed {}\n\n", self.seconds, self.seed);
        self.scans(&mut text);
        self.quiet(&mut text);
        self.agent(&mut text);
        text
    }

    fn scans(&self, text: &mut String) {
        let _ = writeln!(text, "{:<24} {:>8} {:>8} {:>10}", "scans", "ran", "found", "cut short");
        for (sort, tally) in &self.verdict.sorts {
            let shown = if sort == "from outside" { "-".to_owned() } else { tally.found.to_string() };
            let _ = writeln!(text, "{sort:<24} {:>8} {shown:>8} {:>10}", tally.ran, tally.cut_short);
        }
        let _ = writeln!(
            text,
            "incidents: {}, told again or without an end after SIGKILL: {}; scans from outside in the statistics: {}\n",
            self.incidents.len(),
            self.verdict.forgotten,
            self.figures.inbound
        );
    }

    fn quiet(&self, text: &mut String) {
        let _ = writeln!(text, "{:<24} {:>8} {:>8}", "quiet actors", "worked", "hindered");
        for (who, done) in self.done.iter().filter(|(who, _)| !NOT_QUIET.contains(who)) {
            let _ = writeln!(text, "{who:<24} {:>8} {:>8}", done.well, done.badly);
        }
        text.push('\n');
    }

    fn agent(&self, text: &mut String) {
        let Self { figures, start, warm, end, .. } = self;
        let floods = self.done.get("floods").copied().unwrap_or_default();
        let mut row = |what: &str, figure: String| {
            let _ = writeln!(text, "{what:<24} {figure}");
        };
        row("floods", floods.well.to_string());
        row(
            "reloads",
            format!("{} followed, {} refused as they should be", figures.reloads, figures.refusals),
        );
        row("restarts", format!("{} by SIGTERM, {} by SIGKILL", figures.restarts, figures.kills.len()));
        row("records", self.records.to_string());
        row(
            "losses told",
            format!("{} records of contacts, {} cells", figures.ring_lost, figures.cells_refused),
        );
        row(
            "resident memory, kB",
            format!(
                "{} at the start; {} after the last process's warm-up, {} at its end; {} at most",
                start.rss_kb, warm.rss_kb, end.rss_kb, figures.rss_max_kb
            ),
        );
        row(
            "descriptors",
            format!(
                "{} at the start; {} after the last process's warm-up, {} at its end",
                start.descriptors, warm.descriptors, end.descriptors
            ),
        );
    }
}
