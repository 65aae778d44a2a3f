//! The footprint card of a backend: cold starts, an ordinary repetition's idling and load, and a
//! kill, each on clean servers.

use std::time::Duration;

use super::{
    EngineError,
    repetition::{self, Shared},
    run::setup,
};
use crate::{
    backend::Backend,
    event::Event,
    plan::{
        Arrival, Fault, FaultKind, LatencyWorkload, PayloadSource, Plan, Point, Step, Workload,
    },
    record::{Footprint, Repetition, Resources},
    server::Launch,
    units::Bytes,
};

/// Cold starts, of which the median counts: a single one may have met a busy disk.
const COLD_STARTS: usize = 3;
/// How long after its load's start the server is killed.
const KILL_AT: Duration = Duration::from_secs(3);
/// For how long users go on sending: a broker whose old session must first expire needs most of it.
const RECOVERY_LOAD: Duration = Duration::from_mins(1);
/// Between two messages of one of those users.
const RECOVERY_PACE: Duration = Duration::from_millis(100);

/// Measures what `ordinary`, a repetition of `point`, does not tell, and makes the card.
///
/// # Errors
/// That the operator stopped it; what else goes wrong is in the card's notes.
pub async fn measure(
    shared: &Shared<'_>,
    backend: &dyn Backend,
    point: &Point,
    ordinary: Option<&Repetition>,
) -> Result<Footprint, EngineError> {
    let mut card =
        Footprint { idle_seconds: shared.plan.baseline.as_secs_f64(), ..Footprint::default() };
    images(&mut card, shared, backend, point).await;
    match ordinary {
        Some(repetition) => from_repetition(&mut card, point, repetition),
        None => card.notes.push("idling and load: no repetition was measured to its end".into()),
    }
    for number in 1..=COLD_STARTS {
        tell(shared, point, &format!("cold start {number} of {COLD_STARTS}"));
        match extra(shared, backend, point, load(1, 1, Duration::from_millis(1)), Vec::new())
            .await?
        {
            Ok(repetition) => card.cold_starts.extend(cold_start(&repetition)),
            Err(reason) => card.notes.push(format!("cold start: {reason}")),
        }
    }
    card.cold_start_seconds = median(&card.cold_starts);
    tell(shared, point, "recovery after a kill");
    let messages = (RECOVERY_LOAD.as_millis() / RECOVERY_PACE.as_millis()) as u32;
    let kill = Fault {
        at: KILL_AT,
        lasts: Some(Duration::from_millis(1)),
        server: None,
        kind: FaultKind::Kill,
    };
    match extra(shared, backend, point, load(2, messages, RECOVERY_PACE), vec![kill]).await? {
        Ok(repetition) => {
            let fault = repetition.faults.first();
            card.recovery_seconds = fault.and_then(|fault| fault.recovery_ack);
            if card.recovery_seconds.is_none() {
                let error = fault.and_then(|fault| fault.error.clone());
                let why = error.unwrap_or_else(|| {
                    format!("no message was acknowledged within {} s", RECOVERY_LOAD.as_secs())
                });
                card.notes.push(format!("recovery: {why}"));
            }
        }
        Err(reason) => card.notes.push(format!("recovery: {reason}")),
    }
    Ok(card)
}

fn tell(shared: &Shared<'_>, point: &Point, what: &str) {
    let backend = point.backend.clone();
    shared.teller.tell(Event::Footprint { backend, what: what.to_owned() });
}

async fn images(card: &mut Footprint, shared: &Shared<'_>, backend: &dyn Backend, point: &Point) {
    let Ok(setup) = setup(shared.plan, point) else { return };
    let Ok(specs) = backend.servers(&setup) else { return };
    for spec in specs {
        let Launch::Container(container) = spec.launch else { continue };
        if let Some(size) = shared.hub.image_size(&container.image).await {
            card.image_bytes.insert(spec.role, size);
        } else {
            card.notes.push(format!("image of {}: the engine does not say its size", spec.role));
        }
    }
}

/// A small load that is not measured for its own sake.
fn load(users: u32, messages: u32, mean: Duration) -> LatencyWorkload {
    LatencyWorkload {
        users,
        payload: Bytes(100),
        payload_source: PayloadSource::Seeded,
        messages,
        arrival: Arrival::Constant { mean },
        warmup: Duration::ZERO,
        drain: Duration::from_secs(10),
    }
}

/// A repetition of its own on clean servers: without baseline, without warm-up.
async fn extra(
    shared: &Shared<'_>,
    backend: &dyn Backend,
    point: &Point,
    load: LatencyWorkload,
    faults: Vec<Fault>,
) -> Result<Result<Repetition, String>, EngineError> {
    let point = Point { workload: Workload::Latency(load), ..point.clone() };
    let plan = Plan {
        baseline: Duration::ZERO,
        server_warmup: Duration::ZERO,
        points: vec![point.clone()],
        faults,
        ..shared.plan.clone()
    };
    let shared = Shared { plan: &plan, ..*shared };
    let step = Step { point: 0, repetition: 0 };
    let done = repetition::execute(&shared, backend, &setup(&plan, &point)?, step, 0).await;
    match done.error {
        None => Ok(Ok(done.repetition)),
        Some(EngineError::Stopped) => Err(EngineError::Stopped),
        Some(error) => Ok(Err(error.to_string())),
    }
}

