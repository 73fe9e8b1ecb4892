//! What can go wrong between scanwatch and the kernel, one sentence each: what it is and what to do.

use std::io;

use aya::EbpfError;
use aya::maps::MapError;
use aya::programs::ProgramError;
use thiserror::Error;

use super::rights::{Capabilities, Capability};

/// An error of the kernel side.
#[derive(Debug, Error)]
pub enum KernelError {
    /// Loading or attaching was refused for lack of rights.
    #[error(
        "no rights to {0}: run scanwatch as root, or give it the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"
    )]
    Rights(&'static str),
    /// The kernel has no bpf(2).
    #[error("this kernel has no BPF system call: use a kernel built with CONFIG_BPF_SYSCALL=y")]
    NoBpf,
    /// The kernel is older than the programs need.
    #[error("Linux {found} is too old: scanwatch needs Linux {needed} or newer")]
    TooOld {
        /// Running version.
        found: String,
        /// Oldest supported version.
        needed: String,
    },
    /// The interface does not exist.
    #[error(
        "no interface {name:?}: this host has {available}; name one of them in [[interface]] or with --interface"
    )]
    NoInterface {
        /// Name asked for.
        name: String,
        /// Names there are.
        available: String,
    },
    /// The interface carries something else than Ethernet frames.
    #[error(
        "{name} carries no Ethernet frames (it is of type {kind}): watch the Ethernet interface that its packets pass"
    )]
    NotEthernet {
        /// Name asked for.
        name: String,
        /// Link type as the kernel names it.
        kind: String,
    },
    /// No interface was named and none can be guessed.
    #[error(
        "no interface to watch: there is no default route to tell which; name one in [[interface]] or with --interface"
    )]
    NoDefaultRoute,
    /// Another program holds the interface's XDP hook.
    #[error("XDP on {interface} is held by {holder}: detach it, or set hook = \"tc\" for {interface}")]
    Busy {
        /// Interface.
        interface: String,
        /// Who holds it.
        holder: String,
    },
    /// Another scanwatch watches the interface.
    #[error("{interface} is watched already, by {holder}: end that scanwatch, or watch another interface")]
    Watched {
        /// Interface.
        interface: String,
        /// Who watches it.
        holder: String,
    },
    /// The kernel, or the control group this process is in, has no memory left.
    #[error(
        "there is not enough memory to {0}: the tables of the default configuration take up to 96 MiB; raise the control \
         group's limit (MemoryMax=), free memory, or set fewer cells in [limits]"
    )]
    NoMemory(&'static str),
    /// No more files may be opened.
    #[error("no descriptor is left to {0}: raise the limit on open files (LimitNOFILE=)")]
    NoDescriptor(&'static str),
    /// More networks are inside than the kernel's table of zones was made for.
    #[error(
        "{networks} networks are inside, by configuration and by the addresses of watched interfaces, and at most {max} \
         fit: name a block that holds many of them in a [[zone]]"
    )]
    NetworksTooMany {
        /// Networks.
        networks: usize,
        /// Most that fit.
        max: usize,
    },
    /// Every hook that was allowed failed.
    #[error("cannot attach to {interface}: {reasons}; allow other hooks with hook = \"auto\"")]
    NoHook {
        /// Interface.
        interface: String,
        /// Each hook with its reason.
        reasons: String,
    },
    /// The object and the agent disagree, or the kernel refused the object.
    #[error("the kernel refused to {what}: {detail}")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// The kernel's words.
        detail: String,
    },
}

/// What aya puts before the verifier's log.
const VERIFIER: &str = "Verifier output: ";
/// Lines of a verifier's log that are told. The reason stands at its end, and the log may have a million lines.
const VERIFIER_LINES: usize = 4;

/// An error with all its causes on one line; of a verifier's log the last lines.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    shortened(&whole_chain(error))
}

