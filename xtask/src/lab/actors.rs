//! What the lab's machines do in an ordinary day: connect to many, ask names, browse, talk at length.
//!
//! Every actor uses the kernel's own sockets, so the packets are those of real programs, and ends by itself.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::dns;
use super::host::Host;

/// First source port of DNS questions, below the ephemeral range, so no other socket takes one.
const DNS_SOURCE_PORT_FIRST: u16 = 20_000;
const DNS_LIMIT: Duration = Duration::from_secs(2);
const DNS_CONCURRENCY: usize = 16;
const HTTP_LIMIT: Duration = Duration::from_secs(3);
/// What a batch of work may take beyond its slowest course.
const SLACK: Duration = Duration::from_secs(10);

/// How connection attempts ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contacts {
    /// Accepted by the other side.
    pub answered: usize,
    /// Refused by a RST.
    pub refused: usize,
    /// No answer in time, or unreachable.
    pub silent: usize,
}

impl Host {
    /// Connects to every port of every host, `concurrency` at a time, and closes at once where it is let in.
    pub fn connect_many(
        &self,
        hosts: &[IpAddr],
        ports: &[u16],
        timeout_ms: u64,
        concurrency: usize,
    ) -> Result<Contacts> {
        let targets = pairs(hosts, ports);
        let timeout = Duration::from_millis(timeout_ms.max(1));
        let concurrency = concurrency.clamp(1, 256);
        let rounds = u32::try_from(targets.len() / concurrency + 1)?;
        let stop = self.stop().clone();
        self.within(timeout * rounds + SLACK, move || {
            let counts: [AtomicUsize; 3] = Default::default();
            each(&targets, concurrency, |&target| {
                stop.check()?;
                let outcome = match TcpStream::connect_timeout(&target, timeout) {
                    Ok(_) => 0,
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => 1,
                    Err(error) if is_silence(error.kind()) => 2,
                    Err(error) => return Err(error).with_context(|| format!("cannot connect to {target}")),
                };
                counts[outcome].fetch_add(1, Ordering::Relaxed);
                Ok(())
            })?;
            let [answered, refused, silent] = counts.map(AtomicUsize::into_inner);
            Ok(Contacts { answered, refused, silent })
        })?
    }

    /// Fetches a page from port 80 of each site, one after the other, as a person browsing does.
    ///
    /// Returns the number of pages that came.
    pub fn browse(&self, sites: &[IpAddr]) -> Result<usize> {
        let sites = sites.to_vec();
        let limit = HTTP_LIMIT * u32::try_from(sites.len())? + SLACK;
        let stop = self.stop().clone();
        self.within(limit, move || {
            let mut pages = 0;
            for site in sites {
                stop.check()?;
                let mut stream = open((site, 80).into())?;
                stream.write_all(&request(false))?;
                let mut page = Vec::new();
                stream.take(1 << 20).read_to_end(&mut page)?;
                pages += usize::from(page.starts_with(b"HTTP/1.1 200"));
            }
            Ok(pages)
        })?
    }

    /// Asks the name server `count` questions, each from a source port of its own; at most 10,000.
    ///
    /// Returns the number of answers.
    pub fn ask_names(&self, server: IpAddr, count: u16) -> Result<usize> {
        if count > 10_000 {
            bail!("{count} questions need more source ports than there are below the ephemeral range");
        }
        self.ask_each(vec![server; count.into()])
    }

    /// Asks one question of each name server, as a resolver does on its way from the root down; at most 10,000.
    ///
    /// Returns the number of answers.
    pub fn ask_servers(&self, servers: &[IpAddr]) -> Result<usize> {
        if servers.len() > 10_000 {
            bail!("{} servers are more than the 10,000 one call can ask", servers.len());
        }
        self.ask_each(servers.to_vec())
    }

    fn ask_each(&self, servers: Vec<IpAddr>) -> Result<usize> {
        let questions: Vec<_> = (DNS_SOURCE_PORT_FIRST..).zip(servers).collect();
        let limit = DNS_LIMIT * u32::try_from(questions.len() / DNS_CONCURRENCY + 1)? + SLACK;
        let stop = self.stop().clone();
        self.within(limit, move || {
            let answers = AtomicUsize::new(0);
            each(&questions, DNS_CONCURRENCY, |&(port, server)| {
                stop.check()?;
                answers.fetch_add(dns::ask(server, Some(port), DNS_LIMIT)?.into(), Ordering::Relaxed);
                Ok(())
            })?;
            Ok(answers.into_inner())
        })?
    }

