//! A machine: started, watched until it has switched itself off, and what it said kept.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::kernels::Image;
use super::report::{self, Outcome};
use super::suite::Suite;

/// A machine that runs longer than this has come to a stop; one that shares its processor with others may take five minutes.
const LIMIT: Duration = Duration::from_mins(20);
const POLL: Duration = Duration::from_millis(100);
/// Memory of a machine, MiB: the maps of several agents, and the file system.
const MEMORY_MIB: &str = "1536";
/// Says everything on the serial line, and of its own nothing but what ends it; a panic switches it off.
const KERNEL_ARGUMENTS: &str = "console=ttyS0 quiet loglevel=1 panic=-1 rdinit=/bin/xtask -- vm-guest";

/// Boots a kernel, and says what its machine came to. What it said is in `folder`, in a file of the kernel's name.
pub(super) fn run(emulator: &Path, image: &Image, suite: &Suite, folder: &Path) -> Outcome {
    let begun = Instant::now();
    let log = folder.join(format!("{}.log", image.name));
    let ended = boot(emulator, image, suite, folder, &log);
    let said = fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    report::of_machine(&image.name, &image.version, &said, ended.err(), begun.elapsed())
}

fn boot(emulator: &Path, image: &Image, suite: &Suite, folder: &Path, log: &Path) -> Result<()> {
    let initramfs = folder.join(format!("{}.cpio", image.name));
    let out = File::create(log).with_context(|| format!("{} cannot be written", log.display()))?;
    suite.pack(image, &initramfs)?;
    let child = Command::new(emulator)
        .args([
            "-machine",
            "q35",
            "-accel",
            "tcg,thread=single",
            "-cpu",
            "max",
            "-smp",
            "1",
            "-m",
            MEMORY_MIB,
        ])
        .args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio"])
        .arg("-kernel")
        .arg(&image.kernel)
        .arg("-initrd")
        .arg(&initramfs)
        .args(["-append", KERNEL_ARGUMENTS])
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()
        .with_context(|| format!("{} cannot be run", emulator.display()))?;
    let ended = Machine(child).wait();
    fs::remove_file(&initramfs)?;
    ended
}

/// A running emulator. Dropped, it is killed.
struct Machine(Child);

impl Machine {
    fn wait(mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait()? {
                if !status.success() {
                    bail!("the emulator failed ({status})");
                }
                return Ok(());
            }
            if begun.elapsed() > LIMIT {
                bail!("the machine did not switch itself off within {} minutes", LIMIT.as_secs() / 60);
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // SIGKILL; of one that has ended there is nothing left to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
