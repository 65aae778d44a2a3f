#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hubmark::broker::fuzzing::requests(input));
