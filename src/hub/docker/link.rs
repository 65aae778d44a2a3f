//! The rate of a server's link: shaped by `tc` in the server's own network, from a helper
//! container that lives for a moment and is the only one that may do so.

use bollard::{
    models::{ContainerCreateBody, HostConfig},
    query_parameters::CreateContainerOptions,
};
use futures_util::StreamExt;

use super::{
    Engine,
    call::{WORK, within, words},
    tools::tools,
};
use crate::units::ByteRate;

/// The role in the helper's label.
const ROLE: &str = "link";
/// Lines of the helper's output that its error carries.
const LOG_LINES: usize = 10;
/// How far the kernel's figure may be from the one asked for: it counts whole bytes.
const ROUNDING: f64 = 0.001;

/// A link's rates that the kernel has in force.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Link {
    /// From the server.
    pub out: ByteRate,
    /// To the server.
    pub into: ByteRate,
}

impl Engine {
    /// Limits the link of a running container in both directions; returns what is then in force.
    pub(super) async fn limit_link(&self, id: &str, rate: ByteRate) -> Result<Link, String> {
        let bits = format!("{:.0}", rate.0 * 8.0);
        let body = ContainerCreateBody {
            image: Some(tools().reference().to_owned()),
            cmd: Some(["/opt/tools/link.sh", &bits].map(str::to_owned).to_vec()),
            labels: Some(self.labels(ROLE)),
            host_config: Some(HostConfig {
                network_mode: Some(format!("container:{id}")),
                cap_add: Some(vec!["NET_ADMIN".to_owned()]),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let create = self.client.create_container(None::<CreateContainerOptions>, body);
        let helper = within(WORK, create).await.map_err(|error| words(&error))?.id;
        let said = self.helped(&helper).await;
        if let Err(error) = self.remove(&helper).await {
            tracing::warn!("the helper {helper} could not be removed: {}", words(&error));
        }
        let said =
            said.map_err(|reason| format!("the link's rate could not be limited: {reason}"))?;
        let link = parse(&said).ok_or_else(|| {
            format!("the link's rate could not be limited: tc says {:?}", said.join("; "))
        })?;
        let holds = |found: ByteRate| (found.0 - rate.0).abs() <= rate.0 * ROUNDING + 1.0;
        if holds(link.out) && holds(link.into) {
            Ok(link)
        } else {
            Err(format!(
                "the link's rate was to be {rate}, and in force are {} out and {} in",
                link.out, link.into
            ))
        }
    }

    /// Lets the helper do its work; returns its lines.
    async fn helped(&self, helper: &str) -> Result<Vec<String>, String> {
        within(WORK, self.client.start_container(helper, None))
            .await
            .map_err(|error| words(&error))?;
        let mut exit = Box::pin(self.client.wait_container(helper, None));
        let ended = within(WORK, async { exit.next().await.transpose() }).await;
        let lines = self.log(helper, LOG_LINES).await;
        match ended {
            Ok(Some(end)) if end.status_code == 0 => Ok(lines),
            Ok(_) => Err(lines.join("; ")),
            Err(error) => Err(format!("{}: {}", words(&error), lines.join("; "))),
        }
    }
}

/// The two rates that the helper prints.
fn parse(lines: &[String]) -> Option<Link> {
    let mut rates = lines.iter().filter_map(|line| line.trim().parse().ok()).map(ByteRate);
    Some(Link { out: rates.next()?, into: rates.next()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_rates_are_needed() {
        let lines = |of: &[&str]| of.iter().map(ToString::to_string).collect::<Vec<_>>();
        let both = Link { out: ByteRate(12_500_000.0), into: ByteRate(12_500_000.0) };
        assert_eq!(parse(&lines(&["12500000", "12500000"])), Some(both));
        assert_eq!(parse(&lines(&["12500000"])), None);
        assert_eq!(parse(&lines(&["RTNETLINK answers: Operation not supported"])), None);
    }
}
