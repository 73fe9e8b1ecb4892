//! A kernel that is older than what is supported.

use scanwatch::kernel::{KERNEL_MIN, Version};

use crate::{said, version};

#[test]
fn on_an_old_kernel_in_a_machine_the_agent_names_the_version_that_it_needs_and_ends() {
    let needed = Version(KERNEL_MIN.0, KERNEL_MIN.1);
    assert!(version() < needed, "Linux {} is new enough: `cargo xtask vm` boots one that is not", version());
    let output = said(&["run", "--interface", "lo"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    println!("{error}");
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.starts_with(&format!("scanwatch: Linux {}", version())), "{error}");
    assert!(error.ends_with(&format!(" is too old: scanwatch needs Linux {needed} or newer\n")), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");

    let output = said(&["doctor", "--interface", "lo"]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{table}");
    assert_eq!(output.status.code(), Some(1), "{table}");
    assert!(table.contains("is too old") && table.contains(&format!("version {needed} or newer")), "{table}");
}
