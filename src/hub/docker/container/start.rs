//! Starts a server in a clean container, and removes the container when the start fails.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use bollard::models::ContainerCreateBody;
use futures_util::StreamExt;

use super::{
    create_request::{CreateParameters, ImageCommand},
    lifecycle::{container_address, parse_state},
    own_address::SELF_PLACEHOLDER,
    route::{ContainerRoute, PortAccess},
    start_failure::StartFailure,
};
use crate::{
    hub::{
        HubError,
        delay_proxy::DelayProxy,
        docker::{
            api_call::{error_text, operation_error},
            engine::DockerEngine,
            limits::check::discarded_limit,
        },
        placeholders::Placeholders,
    },
    server::{
        ContainerSpec, LaunchSpec, OUT_OF_MEMORY_REPORT, ResourceLimits, RunningServer,
        ServerImage, ServerSpec, ServerState,
    },
};

/// Attempts to start a container: each may find a port in use or an option that the engine refuses.
const START_ATTEMPTS: u32 = 8;
/// A server that ends within this time after its start counts as a failed start.
const EARLY_EXIT_WINDOW: Duration = Duration::from_millis(100);
/// Log lines in the error of a failed start.
const ERROR_LOG_LINES: usize = 15;

impl DockerEngine {
    /// Starts a server; removes it when the caller is dropped meanwhile.
    pub async fn start(
        self: Arc<Self>,
        spec: ServerSpec,
        limits: ResourceLimits,
        earlier: Vec<RunningServer>,
    ) -> Result<RunningServer, HubError> {
        let engine = Arc::clone(&self);
        let start = async move { engine.start_with_retries(&spec, &limits, &earlier).await };
        self.run_start(start, |server| server.id.clone()).await
    }

    async fn start_with_retries(
        &self,
        spec: &ServerSpec,
        limits: &ResourceLimits,
        earlier: &[RunningServer],
    ) -> Result<RunningServer, HubError> {
        let failed = |reason| HubError::Start { role: spec.role.clone(), reason };
        let LaunchSpec::Container(container) = &spec.launch else {
            return Err(failed("the docker hub starts containers, not processes".to_owned()));
        };
        self.check_limits(limits).map_err(failed)?;
        // The previous server may have ended together with the engine.
        self.wait_until_reachable().await;
        let neighbours = self.internal_addresses(earlier).await?;
        let entry = self.image_command(container).await?;
        let mut omitted = self.refused_settings();
        let mut last = String::new();
        for _ in 0..START_ATTEMPTS {
            let ports = self.external_ports(&spec.ports);
            let proxy = limits.delay.map(|delay| DelayProxy::bind(&spec.ports, delay)).transpose();
            let proxy =
                proxy.map_err(|error| failed(format!("no port for the delay proxy: {error}")))?;
            let host = match &proxy {
                Some(_) => DelayProxy::address(),
                None => self.port_access.host_placeholder(),
            };
            let placeholders =
                Placeholders::for_ports(proxy.as_ref().map_or(&ports, DelayProxy::ports));
            let placeholders = neighbours
                .iter()
                .fold(placeholders, |all, (role, address)| all.with(role, address))
                .with("host", &host);
            let mut body = self.create_body(&CreateParameters {
                role: &spec.role,
                container,
                limits,
                omitted: &omitted,
                neighbours: &neighbours,
                placeholders: &placeholders,
                ports: &ports,
            });
            if let Some(network) = self.run_network().await {
                body.networking_config = Some(network.endpoint_config());
                if let Some(host) = &mut body.host_config {
                    host.network_mode = Some(network.name.clone());
                }
            }
            if let Some(entry) = &entry {
                entry.wrap_with_own_address(&mut body, &placeholders, &container.environment);
            }
            match self.try_start(container, &spec.role, limits, body, ports).await {
                Ok(running) => {
                    return self.set_up_route(running, limits, proxy).await.map_err(failed);
                }
                Err(reason) => last = reason,
            }
            match StartFailure::classify(&last) {
                StartFailure::PortTaken if self.port_access.is_published() => {}
                StartFailure::SettingRefused(option)
                    if option.can_be_omitted(limits) && omitted.insert(option) =>
                {
                    tracing::warn!("the engine refuses {option:?}, continuing without it: {last}");
                    self.mark_refused(option);
                }
                _ => break,
            }
        }
        Err(failed(StartFailure::with_advice(last, &self.command_options)))
    }

    /// Limits the link of a container that has just started, and routes its ports through the
    /// prepared proxy. On failure the container is removed.
    async fn set_up_route(
        &self,
        mut server: RunningServer,
        limits: &ResourceLimits,
        proxy: Option<DelayProxy>,
    ) -> Result<RunningServer, String> {
        if limits.link.is_none() && proxy.is_none() {
            return Ok(server);
        }
        let direct: BTreeMap<_, _> =
            server.ports.keys().map(|&port| (port, server.endpoint(port))).collect();
        let made = async {
            let link = match limits.link {
                Some(rate) => Some(self.limit_link(&server.id, rate).await?),
                None => None,
            };
            let mut proxy = proxy;
            if let Some(proxy) = &mut proxy {
                proxy
                    .serve(&direct)
                    .map_err(|error| format!("the delay proxy did not start: {error}"))?;
            }
            Ok((link, proxy))
        };
        match made.await {
            Ok((link, proxy)) => {
                if let Some(proxy) = &proxy {
                    server.address = DelayProxy::address();
                    server.ports.clone_from(proxy.ports());
                }
                self.routes().insert(server.id.clone(), ContainerRoute { link, direct, proxy });
                Ok(server)
            }
            Err(reason) => {
                self.remove_or_warn(&server.id).await;
                Err(reason)
            }
        }
    }

