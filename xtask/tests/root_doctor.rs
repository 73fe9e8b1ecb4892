//! `scanwatch doctor` on the lab's router: what is well, what is not, and who is in the way. Needs root.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use support::{end, watching};
use xtask::lab::agent::binary;
use xtask::lab::process::Output;
use xtask::lab::{Lab, Scanwatch, Segment};

/// Longest time for one look at everything: the programs are verified, one after the other.
const LIMIT: Duration = Duration::from_mins(1);
/// A sink that takes everything, so that there is a spool.
const SINK: &str = "[[sink]]\nname = \"siem\"\ntype = \"stdout\"\n";

/// What doctor found.
struct Report {
    code: Option<i32>,
    document: Value,
}

impl Report {
    fn read(output: &Output) -> Result<Self> {
        let document = serde_json::from_str(&output.stdout)
            .with_context(|| format!("{}: {}{}", output.command, output.stdout, output.stderr))?;
        Ok(Self { code: output.status.code(), document })
    }

    /// The findings of a check, those of every subject.
    fn findings<'a>(&'a self, area: &str, check: &str) -> impl Iterator<Item = &'a Value> {
        let all = self.document["findings"].as_array().into_iter().flatten();
        all.filter(move |finding| finding["area"] == area && finding["check"] == check)
    }

    /// Verdict and words of a check that is made once.
    fn said(&self, area: &str, check: &str) -> Result<(&str, &str)> {
        let finding = self.findings(area, check).next();
        let finding = finding.with_context(|| format!("no {area} {check} in {}", self.document))?;
        Ok((finding["verdict"].as_str().unwrap_or_default(), finding["found"].as_str().unwrap_or_default()))
    }

    /// Subjects of the findings of an area that are problems.
    fn problems(&self, area: &str) -> Vec<&str> {
        let all = self.document["findings"].as_array().into_iter().flatten();
        let problems = all.filter(|finding| finding["area"] == area && finding["verdict"] == "problem");
        problems.map(|finding| finding["subject"].as_str().unwrap_or_default()).collect()
    }
}

/// A configuration in the lab's folder, and the arguments that name it and the router's interfaces.
fn arguments(lab: &Lab, config: &str) -> Result<Vec<String>> {
    let file = lab.folder().join("doctor.toml");
    fs::write(&file, config)?;
    let mut arguments = vec!["doctor".to_owned(), "--json".to_owned(), "--config".to_owned()];
    arguments.push(file.display().to_string());
    for segment in Segment::ALL {
        arguments.extend(["--interface".to_owned(), segment.interface().to_owned()]);
    }
    Ok(arguments)
}

fn examine(lab: &Lab, config: &str) -> Result<Report> {
    Report::read(&lab.router.run(binary()?, arguments(lab, config)?, LIMIT)?)
}

/// A configuration with state in a directory.
fn with_state(directory: &std::path::Path, more: &str) -> String {
    format!("[state]\ndirectory = {:?}\n{more}", directory.display().to_string())
}

/// The program where everybody may run it, wherever it was built.
fn program_for_all(lab: &Lab) -> Result<PathBuf> {
    let program = lab.folder().join("scanwatch");
    fs::copy(binary()?, &program)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    Ok(program)
}

/// What doctor says to a user who has nothing but these capabilities, as setpriv(1) names them.
fn as_nobody(lab: &Lab, capabilities: &str, config: &str) -> Result<Report> {
    let program = program_for_all(lab)?.display().to_string();
    let mut words = vec!["--reuid=65534".to_owned(), "--regid=65534".to_owned(), "--clear-groups".to_owned()];
    if capabilities.is_empty() {
        words.push("--no-new-privs".to_owned());
    } else {
        words.extend([format!("--inh-caps={capabilities}"), format!("--ambient-caps={capabilities}")]);
    }
    words.push(program);
    words.extend(arguments(lab, config)?);
    Report::read(&lab.router.run("setpriv", words, LIMIT)?)
}

