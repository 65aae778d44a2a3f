//! Watch: is it going well, how is the latency spread, who is the bottleneck, how long to go?

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Position, Rect, Spacing},
    text::{Line, Span},
    widgets::Block,
};

use super::{both_ends, footer, frame_of, latency, ledger, log, map, panel, servers, throughput};
use super::{timeline, words};
use crate::format;
use crate::{
    measure::Spread,
    plan::{Scenario, Workload},
    tui::{
        model::{Bell, Ending, Live, Model, Panel, Progress, Size, View, Watch},
        msg::Msg,
        outside::Stop,
        theme::Theme,
        widgets::meter,
    },
};

/// From this width on, the table of the four durations stands beside the histogram.
const WIDE: u16 = 120;
/// From this height on, charts have room to grow and the log has a panel of its own.
const TALL: u16 = 36;
/// From this size on, map and log stand beside everything else.
const HUGE: (u16, u16) = (190, 50);
/// Columns of the table of durations.
const TABLE: u16 = 71;
/// Columns of map and log beside everything else.
const SIDE: u16 = 64;
/// Columns of the throughput panel.
const THROUGHPUT: u16 = 24;

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
    /// Whether the log has a panel of its own.
    pub has_log: bool,
}

/// Draws the screen.
pub fn draw(live: &Live, model: &Model, frame: &mut Frame, area: Rect) {
    let places = places(live, area);
    let has_log = places.iter().any(|(panel, _)| *panel == Place::Panel(Panel::Log));
    let scene = Scene { live, watch: live.shown(), model, theme: model.theme, has_log };
    let [header, _, keys] = frame_of(area, 2);
    let [name, progress] = header.layout(&Layout::vertical([Constraint::Length(1); 2]));
    scene.name(frame, name);
    scene.progress(frame, progress);
    for (place, area) in &places {
        scene.place(*place, frame, *area);
    }
    let held = places.iter().find(|(place, _)| *place == Place::Panel(live.look.panel));
    if let Some((_, area)) = held {
        highlight(model.theme, frame, *area);
    }
    footer(&keys_of(live), model, frame, keys);
    state(live, model, frame, keys);
}

/// The panel at a place.
pub fn pointed(live: &Live, area: Rect, at: Position) -> Option<Msg> {
    // Neighbours share a line: it is the title's of the lower one.
    let there = places(live, area).into_iter().filter(|(_, area)| area.contains(at));
    match there.max_by_key(|(_, area)| (area.y, area.x)) {
        Some((Place::Panel(panel), _)) => Some(Msg::Focus(panel)),
        _ => None,
    }
}

/// The keys that matter now.
pub fn keys_of(live: &Live) -> Vec<(&'static str, &'static str)> {
    match (live.is_frozen(), live.look.size, live.look.panel) {
        (true, ..) => vec![
            ("left right", "second"),
            ("repetition-before repetition-after", "repetition"),
            ("freeze", "go on"),
            ("help", "help"),
        ],
        (_, Size::Alone, Panel::Log) => {
            vec![("up down", "scroll"), ("filter", "filter"), ("level", "level"), ("back", "back")]
        }
        (_, Size::Alone, Panel::Map) if live.plan.capacity.is_none() => {
            vec![("left up down right", "choose"), ("accept", "look at it"), ("back", "back")]
        }
        (_, Size::Alone, Panel::Latency) => {
            vec![("view", "view"), ("next", "panel"), ("back", "back"), ("help", "help")]
        }
        (_, Size::Alone, _) => vec![("next", "panel"), ("back", "back"), ("help", "help")],
        (_, Size::Together, _) => vec![
            ("freeze", "freeze"),
            ("view", "view"),
            ("next", "panel"),
            ("accept", "enlarge"),
            ("map", if live.plan.capacity.is_some() { "search" } else { "map" }),
            ("stop", "stop…"),
            ("help", "help"),
        ],
    }
}

/// What is unusual, at the right of the keys: frozen, stopping.
fn state(live: &Live, model: &Model, frame: &mut Frame, area: Rect) {
    let mut words = Vec::new();
    words.extend(live.refused.map(str::to_owned));
    if let Some(slow) = model.pace.slow {
        let (takes, each) =
            (format::rate(Some(slow.takes)), format::three(slow.each.as_secs_f64()));
        words.push(format!("slow terminal ({takes}): a frame each {each} s"));
    }
    if model.bell == Bell::Rings {
        words.push("bell".to_owned());
    }
    if live.is_earlier() {
        words.push("earlier repetition, the run goes on".to_owned());
    } else if live.is_frozen() {
        words.push("display frozen, the run goes on".to_owned());
    }
    if live.added > 0 {
        words.push(format!("{} more after this repetition", live.added));
    }
    match live.ending.stop() {
        Some(Stop::AfterRepetition) => words.push("stopping after this repetition".to_owned()),
        Some(Stop::Now) => words.push("stopping: servers are being removed".to_owned()),
        None => {}
    }
    if matches!(live.ending, Ending::Leave(_)) {
        words.push("then leaving".to_owned());
    }
    if !words.is_empty() {
        let text = format!(" {} ", words.join(" · "));
        let words = Line::from(Span::styled(text, model.theme.warn()));
        frame.render_widget(words.right_aligned(), area);
    }
}

