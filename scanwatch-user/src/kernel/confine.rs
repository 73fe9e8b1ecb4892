//! What the process gives up: new privileges, core dumps, and capabilities.
//!
//! Capabilities belong to threads, and a thread begins with those of the one that starts it.

use std::collections::HashSet;
use std::fmt::Display;

use caps::CapSet;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use thiserror::Error;

use super::rights::Capability;

/// Something could not be given up.
#[derive(Debug, Error)]
#[error(
    "cannot {what} ({why}): let the filter of system calls that scanwatch is started under pass prctl, prlimit64, capget \
     and capset"
)]
pub struct CannotGiveUp {
    what: &'static str,
    why: String,
}

impl CannotGiveUp {
    fn to<E: Display>(what: &'static str) -> impl Fn(E) -> Self {
        move |error| Self { what, why: error.to_string() }
    }
}

/// Gives up for good what nobody here needs: no program that is executed has more rights than this process (`no_new_privs`,
/// prctl(2)), and its memory, in which secrets and names of hosts are, comes into no core dump and under no debugger of
/// its own user.
///
/// Holds for this thread and those it starts, so it comes before the first of them.
pub fn harden() -> Result<(), CannotGiveUp> {
    prctl::set_no_new_privs().map_err(CannotGiveUp::to("give up new privileges"))?;
    // A limit of zero does not keep memory from a program that takes core dumps by a pipe (core(5)); this does.
    prctl::set_dumpable(false).map_err(CannotGiveUp::to("switch core dumps off"))?;
    let limit = getrlimit(Resource::RLIMIT_CORE).map_err(CannotGiveUp::to("read the limit of core dumps"))?;
    if limit != (0, 0) {
        setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(CannotGiveUp::to("limit core dumps"))?;
    }
    Ok(())
}

/// Gives up all capabilities of this thread but these, of those it has; and what could be handed on to programs that it
/// executes, as far as it may. Holds for the threads it starts later.
pub fn keep_only(kept: &[Capability]) -> Result<(), CannotGiveUp> {
    let failed = |error: caps::errors::CapsError| CannotGiveUp::to("give up capabilities")(error);
    let permitted = caps::read(None, CapSet::Permitted).map_err(failed)?;
    let kept: HashSet<_> =
        kept.iter().map(|own| own.as_caps()).filter(|own| permitted.contains(own)).collect();
    caps::clear(None, CapSet::Ambient).map_err(failed)?;
    // Without this right the set stays as it is, and counts for nothing: nothing executed gets more than this process has.
    if caps::has_cap(None, CapSet::Effective, caps::Capability::CAP_SETPCAP).map_err(failed)? {
        caps::clear(None, CapSet::Bounding).map_err(failed)?;
    }
    for (set, now) in
        [(CapSet::Inheritable, &HashSet::new()), (CapSet::Effective, &kept), (CapSet::Permitted, &kept)]
    {
        caps::set(None, set, now).map_err(failed)?;
    }
    Ok(())
}

/// Gives up all capabilities of this thread, which has no use for any; where that fails, it is said, and the thread keeps them.
pub fn keep_none() {
    if let Err(error) = keep_only(&[]) {
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        tracing::error!("the thread {name} has more rights than it needs: {error}");
    }
}
