//! What a sink's secrets are, no log says: not at its most talkative, and not where a receiver repeats them. Needs root.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use support::{LIMIT, watching};
use xtask::lab::agent::binary;
use xtask::lab::process::Running;
use xtask::lab::wait::poll;
use xtask::lab::{Lab, Scanwatch};

/// Every sink has tried by then, and has said that it failed.
const TRIED: Duration = Duration::from_secs(90);
const SINKS: [&str; 6] = ["splunk", "elastic", "hook", "otel", "nats", "token"];
/// What stands in a request or in a greeting, in the ways it may be written there.
const SECRETS: [&str; 8] = [
    "hec-5ecret",
    "elastic-5ecret",
    "hook-5ecret",
    "header-5ecret",
    "otel-5ecret",
    "nats-5ecret",
    // `scanwatch:elastic-5ecret` in base64.
    "c2NhbndhdGNoOmVsYXN0aWMtNWVjcmV0",
    "token-5ecret",
];

/// A receiver that takes nothing, and repeats what it was asked.
const ECHO: &str = "#!/bin/sh\nread -r line\nprintf 'HTTP/1.1 403 Forbidden\\r\\nConnection: close\\r\\n\\r\\n%s\\n' \"$line\"\n\
                    timeout 2 cat\n";

fn script(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

/// Receivers on the router, which let nobody in.
fn receivers(lab: &Lab) -> Result<[Running; 2]> {
    let echo = lab.folder().join("echo");
    script(&echo, ECHO)?;
    let http = lab.router.spawn(
        "socat",
        ["TCP-LISTEN:8088,bind=127.0.0.1,fork,reuseaddr".to_owned(), format!("EXEC:{}", echo.display())],
    )?;
    let config = lab.folder().join("nats.conf");
    fs::write(&config, "listen: \"127.0.0.1:4222\"\nauthorization { user: scanwatch, password: another }\n")?;
    let nats = lab.router.spawn("nats-server", ["-c".to_owned(), config.display().to_string()])?;
    for port in ["8088", "4222"] {
        let listens = || {
            Ok(lab.router.run_line("ss -Hltn", LIMIT)?.stdout.contains(&format!(":{port} ")).then_some(()))
        };
        poll(&format!("a receiver at port {port}"), TRIED, lab.stop(), listens)?;
    }
    Ok([http, nats])
}

/// A sink of every kind that has a secret, from files and from the environment.
fn config(lab: &Lab) -> Result<String> {
    let secret = |name: &str, text: &str| -> Result<String> {
        let path = lab.folder().join(name);
        fs::write(&path, format!("{text}\n"))?;
        Ok(path.display().to_string())
    };
    let hec = secret("hec", "hec-5ecret")?;
    let elastic = secret("elastic", "elastic-5ecret")?;
    let url = secret("url", "http://127.0.0.1:8088/hook-5ecret?key=hook-5ecret")?;
    let nats = secret("nats", "nats-5ecret")?;
    let state = lab.folder().join("state");
    Ok(format!(
        "[state]\ndirectory = \"{}\"\n\
         [[sink]]\nname = \"splunk\"\ntype = \"http\"\ndialect = \"splunk_hec\"\nurl = \"http://127.0.0.1:8088\"\n\
         token_file = \"{hec}\"\n\
         [[sink]]\nname = \"elastic\"\ntype = \"http\"\ndialect = \"elastic_bulk\"\nurl = \"http://127.0.0.1:8088\"\n\
         user = \"scanwatch\"\npassword_file = \"{elastic}\"\n\
         [[sink]]\nname = \"hook\"\ntype = \"http\"\ndialect = \"webhook\"\nurl_file = \"{url}\"\n\
         secret_headers = {{ X-Key = {{ env = \"HEADER\" }} }}\n\
         [[sink]]\nname = \"otel\"\ntype = \"otlp\"\nurl = \"http://127.0.0.1:8088\"\ntoken_env = \"OTEL\"\n\
         [[sink]]\nname = \"nats\"\ntype = \"nats\"\nservers = [\"nats://127.0.0.1:4222\"]\nsubject = \"a\"\n\
         user = \"scanwatch\"\npassword_file = \"{nats}\"\n\
         [[sink]]\nname = \"token\"\ntype = \"nats\"\nservers = [\"nats://127.0.0.1:4222\"]\nsubject = \"a\"\n\
         token_env = \"TOKEN\"\n",
        state.display()
    ))
}

/// scanwatch with secrets in its environment, and with that many words about itself.
fn program(lab: &Lab, log: &str) -> Result<PathBuf> {
    let wrapper = lab.folder().join("with-secrets");
    let secrets = "HEADER=header-5ecret OTEL=otel-5ecret TOKEN=token-5ecret";
    script(&wrapper, &format!("#!/bin/sh\n{secrets} {log} exec {} \"$@\"\n", binary()?.display()))?;
    Ok(wrapper)
}

/// The log of an agent that finds a scan and cannot deliver it anywhere.
fn log_of_failures(log: &str) -> Result<String> {
    let lab = Lab::new()?;
    let receivers = receivers(&lab)?;
    let agent = watching(Scanwatch::on(&lab).program(program(&lab, log)?).config(&config(&lab)?).arg("-vv"))?;
    lab.scanner.run_line("nmap -n -Pn -sS -p1-200 --max-rate 500 --max-retries 0 10.2.0.20", LIMIT)?;
    let has_failed = |log: &str, sink: &str| {
        let of_sink = |line: &&str| line.contains(&format!("sink {sink}: ")) && line.contains("127.0.0.1");
        // Once as a warning, and at that level whenever it is tried again.
        log.lines().filter(of_sink).any(|line| line.contains("DEBUG"))
    };
    let said = || {
        let log = agent.log();
        Ok(SINKS.iter().all(|sink| has_failed(&log, sink)).then_some(()))
    };
    poll("every sink's failure in the log", TRIED, lab.stop(), said).with_context(|| agent.log())?;
    let report = agent.stop()?;
    drop(receivers);
    Ok(report.stderr)
}

fn assert_holds_no_secret(log: &str) {
    for secret in SECRETS {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} in the log: {line:?}");
    }
}

#[test]
fn no_secret_is_in_the_log_of_sinks_that_fail_however_much_it_says() -> Result<()> {
    assert_holds_no_secret(&log_of_failures("")?);
    Ok(())
}

#[test]
fn no_secret_is_in_the_log_of_the_libraries_either() -> Result<()> {
    let log = log_of_failures("RUST_LOG=trace")?;
    assert!(log.contains("TRACE hyper"), "the libraries say nothing:\n{log}");
    assert_holds_no_secret(&log);
    Ok(())
}
