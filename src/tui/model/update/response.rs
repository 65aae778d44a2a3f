//! Responses of the service.

use std::{path::PathBuf, sync::Arc};

use crate::tui::{
    model::{
        document::Document,
        response::ServiceResponse,
        state::{Model, Screen},
    },
    msg::Effect,
    requests::Catalog,
};

impl Model {
    /// Handles a response of the service.
    pub fn handle_response(&mut self, response: ServiceResponse) -> Vec<Effect> {
        match response {
            ServiceResponse::PartialRecordList(entries, total) => {
                self.record_list.set_partial(entries, total);
            }
            ServiceResponse::RecordList(Ok(entries)) => self.record_list.set_records(entries),
            // A run was started meanwhile: ignore the document.
            ServiceResponse::Document(_) if matches!(self.screen, Screen::Live(_)) => {}
            ServiceResponse::Document(Ok(document)) => {
                self.record_list.notice = None;
                let document = Screen::Document(document);
                if matches!(self.screen, Screen::Document(_)) {
                    self.screen = document;
                } else {
                    self.open_screen(document);
                }
                if let Some(msg) = self.after_open.take() {
                    return self.update_document(&msg);
                }
            }
            ServiceResponse::RunResults(path, results) => {
                if let Some(finished) = self.kept_results() {
                    finished.set_results(&path, results);
                }
            }
            // Nothing depends on it: the next start shows the tour again.
            ServiceResponse::TourRemembered(_) => {}
            ServiceResponse::ReportWritten(written) => return self.show_written_report(written),
            ServiceResponse::Exported(Ok(path)) => {
                let path = path.display().to_string();
                let sent = self.multiplexer.clipboard();
                self.record_list.notice = Some(Ok(format!("saved: {path} {sent}")));
                return vec![Effect::Copy(path)];
            }
            ServiceResponse::RecordList(Err(problem)) => {
                self.record_list.set_unreadable(problem.clone());
                self.record_list.notice = Some(Err(problem));
            }
            ServiceResponse::Document(Err(problem)) => {
                self.after_open = None;
                self.record_list.notice = Some(Err(problem));
                if !matches!(self.screen, Screen::Records) {
                    return self.show_records();
                }
            }
            // Checks for an earlier form, or of a document that is no longer shown.
            ServiceResponse::HubChecks { number, .. } if number != self.hub_check_number => {}
            ServiceResponse::HubChecks { checks, is_complete, .. } => {
                self.setup.set_hub_checks(&checks);
                if let Screen::Document(document) = &mut self.screen
                    && document.is_hub_check()
                {
                    **document = Document::hub_check(&checks, is_complete);
                }
            }
            ServiceResponse::HubCautions(hub, cautions) => {
                self.setup.hub_cautions.set(&hub, cautions);
            }
            ServiceResponse::Profiles(Ok((profiles, chosen))) => {
                let before = self.catalog.as_ref().clone();
                self.catalog = Arc::new(Catalog { profiles, ..before });
                let effect = self.setup.reload(Arc::clone(&self.catalog), &chosen);
                return effect.into_iter().collect();
            }
            ServiceResponse::ImageProgress(step) => self.image_build.apply_step(step),
            ServiceResponse::ImagesBuilt(result) => self.image_build.finish(result),
            ServiceResponse::Hubs(hubs) => self.setup.hubs = Some(hubs),
            ServiceResponse::Profiles(Err(problem)) => self.setup.notice = Some(Err(problem)),
            ServiceResponse::Exported(Err(problem)) => self.record_list.notice = Some(Err(problem)),
        }
        if let Screen::Document(document) = &mut self.screen
            && document.is_images()
        {
            **document = self.image_build.page();
        }
        Vec::new()
    }

    /// Shows where a report is, and sends its path to the terminal's clipboard.
    fn show_written_report(&mut self, written: Result<(PathBuf, bool), String>) -> Vec<Effect> {
        let clipboard = self.multiplexer.clipboard();
        let Some(finished) = self.kept_results() else { return Vec::new() };
        let (path, is_open) = match written {
            Ok(written) => written,
            Err(problem) => {
                finished.notice = Some(Err(problem));
                return Vec::new();
            }
        };
        let path = path.display().to_string();
        let text = if is_open {
            format!("the browser opens {path}")
        } else {
            format!("saved: {path} {clipboard}")
        };
        finished.notice = Some(Ok(text));
        vec![Effect::Copy(path)]
    }
}
