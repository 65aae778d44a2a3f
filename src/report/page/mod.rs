//! The report's HTML page: conclusions first, then figures, tables and provenance.
//!
//! The page needs no network, no script and no other file.

mod optional_sections;
mod tables;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    cells::{ReportCells, SourceRecord},
    conclusions::Conclusions,
    figures::{Figure, sweep::record_letter},
    findings::{Ruling, StudyFinding},
    provenance::provenance_facts,
    svg::{self, DrawError},
};
use crate::{format::count_noun, record::ProgramVersion, server::HubKind};

const STYLE: &str = include_str!("style.css");

/// Input of [`render_page`].
#[derive(Debug)]
pub struct PageContent<'a> {
    /// Points of all records.
    pub cells: &'a ReportCells<'a>,
    /// Conclusions in sentences.
    pub conclusions: &'a Conclusions,
    /// Figures in display order.
    pub figures: &'a [Figure],
    /// Findings of the study with their rulings.
    pub findings: &'a [StudyFinding],
}

/// Renders the page as HTML.
///
/// # Errors
/// When a figure cannot be drawn.
pub fn render_page(content: &PageContent<'_>) -> Result<String, DrawError> {
    let PageContent { cells, conclusions, .. } = *content;
    let title = title(cells);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { "hubmark: " (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (title) }
                    p.sub { (subtitle(cells)) }
                    (navigation(cells))
                }
                main {
                    (conclusions_section(conclusions))
                    (optional_sections::capacities(cells))
                    (optional_sections::footprints(cells))
                    (figures_section(content.figures)?)
                    (tables::points(cells))
                    (tables::differences(conclusions))
                    (findings_section(content.findings))
                    (tables::verdicts(cells))
                    (optional_sections::standstill_list(cells))
                    (provenance_section(cells))
                }
            }
        }
    };
    Ok(page.into_string())
}

fn title(cells: &ReportCells<'_>) -> String {
    let mut names: Vec<_> =
        cells.sources.iter().map(|source| source.record.plan.profile.clone()).collect();
    names.dedup();
    names.join(", ")
}

fn subtitle(cells: &ReportCells<'_>) -> String {
    let one = |(place, source): (usize, &SourceRecord<'_>)| {
        let record = source.record;
        let hub = &record.provenance.hub;
        let machine = hub.model.clone().or_else(|| hub.cpu.clone());
        let machine = machine.unwrap_or_else(|| "a machine of unknown model".into());
        let cores = hub.cores.map_or_else(String::new, |cores| {
            format!(", {}", count_noun(u64::from(cores), "core"))
        });
        let external = record.plan.hub.kind == HubKind::External;
        let cores =
            if external { format!("{cores}; {}", record.plan.hub_summary()) } else { cores };
        let many = cells.sources.len() > 1;
        let name = if many { format!("{}: ", record_letter(place)) } else { String::new() };
        format!("{name}{}, hub {machine}{cores}", record.started.strftime("%-d %B %Y, %H:%M UTC"))
    };
    let all: Vec<_> = cells.sources.iter().enumerate().map(one).collect();
    all.join(" · ")
}

fn navigation(cells: &ReportCells<'_>) -> Markup {
    html! {
        nav {
            @if optional_sections::has_capacity(cells) {
                a href="#capacity" { "How many devices?" }
            }
            @if optional_sections::has_footprint(cells) {
                a href="#footprint" { "Footprint" }
            }
            a href="#figures" { "Figures" }
            a href="#points" { "Points" }
            a href="#differences" { "Differences" }
            a href="#findings" { "Findings of the study" }
            a href="#verdicts" { "Verdicts" }
            a href="#provenance" { "Provenance" }
        }
    }
}

fn conclusions_section(conclusions: &Conclusions) -> Markup {
    html! {
        div #answer.answer {
            (sentences("asked", "Asked", &conclusions.questions))
            @for warning in &conclusions.warnings {
                p.warn { (warning) }
            }
            (sentences("found", "Found", &conclusions.results))
            (sentences("sure", "How sure", &conclusions.confidence))
            (sentences("left", "Left out", &conclusions.exclusions))
        }
    }
}

/// Renders sentences under a heading: one as a paragraph, several as a list.
fn sentences(class: &str, heading: &str, sentences: &[String]) -> Markup {
    html! {
        section class=(class) {
            h2 { (heading) }
            @if let [only] = sentences {
                p { (only) }
            } @else {
                ul {
                    @for sentence in sentences {
                        li { (sentence) }
                    }
                }
            }
        }
    }
}

fn figures_section(figures: &[Figure]) -> Result<Markup, DrawError> {
    Ok(html! {
        h2 #figures { "Figures" }
        div.figures {
            @if figures.is_empty() {
                p { "No repetition counts, so there is nothing to draw." }
            }
            @for figure in figures {
                figure id=(figure.id) class=[(figure.panels.len() == 1).then_some("one")] {
                    h3 { (heading(figure)) }
                    div.panels {
                        @for panel in &figure.panels {
                            (PreEscaped(svg::draw_single_panel(figure, panel)?))
                        }
                    }
                    figcaption { (figure.caption) }
                }
            }
        }
    })
}

/// Returns the figure's title, with the study's number for a figure of the study.
fn heading(figure: &Figure) -> String {
    match figure.id.strip_prefix("figure-") {
        Some(number) => format!("Figure {number}. {}", figure.title),
        None => figure.title.clone(),
    }
}

fn findings_section(findings: &[StudyFinding]) -> Markup {
    let class = |ruling| match ruling {
        Ruling::Confirmed => "confirmed",
        Ruling::Contradicted => "contradicted",
        Ruling::Undecidable => "undecided",
    };
    html! {
        h2 #findings { "Findings of the study" }
        p {
            "Statements of the study (N. Haiko, University of Oulu, 2022: a Raspberry Pi 4), checked \
             against these records. Confirmed: the whole 95\u{a0}% interval agrees. Contradicted: the \
             whole interval disagrees. Either counts only if its p, corrected for the number of tests \
             behind all of these findings (Holm), is below 5\u{a0}%. Everything else is not decidable with these records. Another \
             hub may differ from that Pi: a contradiction is a fact about this hub."
        }
        div.scroll {
            table.findings.wide {
                thead { tr { th { "Finding" } th { "These records" } th { "Numbers" } } }
                tbody {
                    @for finding in findings {
                        tr {
                            td { (finding.claim) br; small { "Here: " (finding.meaning) "." } }
                            td class=(class(finding.ruling)) { (finding.ruling.text()) }
                            td { (tables::lines(&finding.evidence)) }
                        }
                    }
                }
            }
        }
    }
}

fn provenance_section(cells: &ReportCells<'_>) -> Markup {
    html! {
        h2 #provenance { "Provenance" }
        @for (place, source) in cells.sources.iter().enumerate() {
            h3 { "Record " (record_letter(place)) ": " (source.name) }
            div.scroll {
                table {
                    tbody {
                        @for (name, value) in provenance_facts(source.record) {
                            tr { th { (name) } td { (value) } }
                        }
                    }
                }
            }
            details {
                summary { "The profile's text" }
                pre { (source.record.profile) }
            }
        }
        p.sub { "Report by hubmark " (ProgramVersion::current().version) "." }
    }
}
