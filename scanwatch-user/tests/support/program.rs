//! Receivers that are programs of their own: started, waited for, and ended whatever becomes of the test.

#![allow(dead_code, reason = "each test crate that includes this module uses its own part of it")]

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longest wait for a program to be ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that runs. Dropped, it is killed.
pub struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts a program, which writes what it says into `log`; `package` is where Debian has it.
    ///
    /// # Panics
    /// Where it is not installed.
    pub fn start(program: &str, package: &str, arguments: &[&str], log: &Path) -> Self {
        let path = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
            .map(|folder| Path::new(folder).join(program))
            .into_iter()
            .find(|path| path.is_file())
            .unwrap_or_else(|| {
                panic!("{program} is not installed: run `apt-get install {package}`, or `cargo xtask test` as root")
            });
        let out = File::options().create(true).append(true).open(log).expect("a log");
        let child = Command::new(path)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("a log"))
            .stderr(out)
            .spawn()
            .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
        Self { child, log: log.to_owned() }
    }

    /// Waits until something is so.
    ///
    /// # Panics
    /// Where it never is, or the program has ended: with what the program said.
    pub fn wait_until(&mut self, what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            let ended = self.child.try_wait().expect("a child");
            let said = || fs::read_to_string(&self.log).unwrap_or_default();
            assert!(ended.is_none(), "{what}: the program has ended ({ended:?}):\n{}", said());
            assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}:\n{}", said());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SIGKILL: no farewell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port on the loopback interface that nobody has.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("a port").port()
}

/// Whether somebody takes connections there.
pub fn is_listening(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Whether somebody takes datagrams there.
pub fn is_bound(port: u16) -> bool {
    let table = fs::read_to_string("/proc/net/udp").expect("/proc/net/udp");
    table.contains(&format!("0100007F:{port:04X} "))
}
