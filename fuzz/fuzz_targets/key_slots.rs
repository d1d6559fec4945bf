//! Runs `selkie_fuzz::key_slots`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| selkie_fuzz::key_slots(bytes));
