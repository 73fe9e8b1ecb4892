//! The kernel takes every program. Needs root.

mod support;

use scanwatch::kernel::{Kernel, MAPS_BYTES_MAX, Options};
use scanwatch::policy::Policy;
use scanwatch_common::counters::Counter;
use support::{count, policy, require_root};

#[test]
fn all_maps_at_default_sizes_take_no_more_than_their_budget() {
    require_root();
    let kernel = Kernel::load(&Policy::default(), Options::default()).expect("the object is loaded");
    let maps = kernel.maps().expect("the kernel tells the sizes of its maps");
    assert!(maps.iter().all(|map| map.kernel_bytes > 0), "{maps:?}");
    let all: u64 = maps.iter().map(|map| map.kernel_bytes).sum();
    println!("{all} bytes in {} maps", maps.len());
    assert!(all <= MAPS_BYTES_MAX, "{all} bytes: {maps:?}");
}

#[test]
fn programs_may_use_what_is_for_gpl_compatible_programs_only() {
    require_root();
    let mut kernel = Kernel::load(&policy(), Options::default()).expect("the object is loaded");
    for program in kernel.programs().expect("the kernel takes every program") {
        assert!(program.is_gpl_compatible, "{program:?}");
    }
}

#[test]
fn an_empty_configuration_is_loaded_and_counts() {
    require_root();
    let mut kernel = Kernel::load(&Policy::default(), Options::default()).expect("the object is loaded");
    kernel.run(&[0; 64]).expect("the XDP program runs");
    kernel.run_tc(&[0; 64]).expect("the TC program runs");
    kernel.run_egress(&[0; 64], 0).expect("the TC program for what goes out runs");
    let counters = kernel.counters().expect("the counters are read");
    assert_eq!(count(&counters, Counter::NotIp), 3);
    assert_eq!(counters.iter().map(|(_, n)| n).sum::<u64>(), 3);
}

#[test]
fn two_agents_count_apart() {
    require_root();
    let mut one = Kernel::load(&policy(), Options::default()).expect("the object is loaded");
    let other = Kernel::load(&policy(), Options::default()).expect("the object is loaded once more");
    one.run(&[0; 64]).expect("the XDP program runs");
    let other = other.counters().expect("the counters are read");
    assert_eq!(other.iter().map(|(_, n)| n).sum::<u64>(), 0);
}
