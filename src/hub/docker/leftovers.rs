//! What runs have on an engine: this one's containers at its end, those of dead ones, and whether
//! others are at work there.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use bollard::{
    errors::Error as EngineError,
    models::{ContainerSummary, ContainerSummaryStateEnum},
    query_parameters::ListContainersOptionsBuilder,
};

use super::{
    Engine,
    call::{ASK, failed, within},
    connect::Address,
    owner::{self, Fate, Owner},
};
use crate::hub::{HubError, child::folder};

/// How often containers that are being removed are looked for.
const REMOVAL_GLANCE: Duration = Duration::from_millis(50);

impl Engine {
    /// Removes all containers of this run, and its network. What is being started when nobody waits for it any more
    /// is removed by its own task; only then nothing new can appear on the list.
    pub(super) async fn abandon(&self) -> Result<(), HubError> {
        self.starts.close();
        self.starts.wait().await;
        self.wait_until_back().await;
        let label = format!("{}={}", owner::RUN, self.run);
        loop {
            let left = self.labelled(&label).await.map_err(failed("looking for servers"))?;
            if left.is_empty() {
                break;
            }
            for id in left.into_iter().filter_map(|container| container.id) {
                self.remove(&id).await.map_err(failed(format!("removing the container {id}")))?;
            }
            // One that was being removed already is on the list until that is done.
            tokio::time::sleep(REMOVAL_GLANCE).await;
        }
        self.leave_network().await.map_err(failed("removing the run's network"))
    }

    /// Every container with a label, the stopped ones included.
    pub(super) async fn labelled(&self, label: &str) -> Result<Vec<ContainerSummary>, EngineError> {
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        within(ASK, self.client.list_containers(Some(options))).await
    }

    /// Other runs that have containers up which are not known to be leftovers, each with their number.
    pub(super) async fn others(&self) -> Result<Vec<String>, EngineError> {
        let mut runs = BTreeMap::<String, usize>::new();
        for container in self.labelled(owner::RUN).await? {
            let up = container.state == Some(ContainerSummaryStateEnum::RUNNING);
            let dead = self.owner.as_ref().is_some_and(|o| leftover(&container, o).is_some());
            let run = container.labels.and_then(|mut labels| labels.remove(owner::RUN));
            if let Some(run) = run.filter(|run| *run != self.run && up && !dead) {
                *runs.entry(run).or_default() += 1;
            }
        }
        let said = |(run, count): (String, usize)| {
            let containers = if count == 1 { "container" } else { "containers" };
            format!("run {run} ({count} {containers})")
        };
        Ok(runs.into_iter().map(said).collect())
    }

    /// Removes the containers and networks of runs whose process is dead on this machine.
    pub(super) async fn sweep(&self) -> Result<Vec<String>, HubError> {
        let Some(judge) = &self.owner else { return Ok(Vec::new()) };
        let what = failed("looking for leftovers of dead runs");
        let containers = self.labelled(owner::RUN).await.map_err(what)?;
        let mut removed = Vec::new();
        for (id, name) in containers.iter().filter_map(|one| leftover(one, judge)) {
            self.remove(id).await.map_err(failed(format!("removing the leftover {name}")))?;
            removed.push(name);
        }
        let what = failed("removing the networks of dead runs");
        removed.extend(self.sweep_networks(judge).await.map_err(what)?);
        if matches!(self.address, Address::Ssh(_)) {
            // The sockets of dead runs' connections.
            let swept = tokio::task::spawn_blocking(|| folder::sweep(&folder::root())).await;
            removed.extend(swept.into_iter().flatten().flatten());
        }
        Ok(removed)
    }
}

/// Identity and description of a container, when it is known to be a leftover.
fn leftover<'a>(container: &'a ContainerSummary, judge: &Owner) -> Option<(&'a str, String)> {
    let labels = container.labels.as_ref()?;
    let run = labels.get(owner::RUN)?;
    let fate = Owner::from_labels(labels)?.fate(judge, owner::alive);
    let id = container.id.as_deref().filter(|_| fate == Fate::Dead)?;
    let role = labels.get(owner::ROLE).map_or("a server", String::as_str);
    let short = id.get(..12).unwrap_or(id);
    Some((id, format!("container {short}: {role} of run {run}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_labelled_containers_of_dead_processes_are_leftovers() {
        let judge = Owner::this_process().unwrap();
        let container = |labels: HashMap<String, String>| ContainerSummary {
            id: Some("0123456789abcdef".to_owned()),
            labels: Some(labels),
            ..ContainerSummary::default()
        };
        let mut labels = HashMap::from(judge.labels());
        assert_eq!(leftover(&container(labels.clone()), &judge), None, "no run");
        labels.insert(owner::RUN.to_owned(), "r7".to_owned());
        assert_eq!(leftover(&container(labels.clone()), &judge), None, "living");
        labels.insert("hubmark.boot".to_owned(), "an earlier one".to_owned());
        let (id, name) = (Some("0123456789abcdef"), "container 0123456789ab: a server of run r7");
        let found = container(labels.clone());
        let found = leftover(&found, &judge);
        assert_eq!(
            (found.as_ref().map(|f| f.0), found.as_ref().map(|f| f.1.as_str())),
            (id, Some(name))
        );
        labels.remove("hubmark.pid");
        assert_eq!(leftover(&container(labels), &judge), None, "of an unknown process");
    }
}
