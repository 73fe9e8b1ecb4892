//! Every command of the README is run here, and says what the README shows. Needs root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use etherparse::PacketBuilder;
use xtask::lab::{Lab, Scanwatch};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("README.md")
}

/// Fenced blocks of one language, in order.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let rest = text.split(&fence).skip(1);
    rest.map(|block| block.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// What a reader would type: lines of console blocks behind the prompt.
fn commands() -> Vec<String> {
    let lines = blocks(&readme(), "console").concat();
    lines.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect()
}

fn run(program: &Path, args: &[&str]) -> Result<Output> {
    let output = Command::new(program).args(args).current_dir(root()).output()?;
    ensure!(
        output.status.success(),
        "{} {args:?} failed: {}",
        program.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output)
}

/// The part of the demo's table that is the same every time: who did what, and whether that was as expected.
fn deeds(table: &str) -> Vec<String> {
    const DEEDS: usize = 58;
    let lines = table
        .lines()
        .filter(|line| line.starts_with("ok ") || line.starts_with("NO ") || line.starts_with("     "));
    lines
        .map(|line| line.chars().take(DEEDS).collect::<String>().trim_end().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

#[test]
fn every_command_of_the_readme_is_run_by_a_test_of_this_file() {
    let known = [
        "cargo xtask demo",
        // The one that runs this test; the next test holds that it is what CI calls.
        "cargo xtask test",
        "cargo xtask build --release",
        "target/release/scanwatch check scanwatch.example.toml",
        "target/release/scanwatch run --interface office --interface servers --interface internet --stats",
        "target/release/scanwatch replay capture.pcap --format text",
        "target/release/scanwatch doctor --interface office",
        // root_package.rs runs it, and installs what it makes.
        "cargo xtask dist",
        // On the running kernel here; on the others by a step of `cargo xtask test`.
        "cargo xtask vm",
        // For a minute, by root_soak.rs.
        "cargo xtask soak --minutes 30",
        // With --quick here.
        "cargo xtask bench --json bench.json",
    ];
    assert_eq!(commands(), known);
}

#[test]
fn continuous_integration_calls_the_test_command() -> Result<()> {
    let script = fs::read_to_string(root().join(".ci/run"))?;
    assert!(
        script.lines().any(|line| line.trim().trim_start_matches("exec ") == "cargo xtask test"),
        "{script}"
    );
    Ok(())
}

#[test]
fn the_demo_prints_the_table_of_the_readme() -> Result<()> {
    let output = run(Path::new(XTASK), &["demo"])?;
    let printed = String::from_utf8(output.stdout)?;
    let shown = readme();
    let shown = blocks(&shown, "text")
        .into_iter()
        .find(|block| block.contains("scanwatch said"))
        .context("no table")?;
    let (table, _) = printed.split_once("The alerts").context("the demo printed no alerts")?;
    assert_eq!(deeds(table), deeds(&shown));
    Ok(())
}

#[test]
fn the_build_gives_one_file_that_checks_the_example() -> Result<()> {
    run(Path::new(XTASK), &["build", "--release"])?;
    let output = run(&root().join("target/release/scanwatch"), &["check", "scanwatch.example.toml"])?;
    let said = String::from_utf8(output.stdout)?;
    assert!(blocks(&readme(), "text").contains(&said), "{said}");
    Ok(())
}

#[test]
fn the_agent_says_what_it_watches_as_the_readme_shows() -> Result<()> {
    let lab = Lab::new()?;
    let mut agent = Scanwatch::on(&lab).interfaces(&["office", "servers", "internet"]).start()?;
    agent.wait_ready(Duration::from_secs(20))?;
    let log = agent.log();
    let shown = blocks(&readme(), "text")
        .into_iter()
        .find(|block| block.contains("watching office"))
        .context("no log")?;
    for line in shown.lines() {
        assert!(log.lines().any(|said| said.ends_with(line.trim_start())), "{line:?} is not in: {log}");
    }
    let report = agent.stop()?;
    ensure!(report.status.success(), "{}", report.stderr);
    Ok(())
}

#[test]
fn doctor_says_what_the_readme_shows() -> Result<()> {
    let lab = Lab::new()?;
    let program = root().join("target/release/scanwatch");
    let output =
        lab.router.run(program, ["doctor", "--interface", "office"], Duration::from_mins(1))?.ok()?;
    let shown = blocks(&readme(), "text")
        .into_iter()
        .find(|block| block.contains("interface office"))
        .context("no table of doctor's")?;
    // What is between is told by the machine.
    for part in shown.split("…\n") {
        assert!(output.stdout.contains(part), "{part} is not in:\n{}", output.stdout);
    }
    Ok(())
}

/// Link-layer and network address.
type Station = ([u8; 6], [u8; 4]);

/// A capture of somebody who tries a hundred ports of a server, of which one answers.
fn capture() -> Vec<u8> {
    const SCANNER: Station = ([2, 0, 0, 0, 0, 0x99], [10, 1, 0, 99]);
    const SERVER: Station = ([2, 0, 0, 0, 0, 0x10], [10, 2, 0, 10]);
    const BEGUN_S: u32 = 1_800_000_000;
    let mut capture = Vec::new();
    // draft-ietf-opsawg-pcap, section 4: microseconds, version 2.4, Ethernet.
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1] {
        capture.extend(u32::to_le_bytes(word));
    }
    let mut put = |at_us: u32, (from, to): (Station, Station), tcp: etherparse::TcpHeader| {
        let packet = PacketBuilder::ethernet2(from.0, to.0).ipv4(from.1, to.1, 64).tcp_header(tcp);
        let mut frame = Vec::new();
        packet.write(&mut frame, &[]).expect("a frame");
        let length = frame.len() as u32;
        for word in [BEGUN_S + at_us / 1_000_000, at_us % 1_000_000, length, length] {
            capture.extend(u32::to_le_bytes(word));
        }
        capture.extend(frame);
    };
    for port in 1..=100 {
        let at_us = u32::from(port) * 10_000;
        let mut probe = etherparse::TcpHeader::new(40_000, port, 7, 1_024);
        probe.syn = true;
        put(at_us, (SCANNER, SERVER), probe);
        let mut answer = etherparse::TcpHeader::new(port, 40_000, 0, 0);
        (answer.ack, answer.acknowledgment_number) = (true, 8);
        if port == 22 {
            answer.syn = true;
        } else {
            answer.rst = true;
        }
        put(at_us + 1_000, (SERVER, SCANNER), answer);
    }
    capture
}

#[test]
fn a_replay_prints_what_the_readme_shows() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("scanwatch-replay-{}", std::process::id()));
    fs::create_dir(&folder)?;
    fs::write(folder.join("capture.pcap"), capture())?;
    let program = root().join("target/release/scanwatch");
    let output = Command::new(program)
        .args(["replay", "capture.pcap", "--format", "text"])
        .current_dir(&folder)
        .output();
    fs::remove_dir_all(&folder)?;
    let output = output?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout)?;
    assert!(blocks(&readme(), "text").contains(&said), "{said}");
    Ok(())
}

