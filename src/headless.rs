//! A run without a screen: events become lines on stderr, the result goes to stdout.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use crate::{
    event::{End, Event, Events, Level, Snapshot},
    format::{count, optional, three},
    measure::Judgement,
    plan::{Plan, Point},
    units::human_duration,
};

/// Time between two progress lines where the terminal cannot overwrite one.
const PLAIN_PERIOD: Duration = Duration::from_secs(5);
/// Time between two changes of the line that a terminal overwrites.
const LIVE_PERIOD: Duration = Duration::from_millis(500);

/// Follows `events` to their end.
///
/// Progress that cannot be written (a closed pipe) is not a reason to end a run.
pub async fn follow(mut events: Events, quiet: bool) {
    let mut progress = Progress::new(quiet);
    while let Some(event) = events.recv().await {
        let _ = progress.tell(&event);
    }
    let _ = progress.clear();
}

struct Progress {
    quiet: bool,
    live: bool,
    plan: Option<Plan>,
    heading: String,
    phase: String,
    /// The last step of an image.
    step: String,
    hub: String,
    shown: Option<Instant>,
    line: usize,
}

impl Progress {
    fn new(quiet: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            quiet,
            live: io::stderr().is_terminal() && !dumb,
            plan: None,
            heading: String::new(),
            phase: String::new(),
            step: String::new(),
            hub: String::new(),
            shown: None,
            line: 0,
        }
    }

    fn tell(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Started { plan, record, done } => {
                self.plan = Some(*plan.clone());
                self.say(&format!("record: {}", record.display()))?;
                if *done > 0 {
                    self.say(&format!("{done} repetitions are already in it"))?;
                }
                Ok(())
            }
            Event::Hub { place, facts } => {
                let model = facts.model.as_ref().or(facts.cpu.as_ref());
                let model = model.map_or_else(String::new, |model| format!(" ({model})"));
                let line = format!("hub: {place}{model}");
                // More may be known of it once its images are there.
                if self.hub == line {
                    return Ok(());
                }
                self.hub.clone_from(&line);
                self.say(&line)
            }
            Event::Path(path) => self.say(&format!("path: {path}")),
            Event::Replanned { plan } => {
                let repetitions = plan.repetitions;
                self.plan = Some(*plan.clone());
                self.say(&format!("{repetitions} repetitions of each point from now on"))
            }
            Event::Repetition { step, position, attempt } => {
                let Some(plan) = &self.plan else { return Ok(()) };
                let point = describe(&plan.points[step.point]);
                let at = position + 1;
                let place = match &plan.capacity {
                    Some(_) => at.to_string(),
                    None => format!("{at}/{}", plan.schedule.len()),
                };
                let tried = if *attempt > 1 { format!(", try {attempt}") } else { String::new() };
                let repetition = step.repetition + 1;
                self.heading = format!("[{place}] {point}, repetition {repetition}{tried}");
                Ok(())
            }
            Event::Footprint { backend, what } => {
                self.heading = format!("footprint of {backend}, {what}");
                self.say(&self.heading.clone())
            }
            Event::Phase { phase, .. } => {
                phase.title().clone_into(&mut self.phase);
                if self.live { self.show(&self.phase.clone()) } else { Ok(()) }
            }
            Event::Image(step) => {
                let percent = step.percent.map_or_else(String::new, |p| format!(" {p} %"));
                let text = format!("image {}:{percent} {}", step.image, step.words());
                if self.live || self.step == step.step {
                    return self.progress(&text);
                }
                // Where lines stay, each step has one, however short it is.
                self.step.clone_from(&step.step);
                self.show(&text)
            }
            Event::Snapshot(snapshot) => self.progress(&moment(&self.phase, snapshot)),
            Event::Log { level, text } => {
                let mark = match level {
                    Level::Info => "",
                    Level::Warn => "warning: ",
                    Level::Error => "error: ",
                };
                self.say(&format!("{mark}{text}"))
            }
            Event::Kept { .. } => Ok(()),
            Event::Capacity { state, .. } => self.say(&state.progress()),
            Event::Finished { repetition, seconds_left, tally, .. } => {
                let delivery = repetition.latency.delivery.as_ref();
                let result = match (&repetition.throughput, delivery) {
                    (Some(t), _) => format!("{} MB/s", three(t.bytes_per_second / 1e6)),
                    (None, Some(d)) => {
                        let ms = |micros: Option<f64>| optional(micros.map(|micros| micros / 1e3));
                        format!("delivery p50 {} ms, p99 {} ms", ms(d.p50), ms(d.p99))
                    }
                    (None, None) => "no result".to_owned(),
                };
                let verdict = match repetition.verdict.status {
                    Judgement::Valid if repetition.faults.is_empty() => "valid".to_owned(),
                    Judgement::Valid => format!("valid: {}", reasons(repetition)),
                    Judgement::Suspect => format!("suspect: {}", reasons(repetition)),
                    Judgement::Failed => format!("failed: {}", reasons(repetition)),
                };
                let left =
                    seconds_left.filter(|seconds| *seconds > 0.0).map_or_else(String::new, |s| {
                        format!(" · {} left", human_duration(Duration::from_secs_f64(s)))
                    });
                // Where all is valid, their number says nothing that the heading does not.
                let so_far = if tally.suspect + tally.failed + tally.retried > 0 {
                    format!(" · so far {tally}")
                } else {
                    String::new()
                };
                self.say(&format!("{}: {result} · {verdict}{so_far}{left}", self.heading))
            }
            Event::Ended { end, .. } => match end {
                End::Complete => Ok(()),
                End::Stopped => self.say("stopped: what was finished is in the record"),
                End::Failed { .. } => self.clear(),
            },
        }
    }

    /// A line that stays.
    fn say(&mut self, text: &str) -> io::Result<()> {
        if self.quiet {
            return Ok(());
        }
        self.clear()?;
        writeln!(io::stderr(), "{text}")
    }

    /// A line that the next one replaces.
    fn progress(&mut self, text: &str) -> io::Result<()> {
        let period = if self.live { LIVE_PERIOD } else { PLAIN_PERIOD };
        if self.quiet || self.shown.is_some_and(|shown| shown.elapsed() < period) {
            return Ok(());
        }
        self.shown = Some(Instant::now());
        self.show(text)
    }

    fn show(&mut self, text: &str) -> io::Result<()> {
        if self.quiet {
            return Ok(());
        }
        let heading =
            if self.heading.is_empty() { String::new() } else { format!("{}: ", self.heading) };
        let text = format!("{heading}{text}");
        if !self.live {
            return writeln!(io::stderr(), "{text}");
        }
        let width = crossterm::terminal::size().map_or(80, |(width, _)| usize::from(width));
        let text: String = text.chars().take(width.saturating_sub(1)).collect();
        self.clear()?;
        self.line = text.chars().count();
        write!(io::stderr(), "{text}")?;
        io::stderr().flush()
    }

    fn clear(&mut self) -> io::Result<()> {
        if self.line > 0 {
            write!(io::stderr(), "\r{:width$}\r", "", width = self.line)?;
            self.line = 0;
        }
        Ok(())
    }
}

