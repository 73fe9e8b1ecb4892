//! An ordinary day: not a word on standard output. Needs root.

mod support;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Result, ensure};
use support::{assert_quiet, counter, settle_and_end, watching};
use xtask::lab::agent::Report;
use xtask::lab::frame::{Link, Tags, TcpFlags};
use xtask::lab::{Host, Lab, Scanwatch, Segment, internet_hosts};

/// What scanwatch, without any configuration, makes of what is done meanwhile; it must have nothing to say, and no
/// scan may hide in the statistics either.
fn watch(lab: &Lab, work: impl FnOnce() -> Result<()>) -> Result<Report> {
    let agent = watching(Scanwatch::on(lab))?;
    work()?;
    let report = settle_and_end(agent)?;
    assert_quiet(&report);
    Ok(report)
}

fn ask(host: &Host, server: IpAddr, count: u16) -> Result<()> {
    let answers = host.ask_names(server, count)?;
    ensure!(answers == usize::from(count), "only {answers} of {count} questions were answered");
    Ok(())
}

#[test]
fn a_name_server_that_answers_500_questions_to_500_ports_is_silent() -> Result<()> {
    let lab = Lab::new()?;
    let report = watch(&lab, || ask(&lab.client, lab.infra.v4().into(), 500))?;
    // The answers were seen: they came in by the servers' interface, from one port to 500.
    let answers = counter(&report, "packets.udp_answered") + counter(&report, "packets.udp_answer_shape");
    assert!(answers >= 500, "only {answers} answers were seen");
    Ok(())
}

#[test]
fn a_name_server_that_answers_over_ipv6_is_silent() -> Result<()> {
    let lab = Lab::new()?;
    let report = watch(&lab, || ask(&lab.client, lab.infra.v6().into(), 500))?;
    let answers = counter(&report, "packets.udp_answered") + counter(&report, "packets.udp_answer_shape");
    assert!(answers >= 500, "only {answers} answers were seen");
    Ok(())
}

#[test]
fn answers_whose_questions_went_another_way_are_silent() -> Result<()> {
    let lab = Lab::new()?;
    let link = Link { source: lab.infra.mac(), target: lab.router_mac(Segment::Servers), tags: Tags::None };
    let (server, client) = (SocketAddr::from((lab.infra.v4(), 53)), IpAddr::from(lab.client.v4()));
    let answers: Result<Vec<_>> =
        (20_000..20_500).map(|port| link.udp(server, (client, port).into(), &[0; 80])).collect();
    let report = watch(&lab, || lab.infra.send_frames("eth0", &answers?, 1_000))?;
    assert_eq!(counter(&report, "packets.udp_answer_shape"), 500);
    Ok(())
}

#[test]
fn browsing_is_silent() -> Result<()> {
    let lab = Lab::new()?;
    let report = watch(&lab, || {
        let sites = internet_hosts(40);
        for machine in [&lab.client, &lab.proxy, &lab.relay] {
            let pages = machine.browse(&sites)?;
            ensure!(pages == sites.len(), "only {pages} of {} sites answered", sites.len());
        }
        Ok(())
    })?;
    assert!(counter(&report, "packets.probe_syn") >= 120, "scanwatch did not see the connections");
    assert_eq!(counter(&report, "directions.outbound.sources"), 3);
    Ok(())
}

#[test]
fn an_office_machine_at_its_servers_is_silent() -> Result<()> {
    let lab = Lab::new()?;
    let report = watch(&lab, || {
        for (server, ports) in
            [(&lab.web, &[80, 443, 8080][..]), (&lab.files, &[139, 445]), (&lab.infra, &[53, 25])]
        {
            let contacts = lab.client.connect_many(&server.addresses(), ports, 1_000, 4)?;
            ensure!(contacts.silent + contacts.refused == 0, "{contacts:?}");
        }
        Ok(())
    })?;
    assert!(counter(&report, "packets.probe_syn") >= 8 * 7, "scanwatch did not see the connections");
    Ok(())
}

#[test]
fn ten_thousand_packets_of_one_connection_are_silent() -> Result<()> {
    let lab = Lab::new()?;
    let target = (lab.web.v4(), 80).into();
    let report = watch(&lab, || lab.client.long_connection(target, 10_000).map(drop))?;
    let packets = counter(&report, "packets.tcp_established");
    assert!(packets >= 10_000, "only {packets} packets of the connection were seen");
    assert!(counter(&report, "packets.probe_syn") <= 3, "one connection is one probe, or repeated at most");
    Ok(())
}

