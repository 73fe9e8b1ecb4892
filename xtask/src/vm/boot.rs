//! A machine: started, watched until it has switched itself off, and what it said kept.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::console::{self, Ended};
use super::kernels::Image;
use super::report::{self, Outcome};
use super::suite::Suite;

/// A machine that runs longer than this has come to a stop; on a processor that is its own it takes two minutes.
const LIMIT: Duration = Duration::from_mins(45);
/// The machine. Emulated page tables have four levels: a fifth costs time at each look-up.
const MACHINE: [&str; 10] =
    ["-machine", "q35", "-accel", "tcg,thread=single", "-cpu", "max,la57=off", "-smp", "1", "-m", MEMORY_MIB];
/// Memory of a machine, MiB: the maps of several agents, and the file system.
const MEMORY_MIB: &str = "1536";
/// No devices but a serial line.
const DEVICES: [&str; 7] =
    ["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio"];
/// Says everything on the serial line, of its own only errors; a panic ends the machine.
///
/// A machine that waits for its processor measures its clock wrongly, and finds its timer broken: the clock is one whose rate
/// is known, and the timer is not tried. What shuts out spies costs an emulator speed; each is named, since the one word for
/// all of them would also change what the verifier looks at.
const KERNEL_ARGUMENTS: &str = "console=ttyS0 quiet loglevel=4 panic=-1 no_timer_check clocksource=hpet tsc=unstable \
                                init_on_alloc=0 kfence.sample_interval=0 nopti spectre_v2=off spectre_bhi=off retbleed=off \
                                spec_rstack_overflow=off spec_store_bypass_disable=off nospectre_v1 \
                                rdinit=/bin/xtask -- vm-guest";

/// Boots a kernel, and says what its machine came to. What it said is in `folder`, in a file of the kernel's name.
pub(super) fn run(emulator: &Path, image: &Image, suite: &Suite, folder: &Path) -> Outcome {
    let begun = Instant::now();
    let log = folder.join(format!("{}.log", image.name));
    let ended = boot(emulator, image, suite, folder, &log);
    let said = report::said(&log);
    let outcome = report::of_machine(&image.name, &image.version, &said, ended, begun.elapsed());
    if image.is_too_old { outcome } else { outcome.with_counts() }
}

/// The processor time that a machine took.
fn boot(emulator: &Path, image: &Image, suite: &Suite, folder: &Path, log: &Path) -> Result<Duration> {
    let initramfs = folder.join(format!("{}.cpio", image.name));
    suite.pack(image, &initramfs)?;
    let mut machine = Command::new(emulator);
    machine.args(MACHINE).args(DEVICES).arg("-kernel").arg(&image.kernel).arg("-initrd").arg(&initramfs);
    machine.args(["-append", KERNEL_ARGUMENTS]);
    let ended = console::run(machine, log, LIMIT);
    fs::remove_file(&initramfs)?;
    let Ended { status, worked } = ended?;
    ensure!(status.success(), "the emulator failed ({status})");
    Ok(worked)
}
