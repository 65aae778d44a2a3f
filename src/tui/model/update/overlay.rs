//! Updates of the overlay: help, command palette, dialogs.

use super::records::service_effects;
use crate::{
    engine::steering::SteeringCommand,
    tui::{
        help,
        model::state::{Model, Overlay, Screen},
        msg::{Answer, Effect, Msg},
        requests::{ServiceRequest, StopMode},
    },
};

/// Largest number of repetitions that are added at once.
const MAX_ADDED_REPETITIONS: u32 = 99;

impl Model {
    /// Applies a message to the overlay.
    pub(super) fn update_overlay(&mut self, overlay: Overlay, msg: &Msg) -> Vec<Effect> {
        match (overlay, msg) {
            (Overlay::Help(line), Msg::Down) => {
                let last = help::max_scroll(&self.keys, self.screen_context(), self.size);
                self.overlay = Some(Overlay::Help((line + 1).min(last)));
            }
            (Overlay::Help(line), Msg::Up) => {
                self.overlay = Some(Overlay::Help(line.saturating_sub(1)));
            }
            (Overlay::Tour(_), Msg::Back) => {
                self.tour.skip();
                return self.end_tour_step();
            }
            (Overlay::Tour(_), Msg::Accept) => return self.end_tour_step(),
            (_, Msg::Back) => self.overlay = None,
            (Overlay::Palette(mut palette), msg) => {
                let chosen = palette.update(msg, &self.keys);
                self.overlay = Some(Overlay::Palette(palette));
                if let Some(chosen) = chosen {
                    self.overlay = None;
                    return self.update(chosen);
                }
            }
            (Overlay::Name(naming, mut input), Msg::Type(request)) => {
                input.handle(*request);
                self.overlay = Some(Overlay::Name(naming, input));
            }
            (Overlay::Name(naming, input), Msg::Accept) => {
                self.overlay = None;
                return self.apply_name(naming, input.value().trim());
            }
            (Overlay::Question(question), Msg::Accept) => {
                self.overlay = None;
                return self.answer(question.chosen());
            }
            (Overlay::Question(mut question), msg) => {
                match msg {
                    Msg::Choose(answer) => question.choose(*answer),
                    Msg::Up => question.step(-1),
                    Msg::Down => question.step(1),
                    _ => {}
                }
                self.overlay = Some(Overlay::Question(question));
            }
            (Overlay::Export, Msg::Export(export)) => {
                self.overlay = None;
                return self.export_record(*export);
            }
            (Overlay::Add(count), Msg::Up | Msg::Right) => {
                self.overlay = Some(Overlay::Add((count + 1).min(MAX_ADDED_REPETITIONS)));
            }
            (Overlay::Add(count), Msg::Down | Msg::Left) => {
                self.overlay = Some(Overlay::Add((count - 1).max(1)));
            }
            (Overlay::Add(count), Msg::Accept) => {
                self.overlay = None;
                return self.add_repetitions(count);
            }
            _ => {}
        }
        Vec::new()
    }

    /// Closes a step of the tour. The next start shows none, even if later steps were not reached.
    fn end_tour_step(&mut self) -> Vec<Effect> {
        self.overlay = None;
        vec![Effect::Service(ServiceRequest::RememberTour)]
    }

    /// Does what the answer to a question says.
    fn answer(&mut self, answer: Answer) -> Vec<Effect> {
        match answer {
            Answer::StopAfter => self.stop_run(StopMode::AfterRepetition),
            Answer::StopNow => self.stop_run(StopMode::Now),
            Answer::Skip => self.skip_point(),
            Answer::Add => {
                self.overlay = Some(Overlay::Add(1));
                Vec::new()
            }
            Answer::Detach => self.detach(),
            Answer::LeaveAfter => self.quit_after(StopMode::AfterRepetition),
            Answer::LeaveNow => self.quit_after(StopMode::Now),
            Answer::Abandon | Answer::LeaveUnsaved => vec![Effect::Quit],
            Answer::Remove => self.remove_selected(),
            Answer::Start => self.start_pending(),
            Answer::Inject(choice) => self.steer(SteeringCommand::Inject(choice)),
            Answer::GoOn => Vec::new(),
        }
    }

    /// Deletes the chosen profile on the setup screen, elsewhere the selected record.
    fn remove_selected(&mut self) -> Vec<Effect> {
        if let (Screen::Setup, Some(entry)) = (&self.screen, self.setup.entry()) {
            return vec![Effect::Service(ServiceRequest::DeleteProfile(entry.name.clone()))];
        }
        let path = self.record_list.selected().map(|entry| entry.path.clone());
        service_effects(path.map(ServiceRequest::DeleteRecord))
    }
}
