//! Namespaces, cables, switches, addresses and routes, laid with `ip(8)` as the plan says.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

use super::host::Host;
use super::netns::{LabId, Netns};
use super::plan::{
    INTERNET_DARK_V6, INTERNET_LIVE_V4, INTERNET_LIVE_V6, INTERNET_NUMBER, Machine, ROUTER_NUMBER, Segment,
    mac_of, mac_text,
};
use super::process::Running;
use super::wait::Stop;

/// Longest time for one command that sets something up.
const COMMAND_LIMIT: Duration = Duration::from_mins(1);

/// No duplicate address detection (it delays), no router solicitations or autoconfiguration (they are noise).
const QUIET: &[(&str, &str)] = &[
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv6/bindv6only", "0"),
    ("ipv6/conf/all/accept_dad", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/dad_transmits", "0"),
    ("ipv6/conf/all/accept_ra", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/autoconf", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
];
const FORWARDING: &[(&str, &str)] = &[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")];
/// A switch does not look into the IP packets it forwards, where the kernel could: it would drop malformed ones.
const NO_FILTER: &[(&str, &str)] = &[
    ("bridge/bridge-nf-call-arptables", "0"),
    ("bridge/bridge-nf-call-iptables", "0"),
    ("bridge/bridge-nf-call-ip6tables", "0"),
];
/// Nor does it speak IP.
const NO_IP: &[(&str, &str)] =
    &[("ipv6/conf/all/disable_ipv6", "1"), ("ipv6/conf/default/disable_ipv6", "1")];

/// Makes everything but servers. What was made before a failure is left for the caller to remove.
pub fn build(id: &LabId, plan: &[&Machine], stop: &Stop) -> Result<()> {
    let netns = |name: &str| Netns::named(id.namespace(name));
    let (router, switch) = (netns("router"), netns("switch"));
    let machines: Vec<_> = plan.iter().map(|machine| (*machine, netns(machine.name))).collect();
    let all = || machines.iter().map(|(_, netns)| netns).chain([&router, &switch]);

    let commands: Vec<_> = all().map(|netns| format!("netns add {}\n", netns.name())).collect();
    ip(id, None, &commands.concat())?;
    for netns in all() {
        stop.check()?;
        set(netns, QUIET)?;
    }
    set(&router, FORWARDING)?;
    set(&switch, NO_IP)?;
    if Path::new("/proc/sys/net/bridge").exists() {
        set(&switch, NO_FILTER)?;
    }
    ip(id, None, &cables(&machines, &router, &switch))?;
    // The switch first: a cable without a carrier takes no IPv6 route.
    ip(id, Some(&switch), &switch_commands(plan))?;
    ip(id, Some(&router), &router_commands())?;
    for (machine, netns) in &machines {
        stop.check()?;
        ip(id, Some(netns), &machine_commands(machine))?;
    }
    offloads(&machines, &router, &switch)
}

/// Hides all that leaves by `internet` behind the router's own address.
pub fn masquerade(router: &Host) -> Result<()> {
    let rules = "add table ip lab; \
                 add chain ip lab leave { type nat hook postrouting priority 100 ; }; \
                 add rule ip lab leave oifname internet masquerade";
    router.run("nft", [rules], COMMAND_LIMIT)?.ok().context("cannot set up address translation")?;
    Ok(())
}

/// Name of the switch port that leads to the router's interface on `segment`.
fn router_port(segment: Segment) -> String {
    format!("rt-{}", segment.interface())
}

fn cables(machines: &[(&Machine, Netns)], router: &Netns, switch: &Netns) -> String {
    let switch = switch.name();
    let mut commands = String::new();
    let mut cable = |interface: &str, mac: [u8; 6], netns: &str, port: &str| {
        let mac = mac_text(mac);
        let _ = writeln!(
            commands,
            "link add {interface} address {mac} netns {netns} type veth peer name {port} netns {switch}"
        );
    };
    for segment in Segment::ALL {
        let mac = mac_of(segment.v4(ROUTER_NUMBER));
        cable(segment.interface(), mac, router.name(), &router_port(segment));
    }
    for (machine, netns) in machines {
        cable("eth0", mac_of(machine.segment.v4(machine.numbers[0])), netns.name(), machine.name);
    }
    commands
}

/// Bridges that forward at once (no spanning tree) and to all (no multicast snooping).
fn switch_commands(machines: &[&Machine]) -> String {
    let mut commands = String::new();
    for segment in Segment::ALL {
        let bridge = segment.bridge();
        let options = "stp_state 0 forward_delay 0 mcast_snooping 0";
        let _ = writeln!(commands, "link add {bridge} type bridge {options}\nlink set {bridge} up");
        let here = machines.iter().filter(|machine| machine.segment == segment);
        for port in here.map(|machine| machine.name.to_owned()).chain([router_port(segment)]) {
            let _ = writeln!(commands, "link set {port} master {bridge} up");
        }
    }
    commands
}

fn router_commands() -> String {
    let mut commands = "link set lo up\n".to_owned();
    for segment in Segment::ALL {
        interface_up(&mut commands, segment.interface(), segment, &[ROUTER_NUMBER]);
    }
    route(&mut commands, ["default", "default"], Segment::Internet, INTERNET_NUMBER);
    commands
}

fn machine_commands(machine: &Machine) -> String {
    let mut commands = "link set lo up\n".to_owned();
    interface_up(&mut commands, "eth0", machine.segment, machine.numbers);
    if machine.segment == Segment::Internet && machine.numbers[0] == INTERNET_NUMBER {
        route(&mut commands, ["10.0.0.0/8", "fd00::/16"], machine.segment, ROUTER_NUMBER);
        // A local route makes every address of a network ours. Other IPv4 addresses get no answer, as this
        // machine does not forward; for IPv6 it would send an ICMP error, hence the black hole.
        let _ = writeln!(
            commands,
            "route add local {INTERNET_LIVE_V4} dev lo\nroute add local {INTERNET_LIVE_V6} dev lo\n\
             route add blackhole {INTERNET_DARK_V6}"
        );
    } else {
        route(&mut commands, ["default", "default"], machine.segment, ROUTER_NUMBER);
    }
    commands
}

fn interface_up(commands: &mut String, interface: &str, segment: Segment, numbers: &[u8]) {
    let _ = writeln!(commands, "link set {interface} up");
    for &number in numbers {
        let (v4, v6) = (segment.v4(number), segment.v6(number));
        let _ =
            writeln!(commands, "addr add {v4}/24 dev {interface}\naddr add {v6}/64 dev {interface} nodad");
    }
}

/// Routes for an IPv4 and an IPv6 destination by way of machine `number` on `segment`.
fn route(commands: &mut String, [v4, v6]: [&str; 2], segment: Segment, number: u8) {
    let (via4, via6) = (segment.v4(number), segment.v6(number));
    let _ = writeln!(commands, "route add {v4} via {via4}\nroute add {v6} via {via6}");
}

/// Makes frames look as they do on a wire: no unfinished checksums, no segments joined, no tags set aside.
///
/// veth leaves such work to its peer, which is nobody here: an XDP program would see the raw state.
fn offloads(machines: &[(&Machine, Netns)], router: &Netns, switch: &Netns) -> Result<()> {
    const SENDER: [&str; 8] = ["tx", "off", "tso", "off", "gso", "off", "gro", "off"];
    const PORT: [&str; 4] = ["tx-vlan-hw-insert", "off", "tx-vlan-stag-hw-insert", "off"];
    for segment in Segment::ALL {
        ethtool(router, segment.interface(), &SENDER)?;
        ethtool(switch, &router_port(segment), &PORT)?;
    }
    for (machine, netns) in machines {
        ethtool(netns, "eth0", &SENDER)?;
        ethtool(switch, machine.name, &PORT)?;
    }
    Ok(())
}

fn ethtool(netns: &Netns, interface: &str, features: &[&str]) -> Result<()> {
    let args: Vec<_> = ["-K", interface].iter().chain(features).map(|&word| word.to_owned()).collect();
    inside(netns, move || Running::start("ethtool", args, Stop::new())?.wait(COMMAND_LIMIT)?.ok())?;
    Ok(())
}

fn set(netns: &Netns, settings: &'static [(&str, &str)]) -> Result<()> {
    inside(netns, move || {
        for (name, value) in settings {
            // /proc/sys/net shows the namespace of the thread that looks.
            fs::write(format!("/proc/sys/net/{name}"), value)
                .with_context(|| format!("cannot set net/{name}"))?;
        }
        Ok(())
    })
}

/// Does `work`, which must not wait for long, in a thread inside `netns`.
fn inside<T: Send>(netns: &Netns, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let worker = scope.spawn(|| netns.enter().and_then(|()| work()));
        worker.join().unwrap_or_else(|_| Err(anyhow!("setting up {} panicked", netns.name())))
    })
}

/// Runs many `ip` commands at once, in `netns` or in our own namespace.
fn ip(id: &LabId, netns: Option<&Netns>, commands: &str) -> Result<()> {
    let batch = id.folder().join("ip.batch");
    fs::write(&batch, commands).with_context(|| format!("cannot write {}", batch.display()))?;
    let place = netns.map_or_else(Vec::new, |netns| vec!["-n".to_owned(), netns.name().to_owned()]);
    let args = place.into_iter().chain(["-batch".to_owned(), batch.display().to_string()]);
    Running::start("ip", args, Stop::new())?.wait(COMMAND_LIMIT)?.ok()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::plan::MACHINES;
    use super::*;

    fn commands_of(name: &str) -> String {
        machine_commands(MACHINES.iter().find(|machine| machine.name == name).unwrap())
    }

    #[test]
    fn a_server_gets_all_its_addresses_and_one_way_out_per_family() {
        let commands = commands_of("web");
        assert_eq!(commands.matches("addr add 10.2.0.").count(), 4);
        assert_eq!(commands.matches("/64 dev eth0 nodad").count(), 4);
        assert!(
            commands.contains("route add default via 10.2.0.1\nroute add default via fd00:2::1\n"),
            "{commands}"
        );
    }

    #[test]
    fn the_internet_has_no_default_route_that_could_loop() {
        let commands = commands_of("internet");
        assert!(!commands.contains("default"), "{commands}");
        assert!(commands.contains("route add local 198.18.0.0/16 dev lo"));
    }

    #[test]
    fn every_machine_has_a_port_in_its_segments_bridge() {
        let commands = switch_commands(&MACHINES.iter().collect::<Vec<_>>());
        for machine in &MACHINES {
            let line = format!("link set {} master {} up", machine.name, machine.segment.bridge());
            assert!(commands.contains(&line), "{line}");
        }
        assert!(commands.contains("link set rt-internet master br-internet up"));
    }
}
