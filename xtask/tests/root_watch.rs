//! The agent asked by others: metrics, health, the API, and the terminal view. Needs root.

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{LIMIT, RECORD_LIMIT, end, is_detected, watching};
use xtask::lab::agent::binary;
use xtask::lab::process::Running;
use xtask::lab::wait::poll;
use xtask::lab::{Host, Lab, Scanwatch};

const ADDRESS: &str = "127.0.0.1:9477";
const SOON: Duration = Duration::from_secs(30);
/// A scan that is detected as vertical.
const SCAN: &str = "nmap -n -Pn -sS -p1-200 --max-rate 400 --max-retries 0 10.2.0.20";

fn listening(lab: &Lab) -> Result<Scanwatch> {
    watching(Scanwatch::on(lab).config(&format!("[listen]\naddress = \"{ADDRESS}\"\n")))
}

fn contrib(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib").join(path)
}

/// What a path answers on a machine.
fn text(host: &Host, path: &str) -> Result<String> {
    Ok(host.run_line(&format!("curl --silent --show-error --fail http://{ADDRESS}{path}"), SOON)?.stdout)
}

fn json(host: &Host, path: &str) -> Result<Value> {
    let text = text(host, path)?;
    serde_json::from_str(&text).with_context(|| format!("{path} answered {text}"))
}

/// The value of a sample, by its name with labels.
fn sample(metrics: &str, name: &str) -> Result<f64> {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.with_context(|| format!("no {name} in:\n{metrics}"))?.parse().context("no number")
}

/// promtool, with these arguments; fails with what it said.
fn promtool(args: &[&str]) -> Result<String> {
    let output = Command::new("promtool").args(args).output().context("cannot start promtool")?;
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    ensure!(output.status.success(), "promtool {args:?}: {said}");
    Ok(said)
}

#[test]
fn metrics_pass_promtool_and_count_what_the_agent_sees() -> Result<()> {
    let lab = Lab::new()?;
    let mut agent = listening(&lab)?;
    let before = text(&lab.router, "/metrics")?;
    let detected = "scanwatch_records_total{action=\"detected\",direction=\"lateral\",severity=\"high\"}";
    ensure!(sample(&before, detected)?.abs() < 0.5, "{before}");
    lab.scanner.run_line(SCAN, LIMIT)?;
    agent.wait_for(is_detected, RECORD_LIMIT)?;
    // An epoch must have ended for drains and cells.
    let drained = || {
        let metrics = text(&lab.router, "/metrics")?;
        Ok((sample(&metrics, "scanwatch_cells_used{side=\"internal\"}")? > 0.0).then_some(metrics))
    };
    let metrics = poll("a drain", RECORD_LIMIT, lab.stop(), drained)?;

    let file = lab.folder().join("metrics.txt");
    fs::write(&file, &metrics)?;
    let check = format!("promtool check metrics < {}", file.display());
    let said = lab.router.run("sh", ["-c", &check], SOON)?;
    ensure!(said.status.success() && said.stderr.is_empty(), "{}{}", said.stdout, said.stderr);

    assert!((sample(&metrics, detected)? - 1.0).abs() < 0.5, "{metrics}");
    let open = "scanwatch_incidents_open{kind=\"vertical\",treatment=\"alert\"}";
    assert!((sample(&metrics, open)? - 1.0).abs() < 0.5, "{metrics}");
    let probes = sample(&metrics, "scanwatch_packets_total{class=\"probe\",reason=\"probe_syn\"}")?;
    assert!(probes >= 200.0, "{probes}");
    assert!(sample(&metrics, "scanwatch_drain_duration_seconds_count")? >= 1.0);
    assert!(sample(&metrics, "scanwatch_interface_watched{interface=\"office\"}")? > 0.5);
    assert!(sample(&metrics, "process_resident_memory_bytes")? > 1e6);
    ensure!(!metrics.contains("10.1.0.99") && !metrics.contains("10.2.0.20"), "no address is a label");
    // The agent's own count agrees, and asking has not made it any different.
    let report = end(agent)?;
    let stats = report.stats.context("no statistics")?;
    assert!(stats["packets"]["probe_syn"].as_f64().context("no count")? >= probes, "{stats}");
    Ok(())
}