fn cold_start(repetition: &Repetition) -> Option<f64> {
    let ack = repetition.latency.ack.as_ref()?;
    Some(repetition.server_ready_seconds? + ack.max / 1e6)
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// What an ordinary repetition tells: idling before it, its connections, its bytes.
fn from_repetition(card: &mut Footprint, point: &Point, repetition: &Repetition) {
    let servers: Vec<&Resources> = repetition.resources.values().collect();
    let workload = &point.workload;
    card.users = workload.users();
    card.payload = workload.payload();
    card.stored = repetition.ledger.stored;
    card.idle_cpu_cores = total(&servers, |used| used.idle_cpu_cores);
    let idle = total(&servers, |used| used.memory.idle.map(as_f64));
    card.idle_memory = idle.map(|bytes| Bytes(bytes as u64));
    let connected = total(&servers, |used| used.before?.memory.map(as_f64));
    card.memory_per_user = connected
        .zip(idle)
        .map(|(connected, idle)| (connected - idle) / f64::from(card.users.max(1)));
    let stored = card.stored.map(|messages| messages as f64 * as_f64(card.payload));
    let for_each = |total: Option<f64>| {
        let (bytes, stored) = total.zip(stored)?;
        (stored > 0.0).then_some(bytes / stored)
    };
    card.data_per_payload_byte =
        for_each(total(&servers, |used| used.block.data_growth.map(|bytes| bytes as f64)));
    card.written_per_payload_byte =
        for_each(total(&servers, |used| used.block.written.map(as_f64)));
    card.written_source = servers.iter().find_map(|used| used.block.source);
    card.received_per_payload_byte =
        for_each(total(&servers, |used| used.network.received.map(as_f64)));
    card.sent_per_payload_byte = for_each(total(&servers, |used| used.network.sent.map(as_f64)));
    for (name, missing) in [
        ("idle CPU", card.idle_cpu_cores.is_none()),
        ("idle memory", card.idle_memory.is_none()),
        ("memory of connections", card.memory_per_user.is_none()),
        ("growth of data", card.data_per_payload_byte.is_none()),
        ("bytes written", card.written_per_payload_byte.is_none()),
        ("bytes on the wire", card.received_per_payload_byte.is_none()),
    ] {
        if missing {
            card.notes.push(format!("{name}: this hub does not measure it for every server"));
        }
    }
}

const fn as_f64(bytes: Bytes) -> f64 {
    bytes.0 as f64
}

/// The sum over all servers; `None` when one of them has no figure.
fn total(servers: &[&Resources], figure: impl Fn(&Resources) -> Option<f64>) -> Option<f64> {
    if servers.is_empty() {
        return None;
    }
    servers.iter().map(|used| figure(used)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::{BackendChoice, Durability},
        record::{BlockUse, MemoryUse, NetworkUse},
        server::{BlockSource, Reading},
    };

    fn point() -> Point {
        Point {
            backend: BackendChoice { name: "x".into(), version: None },
            workload: Workload::Latency(load(10, 50, Duration::from_millis(1))),
            durability: Durability::Default,
        }
    }

    fn used(factor: u64) -> Resources {
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
            before: Some(Reading { memory: Some(Bytes(3_000 * factor)), ..Reading::default() }),
            ..Resources::default()
        }
    }

    #[test]
    fn the_card_adds_all_servers_and_divides_by_what_was_stored() {
        let mut repetition = repetition::blank(Step { point: 0, repetition: 0 }, 0);
        repetition.ledger.stored = Some(500);
        repetition.resources = [("a".to_owned(), used(1)), ("b".to_owned(), used(3))].into();
        let mut card = Footprint::default();
        from_repetition(&mut card, &point(), &repetition);
        assert_eq!((card.users, card.idle_memory), (10, Some(Bytes(4_000))));
        assert_eq!(card.memory_per_user, Some(800.0));
        assert_eq!(card.written_per_payload_byte, Some(8.0));
        assert_eq!(card.data_per_payload_byte, Some(2.0));
        assert_eq!(card.received_per_payload_byte, Some(3.0));
        assert_eq!(card.sent_per_payload_byte, Some(1.0));
        assert_eq!(card.idle_cpu_cores, Some(0.02));
        assert_eq!(card.notes, [""; 0]);
    }

    #[test]
    fn what_one_server_does_not_tell_is_not_measured_and_said() {
        let mut repetition = repetition::blank(Step { point: 0, repetition: 0 }, 0);
        let silent = Resources { network: NetworkUse::default(), ..used(1) };
        repetition.resources = [("a".to_owned(), used(1)), ("b".to_owned(), silent)].into();
        let mut card = Footprint::default();
        from_repetition(&mut card, &point(), &repetition);
        assert_eq!(card.received_per_payload_byte, None);
        assert!(card.notes.iter().any(|note| note.contains("on the wire")), "{:?}", card.notes);
    }

    #[test]
    fn the_median_of_cold_starts_counts() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[]), None);
    }
}
