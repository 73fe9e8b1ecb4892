//! What MITRE ATT&CK calls it.

use super::record::Snapshot;
use super::scan::{Kind, Techniques};
use crate::policy::Direction;

/// A technique of ATT&CK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttackTechnique {
    /// Id, with the sub-technique where there is one.
    pub id: &'static str,
    /// Name.
    pub name: &'static str,
    /// Id of the tactic it serves.
    pub tactic_id: &'static str,
    /// Name of that tactic.
    pub tactic: &'static str,
}

const SERVICES: AttackTechnique = AttackTechnique {
    id: "T1046",
    name: "Network Service Discovery",
    tactic_id: "TA0007",
    tactic: "Discovery",
};
const SYSTEMS: AttackTechnique = AttackTechnique {
    id: "T1018",
    name: "Remote System Discovery",
    tactic_id: "TA0007",
    tactic: "Discovery",
};
const ACTIVE: AttackTechnique =
    AttackTechnique { id: "T1595", name: "Active Scanning", tactic_id: "TA0043", tactic: "Reconnaissance" };
const BLOCKS: AttackTechnique = AttackTechnique {
    id: "T1595.001",
    name: "Scanning IP Blocks",
    tactic_id: "TA0043",
    tactic: "Reconnaissance",
};

/// The techniques of an incident. Discovery is about the network one is in; whoever scans another's does
/// reconnaissance.
#[must_use]
pub fn attack_techniques(snapshot: &Snapshot) -> Vec<AttackTechnique> {
    if snapshot.direction != Direction::Lateral {
        return vec![if snapshot.kind == Kind::Vertical { ACTIVE } else { BLOCKS }];
    }
    let mut found = Vec::new();
    if !snapshot.techniques.within(Techniques::PORTLESS) {
        found.push(SERVICES);
    }
    if snapshot.techniques.meets(Techniques::PORTLESS) {
        found.push(SYSTEMS);
    }
    found
}
