use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::super::network::parse_network;
use super::super::parse;
use super::full_example;
use crate::policy::Policy;

/// Text that is near enough to a configuration to get past the TOML parser now and then.
const WORDS: &[&str] = &[
    "\n",
    "\n",
    " = ",
    " = ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "\"",
    "'",
    ".",
    "#",
    "[[zone]]\n",
    "[[role]]\n",
    "[[interface]]\n",
    "[[sink]]\n",
    "type = \"file\"\n",
    "path = \"/var/log/a\"\n",
    "[state]\n",
    "[services]\n",
    "[thresholds]\n",
    "[limits]\n",
    "[directions]\n",
    "name = \"a\"\n",
    "name = \"b\"\n",
    "networks = [\"10.0.0.0/8\"]\n",
    "networks = [\"10.1.0.0/16\", \"::/0\"]\n",
    "sources = [\"fd00::/8\"]\n",
    "kind = \"custom\"\n",
    "kind = \"resolver\"\n",
    "services = \"*\"\n",
    "services = [\"web\", \"*\"]\n",
    "zones = [\"internet\", \"a\"]\n",
    "hosts_max = 0\n",
    "expires = 2027-01-31\n",
    "schedule = \"sun-mon 22:00-06:00\"\n",
    "hook = \"tc\"\n",
    "web = [\"tcp/80\", \"udp/1-65535\"]\n",
    "smb = [\"tcp/80\"]\n",
    "vertical = { 1m = 9 }\n",
    "1m = 1\n",
    "10m = \"off\"\n",
    "quiet_s = -1\n",
    "lateral = \"alert\"\n",
    "sensitive_services = [\"web\"]\n",
    "9223372036854775808",
    "inf",
    "true",
    "\u{0}",
    "\u{feff}",
    "é",
    "\r\n",
];

fn check(text: &str) -> Result<(), TestCaseError> {
    match parse(text, "test.toml") {
        Ok(policy) => check_policy(&policy),
        Err(error) => {
            let line = error.line.unwrap_or(0);
            prop_assert!((1..=text.lines().count().max(1)).contains(&line), "{error}");
            prop_assert!(!error.message.is_empty());
            prop_assert!(!error.message.contains(char::is_control), "{error}");
            prop_assert!(error.message.len() < 2_000, "{error}");
            Ok(())
        }
    }
}

/// What the rest of the program relies on.
fn check_policy(policy: &Policy) -> Result<(), TestCaseError> {
    prop_assert!((1..=255).contains(&policy.zones.len()));
    prop_assert!((1..=255).contains(&policy.services.len()));
    let mut ports = BTreeSet::new();
    for service in &policy.services {
        prop_assert!(!service.tcp.is_empty() || !service.udp.is_empty());
        prop_assert!(service.tcp.iter().all(|port| *port != 0 && ports.insert((6, *port))));
        prop_assert!(service.udp.iter().all(|port| *port != 0 && ports.insert((17, *port))));
    }
    for network in policy.zones.iter().flat_map(|zone| &zone.networks) {
        prop_assert_ne!(policy.zone_of(network.address), 0);
        let bits = if network.address.is_ipv4() { 32 } else { 128 };
        prop_assert!(network.prefix <= bits);
    }
    for role in &policy.roles {
        prop_assert!(!role.sources.is_empty() && !role.zones.is_empty());
        prop_assert!(role.zones.iter().all(|zone| usize::from(*zone) <= policy.zones.len()));
        let services = role.services.iter().flatten();
        prop_assert!(services.clone().all(|id| usize::from(*id) <= policy.services.len()));
        prop_assert!(role.services.as_ref().is_none_or(|ids| !ids.is_empty()));
    }
    let t = &policy.thresholds;
    for limit in [t.vertical, t.horizontal_lateral, t.icmp_lateral, t.flags, t.protocols] {
        let counts = [limit.minute, limit.ten_minutes, limit.hour, limit.day];
        let counts: Vec<u32> = counts.into_iter().flatten().collect();
        prop_assert!(counts.iter().all(|count| *count >= 2) && counts.is_sorted());
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_a_policy_or_an_error_with_a_line(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn any_mixture_of_known_words_is_a_policy_or_an_error_with_a_line(
        words in prop::collection::vec(prop::sample::select(WORDS), 0..40)
    ) {
        check(&words.concat())?;
    }

    #[test]
    fn a_damaged_example_is_a_policy_or_an_error_with_a_line(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, prop::sample::select(WORDS)), 1..4)
    ) {
        let mut text: Vec<char> = full_example().chars().collect();
        for (place, removed, word) in edits {
            let from = place.index(text.len());
            let to = (from + removed).min(text.len());
            text.splice(from..to, word.chars());
        }
        check(&text.into_iter().collect::<String>())?;
    }
}

/// Blocks of few addresses, so that many overlap.
fn block() -> impl Strategy<Value = String> {
    prop_oneof![
        (0u32..8, 29u32..=32)
            .prop_map(|(host, prefix)| format!("10.0.0.{}/{prefix}", host >> (32 - prefix) << (32 - prefix))),
        (0u32..8, 125u32..=128).prop_map(|(host, prefix)| format!(
            "fd00::{}/{prefix}",
            host >> (128 - prefix) << (128 - prefix)
        )),
    ]
}

proptest! {
    #[test]
    fn zones_are_refused_exactly_where_an_address_is_in_two(
        zones in prop::collection::vec(prop::collection::vec(block(), 1..4), 1..4)
    ) {
        let mut text = String::new();
        for (i, blocks) in zones.iter().enumerate() {
            writeln!(text, "[[zone]]\nname = \"z{i}\"\nnetworks = {blocks:?}").unwrap();
        }
        let holders = |address: IpAddr| {
            let holds = |blocks: &&Vec<String>| blocks.iter().any(|b| parse_network(b).unwrap().contains(address));
            zones.iter().filter(holds).count()
        };
        let twice = (0..8u8).any(|host| {
            let v6 = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, host.into());
            holders(Ipv4Addr::new(10, 0, 0, host).into()) > 1 || holders(v6.into()) > 1
        });
        prop_assert_eq!(parse(&text, "test.toml").is_err(), twice, "{}", text);
    }
}

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    for text in ["[".repeat(100_000), format!("a = {}", "[".repeat(100_000)), "a.".repeat(100_000) + "a = 1"]
    {
        let error = parse(&text, "test.toml").unwrap_err();
        assert_eq!(error.line, Some(1));
    }
}
