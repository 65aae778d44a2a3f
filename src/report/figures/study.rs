//! Figures 11 to 20 of the study, each with its axes and series.

use super::{
    Figure, Kind,
    family::{Family, Over},
};
use crate::report::{
    cells::Cells,
    metric::{Metric, Resource, Span, Stat},
};

const MEAN: Metric = Metric::Latency(Span::Delivery, Stat::Mean);
const CPU: Metric = Metric::Resource(Resource::Cpu);
const RECEIVED: Metric = Metric::Resource(Resource::NetworkReceived);
const SENT: Metric = Metric::Resource(Resource::NetworkSent);

/// Those of the study's figures that the records can fill.
pub fn figures(cells: &Cells<'_>) -> Vec<Figure> {
    let mut figures = Vec::new();
    let users = Family::of(cells, Over::Users);
    if !users.is_empty() {
        figures.extend(by_users(&users));
    }
    let payload = Family::of(cells, Over::Payload);
    if !payload.is_empty() {
        figures.extend(by_payload(&payload));
    }
    let scenario = Family::of(cells, Over::Scenario);
    if !scenario.is_empty() {
        figures.extend(by_scenario(&scenario));
    }
    figures.retain(|figure| !figure.is_empty());
    figures
}

fn by_users(family: &Family<'_>) -> [Figure; 4] {
    let latency = family.panel("", MEAN, "mean delivery latency", Kind::Lines);
    let cpu = family.panel("A: processor", CPU, "cores in use, mean", Kind::Bars);
    let memory = Metric::Resource(Resource::MemoryGrowth);
    let memory = family.panel("B: memory", memory, "growth over idle", Kind::Bars);
    let (written, source) = writes(family);
    let written = family.panel("", written, "bytes written", Kind::Bars);
    [
        family.figure("figure-11", "Latency by users", "", vec![latency]),
        family.figure("figure-12", "Processor and memory by users", SERVERS, vec![cpu, memory]),
        family.figure("figure-13", "Disk writes of a run by users", source, vec![written]),
        family.figure("figure-14", "Network of a run by users", SERVERS, network(family)),
    ]
}

fn by_payload(family: &Family<'_>) -> [Figure; 2] {
    let latency = family.panel("", MEAN, "mean delivery latency", Kind::Lines);
    let cpu = family.panel("", CPU, "cores in use, mean", Kind::Lines);
    [
        family.figure("figure-15", "Latency by payload", "", vec![latency]),
        family.figure("figure-16", "Processor by payload", SERVERS, vec![cpu]),
    ]
}

fn by_scenario(family: &Family<'_>) -> [Figure; 4] {
    let rate = family.panel("", Metric::Throughput, "payload per second", Kind::Bars);
    let cpu = family.panel("", CPU, "cores in use, mean", Kind::Bars);
    let (written, source) = writes(family);
    let written = family.panel("", written, "bytes written", Kind::Bars);
    [
        family.figure("figure-17", "Data rate by scenario", "", vec![rate]),
        family.figure("figure-18", "Processor by scenario", SERVERS, vec![cpu]),
        family.figure("figure-19", "Network by scenario", SERVERS, network(family)),
        family.figure("figure-20", "Block writes by scenario", source, vec![written]),
    ]
}

const SERVERS: &str = "sum over all of a backend's servers";

fn network(family: &Family<'_>) -> Vec<super::Panel> {
    vec![
        family.panel("A: received by the servers", RECEIVED, "bytes received", Kind::Bars),
        family.panel("B: sent by the servers", SENT, "bytes sent", Kind::Bars),
    ]
}

/// What stands for "bytes written": the block counters, or, where they count nothing although data
/// grew, the growth of the data folders. The same for all bars of a figure.
fn writes(family: &Family<'_>) -> (Metric, &'static str) {
    let block = Metric::Resource(Resource::BlockWritten);
    let growth = Metric::Resource(Resource::DataGrowth);
    let any = |metric: Metric| {
        family.cells.iter().any(|cell| cell.values(metric).iter().any(|value| *value > 0.0))
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
