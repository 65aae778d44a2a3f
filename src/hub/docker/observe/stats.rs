//! Converts the engine's statistics of a container into a [`ServerReading`].

use std::{collections::HashMap, sync::Arc, time::Duration};

use bollard::{
    errors::Error as EngineError,
    models::{
        ContainerBlkioStatEntry, ContainerCpuStats, ContainerMemoryStats, ContainerNetworkStats,
        ContainerStatsResponse,
    },
    query_parameters::StatsOptionsBuilder,
};
use futures_util::StreamExt;
use tokio::{sync::mpsc, time::MissedTickBehavior};

use crate::{
    clock::Clock,
    hub::{
        HubError, TimedReading,
        docker::{api_call, engine::DockerEngine},
    },
    server::{ServerReading, ServerState},
    units::Bytes,
};

/// Capacity of the channel: readings that a slow receiver may leave unread before the stream waits.
const CHANNEL_CAPACITY: usize = 64;
/// Time without a reading after which the stream is opened again; a reading arrives each second.
const STREAM_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before a broken stream is opened again.
const RECONNECT_INTERVAL: Duration = Duration::from_secs(1);
/// Interval of polling an engine whose stream is slower.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Follows the statistics, with a reading each second, until the receiver is dropped or the
/// container has ended.
pub fn watch(
    engine: Arc<DockerEngine>,
    container: String,
    clock: Clock,
) -> mpsc::Receiver<TimedReading> {
    let (sender, receiver) = mpsc::channel(CHANNEL_CAPACITY);
    tokio::spawn(async move {
        tokio::select! {
            () = sender.closed() => {}
            () = stream_readings(&engine, &container, clock, &sender) => {}
        }
    });
    receiver
}

async fn stream_readings(
    engine: &DockerEngine,
    container: &str,
    clock: Clock,
    sender: &mpsc::Sender<TimedReading>,
) {
    if engine.podman {
        poll_readings(engine, container, clock, sender).await;
        return;
    }
    while engine.container_state(container).await == ServerState::Running {
        let options = StatsOptionsBuilder::default().stream(true).build();
        // The first reading has no predecessor, and some engines take it before the container has
        // started up.
        let mut readings = Box::pin(engine.client.stats(container, Some(options)).skip(1));
        while let Ok(Some(Ok(stats))) = tokio::time::timeout(STREAM_TIMEOUT, readings.next()).await
        {
            let at = clock.now();
            // The engine continues to send empty statistics of a container that has ended.
            let Some(reading) = parse_reading(&stats, engine.counts_writes) else { break };
            if sender.send(TimedReading { at, reading }).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(RECONNECT_INTERVAL).await;
    }
}

/// Polls the statistics: Podman streams a reading only each five seconds, but answers a single
/// request at once.
async fn poll_readings(
    engine: &DockerEngine,
    container: &str,
    clock: Clock,
    sender: &mpsc::Sender<TimedReading>,
) {
    let mut ticks = tokio::time::interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        match engine.query("reading statistics", read_once(engine, container)).await {
            Ok(Some(reading)) => {
                if sender.send(TimedReading { at: clock.now(), reading }).await.is_err() {
                    return;
                }
            }
            Ok(None) | Err(_)
                if engine.container_state(container).await != ServerState::Running =>
            {
                return;
            }
            Ok(None) | Err(_) => {}
        }
    }
}

/// Takes one reading with a separate call. Engines before 25.0 answer at their next tick, up to a
/// second later.
pub async fn read(
    engine: &DockerEngine,
    container: &str,
    role: &str,
) -> Result<ServerReading, HubError> {
    let what = || format!("reading the statistics of {role}");
    let answer = engine.query("reading statistics", read_once(engine, container)).await;
    answer.map_err(api_call::operation_error(what()))?.ok_or_else(|| HubError::Operation {
        what: what(),
        reason: "the container does not run".to_owned(),
    })
}

