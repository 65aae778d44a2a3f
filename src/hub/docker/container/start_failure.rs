//! Classifies failed starts, and the settings that a start can omit when the engine refuses them.

use crate::server::ResourceLimits;

/// What to do where `AppArmor` is on without its parser.
pub const APPARMOR_ADVICE: &str = "the hub's kernel has AppArmor on and its parser is not installed: sudo \
     apt install apparmor on the hub, and restart the engine (sudo systemctl restart docker)";

/// A setting that an engine may refuse, and without which a server still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OptionalSetting {
    /// Raised limit of open files.
    OpenFiles,
    /// Throttle rule that makes the kernel count block I/O.
    BlockCounting,
}

impl OptionalSetting {
    /// Whether a start can omit the setting: not where the operator asked for it.
    pub const fn can_be_omitted(self, limits: &ResourceLimits) -> bool {
        match self {
            Self::OpenFiles => true,
            Self::BlockCounting => limits.disk_write.is_none(),
        }
    }
}

/// Cause of a failed start, from the engine's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartFailure {
    PortTaken,
    ImageMissing,
    /// The kernel has `AppArmor` on, and the program that loads its profiles is missing.
    NoAppArmorParser,
    SettingRefused(OptionalSetting),
    Other,
}

impl StartFailure {
    /// Classifies the engine's message, which is the only source.
    pub fn classify(message: &str) -> Self {
        let message = message.to_lowercase();
        let contains_any = |words: &[&str]| words.iter().any(|word| message.contains(word));
        if contains_any(&["port is already allocated", "address already in use"]) {
            Self::PortTaken
        } else if contains_any(&["no such image"]) {
            Self::ImageMissing
        } else if contains_any(&["apparmor_parser", "docker-default profile could not be loaded"]) {
            Self::NoAppArmorParser
        } else if contains_any(&["rlimit"]) {
            Self::SettingRefused(OptionalSetting::OpenFiles)
        } else if contains_any(&["blkio", "throttle", "io.max"]) {
            Self::SettingRefused(OptionalSetting::BlockCounting)
        } else {
            Self::Other
        }
    }

    /// Appends advice to the engine's message where it has none. `hub` are the options by which a command
    /// reaches that hub.
    pub fn with_advice(message: String, hub: &str) -> String {
        let advice = match Self::classify(&message) {
            Self::PortTaken => {
                "every port that was tried is in use on the hub: free some of its ports from \
                 20000 to 32767"
            }
            Self::NoAppArmorParser => APPARMOR_ADVICE,
            Self::ImageMissing => {
                return format!(
                    "{message}\n  the image existed when the run began: find out what removes images \
                     on that hub; hubmark images build PROFILE{hub} builds it again"
                );
            }
            Self::SettingRefused(OptionalSetting::OpenFiles) => {
                "the engine gives its containers a higher limit of open files than it has itself: \
                 lower theirs (default_ulimits in containers.conf, default-ulimits in \
                 daemon.json) or raise its own (LimitNOFILE= of its service)"
            }
            Self::SettingRefused(_) | Self::Other => return message,
        };
        format!("{message}\n  {advice}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_failures_are_classified_and_get_advice() {
        let cases = [
            (
                "driver failed programming external connectivity on endpoint x: Bind for 0.0.0.0:9092 failed: port is already allocated",
                StartFailure::PortTaken,
            ),
            (
                "Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use",
                StartFailure::PortTaken,
            ),
            (
                "runc create failed: error setting rlimits for ready process: error setting rlimit type 7: operation not permitted",
                StartFailure::SettingRefused(OptionalSetting::OpenFiles),
            ),
            (
                "failed to write to /sys/fs/cgroup/blkio/docker/x/blkio.throttle.write_bps_device: no such device",
                StartFailure::SettingRefused(OptionalSetting::BlockCounting),
            ),
            (
                "failed to write \"254:0 wbps=1\" to io.max: no such file",
                StartFailure::SettingRefused(OptionalSetting::BlockCounting),
            ),
            ("No such image: hubmark/mariadb:10.11", StartFailure::ImageMissing),
            (
                "AppArmor enabled on system but the docker-default profile could not be loaded: running `/usr/sbin/apparmor_parser apparmor_parser -Kr /x` failed",
                StartFailure::NoAppArmorParser,
            ),
            ("exec: \"nonsense\": executable file not found in $PATH", StartFailure::Other),
        ];
        for (message, expected) in cases {
            assert_eq!(StartFailure::classify(message), expected, "{message}");
            let explained = StartFailure::with_advice(message.to_owned(), " --hub ssh://pi");
            let advised = explained.starts_with(message) && explained.len() > message.len();
            let unknown = matches!(
                expected,
                StartFailure::Other | StartFailure::SettingRefused(OptionalSetting::BlockCounting)
            );
            assert_eq!(advised, !unknown, "{explained}");
            if expected == StartFailure::ImageMissing {
                assert!(explained.contains("images build PROFILE --hub ssh://pi"), "{explained}");
            }
        }
    }

    #[test]
    fn a_requested_limit_is_never_omitted() {
        let limited = ResourceLimits {
            disk_write: Some(crate::units::ByteRate(1e6)),
            ..ResourceLimits::default()
        };
        assert!(!OptionalSetting::BlockCounting.can_be_omitted(&limited));
        assert!(OptionalSetting::BlockCounting.can_be_omitted(&ResourceLimits::default()));
        assert!(OptionalSetting::OpenFiles.can_be_omitted(&limited));
    }
}
