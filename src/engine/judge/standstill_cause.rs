//! Causes of standstills, by what was measured meanwhile. Pure.

use crate::{
    hot_thread::ThreadRole,
    measure::HostMetrics,
    record::{Standstill, StandstillCause, StandstillKind},
};

/// Smallest share of a standstill that a pass of a thread must cover to explain it.
const MIN_PASS_SHARE: f64 = 0.5;
/// Smallest share of a standstill for which tasks must wait for the disk beyond what is usual in the load: while
/// one task of a database waits for the disk, the others wait for that task.
const MIN_DISK_SHARE: f64 = 0.25;

/// What was measured during a standstill.
#[derive(Debug, Clone, Copy)]
pub struct CauseEvidence<'a> {
    /// Metrics of the hub's host, each second of the load.
    pub hub: &'a [HostMetrics],
    /// What each of hubmark's threads does, and how many seconds of the standstill its longest pass covers.
    pub passes: &'a [(ThreadRole, f64)],
    /// Number of hubmark's connections that sent segments again during the standstill.
    pub retransmitting: usize,
}

/// Returns the cause of a standstill; `None` if what was measured cannot tell server and disk apart.
pub fn cause_of(standstill: &Standstill, evidence: &CauseEvidence<'_>) -> Option<StandstillCause> {
    // A thread that forwards everything delays acknowledgements and deliveries alike.
    let roles = match standstill.what {
        // Nothing was sent although messages were due.
        StandstillKind::Sends | StandstillKind::Everything => return Some(StandstillCause::Client),
        StandstillKind::Acks => &[ThreadRole::Acknowledges, ThreadRole::Forwards][..],
        StandstillKind::Deliveries => &[ThreadRole::Receives, ThreadRole::Forwards],
        StandstillKind::Answers => &[ThreadRole::Forwards],
    };
    let covers = |(role, seconds): &(ThreadRole, f64)| {
        roles.contains(role) && *seconds >= MIN_PASS_SHARE * standstill.length()
    };
    if evidence.passes.iter().any(covers) {
        return Some(StandstillCause::Client);
    }
    if evidence.retransmitting > 0 {
        return Some(StandstillCause::Network);
    }
    let waited = disk_wait_seconds(standstill, evidence.hub)?;
    let is_disk = waited >= MIN_DISK_SHARE * standstill.length();
    Some(if is_disk { StandstillCause::Disk } else { StandstillCause::Server })
}

/// Median share of a second in which tasks on the hub waited for its disk.
fn usual_share(hub: &[HostMetrics]) -> f64 {
    let mut shares: Vec<f64> = hub.iter().filter_map(|one| one.io_stalled).collect();
    shares.sort_by(f64::total_cmp);
    shares.get(shares.len() / 2).copied().unwrap_or(0.0)
}

/// Seconds for which tasks on the hub waited for its disk, beyond what is usual in the load, in the readings that a
/// standstill meets; `None` if a part of it has no reading.
fn disk_wait_seconds(standstill: &Standstill, hub: &[HostMetrics]) -> Option<f64> {
    let first = hub.iter().position(|one| one.seconds > standstill.from)?;
    let mut start = first.checked_sub(1).map_or(0.0, |before| hub[before].seconds);
    let (mut waited, usual) = (0.0, usual_share(hub));
    for one in &hub[first..] {
        waited += (one.io_stalled? - usual).max(0.0) * (one.seconds - start);
        if one.seconds >= standstill.to {
            return Some(waited);
        }
        start = one.seconds;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn still(what: StandstillKind) -> Standstill {
        Standstill { from: 3.2, to: 4.4, what, cause: None }
    }

    /// Ten seconds of a hub whose tasks waited for the disk for `share` of the seconds 4 and 5.
    fn hub(share: Option<f64>) -> Vec<HostMetrics> {
        let second = |second: u32| HostMetrics {
            seconds: f64::from(second),
            io_stalled: if (4..=5).contains(&second) { share } else { Some(0.01) },
            ..HostMetrics::default()
        };
        (1..=10).map(second).collect()
    }

    fn cause(
        what: StandstillKind,
        share: Option<f64>,
        retransmitting: usize,
    ) -> Option<StandstillCause> {
        let hub = hub(share);
        let passes = [(ThreadRole::Receives, 0.7)];
        let evidence = CauseEvidence { hub: &hub, passes: &passes, retransmitting };
        cause_of(&still(what), &evidence)
    }

    #[test]
    fn each_cause_is_found_by_what_was_measured() {
        use StandstillCause::{Client, Disk, Network, Server};
        assert_eq!(cause(StandstillKind::Answers, Some(0.02), 0), Some(Server));
        assert_eq!(cause(StandstillKind::Answers, Some(0.9), 0), Some(Disk));
        assert_eq!(cause(StandstillKind::Answers, Some(0.9), 12), Some(Network));
        assert_eq!(cause(StandstillKind::Answers, Some(0.02), 1), Some(Network));
        assert_eq!(cause(StandstillKind::Sends, Some(0.9), 12), Some(Client));
        assert_eq!(cause(StandstillKind::Everything, None, 0), Some(Client));
        assert_eq!(cause(StandstillKind::Deliveries, Some(0.02), 0), Some(Client), "its reader");
        assert_eq!(cause(StandstillKind::Acks, Some(0.02), 0), Some(Server));
    }

    #[test]
    fn a_thread_that_forwards_everything_explains_any_silence_of_the_server() {
        let hub = hub(Some(0.02));
        for what in [StandstillKind::Acks, StandstillKind::Deliveries, StandstillKind::Answers] {
            let cause = |seconds| {
                let passes = [(ThreadRole::Forwards, seconds)];
                let evidence = CauseEvidence { hub: &hub, passes: &passes, retransmitting: 0 };
                cause_of(&still(what), &evidence)
            };
            assert_eq!(cause(0.7), Some(StandstillCause::Client), "{what:?}");
            assert_eq!(cause(0.3), Some(StandstillCause::Server), "{what:?}: a quarter of it");
        }
    }

    #[test]
    fn a_disk_that_is_always_waited_for_is_no_cause() {
        let mut hub = hub(Some(0.6));
        for one in &mut hub {
            one.io_stalled = Some(0.6);
        }
        let waited = disk_wait_seconds(&still(StandstillKind::Answers), &hub);
        assert!(waited.unwrap() < 0.01, "{waited:?}");
    }

    #[test]
    fn without_readings_of_the_hub_server_and_disk_are_not_distinguished() {
        assert_eq!(cause(StandstillKind::Answers, None, 0), None);
        assert_eq!(cause(StandstillKind::Answers, None, 9), Some(StandstillCause::Network));
        let late = Standstill { from: 11.0, to: 12.0, ..still(StandstillKind::Answers) };
        assert_eq!(disk_wait_seconds(&late, &hub(Some(0.5))), None, "after the last reading");
    }
}
