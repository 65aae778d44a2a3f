//! Headless front end: prints the events of a run as lines on stderr; stdout is left to the result.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use crate::{
    event::{EndStatus, Event, EventReceiver, ImageProgress, LogLevel, Snapshot},
    format::{count, count_noun, optional_number, three_significant, visible},
    measure::{Judgement, VerdictCounts},
    plan::{Plan, Point, ScheduledRepetition, Workload},
    record::Repetition,
    server::HubFacts,
    units::human_duration,
};

/// Interval between two progress lines on an output that cannot overwrite a line.
const PLAIN_PROGRESS_INTERVAL: Duration = Duration::from_secs(5);
/// Silence after which the phase and its time are printed.
const SILENCE: Duration = Duration::from_secs(2);
/// Interval between two updates of the status line on a terminal.
const LIVE_PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

/// Prints `events` until the last one.
///
/// A failed write (a closed pipe) does not end the run.
pub async fn follow(mut events: EventReceiver, quiet: bool) {
    let mut progress = ProgressPrinter::new(quiet);
    let mut ticks = tokio::time::interval(LIVE_PROGRESS_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => {
                    let _ = progress.print_event(&event, Instant::now());
                }
                None => break,
            },
            _ = ticks.tick() => {
                let _ = progress.print_sign_of_life(Instant::now());
            }
        }
    }
    let _ = progress.clear_line();
}

struct ProgressPrinter {
    quiet: bool,
    live: bool,
    plan: Option<Plan>,
    heading: String,
    phase: String,
    /// Start of the phase.
    phase_began: Instant,
    /// Expected length of the phase in seconds.
    phase_seconds: Option<f64>,
    /// Time of the last event.
    last_event: Instant,
    /// Last printed step of an image.
    step: String,
    hub: String,
    last_shown: Option<Instant>,
    line_width: usize,
}

