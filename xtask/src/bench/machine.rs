//! What the figures depend on.

use std::fs;
use std::thread;

/// Mitigations that every call of a BPF program, or every return from one, pays for.
const MITIGATIONS: [&str; 2] = ["spectre_v2", "spec_rstack_overflow"];

/// The machine in a line: processor, kernel, and what this kernel does against flaws of the processor.
pub(super) fn describe() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let mitigations = MITIGATIONS.iter().filter_map(|name| {
        let said = fs::read_to_string(format!("/sys/devices/system/cpu/vulnerabilities/{name}")).ok()?;
        Some(format!("; {name}: {}", said.trim()))
    });
    format!(
        "Measured on {}, {processors} processors, Linux {}{}",
        model(&cpuinfo),
        kernel.trim(),
        mitigations.collect::<String>()
    )
}

/// The processor's name, which not every architecture tells.
fn model(cpuinfo: &str) -> &str {
    let line = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    line.map_or("an unnamed processor", |line| line.trim_start_matches([' ', '\t', ':']).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named_where_the_kernel_names_it() {
        assert_eq!(model("processor\t: 0\nmodel name\t: Some CPU @ 3 GHz \n"), "Some CPU @ 3 GHz");
        assert_eq!(model("processor\t: 0\n"), "an unnamed processor");
    }
}
