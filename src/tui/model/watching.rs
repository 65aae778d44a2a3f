//! What happens while a run is on: the operator's wishes, what the engine tells, and the ways out.

use super::{Bell, Ending, Finished, Live, Model, Overlay, Runs, Screen};
use crate::{
    event::{End, Event},
    tui::{
        msg::{Effect, Msg},
        outside::{Request, RunEnd, Stop, Wish},
    },
};

impl Model {
    pub(super) fn watch(&mut self, msg: &Msg) -> Vec<Effect> {
        match (msg, &mut self.screen) {
            (Msg::AskStop, _) => self.overlay = Some(Overlay::Stop),
            (Msg::ToggleBell, _) => {
                self.bell = match self.bell {
                    Bell::Silent => Bell::Rings,
                    Bell::Rings => Bell::Silent,
                };
            }
            (msg, Screen::Live(live)) => {
                live.refused = None;
                live.update(msg);
            }
            _ => {}
        }
        Vec::new()
    }

    /// Where the load is played by this very process it would stop with it.
    pub(super) fn suspend(&mut self) -> Vec<Effect> {
        match &mut self.screen {
            Screen::Live(live) if self.runs == Runs::Screens => {
                live.refused = Some("no ctrl-z while a run is on: the load would stop, too");
                Vec::new()
            }
            _ => vec![Effect::Suspend],
        }
    }

    pub(super) fn skip(&mut self) -> Vec<Effect> {
        let Screen::Live(live) = &mut self.screen else { return Vec::new() };
        let Some(point) = live.skippable() else { return Vec::new() };
        live.wished(Wish::Skip(point));
        vec![Effect::Skip(point)]
    }

    pub(super) fn add(&mut self, count: u32) -> Vec<Effect> {
        let Screen::Live(live) = &mut self.screen else { return Vec::new() };
        live.wished(Wish::Add(count));
        vec![Effect::Add(count)]
    }

    pub(super) fn start(&mut self, request: Request) -> Vec<Effect> {
        self.overlay = None;
        self.screen = Screen::Live(Box::new(Live::new(request.clone(), self.now)));
        vec![Effect::Start(Box::new(request))]
    }

    pub(super) fn stop(&mut self, stop: Stop) -> Vec<Effect> {
        match &mut self.screen {
            Screen::Live(live) => {
                live.wished(Wish::Stop(stop));
                vec![Effect::Stop(stop)]
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn quit(&mut self) -> Vec<Effect> {
        match (&self.screen, &self.overlay) {
            (Screen::Live(_), Some(Overlay::Quit)) if self.runs == Runs::Kept => self.detach(),
            (Screen::Live(_), Some(Overlay::Quit)) => self.quit_after(Stop::Now),
            (Screen::Live(_), _) => {
                self.overlay = Some(Overlay::Quit);
                Vec::new()
            }
            _ => vec![Effect::Quit],
        }
    }

    pub(super) fn quit_after(&mut self, stop: Stop) -> Vec<Effect> {
        self.overlay = None;
        let Screen::Live(live) = &mut self.screen else { return vec![Effect::Quit] };
        live.ending = Ending::Leave(stop);
        vec![Effect::Stop(stop)]
    }

    pub(super) fn terminate(&mut self) -> Vec<Effect> {
        self.outcome.terminated = true;
        match self.runs {
            Runs::Screens => self.quit_after(Stop::Now),
            Runs::Kept => self.detach(),
        }
    }

    /// Leaves, and leaves a run alone that is a process of its own.
    pub(super) fn detach(&mut self) -> Vec<Effect> {
        match (&self.screen, self.runs) {
            (Screen::Live(_), Runs::Screens) => Vec::new(),
            (Screen::Live(_), Runs::Kept) => {
                self.outcome.runs_on = true;
                vec![Effect::Quit]
            }
            _ => vec![Effect::Quit],
        }
    }

    /// Shows a run that was on before this screen.
    pub fn attach(&mut self, mut live: Box<Live>) {
        live.look_at_present();
        self.runs = Runs::Kept;
        self.screen = Screen::Live(live);
    }

    pub(super) fn engine(&mut self, event: Event) -> Vec<Effect> {
        let Screen::Live(live) = &mut self.screen else { return Vec::new() };
        if let Event::Ended { end, record } = event {
            live.record = Some(record);
            return self.end(end);
        }
        let before = live.alarms();
        live.apply(event, self.now);
        let rings = self.bell == Bell::Rings && live.alarms() > before;
        if rings { vec![Effect::Bell] } else { Vec::new() }
    }

    pub(super) fn engine_gone(&mut self) -> Vec<Effect> {
        match self.screen {
            Screen::Live(_) => self.end(End::Failed {
                error: "the run ended without saying why; its record holds what was finished"
                    .to_owned(),
            }),
            _ => Vec::new(),
        }
    }

    /// The run is over: on to its results, or out.
    pub(super) fn end(&mut self, end: End) -> Vec<Effect> {
        let Screen::Live(live) = &self.screen else { return Vec::new() };
        let finished = Finished::of(live, end, self.now);
        self.outcome.last = Some(RunEnd {
            end: finished.end.clone(),
            record: finished.record.clone(),
            undelivered: finished.undelivered(),
            crossed: finished.crossed(),
        });
        let leave = matches!(live.ending, Ending::Leave(_));
        self.overlay = self.overlay.take().filter(|overlay| matches!(overlay, Overlay::Help(_)));
        self.screen = Screen::Finished(Box::new(finished));
        if leave { vec![Effect::Quit] } else { Vec::new() }
    }
}
