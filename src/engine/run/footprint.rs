//! Measures a backend's footprint: cold starts, idle and load figures of an ordinary repetition, and
//! recovery after a kill, each on clean servers.

use std::time::Duration;

use super::{
    repetition::{self, RunContext},
    resolve::repetition_context,
};
use crate::{
    backend::Backend,
    engine::RunError,
    event::Event,
    plan::{
        ArrivalDistribution, Fault, FaultKind, LatencyWorkload, PayloadSource, Plan, Point,
        ScheduledRepetition, Workload,
    },
    record::{Footprint, Repetition, Resources},
    server::LaunchSpec,
    units::Bytes,
};

/// Number of cold starts; the median counts, because a single one may have met a busy disk.
const COLD_START_COUNT: usize = 3;
/// Time from the start of the load to the kill of the server.
const KILL_DELAY: Duration = Duration::from_secs(3);
/// How long users keep sending; a broker whose old session must first expire needs most of it.
const RECOVERY_LOAD_DURATION: Duration = Duration::from_mins(1);
/// Interval between two messages of one of those users.
const RECOVERY_MESSAGE_INTERVAL: Duration = Duration::from_millis(100);

/// Measures what `ordinary`, a repetition of `point`, does not contain, and builds the footprint.
///
/// # Errors
/// The operator stopped the run; other failures become notes of the footprint.
pub async fn measure(
    environment: &RunContext<'_>,
    backend: &dyn Backend,
    point: &Point,
    ordinary: Option<&Repetition>,
) -> Result<Footprint, RunError> {
    let mut footprint =
        Footprint { idle_seconds: environment.plan.baseline.as_secs_f64(), ..Footprint::default() };
    add_image_sizes(&mut footprint, environment, backend, point).await;
    match ordinary {
        Some(repetition) => {
            let counts_writes = environment.counts_writes;
            add_repetition_figures(&mut footprint, point, repetition, counts_writes);
        }
        None => footprint.notes.push("idle and load figures: no repetition completed".into()),
    }
    for number in 1..=COLD_START_COUNT {
        report_progress(environment, point, &format!("cold start {number} of {COLD_START_COUNT}"));
        match run_extra_repetition(
            environment,
            backend,
            point,
            small_workload(1, 1, Duration::from_millis(1)),
            Vec::new(),
        )
        .await?
        {
            Ok(repetition) => footprint.cold_starts.extend(cold_start_seconds(&repetition)),
            Err(reason) => footprint.notes.push(format!("cold start: {reason}")),
        }
    }
    footprint.cold_start_seconds = median(&footprint.cold_starts);
    report_progress(environment, point, "recovery after a kill");
    let messages =
        (RECOVERY_LOAD_DURATION.as_millis() / RECOVERY_MESSAGE_INTERVAL.as_millis()) as u32;
    let kill = Fault {
        at: KILL_DELAY,
        duration: Some(Duration::from_millis(1)),
        server: None,
        kind: FaultKind::Kill,
    };
    match run_extra_repetition(
        environment,
        backend,
        point,
        small_workload(2, messages, RECOVERY_MESSAGE_INTERVAL),
        vec![kill],
    )
    .await?
    {
        Ok(repetition) => {
            let fault = repetition.faults.first();
            footprint.recovery_seconds = fault.and_then(|fault| fault.recovery_ack);
            if footprint.recovery_seconds.is_none() {
                let error = fault.and_then(|fault| fault.error.clone());
                let why = error.unwrap_or_else(|| {
                    format!(
                        "no message was acknowledged within {} s",
                        RECOVERY_LOAD_DURATION.as_secs()
                    )
                });
                footprint.notes.push(format!("recovery: {why}"));
            }
        }
        Err(reason) => footprint.notes.push(format!("recovery: {reason}")),
    }
    Ok(footprint)
}

fn report_progress(environment: &RunContext<'_>, point: &Point, what: &str) {
    let backend = point.backend.clone();
    environment.events.send(Event::Footprint { backend, what: what.to_owned() });
}

async fn add_image_sizes(
    footprint: &mut Footprint,
    environment: &RunContext<'_>,
    backend: &dyn Backend,
    point: &Point,
) {
    let Ok(context) = repetition_context(environment.plan, point) else { return };
    let Ok(specs) = backend.servers(&context) else { return };
    for spec in specs {
        let LaunchSpec::Container(container) = spec.launch else { continue };
        if let Some(size) = environment.hub.image_size(&container.image).await {
            footprint.image_bytes.insert(spec.role, size);
        } else {
            footprint.notes.push(format!("image of {}: the engine reports no size", spec.role));
        }
    }
}

