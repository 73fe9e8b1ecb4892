//! The trial: does this compiler's output pass this linker? Told here, before a build fails for stranger reasons.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::TOOLS_DIR;
use crate::kernel_object::KernelToolchain;
use crate::step::{run_logged, step};
use crate::workspace;

/// Compiling `core` takes ten seconds on two cores.
const LIMIT: Duration = Duration::from_mins(10);

const MANIFEST: &str = "[package]\nname = \"trial\"\nedition = \"2024\"\n\n[workspace]\n";

/// An XDP program that passes every packet.
const PROGRAM: &str = r#"#![no_std]
#![no_main]

#[unsafe(no_mangle)]
#[unsafe(link_section = "xdp")]
pub extern "C" fn trial(_context: *const u8) -> u32 {
    2
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
"#;

/// ELF's machine number of BPF, as its two bytes.
const EM_BPF: [u8; 2] = 247_u16.to_le_bytes();

/// Where an ELF file says its machine.
const E_MACHINE: std::ops::Range<usize> = 18..20;

/// Compiles and links a program with `toolchain`; its build folder then has `core` for the real ones.
pub(super) fn run(toolchain: &KernelToolchain) -> Result<()> {
    step("trial", || {
        let folder = workspace::root().join(TOOLS_DIR).join("trial");
        fs::create_dir_all(folder.join("src"))?;
        let manifest = folder.join("Cargo.toml");
        fs::write(&manifest, MANIFEST)?;
        fs::write(folder.join("src/main.rs"), PROGRAM)?;

        let build_dir = toolchain.build_dir(workspace::root());
        let mut cargo = toolchain.cargo_build(&manifest, &["trial"], std::env::consts::ARCH, &build_dir);
        run_logged(&mut cargo, &folder.join("trial.log"), LIMIT)?;

        let object = KernelToolchain::object(&build_dir, "trial");
        let bytes = fs::read(&object).with_context(|| format!("{} cannot be read", object.display()))?;
        if bytes.get(E_MACHINE) != Some(&EM_BPF) || !bytes.windows(4).any(|name| name == b".BTF") {
            bail!("{} is no BPF object with BTF", object.display());
        }
        Ok(((), format!("an XDP program compiles and links, {} bytes", bytes.len())))
    })
}
