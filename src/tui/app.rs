//! The loop: waits, updates, performs effects, draws. All the screen's input and output is here.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use crossterm::event::{Event as TerminalEvent, EventStream};
use futures_util::StreamExt;
use nix::sys::signal::Signal;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{
    mailbox::{Mail, Mailbox},
    model::{Catalog, Model, Pace, Screen, Slow},
    msg::{Effect, Msg},
    outside::{Attached, Controller, Inputs, Outcome, Planner, Shelf, Started, Told, Wish},
    pipe::Pipe,
    terminal::ScreenTerminal,
    view,
};

/// Shortest time between two frames for what the run tells.
const FRAME: Duration = Duration::from_millis(100);
/// Shortest time between two frames for what the operator does.
const FRAME_FOR_KEYS: Duration = Duration::from_millis(30);
/// How many times longer than a frame takes to leave nothing is drawn after it.
const REST: u32 = 4;
/// Longest time between two frames, however slow the terminal.
const LONGEST: Duration = Duration::from_secs(2);
/// How often times are counted down.
const TICK: Duration = Duration::from_millis(500);

/// Why there is no screen.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    /// Input or output is not a terminal, or one that cannot place characters.
    #[error(
        "the screen needs a terminal, and there is none here\n  for a run without a screen: hubmark run PROFILE (profiles: hubmark profiles)"
    )]
    NoTerminal,
    /// The terminal refused.
    #[error(
        "the terminal could not be set up: {0}\n  for a run without a screen: hubmark run PROFILE"
    )]
    Terminal(#[from] io::Error),
}

/// Shows the screen until the operator leaves.
///
/// A terminal that blocks holds up nothing but itself. Panic hooks installed before the call see a
/// restored terminal.
pub async fn run(inputs: Inputs, controller: impl Controller) -> Result<Outcome, TuiError> {
    if !ScreenTerminal::is_there() {
        return Err(TuiError::NoTerminal);
    }
    let terminal = ScreenTerminal::take(inputs.preferences.mouse)?;
    Ok(App::new(inputs, controller, terminal).run().await)
}

struct App<C> {
    model: Model,
    planner: Arc<dyn Planner>,
    shelf: Arc<dyn Shelf>,
    /// Answers of the shelf come back this way.
    told: (UnboundedSender<Told>, UnboundedReceiver<Told>),
    controller: C,
    terminate: CancellationToken,
    /// `None` once the terminal is lost: the run is then brought to its end unseen.
    terminal: Option<(ScreenTerminal, EventStream)>,
    run: Option<Running>,
    began: Instant,
    drawn: Instant,
    /// When the terminal's bytes were counted last, and how many there were.
    counted: (Instant, u64),
    /// When the next frame is due, if something changed.
    due: Option<Instant>,
    quit: bool,
}

/// The run in progress, seen from here.
struct Running {
    mailbox: Arc<Mailbox>,
    steer: Box<dyn Fn(Wish) + Send>,
}

impl Running {
    fn of(Started { events, steer }: Started) -> Self {
        Self { mailbox: Mailbox::filled_from(events), steer }
    }
}

/// What the loop woke up for.
enum Woken {
    Terminate,
    Terminal(Option<io::Result<TerminalEvent>>),
    Mail(Mail),
    Told(Told),
    Tick,
    Continued,
    Frame,
}

impl<C: Controller> App<C> {
    fn new(inputs: Inputs, controller: C, mut terminal: ScreenTerminal) -> Self {
        let Inputs { shelf, profiles, backends, planner, preferences, attached, terminate } =
            inputs;
        let (mut model, effects) = Model::new(Catalog { profiles, backends }, preferences);
        let mut began = Instant::now();
        let run = attached.map(|Attached { live, age, started }| {
            // The screen's clock is the run's.
            began = began.checked_sub(age).unwrap_or(began);
            model.update(Msg::Tick(age));
            model.attach(live);
            Running::of(started)
        });
        // The first frame comes before anything that may take time.
        let drawn = terminal.draw(|frame| view::view(&model, frame)).is_ok();
        let mut app = Self {
            model,
            planner,
            shelf,
            told: unbounded_channel(),
            controller,
            terminate,
            terminal: drawn.then(|| (terminal, EventStream::new())),
            run,
            began,
            drawn: Instant::now(),
            counted: (Instant::now(), 0),
            due: None,
            quit: false,
        };
        for effect in effects {
            app.perform(effect);
        }
        app
    }

