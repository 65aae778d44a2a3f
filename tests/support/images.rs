//! Images of the backends' servers on this machine's engine.

use std::fs;

use super::sandbox::Sandbox;

/// Builds the images of backends where they are missing.
pub fn build_images(backends: &[impl std::fmt::Debug]) {
    let sandbox = Sandbox::with_engine();
    let profile = sandbox.path("all.toml");
    let text = format!(
        "name = \"all\"\nbackend = {backends:?}\n[workload]\nkind = \"latency\"\nusers = 1\n\
         messages = 1\n"
    );
    fs::write(&profile, text).unwrap();
    sandbox.run(["images", "build", profile.to_str().unwrap()]).exits_with(0);
}
