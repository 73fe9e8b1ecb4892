//! See `scanwatch_fuzz::configuration`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: scanwatch_fuzz::seeds::write_where_asked(scanwatch_fuzz::configuration::seeds),
    |input: &[u8]| scanwatch_fuzz::configuration::check(input)
);
