use super::refuses;

#[test]
fn what_is_not_toml_is_refused_with_its_line() {
    refuses(
        "",
        &[
            ("a", "1: this is not TOML: key with no value, expected `=`"),
            ("\n[[zone]\n", "2: this is not TOML: unclosed array table, expected `]`"),
            ("[zone\n", "1: this is not TOML: unclosed table, expected `]`"),
            ("[limits]\nquiet_s = 1\nquiet_s = 2\n", "3: `quiet_s` is given twice; keep one of them"),
            ("[limits]\n[limits]\n", "2: `limits` is given twice; keep one of them"),
            (
                "[zone]\nname = 'a'\n[[zone]]\n",
                "3: `zone` is given twice; begin each with [[zone]], in double brackets",
            ),
            (
                "[limits]\nquiet_s = \n",
                "2: this is not TOML: string values must be quoted, expected literal string",
            ),
            (
                "[[zone]]\nname = office\n",
                "2: this is not TOML: string values must be quoted, expected literal string",
            ),
            ("[[zone]]\nname = \"office\n", r#"2: this is not TOML: invalid basic string, expected `"`"#),
            (
                "[[role]]\nexpires = 2027-02-30\n",
                "2: this is not TOML: invalid date, expected day between 01 and 28",
            ),
            (
                "[[zone]]\nnetworks = [\n  '10.0.0.0/8'\n  '192.168.0.0/16'\n]\n",
                "4: this is not TOML: missing comma between array elements, expected `,`",
            ),
            ("[thresholds]\nvertical = { 1m = 30, 1m = 40 }\n", "2: `1m` is given twice; keep one of them"),
        ],
    );
}

#[test]
fn unknown_keys_are_refused_with_the_known_ones() {
    refuses(
        "",
        &[
            (
                "zones = 3\n",
                "1: unknown key `zones` at the top level; expected one of interface, zone, services, sensitive_services, role, directions, thresholds, limits, sink, state, listen, rights",
            ),
            (
                "[threshold]\nvertical = 3\n",
                "1: unknown key `threshold` at the top level; expected one of interface, zone, services, sensitive_services, role, directions, thresholds, limits, sink, state, listen, rights",
            ),
            (
                "[[zone]]\nname = 'office'\nnetwroks = ['10.0.0.0/8']\n",
                "3: unknown key `netwroks` in [[zone]]; expected one of name, networks",
            ),
            (
                "[[interface]]\nname = 'eth0'\n\nmode = 'tc'\n",
                "4: unknown key `mode` in [[interface]]; expected one of name, hook",
            ),
            (
                "[[role]]\nsource = ['10.0.0.1']\n",
                "2: unknown key `source` in [[role]]; expected one of name, kind, sources, services, zones, hosts_max, expires, schedule",
            ),
            (
                "[directions]\nlateral = 'alert'\ninternal = 'alert'\n",
                "3: unknown key `internal` in [directions]; expected one of lateral, outbound, inbound, transit",
            ),
            (
                "[thresholds]\nhorizontal = { 1m = 3 }\n",
                "2: unknown key `horizontal` in [thresholds]; expected one of vertical, vertical_known, vertical_any, vertical_blind, horizontal_lateral_sensitive, horizontal_lateral, horizontal_outbound_sensitive, horizontal_outbound, horizontal_outbound_noisy, horizontal_network, horizontal_blind, fan_out_sensitive, fan_out, fan_out_icmp, fan_out_mail, icmp_lateral, icmp_outbound, arp, flags, refused_ports, refused_hosts, protocols, vertical_ways_in, block_lateral … (7 more)",
            ),
            (
                "[thresholds]\nvertical = { 1m = 30, 2h = 100 }\n",
                "2: unknown key `2h` in [thresholds.vertical]; expected one of 1m, 10m, 1h, 24h",
            ),
            (
                "[thresholds.block_lateral]\nservices = 3\n",
                "2: unknown key `services` in [thresholds.block_lateral]; expected one of pairs, hosts, ports",
            ),
            (
                "[thresholds]\nsurge = { hours = 3 }\n",
                "2: unknown key `hours` in [thresholds.surge]; expected one of sources, growth, slots, slot_s, learning_s",
            ),
            (
                "[limits]\nquiet = 60\n",
                "2: unknown key `quiet` in [limits]; expected one of cells_internal, cells_external, admit_internal, admit_external, source_prefix_v6_internal, source_prefix_v6_external, sources, incidents, incidents_per_minute, quiet_s",
            ),
            (
                "\"a\\nb\" = 1\n",
                "1: unknown key `a\\nb` at the top level; expected one of interface, zone, services, sensitive_services, role, directions, thresholds, limits, sink, state, listen, rights",
            ),
        ],
    );
}

#[test]
fn sections_of_another_shape_are_refused() {
    refuses(
        "",
        &[
            (
                "[zone]\nname = 'a'\n",
                "1: `zone` at the top level is a table; expected sections [[zone]], with double brackets",
            ),
            (
                "zone = 3\n",
                "1: `zone` at the top level is `3`; expected sections [[zone]], with double brackets",
            ),
            (
                "zone = ['office']\n",
                r#"1: an element of `zone` at the top level is `"office"`; expected sections [[zone]], with double brackets"#,
            ),
            ("zone = []\n", "1: `zone` at the top level is an empty list; leave it out for the default"),
            (
                "[[services]]\nweb = ['tcp/80']\n",
                "1: `services` at the top level is a list; expected a section [services]",
            ),
            (
                "services = 'web'\n",
                r#"1: `services` at the top level is `"web"`; expected a section [services]"#,
            ),
            (
                "directions = true\n",
                "1: `directions` at the top level is `true`; expected a section [directions]",
            ),
            (
                "thresholds = 1.5\n",
                "1: `thresholds` at the top level is `1.5`; expected a section [thresholds]",
            ),
            (
                "limits = 2027-01-31\n",
                "1: `limits` at the top level is `2027-01-31`; expected a section [limits]",
            ),
        ],
    );
}

#[test]
fn wrong_interfaces_are_refused() {
    refuses(
        "[[interface]]\n",
        &[
            ("", r#"1: [[interface]] has no `name`; add name = "eth0""#),
            ("hook = 'tc'\n", r#"1: [[interface]] has no `name`; add name = "eth0""#),
            ("name = 3\n", r#"2: `name` in [[interface]] is `3`; expected a name such as "eth0""#),
            (
                "name = ''\n",
                "2: an empty text is no name of an interface; expected 1 to 15 bytes without spaces, `/` and `:`",
            ),
            (
                "name = 'eth0/1'\n",
                "2: `eth0/1` is no name of an interface; expected 1 to 15 bytes without spaces, `/` and `:`",
            ),
            (
                "name = 'an-interface-too-long'\n",
                "2: `an-interface-too-long` is no name of an interface; expected 1 to 15 bytes without spaces, `/` and `:`",
            ),
            (
                "name = 'eth0'\nhook = 'xdp'\n",
                r#"3: `hook` in [[interface]] is `"xdp"`; expected one of "auto", "xdp-native", "xdp-generic", "tc""#,
            ),
            (
                "name = 'eth0'\nhook = 1\n",
                r#"3: `hook` in [[interface]] is `1`; expected one of "auto", "xdp-native", "xdp-generic", "tc""#,
            ),
            (
                "name = 'eth0'\n[[interface]]\nname = 'eth0'\n",
                "4: interface `eth0` is already defined on line 2; give each interface its own name",
            ),
        ],
    );
}

#[test]
fn wrong_directions_are_refused() {
    refuses(
        "[directions]\n",
        &[
            (
                "lateral = 'drop'\n",
                r#"2: `lateral` in [directions] is `"drop"`; expected one of "alert", "statistics""#,
            ),
            (
                "outbound = 'alert'\ninbound = false\n",
                r#"3: `inbound` in [directions] is `false`; expected one of "alert", "statistics""#,
            ),
            (
                "transit = ['alert']\n",
                r#"2: `transit` in [directions] is a list; expected one of "alert", "statistics""#,
            ),
        ],
    );
}

#[test]
fn impossible_thresholds_are_refused() {
    refuses(
        "[thresholds]\n",
        &[
            (
                "vertical = 30\n",
                r#"2: `vertical` in [thresholds] is `30`; expected counts for each window such as { "1m" = 10, "10m" = 15, "1h" = 20, "24h" = 40 }"#,
            ),
            (
                "vertical = 'off'\n",
                r#"2: `vertical` in [thresholds] is `"off"`; expected counts for each window such as { "1m" = 10, "10m" = 15, "1h" = 20, "24h" = 40 }"#,
            ),
            (
                "vertical = { 1m = 0 }\n",
                r#"2: `1m` in [thresholds.vertical] is `0`; expected a whole number from 2 to 65535, or "off""#,
            ),
            (
                "vertical = { 1m = 1 }\n",
                r#"2: `1m` in [thresholds.vertical] is `1`; expected a whole number from 2 to 65535, or "off""#,
            ),
            (
                "vertical = { 1m = -5 }\n",
                r#"2: `1m` in [thresholds.vertical] is `-5`; expected a whole number from 2 to 65535, or "off""#,
            ),
            (
                "vertical = { 1m = 2.5 }\n",
                r#"2: `1m` in [thresholds.vertical] is `2.5`; expected a whole number from 2 to 65535, or "off""#,
            ),
            (
                "vertical = { 1m = '30' }\n",
                r#"2: `1m` in [thresholds.vertical] is `"30"`; expected a whole number from 2 to 65535, or "off""#,
            ),
            (
                "vertical = { 10m = 65536 }\n",
                r#"2: `10m` in [thresholds.vertical] is `65536`; expected a whole number from 2 to 65535, or "off""#,
            ),
            (
                "protocols = { 10m = 256 }\n",
                r#"2: `10m` in [thresholds.protocols] is `256`; expected a whole number from 2 to 255, or "off""#,
            ),
            (
                "icmp_lateral = { 10m = 99999999999999999999 }\n",
                r#"2: `10m` in [thresholds.icmp_lateral] is `99999999999999999999`; expected a whole number from 2 to 4294967295, or "off""#,
            ),
            (
                "vertical = { 1m = 60, 10m = 40 }\n",
                r#"2: `1m` is 60 and `10m` is 40 in [thresholds.vertical], so `1m` could never fire first; set it at or below `10m`, or to "off""#,
            ),
            (
                "vertical = { 1m = 60 }\n",
                r#"2: `1m` is 60 and `10m` is 15 by default in [thresholds.vertical], so `1m` could never fire first; set it at or below `10m`, or to "off""#,
            ),
            (
                "vertical = { 10m = 8 }\n",
                r#"2: `1m` is 10 by default and `10m` is 8 in [thresholds.vertical], so `1m` could never fire first; set it at or below `10m`, or to "off""#,
            ),
            (
                "flags = { 10m = 8 }\n",
                r#"2: `10m` is 8 and `24h` is 5 by default in [thresholds.flags], so `10m` could never fire first; set it at or below `24h`, or to "off""#,
            ),
            (
                "block_lateral = 'off'\n",
                r#"2: `block_lateral` in [thresholds] is `"off"`; expected counts such as { pairs = 60, hosts = 5, ports = 5 }"#,
            ),
            (
                "block_lateral = { hosts = 1 }\n",
                "2: `hosts` in [thresholds.block_lateral] is `1`; expected a whole number from 2 to 4294967295",
            ),
            (
                "block_outbound = { pairs = '60' }\n",
                r#"2: `pairs` in [thresholds.block_outbound] is `"60"`; expected a whole number from 2 to 4294967295"#,
            ),
            (
                "block_outbound = { ports = 70000 }\n",
                "2: `ports` in [thresholds.block_outbound] is `70000`; expected a whole number from 2 to 65535",
            ),
        ],
    );
}

#[test]
fn limits_out_of_bounds_are_refused() {
    refuses(
        "[limits]\n",
        &[
            (
                "cells_internal = 3\n",
                "2: `cells_internal` in [limits] is `3`; expected a whole number from 256 to 1048576",
            ),
            (
                "cells_external = 1048577\n",
                "2: `cells_external` in [limits] is `1048577`; expected a whole number from 256 to 1048576",
            ),
            (
                "admit_internal = 0\n",
                "2: `admit_internal` in [limits] is `0`; expected a whole number from 1 to 15",
            ),
            (
                "admit_external = 16\n",
                "2: `admit_external` in [limits] is `16`; expected a whole number from 1 to 15",
            ),
            (
                "source_prefix_v6_internal = 31\n",
                "2: `source_prefix_v6_internal` in [limits] is `31`; expected a whole number from 32 to 128",
            ),
            (
                "source_prefix_v6_external = 129\n",
                "2: `source_prefix_v6_external` in [limits] is `129`; expected a whole number from 32 to 128",
            ),
            (
                "quiet_s = '1m'\n",
                r#"2: `quiet_s` in [limits] is `"1m"`; expected a whole number from 1 to 86400"#,
            ),
            ("quiet_s = 0\n", "2: `quiet_s` in [limits] is `0`; expected a whole number from 1 to 86400"),
            ("sources = 0\n", "2: `sources` in [limits] is `0`; expected a whole number from 64 to 16777216"),
            (
                "incidents = -1\n",
                "2: `incidents` in [limits] is `-1`; expected a whole number from 16 to 1048576",
            ),
        ],
    );
}
