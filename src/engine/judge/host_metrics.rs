//! Metrics of the hub's host: turns counters into metrics for each second. Pure functions.

use crate::{clock::Micros, hub::host::HostCounters, measure::HostMetrics};

/// Readings of a counter of processor time, in ascending order of time.
pub type CpuTimeSeries = Vec<(Micros, std::time::Duration)>;

/// Computes metrics for each pair of consecutive samples of the host.
///
/// `servers` are the counters of all servers; the load of other processes is missing where one of them
/// is. Seconds count from `origin`.
pub fn host_metrics(
    samples: &[(Micros, HostCounters)],
    servers: &[CpuTimeSeries],
    origin: Micros,
) -> Vec<HostMetrics> {
    samples.windows(2).map(|pair| metrics_between(&pair[0], &pair[1], servers, origin)).collect()
}

fn metrics_between(
    (from, then): &(Micros, HostCounters),
    (to, now): &(Micros, HostCounters),
    servers: &[CpuTimeSeries],
    origin: Micros,
) -> HostMetrics {
    let seconds = to.since(*from) as f64 / 1e6;
    let rate = |then: Option<f64>, now: Option<f64>| {
        // A counter that decreased belongs to a hub that was restarted.
        then.zip(now)
            .map(|(then, now)| (now - then) / seconds)
            .filter(|r| *r >= 0.0 && r.is_finite())
    };
    let time = |time: Option<std::time::Duration>| time.map(|time| time.as_secs_f64());
    let busy = rate(time(then.busy), time(now.busy));
    let servers = servers
        .iter()
        .map(|series| {
            let used = (cpu_time_at(series, *to)? - cpu_time_at(series, *from)?) / seconds;
            // A counter that decreased belongs to a server that was restarted.
            Some(used).filter(|used| *used >= 0.0)
        })
        .sum::<Option<f64>>();
    // hubmark itself uses no processor time on another machine.
    let own = if now.own_cpu_time.is_some() {
        rate(time(then.own_cpu_time), time(now.own_cpu_time))
    } else {
        Some(0.0)
    };
    let ours = servers.zip(own).map(|(servers, own)| servers + own);
    HostMetrics {
        seconds: to.since(origin) as f64 / 1e6,
        temperature: now.temperature,
        clock_mhz: now.clock_mhz,
        throttle_bits: now.throttle_bits,
        under_voltage: now.has_low_voltage(),
        busy_cores: busy,
        // Both are estimates from readings at different times: a negative difference means zero.
        other_cores: busy.zip(ours).map(|(busy, ours)| (busy - ours).max(0.0)),
        stolen_cores: rate(time(then.stolen), time(now.stolen)),
        memory_available: now.memory_available,
        memory_stalled: rate(time(then.memory_stall), time(now.memory_stall)),
        io_stalled: rate(time(then.io_stall), time(now.io_stall)),
        swapped: rate(then.swapped.map(|b| b.0 as f64), now.swapped.map(|b| b.0 as f64)),
        disk_free: now.disk.map(|(free, _)| free),
        disk_written: rate(
            then.disk_written.map(|b| b.0 as f64),
            now.disk_written.map(|b| b.0 as f64),
        ),
    }
}

/// Interpolates the counter linearly at the time `at`; `None` outside of the readings.
fn cpu_time_at(series: &CpuTimeSeries, at: Micros) -> Option<f64> {
    let after = series.partition_point(|(time, _)| *time < at);
    let &(end, high) = series.get(after)?;
    if end == at {
        return Some(high.as_secs_f64());
    }
    let (start, low) = series[after.checked_sub(1)?];
    let share = at.since(start) as f64 / end.since(start) as f64;
    Some(low.as_secs_f64() + share * (high.as_secs_f64() - low.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn other_load_excludes_the_servers_and_hubmark() {
        let micros = |seconds: f64| Micros((seconds * 1e6) as i64);
        let counters = |busy: f64, own: f64| HostCounters {
            busy: Some(Duration::from_secs_f64(busy)),
            own_cpu_time: Some(Duration::from_secs_f64(own)),
            ..HostCounters::default()
        };
        let samples = [(micros(1.0), counters(10.0, 1.0)), (micros(2.0), counters(11.5, 1.2))];
        // The server used half a core, and was read at an offset of half a second.
        let reading = |second: f64| (micros(second), Duration::from_secs_f64(second / 2.0));
        let server: CpuTimeSeries = [0.5, 1.5, 2.5].map(reading).to_vec();
        let lines = host_metrics(&samples, &[server], micros(1.0));
        assert!((lines[0].busy_cores.unwrap() - 1.5).abs() < 1e-9);
        assert!((lines[0].other_cores.unwrap() - 0.8).abs() < 1e-9, "{lines:?}");
        assert!((lines[0].seconds - 1.0).abs() < 1e-9);
        let short: CpuTimeSeries = [0.5, 1.5].map(reading).to_vec();
        assert_eq!(
            host_metrics(&samples, &[short], micros(1.0))[0].other_cores,
            None,
            "no reading after the sample yet"
        );
    }
}
