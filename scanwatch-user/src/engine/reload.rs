//! Another policy for an engine that has seen much.

use std::sync::Arc;

use super::renumber::{Numbering, Renumber};
use super::source::SourceKey;
use super::{Engine, TURN};
use crate::policy::Policy;

/// Sources judged anew in one turn, so that nobody waits for all of them.
const SOURCES_A_TURN: usize = 64;

impl Engine {
    /// Goes on by another policy. Open incidents stay what they are; zones, service groups and roles are known by their
    /// names. What a role covers from now on leaves the incidents it belonged to, which so end after the quiet time; what a
    /// role that is gone covered is forgotten. All sources are judged by the other numbers within half a minute.
    pub fn set_policy(&mut self, policy: Arc<Policy>) {
        let map = Renumber::new(&Numbering::of(&self.policy), &policy);
        let slot = self.slot_of_surges();
        for source in self.sources.all_mut() {
            source.renumber(&map, &policy);
        }
        self.coverage.renumber(&map, &policy);
        self.ledger.renumber(&map);
        self.world.renumber(&map);
        self.sources.set_limit(policy.limits.sources);
        self.policy = policy;
        if self.slot_of_surges() != slot {
            self.surges.begin_anew(self.now);
        }
        let mut keys: Vec<SourceKey> = self.sources.all().map(|source| source.profile.key).collect();
        keys.sort_unstable();
        let mut at = self.now;
        for keys in keys.chunks(SOURCES_A_TURN) {
            at = at.plus(TURN);
            for key in keys {
                self.remind(*key, at);
            }
        }
    }
}
