use super::refuses;

#[test]
fn zones_without_a_proper_name_are_refused() {
    refuses(
        "[[zone]]\nnetworks = ['10.0.0.0/8']\n",
        &[
            ("", r#"1: [[zone]] has no `name`; add name = "office""#),
            ("name = ['office']\n", r#"3: `name` in [[zone]] is a list; expected a name such as "office""#),
            (
                "name = ''\n",
                "3: an empty text is no name; expected 1 to 64 characters, without control characters, and without spaces at its ends",
            ),
            (
                "name = \"a\\nb\"\n",
                "3: `a\\nb` is no name; expected 1 to 64 characters, without control characters, and without spaces at its ends",
            ),
            (
                "name = ' office'\n",
                "3: ` office` is no name; expected 1 to 64 characters, without control characters, and without spaces at its ends",
            ),
            (
                "name = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'\n",
                "3: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…` is no name; expected 1 to 64 characters, without control characters, and without spaces at its ends",
            ),
            (
                "name = 'internet'\n",
                "3: `internet` is reserved and cannot name a zone; give the zone another name",
            ),
            ("name = '*'\n", "3: `*` is reserved and cannot name a zone; give the zone another name"),
            (
                "name = 'a'\n[[zone]]\nname = 'a'\nnetworks = ['192.168.0.0/16']\n",
                "5: zone `a` is already defined on line 3; give each zone its own name",
            ),
        ],
    );
}

#[test]
fn addresses_that_are_no_networks_are_refused() {
    refuses(
        "[[zone]]\nname = 'office'\n",
        &[
            ("", r#"1: [[zone]] has no `networks`; add networks = ["10.1.0.0/16"]"#),
            (
                "networks = []\n",
                r#"3: `networks` in [[zone]] is an empty list; expected a list of networks such as ["10.1.0.0/16", "fd00:1::/48"]"#,
            ),
            (
                "networks = '10.0.0.0/8'\n",
                r#"3: `networks` in [[zone]] is `"10.0.0.0/8"`; expected a list of networks such as ["10.1.0.0/16", "fd00:1::/48"]"#,
            ),
            (
                "networks = [10]\n",
                r#"3: an element of `networks` in [[zone]] is `10`; expected a network in quotes such as "10.1.0.0/16""#,
            ),
            (
                "networks = [\n  '10.1.0.0/16',\n  '10.1.0.300',\n]\n",
                "5: `10.1.0.300` is no network; expected an IPv4 or IPv6 block such as 10.1.0.0/16 or fd00:1::/48",
            ),
            (
                "networks = ['10.0.0.0/33']\n",
                "3: `10.0.0.0/33` is no network; expected a prefix length from 0 to 32 after an IPv4 address",
            ),
            (
                "networks = ['fd00::/129']\n",
                "3: `fd00::/129` is no network; expected a prefix length from 0 to 128 after an IPv6 address",
            ),
            (
                "networks = ['10.0.0.0/']\n",
                "3: `10.0.0.0/` is no network; expected a prefix length from 0 to 32 after an IPv4 address",
            ),
            (
                "networks = ['10.0.0.0/+8']\n",
                "3: `10.0.0.0/+8` is no network; expected a prefix length from 0 to 32 after an IPv4 address",
            ),
            (
                "networks = ['10.0.0.0/255.0.0.0']\n",
                "3: `10.0.0.0/255.0.0.0` is no network; expected a prefix length from 0 to 32 after an IPv4 address",
            ),
            (
                "networks = ['10.0.0']\n",
                "3: `10.0.0` is no network; expected an IPv4 or IPv6 block such as 10.1.0.0/16 or fd00:1::/48",
            ),
            (
                "networks = ['']\n",
                "3: an empty text is no network; expected an IPv4 or IPv6 block such as 10.1.0.0/16 or fd00:1::/48",
            ),
            (
                "networks = ['server.example']\n",
                "3: `server.example` is no network; expected an IPv4 or IPv6 block such as 10.1.0.0/16 or fd00:1::/48",
            ),
            (
                "networks = ['fe80::1%eth0']\n",
                "3: `fe80::1%eth0` is no network; expected an IPv4 or IPv6 block such as 10.1.0.0/16 or fd00:1::/48",
            ),
            (
                "networks = ['10.1.0.8/16']\n",
                "3: `10.1.0.8/16` is no network, because bits behind its prefix are set; write 10.1.0.0/16 for the block or 10.1.0.8 for the one address",
            ),
            (
                "networks = ['fd00::1/64']\n",
                "3: `fd00::1/64` is no network, because bits behind its prefix are set; write fd00::/64 for the block or fd00::1 for the one address",
            ),
            (
                "networks = ['::/0']\n",
                "3: ::/0 also holds every IPv4 address in its IPv6 form ::ffff:0:0/96; write 2000::/3 for all global IPv6 addresses",
            ),
            (
                "networks = ['::/80']\n",
                "3: ::/80 also holds every IPv4 address in its IPv6 form ::ffff:0:0/96; write 2000::/3 for all global IPv6 addresses",
            ),
        ],
    );
}

#[test]
fn overlapping_zones_are_refused_with_both_lines() {
    refuses(
        "[[zone]]\nname = 'office'\n",
        &[
            (
                "networks = ['10.1.0.0/16']\n[[zone]]\nname = 'servers'\nnetworks = ['192.168.0.0/16', '10.1.0.0/16']\n",
                "6: 10.1.0.0/16 in zone `servers` overlaps 10.1.0.0/16 in zone `office` on line 3; an address can be in one zone only",
            ),
            (
                "networks = ['10.1.0.0/16']\n[[zone]]\nname = 'all'\nnetworks = ['10.0.0.0/8']\n",
                "6: 10.0.0.0/8 in zone `all` overlaps 10.1.0.0/16 in zone `office` on line 3; an address can be in one zone only",
            ),
            (
                "networks = ['fd00::/8']\n[[zone]]\nname = 'lab'\nnetworks = ['fd00:1::/48', '10.0.0.0/8']\n",
                "6: fd00:1::/48 in zone `lab` overlaps fd00::/8 in zone `office` on line 3; an address can be in one zone only",
            ),
            (
                "networks = ['10.0.0.0/8', '10.1.0.0/16']\n[[zone]]\nname = 'one'\nnetworks = ['10.1.0.7']\n",
                "6: 10.1.0.7/32 in zone `one` overlaps 10.1.0.0/16 in zone `office` on line 3; an address can be in one zone only",
            ),
            (
                "networks = ['10.0.0.0/8']\n[[zone]]\nname = 'lab'\nnetworks = ['::ffff:10.9.0.0/112']\n",
                "6: 10.9.0.0/16 in zone `lab` overlaps 10.0.0.0/8 in zone `office` on line 3; an address can be in one zone only",
            ),
        ],
    );
}

#[test]
fn ports_that_are_none_are_refused() {
    refuses(
        "[services]\n",
        &[
            (
                "web = 'tcp/80'\n",
                r#"2: `web` in [services] is `"tcp/80"`; expected a list of ports such as ["tcp/80", "udp/443", "tcp/6000-6010"]"#,
            ),
            (
                "web = []\n",
                r#"2: `web` in [services] is an empty list; expected a list of ports such as ["tcp/80", "udp/443", "tcp/6000-6010"]"#,
            ),
            (
                "web = [80]\n",
                r#"2: an element of `web` in [services] is `80`; expected a port in quotes such as "tcp/80""#,
            ),
            (
                "web = ['80']\n",
                "2: `80` is no port; expected tcp/ or udp/ with a port from 1 to 65535 or a range, such as tcp/80 or udp/6000-6010",
            ),
            (
                "web = [\n  'tcp/80',\n  'sctp/80',\n]\n",
                "4: `sctp/80` is no port; expected tcp/ or udp/ with a port from 1 to 65535 or a range, such as tcp/80 or udp/6000-6010",
            ),
            (
                "web = ['tcp/0']\n",
                "2: `tcp/0` is no port; expected tcp/ or udp/ with a port from 1 to 65535 or a range, such as tcp/80 or udp/6000-6010",
            ),
            (
                "web = ['tcp/65536']\n",
                "2: `tcp/65536` is no port; expected tcp/ or udp/ with a port from 1 to 65535 or a range, such as tcp/80 or udp/6000-6010",
            ),
            (
                "web = ['tcp/+80']\n",
                "2: `tcp/+80` is no port; expected tcp/ or udp/ with a port from 1 to 65535 or a range, such as tcp/80 or udp/6000-6010",
            ),
            (
                "web = ['tcp/http']\n",
                "2: `tcp/http` is no port; expected tcp/ or udp/ with a port from 1 to 65535 or a range, such as tcp/80 or udp/6000-6010",
            ),
            (
                "web = ['tcp/6000-']\n",
                "2: `tcp/6000-` is no port; expected tcp/ or udp/ with a port from 1 to 65535 or a range, such as tcp/80 or udp/6000-6010",
            ),
            (
                "web = ['tcp/6010-6000']\n",
                "2: `tcp/6010-6000` ends before it begins; write the lower port first",
            ),
        ],
    );
}

#[test]
fn ports_in_two_services_are_refused_with_both_names() {
    refuses(
        "[services]\n",
        &[
            (
                "web = ['tcp/80', 'tcp/70-90']\n",
                "2: tcp/80 is already in service `web` on line 2; name it once",
            ),
            (
                "web = ['tcp/80']\nproxy = ['udp/80', 'tcp/80']\n",
                "3: tcp/80 is in service `proxy` and, on line 2, in service `web`; keep it in one of them",
            ),
            (
                "zebra = ['tcp/2600-2610']\nape = ['tcp/2605']\n",
                "3: tcp/2605 is in service `ape` and, on line 2, in service `zebra`; keep it in one of them",
            ),
        ],
    );
}

#[test]
fn services_of_impossible_names_are_refused() {
    refuses(
        "",
        &[
            (
                "[services]\nother = ['tcp/80']\n",
                "2: `other` is reserved and cannot name a service; give the group another name",
            ),
            (
                "[services]\n'*' = ['tcp/80']\n",
                "2: `*` is reserved and cannot name a service; give the group another name",
            ),
            (
                "[services]\n'' = ['tcp/80']\n",
                "2: an empty text is no name; expected 1 to 64 characters, without control characters, and without spaces at its ends",
            ),
            (
                "[services]\nsensitive_services = ['smb']\n",
                "2: `sensitive_services` is no group of [services]; move it to the top of the file, before the first section",
            ),
            (
                "sensitive_services = 'smb'\n",
                r#"1: `sensitive_services` at the top level is `"smb"`; expected a list of services such as ["smb", "remote"]"#,
            ),
            (
                "sensitive_services = [3]\n",
                "1: an element of `sensitive_services` at the top level is `3`; expected the name of a service in quotes",
            ),
            (
                "sensitive_services = ['smb', 'samba']\n",
                "1: unknown service `samba` in `sensitive_services`; expected one of web, mail, dns, smb, netbios, remote, file, database, directory, management, voice, time, print, peer, vpn, ics, radius",
            ),
        ],
    );
}

#[test]
fn roles_that_lack_something_are_refused() {
    refuses(
        "[[role]]\n",
        &[
            ("kind = 'proxy'\n", r#"1: [[role]] has no `name`; add name = "egress proxies""#),
            (
                "name = 'egress'\nsources = ['10.1.0.1']\n",
                r#"1: [[role]] has no `kind`; add kind = "custom" or a more special one"#,
            ),
            (
                "name = 'egress'\nkind = 'proxy'\n",
                r#"1: [[role]] has no `sources`; add sources = ["10.1.0.8/32"]"#,
            ),
            (
                "name = 'egress'\nkind = 'proxy'\nsources = []\n",
                r#"4: `sources` in [[role]] is an empty list; expected a list of networks such as ["10.1.0.0/16", "fd00:1::/48"]"#,
            ),
            (
                "name = 'egress'\nkind = 'proxy'\nsources = ['10.1.0.9/30']\n",
                "4: `10.1.0.9/30` is no network, because bits behind its prefix are set; write 10.1.0.8/30 for the block or 10.1.0.9 for the one address",
            ),
            (
                "name = 'egress'\nkind = 'proxies'\nsources = ['10.1.0.1']\n",
                r#"3: `kind` in [[role]] is `"proxies"`; expected one of "proxy", "mail_relay", "asset_manager", "resolver", "custom""#,
            ),
            (
                "name = 'backup'\nkind = 'custom'\nsources = ['10.1.0.1']\nzones = '*'\n",
                r#"1: [[role]] of kind custom has no `services`; add services = ["web"], or services = "*" for all"#,
            ),
            (
                "name = 'backup'\nkind = 'custom'\nsources = ['10.1.0.1']\nservices = ['file']\n",
                r#"1: [[role]] of kind custom has no `zones`; add zones = ["internet"], or zones = "*" for all"#,
            ),
        ],
    );
}

#[test]
fn roles_that_name_what_is_not_there_are_refused() {
    const ROLE: &str = "[[role]]\nname = 'egress'\nkind = 'proxy'\nsources = ['10.1.0.1']\n";
    refuses(
        ROLE,
        &[
            (
                "[[role]]\nname = 'egress'\nkind = 'proxy'\nsources = ['10.1.0.2']\n",
                "6: role `egress` is already defined on line 2; give each role its own name",
            ),
            (
                "services = 'web'\n",
                r#"5: `services` in [[role]] is `"web"`; expected a list of services such as ["web", "dns"], or "*""#,
            ),
            (
                "services = []\n",
                r#"5: `services` in [[role]] is an empty list; expected a list of services such as ["web", "dns"], or "*""#,
            ),
            ("services = ['web', '*']\n", r#"5: `services` has names beside "*"; keep "*" or the names"#),
            (
                "services = [443]\n",
                r#"5: an element of `services` in [[role]] is `443`; expected a list of services such as ["web", "dns"], or "*""#,
            ),
            (
                "services = ['web', 'https']\n",
                "5: unknown service `https` in [[role]]; expected one of web, mail, dns, smb, netbios, remote, file, database, directory, management, voice, time, print, peer, vpn, ics, radius, other",
            ),
            (
                "zones = ['office']\n",
                "5: unknown zone `office` in [[role]]; expected one of internal, internet",
            ),
            (
                "zones = 'internet'\n",
                r#"5: `zones` in [[role]] is `"internet"`; expected a list of zones such as ["internal", "internet"], or "*""#,
            ),
            ("zones = ['*', 'internet']\n", r#"5: `zones` has names beside "*"; keep "*" or the names"#),
            (
                "[services]\nhttp = ['tcp/80-81', 'tcp/443', 'tcp/591', 'tcp/3128', 'tcp/8000', 'tcp/8080', 'tcp/8443', 'tcp/8888', 'udp/443']\n",
                r#"1: [[role]] has no `services`, and the usual service `web` of its kind lost all its ports to [services]; add services = ["…"] with the names that apply"#,
            ),
        ],
    );
}

#[test]
fn role_budgets_and_times_that_cannot_be_are_refused() {
    const ROLE: &str = "[[role]]\nname = 'egress'\nkind = 'proxy'\nsources = ['10.1.0.1']\n";
    refuses(
        ROLE,
        &[
            (
                "hosts_max = 0\n",
                "5: `hosts_max` in [[role]] is `0`; expected a whole number from 1 to 4294967295",
            ),
            (
                "hosts_max = 'many'\n",
                r#"5: `hosts_max` in [[role]] is `"many"`; expected a whole number from 1 to 4294967295"#,
            ),
            (
                "hosts_max = 1e3\n",
                "5: `hosts_max` in [[role]] is `1e3`; expected a whole number from 1 to 4294967295",
            ),
            (
                "expires = 'tomorrow'\n",
                r#"5: `expires` in [[role]] is `"tomorrow"`; expected a date such as "2027-01-31", or a date and time with its offset, "2027-01-31T18:00:00Z""#,
            ),
            (
                "expires = 2027-01-31T18:00:00\n",
                r#"5: `expires` in [[role]] is `2027-01-31T18:00:00`; expected a date such as "2027-01-31", or a date and time with its offset, "2027-01-31T18:00:00Z""#,
            ),
            (
                "expires = 1801440000\n",
                r#"5: `expires` in [[role]] is `1801440000`; expected a date such as "2027-01-31", or a date and time with its offset, "2027-01-31T18:00:00Z""#,
            ),
            (
                "schedule = 'weekdays'\n",
                r#"5: `schedule` in [[role]] is `"weekdays"`; expected days and hours in UTC such as "mon-fri 08:00-18:00" or "sat,sun 22:00-06:00""#,
            ),
            (
                "schedule = ['mon']\n",
                r#"5: `schedule` in [[role]] is a list; expected days and hours in UTC such as "mon-fri 08:00-18:00" or "sat,sun 22:00-06:00""#,
            ),
        ],
    );
}
