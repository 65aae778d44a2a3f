//! Passes the versions of client libraries that do not report their own to the compiler.

use std::{error::Error, fs};

const LOCK_FILE: &str = "Cargo.lock";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={LOCK_FILE}");
    let lock = fs::read_to_string(LOCK_FILE)?;
    let version = locked_version(&lock, "mysql_async")
        .ok_or_else(|| format!("{LOCK_FILE} does not list mysql_async"))?;
    println!("cargo::rustc-env=MYSQL_ASYNC_VERSION={version}");
    Ok(())
}

/// Returns the version of `package` in the text of a lock file.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let entry = lock.split("[[package]]").find(|entry| entry.lines().any(|line| line == name))?;
    let version = entry.lines().find_map(|line| line.strip_prefix("version = "))?;
    Some(version.trim_matches('"'))
}
