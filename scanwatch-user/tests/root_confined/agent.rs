//! The program itself, started as root.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use scanwatch::kernel::{Capabilities, Capability, TCX, running_version};

use crate::support::net::{Far, in_namespace, ip};

/// Longest wait for anything, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_mins(3);
const WATCHED: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);
const READ_AGAIN: &str = "configuration read again";
const CONFIG: &str = "etc/scanwatch.toml";
/// A group that nobody is in.
const GROUP: u32 = 64_321;

/// The agent, and a folder with its configuration and what it writes.
struct Agent {
    child: Child,
    folder: tempfile::TempDir,
}

impl Agent {
    /// Starts it with a state directory, a file of alerts, a socket, and what `more` says.
    fn start(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["etc", "log", "run", "other"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        configure(folder.path(), more);
        let file = |name: &str| File::create(folder.path().join(name)).expect("a file");
        let program =
            std::env::var_os("SCANWATCH_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_scanwatch").into());
        let child = Command::new(program)
            .args(["run", "--interface", "watched", "--config"])
            .arg(folder.path().join(CONFIG))
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("said"))
            .spawn()
            .expect("the agent starts");
        let mut agent = Self { child, folder };
        agent.wait_until("it watches", |agent| agent.is_said("watching watched by"));
        agent.wait_until("sink and listener have begun", |agent| agent.tasks().len() > 2);
        agent
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self) -> PathBuf {
        self.at(CONFIG)
    }

    fn said(&self) -> String {
        fs::read_to_string(self.at("said")).expect("what the agent said")
    }

    fn is_said(&self, what: &str) -> bool {
        self.said().contains(what)
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process's number"))
    }

    /// `/proc/PID/task/*/status` of every thread: fields by name.
    fn tasks(&self) -> Vec<BTreeMap<String, String>> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).expect("the threads");
        let status = |task: &Path| {
            let text = fs::read_to_string(task.join("status")).ok()?;
            let fields = text.lines().filter_map(|line| line.split_once(':'));
            Some(fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
        };
        tasks.flatten().filter_map(|task| status(&task.path())).collect()
    }

    /// Writes a configuration, sends SIGHUP, and waits until this is said once more than before.
    fn reload(&mut self, more: &str, said: &str) {
        configure(self.folder.path(), more);
        self.hang_up(said);
    }

    fn hang_up(&mut self, said: &str) {
        let before = self.said().matches(said).count();
        kill(self.pid(), Signal::SIGHUP).expect("a signal");
        self.wait_until(said, |agent| agent.said().matches(said).count() > before);
    }

    fn wait_until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none(), "{what}: the agent has ended ({ended:?}): {}", self.said());
            assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}: {}", self.said());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn end(&mut self) -> Option<i32> {
        kill(self.pid(), Signal::SIGTERM).expect("the agent is asked to end");
        self.child.wait().expect("an end").code()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // SIGKILL for one that a failed test leaves.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes the configuration of the agent of this folder, as an editor does it: another file in the place of the first.
fn configure(folder: &Path, more: &str) {
    let text = format!(
        "[state]\ndirectory = \"{0}/state\"\n[listen]\naddress = \"unix:{0}/run/api.sock\"\ngroup = \"{GROUP}\"\n\
         [[sink]]\nname = \"alerts\"\ntype = \"file\"\npath = \"{0}/log/alerts.json\"\n{more}",
        folder.display(),
    );
    let other = folder.join("etc/other");
    fs::write(&other, text).expect("a configuration");
    fs::rename(other, folder.join(CONFIG)).expect("a configuration");
}

fn cable() -> Far {
    let far = Far::new("watched", &["10.0.1.7/24"], "");
    ip("link set lo up");
    ip("address add 10.0.1.1/24 dev watched");
    far
}

/// The three in the form of proc(5).
fn three() -> String {
    let all = Capability::NEEDED.map(|capability| Capabilities::of(&[capability]).bits());
    format!("{:016x}", all.iter().fold(0, |set, bit| set | bit))
}

