//! Screen of a live run: progress, latency, throughput, servers, ledger, log.

mod areas;
mod capacity_search;
mod context;
mod generator;
mod header;
mod latency;
mod ledger;
mod log;
mod repetition_map;
mod servers;
mod summary;
mod throughput;
mod timeline;

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

pub use areas::hit_test;
pub use context::LiveContext;
pub use summary::single_line;

use super::{footer::draw_footer_with_state, parts::split_screen};
use crate::{
    format,
    tui::{
        live_panel::{LivePanel, PanelSize},
        model::{Ending, LiveRun, Model},
        preferences::Bell,
        requests::StopMode,
        theme::Theme,
    },
};
use areas::{LiveArea, is_compact, layout_areas};

/// Draws the screen.
pub fn draw(live: &LiveRun, model: &Model, frame: &mut Frame, area: Rect) {
    let areas = layout_areas(live, area);
    let has_log = areas.iter().any(|(content, _)| *content == LiveArea::Panel(LivePanel::Log));
    let context = LiveContext::new(live, model, has_log);
    let [header, _, keys] = split_screen(area, 2);
    header::draw(&context, frame, header);
    for (content, area) in &areas {
        draw_area(&context, *content, frame, *area);
    }
    let focused = LiveArea::Panel(live.display.panel);
    if let Some((_, area)) = areas.iter().find(|(content, _)| *content == focused) {
        highlight(model.theme, frame, *area);
    }
    draw_footer_with_state(&key_hints(live), state_line(live, model), model, frame, keys);
}

/// Returns the key hints of the footer.
pub fn key_hints(live: &LiveRun) -> Vec<(&'static str, &'static str)> {
    match (live.is_frozen(), live.display.size, live.display.panel) {
        // The way back first: it stays where the rest finds no room.
        (true, ..) => vec![
            ("freeze", "go on"),
            ("left right", "second"),
            ("repetition-before repetition-after", "repetition"),
            ("help", "help"),
        ],
        (_, PanelSize::Maximized, LivePanel::Log) => {
            vec![("up down", "scroll"), ("filter", "filter"), ("level", "level"), ("back", "back")]
        }
        (_, PanelSize::Maximized, LivePanel::Map) if live.plan.capacity.is_none() => {
            vec![("left up down right", "choose"), ("accept", "look at it"), ("back", "back")]
        }
        (_, PanelSize::Maximized, LivePanel::Latency) => {
            vec![("view", "view"), ("next", "panel"), ("back", "back"), ("help", "help")]
        }
        (_, PanelSize::Maximized, _) => vec![("next", "panel"), ("back", "back"), ("help", "help")],
        (_, PanelSize::Shared, _) if live.can_be_steered() => vec![
            ("pause-load", if live.is_paused() { "resume" } else { "pause" }),
            ("faster slower", "rate"),
            ("fewer-users more-users", "users"),
            ("fault", "fault…"),
            ("freeze", "freeze"),
            ("view", "view"),
            ("next", "panel"),
            ("stop", "stop…"),
            ("help", "help"),
        ],
        (_, PanelSize::Shared, _) => vec![
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

/// Returns the exceptional states at the right of the footer: frozen, stopping, a slow terminal.
pub fn state_line(live: &LiveRun, model: &Model) -> Line<'static> {
    let mut words = Vec::new();
    words.extend(live.refusal.map(str::to_owned));
    if let Some(slow) = model.pace.slow {
        let (takes, each) = (
            format::rate(Some(slow.bytes_per_second)),
            format::three_significant(slow.frame_interval.as_secs_f64()),
        );
        words.push(format!("slow terminal ({takes}): a frame each {each} s"));
    }
    if model.bell == Bell::On {
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
        Some(StopMode::AfterRepetition) => words.push("stopping after this repetition".to_owned()),
        Some(StopMode::Now) => words.push("stopping: servers are being removed".to_owned()),
        None => {}
    }
    if matches!(live.ending, Ending::Quit(_)) {
        words.push("then leaving".to_owned());
    }
    if words.is_empty() {
        return Line::default();
    }
    Line::from(Span::styled(format!(" {} ", words.join(" · ")), model.theme.warn()))
}

/// Marks the focused panel.
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

/// Draws one area.
fn draw_area(context: &LiveContext, shown: LiveArea, frame: &mut Frame, area: Rect) {
    let alone = context.live.display.size == PanelSize::Maximized || is_compact(frame.area());
    match shown {
        LiveArea::Panel(LivePanel::Latency) => latency::draw(context, frame, area),
        LiveArea::Panel(LivePanel::Time) => timeline::draw(context, frame, area),
        LiveArea::Panel(LivePanel::Throughput) if alone => {
            throughput::draw_full_screen(context, frame, area);
        }
        LiveArea::Panel(LivePanel::Throughput) => throughput::draw(context, frame, area),
        LiveArea::Panel(LivePanel::Servers) if alone => {
            servers::draw_full_screen(context, frame, area);
        }
        LiveArea::Panel(LivePanel::Servers) => servers::draw(context, frame, area),
        LiveArea::Panel(LivePanel::Ledger) if alone => {
            ledger::draw_full_screen(context, frame, area);
        }
        LiveArea::Panel(LivePanel::Ledger) => ledger::draw(context, frame, area),
        LiveArea::Panel(LivePanel::Log) => log::draw(context, frame, area),
        LiveArea::Panel(LivePanel::Map) => repetition_map::draw(context, frame, area),
        LiveArea::LatencyTable => latency::draw_table(context, frame, area),
        LiveArea::Health => ledger::draw_health(context, frame, area),
        LiveArea::Summary => summary::draw(context, frame, area),
    }
}
