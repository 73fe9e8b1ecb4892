use std::collections::BTreeSet;
use std::time::Duration;

use super::super::network::parse_network;
use super::super::{ConfigError, load, parse, summary};
use super::{EXAMPLE, full_example};
use crate::policy::*;

/// A kind of role, and its services and zones by default.
type KindCase = (&'static str, Option<&'static [&'static str]>, &'static [ZoneId]);

fn ok(text: &str) -> Policy {
    parse(text, "test.toml").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn network(text: &str) -> Network {
    parse_network(text).unwrap()
}

fn service<'p>(policy: &'p Policy, name: &str) -> Option<&'p Service> {
    policy.services.iter().find(|service| service.name == name)
}

fn names(policy: &Policy, ids: &[ServiceId]) -> Vec<String> {
    ids.iter().map(|id| policy.service(*id).map_or("other", |service| &service.name).to_owned()).collect()
}

#[test]
fn an_empty_file_means_the_defaults() {
    for text in ["", "\n", "# nothing\n", "\u{feff}", "[services]\n[directions]\n[thresholds]\n[limits]\n"] {
        assert_eq!(ok(text), Policy::default(), "{text:?}");
    }
    assert_eq!(load(None).unwrap(), Policy::default());
}

#[test]
fn the_default_zone_holds_private_and_link_local_networks_only() {
    let policy = Policy::default();
    let inside = [
        "10.0.0.1",
        "10.255.255.255",
        "172.16.0.1",
        "172.31.255.1",
        "192.168.7.7",
        "169.254.1.1",
        "fd00::1",
        "fe80::1",
        "::ffff:10.0.0.1",
    ];
    for address in inside {
        assert_eq!(policy.zone_name(policy.zone_of(address.parse().unwrap())), "internal", "{address}");
    }
    for address in ["11.0.0.1", "172.32.0.1", "192.169.0.1", "8.8.8.8", "2001:db8::1", "fec0::1", "::1"] {
        assert_eq!(policy.zone_of(address.parse().unwrap()), INTERNET, "{address}");
    }
}

#[test]
fn a_default_port_is_in_one_group_per_transport() {
    let policy = Policy::default();
    let mut seen = BTreeSet::new();
    for service in &policy.services {
        let tcp = service.tcp.iter().map(|port| ("tcp", *port));
        for port in tcp.chain(service.udp.iter().map(|port| ("udp", *port))) {
            assert!(seen.insert(port), "{port:?} twice, in {}", service.name);
        }
    }
    assert_eq!(policy.services.len(), 17);
    assert!(service(&policy, "smb").unwrap().tcp.contains(&445));
    assert!(service(&policy, "netbios").unwrap().udp.contains(&137));
}

#[test]
fn the_default_sensitive_groups_are_the_ways_in() {
    let policy = Policy::default();
    let sensitive: Vec<&str> = policy
        .services
        .iter()
        .filter(|service| service.sensitive)
        .map(|service| service.name.as_str())
        .collect();
    assert_eq!(sensitive, ["smb", "netbios", "remote", "file", "database", "management", "ics"]);
}

#[test]
fn the_example_is_the_default() {
    assert_eq!(ok(EXAMPLE), Policy::default());
}

#[test]
fn every_threshold_and_limit_of_the_example_is_read() {
    // A key that were ignored would leave the default, so each is changed in turn and must change the policy.
    let mut changed = 0;
    for line in EXAMPLE.lines().skip_while(|line| *line != "[directions]").filter(|line| line.contains(" = "))
    {
        if line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once(" = ").unwrap();
        let other = match value {
            "\"alert\"" => "\"statistics\"".to_owned(),
            "\"statistics\"" => "\"alert\"".to_owned(),
            table if table.contains("1m") => {
                "{ \"1m\" = 21, \"10m\" = 22, \"1h\" = 23, \"24h\" = 24 }".to_owned()
            }
            table if table.contains("tried") => "{ tried = 21, failed = 22 }".to_owned(),
            table if table.contains("growth") => "{ growth = 21 }".to_owned(),
            table if table.contains("sources") => "{ sources = 21, ports = 22 }".to_owned(),
            "\"auto\"" => "\"symmetric\"".to_owned(),
            table if table.contains("pairs") => "{ pairs = 21, hosts = 22, ports = 23 }".to_owned(),
            "2" => "3".to_owned(),
            "4" => "5".to_owned(),
            "64" => "56".to_owned(),
            "128" => "64".to_owned(),
            number => format!("{}", number.parse::<u32>().unwrap() + 1),
        };
        let text = EXAMPLE.replace(&format!("\n{line}\n"), &format!("\n{key} = {other}\n"));
        assert_ne!(ok(&text), Policy::default(), "{key} = {other}");
        changed += 1;
    }
    assert_eq!(changed, 4 + 31 + 10);
}

