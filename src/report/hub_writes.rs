//! Writes of the servers that the hub's kernel does not count, and the counter of its disk beside them.

use crate::{record::Summary, server::HubFacts};

/// Returns why the figures of bytes written are missing or incomplete on this hub.
pub fn uncounted_writes(hub: &HubFacts) -> Option<&'static str> {
    if !hub.counts_writes() {
        return Some(
            "written: – because the hub's memory cgroup is off, and its kernel then counts no container's \
             writes; hub disk is what its disk wrote in all",
        );
    }
    (hub.engine.is_some() && hub.cgroup.as_deref() == Some("1")).then_some(
        "written: direct and synchronous writes only (control groups of version 1); hub disk is what its \
         disk wrote in all",
    )
}

/// Returns the mean bytes that the hub's disk wrote during a repetition. All servers share the disk.
pub fn hub_disk_written(summary: &Summary) -> Option<f64> {
    let of_disk = |(name, _): &(&String, _)| name.ends_with(".host_written_bytes");
    summary.over_repetitions.iter().find(of_disk).map(|(_, estimate)| estimate.mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_that_are_not_counted_have_their_reason_in_the_result() {
        let hub = |cgroup: &str, memory| HubFacts {
            engine: Some("docker 27".into()),
            cgroup: Some(cgroup.into()),
            memory_cgroup: Some(memory),
            ..HubFacts::default()
        };
        assert_eq!(uncounted_writes(&hub("2", true)), None);
        assert!(uncounted_writes(&hub("2", false)).unwrap().contains("memory cgroup is off"));
        assert!(uncounted_writes(&hub("1", true)).unwrap().contains("direct and synchronous"));
        let local = HubFacts { engine: None, ..hub("1", true) };
        assert_eq!(uncounted_writes(&local), None, "processes have counters of their own");
    }
}