#[test]
fn the_api_names_the_scanner_and_health_follows_the_interfaces() -> Result<()> {
    let lab = Lab::new()?;
    let mut agent = listening(&lab)?;
    assert_eq!(json(&lab.router, "/healthz")?["status"], "ok");
    lab.scanner.run_line(SCAN, LIMIT)?;
    let id = agent.wait_for(is_detected, RECORD_LIMIT)?[0].incident().to_owned();

    let incidents = json(&lab.router, "/api/incidents")?;
    let open = &incidents["open"][0];
    assert_eq!((open["id"].as_str(), open["source"].as_str()), (Some(id.as_str()), Some("10.1.0.99")));
    assert_eq!((open["kind"].as_str(), open["direction"].as_str()), (Some("vertical"), Some("lateral")));
    let sources = json(&lab.router, "/api/sources?limit=5")?;
    let busiest = &sources["sources"][0];
    assert_eq!(busiest["address"], "10.1.0.99", "{sources}");
    assert!(busiest["windows"]["1m"]["pairs"].as_u64().context("no count")? > 150, "{busiest}");
    assert_eq!(busiest["incidents"][0].as_str(), Some(id.as_str()));
    let status = json(&lab.router, "/api/status")?;
    assert_eq!(status["interfaces"].as_array().map(Vec::len), Some(3));
    assert_eq!(status["interfaces"][0]["egress"], "tc (tcx)");
    assert!(json(&lab.router, "/api/ports")?["top"].is_array());

    lab.router.run_line("ip link delete servers", SOON)?;
    let degraded = || {
        let health = json(&lab.router, "/healthz")?;
        Ok((health["status"] == "degraded").then_some(health))
    };
    let health = poll("degraded health", SOON, lab.stop(), degraded)?;
    assert_eq!(health["reasons"][0], "servers: the interface is not watched");
    let metrics = text(&lab.router, "/metrics")?;
    assert!(sample(&metrics, "scanwatch_interface_watched{interface=\"servers\"}")? < 0.5);
    // It is for this machine alone.
    let outside = format!("curl --silent --max-time 3 http://{}:9477/healthz", lab.router.v4());
    assert!(!lab.scanner.run("sh", ["-c", &outside], SOON)?.status.success());
    end(agent)?;
    Ok(())
}

#[test]
fn a_second_agent_says_that_the_address_is_taken() -> Result<()> {
    let lab = Lab::new()?;
    let agent = listening(&lab)?;
    let second = Scanwatch::on(&lab).config(&format!("[listen]\naddress = \"{ADDRESS}\"\n")).start()?;
    let ended = poll("its end", SOON, lab.stop(), || {
        let log = second.log();
        Ok(log.contains("cannot listen").then_some(log))
    })?;
    let sentence = "scanwatch: cannot listen on 127.0.0.1:9477: Address already in use (os error 98); end what listens \
                    there, or choose another `address` in [listen]";
    assert!(ended.lines().any(|line| line == sentence), "{ended}");
    assert_eq!(second.stop()?.status.code(), Some(1));
    end(agent)?;
    Ok(())
}

