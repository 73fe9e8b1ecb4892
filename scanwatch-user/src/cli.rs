//! The command line.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::config::{self, ConfigError, check_interface_name};
use crate::kernel;
use crate::policy::{Endpoint, Hook, Interface, Policy};
use crate::replay::{Input, Through};
use crate::sink::{Format, transport};

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 usage or configuration error.";

/// Watches network interfaces for scans and reports the few sources that matter.
///
/// Alerts go to standard output, one a line, by default as JSON documents; log lines go to standard error.
#[derive(Clone, Debug, Parser)]
#[command(name = "scanwatch", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    /// Log more to standard error; give it twice for everything.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Watch interfaces until interrupted.
    ///
    /// Ends cleanly on SIGINT and SIGTERM: open incidents are ended, or saved where there is a state directory, and nothing
    /// stays attached. SIGHUP reads the configuration file again, and opens files anew.
    #[command(after_help = EXIT_CODES)]
    Run(RunArgs),
    /// Judge captures as if their packets came by now: the packets' times are the clock.
    ///
    /// Reads pcap and pcapng files, and needs no rights. Each capture stands for itself: nothing is carried over from one
    /// to the next. What belongs together is merged first, as in `mergecap -w - A B | scanwatch replay -`. A capture
    /// that cannot be read to its end is judged as far as it goes, and the exit code is 1.
    #[command(after_help = EXIT_CODES)]
    Replay(ReplayArgs),
    /// Show what a running agent sees, live: incidents, sources, ports and rates.
    ///
    /// Asks the agent over the address of [listen] in its configuration. `q` quits, `?` helps.
    #[command(after_help = EXIT_CODES)]
    Top(TopArgs),
    /// Look at what this machine and these rights allow, and say what to do.
    ///
    /// Looks at the kernel, rights, memory, interfaces, the clock, the state directory and every receiver, and loads the
    /// programs where it may. Nothing is attached, made or changed, and a scanwatch that runs is not disturbed. The exit
    /// code is 1 where something keeps scanwatch from starting, from seeing, or from telling.
    #[command(after_help = EXIT_CODES)]
    Doctor(DoctorArgs),
    /// Validate a configuration file without watching anything.
    ///
    /// Prints one line that says what the file holds, or what is wrong with it and where.
    #[command(after_help = EXIT_CODES)]
    Check {
        /// The configuration file.
        file: PathBuf,
    },
    /// Write manual pages and shell completions into a folder, for a package.
    #[command(hide = true)]
    Generate {
        /// The folder, made where it is missing.
        folder: PathBuf,
    },
}

/// Which agent to show.
#[derive(Clone, Debug, Default, Args)]
pub struct TopArgs {
    /// Where the agent listens: an address with its port, or `unix:` and the path of a socket.
    ///
    /// Without it, unix:/run/scanwatch/api.sock where that is, else 127.0.0.1:9477.
    #[arg(short, long, value_name = "ADDRESS")]
    pub listen: Option<Endpoint>,
}

/// How to watch.
#[derive(Clone, Debug, Default, Args)]
pub struct RunArgs {
    /// The configuration file, in TOML; without it, the defaults hold.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Watch this interface instead of the configured ones; may be given several times.
    ///
    /// The hook is that of the configured interface of the same name, and chosen automatically otherwise.
    #[arg(short, long = "interface", value_name = "IF", value_parser = interface_name)]
    pub interfaces: Vec<String>,
    /// Write the records to standard output in this form, beside any configured sinks.
    ///
    /// Without it, and without sinks, they are written there as ECS documents.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Keep what outlives a restart in this directory: open incidents, and what sinks have yet to deliver.
    ///
    /// Without it, the configured directory; else $STATE_DIRECTORY; else /var/lib/scanwatch where there are sinks.
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Print the counters to standard error on exit.
    #[arg(long)]
    pub stats: bool,
}

impl RunArgs {
    /// The configuration of the file, with the interfaces and the state directory of the command line where it names any.
    ///
    /// # Errors
    /// What is wrong with the file, also where somebody else may write it.
    pub fn policy(&self) -> Result<Policy, ConfigError> {
        if let Some(file) = &self.config {
            config::check_trust(file, Some(kernel::user()))?;
        }
        policy(self.config.as_deref(), &self.interfaces, self.state_dir.as_deref())
    }
}

