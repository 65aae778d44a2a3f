//! Results of faults: their times, the recovery of the server, and the messages that did not arrive.

use std::sync::Arc;

use super::scheduled_fault::{FaultState, ScheduledFault};
use crate::{
    clock::Micros,
    engine::measure::recorder::Recorder,
    record::{FaultResult, Impact},
};

/// Returns the results of `faults` in the order of time; seconds count from `start`.
pub fn results(
    mut faults: Vec<Arc<ScheduledFault>>,
    recorder: &Recorder,
    start: Micros,
) -> Vec<FaultResult> {
    faults.sort_by_key(|fault| fault.planned.at);
    let impacts = impacts(&faults, recorder);
    let seconds = |at: Option<Micros>| at.map(|at| at.since(start) as f64 / 1e6);
    faults
        .iter()
        .zip(impacts)
        .map(|(fault, impact)| {
            let state = fault.state().clone();
            let (ack, delivery) = state.recovery.map_or((None, None), |(from, number)| {
                let (ack, delivery) = recorder.first_responses(number);
                let after = |at: Micros| at.since(from) as f64 / 1e6;
                (ack.map(after), delivery.map(after))
            });
            let last_sent = recorder.last_sent();
            let sent_after =
                state.recovery.map(|(from, _)| last_sent.is_some_and(|sent| sent >= from));
            FaultResult {
                asked: seconds(state.asked),
                began: seconds(state.began),
                end_asked: seconds(state.end_asked),
                ended: seconds(state.ended),
                starts: state.starts,
                error: state.error,
                recovery_ack: ack,
                recovery_delivery: delivery,
                sent_after,
                toll: impact,
                by_key: fault.by_key,
                ..FaultResult::new(fault.planned.clone(), fault.server.role.clone())
            }
        })
        .collect()
}

/// Attributes each missing message to the first of `faults`, in the order of time, not yet recovered from when
/// the message was sent. Returns only `None` before the drain is over: no message counts as missing until then.
fn impacts(faults: &[Arc<ScheduledFault>], recorder: &Recorder) -> Vec<Option<Impact>> {
    let states: Vec<FaultState> = faults.iter().map(|fault| fault.state().clone()).collect();
    let mut impacts: Vec<_> =
        states.iter().map(|state| state.began.map(|_| Impact::default())).collect();
    if !recorder.is_drain_over() {
        return vec![None; impacts.len()];
    }
    let recovered: Vec<Option<Micros>> =
        states.iter().map(|state| recorder.first_responses(state.recovery?.1).0).collect();
    for message in recorder.missing_messages() {
        let responsible = impacts.iter_mut().zip(&recovered).find_map(|(impact, recovered)| {
            impact.as_mut().filter(|_| recovered.is_none_or(|at| message.sent <= at))
        });
        if let Some(impact) = responsible {
            impact.failed += u64::from(message.refused);
            impact.lost += u64::from(!message.refused);
            impact.acked_then_lost += u64::from(message.acked);
        }
    }
    let mut next = recorder.duplicates();
    for (impact, state) in impacts.iter_mut().zip(&states).rev() {
        if let Some(impact) = impact {
            impact.duplicate = next.saturating_sub(state.duplicates_before);
            next = state.duplicates_before;
        }
    }
    impacts
}
