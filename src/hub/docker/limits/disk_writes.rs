//! Limits the disk writes of a running container through the kernel's files: the engine sets this
//! limit only when it creates a container.

use std::{fs, io};

use procfs::process::Process;

use crate::hub::docker::control_group::ControlGroups;

/// Write limit in bytes a second that is never reached: cgroup v1 counts block I/O only under some
/// throttle rule.
pub const COUNTING_ONLY_RATE: u64 = 100_000_000_000;
/// File of the limit in a control group of version 1.
const THROTTLE_FILE_V1: &str = "blkio.throttle.write_bps_device";
/// File of the limit in a control group of version 2.
const THROTTLE_FILE_V2: &str = "io.max";

/// Limits the writes of `container`, whose first process is `pid`, to the disk `number`
/// (`major:minor`): to `rate` bytes a second, or without a limit with `None`.
///
/// # Errors
/// The reason why the limit is not in force.
pub fn limit_writes(
    pid: i32,
    container: &str,
    number: &str,
    rate: Option<u64>,
) -> Result<(), String> {
    let groups = Process::new(pid)
        .and_then(|process| ControlGroups::read(&process, container))
        .map_err(|error| error.to_string())?;
    let version_1 = groups.has_controller("blkio");
    let (controller, file) =
        if version_1 { ("blkio", THROTTLE_FILE_V1) } else { ("", THROTTLE_FILE_V2) };
    let file = groups
        .folder(controller)
        .ok_or("the container's control group is not known here")?
        .join(file);
    let (rule, expected) = throttle_rule(version_1, number, rate);
    let failed = |error: io::Error| format!("{}: {error}", file.display());
    fs::write(&file, &rule).map_err(failed)?;
    let in_force = fs::read_to_string(&file).map_err(failed)?;
    if rate.is_some() && !in_force.lines().any(|line| line.contains(&expected)) {
        return Err(format!(
            "{} contains {:?} after writing {rule:?}",
            file.display(),
            in_force.trim()
        ));
    }
    Ok(())
}

/// Returns the rule to write and the text to find when it is in force. On version 1 a rule with an
/// unreachable rate remains, because the kernel counts block I/O only under some rule.
fn throttle_rule(version_1: bool, number: &str, rate: Option<u64>) -> (String, String) {
    if version_1 {
        let rule = format!("{number} {}", rate.unwrap_or(COUNTING_ONLY_RATE));
        (rule.clone(), rule)
    } else {
        let rate = rate.map_or_else(|| "max".to_owned(), |rate| rate.to_string());
        (format!("{number} wbps={rate}"), format!("wbps={rate}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttle_rules_have_the_format_of_each_version() {
        let rule = |version_1, rate| throttle_rule(version_1, "254:0", rate).0;
        assert_eq!(rule(true, Some(1_000_000)), "254:0 1000000");
        assert_eq!(rule(true, None), "254:0 100000000000");
        assert_eq!(rule(false, Some(1_000_000)), "254:0 wbps=1000000");
        assert_eq!(rule(false, None), "254:0 wbps=max");
    }
}