#[test]
fn the_settings_commented_out_in_the_example_are_read() {
    let policy = ok(&full_example());
    assert_eq!(policy.interfaces, [Interface { name: "eth0".into(), hook: Hook::Auto }]);
    let weekdays = [true, true, true, true, true, false, false];
    let [proxies, backup] = &policy.roles[..] else { panic!("{:?}", policy.roles) };
    let expected = Role {
        name: "egress proxies".into(),
        kind: RoleKind::Proxy,
        sources: vec![network("10.1.0.8/30"), network("fd00:1::8/128")],
        services: Some(vec![1, 3]),
        zones: vec![INTERNET],
        hosts_max: Some(20_000),
        expires_s: Some(1_801_440_000),
        schedule: Some(Schedule { days: weekdays, from_minute: 480, to_minute: 1_080 }),
    };
    assert_eq!(*proxies, expected);
    assert_eq!(names(&policy, proxies.services.as_ref().unwrap()), ["web", "dns"]);
    assert_eq!((backup.kind, &backup.zones[..]), (RoleKind::Custom, &[1][..]));
    assert_eq!(names(&policy, backup.services.as_ref().unwrap()), ["remote", "file"]);
}

#[test]
fn zones_of_the_file_replace_the_default_zone() {
    let policy =
        ok("[[zone]]\nname = \"office\"\nnetworks = [\"10.1.0.0/16\", \"10.1.2.0/24\", \"fd00:1::/48\"]\n\
         [[zone]]\nname = \"Server room\"\nnetworks = [\"192.0.2.7\", \"::ffff:198.51.100.0/120\"]\n");
    assert_eq!(policy.zones[0].networks[2], network("fd00:1::/48"));
    assert_eq!(policy.zones[1].networks, [network("192.0.2.7/32"), network("198.51.100.0/24")]);
    assert_eq!(policy.zone_of("10.1.9.9".parse().unwrap()), 1);
    assert_eq!(policy.zone_of("198.51.100.9".parse().unwrap()), 2);
    assert_eq!(policy.zone_of("10.2.0.1".parse().unwrap()), INTERNET);
    assert_eq!(policy.zone_name(2), "Server room");
}

#[test]
fn neighbouring_zones_do_not_overlap() {
    let policy = ok("[[zone]]\nname = \"a\"\nnetworks = [\"10.0.0.0/9\", \"fd00::/16\"]\n\
         [[zone]]\nname = \"b\"\nnetworks = [\"10.128.0.0/9\", \"fd01::/16\", \"0.0.0.0/8\"]\n");
    assert_eq!(policy.zones.len(), 2);
}

#[test]
fn a_service_of_a_default_name_replaces_the_default_and_keeps_its_place_and_sensitivity() {
    let policy = ok("[services]\nsmb = [\"tcp/4450\"]\n");
    let place = |policy: &Policy| policy.services.iter().position(|service| service.name == "smb");
    assert_eq!(place(&policy), place(&Policy::default()));
    let smb = service(&policy, "smb").unwrap();
    assert_eq!((&smb.tcp[..], smb.udp.len(), smb.sensitive), (&[4450][..], 0, true));
}

#[test]
fn a_service_of_the_file_takes_its_ports_out_of_default_groups() {
    let policy = ok("[services]\nweb = [\"tcp/9200\", \"tcp/80\"]\nntp = [\"tcp/123\", \"udp/123\"]\n");
    assert_eq!(service(&policy, "web").unwrap().tcp, [80, 9200]);
    assert!(!service(&policy, "database").unwrap().tcp.contains(&9200));
    assert!(service(&policy, "database").unwrap().tcp.contains(&5432));
    assert_eq!(service(&policy, "time"), None, "it lost its last port");
    let last = policy.services.last().unwrap();
    assert_eq!((last.name.as_str(), last.sensitive), ("ntp", false));
}

