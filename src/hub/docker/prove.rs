//! Whether limits hold: a container under the very limits of the servers is loaded for a second by
//! each thing that is limited, before the first server starts.
//!
//! What the kernel has in force is read back from inside, what it does is measured. A limit that
//! one of the two contradicts refuses the run.

use std::{sync::Arc, time::Duration};

use super::{
    Engine,
    tools::tools,
    way::{PATIENCE, PORT, answering, receive, send, trips, within},
};
use crate::{
    hub::HubError,
    server::{ContainerSpec, Launch, LimitInForce, LimitKind, Limits, Running, ServerSpec},
};

const ROLE: &str = "limits";
/// Length of one measurement.
const LENGTH: Duration = Duration::from_millis(1_200);
/// More than this share above a limit is not the grain of its enforcement any more.
const EXCESS: f64 = 1.25;
/// Filling more memory than this takes too long, and may be more than the hub has free.
const MOST_FILLED: u64 = 1 << 30;
/// Writing more than this measures nothing new.
const MOST_WRITTEN: f64 = 256e6;
/// Round trips of one measurement of a delay: as many as fit into a second within these bounds.
const FEWEST_TRIPS: u32 = 5;
const MOST_TRIPS: u32 = 50;

impl Engine {
    /// Puts `limits` in force on a container of the tools and measures what they do.
    pub(super) async fn prove(
        self: &Arc<Self>,
        limits: &Limits,
    ) -> Result<Vec<LimitInForce>, HubError> {
        if *limits == Limits::default() {
            return Ok(Vec::new());
        }
        let spec = ServerSpec {
            role: ROLE.to_owned(),
            launch: Launch::Container(ContainerSpec {
                entry_point: None,
                image: tools(),
                environment: Vec::new(),
                arguments: ["sleep", "infinity"].map(str::to_owned).to_vec(),
                data_dir: None,
            }),
            ports: vec![PORT],
        };
        let probe = Arc::clone(self).start(spec, *limits, Vec::new()).await?;
        let proven = self.measure(&probe, limits).await;
        let removed = self.remove(&probe.id).await;
        let proven = proven.map_err(|reason| HubError::Limits { reason })?;
        removed.map_err(super::failed("removing the container that proves the limits"))?;
        for limit in &proven {
            limit
                .contradiction(EXCESS)
                .map_or(Ok(()), |reason| Err(HubError::Limits { reason }))?;
        }
        Ok(proven)
    }

    async fn measure(&self, probe: &Running, limits: &Limits) -> Result<Vec<LimitInForce>, String> {
        let mut proven = Vec::new();
        if let Some(cpus) = limits.cpus {
            let in_force = self.file(&probe.id, CPU_FILES).await.and_then(|text| share(&text));
            let workers = (cpus.0.ceil() as u32 + 1).min(self.cores.unwrap_or(u32::MAX));
            let spun = ["spin.pl", &workers.to_string(), &LENGTH.as_secs_f64().to_string()];
            let measured = self.told(&probe.id, &spun).await?;
            proven.push(LimitInForce::new(LimitKind::Cpus, cpus.0, in_force, Some(measured)));
        }
        if let Some(memory) = limits.memory {
            let text = self.file(&probe.id, MEMORY_FILES).await;
            let in_force = text.and_then(|text| text.trim().parse().ok());
            let measured = match memory.0 {
                bytes if bytes <= MOST_FILLED => {
                    let more = (bytes as f64 * EXCESS) as u64 + (16 << 20);
                    Some(self.told(&probe.id, &["fill.pl", &more.to_string()]).await?)
                }
                _ => None,
            };
            let asked = memory.0 as f64;
            proven.push(LimitInForce::new(LimitKind::Memory, asked, in_force, measured));
        }
        if let Some(rate) = limits.disk_write {
            let text = self.file(&probe.id, DISK_FILES).await;
            let in_force = text.and_then(|text| write_rate(&text));
            let bytes = (rate.0 * LENGTH.as_secs_f64()).clamp(65_536.0, MOST_WRITTEN);
            let measured = self.told(&probe.id, &["write.pl", &format!("{bytes:.0}")]).await?;
            proven.push(LimitInForce::new(LimitKind::DiskWrite, rate.0, in_force, Some(measured)));
        }
        if limits.link.is_some() || limits.delay.is_some() {
            self.measure_way(probe, limits, &mut proven).await?;
        }
        Ok(proven)
    }

