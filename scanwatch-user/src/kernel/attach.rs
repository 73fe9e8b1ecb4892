//! The ladder of hooks: what is tried, in which order, and what is said when a step fails.

use std::fmt;

use aya::programs::tc::{self, NlOptions, SchedClassifierLink, TcAttachOptions};
use aya::programs::xdp::XdpLink;
use aya::programs::{LinkOrder, Program, ProgramError, SchedClassifier, TcAttachType, Xdp, XdpMode};
use aya::util::KernelVersion;

use super::error::{KernelError, chain, os_error};
use super::holder;
use super::learned::Learned;
use super::machine::{Version, running_version};
use super::object::Kernel;
use crate::policy::Hook;

/// Name of the program at the TC hook of what comes in, by which a leftover of a killed agent is known.
pub(super) const TC_PROGRAM: &str = "scanwatch_tc";
/// Name of the program at the TC hook of what goes out.
pub(super) const EGRESS_PROGRAM: &str = "scanwatch_egress";

/// First version with TCX, which lets several programs share an interface's TC hooks.
pub const TCX: Version = Version(6, 6);

/// How packets are taken from an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// XDP in the driver, packets in several buffers allowed.
    XdpNativeFrags,
    /// XDP in the driver.
    XdpNative,
    /// XDP after the driver: every packet costs a buffer first.
    XdpGeneric,
    /// TC by TCX.
    Tcx,
    /// TC by the clsact queueing discipline.
    Clsact,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::XdpNativeFrags => "xdp native with frags",
            Self::XdpNative => "xdp native",
            Self::XdpGeneric => "xdp generic",
            Self::Tcx => "tc (tcx)",
            Self::Clsact => "tc (clsact)",
        })
    }
}

/// Steps for what the configuration allows.
const fn ladder(hook: Hook) -> &'static [Mode] {
    match hook {
        Hook::Auto => &[Mode::XdpNativeFrags, Mode::XdpNative, Mode::XdpGeneric, Mode::Tcx, Mode::Clsact],
        Hook::XdpNative => &[Mode::XdpNativeFrags, Mode::XdpNative],
        Hook::XdpGeneric => &[Mode::XdpGeneric],
        Hook::Tc => &[Mode::Tcx, Mode::Clsact],
    }
}

/// Steps for what goes out.
const WAYS_OUT: [Mode; 2] = [Mode::Tcx, Mode::Clsact];

/// An interface that is watched.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// Name.
    pub interface: String,
    /// Index.
    pub index: u32,
    /// Hook that took, for what comes in.
    pub mode: Mode,
    /// Steps that failed before it, with the reason.
    pub refused: Vec<(Mode, String)>,
    /// Hook that took, for what goes out. Without one this host's own contacts, and what it answers, stay unseen.
    pub egress: Option<Mode>,
    /// Steps that failed before it, with the reason.
    pub egress_refused: Vec<(Mode, String)>,
    /// What this interface's addresses teach (see [`Kernel::learn`]).
    pub learned: Learned,
}

/// Name of the program for what comes in by a hook.
const fn program_of(mode: Mode) -> &'static str {
    match mode {
        Mode::XdpNativeFrags => "scanwatch_frags",
        Mode::XdpNative | Mode::XdpGeneric => "scanwatch_xdp",
        Mode::Tcx | Mode::Clsact => TC_PROGRAM,
    }
}

/// Keeps a program attached; dropping it detaches.
pub(super) enum Hold {
    Xdp { _link: XdpLink },
    Tc { _link: SchedClassifierLink },
}

impl Kernel {
    /// Attaches to an interface, to what comes in by the first step of the ladder that works, and to what goes out where
    /// that is possible.
    pub async fn attach(
        &mut self,
        interface: &str,
        index: u32,
        hook: Hook,
    ) -> Result<Attachment, KernelError> {
        sweep(interface);
        let mut refused = Vec::new();
        let mut busy = None;
        for &mode in ladder(hook) {
            let is_xdp = matches!(mode, Mode::XdpNativeFrags | Mode::XdpNative | Mode::XdpGeneric);
            if is_xdp && let Some(holder) = &busy {
                refused.push((mode, format!("held by {holder}")));
                continue;
            }
            match self.attach_mode(interface, mode) {
                Ok(hold) => {
                    self.holds.insert(index, vec![hold]);
                    return self.attach_rest(interface, index, mode, refused).await;
                }
                Err(error) if matches!(os_error(&error), Some(libc::EPERM | libc::EACCES)) => {
                    return Err(KernelError::of("attach to an interface", &error));
                }
                Err(error) if is_xdp && matches!(os_error(&error), Some(libc::EBUSY | libc::EEXIST)) => {
                    let holder = holder::of_xdp(index).await;
                    refused.push((mode, format!("held by {holder}")));
                    busy = Some(holder);
                }
                Err(error) => refused.push((mode, reason(mode, &error))),
            }
        }
        match busy {
            Some(holder) => Err(KernelError::Busy { interface: interface.to_owned(), holder }),
            None => Err(KernelError::NoHook { interface: interface.to_owned(), reasons: join(&refused) }),
        }
    }