/// What machines send to find addresses, printers and each other, as frames: DHCP, DHCPv6, mDNS, SSDP, LLMNR, NTP
/// broadcast, gratuitous ARP.
fn household(machine: &Host, number: u16) -> Result<Vec<Vec<u8>>> {
    let link = |target| Link { source: machine.mac(), target, tags: Tags::None };
    let broadcast = link([0xff; 6]);
    let group_v4 = |group: [u8; 4]| link([0x01, 0x00, 0x5e, group[1] & 0x7f, group[2], group[3]]);
    let group_v6 = |group: Ipv6Addr| {
        let [.., a, b, c, d] = group.octets();
        link([0x33, 0x33, a, b, c, d])
    };
    let (v4, v6) = (IpAddr::from(machine.v4()), IpAddr::from(machine.v6()));
    let nobody = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    let source = 30_000 + number;
    let mut frames = vec![
        broadcast.udp((nobody, 68).into(), ([255; 4], 67).into(), &[0; 300])?,
        broadcast.udp((v4, 138).into(), ([10, 1, 0, 255], 138).into(), &[0; 180])?,
        broadcast.arp_request(machine.v4(), machine.v4()),
    ];
    for (group, port) in [
        ([224, 0, 0, 251], 5353),
        ([239, 255, 255, 250], 1900),
        ([224, 0, 0, 252], 5355),
        ([224, 0, 1, 1], 123),
    ] {
        frames.push(group_v4(group).udp((v4, source).into(), (group, port).into(), &[0; 60])?);
    }
    for (group, port) in [("ff02::fb", 5353), ("ff02::c", 1900), ("ff02::1:3", 5355)] {
        let group: Ipv6Addr = group.parse()?;
        frames.push(group_v6(group).udp((v6, source).into(), (group, port).into(), &[0; 60])?);
    }
    let servers: Ipv6Addr = "ff02::1:2".parse()?;
    frames.push(group_v6(servers).udp((v6, 546).into(), (servers, 547).into(), &[0; 60])?);
    Ok(frames)
}

#[test]
fn the_household_noise_of_a_segment_is_silent() -> Result<()> {
    let lab = Lab::new()?;
    let machines = [&lab.client, &lab.proxy, &lab.camera];
    let report = watch(&lab, || {
        for machine in machines {
            let frames: Result<Vec<_>> = (0..100).map(|number| household(machine, number)).collect();
            machine.send_frames("eth0", &frames?.concat(), 4_000)?;
        }
        Ok(())
    })?;
    for (name, expected) in [("dhcp", 300 + 300), ("arp_own", 300)] {
        let counted = counter(&report, &format!("packets.{name}"));
        assert!(counted >= expected, "{name}: {counted}, not {expected}");
    }
    let groups = counter(&report, "packets.group_target");
    assert!(groups >= 300 * 4, "{groups} frames to groups");
    Ok(())
}

#[test]
fn frames_that_are_no_packets_are_counted_by_their_reason_and_silent() -> Result<()> {
    const EACH: u64 = 50;
    let lab = Lab::new()?;
    let link = Link { source: lab.camera.mac(), target: lab.router_mac(Segment::Office), tags: Tags::None };
    let three_tags = Link { tags: Tags::QinQ { outer: 1, inner: 2 }, ..link }.frame(0x8100, &[0, 3, 0x08, 0]);
    let (source, target) = ((lab.camera.v4(), 40_000).into(), (lab.web.v4(), 23).into());
    let syn = link.tcp(source, target, TcpFlags::SYN)?;
    let mut later_fragment = syn.clone();
    later_fragment[20..22].copy_from_slice(&185_u16.to_be_bytes());
    let reasons = [
        ("not_ip", link.frame(0x88cc, &[0; 46])),
        ("malformed", link.frame(0x0800, &[0x65; 46])),
        ("truncated", syn[..14 + 20 + 8].to_vec()),
        ("vlan_too_deep", three_tags),
        ("later_fragment", later_fragment),
    ];
    let report = watch(&lab, || {
        let frames: Vec<_> =
            reasons.iter().flat_map(|(_, frame)| vec![frame.clone(); EACH as usize]).collect();
        lab.camera.send_frames("eth0", &frames, 2_000)
    })?;
    for (reason, _) in &reasons {
        let counted = counter(&report, &format!("packets.{reason}"));
        assert!(counted >= EACH, "{reason}: {counted}, not {EACH}");
    }
    Ok(())
}