/// What to look at.
#[derive(Clone, Debug, Default, Args)]
pub struct DoctorArgs {
    /// The configuration file, in TOML; without it, the defaults hold.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Look at this interface instead of the configured ones; may be given several times.
    #[arg(short, long = "interface", value_name = "IF", value_parser = interface_name)]
    pub interfaces: Vec<String>,
    /// Look at this state directory instead of the configured one.
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Print one JSON document instead of a table.
    #[arg(long)]
    pub json: bool,
}

impl DoctorArgs {
    /// What `run` would make of the same arguments.
    pub fn policy(&self) -> Result<Policy, ConfigError> {
        policy(self.config.as_deref(), &self.interfaces, self.state_dir.as_deref())
    }
}

/// The configuration of a file, and what the command line puts in its place.
fn policy(
    file: Option<&Path>,
    interfaces: &[String],
    state_directory: Option<&Path>,
) -> Result<Policy, ConfigError> {
    let mut policy = config::load(file)?;
    if let Some(directory) = state_directory {
        policy.state_directory = Some(directory.to_owned());
    }
    if !interfaces.is_empty() {
        policy.interfaces = chosen(interfaces, &policy.interfaces);
    }
    Ok(policy)
}

/// What to replay, and how.
#[derive(Clone, Debug, Default, Args)]
pub struct ReplayArgs {
    /// Captures, one after the other; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The configuration file, in TOML; without it, the defaults hold.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Run every packet through the program loaded into the kernel, which needs its rights; the records are the same.
    #[arg(long)]
    pub in_kernel: bool,
    /// The form of the records.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Print the counters of each capture to standard error at its end.
    #[arg(long)]
    pub stats: bool,
}

impl ReplayArgs {
    /// The captures.
    pub fn inputs(&self) -> impl Iterator<Item = Input> {
        self.files.iter().map(|file| Input::named(file))
    }

    /// What runs the packets.
    #[must_use]
    pub fn through(&self) -> Through {
        if self.in_kernel { Through::Kernel } else { Through::Host }
    }
}

/// Each named interface once, with its configured hook where it has one.
fn chosen(names: &[String], configured: &[Interface]) -> Vec<Interface> {
    let mut interfaces: Vec<Interface> = Vec::new();
    for name in names {
        if interfaces.iter().all(|interface| interface.name != *name) {
            let same = configured.iter().find(|interface| interface.name == *name);
            let hook = same.map_or(Hook::Auto, |interface| interface.hook);
            interfaces.push(Interface { name: name.clone(), hook });
        }
    }
    interfaces
}

fn interface_name(text: &str) -> Result<String, String> {
    check_interface_name(text).map(|()| text.to_owned())
}

