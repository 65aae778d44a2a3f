//! What happens among results: a run that is over, the list of records, a record.

use std::sync::Arc;

use super::{Catalog, Model, OneRecord, Opened, Overlay, Screen};
use crate::{
    record::Status,
    tui::{
        msg::{Effect, Msg},
        outside::{Ask, Export, PlanPreview, ProfileEntry, Request, Told},
    },
};

impl Model {
    pub(super) fn read(&mut self, msg: &Msg) -> Vec<Effect> {
        let Screen::Finished(finished) = &mut self.screen else { return Vec::new() };
        match msg {
            Msg::Up => finished.select(-1),
            Msg::Down => finished.select(1),
            Msg::Line(point) => finished.selected = *point,
            Msg::Start => {
                let request = Request { resume: None, ..finished.request.clone() };
                return self.start(request);
            }
            Msg::OpenRecord | Msg::Resume => {
                self.then = matches!(msg, Msg::Resume).then_some(Msg::Resume);
                let path = finished.record.clone();
                return path.map(|path| Effect::Shelf(Ask::Open(path))).into_iter().collect();
            }
            Msg::Accept | Msg::Back => {
                self.screen = Screen::Setup;
                return self.setup.ask().into_iter().collect();
            }
            _ => {}
        }
        Vec::new()
    }

    pub(super) fn records(&mut self) -> Vec<Effect> {
        self.screen = Screen::Records;
        vec![Effect::Shelf(Ask::List)]
    }

    pub(super) fn browse(&mut self, msg: &Msg) -> Vec<Effect> {
        match msg {
            Msg::Back if self.shelf.typing.is_none() => {
                self.screen = Screen::Setup;
                return self.setup.ask().into_iter().collect();
            }
            Msg::AskRemove if self.shelf.selected().is_some() => {
                self.overlay = Some(Overlay::Remove);
            }
            // Done with the record that is selected, once it is read.
            Msg::Start | Msg::Resume | Msg::AskExport => {
                self.then = Some(msg.clone());
                return self.shelf.update(&Msg::Accept).map(Effect::Shelf).into_iter().collect();
            }
            Msg::Accept => {
                self.then = None;
                return self.shelf.update(msg).map(Effect::Shelf).into_iter().collect();
            }
            msg => return self.shelf.update(msg).map(Effect::Shelf).into_iter().collect(),
        }
        Vec::new()
    }

    pub(super) fn leaf(&mut self, msg: &Msg) -> Vec<Effect> {
        let Screen::Record(opened) = &mut self.screen else { return Vec::new() };
        self.shelf.word = None;
        match (msg, &opened.record) {
            (Msg::StopImages, _) if opened.is_images() && self.images.are_made() => {
                return vec![Effect::StopImages];
            }
            (Msg::Back, _) if opened.is_of_form() => {
                self.screen = Screen::Setup;
                return self.setup.ask().into_iter().collect();
            }
            (Msg::Back, _) => return self.records(),
            (Msg::AskExport, Some(_)) => self.overlay = Some(Overlay::Export),
            (Msg::Start, Some(record)) => {
                let request = again(record, None);
                return self.start(request);
            }
            (Msg::Resume, Some(record)) if record.status == Status::Partial => {
                let request = again(record, Some(record.path.clone()));
                return self.start(request);
            }
            (Msg::Resume, Some(_)) => {
                self.shelf.word = Some(Err("it is complete: r runs it again".to_owned()));
            }
            (msg, _) => opened.update(msg),
        }
        Vec::new()
    }

    pub(super) fn export(&self, export: Export) -> Vec<Effect> {
        let Screen::Record(opened) = &self.screen else { return Vec::new() };
        let path = opened.record.as_ref().map(|record| record.path.clone());
        path.map(|path| Effect::Shelf(Ask::Export(path, export))).into_iter().collect()
    }

    /// Takes what came of a question to the records on disk.
    pub(super) fn told(&mut self, told: Told) -> Vec<Effect> {
        match told {
            Told::Listing(heads, of) => self.shelf.listing(heads, of),
            Told::Listed(Ok(heads)) => self.shelf.listed(heads),
            // Nobody waits for it any more where a run is on.
            Told::Opened(_) if matches!(self.screen, Screen::Live(_)) => {}
            Told::Opened(Ok(opened)) => {
                self.shelf.word = None;
                self.screen = Screen::Record(opened);
                if let Some(msg) = self.then.take() {
                    return self.leaf(&msg);
                }
            }
            Told::Exported(Ok(path)) => {
                let path = path.display().to_string();
                self.shelf.word = Some(Ok(format!("written, and its place copied: {path}")));
                return vec![Effect::Copy(path)];
            }
            Told::Listed(Err(problem)) => {
                self.shelf.unreadable();
                self.shelf.word = Some(Err(problem));
            }
            Told::Opened(Err(problem)) => {
                self.then = None;
                self.shelf.word = Some(Err(problem));
                if !matches!(self.screen, Screen::Records) {
                    return self.records();
                }
            }
            Told::Checked(checks) => {
                if let Screen::Record(opened) = &mut self.screen
                    && opened.is_check()
                {
                    **opened = Opened::check(Some(&checks));
                }
            }
            Told::Profiles(Ok((profiles, chosen))) => {
                let backends = self.catalog.backends.clone();
                self.catalog = Arc::new(Catalog { profiles, backends });
                let ask = self.setup.reload(Arc::clone(&self.catalog), &chosen);
                return ask.into_iter().collect();
            }
            Told::Image(step) => self.images.step(step),
            Told::Built(end) => self.images.end(end),
            Told::Hubs(hubs) => self.setup.hubs = Some(hubs),
            Told::Profiles(Err(problem)) => self.setup.word = Some(Err(problem)),
            Told::Exported(Err(problem)) => self.shelf.word = Some(Err(problem)),
        }
        if let Screen::Record(opened) = &mut self.screen
            && opened.is_images()
        {
            **opened = self.images.page();
        }
        Vec::new()
    }
}

/// What is asked for when a record's plan shall be executed again, or gone on with.
fn again(record: &OneRecord, resume: Option<std::path::PathBuf>) -> Request {
    let plan = record.plan.clone();
    let seconds = plan.estimate().as_secs_f64();
    Request {
        profile: ProfileEntry {
            name: plan.profile.clone(),
            description: String::new(),
            text: record.profile.clone(),
            own: false,
        },
        overrides: Vec::new(),
        preview: PlanPreview::of_plan(plan, seconds),
        resume,
    }
}
