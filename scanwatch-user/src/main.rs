//! `scanwatch`: the command.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use scanwatch::app;
use scanwatch::cli::{self, Cli, Command, RunArgs};
use scanwatch::config::ConfigError;
use scanwatch::sink::{Lines, Observer};
use tokio::signal::unix::{SignalKind, signal};

const FAILED: u8 = 1;
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(cli.verbose);
    match execute(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, causes and all: it may be read in a journal.
            eprintln!("scanwatch: {error:#}");
            ExitCode::from(if error.is::<ConfigError>() { USAGE } else { FAILED })
        }
    }
}

fn execute(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Check { file } => println!("{}", cli::check(&file)?),
        Command::Run(args) => run(&args)?,
    }
    Ok(())
}

fn run(args: &RunArgs) -> anyhow::Result<()> {
    let policy = args.policy()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let statistics = runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let shutdown = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        let mut sink = Lines::new(io::stdout(), Observer::on(hostname()));
        app::run(policy, &mut sink, shutdown).await
    })?;
    if args.stats {
        eprintln!("{}", serde_json::json!({ "stats": statistics }));
    }
    Ok(())
}

/// Name of this machine.
fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// Log lines go to standard error; `RUST_LOG` overrides the command line.
fn start_log(verbose: u8) {
    let level = match verbose {
        0 => "info",
        1 => "debug",
        _ => "trace",
    };
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing_subscriber::filter::LevelFilter::WARN.into())
        .try_from_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(format!("warn,scanwatch={level}")));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
}
