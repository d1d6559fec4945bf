//! Runs `selkie_fuzz::change`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| selkie_fuzz::change(bytes));
