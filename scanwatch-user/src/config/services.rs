//! Service groups: `[services]` and `sensitive_services` over the default groups.

use std::collections::BTreeMap;

use super::defaults::{GROUPS, SENSITIVE};
use super::error::{Fault, listed, quoted};
use super::read::{Section, Value, check_name};
use crate::policy::{OTHER, Service, ServiceId};

/// Most service groups: their numbers are bytes, and 0 is every unnamed port.
pub(super) const SERVICES_MAX: usize = 255;
/// Name of the group that holds every port no other group holds.
pub(super) const OTHER_NAME: &str = "other";

const PORTS_WANTED: &str = "a list of ports such as [\"tcp/80\", \"udp/443\", \"tcp/6000-6010\"]";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Transport {
    Tcp,
    Udp,
}

/// Which group of the file holds a port, and on which line it says so.
type Owners<'a> = BTreeMap<(Transport, u16), (&'a str, usize)>;

/// The service groups: those of the file replace default groups of the same name, follow them otherwise, and take
/// their ports out of all other default groups. A default group that loses its last port so is gone.
pub(super) fn services(top: &Section) -> Result<Vec<Service>, Fault> {
    let mut owners = Owners::new();
    let mut groups = Vec::new();
    if let Some(section) = top.section("services")? {
        for value in section.values() {
            groups.push(group(&value, &mut owners)?);
        }
    }
    let mut services = over_defaults(groups, &owners);
    if services.len() > SERVICES_MAX {
        let message = format!(
            "[services] makes {} groups with the default ones; at most {SERVICES_MAX} are possible",
            services.len()
        );
        let line = top.get("services").map_or(top.line, |value| value.line);
        return Err(Fault::new(line, message));
    }
    if let Some(value) = top.get("sensitive_services") {
        set_sensitive(&value, &mut services)?;
    }
    Ok(services)
}

/// The service groups of an empty configuration.
pub(super) fn default_services() -> Vec<Service> {
    over_defaults(Vec::new(), &Owners::new())
}

fn over_defaults(mut groups: Vec<Service>, owners: &Owners) -> Vec<Service> {
    let mut services = Vec::new();
    for (name, tcp, udp) in GROUPS {
        if let Some(at) = groups.iter().position(|group| group.name == *name) {
            services.push(groups.remove(at));
            continue;
        }
        let left = |transport, ports: &[u16]| -> Vec<u16> {
            ports.iter().copied().filter(|port| !owners.contains_key(&(transport, *port))).collect()
        };
        let (tcp, udp) = (left(Transport::Tcp, tcp), left(Transport::Udp, udp));
        if !tcp.is_empty() || !udp.is_empty() {
            services.push(Service {
                name: (*name).to_owned(),
                tcp,
                udp,
                sensitive: SENSITIVE.contains(name),
            });
        }
    }
    services.append(&mut groups);
    services
}

fn group<'a>(value: &Value<'a>, owners: &mut Owners<'a>) -> Result<Service, Fault> {
    let name = value.key;
    check_name(name).map_err(|message| value.fault(message))?;
    if name == OTHER_NAME || name == "*" {
        return Err(value.fault(format!(
            "{} is reserved and cannot name a service; give the group another name",
            quoted(name)
        )));
    }
    if name == "sensitive_services" {
        return Err(value.fault(
            "`sensitive_services` is no group of [services]; move it to the top of the file, before the first section",
        ));
    }
    let sensitive = SENSITIVE.contains(&name);
    let mut service = Service { name: name.to_owned(), tcp: Vec::new(), udp: Vec::new(), sensitive };
    for item in value.filled_list(PORTS_WANTED)? {
        let text = item.text("a port in quotes such as \"tcp/80\"")?;
        let (transport, first, last) = parse_ports(text).map_err(|message| item.fault(message))?;
        for port in first..=last {
            own(owners, (transport, port), (name, item.line))?;
            match transport {
                Transport::Tcp => service.tcp.push(port),
                Transport::Udp => service.udp.push(port),
            }
        }
    }
    service.tcp.sort_unstable();
    service.udp.sort_unstable();
    Ok(service)
}

fn own<'a>(owners: &mut Owners<'a>, port: (Transport, u16), owner: (&'a str, usize)) -> Result<(), Fault> {
    let Some((name, line)) = owners.insert(port, owner) else { return Ok(()) };
    let transport = match port.0 {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    };
    let message = if name == owner.0 {
        format!("{transport}/{} is already in service {} on line {line}; name it once", port.1, quoted(name))
    } else {
        format!(
            "{transport}/{} is in service {} and, on line {line}, in service {}; keep it in one of them",
            port.1,
            quoted(owner.0),
            quoted(name)
        )
    };
    Err(Fault::new(owner.1, message))
}

/// Reads `tcp/80` or `udp/6000-6010`: transport, first and last port.
fn parse_ports(text: &str) -> Result<(Transport, u16, u16), String> {
    let parsed = text.split_once('/').and_then(|(transport, ports)| {
        let transport = match transport {
            "tcp" => Transport::Tcp,
            "udp" => Transport::Udp,
            _ => return None,
        };
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        Some((transport, parse_port(first)?, parse_port(last)?))
    });
    match parsed {
        Some((_, first, last)) if first > last => {
            Err(format!("{} ends before it begins; write the lower port first", quoted(text)))
        }
        Some(ports) => Ok(ports),
        None => Err(format!(
            "{} is no port; expected tcp/ or udp/ with a port from 1 to 65535 or a range, such as tcp/80 or \
             udp/6000-6010",
            quoted(text)
        )),
    }
}

fn parse_port(digits: &str) -> Option<u16> {
    // `parse` alone would take "+80".
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|port| *port != 0)
}

/// Makes the services of the list sensitive, and no others.
fn set_sensitive(value: &Value, services: &mut [Service]) -> Result<(), Fault> {
    for service in services.iter_mut() {
        service.sensitive = false;
    }
    for item in value.list("a list of services such as [\"smb\", \"remote\"]")? {
        let name = item.text("the name of a service in quotes")?;
        let Some(at) = services.iter().position(|service| service.name == name) else {
            return Err(item.fault(format!(
                "unknown service {} in `sensitive_services`; expected one of {}",
                quoted(name),
                listed(services.iter().map(|service| service.name.as_str()))
            )));
        };
        services[at].sensitive = true;
    }
    Ok(())
}

/// The number of the service group with that name, [`OTHER`] for `other`.
pub(super) fn service_id(services: &[Service], name: &str) -> Option<ServiceId> {
    if name == OTHER_NAME {
        return Some(OTHER);
    }
    let at = services.iter().position(|service| service.name == name)?;
    ServiceId::try_from(at + 1).ok()
}