impl ProgressPrinter {
    fn new(quiet: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            quiet,
            live: io::stderr().is_terminal() && !dumb,
            plan: None,
            heading: String::new(),
            phase: "connecting to the hub".to_owned(),
            phase_began: Instant::now(),
            phase_seconds: None,
            last_event: Instant::now(),
            step: String::new(),
            hub: String::new(),
            last_shown: None,
            line_width: 0,
        }
    }

    /// Prints phase and elapsed time when nothing else is known for a while: a slow hub is not a dead one.
    fn print_sign_of_life(&mut self, now: Instant) -> io::Result<()> {
        if self.phase.is_empty() || now.duration_since(self.last_event) < SILENCE {
            return Ok(());
        }
        let text = describe_phase(&self.phase, now - self.phase_began, self.phase_seconds);
        self.print_progress(&text)
    }

    fn print_event(&mut self, event: &Event, now: Instant) -> io::Result<()> {
        self.last_event = now;
        match event {
            Event::Started { plan, record, done } => {
                self.plan = Some(*plan.clone());
                self.print_line(&format!("record: {}", record.display()))?;
                if *done > 0 {
                    let are = if *done == 1 { "is" } else { "are" };
                    let done = count_noun(*done as u64, "repetition");
                    self.print_line(&format!("{done} {are} already in the record"))?;
                }
                Ok(())
            }
            Event::Hub { place, facts } => self.print_hub(place, facts),
            Event::Path(path) => self.print_line(&format!("path: {path}")),
            Event::SelfTest(test) => self.print_line(&format!("this machine: {test}")),
            Event::Replanned { plan } => {
                let repetitions = count_noun(plan.repetitions.into(), "repetition");
                self.plan = Some(*plan.clone());
                self.print_line(&format!("{repetitions} of each point from now on"))
            }
            Event::Repetition { step, position, attempt } => {
                if let Some(plan) = &self.plan {
                    self.heading = repetition_heading(plan, *step, *position, *attempt);
                }
                Ok(())
            }
            Event::Footprint { backend, what } => {
                self.heading = format!("footprint of {backend}, {what}");
                self.print_line(&self.heading.clone())
            }
            Event::Estimate { seconds_left } => {
                let left = human_duration(Duration::from_secs_f64(seconds_left.max(0.0).round()));
                self.print_line(&format!("the hub is slow to start containers: about {left} left"))
            }
            Event::Phase { phase, seconds } => {
                phase.title().clone_into(&mut self.phase);
                (self.phase_began, self.phase_seconds) = (now, *seconds);
                if self.live { self.print_status(&self.phase.clone()) } else { Ok(()) }
            }
            Event::Image(step) => self.print_image_step(step),
            Event::Snapshot(snapshot) => {
                self.print_progress(&describe_snapshot(&self.phase, snapshot))
            }
            Event::Log { level, text } => {
                let mark = match level {
                    LogLevel::Info => "",
                    LogLevel::Warn => "warning: ",
                    LogLevel::Error => "error: ",
                };
                self.print_line(&format!("{mark}{text}"))
            }
            Event::AlreadyRecorded { .. } => Ok(()),
            Event::Capacity { state, .. } => self.print_line(&state.progress_line()),
            Event::Finished { repetition, seconds_left, tally, .. } => {
                let outcome = describe_outcome(repetition, *seconds_left, tally);
                self.print_line(&format!("{}: {outcome}", self.heading))
            }
            Event::Ended { end, .. } => {
                self.phase.clear();
                self.print_end(end)
            }
        }
    }

    fn print_end(&mut self, end: &EndStatus) -> io::Result<()> {
        match end {
            EndStatus::Complete => Ok(()),
            EndStatus::Stopped => {
                self.print_line("stopped: the finished repetitions are in the record")
            }
            EndStatus::Failed { .. } => self.clear_line(),
        }
    }

    /// Prints the hub and its model; a later event with more facts only if it changes the line.
    fn print_hub(&mut self, place: &str, facts: &HubFacts) -> io::Result<()> {
        let model = facts.model.as_ref().or(facts.cpu.as_ref());
        let model = model.map_or_else(String::new, |model| format!(" ({model})"));
        let line = format!("hub: {place}{model}");
        if self.hub == line {
            return Ok(());
        }
        self.hub.clone_from(&line);
        self.print_line(&line)
    }

    /// Prints the progress of an image; without overwriting, one line for each step, even for a
    /// short one.
    fn print_image_step(&mut self, step: &ImageProgress) -> io::Result<()> {
        let percent = step.percent.map_or_else(String::new, |percent| format!(" {percent} %"));
        let text = format!("image {}:{percent} {}", step.image, step.summary());
        if self.live || self.step == step.step {
            return self.print_progress(&text);
        }
        self.step.clone_from(&step.step);
        self.print_status(&text)
    }

    /// Prints a permanent line.
    fn print_line(&mut self, text: &str) -> io::Result<()> {
        if self.quiet {
            return Ok(());
        }
        self.clear_line()?;
        writeln!(io::stderr(), "{}", visible(text))
    }

    /// Prints a status line, unless the last one is too recent.
    fn print_progress(&mut self, text: &str) -> io::Result<()> {
        let period = if self.live { LIVE_PROGRESS_INTERVAL } else { PLAIN_PROGRESS_INTERVAL };
        if self.quiet || self.last_shown.is_some_and(|shown| shown.elapsed() < period) {
            return Ok(());
        }
        self.last_shown = Some(Instant::now());
        self.print_status(text)
    }

    fn print_status(&mut self, text: &str) -> io::Result<()> {
        if self.quiet {
            return Ok(());
        }
        let heading =
            if self.heading.is_empty() { String::new() } else { format!("{}: ", self.heading) };
        let text = visible(&format!("{heading}{text}")).into_owned();
        if !self.live {
            return writeln!(io::stderr(), "{text}");
        }
        let width = crossterm::terminal::size().map_or(80, |(width, _)| usize::from(width));
        let text: String = text.chars().take(width.saturating_sub(1)).collect();
        self.clear_line()?;
        self.line_width = text.chars().count();
        write!(io::stderr(), "{text}")?;
        io::stderr().flush()
    }

    fn clear_line(&mut self) -> io::Result<()> {
        if self.line_width > 0 {
            write!(io::stderr(), "\r{:width$}\r", "", width = self.line_width)?;
            self.line_width = 0;
        }
        Ok(())
    }
}

/// Heading of the lines about a repetition: `[1/3] kafka 2.8.0, 100 users, …, repetition 1`.
fn repetition_heading(
    plan: &Plan,
    step: ScheduledRepetition,
    position: usize,
    attempt: u32,
) -> String {
    let at = position + 1;
    let place = match &plan.capacity {
        Some(_) => at.to_string(),
        None => format!("{at}/{}", plan.schedule.len()),
    };
    let point = describe_point(&plan.points[step.point]);
    let tried = if attempt > 1 { format!(", try {attempt}") } else { String::new() };
    format!("[{place}] {point}, repetition {}{tried}", step.repetition + 1)
}

