//! What cannot be done is said in one sentence on standard error, with what to do, and in the exit code. Needs root.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use support::{LIMIT, RECORD_LIMIT, end, is_detected, only_incident, watching};
use xtask::lab::agent::binary;
use xtask::lab::process::{Output, Running};
use xtask::lab::wait::poll;
use xtask::lab::{Host, Lab, Scanwatch};

const SOON: Duration = Duration::from_secs(30);

/// Runs scanwatch on a machine to its end.
fn scanwatch(host: &Host, args: &[&str]) -> Result<Output> {
    host.run(binary()?, args, SOON)
}

/// Fails unless it ended with this code, wrote nothing to standard output, and this one line to standard error.
fn assert_fails(output: &Output, code: i32, sentence: &str) {
    assert_eq!(output.stderr, format!("scanwatch: {sentence}\n"), "{}", output.command);
    assert_eq!(output.status.code(), Some(code), "{}", output.command);
    assert_eq!(output.stdout, "", "{}", output.command);
}

/// Writes a file into the lab's folder and returns its path.
fn file(lab: &Lab, name: &str, text: &str) -> Result<String> {
    let path = lab.folder().join(name);
    fs::write(&path, text)?;
    Ok(path.display().to_string())
}

#[test]
fn an_interface_that_does_not_exist_is_refused_with_those_that_do() -> Result<()> {
    let lab = Lab::new()?;
    let output = scanwatch(&lab.router, &["run", "--interface", "offcie"])?;
    let sentence = "no interface \"offcie\": this host has lo, office, servers, internet; name one of them in \
                    [[interface]] or with --interface";
    assert_fails(&output, 1, sentence);

    let config = file(&lab, "gone.toml", "[[interface]]\nname = \"eth7\"\n")?;
    let output = scanwatch(&lab.client, &["run", "--config", &config])?;
    let sentence = "no interface \"eth7\": this host has lo, eth0; name one of them in [[interface]] or with --interface";
    assert_fails(&output, 1, sentence);
    Ok(())
}

#[test]
fn one_interface_that_does_not_exist_leaves_the_others_alone() -> Result<()> {
    let lab = Lab::new()?;
    let output = scanwatch(&lab.router, &["run", "--interface", "office", "--interface", "eth7"])?;
    assert_eq!(output.status.code(), Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("scanwatch: no interface \"eth7\": "), "{}", output.stderr);
    let links = lab.router.run_line("ip -d link show", SOON)?.stdout;
    assert!(!links.contains("xdp"), "{links}");
    Ok(())
}

#[test]
fn without_a_default_route_and_without_a_name_there_is_nothing_to_watch() -> Result<()> {
    let lab = Lab::new()?;
    let output = scanwatch(&lab.switch, &["run"])?;
    let sentence = "no interface to watch: there is no default route to tell which; name one in [[interface]] or \
                    with --interface";
    assert_fails(&output, 1, sentence);
    Ok(())
}

#[test]
fn without_rights_the_capabilities_that_are_missing_are_named() -> Result<()> {
    let lab = Lab::new()?;
    // Where nobody may read it, wherever it was built.
    let program = lab.folder().join("scanwatch");
    fs::copy(binary()?, &program)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let program = program.display().to_string();
    let as_nobody = |extra: &[&str]| {
        let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"];
        lab.router.run(
            "setpriv",
            [&nobody, extra, &[&program, "run", "--interface", "office"]].concat(),
            SOON,
        )
    };
    let sentence = "no rights to load the kernel programs: run scanwatch as root, or give it the capabilities \
                    CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON";
    assert_fails(&as_nobody(&[])?, 1, sentence);
    let too_few = ["--inh-caps=+net_admin", "--ambient-caps=+net_admin"];
    assert_fails(&as_nobody(&too_few)?, 1, sentence);
    Ok(())
}

