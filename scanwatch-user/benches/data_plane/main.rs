//! What a packet costs in the kernel, in every kind of traffic: `cargo xtask bench`, which builds the kernel object and
//! says where it is. Needs root.
//!
//! Prints one JSON object a row on standard output, all else on standard error. Arguments are parts of rows' names;
//! `--quick` measures little, to see that everything works.

#[path = "../../../scanwatch-common/tests/build/mod.rs"]
mod build;
mod live;
mod measure;
#[path = "../../../scanwatch-ebpf/src/plan.rs"]
mod plan;
mod rows;
mod scan_in_flood;
mod sizes;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::env;
use std::fs;
use std::process::ExitCode;

use measure::{Effort, measure};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::{Pid, geteuid};

/// Where the benchmark's kernel object lies.
const OBJECT_VARIABLE: &str = "SCANWATCH_BENCH_OBJECT";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("data_plane: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let effort =
        if arguments.iter().any(|argument| argument == "--quick") { Effort::QUICK } else { Effort::FULL };
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    if !geteuid().is_root() {
        return Err("measuring the kernel programs needs root: run `cargo xtask bench` with sudo".to_owned());
    }
    let path = env::var_os(OBJECT_VARIABLE)
        .ok_or("the benchmark's kernel object is built by `cargo xtask bench`: run that")?;
    let object = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let processors = pin()?;
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    let mut failed = Vec::new();
    for row in rows::all().into_iter().filter(|row| is_wanted(row.name)) {
        eprintln!("  {:<26} {}", row.name, row.what);
        match measure(&row, &object, effort) {
            Ok(figures) => println!("{}", figures.json(&row)),
            Err(message) => failed.push(format!("{}: {message}", row.name)),
        }
    }
    for (name, row) in rows::live().into_iter().filter(|(name, _)| is_wanted(name)) {
        eprintln!("  {name:<26} {}", row.what);
        match live::measure(name, &row, &object, effort) {
            Ok(line) => println!("{line}"),
            Err(message) => failed.push(format!("{name}: {message}")),
        }
    }
    if is_wanted(scan_in_flood::NAME) {
        eprintln!("  {:<26} {}", scan_in_flood::NAME, scan_in_flood::WHAT);
        match scan_in_flood::measure(&object, &processors) {
            Ok(line) => println!("{line}"),
            Err(message) => failed.push(format!("{}: {message}", scan_in_flood::NAME)),
        }
    }
    for size in sizes::all()?.into_iter().filter(|size| is_wanted(size.name())) {
        println!("{}", size.json());
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

/// Keeps this thread, and so the programs that it runs, on one processor: the last it may use, as the first has the
/// interrupts on most machines. Returns all that it may use.
fn pin() -> Result<CpuSet, String> {
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this).map_err(|error| format!("no processors are told: {error}"))?;
    let last = (0..CpuSet::count()).rev().find(|cpu| allowed.is_set(*cpu).unwrap_or_default());
    let mut one = CpuSet::new();
    one.set(last.unwrap_or_default())
        .and_then(|()| sched_setaffinity(this, &one))
        .map_err(|error| format!("cannot stay on one processor: {error}"))?;
    Ok(allowed)
}
