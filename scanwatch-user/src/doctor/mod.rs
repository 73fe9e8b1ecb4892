//! What this machine and these rights allow, and what to do about the rest.
//!
//! A file for each area: it gathers facts, and judges them apart from that. Nothing is attached, made or changed.

mod clock;
mod confinement;
mod finding;
mod interfaces;
mod kernel;
mod listen;
mod memory;
mod programs;
mod report;
mod rights;
mod sinks;
mod state;
mod table;
mod text;

pub use finding::{Area, Finding, Verdict};
pub use report::Report;
pub use table::Layout;

use std::path::Path;

use programs::Trial;

use crate::policy::Policy;

/// Looks at everything that watching by this policy needs, which came from a file or from the defaults.
pub async fn examine(policy: &Policy, config: Option<&Path>) -> Report {
    let rights = rights::gather();
    let trial = Trial::run(policy);
    let mut findings = kernel::judge(&kernel::gather(&trial));
    findings.extend(rights::judge(&rights));
    findings.extend(confinement::judge(&confinement::gather(config, policy.rights.landlock)));
    findings.extend(memory::judge(&memory::gather(policy, &trial)));
    findings.push(programs::judge(&trial, rights.may_load()));
    findings.extend(interfaces::judge(&interfaces::gather(policy).await));
    findings.extend(clock::judge(&clock::gather()));
    findings.extend(state::judge(&state::gather(policy)));
    findings.extend(sinks::judge(&sinks::gather(policy).await));
    if let Some(listen) = &policy.listen {
        findings.push(listen::judge(&listen.endpoint, &listen::gather(listen).await));
    }
    Report::of(findings)
}
