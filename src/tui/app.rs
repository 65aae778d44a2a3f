//! The event loop: waits for events, updates the model, performs effects, draws frames. All input and
//! output of the screen happens here.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use crossterm::{event::Event as TerminalEvent, style::Print};
use nix::sys::signal::Signal;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{
    event_queue::{EventBatch, EventQueue},
    frame_schedule::{FrameCause, FrameSchedule, slow_frame_interval, wait_until},
    keys::KeyBurst,
    model::{Model, Screen, ServiceResponse, TuiOutcome},
    msg::{Effect, Msg},
    ports::{AttachedRun, Controller, Planner, RecordService, StartedRun, TuiInputs},
    requests::{Catalog, RunCommand},
    terminal::{
        ASK_BACKGROUND, CopyText, Input, ScreenTerminal, SlowTerminal, TermWriter, TerminalInput,
        TerminalPace, TimedInput, may_ask_background,
    },
    theme::Theme,
    view,
};

/// Interval at which displayed times are updated.
const TICK_INTERVAL: Duration = Duration::from_millis(500);

/// Reason why the screen cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    /// Input or output is not a terminal, or the terminal cannot position the cursor (`TERM=dumb`).
    #[error(
        "the screen needs a terminal: input or output is not one, or TERM is dumb\n  to run without a screen: hubmark run PROFILE (list profiles: hubmark profiles list)"
    )]
    NoTerminal,
    /// Setting up the terminal failed.
    #[error("cannot set up the terminal: {0}\n  to run without a screen: hubmark run PROFILE")]
    Terminal(#[from] io::Error),
}

/// Shows the screen until the operator quits.
///
/// A blocked terminal delays neither the run nor key handling. Panic hooks that were installed before
/// the call run after the terminal is restored.
pub async fn run(inputs: TuiInputs, controller: impl Controller) -> Result<TuiOutcome, TuiError> {
    if !ScreenTerminal::is_available() {
        return Err(TuiError::NoTerminal);
    }
    let terminal = ScreenTerminal::acquire(inputs.preferences.mouse)?;
    Ok(App::new(inputs, controller, terminal).run().await)
}

struct App<C> {
    model: Model,
    planner: Arc<dyn Planner>,
    service: Arc<dyn RecordService>,
    /// Channel on which the service's responses arrive.
    responses: (UnboundedSender<ServiceResponse>, UnboundedReceiver<ServiceResponse>),
    controller: C,
    terminate: CancellationToken,
    /// `None` once the terminal is lost: the run is then stopped without a display.
    terminal: Option<(ScreenTerminal, TerminalInput)>,
    run: Option<ActiveRun>,
    started: Instant,
    frames: FrameSchedule,
    /// Time of the last byte count, and the number of bytes written until then.
    last_counted: (Instant, u64),
    burst: KeyBurst,
    quit: bool,
}

/// The run in progress: its queued events and its command channel.
struct ActiveRun {
    queue: Arc<EventQueue>,
    send_command: Box<dyn Fn(RunCommand) + Send>,
}

impl ActiveRun {
    fn new(StartedRun { events, send_command }: StartedRun) -> Self {
        Self { queue: EventQueue::spawn_from(events), send_command }
    }
}

/// Reason why the loop woke up.
enum WakeReason {
    Terminate,
    Terminal(Option<TimedInput>),
    RunEvents(EventBatch),
    Service(ServiceResponse),
    Tick,
    Resumed,
    Frame,
}

impl<C: Controller> App<C> {
    fn new(inputs: TuiInputs, controller: C, mut terminal: ScreenTerminal) -> Self {
        let TuiInputs {
            service,
            notice,
            profiles,
            backends,
            default_engine,
            planner,
            preferences,
            attached,
            terminate,
        } = inputs;
        let catalog = Catalog { profiles, backends, default_engine };
        let (mut model, effects) = Model::new(catalog, preferences);
        model.setup.notice = notice.map(Err);
        let mut started = Instant::now();
        let run = attached.map(|AttachedRun { live, age, run }| {
            // Count the screen's time from the run's start.
            started = started.checked_sub(age).unwrap_or(started);
            model.update(Msg::Tick(age));
            model.attach(live);
            ActiveRun::new(run)
        });
        let area = terminal.area();
        model.update(Msg::Resized(area.width, area.height));
        // Draw the first frame before anything that may take time.
        let drawn = terminal.draw(|frame| view::view(&model, frame)).is_ok();
        let asks_background =
            model.theme == Theme::Sixteen && may_ask_background(|name| std::env::var(name).ok());
        if asks_background {
            terminal.send(Print(ASK_BACKGROUND));
        }
        let mut app = Self {
            model,
            planner,
            service,
            responses: unbounded_channel(),
            controller,
            terminate,
            terminal: drawn.then(|| (terminal, TerminalInput::spawn(asks_background))),
            run,
            started,
            frames: FrameSchedule::default(),
            last_counted: (Instant::now(), 0),
            burst: KeyBurst::default(),
            quit: false,
        };
        for effect in effects {
            app.perform(effect);
        }
        app
    }

