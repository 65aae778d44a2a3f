//! What an engine and the machine under it say of themselves when somebody asks whether they are
//! ready.

use std::time::{Duration, Instant};

use bollard::models::SystemInfo;
use jiff::Timestamp;

use super::{
    DockerHub,
    call::{ASK, failed, within},
    recipe,
};
use crate::{
    hub::{
        Hub, HubError,
        vitals::{Attendance, Pulse, facts::completed},
    },
    server::{HubFacts, Image},
    units::Bytes,
};

/// How often the engine is asked for its time: the quickest answer is the most certain.
const CLOCK_QUESTIONS: usize = 4;

/// What is known of an engine that answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Examination {
    /// What it is.
    pub facts: HubFacts,
    /// Its clock against ours.
    pub clock: Option<ClockOffset>,
    /// Free and all space of the file system under its data.
    pub disk: Option<(Bytes, Bytes)>,
    /// Whether its supply voltage is too low.
    pub under_voltage: Option<bool>,
    /// Whether containers can be reached at their own addresses, where the engine is on this
    /// machine.
    pub direct: bool,
    /// Whether limits of cores can be held.
    pub limits_cpus: bool,
    /// Containers that run there.
    pub running: Option<u64>,
    /// Of those, how many are of hubmark: another run.
    pub ours: Option<u64>,
}

/// How far another clock is from ours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockOffset {
    /// Seconds by which it is ahead of ours; negative when it is behind.
    pub seconds: f64,
    /// Half the time between question and answer: the offset is certain to so many seconds.
    pub uncertainty: f64,
}

/// Whether an image is ready on a hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageState {
    /// It is there and up to date.
    Ready,
    /// It was built from another recipe than this program's.
    Outdated,
    /// It is not there.
    Missing,
}

impl DockerHub {
    /// Asks the engine for everything that decides whether it can be measured.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn examine(&self) -> Result<Examination, HubError> {
        let what = || failed("asking the engine what it is");
        let client = &self.engine.client;
        let version = within(ASK, client.version()).await.map_err(what())?;
        let mut clock: Option<ClockOffset> = None;
        let mut info = SystemInfo::default();
        for _ in 0..CLOCK_QUESTIONS {
            let (asked, since) = (Timestamp::now(), Instant::now());
            info = within(ASK, client.info()).await.map_err(what())?;
            let offset = info
                .system_time
                .as_deref()
                .and_then(|time| offset(asked, since.elapsed(), time.parse().ok()?));
            if let Some(offset) = offset
                && clock.is_none_or(|best| offset.uncertainty < best.uncertainty)
            {
                clock = Some(offset);
            }
        }
        let (seen, pulse) = self.seen().await.unzip();
        let pulse = pulse.unwrap_or_default();
        let running = info.containers_running.and_then(|count| u64::try_from(count).ok());
        let ours = self.engine.labelled(super::owner::RUN).await.ok().map(|list| {
            let runs = |one: &&bollard::models::ContainerSummary| {
                one.status.as_deref().is_some_and(|status| status.starts_with("Up"))
            };
            list.iter().filter(runs).count() as u64
        });
        Ok(Examination {
            clock,
            disk: pulse.disk,
            under_voltage: pulse.starved(),
            direct: !self.engine.address.is_local() || !self.engine.reach.publishes(),
            limits_cpus: info.cpu_cfs_quota != Some(false),
            running,
            ours,
            facts: completed(self.engine.facts_of(info, &version), seen.unwrap_or_default()),
        })
    }

    /// What can be seen of the machine itself; on another one only where an image of ours is there.
    async fn seen(&self) -> Option<(HubFacts, Pulse)> {
        let own = self.images().await.unwrap_or_default();
        let image = own.into_iter().find_map(|image| image.reference).map(Image::Named);
        let Attendance { facts, mut beats, gone } = self.attend(image.as_ref()).await.ok()??;
        let beat = tokio::time::timeout(ASK, beats.recv()).await.ok().flatten();
        drop(beats);
        // The reader leaves nothing behind.
        let _ = tokio::time::timeout(ASK, gone).await;
        Some((facts, beat?.pulse))
    }

    /// Whether `image` is ready there.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn image_state(&self, image: &Image) -> Result<ImageState, HubError> {
        let Some(found) = self.engine.image(image.reference()).await? else {
            return Ok(ImageState::Missing);
        };
        let Image::Recipe { recipe, arguments, .. } = image else { return Ok(ImageState::Ready) };
        let labels = found.config.as_ref().and_then(|config| config.labels.as_ref());
        let current = recipe::is_current(labels, &recipe::digest(recipe, arguments));
        Ok(if current { ImageState::Ready } else { ImageState::Outdated })
    }
}

/// The other clock said `theirs` at some moment between the question and its answer.
fn offset(asked: Timestamp, took: Duration, theirs: Timestamp) -> Option<ClockOffset> {
    let uncertainty = took.as_secs_f64() / 2.0;
    let apart = (theirs.as_nanosecond() - asked.as_nanosecond()) as f64 / 1e9;
    let seconds = apart - uncertainty;
    seconds.is_finite().then_some(ClockOffset { seconds, uncertainty })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_compared_to_the_middle_of_question_and_answer() {
        let asked: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let theirs = |text: &str| {
            let text = text.parse().unwrap();
            offset(asked, Duration::from_millis(200), text).unwrap()
        };
        let same = theirs("2026-11-24T12:00:00.1Z");
        assert!(same.seconds.abs() < 1e-9 && (same.uncertainty - 0.1).abs() < 1e-9, "{same:?}");
        assert!((theirs("2026-11-24T13:00:00.1+01:00").seconds).abs() < 1e-9, "zones are equal");
        assert!((theirs("2026-11-24T11:00:00.1Z").seconds + 3_600.0).abs() < 1e-9);
    }
}