/// The capabilities that the message names are enough for the whole agent, from start to end.
#[test]
fn the_capabilities_that_are_named_are_enough() -> Result<()> {
    let lab = Lab::new()?;
    let program = lab.folder().join("scanwatch");
    fs::copy(binary()?, &program)?;
    let wrapper = lab.folder().join("as-nobody");
    let caps = "+bpf,+net_admin,+perfmon";
    let script = format!(
        "#!/bin/sh\nexec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps={caps} \
         --ambient-caps={caps} {} \"$@\"\n",
        program.display()
    );
    fs::write(&wrapper, script)?;
    for path in [&program, &wrapper] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    let mut agent = watching(Scanwatch::on(&lab).program(wrapper))?;
    lab.scanner.run_line("nmap -n -Pn -sS -p1-200 --max-rate 500 --max-retries 0 10.2.0.20", LIMIT)?;
    agent.wait_for(is_detected, RECORD_LIMIT)?;
    only_incident(&end(agent)?);
    Ok(())
}

/// Holds the XDP hook of the office interface, until dropped.
fn other_xdp(lab: &Lab) -> Result<Running> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/other_xdp.py");
    let other = lab.router.spawn("python3", [script, "office"])?;
    let heard = other.stdout().clone();
    let attached =
        poll("the other program", SOON, lab.stop(), || Ok(heard.text().contains("attached").then_some(())));
    attached.with_context(|| other.stderr().text())?;
    Ok(other)
}

#[test]
fn where_another_program_holds_xdp_it_is_named_and_the_tc_hook_is_offered() -> Result<()> {
    let lab = Lab::new()?;
    let mut other = other_xdp(&lab)?;
    let pid = other.pid();
    for hook in ["xdp-native", "xdp-generic"] {
        let config =
            file(&lab, "hook.toml", &format!("[[interface]]\nname = \"office\"\nhook = \"{hook}\"\n"))?;
        let output = scanwatch(&lab.router, &["run", "--config", &config])?;
        assert_eq!(output.status.code(), Some(1), "{}", output.stderr);
        let (start, id) = output.stderr.split_once("(id ").context("no id of a program")?;
        assert_eq!(start, "scanwatch: XDP on office is held by program \"other_xdp\" ");
        let (_, end) = id.split_once(')').context("no id of a program")?;
        let rest = format!(" of process {pid} (python3): detach it, or set hook = \"tc\" for office\n");
        assert_eq!(end, rest);
    }
    only_office(&lab, "hook = \"tc\"", |_| Ok(()))?;
    assert!(other.is_running()?, "{}", other.stderr().text());
    Ok(())
}

/// A scanwatch that may choose the hook on the office interface, while another program holds its XDP.
fn only_office(lab: &Lab, hook: &str, check: impl FnOnce(&str) -> Result<()>) -> Result<()> {
    let config = format!("[[interface]]\nname = \"office\"\n{hook}\n");
    let mut agent = watching(Scanwatch::on(lab).interfaces(&["office"]).config(&config))?;
    lab.scanner.run_line("nmap -n -Pn -sS -p1-200 --max-rate 500 --max-retries 0 10.2.0.20", LIMIT)?;
    agent.wait_for(is_detected, RECORD_LIMIT)?;
    let report = end(agent)?;
    only_incident(&report);
    assert!(report.stderr.contains("watching office by tc (tcx)"), "{}", report.stderr);
    check(&report.stderr)
}

#[test]
fn where_another_program_holds_xdp_and_any_hook_will_do_tc_is_taken_and_the_holder_named() -> Result<()> {
    let lab = Lab::new()?;
    let mut other = other_xdp(&lab)?;
    let holder = format!("of process {} (python3)", other.pid());
    only_office(&lab, "hook = \"auto\"", |log| {
        let told: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
        assert_eq!(told.len(), 3, "{log}");
        for (line, mode) in told.iter().zip(["xdp native with frags", "xdp native", "xdp generic"]) {
            let text = format!("office: no {mode}: held by program \"other_xdp\" (id ");
            assert!(line.contains(&text) && line.ends_with(&holder), "{line}");
        }
        Ok(())
    })?;
    let links = lab.router.run_line("ip -d link show office", SOON)?.stdout;
    assert!(other.is_running()? && links.contains("prog/xdp"), "the other one was disturbed: {links}");
    Ok(())
}

