//! What the driver does to packets before programs see them.

use super::Watched;
use crate::doctor::finding::{Area, Check, Finding};
use crate::doctor::text::counted;
use crate::policy::Hook;

pub(super) fn judge(watched: &Watched) -> Vec<Finding> {
    [queues(watched), vlan(watched), joining(watched)].into_iter().flatten().collect()
}

/// How many processors packets are spread over.
fn queues(watched: &Watched) -> Option<Finding> {
    let device = &watched.device;
    let queues = device.queues?;
    let check = Check::about(Area::Interface, "queues", &device.name);
    let many = watched.processors;
    let said = format!("packets come in by {}", counted(u64::from(queues), "queue"));
    if device.kind.is_some() || device.is_loopback {
        return Some(check.ok(format!("{said}, and are worked on wherever they come from")));
    }
    if queues > 1 || many == 1 {
        return Some(check.ok(said));
    }
    let name = &device.name;
    Some(check.note(format!("{said}, and so one of {many} processors counts them all")).advising(format!(
        "where one processor is not enough: `ethtool -L {name} combined {many}`, if the card can"
    )))
}

/// Whether tags of VLANs can be seen. TC sees those that the driver took out; XDP does not.
fn vlan(watched: &Watched) -> Option<Finding> {
    let device = &watched.device;
    let strips = device.strips_vlan?;
    let check = Check::about(Area::Interface, "vlan_offload", &device.name);
    let takes_tc = watched.hook == Hook::Tc;
    if !strips {
        return Some(check.ok("VLAN tags are left in the packets"));
    }
    if takes_tc {
        return Some(check.ok("VLAN tags come beside the packets, and the TC hook sees them there"));
    }
    let found = "VLAN tags come beside the packets, where XDP does not see them (rx-vlan-offload is on): all VLANs count \
                 as one, and alerts name none";
    let advice = format!("`ethtool -K {0} rxvlan off`, or set hook = \"tc\" for {0}", device.name);
    Some(if device.vlans.is_empty() {
        check.note(found).advising(format!("nothing where no VLAN comes in here; else {advice}"))
    } else {
        check.warning(format!("{found}; {} come in here", device.vlans.join(", ")), advice)
    })
}

/// Whether packets are joined before they are seen.
fn joining(watched: &Watched) -> Option<Finding> {
    let device = &watched.device;
    let check = Check::about(Area::Interface, "lro", &device.name);
    match (device.joins_packets?, watched.hook) {
        (false, _) => Some(check.ok("packets are not joined before they are seen (LRO is off)")),
        (true, Hook::Auto | Hook::XdpNative) => Some(check.warning(
            "the card joins packets (large receive offload): most drivers refuse native XDP then, and forwarding suffers",
            format!("`ethtool -K {} lro off`", device.name),
        )),
        (true, Hook::XdpGeneric | Hook::Tc) => Some(
            check
                .note("the card joins packets (large receive offload): sizes in the evidence are those of what was joined")
                .advising(format!("`ethtool -K {} lro off`", device.name)),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{device, watched};
    use super::*;
    use crate::doctor::finding::Verdict;
    use crate::kernel::Device;

    fn of(finding: Option<Finding>) -> (Verdict, String) {
        let finding = finding.unwrap();
        (finding.verdict, finding.advice.unwrap_or_default())
    }

    #[test]
    fn stripped_vlan_tags_are_a_warning_where_vlans_come_in_and_no_matter_to_tc() {
        let plain = Device { strips_vlan: Some(true), ..device() };
        let tagged = Device { vlans: vec!["eth0.10".to_owned(), "eth0.20".to_owned()], ..plain.clone() };
        assert_eq!(of(vlan(&watched(plain.clone(), Hook::Auto))).0, Verdict::Note);
        for hook in [Hook::Auto, Hook::XdpNative, Hook::XdpGeneric] {
            let finding = vlan(&watched(tagged.clone(), hook));
            assert!(finding.as_ref().unwrap().found.ends_with("eth0.10, eth0.20 come in here"));
            let advice = "`ethtool -K eth0 rxvlan off`, or set hook = \"tc\" for eth0";
            assert_eq!(of(finding), (Verdict::Warning, advice.to_owned()));
        }
        assert_eq!(of(vlan(&watched(tagged, Hook::Tc))).0, Verdict::Ok);
        assert_eq!(of(vlan(&watched(device(), Hook::Auto))).0, Verdict::Ok);
    }

    #[test]
    fn one_queue_for_many_processors_is_noted() {
        let one = |kind: Option<&str>, processors| {
            let device = Device { queues: Some(1), kind: kind.map(str::to_owned), ..device() };
            of(queues(&Watched { device, hook: Hook::Auto, processors }))
        };
        let (verdict, advice) = one(None, 8);
        assert_eq!(verdict, Verdict::Note);
        assert!(advice.contains("`ethtool -L eth0 combined 8`"), "{advice}");
        assert_eq!(one(Some("veth"), 8).0, Verdict::Ok);
        assert_eq!(one(None, 1).0, Verdict::Ok);
        assert_eq!(of(queues(&watched(device(), Hook::Auto))).0, Verdict::Ok);
    }

    #[test]
    fn joined_packets_are_a_warning_where_native_xdp_is_wanted() {
        let joins = Device { joins_packets: Some(true), ..device() };
        assert_eq!(of(joining(&watched(joins.clone(), Hook::Auto))).0, Verdict::Warning);
        assert_eq!(of(joining(&watched(joins, Hook::Tc))).0, Verdict::Note);
        assert_eq!(of(joining(&watched(device(), Hook::Auto))).0, Verdict::Ok);
    }

    #[test]
    fn of_what_a_driver_does_not_tell_nothing_is_said() {
        let silent = Device { queues: None, strips_vlan: None, joins_packets: None, ..device() };
        assert!(judge(&watched(silent, Hook::Auto)).is_empty());
    }
}
