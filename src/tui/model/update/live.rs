//! Updates of a run in progress: the operator's commands, the run's events, quitting.

use super::records::service_effects;
use crate::{
    event::{EndStatus, Event},
    tui::{
        keys::InputContext,
        model::{
            finished_run::FinishedRun,
            live::{Ending, LiveRun},
            outcome::RunEnd,
            question::QuestionKind,
            state::{Model, Overlay, Screen},
            tour::TourStep,
        },
        msg::{Effect, Msg},
        preferences::{Bell, RunOwner},
        requests::{RunCommand, ServiceRequest, StartRequest, StopMode},
    },
};

/// Longest run that starts without a question, in seconds.
const LONG_RUN_SECONDS: f64 = 1_800.0;

impl Model {
    pub(super) fn update_live(&mut self, msg: &Msg) -> Vec<Effect> {
        match (msg, &mut self.screen) {
            (Msg::AskStop, _) => self.ask(QuestionKind::Stop),
            (
                Msg::TogglePause
                | Msg::Faster
                | Msg::Slower
                | Msg::FewerUsers
                | Msg::MoreUsers
                | Msg::AskFault,
                _,
            ) => {
                return self.update_steering(msg);
            }
            (Msg::ToggleBell, _) => {
                self.bell = match self.bell {
                    Bell::Off => Bell::On,
                    Bell::On => Bell::Off,
                };
            }
            (msg, Screen::Live(live)) => {
                live.refusal = None;
                live.update(msg);
            }
            _ => {}
        }
        Vec::new()
    }

    /// Suspends the process, unless it executes the run: the load would stop, too.
    pub(super) fn suspend(&mut self) -> Vec<Effect> {
        match &mut self.screen {
            Screen::Live(live) if self.run_owner == RunOwner::Screen => {
                live.refusal = Some("no ctrl-z while a run is on: the load would stop, too");
                Vec::new()
            }
            _ => vec![Effect::Suspend],
        }
    }

    pub(super) fn skip_point(&mut self) -> Vec<Effect> {
        let Screen::Live(live) = &mut self.screen else { return Vec::new() };
        let Some(point) = live.skippable() else { return Vec::new() };
        live.apply_command(RunCommand::Skip(point));
        vec![Effect::Skip(point)]
    }

    pub(super) fn add_repetitions(&mut self, count: u32) -> Vec<Effect> {
        let Screen::Live(live) = &mut self.screen else { return Vec::new() };
        live.apply_command(RunCommand::Add(count));
        vec![Effect::Add(count)]
    }

    pub(super) fn start_run(&mut self, request: StartRequest) -> Vec<Effect> {
        self.overlay = self.tour.take(TourStep::Live).map(Overlay::Tour);
        self.behind.clear();
        self.screen = Screen::Live(Box::new(LiveRun::new(request.clone(), self.now)));
        vec![Effect::Start(Box::new(request))]
    }

    /// Starts a run; a long one after a question, because a key that opens something elsewhere must not
    /// occupy the hub for hours.
    pub(super) fn ask_to_start(&mut self, request: StartRequest) -> Vec<Effect> {
        if request.preview.seconds <= LONG_RUN_SECONDS {
            return self.start_run(request);
        }
        self.pending_start = Some(Box::new(request));
        self.ask(QuestionKind::Start);
        Vec::new()
    }

    /// Starts the run that was asked about.
    pub(super) fn start_pending(&mut self) -> Vec<Effect> {
        let request = self.pending_start.take();
        request.map_or_else(Vec::new, |request| self.start_run(*request))
    }