    async fn measure_way(
        &self,
        probe: &Running,
        limits: &Limits,
        proven: &mut Vec<LimitInForce>,
    ) -> Result<(), String> {
        let port = PORT.to_string();
        self.leave_inside(&probe.id, &["perl", "/opt/tools/serve.pl", &port]).await?;
        let (link, direct) = self.way(&probe.id, PORT).ok_or("the way to the container is lost")?;
        answering(direct).await?;
        let failed = |error: std::io::Error| format!("measuring the way to {direct}: {error}");
        if let Some(rate) = limits.link {
            let out = within(receive(direct, LENGTH)).await.map_err(failed)?;
            let into = within(send(direct, rate.0, LENGTH)).await.map_err(failed)?;
            let link = link.as_ref();
            let (out_is, into_is) = (link.map(|l| l.out.0), link.map(|l| l.into.0));
            proven.push(LimitInForce::new(LimitKind::LinkOut, rate.0, out_is, Some(out)));
            proven.push(LimitInForce::new(LimitKind::LinkIn, rate.0, into_is, Some(into)));
        }
        if let Some(delay) = limits.delay {
            let asked = delay.as_secs_f64();
            let count = (0.5 / asked).clamp(FEWEST_TRIPS.into(), MOST_TRIPS.into()) as u32;
            let near = within(trips(direct, MOST_TRIPS, PATIENCE)).await.map_err(failed)?;
            let far = within(trips(probe.endpoint(PORT), count, PATIENCE)).await.map_err(failed)?;
            // The way of our own is on this machine: there is nothing of the kernel's to read.
            let measured = Some((median(far) - median(near)) / 2.0);
            proven.push(LimitInForce::new(LimitKind::Delay, asked, None, measured));
        }
        Ok(())
    }

    /// The last number that one of the tools prints. One that fills the memory is killed: what it
    /// said before counts.
    async fn told(&self, probe: &str, tool: &[&str]) -> Result<f64, String> {
        let path = format!("/opt/tools/{}", tool[0]);
        let command: Vec<&str> =
            ["perl", &path].into_iter().chain(tool[1..].iter().copied()).collect();
        let said = self.inside(probe, &command, PATIENCE).await?;
        let number = said.text.lines().rev().find_map(|line| line.trim().parse().ok());
        number.ok_or_else(|| format!("{} said {:?} ({:?})", tool[0], said.text.trim(), said.code))
    }

    /// A file of the container's own control group: that of version 2, or else those of version 1.
    async fn file(&self, probe: &str, (second, first): (&str, &str)) -> Option<String> {
        let script = format!("cd /sys/fs/cgroup && {{ cat {second} 2>/dev/null || cat {first}; }}");
        let said = self.inside(probe, &["sh", "-c", &script], PATIENCE).await.ok()?;
        (said.code == Some(0)).then_some(said.text)
    }
}

/// Files with a limit, of cgroup version 2 and of version 1.
const CPU_FILES: (&str, &str) = ("cpu.max", "cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us");
const MEMORY_FILES: (&str, &str) = ("memory.max", "memory/memory.limit_in_bytes");
const DISK_FILES: (&str, &str) = ("io.max", "blkio/blkio.throttle.write_bps_device");

/// Cores: `quota period` in microseconds.
fn share(text: &str) -> Option<f64> {
    let mut numbers = text.split_whitespace().map(str::parse::<f64>);
    let (quota, period) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

/// Bytes a second: `8:0 rbps=max wbps=5000000 …` or `8:0 5000000`.
fn write_rate(text: &str) -> Option<f64> {
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
        assert_eq!(share("50000 100000\n"), Some(0.5));
        assert_eq!(share("50000\n100000\n"), Some(0.5));
        assert_eq!(share("max 100000\n"), None);
        assert_eq!(share("-1\n100000\n"), None);
        assert_eq!(write_rate("254:0 5242880\n"), Some(5_242_880.0));
        assert_eq!(write_rate("8:0 rbps=max wbps=20000000 riops=max wiops=max\n"), Some(20e6));
        assert_eq!(write_rate(""), None);
    }
}
