//! Lateness of the sending side: compares the lag with the response at every rank, and tells whose
//! lateness it was. Pure.

use super::stolen;
use crate::{
    measure::{Durations, GeneratorHealth, Reason, SelfTest},
    stats::distribution::Distribution,
};

/// Lag up to which the generator is never reported, in microseconds: noise of the kernel.
pub const LAG_TOLERANCE_MICROS: f64 = 1_000.0;
/// The same for ranks that a few messages decide: p99.9 and beyond, and any with fewer than ten messages
/// beyond it. On an idle machine the latest of some thousand sleeps ends 2 to 5 ms late
/// (`cargo bench --bench scheduler`).
pub const OUTLIER_TOLERANCE_MICROS: f64 = 10_000.0;
/// Maximum share of the lag in the measured response time, at each rank.
pub const MAX_LAG_SHARE: f64 = 0.1;
/// Factor by which a lag may exceed what the self-test found of the timer and still be the machine's.
const TIMER_FACTOR: f64 = 2.0;
/// Smallest part of a lag that the longest time stolen in one second must cover to explain it.
const MIN_EXPLAINED_SHARE: f64 = 0.5;

/// Ranks at which the lag is compared, beside mean and maximum.
const RANKS: [(&str, f64); 6] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p95", 0.95),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
];
/// Rank from which on a few messages decide.
const OUTLIER_RANK: f64 = 0.999;

/// Lag and response at one rank, in microseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct LagRank {
    /// Name: `mean`, `p90`, `maximum`.
    pub name: &'static str,
    /// Share of the messages at or below the rank; of the mean, a half.
    pub quantile: f64,
    /// The lag.
    pub lag: f64,
    /// The response (without arrivals, the acknowledgement); `None` if nothing came back.
    pub response: Option<f64>,
    /// Lag that is never reported.
    pub tolerance: f64,
}

/// Returns ranks, mean and maximum of the lag with those of the response; none if no lag can matter. A
/// rank is compared whether or not enough messages lie beyond it to be published.
pub fn lag_ranks(durations: &Durations<Distribution>) -> Vec<LagRank> {
    let lag = &durations.lag;
    if lag.max().is_none_or(|max| max <= LAG_TOLERANCE_MICROS) {
        return Vec::new();
    }
    let answers = [&durations.response, &durations.ack];
    let response = answers.into_iter().find(|answers| !answers.is_empty());
    let rank = |(name, quantile): (&'static str, f64)| {
        let few = quantile >= OUTLIER_RANK || lag.percentile(quantile).is_none();
        Some(LagRank {
            name,
            quantile,
            lag: lag.value_at_rank(quantile)?,
            response: response.and_then(|response| response.value_at_rank(quantile)),
            tolerance: if few { OUTLIER_TOLERANCE_MICROS } else { LAG_TOLERANCE_MICROS },
        })
    };
    let mean = lag.mean().map(|mean| LagRank {
        name: "mean",
        quantile: 0.5,
        lag: mean,
        response: response.and_then(Distribution::mean),
        tolerance: LAG_TOLERANCE_MICROS,
    });
    let maximum = lag.max().map(|max| LagRank {
        name: "maximum",
        quantile: 1.0,
        lag: max,
        response: response.and_then(Distribution::max),
        tolerance: OUTLIER_TOLERANCE_MICROS,
    });
    RANKS.into_iter().filter_map(rank).chain(mean).chain(maximum).collect()
}

impl LagRank {
    /// Whether the lag matters to the response at this rank.
    fn matters(&self) -> bool {
        self.lag > self.tolerance
            && self.response.is_none_or(|response| self.lag > MAX_LAG_SHARE * response)
    }
}

/// Whose lateness a lag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LagCause {
    /// The machine's timer is as late without any load.
    Timer,
    /// The machine's host gave its processor time to others.
    Stolen,
    /// hubmark's own.
    Client,
}

