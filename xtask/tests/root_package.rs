//! The package of `cargo xtask dist`: installed, at work as a service, upgraded, removed and purged on a machine that
//! systemd runs, by its own maintainer scripts. Needs root.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use xtask::dist::{self, Packages};
use xtask::lab::Lab;
use xtask::lab::machine::Machine;
use xtask::lab::process::Output;
use xtask::lab::wait::poll;

/// Longest time for dpkg, which waits until the service is ready.
const DPKG_LIMIT: Duration = Duration::from_mins(2);
/// Longest time until an alert is where it belongs.
const ALERT_LIMIT: Duration = Duration::from_secs(30);
/// Systemd's measure of what a unit could do if it were taken over, tenths: 0 is nothing, 100 everything.
const EXPOSURE_MAX: &str = "25";

const SERVICE: &str = "scanwatch.service";
const CONFIG: &str = "/etc/scanwatch/scanwatch.toml";
const ALERTS: &str = "/var/log/scanwatch/alerts.json";

/// Longest time from the last probe of an incident to its end: the quiet time, and time for a busy machine.
const ENDED_LIMIT: Duration = Duration::from_secs(90);
/// What an administrator adds: the segments that scans of the lab cross, and when a scan is over.
const OWN: &str = "\n[[interface]]\nname = \"office\"\n\n[[interface]]\nname = \"servers\"\n\n\
                   [limits]\nquiet_s = 30\n";
/// What else there is for whoever works with it.
const HELP: [&str; 6] = [
    "/usr/share/bash-completion/completions/scanwatch",
    "/usr/share/zsh/vendor-completions/_scanwatch",
    "/usr/share/fish/vendor_completions.d/scanwatch.fish",
    "/usr/share/doc/scanwatch/scanwatch.example.toml",
    "/usr/share/doc/scanwatch/README.md",
    "/usr/share/doc/scanwatch/copyright",
];
/// A system that another program than systemd runs, as `sh -c THIS system FOLDER OLD NEW`: this one's files under a layer of
/// its own, in which the packages OLD and NEW are installed one after the other, removed and purged.
const WITHOUT_SYSTEMD: &str = include_str!("without_systemd.sh");

/// What `cargo xtask dist` makes, made once for all tests.
fn packages() -> Result<&'static Packages> {
    static MADE: OnceLock<Packages> = OnceLock::new();
    if let Some(made) = MADE.get() {
        return Ok(made);
    }
    let made = dist::packages()?;
    Ok(MADE.get_or_init(|| made))
}

fn dpkg(machine: &Machine, args: &[&str]) -> Result<Output> {
    machine.run_for(&[&["dpkg"], args].concat(), DPKG_LIMIT)
}

/// Copies a file of this system to the machine, and returns its path there.
fn give(machine: &Machine, file: &Path) -> Result<String> {
    let name = file.file_name().context("a file")?.to_string_lossy().into_owned();
    let path = format!("/run/{name}");
    fs::copy(file, machine.path(&path))?;
    Ok(path)
}

/// Installs or upgrades. A configuration that somebody changed is kept without asking, which is what dpkg proposes.
fn install(machine: &Machine, package: &Path) -> Result<()> {
    let path = give(machine, package)?;
    dpkg(machine, &["--force-confdef", "--install", &path])?.ok().map(drop)
}