#[test]
fn a_healthy_router_is_well_in_every_respect_and_left_as_it_was() -> Result<()> {
    let lab = Lab::new()?;
    let before = lab.router.run_line("ip -d link show", LIMIT)?.stdout;
    let report = examine(&lab, &with_state(&lab.folder().join("state"), SINK))?;
    assert_eq!((report.code, report.problems("interface")), (Some(0), vec![]), "{}", report.document);
    for (area, check) in [
        ("kernel", "version"),
        ("rights", "capabilities"),
        ("memory", "lock"),
        ("programs", "load"),
        ("state", "directory"),
        ("state", "spool"),
        ("sink", "receiver"),
    ] {
        assert_eq!(report.said(area, check)?.0, "ok", "{}", report.document);
    }
    for check in ["link", "xdp", "holder", "queues", "vlan_offload", "lro"] {
        let found: Vec<_> = report.findings("interface", check).collect();
        let subjects: Vec<_> = found.iter().filter_map(|finding| finding["subject"].as_str()).collect();
        assert_eq!(subjects, Segment::ALL.map(Segment::interface), "{check}");
    }
    for finding in report.findings("interface", "xdp") {
        assert!(finding["found"].as_str().is_some_and(|found| found.contains("native")), "{finding}");
    }
    assert_eq!(lab.router.run_line("ip -d link show", LIMIT)?.stdout, before);
    ensure!(!lab.folder().join("state").exists(), "a directory was made");
    Ok(())
}

#[test]
fn capabilities_that_are_missing_are_named_one_by_one() -> Result<()> {
    let lab = Lab::new()?;
    for (capabilities, missing) in [
        ("", &["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"][..]),
        ("+net_admin", &["CAP_BPF", "CAP_PERFMON"]),
        ("+bpf,+net_admin", &["CAP_PERFMON"]),
        ("+bpf,+perfmon", &["CAP_NET_ADMIN"]),
    ] {
        let report = as_nobody(&lab, capabilities, "")?;
        assert_eq!((report.code, report.problems("rights")), (Some(1), missing.to_vec()), "{capabilities}");
    }
    // Without rights everything else is looked at all the same.
    let report = as_nobody(&lab, "", "")?;
    let (verdict, found) = report.said("programs", "load")?;
    assert!(verdict == "note" && found.contains("was not tried, for lack of rights"), "{verdict}: {found}");
    assert_eq!(report.said("interface", "link")?.0, "ok");
    Ok(())
}

#[test]
fn the_capabilities_that_doctor_asks_for_are_enough() -> Result<()> {
    let lab = Lab::new()?;
    let report = as_nobody(&lab, "+bpf,+net_admin,+perfmon", "")?;
    assert_eq!((report.code, report.said("programs", "load")?.0), (Some(0), "ok"), "{}", report.document);
    assert_eq!(report.said("rights", "capabilities")?.0, "ok");
    Ok(())
}

#[test]
fn an_interface_that_does_not_exist_is_a_problem_and_the_others_are_examined() -> Result<()> {
    let lab = Lab::new()?;
    let words = ["doctor", "--json", "--interface", "offcie", "--interface", "office"];
    let report = Report::read(&lab.router.run(binary()?, words, LIMIT)?)?;
    let (verdict, found) = report.said("interface", "present")?;
    assert_eq!(verdict, "problem");
    assert_eq!(found, "no interface \"offcie\": this host has lo, office, servers, internet");
    assert_eq!((report.code, report.said("interface", "link")?.0), (Some(1), "ok"));
    let report = Report::read(&lab.switch.run(binary()?, ["doctor", "--json"], LIMIT)?)?;
    let (verdict, found) = report.said("interface", "present")?;
    assert!(verdict == "problem" && found.contains("there is no default route"), "{verdict}: {found}");
    Ok(())
}

