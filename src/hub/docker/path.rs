//! What the way from here to a server's port costs by itself.

use std::{sync::Arc, time::Duration};

use super::{
    Engine,
    way::{PORT, answering, receive, send, trips, within},
};
use crate::{
    hub::HubError,
    measure::PathCost,
    server::{ContainerSpec, Image, Launch, Limits, Running, ServerSpec},
    stats::distribution::Distribution,
};

const ROLE: &str = "path";
/// What answers; given to Perl on its command line, so that it is no matter whose the image is.
const SERVE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/images/tools/serve.pl"));
/// Round trips: the fewest that carry a 99th percentile.
const TRIPS: u32 = 1_000;
/// Longest time for them: on a slow way the percentile is then missing.
const LONGEST: Duration = Duration::from_secs(2);
/// Length of the transfer in each direction.
const TRANSFER: Duration = Duration::from_millis(600);

impl Engine {
    /// Measures it at a container under `limits`, from the first of `images` that has Perl.
    pub(super) async fn path(
        self: &Arc<Self>,
        images: &[Image],
        limits: &Limits,
    ) -> Result<Option<PathCost>, HubError> {
        let mut failure = None;
        for image in images {
            match Arc::clone(self).start(answerer(image), *limits, Vec::new()).await {
                Ok(probe) => {
                    let measured = cost(&probe).await;
                    let removed = self.remove(&probe.id).await;
                    removed.map_err(super::failed("removing the container that answers"))?;
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

fn answerer(image: &Image) -> ServerSpec {
    ServerSpec {
        role: ROLE.to_owned(),
        launch: Launch::Container(ContainerSpec {
            image: image.clone(),
            environment: Vec::new(),
            entry_point: Some("perl".to_owned()),
            arguments: vec!["-e".to_owned(), SERVE.to_owned(), PORT.to_string()],
            data_dir: None,
        }),
        ports: vec![PORT],
    }
}

async fn cost(probe: &Running) -> Result<PathCost, String> {
    let address = probe.endpoint(PORT);
    answering(address).await?;
    let failed = |error: std::io::Error| format!("{address}: {error}");
    let mut times = Distribution::default();
    for seconds in within(trips(address, TRIPS, LONGEST)).await.map_err(failed)? {
        times.record((seconds * 1e6).round() as i64);
    }
    let from_hub = within(receive(address, TRANSFER)).await.map_err(failed)?;
    let to_hub = within(send(address, from_hub, TRANSFER)).await.map_err(failed)?;
    Ok(PathCost {
        round_trips: times.count(),
        p50: times.percentile(0.5),
        p99: times.percentile(0.99),
        from_hub: Some(from_hub),
        to_hub: Some(to_hub),
    })
}
