//! Manual pages and shell completions, from the definition of the command line: what a package holds of them.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::Cli;

/// Shells that completions are written for, each with the name its completion file has.
const SHELLS: [(Shell, &str); 3] =
    [(Shell::Bash, "scanwatch.bash"), (Shell::Zsh, "_scanwatch"), (Shell::Fish, "scanwatch.fish")];

/// Files that the program reads or writes where it is installed as a package.
const FILES: [(&str, &str); 5] = [
    ("/etc/scanwatch/scanwatch.toml", "The configuration of the service."),
    (
        "/usr/share/doc/scanwatch/scanwatch.example.toml",
        "Every key of the configuration with its default, and what it means.",
    ),
    (
        "/etc/scanwatch/environment",
        "Secrets that the configuration takes from the environment, for the service.",
    ),
    ("/var/log/scanwatch/", "Alerts, where the configuration names a file there."),
    (
        "/var/lib/scanwatch/",
        "What outlives the process: open incidents, and alerts that no receiver has taken yet.",
    ),
];

const SIGNALS: [(&str, &str); 2] = [
    ("SIGINT, SIGTERM", "Drain and judge what was counted, detach, and end."),
    ("SIGHUP", "Read the configuration again without detaching, and open log files anew."),
];

const EXIT_CODES: [(&str, &str); 3] = [
    ("0", "Done."),
    ("1", "Failed; one sentence on standard error says what to do."),
    ("2", "Wrong usage or configuration."),
];

/// Writes `man/*.1`, a page for the program and one for each command, and `completions/` into the folder, which is made
/// where it is missing.
pub fn write(folder: &Path) -> io::Result<()> {
    let program = typed(&Cli::command());
    pages(&program, &folder.join("man"))?;
    let completions = folder.join("completions");
    fs::create_dir_all(&completions)?;
    for (shell, file) in SHELLS {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut program.clone(), "scanwatch", &mut text);
        fs::write(completions.join(file), text)?;
    }
    Ok(())
}

/// The program with the commands that people type.
fn typed(whole: &Command) -> Command {
    Command::new("scanwatch")
        .about(whole.get_about().cloned().unwrap_or_default())
        .long_about(whole.get_long_about().cloned().unwrap_or_default())
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true)
        .args(whole.get_arguments())
        .subcommands(whole.get_subcommands().filter(|command| !command.is_hide_set()))
}

fn pages(program: &Command, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // Built, so that the pages of the commands have the options that all share.
    let mut program = program.clone();
    program.build();
    fs::write(folder.join("scanwatch.1"), page(&program, &main_sections(&program))?)?;
    for command in program.get_subcommands() {
        let name = format!("scanwatch-{}", command.get_name());
        // The page's title has the name that `man` finds it by, and its synopsis what is typed.
        let page_of = command.clone().display_name(&name);
        fs::write(folder.join(format!("{name}.1")), page(&page_of, &see_also(["scanwatch(1)"]))?)?;
    }
    Ok(())
}

/// What every page has, then `sections`. Exit codes stand in the main page, and so not once more in each.
fn page(command: &Command, sections: &Roff) -> io::Result<Vec<u8>> {
    let command = command.clone().after_help(None).after_long_help(None);
    let man = Man::new(command.clone()).manual("scanwatch").section("1");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    sections.to_writer(&mut text)?;
    Ok(text)
}

fn main_sections(program: &Command) -> Roff {
    let mut roff = Roff::new();
    list(&mut roff, "EXIT STATUS", &EXIT_CODES);
    list(&mut roff, "SIGNALS", &SIGNALS);
    list(&mut roff, "FILES", &FILES);
    let commands = program.get_subcommands().map(|command| format!("scanwatch-{}(1)", command.get_name()));
    see_also_in(&mut roff, commands.chain(["systemd.service(5)".to_owned(), "bpf(2)".to_owned()]));
    roff
}

fn see_also(pages: impl IntoIterator<Item = &'static str>) -> Roff {
    let mut roff = Roff::new();
    see_also_in(&mut roff, pages.into_iter().map(str::to_owned));
    roff
}

fn see_also_in(roff: &mut Roff, pages: impl Iterator<Item = String>) {
    roff.control("SH", ["SEE ALSO"]);
    roff.text([roman(pages.collect::<Vec<_>>().join(", "))]);
}

fn list(roff: &mut Roff, title: &str, entries: &[(&str, &str)]) {
    roff.control("SH", [title]);
    for (name, meaning) in entries {
        roff.control("TP", []);
        roff.text([bold(*name)]);
        roff.text([roman(*meaning)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_people_type_has_a_page_and_every_shell_its_completions() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        let mut pages: Vec<String> = fs::read_dir(folder.path().join("man"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        pages.sort();
        let mut expected: Vec<String> = Cli::command()
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .map(|command| format!("scanwatch-{}.1", command.get_name()))
            .chain(["scanwatch.1".to_owned()])
            .collect();
        expected.sort();
        assert_eq!(pages, expected);
        assert!(pages.contains(&"scanwatch-run.1".to_owned()));
        for (_, file) in SHELLS {
            let text = fs::read_to_string(folder.path().join("completions").join(file)).unwrap();
            assert!(text.contains("scanwatch") && text.contains("interface"), "{file}");
            assert!(!text.contains("generate"), "{file} offers what nobody types");
        }
    }

    #[test]
    fn the_main_page_tells_exit_codes_files_and_signals() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        let page = fs::read_to_string(folder.path().join("man/scanwatch.1")).unwrap();
        for needle in ["EXIT STATUS", "SIGHUP", "/etc/scanwatch/scanwatch.toml", "scanwatch\\-run(1)"] {
            assert!(page.contains(needle), "{needle} is not in {page}");
        }
        let page = fs::read_to_string(folder.path().join("man/scanwatch-run.1")).unwrap();
        assert!(page.contains(".TH scanwatch-run 1") && page.contains("\\-\\-interface"), "{page}");
    }
}
