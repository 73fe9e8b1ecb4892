//! Machines that reach many others for a living, with failures mixed in: not a word on standard output. Needs root.

mod support;

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Result, ensure};
use support::{LIMIT, assert_quiet, counter, only_incident, settle_and_end, watching};
use xtask::lab::agent::{Report, Setup};
use xtask::lab::peers::Sockets;
use xtask::lab::plan::{internet_hosts_v4, internet_hosts_v6};
use xtask::lab::{Host, Lab, Scanwatch, Segment, internet_hosts};

/// Where a machine that is switched off would be, on the internet side.
fn dark(n: usize) -> Ipv4Addr {
    Ipv4Addr::new(198, 19, (n % 256) as u8, (n / 256) as u8 + 7)
}

/// What scanwatch makes of what is done meanwhile: nothing.
fn watch(setup: Setup, work: impl FnOnce() -> Result<()>) -> Result<Report> {
    let agent = watching(setup)?;
    work()?;
    let report = settle_and_end(agent)?;
    assert_quiet(&report);
    Ok(report)
}

/// Gives a machine more addresses on its segment.
fn add_addresses(
    host: &Host,
    segment: Segment,
    numbers: impl IntoIterator<Item = u8>,
) -> Result<Vec<Ipv4Addr>> {
    let addresses: Vec<_> = numbers.into_iter().map(|number| segment.v4(number)).collect();
    for address in &addresses {
        host.run_line(&format!("ip address add {address}/24 dev eth0"), LIMIT)?;
    }
    Ok(addresses)
}

/// Fetches 60 pages, each with four things from 40 other hosts, by curl, which tries IPv6 first and IPv4 a quarter of a
/// second later (RFC 8305). Half of the IPv6 addresses and a few of the IPv4 ones are dead.
fn surf(lab: &Lab, client: &Host) -> Result<()> {
    const SITES: usize = 60;
    const OTHERS: usize = 40;
    let (v4, v6) = (internet_hosts_v4(SITES + OTHERS), internet_hosts_v6(SITES + OTHERS));
    let mut config =
        "parallel\nparallel-max = 6\nsilent\nconnect-timeout = 2\nhappy-eyeballs-timeout-ms = 250\n"
            .to_owned();
    config += "write-out = \"%{http_code} %{remote_ip}\\n\"\n";
    for site in 0..SITES + OTHERS {
        let (a, aaaa) = (v4[site], v6[site].to_string());
        let aaaa = if site.is_multiple_of(2) { aaaa } else { aaaa.replacen("c612", "c613", 1) };
        let a = if site % 30 == 29 { dark(site) } else { a };
        writeln!(config, "resolve = \"site{site}.example:80:[{aaaa}],{a}\"")?;
    }
    for page in 0..SITES {
        let others = (0..4).map(|n| SITES + (page * 7 + n * 11) % OTHERS);
        for site in [page].into_iter().chain(others) {
            writeln!(config, "url = \"http://site{site}.example/\"\noutput = \"/dev/null\"")?;
        }
    }
    let file = lab.folder().join("curl.config");
    fs::write(&file, config)?;
    let names = client.ask_names(lab.infra.v4().into(), 2 * (SITES + OTHERS) as u16)?;
    ensure!(names == 2 * (SITES + OTHERS), "only {names} names were told");
    let told = client.run("curl", ["--config", &file.to_string_lossy()], LIMIT)?.stdout;
    let pages =
        |what: &str| told.lines().filter(|line| line.starts_with("200 ") && line.contains(what)).count();
    ensure!(pages(":") >= 100 && pages("198.18.") >= 100, "curl fetched by one family only: {told}");
    Ok(())
}

#[test]
fn a_browser_with_sixty_sites_half_of_whose_ipv6_addresses_are_dead() -> Result<()> {
    let lab = Lab::new()?;
    let report = watch(Scanwatch::on(&lab), || surf(&lab, &lab.client))?;
    assert!(counter(&report, "packets.probe_syn") >= 300, "scanwatch did not see the connections");
    Ok(())
}