/// Marks the panel that has the keys.
fn highlight(theme: Theme, frame: &mut Frame, area: Rect) {
    let buffer = frame.buffer_mut();
    let (right, bottom) = (area.right().saturating_sub(1), area.bottom().saturating_sub(1));
    for x in area.left()..area.right() {
        for y in [area.top(), bottom] {
            if "─┌┐└┘├┤┬┴┼".contains(buffer[(x, y)].symbol()) {
                buffer[(x, y)].set_style(theme.accent());
            }
        }
    }
    for y in area.top()..area.bottom() {
        buffer[(area.left(), y)].set_style(theme.accent());
        buffer[(right, y)].set_style(theme.accent());
    }
    if area.width > 2 && buffer[(area.left() + 1, area.top())].symbol() == " " {
        buffer[(area.left() + 1, area.top())].set_symbol("▸").set_style(theme.accent());
    }
}

/// What fills a part of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Panel(Panel),
    /// The table of the four durations.
    Table,
    /// hubmark's own health and the verdict in one line, where the ledger is not shown.
    Health,
}

/// Where everything is.
fn places(live: &Live, area: Rect) -> Vec<(Place, Rect)> {
    let [_, body, _] = frame_of(area, 2);
    let look = &live.look;
    if look.size == Size::Alone {
        let [whole, health] =
            body.layout(&Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]));
        return vec![(Place::Panel(look.panel), whole), (Place::Health, health)];
    }
    let mut places = Vec::new();
    let main = if area.width >= HUGE.0 && area.height >= HUGE.1 {
        let [main, side] = beside(body, [Constraint::Fill(1), Constraint::Length(SIDE)]);
        let [map, log] = below(side, [Constraint::Fill(1), Constraint::Fill(1)]);
        places.push((Place::Panel(Panel::Map), map));
        places.push((Place::Panel(Panel::Log), log));
        main
    } else {
        body
    };
    let (tall, wide) = (area.height >= TALL, main.width >= WIDE);
    let load = match area.height {
        0..TALL => 6,
        TALL..60 => 10,
        _ => 14,
    };
    let (over_time, ledger) =
        if tall { (Constraint::Fill(2), 9) } else { (Constraint::Length(4), 7) };
    let under = if tall && !wide { 7 } else { 1 };
    let [latency, table, time, load, ledger] = below(
        main,
        [
            Constraint::Fill(3),
            Constraint::Length(under),
            over_time,
            Constraint::Length(load),
            Constraint::Length(ledger),
        ],
    );
    let beside_table = matches!(look.view, View::Histogram | View::Percentiles | View::Heat);
    let latency = if wide && beside_table {
        let [latency, table] = beside(latency, [Constraint::Fill(1), Constraint::Length(TABLE)]);
        places.push((Place::Table, table));
        latency
    } else {
        if tall && !wide {
            places.push((Place::Table, table));
        }
        latency
    };
    let [throughput, servers] = beside(load, [Constraint::Length(THROUGHPUT), Constraint::Fill(1)]);
    let ledger = if tall && wide && main == body {
        let [ledger, log] = beside(ledger, [Constraint::Length(80), Constraint::Fill(1)]);
        places.push((Place::Panel(Panel::Log), log));
        ledger
    } else {
        ledger
    };
    places.extend([
        (Place::Panel(Panel::Time), time),
        (Place::Panel(Panel::Throughput), throughput),
        (Place::Panel(Panel::Servers), servers),
        (Place::Panel(Panel::Ledger), ledger),
    ]);
    // A panel without a place of its own takes the latency's while it has the keys.
    let has_place = places.iter().any(|(place, _)| *place == Place::Panel(look.panel));
    let first = if has_place { Panel::Latency } else { look.panel };
    places.insert(0, (Place::Panel(first), latency));
    // Neighbours share a line, which bears the title of the lower one: that is drawn last.
    places.sort_by_key(|(_, area)| (area.y, area.x));
    places
}

fn beside<const N: usize>(area: Rect, widths: [Constraint; N]) -> [Rect; N] {
    area.layout(&Layout::horizontal(widths).spacing(Spacing::Overlap(1)))
}

