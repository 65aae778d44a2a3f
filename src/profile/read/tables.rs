//! Parsing of the tables `[hub]`, `[run]` and `[thresholds]`.

use super::reader::ProfileReader;
use crate::{
    plan::{
        Cooldown, DEFAULT_HUB_TIMEOUT, Durability, HubRequest, LOST, RepetitionOrder, THROTTLED,
        Threshold, UNDELIVERED, counts_messages,
    },
    profile::{
        RunRequest,
        catalogue::BackendInfo,
        keys::{
            self, METRICS, ProfileKey,
            bounds::{
                MAX_COOLDOWN_TEMPERATURE, MAX_DELAY, MAX_HUB_TIMEOUT, MAX_REPETITIONS, MAX_RETRIES,
                MAX_RUN_DURATION, MAX_SEED, MIN_COOLDOWN_TEMPERATURE, MIN_CPUS, MIN_DELAY,
                MIN_HUB_TIMEOUT, MIN_LINK_RATE, MIN_MEMORY, cooldown_temperature_range,
                delay_range, hub_timeout_range,
            },
            choices::{DURABILITIES, HUB_KINDS, ORDERS},
        },
        presets::PRESETS,
        problem::ValueProblem,
        tree::Node,
        values::{self, ParseResult},
    },
    server::{Endpoint, HubKind, ResourceLimits, host_in_url},
    units::Celsius,
};

