//! All findings, and what they come to.

use serde_json::json;

use super::finding::{Finding, Verdict};
use super::table::{self, Layout};

/// What a look at everything has found.
#[derive(Clone, Debug)]
pub struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// The report of these findings, in their order.
    #[must_use]
    pub fn of(findings: Vec<Finding>) -> Self {
        Self { findings }
    }

    /// What was found.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The worst of all verdicts.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok)
    }

    /// Nothing keeps scanwatch from starting, seeing and telling.
    #[must_use]
    pub fn can_work(&self) -> bool {
        self.verdict() < Verdict::Problem
    }

    /// Findings with this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }

    /// A table for people, and a line that says what it comes to.
    #[must_use]
    pub fn table(&self, layout: &Layout) -> String {
        table::render(self, layout)
    }

    /// One JSON document on one line; `docs/DOCTOR.md` describes it.
    #[must_use]
    pub fn json(&self) -> String {
        let document = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "verdict": self.verdict(),
            "counts": {
                "ok": self.count(Verdict::Ok),
                "note": self.count(Verdict::Note),
                "warning": self.count(Verdict::Warning),
                "problem": self.count(Verdict::Problem),
            },
            "findings": self.findings,
        });
        format!("{document}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Area, Check};
    use super::*;

    fn findings() -> Vec<Finding> {
        vec![
            Check::of(Area::Kernel, "version").ok("Linux 6.12"),
            Check::about(Area::Interface, "queues", "eth0").warning("one queue", "add some"),
        ]
    }

    #[test]
    fn warnings_do_not_keep_scanwatch_from_working_and_problems_do() {
        let mut all = findings();
        assert!(Report::of(all.clone()).can_work());
        all.push(Check::of(Area::Rights, "capabilities").problem("none", "get some"));
        let report = Report::of(all);
        assert!(!report.can_work());
        assert_eq!((report.verdict(), report.count(Verdict::Problem)), (Verdict::Problem, 1));
        assert!(Report::of(Vec::new()).can_work());
    }

    #[test]
    fn the_document_is_one_line_of_a_stable_shape() {
        let text = Report::of(findings()).json();
        assert_eq!(text.lines().count(), 1);
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "verdict": "warning",
            "counts": {"ok": 1, "note": 0, "warning": 1, "problem": 0},
            "findings": [
                {"area": "kernel", "check": "version", "subject": null, "verdict": "ok", "found": "Linux 6.12", "advice": null},
                {"area": "interface", "check": "queues", "subject": "eth0", "verdict": "warning", "found": "one queue", "advice": "add some"},
            ],
        });
        assert_eq!(document, expected);
    }
}