/// Returns a reason for each cause of a lag that matters at some rank.
pub fn lag_problems(
    ranks: &[LagRank],
    generator: &GeneratorHealth,
    self_test: Option<&SelfTest>,
    cores: f64,
) -> Vec<Reason> {
    let late: Vec<(LagCause, &LagRank)> = ranks
        .iter()
        .filter(|rank| rank.matters())
        .map(|rank| (cause_of(rank, generator, self_test, cores), rank))
        .collect();
    let of_cause = |cause: LagCause| {
        let of_cause: Vec<&LagRank> =
            late.iter().filter(|(whose, _)| *whose == cause).map(|(_, rank)| *rank).collect();
        // The first rank has the most messages, the last one the largest lag.
        let (first, others) = of_cause.split_first()?;
        let ranks: Vec<String> = [*first]
            .into_iter()
            .chain(others.last().copied())
            .map(|rank| match rank.response {
                Some(response) => format!(
                    "lag {} {:.2} ms of a response {0} of {:.2} ms",
                    rank.name,
                    rank.lag / 1e3,
                    response / 1e3
                ),
                None => format!("lag {} {:.2} ms, and no response", rank.name, rank.lag / 1e3),
            })
            .collect();
        let (code, whose) = describe(cause, generator, self_test);
        Some(Reason { code: code.into(), text: format!("{whose}: {}", ranks.join(", ")) })
    };
    [LagCause::Client, LagCause::Stolen, LagCause::Timer].into_iter().filter_map(of_cause).collect()
}

fn cause_of(
    rank: &LagRank,
    generator: &GeneratorHealth,
    self_test: Option<&SelfTest>,
    cores: f64,
) -> LagCause {
    let timer = self_test.and_then(|test| match rank.quantile {
        quantile if quantile <= 0.5 => test.timer_p50,
        quantile if quantile < OUTLIER_RANK => test.timer_p99,
        _ => test.timer_max,
    });
    if timer.is_some_and(|late| rank.lag <= TIMER_FACTOR * late) {
        return LagCause::Timer;
    }
    // Stolen time explains a rank if it met as many messages as lie beyond it, and took as long at a
    // stretch: no more than what was stolen in one second.
    let share = generator.stolen.unwrap_or(0.0);
    let stretch_micros = generator.stolen_peak.unwrap_or(0.0) * cores * 1e6;
    let often = share > 0.0 && share >= MIN_EXPLAINED_SHARE * (1.0 - rank.quantile);
    if often && stretch_micros >= MIN_EXPLAINED_SHARE * rank.lag {
        return LagCause::Stolen;
    }
    LagCause::Client
}

