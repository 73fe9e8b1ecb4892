//! What a check found: where, how bad it is, and what to do.

use std::fmt;

use serde::Serialize;

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// The kernel itself.
    Kernel,
    /// What this user may do.
    Rights,
    /// Memory.
    Memory,
    /// Loading the kernel programs.
    Programs,
    /// An interface.
    Interface,
    /// The clock.
    Clock,
    /// The state directory and the spools in it.
    State,
    /// A receiver of alerts.
    Sink,
    /// The address on which the agent answers.
    Listen,
}

impl Area {
    /// Its name, as the JSON document has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Rights => "rights",
            Self::Memory => "memory",
            Self::Programs => "programs",
            Self::Interface => "interface",
            Self::Clock => "clock",
            Self::State => "state",
            Self::Sink => "sink",
            Self::Listen => "listen",
        }
    }
}

/// How bad it is, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Good to know.
    Note,
    /// scanwatch works, but less well than it could.
    Warning,
    /// scanwatch does not start, sees nothing, or tells nobody.
    Problem,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        })
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked.
    pub area: Area,
    /// Name of the check, the same in every version.
    pub check: &'static str,
    /// What it is about, where there are several: the name of an interface, a sink or a capability.
    pub subject: Option<String>,
    /// How bad it is.
    pub verdict: Verdict,
    /// What was found, in words.
    pub found: String,
    /// What to do about it. Warnings and problems always have it.
    pub advice: Option<String>,
}

impl Finding {
    /// The finding with advice.
    #[must_use]
    pub fn advising(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

/// A check that is about to find something.
#[derive(Clone, Debug)]
pub struct Check {
    area: Area,
    name: &'static str,
    subject: Option<String>,
}

impl Check {
    /// A check by its name.
    #[must_use]
    pub const fn of(area: Area, name: &'static str) -> Self {
        Self { area, name, subject: None }
    }

    /// A check of one of several things.
    #[must_use]
    pub fn about(area: Area, name: &'static str, subject: &str) -> Self {
        Self { area, name, subject: Some(subject.to_owned()) }
    }

    /// It is as it should be.
    #[must_use]
    pub fn ok(self, found: impl Into<String>) -> Finding {
        self.finding(Verdict::Ok, found.into(), None)
    }

    /// It is good to know.
    #[must_use]
    pub fn note(self, found: impl Into<String>) -> Finding {
        self.finding(Verdict::Note, found.into(), None)
    }

    /// It could be better.
    #[must_use]
    pub fn warning(self, found: impl Into<String>, advice: impl Into<String>) -> Finding {
        self.finding(Verdict::Warning, found.into(), Some(advice.into()))
    }

    /// It keeps scanwatch from working.
    #[must_use]
    pub fn problem(self, found: impl Into<String>, advice: impl Into<String>) -> Finding {
        self.finding(Verdict::Problem, found.into(), Some(advice.into()))
    }

    /// It keeps scanwatch from working; the sentence may say what to do behind a semicolon, as errors here do.
    #[must_use]
    pub fn problem_as_told(self, sentence: &str, otherwise: &str) -> Finding {
        match sentence.rsplit_once("; ") {
            Some((found, advice)) => self.problem(found, advice),
            None => self.problem(sentence, otherwise),
        }
    }

    fn finding(self, verdict: Verdict, found: String, advice: Option<String>) -> Finding {
        Finding { area: self.area, check: self.name, subject: self.subject, verdict, found, advice }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_advises_is_told_apart_from_what_it_says() {
        let check = || Check::about(Area::Sink, "receiver", "siem");
        let told = check().problem_as_told("it is shut (a; b); open it", "see its log");
        assert_eq!((told.found.as_str(), told.advice.as_deref()), ("it is shut (a; b)", Some("open it")));
        let told = check().problem_as_told("it is shut", "see its log");
        assert_eq!((told.found.as_str(), told.advice.as_deref()), ("it is shut", Some("see its log")));
    }

    #[test]
    fn areas_have_one_name_wherever_it_is_written() {
        for area in [
            Area::Kernel,
            Area::Rights,
            Area::Memory,
            Area::Programs,
            Area::Interface,
            Area::Clock,
            Area::State,
            Area::Sink,
            Area::Listen,
        ] {
            assert_eq!(serde_json::to_value(area).unwrap(), area.name());
        }
    }

    #[test]
    fn the_worst_verdict_is_the_largest() {
        assert!(Verdict::Problem > Verdict::Warning && Verdict::Warning > Verdict::Note);
        assert!(Verdict::Note > Verdict::Ok);
    }
}
