//! Programs that answer at single addresses and ports: peers of a swarm, telephones, whoever answers a question to all.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::actors::{each, is_silence};
use super::host::{Host, LabThread};
use super::wait::Stop;

/// Longest time between two looks at the stop request.
const LOOK_MS: u16 = 20;
const BIND_LIMIT: Duration = Duration::from_secs(5);
const END_LIMIT: Duration = Duration::from_secs(2);
/// From the last datagram sent until no answer is waited for.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);
/// What a batch of work may take beyond its own pauses.
const SLACK: Duration = Duration::from_secs(10);

/// Sockets that answer until this is dropped.
#[derive(Debug)]
pub struct Answering {
    thread: Option<LabThread<Result<()>>>,
    stop: Stop,
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.stop.request();
        // Its sockets must be closed before the namespace can go.
        let _ = self.thread.take().map(|thread| thread.end(END_LIMIT, &Stop::new()));
    }
}

/// Where a machine answers.
#[derive(Clone, Debug, Default)]
pub struct Sockets {
    /// Datagrams to these come back as they are.
    pub udp: Vec<SocketAddr>,
    /// Connections to these are let in, and closed.
    pub tcp: Vec<SocketAddr>,
    /// Datagrams to these groups and ports are answered, from that port and to the sender alone.
    pub groups: Vec<(Ipv4Addr, u16)>,
}

struct Bound {
    udp: Vec<UdpSocket>,
    tcp: Vec<TcpListener>,
    own: Vec<IpAddr>,
}

impl Host {
    /// Answers on `sockets` until the result is dropped. A group that is the segment's broadcast address needs no joining.
    pub fn answer(&self, sockets: Sockets) -> Result<Answering> {
        let (v4, own) = (self.v4(), self.addresses());
        let bound = self.within(BIND_LIMIT, move || bind(&sockets, v4, own))??;
        let stop = Stop::new();
        let watched = stop.clone();
        let thread = self.thread(move || serve(&bound, &watched))?;
        Ok(Answering { thread: Some(thread), stop })
    }

    /// Sends a datagram of `length` bytes along each of `ways`, from one address and port to another, `gap` apart. One
    /// socket stands at each address and port that something is sent from. Returns the number of answers.
    pub fn send_datagrams(
        &self,
        ways: &[(SocketAddr, SocketAddr)],
        length: usize,
        gap: Duration,
    ) -> Result<usize> {
        let (ways, stop) = (ways.to_vec(), self.stop().clone());
        let limit = gap * u32::try_from(ways.len())? * 2 + SLACK;
        self.within(limit, move || {
            let mut sockets: Vec<(SocketAddr, UdpSocket)> = Vec::new();
            let datagram = vec![0x55; length];
            let mut answers = 0;
            for (from, to) in &ways {
                stop.check()?;
                let known = sockets.iter().position(|(bound, _)| bound == from);
                let at = known
                    .map_or_else(|| open(*from).map(|socket| push(&mut sockets, (*from, socket))), Ok)?;
                match sockets[at].1.send_to(&datagram, to) {
                    Err(error)
                        if !is_silence(error.kind()) && error.kind() != ErrorKind::ConnectionRefused =>
                    {
                        return Err(error).with_context(|| format!("cannot send from {from} to {to}"));
                    }
                    _ => {}
                }
                thread::sleep(gap);
                answers += sockets.iter().map(|(_, socket)| received(socket)).sum::<usize>();
            }
            let sent = Instant::now();
            while sent.elapsed() < ANSWER_LIMIT {
                thread::sleep(Duration::from_millis(20));
                answers += sockets.iter().map(|(_, socket)| received(socket)).sum::<usize>();
            }
            Ok(answers)
        })?
    }

    /// Connects to each of `targets`, `concurrency` at a time. Returns how many let it in.
    pub fn connect_each(
        &self,
        targets: &[SocketAddr],
        timeout: Duration,
        concurrency: usize,
    ) -> Result<usize> {
        let (targets, stop) = (targets.to_vec(), self.stop().clone());
        let rounds = u32::try_from(targets.len() / concurrency.max(1) + 1)?;
        self.within(timeout * rounds + SLACK, move || {
            let answered = std::sync::atomic::AtomicUsize::new(0);
            each(&targets, concurrency, |target| {
                stop.check()?;
                if std::net::TcpStream::connect_timeout(target, timeout).is_ok() {
                    answered.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
                Ok(())
            })?;
            Ok(answered.into_inner())
        })?
    }
}

fn push<T>(list: &mut Vec<T>, item: T) -> usize {
    list.push(item);
    list.len() - 1
}

/// A socket that may send to all.
fn open(at: SocketAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind(at).with_context(|| format!("cannot use udp {at}"))?;
    socket.set_broadcast(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Datagrams that wait, taken out.
fn received(socket: &UdpSocket) -> usize {
    let mut buffer = [0; 2048];
    let mut count = 0;
    while socket.recv_from(&mut buffer).is_ok() {
        count += 1;
    }
    count
}

fn bind(sockets: &Sockets, v4: Ipv4Addr, own: Vec<IpAddr>) -> Result<Bound> {
    let mut udp = sockets.udp.iter().map(|at| open(*at)).collect::<Result<Vec<_>>>()?;
    for (group, port) in &sockets.groups {
        let socket = open((Ipv4Addr::UNSPECIFIED, *port).into())?;
        if group.is_multicast() {
            socket.join_multicast_v4(group, &v4).with_context(|| format!("cannot join {group}"))?;
        }
        udp.push(socket);
    }
    let listen = |at: &SocketAddr| {
        let listener = TcpListener::bind(at).with_context(|| format!("cannot listen on tcp {at}"))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    Ok(Bound { udp, tcp: sockets.tcp.iter().map(listen).collect::<Result<_>>()?, own })
}

fn serve(bound: &Bound, stop: &Stop) -> Result<()> {
    while !stop.requested() {
        let fds: Vec<BorrowedFd> = bound
            .udp
            .iter()
            .map(|socket| socket.as_fd())
            .chain(bound.tcp.iter().map(|l| l.as_fd()))
            .collect();
        let mut fds: Vec<_> = fds.into_iter().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut fds, PollTimeout::from(LOOK_MS)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context("cannot wait for datagrams"),
        }
        for socket in &bound.udp {
            echo(socket, &bound.own);
        }
        for listener in &bound.tcp {
            while listener.accept().is_ok() {}
        }
    }
    Ok(())
}

/// Sends back what came from others.
fn echo(socket: &UdpSocket, own: &[IpAddr]) {
    let mut buffer = [0; 2048];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        if !own.contains(&from.ip()) {
            // Whoever asked may be gone.
            let _ = socket.send_to(&buffer[..length], from);
        }
    }
}
