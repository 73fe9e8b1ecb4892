//! Exit codes, the shape of the document, the table.

use std::fs;
use std::io::Read as _;
use std::process::Stdio;

use serde_json::Value;

use crate::{Desk, Report, doctor, tree};

const AREAS: [&str; 9] =
    ["kernel", "rights", "memory", "programs", "interface", "clock", "state", "sink", "listen"];
const LISTENING: &str =
    "[listen]\naddress = \"unix:/nonexistent/api.sock\"\n[[sink]]\nname = \"a\"\ntype = \"stdout\"\n";

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_document_has_the_shape_that_is_documented() {
    let report = Desk::new().examine(LISTENING);
    assert_eq!(report.text.lines().count(), 1);
    let document = &report.document;
    assert_eq!(keys(document), ["counts", "findings", "verdict", "version"]);
    assert_eq!(document["version"], env!("CARGO_PKG_VERSION"));
    let counted: u64 =
        ["ok", "note", "warning", "problem"].iter().map(|v| document["counts"][v].as_u64().unwrap()).sum();
    assert_eq!(counted, report.findings().len() as u64);
    for finding in report.findings() {
        assert_eq!(keys(finding), ["advice", "area", "check", "found", "subject", "verdict"]);
        let verdict = finding["verdict"].as_str().unwrap();
        assert!(["ok", "note", "warning", "problem"].contains(&verdict), "{finding}");
        assert!(!finding["found"].as_str().unwrap().is_empty(), "{finding}");
        let needs_advice = ["warning", "problem"].contains(&verdict);
        assert!(
            !needs_advice || finding["advice"].as_str().is_some_and(|advice| !advice.is_empty()),
            "{finding}"
        );
    }
    let found: Vec<&str> =
        report.findings().iter().map(|finding| finding["area"].as_str().unwrap()).collect();
    for area in AREAS {
        assert!(found.contains(&area), "{area}: {}", report.text);
    }
}

#[test]
fn every_check_is_in_the_page_that_describes_them() {
    let page = include_str!("../../../docs/DOCTOR.md");
    for finding in Desk::new().examine(LISTENING).findings() {
        let (area, check) = (finding["area"].as_str().unwrap(), finding["check"].as_str().unwrap());
        assert!(page.contains(&format!("| `{area}` | `{check}` |")), "{area} {check}");
    }
}

#[test]
fn the_exit_code_is_1_exactly_where_there_is_a_problem() {
    let good = Desk::new().examine("[[sink]]\nname = \"a\"\ntype = \"stdout\"\n");
    let has_problem = good.document["counts"]["problem"].as_u64().unwrap() > 0;
    assert_eq!(good.code, Some(i32::from(has_problem)), "{}", good.text);
    let bad =
        Desk::new().examine("[[sink]]\nname = \"a\"\ntype = \"file\"\npath = \"/nonexistent/a.json\"\n");
    assert_eq!((bad.code, bad.document["verdict"].as_str()), (Some(1), Some("problem")));
}

#[test]
fn a_wrong_configuration_is_exit_code_2_and_nothing_is_examined() {
    let desk = Desk::new();
    let file = desk.path("wrong.toml");
    fs::write(&file, "[[sink]]\nname = \"siem\"\ntype = \"pigeon\"\n").unwrap();
    for format in [&[][..], &["--json"]] {
        let output = doctor().args(format).arg("--config").arg(&file).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{errors}");
        assert!(errors.starts_with(&format!("scanwatch: {}:3: ", file.display())), "{errors}");
        assert!(errors.contains("pigeon") && errors.lines().count() == 1, "{errors}");
    }
    let output = doctor().arg("--interface").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn an_interface_that_is_not_there_is_a_problem_and_those_that_are_are_named() {
    let output = doctor().args(["--json", "--interface", "lo", "--interface", "nowhere7"]).output().unwrap();
    let report = Report::read(&output);
    let (verdict, found, advice) = report.said("interface", "present", Some("nowhere7"));
    assert_eq!(verdict, "problem");
    assert!(found.starts_with("no interface \"nowhere7\": this host has lo"), "{found}");
    assert_eq!(advice, "name one of them in [[interface]] or with --interface");
    assert_eq!(report.said("interface", "link", Some("lo")).0, "note");
    assert_eq!(report.code, Some(1));
}

#[test]
fn the_table_has_a_line_for_each_finding_and_no_colours_in_a_file() {
    let desk = Desk::new();
    let report = desk.examine("");
    let state = desk.path("state");
    let mut command = doctor();
    command.args(["--interface", "lo", "--state-dir"]).arg(state);
    let output = command.arg("--config").arg(desk.path("scanwatch.toml")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let begins = |line: &&str| {
        ["ok ", "note ", "warning ", "problem "].iter().any(|verdict| line.starts_with(verdict))
    };
    assert_eq!(text.lines().filter(begins).count(), report.findings().len(), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("scanwatch can") && last.ends_with('.'), "{last}");
}

#[test]
fn a_state_directory_that_cannot_be_one_is_reported() {
    let desk = Desk::new();
    fs::write(desk.path("state"), "").unwrap();
    let report = desk.examine("[[sink]]\nname = \"a\"\ntype = \"stdout\"\n");
    let (verdict, found, advice) = report.said("state", "directory", None);
    assert_eq!(verdict, "problem");
    assert!(found.starts_with(&desk.path("state").display().to_string()), "{found}");
    assert!(found.contains("spools would be held in memory alone"), "{found}");
    assert!(advice.contains("--state-dir"), "{advice}");
    assert_eq!(report.code, Some(1));
}

#[test]
fn what_waits_in_a_spool_and_what_was_refused_is_told() {
    let desk = Desk::new();
    let spool = desk.path("state/spool/siem");
    fs::create_dir_all(&spool).unwrap();
    fs::write(spool.join("0000000000000000.seg"), vec![0; 3 << 20]).unwrap();
    fs::write(spool.join("dead-letters.jsonl"), "{}\n").unwrap();
    let config = "[[sink]]\nname = \"siem\"\ntype = \"stdout\"\nspool_max_mib = ";
    let report = desk.examine(&format!("{config}64\n"));
    let (verdict, found, _) = report.said("state", "spool", Some("siem"));
    assert_eq!(verdict, "note");
    assert!(found.starts_with("3 MiB of 64 MiB at most wait in the spool; 3 bytes were refused"), "{found}");
    assert_eq!(desk.examine(&format!("{config}4\n")).said("state", "spool", Some("siem")).0, "warning");
}

#[test]
fn examining_makes_and_changes_nothing() {
    let desk = Desk::new();
    fs::create_dir(desk.path("log")).unwrap();
    let path = desk.path("log/alerts.json");
    let config =
        format!("[[sink]]\nname = \"a\"\ntype = \"file\"\npath = {:?}\n", path.display().to_string());
    let report = desk.examine(&config);
    assert_eq!(report.said("sink", "receiver", Some("a")).0, "ok", "{}", report.text);
    assert_eq!(report.said("state", "directory", None).0, "ok");
    assert_eq!(tree(desk.folder.path()), [desk.path("log"), desk.path("scanwatch.toml")]);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child =
        doctor().args(["--interface", "lo"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    let code = child.wait().unwrap().code().unwrap();
    assert!(code < 2 && !errors.contains("panicked") && !errors.contains("cannot write"), "{code}: {errors}");
}