/// The other kernels' turn is a step of its own of the test command.
#[test]
fn the_tests_of_the_kernel_side_make_a_table() -> Result<()> {
    let output = run(Path::new(XTASK), &["vm", "--kernel", "running"])?;
    let table = String::from_utf8(output.stdout)?;
    let rows: Vec<&str> = table.lines().skip(1).collect();
    assert!(matches!(rows[..], [row] if row.starts_with("running ") && row.contains(" ok")), "{table}");
    Ok(())
}

/// Rows that the benchmark has on every machine, whatever else it has.
const ROWS: &[&str] = &[
    "established_tcp",
    "syn_one_source",
    "syn_256_sources",
    "syn_65536_sources",
    "syn_spoofed_flood",
    "syn_spoofed_flood_ipv6",
    "null_flood",
    "udp_known_flow",
    "udp_new_flow",
    "udp_spoofed_flood",
    "arp_request",
    "icmp_echo",
    "vlan_established",
    "reply_syn_ack",
    "non_ip",
    "live:established_tcp",
    "live:syn_one_source",
    "live:syn_spoofed_flood",
    "live:scan_in_flood",
    "maps",
    "program:scanwatch_xdp",
    "idle_memory",
    "record_latency_p99",
];

/// That a row measures what it says is found out by the benchmark itself, which fails where it does not.
#[test]
fn the_benchmark_has_every_row_in_its_table_and_in_its_file() -> Result<()> {
    let file = std::env::temp_dir().join(format!("scanwatch-bench-{}.json", std::process::id()));
    let output = run(Path::new(XTASK), &["bench", "--quick", "--json", &file.to_string_lossy()])?;
    let table = String::from_utf8(output.stdout)?;
    let written = fs::read_to_string(&file);
    fs::remove_file(&file)?;
    let rows: Vec<serde_json::Value> = serde_json::from_str(&written?)?;
    for name in ROWS {
        let row = rows.iter().find(|row| row["name"] == *name).with_context(|| format!("no row {name}"))?;
        assert!(table.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name}: {table}");
        if let Some(packet_ns) = row["ns_per_packet"].as_f64() {
            assert!(packet_ns > 0.0, "{row}");
        }
    }
    Ok(())
}

#[test]
fn the_configuration_of_the_readme_is_valid() -> Result<()> {
    let block = blocks(&readme(), "toml").concat();
    let file = std::env::temp_dir().join(format!("scanwatch-readme-{}.toml", std::process::id()));
    fs::write(&file, block)?;
    let checked = run(&root().join("target/release/scanwatch"), &["check", &file.to_string_lossy()]);
    fs::remove_file(&file)?;
    checked.map(drop)
}