/// A small load for repetitions whose latency is not of interest.
fn small_workload(users: u32, messages: u32, mean: Duration) -> LatencyWorkload {
    LatencyWorkload {
        users,
        payload: Bytes(100),
        payload_source: PayloadSource::Seeded,
        messages,
        arrival: ArrivalDistribution::Constant { mean },
        warmup: Duration::ZERO,
        drain: Duration::from_secs(10),
    }
}

/// Runs a further repetition on clean servers, without baseline and without warm-up.
async fn run_extra_repetition(
    environment: &RunContext<'_>,
    backend: &dyn Backend,
    point: &Point,
    workload: LatencyWorkload,
    faults: Vec<Fault>,
) -> Result<Result<Repetition, String>, RunError> {
    let point = Point { workload: Workload::Latency(workload), ..point.clone() };
    let plan = Plan {
        baseline: Duration::ZERO,
        server_warmup: Duration::ZERO,
        // A footprint is a measurement, whatever the repetitions are.
        steering: false,
        points: vec![point.clone()],
        faults,
        ..environment.plan.clone()
    };
    let environment = RunContext { plan: &plan, ..*environment };
    let step = ScheduledRepetition { point: 0, repetition: 0 };
    let outcome =
        repetition::execute(&environment, backend, &repetition_context(&plan, &point)?, step, 0)
            .await;
    match outcome.error {
        None => Ok(Ok(outcome.repetition)),
        Some(RunError::Stopped) => Err(RunError::Stopped),
        Some(error) => Ok(Err(error.to_string())),
    }
}