    async fn run(mut self) -> TuiOutcome {
        let mut ticks = interval(TICK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if self.terminal.is_none() {
            self.apply(Msg::Terminate, FrameCause::Run);
        }
        let mut terminating = false;
        let mut resumed = signal(SignalKind::from_raw(Signal::SIGCONT as i32)).ok();
        while !self.quit {
            let due = self.frames.due();
            let live = matches!(self.model.screen, Screen::Live(_));
            let writer = self.terminal.as_ref().map(|(terminal, _)| terminal.writer());
            // `biased`: handle all pending input and events before drawing a frame.
            let reason = tokio::select! {
                biased;
                () = self.terminate.cancelled(), if !terminating => WakeReason::Terminate,
                event = next_terminal_event(self.terminal.as_mut()) => WakeReason::Terminal(event),
                batch = next_event_batch(self.run.as_ref()) => WakeReason::RunEvents(batch),
                Some(response) = self.responses.1.recv() => WakeReason::Service(response),
                () = next_resume(resumed.as_mut()) => WakeReason::Resumed,
                () = wait_for_frame(due, writer) => WakeReason::Frame,
                _ = ticks.tick(), if live => WakeReason::Tick,
            };
            self.model.update(Msg::Tick(self.started.elapsed()));
            match reason {
                WakeReason::Terminate => {
                    terminating = true;
                    self.apply(Msg::Terminate, FrameCause::Run);
                }
                WakeReason::Terminal(event) => self.handle_input(event),
                WakeReason::RunEvents(batch) => self.handle_events(batch),
                WakeReason::Service(response) => {
                    let effects = self.model.handle_response(response);
                    self.perform_all(effects, FrameCause::Input);
                }
                WakeReason::Tick => {
                    self.measure_terminal();
                    self.schedule_frame(FrameCause::Run);
                }
                WakeReason::Resumed => self.redraw_after_resume(),
                WakeReason::Frame => self.draw(),
            }
        }
        self.model.outcome
    }

    fn handle_input(&mut self, input: Option<TimedInput>) {
        match input {
            Some((at, Ok(Input::Event(event)))) => self.handle_event(at, event),
            Some((_, Ok(Input::Background(background)))) => {
                self.apply(Msg::Background(background), FrameCause::Input);
            }
            Some((_, Err(_))) | None => self.handle_lost_terminal(),
        }
    }

    fn handle_event(&mut self, at: Instant, event: TerminalEvent) {
        if let TerminalEvent::Resize(columns, rows) = event {
            self.apply(Msg::Resized(columns, rows), FrameCause::Input);
        }
        if let Some(key) = event.as_key_press_event() {
            let context = self.model.input_context();
            let too_fast = self.burst.add(at) && !context.edits_text();
            if let Some(msg) = self.model.keys.message(key, context) {
                let msg = if too_fast && msg.is_weighty(context) { Msg::Burst } else { msg };
                self.apply(msg, FrameCause::Input);
            }
        }
        if let TerminalEvent::Paste(text) = event {
            return self.apply(Msg::Paste(text), FrameCause::Input);
        }
        if let TerminalEvent::Mouse(mouse) = event
            && let Some((terminal, _)) = &mut self.terminal
            && let Some(msg) = view::hit_test(&self.model, terminal.area(), mouse)
        {
            self.apply(msg, FrameCause::Input);
        }
    }

    fn handle_events(&mut self, batch: EventBatch) {
        for event in batch.events {
            self.apply(Msg::RunEvent(Box::new(event)), FrameCause::Run);
        }
        if batch.closed {
            self.run = None;
            self.apply(Msg::RunEventsClosed, FrameCause::Run);
        }
    }

    fn apply(&mut self, msg: Msg, cause: FrameCause) {
        let effects = self.model.update(msg);
        self.perform_all(effects, cause);
    }

    /// Performs effects of the model and schedules a frame.
    fn perform_all(&mut self, effects: Vec<Effect>, cause: FrameCause) {
        for effect in effects {
            self.perform(effect);
        }
        self.schedule_frame(cause);
    }

    /// Updates the model with the terminal's throughput.
    fn measure_terminal(&mut self) {
        let Some((terminal, _)) = &self.terminal else { return };
        let (stats, (since, before)) = (terminal.write_stats(), self.last_counted);
        let seconds = since.elapsed().as_secs_f64();
        if seconds < 1.0 {
            return;
        }
        self.last_counted = (Instant::now(), stats.total_bytes);
        let last_rate = stats.last_bytes as f64 / stats.last_duration.as_secs_f64();
        let pace = TerminalPace {
            bytes_per_second: Some((stats.total_bytes - before) as f64 / seconds),
            slow: slow_frame_interval(stats.last_duration)
                .map(|frame_interval| SlowTerminal { frame_interval, bytes_per_second: last_rate }),
        };
        self.model.update(Msg::TerminalPace(pace));
    }

    /// Redraws everything after the process was resumed (SIGCONT): the terminal's contents are unknown.
    fn redraw_after_resume(&mut self) {
        if let Some((terminal, _)) = &mut self.terminal
            && terminal.reacquire().is_err()
        {
            return self.handle_lost_terminal();
        }
        self.apply(Msg::Redraw, FrameCause::Input);
    }

    fn schedule_frame(&mut self, cause: FrameCause) {
        let write =
            self.terminal.as_ref().map(|(terminal, _)| terminal.write_stats().last_duration);
        self.frames.schedule(Instant::now(), cause, write.unwrap_or_default());
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Preview { text, overrides } => {
                let answer = self.planner.plan(&text, &overrides);
                self.apply(Msg::Previewed(Box::new(answer)), FrameCause::Input);
            }
            Effect::Start(request) => match self.controller.start(&request) {
                Ok(started) => self.run = Some(ActiveRun::new(started)),
                Err(error) => self.apply(Msg::StartFailed(error), FrameCause::Input),
            },
            Effect::Stop(stop) => self.send_command(RunCommand::Stop(stop)),
            Effect::Skip(point) => self.send_command(RunCommand::Skip(point)),
            Effect::Add(count) => self.send_command(RunCommand::Add(count)),
            Effect::Steer(command) => self.send_command(RunCommand::Steer(command)),
            Effect::Service(request) => {
                let (service, sender) = (Arc::clone(&self.service), self.responses.0.clone());
                tokio::task::spawn_blocking(move || {
                    // Sending fails only after the screen has ended.
                    let respond = |response| {
                        let _ = sender.send(response);
                    };
                    respond(service.handle(&request, &respond));
                });
            }
            Effect::StopImages => self.service.stop_images(),
            Effect::Copy(text) => {
                if let Some((terminal, _)) = &self.terminal {
                    let through = self.model.multiplexer;
                    terminal.send(CopyText { text: &text, through });
                }
            }
            Effect::Mouse(mouse) => {
                if let Some((terminal, _)) = &mut self.terminal {
                    terminal.set_mouse(mouse);
                }
            }
            Effect::Remember(choices) => {
                let service = Arc::clone(&self.service);
                tokio::task::spawn_blocking(move || service.remember(choices));
            }
            Effect::Bell => {
                if let Some((terminal, _)) = &self.terminal {
                    terminal.send(Print("\x07"));
                }
            }
            Effect::Suspend => {
                if let Some((terminal, _)) = &mut self.terminal
                    && terminal.suspend().is_err()
                {
                    self.handle_lost_terminal();
                }
                self.schedule_frame(FrameCause::Input);
            }
            Effect::Quit => self.quit = true,
        }
    }

