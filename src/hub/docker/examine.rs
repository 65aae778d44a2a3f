//! Examines whether an engine and the machine under it are ready for measurements.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use bollard::models::SystemInfo;
use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::{
    DockerHub,
    api_call::{is_connection_failure, operation_error},
    image::recipe,
    reach::connect::EngineAddress,
};
use crate::{
    hub::{
        HubError,
        host::{HostReader, facts::merge_facts},
    },
    owner::RUN_LABEL,
    server::{HubFacts, ServerImage},
    units::Bytes,
};

/// Number of clock comparisons: the quickest answer has the least uncertainty.
const CLOCK_SAMPLES: usize = 4;
/// Time of an answer after which the clock is not compared again.
const SLOW_ANSWER: Duration = Duration::from_secs(1);
/// Seconds after which the reader of the host ends by itself, also if this program was killed.
const READER_SECONDS: u32 = 20;
/// Paths of the program that loads `AppArmor`'s profiles.
const APPARMOR_PARSERS: [&str; 2] = ["/usr/sbin/apparmor_parser", "/sbin/apparmor_parser"];

/// Findings about an engine that answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Examination {
    /// Facts about the engine and its machine.
    pub facts: HubFacts,
    /// Offset between its clock and the local one.
    pub clock: Option<ClockOffset>,
    /// Free and total space of the file system under its data.
    pub disk: Option<(Bytes, Bytes)>,
    /// Whether the supply voltage is too low.
    pub under_voltage: Option<bool>,
    /// Whether containers can be reached at their addresses; always true for an engine elsewhere.
    pub containers_reachable: bool,
    /// Whether limits of CPU cores can be enforced.
    pub cpu_limits_supported: bool,
    /// Number of running containers.
    pub running_containers: Option<u64>,
    /// Number of those that belong to another run of hubmark.
    pub own_containers: Option<u64>,
    /// Whether `AppArmor`'s parser is installed, if the kernel has `AppArmor` on: without it no container
    /// starts.
    pub apparmor_parser: Option<bool>,
    /// Whether the machine itself was read.
    pub host: HostReading,
}

/// A part of an [`Examination`] that is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExaminationStep {
    /// What the engine reports about itself and its machine.
    Engine,
    /// The offset of its clock.
    Clock,
    /// The running containers.
    Containers,
    /// Whether `AppArmor`'s parser is installed.
    AppArmor,
    /// Constant facts that the machine itself shows.
    HostFacts,
    /// The first reading of the machine.
    HostReading,
}

/// Receives each step of an examination when it is complete, with everything that is known by then.
pub type ExaminationReport<'a> = &'a mut dyn FnMut(ExaminationStep, &Examination);

/// Whether a hub's machine was read, beside what the engine reports about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum HostReading {
    /// Not tried.
    #[default]
    NotTried,
    /// It was read: what is missing does not exist there.
    Read,
    /// It is another machine, and none of this program's images exists there yet.
    NeedsImage,
    /// The reader did not start; with the reason.
    Failed(String),
}

/// The difference between another clock and the local one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockOffset {
    /// Seconds by which the other clock is ahead; negative when it is behind.
    pub seconds: f64,
    /// Uncertainty of the offset in seconds: half the time between question and answer.
    pub uncertainty: f64,
}

/// Whether an image is ready on a hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageState {
    /// Present and up to date.
    Ready,
    /// Built from another version of the recipe.
    Outdated,
    /// Not present.
    Missing,
}

impl DockerHub {
    /// Asks the engine for everything that it reports itself, and passes each step to `report`.
    ///
    /// # Errors
    /// The engine does not answer, or the connection to it is lost.
    pub async fn examine(&self, report: ExaminationReport<'_>) -> Result<Examination, HubError> {
        let engine = &self.engine;
        let what = || operation_error("asking the engine what it is");
        let version =
            engine.query("reporting its version", engine.client.version()).await.map_err(what())?;
        let (info, mut clock, mut took) = self.describe_engine().await?;
        let running = info.containers_running.and_then(|count| u64::try_from(count).ok());
        let apparmor = info.security_options.iter().flatten().any(|one| one.contains("apparmor"));
        let mut found = Examination {
            containers_reachable: !engine.address.is_local() || !engine.port_access.is_published(),
            cpu_limits_supported: info.cpu_cfs_quota != Some(false),
            running_containers: running,
            facts: engine.facts_of(info, &version),
            ..Examination::default()
        };
        report(ExaminationStep::Engine, &found);
        for _ in 1..CLOCK_SAMPLES {
            if took > SLOW_ANSWER {
                break;
            }
            let offset;
            (_, offset, took) = self.describe_engine().await?;
            clock = clock.into_iter().chain(offset).min_by(|a, b| {
                // Of equal ones the first.
                a.uncertainty.total_cmp(&b.uncertainty)
            });
        }
        found.clock = clock;
        report(ExaminationStep::Clock, &found);
        let labelled = engine.labelled_containers(RUN_LABEL).await;
        let labelled = labelled.map_err(operation_error("listing the containers"))?;
        let runs = |one: &&bollard::models::ContainerSummary| {
            one.status.as_deref().is_some_and(|status| status.starts_with("Up"))
        };
        found.own_containers = Some(labelled.iter().filter(runs).count() as u64);
        report(ExaminationStep::Containers, &found);
        if apparmor {
            found.apparmor_parser = self.has_apparmor_parser().await;
        }
        report(ExaminationStep::AppArmor, &found);
        Ok(found)
    }

