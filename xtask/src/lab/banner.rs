//! TCP listeners that greet and then read until the peer goes: what a port needs to count as open.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{Backlog, listen};

use super::plan::banner;
use super::wait::Stop;

/// Longest time between two looks at the stop request.
const LOOK_MS: u16 = 20;
/// A connection that stays longer is closed: nothing in the lab talks that long to a banner.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(20);
/// Connections held at a time; beyond it the oldest is closed.
const CONNECTIONS_MAX: usize = 512;

struct Peer {
    stream: TcpStream,
    since: Instant,
}

/// Opens every port in `ports` on all addresses of both families, in the calling thread's namespace.
pub fn bind(ports: &[u16]) -> Result<Vec<(u16, TcpListener)>> {
    ports
        .iter()
        .map(|&port| {
            // Linux lets an IPv6 wildcard socket take IPv4 connections, too (net.ipv6.bindv6only is 0 here).
            let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
                .with_context(|| format!("cannot listen on tcp/{port}"))?;
            // The standard library's queue of 128 overflows when a machine connects to hundreds of our addresses.
            listen(&listener, Backlog::MAXALLOWABLE)?;
            listener.set_nonblocking(true)?;
            Ok((port, listener))
        })
        .collect()
}

/// Serves until `stop`: greets each new connection with its port's banner, throws away what it says.
pub fn serve(listeners: &[(u16, TcpListener)], stop: &Stop) -> Result<()> {
    let mut peers: Vec<Peer> = Vec::new();
    while !stop.requested() {
        let (new, heard) = ready(listeners, &peers)?;
        let mut number = 0;
        peers.retain_mut(|peer| {
            let keep = peer.since.elapsed() < CONNECTION_AGE_MAX
                && (!heard[number] || still_there(&mut peer.stream));
            number += 1;
            keep
        });
        for (port, listener) in new.iter().map(|&index| &listeners[index]) {
            accept_all(*port, listener, &mut peers);
        }
    }
    Ok(())
}

/// Waits a moment; returns the listeners with new connections and, peer by peer, whether it said something.
fn ready(listeners: &[(u16, TcpListener)], peers: &[Peer]) -> Result<(Vec<usize>, Vec<bool>)> {
    let sockets = listeners.iter().map(|(_, listener)| listener.as_fd());
    let streams = peers.iter().map(|peer| peer.stream.as_fd());
    let mut fds: Vec<_> = sockets.chain(streams).map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    match poll(&mut fds, PollTimeout::from(LOOK_MS)) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error).context("cannot wait for connections"),
    }
    let mut told = fds.iter().map(|fd| fd.any().unwrap_or(true));
    let new = (0..listeners.len()).filter(|_| told.next() == Some(true)).collect();
    Ok((new, told.collect()))
}

fn accept_all(port: u16, listener: &TcpListener, peers: &mut Vec<Peer>) {
    // A connection that was reset before it was accepted is the scanner's doing, not an error of ours.
    while let Ok((mut stream, _)) = listener.accept() {
        if stream.set_nonblocking(true).is_ok() && stream.write_all(banner(port)).is_ok() {
            if peers.len() >= CONNECTIONS_MAX {
                peers.remove(0);
            }
            peers.push(Peer { stream, since: Instant::now() });
        }
    }
}

/// Reads and forgets; false once the peer has closed or reset.
fn still_there(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 4096];
    match stream.read(&mut buffer) {
        Ok(length) => length > 0,
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
    }
}