    fn send_command(&self, command: RunCommand) {
        if let Some(run) = &self.run {
            (run.send_command)(command);
        }
    }

    fn draw(&mut self) {
        self.frames.record_frame(Instant::now());
        let Self { model, terminal, .. } = self;
        if let Some((terminal, _)) = terminal
            && terminal.draw(|frame| view::view(model, frame)).is_err()
        {
            self.handle_lost_terminal();
        }
    }

    /// Stops the run in order after the terminal was lost: the operator can no longer stop it.
    fn handle_lost_terminal(&mut self) {
        if let Some((terminal, _)) = self.terminal.take() {
            terminal.discard();
        }
        self.apply(Msg::Terminate, FrameCause::Run);
    }
}

async fn next_terminal_event(
    terminal: Option<&mut (ScreenTerminal, TerminalInput)>,
) -> Option<TimedInput> {
    match terminal {
        Some((_, events)) => events.next().await,
        None => std::future::pending().await,
    }
}

async fn next_event_batch(run: Option<&ActiveRun>) -> EventBatch {
    match run {
        Some(run) => run.queue.recv().await,
        None => std::future::pending().await,
    }
}

/// Waits until a frame is due and the previous one is written.
async fn wait_for_frame(due: Option<Instant>, writer: Option<TermWriter>) {
    match (due, writer) {
        (Some(due), Some(writer)) => {
            wait_until(due).await;
            writer.wait_idle().await;
        }
        _ => std::future::pending().await,
    }
}

async fn next_resume(signals: Option<&mut tokio::signal::unix::Signal>) {
    match signals {
        Some(signals) => {
            signals.recv().await;
        }
        None => std::future::pending().await,
    }
}
