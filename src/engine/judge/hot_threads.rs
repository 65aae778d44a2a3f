//! Hot threads: reports threads of the client that were full, waited for a core, or did not look for
//! work for so long that a published duration shows it. Pure.

use super::lateness::{LAG_TOLERANCE_MICROS, MAX_LAG_SHARE, OUTLIER_TOLERANCE_MICROS};
use crate::{
    hot_thread::ThreadRole,
    measure::{Durations, GeneratorHealth, LatencySummary, Reason, ThreadLoad},
};

/// Largest share of a core that a hot thread may use: above it, messages queue for the thread.
const MAX_THREAD_CORES: f64 = 0.9;
/// Mean wait for a core up to which a thread is never reported, in microseconds: about what waking a
/// sleeping core takes.
const WAIT_TOLERANCE_MICROS: f64 = 100.0;

/// Messages for each time that a thread got a core, above which its mean wait is not that of a message.
const MAX_MESSAGES_PER_RUN: u64 = 10;

/// Code of a reason for a thread that is delayed without being full.
const DELAYED_CODE: &str = "client-delayed";

/// Whether a hot thread with this share of a core counts as full.
pub fn is_full(cores: f64) -> bool {
    cores > MAX_THREAD_CORES
}

/// Returns a reason for each thread, and for late acknowledgements, whose delay matters to a published
/// duration.
pub fn thread_problems(
    generator: &GeneratorHealth,
    durations: &Durations<LatencySummary>,
) -> Vec<Reason> {
    let threads = generator.hot_threads.iter();
    let reasons = threads.flat_map(|thread| {
        let (name, duration) = match thread.role {
            ThreadRole::Sends => ("response", &durations.response),
            ThreadRole::Acknowledges => ("ack", &durations.ack),
            // Both pass through it; without a consumer there are only acknowledgements.
            ThreadRole::Forwards if durations.delivery.count == 0 => ("ack", &durations.ack),
            ThreadRole::Receives | ThreadRole::Forwards => ("delivery", &durations.delivery),
        };
        let delayed = [wait_problem(thread, name, duration), pass_problem(thread, name, duration)];
        let delayed = delayed.into_iter().flatten();
        let delayed = delayed.map(|text| Reason { code: DELAYED_CODE.into(), text });
        full_thread(thread).into_iter().chain(delayed)
    });
    reasons.chain(ack_delay_problem(generator, &durations.ack)).collect()
}

fn full_thread(thread: &ThreadLoad) -> Option<Reason> {
    let peak = thread.peak_cores.unwrap_or(thread.cores);
    (is_full(thread.cores) || is_full(peak)).then(|| Reason {
        code: "client-saturated".into(),
        text: format!(
            "hubmark's thread {} was full: {:.2} of a core, {peak:.2} in its busiest second",
            thread.name, thread.cores
        ),
    })
}

/// Reports a thread whose wait for a core is a part of the median that matters: every message that wakes
/// the thread waits as long.
fn wait_problem(thread: &ThreadLoad, name: &str, duration: &LatencySummary) -> Option<String> {
    let wait = thread.mean_wait.filter(|wait| *wait > WAIT_TOLERANCE_MICROS)?;
    let (figure, value) = duration
        .p50
        .map(|median| ("p50", median))
        .or_else(|| duration.mean.map(|mean| ("mean", mean)))?;
    // A thread that seldom works is not on the way of most messages.
    if thread.runs < duration.count / MAX_MESSAGES_PER_RUN {
        return None;
    }
    (wait > MAX_LAG_SHARE * value).then(|| {
        format!(
            "hubmark's thread {} waited {:.2} ms for a core each time it had work, {:.1} % of the \
             time: {name} {figure} is {:.2} ms",
            thread.name,
            wait / 1e3,
            thread.waiting.unwrap_or(0.0) * 100.0,
            value / 1e3
        )
    })
}

/// Reports a thread that did not look for work for so long that the largest duration may be its own. The
/// sender's delays are in the lag, message by message.
fn pass_problem(thread: &ThreadLoad, name: &str, duration: &LatencySummary) -> Option<String> {
    let pass = thread.longest_pass.filter(|pass| *pass > OUTLIER_TOLERANCE_MICROS)?;
    let max = duration.max.filter(|_| thread.role != ThreadRole::Sends)?;
    (pass > MAX_LAG_SHARE * max).then(|| {
        format!(
            "hubmark's thread {} did not look for work for {:.2} ms: the largest {name} is {:.2} ms",
            thread.name,
            pass / 1e3,
            max / 1e3
        )
    })
}