    /// Asks the engine to describe itself; returns also the offset of its clock, and how long it took.
    async fn describe_engine(
        &self,
    ) -> Result<(SystemInfo, Option<ClockOffset>, Duration), HubError> {
        let (sent_at, since) = (Timestamp::now(), Instant::now());
        let info = self.engine.query("describing itself", self.engine.client.info()).await;
        let info = info.map_err(operation_error("asking the engine what it is"))?;
        let took = since.elapsed();
        let time = info.system_time.as_deref();
        let offset = time.and_then(|time| clock_offset(sent_at, took, time.parse().ok()?));
        Ok((info, offset, took))
    }

    /// Whether the program that loads `AppArmor`'s profiles is installed on the hub; `None` where that
    /// cannot be seen.
    async fn has_apparmor_parser(&self) -> Option<bool> {
        match &self.engine.address {
            EngineAddress::Unix(_) if !self.engine.port_access.is_published() => {
                Some(APPARMOR_PARSERS.iter().any(|path| Path::new(path).exists()))
            }
            EngineAddress::Ssh(destination) => destination.has_program(&APPARMOR_PARSERS).await,
            _ => None,
        }
    }

    /// Reads the machine itself for [`READER_SECONDS`] at most, adds what it shows to `found`, and passes each
    /// step to `report`; on another machine only where an image of this program exists.
    ///
    /// # Errors
    /// The connection to the engine is lost.
    pub async fn examine_host(
        &self,
        found: &mut Examination,
        report: ExaminationReport<'_>,
    ) -> Result<(), HubError> {
        let finished = self.read_host(found, report).await?;
        if found.host != HostReading::Read {
            report(ExaminationStep::HostFacts, found);
            report(ExaminationStep::HostReading, found);
        }
        if let Some(finished) = finished {
            // Wait until the reader's container is removed.
            let _ = tokio::time::timeout(self.engine.timeouts.query, finished).await;
        }
        Ok(())
    }

    /// Reads the machine as [`Self::examine_host`]; returns the end of its reader, if it has one.
    async fn read_host(
        &self,
        found: &mut Examination,
        report: ExaminationReport<'_>,
    ) -> Result<Option<JoinHandle<()>>, HubError> {
        let image = self.images().await?.into_iter().find_map(|image| image.reference);
        let image = image.map(ServerImage::Named);
        let reader = match self.monitor_host_for(image.as_ref(), Some(READER_SECONDS)).await {
            Ok(Some(reader)) => reader,
            Ok(None) => {
                found.host = HostReading::NeedsImage;
                return Ok(None);
            }
            Err(error) => {
                found.host = HostReading::Failed(error.to_string());
                let ping = self.engine.query("a ping", self.engine.client.ping()).await;
                return match ping {
                    Err(lost) if is_connection_failure(&lost) => {
                        Err(operation_error("reading the hub itself")(lost))
                    }
                    _ => Ok(None),
                };
            }
        };
        let HostReader { facts, mut samples, finished } = reader;
        found.host = HostReading::Read;
        found.facts = merge_facts(std::mem::take(&mut found.facts), facts);
        report(ExaminationStep::HostFacts, found);
        let limit = self.engine.timeouts.query;
        let sample = tokio::time::timeout(limit, samples.recv()).await.ok().flatten();
        let counters = sample.map(|sample| sample.counters).unwrap_or_default();
        found.disk = counters.disk;
        found.under_voltage = counters.has_low_voltage();
        report(ExaminationStep::HostReading, found);
        Ok(Some(finished))
    }

    /// Returns whether `image` is ready on the hub.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn image_state(&self, image: &ServerImage) -> Result<ImageState, HubError> {
        let Some(found) = self.engine.image(image.reference()).await? else {
            return Ok(ImageState::Missing);
        };
        let ServerImage::Recipe { recipe, arguments, .. } = image else {
            return Ok(ImageState::Ready);
        };
        let labels = found.config.as_ref().and_then(|config| config.labels.as_ref());
        let current = recipe::is_current(labels, &recipe::digest(recipe, arguments));
        Ok(if current { ImageState::Ready } else { ImageState::Outdated })
    }
}

/// Computes the clock offset: the other clock read `remote` between the question at `sent_at` and
/// its answer after `took`.
fn clock_offset(sent_at: Timestamp, took: Duration, remote: Timestamp) -> Option<ClockOffset> {
    let uncertainty = took.as_secs_f64() / 2.0;
    let apart = (remote.as_nanosecond() - sent_at.as_nanosecond()) as f64 / 1e9;
    let seconds = apart - uncertainty;
    seconds.is_finite().then_some(ClockOffset { seconds, uncertainty })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_compared_to_the_middle_of_question_and_answer() {
        let sent_at: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let offset = |text: &str| {
            let text = text.parse().unwrap();
            clock_offset(sent_at, Duration::from_millis(200), text).unwrap()
        };
        let same = offset("2026-11-24T12:00:00.1Z");
        assert!(same.seconds.abs() < 1e-9 && (same.uncertainty - 0.1).abs() < 1e-9, "{same:?}");
        assert!((offset("2026-11-24T13:00:00.1+01:00").seconds).abs() < 1e-9, "zones are equal");
        assert!((offset("2026-11-24T11:00:00.1Z").seconds + 3_600.0).abs() < 1e-9);
    }
}