async fn read_once(
    engine: &DockerEngine,
    container: &str,
) -> Result<Option<ServerReading>, EngineError> {
    let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
    let mut answers = Box::pin(engine.client.stats(container, Some(options)));
    let stats = answers.next().await.transpose()?;
    Ok(stats.and_then(|stats| parse_reading(&stats, engine.counts_writes)))
}

/// Converts the statistics into a reading; `None` for those of a container that does not run.
///
/// `counts_writes` is that of [`crate::server::HubFacts::counts_writes`]: otherwise the engine reports 0.
pub fn parse_reading(stats: &ContainerStatsResponse, counts_writes: bool) -> Option<ServerReading> {
    let cpu = stats.cpu_stats.as_ref()?;
    let used = cpu.cpu_usage.as_ref()?.total_usage.filter(|&used| used > 0)?;
    let memory = stats.memory_stats.as_ref();
    let devices = stats.blkio_stats.as_ref().and_then(|b| b.io_service_bytes_recursive.as_deref());
    let networks = stats.networks.as_ref();
    Some(ServerReading {
        cpu: Some(Duration::from_nanos(used)),
        memory: memory.and_then(without_inactive_cache),
        resident: memory.and_then(|m| memory_stat(m, &["total_rss", "rss", "anon"])),
        cache: memory.and_then(|m| memory_stat(m, &["total_cache", "cache", "file"])),
        block_read: devices.and_then(|d| block_bytes(d, "read")),
        block_written: devices.filter(|_| counts_writes).and_then(|d| block_bytes(d, "write")),
        network_received: networks.and_then(|n| network_bytes(n, |i| i.rx_bytes)),
        network_sent: networks.and_then(|n| network_bytes(n, |i| i.tx_bytes)),
        tasks: stats.pids_stats.as_ref().and_then(|pids| pids.current),
        throttled: throttled(cpu),
    })
}

fn throttled(cpu: &ContainerCpuStats) -> Option<Duration> {
    cpu.throttling_data.as_ref()?.throttled_time.map(Duration::from_nanos)
}

/// Returns the memory in use. No running process uses none, so 0 means that the engine cannot
/// measure it.
fn memory_usage(memory: &ContainerMemoryStats) -> Option<u64> {
    memory.usage.filter(|&bytes| bytes > 0)
}

/// Subtracts the inactive page cache, as `docker stats` does: the kernel frees it on demand.
fn without_inactive_cache(memory: &ContainerMemoryStats) -> Option<Bytes> {
    let inactive = memory_stat(memory, &["total_inactive_file", "inactive_file"])?;
    Some(Bytes(memory_usage(memory)?.saturating_sub(inactive.0)))
}

/// Returns the first existing value of several keys; `total_*` of cgroup v1 includes children.
fn memory_stat(memory: &ContainerMemoryStats, keys: &[&str]) -> Option<Bytes> {
    memory_usage(memory)?;
    let details = memory.stats.as_ref()?;
    keys.iter().find_map(|&key| details.get(key)).copied().map(Bytes)
}

/// Sums the bytes of one direction over all devices: `Read` on cgroup v1, `read` on v2, never
/// `Total`.
fn block_bytes(devices: &[ContainerBlkioStatEntry], direction: &str) -> Option<Bytes> {
    let named = |entry: &&ContainerBlkioStatEntry| {
        entry.op.as_deref().is_some_and(|op| op.eq_ignore_ascii_case(direction))
    };
    total(devices.iter().filter(named).map(|entry| entry.value))
}

fn network_bytes(
    interfaces: &HashMap<String, ContainerNetworkStats>,
    bytes: impl Fn(&ContainerNetworkStats) -> Option<u64>,
) -> Option<Bytes> {
    total(interfaces.values().map(bytes))
}

