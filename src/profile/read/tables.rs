//! The tables `[hub]`, `[run]` and `[thresholds]`.

use std::time::Duration;

use super::{LONGEST_RUN, Reader};
use crate::{
    plan::{Cooldown, Durability, HubRequest, LOST, Order, THROTTLED, Threshold},
    profile::{
        RunRequest,
        boxes::BOXES,
        catalogue::BackendInfo,
        keys::{self, Key, METRICS},
        problem::{Fault, nearest},
        tree::Node,
        values::{self, Read},
    },
    server::{HubKind, Limits},
    units::{ByteRate, Bytes, Celsius, Cpus, UnitError},
};

/// What only a container has; the engine and its certificates first.
const DOCKER_ONLY: &[&Key] = &[
    &keys::HUB_ENGINE,
    &keys::HUB_CERTIFICATES,
    &keys::HUB_ADDRESS,
    &keys::LIKE,
    &keys::LIMIT_CPUS,
    &keys::LIMIT_MEMORY,
    &keys::LIMIT_DISK_WRITE,
    &keys::LIMIT_LINK,
    &keys::LIMIT_DELAY,
];
const ORDERS: [(&str, Order); 2] =
    [("interleaved", Order::Interleaved), ("blocked", Order::Blocked)];
const DURABILITIES: [(&str, Durability); 3] = [
    (Durability::Default.word(), Durability::Default),
    (Durability::Memory.word(), Durability::Memory),
    (Durability::Disk.word(), Durability::Disk),
];

/// The least that a Docker engine accepts as a limit.
pub(super) const LEAST_CPUS: Cpus = Cpus(0.01);
pub(super) const LEAST_MEMORY: Bytes = Bytes(6 << 20);
const LEAST_DISK_WRITE: ByteRate = ByteRate(1.0);

/// Below it a bucket of one packet already lasts for seconds.
const LEAST_LINK: ByteRate = ByteRate(8_000.0);
/// Shorter delays drown in what the proxy itself takes.
const LEAST_DELAY: Duration = Duration::from_micros(100);
const MOST_DELAY: Duration = Duration::from_secs(10);
const COLDEST: Celsius = Celsius(0);
const HOTTEST: Celsius = Celsius(150_000);

const MOST_REPETITIONS: u64 = 10_000;
const MOST_RETRIES: u64 = 100;

