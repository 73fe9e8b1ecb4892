//! Network namespaces that end with the thread that made them, veth pairs, and raw frames.

use std::fs;
use std::future::Future;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, bind, send, socket};
use nix::unistd::gettid;

/// Frames on their way at a time: a veth's queue holds 256.
const BURST: u64 = 64;

/// One test at a time: a child that is about to become another program holds this process's descriptors for a moment,
/// and with them keeps what another test detaches.
static TURN: Mutex<()> = Mutex::new(());

/// Runs a test on a thread, and in a network namespace, of its own; the namespace and all that is in it end with it.
///
/// # Panics
/// As the test does, and without root.
pub fn in_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send) {
    super::require_root();
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let outcome = thread::scope(|scope| {
        let on_thread = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(test());
        };
        scope.spawn(on_thread).join()
    });
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

/// Runs `ip(8)` in the namespace of this thread, and returns what it printed.
///
/// # Panics
/// Where it fails.
pub fn ip(arguments: &str) -> String {
    run("ip", &arguments.split_whitespace().collect::<Vec<_>>())
}

/// Runs `tc(8)` likewise.
///
/// # Panics
/// Where it fails.
pub fn tc(arguments: &str) -> String {
    run("tc", &arguments.split_whitespace().collect::<Vec<_>>())
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program} cannot be run: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {errors}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs any program likewise, and returns what it printed.
///
/// # Panics
/// Where it fails.
pub fn tool(program: &str, arguments: &str) -> String {
    run(program, &arguments.split_whitespace().collect::<Vec<_>>())
}

/// A host in a network namespace of its own, on the far end of a cable; both end with it.
pub struct Far {
    jobs: Option<mpsc::Sender<Box<dyn FnOnce() + Send>>>,
    thread: Option<thread::JoinHandle<()>>,
    task: i32,
}

impl Far {
    /// A host whose one interface `eth0` is the other end of `near`, with these addresses and, by the first, a default route.
    pub fn new(near: &str, addresses: &[&str], gateway: &str) -> Self {
        let (jobs, inbox) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
            tell.send(gettid().as_raw()).expect("the test waits");
            for job in inbox {
                job();
            }
        });
        let task = told.recv().expect("the number of the far host's thread");
        let far = Self { jobs: Some(jobs), thread: Some(thread), task };
        ip(&format!("link add {near} type veth peer name {near}-far"));
        ip(&format!("link set {near}-far netns {} name eth0", far.task));
        ip(&format!("link set {near} up"));
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let gateway = gateway.to_owned();
        far.run(move || {
            ip("link set lo up");
            ip("link set eth0 up");
            for address in addresses {
                let nodad = if address.contains(':') { " nodad" } else { "" };
                ip(&format!("address add {address} dev eth0{nodad}"));
            }
            if !gateway.is_empty() {
                ip(&format!("route add default via {gateway}"));
            }
        });
        far
    }

    /// Runs a job in the host's namespace.
    ///
    /// # Panics
    /// As the job does.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = mpsc::channel();
        let jobs = self.jobs.as_ref().expect("the host lives");
        let job = move || {
            let outcome = catch_unwind(AssertUnwindSafe(job));
            tell.send(outcome).expect("the test waits");
        };
        jobs.send(Box::new(job)).expect("the host lives");
        told.recv().expect("the job ends").unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.jobs.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One end of a veth pair that is watched, and the other, from which frames are sent.
pub struct Veth {
    /// Name of the watched end.
    pub name: String,
    /// Its index.
    pub index: u32,
    sender: Sender,
}

/// Sends frames out of one interface and knows how many came in by its peer.
pub struct Sender {
    socket: OwnedFd,
    peer: String,
    received_before: u64,
    sent: u64,
}

impl Veth {
    /// A pair called `name` and `name`-peer, up, without addresses, on which the kernel itself says nothing.
    pub fn new(name: &str) -> Self {
        let peer = format!("{name}-peer");
        // What is written there is of the namespace of the thread that opens it.
        let ipv6 = Path::new("/proc/sys/net/ipv6/conf/default/disable_ipv6");
        if ipv6.exists() {
            fs::write(ipv6, "1").expect("IPv6 switched off");
        }
        ip(&format!("link add {name} type veth peer name {peer}"));
        ip(&format!("link set {name} up"));
        ip(&format!("link set {peer} up"));
        let index = if_nametoindex(name).expect("the index of the veth");
        let sender = Sender {
            socket: packet_socket(&peer),
            peer: name.to_owned(),
            received_before: received(name),
            sent: 0,
        };
        Self { name: name.to_owned(), index, sender }
    }

    /// Sends frames into the watched end, and waits until all came in. Hooks behind the driver may see them later.
    pub fn send(&mut self, frames: &[Vec<u8>]) {
        self.sender.send(frames);
    }

    /// The sending end, for another thread of the same namespace.
    pub fn into_sender(self) -> Sender {
        self.sender
    }

    /// What `ip(8)` says of the watched end, its XDP programs included.
    pub fn details(&self) -> String {
        ip(&format!("-d link show dev {}", self.name))
    }
}

impl Sender {
    /// Sends frames, never more at a time than the queue between the two ends holds, and waits until all came in.
    pub fn send(&mut self, frames: &[Vec<u8>]) {
        for frame in frames {
            if self.sent.is_multiple_of(BURST) {
                self.wait();
                // Lets the kernel thread run that empties the queue behind the driver.
                thread::yield_now();
            }
            let sent = send(self.socket.as_raw_fd(), frame, MsgFlags::empty()).expect("a frame sent");
            assert_eq!(sent, frame.len());
            self.sent += 1;
        }
        self.wait();
    }

    fn wait(&self) {
        super::eventually(&format!("{} frames come in by {}", self.sent, self.peer), || {
            received(&self.peer) - self.received_before >= self.sent
        });
    }
}

/// A raw packet socket that sends from one interface of this thread's namespace and never receives.
pub fn packet_socket(interface: &str) -> OwnedFd {
    let link = getifaddrs()
        .expect("the interfaces")
        .filter(|entry| entry.interface_name == interface)
        .find_map(|entry| entry.address?.as_link_addr().copied())
        .expect("the link address of the sending end");
    let descriptor = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None);
    let descriptor = descriptor.expect("a packet socket");
    bind(descriptor.as_raw_fd(), &link).expect("a packet socket bound to the sending end");
    descriptor
}

/// Frames that came in by an interface of this thread's namespace since it was made.
pub fn received(interface: &str) -> u64 {
    let table = fs::read_to_string("/proc/thread-self/net/dev").expect("the table of interfaces");
    let line = table.lines().find_map(|line| line.trim_start().strip_prefix(interface)?.strip_prefix(':'));
    let columns: Vec<&str> = line.expect("the interface in the table").split_whitespace().collect();
    columns[1].parse().expect("a number of frames")
}

/// The n-th address from 10.2.0.0 on.
pub fn inside(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 2, 0, 0)) + n)
}
