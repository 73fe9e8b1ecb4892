//! `scanwatch`: the command.

use std::io::{self, IsTerminal, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Parser;
use scanwatch::app;
use scanwatch::cli::{self, Cli, Command, DoctorArgs, ReplayArgs, RunArgs, TopArgs};
use scanwatch::config::{self, ConfigError};
use scanwatch::doctor::{self, Layout};
use scanwatch::generate;
use scanwatch::kernel::{self, Capability};
use scanwatch::policy::Policy;
use scanwatch::replay::{self, Input, Progress, Replayed};
use scanwatch::sink::{Format, Lines, Observer, Outlets, Pace};
use scanwatch::state::{self, Memory, StateDirectory, StateError};
use scanwatch::top;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

const FAILED: u8 = 1;
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(cli.verbose);
    match execute(cli.command) {
        Ok(code) => code,
        Err(error) => {
            // One line, causes and all: it may be read in a journal.
            eprintln!("scanwatch: {error:#}");
            ExitCode::from(if error.is::<ConfigError>() { USAGE } else { FAILED })
        }
    }
}

fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check { file } => println!("{}", cli::check(&file)?),
        Command::Generate { folder } => generate::write(&folder)
            .with_context(|| format!("manual pages cannot be written to {}", folder.display()))?,
        Command::Run(args) => run(&args)?,
        Command::Top(args) => top(args)?,
        Command::Replay(args) => return replay(&args),
        Command::Doctor(args) => return doctor(&args),
    }
    Ok(ExitCode::SUCCESS)
}

fn run(args: &RunArgs) -> anyhow::Result<()> {
    // Before anything is read, and before there is another thread.
    kernel::harden()?;
    kernel::keep_only(&Capability::WHILE_IT_STARTS)?;
    let policy = args.policy()?;
    let directory = state_directory(&policy)?;
    // Threads that write to disk behind the agent have no use for its rights.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_start(kernel::keep_none)
        .build()?;
    let ended = runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let shutdown = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        let setup = app::Setup {
            policy,
            config: args.config.clone(),
            sinks: sinks(args.format, directory.as_ref()),
            memory: directory.map(Memory::in_directory),
            reread: reread(args),
        };
        Box::pin(app::run(setup, shutdown)).await
    })?;
    if args.stats {
        eprintln!("{}", serde_json::json!({ "stats": ended.statistics }));
    }
    match ended.lost {
        0 => Ok(()),
        1 => bail!("1 message was not delivered and is lost; the log says why"),
        lost => bail!("{lost} messages were not delivered and are lost; the log says why, sink by sink"),
    }
}

/// What reads the configuration file again, where there is one.
fn reread(args: &RunArgs) -> Option<app::Reread> {
    args.config.as_ref()?;
    let args = args.clone();
    Some(Box::new(move || args.policy()))
}

/// The state directory, where there is to be one. That of another agent is an error; one that cannot be used is said, and
/// does not keep alerts from being raised.
fn state_directory(policy: &Policy) -> anyhow::Result<Option<StateDirectory>> {
    let Some(path) = state::wanted(policy) else { return Ok(None) };
    match StateDirectory::open(&path) {
        Ok(directory) => Ok(Some(directory)),
        Err(error @ StateError::Held { .. }) => Err(error.into()),
        Err(error) => {
            tracing::error!(
                "{error}; until then nothing outlives this process, and spools are held in memory"
            );
            Ok(None)
        }
    }
}

/// What starts the configured sinks, and standard output where there are none or it is asked for.
fn sinks(format: Option<Format>, directory: Option<&StateDirectory>) -> app::StartSinks {
    let spools = directory.map(|directory| state::spools(directory.path()));
    Box::new(move |policy: &Policy| {
        Outlets::start(&policy.sinks, spools.as_deref(), Observer::on(hostname()), Pace::default())?
            .with_stdout(format)
    })
}

/// Prints what was found; the exit code tells whether scanwatch can work here.
fn doctor(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    // What it finds of files is to be true of the agent.
    kernel::keep_only(&Capability::WHILE_IT_STARTS)?;
    let policy = args.policy()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(doctor::examine(&policy, args.config.as_deref()));
    // A name that no server looks up keeps a thread of the runtime busy.
    runtime.shutdown_background();
    let text = if args.json { report.json() } else { report.table(&Layout::of_stdout()) };
    match io::stdout().write_all(text.as_bytes()) {
        // Nobody reads it any more.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(error).context("cannot write what was found");
        }
        _ => {}
    }
    Ok(if report.can_work() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn top(args: TopArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(top::run(args.listen.unwrap_or_else(top::default_endpoint)))
}

/// Every capture is replayed, whatever is wrong with those before it.
fn replay(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let policy = Arc::new(config::load(args.config.as_deref())?);
    let mut sink = Lines::new(io::stdout(), args.format, Observer::on(hostname()));
    let mut progress = Progress::on_terminal();
    let mut code = ExitCode::SUCCESS;
    for input in args.inputs() {
        let replayed = replay::run(&policy, &input, args.through(), &mut sink, &mut progress)?;
        if tell(&input, &replayed, args.stats) {
            code = ExitCode::from(FAILED);
        }
        if !replayed.is_open {
            break;
        }
    }
    Ok(code)
}

/// Says on standard error what became of a capture; true where anything was wrong with it.
fn tell(input: &Input, replayed: &Replayed, with_statistics: bool) -> bool {
    if replayed.jumps_back > 0 {
        tracing::warn!(
            "{input}: the packets' times went back {} times, and what was open was ended; if it should be one \
             capture, sort it with reordercap",
            replayed.jumps_back
        );
    }
    if let Some(fault) = &replayed.fault {
        eprintln!("scanwatch: {input}: {fault}");
    }
    if with_statistics && let Some(statistics) = &replayed.statistics {
        eprintln!("{}", serde_json::json!({ "file": input.to_string(), "stats": statistics }));
    }
    replayed.fault.is_some()
}

/// Name of this machine.
fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// Log lines go to standard error; `RUST_LOG` overrides the command line.
///
/// Whatever is asked for, of `async_nats` no more than its warnings is written: the details of a connection hold passwords
/// and tokens as they are sent.
fn start_log(verbose: u8) {
    let level = match verbose {
        0 => "info",
        1 => "debug",
        _ => "trace",
    };
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing_subscriber::filter::LevelFilter::WARN.into())
        .try_from_env()
        // What async_nats has to say of a server, the sink says once.
        .unwrap_or_else(|_| {
            tracing_subscriber::EnvFilter::new(format!("warn,async_nats=off,scanwatch={level}"))
        });
    let without_secrets = tracing_subscriber::filter::filter_fn(|about| {
        !about.target().starts_with("async_nats") || *about.level() <= tracing::Level::WARN
    });
    let lines =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    tracing_subscriber::registry().with(filter).with(without_secrets).with(lines).init();
}
