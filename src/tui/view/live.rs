//! Watch: is it going well, how is the latency spread, who is the bottleneck, how long to go?

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect, Spacing},
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{SMALLEST, both_ends, footer, frame_of, panel, panels, title, words};
use crate::format::{self, Unit};
use crate::{
    event::Phase,
    measure::Spread,
    plan::{Scenario, Workload},
    tui::{
        model::{Ending, Live, Model, Progress, Watch},
        outside::Stop,
        theme::Theme,
        widgets::{Histogram, Lines, meter},
    },
};

/// From this width on, the table of the four durations stands beside the histogram.
const WIDE: u16 = 120;
/// From this height on, charts have room to grow and the log has a panel of its own.
const TALL: u16 = 36;
/// Columns of the table of durations.
const TABLE: u16 = 71;

/// What every part of the screen draws from.
pub struct Scene<'a> {
    /// The run.
    pub live: &'a Live,
    /// The part of it that is shown.
    pub watch: &'a Watch,
    /// Names of backends.
    pub model: &'a Model,
    /// The styles.
    pub theme: Theme,
    /// Whether there is room in height.
    pub tall: bool,
}

/// Draws the screen.
pub fn draw(live: &Live, model: &Model, frame: &mut Frame, area: Rect) {
    let tall = area.height >= TALL;
    let scene = Scene { live, watch: live.shown(), model, theme: model.theme, tall };
    let [header, body, keys] = frame_of(area, 2);
    let [name, progress] = header.layout(&Layout::vertical([Constraint::Length(1); 2]));
    scene.name(frame, name);
    scene.progress(frame, progress);

    let servers = match area.height {
        0..TALL => 6,
        TALL..60 => 10,
        _ => 14,
    };
    let (over_time, ledger) =
        if tall { (Constraint::Fill(2), 9) } else { (Constraint::Length(4), 7) };
    let table = if tall && area.width < WIDE { 7 } else { 1 };
    let [latency, durations, time, load, ledger] = body.layout(
        &Layout::vertical([
            Constraint::Fill(3),
            Constraint::Length(table),
            over_time,
            Constraint::Length(servers),
            Constraint::Length(ledger),
        ])
        .spacing(Spacing::Overlap(1)),
    );
    if area.width >= WIDE {
        let [left, right] = latency.layout(
            &Layout::horizontal([Constraint::Fill(1), Constraint::Length(TABLE)])
                .spacing(Spacing::Overlap(1)),
        );
        scene.latency(frame, left);
        scene.durations(frame, right);
    } else {
        scene.latency(frame, latency);
        if tall {
            scene.durations(frame, durations);
        }
    }
    scene.over_time(frame, time);
    panels::load(&scene, frame, load);
    panels::ledger(&scene, frame, ledger);
    footer(
        &[
            ("f", if live.is_frozen() { "go on" } else { "freeze" }),
            ("s", "stop…"),
            ("?", "help"),
            ("q", "quit…"),
        ],
        model.theme,
        frame,
        keys,
    );
    state(live, model.theme, frame, keys);
}

/// What is unusual, at the right of the keys: frozen, stopping.
fn state(live: &Live, theme: Theme, frame: &mut Frame, area: Rect) {
    let stopping = match live.ending.stop() {
        Some(Stop::AfterRepetition) => "stopping after this repetition ",
        Some(Stop::Now) => "stopping: servers are being removed ",
        None => "",
    };
    let frozen = if live.is_frozen() { "display frozen, the run goes on " } else { "" };
    let then = if matches!(live.ending, Ending::Leave(_)) { "then leaving " } else { "" };
    let text = format!("{frozen}{stopping}{then}");
    if !text.is_empty() {
        let words = Line::from(Span::styled(text, theme.warn()));
        frame.render_widget(words.right_aligned(), area);
    }
}

