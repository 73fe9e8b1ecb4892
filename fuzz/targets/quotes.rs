//! See `scanwatch_fuzz::quotes`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: scanwatch_fuzz::seeds::write_where_asked(scanwatch_fuzz::quotes::seeds),
    |input: &[u8]| scanwatch_fuzz::quotes::check(input)
);
