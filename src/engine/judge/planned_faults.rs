//! Planned faults as reasons of a verdict: as planned, late, or not at all. Pure.

use crate::{
    measure::{PLANNED_FAULT_CODE, Reason},
    plan::FaultKind,
    record::FaultResult,
};

/// Delay up to which a fault counts as on time: a busy engine takes some hundred milliseconds.
const MAX_FAULT_DELAY_SECONDS: f64 = 1.0;

/// Returns a reason for each fault, and another one for each that began or ended too late.
pub fn fault_reasons(faults: &[FaultResult]) -> Vec<Reason> {
    let reason = |code: &str, text| Reason { code: code.into(), text };
    let mut reasons = Vec::new();
    for fault in faults {
        let as_planned = fault.began.is_some() && fault.error.is_none();
        let code = if as_planned { PLANNED_FAULT_CODE } else { "fault-not-as-planned" };
        reasons.push(reason(code, fault.describe()));
        // A fault by key begins when it is asked for, which nothing planned.
        if fault.by_key {
            continue;
        }
        reasons.extend(describe_late_begin(fault).map(|text| reason("fault-late", text)));
        reasons.extend(describe_late_end(fault).map(|text| reason("fault-late", text)));
    }
    reasons
}

/// Describes a fault that began later than planned: other messages than planned met it.
fn describe_late_begin(fault: &FaultResult) -> Option<String> {
    let planned = fault.planned.at.as_secs_f64();
    let (asked, began) = (fault.asked?, fault.began?);
    // A server that is asked to stop may take its time: only the request can be late.
    let from = if fault.planned.kind == FaultKind::Restart { asked } else { began };
    let cause = if asked - planned > MAX_FAULT_DELAY_SECONDS {
        "an earlier fault of this server had not ended, or hubmark was late".to_owned()
    } else {
        format!("the hub took {:.1} s to begin it", began - asked)
    };
    (from - planned > MAX_FAULT_DELAY_SECONDS).then(|| {
        format!(
            "the {} of {} was planned at {planned:.1} s and began at {from:.1} s: {cause}",
            fault.planned.kind.name(),
            fault.server,
        )
    })
}

/// Describes a fault that lasted longer than planned because the hub was slow to end it. The absence
/// of a server that was stopped is part of what is measured.
fn describe_late_end(fault: &FaultResult) -> Option<String> {
    let (asked, ended) = (fault.end_asked?, fault.ended?);
    let (took, planned) = (ended - asked, fault.planned.duration?.as_secs_f64());
    (!fault.planned.kind.stops_server() && took > MAX_FAULT_DELAY_SECONDS).then(|| {
        format!(
            "the {} of {} lasted {:.1} s instead of {planned:.1} s: the hub took {took:.1} s to end it",
            fault.planned.kind.name(),
            fault.server,
            ended - fault.began.unwrap_or(asked),
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::Fault;

    fn fault(kind: FaultKind) -> FaultResult {
        let planned = Fault {
            at: Duration::from_secs(5),
            duration: Some(Duration::from_secs(2)),
            server: None,
            kind,
        };
        FaultResult {
            asked: Some(5.0),
            began: Some(5.2),
            end_asked: Some(7.2),
            ended: Some(7.3),
            ..FaultResult::new(planned, "mariadb".into())
        }
    }

    fn codes(fault: &FaultResult) -> Vec<String> {
        let reasons = fault_reasons(std::slice::from_ref(fault));
        reasons.into_iter().map(|reason| reason.code).collect()
    }

    #[test]
    fn a_fault_that_the_slow_hub_began_or_ended_late_is_a_reason() {
        let on_time = fault(FaultKind::Pause);
        assert_eq!(codes(&on_time), [PLANNED_FAULT_CODE]);
        let late = FaultResult {
            began: Some(11.2),
            end_asked: Some(13.2),
            ended: Some(13.3),
            ..on_time.clone()
        };
        let reasons = fault_reasons(std::slice::from_ref(&late));
        let [_, reason] = &reasons[..] else { panic!("{reasons:?}") };
        assert_eq!(reason.code, "fault-late");
        assert_eq!(
            reason.text,
            "the pause of mariadb was planned at 5.0 s and began at 11.2 s: the hub took 6.2 s to begin it"
        );
        let waited = FaultResult { asked: Some(11.0), ..late };
        assert!(fault_reasons(&[waited])[1].text.contains("an earlier fault"));
        let long = FaultResult { ended: Some(12.0), ..on_time };
        let text = &fault_reasons(&[long])[1].text;
        assert!(text.contains("lasted 6.8 s instead of 2.0 s"), "{text}");
    }

    #[test]
    fn a_server_may_take_its_time_to_stop_and_to_start() {
        let slow = FaultResult { began: Some(9.0), ended: Some(14.0), ..fault(FaultKind::Restart) };
        assert_eq!(codes(&slow), [PLANNED_FAULT_CODE]);
        let killed = FaultResult { ended: Some(14.0), ..fault(FaultKind::Kill) };
        assert_eq!(codes(&killed), [PLANNED_FAULT_CODE]);
    }

    #[test]
    fn a_fault_that_never_began_is_not_as_planned() {
        let never = FaultResult { began: None, ..fault(FaultKind::Kill) };
        assert_eq!(codes(&never), ["fault-not-as-planned"]);
    }
}
