//! What the kernel takes, and what that costs it.

use std::time::Instant;

use scanwatch::kernel::{Kernel, MAPS_BYTES_MAX, MapFacts, Mode, Options, Version, instructions_max};
use scanwatch::policy::Policy;
use scanwatch_common::counters::Counter;

use crate::support::net::{Veth, in_namespace};
use crate::support::{admitting, eventually, require_root};
use crate::{await_count, counted, version, with_kernel};

/// First version in which the memory of ring buffers is told.
const RINGS_TELL: Version = Version(6, 4);

/// Where a 64-bit ELF file says where its section headers are, how long one is, and which one has the sections' names.
const SECTIONS_AT: usize = 40;
const HEADER_LENGTH_AT: usize = 58;
const NAMES_AT: usize = 62;
/// Where a section header says where its section is, and how long.
const OFFSET_AT: usize = 24;
const SIZE_AT: usize = 32;

#[test]
fn every_program_is_verified_within_the_budget_of_this_kernel() {
    with_kernel(async |kernel| {
        let begun = Instant::now();
        let programs = kernel.programs().expect("the kernel takes every program");
        let budget = instructions_max(version());
        println!("programs loaded in {} ms", begun.elapsed().as_millis());
        // `cargo xtask vm` makes its table of these lines.
        for program in &programs {
            println!("verified {} {} of {budget}", program.name, program.instructions_verified);
        }
        let names: Vec<&str> = programs.iter().map(|program| program.name.as_str()).collect();
        assert_eq!(names, ["scanwatch_egres", "scanwatch_frags", "scanwatch_tc", "scanwatch_xdp"]);
        for program in &programs {
            assert!((1..=budget).contains(&program.instructions_verified), "beyond {budget}: {program:?}");
            assert!(program.is_compiled, "{program:?}");
        }
    });
}

#[test]
fn all_maps_at_default_sizes_take_no_more_than_their_budget() {
    require_root();
    let kernel = Kernel::load(&Policy::default(), Options::default()).expect("the object is loaded");
    let maps = kernel.maps().expect("the kernel tells the sizes of its maps");
    let all: u64 = maps.iter().map(|map| map.kernel_bytes).sum();
    println!("maps {all}");
    assert!((1..=MAPS_BYTES_MAX).contains(&all), "{all} bytes: {maps:?}");
    let (rings, others): (Vec<MapFacts>, Vec<MapFacts>) =
        maps.into_iter().partition(|map| map.name.starts_with("NOVELTIES"));
    assert_eq!(rings.len(), 2, "{rings:?}");
    assert!(rings.iter().all(|ring| (ring.kernel_bytes > 0) == (version() >= RINGS_TELL)), "{rings:?}");
    assert!(others.iter().any(|map| map.kernel_bytes > 0), "{others:?}");
}

/// The object as a linker without BTF makes it: its sections of types have names by which nobody looks for them.
fn without_types(object: &[u8]) -> Vec<u8> {
    let long = |at: usize| {
        usize::try_from(u64::from_le_bytes(object[at..at + 8].try_into().expect("eight bytes")))
            .expect("an offset")
    };
    let short =
        |at: usize| usize::from(u16::from_le_bytes(object[at..at + 2].try_into().expect("two bytes")));
    let header = long(SECTIONS_AT) + short(NAMES_AT) * short(HEADER_LENGTH_AT);
    let (start, size) = (long(header + OFFSET_AT), long(header + SIZE_AT));
    let mut stripped = object.to_vec();
    let names = &mut stripped[start..start + size];
    let found: Vec<usize> = (0..size - 4).filter(|at| names[*at..].starts_with(b".BTF")).collect();
    assert!(!found.is_empty(), "the object has types");
    for at in found {
        names[at..at + 4].copy_from_slice(b".gon");
    }
    stripped
}

/// One program of the four, once: where a verifier is slow, each costs many seconds.
#[test]
fn the_object_is_loaded_without_its_types_too_and_its_programs_end_with_whoever_loaded_them() {
    in_namespace(async || {
        let mut veth = Veth::new("watched");
        let object = without_types(Kernel::object());
        let mut kernel = Kernel::load_object(&object, &[], &admitting(), Options::default())
            .expect("the object is loaded without its types");
        kernel.run(&[0; 64]).expect("the XDP program runs");
        assert_eq!(counted(&kernel, Counter::NotIp), 1);
        kernel.attach_by(&veth.name, veth.index, Mode::XdpGeneric).expect("attached");
        assert!(veth.details().contains("xdp"), "{}", veth.details());
        veth.send(&[vec![0; 64]]);
        await_count(&kernel, Counter::NotIp, 2);
        drop(kernel);
        eventually("the program is gone", || !veth.details().contains("xdp"));
    });
}