fn shortened(text: &str) -> String {
    let Some((before, log)) = text.split_once(VERIFIER) else { return text.to_owned() };
    let lines: Vec<&str> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // Behind the reason stand statistics.
    let end = lines.iter().position(|line| line.starts_with("verification time")).unwrap_or(lines.len());
    format!("{before}{VERIFIER}{}", lines[end.saturating_sub(VERIFIER_LINES)..end].join(" / "))
}

fn whole_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// The operating system's error number behind an error, if there is one.
pub(super) fn os_error(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.raw_os_error();
        }
        if let Some(netlink) = error.downcast_ref::<aya::sys::NetlinkError>() {
            return netlink.raw_os_error();
        }
        current = error.source();
    }
    None
}

impl KernelError {
    /// Turns a failure to `what` into a sentence.
    pub(super) fn of(what: &'static str, error: &(dyn std::error::Error + 'static)) -> Self {
        match os_error(error) {
            Some(libc::EPERM | libc::EACCES) if !is_verifier(error) || lacks_perfmon() => {
                tracing::debug!("no rights to {what}: {}", chain(error));
                Self::Rights(what)
            }
            Some(libc::ENOSYS) => Self::NoBpf,
            Some(libc::ENOMEM) => Self::NoMemory(what),
            Some(libc::EMFILE | libc::ENFILE) => Self::NoDescriptor(what),
            _ => Self::Refused { what, detail: chain(error) },
        }
    }
}

/// The verifier says EACCES too, but with a log.
fn is_verifier(error: &(dyn std::error::Error + 'static)) -> bool {
    let text = whole_chain(error);
    text.contains(VERIFIER) && text.contains("processed ")
}

/// True where this thread has neither CAP_PERFMON nor CAP_SYS_ADMIN: the verifier then refuses as unsafe what it lets
/// others do.
fn lacks_perfmon() -> bool {
    Capabilities::effective().is_some_and(|own| !own.has(Capability::Perfmon))
}

impl From<MapError> for KernelError {
    fn from(error: MapError) -> Self {
        Self::of("use a map", &error)
    }
}

impl From<EbpfError> for KernelError {
    fn from(error: EbpfError) -> Self {
        Self::of("load the kernel programs", &error)
    }
}

impl From<ProgramError> for KernelError {
    fn from(error: ProgramError) -> Self {
        Self::of("load the kernel programs", &error)
    }
}

impl From<rtnetlink::Error> for KernelError {
    fn from(error: rtnetlink::Error) -> Self {
        Self::of("read the interfaces", &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_verifiers_log_the_reason_is_told_and_nothing_else() {
        let log = "0: R1=ctx()\n1: (b7) r0 = 0\n; a line of source @ main.rs:1\n\n146: (79) r2 = *(u64 *)(r10 -88)\n\
                   147: (0f) r2 += r7\nR2 invalid mem access 'scalar'\nverification time 9 usec\nprocessed 113 insns\n";
        let text = format!("the BPF_PROG_LOAD syscall returned EACCES. {VERIFIER}{log}");
        assert_eq!(
            shortened(&text),
            "the BPF_PROG_LOAD syscall returned EACCES. Verifier output: ; a line of source @ main.rs:1 / \
             146: (79) r2 = *(u64 *)(r10 -88) / 147: (0f) r2 += r7 / R2 invalid mem access 'scalar'"
        );
        assert_eq!(shortened("no space left"), "no space left");
    }

    fn said(number: i32) -> String {
        KernelError::of("load the kernel programs", &io::Error::from_raw_os_error(number)).to_string()
    }

    #[test]
    fn a_kernel_without_bpf_is_told_apart_from_lack_of_rights_and_from_a_refusal() {
        assert_eq!(
            said(libc::ENOSYS),
            "this kernel has no BPF system call: use a kernel built with CONFIG_BPF_SYSCALL=y"
        );
        assert!(said(libc::EPERM).contains("CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"));
        assert!(said(libc::ENOMEM).starts_with("there is not enough memory to load the kernel programs: "));
        assert!(said(libc::EMFILE).ends_with("raise the limit on open files (LimitNOFILE=)"));
        assert!(said(libc::EINVAL).starts_with("the kernel refused to load the kernel programs: "));
    }
}
