use std::fmt::Write as _;

use super::super::network::{NETWORKS_MAX, ZONES_MAX};
use super::super::parse;
use super::super::roles::ROLES_MAX;
use super::super::services::SERVICES_MAX;
use crate::policy::Policy;

/// A file with that many of something, how many are possible, and the error of one more.
type Case = (fn(usize) -> String, usize, &'static str);

fn zones(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, i| {
        writeln!(text, "[[zone]]\nname = \"z{i}\"\nnetworks = [\"10.{}.{}.0/24\"]", i / 256, i % 256)
            .unwrap();
        text
    })
}

fn networks(count: usize) -> String {
    let list: Vec<String> = (0..count).map(|i| format!("\"10.{}.{}.0/24\"", i / 256, i % 256)).collect();
    format!("[[zone]]\nname = \"z\"\nnetworks = [{}]\n", list.join(", "))
}

fn services(count: usize) -> String {
    (0..count).fold("[services]\n".to_owned(), |mut text, i| {
        writeln!(text, "s{i} = [\"tcp/{}\"]", 40_000 + i).unwrap();
        text
    })
}

fn roles(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, i| {
        writeln!(text, "[[role]]\nname = \"r{i}\"\nkind = \"proxy\"\nsources = [\"10.0.0.1\"]").unwrap();
        text
    })
}

#[test]
fn as_many_zones_services_and_roles_as_numbers_allow_and_no_more() {
    let default_services = Policy::default().services.len();
    let cases: [Case; 4] = [
        (zones, ZONES_MAX, "766: this zone is one too many; at most 255 are possible"),
        (networks, NETWORKS_MAX, "3: this network is one too many; all zones together hold at most 4096"),
        (
            services,
            SERVICES_MAX - default_services,
            "1: [services] makes 256 groups with the default ones; at most 255 are possible",
        ),
        (roles, ROLES_MAX, "4097: this role is one too many; at most 1024 are possible"),
    ];
    for (text, most, message) in cases {
        assert!(parse(&text(most), "many.toml").is_ok(), "{message}");
        let error = parse(&text(most + 1), "many.toml").unwrap_err();
        assert_eq!(error.to_string(), format!("many.toml:{message}"));
    }
}

#[test]
fn long_and_many_names_are_cut_in_errors() {
    let error = parse(&format!("{} = 1\n", "k".repeat(5_000)), "long.toml").unwrap_err();
    assert!(error.message.len() < 300, "{error}");
    let error = parse(
        &(services(200)
            + "[[role]]\nname = \"r\"\nkind = \"custom\"\nsources = [\"10.0.0.1\"]\nservices = [\"s777\"]\n"),
        "many.toml",
    );
    let error = error.unwrap_err();
    assert!(error.message.contains("(194 more)") && error.message.len() < 500, "{error}");
}
