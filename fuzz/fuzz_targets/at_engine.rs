#![no_main]

libfuzzer_sys::fuzz_target!(|script: &[u8]| otpgate::at::fuzzing::at_engine(script));