/// Code of the reason, and who was late.
fn describe(
    cause: LagCause,
    generator: &GeneratorHealth,
    self_test: Option<&SelfTest>,
) -> (&'static str, String) {
    match cause {
        LagCause::Client => ("client-saturated", "hubmark itself was late".to_owned()),
        LagCause::Stolen => (
            "client-stolen",
            format!(
                "the host of this machine was late, not hubmark: it gave {}",
                stolen::describe_shares(
                    generator.stolen.unwrap_or(0.0),
                    generator.stolen_peak.unwrap_or(0.0)
                )
            ),
        ),
        LagCause::Timer => {
            let found = self_test.map_or_else(String::new, SelfTest::timer_text);
            (
                "client-timer",
                format!("this machine is as late without a load, not hubmark (self-test: {found})"),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(values: impl IntoIterator<Item = i64>) -> Distribution {
        let mut all = Distribution::default();
        values.into_iter().for_each(|value| all.record(value));
        all
    }

    /// Ranks of messages of which each has the lag `lag(number)`, and a response 2 ms longer.
    fn ranks(messages: i64, lag: impl Fn(i64) -> i64) -> Vec<LagRank> {
        lag_ranks(&Durations {
            lag: distribution((0..messages).map(&lag)),
            response: distribution((0..messages).map(|number| lag(number) + 2_000)),
            ..Durations::default()
        })
    }

    fn codes(
        ranks: &[LagRank],
        generator: &GeneratorHealth,
        test: Option<&SelfTest>,
    ) -> Vec<String> {
        let found = lag_problems(ranks, generator, test, 2.0);
        found.into_iter().map(|reason| reason.code).collect()
    }

    #[test]
    fn a_stall_that_owns_only_the_last_thousandth_is_not_valid() {
        // 300 ms of a minute with 1,000 messages a second: p99 does not see it.
        let stall =
            ranks(60_000, |number| if number < 300 { 300_000 - number * 1_000 } else { 20 });
        let p99 = stall.iter().find(|rank| rank.name == "p99").unwrap();
        assert!(!p99.matters(), "{p99:?}");
        let found = lag_problems(&stall, &GeneratorHealth::default(), None, 2.0);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].code, "client-saturated");
        let text = &found[0].text;
        assert!(text.contains("lag p99.9 ") && text.contains("lag maximum 300.00 ms"), "{text}");
    }

    #[test]
    fn few_messages_are_judged_by_the_ranks_that_exist() {
        // Stopped for 1.5 s among 400 messages: p99 is not published.
        let stopped =
            ranks(400, |number| if number < 80 { 1_500_000 - number * 15_000 } else { 20 });
        let found = lag_problems(&stopped, &GeneratorHealth::default(), None, 2.0);
        assert!(found.len() == 1 && found[0].text.contains("lag p90 "), "{found:?}");
        assert_eq!(codes(&ranks(3, |_| 50_000), &GeneratorHealth::default(), None).len(), 1);
        // As many as a first message needs to wake everything.
        assert_eq!(codes(&ranks(3, |_| 900), &GeneratorHealth::default(), None), [""; 0]);
        assert_eq!(codes(&ranks(0, |_| 0), &GeneratorHealth::default(), None), [""; 0]);
    }

    #[test]
    fn lag_without_any_response_is_judged_by_itself() {
        let unanswered =
            lag_ranks(&Durations { lag: distribution([9_000; 500]), ..Durations::default() });
        let found = lag_problems(&unanswered, &GeneratorHealth::default(), None, 2.0);
        assert!(found.len() == 1 && found[0].text.contains("no response"), "{found:?}");
    }

    #[test]
    fn a_lag_that_is_small_beside_the_response_does_not_matter() {
        let slow = lag_ranks(&Durations {
            lag: distribution((0..10_000).map(|number| number % 100 * 100)),
            response: distribution((0..10_000).map(|_| 2_000_000)),
            ..Durations::default()
        });
        assert_eq!(codes(&slow, &GeneratorHealth::default(), None), [""; 0]);
    }

    #[test]
    fn lateness_of_the_timer_and_of_the_host_are_not_hubmarks() {
        // p50 0, p99 1.15 ms.
        let late = ranks(10_000, |number| if number < 150 { 1_150 } else { 0 });
        let idle = GeneratorHealth::default();
        assert_eq!(codes(&late, &idle, None), ["client-saturated"]);
        let test = SelfTest {
            timer_p50: Some(60.0),
            timer_p99: Some(600.0),
            timer_max: Some(2_000.0),
            ..SelfTest::default()
        };
        assert_eq!(codes(&late, &idle, Some(&test)), ["client-timer"]);
        let punctual = SelfTest { timer_p99: Some(90.0), ..test };
        assert_eq!(codes(&late, &idle, Some(&punctual)), ["client-saturated"]);
        let stolen = GeneratorHealth {
            stolen: Some(0.007),
            stolen_peak: Some(0.04),
            ..GeneratorHealth::default()
        };
        assert_eq!(codes(&late, &stolen, Some(&punctual)), ["client-stolen"]);
        let slight = GeneratorHealth { stolen_peak: Some(0.004), ..stolen.clone() };
        let found = lag_problems(&late, &slight, None, 2.0);
        assert!(
            found[0].text.contains("0.7 % of its processor time to others, 0.4 % in one second")
        );
        // A stall of 300 ms is no theft of 40 ms a second, however often that happens.
        let stall =
            ranks(60_000, |number| if number < 300 { 300_000 - number * 1_000 } else { 20 });
        assert_eq!(codes(&stall, &stolen, Some(&test)), ["client-saturated"]);
    }
}
