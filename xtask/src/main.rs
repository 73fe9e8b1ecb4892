//! `cargo xtask`: set-up, build, demo, checks and measurements, by one command each.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::lab::wait::Interrupted;
use xtask::{bench, build, demo, deny, dist, fuzz, lab, miri, reproduce, setup, soak, test, tidy, vm};

/// Exit code after Ctrl-C: that of a process that SIGINT ended, as a shell counts it.
const INTERRUPTED: u8 = 128 + 2;

/// Set-up, build, demo, checks and measurements of scanwatch. Each command does the set-up it needs first.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find or install what the kernel programs are built with
    Setup {
        /// The only way to try; without it, rustup first, then debian
        #[arg(long, value_name = "WAY")]
        kernel_toolchain: Option<setup::Source>,
    },
    /// Build scanwatch, kernel programs included: one file, target/release/scanwatch with --release
    Build {
        /// With optimisation
        #[arg(long)]
        release: bool,
        /// With what is left out otherwise, such as sinks of type "kafka"
        #[arg(long, value_name = "NAME", value_delimiter = ',')]
        features: Vec<String>,
    },
    /// Build scanwatch with optimisation, and run it
    Run {
        /// What scanwatch is given, after `--`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Show scanwatch at work: an office day in network namespaces, told as a table (needs root)
    Demo,
    /// Keep the demo's network up to walk around in, until Ctrl-C (needs root)
    Lab,
    /// Everything in the lab at random, floods, reloads and restarts: is every scan found, and nothing else (needs root)
    Soak {
        /// How long it lasts
        #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=10_080))]
        minutes: u64,
        /// What happens is drawn by this number; without it, by one that is printed
        #[arg(long, value_name = "S")]
        seed: Option<u64>,
    },
    /// Check everything that must hold before a change goes in
    Test {
        /// Run only tests whose name contains this; leaves tidy, format and clippy out
        filter: Option<String>,
        /// Run only this step of those that run beside the tests that need root
        #[arg(long, value_name = "NAME", conflicts_with = "filter", hide = true)]
        step: Option<String>,
    },
    /// Measure what a packet costs in every kind of traffic, and what the agent costs (needs root)
    Bench {
        /// Only rows whose names contain one of these
        rows: Vec<String>,
        /// Also write the rows to this file, as a JSON array
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Measure little, to see that everything works; the figures are worth nothing
        #[arg(long)]
        quick: bool,
    },
    /// Judge everything that is compiled in: its licence, its versions, and where it comes from
    Deny,
    /// Show hostile input to all that reads what strangers wrote, and say how far that came
    Fuzz {
        /// Only these targets
        targets: Vec<String>,
        /// Time for each target; as many run side by side as there are processors
        #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=604_800))]
        seconds: u64,
        /// Show this one input to the target instead, such as what a crash left
        #[arg(long, value_name = "FILE")]
        input: Option<PathBuf>,
    },
    /// Run the shared crate's tests, and the agent's casts of bytes, in an interpreter that refuses undefined behaviour
    Miri,
    /// Make what is installed elsewhere: a static program in a Debian package, and in an archive
    Dist,
    /// Run the tests of the kernel side on other kernels, each in a machine of its own
    Vm {
        /// The only kernel to run them on, such as 6.1, or "running"; may be given several times
        #[arg(long = "kernel", value_name = "V")]
        kernels: Vec<String>,
    },
    /// The first process of such a machine
    #[command(hide = true)]
    VmGuest,
    /// Build the last commit twice in different folders, packages included, and compare byte for byte
    Reproduce {
        /// Only the program and the kernel object, from the files as they are; the tests do that
        #[arg(long)]
        quick: bool,
    },
    /// Enforce the boundaries between crates and the limits of files
    Tidy,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Setup { kernel_toolchain } => setup::kernel_toolchain(kernel_toolchain).map(drop),
        Command::Build { release, features } => build_and_say(release, &features),
        Command::Run { arguments } => setup::kernel_toolchain(None).and_then(|_| build::run(&arguments)),
        Command::Demo => setup_and_demo(),
        Command::Lab => setup_and_lab(),
        Command::Soak { minutes, seed } => setup_and_soak(soak::Wanted { seconds: 60 * minutes, seed }),
        Command::Test { step: Some(step), .. } => test::run_step(&step),
        Command::Test { filter, .. } => test::run(filter.as_deref()),
        Command::Bench { rows, json, quick } => bench::run(&bench::Wanted { rows, json, quick }),
        Command::Deny => deny::run(),
        Command::Fuzz { targets, seconds, input } => fuzz::run(&fuzz::Wanted { targets, seconds, input }),
        Command::Miri => miri::find().and_then(|()| miri::run()),
        Command::Dist => dist::run(),
        Command::Vm { kernels } => vm::run(&kernels),
        Command::VmGuest => vm::guest::run(),
        Command::Reproduce { quick: false } => reproduce::run(),
        Command::Reproduce { quick: true } => reproduce::check(),
        Command::Tidy => tidy::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Interrupted>() => {
            eprintln!("xtask: interrupted; the lab is removed");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn setup_and_lab() -> Result<()> {
    lab::require_root()?;
    setup::tools(lab::PROGRAMS)?;
    lab::session::run()
}

fn setup_and_demo() -> Result<()> {
    // Said before a build that takes minutes.
    lab::require_root()?;
    setup::kernel_toolchain(None)?;
    setup::tools(demo::PROGRAMS)?;
    build::build(true)?;
    demo::run()
}

fn setup_and_soak(wanted: soak::Wanted) -> Result<()> {
    lab::require_root()?;
    setup::tools(soak::PROGRAMS)?;
    if std::env::var_os(test::BINARY_VARIABLE).is_none() {
        setup::kernel_toolchain(None)?;
        build::build(true)?;
    }
    soak::run(wanted)
}

fn build_and_say(release: bool, features: &[String]) -> Result<()> {
    setup::kernel_toolchain(None)?;
    let binary = build::build_with(release, features)?;
    println!("{}", binary.display());
    Ok(())
}