    async fn run(mut self) -> Outcome {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if self.terminal.is_none() {
            self.apply(Msg::Terminate, FRAME);
        }
        let mut terminating = false;
        let mut continued = signal(SignalKind::from_raw(Signal::SIGCONT as i32)).ok();
        while !self.quit {
            let due = self.due;
            let live = matches!(self.model.screen, Screen::Live(_));
            let pipe = self.terminal.as_ref().map(|(terminal, _)| terminal.pipe());
            // Keys and events that wait are all taken before a frame is drawn.
            let woken = tokio::select! {
                biased;
                () = self.terminate.cancelled(), if !terminating => Woken::Terminate,
                event = next(self.terminal.as_mut()) => Woken::Terminal(event),
                mail = mail(self.run.as_ref()) => Woken::Mail(mail),
                Some(told) = self.told.1.recv() => Woken::Told(told),
                () = continuation(continued.as_mut()) => Woken::Continued,
                () = frame(due, pipe) => Woken::Frame,
                _ = ticks.tick(), if live => Woken::Tick,
            };
            self.model.update(Msg::Tick(self.began.elapsed()));
            match woken {
                Woken::Terminate => {
                    terminating = true;
                    self.apply(Msg::Terminate, FRAME);
                }
                Woken::Terminal(event) => self.input(event),
                Woken::Mail(mail) => self.mail(mail),
                Woken::Told(told) => self.apply(Msg::Shelf(Box::new(told)), FRAME_FOR_KEYS),
                Woken::Tick => {
                    self.count();
                    self.changed(FRAME);
                }
                Woken::Continued => self.again(),
                Woken::Frame => self.draw(),
            }
        }
        self.model.outcome
    }

    fn input(&mut self, event: Option<io::Result<TerminalEvent>>) {
        let Some(Ok(event)) = event else { return self.lost() };
        if matches!(event, TerminalEvent::Resize(..)) {
            self.apply(Msg::Redraw, FRAME_FOR_KEYS);
        }
        if let Some(key) = event.as_key_press_event()
            && let Some(msg) = self.model.keys.message(key, self.model.place())
        {
            self.apply(msg, FRAME_FOR_KEYS);
        }
        if let TerminalEvent::Mouse(mouse) = event
            && let Some((terminal, _)) = &mut self.terminal
            && let Some(msg) = view::pointed(&self.model, terminal.area(), mouse)
        {
            self.apply(msg, FRAME_FOR_KEYS);
        }
    }

    fn mail(&mut self, mail: Mail) {
        for event in mail.events {
            self.apply(Msg::Engine(Box::new(event)), FRAME);
        }
        if mail.closed {
            self.run = None;
            self.apply(Msg::EngineGone, FRAME);
        }
    }

    fn apply(&mut self, msg: Msg, frame: Duration) {
        for effect in self.model.update(msg) {
            self.perform(effect);
        }
        self.changed(frame);
    }

    /// Tells the model what the terminal takes.
    fn count(&mut self) {
        let Some((terminal, _)) = &self.terminal else { return };
        let (speed, (since, before)) = (terminal.speed(), self.counted);
        let seconds = since.elapsed().as_secs_f64();
        if seconds < 1.0 {
            return;
        }
        self.counted = (Instant::now(), speed.bytes);
        let each = rest(speed.last);
        let takes = speed.piece as f64 / speed.last.as_secs_f64();
        let pace = Pace {
            bytes_per_second: Some((speed.bytes - before) as f64 / seconds),
            slow: (each > FRAME).then_some(Slow { each, takes }),
        };
        self.model.update(Msg::Pace(pace));
    }

