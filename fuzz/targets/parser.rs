//! See `scanwatch_fuzz::parsing`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: scanwatch_fuzz::seeds::write_where_asked(scanwatch_fuzz::parsing::seeds),
    |input: &[u8]| scanwatch_fuzz::parsing::check(input)
);
