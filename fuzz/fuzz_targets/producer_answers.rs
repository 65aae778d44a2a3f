#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hubmark::backend::kafka::fuzzing::producer_answers(input));
