//! The operator's changes of the load as the screen shows them.

use super::repetition::RepetitionState;
use crate::{
    engine::steering::SteeringCommand,
    event::{Phase, SteeringState},
    format,
    workload::rate_factor::RateFactor,
};

impl RepetitionState {
    /// Shows a change of the load that was requested, before a snapshot confirms it.
    pub fn steer(&mut self, command: SteeringCommand) {
        let Some(steering) = &mut self.snapshot.steering else { return };
        match command {
            SteeringCommand::Pause => steering.is_paused = true,
            SteeringCommand::Resume => steering.is_paused = false,
            SteeringCommand::Faster => steering.rate = steering.rate.faster(),
            SteeringCommand::Slower => steering.rate = steering.rate.slower(),
            SteeringCommand::FewerUsers => steering.users = steering.users.fewer(),
            SteeringCommand::MoreUsers => steering.users = steering.users.more(),
            SteeringCommand::Inject(_) => {}
        }
    }

    /// Factor of the planned rate at which messages of all users together become due: 0 while the operator has
    /// paused the load.
    pub fn rate_factor(&self) -> f64 {
        let factor = |steering: &SteeringState| {
            if steering.is_paused { 0.0 } else { steering.rate.value() * steering.users.share() }
        };
        self.snapshot.steering.as_ref().map_or(1.0, factor)
    }

    /// State of the operator's changes while the load is on, in words; `None` if it is as planned.
    pub fn steering_words(&self) -> Option<String> {
        let steering = self.snapshot.steering.as_ref()?;
        if !matches!(self.phase, Some((Phase::Load, ..))) {
            return None;
        }
        let rate = (steering.rate != RateFactor::default()).then(|| steering.rate.to_string());
        let paused = steering.is_paused.then(|| "paused".to_owned());
        let users = (!steering.users.are_all())
            .then(|| format::count_noun(steering.users.count().into(), "user"));
        let words: Vec<String> = paused.into_iter().chain(rate).chain(users).collect();
        (!words.is_empty()).then(|| words.join(" "))
    }
}