#[test]
fn a_configuration_that_is_refused_shows_in_metrics_and_health_until_one_is_followed() -> Result<()> {
    let lab = Lab::new()?;
    let agent = listening(&lab)?;
    let file = configuration(&lab)?;
    let valid = fs::read_to_string(&file)?;
    let successful = |wanted: bool| {
        poll("the outcome of the reload", SOON, lab.stop(), || {
            let value = sample(&text(&lab.router, "/metrics")?, "scanwatch_config_last_reload_successful")?;
            Ok(((value > 0.5) == wanted).then_some(()))
        })
    };
    successful(true)?;
    fs::write(&file, format!("{valid}[limits]\nquiet = 60\n"))?;
    agent.process().signal(Signal::SIGHUP)?;
    successful(false)?;
    let health = json(&lab.router, "/healthz")?;
    assert_eq!(health["status"], "degraded");
    let reason = health["reasons"][0].as_str().context("no reason")?;
    assert!(reason.contains(":4: unknown key `quiet` in [limits]"), "{reason}");
    fs::write(&file, valid)?;
    agent.process().signal(Signal::SIGHUP)?;
    successful(true)?;
    let metrics = text(&lab.router, "/metrics")?;
    assert!((sample(&metrics, "scanwatch_config_reload_failures_total")? - 1.0).abs() < 0.5);
    assert!((sample(&metrics, "scanwatch_config_reloads_total")? - 1.0).abs() < 0.5);
    end(agent)?;
    Ok(())
}

/// The configuration file of the only agent of a lab.
fn configuration(lab: &Lab) -> Result<PathBuf> {
    for entry in fs::read_dir(lab.folder())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            return Ok(path);
        }
    }
    anyhow::bail!("no configuration in {}", lab.folder().display())
}

#[test]
fn a_killed_agent_s_socket_is_replaced_and_an_ended_one_s_is_gone() -> Result<()> {
    let lab = Lab::new()?;
    let socket = lab.folder().join("api.sock");
    let config = format!("[listen]\naddress = \"unix:{}\"\n", socket.display());
    let killed = watching(Scanwatch::on(&lab).config(&config))?;
    killed.process().signal(Signal::SIGKILL)?;
    drop(killed);
    assert!(socket.exists());
    let agent = watching(Scanwatch::on(&lab).config(&config))?;
    assert_eq!(fs::metadata(&socket)?.permissions().mode() & 0o777, 0o660);
    let ask = format!("curl --silent --fail --unix-socket {} http://localhost/healthz", socket.display());
    assert!(lab.router.run_line(&ask, SOON)?.stdout.contains("\"ok\""));
    end(agent)?;
    assert!(!socket.exists());
    Ok(())
}

#[test]
fn rules_do_as_their_tests_say_and_the_dashboard_asks_what_prometheus_understands() -> Result<()> {
    let rules = contrib("prometheus/scanwatch.rules.yml");
    promtool(&["check", "rules", &rules.to_string_lossy()])?;
    promtool(&["test", "rules", &contrib("prometheus/scanwatch.rules.test.yml").to_string_lossy()])?;

    // As rules, which promtool reads.
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(contrib("grafana/scanwatch.json"))?)?;
    let panels = dashboard["panels"].as_array().context("no panels")?;
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let asked: Vec<&str> = targets.filter_map(|target| target["expr"].as_str()).collect();
    ensure!(asked.len() > panels.len(), "{} panels ask {} questions", panels.len(), asked.len());
    let rules: Vec<Value> = asked
        .iter()
        .zip(0..)
        .map(|(expr, n)| {
            let expr = expr.replace("$__rate_interval", "1m");
            serde_json::json!({ "record": format!("panel:{n}"), "expr": expr })
        })
        .collect();
    let file = tempfile("rules.json")?;
    // YAML holds JSON.
    fs::write(&file, serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string())?;
    let checked = promtool(&["check", "rules", &file.to_string_lossy()]);
    fs::remove_file(&file)?;
    let said = checked?;
    ensure!(said.contains(&format!("{} rules found", asked.len())), "{said}");
    Ok(())
}

fn tempfile(name: &str) -> Result<PathBuf> {
    let folder = std::env::temp_dir();
    ensure!(folder.is_dir(), "{} is no folder", folder.display());
    Ok(folder.join(format!("scanwatch-watch-{}-{name}", std::process::id())))
}

