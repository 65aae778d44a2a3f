//! Whether limits hold: a container under the very limits of the servers is loaded for a second by
//! each thing that is limited, before the first server starts.
//!
//! What the kernel has in force is read back from inside, what it does is measured. A limit that
//! one of the two contradicts refuses the run.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep, timeout},
};

use super::{Engine, tools::tools};
use crate::{
    hub::HubError,
    server::{ContainerSpec, Launch, LimitInForce, LimitKind, Limits, Running, ServerSpec},
};

const ROLE: &str = "limits";
/// The port on which the container serves measurements of its link.
const PORT: u16 = 7001;
/// Length of one measurement.
const LENGTH: Duration = Duration::from_millis(1_200);
/// The beginning of a transfer fills the bucket and the buffers.
const LEAD: Duration = Duration::from_millis(300);
/// Longest wait for one measurement.
const PATIENCE: Duration = Duration::from_secs(30);
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
            let out = within(receive(direct)).await.map_err(failed)?;
            let into = within(send(direct, rate.0)).await.map_err(failed)?;
            let link = link.as_ref();
            let (out_is, into_is) = (link.map(|l| l.out.0), link.map(|l| l.into.0));
            proven.push(LimitInForce::new(LimitKind::LinkOut, rate.0, out_is, Some(out)));
            proven.push(LimitInForce::new(LimitKind::LinkIn, rate.0, into_is, Some(into)));
        }
        if let Some(delay) = limits.delay {
            let asked = delay.as_secs_f64();
            let trips = (0.5 / asked).clamp(FEWEST_TRIPS.into(), MOST_TRIPS.into()) as u32;
            let near = within(trip(direct, MOST_TRIPS)).await.map_err(failed)?;
            let far = within(trip(probe.endpoint(PORT), trips)).await.map_err(failed)?;
            // The way of our own is on this machine: there is nothing of the kernel's to read.
            let measured = Some((far - near) / 2.0);
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

async fn within<T>(measurement: impl Future<Output = std::io::Result<T>>) -> std::io::Result<T> {
    timeout(PATIENCE, measurement)
        .await
        .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}

async fn open(address: SocketAddr, kind: u8) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&[kind]).await?;
    Ok(stream)
}

/// Waits until the container serves measurements.
async fn answering(address: SocketAddr) -> Result<(), String> {
    let began = Instant::now();
    while let Err(error) = within(trip(address, 1)).await {
        if began.elapsed() > PATIENCE {
            return Err(format!("nothing answers at {address}: {error}"));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Bytes a second that come from the container.
async fn receive(address: SocketAddr) -> std::io::Result<f64> {
    let mut stream = open(address, b's').await?;
    let mut buffer = vec![0; 256 << 10];
    let began = Instant::now();
    let mut counted = (began, 0);
    let mut bytes = 0;
    while began.elapsed() < LEAD + LENGTH {
        match stream.read(&mut buffer).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            more => bytes += more,
        }
        if began.elapsed() < LEAD {
            counted = (Instant::now(), bytes);
        }
    }
    let (since, before) = counted;
    Ok((bytes - before) as f64 / since.elapsed().as_secs_f64())
}

/// Bytes a second that the container receives, at a link of about `rate`: as many are sent as the
/// link carries in the time of a measurement, and the container says when it has all of them.
async fn send(address: SocketAddr, rate: f64) -> std::io::Result<f64> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    let mut stream = socket.connect(address).await?;
    stream.write_all(b"r").await?;
    let mut left = (rate * LENGTH.as_secs_f64()).clamp(65_536.0, 1e9) as usize;
    let nothing = vec![0; 64 << 10];
    let began = Instant::now();
    while left > 0 {
        left -= stream.write(&nothing[..left.min(nothing.len())]).await?;
    }
    stream.shutdown().await?;
    let mut said = String::new();
    stream.read_to_string(&mut said).await?;
    let bytes: f64 = said.trim().parse().map_err(std::io::Error::other)?;
    Ok(bytes / began.elapsed().as_secs_f64())
}

/// Median of some round trips of a small message, in seconds.
async fn trip(address: SocketAddr, count: u32) -> std::io::Result<f64> {
    let mut stream = open(address, b'e').await?;
    let mut message = [0; 64];
    let mut seconds = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        stream.write_all(&message).await?;
        stream.read_exact(&mut message).await?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds.get(seconds.len() / 2).copied().unwrap_or_default())
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
