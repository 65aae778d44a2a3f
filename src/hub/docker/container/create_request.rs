//! Builds the requests that create containers: command, labels, limits, ports.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, PortBinding,
    ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum, ThrottleDevice,
};
use rand::RngExt;

use super::{own_address::own_address_script, start_failure::OptionalSetting};
use crate::{
    hub::{
        docker::{engine::DockerEngine, limits::disk_writes::COUNTING_ONLY_RATE},
        placeholders::Placeholders,
    },
    owner::ROLE_LABEL,
    server::{ContainerSpec, ResourceLimits},
    units::Cpus,
};

/// Open files and sockets that a server may have: thousands of connections need more than the
/// default of many engines.
const OPEN_FILES_LIMIT: i64 = 65_536;
/// Range of the ports published on a hub: below the ephemeral ports of Linux clients.
const PUBLISHED_PORT_RANGE: std::ops::Range<u16> = 20_000..32_768;
/// What the request for a server's container is built from.
pub struct CreateParameters<'a> {
    /// Role of the server.
    pub role: &'a str,
    /// The specified container.
    pub container: &'a ContainerSpec,
    /// Limits of its resources.
    pub limits: &'a ResourceLimits,
    /// Settings that the engine has refused.
    pub omitted: &'a BTreeSet<OptionalSetting>,
    /// Address within the hub of each server that was started earlier, by role.
    pub neighbours: &'a HashMap<String, IpAddr>,
    /// Values of the placeholders in environment and arguments.
    pub placeholders: &'a Placeholders,
    /// External port for each of the container's ports.
    pub ports: &'a BTreeMap<u16, u16>,
}

impl DockerEngine {
    /// Chooses an external port for each container port: the same port when the container is
    /// reached directly, otherwise one that is probably free.
    pub fn external_ports(&self, ports: &[u16]) -> BTreeMap<u16, u16> {
        if !self.port_access.is_published() {
            return ports.iter().map(|&port| (port, port)).collect();
        }
        let mut random = rand::rng();
        let mut chosen = BTreeMap::new();
        for &port in ports {
            let mut outside = random.random_range(PUBLISHED_PORT_RANGE);
            while chosen.values().any(|&taken| taken == outside) {
                outside = random.random_range(PUBLISHED_PORT_RANGE);
            }
            chosen.insert(port, outside);
        }
        chosen
    }

    pub fn create_body(&self, parameters: &CreateParameters<'_>) -> ContainerCreateBody {
        let CreateParameters { container, placeholders, ports, .. } = parameters;
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
            labels: Some(self.labels(parameters.role)),
            exposed_ports: Some(ports.keys().map(|port| format!("{port}/tcp")).collect()),
            // The image's health check would cost up to a fifth of a core.
            healthcheck: Some(HealthConfig {
                test: Some(vec!["NONE".to_owned()]),
                ..HealthConfig::default()
            }),
            host_config: Some(self.host_config(parameters)),
            ..ContainerCreateBody::default()
        }
    }

    /// Returns the labels of a container of this run.
    pub fn labels(&self, role: &str) -> HashMap<String, String> {
        let mut labels = self.run_labels();
        labels.insert(ROLE_LABEL.to_owned(), role.to_owned());
        labels
    }

    fn host_config(&self, parameters: &CreateParameters<'_>) -> HostConfig {
        let CreateParameters { limits, omitted, neighbours, ports, .. } = parameters;
        let memory = limits.memory.and_then(|bytes| i64::try_from(bytes.0).ok());
        let open_files = ResourcesUlimits {
            name: Some("nofile".to_owned()),
            soft: Some(OPEN_FILES_LIMIT),
            hard: Some(OPEN_FILES_LIMIT),
        };
        let bindings = ports.iter().map(|(inside, outside)| {
            let binding = PortBinding { host_ip: None, host_port: Some(outside.to_string()) };
            (format!("{inside}/tcp"), Some(vec![binding]))
        });
        // Some clients resolve names from addresses, and in a field cabinet no name server answers:
        // the container's hosts file has the names it needs.
        let hosts = neighbours.iter().map(|(role, address)| format!("{role}:{address}"));
        HostConfig {
            extra_hosts: Some(hosts.collect()),
            nano_cpus: limits.cpus.map(nano_cpus),
            memory,
            memory_swap: memory,
            blkio_device_write_bps: self.disk_throttle(limits, omitted).map(|rule| vec![rule]),
            ulimits: (!omitted.contains(&OptionalSetting::OpenFiles)).then(|| vec![open_files]),
            port_bindings: self.port_access.is_published().then(|| bindings.collect()),
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

    /// Returns the requested write limit, or on cgroup v1 the rule that only makes the kernel
    /// count.
    fn disk_throttle(
        &self,
        limits: &ResourceLimits,
        omitted: &BTreeSet<OptionalSetting>,
    ) -> Option<ThrottleDevice> {
        let rate = match limits.disk_write {
            Some(rate) => rate.0.max(1.0) as i64,
            None if self.cgroup.as_deref() == Some("1")
                && !omitted.contains(&OptionalSetting::BlockCounting) =>
            {
                COUNTING_ONLY_RATE.cast_signed()
            }
            None => return None,
        };
        let path = self.disk.as_ref()?.device.clone();
        Some(ThrottleDevice { path: Some(path), rate: Some(rate) })
    }
}

/// Start command of an image: entry point and default arguments.
pub struct ImageCommand {
    pub entry_point: Vec<String>,
    pub command: Vec<String>,
}

impl ImageCommand {
    /// Wraps the command in a shell that finds the container's address first.
    pub fn wrap_with_own_address(
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
        body.cmd = Some(self.entry_point.iter().cloned().chain(arguments).collect());
    }
}

/// Converts cores into the engine's unit, billionths of a core.
pub fn nano_cpus(cpus: Cpus) -> i64 {
    (cpus.0 * 1e9).round() as i64
}