/// Sums the values that exist; `None` without any.
fn total(values: impl Iterator<Item = Option<u64>>) -> Option<Bytes> {
    values.flatten().reduce(u64::saturating_add).map(Bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::docker::fake_engine;

    fn of(json: serde_json::Value) -> Option<ServerReading> {
        parse_reading(&serde_json::from_value(json).unwrap(), true)
    }

    /// Statistics of an engine 20.10 with cgroup v1, limits of half a core and 256 MiB, 20 MiB
    /// written directly.
    fn version_1() -> serde_json::Value {
        serde_json::json!({
            "read": "2026-11-22T20:52:16.118615354Z", "preread": "2026-11-22T20:52:15.109132287Z",
            "pids_stats": {"current": 1},
            "blkio_stats": {"io_service_bytes_recursive": [
                {"major": 254, "minor": 0, "op": "Read", "value": 499_712},
                {"major": 254, "minor": 0, "op": "Write", "value": 20_971_520},
                {"major": 254, "minor": 0, "op": "Sync", "value": 21_471_232},
                {"major": 254, "minor": 0, "op": "Async", "value": 0},
                {"major": 254, "minor": 0, "op": "Discard", "value": 0},
                {"major": 254, "minor": 0, "op": "Total", "value": 21_471_232},
                {"major": 8, "minor": 0, "op": "Write", "value": 100}
            ], "io_queue_recursive": []},
            "cpu_stats": {"cpu_usage": {"total_usage": 2_576_907_757_u64,
                "percpu_usage": [1_325_389_698, 1_251_518_059], "usage_in_kernelmode": 20_000_000,
                "usage_in_usermode": 2_550_000_000_u64}, "system_cpu_usage": 3_897_200_000_000_u64,
                "online_cpus": 2, "throttling_data": {"periods": 53, "throttled_periods": 51,
                "throttled_time": 2_497_836_547_u64}},
            "memory_stats": {"usage": 1_150_976, "max_usage": 4_075_520, "stats": {
                "cache": 503_808, "inactive_file": 400_000, "rss": 100_000,
                "total_cache": 503_808, "total_inactive_file": 475_136, "total_rss": 110_592},
                "limit": 268_435_456},
            "networks": {"eth0": {"rx_bytes": 516, "tx_bytes": 10}, "eth1": {"rx_bytes": 4, "tx_bytes": 2}}
        })
    }

    #[test]
    fn cgroup_version_1() {
        let expected = ServerReading {
            cpu: Some(Duration::from_nanos(2_576_907_757)),
            memory: Some(Bytes(1_150_976 - 475_136)),
            resident: Some(Bytes(110_592)),
            cache: Some(Bytes(503_808)),
            block_read: Some(Bytes(499_712)),
            block_written: Some(Bytes(20_971_620)),
            network_received: Some(Bytes(520)),
            network_sent: Some(Bytes(12)),
            tasks: Some(1),
            throttled: Some(Duration::from_nanos(2_497_836_547)),
        };
        assert_eq!(of(version_1()), Some(expected));
    }

    #[test]
    fn cgroup_version_2() {
        let json = serde_json::json!({
            "read": "2026-01-01T00:00:01Z", "pids_stats": {"current": 31, "limit": 19_000},
            "blkio_stats": {"io_service_bytes_recursive": [
                {"major": 179, "minor": 0, "op": "read", "value": 8192},
                {"major": 179, "minor": 0, "op": "write", "value": 4096}], "io_serviced_recursive": null},
            "cpu_stats": {"cpu_usage": {"total_usage": 5_000_000, "usage_in_kernelmode": 1_000_000,
                "usage_in_usermode": 4_000_000}, "system_cpu_usage": 100, "online_cpus": 4,
                "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0}},
            "memory_stats": {"usage": 9_000_000, "limit": 100_000_000, "stats": {
                "active_anon": 1, "active_file": 2, "anon": 5_000_000, "file": 3_000_000,
                "inactive_anon": 3, "inactive_file": 2_000_000}},
            "networks": {"eth0": {"rx_bytes": 7, "tx_bytes": 8}}
        });
        let expected = ServerReading {
            cpu: Some(Duration::from_millis(5)),
            memory: Some(Bytes(7_000_000)),
            resident: Some(Bytes(5_000_000)),
            cache: Some(Bytes(3_000_000)),
            block_read: Some(Bytes(8192)),
            block_written: Some(Bytes(4096)),
            network_received: Some(Bytes(7)),
            network_sent: Some(Bytes(8)),
            tasks: Some(31),
            throttled: Some(Duration::ZERO),
        };
        assert_eq!(of(json), Some(expected));
    }

    #[test]
    fn unmeasured_values_are_missing_and_not_zero() {
        for memory in [
            serde_json::json!({}),
            serde_json::json!({"usage": 0, "stats": {"rss": 0, "inactive_file": 0}}),
        ] {
            let mut json = version_1();
            json["memory_stats"] = memory;
            json["blkio_stats"] = serde_json::json!({"io_service_bytes_recursive": null});
            json["pids_stats"] = serde_json::json!({});
            json.as_object_mut().unwrap().remove("networks");
            let reading = of(json).unwrap();
            let expected = ServerReading {
                cpu: reading.cpu,
                throttled: reading.throttled,
                ..ServerReading::default()
            };
            assert_eq!(reading, expected);
        }
        let mut json = version_1();
        json["blkio_stats"] = serde_json::json!({"io_service_bytes_recursive": []});
        assert_eq!(of(json).unwrap().block_written, None);
    }

    #[test]
    fn writes_that_the_kernel_does_not_charge_are_missing_and_not_zero() {
        let mut json = version_1();
        json["memory_stats"] = serde_json::json!({});
        json["blkio_stats"] = serde_json::json!({"io_service_bytes_recursive": [
            {"major": 179, "minor": 0, "op": "read", "value": 8192},
            {"major": 179, "minor": 0, "op": "write", "value": 0}]});
        let reading = parse_reading(&serde_json::from_value(json).unwrap(), false).unwrap();
        assert_eq!((reading.block_read, reading.block_written), (Some(Bytes(8192)), None));
    }

    #[tokio::test]
    async fn an_engine_with_a_slow_stream_is_polled_each_second() {
        let podman = serde_json::json!({
            "ApiVersion": "1.41", "Version": "4.3.1",
            "Components": [{"Name": "Podman Engine", "Version": "4.3.1"}],
            "State": {"Running": true}
        });
        let stats = version_1();
        // Podman closes its connection after each answer to a single request, and never streams
        // here.
        let answer = move |_| Some((200, stats.clone()));
        let (hub, requests) = fake_engine::fake_engine("stream=false", podman, answer).await;
        let mut readings = watch(hub.engine, "1".into(), Clock::start());
        let mut next = async || {
            let time_limit = Duration::from_secs(30);
            tokio::time::timeout(time_limit, readings.recv()).await.unwrap().unwrap()
        };
        let (first, second) = (next().await, next().await);
        assert_eq!(first.reading, second.reading);
        let apart = second.at.since(first.at);
        assert!(apart >= 500_000, "{apart} µs");
        assert!(requests.load(std::sync::atomic::Ordering::Relaxed) >= 2);
    }

    #[test]
    fn a_container_that_has_ended_gives_no_reading() {
        let json = serde_json::json!({
            "read": "0001-01-01T00:00:00Z", "preread": "0001-01-01T00:00:00Z", "pids_stats": {},
            "blkio_stats": {"io_service_bytes_recursive": null},
            "cpu_stats": {"cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0,
                "usage_in_usermode": 0}, "throttling_data": {"periods": 0, "throttled_periods": 0,
                "throttled_time": 0}}, "memory_stats": {}
        });
        assert_eq!(of(json), None);
    }
}