fn cold_start_seconds(repetition: &Repetition) -> Option<f64> {
    let ack = repetition.latency.ack.as_ref()?;
    Some(repetition.server_ready_seconds? + ack.max / 1e6)
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// Adds the figures of an ordinary repetition: idle use before it, memory of its connections, its bytes.
fn add_repetition_figures(
    footprint: &mut Footprint,
    point: &Point,
    repetition: &Repetition,
    counts_writes: bool,
) {
    const WRITTEN: &str = "bytes written";
    let servers: Vec<&Resources> = repetition.resources.values().collect();
    let workload = &point.workload;
    footprint.users = workload.users();
    footprint.payload = workload.payload();
    footprint.stored = repetition.ledger.stored;
    footprint.idle_cpu_cores = sum_over_servers(&servers, |resources| resources.idle_cpu_cores);
    let idle = sum_over_servers(&servers, |resources| resources.memory.idle.map(as_f64));
    footprint.idle_memory = idle.map(|bytes| Bytes(bytes as u64));
    let connected = sum_over_servers(&servers, |resources| resources.before?.memory.map(as_f64));
    footprint.memory_per_user = connected
        .zip(idle)
        .map(|(connected, idle)| (connected - idle) / f64::from(footprint.users.max(1)));
    let stored = footprint.stored.map(|messages| messages as f64 * as_f64(footprint.payload));
    let for_each = |total: Option<f64>| {
        let (bytes, stored) = total.zip(stored)?;
        (stored > 0.0).then_some(bytes / stored)
    };
    footprint.data_per_payload_byte = for_each(sum_over_servers(&servers, |resources| {
        resources.block.data_growth.map(|bytes| bytes as f64)
    }));
    footprint.written_per_payload_byte =
        for_each(sum_over_servers(&servers, |resources| resources.block.written.map(as_f64)));
    // All servers share the hub's disk.
    let disk = servers.iter().find_map(|resources| resources.block.host_written.map(as_f64));
    footprint.host_written_per_payload_byte = for_each(disk);
    footprint.written_source = servers.iter().find_map(|resources| resources.block.source);
    footprint.received_per_payload_byte =
        for_each(sum_over_servers(&servers, |resources| resources.network.received.map(as_f64)));
    footprint.sent_per_payload_byte =
        for_each(sum_over_servers(&servers, |resources| resources.network.sent.map(as_f64)));
    for (name, missing) in [
        ("idle CPU", footprint.idle_cpu_cores.is_none()),
        ("idle memory", footprint.idle_memory.is_none()),
        ("memory of connections", footprint.memory_per_user.is_none()),
        ("growth of data", footprint.data_per_payload_byte.is_none()),
        (WRITTEN, footprint.written_per_payload_byte.is_none()),
        ("bytes on the wire", footprint.received_per_payload_byte.is_none()),
    ] {
        if missing && name == WRITTEN && !counts_writes {
            footprint.notes.push(format!(
                "{name}: the hub's memory cgroup is off, its kernel counts no container's writes"
            ));
        } else if missing {
            footprint.notes.push(format!("{name}: not measured for every server on this hub"));
        }
    }
}

const fn as_f64(bytes: Bytes) -> f64 {
    bytes.0 as f64
}

/// Sums a figure over all servers; `None` when a server has none.
fn sum_over_servers(
    servers: &[&Resources],
    figure: impl Fn(&Resources) -> Option<f64>,
) -> Option<f64> {
    if servers.is_empty() {
        return None;
    }
    servers.iter().map(|resources| figure(resources)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::{BackendChoice, Durability},
        record::{BlockUse, MemoryUse, NetworkUse},
        server::{BlockSource, ServerReading},
    };

    fn point() -> Point {
        Point {
            backend: BackendChoice { name: "x".into(), version: None },
            workload: Workload::Latency(small_workload(10, 50, Duration::from_millis(1))),
            durability: Durability::Default,
        }
    }

    fn resources(factor: u64) -> Resources {
        Resources {
            memory: MemoryUse { idle: Some(Bytes(1_000 * factor)), ..MemoryUse::default() },
            block: BlockUse {
                written: Some(Bytes(100_000 * factor)),
                data_growth: Some(50_000),
                source: Some(BlockSource::Engine),
                ..BlockUse::default()
            },
            network: NetworkUse { received: Some(Bytes(75_000)), sent: Some(Bytes(25_000)) },
            idle_cpu_cores: Some(0.01),
            before: Some(ServerReading {
                memory: Some(Bytes(3_000 * factor)),
                ..ServerReading::default()
            }),
            ..Resources::default()
        }
    }

    #[test]
    fn figures_are_summed_over_servers_and_divided_by_stored_bytes() {
        let mut repetition = Repetition::unmeasured(
            ScheduledRepetition { point: 0, repetition: 0 },
            0,
            jiff::Timestamp::UNIX_EPOCH,
        );
        repetition.ledger.stored = Some(500);
        repetition.resources =
            [("a".to_owned(), resources(1)), ("b".to_owned(), resources(3))].into();
        let mut footprint = Footprint::default();
        add_repetition_figures(&mut footprint, &point(), &repetition, true);
        assert_eq!((footprint.users, footprint.idle_memory), (10, Some(Bytes(4_000))));
        assert_eq!(footprint.memory_per_user, Some(800.0));
        assert_eq!(footprint.written_per_payload_byte, Some(8.0));
        assert_eq!(footprint.data_per_payload_byte, Some(2.0));
        assert_eq!(footprint.received_per_payload_byte, Some(3.0));
        assert_eq!(footprint.sent_per_payload_byte, Some(1.0));
        assert_eq!(footprint.idle_cpu_cores, Some(0.02));
        assert_eq!(footprint.notes, [""; 0]);
    }

    #[test]
    fn a_figure_missing_for_one_server_is_omitted_with_a_note() {
        let mut repetition = Repetition::unmeasured(
            ScheduledRepetition { point: 0, repetition: 0 },
            0,
            jiff::Timestamp::UNIX_EPOCH,
        );
        let silent = Resources { network: NetworkUse::default(), ..resources(1) };
        repetition.resources = [("a".to_owned(), resources(1)), ("b".to_owned(), silent)].into();
        let mut footprint = Footprint::default();
        add_repetition_figures(&mut footprint, &point(), &repetition, true);
        assert_eq!(footprint.received_per_payload_byte, None);
        assert!(
            footprint.notes.iter().any(|note| note.contains("on the wire")),
            "{:?}",
            footprint.notes
        );
    }

    #[test]
    fn uncounted_writes_have_their_reason_and_the_disk_s_own_counter() {
        let mut repetition = Repetition::unmeasured(
            ScheduledRepetition { point: 0, repetition: 0 },
            0,
            jiff::Timestamp::UNIX_EPOCH,
        );
        repetition.ledger.stored = Some(500);
        let mut uncounted = resources(1);
        uncounted.block.written = None;
        uncounted.block.host_written = Some(Bytes(150_000));
        repetition.resources = [("a".to_owned(), uncounted)].into();
        let mut footprint = Footprint::default();
        add_repetition_figures(&mut footprint, &point(), &repetition, false);
        assert_eq!(footprint.written_per_payload_byte, None, "not 0");
        assert_eq!(footprint.host_written_per_payload_byte, Some(3.0));
        assert!(footprint.notes[0].contains("memory cgroup is off"), "{:?}", footprint.notes);
    }

    #[test]
    fn the_median_of_cold_starts_counts() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[]), None);
    }
}
