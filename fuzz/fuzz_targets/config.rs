#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| otpgate::config::fuzzing::config(text));
