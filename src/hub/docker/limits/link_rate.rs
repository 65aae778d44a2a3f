//! Limits the rate of a server's link with `tc`, from a short-lived helper container in the
//! server's network namespace, the only container with the required capability.

use bollard::{
    models::{ContainerCreateBody, HostConfig},
    query_parameters::CreateContainerOptions,
};
use futures_util::StreamExt;

use crate::{
    hub::docker::{
        api_call::error_text, container::route::LinkRates, engine::DockerEngine,
        image::tools::tools_image,
    },
    units::ByteRate,
};

/// Role in the helper's label.
const ROLE: &str = "link";
/// Lines of the helper's output in an error.
const HELPER_LOG_LINES: usize = 10;
/// Tolerated relative difference between the requested rate and the kernel's, which counts whole
/// bytes.
const RATE_TOLERANCE: f64 = 0.001;

impl DockerEngine {
    /// Limits the link of a running container in both directions; returns the rates in force.
    pub async fn limit_link(&self, id: &str, rate: ByteRate) -> Result<LinkRates, String> {
        let bits = format!("{:.0}", rate.0 * 8.0);
        let body = ContainerCreateBody {
            image: Some(tools_image().reference().to_owned()),
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
        let helper = self
            .operation("creating a container", create)
            .await
            .map_err(|error| error_text(&error))?
            .id;
        let output = self.run_helper(&helper).await;
        if let Err(error) = self.remove(&helper).await {
            tracing::warn!("the helper {helper} could not be removed: {}", error_text(&error));
        }
        let output =
            output.map_err(|reason| format!("the link's rate could not be limited: {reason}"))?;
        let link = parse_rates(&output).ok_or_else(|| {
            format!("the link's rate could not be limited: tc printed {:?}", output.join("; "))
        })?;
        let holds = |found: ByteRate| (found.0 - rate.0).abs() <= rate.0 * RATE_TOLERANCE + 1.0;
        if holds(link.outbound) && holds(link.inbound) {
            Ok(link)
        } else {
            Err(format!(
                "the link's rate should be {rate}, but {} out and {} in are in force",
                link.outbound, link.inbound
            ))
        }
    }

    /// Runs the helper to its end; returns its output.
    async fn run_helper(&self, helper: &str) -> Result<Vec<String>, String> {
        self.operation("starting a container", self.client.start_container(helper, None))
            .await
            .map_err(|error| error_text(&error))?;
        let mut exit = Box::pin(self.client.wait_container(helper, None));
        let ended = self
            .operation("waiting for a container", async { exit.next().await.transpose() })
            .await;
        let lines = self.log(helper, HELPER_LOG_LINES).await;
        match ended {
            Ok(Some(end)) if end.status_code == 0 => Ok(lines),
            Ok(_) => Err(lines.join("; ")),
            Err(error) => Err(format!("{}: {}", error_text(&error), lines.join("; "))),
        }
    }
}

/// Parses the two rates that the helper prints.
fn parse_rates(lines: &[String]) -> Option<LinkRates> {
    let mut rates = lines.iter().filter_map(|line| line.trim().parse().ok()).map(ByteRate);
    Some(LinkRates { outbound: rates.next()?, inbound: rates.next()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_rates_are_needed() {
        let lines = |of: &[&str]| of.iter().map(ToString::to_string).collect::<Vec<_>>();
        let both = LinkRates { outbound: ByteRate(12_500_000.0), inbound: ByteRate(12_500_000.0) };
        assert_eq!(parse_rates(&lines(&["12500000", "12500000"])), Some(both));
        assert_eq!(parse_rates(&lines(&["12500000"])), None);
        assert_eq!(parse_rates(&lines(&["RTNETLINK answers: Operation not supported"])), None);
    }
}
