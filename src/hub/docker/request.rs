//! What the engine is asked for: a container's command, labels, limits, ports.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, PortBinding,
    ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum, ThrottleDevice,
};
use rand::RngExt;

use super::{
    Engine, owner,
    placeholder::{Placeholders, own_address_script},
    refusal::Refusable,
};
use crate::{
    server::{ContainerSpec, Limits},
    units::Cpus,
};

/// Open files and sockets that a server may have. Thousands of connections need more than many
/// engines grant by themselves.
const OPEN_FILES: i64 = 65_536;
/// Where free ports of a remote hub are looked for: below those that Linux gives to clients.
const PORTS: std::ops::Range<u16> = 20_000..32_768;
/// cgroup v1 counts block I/O only under some throttle rule: one that nothing will ever reach.
pub(super) const UNREACHABLE_RATE: i64 = 100_000_000_000;

impl Engine {
    /// The outside port for each inside one: itself when the container is reached directly,
    /// otherwise one that is likely to be free.
    pub(super) fn outside_ports(&self, ports: &[u16]) -> BTreeMap<u16, u16> {
        if !self.reach.publishes() {
            return ports.iter().map(|&port| (port, port)).collect();
        }
        let mut random = rand::rng();
        let mut chosen = BTreeMap::new();
        for &port in ports {
            let mut outside = random.random_range(PORTS);
            while chosen.values().any(|&taken| taken == outside) {
                outside = random.random_range(PORTS);
            }
            chosen.insert(port, outside);
        }
        chosen
    }

    pub(super) fn body(
        &self,
        role: &str,
        container: &ContainerSpec,
        limits: &Limits,
        left_out: &BTreeSet<Refusable>,
        placeholders: &Placeholders,
        ports: &BTreeMap<u16, u16>,
    ) -> ContainerCreateBody {
        let environment = container
            .environment
            .iter()
            .map(|(name, value)| format!("{name}={}", placeholders.fill(value)))
            .collect();
        let arguments: Vec<_> =
            container.arguments.iter().map(|argument| placeholders.fill(argument)).collect();
        ContainerCreateBody {
            image: Some(container.image.reference().to_owned()),
            entrypoint: container.entry_point.clone().map(|program| vec![program]),
            env: Some(environment),
            cmd: (!arguments.is_empty()).then_some(arguments),
            labels: Some(self.labels(role)),
            exposed_ports: Some(ports.keys().map(|port| format!("{port}/tcp")).collect()),
            // A health check of the image's own would cost up to a fifth of a core.
            healthcheck: Some(HealthConfig {
                test: Some(vec!["NONE".to_owned()]),
                ..HealthConfig::default()
            }),
            host_config: Some(self.host_config(limits, left_out, placeholders, ports)),
            ..ContainerCreateBody::default()
        }
    }

    /// The labels by which a container of this run is found again.
    pub(super) fn labels(&self, role: &str) -> HashMap<String, String> {
        let mut labels: HashMap<String, String> =
            self.owner.iter().flat_map(owner::Owner::labels).collect();
        labels.insert(owner::RUN.to_owned(), self.run.clone());
        labels.insert(owner::ROLE.to_owned(), role.to_owned());
        labels
    }

    fn host_config(
        &self,
        limits: &Limits,
        left_out: &BTreeSet<Refusable>,
        placeholders: &Placeholders,
        ports: &BTreeMap<u16, u16>,
    ) -> HostConfig {
        let memory = limits.memory.and_then(|bytes| i64::try_from(bytes.0).ok());
        let open_files = ResourcesUlimits {
            name: Some("nofile".to_owned()),
            soft: Some(OPEN_FILES),
            hard: Some(OPEN_FILES),
        };
        let bindings = ports.iter().map(|(inside, outside)| {
            let binding = PortBinding { host_ip: None, host_port: Some(outside.to_string()) };
            (format!("{inside}/tcp"), Some(vec![binding]))
        });
        // Some clients ask for the name behind an address, and in a field cabinet no name server
        // answers: what a container needs to know is in its own hosts file.
        let neighbours = placeholders.servers.iter().map(|(role, at)| format!("{role}:{at}"));
        HostConfig {
            extra_hosts: Some(neighbours.collect()),
            nano_cpus: limits.cpus.map(nano_cpus),
            memory,
            memory_swap: memory,
            blkio_device_write_bps: self.disk_rule(limits, left_out).map(|rule| vec![rule]),
            ulimits: (!left_out.contains(&Refusable::OpenFiles)).then(|| vec![open_files]),
            port_bindings: self.reach.publishes().then(|| bindings.collect()),
            auto_remove: Some(false),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::NO),
                maximum_retry_count: None,
            }),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".to_owned()),
                config: Some(HashMap::from([
                    ("max-size".to_owned(), "10m".to_owned()),
                    ("max-file".to_owned(), "2".to_owned()),
                ])),
            }),
            ..HostConfig::default()
        }
    }

    /// The write limit asked for, or on cgroup v1 the rule that only makes the kernel count.
    fn disk_rule(&self, limits: &Limits, left_out: &BTreeSet<Refusable>) -> Option<ThrottleDevice> {
        let rate = match limits.disk_write {
            Some(rate) => rate.0.max(1.0) as i64,
            None if self.cgroup.as_deref() == Some("1")
                && !left_out.contains(&Refusable::BlockCounting) =>
            {
                UNREACHABLE_RATE
            }
            None => return None,
        };
        let path = self.disk.as_ref()?.device.clone();
        Some(ThrottleDevice { path: Some(path), rate: Some(rate) })
    }
}

/// How an image starts: its entry point and what it runs where no arguments are given.
pub(super) struct Entry {
    pub(super) point: Vec<String>,
    pub(super) command: Vec<String>,
}

impl Entry {
    /// Lets a shell find the container's own address and then start what the image would have
    /// started.
    pub(super) fn lead(
        &self,
        body: &mut ContainerCreateBody,
        placeholders: &Placeholders,
        environment: &[(String, String)],
    ) {
        let filled: Vec<_> = environment
            .iter()
            .map(|(name, value)| (name.clone(), placeholders.fill(value)))
            .collect();
        let Some(script) = own_address_script(&filled) else { return };
        let arguments = body.cmd.take().unwrap_or_else(|| self.command.clone());
        body.entrypoint = Some(["/bin/sh", "-c", &script, "sh"].map(str::to_owned).to_vec());
        body.cmd = Some(self.point.iter().cloned().chain(arguments).collect());
    }
}

/// Cores as the engine counts them.
pub(super) fn nano_cpus(cpus: Cpus) -> i64 {
    (cpus.0 * 1e9).round() as i64
}

/// A role as a part of a container's name.
pub(super) fn file_name(role: &str) -> String {
    role.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}
