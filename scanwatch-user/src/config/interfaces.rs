//! The `[[interface]]` sections and `[directions]`.

use std::collections::BTreeMap;

use super::defaults::DIRECTIONS;
use super::error::{Fault, quoted};
use super::read::{Section, define};
use crate::policy::{Directions, Hook, Interface, Treatment};

/// Longest name of a Linux interface, bytes: IFNAMSIZ less the terminating zero.
const INTERFACE_NAME_MAX: usize = 15;

const HOOKS: [(&str, Hook); 4] = [
    ("auto", Hook::Auto),
    ("xdp-native", Hook::XdpNative),
    ("xdp-generic", Hook::XdpGeneric),
    ("tc", Hook::Tc),
];
const TREATMENTS: [(&str, Treatment); 2] =
    [("alert", Treatment::Alert), ("statistics", Treatment::Statistics)];

/// Accepts what the kernel accepts as the name of an interface (`dev_valid_name`).
pub(crate) fn check_interface_name(name: &str) -> Result<(), String> {
    let fits = (1..=INTERFACE_NAME_MAX).contains(&name.len());
    let odd = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
    if fits && name != "." && name != ".." && !name.contains(odd) {
        return Ok(());
    }
    Err(format!(
        "{} is no name of an interface; expected 1 to {INTERFACE_NAME_MAX} bytes without spaces, `/` and `:`",
        quoted(name)
    ))
}

/// Reads the `[[interface]]` sections; none given means none returned.
pub(super) fn interfaces(top: &Section) -> Result<Vec<Interface>, Fault> {
    let mut seen = BTreeMap::new();
    let mut interfaces = Vec::new();
    for section in top.sections("interface")? {
        section.expect_keys(&["name", "hook"])?;
        let value = section.need("name", "name = \"eth0\"")?;
        let name = value.text("a name such as \"eth0\"")?;
        check_interface_name(name).map_err(|message| value.fault(message))?;
        define(&mut seen, "interface", name, value.line)?;
        let hook = section.get("hook").map(|value| value.choice(&HOOKS)).transpose()?.unwrap_or(Hook::Auto);
        interfaces.push(Interface { name: name.to_owned(), hook });
    }
    Ok(interfaces)
}

/// Reads `[directions]` over the defaults.
pub(super) fn directions(top: &Section) -> Result<Directions, Fault> {
    let mut directions = DIRECTIONS;
    let Some(section) = top.section("directions")? else { return Ok(directions) };
    section.expect_keys(&["lateral", "outbound", "inbound", "transit"])?;
    let fields = [
        ("lateral", &mut directions.lateral),
        ("outbound", &mut directions.outbound),
        ("inbound", &mut directions.inbound),
        ("transit", &mut directions.transit),
    ];
    for (key, field) in fields {
        if let Some(value) = section.get(key) {
            *field = value.choice(&TREATMENTS)?;
        }
    }
    Ok(directions)
}
