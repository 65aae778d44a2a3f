//! One clean container: asked for, started, addressed; or cleared away when that fails.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use bollard::{models::ContainerCreateBody, query_parameters::CreateContainerOptionsBuilder};
use futures_util::StreamExt;
use rand::RngExt;
use tokio::sync::oneshot;

use super::{
    Engine, Reach, Way,
    call::{ASK, WORK, failed, within, words},
    placeholder::{Placeholders, SELF},
    refusal::{Refusal, broken_promise},
    request::{Entry, file_name},
    state::{bridge_address, life_of},
};
use crate::{
    hub::{HubError, delay::Proxy},
    server::{ContainerSpec, Image, Launch, Life, Limits, Running, ServerSpec},
};

/// Attempts to start a container: each may meet a taken port or an option that the engine refuses.
const ATTEMPTS: u32 = 8;
/// A server that ends within this time after its start is reported with the start.
const FIRST_BREATH: Duration = Duration::from_millis(100);
/// Log lines in the error of a start.
const LOG_LINES: usize = 15;

impl Engine {
    /// Starts a server in a task of its own: when the caller goes away in the middle, the
    /// container is still known to somebody, who then removes it.
    pub(super) async fn start(
        self: Arc<Self>,
        spec: ServerSpec,
        limits: Limits,
        earlier: Vec<Running>,
    ) -> Result<Running, HubError> {
        let (tell, told) = oneshot::channel();
        let engine = Arc::clone(&self);
        self.starts.spawn(async move {
            let started = engine.launch(&spec, &limits, &earlier).await;
            if let Err(Ok(orphan)) = tell.send(started) {
                engine.discard(&orphan.id).await;
            }
        });
        told.await.unwrap_or(Err(HubError::Cancelled))
    }

