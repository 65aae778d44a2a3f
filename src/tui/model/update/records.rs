//! Updates of the results of a finished run, the list of records and an open document.

use std::path::PathBuf;

use crate::{
    record::RecordStatus,
    tui::{
        model::{
            document::RecordReference,
            finished_run::FinishedRun,
            question::QuestionKind,
            state::{Model, Overlay, Screen},
        },
        msg::{Effect, Msg},
        requests::{ExportFormat, PlanPreview, ProfileEntry, ServiceRequest, StartRequest},
    },
};

impl Model {
    pub(super) fn update_finished(&mut self, msg: &Msg) -> Vec<Effect> {
        let size = self.size;
        let Screen::Finished(finished) = &mut self.screen else { return Vec::new() };
        finished.notice = None;
        match msg {
            Msg::Compare => return self.compare_with_previous(),
            Msg::OpenReport => {
                return service_effects(finished.record.clone().map(ServiceRequest::OpenReport));
            }
            Msg::Start => {
                let request = StartRequest { resume: None, ..finished.request.clone() };
                return self.ask_to_start(request);
            }
            Msg::OpenRecord | Msg::Resume => {
                self.after_open = matches!(msg, Msg::Resume).then_some(Msg::Resume);
                return service_effects(finished.record.clone().map(ServiceRequest::OpenRecord));
            }
            Msg::Records => return self.show_records(),
            Msg::Accept | Msg::Back => return self.leave_results(),
            msg => finished.update(msg, size),
        }
        Vec::new()
    }

    /// Returns to the setup screen, from which the results can be shown again.
    fn leave_results(&mut self) -> Vec<Effect> {
        self.behind.clear();
        if let Screen::Finished(finished) = std::mem::replace(&mut self.screen, Screen::Setup) {
            self.last_finished = Some(finished);
        }
        self.show_setup()
    }

    /// Shows the results of the last run again.
    pub(super) fn show_last_run(&mut self) {
        if let Some(finished) = self.last_finished.take() {
            self.screen = Screen::Finished(finished);
        } else {
            let text = "no run has ended in this session: see the records";
            self.setup.notice = Some(Err(text.to_owned()));
        }
    }

    /// The results of the last run, wherever they are kept.
    pub(super) fn kept_results(&mut self) -> Option<&mut FinishedRun> {
        let screens = std::iter::once(&mut self.screen).chain(self.behind.iter_mut().rev());
        let shown = screens.into_iter().find_map(|screen| match screen {
            Screen::Finished(finished) => Some(finished.as_mut()),
            _ => None,
        });
        shown.or(self.last_finished.as_deref_mut())
    }

    /// Compares the finished run with the last comparable one.
    fn compare_with_previous(&mut self) -> Vec<Effect> {
        let Screen::Finished(finished) = &mut self.screen else { return Vec::new() };
        let why = match (&finished.results, &finished.record) {
            (Some(Ok(results)), Some(record)) => match &results.previous {
                Some(previous) => {
                    let (a, b) = (previous.path.clone(), record.clone());
                    return vec![Effect::Service(ServiceRequest::CompareRecords(a, b))];
                }
                None => "no earlier record of this profile has a point of this run",
            },
            (None, Some(_)) => "the records are still being read",
            _ => "this run has no record to compare",
        };
        finished.notice = Some(Err(why.to_owned()));
        Vec::new()
    }

    pub(super) fn show_records(&mut self) -> Vec<Effect> {
        if !matches!(self.screen, Screen::Records) {
            self.open_screen(Screen::Records);
        }
        vec![Effect::Service(ServiceRequest::ListRecords)]
    }

    pub(super) fn update_records(&mut self, msg: &Msg) -> Vec<Effect> {
        match msg {
            Msg::Back if self.record_list.typing.is_none() => return self.go_back(),
            Msg::AskRemove if self.record_list.selected().is_some() => {
                self.ask(QuestionKind::Remove);
            }
            Msg::AskExport if self.record_list.marked.len() > 1 => {
                return service_effects(self.record_list.marked_report());
            }
            // Applied to the selected record once it is open.
            Msg::Start | Msg::Resume | Msg::AskExport => {
                self.after_open = Some(msg.clone());
                return service_effects(self.record_list.update(&Msg::Accept));
            }
            Msg::Accept => {
                self.after_open = None;
                return service_effects(self.record_list.update(msg));
            }
            msg => return service_effects(self.record_list.update(msg)),
        }
        Vec::new()
    }

    pub(super) fn update_document(&mut self, msg: &Msg) -> Vec<Effect> {
        let Screen::Document(document) = &mut self.screen else { return Vec::new() };
        self.record_list.notice = None;
        match (msg, document.record()) {
            (Msg::StopImages, _) if document.is_images() && self.image_build.is_running() => {
                return vec![Effect::StopImages];
            }
            (Msg::Back, _) => return self.go_back(),
            (Msg::AskExport, Some(_)) => self.overlay = Some(Overlay::Export),
            (Msg::Start, Some(record)) => {
                let request = rerun_request(record, None);
                return self.ask_to_start(request);
            }
            (Msg::Resume, Some(record)) if record.status == RecordStatus::Partial => {
                let request = rerun_request(record, Some(record.path.clone()));
                return self.ask_to_start(request);
            }
            (Msg::Resume, Some(_)) => {
                self.record_list.notice =
                    Some(Err("the record is complete: press r to run it again".to_owned()));
            }
            (msg, _) => document.update(msg, self.size),
        }
        Vec::new()
    }

    pub(super) fn export_record(&self, export: ExportFormat) -> Vec<Effect> {
        let Screen::Document(document) = &self.screen else { return Vec::new() };
        let path = document.record().map(|record| record.path.clone());
        service_effects(path.map(|path| ServiceRequest::ExportRecord(path, export)))
    }
}

/// Returns the effects that send a request, if there is one.
pub fn service_effects(request: Option<ServiceRequest>) -> Vec<Effect> {
    request.map(Effect::Service).into_iter().collect()
}

/// Creates the request to run a record's plan again or to resume it.
fn rerun_request(record: &RecordReference, resume: Option<PathBuf>) -> StartRequest {
    let plan = record.plan.clone();
    let seconds = plan.estimated_duration().as_secs_f64();
    StartRequest {
        profile: ProfileEntry {
            name: plan.profile.clone(),
            description: String::new(),
            text: record.profile.clone(),
            own: false,
        },
        overrides: Vec::new(),
        preview: PlanPreview::from_plan(plan, seconds),
        resume,
    }
}
