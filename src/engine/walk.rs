//! A run on its way, repetition by repetition, with the record saved after each.

use std::sync::Arc;

use tokio::{sync::mpsc, time::timeout};

use super::{
    EngineError,
    attendant::{Attendant, Watch},
    cooldown,
    fitness::Build,
    footprint, provenance,
    repetition::{self, Done, Shared},
    run::{Engine, Outcome, images, setup},
    shelf::Shelf,
    strategy::Strategy,
    timeleft,
};
use crate::{
    backend::Backend,
    event::{End, Event, Level, Phase},
    hub::{Hub, vitals},
    measure::Cooled,
    plan::{Plan, Point, Step},
    record::{Record, Repetition, Status, summary},
    server::Limits,
};

/// How long the first reading of the hub is waited for.
const FIRST_BEAT: std::time::Duration = std::time::Duration::from_secs(3);

/// Repetitions that may fail one after the other, tries not counted, before a run is given up.
const FAILURES_IN_A_ROW: u32 = 3;

/// A run on its way through the steps of its strategy.
pub struct Walk<'a> {
    engine: &'a Engine,
    hub: Arc<dyn Hub>,
    backends: Vec<Arc<dyn Backend>>,
    strategy: Strategy,
    record: Record,
    shelf: Shelf,
    failures: u32,
    /// Reads the hub itself.
    attendant: Option<Attendant>,
    /// What the hub is, as far as its fitness depends on it.
    build: Build,
}

impl<'a> Walk<'a> {
    /// A run that goes on from `record`, of which `strategy` knows all.
    pub fn new(
        engine: &'a Engine,
        hub: Arc<dyn Hub>,
        backends: Vec<Arc<dyn Backend>>,
        strategy: Strategy,
        record: Record,
        shelf: Shelf,
    ) -> Self {
        Self {
            engine,
            hub,
            backends,
            strategy,
            record,
            shelf,
            failures: 0,
            attendant: None,
            build: Build::default(),
        }
    }

    fn backend(&self, point: &Point) -> Result<Arc<dyn Backend>, EngineError> {
        let found = self.backends.iter().find(|backend| backend.info().name == point.backend.name);
        found.cloned().ok_or_else(|| EngineError::NoBackend(point.backend.name.clone()))
    }

    /// Executes every step that is missing.
    ///
    /// # Errors
    /// What ended the run early.
    pub async fn walk(&mut self, plan: &Plan) -> Result<(), EngineError> {
        self.sweep().await;
        self.company().await;
        self.images(plan).await?;
        self.limits(plan).await?;
        self.path(plan).await?;
        self.attend(plan).await?;
        for search in 0..plan.searches().len() {
            self.tell_search(plan, search);
        }
        let control = &self.engine.control;
        let mut plan = plan.clone();
        loop {
            if control.stopping() {
                return Err(EngineError::Stopped);
            }
            let added = control.take_added();
            // A search decides by itself how often it repeats.
            if added > 0 && plan.capacity.is_none() {
                plan.repeat(plan.repetitions.saturating_add(added));
                self.replan(&plan);
            }
            let next = self.strategy.next(&plan, &self.record, |point| control.skips(point));
            let Some((step, position)) = next else { break };
            self.step(&plan, step, position).await?;
        }
        self.footprints(&plan).await
    }

    /// Saves the record; where that fails it is still in memory, and saved with the next repetition
    /// or at the end.
    fn save(&mut self) {
        if let Err(error) = self.shelf.save(&self.record) {
            self.engine.teller.log(Level::Error, error.to_string());
        }
    }

    /// Goes on with a plan that has more repetitions.
    fn replan(&mut self, plan: &Plan) {
        self.record.plan = plan.clone();
        self.save();
        self.engine.teller.tell(Event::Replanned { plan: Box::new(plan.clone()) });
    }

    /// Leaves the hub as it was found.
    pub async fn leave(&mut self) {
        if let Some(attendant) = self.attendant.take() {
            attendant.end().await;
        }
        if let Err(error) = self.hub.abandon().await {
            self.engine.teller.log(Level::Warn, format!("something is left on the hub: {error}"));
        }
    }