/// Answers 2,000 ports of a client, and asks 130 servers, 20 of them dead, some of them twice.
fn resolve(lab: &Lab, client: &Host) -> Result<()> {
    let answers = client.ask_names(lab.resolver.v4().into(), 2_000)?;
    ensure!(answers == 2_000, "only {answers} of 2000 questions were answered");
    let dead = (0..20).map(|n| IpAddr::from(dark(n)));
    let mut servers: Vec<IpAddr> = internet_hosts(110).into_iter().chain(dead).collect();
    servers.extend(internet_hosts(30));
    let answers = lab.resolver.ask_servers(&servers)?;
    ensure!(answers == 140, "{answers} of 140 live servers answered");
    Ok(())
}

#[test]
fn a_resolver_that_serves_two_thousand_ports_and_asks_servers_some_of_which_are_dead() -> Result<()> {
    let lab = Lab::new()?;
    // The resolver's own segment: what goes from office to office passes no router.
    let setup = || Scanwatch::on(&lab).host(&lab.switch).interfaces(&["resolver", "client"]);
    watch(setup(), || resolve(&lab, &lab.client))?;
    watch(Scanwatch::on(&lab), || resolve(&lab, &lab.client))?;
    Ok(())
}

/// Sixty machines of which all are polled on ssh and thirty on four services more; three of these are down. Rounds must
/// be more than an epoch apart, for within one a contact is told once.
#[test]
fn a_monitoring_host_that_polls_them_all_again_and_again() -> Result<()> {
    const PORTS: [u16; 5] = [22, 80, 445, 3306, 8080];
    const DOWN: [u8; 3] = [105, 117, 130];
    let lab = Lab::new()?;
    let up = (100..160).filter(|number| !DOWN.contains(number));
    let addresses = add_addresses(&lab.files, Segment::Servers, up)?;
    let tcp = addresses.iter().flat_map(|address| [80, 3306, 8080].map(|port| (*address, port).into()));
    let _served = lab.files.answer(Sockets { tcp: tcp.collect(), ..Sockets::default() })?;
    let all: Vec<IpAddr> = (100..160).map(|number| Segment::Servers.v4(number).into()).collect();
    // Past the hour in which everything is new; a fan-out is held back for two rounds, as two minutes would be.
    let setup = Scanwatch::on(&lab).config("[thresholds]\nlearning_s = 0\nhold_s = 25\n");
    watch(setup, || {
        for _ in 0..4 {
            let started = std::time::Instant::now();
            let thirty = lab.assets.connect_many(&all[..31], &PORTS, 500, 16)?;
            ensure!(thirty.silent == 15 && thirty.refused == 0, "{thirty:?}");
            lab.assets.connect_many(&all[31..], &[22], 500, 16)?;
            std::thread::sleep(Duration::from_secs(11).saturating_sub(started.elapsed()));
        }
        Ok(())
    })?;
    Ok(())
}

#[test]
fn a_backup_server_that_contacts_every_host_on_one_port() -> Result<()> {
    const FILE_DAEMON: u16 = 9102;
    let lab = Lab::new()?;
    let off = |number: &u8| number % 16 == 3;
    let addresses = add_addresses(&lab.files, Segment::Servers, (100..200).filter(|number| !off(number)))?;
    let tcp = addresses.iter().map(|address| (*address, FILE_DAEMON).into()).collect();
    let _served = lab.files.answer(Sockets { tcp, ..Sockets::default() })?;
    let all: Vec<IpAddr> = (100..200).map(|number| Segment::Servers.v4(number).into()).collect();
    for port in [FILE_DAEMON, 22] {
        watch(Scanwatch::on(&lab), || {
            let contacts = lab.assets.connect_many(&all, &[port], 1_000, 8)?;
            ensure!(contacts.answered == addresses.len() && contacts.silent > 0, "{contacts:?}");
            Ok(())
        })?;
    }
    Ok(())
}

