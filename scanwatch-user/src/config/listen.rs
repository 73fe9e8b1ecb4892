//! `[listen]`: where the agent answers questions about itself.

use super::error::Fault;
use super::read::{Section, Value};
use crate::policy::{Endpoint, Listen};

/// Reads `[listen]`; without it, or without an address, nothing is listened on.
pub(super) fn listen(top: &Section) -> Result<Option<Listen>, Fault> {
    let Some(section) = top.section("listen")? else { return Ok(None) };
    section.expect_keys(&["address", "group", "expose"])?;
    let value = section.need("address", "address = \"127.0.0.1:9477\"")?;
    let endpoint: Endpoint =
        value.text(Endpoint::WANTED)?.parse().map_err(|_| value.expected(Endpoint::WANTED))?;
    let expose = section.get("expose").map(|value| value.flag()).transpose()?.unwrap_or(false);
    if endpoint.is_exposed() && !expose {
        return Err(value.fault(format!(
            "`address` in [listen] is {endpoint}, which other machines may reach, and whoever reaches it reads who scans \
             whom; use 127.0.0.1 or a unix socket, or say `expose = true`"
        )));
    }
    let group = section.get("group").map(|value| group(&value, &endpoint)).transpose()?;
    Ok(Some(Listen { endpoint, group, expose }))
}

fn group(value: &Value, endpoint: &Endpoint) -> Result<String, Fault> {
    const WANTED: &str = "the name or the number of a group";
    let text = value.text(WANTED)?;
    if text.is_empty() || text.contains([':', ' ']) || text.contains(char::is_control) {
        return Err(value.expected(WANTED));
    }
    match endpoint {
        Endpoint::Unix(_) => Ok(text.to_owned()),
        Endpoint::Tcp(_) => {
            Err(value.fault("`group` in [listen] is for a unix socket; leave it out, or use a socket"))
        }
    }
}