    /// Begins to read the hub itself, and adds to its facts what can be seen from within.
    async fn attend(&mut self, plan: &Plan) -> Result<(), EngineError> {
        let teller = &self.engine.teller;
        let image = images(plan)?.into_iter().next();
        let mut attendance = match self.hub.attend(image.as_ref()).await {
            Ok(Some(attendance)) => attendance,
            Ok(None) => return Ok(()),
            Err(error) => {
                teller.log(Level::Warn, format!("the hub itself is not read: {error}"));
                return Ok(());
            }
        };
        let first = timeout(FIRST_BEAT, attendance.beats.recv()).await.ok().flatten();
        let known = self.record.provenance.hub.clone();
        let facts = vitals::facts::completed(known, attendance.facts.clone());
        let disk = first.and_then(|beat| beat.pulse.disk);
        self.build = Build::of(&facts, disk.map(|(_, size)| size));
        self.record.provenance.hub = facts.clone();
        teller.tell(Event::Hub { place: self.hub.place(), facts: Box::new(facts) });
        self.attendant = Some(Attendant::start(attendance));
        Ok(())
    }

    /// Lets the hub cool down, where the plan asks for it.
    async fn cool_down(&self, plan: &Plan) -> Option<Cooled> {
        let asked = plan.cooldown?;
        let teller = &self.engine.teller;
        let seconds = Some(asked.limit.as_secs_f64());
        teller.tell(Event::Phase { phase: Phase::Cooldown, seconds });
        let cooled = cooldown::wait(asked, self.attendant.as_ref(), &self.engine.control).await;
        let below = asked.below;
        match (cooled.reached, cooled.to) {
            (Some(true), _) => {}
            (_, Some(still)) => {
                teller.log(Level::Warn, format!("the hub did not cool below {below}: {still}"));
            }
            (_, None) => {
                teller.log(Level::Warn, "no cool-down: the hub's temperature cannot be read");
            }
        }
        Some(cooled)
    }

    /// Measures the footprint cards that are asked for and not there yet.
    async fn footprints(&mut self, plan: &Plan) -> Result<(), EngineError> {
        if !plan.footprint {
            return Ok(());
        }
        for point in &plan.points {
            let name = point.backend.to_string();
            if self.record.footprints.contains_key(&name) {
                continue;
            }
            let backend = self.backend(point)?;
            let ordinary = self
                .record
                .points
                .iter()
                .filter(|result| result.point == *point)
                .flat_map(|result| &result.repetitions)
                .find(|repetition| repetition.measured());
            let shared = self.shared(plan);
            let card = footprint::measure(&shared, backend.as_ref(), point, ordinary).await?;
            self.record.footprints.insert(name, card);
            self.save();
        }
        Ok(())
    }

    /// Removes what dead runs left behind, so that it does not disturb this one.
    async fn sweep(&self) {
        let teller = &self.engine.teller;
        match self.hub.sweep().await {
            Ok(removed) => {
                for what in removed {
                    teller.log(Level::Info, format!("removed a leftover of a dead run: {what}"));
                }
            }
            Err(error) => teller.log(Level::Warn, format!("leftovers not looked for: {error}")),
        }
    }

    /// Says who else measures on this hub.
    async fn company(&self) {
        for other in self.hub.others().await {
            let text = format!(
                "another run is at work on this hub: {other}. The two disturb each other's \
                 figures: wait for it, or take another hub"
            );
            self.engine.teller.log(Level::Warn, text);
        }
    }

    /// Makes sure of every image that the plan needs.
    async fn images(&self, plan: &Plan) -> Result<(), EngineError> {
        let wanted = images(plan)?;
        if wanted.is_empty() {
            return Ok(());
        }
        let teller = self.engine.teller.clone();
        teller.tell(Event::Phase { phase: Phase::Images, seconds: None });
        let (tell, mut told) = mpsc::unbounded_channel();
        let relay = tokio::spawn(async move {
            while let Some(step) = told.recv().await {
                teller.tell(Event::Image(step));
            }
        });
        let token = self.engine.control.token();
        for image in &wanted {
            self.hub.provide(image, tell.clone(), token.clone()).await.map_err(|error| {
                if token.is_cancelled() { EngineError::Stopped } else { error.into() }
            })?;
        }
        drop(tell);
        let _ = relay.await;
        Ok(())
    }

