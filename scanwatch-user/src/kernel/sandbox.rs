//! Which files the process may reach, by Landlock (landlock(7)).
//!
//! A rule holds for what a path leads to when it is made: a folder with everything in it, or one file. Nothing can be
//! executed, no TCP port be listened on, and no process outside be sent a signal.

use std::fmt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd,
    Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope, make_bitflags,
};
use nix::errno::Errno;
use thiserror::Error;

/// The newest rules that are known to let scanwatch do its work. Those of older kernels are fewer.
const KNOWN: ABI = ABI::V6;

/// `LANDLOCK_CREATE_RULESET_VERSION` of `linux/landlock.h`.
const VERSION: libc::c_uint = 1;

/// What may be done at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// A file, or everything in a folder, may be read.
    Read,
    /// A file that is there may be written: a device, a pipe.
    Write,
    /// Files in a folder may be removed, and nothing else.
    Remove,
    /// Files and folders in a folder may be read, made, written, renamed and removed.
    Change,
}

impl Access {
    fn rights(self) -> BitFlags<AccessFs> {
        match self {
            Self::Read => make_bitflags!(AccessFs::{ReadFile | ReadDir}),
            Self::Write => make_bitflags!(AccessFs::{ReadFile | WriteFile | Truncate}),
            Self::Remove => make_bitflags!(AccessFs::{RemoveFile}),
            Self::Change => make_bitflags!(AccessFs::{
                ReadFile | ReadDir | WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir
            }),
        }
    }
}

/// A path, and what may be done there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// File or folder.
    pub path: PathBuf,
    /// What may be done.
    pub access: Access,
}

impl Place {
    /// What may be done at a path.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, access: Access) -> Self {
        Self { path: path.into(), access }
    }
}

/// How far files are out of reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sandbox {
    /// The kernel confines files by this version of Landlock's interface; since version 4 also TCP ports, since version 6
    /// signals.
    Landlock(u32),
    /// The kernel was built without Landlock, or a filter of system calls does not let it pass.
    Missing,
    /// The kernel has Landlock, and it is switched off.
    Off,
}

impl Sandbox {
    /// What the running kernel can do.
    #[must_use]
    pub fn of_kernel() -> Self {
        let (no_rules, no_bytes): (*const u8, libc::size_t) = (std::ptr::null(), 0);
        // SAFETY: asked for the version, the call reads no memory: its pointer must be null, and its size zero.
        let version =
            unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, no_rules, no_bytes, VERSION) };
        match u32::try_from(version) {
            Ok(version) => Self::Landlock(version),
            Err(_) if Errno::last() == Errno::EOPNOTSUPP => Self::Off,
            Err(_) => Self::Missing,
        }
    }
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Landlock(abi) => write!(f, "Landlock, version {abi}"),
            Self::Missing => {
                f.write_str("this kernel has no Landlock, or a filter of system calls is before it")
            }
            Self::Off => f.write_str("Landlock is switched off; add it to the kernel's parameter lsm="),
        }
    }
}

/// The kernel has Landlock, and refused it.
#[derive(Debug, Error)]
#[error("files cannot be confined by Landlock ({0}); say `landlock = false` in [rights] to run without")]
pub struct SandboxError(String);

/// Confines this thread, and those it starts later, to these places, for good. Returns how far that went, and the places that
/// are not there or cannot be reached, for which there is no rule.
pub fn confine(places: &[Place]) -> Result<(Sandbox, Vec<PathBuf>), SandboxError> {
    let sandbox = Sandbox::of_kernel();
    if !matches!(sandbox, Sandbox::Landlock(_)) {
        return Ok((sandbox, Vec::new()));
    }
    let failed = |error: landlock::RulesetError| SandboxError(error.to_string());
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))
        .and_then(|rules| rules.handle_access(AccessNet::BindTcp))
        .and_then(|rules| rules.scope(Scope::Signal))
        .and_then(Ruleset::create)
        .map_err(failed)?;
    let mut unreachable = Vec::new();
    for place in places {
        let Ok(file) = PathFd::new(&place.path) else {
            unreachable.push(place.path.clone());
            continue;
        };
        // Pipes and sockets lie in no folder, and need no rule.
        if let Some(rights) = allowed(&place.path, place.access) {
            rules = rules.add_rule(PathBeneath::new(file, rights)).map_err(failed)?;
        }
    }
    let enforced = rules.restrict_self().map_err(failed)?;
    if enforced.ruleset == RulesetStatus::NotEnforced {
        return Err(SandboxError("the kernel enforces nothing of it".to_owned()));
    }
    Ok((sandbox, unreachable))
}

/// Rights for what is at a path: of folders, a file has none.
fn allowed(path: &Path, access: Access) -> Option<BitFlags<AccessFs>> {
    use std::os::unix::fs::FileTypeExt as _;

    let kind = path.metadata().ok()?.file_type();
    if kind.is_dir() {
        return Some(access.rights());
    }
    let is_nowhere = kind.is_fifo() || kind.is_socket();
    (!is_nowhere).then(|| access.rights() & AccessFs::from_file(KNOWN))
}
