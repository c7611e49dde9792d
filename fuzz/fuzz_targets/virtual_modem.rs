#![no_main]

libfuzzer_sys::fuzz_target!(|script: &[u8]| otpgate::simulator::fuzzing::virtual_modem(script));
