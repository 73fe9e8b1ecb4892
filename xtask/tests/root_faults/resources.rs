//! No descriptors, no memory.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use xtask::lab::agent::binary;
use xtask::lab::{Lab, Scanwatch};

use super::support::{LIMIT, RECORD_LIMIT, end, is_detected, watching};
use super::{SOON, hears, scan};

/// A limit at which a process keeps what it has open, and gets no other descriptor: these are its standard streams.
const NONE_LEFT: u64 = 3;

#[test]
fn without_descriptors_the_agent_watches_on_says_so_and_recovers() -> Result<()> {
    let lab = Lab::new()?;
    let state = lab.folder().join("state").display().to_string();
    let config = "[listen]\naddress = \"127.0.0.1:9477\"\n";
    let mut agent =
        watching(Scanwatch::on(&lab).interfaces(&["office"]).config(config).arg("--state-dir").arg(&state))?;
    let pid = agent.process().pid();
    let limit = |limit: u64| {
        lab.router.run_line(&format!("prlimit --pid {pid} --nofile={limit}:4096"), SOON)?;
        anyhow::Ok(())
    };
    lab.router.run_line("curl -sSf http://127.0.0.1:9477/healthz", SOON)?;
    limit(NONE_LEFT)?;
    // They wait in the kernel's queue.
    let script = "exec 3<>/dev/tcp/127.0.0.1/9477 4<>/dev/tcp/127.0.0.1/9477; sleep 60";
    let _askers = lab.router.spawn("bash", ["-c", script])?;
    hears(&agent, "connections wait, for none can be accepted: ")?;
    scan(&lab.scanner)?;
    hears(&agent, "open incidents cannot be saved")?;
    ensure!(agent.is_running()?, "it ended");

    limit(1_024)?;
    hears(&agent, "open incidents are saved again")?;
    hears(&agent, "connections are accepted again")?;
    lab.router.run_line("curl -sSf http://127.0.0.1:9477/healthz", SOON)?;
    agent.wait_for(is_detected, RECORD_LIMIT)?;
    let report = end(agent)?;
    assert_eq!(report.with_action("scan-detected").count(), 1, "{}", report.stderr);
    Ok(())
}

/// A control group of this test's, removed with it.
struct Group(PathBuf);

impl Group {
    /// One with so much memory, in whichever hierarchy has the controller.
    fn with_memory(bytes: u64) -> Result<Self> {
        let root = Path::new("/sys/fs/cgroup");
        let (parent, key) = if root.join("memory").is_dir() {
            (root.join("memory"), "memory.limit_in_bytes")
        } else if fs::read_to_string(root.join("cgroup.controllers"))
            .is_ok_and(|all| all.split_whitespace().any(|name| name == "memory"))
        {
            fs::write(root.join("cgroup.subtree_control"), "+memory").context("no memory controller")?;
            (root.to_owned(), "memory.max")
        } else {
            bail!("no control group of this host bounds memory: mount one with the memory controller")
        };
        let group = Self(parent.join(format!("scanwatch-{}", std::process::id())));
        fs::create_dir(&group.0)?;
        fs::write(group.0.join(key), bytes.to_string())?;
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Processes that have ended leave a moment later.
        for _ in 0..50 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

#[test]
fn without_memory_for_its_tables_one_sentence_says_how_much_is_needed_and_nothing_is_left() -> Result<()> {
    let lab = Lab::new()?;
    let group = Group::with_memory(64 << 20)?;
    let script = format!(
        "echo $$ > {}/cgroup.procs; exec {} run --interface office",
        group.0.display(),
        binary()?.display()
    );
    let output = lab.router.run("sh", ["-c", &script], LIMIT)?;
    let sentence = "scanwatch: there is not enough memory to load the kernel programs: the tables of the default \
                    configuration take up to 96 MiB; raise the control group's limit (MemoryMax=), free memory, or set \
                    fewer cells in [limits]\n";
    assert_eq!((output.stderr.as_str(), output.status.code()), (sentence, Some(1)));
    ensure!(!super::links(&lab)?.contains("xdp"), "something is attached");
    Ok(())
}
