//! What runs in a machine: its first process, which readies it, runs the tests, and switches it off.
//!
//! It is this very program, started by the kernel. All it says goes to the console, which the host keeps.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::kmod::{ModuleInitFlags, finit_module};
use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot};

/// Name of the program in the machine's `/bin`.
pub(super) const NAME: &str = "xtask";
/// The file that says what to run: a program's path and its arguments, one a line.
pub(super) const COMMAND: &str = "command";
/// Begins the lines by which the host knows what happened.
pub(super) const MARK: &str = "machine: ";
/// Ends the mark of a run that passed.
pub(super) const PASSED: &str = "the tests passed";
/// The same of one that failed.
pub(super) const FAILED: &str = "the tests failed";
/// Lines of the kernel's own that are shown after a failure.
const KERNEL_LINES_MAX: usize = 40;

/// Kind and place of the file systems that programs expect.
const MOUNTS: [(&str, &str); 6] = [
    ("devtmpfs", "/dev"),
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("bpf", "/sys/fs/bpf"),
    ("tmpfs", "/tmp"),
    ("tmpfs", "/run"),
];

/// Readies the machine, runs the tests, says how they ended, and switches the machine off.
///
/// # Errors
/// Where this is not the first process of a machine, and where it cannot be switched off.
pub fn run() -> Result<()> {
    ensure!(
        std::process::id() == 1,
        "this is for the first process of a machine that `cargo xtask vm` boots"
    );
    let begun = Instant::now();
    let verdict = match ready().and_then(|()| tests()) {
        Ok(true) => PASSED.to_owned(),
        Ok(false) => FAILED.to_owned(),
        Err(error) => format!("{FAILED}: {error:#}"),
    };
    if verdict != PASSED {
        for line in kernel_lines().unwrap_or_default() {
            println!("kernel: {line}");
        }
    }
    println!("{MARK}{verdict} after {} s", begun.elapsed().as_secs());
    let _never = reboot(RebootMode::RB_POWER_OFF).context("the machine cannot be switched off")?;
    Ok(())
}

fn ready() -> Result<()> {
    for (kind, place) in MOUNTS {
        match mount(Some(kind), place, Some(kind), MsFlags::empty(), None::<&str>) {
            // The kernel has mounted it by itself.
            Ok(()) | Err(Errno::EBUSY) => {}
            Err(error) => return Err(error).with_context(|| format!("{kind} cannot be mounted on {place}")),
        }
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    println!("{MARK}Linux {}", release.trim());
    for path in fs::read_to_string("/modules/order")?.lines() {
        let file = File::open(path).with_context(|| format!("{path} cannot be read"))?;
        finit_module(file, c"", ModuleInitFlags::empty())
            .with_context(|| format!("the kernel does not take its module {path}"))?;
    }
    let status = Command::new("/bin/ip")
        .args(["link", "set", "lo", "up"])
        .status()
        .context("/bin/ip cannot be run")?;
    ensure!(status.success(), "the loopback interface cannot be switched on");
    Ok(())
}

/// Runs the tests; whether they passed.
fn tests() -> Result<bool> {
    let text = fs::read_to_string(Path::new("/").join(COMMAND)).context("nothing says what to run")?;
    let mut words = text.lines();
    let program = words.next().context("nothing says what to run")?;
    let status = Command::new(program)
        .args(words)
        .env("PATH", "/bin")
        .env("HOME", "/root")
        .env(crate::test::BINARY_VARIABLE, "/bin/scanwatch")
        .current_dir("/tmp")
        .status()
        .with_context(|| format!("{program} cannot be run"))?;
    Ok(status.success())
}

/// The last lines of the kernel's own log.
fn kernel_lines() -> Result<Vec<String>> {
    let mut log = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open("/dev/kmsg")?;
    let mut lines = Vec::new();
    let mut record = [0; 8_192];
    loop {
        match log.read(&mut record) {
            Ok(0) => break,
            // Priority, number, time and flags, then the message (Documentation/ABI/testing/dev-kmsg).
            Ok(length) => {
                let record = String::from_utf8_lossy(&record[..length]);
                lines.extend(record.lines().next().and_then(|line| Some(line.split_once(';')?.1.to_owned())));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            // Records were overwritten meanwhile.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(error) => return Err(error.into()),
        }
    }
    lines.drain(..lines.len().saturating_sub(KERNEL_LINES_MAX));
    Ok(lines)
}
