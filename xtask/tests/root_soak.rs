//! A soak of a minute: everybody acts, every scan is found, nobody else, and its summary says so. Needs root.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

#[test]
fn a_soak_of_a_minute_finds_every_scan_and_nobody_else_over_reloads_restarts_and_floods() -> Result<()> {
    // The seed is fixed, and with it what happens; when, the machine decides.
    let args = ["soak", "--minutes", "1", "--seed", "1"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(args).current_dir(root).output()?;
    let (table, said) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    ensure!(output.status.success(), "{table}\n{said}");
    let row = |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    for row in [row("restarts"), row("reloads")] {
        // Each of these happens once at least, whatever else does.
        ensure!(!row.is_empty() && !row.split_whitespace().any(|word| word == "0"), "{table}");
    }
    for kind in ["horizontal internal", "vertical internal", "from outside", "floods", "losses told"] {
        ensure!(!row(kind).is_empty(), "no {kind} in {table}");
    }
    let folder = root.join("target/soak/1");
    for file in ["scans.jsonl", "records.jsonl", "notes.txt", "summary.txt", "agent-3.log"] {
        ensure!(folder.join(file).is_file(), "no {file}");
    }
    Ok(())
}