/// Keys that only containers have; the engine and its certificates come first.
const DOCKER_ONLY: &[&ProfileKey] = &[
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

impl ProfileReader<'_> {
    pub(super) fn read_hub(&mut self) -> Option<HubRequest> {
        let kind = self.read_or(&keys::HUB_KIND, self.default_hub_kind(), |node| {
            values::parse_choice(node, &HUB_KINDS)
        });
        let engine = self.read_or(&keys::HUB_ENGINE, None, parse_engine_address);
        let address = self.read_or(&keys::HUB_ADDRESS, None, parse_host);
        let certificates = self.read_or(&keys::HUB_CERTIFICATES, None, |node| {
            values::parse_line(node).map(|path| Some(path).filter(|path| !path.is_empty()))
        });
        let timeout = self.read_or(&keys::HUB_TIMEOUT, DEFAULT_HUB_TIMEOUT, |node| {
            let timeout = values::parse_duration(node)?;
            if timeout < MIN_HUB_TIMEOUT || timeout > MAX_HUB_TIMEOUT {
                let message = format!("it is not {}", hub_timeout_range());
                return Err(ValueProblem::new(node.origin, message).into());
            }
            Ok(timeout)
        });
        let cpus = self.read_or(&keys::LIMIT_CPUS, None, |node| {
            values::parse_at_least(node, &MIN_CPUS).map(Some)
        });
        let memory = self.read_or(&keys::LIMIT_MEMORY, None, |node| {
            values::parse_at_least(node, &MIN_MEMORY).map(Some)
        });
        let disk_write = self.read_or(&keys::LIMIT_DISK_WRITE, None, |node| {
            values::parse_disk_write_rate(node).map(Some)
        });
        let link = self.read_or(&keys::LIMIT_LINK, None, |node| {
            values::parse_at_least(node, &MIN_LINK_RATE).map(Some)
        });
        let delay = self.read_or(&keys::LIMIT_DELAY, None, |node| {
            let delay = values::parse_duration(node)?;
            if delay < MIN_DELAY || delay > MAX_DELAY {
                let message = format!("it is not {}", delay_range());
                return Err(ValueProblem::new(node.origin, message).into());
            }
            Ok(Some(delay))
        });
        let like = self.read_or(&keys::LIKE, None, |node| {
            let names: Vec<_> = PRESETS.iter().map(|one| (one.name, one)).collect();
            values::parse_choice(node, &names).map(Some)
        });
        match kind {
            Some(HubKind::Local) => self
                .reject_keys(DOCKER_ONLY, "it works on the docker hub only, and the hub is local"),
            // `hub.engine` may name the engine of the servers' containers.
            Some(HubKind::External) => self.reject_keys(
                &DOCKER_ONLY[2..],
                "it is for servers that hubmark starts itself, and the hub is external",
            ),
            _ => {}
        }
        let like = like?;
        let (cpus, memory, disk_write) = (cpus?, memory?, disk_write?);
        let limits = ResourceLimits { cpus, memory, disk_write, link: link?, delay: delay? };
        Some(HubRequest {
            kind: kind?,
            engine: engine?,
            address: address?,
            certificates: certificates?,
            like: like.map(|one| one.name.to_owned()),
            limits: like.map_or(limits, |one| one.limits_with(&limits)),
            timeout: timeout?,
        })
    }

    /// Rejects keys that this kind of hub cannot apply: results under a limit that is not in force
    /// would be wrong.
    fn reject_keys(&mut self, keys: &[&ProfileKey], why: &str) {
        for key in keys {
            if self.node(key).is_some() {
                self.report_conflict(key, why);
            }
        }
    }

    /// Default kind of hub: the first on which all backends can run.
    fn default_hub_kind(&self) -> HubKind {
        let known = |node: &Node| -> ParseResult<Vec<(String, &'static BackendInfo)>> {
            let text = values::parse_text(node)?;
            let name = text.split(':').next().unwrap_or(text);
            Ok(self.catalogue.find(name).map(|info| (text.to_owned(), info)).into_iter().collect())
        };
        // Problems of the backends are reported where the backends are parsed.
        let chosen =
            self.node(&keys::BACKEND).and_then(|node| values::parse_sweep(node, known).ok());
        let chosen = chosen.unwrap_or_default();
        let Some((_, first)) = chosen.first() else { return HubKind::Docker };
        let suits_all = |kind: &&HubKind| chosen.iter().all(|(_, info)| info.hubs.contains(kind));
        let common = first.hubs.iter().find(suits_all).or_else(|| first.hubs.first());
        common.copied().unwrap_or(HubKind::Docker)
    }

    pub(super) fn read_run(&mut self) -> Option<RunRequest> {
        let repetitions = self.read_or(&keys::REPETITIONS, 1, |node| {
            values::parse_integer(node, 1, MAX_REPETITIONS).map(|number| number as u32)
        });
        let retries = self.read_or(&keys::RETRIES, 1, |node| {
            values::parse_integer(node, 0, MAX_RETRIES).map(|number| number as u32)
        });
        let order = self.read_or(&keys::ORDER, RepetitionOrder::Interleaved, |node| {
            values::parse_choice(node, &ORDERS)
        });
        let seed = self.read_or(&keys::SEED, 42, |node| values::parse_integer(node, 0, MAX_SEED));
        let durability = self.read_or(&keys::DURABILITY, vec![Durability::Default], |node| {
            values::parse_sweep(node, |node| Ok(vec![values::parse_choice(node, &DURABILITIES)?]))
        });
        let baseline = self.read_duration(&keys::BASELINE, 5);
        let server_warmup = self.read_duration(&keys::SERVER_WARMUP, 0);
        let cooldown = self.read_cooldown();
        let footprint = self.read_or(&keys::FOOTPRINT, false, values::parse_bool);
        let steering = self.read_or(&keys::STEERING, false, values::parse_bool);
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
            steering: steering?,
        })
    }

    /// Parses the cool-down; the wait has a limit, so that a hub in a hot cabinet is measured
    /// eventually.
    #[expect(clippy::option_option, reason = "an absent value differs from an invalid one")]
    fn read_cooldown(&mut self) -> Option<Option<Cooldown>> {
        let below = self.read_or(&keys::COOLDOWN_BELOW, None, |node| {
            let below: Celsius = values::parse_quantity(node)?;
            if !(MIN_COOLDOWN_TEMPERATURE..=MAX_COOLDOWN_TEMPERATURE).contains(&below) {
                let message = format!("{below} is not {}", cooldown_temperature_range());
                return Err(ValueProblem::new(node.origin, message).into());
            }
            Ok(Some(below))
        });
        let limit = self.read_duration(&keys::COOLDOWN_LIMIT, 300);
        if below == Some(None) && self.node(&keys::COOLDOWN_LIMIT).is_some() {
            self.report_conflict(
                &keys::COOLDOWN_LIMIT,
                "it limits a wait for run.cooldown.below, which is missing",
            );
            return None;
        }
        let limit = limit?;
        Some(below?.map(|below| Cooldown { below, limit }))
    }

    /// Parses the thresholds, in the order of [`METRICS`], numbers of messages last.
    pub(super) fn read_thresholds(&mut self) -> Vec<Threshold> {
        self.read_limits(&keys::THRESHOLDS)
    }

    /// Parses a table of limits on metrics, in the order of [`METRICS`], numbers of messages last.
    pub(super) fn read_limits(&mut self, of: &ProfileKey) -> Vec<Threshold> {
        let Some(table) = self.node(of).and_then(Node::table) else {
            return Vec::new();
        };
        let (mut thresholds, mut problems) = (Vec::new(), Vec::new());
        let leaves = values::flatten_table(table, &mut problems);
        for problem in problems {
            self.report(of, problem);
        }
        for (metric, node) in leaves {
            match parse_limit(&metric, node) {
                Ok(at_most) => thresholds.push(Threshold { metric, at_most }),
                Err(problems) => {
                    let key = format!("{}.{metric}", of.path);
                    for problem in problems {
                        self.push_problem(&key, Some(describe_allowed_limit(&metric)), problem);
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

fn parse_engine_address(node: &Node) -> ParseResult<Option<String>> {
    let address = values::parse_line(node)?;
    // A form can remove an address only by making it empty.
    if address.is_empty() {
        return Ok(None);
    }
    if address.contains("://") {
        return Ok(Some(address));
    }
    let meant = if address.contains('/') || address.contains(".sock") {
        format!("a socket is written \"unix://{address}\"")
    } else {
        format!("a machine reached by SSH is written \"ssh://{address}\"")
    };
    let message = format!("{address:?} is not the address of an engine: {meant}");
    Err(ValueProblem::new(node.origin, message).into())
}

/// Parses a host's name or address; an empty one removes the profile's.
fn parse_host(node: &Node) -> ParseResult<Option<String>> {
    let address = values::parse_line(node)?;
    if address.is_empty() {
        return Ok(None);
    }
    let problem = |message: String| Err(ValueProblem::new(node.origin, message).into());
    if let Some((host, _)) = host_in_url(&address) {
        let host = Endpoint::parse(host, 1).map_or_else(|_| host.to_owned(), |found| found.host);
        return problem(format!("a URL is given in place of a host: write {host:?}"));
    }
    if let [host, port] = address.split(':').collect::<Vec<_>>()[..]
        && port.chars().all(|c| c.is_ascii_digit())
    {
        return problem(format!(
            "{address:?} has a port, and the engine chooses the ports: write the host alone, {host:?}"
        ));
    }
    let plain = |c: char| c.is_alphanumeric() || "-_.:%".contains(c);
    if address.chars().all(plain) {
        return Ok(Some(address));
    }
    problem(format!("{address:?} is not a host's name or address"))
}

/// Parses the largest allowed value of a metric: microseconds, or a count.
fn parse_limit(metric: &str, node: &Node) -> ParseResult<f64> {
    if counts_messages(metric) {
        // Beyond 2^53 a float no longer counts single messages.
        return values::parse_integer(node, 0, 1 << 53).map(|count| count as f64);
    }
    if !METRICS.contains(&metric) {
        let known = METRICS.into_iter().chain([LOST, UNDELIVERED]);
        let problem = ValueProblem::new(node.origin, "this metric is not known");
        return Err(problem.with_nearest(metric, known).into());
    }
    let limit = values::parse_duration(node)?;
    let never = limit.is_zero() && metric != THROTTLED;
    if never || limit.subsec_nanos() % 1_000 != 0 || limit > MAX_RUN_DURATION {
        let message = "it is not a whole number of microseconds, at least one";
        return Err(ValueProblem::new(node.origin, message).into());
    }
    Ok(limit.as_micros() as f64)
}

fn describe_allowed_limit(metric: &str) -> String {
    if counts_messages(metric) {
        "a number of messages".into()
    } else if METRICS.contains(&metric) {
        "a duration such as \"20 ms\"".into()
    } else {
        "lag, ack, delivery or response, then .mean, .p50, .p90, .p95, .p99, .p999 or .max; undelivered; lost; throttled".into()
    }
}
