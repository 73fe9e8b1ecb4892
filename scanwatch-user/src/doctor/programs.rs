//! Loading the kernel programs, as a start does, without attaching them to anything.

use std::time::{Duration, Instant};

use super::finding::{Area, Check, Finding};
use super::text::{bytes, counted};
use crate::kernel::{Kernel, KernelError, Options, ProgramFacts};
use crate::policy::Policy;

/// What became of the trial.
#[derive(Debug)]
pub(super) struct Trial {
    outcome: Result<Loaded, KernelError>,
}

/// What was loaded, and is gone again.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub programs: Vec<ProgramFacts>,
    pub maps_bytes: u64,
    /// Time it took to make the maps, and to have every program verified.
    pub took: Duration,
}

impl Trial {
    /// Loads every program, and lets go of them.
    pub(super) fn run(policy: &Policy) -> Self {
        Self { outcome: load(policy) }
    }

    /// What the maps take of the kernel's memory, where that was found out.
    pub(super) fn maps_bytes(&self) -> Option<u64> {
        self.outcome.as_ref().ok().map(|loaded| loaded.maps_bytes)
    }

    /// Whether the kernel compiled what it loaded, where it did load.
    pub(super) fn are_compiled(&self) -> Option<bool> {
        let loaded = self.outcome.as_ref().ok()?;
        Some(loaded.programs.iter().all(|program| program.is_compiled))
    }
}

fn load(policy: &Policy) -> Result<Loaded, KernelError> {
    let begun = Instant::now();
    let mut kernel = Kernel::load(policy, Options::default())?;
    let programs = kernel.programs()?;
    let took = begun.elapsed();
    let maps_bytes = kernel.maps()?.iter().map(|map| map.kernel_bytes).sum();
    Ok(Loaded { programs, maps_bytes, took })
}

/// `may_load` says whether this user has what it takes to load programs.
pub(super) fn judge(trial: &Trial, may_load: bool) -> Finding {
    let check = Check::of(Area::Programs, "load");
    match &trial.outcome {
        Ok(loaded) => check.ok(said(loaded)),
        Err(KernelError::Rights(_)) if may_load => check.problem(
            "the kernel refused to load the programs, though the capabilities are there",
            "see what forbids bpf(2): the container's seccomp profile, a security module, or the kernel's lockdown",
        ),
        // Which rights are missing is said of the rights.
        Err(KernelError::Rights(_)) => check
            .note("whether this kernel takes the programs was not tried, for lack of rights")
            .advising("run doctor as root"),
        Err(error @ KernelError::TooOld { .. }) => {
            check.problem(format!("the programs were not loaded: {error}"), "boot a newer kernel")
        }
        Err(error) => check.problem_as_told(
            &error.to_string(),
            "report it with the output of `scanwatch doctor --json`: the verifier of each kernel is another",
        ),
    }
}

fn said(loaded: &Loaded) -> String {
    let most = loaded.programs.iter().max_by_key(|program| program.instructions_verified);
    let most = most.map_or_else(String::new, |program| {
        format!(", at most {} instructions verified ({})", program.instructions_verified, program.name)
    });
    format!(
        "{} loaded in {:.1} s{most}; maps take {}",
        counted(loaded.programs.len() as u64, "program"),
        loaded.took.as_secs_f64(),
        bytes(loaded.maps_bytes)
    )
}

#[cfg(test)]
impl Trial {
    /// A trial with this outcome.
    pub(super) const fn with(outcome: Result<Loaded, KernelError>) -> Self {
        Self { outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn program(name: &str, instructions_verified: u32, is_compiled: bool) -> ProgramFacts {
        ProgramFacts {
            name: name.to_owned(),
            id: 7,
            is_gpl_compatible: true,
            instructions_verified,
            is_compiled,
        }
    }

    fn loaded(is_compiled: bool) -> Loaded {
        let programs =
            vec![program("scanwatch_tc", 5_000, true), program("scanwatch_xdp", 70_000, is_compiled)];
        Loaded { programs, maps_bytes: 90 << 20, took: Duration::from_millis(1_240) }
    }

    #[test]
    fn what_was_loaded_is_told_with_the_largest_program_and_the_maps() {
        let trial = Trial::with(Ok(loaded(true)));
        let finding = judge(&trial, true);
        assert_eq!(finding.verdict, Verdict::Ok);
        assert_eq!(
            finding.found,
            "2 programs loaded in 1.2 s, at most 70000 instructions verified (scanwatch_xdp); maps take 90 MiB"
        );
        assert_eq!((trial.maps_bytes(), trial.are_compiled()), (Some(90 << 20), Some(true)));
        assert_eq!(Trial::with(Ok(loaded(false))).are_compiled(), Some(false));
    }

    #[test]
    fn lack_of_rights_says_that_nothing_was_tried() {
        let trial = Trial::with(Err(KernelError::Rights("load the kernel programs")));
        assert_eq!(judge(&trial, false).verdict, Verdict::Note);
        assert_eq!(judge(&trial, true).verdict, Verdict::Problem, "something else is in the way");
        assert_eq!((trial.maps_bytes(), trial.are_compiled()), (None, None));
    }

    #[test]
    fn a_refusal_is_a_problem_in_the_kernels_words() {
        let refused =
            KernelError::Refused { what: "load the kernel programs", detail: "R2 invalid".to_owned() };
        let finding = judge(&Trial::with(Err(refused)), true);
        assert_eq!(finding.verdict, Verdict::Problem);
        assert_eq!(finding.found, "the kernel refused to load the kernel programs: R2 invalid");
        assert!(finding.advice.is_some());
    }
}
