//! See `scanwatch_fuzz::segments`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: scanwatch_fuzz::seeds::write_where_asked(scanwatch_fuzz::segments::seeds),
    |input: &[u8]| scanwatch_fuzz::segments::check(input)
);