/// Every thread has given up what could be handed on; those that do not attach have no capabilities at all.
fn assert_given_up(agent: &Agent, of_the_first: &str) {
    let none = format!("{:016x}", 0);
    for (place, task) in agent.tasks().iter().enumerate() {
        let own = if place == 0 { of_the_first } else { &none };
        let name = &task["Name"];
        for set in ["CapPrm", "CapEff"] {
            assert_eq!(task[set], own, "{set} of {name}");
        }
        for set in ["CapInh", "CapAmb", "CapBnd"] {
            assert_eq!(task[set], none, "{set} of {name}");
        }
        assert_eq!(task["NoNewPrivs"], "1", "{name}");
    }
    let limits = fs::read_to_string(format!("/proc/{}/limits", agent.pid())).expect("its limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).mode() & 0o7777
}

#[test]
fn without_capabilities_it_goes_on_watching_what_comes_back_and_reads_its_configuration_again() {
    let version = running_version().expect("a version");
    assert!(
        version >= TCX,
        "Linux {version} has no TCX, and clsact takes rights at the end: leave this test out"
    );
    in_namespace(async || {
        let far = cable();
        let mut agent = Agent::start("");
        assert!(agent.is_said("from now on without capabilities"), "{}", agent.said());
        assert!(!agent.is_said("cannot be attached later"), "{}", agent.said());
        assert_given_up(&agent, &format!("{:016x}", 0));
        let socket = fs::metadata(agent.at("run/api.sock")).expect("the socket");
        assert_eq!((socket.mode() & 0o777, socket.gid()), (0o660, GROUP));

        // An interface that comes back is attached to without rights.
        drop(far);
        agent.wait_until("the interface is gone", |agent| agent.is_said("the interface is gone"));
        let far = cable();
        agent.wait_until("it is watched again", |agent| {
            agent.said().matches("watching watched by").count() == 2
        });

        agent.reload("[[zone]]\nname = \"lab\"\nnetworks = [\"10.0.0.0/8\"]\n", READ_AGAIN);
        far.run(|| {
            for port in 1..=60 {
                let address = SocketAddr::from((WATCHED, port));
                assert!(TcpStream::connect_timeout(&address, PATIENCE).is_err(), "nobody listens on {port}");
            }
        });
        let alerts = agent.at("log/alerts.json");
        let is_told =
            move |_: &Agent| fs::read_to_string(&alerts).is_ok_and(|text| text.contains("scan-detected"));
        agent.wait_until("it tells of the scan", is_told);
        assert_given_up(&agent, &format!("{:016x}", 0));
        assert_eq!(agent.end(), Some(0), "{}", agent.said());
        for file in ["log/alerts.json", "state/memory.json", "state/lock", "state/spool/alerts/ledger"] {
            let path = agent.at(file);
            assert!(!path.exists() || mode(&path) & !0o640 == 0, "{file} has mode {:o}", mode(&path));
        }
        assert_eq!(mode(&agent.at("log/alerts.json")) & !0o640, 0);
        assert!(!agent.at("run/api.sock").exists(), "it removes its socket");
        let link = ip("-d link show dev watched");
        assert!(!link.contains("xdp"), "{link}");
    });
}

#[test]
fn what_lies_outside_of_its_folders_takes_a_restart_and_nobody_elses_configuration_is_taken() {
    in_namespace(async || {
        let _far = cable();
        let mut agent = Agent::start("[rights]\nafter_attach = \"keep\"\n");
        assert!(agent.is_said("files are confined by Landlock"), "{}", agent.said());
        assert_given_up(&agent, &three());

        let beyond = agent.at("other");
        let sink = |name: &str, folder: &Path| {
            format!(
                "[[sink]]\nname = \"{name}\"\ntype = \"file\"\npath = \"{}/{name}.json\"\n",
                folder.display()
            )
        };
        agent.reload(&sink("beyond", &beyond), "is out of reach");
        let stays = format!("the configuration stays as it was: {} is out of reach", beyond.display());
        assert!(agent.is_said(&stays) && agent.is_said("restart scanwatch"), "{}", agent.said());
        assert_eq!(fs::read_dir(&beyond).expect("a folder").count(), 0, "it wrote there");
        let within = agent.at("log");
        agent.reload(&sink("within", &within), READ_AGAIN);

        fs::set_permissions(agent.config(), Permissions::from_mode(0o646)).expect("another mode");
        agent.hang_up("may be written by anybody; chmod o-w it");
        std::os::unix::fs::chown(agent.config(), Some(GROUP), None).expect("another owner");
        fs::set_permissions(agent.config(), Permissions::from_mode(0o644)).expect("another mode");
        agent.hang_up("who is neither root nor the one that runs scanwatch");
        assert_eq!(agent.end(), Some(0), "{}", agent.said());
    });
}

#[test]
fn what_is_not_to_be_given_up_is_kept_and_said() {
    in_namespace(async || {
        let _far = cable();
        let mut agent = Agent::start("[rights]\nlandlock = false\nafter_attach = \"keep\"\n");
        assert!(agent.is_said("files are not confined, as configured"), "{}", agent.said());
        assert!(agent.is_said("CAP_PERFMON, as configured"), "{}", agent.said());
        assert_given_up(&agent, &three());
        assert_eq!(agent.end(), Some(0), "{}", agent.said());
    });
}
