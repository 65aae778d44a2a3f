//! The attendant: keeps what is read of the hub itself while a run goes on.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{task::JoinHandle, time::timeout};

use super::{
    fitness::{self, Build},
    sampler::Sampler,
};
use crate::{
    clock::{Clock, Micros},
    hub::vitals::{Attendance, Beat, Pulse},
    measure::Vitals,
};

/// How long the hub's reader may take to go.
const FAREWELL: Duration = Duration::from_secs(15);

/// Follows the hub itself. Dropping it ends the reading.
pub struct Attendant {
    beats: Arc<Mutex<Vec<Beat>>>,
    relay: JoinHandle<()>,
    gone: JoinHandle<()>,
}

impl Drop for Attendant {
    fn drop(&mut self) {
        self.relay.abort();
    }
}

fn lock(beats: &Mutex<Vec<Beat>>) -> MutexGuard<'_, Vec<Beat>> {
    beats.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Attendant {
    /// Takes what `attendance` reads from now on.
    pub fn start(attendance: Attendance) -> Self {
        let Attendance { facts: _, beats: mut incoming, gone } = attendance;
        let beats = Arc::default();
        let kept = Arc::clone(&beats);
        let relay = tokio::spawn(async move {
            while let Some(beat) = incoming.recv().await {
                lock(&kept).push(beat);
            }
        });
        Self { beats, relay, gone }
    }

    /// Forgets everything but the last pulse: a new repetition begins.
    pub fn forget(&self) {
        let mut beats = lock(&self.beats);
        let all = beats.len();
        beats.drain(..all.saturating_sub(1));
    }

    /// What was read last.
    pub fn latest(&self) -> Option<Pulse> {
        lock(&self.beats).last().map(|beat| beat.pulse)
    }

    /// What was read from `from` on, on the time of `clock`.
    fn since(&self, clock: Clock, from: Micros) -> Vec<(Micros, Pulse)> {
        let of = |beat: &Beat| (clock.of(beat.at), beat.pulse);
        lock(&self.beats).iter().map(of).filter(|(at, _)| *at >= from).collect()
    }

    /// Ends the reading and waits until the reader has taken everything with it.
    pub async fn end(mut self) {
        self.relay.abort();
        let gone = std::mem::replace(&mut self.gone, tokio::spawn(async {}));
        drop(self);
        let _ = timeout(FAREWELL, gone).await;
    }
}

/// The hub as a repetition sees it: what is read of it, and what it is.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Who reads it; `None` where nobody can.
    pub attendant: Option<&'a Attendant>,
    /// What it is.
    pub build: &'a Build,
}

impl Watch<'_> {
    /// A line for each second between two moments. Seconds count from `from`.
    pub fn vitals(
        &self,
        clock: Clock,
        sampler: &Sampler,
        from: Micros,
        to: Option<Micros>,
    ) -> Vec<Vitals> {
        let Some(attendant) = self.attendant else { return Vec::new() };
        let mut beats = attendant.since(clock, from);
        beats.retain(|(at, _)| to.is_none_or(|to| *at <= to));
        fitness::vitals(&beats, &sampler.used(from), from)
    }
}
