//! `[[sink]]` and `[state]`.

use std::path::Path;
use std::time::Duration;

use super::{full_example, refuses};
use crate::config::parse;
use crate::policy::{FilePlan, Secret, SinkPlan, SpoolPlan, TransportPlan, WhenFull};
use crate::sink::Format;

const FILE: &str = "[[sink]]\nname = \"a\"\ntype = \"file\"\npath = \"/var/log/a\"\n";

#[test]
fn the_sinks_commented_out_in_the_example_are_the_defaults() {
    let policy = parse(&full_example(), "example").unwrap();
    assert_eq!(policy.state_directory.as_deref(), Some(Path::new("/var/lib/scanwatch")));
    let alerts = policy.sinks.iter().find(|sink| sink.name == "alerts").unwrap();
    let file = FilePlan {
        path: "/var/log/scanwatch/alerts.json".into(),
        rotate_bytes: 100 << 20,
        rotate_age: Some(Duration::from_hours(24)),
        keep: 7,
    };
    let expected = SinkPlan {
        name: "alerts".to_owned(),
        format: Format::Ecs,
        template: None,
        spool: SpoolPlan::default(),
        transport: TransportPlan::File(file.clone()),
    };
    assert_eq!(*alerts, expected);
    let least = parse(&FILE.replace("/var/log/a", "/var/log/scanwatch/alerts.json"), "least").unwrap();
    assert_eq!(least.sinks[0].transport, TransportPlan::File(FilePlan { rotate_age: None, ..file }));
    assert_eq!(least.sinks[0].spool, SpoolPlan::default());
}

#[test]
fn every_key_of_a_sink_is_read() {
    let text = format!(
        "{FILE}format = \"text\"\nspool_max_mib = 3\nwhen_full = \"drop_newest\"\nrotate_mib = 2\nkeep = 0\n"
    );
    let sink = &parse(&text, "a.toml").unwrap().sinks[0];
    assert_eq!(sink.format, Format::Text);
    assert_eq!(sink.spool, SpoolPlan { bytes_max: 3 << 20, when_full: WhenFull::DropNewest });
    let TransportPlan::File(file) = &sink.transport else { panic!("{sink:?}") };
    assert_eq!((file.rotate_bytes, file.keep), (2 << 20, 0));
}

#[test]
fn what_no_sink_can_be_is_refused_with_its_line() {
    refuses(
        "[[sink]]\n",
        &[
            ("name = \"a\"\n", "1: [[sink]] has no `type`; add type = \"file\""),
            ("type = \"stdout\"\n", "1: [[sink]] has no `name`; add name = \"siem\""),
            (
                "type = \"stdout\"\nname = \"a b\"\n",
                "3: `a b` is no name of a sink, which is also that of a folder; expected letters, digits, `-`, `_` and `.`, \
                 the first no dot",
            ),
            (
                "type = \"file\"\nname = \"a\"\n",
                "1: [[sink]] has no `path`; add path = \"/var/log/scanwatch/alerts.json\"",
            ),
            (
                "type = \"file\"\nname = \"a\"\npath = \"alerts\"\n",
                "4: `path` in [[sink]] is `\"alerts\"`; expected an absolute path such as \"/var/log/scanwatch/alerts.json\"",
            ),
            (
                "type = \"stdout\"\nname = \"a\"\nspool_max_mib = 0\n",
                "4: `spool_max_mib` in [[sink]] is `0`; expected a whole number from 1 to 1048576",
            ),
        ],
    );
    refuses(
        FILE,
        &[(
            "[[sink]]\nname = \"a\"\ntype = \"stdout\"\n",
            "6: sink `a` is already defined on line 2; give each sink its own name",
        )],
    );
    refuses(
        "",
        &[(
            "[state]\ndirectory = \"here\"\n",
            "2: `directory` in [state] is `\"here\"`; expected an absolute path such as \"/var/log/scanwatch/alerts.json\"",
        )],
    );
    let error = |kind: &str| parse(&FILE.replace("\"file\"", kind), "a.toml").unwrap_err().to_string();
    assert!(
        error("\"pigeon\"").starts_with(
            "a.toml:3: `type` in [[sink]] is `\"pigeon\"`; expected one of \"stdout\", \"file\", "
        )
    );
    // Keys of another type are as unknown as any.
    assert!(error("\"stdout\"").starts_with("a.toml:4: unknown key `path` in [[sink]]"));
}

#[test]
fn a_secret_is_read_where_it_is_and_shown_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "s3cret\n").unwrap();
    let secret = Secret::File(path.clone());
    assert_eq!(secret.read().as_deref(), Ok("s3cret"));
    assert!(!format!("{secret:?} {secret}").contains("s3cret"));
    std::fs::write(&path, "two\nlines\n").unwrap();
    assert!(secret.read().unwrap_err().contains("must be one line"));
    let missing = Secret::Environment("SCANWATCH_NO_SUCH_SECRET".to_owned());
    assert!(missing.read().unwrap_err().contains("$SCANWATCH_NO_SUCH_SECRET"));
}