/// Validates a configuration file, and what its sinks need as far as that can be found without connecting; the line says
/// which file it was and what it holds.
pub fn check(file: &Path) -> Result<String, ConfigError> {
    // The agent may run as another user than the one who asks.
    config::check_trust(file, None)?;
    let policy = config::load(Some(file))?;
    for plan in &policy.sinks {
        transport::check(plan).map_err(|why| ConfigError {
            file: file.display().to_string(),
            line: None,
            message: format!("sink {}: {why}", plan.name),
        })?;
    }
    Ok(format!("{}: ok — {}", file.display(), config::summary(&policy)))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use clap::CommandFactory as _;
    use clap::error::ErrorKind;

    use super::*;

    fn parse(args: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(args.split_whitespace())
    }

    fn run(args: &str) -> RunArgs {
        match parse(args).unwrap().command {
            Command::Run(run) => run,
            other => panic!("{args} is {other:?}"),
        }
    }

    #[test]
    fn definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_takes_a_file_several_interfaces_and_stats() {
        let args = run("scanwatch run --config office.toml --interface eth0 --interface eth1 --stats");
        assert_eq!(args.config.as_deref(), Some(Path::new("office.toml")));
        assert_eq!(args.interfaces, ["eth0", "eth1"]);
        assert!(args.stats);
        let args = run("scanwatch run");
        assert_eq!((args.config, args.interfaces.len(), args.stats), (None, 0, false));
        assert_eq!(args.format, None);
        assert_eq!(run("scanwatch run --format text").format, Some(Format::Text));
    }

    #[test]
    fn state_directory_of_the_command_line_comes_before_the_configured_one() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"[state]\ndirectory = \"/srv/a\"\n").unwrap();
        let mut args = RunArgs { config: Some(file.path().to_path_buf()), ..RunArgs::default() };
        assert_eq!(args.policy().unwrap().state_directory.as_deref(), Some(Path::new("/srv/a")));
        args.state_dir = run("scanwatch run --state-dir /srv/b").state_dir;
        assert_eq!(args.policy().unwrap().state_directory.as_deref(), Some(Path::new("/srv/b")));
    }

    #[test]
    fn replay_takes_several_captures_and_standard_input_among_them() {
        let Command::Replay(args) =
            parse("scanwatch replay a.pcap - --in-kernel --config b.toml --format ecs --stats")
                .unwrap()
                .command
        else {
            panic!("not replay")
        };
        assert_eq!(args.inputs().collect::<Vec<_>>(), [Input::File("a.pcap".into()), Input::Standard]);
        assert_eq!(args.config.as_deref(), Some(Path::new("b.toml")));
        assert_eq!((args.through(), args.format, args.stats), (Through::Kernel, Format::Ecs, true));
        let Command::Replay(args) = parse("scanwatch replay a.pcap").unwrap().command else {
            panic!("not replay")
        };
        assert_eq!((args.through(), args.format, args.stats), (Through::Host, Format::Ecs, false));
    }

    #[test]
    fn doctor_looks_at_what_run_would_be_given() {
        let Command::Doctor(args) =
            parse("scanwatch doctor --interface eth0 --interface eth1 --state-dir /srv/b --json")
                .unwrap()
                .command
        else {
            panic!("not doctor")
        };
        assert!(args.json);
        let told = args.policy().unwrap();
        let run = run("scanwatch run --interface eth0 --interface eth1 --state-dir /srv/b").policy().unwrap();
        assert_eq!(told, run);
        assert_eq!(told.interfaces.len(), 2);
    }

    #[test]
    fn verbosity_counts_before_and_after_the_command() {
        assert_eq!(parse("scanwatch -v run -v").unwrap().verbose, 1);
        assert_eq!(parse("scanwatch run -vv").unwrap().verbose, 2);
        assert_eq!(parse("scanwatch check a.toml --verbose").unwrap().verbose, 1);
    }

    #[test]
    fn wrong_usage_ends_with_exit_code_2() {
        for args in [
            "scanwatch",
            "scanwatch watch",
            "scanwatch check",
            "scanwatch check a b",
            "scanwatch run --interface",
            "scanwatch run --interface eth0/1",
            "scanwatch run --interface an-interface-name-too-long",
            "scanwatch run eth0",
            "scanwatch replay",
            "scanwatch doctor eth0",
            "scanwatch doctor --interface eth0/1",
            "scanwatch replay a.pcap --format csv",
            "scanwatch run --format csv",
        ] {
            assert_eq!(parse(args).unwrap_err().exit_code(), 2, "{args}");
        }
    }

    #[test]
    fn help_and_version_are_no_errors_and_name_the_exit_codes() {
        for args in [
            "scanwatch --help",
            "scanwatch run --help",
            "scanwatch replay --help",
            "scanwatch doctor --help",
            "scanwatch check -h",
        ] {
            let help = parse(args).unwrap_err();
            assert_eq!(help.kind(), ErrorKind::DisplayHelp);
            assert_eq!(help.exit_code(), 0);
            assert!(help.to_string().contains(EXIT_CODES), "{args}");
        }
        let version = parse("scanwatch --version").unwrap_err();
        assert_eq!(version.to_string(), format!("scanwatch {}\n", env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn named_interfaces_replace_configured_ones_but_keep_their_hook() {
        let configured = [
            Interface { name: "eth0".into(), hook: Hook::Tc },
            Interface { name: "eth1".into(), hook: Hook::XdpNative },
        ];
        let names = ["eth2".to_owned(), "eth0".to_owned(), "eth2".to_owned()];
        let expected = [
            Interface { name: "eth2".into(), hook: Hook::Auto },
            Interface { name: "eth0".into(), hook: Hook::Tc },
        ];
        assert_eq!(chosen(&names, &configured), expected);
        let args = run("scanwatch run --interface eth7");
        assert_eq!(args.policy().unwrap().interfaces, [Interface { name: "eth7".into(), hook: Hook::Auto }]);
    }

    #[test]
    fn check_finds_what_a_sink_lacks_without_connecting() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"[[sink]]\nname = \"a\"\ntype = \"file\"\npath = \"/nonexistent/a.json\"\n").unwrap();
        let error = check(file.path()).unwrap_err().to_string();
        assert!(error.contains("sink a: /nonexistent is no folder") && error.ends_with("make it"), "{error}");
    }

    #[test]
    fn check_names_the_file_that_is_missing() {
        let error = check(Path::new("/nonexistent/office.toml")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "/nonexistent/office.toml: cannot be read (No such file or directory (os error 2)); check the path"
        );
    }
}
