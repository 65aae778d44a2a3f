//! Writes a comparison as text (at most 100 columns), JSON and CSV.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Comparison, LimitResult, MetricDifference};
use crate::{
    format::{MISSING, probability, three_significant, truncate},
    report::{
        csv::{difference_fields, format_line, format_number, p_value_fields},
        difference_limit::LimitStatus,
        wrapping::{MAX_WIDTH, write_wrapped},
    },
    stats::difference::DifferenceVerdict,
};

/// What the p-values of a comparison mean.
pub const P_VALUE_NOTE: &str = "p: Welch's test (a rank test must agree where it can decide), corrected for the number of points; \
     “not seen” is not “equal”: the interval says how large it may still be.";

/// Writes the comparison as text for people.
pub fn text(comparison: &Comparison) -> String {
    let mut text = String::new();
    let (a, b) = &comparison.names;
    let _ = writeln!(text, "{}", truncate(&format!("A  {a}"), MAX_WIDTH));
    let _ = writeln!(text, "{}", truncate(&format!("B  {b}"), MAX_WIDTH));
    for note in &comparison.notes {
        write_wrapped(&mut text, "! ", note);
    }
    if comparison.provenance_differences.is_empty() {
        text.push_str("\nprovenance: the same in everything that is recorded\n");
    } else {
        text.push_str(
            "\nprovenance that differs, and may be the cause of the differences below:\n",
        );
    }
    for (name, a, b) in &comparison.provenance_differences {
        let room = (MAX_WIDTH - 2 - 4) / 2;
        let one_line = format!("  {name}: {a} → {b}");
        if one_line.chars().count() <= MAX_WIDTH {
            let _ = writeln!(text, "{one_line}");
        } else {
            let _ = writeln!(text, "  {}", truncate(name, MAX_WIDTH - 2));
            let _ = writeln!(text, "    {}", truncate(&format!("A {a}"), 2 * room));
            let _ = writeln!(text, "    {}", truncate(&format!("B {b}"), 2 * room));
        }
    }
    for pair in &comparison.points {
        let count = |(n, suspect): (usize, usize)| match suspect {
            0 => n.to_string(),
            suspect => format!("{n}, {suspect} suspect"),
        };
        let [a, b] = pair.repetitions;
        let _ = writeln!(text, "\n{}", truncate(&pair.point, MAX_WIDTH));
        let _ = writeln!(text, "  repetitions: A {} · B {}", count(a), count(b));
        if pair.steered != [0, 0] {
            let [a, b] = pair.steered;
            let _ = writeln!(text, "  steered by the operator, left out: A {a} · B {b}");
        }
        if pair.differences.is_empty() && pair.merged_percentiles.is_empty() {
            text.push_str("  nothing was measured on both sides\n");
            continue;
        }
        let _ = writeln!(
            text,
            "  {:<17} {:>11} {:>11} {:>8}  {:<26} {:>7}  B − A",
            "", "A", "B", "change", "95 % interval", "p"
        );
        for row in &pair.differences {
            write_difference(&mut text, row);
        }
        for (metric, a, b) in &pair.merged_percentiles {
            let quantity = metric.quantity();
            let _ = writeln!(
                text,
                "  {:<17} {:>11} {:>11} {:>8}  all messages merged, so no interval",
                metric.to_string(),
                quantity.format(*a),
                quantity.format(*b),
                format_change((b - a) / a.abs()),
            );
        }
    }
    if !comparison.unmatched.is_empty() {
        text.push_str("\nnot compared:\n");
    }
    for line in &comparison.unmatched {
        let _ = writeln!(text, "  {}", truncate(line, MAX_WIDTH - 2));
    }
    text.push('\n');
    write_wrapped(&mut text, "", P_VALUE_NOTE);
    write_limits(&mut text, &comparison.limits);
    text
}

/// Formats a relative change with its sign: `+10.0 %`, from a tenfold on `× 191`.
pub fn format_change(share: f64) -> String {
    if !share.is_finite() {
        MISSING.to_owned()
    } else if share >= 10.0 {
        // From a tenfold on, a factor is easier to read than a percentage.
        format!("× {}", three_significant(share + 1.0))
    } else {
        format!("{:+.1} %", share * 100.0)
    }
}

/// Returns what is seen of a difference.
pub const fn difference_label(seen: DifferenceVerdict) -> &'static str {
    match seen {
        DifferenceVerdict::Higher => "higher",
        DifferenceVerdict::Lower => "lower",
        DifferenceVerdict::NotSeen => "not seen",
        DifferenceVerdict::Undecidable => "no interval",
    }
}

fn write_difference(text: &mut String, MetricDifference { metric, difference }: &MetricDifference) {
    let quantity = metric.quantity();
    let change = difference.relative().map_or_else(|| MISSING.to_owned(), format_change);
    let interval = difference
        .interval
        .map_or_else(|| MISSING.to_owned(), |(low, high)| quantity.format_interval(low, high));
    let p = difference.p.map_or_else(|| MISSING.to_owned(), probability);
    let _ = writeln!(
        text,
        "  {:<17.17} {:>11} {:>11} {:>8}  {:<26} {:>7}  {}",
        metric.to_string(),
        quantity.format(difference.means.0),
        quantity.format(difference.means.1),
        change,
        interval,
        p,
        difference_label(difference.verdict),
    );
}