    /// What comes in is seen by `mode`: now what goes out, and whose addresses are this host's.
    async fn attach_rest(
        &mut self,
        interface: &str,
        index: u32,
        mode: Mode,
        refused: Vec<(Mode, String)>,
    ) -> Result<Attachment, KernelError> {
        let learned = match self.learn(index).await {
            Ok(learned) => learned,
            Err(error) => {
                self.detach(index);
                return Err(error);
            }
        };
        let mut egress_refused = Vec::new();
        let mut egress = None;
        for way_out in WAYS_OUT {
            match self.attach_egress(interface, index, way_out) {
                Ok(()) => {
                    egress = Some(way_out);
                    break;
                }
                Err(error) => egress_refused.push((way_out, reason(way_out, &error))),
            }
        }
        let interface = interface.to_owned();
        Ok(Attachment { interface, index, mode, refused, egress, egress_refused, learned })
    }

    /// Attaches to what comes in by this one hook, whatever else would work, without looking for what an earlier agent
    /// left.
    pub fn attach_by(&mut self, interface: &str, index: u32, mode: Mode) -> Result<(), KernelError> {
        let hold = self
            .attach_mode(interface, mode)
            .map_err(|error| KernelError::of("attach to an interface", &error))?;
        self.holds.entry(index).or_default().push(hold);
        Ok(())
    }

    /// Attaches to what goes out by this one hook, which is one of TC's.
    pub fn attach_out_by(&mut self, interface: &str, index: u32, mode: Mode) -> Result<(), KernelError> {
        self.attach_egress(interface, index, mode)
            .map_err(|error| KernelError::of("attach to an interface", &error))
    }

    /// Detaches from an interface, or forgets it where the interface is gone.
    pub fn detach(&mut self, index: u32) {
        self.holds.remove(&index);
        self.unlearn(index);
    }

    fn attach_egress(&mut self, interface: &str, index: u32, mode: Mode) -> Result<(), ProgramError> {
        let hold = self.attach_tc(interface, mode, EGRESS_PROGRAM, TcAttachType::Egress)?;
        self.holds.entry(index).or_default().push(hold);
        Ok(())
    }

    /// Loads whatever the ladder of a hook may take, so that attaching later, by a link, needs no rights any more. Returns the
    /// steps whose program could not be loaded, each with the reason.
    pub fn ready(&mut self, hook: Hook) -> Vec<String> {
        let mut refused = Vec::new();
        for &mode in ladder(hook) {
            if let Err(error) = self.loaded(program_of(mode)) {
                refused.push(format!("{mode}: {}", reason(mode, &error)));
            }
        }
        refused
    }

    fn attach_mode(&mut self, interface: &str, mode: Mode) -> Result<Hold, ProgramError> {
        match mode {
            Mode::XdpNativeFrags | Mode::XdpNative => {
                self.attach_xdp(program_of(mode), interface, XdpMode::Driver)
            }
            Mode::XdpGeneric => self.attach_xdp(program_of(mode), interface, XdpMode::Skb),
            Mode::Tcx | Mode::Clsact => {
                self.attach_tc(interface, mode, program_of(mode), TcAttachType::Ingress)
            }
        }
    }

    pub(super) fn attach_xdp(
        &mut self,
        name: &str,
        interface: &str,
        mode: XdpMode,
    ) -> Result<Hold, ProgramError> {
        let program: &mut Xdp = self.loaded(name)?.try_into()?;
        let id = program.attach(interface, mode)?;
        Ok(Hold::Xdp { _link: program.take_link(id)? })
    }

    fn attach_tc(
        &mut self,
        interface: &str,
        mode: Mode,
        name: &str,
        way: TcAttachType,
    ) -> Result<Hold, ProgramError> {
        let options = if mode == Mode::Clsact {
            // Fails where the discipline is there already, which is as good.
            let _ = tc::qdisc_add_clsact(interface);
            TcAttachOptions::Netlink(NlOptions::default())
        } else {
            TcAttachOptions::TcxOrder(LinkOrder::default())
        };
        let program: &mut SchedClassifier = self.loaded(name)?.try_into()?;
        let id = program.attach_with_options(interface, way, options)?;
        Ok(Hold::Tc { _link: program.take_link(id)? })
    }

    /// A program by name, loaded on first use: what is not attached is not verified.
    pub(super) fn loaded(&mut self, name: &str) -> Result<&mut Program, ProgramError> {
        let program = self.ebpf.program_mut(name).ok_or(ProgramError::NotLoaded)?;
        if program.fd().is_err() {
            match program {
                Program::Xdp(xdp) => xdp.load()?,
                Program::SchedClassifier(classifier) => classifier.load()?,
                _ => return Err(ProgramError::UnexpectedProgramType),
            }
        }
        Ok(program)
    }
}

/// Removes what an agent that was killed left at the clsact hooks. XDP and TCX links die with their process.
fn sweep(interface: &str) {
    for (way, name) in [(TcAttachType::Ingress, TC_PROGRAM), (TcAttachType::Egress, EGRESS_PROGRAM)] {
        if tc::qdisc_detach_program(interface, way, name).is_ok() {
            tracing::warn!(
                "{interface}: removed the TC program {name} that an earlier scanwatch left behind"
            );
        }
    }
}

/// Why a step failed: of what the kernel is too old for, the version that has it comes first.
fn reason(mode: Mode, error: &ProgramError) -> String {
    match running_version() {
        Some(version) if mode == Mode::Tcx && version < TCX => {
            format!("TCX comes with Linux {TCX}, and this is Linux {version} ({})", chain(error))
        }
        _ => chain(error),
    }
}

/// Steps with their reasons, as one line.
fn join(refused: &[(Mode, String)]) -> String {
    refused.iter().map(|(mode, reason)| format!("{mode}: {reason}")).collect::<Vec<_>>().join("; ")
}

/// The running kernel's version, as far as the kernel tells.
pub(super) fn running() -> Option<KernelVersion> {
    KernelVersion::current().ok()
}
