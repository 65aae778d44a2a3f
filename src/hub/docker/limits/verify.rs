//! Verifies limits before the first server starts: loads each limited resource for about a second
//! in a container under the same limits as the servers.
//!
//! The values that the kernel has in force are read from inside the container, their effect is
//! measured. A limit that either of the two contradicts fails the run.

use std::{sync::Arc, time::Duration};

use crate::{
    hub::{
        HubError,
        docker::{
            api_call::operation_error,
            engine::DockerEngine,
            image::tools::tools_image,
            observe::network_probe::{
                PROBE_PORT, PROBE_TIMEOUT, measure_receive_rate, measure_round_trips,
                measure_send_rate, wait_until_answering,
            },
        },
    },
    server::{
        ContainerSpec, LaunchSpec, LimitKind, LimitVerification, ResourceLimits, RunningServer,
        ServerSpec,
    },
};

const ROLE: &str = "limits";
/// Duration of one measurement.
const MEASUREMENT_DURATION: Duration = Duration::from_millis(1_200);
/// Largest accepted ratio of a measured value to its limit; less is the granularity of enforcement.
const MAX_EXCESS_RATIO: f64 = 1.25;
/// Memory limits above this are not measured: filling them takes too long and may exceed the hub's
/// free memory.
const MAX_FILLED_BYTES: u64 = 1 << 30;
/// Maximum number of bytes to write: more would add no information.
const MAX_WRITTEN_BYTES: f64 = 256e6;
/// Bounds on the round trips of one measurement of a delay, which should take about a second.
const MIN_ROUND_TRIPS: u32 = 5;
const MAX_ROUND_TRIPS: u32 = 50;

impl DockerEngine {
    /// Applies `limits` to a container of the tools image and measures their effect.
    pub async fn verify_limits(
        self: &Arc<Self>,
        limits: &ResourceLimits,
    ) -> Result<Vec<LimitVerification>, HubError> {
        if *limits == ResourceLimits::default() {
            return Ok(Vec::new());
        }
        let spec = ServerSpec {
            role: ROLE.to_owned(),
            launch: LaunchSpec::Container(ContainerSpec {
                entry_point: None,
                image: tools_image(),
                environment: Vec::new(),
                arguments: ["sleep", "infinity"].map(str::to_owned).to_vec(),
                data_dir: None,
            }),
            ports: vec![PROBE_PORT],
        };
        let probe = Arc::clone(self).start(spec, *limits, Vec::new()).await?;
        let verified = self.measure_limits(&probe, limits).await;
        let removed = self.remove(&probe.id).await;
        let verified = verified.map_err(|reason| HubError::Limits { reason })?;
        removed.map_err(operation_error("removing the container that verifies the limits"))?;
        for limit in &verified {
            limit
                .contradiction(MAX_EXCESS_RATIO)
                .map_or(Ok(()), |reason| Err(HubError::Limits { reason }))?;
        }
        Ok(verified)
    }

    async fn measure_limits(
        &self,
        probe: &RunningServer,
        limits: &ResourceLimits,
    ) -> Result<Vec<LimitVerification>, String> {
        let mut verified = Vec::new();
        if let Some(cpus) = limits.cpus {
            let in_force = self
                .read_cgroup_file(&probe.id, CPU_FILES)
                .await
                .and_then(|text| parse_cpu_quota(&text));
            let workers = (cpus.0.ceil() as u32 + 1).min(self.cores.unwrap_or(u32::MAX));
            let tool =
                ["spin.pl", &workers.to_string(), &MEASUREMENT_DURATION.as_secs_f64().to_string()];
            let measured = self.run_tool(&probe.id, &tool).await?;
            verified.push(LimitVerification::new(
                LimitKind::Cpus,
                cpus.0,
                in_force,
                Some(measured),
            ));
        }
        if let Some(memory) = limits.memory {
            let text = self.read_cgroup_file(&probe.id, MEMORY_FILES).await;
            let in_force = text.and_then(|text| text.trim().parse().ok());
            let measured = match memory.0 {
                bytes if bytes <= MAX_FILLED_BYTES => {
                    let more = (bytes as f64 * MAX_EXCESS_RATIO) as u64 + (16 << 20);
                    Some(self.run_tool(&probe.id, &["fill.pl", &more.to_string()]).await?)
                }
                _ => None,
            };
            let requested = memory.0 as f64;
            verified.push(LimitVerification::new(LimitKind::Memory, requested, in_force, measured));
        }
        if let Some(rate) = limits.disk_write {
            let text = self.read_cgroup_file(&probe.id, DISK_FILES).await;
            let in_force = text.and_then(|text| parse_write_rate(&text));
            let bytes =
                (rate.0 * MEASUREMENT_DURATION.as_secs_f64()).clamp(65_536.0, MAX_WRITTEN_BYTES);
            let measured = self.run_tool(&probe.id, &["write.pl", &format!("{bytes:.0}")]).await?;
            verified.push(LimitVerification::new(
                LimitKind::DiskWrite,
                rate.0,
                in_force,
                Some(measured),
            ));
        }
        if limits.link.is_some() || limits.delay.is_some() {
            self.measure_network_limits(probe, limits, &mut verified).await?;
        }
        Ok(verified)
    }