    /// Sends requests to the web server `target` over one connection until at least `packets` packets, both
    /// directions together, have passed. Returns the number of requests.
    ///
    /// A request and its response, each smaller than a segment and waited for, are two packets or more.
    pub fn long_connection(&self, target: SocketAddr, packets: u32) -> Result<u32> {
        let requests = packets.div_ceil(2);
        let stop = self.stop().clone();
        self.within(Duration::from_millis(u64::from(requests) * 5) + SLACK, move || {
            let mut stream = open(target)?;
            stream.set_nodelay(true)?;
            let request = request(true);
            for _ in 0..requests {
                stop.check()?;
                stream.write_all(&request)?;
                read_response(&mut stream)?;
            }
            Ok(requests)
        })?
    }
}

/// Every port of every host, host by host within a port, so that no host gets all its ports at once.
fn pairs(hosts: &[IpAddr], ports: &[u16]) -> Vec<SocketAddr> {
    ports.iter().flat_map(|&port| hosts.iter().map(move |&host| (host, port).into())).collect()
}

/// Does `work` on every item with `concurrency` threads; the first failure ends all.
pub(super) fn each<T: Sync>(
    items: &[T],
    concurrency: usize,
    work: impl Fn(&T) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let worker = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(item).inspect_err(|_| next.store(items.len(), Ordering::Relaxed))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..concurrency.min(items.len())).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

pub(super) fn is_silence(kind: ErrorKind) -> bool {
    use ErrorKind::{ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut};
    matches!(kind, TimedOut | HostUnreachable | NetworkUnreachable | ConnectionReset)
}

fn open(target: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&target, HTTP_LIMIT)
        .with_context(|| format!("cannot connect to {target}"))?;
    stream.set_read_timeout(Some(HTTP_LIMIT))?;
    stream.set_write_timeout(Some(HTTP_LIMIT))?;
    Ok(stream)
}

fn request(keep_alive: bool) -> Vec<u8> {
    let connection = if keep_alive { "keep-alive" } else { "close" };
    format!("GET / HTTP/1.1\r\nHost: lab.example\r\nConnection: {connection}\r\n\r\n").into_bytes()
}

/// Reads one response whose body, like all of the lab's, is one line.
fn read_response(stream: &mut TcpStream) -> Result<()> {
    let started = Instant::now();
    let mut response = Vec::new();
    let mut buffer = [0; 2048];
    while !is_whole(&response) {
        let length = stream.read(&mut buffer)?;
        if length == 0 || started.elapsed() > HTTP_LIMIT {
            bail!("the web server ended the conversation");
        }
        response.extend(&buffer[..length]);
    }
    Ok(())
}

/// Whether the headers and one line of body are there.
fn is_whole(response: &[u8]) -> bool {
    let end = response.windows(4).position(|window| window == b"\r\n\r\n");
    end.is_some_and(|end| response[end + 4..].ends_with(b"\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_whole_when_its_line_of_body_has_come() {
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nweb\n";
        assert!(is_whole(response));
        assert!((0..response.len()).all(|length| !is_whole(&response[..length])));
    }

    #[test]
    fn targets_go_around_all_hosts_before_the_next_port() {
        let hosts = ["10.0.0.1", "fd00::1"].map(|text| text.parse().unwrap());
        let texts: Vec<_> = pairs(&hosts, &[80, 443]).iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["10.0.0.1:80", "[fd00::1]:80", "10.0.0.1:443", "[fd00::1]:443"]);
    }

    #[test]
    fn every_item_is_worked_on_once_and_a_failure_ends_the_work() {
        let items: Vec<usize> = (0..1000).collect();
        let sum = AtomicUsize::new(0);
        each(&items, 7, |&item| {
            sum.fetch_add(item, Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
        assert_eq!(sum.into_inner(), 499_500);
        assert!(each(&items, 7, |&item| if item == 3 { bail!("three") } else { Ok(()) }).is_err());
    }
}