impl Scene<'_> {
    fn name(&self, frame: &mut Frame, area: Rect) {
        let point = self.live.point();
        let right = self.watch.step.map_or_else(
            || "starting ".to_owned(),
            |step| format!("rep {}/{} ", step.repetition + 1, self.live.plan.repetitions),
        );
        let point = point.map_or_else(String::new, words::point);
        let used = " hubmark    ".len() + point.chars().count() + right.len();
        let profile =
            format::fit(&self.live.plan.profile, usize::from(area.width).saturating_sub(used));
        let room = usize::from(area.width).saturating_sub(used + profile.chars().count() + 4);
        let left = Line::from(vec![
            Span::styled(" hubmark  ", self.theme.label()),
            Span::styled(format!("{profile}  "), self.theme.title()),
            Span::raw(point),
            Span::styled(self.hub(room), self.theme.label()),
        ]);
        both_ends(left, Line::from(right), frame, area);
    }

    /// The hub, in at most `room` columns, or not at all.
    fn hub(&self, room: usize) -> String {
        let Some((place, facts)) = &self.watch.hub else { return String::new() };
        let model = facts.model.as_ref().map_or(String::new(), |model| format!(", {model}"));
        let words = [format!("  on {place}{model}"), format!("  on {place}")];
        words.into_iter().find(|words| words.chars().count() <= room).unwrap_or_default()
    }

    fn progress(&self, frame: &mut Frame, area: Rect) {
        let theme = self.theme;
        let progress = self.watch.progress();
        let phase = self.watch.phase.map_or("starting", |(phase, ..)| phase.title());
        let [name, bar, time, run_bar, run] = area.layout(
            &Layout::horizontal([
                Constraint::Length(21),
                Constraint::Fill(2),
                Constraint::Length(17),
                Constraint::Fill(1),
                Constraint::Length(23),
            ])
            .spacing(1),
        );
        frame.render_widget(Line::from(Span::styled(format!(" {phase}"), theme.title())), name);
        frame.render_widget(meter(progress.share, bar.width, theme.data(), theme.label()), bar);
        frame.render_widget(Line::from(time_of(&progress, usize::from(time.width))), time);
        let (done, all) = (self.watch.position, self.live.plan.schedule.len());
        let share = (all > 0).then(|| {
            let part = progress.share.unwrap_or(0.0) * f64::from(u8::from(self.in_load()));
            (done as f64 + part) / all as f64
        });
        frame.render_widget(meter(share, run_bar.width, theme.data(), theme.label()), run_bar);
        let left = match self.live.ending {
            Ending::GoOn => {
                format!("{done}/{all}  {} left ", format::span(self.live.seconds_left()))
            }
            Ending::Show(_) | Ending::Leave(_) => format!("{done}/{all}  stopping "),
        };
        frame.render_widget(Line::from(left).right_aligned(), run);
    }

    fn in_load(&self) -> bool {
        matches!(self.watch.phase, Some((Phase::Load | Phase::Drain, ..)))
    }

    /// Whether the repetition measures producers alone, whose latency is the acknowledgement.
    pub fn producers_only(&self) -> bool {
        matches!(
            self.live.point().map(|point| &point.workload),
            Some(Workload::Throughput(workload)) if workload.scenario == Scenario::Producer
        )
    }

    fn main_spread(&self) -> (&'static str, &Spread) {
        let durations = &self.watch.snapshot.durations;
        if self.producers_only() {
            ("acknowledgement", &durations.ack)
        } else {
            ("delivery latency", &durations.delivery)
        }
    }

    fn latency(&self, frame: &mut Frame, area: Rect) {
        if matches!(self.watch.phase, Some((Phase::Images, ..))) {
            return self.images(frame, area);
        }
        let theme = self.theme;
        let unit = self.watch.unit;
        let (name, spread) = self.main_spread();
        let name =
            if spread.count > 0 { format!("{name} ({})", unit.sign()) } else { name.to_owned() };
        let mut block = panel(theme, title(theme, &name));
        if spread.count > 0 {
            let beside = percentiles(spread, unit, theme);
            // Where the table stands beside it, the count is enough.
            let from = if area.width < SMALLEST.0 { beside.len() - 2 } else { 0 };
            block = block.title(Line::from(beside[from..].to_vec()).right_aligned());
        }
        let inner = block.inner(area);
        frame.render_widget(block, area);
        if spread.count == 0 {
            let text = Line::from(Span::styled("no measured message yet", theme.label()));
            let middle = inner.centered_vertically(Constraint::Length(1));
            return frame.render_widget(text.centered(), middle);
        }
        let marks: Vec<(f64, &'static str)> = if inner.height >= 6 {
            [(spread.p50, "p50"), (spread.p99, "p99")]
                .into_iter()
                .filter_map(|(value, sign)| value.map(|value| (value, sign)))
                .collect()
        } else {
            Vec::new()
        };
        let histogram = Histogram {
            bars: &self.watch.snapshot.bars,
            unit,
            style: theme.data(),
            axis: theme.label(),
            marks: &marks,
        };
        frame.render_widget(histogram, inner);
        if spread.negative > 0 {
            let text = format!(" {} below zero ", format::count(spread.negative));
            let line = Line::from(Span::styled(text, theme.bad())).right_aligned();
            frame.render_widget(line, Rect { height: 1, ..inner });
        }
    }

    /// The images that are being made; what there is to see before any message.
    fn images(&self, frame: &mut Frame, area: Rect) {
        let theme = self.theme;
        let block = panel(theme, title(theme, "images"));
        let inner = block.inner(area).inner(ratatui::layout::Margin::new(1, 0));
        frame.render_widget(block, area);
        let mut lines = Vec::new();
        if self.watch.images.is_empty() {
            lines.push(Line::from(Span::styled("looking for the images", theme.label())));
        }
        let newest = self.watch.images.iter().rev().take(usize::from(inner.height).div_ceil(2));
        for (image, step, percent) in newest {
            let share = percent.map(|percent| f64::from(percent) / 100.0);
            let mut line =
                vec![Span::styled(format!("{:<24} ", format::fit(image, 24)), theme.title())];
            let bar = meter(share, inner.width.saturating_sub(32), theme.data(), theme.label());
            line.extend(bar.spans);
            line.push(Span::raw(format!(" {:>5}", format::percent(share))));
            lines.push(Line::from(line));
            lines
                .push(Line::from(format!("  {}", format::fit(step, usize::from(inner.width) - 2))));
        }
        frame.render_widget(Paragraph::new(lines), inner);
    }

    /// The four durations side by side.
    fn durations(&self, frame: &mut Frame, area: Rect) {
        let theme = self.theme;
        let unit = self.watch.unit;
        let block = panel(theme, title(theme, &format!("durations ({})", unit.sign())));
        let inner = block.inner(area);
        frame.render_widget(block, area);
        let head = format!(
            " {:<9}{:>10}{:>7}{:>7}{:>7}{:>7}{:>7}{:>7}{:>7}",
            "", "count", "min", "mean", "p50", "p90", "p99", "p99.9", "max"
        );
        let durations = &self.watch.snapshot.durations;
        let row = |name: &str, spread: &Spread| {
            let numbers: String = [
                spread.min,
                spread.mean,
                spread.p50,
                spread.p90,
                spread.p99,
                spread.p999,
                spread.max,
            ]
            .map(|value| format!("{:>7}", unit.number(value)))
            .concat();
            let count = if spread.count == 0 {
                format::MISSING.to_owned()
            } else {
                format::count(spread.count)
            };
            Line::from(vec![
                Span::styled(format!(" {name:<9}"), theme.title()),
                Span::raw(format!("{count:>10}{numbers}")),
            ])
        };
        let mut lines = vec![
            Line::from(Span::styled(head, theme.label())),
            row("lag", &durations.lag),
            row("ack", &durations.ack),
            row("delivery", &durations.delivery),
            row("response", &durations.response),
        ];
        if inner.height >= 10 {
            let explained = [
                "",
                " lag       sent − due: hubmark's own lateness",
                " ack       acknowledged − sent",
                " delivery  received − sent: the study's latency",
                " response  received − due: what a device's owner feels",
            ];
            lines.extend(explained.map(|text| Line::from(Span::styled(text, theme.label()))));
        }
        frame.render_widget(Paragraph::new(lines), inner);
    }

    fn over_time(&self, frame: &mut Frame, area: Rect) {
        let theme = self.theme;
        let watch = self.watch;
        let unit = watch.unit;
        let ack = self.producers_only();
        let points = |value: fn(&crate::measure::Second) -> Option<f64>| -> Vec<(f64, f64)> {
            watch
                .seconds
                .iter()
                .filter_map(|second| Some((f64::from(second.second), unit.of(value(second)?))))
                .collect()
        };
        let line = if ack {
            points(|second| second.ack_p50)
        } else {
            points(|second| second.delivery_p50)
        };
        let p99 = points(|second| second.delivery_p99);
        let (dots, dots_name) = match (ack, p99.is_empty()) {
            (true, _) => (Vec::new(), ""),
            (false, false) => (p99, "  ⠂ p99"),
            (false, true) => (points(|second| second.delivery_max), "  ⠂ max"),
        };
        let last = watch.seconds.last().map_or(0.0, |second| f64::from(second.second));
        let until = watch
            .snapshot
            .planned_seconds
            .unwrap_or_else(|| super::super::widgets::ceiling(last.max(10.0)));
        let what = if ack { "acknowledgement" } else { "delivery" };
        let name = if line.is_empty() {
            title(theme, &format!("{what} over time"))
        } else {
            let over = format!(" {what} over {} ({}, log)  ", format::span(until), unit.sign());
            Line::from(vec![
                Span::styled(over, theme.title()),
                Span::styled("⠤ p50", theme.data()),
                Span::styled(dots_name, theme.second()),
                Span::raw(" "),
            ])
        };
        let block = panel(theme, name);
        let inner = block.inner(area);
        frame.render_widget(block, area);
        let lines = Lines {
            line: &line,
            dots: &dots,
            until,
            line_style: theme.data(),
            dots_style: theme.second(),
            axis: theme.label(),
        };
        if !line.is_empty() {
            frame.render_widget(lines, inner);
        }
    }
}

/// Seconds of a phase in at most `width` columns.
fn time_of(progress: &Progress, width: usize) -> String {
    let Some(expected) = progress.expected else { return format::span(progress.elapsed) };
    let elapsed = progress.elapsed.min(expected);
    let whole = format!("{} of {}", format::span(elapsed), format::span(expected));
    if whole.len() <= width { whole } else { format!("{} left", format::span(expected - elapsed)) }
}

/// Percentiles in columns that do not move.
fn percentiles(spread: &Spread, unit: Unit, theme: Theme) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let values =
        [("p50", spread.p50), ("p90", spread.p90), ("p99", spread.p99), ("max", spread.max)];
    for (name, value) in values {
        spans.push(Span::styled(format!(" {name}"), theme.label()));
        spans.push(Span::styled(format!(" {:>5}", unit.number(value)), theme.title()));
    }
    spans.push(Span::styled("  n", theme.label()));
    spans.push(Span::raw(format!(" {:>7} ", format::count(spread.count))));
    spans
}
