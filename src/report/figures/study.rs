//! Figures 11 to 20 of the study, each with its axes and series.

use super::{
    figure::{Figure, FigurePanel, PlotKind},
    sweep::{Sweep, SweptValue},
};
use crate::report::{
    cells::ReportCells,
    metric::{LatencyKind, LatencyStat, Metric, ResourceMetric},
};

const MEAN_DELIVERY: Metric = Metric::Latency(LatencyKind::Delivery, LatencyStat::Mean);
const CPU: Metric = Metric::Resource(ResourceMetric::Cpu);
const RECEIVED: Metric = Metric::Resource(ResourceMetric::NetworkReceived);
const SENT: Metric = Metric::Resource(ResourceMetric::NetworkSent);

/// Returns the study's figures that the records have data for.
pub fn figures(cells: &ReportCells<'_>) -> Vec<Figure> {
    let mut figures = Vec::new();
    let users = Sweep::from_cells(cells, SweptValue::Users);
    if !users.is_empty() {
        figures.extend(by_users(&users));
    }
    let payload = Sweep::from_cells(cells, SweptValue::Payload);
    if !payload.is_empty() {
        figures.extend(by_payload(&payload));
    }
    let scenario = Sweep::from_cells(cells, SweptValue::Scenario);
    if !scenario.is_empty() {
        figures.extend(by_scenario(&scenario));
    }
    figures.retain(|figure| !figure.is_empty());
    figures
}

fn by_users(sweep: &Sweep<'_>) -> [Figure; 4] {
    let latency = sweep.panel("", MEAN_DELIVERY, "mean delivery latency", PlotKind::Lines);
    let cpu = sweep.panel("A: processor", CPU, "cores in use, mean", PlotKind::Bars);
    let memory = Metric::Resource(ResourceMetric::MemoryGrowth);
    let memory = sweep.panel("B: memory", memory, "growth over idle", PlotKind::Bars);
    let (written, source) = written_metric(sweep);
    let written = sweep.panel("", written, "bytes written", PlotKind::Bars);
    [
        sweep.figure("figure-11", "Latency by users", "", vec![latency]),
        sweep.figure("figure-12", "Processor and memory by users", SUM_NOTE, vec![cpu, memory]),
        sweep.figure("figure-13", "Disk writes of a run by users", source, vec![written]),
        sweep.figure("figure-14", "Network of a run by users", SUM_NOTE, network(sweep)),
    ]
}

fn by_payload(sweep: &Sweep<'_>) -> [Figure; 2] {
    let latency = sweep.panel("", MEAN_DELIVERY, "mean delivery latency", PlotKind::Lines);
    let cpu = sweep.panel("", CPU, "cores in use, mean", PlotKind::Lines);
    [
        sweep.figure("figure-15", "Latency by payload", "", vec![latency]),
        sweep.figure("figure-16", "Processor by payload", SUM_NOTE, vec![cpu]),
    ]
}

fn by_scenario(sweep: &Sweep<'_>) -> [Figure; 4] {
    let rate = sweep.panel("", Metric::Throughput, "payload per second", PlotKind::Bars);
    let cpu = sweep.panel("", CPU, "cores in use, mean", PlotKind::Bars);
    let (written, source) = written_metric(sweep);
    let written = sweep.panel("", written, "bytes written", PlotKind::Bars);
    [
        sweep.figure("figure-17", "Data rate by scenario", "", vec![rate]),
        sweep.figure("figure-18", "Processor by scenario", SUM_NOTE, vec![cpu]),
        sweep.figure("figure-19", "Network by scenario", SUM_NOTE, network(sweep)),
        sweep.figure("figure-20", "Block writes by scenario", source, vec![written]),
    ]
}

const SUM_NOTE: &str = "sum over all of a backend's servers";

fn network(sweep: &Sweep<'_>) -> Vec<FigurePanel> {
    vec![
        sweep.panel("A: received by the servers", RECEIVED, "bytes received", PlotKind::Bars),
        sweep.panel("B: sent by the servers", SENT, "bytes sent", PlotKind::Bars),
    ]
}

/// Chooses the metric for "bytes written", the same for all bars of a figure.
///
/// The block counters, or the growth of the data folders when the counters stay 0 although data grew.
fn written_metric(sweep: &Sweep<'_>) -> (Metric, &'static str) {
    let block = Metric::Resource(ResourceMetric::BlockWritten);
    let growth = Metric::Resource(ResourceMetric::DataGrowth);
    let any = |metric: Metric| {
        sweep.cells.iter().any(|cell| cell.values(metric).iter().any(|value| *value > 0.0))
    };
    if !any(block) && any(growth) {
        return (
            growth,
            "growth of the data folders, sum over all servers: the block counters of this hub \
             counted no write",
        );
    }
    (block, "block counters, sum over all servers; a host that counts no buffered write shows less")
}