    /// Somebody continued this process: nobody knows what the terminal shows.
    fn again(&mut self) {
        if let Some((terminal, _)) = &mut self.terminal
            && terminal.again().is_err()
        {
            return self.lost();
        }
        self.apply(Msg::Redraw, FRAME_FOR_KEYS);
    }

    fn changed(&mut self, frame: Duration) {
        // A terminal that is slow gets fewer frames of what the run tells, not older ones.
        let last = match &self.terminal {
            Some((terminal, _)) if frame >= FRAME => terminal.speed().last,
            _ => Duration::ZERO,
        };
        let due = self.drawn + frame.max(rest(last));
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Preview { text, overrides } => {
                let answer = self.planner.plan(&text, &overrides);
                self.apply(Msg::Previewed(Box::new(answer)), FRAME_FOR_KEYS);
            }
            Effect::Start(request) => match self.controller.start(&request) {
                Ok(started) => self.run = Some(Running::of(started)),
                Err(error) => self.apply(Msg::Refused(error), FRAME_FOR_KEYS),
            },
            Effect::Stop(stop) => self.steer(Wish::Stop(stop)),
            Effect::Skip(point) => self.steer(Wish::Skip(point)),
            Effect::Add(count) => self.steer(Wish::Add(count)),
            Effect::Shelf(ask) => {
                let (disk, sender) = (Arc::clone(&self.shelf), self.told.0.clone());
                tokio::task::spawn_blocking(move || {
                    // Nobody hears it when the screen has ended.
                    let tell = |told| {
                        let _ = sender.send(told);
                    };
                    tell(disk.answer(&ask, &tell));
                });
            }
            Effect::StopImages => self.shelf.stop_images(),
            Effect::Copy(text) => {
                if let Some((terminal, _)) = &self.terminal {
                    let coded = BASE64_STANDARD.encode(text);
                    terminal.send(&format!("\x1b]52;c;{coded}\x07"));
                }
            }
            Effect::Bell => {
                if let Some((terminal, _)) = &self.terminal {
                    terminal.send("\x07");
                }
            }
            Effect::Suspend => {
                if let Some((terminal, _)) = &mut self.terminal
                    && terminal.suspend().is_err()
                {
                    self.lost();
                }
                self.changed(FRAME_FOR_KEYS);
            }
            Effect::Quit => self.quit = true,
        }
    }

    fn steer(&self, wish: Wish) {
        if let Some(run) = &self.run {
            (run.steer)(wish);
        }
    }

    fn draw(&mut self) {
        self.due = None;
        self.drawn = Instant::now();
        let Self { model, terminal, .. } = self;
        if let Some((terminal, _)) = terminal
            && terminal.draw(|frame| view::view(model, frame)).is_err()
        {
            self.lost();
        }
    }

    /// The terminal is gone: nobody can stop the run any more, so that it is stopped in order.
    fn lost(&mut self) {
        if let Some((terminal, _)) = self.terminal.take() {
            terminal.forget();
        }
        self.apply(Msg::Terminate, FRAME);
    }
}

async fn next(
    terminal: Option<&mut (ScreenTerminal, EventStream)>,
) -> Option<io::Result<TerminalEvent>> {
    match terminal {
        Some((_, events)) => events.next().await,
        None => std::future::pending().await,
    }
}

async fn mail(run: Option<&Running>) -> Mail {
    match run {
        Some(run) => run.mailbox.take().await,
        None => std::future::pending().await,
    }
}

/// How long nothing is drawn after a frame that took so long to leave; nothing where it was quick.
fn rest(last: Duration) -> Duration {
    let rest = last.saturating_mul(REST).min(LONGEST);
    if rest > FRAME { rest } else { Duration::ZERO }
}

/// Waits until a frame is due and the one before has left.
async fn frame(due: Option<Instant>, pipe: Option<Pipe>) {
    match (due, pipe) {
        (Some(due), Some(pipe)) => {
            tokio::time::sleep_until(due.into()).await;
            pipe.idle().await;
        }
        _ => std::future::pending().await,
    }
}

async fn continuation(signals: Option<&mut tokio::signal::unix::Signal>) {
    match signals {
        Some(signals) => {
            signals.recv().await;
        }
        None => std::future::pending().await,
    }
}
