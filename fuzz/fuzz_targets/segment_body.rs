//! Runs `selkie_fuzz::segment_body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| selkie_fuzz::segment_body(bytes));
