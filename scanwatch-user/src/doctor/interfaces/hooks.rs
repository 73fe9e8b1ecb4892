//! Whether programs get onto the interface, and where.

use super::Watched;
use crate::doctor::finding::{Area, Check, Finding};
use crate::kernel::{XdpHolder, XdpSupport};
use crate::policy::Hook;

pub(super) fn judge(watched: &Watched) -> Vec<Finding> {
    vec![driver(watched), holder(watched)]
}

/// Whether the driver runs programs by itself.
fn driver(watched: &Watched) -> Finding {
    let check = Check::about(Area::Interface, "xdp", &watched.device.name);
    let generic = "it runs after the driver (generic), where every packet costs a buffer first";
    match (watched.hook, watched.device.xdp) {
        (Hook::Tc, _) => check.ok("the configuration asks for the TC hook: XDP is not used"),
        (Hook::XdpGeneric, Some(XdpSupport { native: true, .. })) => check
            .note(format!("the configuration asks for generic XDP: {generic}; the driver could run it by itself"))
            .advising("set hook = \"auto\""),
        (Hook::XdpGeneric, _) => check.ok(format!("the configuration asks for generic XDP: {generic}")),
        (_, None) => check
            .note("this kernel does not tell what the driver can do (Linux 6.3 does): the start finds out")
            .advising("see in the log of `scanwatch run` by which hook it watches"),
        (_, Some(XdpSupport { native: true, frags: true })) => {
            check.ok("XDP runs in the driver (native), also for packets in several buffers")
        }
        (_, Some(XdpSupport { native: true, frags: false })) => check.ok(
            "XDP runs in the driver (native), for packets in one buffer; some drivers refuse it where packets are larger",
        ),
        (Hook::XdpNative, Some(_)) => check.problem(
            "the configuration asks for native XDP, and the driver has none",
            "set hook = \"auto\", or use a card whose driver has it",
        ),
        (Hook::Auto, Some(_)) => check
            .note(format!("the driver has no XDP of its own: {generic}"))
            .advising("nothing up to some hundred thousand packets a second; beyond, a card whose driver has native XDP"),
    }
}

/// Who has the XDP hook, of which there is one.
fn holder(watched: &Watched) -> Finding {
    let name = &watched.device.name;
    let check = Check::about(Area::Interface, "holder", name);
    let Some(holder) = &watched.device.holder else { return check.ok("nobody holds XDP") };
    let found = format!("XDP is held by {holder}");
    if holder.is_scanwatch() {
        return check.note(format!("{found}: a scanwatch watches here")).advising(second(holder, name));
    }
    match watched.hook {
        Hook::Tc => check.ok(format!("{found}, and scanwatch takes the TC hook")),
        Hook::Auto => check.warning(
            format!("{found}: scanwatch takes the TC hook, where every packet costs a buffer first"),
            format!("detach it, or set hook = \"tc\" for {name} where that is meant to be so"),
        ),
        Hook::XdpNative | Hook::XdpGeneric => check.problem(
            format!("{found}, and the configuration asks for XDP"),
            format!("detach it, or set hook = \"tc\" for {name}"),
        ),
    }
}

fn second(holder: &XdpHolder, name: &str) -> String {
    match &holder.process {
        Some((pid, _)) => format!("nothing; end process {pid} before another scanwatch watches {name}"),
        None => format!("nothing; end that one before another scanwatch watches {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{device, watched};
    use super::*;
    use crate::doctor::finding::Verdict;
    use crate::kernel::Device;

    fn with_xdp(xdp: Option<XdpSupport>, hook: Hook) -> Finding {
        driver(&watched(Device { xdp, ..device() }, hook))
    }

    fn held(name: Option<&str>, hook: Hook) -> Finding {
        let holder = XdpHolder {
            program: 42,
            name: name.map(str::to_owned),
            process: name.map(|_| (7, "xdpd".to_owned())),
        };
        super::holder(&watched(Device { holder: Some(holder), ..device() }, hook))
    }

    const NONE: Option<XdpSupport> = Some(XdpSupport { native: false, frags: false });
    const NATIVE: Option<XdpSupport> = Some(XdpSupport { native: true, frags: false });

    #[test]
    fn a_driver_without_xdp_is_a_note_unless_the_configuration_asks_for_it() {
        for (xdp, hook, expected) in [
            (NATIVE, Hook::Auto, Verdict::Ok),
            (NATIVE, Hook::XdpNative, Verdict::Ok),
            (NATIVE, Hook::XdpGeneric, Verdict::Note),
            (NONE, Hook::Auto, Verdict::Note),
            (NONE, Hook::XdpNative, Verdict::Problem),
            (NONE, Hook::XdpGeneric, Verdict::Ok),
            (NONE, Hook::Tc, Verdict::Ok),
            (None, Hook::Auto, Verdict::Note),
            (None, Hook::XdpNative, Verdict::Note),
        ] {
            let finding = with_xdp(xdp, hook);
            assert_eq!(finding.verdict, expected, "{xdp:?} {hook:?}: {}", finding.found);
        }
    }

    #[test]
    fn a_kernel_that_does_not_tell_is_not_taken_for_a_driver_without_xdp() {
        assert!(with_xdp(None, Hook::Auto).found.contains("the start finds out"));
    }

    #[test]
    fn a_hook_that_another_program_holds_is_named_and_the_free_one_offered() {
        let finding = held(Some("firewall"), Hook::Auto);
        assert_eq!(finding.verdict, Verdict::Warning);
        assert!(
            finding.found.starts_with(
                "XDP is held by program \"firewall\" (id 42) of process 7 (xdpd): scanwatch takes the TC hook"
            ),
            "{}",
            finding.found
        );
        for hook in [Hook::XdpNative, Hook::XdpGeneric] {
            let finding = held(None, hook);
            assert_eq!(finding.verdict, Verdict::Problem);
            assert_eq!(finding.found, "XDP is held by program id 42, and the configuration asks for XDP");
            assert_eq!(finding.advice.as_deref(), Some("detach it, or set hook = \"tc\" for eth0"));
        }
        assert_eq!(held(Some("firewall"), Hook::Tc).verdict, Verdict::Ok);
    }

    #[test]
    fn a_scanwatch_that_runs_is_no_obstacle() {
        for hook in [Hook::Auto, Hook::XdpNative] {
            let finding = held(Some("scanwatch_frags"), hook);
            assert_eq!(finding.verdict, Verdict::Note);
            assert!(finding.advice.unwrap().contains("end process 7 before"));
        }
    }
}
