//! The forms of messages before programs that others made: liblognorm reads CEF, the published schemas of OCSF and of
//! Suricata's EVE take findings and alerts.
//!
//! What they are given are the lines that scanwatch's own tests compare byte for byte with what it writes. Needs root only
//! for what it may have to install.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use xtask::setup;

/// The OCSF version that scanwatch follows.
const OCSF_VERSION: &str = "1.8.0";
/// The published schemas of OCSF and what makes JSON Schemas of them; and what holds documents against those.
const PACKAGES: [&str; 2] = ["ocsf-json-schema==1.2.0", "jsonschema==4.26.0"];
/// Suricata publishes the schema with its sources, since release 8; Debian has those from this suite on.
const EVE_SCHEMA: [&str; 3] = ["forky", "suricata", "etc/schema.json"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// What scanwatch writes in a form, one line a message.
fn golden(format: &str) -> String {
    let path = root().join(format!("scanwatch-user/tests/golden/{format}.txt"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn documents(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// Runs a program to its end with `input`, which it reads before it writes much.
fn run(command: &mut Command, input: &str) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("`{name}` cannot be run"))?;
    child.stdin.take().context("no standard input")?.write_all(input.as_bytes())?;
    Ok(child.wait_with_output()?)
}

/// A file that is gone with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, text: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("scanwatch-{}-{name}", std::process::id()));
        fs::write(&path, text)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What liblognorm makes of lines of CEF.
fn normalized(lines: &str) -> Result<Vec<Value>> {
    setup::tools(&["lognormalizer"])?;
    let rules = Scratch::new("cef.rulebase", "version=2\nrule=:%f:cef%\n")?;
    let output = run(Command::new("lognormalizer").arg("-r").arg(&rules.0).args(["-e", "json"]), lines)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "lognormalizer: {}: {said}", output.status);
    Ok(documents(&String::from_utf8(output.stdout)?))
}

/// A text as CEF is to hold it: new lines stay, other controls and marks of direction are spelt out.
fn spelt(text: &str) -> String {
    let is_mark = |c: char| matches!(c, '\u{2028}' | '\u{202e}');
    let spell = |c: char| {
        if c != '\n' && (c.is_control() || is_mark(c)) {
            c.escape_unicode().to_string()
        } else {
            c.to_string()
        }
    };
    text.chars().map(spell).collect()
}

/// Where a value is an address of this family.
fn of_family(value: &Value, is_v6: bool) -> Value {
    let is_meant = value.as_str().is_some_and(|text| text.contains(':') == is_v6);
    if is_meant { value.clone() } else { Value::Null }
}

#[test]
fn liblognorm_reads_from_cef_what_the_record_says() -> Result<()> {
    let found = normalized(&golden("cef"))?;
    let records = documents(&golden("ecs"));
    ensure!(found.len() == records.len(), "{} of {} lines", found.len(), records.len());
    for (found, record) in found.iter().zip(&records) {
        assert!(found.get("unparsed-data").is_none(), "{found}");
        let found = &found["f"];
        assert_eq!(
            (&found["DeviceVendor"], &found["DeviceProduct"]),
            (&"scanwatch".into(), &"scanwatch".into())
        );
        let extensions = &found["Extensions"];
        let scan = &record["scanwatch"]["scan"];
        // liblognorm before 2.0.7 loses the first letter of the first key.
        let cat = extensions.get("cat").unwrap_or(&extensions["at"]);
        let expected = [
            (cat, record["event"]["action"].clone()),
            (&extensions["externalId"], record["event"]["id"].clone()),
            (&extensions["dvchost"], record["observer"]["hostname"].clone()),
            (&extensions["src"], of_family(&record["source"]["ip"], false)),
            (&extensions["c6a2"], of_family(&record["source"]["ip"], true)),
            (&extensions["dst"], of_family(&record["destination"]["ip"], false)),
            (&extensions["c6a3"], of_family(&record["destination"]["ip"], true)),
            (&extensions["dpt"], record["destination"]["port"].clone()),
            (
                &extensions["deviceInboundInterface"],
                record["observer"]["ingress"]["interface"]["name"].clone(),
            ),
            (&extensions["msg"], record["event"]["reason"].clone()),
        ];
        let of_scan = [("cnt", "pairs"), ("cn1", "hosts"), ("cn2", "ports"), ("cn3", "answered")];
        let of_scan = of_scan.map(|(key, field)| (&extensions[key], scan[field].clone()));
        let of_scan = of_scan.into_iter().filter(|_| scan.is_object());
        for (value, expected) in expected.into_iter().chain(of_scan) {
            let text = match &expected {
                Value::String(text) => Some(spelt(text)),
                Value::Null => None,
                other => Some(other.to_string()),
            };
            assert_eq!(value.as_str(), text.as_deref(), "{found}");
        }
    }
    Ok(())
}

#[test]
fn liblognorm_does_not_take_a_backslash_that_is_not_escaped() -> Result<()> {
    let found = normalized("CEF:0|scanwatch|scanwatch|1|vertical|Vertical scan|8|cat=a msg=a\\zone\n")?;
    assert!(found[0].get("unparsed-data").is_some(), "{found:?}");
    Ok(())
}

/// What one of the scripts beside this file says of documents, one a line.
fn check(script: &str, argument: impl AsRef<OsStr>, lines: &str) -> Result<Output> {
    setup::tools(&["python3"])?;
    let python = setup::python("ocsf", &PACKAGES)?;
    let script = root().join("xtask/tests/root_formats").join(script);
    run(Command::new(python).arg(script).arg(argument), lines)
}

fn check_ocsf(lines: &str) -> Result<Output> {
    check("ocsf_check.py", OCSF_VERSION, lines)
}

fn check_eve(lines: &str) -> Result<Output> {
    let [suite, package, file] = EVE_SCHEMA;
    check("eve_check.py", setup::source_file(suite, package, file)?, lines)
}

/// Fails with what a check said, where it said anything.
fn assert_taken(output: &Output) {
    let said =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat();
    assert!(output.status.success() && said.is_empty(), "{said}");
}

/// Fails unless a check found fault with this path.
fn assert_refused(output: &Output, path: &str) {
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && said.contains(path), "{path}: {said}");
}

#[test]
fn the_published_schema_of_ocsf_takes_every_message() -> Result<()> {
    let lines = golden("ocsf");
    let versions = documents(&lines).into_iter().all(|found| found["metadata"]["version"] == OCSF_VERSION);
    assert!(versions, "scanwatch follows another version");
    assert_taken(&check_ocsf(&lines)?);
    Ok(())
}

#[test]
fn the_schema_does_not_take_an_endpoint_of_a_port_alone() -> Result<()> {
    let mut finding = documents(&golden("ocsf")).remove(0);
    finding["evidences"][0]["dst_endpoint"] = json!({ "port": 445 });
    assert_refused(&check_ocsf(&format!("{finding}\n"))?, "$.evidences[0].dst_endpoint");
    Ok(())
}

#[test]
fn the_published_schema_of_eve_takes_every_message() -> Result<()> {
    let lines = golden("eve");
    ensure!(documents(&lines).iter().any(|found| found["event_type"] == "alert"), "no alerts");
    assert_taken(&check_eve(&lines)?);
    Ok(())
}

#[test]
fn the_schema_of_eve_takes_neither_fields_nor_types_of_ones_own() -> Result<()> {
    let alert = documents(&golden("eve")).remove(0);
    for (pointer, value, fault) in [
        ("", json!({ "scanwatch": 1 }), "'scanwatch' was unexpected"),
        ("/alert", json!({ "scan": "vertical" }), "'scan' was unexpected"),
        ("/alert", json!({ "severity": "high" }), "$.alert.severity"),
        ("", json!({ "src_ip": 7 }), "$.src_ip"),
        ("", json!({ "timestamp": "2028-01-03T00:00:07Z" }), "$.timestamp"),
        ("", json!({ "vlan": 200 }), "$.vlan"),
    ] {
        let mut broken = alert.clone();
        let object = broken.pointer_mut(pointer).and_then(Value::as_object_mut).context("no object")?;
        object.extend(value.as_object().cloned().context("no fields")?);
        assert_refused(&check_eve(&format!("{broken}\n"))?, fault);
    }
    Ok(())
}