fn below<const N: usize>(area: Rect, heights: [Constraint; N]) -> [Rect; N] {
    area.layout(&Layout::vertical(heights).spacing(Spacing::Overlap(1)))
}

impl<'a> Scene<'a> {
    fn place(&self, place: Place, frame: &mut Frame, area: Rect) {
        let alone = self.live.look.size == Size::Alone;
        match place {
            Place::Panel(Panel::Latency) => latency::draw(self, frame, area),
            Place::Panel(Panel::Time) => timeline::draw(self, frame, area),
            Place::Panel(Panel::Throughput) if alone => throughput::alone(self, frame, area),
            Place::Panel(Panel::Throughput) => throughput::draw(self, frame, area),
            Place::Panel(Panel::Servers) if alone => servers::alone(self, frame, area),
            Place::Panel(Panel::Servers) => servers::draw(self, frame, area),
            Place::Panel(Panel::Ledger) if alone => ledger::alone(self, frame, area),
            Place::Panel(Panel::Ledger) => ledger::draw(self, frame, area),
            Place::Panel(Panel::Log) => log::draw(self, frame, area),
            Place::Panel(Panel::Map) => map::draw(self, frame, area),
            Place::Table => latency::table(self, frame, area),
            Place::Health => ledger::health(self, frame, area),
        }
    }

    /// The frame of a panel.
    pub fn block<'b>(&self, title: impl Into<Line<'b>>) -> Block<'b> {
        panel(self.theme, title)
    }

    fn name(&self, frame: &mut Frame, area: Rect) {
        let point = self.live.point();
        let right = self.watch.step.map_or_else(
            || if self.watch.aside.is_some() { String::new() } else { "starting ".to_owned() },
            |step| match self.live.plan.capacity {
                // A search repeats as often as its decisions need.
                Some(_) => format!("rep {} ", step.repetition + 1),
                None => format!("rep {}/{} ", step.repetition + 1, self.live.plan.repetitions),
            },
        );
        let aside = self.watch.aside.clone().unwrap_or_default();
        let point = point.map_or(aside, words::point);
        let gaps = " hubmark  ".len() + "  ".len() + "  ".len();
        let used = gaps + point.chars().count() + right.len();
        let profile =
            format::fit(&self.live.plan.profile, usize::from(area.width).saturating_sub(used));
        let room = usize::from(area.width).saturating_sub(used + profile.chars().count() + 2);
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
        let watch = self.live.running();
        let progress = watch.progress();
        let phase = watch.phase.map_or("starting", |(phase, ..)| phase.title());
        let now = if self.live.is_earlier() { "now: " } else { "" };
        let [name, bar, time, run_bar, run] = area.layout(
            &Layout::horizontal([
                Constraint::Length(21 + now.len() as u16),
                Constraint::Fill(2),
                Constraint::Length(17),
                Constraint::Fill(1),
                Constraint::Length(23),
            ])
            .spacing(1),
        );
        frame
            .render_widget(Line::from(Span::styled(format!(" {now}{phase}"), theme.title())), name);
        frame.render_widget(meter(progress.share, bar.width, theme.data(), theme.label()), bar);
        frame.render_widget(Line::from(time_of(&progress, usize::from(time.width))), time);
        let done = watch.position;
        let all = self.live.plan.expected_repetitions().max(done);
        let share = (all > 0).then(|| {
            let part = progress.share.unwrap_or(0.0) * f64::from(u8::from(watch.in_load()));
            (done as f64 + part) / all as f64
        });
        frame.render_widget(meter(share, run_bar.width, theme.data(), theme.label()), run_bar);
        let count = match self.live.plan.capacity {
            Some(_) => format!("{done} done"),
            None => format!("{done}/{all}"),
        };
        let left = match self.live.ending {
            Ending::GoOn => {
                format!("{count}  {} left ", format::span(self.live.seconds_left()))
            }
            Ending::Show(_) | Ending::Leave(_) => format!("{count}  stopping "),
        };
        frame.render_widget(Line::from(left).right_aligned(), run);
    }

    /// Whether the repetition measures producers alone, whose latency is the acknowledgement.
    pub fn producers_only(&self) -> bool {
        matches!(
            self.live.point().map(|point| &point.workload),
            Some(Workload::Throughput(workload)) if workload.scenario == Scenario::Producer
        )
    }

    /// The duration that this repetition is about: its name, its figures, its bars.
    pub fn main_duration(&self) -> (&'static str, &'a Spread, &'a [u64]) {
        let snapshot = &self.watch.snapshot;
        let (durations, bars) = (&snapshot.durations, &snapshot.bars);
        if self.producers_only() {
            ("acknowledgement", &durations.ack, &bars.ack)
        } else {
            ("delivery latency", &durations.delivery, &bars.delivery)
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
