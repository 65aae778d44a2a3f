//! A profile's text: problems or a plan. A profile that is saved again is the same.
#![no_main]

use hubmark::{backend, profile::Profile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let catalogue = backend::catalogue();
    let Ok(profile) = Profile::parse(input, &catalogue) else { return };
    let _ = profile.plan();
    let saved = profile.to_toml();
    let again = Profile::parse(&saved, &catalogue);
    assert_eq!(again.as_ref(), Ok(&profile), "a saved profile is another one:\n{saved}");
});