    /// Makes one attempt; on failure removes the container and adds its last log lines to the
    /// error.
    async fn try_start(
        &self,
        container: &ContainerSpec,
        role: &str,
        limits: &ResourceLimits,
        body: ContainerCreateBody,
        ports: BTreeMap<u16, u16>,
    ) -> Result<RunningServer, String> {
        let created =
            self.create_container(role, body).await.map_err(|error| error_text(&error))?;
        let id = created.id;
        if let Some(reason) = discarded_limit(&created.warnings, limits) {
            self.remove_or_warn(&id).await;
            return Err(reason);
        }
        let started = match self
            .operation("starting a container", self.client.start_container(&id, None))
            .await
        {
            Ok(()) => self.check_started(&id).await,
            Err(error) => Err(error_text(&error)),
        };
        match started {
            Ok(found) => Ok(self.describe_running(container, role, id, ports, &found).await),
            Err(reason) => {
                let reason = with_log(reason, &self.log(&id, ERROR_LOG_LINES).await);
                self.remove_or_warn(&id).await;
                Err(reason)
            }
        }
    }

    /// Returns the image's start command, where the container's address has to be filled in first.
    async fn image_command(
        &self,
        container: &ContainerSpec,
    ) -> Result<Option<ImageCommand>, HubError> {
        if container.environment.iter().all(|(_, value)| !value.contains(SELF_PLACEHOLDER)) {
            return Ok(None);
        }
        let reference = container.image.reference();
        let config = self.image(reference).await?.and_then(|image| image.config);
        let config = config.ok_or_else(|| HubError::Operation {
            what: format!("reading the start command of {reference}"),
            reason: "the engine has no such image".to_owned(),
        })?;
        Ok(Some(ImageCommand {
            entry_point: config.entrypoint.unwrap_or_default(),
            command: config.cmd.unwrap_or_default(),
        }))
    }

    /// Waits out [`EARLY_EXIT_WINDOW`] after a start; returns the container's address and image.
    async fn check_started(&self, id: &str) -> Result<StartedContainer, String> {
        let mut exit = Box::pin(self.client.wait_container(id, None));
        let _ = tokio::time::timeout(EARLY_EXIT_WINDOW, exit.next()).await;
        let inspect = self
            .query("inspecting a container", self.client.inspect_container(id, None))
            .await
            .map_err(|error| error_text(&error))?;
        if let ServerState::Ended { code, out_of_memory } = parse_state(&inspect) {
            let code = code.map_or_else(String::new, |code| format!(" with exit code {code}"));
            let why =
                if out_of_memory { format!(", {OUT_OF_MEMORY_REPORT}") } else { String::new() };
            return Err(format!("it ended at once{code}{why}"));
        }
        let address = match self.port_access {
            PortAccess::Direct => {
                container_address(&inspect).ok_or("it got no address on any network")?
            }
            PortAccess::Published(host) => host,
        };
        Ok(StartedContainer { address, image: inspect.image })
    }

    async fn describe_running(
        &self,
        container: &ContainerSpec,
        role: &str,
        id: String,
        ports: BTreeMap<u16, u16>,
        found: &StartedContainer,
    ) -> RunningServer {
        let digest = match &found.image {
            Some(id) => Some(self.content_digest(id, &container.image).await),
            None => None,
        };
        RunningServer {
            role: role.to_owned(),
            id,
            address: found.address,
            ports,
            image: container.image.reference().to_owned(),
            digest,
            data_dir: container.data_dir.clone(),
            dir: None,
        }
    }

    /// Returns the digest that identifies the content of `image`, known to the engine as `id`.
    pub async fn content_digest(&self, id: &str, image: &ServerImage) -> String {
        let pulled = match image {
            ServerImage::Named(_) => self.pulled_digest(id).await,
            ServerImage::Recipe { .. } => None,
        };
        pulled.unwrap_or_else(|| id.to_owned())
    }

    /// Returns the digest by which a registry knows an image, and by which it can be pulled again.
    pub async fn pulled_digest(&self, image: &str) -> Option<String> {
        let digests = self.image(image).await.ok()??.repo_digests?;
        digests.first()?.split_once('@').map(|(_, digest)| digest.to_owned())
    }

    /// Returns the addresses of earlier servers within the hub: published ports would be a detour.
    async fn internal_addresses(
        &self,
        earlier: &[RunningServer],
    ) -> Result<HashMap<String, IpAddr>, HubError> {
        let mut servers = HashMap::new();
        for server in earlier {
            let proxied = self.routes().contains_key(&server.id);
            let address = match self.port_access {
                PortAccess::Direct if !proxied => server.address,
                PortAccess::Direct | PortAccess::Published(_) => {
                    let what = || format!("finding the address of {}", server.role);
                    let inspect = self
                        .query(
                            "inspecting a container",
                            self.client.inspect_container(&server.id, None),
                        )
                        .await
                        .map_err(operation_error(what()))?;
                    container_address(&inspect).ok_or_else(|| HubError::Operation {
                        what: what(),
                        reason: "it has no address".to_owned(),
                    })?
                }
            };
            servers.insert(server.role.clone(), address);
        }
        Ok(servers)
    }
}

/// Address and image of a started container.
struct StartedContainer {
    address: IpAddr,
    image: Option<String>,
}

fn with_log(reason: String, log: &[String]) -> String {
    if log.is_empty() {
        return reason;
    }
    format!("{reason}; its last lines:\n  {}", log.join("\n  "))
}