fn reasons(repetition: &crate::record::Repetition) -> String {
    let texts: Vec<_> =
        repetition.verdict.reasons.iter().map(|reason| reason.text.as_str()).collect();
    texts.join("; ")
}

/// A point in a few words.
fn describe(point: &Point) -> String {
    let workload = &point.workload;
    let users = count(u64::from(workload.users()));
    let durability = format!("{:?}", point.durability).to_lowercase();
    match workload {
        crate::plan::Workload::Latency(w) => {
            format!("{}, {users} users, {}, durability {durability}", point.backend, w.payload)
        }
        crate::plan::Workload::Throughput(w) => {
            let scenario = format!("{:?}", w.scenario).to_lowercase();
            format!(
                "{}, {scenario}, {} in {}, durability {durability}",
                point.backend, w.volume, w.payload
            )
        }
    }
}

/// The state of the load in a few words.
fn moment(phase: &str, snapshot: &Snapshot) -> String {
    let planned = snapshot.planned_seconds.map_or_else(String::new, |s| format!(" of {s:.0}"));
    let ms = |micros: Option<f64>| optional(micros.map(|micros| micros / 1e3));
    format!(
        "{phase} {:.0}{planned} s, {} msg/s, delivery p50 {} p99 {} ms, lag p99 {} ms, sent {}, delivered {}",
        snapshot.seconds.max(0.0),
        count(snapshot.second.sent),
        ms(snapshot.durations.delivery.p50),
        ms(snapshot.durations.delivery.p99),
        ms(snapshot.durations.lag.p99),
        count(snapshot.ledger.sent),
        count(snapshot.ledger.delivered),
    )
}