    pub(super) fn stop_run(&mut self, stop: StopMode) -> Vec<Effect> {
        match &mut self.screen {
            Screen::Live(live) => {
                live.apply_command(RunCommand::Stop(stop));
                vec![Effect::Stop(stop)]
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn quit(&mut self) -> Vec<Effect> {
        let asked = self.input_context() == InputContext::Quit;
        match (&self.screen, self.run_owner) {
            (Screen::Live(_), RunOwner::DetachedProcess) if asked => self.detach(),
            (Screen::Live(_), RunOwner::Screen) if asked => self.quit_after(StopMode::Now),
            (Screen::Live(_), _) => {
                self.ask(QuestionKind::Quit);
                Vec::new()
            }
            _ if self.setup.changed_profiles().is_empty() => vec![Effect::Quit],
            _ if self.input_context() == InputContext::Unsaved => vec![Effect::Quit],
            _ => {
                self.ask(QuestionKind::Unsaved);
                Vec::new()
            }
        }
    }

    pub(super) fn quit_after(&mut self, stop: StopMode) -> Vec<Effect> {
        self.overlay = None;
        let Screen::Live(live) = &mut self.screen else { return vec![Effect::Quit] };
        live.ending = Ending::Quit(stop);
        vec![Effect::Stop(stop)]
    }

    pub(super) fn terminate(&mut self) -> Vec<Effect> {
        self.outcome.terminated = true;
        match self.run_owner {
            RunOwner::Screen => self.quit_after(StopMode::Now),
            RunOwner::DetachedProcess => self.detach(),
        }
    }

    /// Quits and lets a detached run continue; does nothing for a run of this process.
    pub(super) fn detach(&mut self) -> Vec<Effect> {
        match (&self.screen, self.run_owner) {
            (Screen::Live(_), RunOwner::Screen) => Vec::new(),
            (Screen::Live(_), RunOwner::DetachedProcess) => {
                self.outcome.run_continues = true;
                vec![Effect::Quit]
            }
            _ => vec![Effect::Quit],
        }
    }

    /// Shows a detached run that was started before this screen.
    pub fn attach(&mut self, mut live: Box<LiveRun>) {
        live.select_current_cell();
        self.run_owner = RunOwner::DetachedProcess;
        self.screen = Screen::Live(live);
    }

    pub(super) fn apply_event(&mut self, event: Event) -> Vec<Effect> {
        let Screen::Live(live) = &mut self.screen else { return Vec::new() };
        if let Event::Ended { end, record } = event {
            live.record = Some(record).filter(|path| !path.as_os_str().is_empty());
            return self.finish_run(end);
        }
        let before = live.alarms();
        live.apply(event, self.now);
        let rings = self.bell == Bell::On && live.alarms() > before;
        if rings { vec![Effect::Bell] } else { Vec::new() }
    }

    pub(super) fn handle_closed_events(&mut self) -> Vec<Effect> {
        match self.screen {
            Screen::Live(_) => self.finish_run(EndStatus::Failed {
                error: "the run ended without a reason; its record has the finished repetitions"
                    .to_owned(),
            }),
            _ => Vec::new(),
        }
    }

    /// Ends the run: shows its results, or quits if the operator asked for it.
    pub(super) fn finish_run(&mut self, end: EndStatus) -> Vec<Effect> {
        let Screen::Live(live) = &self.screen else { return Vec::new() };
        let finished = FinishedRun::from_live(live, end, self.now);
        self.outcome.last_run = Some(RunEnd {
            end: finished.end.clone(),
            record: finished.record.clone(),
            undelivered: finished.undelivered(),
            crossed: finished.crossed(),
        });
        let leave = matches!(live.ending, Ending::Quit(_));
        self.overlay = self.overlay.take().filter(|overlay| matches!(overlay, Overlay::Help(_)));
        let record = finished.record.clone().filter(|_| !finished.done.is_empty());
        self.screen = Screen::Finished(Box::new(finished));
        if record.is_some() && self.overlay.is_none() {
            self.overlay = self.tour.take(TourStep::Results).map(Overlay::Tour);
        }
        if leave {
            return vec![Effect::Quit];
        }
        service_effects(record.map(ServiceRequest::ReadResults))
    }
}