    /// Makes sure that the limits of the plan are in force, before anything is measured under them.
    async fn limits(&mut self, plan: &Plan) -> Result<(), EngineError> {
        let limits = &plan.hub.limits;
        if *limits == Limits::default() {
            return Ok(());
        }
        let token = self.engine.control.token();
        let proven = tokio::select! {
            biased;
            () = token.cancelled() => return Err(EngineError::Stopped),
            proven = self.hub.prove(limits) => proven?,
        };
        for limit in &proven {
            self.engine.teller.log(Level::Info, format!("limit: {limit}"));
        }
        self.record.provenance.limits = proven;
        Ok(())
    }

    /// Measures what the way to the hub costs by itself. A run goes on without it.
    async fn path(&mut self, plan: &Plan) -> Result<(), EngineError> {
        let images = images(plan)?;
        let token = self.engine.control.token();
        let measured = tokio::select! {
            biased;
            () = token.cancelled() => return Err(EngineError::Stopped),
            measured = self.hub.path(&images, &plan.hub.limits) => measured,
        };
        let teller = &self.engine.teller;
        match measured {
            Ok(path) => {
                self.record.path = path;
                if let Some(path) = path {
                    teller.tell(Event::Path(path));
                }
            }
            Err(error) => teller.log(Level::Warn, format!("the path was not measured: {error}")),
        }
        Ok(())
    }

    /// Executes a repetition, again while it fails and may be tried again.
    async fn step(&mut self, plan: &Plan, step: Step, position: usize) -> Result<(), EngineError> {
        let backend = self.backend(&plan.points[step.point])?;
        let first = self.record.points[step.point]
            .failed_tries
            .iter()
            .filter(|tried| tried.index == step.repetition)
            .count() as u32;
        for attempt in 1..=plan.retries + 1 {
            let told = first + attempt;
            let mut done = self.attempt(plan, step, position, told, backend.as_ref()).await?;
            done.repetition.attempt = told;
            match done.error.take() {
                None => {
                    self.failures = 0;
                    self.keep(plan, step, backend.as_ref(), done);
                    return Ok(());
                }
                Some(EngineError::Stopped) => {
                    self.keep(plan, step, backend.as_ref(), done);
                    if self.engine.control.stopped_now() {
                        return Err(EngineError::Stopped);
                    }
                    let name = &plan.points[step.point].backend;
                    let teller = &self.engine.teller;
                    teller.log(Level::Info, format!("skipped by the operator: {name}"));
                    return Ok(());
                }
                Some(error) if attempt <= plan.retries => {
                    self.engine.teller.log(Level::Warn, format!("{error}\n  it is tried again"));
                    self.record.points[step.point].failed_tries.push(done.repetition);
                    self.save();
                }
                Some(error) => {
                    self.engine.teller.log(Level::Error, error.to_string());
                    self.keep(plan, step, backend.as_ref(), done);
                    self.failed(&error)?;
                }
            }
        }
        Ok(())
    }

    fn shared<'b>(&'b self, plan: &'b Plan) -> Shared<'b> {
        Shared {
            plan,
            hub: &self.hub,
            teller: &self.engine.teller,
            control: &self.engine.control,
            cores: f64::from(self.record.provenance.client.cores.unwrap_or(1)),
            on_hub: self.record.provenance.hub.shared_with_client,
            watch: Watch { attendant: self.attendant.as_ref(), build: &self.build },
        }
    }