#[test]
fn a_configuration_error_names_file_and_line_and_ends_run_and_check_alike() -> Result<()> {
    let lab = Lab::new()?;
    for (text, line, message) in [
        ("\n[limits]\nquiet = 60\n", 3, "unknown key `quiet` in [limits]"),
        ("[limits]\nquiet_s = \"soon\"\n", 2, "`quiet_s` "),
        ("[thresholds]\nvertical = { \"1m\" = 0, \"10m\" = 5 }\n", 2, ""),
        ("[[role]]\nname = \"p\"\nkind = \"proxy\"\n", 1, "sources"),
        ("[[role]]\nname = \"p\"\nkind = \"proxy\"\nsources = [\"10.1.0.300\"]\n", 4, "10.1.0.300"),
        (
            "[[zone]]\nname = \"a\"\nnetworks = [\"10.0.0.0/8\"]\n[[zone]]\nname = \"b\"\nnetworks = [\"10.0.0.0/8\"]\n",
            6,
            "10.0.0.0/8",
        ),
        ("[[interface]]\nname = \"office\"\nhook = \"xpd\"\n", 3, "xpd"),
        ("[directions\n", 1, ""),
    ] {
        let path = file(&lab, "wrong.toml", text)?;
        let run = scanwatch(&lab.router, &["run", "--config", &path, "--interface", "office"])?;
        let check = scanwatch(&lab.router, &["check", &path])?;
        let start = format!("scanwatch: {path}:{line}: ");
        assert!(run.stderr.starts_with(&start) && run.stderr.contains(message), "{}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        assert_eq!((run.status.code(), run.stdout.as_str()), (Some(2), ""));
        assert_eq!((check.status.code(), check.stdout.as_str()), (Some(2), ""));
        assert_eq!(run.stderr, check.stderr);
    }
    Ok(())
}

#[test]
fn check_says_in_one_line_what_a_valid_file_holds() -> Result<()> {
    let lab = Lab::new()?;
    let empty = file(&lab, "empty.toml", "")?;
    let role = "[[role]]\nname = \"egress proxies\"\nkind = \"proxy\"\nsources = [\"10.1.0.20\"]\n";
    let roles = file(&lab, "roles.toml", role)?;
    for (path, word) in [(&empty, "ok"), (&roles, "1 role")] {
        let output = scanwatch(&lab.router, &["check", path])?.ok()?;
        assert_eq!((output.stdout.lines().count(), output.stderr.as_str()), (1, ""));
        assert!(output.stdout.starts_with(&format!("{path}: ok")), "{}", output.stdout);
        assert!(output.stdout.contains(word), "{}", output.stdout);
    }
    Ok(())
}

#[test]
fn wrong_usage_and_a_missing_file_end_with_code_2() -> Result<()> {
    let lab = Lab::new()?;
    let sentence =
        "/nonexistent/office.toml: cannot be read (No such file or directory (os error 2)); check the path";
    for command in
        [&["check", "/nonexistent/office.toml"][..], &["run", "--config", "/nonexistent/office.toml"]]
    {
        assert_fails(&scanwatch(&lab.router, command)?, 2, sentence);
    }
    for command in [&["watch"][..], &["run", "office"], &["run", "--interface"], &["check"], &[]] {
        let output = scanwatch(&lab.router, command)?;
        assert_eq!((output.status.code(), output.stdout.as_str()), (Some(2), ""), "{command:?}");
        assert!(output.stderr.contains("--help"), "{}", output.stderr);
    }
    Ok(())
}
