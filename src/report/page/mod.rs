//! One HTML page: the answer first, then figures, tables, provenance. It needs no network, no
//! script and no other file.

mod more;
mod tables;

pub use tables::probability;

use std::fmt::Write;

use super::{
    answer::Answer,
    cells::Cells,
    figures::{Figure, family::letter},
    findings::{Finding, Ruling},
    html::escape,
    provenance::provenance,
    svg::{self, DrawError},
};
use crate::{record::Hubmark, server::HubKind};

const STYLE: &str = include_str!("style.css");

/// What a page shows.
#[derive(Debug)]
pub struct Content<'a> {
    /// The records.
    pub cells: &'a Cells<'a>,
    /// The answer.
    pub answer: &'a Answer,
    /// The figures.
    pub figures: &'a [Figure],
    /// The study's findings.
    pub findings: &'a [Finding],
}

/// The page.
///
/// # Errors
/// When a figure cannot be drawn.
pub fn page(content: &Content<'_>) -> Result<String, DrawError> {
    let mut text = String::new();
    let title = title(content.cells);
    let title = escape(&title);
    let _ = write!(
        text,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>hubmark: {title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n\
         <h1>{title}</h1>\n<p class=\"sub\">{}</p>\n",
        escape(&subtitle(content.cells))
    );
    text.push_str("<nav>");
    if more::has_capacity(content.cells) {
        text.push_str("<a href=\"#capacity\">How many devices?</a>");
    }
    if more::has_footprint(content.cells) {
        text.push_str("<a href=\"#footprint\">Footprint</a>");
    }
    text.push_str(
        "<a href=\"#figures\">Figures</a><a href=\"#points\">Points</a>\
         <a href=\"#differences\">Differences</a><a href=\"#findings\">Findings of the study</a>\
         <a href=\"#verdicts\">Verdicts</a><a href=\"#provenance\">Provenance</a></nav>\n</header>\n\
         <main>\n",
    );
    answer(&mut text, content.answer);
    more::capacities(&mut text, content.cells);
    more::footprints(&mut text, content.cells);
    figures(&mut text, content.figures)?;
    tables::points(&mut text, content.cells);
    tables::differences(&mut text, content.answer);
    findings(&mut text, content.findings);
    tables::verdicts(&mut text, content.cells);
    origins(&mut text, content.cells);
    text.push_str("</main>\n</body>\n</html>\n");
    Ok(text)
}

fn title(cells: &Cells<'_>) -> String {
    let mut names: Vec<_> =
        cells.sources.iter().map(|source| source.record.plan.profile.clone()).collect();
    names.dedup();
    names.join(", ")
}

fn subtitle(cells: &Cells<'_>) -> String {
    let one = |(place, source): (usize, &super::cells::Source<'_>)| {
        let record = source.record;
        let hub = &record.provenance.hub;
        let machine = hub.model.clone().or_else(|| hub.cpu.clone());
        let machine = machine.unwrap_or_else(|| "a machine of unknown model".into());
        let cores = hub.cores.map_or_else(String::new, |cores| format!(", {cores} cores"));
        let external = record.plan.hub.kind == HubKind::External;
        let cores = if external { format!("{cores}; {}", record.plan.place()) } else { cores };
        let many = cells.sources.len() > 1;
        let name = if many { format!("{}: ", letter(place)) } else { String::new() };
        format!("{name}{}, hub {machine}{cores}", record.started.strftime("%-d %B %Y, %H:%M UTC"))
    };
    let all: Vec<_> = cells.sources.iter().enumerate().map(one).collect();
    all.join(" · ")
}

fn list(text: &mut String, class: &str, head: &str, lines: &[String]) {
    let _ = write!(text, "<section class=\"{class}\"><h2>{head}</h2>");
    match lines {
        [only] => {
            let _ = write!(text, "<p>{}</p>", escape(only));
        }
        lines => {
            text.push_str("<ul>");
            for line in lines {
                let _ = write!(text, "<li>{}</li>", escape(line));
            }
            text.push_str("</ul>");
        }
    }
    text.push_str("</section>\n");
}

fn answer(text: &mut String, answer: &Answer) {
    text.push_str("<div class=\"answer\" id=\"answer\">\n");
    list(text, "asked", "Asked", &answer.asked);
    for doubt in &answer.doubts {
        let _ = writeln!(text, "<p class=\"warn\">{}</p>", escape(doubt));
    }
    list(text, "found", "Found", &answer.found);
    list(text, "sure", "How sure", &answer.sure);
    list(text, "left", "Left out", &answer.left_out);
    text.push_str("</div>\n");
}

fn figures(text: &mut String, figures: &[Figure]) -> Result<(), DrawError> {
    text.push_str("<h2 id=\"figures\">Figures</h2>\n<div class=\"figures\">\n");
    if figures.is_empty() {
        text.push_str("<p>No repetition counts, so there is nothing to draw.</p>\n");
    }
    for figure in figures {
        let class = if figure.panels.len() == 1 { " class=\"one\"" } else { "" };
        let _ = write!(
            text,
            "<figure id=\"{}\"{class}>\n<h3>{}</h3>\n<div class=\"panels\">\n",
            escape(&figure.id),
            escape(&heading(figure)),
        );
        for panel in &figure.panels {
            text.push_str(&svg::panel(figure, panel)?);
            text.push('\n');
        }
        let _ = write!(
            text,
            "</div>\n<figcaption>{}</figcaption>\n</figure>\n",
            escape(&figure.caption)
        );
    }
    text.push_str("</div>\n");
    Ok(())
}

/// The study's figures carry its numbers.
fn heading(figure: &Figure) -> String {
    match figure.id.strip_prefix("figure-") {
        Some(number) => format!("Figure {number}. {}", figure.title),
        None => figure.title.clone(),
    }
}

fn findings(text: &mut String, findings: &[Finding]) {
    text.push_str(
        "<h2 id=\"findings\">Findings of the study</h2>\n<p>What the study found (N. Haiko, \
         University of Oulu, 2022: a Raspberry Pi 4), and what these records say of it. Confirmed: \
         the whole 95&nbsp;% interval agrees. Contradicted: the whole interval disagrees. All else is \
         not decidable here. Another hub may well differ from that Pi: a contradiction is a fact \
         about this hub.</p>\n<div class=\"scroll\"><table class=\"findings wide\"><thead><tr>\
         <th>Finding</th><th>These records</th><th>Numbers</th></tr></thead><tbody>\n",
    );
    for finding in findings {
        let class = match finding.ruling {
            Ruling::Confirmed => "confirmed",
            Ruling::Contradicted => "contradicted",
            Ruling::Undecidable => "undecided",
        };
        let evidence: Vec<_> = finding.evidence.iter().map(|line| escape(line)).collect();
        let _ = writeln!(
            text,
            "<tr><td>{}<br><small>Here: {}.</small></td><td class=\"{class}\">{}</td><td>{}</td></tr>",
            escape(finding.claim),
            escape(finding.meaning),
            finding.ruling.text(),
            evidence.join("<br>"),
        );
    }
    text.push_str("</tbody></table></div>\n");
}

fn origins(text: &mut String, cells: &Cells<'_>) {
    text.push_str("<h2 id=\"provenance\">Provenance</h2>\n");
    for (place, source) in cells.sources.iter().enumerate() {
        let record = source.record;
        let _ = write!(
            text,
            "<h3>Record {}: {}</h3>\n<div class=\"scroll\"><table><tbody>\n",
            letter(place),
            escape(source.name)
        );
        for (name, value) in provenance(record) {
            let _ =
                writeln!(text, "<tr><th>{}</th><td>{}</td></tr>", escape(&name), escape(&value));
        }
        let _ = write!(
            text,
            "</tbody></table></div>\n<details><summary>The profile, as it was given</summary>\
             <pre>{}</pre></details>\n",
            escape(&record.profile)
        );
    }
    let this = Hubmark::this();
    let _ = writeln!(text, "<p class=\"sub\">Report by hubmark {}.</p>", escape(&this.version));
}