/// `scanwatch top` in a terminal of 80 × 24; keys are what is written to `keys`, and what the terminal got is in `shown`.
fn top(lab: &Lab, keys: &Path, shown: &Path) -> Result<Running> {
    let program = binary()?;
    let script = format!(
        "stty cols 80 rows 24; {} top --listen {ADDRESS}; echo ended with $?; stty -a | grep -q ' icanon.* echo ' && echo typing is echoed",
        program.display()
    );
    lab.router.run_line(&format!("mkfifo {}", keys.display()), SOON)?;
    // The fifo stays open for writing, so that the terminal does not end before it is told to.
    let command = format!(
        "exec 3<> {}; exec script --quiet --flush --return --command \"$0\" {} <&3",
        keys.display(),
        shown.display()
    );
    lab.router.spawn("bash", ["-c", &command, &script])
}

/// Types on that terminal.
fn type_keys(keys: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    Ok(fs::OpenOptions::new().write(true).open(keys)?.write_all(text.as_bytes())?)
}

#[test]
fn top_shows_the_scanner_on_a_terminal_and_gives_the_terminal_back() -> Result<()> {
    const LEAVES_OTHER_PAGE: &str = "\u{1b}[?1049l";
    let lab = Lab::new()?;
    let mut agent = listening(&lab)?;
    lab.scanner.run_line(SCAN, LIMIT)?;
    agent.wait_for(is_detected, RECORD_LIMIT)?;
    for way_out in ["q", "SIGTERM"] {
        let keys = lab.folder().join(format!("keys-{way_out}"));
        let shown = keys.with_extension("screen");
        let _top = top(&lab, &keys, &shown)?;
        let seen = || String::from_utf8_lossy(&fs::read(&shown).unwrap_or_default()).into_owned();
        let wait_until_shown = |what: &str| {
            poll(what, SOON, lab.stop(), || Ok(seen().contains(what).then_some(())))
                .with_context(|| format!("the terminal shows:\n{:?}", seen()))
        };
        wait_until_shown("10.1.0.99")?;
        wait_until_shown("vertical")?;
        type_keys(&keys, "2")?;
        wait_until_shown("FAILED")?;
        assert!(!seen().contains(LEAVES_OTHER_PAGE));
        if way_out == "q" {
            type_keys(&keys, "q")?;
        } else {
            let pid = pid_of_top()?;
            kill(Pid::from_raw(pid), Signal::SIGTERM)?;
        }
        wait_until_shown("ended with 0")?;
        wait_until_shown("typing is echoed")?;
        let text = seen();
        let (_, after) = text.rsplit_once(LEAVES_OTHER_PAGE).context("it stays on the other page")?;
        assert!(after.contains("\u{1b}[?25h"), "the cursor is shown: {after:?}");
    }
    end(agent)?;
    Ok(())
}

/// The process of the one `scanwatch top` that runs.
fn pid_of_top() -> Result<i32> {
    let program = binary()?;
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let Some(pid) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) else { continue };
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        let is_program = words.next() == Some(program.as_os_str().as_encoded_bytes());
        if is_program && words.next() == Some(b"top") {
            return Ok(pid);
        }
    }
    anyhow::bail!("no scanwatch top runs")
}

#[test]
fn top_says_in_one_sentence_what_it_lacks() -> Result<()> {
    let lab = Lab::new()?;
    let program = binary()?;
    let run = |args: &[&str]| lab.router.run(&program, args, SOON);
    let output = run(&["top"])?;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        output.stderr.starts_with("scanwatch: standard output is no terminal; programs read the same"),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("/api/incidents"), "{}", output.stderr);
    assert_eq!(output.stderr.lines().count(), 1);
    let output = run(&["top", "--listen", "localhost"])?;
    assert_eq!(output.status.code(), Some(2), "{}", output.stderr);
    let command = format!("{} top --listen unix:/nonexistent/api.sock", program.display());
    let output =
        lab.router.run("script", ["--quiet", "--return", "--command", &command, "/dev/null"], SOON)?;
    assert_eq!(output.status.code(), Some(1), "{}", output.stdout);
    let sentence = "scanwatch: no agent listens on unix:/nonexistent/api.sock (No such file or directory (os error 2)); set \
                    `address` in [listen] of the agent's configuration, or name its address with --listen";
    assert!(output.stdout.contains(sentence), "{}", output.stdout);
    Ok(())
}