    async fn launch(
        &self,
        spec: &ServerSpec,
        limits: &Limits,
        earlier: &[Running],
    ) -> Result<Running, HubError> {
        let failed = |reason| HubError::Start { role: spec.role.clone(), reason };
        let Launch::Container(container) = &spec.launch else {
            return Err(failed("the docker hub starts containers, not processes".to_owned()));
        };
        self.check_limits(limits).map_err(failed)?;
        // The server before this one may have ended with the engine.
        self.wait_until_back().await;
        let servers = self.inside_addresses(earlier).await?;
        let entry = self.entry(container).await?;
        let mut left_out = self.left_out();
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let ports = self.outside_ports(&spec.ports);
            let proxy = limits.delay.map(|delay| Proxy::bind(&spec.ports, delay)).transpose();
            let proxy = proxy.map_err(|error| failed(format!("no port for the delay: {error}")))?;
            let placeholders = Placeholders {
                servers: servers.clone(),
                host: proxy.as_ref().map_or(self.reach.host(), |_| Proxy::address()),
                ports: proxy.as_ref().map_or(&ports, Proxy::ports).clone(),
            };
            let mut body =
                self.body(&spec.role, container, limits, &left_out, &placeholders, &ports);
            if let Some(network) = self.network().await {
                body.networking_config = Some(network.joined());
                if let Some(host) = &mut body.host_config {
                    host.network_mode = Some(network.name().to_owned());
                }
            }
            if let Some(entry) = &entry {
                entry.lead(&mut body, &placeholders, &container.environment);
            }
            match self.once(container, &spec.role, limits, body, ports).await {
                Ok(running) => return self.make_way(running, limits, proxy).await.map_err(failed),
                Err(reason) => last = reason,
            }
            match Refusal::of(&last) {
                Refusal::PortTaken if self.reach.publishes() => {}
                Refusal::Option(option) if option.is_ours(limits) && left_out.insert(option) => {
                    tracing::warn!("the engine refuses {option:?}, going on without: {last}");
                    self.leave_out(option);
                }
                _ => break,
            }
        }
        Err(failed(Refusal::explained(last)))
    }

    /// Limits the link of a container that has just started, and leads the way to it through the
    /// proxy that was prepared. On failure the container is removed.
    async fn make_way(
        &self,
        mut server: Running,
        limits: &Limits,
        proxy: Option<Proxy>,
    ) -> Result<Running, String> {
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
                proxy.serve(&direct).map_err(|error| format!("no delay: {error}"))?;
            }
            Ok((link, proxy))
        };
        match made.await {
            Ok((link, proxy)) => {
                if let Some(proxy) = &proxy {
                    server.address = Proxy::address();
                    server.ports.clone_from(proxy.ports());
                }
                self.ways().insert(server.id.clone(), Way { link, direct, proxy });
                Ok(server)
            }
            Err(reason) => {
                self.discard(&server.id).await;
                Err(reason)
            }
        }
    }

    /// One attempt. On failure the container is removed, and the error carries its last lines.
    async fn once(
        &self,
        container: &ContainerSpec,
        role: &str,
        limits: &Limits,
        body: ContainerCreateBody,
        ports: BTreeMap<u16, u16>,
    ) -> Result<Running, String> {
        let name = format!("hubmark-{}-{:08x}", file_name(role), rand::rng().random::<u32>());
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let id = match within(WORK, self.client.create_container(Some(options), body)).await {
            Ok(created) => {
                if let Some(broken) = broken_promise(&created.warnings, limits) {
                    self.discard(&created.id).await;
                    return Err(broken);
                }
                created.id
            }
            Err(error) => {
                // A create that timed out may yet have been done; the name is ours alone.
                self.discard(&name).await;
                return Err(words(&error));
            }
        };
        let started = match within(WORK, self.client.start_container(&id, None)).await {
            Ok(()) => self.settle(&id).await,
            Err(error) => Err(words(&error)),
        };
        match started {
            Ok(found) => Ok(self.running(container, role, id, ports, &found).await),
            Err(reason) => {
                let reason = with_log(reason, &self.log(&id, LOG_LINES).await);
                self.discard(&id).await;
                Err(reason)
            }
        }
    }

    /// How the image starts, where the container's own address has to be filled in first.
    async fn entry(&self, container: &ContainerSpec) -> Result<Option<Entry>, HubError> {
        if container.environment.iter().all(|(_, value)| !value.contains(SELF)) {
            return Ok(None);
        }
        let reference = container.image.reference();
        let config = self.image(reference).await?.and_then(|image| image.config);
        let config = config.ok_or_else(|| HubError::Operation {
            what: format!("looking how {reference} is started"),
            reason: "the engine has no such image".to_owned(),
        })?;
        Ok(Some(Entry {
            point: config.entrypoint.unwrap_or_default(),
            command: config.cmd.unwrap_or_default(),
        }))
    }

    /// Waits for the first breath of a started container; returns its address and image.
    async fn settle(&self, id: &str) -> Result<Found, String> {
        let mut exit = Box::pin(self.client.wait_container(id, None));
        let _ = tokio::time::timeout(FIRST_BREATH, exit.next()).await;
        let inspect = within(ASK, self.client.inspect_container(id, None))
            .await
            .map_err(|error| words(&error))?;
        if let Life::Ended { code, out_of_memory } = life_of(&inspect) {
            let code = code.map_or_else(String::new, |code| format!(" with exit code {code}"));
            let why = if out_of_memory {
                ", killed for want of memory: raise hub.limits.memory or its heap"
            } else {
                ""
            };
            return Err(format!("it ended at once{code}{why}"));
        }
        let address = match self.reach {
            Reach::Container => {
                bridge_address(&inspect).ok_or("it got no address on any network")?
            }
            Reach::Published(host) => host,
        };
        Ok(Found { address, image: inspect.image })
    }

    async fn running(
        &self,
        container: &ContainerSpec,
        role: &str,
        id: String,
        ports: BTreeMap<u16, u16>,
        found: &Found,
    ) -> Running {
        let digest = match &found.image {
            Some(id) => Some(self.content_digest(id, &container.image).await),
            None => None,
        };
        Running {
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

    /// What tells the content of `image` apart, which the engine knows by `id`.
    pub(super) async fn content_digest(&self, id: &str, image: &Image) -> String {
        let pulled = match image {
            Image::Named(_) => self.pulled_digest(id).await,
            Image::Recipe { .. } => None,
        };
        pulled.unwrap_or_else(|| id.to_owned())
    }

    /// The digest under which a registry knows an image, by which it can be pulled again.
    pub(super) async fn pulled_digest(&self, image: &str) -> Option<String> {
        let digests = self.image(image).await.ok()??.repo_digests?;
        digests.first()?.split_once('@').map(|(_, digest)| digest.to_owned())
    }

    /// Addresses of earlier servers within the hub, where published ports are a detour.
    async fn inside_addresses(
        &self,
        earlier: &[Running],
    ) -> Result<HashMap<String, IpAddr>, HubError> {
        let mut servers = HashMap::new();
        for server in earlier {
            let proxied = self.ways().contains_key(&server.id);
            let address = match self.reach {
                Reach::Container if !proxied => server.address,
                Reach::Container | Reach::Published(_) => {
                    let what = || format!("finding the address of {}", server.role);
                    let inspect = within(ASK, self.client.inspect_container(&server.id, None))
                        .await
                        .map_err(failed(what()))?;
                    bridge_address(&inspect).ok_or_else(|| HubError::Operation {
                        what: what(),
                        reason: "it has none".to_owned(),
                    })?
                }
            };
            servers.insert(server.role.clone(), address);
        }
        Ok(servers)
    }
}

/// What is known of a container once it runs.
struct Found {
    address: IpAddr,
    image: Option<String>,
}

fn with_log(reason: String, log: &[String]) -> String {
    if log.is_empty() {
        return reason;
    }
    format!("{reason}; its last lines:\n  {}", log.join("\n  "))
}
