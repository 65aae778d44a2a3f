//! Measures the cost of the network path from this machine to a server's port.

use std::{sync::Arc, time::Duration};

use super::network_probe::{
    PROBE_PORT, measure_receive_rate, measure_round_trips, measure_send_rate, wait_until_answering,
};
use crate::{
    hub::{
        HubError,
        docker::{api_call::operation_error, engine::DockerEngine},
    },
    measure::PathCost,
    server::{ContainerSpec, LaunchSpec, ResourceLimits, RunningServer, ServerImage, ServerSpec},
    stats::distribution::Distribution,
};

const ROLE: &str = "path";
/// Script that answers; passed to Perl on its command line, so that it runs in any image with Perl.
const SERVE_SCRIPT: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/images/tools/serve.pl"));
/// Number of round trips: the minimum for a 99th percentile.
const ROUND_TRIPS: u32 = 1_000;
/// Time limit for the round trips: on a slow path the percentile is then missing.
const MAX_ROUND_TRIPS_DURATION: Duration = Duration::from_secs(2);
/// Duration of the transfer in each direction.
const TRANSFER_DURATION: Duration = Duration::from_millis(600);

impl DockerEngine {
    /// Measures the path to a container under `limits`, started from the first of `images` that has
    /// Perl.
    pub async fn measure_path_cost(
        self: &Arc<Self>,
        images: &[ServerImage],
        limits: &ResourceLimits,
    ) -> Result<Option<PathCost>, HubError> {
        let mut failure = None;
        for image in images {
            match Arc::clone(self).start(probe_spec(image), *limits, Vec::new()).await {
                Ok(probe) => {
                    let measured = measure_cost(&probe).await;
                    let removed = self.remove(&probe.id).await;
                    removed.map_err(operation_error(
                        "removing the container that measures the path",
                    ))?;
                    return measured.map(Some).map_err(|reason| HubError::Operation {
                        what: "measuring the path".to_owned(),
                        reason,
                    });
                }
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(None), Err)
    }
}

fn probe_spec(image: &ServerImage) -> ServerSpec {
    ServerSpec {
        role: ROLE.to_owned(),
        launch: LaunchSpec::Container(ContainerSpec {
            image: image.clone(),
            environment: Vec::new(),
            entry_point: Some("perl".to_owned()),
            arguments: vec!["-e".to_owned(), SERVE_SCRIPT.to_owned(), PROBE_PORT.to_string()],
            data_dir: None,
        }),
        ports: vec![PROBE_PORT],
    }
}

async fn measure_cost(probe: &RunningServer) -> Result<PathCost, String> {
    let address = probe.endpoint(PROBE_PORT);
    wait_until_answering(address).await?;
    let failed = |error: std::io::Error| format!("{address}: {error}");
    let mut times = Distribution::default();
    for seconds in
        measure_round_trips(address, ROUND_TRIPS, MAX_ROUND_TRIPS_DURATION).await.map_err(failed)?
    {
        times.record((seconds * 1e6).round() as i64);
    }
    let from_hub = measure_receive_rate(address, TRANSFER_DURATION).await.map_err(failed)?;
    let to_hub = measure_send_rate(address, from_hub, TRANSFER_DURATION).await.map_err(failed)?;
    Ok(PathCost {
        round_trips: times.count(),
        p50: times.percentile(0.5),
        p99: times.percentile(0.99),
        from_hub: Some(from_hub),
        to_hub: Some(to_hub),
    })
}
