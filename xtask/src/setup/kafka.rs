//! What sinks of type "kafka" are built with: librdkafka comes as source.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::apt;
use crate::step::{output, step};
use crate::workspace;

/// The Debian packages of the programs and headers that librdkafka's build looks for.
const PACKAGES: [&str; 4] = ["gcc", "libssl-dev", "make", "pkg-config"];

/// Makes sure that librdkafka can be built; says so as one step.
///
/// # Errors
/// Where something is missing and may not be installed here: the command to type.
pub fn libraries_of_kafka() -> Result<()> {
    step("what librdkafka is built with", || {
        let Some(lacks) = missing() else { return Ok(((), "found".to_owned())) };
        apt::install(&PACKAGES)
            .with_context(|| format!("{lacks} is missing; run `{}`", apt::by_hand(PACKAGES)))?;
        match missing() {
            None => Ok(((), format!("{} installed", PACKAGES.join(" ")))),
            Some(lacks) => bail!("{} are installed, but {lacks} is not found", PACKAGES.join(" ")),
        }
    })
}

fn missing() -> Option<&'static str> {
    let programs = ["cc", "make", "pkg-config"];
    if let Some(program) = programs.into_iter().find(|program| workspace::find_program(program).is_none()) {
        return Some(program);
    }
    let headers = output(Command::new("pkg-config").args(["--exists", "openssl"]));
    headers.is_err().then_some("OpenSSL's headers")
}
