//! Tables as comma-separated values, with units in the column names.

mod repetitions;

pub use repetitions::{repetitions, repetitions_of_records};

use super::{
    cells::SourceRecord, figures::Figure, findings::StudyFinding,
    series_comparison::SeriesComparison,
};
use crate::stats::difference::Difference;

/// Writes the values of a figure, in the units of its axes.
pub fn figure(figure: &Figure) -> String {
    let mut text = String::from(
        "panel,series,x_axis,x,x_label,y_axis,y,whisker_low,whisker_high,ci_low,ci_high,n,suspect\n",
    );
    for panel in &figure.panels {
        for series in &panel.series {
            for mark in &series.marks {
                let at = |(x, _): &&(f64, String)| x.total_cmp(&mark.x).is_eq();
                let label = panel.x.ticks.iter().find(at).map(|(_, text)| text.clone());
                let fields = [
                    panel.title.clone(),
                    series.label.clone(),
                    panel.x.title_with_unit(),
                    mark.x.to_string(),
                    label.unwrap_or_default(),
                    panel.y.title_with_unit(),
                    mark.y.to_string(),
                    format_number(mark.whiskers.map(|w| w.0)),
                    format_number(mark.whiskers.map(|w| w.1)),
                    format_number(mark.interval.map(|i| i.0)),
                    format_number(mark.interval.map(|i| i.1)),
                    mark.n.to_string(),
                    mark.suspect.to_string(),
                ];
                text.push_str(&format_line(&fields));
            }
        }
        for guide in &panel.reference_lines {
            let (x, y) =
                if guide.is_vertical { (Some(guide.at), None) } else { (None, Some(guide.at)) };
            let mut fields = [const { String::new() }; 13];
            fields[..3].clone_from_slice(&[
                panel.title.clone(),
                format!("line: {}", guide.label),
                panel.x.title_with_unit(),
            ]);
            (fields[3], fields[5], fields[6]) =
                (format_number(x), panel.y.title_with_unit(), format_number(y));
            text.push_str(&format_line(&fields));
        }
    }
    text
}

/// Writes every number of users tried by capacity searches; `None` without a search.
pub fn capacity(sources: &[SourceRecord<'_>]) -> Option<String> {
    let mut text = String::from(
        "record,backend,payload_bytes,durability,objectives,lower,upper,confidence,stage,limited_by,\
         users,held,missed,tested_held,tested_missed,outcome,error_at_most\n",
    );
    let whole = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
    let mut any = false;
    for source in sources {
        for capacity in &source.record.capacity {
            any = true;
            let objectives: Vec<_> = capacity.objectives.iter().map(ToString::to_string).collect();
            for probe in &capacity.probes {
                let decided = capacity.decisions.iter().find(|one| one.users == probe.users);
                text.push_str(&format_line(&[
                    source.name.to_owned(),
                    capacity.backend.to_string(),
                    capacity.payload.0.to_string(),
                    capacity.durability.name().to_owned(),
                    objectives.join("; "),
                    whole(capacity.lower),
                    whole(capacity.upper),
                    capacity.confidence.to_string(),
                    capacity.stage.title().to_owned(),
                    capacity.limit_text().unwrap_or_default(),
                    probe.users.to_string(),
                    probe.held.to_string(),
                    probe.missed.to_string(),
                    whole(decided.map(|one| one.held)),
                    whole(decided.map(|one| one.missed)),
                    decided.and_then(|one| one.outcome).map_or("", |o| o.title()).to_owned(),
                    format_number(decided.map(|one| one.error_at_most)),
                ]));
            }
        }
    }
    any.then_some(text)
}

/// Writes every footprint card, one value per line, in base units; `None` without a card.
pub fn footprints(sources: &[SourceRecord<'_>]) -> Option<String> {
    let mut text = String::from("record,backend,figure,value\n");
    let mut any = false;
    for source in sources {
        for (backend, card) in &source.record.footprints {
            any = true;
            // Names as in the record, whose schema documents their units.
            let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(card) else {
                continue;
            };
            for (name, value) in fields {
                let value = match value {
                    serde_json::Value::Null => String::new(),
                    serde_json::Value::String(text) => text,
                    other => other.to_string(),
                };
                text.push_str(&format_line(&[
                    source.name.to_owned(),
                    backend.clone(),
                    name,
                    value,
                ]));
            }
        }
    }
    any.then_some(text)
}

/// Writes the study's findings with their rulings and evidence.
pub fn findings(findings: &[StudyFinding]) -> String {
    let mut text = String::from("finding,meaning,ruling,evidence\n");
    for finding in findings {
        text.push_str(&format_line(&[
            finding.claim.to_owned(),
            finding.meaning.to_owned(),
            finding.ruling.text().to_owned(),
            finding.evidence.join("; "),
        ]));
    }
    text
}

/// Writes comparisons of series at equal points, in base units (microseconds, bytes per second, …).
pub fn series_comparisons(all: &[SeriesComparison]) -> String {
    let mut text = String::from(
        "at,metric,first,second,n_first,n_second,mean_first,mean_second,difference,ci_low,ci_high,\
         welch_p,rank_p,p_corrected,seen\n",
    );
    for versus in all {
        let difference = &versus.difference;
        let mut fields = vec![
            versus.at.clone(),
            versus.metric.to_string(),
            versus.labels.0.clone(),
            versus.labels.1.clone(),
        ];
        fields.extend(difference_fields(difference));
        fields.extend(p_value_fields(difference));
        fields.push(format!("{:?}", difference.verdict).to_lowercase());
        text.push_str(&format_line(&fields));
    }
    text
}

/// Joins fields to one line of CSV, quoting them where needed.
pub fn format_line(fields: &[String]) -> String {
    fields.iter().map(|field| quote_field(field)).collect::<Vec<_>>().join(",") + "\n"
}

/// Returns sample sizes, means, difference and the ends of its interval as fields.
pub fn difference_fields(difference: &Difference) -> [String; 7] {
    [
        difference.n.0.to_string(),
        difference.n.1.to_string(),
        difference.means.0.to_string(),
        difference.means.1.to_string(),
        difference.difference.to_string(),
        format_number(difference.interval.map(|(low, _)| low)),
        format_number(difference.interval.map(|(_, high)| high)),
    ]
}

/// Returns the p-values of Welch's test, of the rank test, and corrected for all tests, as fields.
pub fn p_value_fields(difference: &Difference) -> [String; 3] {
    [difference.welch_p, difference.rank_p, difference.p].map(format_number)
}

/// Formats a number with all its digits; empty if it is missing.
pub fn format_number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Quotes a field with a comma, a quote or a line break (RFC 4180).
fn quote_field(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::quote_field;

    #[test]
    fn fields_that_would_break_a_line_are_quoted() {
        assert_eq!(quote_field("plain"), "plain");
        assert_eq!(quote_field("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