/// Describes a finished repetition: result, verdict, tally of all verdicts, time left.
fn describe_outcome(
    repetition: &Repetition,
    seconds_left: Option<f64>,
    tally: &VerdictCounts,
) -> String {
    let left = seconds_left.filter(|seconds| *seconds > 0.0).map_or_else(String::new, |seconds| {
        format!(" · {} left", human_duration(Duration::from_secs_f64(seconds)))
    });
    // If all verdicts are valid, their number repeats the heading.
    let so_far = if tally.suspect + tally.steered + tally.failed + tally.retried > 0 {
        format!(" · so far {tally}")
    } else {
        String::new()
    };
    let (result, verdict) = (describe_result(repetition), describe_verdict(repetition));
    format!("{result} · {verdict}{so_far}{left}")
}

/// Describes the measured result briefly: throughput, or percentiles of delivery.
fn describe_result(repetition: &Repetition) -> String {
    if repetition.throughput.is_none() && !repetition.missing.is_empty() {
        return repetition.describe_missing().collect::<Vec<_>>().join(" · ");
    }
    match (&repetition.throughput, &repetition.latency.delivery) {
        (Some(throughput), _) => {
            format!("{} MB/s", three_significant(throughput.bytes_per_second / 1e6))
        }
        (None, Some(delivery)) => {
            let (p50, p99) = (milliseconds(delivery.p50), milliseconds(delivery.p99));
            format!("delivery p50 {p50} ms, p99 {p99} ms")
        }
        (None, None) => "no result".to_owned(),
    }
}

/// Describes the verdict on a repetition, with its reasons.
fn describe_verdict(repetition: &Repetition) -> String {
    let name = match repetition.verdict.status {
        Judgement::Valid if repetition.faults.is_empty() => return "valid".to_owned(),
        Judgement::Valid => "valid",
        other => other.name(),
    };
    let reasons = repetition.verdict.reasons.iter().map(|reason| reason.text.as_str());
    format!("{name}: {}", reasons.collect::<Vec<_>>().join("; "))
}

fn milliseconds(micros: Option<f64>) -> String {
    optional_number(micros.map(|micros| micros / 1e3))
}

/// Describes a point briefly.
fn describe_point(point: &Point) -> String {
    let workload = &point.workload;
    let users = count_noun(u64::from(workload.users()), "user");
    let durability = point.durability.name();
    match workload {
        Workload::Latency(w) => {
            format!("{}, {users}, {}, durability {durability}", point.backend, w.payload)
        }
        Workload::Throughput(w) => {
            let scenario = w.scenario.name();
            format!(
                "{}, {scenario}, {} in {}, durability {durability}",
                point.backend, w.volume, w.payload
            )
        }
    }
}

/// Describes a phase by its time so far and its expected length.
fn describe_phase(phase: &str, elapsed: Duration, expected: Option<f64>) -> String {
    let expected = expected.map_or_else(String::new, |seconds| format!(" of {seconds:.0}"));
    format!("{phase} {}{expected} s", elapsed.as_secs())
}

/// Describes the state of the load briefly.
fn describe_snapshot(phase: &str, snapshot: &Snapshot) -> String {
    let planned = snapshot.planned_seconds.map_or_else(String::new, |s| format!(" of {s:.0}"));
    format!(
        "{phase} {:.0}{planned} s, {} msg/s, delivery p50 {} p99 {} ms, lag p99 {} ms, sent {}, delivered {}",
        snapshot.seconds.max(0.0),
        count(snapshot.second.sent),
        milliseconds(snapshot.durations.delivery.p50),
        milliseconds(snapshot.durations.delivery.p99),
        milliseconds(snapshot.durations.lag.p99),
        count(snapshot.ledger.sent),
        count(snapshot.ledger.delivered),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Phase;

    #[test]
    fn a_silent_phase_is_named_with_its_time() {
        let mut progress = ProgressPrinter::new(true);
        let start = Instant::now();
        let event = Event::Phase { phase: Phase::HubReader, seconds: None };
        progress.print_event(&event, start).unwrap();
        let shown = |progress: &mut ProgressPrinter, seconds| {
            progress.last_shown = None;
            progress.quiet = false;
            progress.print_sign_of_life(start + Duration::from_secs(seconds)).unwrap();
            progress.last_shown.is_some()
        };
        assert!(!shown(&mut progress, 1), "an event was printed just now");
        assert!(shown(&mut progress, 84), "no event for more than a minute");
        assert_eq!(
            describe_phase(&progress.phase, Duration::from_secs(84), None),
            "reading the hub 84 s"
        );
        assert_eq!(describe_phase("drain", Duration::from_secs(4), Some(10.0)), "drain 4 of 10 s");
        let end = Event::Ended { end: EndStatus::Complete, record: "x".into() };
        progress.print_event(&end, start).unwrap();
        assert!(!shown(&mut progress, 100), "the run is over");
    }
}
