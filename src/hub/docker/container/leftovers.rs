//! Finds and removes containers of this run and of dead runs, and finds other active runs.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use bollard::{
    errors::Error as EngineError,
    models::{ContainerSummary, ContainerSummaryStateEnum},
    query_parameters::ListContainersOptionsBuilder,
};

use crate::{
    hub::{
        HubError,
        child::server_folder,
        docker::{api_call::operation_error, engine::DockerEngine, reach::connect::EngineAddress},
    },
    owner::{Owner, OwnerState, ProcessIdentity, ROLE_LABEL, RUN_LABEL},
};

/// Interval between two checks whether containers are removed.
const REMOVAL_POLL_INTERVAL: Duration = Duration::from_millis(50);

impl DockerEngine {
    /// Removes all containers of this run and its network.
    ///
    /// A start whose caller was dropped removes its container itself; only after all starts have
    /// ended can no new container appear in the list.
    pub async fn shutdown(&self) -> Result<(), HubError> {
        self.pending_starts.close();
        self.pending_starts.wait().await;
        self.wait_until_reachable().await;
        let label = format!("{}={}", RUN_LABEL, self.run);
        loop {
            let left = self
                .labelled_containers(&label)
                .await
                .map_err(operation_error("looking for servers"))?;
            if left.is_empty() {
                break;
            }
            for id in left.into_iter().filter_map(|container| container.id) {
                self.remove(&id)
                    .await
                    .map_err(operation_error(format!("removing the container {id}")))?;
            }
            // A container that was being removed already remains in the list until the removal is
            // done.
            tokio::time::sleep(REMOVAL_POLL_INTERVAL).await;
        }
        self.remove_run_network().await.map_err(operation_error("removing the run's network"))
    }

    /// Lists every container with a label, including stopped ones.
    pub async fn labelled_containers(
        &self,
        label: &str,
    ) -> Result<Vec<ContainerSummary>, EngineError> {
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        self.query("listing containers", self.client.list_containers(Some(options))).await
    }

    /// Lists other runs with running containers that are not leftovers, with their number of
    /// containers.
    pub async fn other_runs(&self) -> Result<Vec<String>, EngineError> {
        let mut runs = BTreeMap::<String, usize>::new();
        for container in self.labelled_containers(RUN_LABEL).await? {
            let up = container.state == Some(ContainerSummaryStateEnum::RUNNING);
            let dead =
                self.owner.as_ref().is_some_and(|own| describe_leftover(&container, own).is_some());
            let run = container.labels.and_then(|mut labels| labels.remove(RUN_LABEL));
            if let Some(run) = run.filter(|run| *run != self.run && up && !dead) {
                *runs.entry(run).or_default() += 1;
            }
        }
        let describe = |(run, count): (String, usize)| {
            let containers = if count == 1 { "container" } else { "containers" };
            format!("run {run} ({count} {containers})")
        };
        Ok(runs.into_iter().map(describe).collect())
    }

    /// Removes the containers and networks of runs whose process is dead on this machine; returns
    /// what it removed.
    pub async fn remove_leftovers(&self) -> Result<Vec<String>, HubError> {
        let Some(own) = &self.owner else { return Ok(Vec::new()) };
        let what = operation_error("looking for leftovers of dead runs");
        let containers = self.labelled_containers(RUN_LABEL).await.map_err(what)?;
        let mut removed = Vec::new();
        for (id, name) in containers.iter().filter_map(|one| describe_leftover(one, own)) {
            self.remove(id)
                .await
                .map_err(operation_error(format!("removing the leftover {name}")))?;
            removed.push(name);
        }
        let what = operation_error("removing the networks of dead runs");
        removed.extend(self.remove_leftover_networks(own).await.map_err(what)?);
        if matches!(self.address, EngineAddress::Ssh(_)) {
            // Sockets of the SSH connections of dead runs.
            let folders = tokio::task::spawn_blocking(|| {
                server_folder::remove_leftovers(&server_folder::temp_root())
            })
            .await;
            removed.extend(folders.into_iter().flatten().flatten());
        }
        Ok(removed)
    }
}

/// Returns identity and description of a container if it is a leftover.
fn describe_leftover<'a>(
    container: &'a ContainerSummary,
    observer: &Owner,
) -> Option<(&'a str, String)> {
    let labels = container.labels.as_ref()?;
    let run = labels.get(RUN_LABEL)?;
    let state = Owner::from_labels(labels)?.state(observer, ProcessIdentity::is_alive);
    let id = container.id.as_deref().filter(|_| state == OwnerState::Dead)?;
    let role = labels.get(ROLE_LABEL).map_or("a server", String::as_str);
    let short = id.get(..12).unwrap_or(id);
    Some((id, format!("container {short}: {role} of run {run}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_labelled_containers_of_dead_processes_are_leftovers() {
        let observer = Owner::this_process().unwrap();
        let container = |labels: HashMap<String, String>| ContainerSummary {
            id: Some("0123456789abcdef".to_owned()),
            labels: Some(labels),
            ..ContainerSummary::default()
        };
        let mut labels = HashMap::from(observer.labels());
        assert_eq!(describe_leftover(&container(labels.clone()), &observer), None, "no run");
        labels.insert(RUN_LABEL.to_owned(), "r7".to_owned());
        assert_eq!(describe_leftover(&container(labels.clone()), &observer), None, "living");
        labels.insert("hubmark.boot".to_owned(), "an earlier one".to_owned());
        let (id, name) = (Some("0123456789abcdef"), "container 0123456789ab: a server of run r7");
        let found = container(labels.clone());
        let found = describe_leftover(&found, &observer);
        assert_eq!(
            (found.as_ref().map(|f| f.0), found.as_ref().map(|f| f.1.as_str())),
            (id, Some(name))
        );
        labels.remove("hubmark.pid");
        assert_eq!(describe_leftover(&container(labels), &observer), None, "of an unknown process");
    }
}
