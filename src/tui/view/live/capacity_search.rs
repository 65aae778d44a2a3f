//! Progress of capacity searches: tried numbers of users, decided numbers, the next number.

use ratatui::{
    Frame,
    layout::{Margin, Rect},
    text::{Line, Span},
};

use super::context::LiveContext;
use crate::{
    format,
    plan::Durability,
    record::{Capacity, capacity::CandidateProbe},
    report::capacity::describe_candidate,
    tui::{
        text::draw_lines,
        theme::Theme,
        view::{list::first_visible_centred, parts::title},
    },
};

/// Width of a number of users: 999,999 and the marker of the next number.
const USERS_WIDTH: usize = 9;
/// Width of the signs of repetitions: as many as a test may take.
const SIGNS_WIDTH: usize = 21;

/// Draws the panel, the most recently updated search first.
pub fn draw(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let theme = context.theme;
    let block = context.block(title(theme, "search")).title(legend(theme).right_aligned());
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let (width, mut room) = (usize::from(inner.width), usize::from(inner.height));
    let mut lines = Vec::new();
    for (place, capacity) in context.live.searches().enumerate() {
        let before = usize::from(place > 0);
        if room <= before {
            break;
        }
        lines.extend((0..before).map(|_| Line::default()));
        let section = search_lines(capacity, theme, width, room - before);
        room -= before + section.len();
        lines.extend(section);
    }
    if lines.is_empty() {
        lines.push(Line::from(Span::styled("not started", theme.label())));
    }
    draw_lines(lines, frame, inner);
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

/// Returns one search in at most `height` lines, the most important first.
fn search_lines(
    capacity: &Capacity,
    theme: Theme,
    width: usize,
    height: usize,
) -> Vec<Line<'static>> {
    let fit = |text: &str| format::truncate(text, width);
    let mut what = format!("{} · {}", capacity.backend, format::bytes(capacity.payload.0 as f64));
    if capacity.durability != Durability::Default {
        what = format!("{what} · {}", capacity.durability.name());
    }
    for objective in &capacity.objectives {
        what = format!("{what} · {objective}");
    }
    let stage = capacity.stage.title();
    let mut lines = vec![
        Line::from(Span::styled(fit(&what), theme.title())),
        Line::from(vec![
            Span::styled(format!("{stage}: "), theme.label()),
            Span::raw(format::truncate(
                &capacity.result_text(),
                width.saturating_sub(stage.len() + 2),
            )),
        ]),
    ];
    if let Some(limit) = capacity.limit_clause() {
        let style = if capacity.about_hub == Some(false) { theme.warn() } else { theme.label() };
        lines.push(Line::from(Span::styled(fit(&limit), style)));
    }
    for caution in &capacity.cautions {
        lines.push(Line::from(Span::styled(fit(caution), theme.warn())));
    }
    lines.push(range_line(capacity, theme, width));
    lines.push(Line::from(Span::styled(
        fit(&format!(
            "{:>USERS_WIDTH$}  held  {:<SIGNS_WIDTH$}  put to the test",
            "users", "repetitions"
        )),
        theme.label(),
    )));
    let left = height.saturating_sub(lines.len());
    lines.extend(probe_lines(capacity, theme, width, left));
    lines.truncate(height);
    lines
}

/// Returns a line for each number of users that was tried or is next, in rising order.
fn probe_lines(
    capacity: &Capacity,
    theme: Theme,
    width: usize,
    height: usize,
) -> Vec<Line<'static>> {
    let mut rows = capacity.probes.clone();
    let next = capacity.next;
    if let Some(users) = next
        && let Err(place) = rows.binary_search_by_key(&users, |probe| probe.users)
    {
        rows.insert(place, CandidateProbe { users, ..CandidateProbe::default() });
    }
    let wanted = rows.iter().position(|probe| Some(probe.users) == next);
    let from = first_visible_centred(wanted.unwrap_or(rows.len() / 2), height, rows.len());
    let shown = rows.into_iter().skip(from).take(height);
    shown.map(|probe| probe_line(capacity, &probe, theme, width)).collect()
}

fn probe_line(
    capacity: &Capacity,
    probe: &CandidateProbe,
    theme: Theme,
    width: usize,
) -> Line<'static> {
    let is_next = capacity.next == Some(probe.users);
    let users = format::count(probe.users.into());
    let all = probe.held + probe.missed;
    let held = if all == 0 { String::new() } else { format!("{}/{all}", probe.held) };
    let signs = |sign: &str, count: u32| sign.repeat(count as usize);
    let (good, bad) = (signs("✓", probe.held), signs("✗", probe.missed));
    let pad = " ".repeat(SIGNS_WIDTH.saturating_sub(all as usize));
    let tested = describe_candidate(capacity, probe);
    let used = USERS_WIDTH + 2 + 5 + SIGNS_WIDTH.max(all as usize) + 2;
    Line::from(vec![
        Span::styled(if is_next { "▸" } else { " " }, theme.accent()),
        Span::raw(format!("{users:>width$}  {held:>5}  ", width = USERS_WIDTH - 1)),
        Span::styled(good, theme.good()),
        Span::styled(bad, theme.bad()),
        Span::raw(pad),
        Span::raw(format!("  {}", format::truncate(&tested, width.saturating_sub(used + 2)))),
    ])
}

/// Returns the searched range on a logarithmic line: carried, undecided, too many.
fn range_line(capacity: &Capacity, theme: Theme, width: usize) -> Line<'static> {
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
        Span::styled(
            format!(" {right} {}", if right == "1" { "user" } else { "users" }),
            theme.label(),
        ),
    ])
}