/// Reports acknowledgements that were noticed so late that a published one may be hubmark's own.
fn ack_delay_problem(generator: &GeneratorHealth, ack: &LatencySummary) -> Option<Reason> {
    let delay = generator.ack_delay?;
    let figures = [
        ("p50", delay.p50, ack.p50, LAG_TOLERANCE_MICROS),
        ("p99", delay.p99, ack.p99, LAG_TOLERANCE_MICROS),
        ("maximum", delay.max, ack.max, OUTLIER_TOLERANCE_MICROS),
    ];
    let late: Vec<String> = figures
        .into_iter()
        .filter_map(|(figure, delay, ack, tolerance)| {
            let (delay, ack) = delay.zip(ack)?;
            (delay > tolerance && delay > MAX_LAG_SHARE * ack).then(|| {
                format!("{figure} {:.2} ms of an ack {figure} of {:.2} ms", delay / 1e3, ack / 1e3)
            })
        })
        .collect();
    (!late.is_empty()).then(|| Reason {
        code: DELAYED_CODE.into(),
        text: format!("hubmark noticed acknowledgements late: by up to {}", late.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::AckDelay;

    fn thread(name: &str, role: ThreadRole) -> ThreadLoad {
        ThreadLoad {
            name: name.into(),
            role,
            cores: 0.4,
            peak_cores: Some(0.5),
            waiting: Some(0.01),
            mean_wait: Some(20.0),
            runs: 9_000,
            longest_pass: Some(800.0),
        }
    }

    const ROLES: [ThreadRole; 4] =
        [ThreadRole::Sends, ThreadRole::Acknowledges, ThreadRole::Receives, ThreadRole::Forwards];

    /// Reasons of one thread beside durations of 2 ms, at most 60 ms.
    fn reasons(thread: ThreadLoad) -> Vec<Reason> {
        let summary = LatencySummary {
            count: 10_000,
            p50: Some(2_000.0),
            p99: Some(9_000.0),
            max: Some(60_000.0),
            ..LatencySummary::default()
        };
        let durations =
            Durations { lag: summary, ack: summary, delivery: summary, response: summary };
        let generator = GeneratorHealth { hot_threads: vec![thread], ..GeneratorHealth::default() };
        thread_problems(&generator, &durations)
    }

    #[test]
    fn a_thread_with_room_is_no_reason() {
        for role in ROLES {
            assert_eq!(reasons(thread("any", role)), []);
        }
    }

    #[test]
    fn a_full_thread_is_named_whatever_the_number_of_cores() {
        let full = ThreadLoad { cores: 0.97, ..thread("users", ThreadRole::Acknowledges) };
        let found = reasons(full);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].code, "client-saturated");
        assert!(found[0].text.contains("thread users was full: 0.97"), "{found:?}");
        let once =
            ThreadLoad { peak_cores: Some(0.99), ..thread("consumer", ThreadRole::Receives) };
        assert!(reasons(once)[0].text.contains("0.99 in its busiest second"));
    }

    #[test]
    fn a_wait_for_a_core_that_matters_to_the_median_is_named() {
        let waiting =
            |wait| ThreadLoad { mean_wait: Some(wait), ..thread("consumer", ThreadRole::Receives) };
        let found = reasons(waiting(600.0));
        assert!(found.len() == 1 && found[0].text.contains("consumer waited 0.60 ms"), "{found:?}");
        assert_eq!(reasons(waiting(150.0)), [], "less than a tenth of 2 ms");
        let seldom = ThreadLoad { runs: 20, ..waiting(600.0) };
        assert_eq!(reasons(seldom), [], "not on the way of the messages");
    }

    #[test]
    fn a_reader_that_stood_still_owns_the_largest_delivery() {
        let still = |role| ThreadLoad { longest_pass: Some(50_000.0), ..thread("consumer", role) };
        let found = reasons(still(ThreadRole::Receives));
        assert!(found[0].code == "client-delayed" && found[0].text.contains("largest delivery"));
        assert!(reasons(still(ThreadRole::Forwards))[0].text.contains("largest delivery"));
        assert_eq!(reasons(still(ThreadRole::Sends)), [], "the lag shows it");
    }

    #[test]
    fn acknowledgements_that_are_noticed_late_are_a_reason() {
        let judged = |p99: f64, ack: f64| {
            let generator = GeneratorHealth {
                ack_delay: Some(AckDelay { p99: Some(p99), ..AckDelay::default() }),
                ..GeneratorHealth::default()
            };
            let ack = LatencySummary { p99: Some(ack), ..LatencySummary::default() };
            thread_problems(&generator, &Durations { ack, ..Durations::default() }).len()
        };
        assert_eq!(judged(3_000.0, 9_000.0), 1);
        assert_eq!(judged(3_000.0, 90_000.0), 0, "a thirtieth");
        assert_eq!(judged(300.0, 400.0), 0, "the pause between two passes");
    }
}
