#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| otpgate::store::fuzzing::record(octets));
