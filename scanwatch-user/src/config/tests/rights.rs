//! `[rights]`.

use super::{full_example, parse, refuses};
use crate::policy::{AfterAttach, Policy, Rights};

#[test]
fn rights_are_given_up_unless_something_else_is_said() {
    let default = Rights { landlock: true, after_attach: AfterAttach::Drop };
    assert_eq!(Policy::default().rights, default);
    assert_eq!(parse(&full_example(), "office.toml").unwrap().rights, default);
    let kept = parse("[rights]\nafter_attach = \"keep\"\nlandlock = false\n", "office.toml").unwrap().rights;
    assert_eq!(kept, Rights { landlock: false, after_attach: AfterAttach::Keep });
}

#[test]
fn what_else_is_said_of_rights_is_refused() {
    refuses(
        "[rights]\n",
        &[
            (
                "after_attach = \"none\"\n",
                "2: `after_attach` in [rights] is `\"none\"`; expected one of \"drop\", \"keep\"",
            ),
            ("landlock = \"on\"\n", "2: `landlock` in [rights] is `\"on\"`; expected true or false"),
            (
                "seccomp = true\n",
                "2: unknown key `seccomp` in [rights]; expected one of landlock, after_attach",
            ),
        ],
    );
}
