//! How far the agent will be confined: its files, and who may write its configuration.

use std::path::Path;

use super::finding::{Area, Check, Finding};
use crate::config::{ConfigError, check_trust};
use crate::kernel::{self, Sandbox};

/// What there is to know.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// What the kernel can do.
    pub sandbox: Sandbox,
    /// It is to be used.
    pub is_wanted: bool,
    /// Whether the configuration file can be trusted, where there is one.
    pub trust: Option<Result<(), ConfigError>>,
}

pub(super) fn gather(config: Option<&Path>, is_wanted: bool) -> Facts {
    let trust = config.map(|file| check_trust(file, Some(kernel::user())));
    Facts { sandbox: Sandbox::of_kernel(), is_wanted, trust }
}

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let check = Check::of(Area::Rights, "landlock");
    let files = match facts.sandbox {
        _ if !facts.is_wanted => check
            .note("files will not be confined, as configured")
            .advising("leave `landlock = false` out of [rights]"),
        Sandbox::Landlock(_) => check.ok(format!("files will be confined by {}", facts.sandbox)),
        Sandbox::Missing | Sandbox::Off => {
            check.note(format!("files will not be confined: {}", facts.sandbox)).advising(
                "have the unit of the service confine them (ProtectSystem=strict), as the packaged one does",
            )
        }
    };
    let mut findings = vec![files];
    if let Some(trust) = &facts.trust {
        let check = Check::of(Area::Rights, "configuration");
        findings.push(match trust {
            Ok(()) => check.ok("only its owner, and whom that lets, may write the configuration"),
            Err(error) => {
                let (found, advice) = error.message.rsplit_once("; ").unwrap_or((&error.message, ""));
                check.problem(format!("{} {found}", error.file), advice)
            }
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn verdicts(sandbox: Sandbox, is_wanted: bool) -> Vec<Verdict> {
        let findings = judge(&Facts { sandbox, is_wanted, trust: None });
        findings.iter().map(|finding| finding.verdict).collect()
    }

    #[test]
    fn a_kernel_without_landlock_is_worth_a_note_and_so_is_one_that_may_not_use_it() {
        assert_eq!(verdicts(Sandbox::Landlock(7), true), [Verdict::Ok]);
        assert_eq!(verdicts(Sandbox::Landlock(7), false), [Verdict::Note]);
        assert_eq!(verdicts(Sandbox::Missing, true), [Verdict::Note]);
        assert_eq!(verdicts(Sandbox::Off, true), [Verdict::Note]);
    }

    #[test]
    fn a_configuration_that_anybody_may_write_keeps_the_agent_from_starting() {
        let error = ConfigError {
            file: "office.toml".to_owned(),
            line: None,
            message: "may be written by anybody; chmod o-w it".to_owned(),
        };
        let facts = Facts { sandbox: Sandbox::Landlock(7), is_wanted: true, trust: Some(Err(error)) };
        let finding = judge(&facts).pop().unwrap();
        assert_eq!((finding.verdict, finding.check), (Verdict::Problem, "configuration"));
        assert_eq!(finding.found, "office.toml may be written by anybody");
        assert_eq!(finding.advice.as_deref(), Some("chmod o-w it"));
    }
}
