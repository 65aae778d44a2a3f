//! What an engine may refuse of a start, and which of it a start may do without.

use super::Engine;
use crate::server::Limits;

/// An option that an engine may refuse, and without which a server still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusable {
    /// A raised limit of open files.
    OpenFiles,
    /// The throttle rule that makes block I/O counted.
    BlockCounting,
}

impl Refusable {
    /// Whether a start may do without: not where the operator asked for it.
    pub(super) const fn is_ours(self, limits: &Limits) -> bool {
        match self {
            Self::OpenFiles => true,
            Self::BlockCounting => limits.disk_write.is_none(),
        }
    }
}

/// What a message of the engine says about a failed start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    PortTaken,
    ImageGone,
    Option(Refusable),
    Other,
}

impl Refusal {
    /// Sorts the engine's words, which are all that it gives.
    pub(super) fn of(message: &str) -> Self {
        let message = message.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        if says(&["port is already allocated", "address already in use"]) {
            Self::PortTaken
        } else if says(&["no such image"]) {
            Self::ImageGone
        } else if says(&["rlimit"]) {
            Self::Option(Refusable::OpenFiles)
        } else if says(&["blkio", "throttle", "io.max"]) {
            Self::Option(Refusable::BlockCounting)
        } else {
            Self::Other
        }
    }

    /// The engine's words, with what to do where they do not say it.
    pub(super) fn explained(message: String) -> String {
        let advice = match Self::of(&message) {
            Self::PortTaken => {
                "every port that was tried is in use on the hub: end what holds its ports from \
                 20000 to 32767"
            }
            Self::ImageGone => {
                "it was there when the run began: find out who removes images on that hub; \
                 hubmark images build PROFILE makes it again"
            }
            Self::Option(Refusable::OpenFiles) => {
                "the engine gives its containers more open files than it may have itself: lower \
                 them (default_ulimits in containers.conf, default-ulimits in daemon.json) or \
                 raise its own (LimitNOFILE= of its service)"
            }
            Self::Option(_) | Self::Other => return message,
        };
        format!("{message}\n  {advice}")
    }
}

impl Engine {
    /// A limit that cannot be held is refused: a figure under a limit that was not in force would
    /// be a lie.
    pub(super) fn check_limits(&self, limits: &Limits) -> Result<(), String> {
        if let (Some(asked), Some(cores)) = (limits.cpus, self.cores)
            && asked.0 > f64::from(cores)
        {
            return Err(format!(
                "a limit of {asked} cannot be in force there: the hub has {cores} cores; set \
                 hub.limits.cpus to no more than that"
            ));
        }
        if limits.memory.is_some() && self.memory_cgroup == Some(false) {
            return Err("memory cannot be limited there: the memory cgroup is off. On a \
                        Raspberry Pi add cgroup_enable=memory to the kernel's command line \
                        (/boot/firmware/cmdline.txt) and reboot"
                .to_owned());
        }
        if limits.disk_write.is_some() && self.disk.is_none() {
            return Err("the rate of disk writes cannot be limited: the disk under the engine's \
                        root is not known"
                .to_owned());
        }
        Ok(())
    }
}

/// A limit that was asked for and that the engine has silently let go, in the engine's words.
pub(super) fn broken_promise(warnings: &[String], limits: &Limits) -> Option<String> {
    warnings.iter().map(|warning| (warning, warning.to_lowercase())).find_map(|(said, words)| {
        let asked = (limits.memory.is_some() && words.contains("memory limit"))
            || (limits.cpus.is_some() && words.contains("cpu"))
            || (limits.disk_write.is_some() && words.contains("bps"));
        (asked && words.contains("discarded"))
            .then(|| format!("a limit cannot be held there: {}", said.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_words_tell_what_to_do_about_a_refused_start() {
        let cases = [
            (
                "driver failed programming external connectivity on endpoint x: Bind for 0.0.0.0:9092 failed: port is already allocated",
                Refusal::PortTaken,
            ),
            (
                "Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use",
                Refusal::PortTaken,
            ),
            (
                "runc create failed: error setting rlimits for ready process: error setting rlimit type 7: operation not permitted",
                Refusal::Option(Refusable::OpenFiles),
            ),
            (
                "failed to write to /sys/fs/cgroup/blkio/docker/x/blkio.throttle.write_bps_device: no such device",
                Refusal::Option(Refusable::BlockCounting),
            ),
            (
                "failed to write \"254:0 wbps=1\" to io.max: no such file",
                Refusal::Option(Refusable::BlockCounting),
            ),
            ("No such image: hubmark/mariadb:10.11", Refusal::ImageGone),
            ("exec: \"nonsense\": executable file not found in $PATH", Refusal::Other),
        ];
        for (message, expected) in cases {
            assert_eq!(Refusal::of(message), expected, "{message}");
            let explained = Refusal::explained(message.to_owned());
            let advised = explained.starts_with(message) && explained.len() > message.len();
            let unknown =
                matches!(expected, Refusal::Other | Refusal::Option(Refusable::BlockCounting));
            assert_eq!(advised, !unknown, "{explained}");
        }
    }

    #[test]
    fn a_limit_that_was_asked_for_is_never_left_out() {
        let limited = Limits { disk_write: Some(crate::units::ByteRate(1e6)), ..Limits::default() };
        assert!(!Refusable::BlockCounting.is_ours(&limited));
        assert!(Refusable::BlockCounting.is_ours(&Limits::default()));
        assert!(Refusable::OpenFiles.is_ours(&limited));
    }

    #[test]
    fn a_limit_that_the_engine_lets_go_is_an_error_only_where_it_was_asked_for() {
        let warnings = [
            "Your kernel does not support BPS Block I/O write limit or the cgroup is not mounted. \
             Block I/O BPS write limit discarded."
                .to_owned(),
            "Your kernel does not support swap limit capabilities. Memory limited without swap."
                .to_owned(),
        ];
        let memory = Limits { memory: Some(crate::units::Bytes(1 << 30)), ..Limits::default() };
        assert_eq!(broken_promise(&warnings, &memory), None);
        let disk = Limits { disk_write: Some(crate::units::ByteRate(1e6)), ..memory };
        assert!(broken_promise(&warnings, &disk).is_some_and(|text| text.contains("BPS")));
    }
}
