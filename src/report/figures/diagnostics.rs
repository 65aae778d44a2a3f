//! Figures beyond the study's: which there are, and the cost of a message.

use super::{
    figure::{Figure, PlotKind},
    generator_health, latency_distribution, over_time,
    sweep::{Sweep, SweptValue},
};
use crate::report::{cells::ReportCells, metric::Metric};

/// Returns the diagnostic figures that the records have data for.
pub fn figures(cells: &ReportCells<'_>) -> Vec<Figure> {
    let families: Vec<_> = [SweptValue::Users, SweptValue::Payload, SweptValue::Scenario]
        .map(|over| Sweep::from_cells(cells, over))
        .into_iter()
        .filter(|sweep| !sweep.is_empty())
        .collect();
    let Some(first) = families.first() else { return Vec::new() };
    let mut figures = Vec::new();
    if first.swept != SweptValue::Scenario {
        figures.extend([
            latency_distribution::percentile_spectrum(first),
            latency_distribution::corrected_latency(first),
            over_time::latency(first),
            over_time::messages(first),
        ]);
    }
    figures.push(over_time::resources(first));
    figures.extend(families.iter().map(message_cost));
    figures.push(generator_health::generator_health(cells));
    figures.retain(|figure| !figure.is_empty());
    figures
}

fn message_cost(sweep: &Sweep<'_>) -> Figure {
    let kind = if sweep.swept == SweptValue::Scenario { PlotKind::Bars } else { PlotKind::Lines };
    let mut panels = vec![
        sweep.panel("A: processor", Metric::CpuPerMessage, "processor time", kind),
        sweep.panel("B: network", Metric::WirePerMessage, "received and sent", kind),
        sweep.panel("C: disk", Metric::WrittenPerMessage, "written", kind),
    ];
    panels.retain(|panel| !panel.series.is_empty());
    let by = match sweep.swept {
        SweptValue::Users => "users",
        SweptValue::Payload => "payload",
        SweptValue::Scenario => "scenario",
    };
    let note = "servers' totals over the load for each message that arrived (producer alone: was \
                acknowledged), their idle cost included";
    sweep.figure(&format!("cost-by-{by}"), &format!("Cost of a message by {by}"), note, panels)
}
