//! `type = "syslog"`.

use std::path::PathBuf;

use super::{full_example, refuses};
use crate::config::parse;
use crate::policy::{
    ClientCertificate, Facility, Framing, HostPort, SyslogAddress, SyslogPlan, TlsPlan, TransportPlan,
};

const SYSLOG: &str = "[[sink]]\nname = \"siem\"\ntype = \"syslog\"\n";

fn plan(keys: &str) -> SyslogPlan {
    let policy = parse(&format!("{SYSLOG}{keys}"), "a.toml").unwrap();
    let TransportPlan::Syslog(plan) = &policy.sinks[0].transport else { panic!("{policy:?}") };
    plan.clone()
}

fn at(host: &str, port: u16) -> HostPort {
    HostPort { host: host.to_owned(), port }
}

#[test]
fn the_syslog_sink_of_the_example_is_read_key_by_key() {
    let policy = parse(&full_example(), "example").unwrap();
    let syslog = policy.sinks.iter().find(|sink| sink.name == "syslog").unwrap();
    let tls = TlsPlan {
        ca_file: Some("/etc/scanwatch/siem-ca.pem".into()),
        client: Some(ClientCertificate {
            certificate_file: "/etc/scanwatch/client.pem".into(),
            key_file: "/etc/scanwatch/client.key".into(),
        }),
        server_name: Some("collector.example".to_owned()),
    };
    let expected = SyslogPlan {
        address: SyslogAddress::Tls(at("siem.example", 6514), tls),
        framing: Framing::OctetCounting,
        facility: Facility::default(),
        app_name: "scanwatch".to_owned(),
    };
    assert_eq!(syslog.transport, TransportPlan::Syslog(expected.clone()));
    let least = plan("address = \"tls://siem.example:6514\"\n");
    let SyslogAddress::Tls(host, none) = least.address else { panic!("{least:?}") };
    assert_eq!((host, none), (at("siem.example", 6514), TlsPlan::default()));
    assert_eq!(
        (least.facility, least.framing, least.app_name),
        (expected.facility, expected.framing, expected.app_name)
    );
    assert_eq!(plan("address = \"unix:/dev/log\"\nframing = \"line\"\n").framing, Framing::Line);
}

#[test]
fn every_kind_of_address_is_read_and_shown_as_it_was_written() {
    let addresses = [
        ("udp://192.0.2.7:514", SyslogAddress::Udp(at("192.0.2.7", 514))),
        ("tcp://[2001:db8::7]:601", SyslogAddress::Tcp(at("2001:db8::7", 601))),
        ("tls://siem.example:6514", SyslogAddress::Tls(at("siem.example", 6514), TlsPlan::default())),
        ("unix:/dev/log", SyslogAddress::Unix(PathBuf::from("/dev/log"))),
    ];
    for (text, expected) in addresses {
        let read = plan(&format!("address = \"{text}\"\nfacility = \"authpriv\"\napp_name = \"ids\"\n"));
        assert_eq!((read.address.to_string().as_str(), &read.address), (text, &expected));
        assert_eq!((read.facility.number(), read.app_name.as_str()), (10, "ids"));
    }
}

#[test]
fn what_is_no_address_of_a_receiver_is_refused() {
    let wrong = [
        "siem.example",
        "siem.example:514",
        "http://siem.example:514",
        "udp://siem.example",
        "udp://siem.example:0",
        "udp://siem.example:65536",
        "udp://siem.example:+514",
        "tcp://:601",
        "tcp://two words:601",
        "tcp://2001:db8::7:601",
        "tcp://[siem.example]:601",
        "tcp://user@siem.example:601",
        "tcp://siem.example:601/",
        "unix:log",
        "unix://log",
        "",
    ];
    for address in wrong {
        let text = format!("address = \"{address}\"\n");
        let expected = format!(
            "4: `address` in [[sink]] is `\"{address}\"`; expected udp://host:port, tcp://host:port, tls://host:port or \
             unix:/path"
        );
        refuses(SYSLOG, &[(&text, &expected)]);
    }
}

#[test]
fn what_no_syslog_sink_can_be_is_refused_with_its_line() {
    let case = |keys: &str| format!("address = \"tcp://siem.example:601\"\n{keys}\n");
    refuses(
        SYSLOG,
        &[
            ("", "1: [[sink]] has no `address`; add address = \"tls://siem.example:6514\""),
            (
                "address = \"udp://siem.example:514\"\nframing = \"line\"\n",
                "5: `framing` is of use on streams only; a datagram is a message",
            ),
            (
                &case("facility = \"kern\""),
                "5: `facility` in [[sink]] is `\"kern\"`; expected one of \"user\", \"daemon\", \"auth\", \"authpriv\", \
                 \"local0\", \"local1\", \"local2\", \"local3\", \"local4\", \"local5\", \"local6\", \"local7\"",
            ),
            (
                &case("app_name = \"scan watch\""),
                "5: `app_name` in [[sink]] is `\"scan watch\"`; expected 1 to 48 letters, digits and signs of ASCII, \
                 without spaces",
            ),
            (
                &case("ca_file = \"/etc/ca.pem\""),
                "5: `ca_file` is of use with TLS only; begin `address` with tls://",
            ),
            (
                "address = \"tls://siem.example:6514\"\nkey_file = \"/etc/client.key\"\n",
                "1: `certificate_file` and `key_file` belong together; give both, or neither",
            ),
        ],
    );
}
