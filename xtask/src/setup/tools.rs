//! The programs that the lab runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use super::apt;
use crate::step::step;
use crate::workspace;

/// A program that the lab runs, or a library that such a program loads, and the Debian package it comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    /// The program, as it is called; or the library, as its path below the folder of libraries.
    pub program: &'static str,
    /// The Debian package that holds it.
    pub package: &'static str,
    /// What the lab needs it for.
    pub why: &'static str,
}

const fn tool(program: &'static str, package: &'static str, why: &'static str) -> Tool {
    Tool { program, package, why }
}

/// Every program that the demo or a root test may run.
pub const TOOLS: &[Tool] = &[
    tool("ip", "iproute2", "makes network namespaces, veth pairs, addresses and routes"),
    tool("tc", "iproute2", "shows the filters of an interface"),
    tool("mount", "mount", "hides a file system from a test, or makes one that fills up"),
    tool("ethtool", "ethtool", "makes frames cross a veth pair as they would a wire"),
    tool("nft", "nftables", "masquerades on the router, and closes ports silently"),
    tool("nmap", "nmap", "the scanner people meet most"),
    tool("masscan", "masscan", "a scanner with its own network stack and packets"),
    tool("zmap", "zmap", "a scanner of one port of whole networks"),
    tool("hping3", "hping3", "impossible flags, and probes at a chosen rate"),
    tool("arp-scan", "arp-scan", "an ARP sweep of a segment"),
    tool("nginx", "nginx-light", "web servers behind many addresses"),
    tool("dnsmasq", "dnsmasq-base", "a resolver that answers many ports of one client"),
    tool("socat", "socat", "open ports of every other kind"),
    tool("curl", "curl", "pages by IPv6 and IPv4 side by side, as browsers fetch them"),
    tool("lognormalizer", "liblognorm-utils", "reads the CEF that scanwatch writes, as rsyslog does"),
    tool("python3", "python3-venv", "holds OCSF findings and EVE alerts against the published schemas"),
    tool("systemctl", "systemd", "runs a machine of its own for the package to be installed on"),
    tool("systemd-analyze", "systemd", "judges how well the unit is locked up"),
    tool("unshare", "util-linux", "makes the namespaces of such a machine"),
    tool("nsenter", "util-linux", "runs commands on such a machine"),
    tool("deb-systemd-invoke", "init-system-helpers", "starts services as packages do"),
    tool("rsyslogd", "rsyslog", "a syslog receiver, over UDP, TCP and sockets in the file system"),
    tool("rsyslog/lmnsd_gtls.so", "rsyslog-gnutls", "TLS for rsyslog, by GnuTLS"),
    tool("rsyslog/lmnsd_ossl.so", "rsyslog-openssl", "TLS for rsyslog, by OpenSSL"),
    tool("nats-server", "nats-server", "a receiver with streams"),
    tool("promtool", "prometheus", "reads metrics and alerting rules, as Prometheus does"),
    tool("script", "bsdutils", "a terminal for the live view"),
    tool("bpftool", "bpftool", "says what the kernel still holds of a scanwatch that has ended"),
    tool("tcpdump", "tcpdump", "says what was really on the wire when a test fails"),
];

/// Makes sure that `programs`, all of them named in [`TOOLS`], are installed; says so as one step.
///
/// # Errors
/// Where one is missing and may not be installed here: the command to type.
pub fn tools(programs: &[&str]) -> Result<()> {
    step("programs of the lab", || {
        let missing = missing(programs)?;
        if missing.is_empty() {
            return Ok(((), format!("{} found", programs.join(" "))));
        }
        // A set: one package may hold several of the programs.
        let packages: BTreeSet<&str> = missing.iter().map(|tool| tool.package).collect();
        let packages: Vec<&str> = packages.into_iter().collect();
        apt::install(&packages)
            .with_context(|| format!("The lab lacks programs; run `{}`", apt::by_hand(packages.clone())))?;
        if let Some(tool) = missing.iter().find(|tool| find(tool.program).is_none()) {
            bail!("{} is installed, but {} is not found", tool.package, tool.program);
        }
        Ok(((), format!("{} installed", packages.join(" "))))
    })
}

/// Where a program is, or a library: these are in a folder of the machine's architecture.
fn find(program: &str) -> Option<PathBuf> {
    if !program.contains('/') {
        return workspace::find_program(program);
    }
    let folders = fs::read_dir("/usr/lib").ok()?;
    folders.flatten().map(|folder| folder.path().join(program)).find(|candidate| candidate.is_file())
}

fn missing(programs: &[&str]) -> Result<Vec<Tool>> {
    let mut missing = Vec::new();
    for program in programs {
        let tool = TOOLS
            .iter()
            .find(|tool| tool.program == *program)
            .with_context(|| format!("{program} is not in the table of the lab's programs"))?;
        if find(program).is_none() {
            missing.push(*tool);
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_stands_once_in_the_table_with_a_reason() {
        let programs: BTreeSet<&str> = TOOLS.iter().map(|tool| tool.program).collect();
        assert_eq!(programs.len(), TOOLS.len());
        assert!(TOOLS.iter().all(|tool| !tool.package.is_empty() && tool.why.len() > 10));
    }

    #[test]
    fn libraries_are_found_in_the_folder_of_the_architecture() {
        assert!(find("libc.so.6").is_none(), "no program");
        let folder = fs::read_dir("/usr/lib")
            .unwrap()
            .flatten()
            .find(|entry| entry.path().join("libc.so.6").is_file());
        let folder = folder.expect("a C library").path();
        let within = fs::read_dir(&folder).unwrap().flatten().find_map(|entry| {
            let file = fs::read_dir(entry.path()).ok()?.flatten().find(|file| file.path().is_file())?;
            Some(format!("{}/{}", entry.file_name().to_str()?, file.file_name().to_str()?))
        });
        let within = within.expect("a library in a folder");
        assert!(find(&within).is_some_and(|path| path.ends_with(&within)), "{within}");
        assert!(find("rsyslog/no-such-library.so").is_none());
    }

    #[test]
    fn a_program_outside_the_table_is_refused() {
        assert!(missing(&["no-such-program-anywhere"]).is_err());
    }
}