impl Reader<'_> {
    pub(super) fn hub(&mut self) -> Option<HubRequest> {
        let kind = self.read(&keys::HUB_KIND, self.usual_hub(), |node| {
            values::choice(node, &HubKind::ALL.map(|kind| (kind.word(), kind)))
        });
        let engine = self.read(&keys::HUB_ENGINE, None, engine);
        let address = self.read(&keys::HUB_ADDRESS, None, address);
        let certificates = self.read(&keys::HUB_CERTIFICATES, None, |node| {
            values::line(node).map(|path| Some(path).filter(|path| !path.is_empty()))
        });
        let cpus = self.read(&keys::LIMIT_CPUS, None, |node| at_least(node, &LEAST_CPUS));
        let memory = self.read(&keys::LIMIT_MEMORY, None, |node| at_least(node, &LEAST_MEMORY));
        let disk_write = self.read(&keys::LIMIT_DISK_WRITE, None, disk_write);
        let link = self.read(&keys::LIMIT_LINK, None, |node| at_least(node, &LEAST_LINK));
        let delay = self.read(&keys::LIMIT_DELAY, None, |node| {
            let delay = values::duration(node)?;
            if delay < LEAST_DELAY || delay > MOST_DELAY {
                return Err(Fault::new(node.place, "it is not from 100 us to 10 s").into());
            }
            Ok(Some(delay))
        });
        let like = self.read(&keys::LIKE, None, |node| {
            let names: Vec<_> = BOXES.iter().map(|one| (one.name, one)).collect();
            values::choice(node, &names).map(Some)
        });
        match kind {
            Some(HubKind::Local) => self.refuse_without_engine(
                DOCKER_ONLY,
                "it works on the docker hub only, and the hub is local",
            ),
            // The engine may be named on which the servers' containers are.
            Some(HubKind::External) => self.refuse_without_engine(
                &DOCKER_ONLY[2..],
                "it is for servers that hubmark starts itself, and the hub is external",
            ),
            _ => {}
        }
        let like = like?;
        let (cpus, memory, disk_write) = (cpus?, memory?, disk_write?);
        let limits = Limits { cpus, memory, disk_write, link: link?, delay: delay? };
        Some(HubRequest {
            kind: kind?,
            engine: engine?,
            address: address?,
            certificates: certificates?,
            like: like.map(|one| one.name.to_owned()),
            limits: like.map_or(limits, |one| one.limits_but_for(&limits)),
        })
    }

    /// A limit that is not applied would make every number a lie.
    fn refuse_without_engine(&mut self, keys: &[&Key], why: &str) {
        for key in keys {
            if self.node(key).is_some() {
                self.object(key, why);
            }
        }
    }

    /// The kind of hub when none is given: the first on which all backends can run.
    fn usual_hub(&self) -> HubKind {
        let known = |node: &Node| -> Read<Vec<(String, &'static BackendInfo)>> {
            let text = values::text(node)?;
            let name = text.split(':').next().unwrap_or(text);
            Ok(self.catalogue.find(name).map(|info| (text.to_owned(), info)).into_iter().collect())
        };
        // What is wrong with the backends is reported where they are read.
        let chosen = self.node(&keys::BACKEND).and_then(|node| values::sweep(node, known).ok());
        let chosen = chosen.unwrap_or_default();
        let Some((_, first)) = chosen.first() else { return HubKind::Docker };
        let suits_all = |kind: &&HubKind| chosen.iter().all(|(_, info)| info.hubs.contains(kind));
        let usual = first.hubs.iter().find(suits_all).or_else(|| first.hubs.first());
        usual.copied().unwrap_or(HubKind::Docker)
    }

    pub(super) fn run(&mut self) -> Option<RunRequest> {
        let repetitions = self.read(&keys::REPETITIONS, 1, |node| {
            values::integer(node, 1, MOST_REPETITIONS).map(|number| number as u32)
        });
        let retries = self.read(&keys::RETRIES, 1, |node| {
            values::integer(node, 0, MOST_RETRIES).map(|number| number as u32)
        });
        let order =
            self.read(&keys::ORDER, Order::Interleaved, |node| values::choice(node, &ORDERS));
        let seed =
            self.read(&keys::SEED, 42, |node| values::integer(node, 0, i64::MAX.unsigned_abs()));
        let durability = self.read(&keys::DURABILITY, vec![Durability::Default], |node| {
            values::sweep(node, |node| Ok(vec![values::choice(node, &DURABILITIES)?]))
        });
        let baseline = self.time(&keys::BASELINE, 5);
        let server_warmup = self.time(&keys::SERVER_WARMUP, 0);
        let cooldown = self.cooldown();
        let footprint = self.read(&keys::FOOTPRINT, false, values::truth);
        Some(RunRequest {
            repetitions: repetitions?,
            retries: retries?,
            order: order?,
            seed: seed?,
            durability: durability?,
            baseline: baseline?,
            server_warmup: server_warmup?,
            cooldown: cooldown?,
            footprint: footprint?,
        })
    }

    /// The wait has a limit, so that a hub in a hot cabinet is measured in the end.
    #[expect(clippy::option_option, reason = "not asked for is something else than not understood")]
    fn cooldown(&mut self) -> Option<Option<Cooldown>> {
        let below = self.read(&keys::COOLDOWN_BELOW, None, |node| {
            let below: Celsius = values::quantity(node)?;
            if !(COLDEST..=HOTTEST).contains(&below) {
                return Err(Fault::new(node.place, format!("{below} is no hub's")).into());
            }
            Ok(Some(below))
        });
        let limit = self.time(&keys::COOLDOWN_LIMIT, 300);
        if below == Some(None) && self.node(&keys::COOLDOWN_LIMIT).is_some() {
            self.object(
                &keys::COOLDOWN_LIMIT,
                "it limits a wait for run.cooldown.below, which is missing",
            );
            return None;
        }
        let limit = limit?;
        Some(below?.map(|below| Cooldown { below, limit }))
    }

    /// Thresholds in the order of [`METRICS`], `lost` last.
    pub(super) fn thresholds(&mut self) -> Vec<Threshold> {
        self.limits(&keys::THRESHOLDS)
    }

    /// A table of limits on metrics, in the order of [`METRICS`], `lost` last.
    pub(super) fn limits(&mut self, of: &Key) -> Vec<Threshold> {
        let Some(table) = self.node(of).and_then(Node::table) else {
            return Vec::new();
        };
        let (mut thresholds, mut faults) = (Vec::new(), Vec::new());
        let leaves = values::flattened(table, &mut faults);
        for fault in faults {
            self.report(of, fault);
        }
        for (metric, node) in leaves {
            match at_most(&metric, node) {
                Ok(at_most) => thresholds.push(Threshold { metric, at_most }),
                Err(faults) => {
                    let key = format!("{}.{metric}", of.path);
                    for fault in faults {
                        self.note(&key, Some(allowed_limit(&metric)), fault);
                    }
                }
            }
        }
        thresholds.sort_by_key(|threshold| {
            METRICS.iter().position(|metric| *metric == threshold.metric).unwrap_or(METRICS.len())
        });
        thresholds
    }
}

