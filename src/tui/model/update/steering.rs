//! Updates of a load that the operator steers.

use crate::{
    engine::steering::{FaultChoice, SteeringCommand},
    tui::{
        model::{
            live::LiveRun,
            question::QuestionKind,
            state::{Model, Screen},
        },
        msg::{Effect, Msg},
        requests::RunCommand,
    },
};

/// Refused: the profile does not allow it.
const NOT_ALLOWED: &str = "no steering: set Steering on the form";
/// Refused: no message is due that could be moved.
const NO_LOAD: &str = "no steering: the load is not on";
/// Refused: hubmark cannot act on the servers.
const NO_FAULTS: &str = "no faults on servers of others";

impl Model {
    /// Applies a key that steers the load.
    pub(super) fn update_steering(&mut self, msg: &Msg) -> Vec<Effect> {
        let Screen::Live(live) = &mut self.screen else { return Vec::new() };
        live.refusal = refusal(live, msg);
        if live.refusal.is_some() {
            return Vec::new();
        }
        match msg {
            Msg::TogglePause if live.is_paused() => self.steer(SteeringCommand::Resume),
            Msg::TogglePause => self.steer(SteeringCommand::Pause),
            Msg::Faster => self.steer(SteeringCommand::Faster),
            Msg::Slower => self.steer(SteeringCommand::Slower),
            Msg::FewerUsers => self.steer(SteeringCommand::FewerUsers),
            Msg::MoreUsers => self.steer(SteeringCommand::MoreUsers),
            Msg::AskFault => {
                let hub = live.plan.hub.kind;
                self.ask(QuestionKind::Fault(hub));
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Sends a command to the load in progress.
    pub(super) fn steer(&mut self, command: SteeringCommand) -> Vec<Effect> {
        let Screen::Live(live) = &mut self.screen else { return Vec::new() };
        live.apply_command(RunCommand::Steer(command));
        vec![Effect::Steer(command)]
    }
}

/// Why the load cannot be steered now.
fn refusal(live: &LiveRun, msg: &Msg) -> Option<&'static str> {
    if !live.plan.steering {
        return Some(NOT_ALLOWED);
    }
    if !live.can_be_steered() {
        return Some(NO_LOAD);
    }
    let no_faults = FaultChoice::on_hub(live.plan.hub.kind).is_empty();
    (matches!(msg, Msg::AskFault) && no_faults).then_some(NO_FAULTS)
}
