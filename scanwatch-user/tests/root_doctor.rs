//! `scanwatch doctor` beside programs of others, at interfaces of its own making. Needs root.

mod support;

use std::process::Command;

use scanwatch::kernel::{Kernel, Mode, Options};
use serde_json::Value;
use support::net::{Veth, in_namespace, ip, tool};
use support::policy;

/// A program of ours, and how it is called as another's: both are equally long, and end alike, for other names in the object
/// are the end of this one.
const OURS: &[u8] = b"scanwatch_xdp";
const ANOTHERS: &str = "firewalls_xdp";

/// Our object with its XDP program under another name: a program of somebody else, as far as anybody can tell.
fn anothers_object() -> Vec<u8> {
    let mut object = include_bytes!(concat!(env!("OUT_DIR"), "/scanwatch.o")).to_vec();
    let mut renamed = 0;
    for at in 0..object.len() - OURS.len() {
        if object[at..].starts_with(OURS) {
            object[at..at + OURS.len()].copy_from_slice(ANOTHERS.as_bytes());
            renamed += 1;
        }
    }
    assert!(renamed > 0, "the object has a program of this name");
    object
}

/// What doctor says of an interface of this thread's namespace: exit code, and findings.
fn examine(interface: &str, config: &str) -> (Option<i32>, Vec<Value>) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("scanwatch.toml");
    std::fs::write(&file, config).expect("a configuration");
    let output = Command::new(env!("CARGO_BIN_EXE_scanwatch"))
        .args(["doctor", "--json", "--interface", interface, "--config"])
        .arg(&file)
        .output()
        .expect("doctor runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr));
    });
    (output.status.code(), document["findings"].as_array().expect("findings").clone())
}

/// Verdict and words of one check.
fn said(findings: &[Value], area: &str, check: &str) -> (String, String) {
    let finding = findings.iter().find(|finding| finding["area"] == area && finding["check"] == check);
    let finding = finding.unwrap_or_else(|| panic!("no {area} {check} in {findings:?}"));
    let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    (text("verdict"), text("found"))
}

#[test]
fn xdp_that_another_program_holds_is_a_warning_that_names_it_and_a_problem_where_xdp_is_a_must() {
    in_namespace(async || {
        let veth = Veth::new("watched");
        let object = anothers_object();
        let mut other =
            Kernel::load_object(&object, &[], &policy(), Options::default()).expect("it is loaded");
        other.attach_program(ANOTHERS, &veth.name, veth.index).expect("it is attached");
        let id = other
            .programs()
            .expect("the programs")
            .iter()
            .find(|facts| facts.name == ANOTHERS)
            .expect("it")
            .id;
        let before = veth.details();

        let (code, findings) = examine(&veth.name, "");
        let (verdict, found) = said(&findings, "interface", "holder");
        let pid = std::process::id();
        let start = format!("XDP is held by program \"{ANOTHERS}\" (id {id}) of process {pid} (");
        assert!(found.starts_with(&start) && found.contains("scanwatch takes the TC hook"), "{found}");
        assert_eq!((verdict.as_str(), code), ("warning", Some(0)));

        let config = "[[interface]]\nname = \"watched\"\nhook = \"xdp-native\"\n";
        let (code, findings) = examine(&veth.name, config);
        assert_eq!((said(&findings, "interface", "holder").0.as_str(), code), ("problem", Some(1)));

        // What was there was left as it was.
        assert_eq!(veth.details(), before);
    });
}

#[test]
fn programs_are_loaded_and_let_go_and_nothing_is_attached() {
    in_namespace(async || {
        let veth = Veth::new("watched");
        let (_, findings) = examine(&veth.name, "");
        let (verdict, found) = said(&findings, "programs", "load");
        assert_eq!(verdict, "ok", "{found}");
        let count: usize =
            found.split(' ').next().and_then(|n| n.parse().ok()).expect("a number of programs");
        let mut kernel = Kernel::load(&policy(), Options::default()).expect("the object is loaded");
        assert_eq!(count, kernel.programs().expect("the programs").len());
        assert!(
            found.contains("instructions verified (scanwatch_") && found.contains("maps take"),
            "{found}"
        );
        assert!(!veth.details().contains("xdp"), "{}", veth.details());
        assert_eq!(said(&findings, "kernel", "jit").0, "ok");
    });
}

#[test]
fn what_the_driver_is_and_does_is_what_the_kernels_own_tools_say() {
    in_namespace(async || {
        let veth = Veth::new("watched");
        let words = |check: &str| said(&examine(&veth.name, "").1, "interface", check);
        assert!(words("link").1.contains("driver veth, packets of 1500 bytes"), "{}", words("link").1);
        assert!(
            words("xdp").1.contains("in the driver (native), also for packets in several"),
            "{}",
            words("xdp").1
        );

        tool("ethtool", "-K watched rxvlan on");
        let (verdict, found) = words("vlan_offload");
        assert!(verdict == "note" && found.contains("where XDP does not see them"), "{verdict}: {found}");
        tool("ethtool", "-K watched rxvlan off");
        assert_eq!(words("vlan_offload").0, "ok");
        let tc = "[[interface]]\nname = \"watched\"\nhook = \"tc\"\n";
        tool("ethtool", "-K watched rxvlan on");
        assert_eq!(said(&examine(&veth.name, tc).1, "interface", "vlan_offload").0, "ok");

        ip("link set watched-peer down");
        assert_eq!(words("link").0, "warning");
        ip("link set watched down");
        assert!(words("link").1.starts_with("it is switched off"), "{}", words("link").1);
    });
}

#[test]
fn queues_are_counted_and_an_interface_without_native_xdp_is_known() {
    in_namespace(async || {
        ip("link add wide numrxqueues 4 numtxqueues 4 type veth peer name far numrxqueues 4 numtxqueues 4");
        ip("link set wide up");
        ip("link set far up");
        tool("ethtool", "-L wide rx 3");
        let (_, findings) = examine("wide", "");
        assert_eq!(
            said(&findings, "interface", "queues"),
            (
                "ok".to_owned(),
                "packets come in by 3 queues, and are worked on wherever they come from".to_owned()
            )
        );

        ip("link add plain type bridge");
        ip("link set plain up");
        let (code, findings) = examine("plain", "");
        assert_eq!((said(&findings, "interface", "xdp").0.as_str(), code), ("note", Some(0)));
        let native = "[[interface]]\nname = \"plain\"\nhook = \"xdp-native\"\n";
        let (code, findings) = examine("plain", native);
        assert_eq!((said(&findings, "interface", "xdp").0.as_str(), code), ("problem", Some(1)));
    });
}

#[test]
fn a_scanwatch_at_the_interface_is_known_by_its_program() {
    in_namespace(async || {
        let veth = Veth::new("watched");
        let mut running = Kernel::load(&policy(), Options::default()).expect("the object is loaded");
        running.attach_by(&veth.name, veth.index, Mode::XdpGeneric).expect("it is attached");
        let (code, findings) = examine(&veth.name, "");
        let (verdict, found) = said(&findings, "interface", "holder");
        assert_eq!((verdict.as_str(), code), ("note", Some(0)), "{found}");
        assert!(found.ends_with("a scanwatch watches here"), "{found}");
    });
}
