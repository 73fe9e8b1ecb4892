//! The interfaces that would be watched.

mod hooks;
mod traffic;

use std::thread;

use super::finding::{Area, Check, Finding};
use crate::kernel::{Device, KernelError, default_route_interface};
use crate::policy::{Hook, Interface, Policy};

/// An interface that is there, and how it is to be watched.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    pub device: Device,
    pub hook: Hook,
    /// Processors that work for this process.
    pub processors: usize,
}

/// What there is to know of one interface.
pub(super) struct Facts {
    name: String,
    found: Result<Watched, KernelError>,
}

/// What there is to know of all; or why it is not known which they are.
pub(super) async fn gather(policy: &Policy) -> Result<Vec<Facts>, KernelError> {
    let mut wanted = policy.interfaces.clone();
    if wanted.is_empty() {
        wanted.push(Interface { name: default_route_interface().await?, hook: Hook::Auto });
    }
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let mut all = Vec::with_capacity(wanted.len());
    for Interface { name, hook } in wanted {
        let found = Device::named(&name).await.map(|device| Watched { device, hook, processors });
        all.push(Facts { name, found });
    }
    Ok(all)
}

pub(super) fn judge(facts: &Result<Vec<Facts>, KernelError>) -> Vec<Finding> {
    match facts {
        Ok(all) => all.iter().flat_map(judge_one).collect(),
        Err(error) => {
            vec![Check::of(Area::Interface, "present").problem_as_told(&error.to_string(), UNKNOWN)]
        }
    }
}

/// What to do where an interface cannot be looked at for a reason of the kernel's.
const UNKNOWN: &str = "see what `ip link` says";

fn judge_one(facts: &Facts) -> Vec<Finding> {
    match &facts.found {
        Ok(watched) => {
            let mut findings = vec![link(&watched.device)];
            findings.extend(hooks::judge(watched));
            findings.extend(traffic::judge(watched));
            findings
        }
        Err(error) => {
            let check = Check::about(Area::Interface, "present", &facts.name);
            let said = match error {
                // Behind the colon stands what to do.
                KernelError::NotEthernet { .. } => error.to_string().replacen("): ", "); ", 1),
                _ => error.to_string(),
            };
            vec![check.problem_as_told(&said, UNKNOWN)]
        }
    }
}

fn link(device: &Device) -> Finding {
    let check = Check::about(Area::Interface, "link", &device.name);
    let what = match (&device.driver, &device.kind) {
        (Some(driver), _) => format!("driver {driver}"),
        (None, Some(kind)) => format!("of kind {kind}"),
        (None, None) => "no driver tells its name".to_owned(),
    };
    let size = device.mtu_bytes.map_or_else(String::new, |bytes| format!(", packets of {bytes} bytes"));
    let what = what + &size;
    if !device.is_up {
        let advice = format!("switch it on: `ip link set {} up`", device.name);
        return check.warning(format!("it is switched off, and sees nothing ({what})"), advice);
    }
    if !device.has_carrier {
        return check.warning(
            format!("nobody is on the other end ({what})"),
            "look at the cable, and at the port of the switch",
        );
    }
    if device.is_loopback {
        return check
            .note("it leads back to this machine: only what the machine says to itself passes here")
            .advising("name the interface that others are behind");
    }
    match &device.part_of {
        Some(whole) => check
            .note(format!("it is up, and a part of {whole} ({what})"))
            .advising(format!("nothing, where its packets alone are meant; else name {whole}")),
        None => check.ok(format!("it is up ({what})")),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;
    use crate::kernel::XdpSupport;

    /// A network card as it should be.
    pub(in crate::doctor) fn device() -> Device {
        Device {
            name: "eth0".to_owned(),
            index: 2,
            kind: None,
            driver: Some("ice".to_owned()),
            is_up: true,
            has_carrier: true,
            is_loopback: false,
            mtu_bytes: Some(1_500),
            queues: Some(8),
            strips_vlan: Some(false),
            joins_packets: Some(false),
            xdp: Some(XdpSupport { native: true, frags: true }),
            holder: None,
            vlans: Vec::new(),
            part_of: None,
        }
    }

    pub(in crate::doctor) fn watched(device: Device, hook: Hook) -> Watched {
        Watched { device, hook, processors: 8 }
    }

    fn one(found: Result<Watched, KernelError>) -> Vec<Finding> {
        judge(&Ok(vec![Facts { name: "eth0".to_owned(), found }]))
    }

    #[test]
    fn a_network_card_as_it_should_be_is_ok_in_every_respect() {
        let findings = one(Ok(watched(device(), Hook::Auto)));
        assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:?}");
        assert!(findings.iter().all(|finding| finding.subject.as_deref() == Some("eth0")));
        assert_eq!(findings[0].found, "it is up (driver ice, packets of 1500 bytes)");
    }

    #[test]
    fn an_interface_that_is_not_there_is_a_problem_and_those_that_are_are_named() {
        let error = KernelError::NoInterface { name: "eth0".to_owned(), available: "lo, eth1".to_owned() };
        let findings = one(Err(error));
        assert_eq!((findings.len(), findings[0].verdict), (1, Verdict::Problem));
        assert_eq!(findings[0].found, "no interface \"eth0\": this host has lo, eth1");
        assert_eq!(
            findings[0].advice.as_deref(),
            Some("name one of them in [[interface]] or with --interface")
        );
    }

    #[test]
    fn an_interface_that_is_not_ethernets_says_which_to_take() {
        let error = KernelError::NotEthernet { name: "wg0".to_owned(), kind: "none".to_owned() };
        let finding = &one(Err(error))[0];
        assert_eq!(finding.found, "wg0 carries no Ethernet frames (it is of type none)");
        assert_eq!(finding.advice.as_deref(), Some("watch the Ethernet interface that its packets pass"));
    }

    #[test]
    fn without_a_default_route_the_advice_is_to_name_an_interface() {
        let finding = &judge(&Err(KernelError::NoDefaultRoute))[0];
        assert_eq!(finding.verdict, Verdict::Problem);
        assert_eq!(finding.advice.as_deref(), Some("name one in [[interface]] or with --interface"));
    }

    #[test]
    fn a_link_that_carries_nothing_is_a_warning() {
        let off = link(&Device { is_up: false, has_carrier: false, ..device() });
        assert_eq!(
            (off.verdict, off.advice.as_deref()),
            (Verdict::Warning, Some("switch it on: `ip link set eth0 up`"))
        );
        let alone = link(&Device { has_carrier: false, ..device() });
        assert_eq!(alone.verdict, Verdict::Warning);
        assert!(alone.found.starts_with("nobody is on the other end"), "{}", alone.found);
    }

    #[test]
    fn the_loopback_interface_and_parts_of_others_are_noted() {
        assert_eq!(link(&Device { is_loopback: true, ..device() }).verdict, Verdict::Note);
        let part = link(&Device { part_of: Some("bond0".to_owned()), ..device() });
        assert_eq!(part.verdict, Verdict::Note);
        assert!(part.advice.unwrap().ends_with("else name bond0"));
    }
}
