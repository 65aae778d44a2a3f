#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hubmark::backend::kafka::fuzzing::record_batches(input));