#[test]
fn port_ranges_include_both_ends() {
    let policy = ok("[services]\nx11 = [\"tcp/6000-6010\", \"udp/65535\", \"tcp/1-1\"]\n");
    let x11 = service(&policy, "x11").unwrap();
    assert_eq!((x11.tcp.len(), x11.tcp[0], x11.tcp[1], x11.tcp[11]), (12, 1, 6000, 6010));
    assert_eq!(x11.udp, [65535]);
}

#[test]
fn sensitive_services_replace_the_default_list() {
    let policy = ok("sensitive_services = [\"print\", \"ours\"]\n[services]\nours = [\"tcp/7777\"]\n");
    let sensitive: Vec<&str> = policy
        .services
        .iter()
        .filter(|service| service.sensitive)
        .map(|service| service.name.as_str())
        .collect();
    assert_eq!(sensitive, ["print", "ours"]);
    assert!(ok("sensitive_services = []\n").services.iter().all(|service| !service.sensitive));
}

#[test]
fn roles_have_the_services_and_zones_of_their_kind() {
    let zones = "[[zone]]\nname = \"a\"\nnetworks = [\"10.0.0.0/9\"]\n[[zone]]\nname = \"b\"\nnetworks = [\"10.128.0.0/9\"]\n";
    let cases: [KindCase; 4] = [
        ("proxy", Some(&["web"]), &[0]),
        ("mail_relay", Some(&["mail", "dns"]), &[0]),
        ("asset_manager", None, &[1, 2]),
        ("resolver", Some(&["dns"]), &[0, 1, 2]),
    ];
    for (kind, services, expected_zones) in cases {
        let policy =
            ok(&format!("{zones}[[role]]\nname = \"r\"\nkind = \"{kind}\"\nsources = [\"10.1.0.1\"]\n"));
        let role = &policy.roles[0];
        let found = role.services.as_ref().map(|ids| names(&policy, ids));
        assert_eq!(found, services.map(|names| names.iter().map(ToString::to_string).collect()), "{kind}");
        assert_eq!(role.zones, expected_zones, "{kind}");
        assert_eq!((role.hosts_max, role.expires_s, role.schedule.as_ref()), (None, None, None), "{kind}");
    }
}

#[test]
fn what_a_role_names_overrides_its_kind() {
    let role = |services: &str, zones: &str| {
        let policy = ok(&format!(
            "[[role]]\nname = \"r\"\nkind = \"proxy\"\nsources = [\"10.1.0.1\"]\nservices = {services}\nzones = {zones}\n"
        ));
        policy.roles[0].clone()
    };
    let all = role("\"*\"", "\"*\"");
    assert_eq!((all.services, &all.zones[..]), (None, &[0, 1][..]));
    let all = role("[\"*\"]", "[\"*\"]");
    assert_eq!((all.services, &all.zones[..]), (None, &[0, 1][..]));
    let some = role("[\"dns\", \"other\", \"web\", \"dns\"]", "[\"internet\", \"internal\"]");
    assert_eq!((some.services, &some.zones[..]), (Some(vec![OTHER, 1, 3]), &[0, 1][..]));
}

#[test]
fn expiry_may_be_a_bare_toml_date() {
    for expires in ["2027-01-31", "\"2027-01-31\"", "2027-02-01T00:00:00Z", "\"2027-02-01T01:00:00+01:00\""] {
        let text = format!(
            "[[role]]\nname = \"r\"\nkind = \"proxy\"\nsources = [\"10.1.0.1\"]\nexpires = {expires}\n"
        );
        assert_eq!(ok(&text).roles[0].expires_s, Some(1_801_440_000), "{expires}");
    }
}

