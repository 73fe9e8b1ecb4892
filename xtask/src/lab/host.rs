//! One machine of the lab: its addresses, and ways to do something on it.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, bind, send, socket};

use super::netns::Netns;
use super::process::{Output, Running};
use super::wait::{Stop, poll};

/// Longest wait for a thread to enter a namespace and start a process there.
const SPAWN_LIMIT: Duration = Duration::from_secs(10);

/// A machine of the lab. Clones are the same machine; using one after its lab is gone is an error, not a panic.
#[derive(Clone, Debug)]
pub struct Host(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: &'static str,
    netns: Netns,
    mac: [u8; 6],
    v4: Vec<Ipv4Addr>,
    v6: Vec<Ipv6Addr>,
    stop: Stop,
}

impl Host {
    pub(super) fn new(
        name: &'static str,
        netns: Netns,
        mac: [u8; 6],
        v4: Vec<Ipv4Addr>,
        v6: Vec<Ipv6Addr>,
        stop: Stop,
    ) -> Self {
        Self(Arc::new(Inner { name, netns, mac, v4, v6, stop }))
    }

    /// Its name in the plan, such as `scanner`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// Its network namespace.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        &self.0.netns
    }

    /// The MAC address of its interface (of `office`, for the router).
    #[must_use]
    pub fn mac(&self) -> [u8; 6] {
        self.0.mac
    }

    /// All its IPv4 addresses, the primary one first.
    #[must_use]
    pub fn all_v4(&self) -> &[Ipv4Addr] {
        &self.0.v4
    }

    /// All its global IPv6 addresses, in the order of the IPv4 ones.
    #[must_use]
    pub fn all_v6(&self) -> &[Ipv6Addr] {
        &self.0.v6
    }

    /// Its primary IPv4 address.
    ///
    /// # Panics
    /// On the switch, which has no address.
    #[must_use]
    pub fn v4(&self) -> Ipv4Addr {
        self.0.v4[0]
    }

    /// Its primary IPv6 address.
    ///
    /// # Panics
    /// On the switch, which has no address.
    #[must_use]
    pub fn v6(&self) -> Ipv6Addr {
        self.0.v6[0]
    }

    /// All its addresses of both families.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        let v4 = self.0.v4.iter().copied().map(IpAddr::V4);
        v4.chain(self.0.v6.iter().copied().map(IpAddr::V6)).collect()
    }

    /// The lab's stop request, for closures that wait by themselves.
    #[must_use]
    pub fn stop(&self) -> &Stop {
        &self.0.stop
    }

    /// Starts `program` on this machine and returns at once. Dropping the result kills it.
    pub fn spawn<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
    ) -> Result<Running> {
        let program = program.as_ref().to_owned();
        let args: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let stop = self.0.stop.clone();
        self.within(SPAWN_LIMIT, move || Running::start(program, args, stop))?
    }

    /// Runs `program` on this machine to its end; fails if it takes longer than `limit`, whatever its exit code.
    pub fn run<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
        limit: Duration,
    ) -> Result<Output> {
        self.spawn(program, args)?.wait(limit)
    }

    /// Runs a command line, its words parted by blanks (no shell, no quotes); fails unless it ends with code 0.
    pub fn run_line(&self, line: &str, limit: Duration) -> Result<Output> {
        let mut words = line.split_whitespace();
        let program = words.next().context("the command line is empty")?;
        self.run(program, words, limit)?.ok()
    }

    /// Runs `work` in a thread of its own on this machine; sockets it opens are this machine's.
    ///
    /// A thread cannot be killed, so `work` must end by itself: give every call in it a limit.
    pub fn thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<LabThread<T>> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let netns = self.0.netns.clone();
        let name = format!("lab {}", self.0.name);
        let body = move || {
            // The closure is gone after a panic; only its message goes on.
            let outcome = catch_unwind(AssertUnwindSafe(|| netns.enter().map(|()| work())));
            let _ = sender.send(
                outcome.unwrap_or_else(|panic| Err(anyhow!("a thread panicked: {}", message(&*panic)))),
            );
        };
        thread::Builder::new().name(name).spawn(body).context("cannot start a thread")?;
        Ok(LabThread { receiver, host: self.clone() })
    }

    /// [`Self::thread`], waited for.
    pub fn within<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        self.thread(work)?.join(limit)
    }

    /// Sends whole Ethernet frames out of `interface`, at most `frames_per_second`, by a raw packet socket.
    ///
    /// Frames go out as they are: with any addresses, VLAN tags, broken headers.
    pub fn send_frames(&self, interface: &str, frames: &[Vec<u8>], frames_per_second: u32) -> Result<()> {
        let (interface, frames, stop) = (interface.to_owned(), frames.to_vec(), self.0.stop.clone());
        let rate = f64::from(frames_per_second.max(1));
        let expected = Duration::from_secs_f64(frames.len() as f64 / rate);
        self.within(expected * 2 + Duration::from_secs(10), move || {
            let socket = packet_socket(&interface)?;
            let started = Instant::now();
            for (sent, frame) in (0_u32..).zip(&frames) {
                stop.check()?;
                let due = Duration::from_secs_f64(f64::from(sent) / rate);
                thread::sleep(due.saturating_sub(started.elapsed()));
                send(socket.as_raw_fd(), frame, MsgFlags::empty())
                    .with_context(|| format!("cannot send frame {sent} out of {interface}"))?;
            }
            Ok(())
        })?
    }
}

/// A raw packet socket bound to `interface` of the calling thread's namespace; it sends and never receives.
fn packet_socket(interface: &str) -> Result<OwnedFd> {
    let link = getifaddrs()?
        .filter(|entry| entry.interface_name == interface)
        .find_map(|entry| entry.address?.as_link_addr().copied())
        .with_context(|| format!("there is no interface {interface} on this machine"))?;
    let fd = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)
        .context("cannot open a packet socket: are you root?")?;
    bind(fd.as_raw_fd(), &link).with_context(|| format!("cannot bind a packet socket to {interface}"))?;
    Ok(fd)
}

/// What a panic said.
fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// A thread at work on a machine of the lab.
#[derive(Debug)]
pub struct LabThread<T> {
    receiver: Receiver<Result<T>>,
    host: Host,
}

impl<T> LabThread<T> {
    /// Waits for its result. Fails if it panicked, at `limit`, or on a stop request; the thread then goes on alone.
    pub fn join(self, limit: Duration) -> Result<T> {
        let stop = self.host.stop().clone();
        self.end(limit, &stop)
    }

    /// [`Self::join`] that listens to `stop` instead of the lab's own request: clearing up goes on after Ctrl-C.
    pub(super) fn end(self, limit: Duration, stop: &Stop) -> Result<T> {
        let what = format!("the end of a thread on {}", self.host.name());
        poll(&what, limit, stop, || match self.receiver.try_recv() {
            Ok(result) => result.map(Some),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => {
                Err(anyhow!("a thread on {} ended without a word", self.host.name()))
            }
        })
    }
}
