//! Address blocks and the `[[zone]]` sections made of them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::{Fault, quoted};
use super::read::{Section, Value, define};
use crate::policy::{Network, Zone};

/// Most zones: their numbers are bytes, and 0 is the internet.
pub(super) const ZONES_MAX: usize = 255;
/// Most networks over all zones: what the kernel's longest-prefix table is sized for.
pub(super) const NETWORKS_MAX: usize = 4_096;
/// Name of the zone that needs no section.
pub(super) const INTERNET_NAME: &str = "internet";

const NETWORKS_WANTED: &str = "a list of networks such as [\"10.1.0.0/16\", \"fd00:1::/48\"]";

/// Reads `10.1.0.0/16`, `fd00:1::/48`, or an address for a block of one; IPv4-mapped IPv6 blocks become IPv4.
pub(super) fn parse_network(text: &str) -> Result<Network, String> {
    let shown = quoted(text);
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return Err(format!(
            "{shown} is no network; expected an IPv4 or IPv6 block such as 10.1.0.0/16 or fd00:1::/48"
        ));
    };
    let (bits, family) = if address.is_ipv4() { (32, "IPv4") } else { (128, "IPv6") };
    let prefix = match prefix {
        None => bits,
        Some(digits) => parse_prefix(digits).filter(|prefix| *prefix <= bits).ok_or_else(|| {
            format!(
                "{shown} is no network; expected a prefix length from 0 to {bits} after an {family} address"
            )
        })?,
    };
    let network = Network { address: first_address(address, prefix), prefix };
    if network.address != address {
        return Err(format!(
            "{shown} is no network, because bits behind its prefix are set; write {network} for the block or \
             {address} for the one address"
        ));
    }
    Ok(unmapped(network))
}

fn parse_prefix(digits: &str) -> Option<u8> {
    // `parse` alone would take "+8".
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

fn first_address(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(a) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(a) & mask))
        }
        IpAddr::V6(a) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(a) & mask))
        }
    }
}

/// `::ffff:10.0.0.0/104` is 10.0.0.0/8 (RFC 4291, 2.5.5.2), and addresses are compared in that form.
fn unmapped(network: Network) -> Network {
    match (network.address.to_canonical(), network.prefix.checked_sub(96)) {
        (address @ IpAddr::V4(_), Some(prefix)) if network.address.is_ipv6() => Network { address, prefix },
        _ => network,
    }
}

/// The networks of a list that must not be empty, each with its line.
pub(super) fn networks(value: &Value) -> Result<Vec<(Network, usize)>, Fault> {
    let network = |item: &Value| {
        let text = item.text("a network in quotes such as \"10.1.0.0/16\"")?;
        Ok((parse_network(text).map_err(|message| item.fault(message))?, item.line))
    };
    value.filled_list(NETWORKS_WANTED)?.iter().map(network).collect()
}

/// A network as a zone names it.
struct Claim {
    network: Network,
    line: usize,
    zone: usize,
}

/// Reads the `[[zone]]` sections; none given means none returned.
pub(super) fn zones(top: &Section) -> Result<Vec<Zone>, Fault> {
    let mut zones = Vec::new();
    let mut seen = BTreeMap::new();
    let mut claims: Vec<Claim> = Vec::new();
    for section in top.sections("zone")? {
        section.expect_keys(&["name", "networks"])?;
        let name = section.name("office")?;
        let text = name.text("")?;
        if text == INTERNET_NAME || text == "*" {
            return Err(name.fault(format!(
                "{} is reserved and cannot name a zone; give the zone another name",
                quoted(text)
            )));
        }
        define(&mut seen, "zone", text, name.line)?;
        if zones.len() == ZONES_MAX {
            return Err(section.fault(format!("this zone is one too many; at most {ZONES_MAX} are possible")));
        }
        let blocks = networks(&section.need("networks", "networks = [\"10.1.0.0/16\"]")?)?;
        for &(network, line) in &blocks {
            check_zone_network(network, line)?;
            if claims.len() == NETWORKS_MAX {
                return Err(Fault::new(
                    line,
                    format!("this network is one too many; all zones together hold at most {NETWORKS_MAX}"),
                ));
            }
            claims.push(Claim { network, line, zone: zones.len() });
        }
        zones.push(Zone { name: text.to_owned(), networks: blocks.into_iter().map(|(n, _)| n).collect() });
    }
    check_overlaps(claims, &zones)?;
    Ok(zones)
}

/// Zones live in one table of IPv6 prefixes, IPv4 mapped, so a block around ::ffff:0:0/96 would hold all of IPv4.
fn check_zone_network(network: Network, line: usize) -> Result<(), Fault> {
    let mapped = IpAddr::V6(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped());
    if network.address == first_address(mapped, network.prefix.min(96)) {
        return Err(Fault::new(
            line,
            format!(
                "{network} also holds every IPv4 address in its IPv6 form ::ffff:0:0/96; write 2000::/3 for all \
                 global IPv6 addresses"
            ),
        ));
    }
    Ok(())
}

/// Blocks nest or are disjoint, so after sorting by first address and prefix a block that overlaps an earlier one
/// lies inside it, and the blocks around the present one form a stack.
fn check_overlaps(mut claims: Vec<Claim>, zones: &[Zone]) -> Result<(), Fault> {
    claims.sort_by_key(|claim| (claim.network.mapped(), claim.line));
    let mut around: Vec<&Claim> = Vec::new();
    for claim in &claims {
        while around.last().is_some_and(|outer| !outer.network.contains(claim.network.address)) {
            around.pop();
        }
        if let Some(outer) = around.last().filter(|outer| outer.zone != claim.zone) {
            let (first, second) = if outer.line <= claim.line { (*outer, claim) } else { (claim, *outer) };
            return Err(Fault::new(
                second.line,
                format!(
                    "{} in zone {} overlaps {} in zone {} on line {}; an address can be in one zone only",
                    second.network,
                    quoted(&zones[second.zone].name),
                    first.network,
                    quoted(&zones[first.zone].name),
                    first.line,
                ),
            ));
        }
        around.push(claim);
    }
    Ok(())
}