#[test]
fn a_window_without_a_count_keeps_its_default_and_off_switches_it_off() {
    let t = ok("[thresholds]\nvertical = { \"1m\" = 12 }\nicmp_lateral = { 10m = 25, 24h = 99 }\narp = { 1m = \"off\" }\n\
         flags = { 10m = \"off\", 24h = \"off\" }\nblock_lateral = { hosts = 7 }\nvertical_ways_in = { failed = 4 }\n\
         silence_s = 5\nvisibility = \"one_way\"\n")
    .thresholds;
    let limit = |minute, ten_minutes, hour, day| Limit { minute, ten_minutes, hour, day };
    assert_eq!(t.vertical, limit(Some(12), Some(15), Some(20), Some(40)));
    assert_eq!(t.icmp_lateral, limit(Some(15), Some(25), Some(60), Some(99)));
    assert_eq!(t.arp, limit(None, Some(40), Some(80), None));
    assert_eq!(t.flags, Limit::OFF);
    assert_eq!(t.block_lateral, BlockLimit { pairs: 60, hosts: 7, ports: 5 });
    assert_eq!((t.vertical_ways_in.tried, t.vertical_ways_in.failed), (5, 4));
    assert_eq!((t.silence, t.visibility), (Duration::from_secs(5), Sight::OneWay));
    assert_eq!(t.block_outbound, Thresholds::default().block_outbound);
}

#[test]
fn a_surge_has_counts_and_times_each_with_a_default_and_can_be_off() {
    let surge = |text: &str| ok(&format!("[thresholds]\nsurge = {text}\n")).thresholds.surge;
    let default = Thresholds::default().surge.expect("on by default");
    assert_eq!(surge("{}"), Some(default));
    assert_eq!(surge("\"off\""), None);
    let quick = surge("{ sources = 5, slots = 2, slot_s = 20, learning_s = 0 }").expect("on");
    assert_eq!((quick.sources, quick.growth, quick.slots), (5, default.growth, 2));
    assert_eq!((quick.slot, quick.learning), (Duration::from_secs(20), Duration::ZERO));
}

#[test]
fn a_section_may_be_written_as_a_table_of_its_own_or_with_dotted_keys() {
    let t = ok("thresholds.vertical.1m = 11\n").thresholds;
    assert_eq!((t.vertical.minute, t.vertical.ten_minutes), (Some(11), Some(15)));
    let t = ok("[thresholds.vertical]\n1m = 11\n10m = 0x10\n").thresholds;
    assert_eq!((t.vertical.minute, t.vertical.ten_minutes), (Some(11), Some(16)));
    assert_eq!(ok("limits = { quiet_s = 90 }\n").limits.quiet, Duration::from_secs(90));
}

#[test]
fn the_summary_counts_and_names() {
    assert_eq!(
        summary(&Policy::default()),
        "1 zone, 17 services, 0 roles; watches the interface of the default route; alerts on lateral, outbound"
    );
    let full = full_example().replace("\"alert\"", "\"statistics\"");
    let summary = summary(&ok(&full));
    let begin = "1 zone, 17 services, 2 roles; watches eth0; alerts on nothing; tells alerts (file), ";
    assert!(summary.starts_with(begin), "{summary}");
    assert!(summary.ends_with("; listens on unix:/run/scanwatch/api.sock"), "{summary}");
}

#[test]
fn files_are_read_whole_or_refused_with_the_reason() {
    let folder = std::env::temp_dir().join(format!("scanwatch-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("office.toml");
    let attempt = |bytes: &[u8]| -> Result<Policy, ConfigError> {
        std::fs::write(&file, bytes).unwrap();
        load(Some(&file))
    };
    let whole = attempt(EXAMPLE.as_bytes());
    let latin1 = attempt(b"# first\n# B\xfcro\n");
    let large = attempt(&vec![b'#'; (super::super::FILE_BYTES_MAX + 1) as usize]);
    let directory = load(Some(&folder));
    std::fs::remove_dir_all(&folder).unwrap();

    assert_eq!(whole.unwrap(), Policy::default());
    let latin1 = latin1.unwrap_err();
    assert_eq!(
        (latin1.line, latin1.message.as_str()),
        (Some(2), "is not UTF-8 text; save the file as UTF-8")
    );
    let large = large.unwrap_err();
    assert_eq!(
        (large.line, large.message.as_str()),
        (None, "is larger than 4 MiB and so no configuration; check the path")
    );
    let directory = directory.unwrap_err().to_string();
    assert_eq!(
        directory,
        format!("{}: cannot be read (Is a directory (os error 21)); name a file in it", folder.display())
    );
}