/// Peers by UDP and TCP on ports of their own choice, a third of them on the one that everybody used to have; most are
/// gone: dark, or closed.
fn swarm(lab: &Lab, client: &Host) -> Result<()> {
    const PEERS: usize = 300;
    let port = |n: usize| if n.is_multiple_of(3) { 6_881 } else { 10_000 + (n * 7_919 % 50_000) as u16 };
    let hosts = internet_hosts_v4(PEERS);
    let peer = |n: usize| SocketAddr::from((if n % 4 == 1 { dark(n) } else { hosts[n] }, port(n)));
    let alive = || (0..PEERS).filter(|n| n.is_multiple_of(4));
    let sockets =
        Sockets { udp: alive().map(peer).collect(), tcp: alive().map(peer).collect(), groups: Vec::new() };
    let _swarm = lab.internet.answer(sockets)?;
    let own = SocketAddr::from((client.v4(), 51_413));
    let ways: Vec<_> = (0..PEERS).map(|n| (own, peer(n))).collect();
    let answers = client.send_datagrams(&ways, 100, Duration::from_millis(20))?;
    ensure!(answers == alive().count(), "{answers} peers answered");
    let targets: Vec<_> = (0..PEERS).filter(|n| n % 3 != 2 || n.is_multiple_of(4)).map(peer).collect();
    let connected = client.connect_each(&targets, Duration::from_millis(800), 24)?;
    ensure!(connected == alive().count(), "{connected} peers let it in");
    Ok(())
}

#[test]
fn a_peer_to_peer_client_with_many_stale_addresses() -> Result<()> {
    let lab = Lab::new()?;
    let report = watch(Scanwatch::on(&lab), || swarm(&lab, &lab.client))?;
    assert!(counter(&report, "packets.tcp_refused") > 0, "no peer refused");
    Ok(())
}

/// A telephone exchange keeps in touch with 45 telephones, of which five are off; one of them makes 40 calls: media
/// there and back between two even ports, reports to the odd ones (RFC 3550), which nobody takes.
fn call(lab: &Lab) -> Result<()> {
    const SIP: u16 = 5060;
    let (exchange, gateway) = (lab.infra.v4(), lab.infra.all_v4()[1]);
    let phones = add_addresses(&lab.client, Segment::Office, 120..160)?;
    let _phones = lab.client.answer(Sockets {
        udp: phones.iter().map(|phone| (*phone, SIP).into()).collect(),
        ..Sockets::default()
    })?;
    let asked = (115..160).map(|number| ((exchange, SIP).into(), (Segment::Office.v4(number), SIP).into()));
    let asked: Vec<_> = asked.collect();
    for _ in 0..2 {
        let answers = lab.infra.send_datagrams(&asked, 400, Duration::from_millis(20))?;
        ensure!(answers == phones.len(), "{answers} telephones answered");
    }
    let media = |call: u16| SocketAddr::from((gateway, 10_000 + 2 * call));
    let _media = lab.infra.answer(Sockets { udp: (0..40).map(media).collect(), ..Sockets::default() })?;
    let ways: Vec<_> = (0..40_u16)
        .flat_map(|call| {
            let from = |port| SocketAddr::from((lab.client.v4(), port));
            let report = SocketAddr::from((gateway, 10_001 + 2 * call));
            let voice = (from(16_384 + 2 * call), media(call));
            [voice, voice, (from(16_385 + 2 * call), report)]
        })
        .collect();
    let answers = lab.client.send_datagrams(&ways, 172, Duration::from_millis(10))?;
    ensure!(answers == 80, "{answers} of 80 packets of voice came back");
    Ok(())
}

#[test]
fn telephones_with_their_signalling_media_and_reports() -> Result<()> {
    let lab = Lab::new()?;
    watch(Scanwatch::on(&lab), || call(&lab))?;
    Ok(())
}