    async fn measure_network_limits(
        &self,
        probe: &RunningServer,
        limits: &ResourceLimits,
        verified: &mut Vec<LimitVerification>,
    ) -> Result<(), String> {
        let port = PROBE_PORT.to_string();
        self.exec_detached(&probe.id, &["perl", "/opt/tools/serve.pl", &port]).await?;
        let (link, direct) =
            self.route(&probe.id, PROBE_PORT).ok_or("the route to the container is unknown")?;
        wait_until_answering(direct).await?;
        let failed =
            |error: std::io::Error| format!("measuring the connection to {direct}: {error}");
        if let Some(rate) = limits.link {
            let out = measure_receive_rate(direct, MEASUREMENT_DURATION).await.map_err(failed)?;
            let into =
                measure_send_rate(direct, rate.0, MEASUREMENT_DURATION).await.map_err(failed)?;
            let link = link.as_ref();
            let (out_is, into_is) = (link.map(|l| l.outbound.0), link.map(|l| l.inbound.0));
            verified.push(LimitVerification::new(LimitKind::LinkOut, rate.0, out_is, Some(out)));
            verified.push(LimitVerification::new(LimitKind::LinkIn, rate.0, into_is, Some(into)));
        }
        if let Some(delay) = limits.delay {
            let requested = delay.as_secs_f64();
            let count =
                (0.5 / requested).clamp(MIN_ROUND_TRIPS.into(), MAX_ROUND_TRIPS.into()) as u32;
            let near = measure_round_trips(direct, MAX_ROUND_TRIPS, PROBE_TIMEOUT)
                .await
                .map_err(failed)?;
            let far = measure_round_trips(probe.endpoint(PROBE_PORT), count, PROBE_TIMEOUT)
                .await
                .map_err(failed)?;
            // The delay is added by a proxy on this machine: the kernel has no value to read.
            let measured = Some((median(far) - median(near)) / 2.0);
            verified.push(LimitVerification::new(LimitKind::Delay, requested, None, measured));
        }
        Ok(())
    }

    /// Runs a tool and returns the last number that it prints. The tool that fills the memory is
    /// killed: its output before that counts.
    async fn run_tool(&self, probe: &str, tool: &[&str]) -> Result<f64, String> {
        let path = format!("/opt/tools/{}", tool[0]);
        let command: Vec<&str> =
            ["perl", &path].into_iter().chain(tool[1..].iter().copied()).collect();
        let output = self.exec(probe, &command, PROBE_TIMEOUT).await?;
        let number = output.text.lines().rev().find_map(|line| line.trim().parse().ok());
        number.ok_or_else(|| {
            format!(
                "{} printed {:?} (exit code {:?})",
                tool[0],
                output.text.trim(),
                output.exit_code
            )
        })
    }

    /// Reads a file of the container's control group: that of version 2, or else that of version 1.
    async fn read_cgroup_file(&self, probe: &str, (second, first): (&str, &str)) -> Option<String> {
        let script = format!("cd /sys/fs/cgroup && {{ cat {second} 2>/dev/null || cat {first}; }}");
        let output = self.exec(probe, &["sh", "-c", &script], PROBE_TIMEOUT).await.ok()?;
        (output.exit_code == Some(0)).then_some(output.text)
    }
}

/// Files of a limit: of cgroup version 2 and of version 1.
const CPU_FILES: (&str, &str) = ("cpu.max", "cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us");
const MEMORY_FILES: (&str, &str) = ("memory.max", "memory/memory.limit_in_bytes");
const DISK_FILES: (&str, &str) = ("io.max", "blkio/blkio.throttle.write_bps_device");

/// Parses a number of cores from `quota period`, both in microseconds.
fn parse_cpu_quota(text: &str) -> Option<f64> {
    let mut numbers = text.split_whitespace().map(str::parse::<f64>);
    let (quota, period) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

/// Parses bytes a second from `8:0 rbps=max wbps=5000000 …` or `8:0 5000000`.
fn parse_write_rate(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| !line.trim().is_empty())?;
    let mut words = line.split_whitespace().skip(1);
    let only = words.clone().next()?;
    words.find_map(|word| word.strip_prefix("wbps=")).unwrap_or(only).parse().ok()
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_both_versions_are_read() {
        assert_eq!(parse_cpu_quota("50000 100000\n"), Some(0.5));
        assert_eq!(parse_cpu_quota("50000\n100000\n"), Some(0.5));
        assert_eq!(parse_cpu_quota("max 100000\n"), None);
        assert_eq!(parse_cpu_quota("-1\n100000\n"), None);
        assert_eq!(parse_write_rate("254:0 5242880\n"), Some(5_242_880.0));
        assert_eq!(
            parse_write_rate("8:0 rbps=max wbps=20000000 riops=max wiops=max\n"),
            Some(20e6)
        );
        assert_eq!(parse_write_rate(""), None);
    }
}