#[test]
fn a_scanwatch_that_runs_is_named_everywhere_and_not_disturbed() -> Result<()> {
    let lab = Lab::new()?;
    let state = lab.folder().join("state");
    let config = with_state(&state, "[listen]\naddress = \"127.0.0.1:9477\"\n");
    let mut agent = watching(Scanwatch::on(&lab).config(&config))?;
    let pid = agent.process().pid();
    let report = examine(&lab, &config)?;
    assert_eq!(report.code, Some(0), "{}", report.document);
    let holders: Vec<_> = report.findings("interface", "holder").collect();
    assert_eq!(holders.len(), 3);
    for finding in holders {
        let found = finding["found"].as_str().context("no words")?;
        assert!(found.starts_with("XDP is held by program \"scanwatch_frags\" (id "), "{found}");
        assert!(
            found.ends_with(&format!("of process {pid} (scanwatch): a scanwatch watches here")),
            "{found}"
        );
        assert_eq!(finding["verdict"], "note");
    }
    let expected = format!("{} is in use by process {pid}: a scanwatch runs", state.display());
    assert_eq!(report.said("state", "directory")?, ("note", expected.as_str()));
    assert_eq!(
        report.said("listen", "address")?,
        ("note", "a scanwatch listens on 127.0.0.1:9477, and is well")
    );

    // What the agent itself complains of is passed on.
    lab.router.run_line("ip link delete servers", LIMIT)?;
    let stop = lab.stop().clone();
    xtask::lab::wait::poll("a complaint", LIMIT, &stop, || {
        let report = examine(&lab, &config)?;
        let (verdict, found) = report.said("listen", "address")?;
        Ok((verdict == "warning" && found.contains("servers: the interface is not watched")).then_some(()))
    })?;
    assert!(agent.is_running()?);
    end(agent)?;
    Ok(())
}

/// What doctor says with state on a small disk of its own, which `fill` has filled; it ends with the command.
fn on_small_disk(lab: &Lab, fill: &str) -> Result<Report> {
    let disk = lab.folder().join("disk");
    fs::create_dir_all(&disk)?;
    let words = arguments(lab, &with_state(&disk.join("state"), SINK))?.join(" ");
    let disk = disk.display();
    let script = format!(
        "mount -t tmpfs -o size=16m none {disk} && mkdir {disk}/state && cd {disk} && {fill} && exec {} {words}",
        binary()?.display()
    );
    Report::read(&lab.router.run("unshare", ["--mount", "sh", "-e", "-c", &script], LIMIT)?)
}

#[test]
fn a_disk_that_is_small_full_or_for_reading_alone_is_told_apart() -> Result<()> {
    let lab = Lab::new()?;
    let small = on_small_disk(&lab, "true")?;
    let (verdict, found) = small.said("state", "disk")?;
    assert_eq!((verdict, small.code), ("warning", Some(0)), "{found}");
    assert!(found.contains("16 MiB of 16 MiB are free, and they may take 64 MiB more"), "{found}");

    let nearly_full = on_small_disk(&lab, "head -c 16400000 /dev/zero > junk")?;
    let (verdict, found) = nearly_full.said("state", "disk")?;
    assert_eq!((verdict, nearly_full.code), ("problem", Some(1)), "{found}");
    assert!(found.contains("is full"), "{found}");

    let read_only = on_small_disk(&lab, "mount -o remount,ro none .")?;
    assert_eq!((read_only.said("state", "disk")?.0, read_only.code), ("problem", Some(1)));
    let (verdict, found) = read_only.said("state", "directory")?;
    assert!(verdict == "problem" && found.contains("Read-only file system"), "{verdict}: {found}");
    Ok(())
}

#[test]
fn a_spool_directory_without_rights_is_a_problem_that_names_what_is_in_the_way() -> Result<()> {
    let lab = Lab::new()?;
    let state = lab.folder().join("state");
    fs::create_dir_all(state.join("spool/siem"))?;
    let config = with_state(&state, SINK);
    let report = as_nobody(&lab, "+bpf,+net_admin,+perfmon", &config)?;
    let (verdict, found) = report.said("state", "directory")?;
    let expected = format!(
        "{0} cannot be used ({0}: Permission denied (os error 13)): spools would be held in memory alone",
        state.display()
    );
    assert_eq!((verdict, found, report.code), ("problem", expected.as_str(), Some(1)));

    // The directory is this user's, and a spool in it is somebody else's, who started scanwatch once.
    std::os::unix::fs::chown(&state, Some(65_534), Some(65_534))?;
    std::os::unix::fs::chown(state.join("spool"), Some(65_534), Some(65_534))?;
    fs::set_permissions(state.join("spool/siem"), fs::Permissions::from_mode(0o700))?;
    let report = as_nobody(&lab, "+bpf,+net_admin,+perfmon", &config)?;
    let (verdict, found) = report.said("state", "directory")?;
    assert_eq!((verdict, report.code), ("problem", Some(1)), "{found}");
    assert!(found.contains("spool/siem: Permission denied"), "{found}");
    assert_eq!(report.said("state", "spool")?.0, "note");
    Ok(())
}
