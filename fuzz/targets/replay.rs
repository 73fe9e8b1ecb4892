//! See `scanwatch_fuzz::replaying`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: scanwatch_fuzz::seeds::write_where_asked(scanwatch_fuzz::replaying::seeds),
    |input: &[u8]| scanwatch_fuzz::replaying::check(input)
);
