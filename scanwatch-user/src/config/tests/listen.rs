//! `[listen]`.

use super::{full_example, parse, refuses};
use crate::policy::{Endpoint, Listen, Policy};

fn listen(text: &str) -> Option<Listen> {
    let text = format!("[listen]\n{text}");
    parse(&text, "office.toml").unwrap_or_else(|error| panic!("{error}\n{text}")).listen
}

#[test]
fn nothing_is_listened_on_unless_an_address_is_given() {
    assert_eq!(Policy::default().listen, None);
    refuses("", &[("[listen]\n", "1: [listen] has no `address`; add address = \"127.0.0.1:9477\"")]);
}

#[test]
fn loopback_and_sockets_need_no_more_than_an_address() {
    let found = listen("address = \"[::1]:9477\"\n").unwrap();
    let endpoint = Endpoint::Tcp("[::1]:9477".parse().unwrap());
    assert_eq!(found, Listen { endpoint, group: None, expose: false });
    let found = parse(&full_example(), "office.toml").unwrap().listen.unwrap();
    let endpoint = Endpoint::Unix("/run/scanwatch/api.sock".into());
    assert_eq!(found, Listen { endpoint, group: Some("scanwatch".to_owned()), expose: false });
}

#[test]
fn what_other_machines_reach_must_be_meant() {
    let sentence = "which other machines may reach, and whoever reaches it reads who scans whom; use 127.0.0.1 or a unix \
                    socket, or say `expose = true`";
    let refused = |address: &str| format!("2: `address` in [listen] is {address}, {sentence}");
    refuses(
        "[listen]\n",
        &[
            ("address = \"0.0.0.0:9477\"\n", &refused("0.0.0.0:9477")),
            ("address = \"[::]:9477\"\nexpose = false\n", &refused("[::]:9477")),
        ],
    );
    assert!(listen("address = \"0.0.0.0:9477\"\nexpose = true\n").unwrap().expose);
}

#[test]
fn addresses_that_are_none_are_refused() {
    let wanted = "expected an address and a port such as \"127.0.0.1:9477\", or a socket such as \
                  \"unix:/run/scanwatch/api.sock\"";
    let refused = |found: &str| format!("2: `address` in [listen] is {found}; {wanted}");
    refuses(
        "[listen]\n",
        &[
            ("address = \"localhost:9477\"\n", &refused("`\"localhost:9477\"`")),
            ("address = \"unix:api.sock\"\n", &refused("`\"unix:api.sock\"`")),
            ("address = 9477\n", &refused("`9477`")),
            (
                "address = \"127.0.0.1:9477\"\nexpose = \"yes\"\n",
                "3: `expose` in [listen] is `\"yes\"`; expected true or false",
            ),
            (
                "address = \"127.0.0.1:9477\"\ngroup = \"adm\"\n",
                "3: `group` in [listen] is for a unix socket; leave it out, or use a socket",
            ),
            (
                "address = \"unix:/run/a\"\ngroup = \"a b\"\n",
                "3: `group` in [listen] is `\"a b\"`; expected the name or the number of a group",
            ),
            (
                "address = \"unix:/run/a\"\nport = 1\n",
                "3: unknown key `port` in [listen]; expected one of address, group, expose",
            ),
        ],
    );
}
