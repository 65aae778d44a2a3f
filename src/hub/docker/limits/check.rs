//! Refuses limits that the hub cannot enforce: results under such a limit would be wrong.

use crate::{format::count_noun, hub::docker::engine::DockerEngine, server::ResourceLimits};

impl DockerEngine {
    /// Refuses limits that the hub cannot enforce.
    pub fn check_limits(&self, limits: &ResourceLimits) -> Result<(), String> {
        if let (Some(requested), Some(cores)) = (limits.cpus, self.cores)
            && requested.0 > f64::from(cores)
        {
            return Err(format!(
                "a limit of {requested} cannot be enforced: the hub has {}; set \
                 hub.limits.cpus to no more than that",
                count_noun(cores.into(), "core")
            ));
        }
        if limits.memory.is_some() && self.memory_cgroup == Some(false) {
            return Err(
                "memory cannot be limited: the hub's memory cgroup is off. On a Raspberry Pi add \
                 cgroup_enable=memory to the kernel's command line (/boot/firmware/cmdline.txt) \
                 and reboot"
                    .to_owned(),
            );
        }
        if limits.disk_write.is_some() && self.disk.is_none() {
            return Err("the rate of disk writes cannot be limited: the disk under the engine's \
                        root is not known"
                .to_owned());
        }
        Ok(())
    }
}

/// Returns the engine's warning about a requested limit that it has discarded.
pub fn discarded_limit(warnings: &[String], limits: &ResourceLimits) -> Option<String> {
    warnings.iter().map(|warning| (warning, warning.to_lowercase())).find_map(|(warning, lower)| {
        let requested = (limits.memory.is_some() && lower.contains("memory limit"))
            || (limits.cpus.is_some() && lower.contains("cpu"))
            || (limits.disk_write.is_some() && lower.contains("bps"));
        (requested && lower.contains("discarded"))
            .then(|| format!("a limit cannot be enforced: {}", warning.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_discarded_limit_is_an_error_only_if_requested() {
        let warnings = [
            "Your kernel does not support BPS Block I/O write limit or the cgroup is not mounted. \
             Block I/O BPS write limit discarded."
                .to_owned(),
            "Your kernel does not support swap limit capabilities. Memory limited without swap."
                .to_owned(),
        ];
        let memory = ResourceLimits {
            memory: Some(crate::units::Bytes(1 << 30)),
            ..ResourceLimits::default()
        };
        assert_eq!(discarded_limit(&warnings, &memory), None);
        let disk = ResourceLimits { disk_write: Some(crate::units::ByteRate(1e6)), ..memory };
        assert!(discarded_limit(&warnings, &disk).is_some_and(|text| text.contains("BPS")));
    }
}
