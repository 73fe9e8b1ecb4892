//! What the machines of the lab serve: nginx, dnsmasq, listeners with a banner; and the wait until all answer.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

use super::banner;
use super::dns;
use super::host::{Host, LabThread};
use super::plan::Server;
use super::process::Running;
use super::wait::{Stop, poll};

/// Longest wait for one port to answer.
const READY_LIMIT: Duration = Duration::from_secs(10);
const CONNECT_LIMIT: Duration = Duration::from_millis(300);
const BIND_LIMIT: Duration = Duration::from_secs(5);
const END_LIMIT: Duration = Duration::from_secs(2);

/// A service at work. Dropping it ends it.
#[derive(Debug)]
pub enum Service {
    /// A server program; its `Running` kills it.
    Program(Running),
    /// A thread of ours, ended by its own stop request.
    Listener(Option<LabThread<Result<()>>>, Stop),
}

impl Service {
    /// Starts `server` on `host`, with `folder` for its files. It may need a moment until it answers.
    pub fn start(server: Server, host: &Host, folder: &Path) -> Result<Self> {
        let started = match server {
            Server::Nginx(ports) => nginx(host, ports, folder),
            Server::Dnsmasq => dnsmasq(host),
            Server::Banner(ports) => listener(host, ports),
        };
        started.with_context(|| format!("cannot start a service on {}", host.name()))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Self::Listener(thread, stop) = self {
            stop.request();
            // Its sockets must be closed before the namespace can go.
            let _ = thread.take().map(|thread| thread.end(END_LIMIT, &Stop::new()));
        }
    }
}

fn listener(host: &Host, ports: &'static [u16]) -> Result<Service> {
    let stop = Stop::new();
    let listeners = host.within(BIND_LIMIT, move || banner::bind(ports))??;
    let watched = stop.clone();
    let thread = host.thread(move || banner::serve(&listeners, &watched))?;
    Ok(Service::Listener(Some(thread), stop))
}

fn nginx(host: &Host, ports: &[u16], folder: &Path) -> Result<Service> {
    let folder: PathBuf = folder.join(format!("nginx-{}", host.name()));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let config = folder.join("nginx.conf");
    fs::write(&config, nginx_config(&folder, ports, host.name()))
        .with_context(|| format!("cannot write {}", config.display()))?;
    let [config, folder] = [&config, &folder].map(|path| path.as_os_str().to_owned());
    let args = ["-e".into(), "stderr".into(), "-p".into(), folder, "-c".into(), config];
    Ok(Service::Program(host.spawn("nginx", args)?))
}

/// One process, plain HTTP on every port (443, too: scanwatch reads no TLS), any number of requests a connection.
fn nginx_config(folder: &Path, ports: &[u16], name: &str) -> String {
    let folder = folder.display();
    let listen: Vec<_> = ports
        .iter()
        .map(|port| format!("listen {port} backlog=4096; listen [::]:{port} backlog=4096; "))
        .collect();
    let listen = listen.concat();
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temp: String = kinds.map(|kind| format!("{kind}_temp_path {folder}/{kind}; ")).concat();
    format!(
        "daemon off; master_process off; user root; pid {folder}/nginx.pid; error_log stderr error;\n\
         events {{ worker_connections 512; }}\n\
         http {{ access_log off; keepalive_requests 1000000; {temp}\n\
         server {{ {listen} location / {{ return 200 \"{name}\\n\"; }} }} }}\n"
    )
}

fn dnsmasq(host: &Host) -> Result<Service> {
    let args = [
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--cache-size=0",
        "--user=root",
        "--group=root",
        "--pid-file",
        "--log-facility=-",
        "--address=/#/198.18.7.7",
        "--address=/#/2001:db8:c612:7::7",
    ];
    Ok(Service::Program(host.spawn("dnsmasq", args)?))
}

/// Waits until every server in `machines` answers `client` on every address and port.
pub fn wait_until_all_answer(client: &Host, machines: &[(Host, &'static [Server])]) -> Result<()> {
    let mut tcp = Vec::new();
    let mut names = Vec::new();
    for (host, servers) in machines {
        for server in *servers {
            match server {
                Server::Nginx(ports) | Server::Banner(ports) => tcp.extend(sockets(host, ports)),
                Server::Dnsmasq => names.extend(host.addresses()),
            }
        }
    }
    let stop = client.stop().clone();
    client.within(READY_LIMIT * 2, move || {
        for address in tcp {
            poll(&format!("an answer of {address}/tcp"), READY_LIMIT, &stop, || {
                Ok(TcpStream::connect_timeout(&address, CONNECT_LIMIT).ok())
            })?;
        }
        for server in names {
            poll(&format!("an answer of the name server {server}"), READY_LIMIT, &stop, || {
                Ok(dns::ask(server, None, CONNECT_LIMIT)?.then_some(()))
            })?;
        }
        Ok(())
    })?
}

fn sockets(host: &Host, ports: &[u16]) -> Vec<SocketAddr> {
    let addresses: Vec<IpAddr> = host.addresses();
    addresses.iter().flat_map(|&address| ports.iter().map(move |&port| (address, port).into())).collect()
}

/// Fails, with what it said, for a service program that has ended although nobody asked it to.
pub fn check_alive(services: &mut [Service]) -> Result<()> {
    for service in services {
        if let Service::Program(program) = service
            && !program.is_running()?
        {
            return Err(anyhow!("a service ended: {}", program.stderr().text().trim()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nginx_listens_on_both_families_and_writes_only_to_its_folder() {
        let config = nginx_config(Path::new("/lab"), &[80, 443], "web");
        for expected in
            ["listen 80 ", "listen [::]:80 ", "listen 443 ", "listen [::]:443 ", "pid /lab/nginx.pid"]
        {
            assert!(config.contains(expected), "{expected} is missing in {config}");
        }
        assert_eq!(config.matches("_temp_path /lab/").count(), 5);
    }
}
