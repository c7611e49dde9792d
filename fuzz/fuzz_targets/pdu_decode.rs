#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| otpgate::sms::fuzzing::pdu_decode(octets));