/// Returns the differences that were seen, one line each, in the words of the text.
pub fn changes(comparison: &Comparison) -> Vec<String> {
    let mut lines = Vec::new();
    for pair in &comparison.points {
        for MetricDifference { metric, difference } in &pair.differences {
            if !matches!(difference.verdict, DifferenceVerdict::Higher | DifferenceVerdict::Lower) {
                continue;
            }
            let quantity = metric.quantity();
            let change = difference.relative().map(format_change);
            lines.push(format!(
                "{metric} at {}: {} → {}{} ({})",
                pair.point,
                quantity.format(difference.means.0),
                quantity.format(difference.means.1),
                change.map_or_else(String::new, |change| format!(", {change}")),
                difference_label(difference.verdict),
            ));
        }
    }
    lines
}

fn write_limits(text: &mut String, crossings: &[LimitResult]) {
    if crossings.is_empty() {
        return;
    }
    text.push_str("\nlimits:\n");
    for crossing in crossings {
        let word = match (crossing.status, crossing.limit.is_failed_by(crossing.status)) {
            (LimitStatus::CrossedSignificantly, _) => "CROSSED, with the whole interval",
            (LimitStatus::Crossed, true) => "CROSSED by the means, not by the whole interval",
            (LimitStatus::Crossed, false) => "crossed by the means, not surely",
            (LimitStatus::Held, _) => "held",
            (LimitStatus::Undecidable, _) => "cannot be judged: not measured on both sides",
        };
        let change = crossing.difference.as_ref().map_or_else(String::new, |difference| {
            let amount = crossing.limit.metric.quantity().format_signed(difference.difference);
            let share = difference.relative().map(format_change);
            let interval = difference.relative_interval.map(|(low, high)| {
                format!("95 %: {} to {}", format_change(low), format_change(high))
            });
            let parts: Vec<_> = [Some(amount), share, interval].into_iter().flatten().collect();
            format!(" ({})", parts.join(", "))
        });
        let _ = writeln!(text, "  {} at {}:", crossing.limit, crossing.point);
        write_wrapped(text, "    ", &format!("{word}{change}"));
    }
}

/// Writes the comparison as JSON in base units: microseconds, bytes, cores, counts.
pub fn json(comparison: &Comparison) -> Value {
    let interval = |interval: Option<(f64, f64)>| interval.map(|(low, high)| json!([low, high]));
    let points: Vec<_> = comparison
        .points
        .iter()
        .map(|pair| {
            let rows: Vec<_> = pair
                .differences
                .iter()
                .map(|MetricDifference { metric, difference }| {
                    json!({
                        "metric": metric.to_string(),
                        "n": [difference.n.0, difference.n.1],
                        "a": difference.means.0,
                        "b": difference.means.1,
                        "difference": difference.difference,
                        "interval": interval(difference.interval),
                        "relative": difference.relative(),
                        "relative_interval": interval(difference.relative_interval),
                        "welch_p": difference.welch_p,
                        "rank_p": difference.rank_p,
                        "p": difference.p,
                        "seen": difference_label(difference.verdict),
                    })
                })
                .collect();
            let merged: Vec<_> = pair
                .merged_percentiles
                .iter()
                .map(|(metric, a, b)| json!({ "metric": metric.to_string(), "a": a, "b": b }))
                .collect();
            json!({ "point": pair.point, "metrics": rows, "merged": merged })
        })
        .collect();
    let limits: Vec<_> = comparison
        .limits
        .iter()
        .map(|crossing| {
            json!({
                "limit": crossing.limit.to_string(),
                "point": crossing.point,
                "standing": match crossing.status {
                    LimitStatus::CrossedSignificantly => "surely-beyond",
                    LimitStatus::Crossed => "beyond",
                    LimitStatus::Held => "within",
                    LimitStatus::Undecidable => "unknown",
                },
                "fails": crossing.limit.is_failed_by(crossing.status),
            })
        })
        .collect();
    let origins: Vec<_> = comparison
        .provenance_differences
        .iter()
        .map(|(name, a, b)| json!({ "name": name, "a": a, "b": b }))
        .collect();
    json!({
        "a": comparison.names.0,
        "b": comparison.names.1,
        "notes": comparison.notes,
        "origins": origins,
        "points": points,
        "unmatched": comparison.unmatched,
        "limits": limits,
    })
}

/// Writes the comparison as CSV in base units.
pub fn csv(comparison: &Comparison) -> String {
    let mut text = String::from(
        "point,metric,n_a,n_b,a,b,difference,ci_low,ci_high,relative,welch_p,rank_p,p,seen,\
         relative_ci_low,relative_ci_high\n",
    );
    for pair in &comparison.points {
        for MetricDifference { metric, difference } in &pair.differences {
            let mut fields = vec![pair.point.clone(), metric.to_string()];
            fields.extend(difference_fields(difference));
            fields.push(format_number(difference.relative()));
            fields.extend(p_value_fields(difference));
            fields.push(difference_label(difference.verdict).to_owned());
            let relative = difference.relative_interval;
            fields.push(format_number(relative.map(|(low, _)| low)));
            fields.push(format_number(relative.map(|(_, high)| high)));
            text.push_str(&format_line(&fields));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_has_a_sign_and_is_missing_for_a_base_of_zero() {
        assert_eq!(format_change(0.1), "+10.0 %");
        assert_eq!(format_change(-0.25), "-25.0 %");
        assert_eq!(format_change(190.0), "× 191");
        assert_eq!(format_change(f64::INFINITY), MISSING);
    }
}