/// The same package under a higher version, with another configuration in it.
fn newer(package: &Path, folder: &Path) -> Result<PathBuf> {
    let tree = folder.join("newer");
    let run = |args: &[&str]| -> Result<()> {
        let output = Command::new("dpkg-deb").args(args).output()?;
        ensure!(output.status.success(), "dpkg-deb {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    };
    let (from, to) = (package.to_string_lossy(), tree.to_string_lossy());
    run(&["--raw-extract", &from, &to])?;
    let control = tree.join("DEBIAN/control");
    let text = fs::read_to_string(&control)?;
    let version = text.lines().find(|line| line.starts_with("Version: ")).context("a version")?;
    fs::write(&control, text.replace(version, "Version: 99.0.0-1"))?;
    let config = tree.join(CONFIG.trim_start_matches('/'));
    fs::write(&config, fs::read_to_string(&config)? + "\n# What a later package says.\n")?;
    let built = folder.join("newer.deb");
    run(&["--root-owner-group", "-Znone", "--build", &to, &built.to_string_lossy()])?;
    Ok(built)
}

fn assert_at_work(machine: &Machine, watched: &str) -> Result<()> {
    assert_eq!(machine.property(SERVICE, "ActiveState")?, "active", "{}", journal(machine)?);
    let status = machine.property(SERVICE, "StatusText")?;
    assert!(status.starts_with(&format!("watching {watched}; ")), "{status}");
    Ok(())
}

fn journal(machine: &Machine) -> Result<String> {
    Ok(machine.run_line("journalctl --unit scanwatch --output cat --no-pager")?.stdout)
}

/// The service's process has what the unit gives it, and nothing else.
fn assert_locked_up(machine: &Machine) -> Result<()> {
    let pid = machine.property(SERVICE, "MainPID")?;
    let status = fs::read_to_string(machine.path(&format!("/proc/{pid}/status")))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.map(str::trim).unwrap_or_default().to_owned()
    };
    // Bits of linux/capability.h: CAP_NET_ADMIN 12, CAP_PERFMON 38, CAP_BPF 39. It may not take them out of the set beyond which
    // nothing goes, and has given them up itself.
    assert_eq!(field("CapBnd:"), format!("{:016x}", 1_u64 << 12 | 1 << 38 | 1 << 39));
    for set in ["CapPrm:", "CapEff:", "CapInh:", "CapAmb:"] {
        assert_eq!(field(set), format!("{:016x}", 0), "{set}");
    }
    let journal = journal(machine)?;
    assert!(journal.contains("files are confined by Landlock"), "{journal}");
    assert_eq!((field("NoNewPrivs:").as_str(), field("Seccomp:").as_str()), ("1", "2"));
    let user = machine.run_line("id --user scanwatch")?.stdout;
    assert_eq!(field("Uid:").split_whitespace().next(), Some(user.trim()));
    for folder in ["/var/lib/scanwatch", "/var/log/scanwatch", "/run/scanwatch"] {
        let metadata = fs::metadata(machine.path(folder)).with_context(|| folder.to_owned())?;
        assert_eq!(metadata.mode() & 0o7777, 0o750, "{folder}");
        assert_eq!(metadata.uid().to_string(), user.trim(), "{folder}");
    }
    Ok(())
}

/// What the file of the packaged configuration says of the scanner, once `action` is among it: action and incident of each
/// alert.
fn alerts(lab: &Lab, machine: &Machine, action: &str, limit: Duration) -> Result<Vec<(String, String)>> {
    poll(action, limit, lab.stop(), || {
        let text = fs::read_to_string(machine.path(ALERTS)).unwrap_or_default();
        let documents = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let told: Vec<_> = documents
            .filter(|alert| alert["source"]["ip"] == lab.scanner.v4().to_string())
            .map(|alert| (word(&alert["event"]["action"]), word(&alert["scanwatch"]["incident"]["id"])))
            .collect();
        Ok(told.iter().any(|(told, _)| told == action).then_some(told))
    })
    .with_context(|| journal(machine).unwrap_or_default())
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Whether there are the manual, what completes commands, and an account that nobody can log in by; and whose the
/// configuration is.
fn assert_furnished(machine: &Machine) -> Result<()> {
    machine.run_line("man --where scanwatch-run")?;
    for path in HELP {
        assert!(machine.path(path).is_file(), "{path}");
    }
    let config = fs::metadata(machine.path(CONFIG))?;
    assert_eq!((config.mode() & 0o7777, config.uid(), config.gid()), (0o644, 0, 0));
    let account = machine.run_line("getent passwd scanwatch")?.stdout;
    assert!(account.trim_end().ends_with(":/var/lib/scanwatch:/usr/sbin/nologin"), "{account}");
    Ok(())
}

/// Whether a program of ours is on an interface of the router.
fn is_attached(lab: &Lab, interface: &str) -> Result<bool> {
    let shown = lab.router.run_line(&format!("ip -details link show {interface}"), ALERT_LIMIT)?;
    Ok(shown.stdout.contains("prog/xdp"))
}

/// Everything that the machine wrote whose path speaks of scanwatch, but for what dpkg remembers of any package.
fn left_over(machine: &Machine) -> Result<Vec<String>> {
    let find = "find /run/machine/changes -name *scanwatch* -not -type c";
    let found = machine.run_line(find)?.stdout;
    Ok(found.lines().map(|path| path.trim_start_matches("/run/machine/changes").to_owned()).collect())
}

#[test]
fn installed_it_watches_and_alerts_and_once_purged_nothing_is_left() -> Result<()> {
    let Packages { deb, .. } = packages()?;
    let lab = Lab::new()?;
    let machine = Machine::boot(&lab.router, lab.folder())?;

    install(&machine, deb)?;
    assert_eq!(machine.run_line("systemctl is-enabled scanwatch")?.stdout, "enabled\n");
    // The router's default route goes out there.
    assert_at_work(&machine, "internet")?;
    assert_locked_up(&machine)?;
    assert_furnished(&machine)?;

    let config = machine.path(CONFIG);
    let own = fs::read_to_string(&config)? + OWN;
    fs::write(&config, &own)?;
    machine.run_line("systemctl restart scanwatch")?;
    assert_at_work(&machine, "office, servers")?;
    let nmap =
        lab.scanner.spawn("nmap", ["-n", "-Pn", "-sS", "-p1-9000", "--max-rate", "60", "10.2.0.10"])?;
    alerts(&lab, &machine, "scan-detected", ALERT_LIMIT)?;

    let before = machine.property(SERVICE, "MainPID")?;
    let newer = newer(deb, lab.folder())?;
    install(&machine, &newer)?;
    assert_eq!(fs::read_to_string(&config)?, own, "the administrator's configuration is kept");
    assert_ne!(machine.property(SERVICE, "MainPID")?, before, "the new program runs");
    assert_at_work(&machine, "office, servers")?;
    assert!(is_attached(&lab, "office")?);
    drop(nmap);
    let told = alerts(&lab, &machine, "scan-ended", ENDED_LIMIT)?;
    assert!(told.iter().all(|(_, id)| *id == told[0].1 && id.len() == 32), "one incident: {told:?}");
    let detected = told.iter().filter(|(action, _)| action == "scan-detected").count();
    assert_eq!(detected, 1, "{told:?}");
    assert!(journal(&machine)?.contains("going on with 1 open incidents"), "{}", journal(&machine)?);

    dpkg(&machine, &["--remove", "scanwatch"])?.ok()?;
    assert!(!is_attached(&lab, "office")?, "nothing stays attached");
    assert_eq!(fs::read_to_string(&config)?, own, "a removed package leaves its configuration");
    assert!(machine.path(ALERTS).exists(), "and what it found");
    assert!(!machine.path("/usr/bin/scanwatch").exists());

    dpkg(&machine, &["--purge", "scanwatch"])?.ok()?;
    assert_eq!(left_over(&machine)?, [""; 0]);
    Ok(())
}

#[test]
fn a_wrong_configuration_is_not_followed_and_a_service_that_hangs_is_started_again() -> Result<()> {
    let Packages { deb, .. } = packages()?;
    let lab = Lab::new()?;
    let machine = Machine::boot(&lab.router, lab.folder())?;
    install(&machine, deb)?;

    let config = machine.path(CONFIG);
    let good = fs::read_to_string(&config)?;
    fs::write(&config, good.clone() + "\nno_such_key = 1\n")?;
    let restart = machine.run(&["systemctl", "restart", "scanwatch"])?;
    assert!(!restart.status.success(), "a wrong configuration starts");
    assert!(journal(&machine)?.contains("no_such_key"), "and nobody says why");
    fs::write(&config, &good)?;

    machine.run_line("systemctl restart scanwatch")?;
    let pid = machine.property(SERVICE, "MainPID")?;
    let is_said = |what: &str| {
        poll(what, ALERT_LIMIT, lab.stop(), || Ok(journal(&machine)?.contains(what).then_some(())))
    };
    machine.run_line("systemctl reload scanwatch")?;
    is_said("configuration read again")?;
    fs::write(&config, good.clone() + "\nno_such_section = 1\n")?;
    let reload = machine.run(&["systemctl", "reload", "scanwatch"])?;
    assert!(!reload.status.success(), "a wrong configuration is reloaded");
    is_said("the configuration stays as it was")?;
    is_said("no_such_section")?;
    assert_at_work(&machine, "internet")?;
    assert_eq!(machine.property(SERVICE, "MainPID")?, pid, "it goes on by the one before");
    fs::write(&config, good)?;

    let drop_in = machine.path("/etc/systemd/system/scanwatch.service.d");
    fs::create_dir_all(&drop_in)?;
    fs::write(drop_in.join("test.conf"), "[Service]\nWatchdogSec=3s\nRestartSec=100ms\n")?;
    machine.run_line("systemctl daemon-reload")?;
    machine.run_line("systemctl restart scanwatch")?;
    // Longer than the watchdog waits: the loop that turns is left alone.
    thread::sleep(Duration::from_secs(5));
    assert_eq!(machine.property(SERVICE, "NRestarts")?, "0");
    let pid = machine.property(SERVICE, "MainPID")?;
    machine.run_line(&format!("kill -STOP {pid}"))?;
    let stopped = Instant::now();
    while machine.property(SERVICE, "NRestarts")? == "0" {
        ensure!(stopped.elapsed() < ALERT_LIMIT, "still not started again: {}", journal(&machine)?);
        thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

#[test]
fn where_daemons_are_forbidden_it_is_installed_and_not_started() -> Result<()> {
    let Packages { deb, .. } = packages()?;
    let lab = Lab::new()?;
    let machine = Machine::boot(&lab.router, lab.folder())?;
    let policy = machine.path("/usr/sbin/policy-rc.d");
    fs::write(&policy, "#!/bin/sh\nexit 101\n")?;
    machine.run_line("chmod 755 /usr/sbin/policy-rc.d")?;
    install(&machine, deb)?;
    assert_eq!(machine.property(SERVICE, "ActiveState")?, "inactive");
    assert_eq!(machine.run_line("systemctl is-enabled scanwatch")?.stdout, "enabled\n");
    assert!(!is_attached(&lab, "internet")?);
    Ok(())
}

#[test]
fn without_systemd_it_is_installed_upgraded_removed_and_purged_as_well() -> Result<()> {
    let Packages { deb, .. } = packages()?;
    let folder = std::env::temp_dir().join(format!("scanwatch-without-systemd-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let newer = newer(deb, &folder)?;
    let mut unshare = Command::new("timeout");
    unshare.arg(DPKG_LIMIT.as_secs().to_string());
    unshare.args(["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]);
    unshare.args(["sh", "-c", WITHOUT_SYSTEMD, "system"]).arg(&folder).arg(deb).arg(newer);
    let ran = unshare.output();
    fs::remove_dir_all(&folder)?;
    let ran = ran?;
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    let (_, left) = said.split_once("left:\n").context("it came to no end")?;
    assert_eq!(left, "", "{said}");
    Ok(())
}

#[test]
fn the_unit_is_locked_up_as_far_as_its_work_allows() -> Result<()> {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("dist/debian/scanwatch.service");
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=yes", "--no-pager", &format!("--threshold={EXPOSURE_MAX}")])
        .arg(&unit)
        .output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    println!("{}", told.lines().last().unwrap_or_default());
    Ok(())
}

#[test]
fn the_packaged_program_runs_where_there_is_nothing_else() -> Result<()> {
    let Packages { archive, .. } = packages()?;
    let folder = std::env::temp_dir().join(format!("scanwatch-archive-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let mut unpack = Command::new("tar");
    unpack.args(["--extract", "--strip-components=2", "--wildcards", "--file"]).arg(archive);
    unpack.arg("--directory").arg(&folder).arg("*/bin/scanwatch");
    let ran = unpack
        .status()
        .and_then(|_| Command::new("chroot").arg(&folder).args(["/scanwatch", "--version"]).output());
    fs::remove_dir_all(&folder)?;
    let ran = ran?;
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(
        said,
        format!("scanwatch {}\n", env!("CARGO_PKG_VERSION")),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    Ok(())
}
