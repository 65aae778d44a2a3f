//! Searches for a capacity, as they go on: what was tried, what is proven, what comes next.

use ratatui::{
    Frame,
    layout::{Margin, Rect},
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{live::Scene, map::first, title};
use crate::{
    format,
    plan::Durability,
    record::{Capacity, capacity::Probe},
    report::capacity::test,
    tui::{model::durability, theme::Theme},
};

/// Columns of a number of users: 999,999 and the sign of what comes next.
const USERS: usize = 9;
/// Columns of the signs of repetitions: as many as a test may take.
const SIGNS: usize = 21;

/// Draws the panel: the search that learned last first.
pub fn draw(scene: &Scene, frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let block = scene.block(title(theme, "search")).title(legend(theme).right_aligned());
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let (width, mut room) = (usize::from(inner.width), usize::from(inner.height));
    let mut lines = Vec::new();
    for (place, capacity) in scene.live.searches().enumerate() {
        let before = usize::from(place > 0);
        if room <= before {
            break;
        }
        lines.extend((0..before).map(|_| Line::default()));
        let section = section(capacity, theme, width, room - before);
        room -= before + section.len();
        lines.extend(section);
    }
    if lines.is_empty() {
        lines.push(Line::from(Span::styled("not begun", theme.label())));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

fn legend(theme: Theme) -> Line<'static> {
    let label = |text| Span::styled(text, theme.label());
    Line::from(vec![
        Span::raw(" "),
        Span::styled("✓", theme.good()),
        label(" objectives held "),
        Span::styled("✗", theme.bad()),
        label(" missed "),
        Span::styled("▸", theme.accent()),
        label(" next "),
    ])
}

/// One search in at most `height` lines, the most telling first.
fn section(capacity: &Capacity, theme: Theme, width: usize, height: usize) -> Vec<Line<'static>> {
    let fit = |text: &str| format::fit(text, width);
    let mut what = format!("{} · {}", capacity.backend, format::bytes(capacity.payload.0 as f64));
    if capacity.durability != Durability::Default {
        what = format!("{what} · {}", durability(capacity.durability));
    }
    for objective in &capacity.objectives {
        what = format!("{what} · {objective}");
    }
    let stage = capacity.stage.title();
    let mut lines = vec![
        Line::from(Span::styled(fit(&what), theme.title())),
        Line::from(vec![
            Span::styled(format!("{stage}: "), theme.label()),
            Span::raw(format::fit(&capacity.answer(), width.saturating_sub(stage.len() + 2))),
        ]),
    ];
    if let Some(limit) = capacity.limit() {
        let style = if capacity.about_hub == Some(false) { theme.warn() } else { theme.label() };
        lines.push(Line::from(Span::styled(fit(&format!("limited by {limit}")), style)));
    }
    lines.push(scale(capacity, theme, width));
    lines.push(Line::from(Span::styled(
        fit(&format!("{:>USERS$}  held  {:<SIGNS$}  put to the test", "users", "repetitions")),
        theme.label(),
    )));
    let left = height.saturating_sub(lines.len());
    lines.extend(tried(capacity, theme, width, left));
    lines.truncate(height);
    lines
}

/// Every number of users that was tried or comes next, in rising order.
fn tried(capacity: &Capacity, theme: Theme, width: usize, height: usize) -> Vec<Line<'static>> {
    let mut rows = capacity.probes.clone();
    let next = capacity.next;
    if let Some(users) = next
        && let Err(place) = rows.binary_search_by_key(&users, |probe| probe.users)
    {
        rows.insert(place, Probe { users, held: 0, missed: 0 });
    }
    let wanted = rows.iter().position(|probe| Some(probe.users) == next);
    let from = first(wanted.unwrap_or(rows.len() / 2), height, rows.len());
    let shown = rows.into_iter().skip(from).take(height);
    shown.map(|probe| row(capacity, &probe, theme, width)).collect()
}

fn row(capacity: &Capacity, probe: &Probe, theme: Theme, width: usize) -> Line<'static> {
    let is_next = capacity.next == Some(probe.users);
    let users = format::count(probe.users.into());
    let all = probe.held + probe.missed;
    let held = if all == 0 { String::new() } else { format!("{}/{all}", probe.held) };
    let signs = |sign: &str, count: u32| sign.repeat(count as usize);
    let (good, bad) = (signs("✓", probe.held), signs("✗", probe.missed));
    let pad = " ".repeat(SIGNS.saturating_sub(all as usize));
    let tested = capacity.decisions.iter().filter(|decision| decision.users == probe.users);
    let tested: Vec<_> = tested.map(test).collect();
    let used = USERS + 2 + 5 + SIGNS.max(all as usize) + 2;
    Line::from(vec![
        Span::styled(if is_next { "▸" } else { " " }, theme.accent()),
        Span::raw(format!("{users:>width$}  {held:>5}  ", width = USERS - 1)),
        Span::styled(good, theme.good()),
        Span::styled(bad, theme.bad()),
        Span::raw(pad),
        Span::raw(format!("  {}", format::fit(&tested.join("; "), width.saturating_sub(used + 2)))),
    ])
}

/// All numbers of users that may be tried on one line, logarithmic: carried, undecided, too many.
fn scale(capacity: &Capacity, theme: Theme, width: usize) -> Line<'static> {
    let (least, most) = capacity.among;
    let (left, right) = (format::count(least.into()), format::count(most.into()));
    let room = width.saturating_sub(left.len() + right.len() + " users".len() + 2);
    let (low, high) = (f64::from(least).ln(), f64::from(most).ln());
    let of = |column: usize| {
        let share = (column as f64 + 0.5) / room as f64;
        (low + share * (high - low)).exp()
    };
    let [mut carried, mut open, mut too_many] = [const { String::new() }; 3];
    for column in 0..room {
        let users = of(column);
        if capacity.lower.is_some_and(|lower| users <= f64::from(lower)) {
            carried.push('█');
        } else if capacity.upper.is_some_and(|upper| users >= f64::from(upper)) {
            too_many.push('░');
        } else {
            open.push('▒');
        }
    }
    Line::from(vec![
        Span::styled(format!("{left} "), theme.label()),
        Span::styled(carried, theme.good()),
        Span::styled(open, theme.label()),
        Span::styled(too_many, theme.bad()),
        Span::styled(format!(" {right} users"), theme.label()),
    ])
}
