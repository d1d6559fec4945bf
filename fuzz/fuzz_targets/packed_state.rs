//! Runs `selkie_fuzz::packed_state`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| selkie_fuzz::packed_state(bytes));