fn engine(node: &Node) -> Read<Option<String>> {
    let address = values::line(node)?;
    // A form that takes an address away can only make it empty.
    if address.is_empty() {
        return Ok(None);
    }
    if address.contains("://") {
        return Ok(Some(address));
    }
    Err(Fault::new(node.place, format!("{address:?} is not the address of an engine")).into())
}

fn address(node: &Node) -> Read<Option<String>> {
    let address = values::line(node)?;
    let plain = |c: char| c.is_alphanumeric() || "-_.:%".contains(c);
    if !address.is_empty() && address.chars().all(plain) {
        return Ok(Some(address));
    }
    Err(Fault::new(node.place, format!("{address:?} is not a host's name or address")).into())
}

/// A rate of writes, in whole bytes: the kernel knows no others.
pub(super) fn disk_write(node: &Node) -> Read<Option<ByteRate>> {
    let rate: Option<ByteRate> = at_least(node, &LEAST_DISK_WRITE)?;
    if rate.is_some_and(|rate| rate.0.fract() != 0.0) {
        return Err(Fault::new(node.place, "it is not a whole number of bytes").into());
    }
    Ok(rate)
}

pub(super) fn at_least<T>(node: &Node, least: &T) -> Read<Option<T>>
where
    T: std::str::FromStr<Err = UnitError> + PartialOrd + std::fmt::Display,
{
    let value: T = values::quantity(node)?;
    if value < *least {
        return Err(Fault::new(node.place, format!("{value} is too small")).into());
    }
    Ok(Some(value))
}

/// The largest value of a metric: microseconds, or a count.
fn at_most(metric: &str, node: &Node) -> Read<f64> {
    if metric == LOST {
        // Beyond 2^53 a float no longer counts single messages.
        return values::integer(node, 0, 1 << 53).map(|count| count as f64);
    }
    if !METRICS.contains(&metric) {
        let mut fault = Fault::new(node.place, "this metric is not known");
        fault.nearest = nearest(metric, METRICS.into_iter().chain([LOST])).map(str::to_owned);
        return Err(fault.into());
    }
    let limit = values::duration(node)?;
    let never = limit.is_zero() && metric != THROTTLED;
    if never || limit.subsec_nanos() % 1_000 != 0 || limit > LONGEST_RUN {
        let message = "it is not a whole number of microseconds, at least one";
        return Err(Fault::new(node.place, message).into());
    }
    Ok(limit.as_micros() as f64)
}

fn allowed_limit(metric: &str) -> String {
    if metric == LOST {
        "a number of messages".into()
    } else if METRICS.contains(&metric) {
        "a duration such as \"20 ms\"".into()
    } else {
        "lag, ack, delivery or response, then .mean, .p50, .p90, .p99, .p999 or .max; lost; throttled".into()
    }
}
