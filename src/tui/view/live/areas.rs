//! Areas of the live screen: which panels are shown, and where.

use ratatui::layout::{Constraint, Layout, Position, Rect, Spacing};

use super::summary;
use crate::tui::{
    live_panel::{LatencyView, LivePanel, PanelSize},
    model::LiveRun,
    msg::Msg,
    view::parts::split_screen,
};

/// Smallest size that shows several panels.
const MIN_PANELS_SIZE: (u16, u16) = (80, 23);
/// Smallest width that shows the table of durations beside the histogram.
const MIN_WIDE_WIDTH: u16 = 120;
/// Smallest height with larger charts and a separate log panel.
const MIN_TALL_HEIGHT: u16 = 36;
/// Smallest size that shows map and log in a column at the right.
const MIN_HUGE_SIZE: (u16, u16) = (190, 50);
/// Width of the table of durations.
const LATENCY_TABLE_WIDTH: u16 = 71;
/// Width of the column with map and log.
const SIDE_WIDTH: u16 = 64;
/// Width of the throughput panel.
const THROUGHPUT_WIDTH: u16 = 24;

/// Content of an area of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveArea {
    /// A panel.
    Panel(LivePanel),
    /// Table of the four durations.
    LatencyTable,
    /// Verdict and hubmark's health in one line, when the ledger is not shown.
    Health,
    /// The run in a few lines, when there is no room for all panels.
    Summary,
}

/// Returns the content and position of each area, in drawing order.
pub fn layout_areas(live: &LiveRun, area: Rect) -> Vec<(LiveArea, Rect)> {
    let [_, body, _] = split_screen(area, 2);
    let display = &live.display;
    if display.size == PanelSize::Maximized {
        let [whole, health] =
            body.layout(&Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]));
        return vec![(LiveArea::Panel(display.panel), whole), (LiveArea::Health, health)];
    }
    if is_compact(area) {
        let [panel, summary] =
            split_rows(body, [Constraint::Fill(1), Constraint::Length(summary::HEIGHT)]);
        return vec![(LiveArea::Panel(display.panel), panel), (LiveArea::Summary, summary)];
    }
    let mut areas = Vec::new();
    let main = if area.width >= MIN_HUGE_SIZE.0 && area.height >= MIN_HUGE_SIZE.1 {
        let [main, side] =
            split_columns(body, [Constraint::Fill(1), Constraint::Length(SIDE_WIDTH)]);
        let [map, log] = split_rows(side, [Constraint::Fill(1), Constraint::Fill(1)]);
        areas.push((LiveArea::Panel(LivePanel::Map), map));
        areas.push((LiveArea::Panel(LivePanel::Log), log));
        main
    } else {
        body
    };
    let (tall, wide) = (area.height >= MIN_TALL_HEIGHT, main.width >= MIN_WIDE_WIDTH);
    let load = match area.height {
        0..MIN_TALL_HEIGHT => 6,
        MIN_TALL_HEIGHT..60 => 10,
        _ => 14,
    };
    let (over_time, ledger) =
        if tall { (Constraint::Fill(2), 9) } else { (Constraint::Length(4), 7) };
    let under = if tall && !wide { 7 } else { 1 };
    let [latency, table, time, load, ledger] = split_rows(
        main,
        [
            Constraint::Fill(3),
            Constraint::Length(under),
            over_time,
            Constraint::Length(load),
            Constraint::Length(ledger),
        ],
    );
    let beside_table = matches!(
        display.view,
        LatencyView::Histogram | LatencyView::Percentiles | LatencyView::Heat
    );
    let latency = if wide && beside_table {
        let [latency, table] =
            split_columns(latency, [Constraint::Fill(1), Constraint::Length(LATENCY_TABLE_WIDTH)]);
        areas.push((LiveArea::LatencyTable, table));
        latency
    } else {
        if tall && !wide {
            areas.push((LiveArea::LatencyTable, table));
        }
        latency
    };
    let [throughput, servers] =
        split_columns(load, [Constraint::Length(THROUGHPUT_WIDTH), Constraint::Fill(1)]);
    let ledger = if tall && wide && main == body {
        let [ledger, log] = split_columns(ledger, [Constraint::Length(80), Constraint::Fill(1)]);
        areas.push((LiveArea::Panel(LivePanel::Log), log));
        ledger
    } else {
        ledger
    };
    areas.extend([
        (LiveArea::Panel(LivePanel::Time), time),
        (LiveArea::Panel(LivePanel::Throughput), throughput),
        (LiveArea::Panel(LivePanel::Servers), servers),
        (LiveArea::Panel(LivePanel::Ledger), ledger),
    ]);
    // A focused panel without an area replaces the latency panel.
    let has_place = areas.iter().any(|(content, _)| *content == LiveArea::Panel(display.panel));
    let first = if has_place { LivePanel::Latency } else { display.panel };
    areas.insert(0, (LiveArea::Panel(first), latency));
    // Adjacent panels share a border with the title of the lower panel, which is drawn last.
    areas.sort_by_key(|(_, area)| (area.y, area.x));
    areas
}

/// Whether there is room only for one panel and a summary.
pub fn is_compact(area: Rect) -> bool {
    area.width < MIN_PANELS_SIZE.0 || area.height < MIN_PANELS_SIZE.1
}

fn split_columns<const N: usize>(area: Rect, widths: [Constraint; N]) -> [Rect; N] {
    area.layout(&Layout::horizontal(widths).spacing(Spacing::Overlap(1)))
}

fn split_rows<const N: usize>(area: Rect, heights: [Constraint; N]) -> [Rect; N] {
    area.layout(&Layout::vertical(heights).spacing(Spacing::Overlap(1)))
}

/// Returns the message that focuses the panel at a screen position.
pub fn hit_test(live: &LiveRun, area: Rect, at: Position) -> Option<Msg> {
    // Adjacent panels share a border, which belongs to the lower panel as its title.
    let there = layout_areas(live, area).into_iter().filter(|(_, area)| area.contains(at));
    match there.max_by_key(|(_, area)| (area.y, area.x)) {
        Some((LiveArea::Panel(panel), _)) => Some(Msg::Focus(panel)),
        _ => None,
    }
}
