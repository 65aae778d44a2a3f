//! A comparison for people (at most 100 columns), for programs (JSON) and for spreadsheets (CSV).

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Comparison, Crossing, Row};
use crate::{
    format::{MISSING, fit, three},
    report::{
        csv::joined,
        limit::Standing,
        page::probability,
        text::{WIDTH, wrapped},
    },
    stats::difference::Seen,
};

/// For people.
pub fn text(comparison: &Comparison) -> String {
    let mut text = String::new();
    let (a, b) = &comparison.names;
    let _ = writeln!(text, "{}", fit(&format!("A  {a}"), WIDTH));
    let _ = writeln!(text, "{}", fit(&format!("B  {b}"), WIDTH));
    for note in &comparison.notes {
        wrapped(&mut text, "! ", note);
    }
    if comparison.origins.is_empty() {
        text.push_str("\norigin: the same in everything that is recorded\n");
    } else {
        text.push_str("\norigin that differs, and may be the cause of what follows:\n");
    }
    for (name, a, b) in &comparison.origins {
        let room = (WIDTH - 2 - 4) / 2;
        let one_line = format!("  {name}: {a} → {b}");
        if one_line.chars().count() <= WIDTH {
            let _ = writeln!(text, "{one_line}");
        } else {
            let _ = writeln!(text, "  {}", fit(name, WIDTH - 2));
            let _ = writeln!(text, "    {}", fit(&format!("A {a}"), 2 * room));
            let _ = writeln!(text, "    {}", fit(&format!("B {b}"), 2 * room));
        }
    }
    for pair in &comparison.points {
        let count = |(n, suspect): (usize, usize)| match suspect {
            0 => n.to_string(),
            suspect => format!("{n}, {suspect} suspect"),
        };
        let [a, b] = pair.repetitions;
        let _ = writeln!(text, "\n{}", fit(&pair.point, WIDTH));
        let _ = writeln!(text, "  repetitions: A {} · B {}", count(a), count(b));
        if pair.rows.is_empty() && pair.merged.is_empty() {
            text.push_str("  nothing was measured on both sides\n");
            continue;
        }
        let _ = writeln!(
            text,
            "  {:<17} {:>11} {:>11} {:>8}  {:<26} {:>7}  B − A",
            "", "A", "B", "change", "95 % interval", "p"
        );
        for row in &pair.rows {
            line(&mut text, row);
        }
        for (metric, a, b) in &pair.merged {
            let quantity = metric.quantity();
            let _ = writeln!(
                text,
                "  {:<17} {:>11} {:>11} {:>8}  all messages merged, so no interval",
                metric.to_string(),
                quantity.write(*a),
                quantity.write(*b),
                percent((b - a) / a.abs()),
            );
        }
    }
    if !comparison.unmatched.is_empty() {
        text.push_str("\nnot compared:\n");
    }
    for line in &comparison.unmatched {
        let _ = writeln!(text, "  {}", fit(line, WIDTH - 2));
    }
    text.push_str(
        "\np: Welch's test (a rank test must agree where it can decide), corrected for the number of\n\
         points; “not seen” is not “equal”: the interval says how large it may still be.\n",
    );
    limits(&mut text, &comparison.limits);
    text
}

fn percent(share: f64) -> String {
    if !share.is_finite() {
        MISSING.to_owned()
    } else if share >= 10.0 {
        // More than a tenfold is no percentage any more.
        format!("× {}", three(share + 1.0))
    } else {
        format!("{:+.1} %", share * 100.0)
    }
}

const fn word(seen: Seen) -> &'static str {
    match seen {
        Seen::Higher => "higher",
        Seen::Lower => "lower",
        Seen::Nothing => "not seen",
        Seen::Undecidable => "no interval",
    }
}

