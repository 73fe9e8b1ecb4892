//! The `[[role]]` sections: budgets of named sources.

use std::collections::BTreeMap;

use super::error::{Fault, listed, quoted};
use super::network::{INTERNET_NAME, networks};
use super::read::{Section, Value, define};
use super::services::{OTHER_NAME, service_id};
use super::time::{expiry, schedule};
use crate::policy::{INTERNET, Role, RoleKind, Service, ServiceId, Zone, ZoneId};

/// Most roles: every admitted source is compared with all of them.
pub(super) const ROLES_MAX: usize = 1_024;

const KEYS: [&str; 8] = ["name", "kind", "sources", "services", "zones", "hosts_max", "expires", "schedule"];
const KINDS: [(&str, RoleKind); 5] = [
    ("proxy", RoleKind::Proxy),
    ("mail_relay", RoleKind::MailRelay),
    ("asset_manager", RoleKind::AssetManager),
    ("resolver", RoleKind::Resolver),
    ("custom", RoleKind::Custom),
];

/// What a role may name.
struct Names<'p> {
    zones: &'p [Zone],
    services: &'p [Service],
}

/// Reads the `[[role]]` sections, which name `zones` and `services`.
pub(super) fn roles(top: &Section, zones: &[Zone], services: &[Service]) -> Result<Vec<Role>, Fault> {
    let names = Names { zones, services };
    let mut seen = BTreeMap::new();
    let mut roles = Vec::new();
    for section in top.sections("role")? {
        if roles.len() == ROLES_MAX {
            return Err(section.fault(format!("this role is one too many; at most {ROLES_MAX} are possible")));
        }
        let (role, line) = role(&section, &names)?;
        define(&mut seen, "role", &role.name, line)?;
        roles.push(role);
    }
    Ok(roles)
}

/// One role and the line of its name.
fn role(section: &Section, names: &Names) -> Result<(Role, usize), Fault> {
    section.expect_keys(&KEYS)?;
    let name = section.name("egress proxies")?;
    let kind = section.need("kind", "kind = \"custom\" or a more special one")?.choice(&KINDS)?;
    let sources = networks(&section.need("sources", "sources = [\"10.1.0.8/32\"]")?)?;
    let services = match section.get("services") {
        Some(value) => names.services(&value)?,
        None => names.services_of_kind(kind, section)?,
    };
    let zones = match section.get("zones") {
        Some(value) => names.zones(&value)?,
        None => names.zones_of_kind(kind, section)?,
    };
    let role = Role {
        name: name.text("")?.to_owned(),
        kind,
        sources: sources.into_iter().map(|(network, _)| network).collect(),
        services,
        zones,
        hosts_max: section.get("hosts_max").map(|v| v.integer(1..=u64::from(u32::MAX))).transpose()?,
        expires_s: section.get("expires").map(|value| expiry(&value)).transpose()?,
        schedule: section.get("schedule").map(|value| schedule(&value)).transpose()?,
    };
    Ok((role, name.line))
}

/// The elements of a list of names; `None` where `"*"` or `["*"]` stands for all of them.
fn selection<'a>(value: &Value<'a>, wanted: &str) -> Result<Option<Vec<Value<'a>>>, Fault> {
    if value.text(wanted).is_ok_and(|text| text == "*") {
        return Ok(None);
    }
    let items = value.filled_list(wanted)?;
    let mut all = false;
    for item in &items {
        all |= item.text(wanted)? == "*";
    }
    match all {
        false => Ok(Some(items)),
        true if items.len() == 1 => Ok(None),
        true => Err(value.fault(format!("`{}` has names beside \"*\"; keep \"*\" or the names", value.key))),
    }
}

impl Names<'_> {
    fn services(&self, value: &Value) -> Result<Option<Vec<ServiceId>>, Fault> {
        let wanted = "a list of services such as [\"web\", \"dns\"], or \"*\"";
        let Some(items) = selection(value, wanted)? else { return Ok(None) };
        let mut ids = Vec::new();
        for item in items {
            let name = item.text(wanted)?;
            ids.push(service_id(self.services, name).ok_or_else(|| {
                let known = self.services.iter().map(|service| service.name.as_str());
                item.fault(format!(
                    "unknown service {} in [[role]]; expected one of {}",
                    quoted(name),
                    listed(known.chain([OTHER_NAME]))
                ))
            })?);
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(Some(ids))
    }

    fn zones(&self, value: &Value) -> Result<Vec<ZoneId>, Fault> {
        let wanted = "a list of zones such as [\"internal\", \"internet\"], or \"*\"";
        let Some(items) = selection(value, wanted)? else { return Ok(self.everywhere()) };
        let mut ids = Vec::new();
        for item in items {
            let name = item.text(wanted)?;
            let at = self.zones.iter().position(|zone| zone.name == name);
            ids.push(match at {
                Some(at) => at as ZoneId + 1,
                None if name == INTERNET_NAME => INTERNET,
                None => {
                    let known = self.zones.iter().map(|zone| zone.name.as_str());
                    return Err(item.fault(format!(
                        "unknown zone {} in [[role]]; expected one of {}",
                        quoted(name),
                        listed(known.chain([INTERNET_NAME]))
                    )));
                }
            });
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// All zones, the internet first.
    fn everywhere(&self) -> Vec<ZoneId> {
        (INTERNET..=self.zones.len() as ZoneId).collect()
    }

    fn services_of_kind(&self, kind: RoleKind, section: &Section) -> Result<Option<Vec<ServiceId>>, Fault> {
        let names: &[&str] = match kind {
            RoleKind::Proxy => &["web"],
            RoleKind::MailRelay => &["mail", "dns"],
            RoleKind::Resolver => &["dns"],
            RoleKind::AssetManager => return Ok(None),
            RoleKind::Custom => {
                return Err(section.fault(
                    "[[role]] of kind custom has no `services`; add services = [\"web\"], or services = \"*\" for all",
                ));
            }
        };
        let mut ids = Vec::new();
        for name in names {
            ids.push(service_id(self.services, name).ok_or_else(|| {
                section.fault(format!(
                    "[[role]] has no `services`, and the usual service `{name}` of its kind lost all its ports to \
                     [services]; add services = [\"…\"] with the names that apply"
                ))
            })?);
        }
        ids.sort_unstable();
        Ok(Some(ids))
    }

    fn zones_of_kind(&self, kind: RoleKind, section: &Section) -> Result<Vec<ZoneId>, Fault> {
        match kind {
            RoleKind::Proxy | RoleKind::MailRelay => Ok(vec![INTERNET]),
            RoleKind::AssetManager => Ok(self.everywhere().split_off(1)),
            RoleKind::Resolver => Ok(self.everywhere()),
            RoleKind::Custom => Err(section.fault(
                "[[role]] of kind custom has no `zones`; add zones = [\"internet\"], or zones = \"*\" for all",
            )),
        }
    }
}
