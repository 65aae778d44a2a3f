//! The loop: waits, updates, performs effects, draws. All the screen's input and output is here.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use crossterm::event::{Event as TerminalEvent, EventStream};
use futures_util::StreamExt;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{
    mailbox::{Mail, Mailbox},
    model::{Catalog, Model, Screen},
    msg::{Effect, Msg},
    outside::{Controller, Inputs, Outcome, Planner, Shelf, Started, Told, Wish},
    terminal::ScreenTerminal,
    view,
};

/// Shortest time between two frames for what the run tells.
const FRAME: Duration = Duration::from_millis(100);
/// Shortest time between two frames for what the operator does.
const FRAME_FOR_KEYS: Duration = Duration::from_millis(30);
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
/// A terminal that blocks blocks only this future: the run and its events go on. Panic hooks
/// installed before the call see a restored terminal.
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
    /// When the next frame is due, if something changed.
    due: Option<Instant>,
    quit: bool,
}

/// The run in progress, seen from here.
struct Running {
    mailbox: Arc<Mailbox>,
    steer: Box<dyn Fn(Wish) + Send>,
}

/// What the loop woke up for.
enum Woken {
    Terminate,
    Terminal(Option<io::Result<TerminalEvent>>),
    Mail(Mail),
    Told(Told),
    Tick,
    Frame,
}

impl<C: Controller> App<C> {
    fn new(inputs: Inputs, controller: C, mut terminal: ScreenTerminal) -> Self {
        let Inputs { shelf, profiles, backends, planner, preferences, terminate } = inputs;
        let (model, effects) = Model::new(Catalog { profiles, backends }, preferences);
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
            run: None,
            began: Instant::now(),
            drawn: Instant::now(),
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
        while !self.quit {
            let due = self.due;
            let live = matches!(self.model.screen, Screen::Live(_));
            // Keys and events that wait are all taken before a frame is drawn.
            let woken = tokio::select! {
                biased;
                () = self.terminate.cancelled(), if !terminating => Woken::Terminate,
                event = next(self.terminal.as_mut()) => Woken::Terminal(event),
                mail = mail(self.run.as_ref()) => Woken::Mail(mail),
                Some(told) = self.told.1.recv() => Woken::Told(told),
                () = at(due), if self.terminal.is_some() => Woken::Frame,
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
                Woken::Tick => self.changed(FRAME),
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

    fn changed(&mut self, frame: Duration) {
        let due = self.drawn + frame;
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Preview { text, overrides } => {
                let answer = self.planner.plan(&text, &overrides);
                self.apply(Msg::Previewed(Box::new(answer)), FRAME_FOR_KEYS);
            }
            Effect::Start(request) => match self.controller.start(&request) {
                Ok(Started { events, steer }) => {
                    self.run = Some(Running { mailbox: Mailbox::filled_from(events), steer });
                }
                Err(error) => self.apply(Msg::Refused(error), FRAME_FOR_KEYS),
            },
            Effect::Stop(stop) => self.steer(Wish::Stop(stop)),
            Effect::Skip(point) => self.steer(Wish::Skip(point)),
            Effect::Add(count) => self.steer(Wish::Add(count)),
            Effect::Shelf(ask) => {
                let (disk, sender) = (Arc::clone(&self.shelf), self.told.0.clone());
                tokio::task::spawn_blocking(move || sender.send(disk.answer(&ask)));
            }
            Effect::Copy(text) => {
                if self.terminal.is_some() {
                    let coded = BASE64_STANDARD.encode(text);
                    ScreenTerminal::send(&format!("\x1b]52;c;{coded}\x07"));
                }
            }
            Effect::Bell => {
                if self.terminal.is_some() {
                    ScreenTerminal::send("\x07");
                }
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

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