/// Everybody asks all others: for names (mDNS, LLMNR, NetBIOS), for devices (SSDP), for an address (DHCP). Six machines
/// answer twenty, each by itself; NetBIOS and mDNS answer to the well-known port that was asked from.
#[test]
fn neighbours_that_ask_all_and_are_answered_one_by_one() -> Result<()> {
    let lab = Lab::new()?;
    let groups: [([u8; 4], u16); 5] = [
        ([224, 0, 0, 251], 5353),
        ([224, 0, 0, 252], 5355),
        ([239, 255, 255, 250], 1900),
        ([10, 1, 0, 255], 137),
        ([10, 1, 0, 255], 138),
    ];
    let groups = groups.map(|(group, port)| (Ipv4Addr::from(group), port));
    let answering = [&lab.proxy, &lab.relay, &lab.assets, &lab.camera, &lab.scanner, &lab.resolver];
    let _answering = answering
        .map(|host| host.answer(Sockets { groups: groups.to_vec(), ..Sockets::default() }))
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    let askers = add_addresses(&lab.client, Segment::Office, 120..140)?;
    let ways: Vec<(SocketAddr, SocketAddr)> = askers
        .iter()
        .flat_map(|asker| {
            groups.map(|(group, port)| {
                let from = if matches!(port, 137 | 138 | 5353) { port } else { 40_000 + port };
                ((*asker, from).into(), (group, port).into())
            })
        })
        .collect();
    let setup = Scanwatch::on(&lab).host(&lab.switch);
    let setup = setup.interfaces(&["client", "proxy", "relay", "assets", "camera", "scanner", "resolver"]);
    let dhcp = ["--port=0", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--group=root"];
    let range = ["--dhcp-range=10.1.0.200,10.1.0.220,255.255.255.0,1h", "--dhcp-leasefile=/dev/null"];
    let pid = format!("--pid-file={}", lab.folder().join("dhcp.pid").display());
    let _dhcp = lab.proxy.spawn("dnsmasq", dhcp.iter().chain(&range).copied().chain([pid.as_str()]))?;
    let report = watch(setup, || {
        let answers = lab.client.send_datagrams(&ways, 60, Duration::from_millis(20))?;
        ensure!(answers == ways.len() * answering.len(), "{answers} answers to {} questions", ways.len());
        let leased = lab.camera.run_line("nmap --script broadcast-dhcp-discover -e eth0", LIMIT)?;
        ensure!(leased.stdout.contains("10.1.0.2"), "no address was offered: {}", leased.stdout);
        Ok(())
    })?;
    assert!(counter(&report, "packets.group_target") >= 100, "the questions were not seen");
    assert!(counter(&report, "packets.dhcp") > 0, "DHCP was not seen");
    Ok(())
}

/// All of the above leaves by one address, and so does a scan: it is told of the client, under its address inside.
#[test]
fn a_router_that_translates_is_never_accused_and_its_one_client_that_scans_is() -> Result<()> {
    let lab = Lab::builder().masquerade().build()?;
    let agent = watching(Scanwatch::on(&lab))?;
    surf(&lab, &lab.client)?;
    resolve(&lab, &lab.client)?;
    swarm(&lab, &lab.camera)?;
    call(&lab)?;
    let scan = "nmap -n -Pn -sS -p445 --min-rate 100 --max-retries 1 198.18.9.0/26 198.19.9.0/26";
    lab.scanner.run_line(scan, LIMIT)?;
    let report = settle_and_end(agent)?;
    let incident = only_incident(&report);
    assert_eq!(incident.ended.source(), lab.scanner.v4().to_string(), "{}", incident.ended.line);
    assert_eq!(incident.ended.text("network.direction"), "outbound", "{}", incident.ended.line);
    assert_eq!(incident.ended.texts("scanwatch.scan.services"), ["smb"], "{}", incident.ended.line);
    // Nobody else is in the statistics either: no server for its answers, no router.
    for (direction, incidents) in [("lateral", 0), ("outbound", 1), ("inbound", 0), ("transit", 0)] {
        assert_eq!(counter(&report, &format!("directions.{direction}.incidents")), incidents, "{direction}");
    }
    Ok(())
}