fn line(text: &mut String, Row { metric, difference }: &Row) {
    let quantity = metric.quantity();
    let change = difference.relative().map_or_else(|| MISSING.to_owned(), |(r, _)| percent(r));
    let interval = difference
        .interval
        .map_or_else(|| MISSING.to_owned(), |(low, high)| quantity.range(low, high));
    let p = difference.p.map_or_else(|| MISSING.to_owned(), probability);
    let _ = writeln!(
        text,
        "  {:<17.17} {:>11} {:>11} {:>8}  {:<26} {:>7}  {}",
        metric.to_string(),
        quantity.write(difference.means.0),
        quantity.write(difference.means.1),
        change,
        interval,
        p,
        word(difference.seen),
    );
}

fn limits(text: &mut String, crossings: &[Crossing]) {
    if crossings.is_empty() {
        return;
    }
    text.push_str("\nlimits:\n");
    for crossing in crossings {
        let word = match (crossing.standing, crossing.limit.fails(crossing.standing)) {
            (Standing::SurelyBeyond, _) => "CROSSED, with the whole interval",
            (Standing::Beyond, true) => "CROSSED by the means; the interval does not say so",
            (Standing::Beyond, false) => "crossed by the means, not surely",
            (Standing::Within, _) => "held",
            (Standing::Unknown, _) => "cannot be judged: not measured on both sides",
        };
        let change = crossing.difference.as_ref().map_or_else(String::new, |difference| {
            let share = difference.relative().map(|(share, _)| percent(share));
            let amount = crossing.limit.metric.quantity().signed(difference.difference);
            format!(" ({amount}{})", share.map_or_else(String::new, |share| format!(", {share}")))
        });
        let _ = writeln!(text, "  {} at {}:", crossing.limit, crossing.point);
        let _ = writeln!(text, "    {word}{change}");
    }
}

/// For programs; microseconds, bytes, cores, counts.
pub fn json(comparison: &Comparison) -> Value {
    let interval = |interval: Option<(f64, f64)>| interval.map(|(low, high)| json!([low, high]));
    let points: Vec<_> = comparison
        .points
        .iter()
        .map(|pair| {
            let rows: Vec<_> = pair
                .rows
                .iter()
                .map(|Row { metric, difference }| {
                    json!({
                        "metric": metric.to_string(),
                        "n": [difference.n.0, difference.n.1],
                        "a": difference.means.0,
                        "b": difference.means.1,
                        "difference": difference.difference,
                        "interval": interval(difference.interval),
                        "relative": difference.relative().map(|(share, _)| share),
                        "welch_p": difference.welch_p,
                        "rank_p": difference.rank_p,
                        "p": difference.p,
                        "seen": word(difference.seen),
                    })
                })
                .collect();
            let merged: Vec<_> = pair
                .merged
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
                "standing": match crossing.standing {
                    Standing::SurelyBeyond => "surely-beyond",
                    Standing::Beyond => "beyond",
                    Standing::Within => "within",
                    Standing::Unknown => "unknown",
                },
                "fails": crossing.limit.fails(crossing.standing),
            })
        })
        .collect();
    let origins: Vec<_> = comparison
        .origins
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

/// For spreadsheets.
pub fn csv(comparison: &Comparison) -> String {
    let mut text = String::from(
        "point,metric,n_a,n_b,a,b,difference,ci_low,ci_high,relative,welch_p,rank_p,p,seen\n",
    );
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    for pair in &comparison.points {
        for Row { metric, difference } in &pair.rows {
            text.push_str(&joined(&[
                pair.point.clone(),
                metric.to_string(),
                difference.n.0.to_string(),
                difference.n.1.to_string(),
                difference.means.0.to_string(),
                difference.means.1.to_string(),
                difference.difference.to_string(),
                number(difference.interval.map(|i| i.0)),
                number(difference.interval.map(|i| i.1)),
                number(difference.relative().map(|(share, _)| share)),
                number(difference.welch_p),
                number(difference.rank_p),
                number(difference.p),
                word(difference.seen).to_owned(),
            ]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_has_a_sign_and_no_change_of_nothing() {
        assert_eq!(percent(0.1), "+10.0 %");
        assert_eq!(percent(-0.25), "-25.0 %");
        assert_eq!(percent(190.0), "× 191");
        assert_eq!(percent(f64::INFINITY), MISSING);
    }
}
