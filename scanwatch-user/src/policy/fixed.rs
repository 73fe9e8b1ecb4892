//! What a running agent cannot change.

use super::Policy;

impl Policy {
    /// This policy with what a running agent cannot change as it was, and the names of what would have been changed.
    #[must_use]
    pub fn fixed_as(mut self, running: &Self) -> (Self, Vec<&'static str>) {
        let mut kept = Vec::new();
        keep(&mut self.interfaces, &running.interfaces, "[[interface]]", &mut kept);
        keep(&mut self.state_directory, &running.state_directory, "[state] directory", &mut kept);
        keep(&mut self.listen, &running.listen, "[listen]", &mut kept);
        keep(&mut self.rights, &running.rights, "[rights]", &mut kept);
        let (limits, was) = (&mut self.limits, &running.limits);
        keep(&mut limits.cells_internal, &was.cells_internal, "cells_internal", &mut kept);
        keep(&mut limits.cells_external, &was.cells_external, "cells_external", &mut kept);
        keep(&mut limits.admit_internal, &was.admit_internal, "admit_internal", &mut kept);
        keep(&mut limits.admit_external, &was.admit_external, "admit_external", &mut kept);
        let (internal, external) = ("source_prefix_v6_internal", "source_prefix_v6_external");
        keep(&mut limits.source_prefix_v6_internal, &was.source_prefix_v6_internal, internal, &mut kept);
        keep(&mut limits.source_prefix_v6_external, &was.source_prefix_v6_external, external, &mut kept);
        (self, kept)
    }
}

fn keep<T: Clone + PartialEq>(wanted: &mut T, running: &T, name: &'static str, kept: &mut Vec<&'static str>) {
    if wanted != running {
        wanted.clone_from(running);
        kept.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_was_told_at_its_start_stays_and_is_named() {
        let running = Policy::default();
        let mut wanted = running.clone();
        wanted.limits.cells_internal = 1_024;
        wanted.limits.quiet *= 2;
        wanted.state_directory = Some("/srv/scanwatch".into());
        let (policy, kept) = wanted.clone().fixed_as(&running);
        assert_eq!(kept, ["[state] directory", "cells_internal"]);
        assert_eq!((policy.limits.cells_internal, policy.limits.quiet), (16_384, wanted.limits.quiet));
        assert_eq!(policy.fixed_as(&running).1, Vec::<&str>::new());
    }
}
