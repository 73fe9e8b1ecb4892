//! See `scanwatch_fuzz::answers`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: scanwatch_fuzz::seeds::write_where_asked(scanwatch_fuzz::answers::seeds),
    |input: &[u8]| scanwatch_fuzz::answers::check(input)
);
