//! See `scanwatch_fuzz::observation`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: scanwatch_fuzz::seeds::write_where_asked(scanwatch_fuzz::observation::seeds),
    |input: &[u8]| scanwatch_fuzz::observation::check(input)
);