    async fn attempt(
        &self,
        plan: &Plan,
        step: Step,
        position: usize,
        attempt: u32,
        backend: &dyn Backend,
    ) -> Result<Done, EngineError> {
        let setup = setup(plan, &plan.points[step.point])?;
        let teller = &self.engine.teller;
        teller.tell(Event::Repetition { step, position, attempt });
        let control = self.engine.control.for_repetition(step.point);
        let shared = Shared { control: &control, ..self.shared(plan) };
        let cooled = self.cool_down(plan).await;
        if let Some(attendant) = &self.attendant {
            attendant.forget();
        }
        let mut done = repetition::execute(&shared, backend, &setup, step, position as u32).await;
        done.repetition.cooled = cooled;
        Ok(done)
    }

    /// A repetition failed for good: a run in which nothing goes is given up.
    fn failed(&mut self, error: &EngineError) -> Result<(), EngineError> {
        self.failures += 1;
        // Too many users may well be what a search finds: that they fail is its answer.
        let mut all = self.record.points.iter().flat_map(|point| &point.repetitions);
        let found = self.record.plan.capacity.is_some() && all.any(Repetition::measured);
        if self.failures >= FAILURES_IN_A_ROW && !found {
            return Err(EngineError::GivenUp { count: self.failures, last: error.to_string() });
        }
        Ok(())
    }

    /// Adds a repetition to the record, learns from it, saves, tells.
    fn keep(&mut self, plan: &Plan, step: Step, backend: &dyn Backend, done: Done) {
        let Done { repetition, servers, facts, .. } = done;
        let point = &plan.points[step.point];
        if let Some(facts) = facts {
            let name = point.backend.to_string();
            let provenance = &mut self.record.provenance;
            provenance::add(provenance, &name, backend.info(), point.durability, &servers, facts);
        }
        let result = &mut self.record.points[step.point];
        result.repetitions.push(repetition.clone());
        result.summary = summary::summarise(&result.repetitions);
        let learned = super::strategy::is_outcome(&repetition)
            .then(|| self.strategy.learn(step, repetition.held()))
            .flatten();
        self.record.capacity = self.strategy.capacities(plan, &self.record);
        self.save();
        let control = &self.engine.control;
        let mut remaining = self.strategy.remaining(plan, &self.record);
        remaining.retain(|(point, _)| !control.skips(*point));
        let seconds_left = timeleft::seconds(plan, &self.record, &remaining);
        let tally = self.record.tally();
        let repetition = Box::new(repetition);
        self.engine.teller.tell(Event::Finished { step, repetition, seconds_left, tally });
        if let Some(search) = learned {
            self.tell_search(plan, search);
        }
    }

    fn tell_search(&self, plan: &Plan, search: usize) {
        let mut capacities = self.strategy.capacities(plan, &self.record);
        if search < capacities.len() {
            let state = Box::new(capacities.swap_remove(search));
            self.engine.teller.tell(Event::Capacity { search, state });
        }
    }

    /// Closes the record, however the run ended.
    pub fn end(mut self, error: Option<EngineError>) -> Outcome {
        let plan = &self.record.plan;
        let carded =
            |point: &Point| self.record.footprints.contains_key(&point.backend.to_string());
        let whole = self.strategy.next(plan, &self.record, |_| false).is_none()
            && (!plan.footprint || plan.points.iter().all(carded));
        // A search's failures are its outcomes; those of a sweep are holes in it.
        let holes = self.record.plan.capacity.is_none() && self.record.tally().failed > 0;
        self.record.finished = Some(jiff::Timestamp::now());
        let complete = whole && error.is_none() && !holes;
        self.record.status = if complete { Status::Complete } else { Status::Partial };
        self.record.ended = match &error {
            Some(error) => Some(error.to_string()),
            None => (!whole).then(|| "points were skipped by the operator".to_owned()),
        };
        let saved = self.shelf.save(&self.record);
        let error = error.or_else(|| saved.err().map(EngineError::from));
        let end = match &error {
            None if whole => End::Complete,
            None | Some(EngineError::Stopped) => End::Stopped,
            Some(error) => End::Failed { error: error.to_string() },
        };
        let path = self.shelf.file().to_owned();
        self.engine.teller.tell(Event::Ended { end, record: path.clone() });
        Outcome { record: self.record, path, error }
    }
}
