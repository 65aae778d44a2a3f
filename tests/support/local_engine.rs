//! hubmark's client of this machine's engine, and an independent client of the same engine.

use std::{collections::HashMap, path::Path};

use bollard::{Docker, query_parameters::ListContainersOptionsBuilder};
use hubmark::{
    event::ImageProgress,
    hub::{Hub, HubError, docker::DockerHub},
    server::ServerImage,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::docker::{LOCAL_SOCKET, run_filter, unix_address};

/// Opens hubmark's hub on this machine's engine for a run.
pub async fn open_hub(run: &str) -> DockerHub {
    DockerHub::open(Some(&unix_address(Path::new(LOCAL_SOCKET))), Some(run)).await.unwrap()
}

/// Connects the independent client.
pub fn client() -> Docker {
    Docker::connect_with_unix(LOCAL_SOCKET, 60, bollard::API_DEFAULT_VERSION).unwrap()
}

/// Builds or pulls an image if it is missing; returns the progress.
pub async fn ensure_image(
    hub: &DockerHub,
    image: &ServerImage,
) -> Result<Vec<ImageProgress>, HubError> {
    let (sender, mut progress) = mpsc::unbounded_channel();
    hub.ensure_image(image, sender, CancellationToken::new()).await?;
    let mut all = Vec::new();
    while let Some(one) = progress.recv().await {
        all.push(one);
    }
    Ok(all)
}

/// Counts the containers of a run without blocking the runtime.
pub async fn container_count(run: &str) -> usize {
    let filter = run_filter(run);
    let (key, value) = filter.split_once('=').unwrap();
    let filters = HashMap::from([(key, vec![value.to_owned()])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    client().list_containers(Some(options)).await.unwrap().len()
}
