//! Header of the live screen: what is running, and its progress.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
};

use super::context::LiveContext;
use crate::{
    format,
    tui::{
        model::{Ending, PhaseProgress, TimeLeft},
        plan_text,
        text::draw_line,
        view::parts::draw_both_ends,
        widgets::progress_bar,
    },
};

/// Draws the header.
pub fn draw(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let [title, progress] = area.layout(&Layout::vertical([Constraint::Length(1); 2]));
    draw_title(context, frame, title);
    draw_progress(context, frame, progress);
}

fn draw_title(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let point = context.live.point();
    let right = context.shown.step.map_or_else(
        || if context.shown.aside.is_some() { String::new() } else { "starting ".to_owned() },
        |step| match context.live.plan.capacity {
            // A search has no planned number of repetitions.
            Some(_) => format!("rep {} ", step.repetition + 1),
            None => format!("rep {}/{} ", step.repetition + 1, context.live.plan.repetitions),
        },
    );
    let aside = context.shown.aside.clone().unwrap_or_default();
    let point = point.map_or(aside, plan_text::point_label);
    let gaps = " hubmark  ".len() + "  ".len() + "  ".len();
    let used = gaps + point.chars().count() + right.len();
    let profile =
        format::truncate(&context.live.plan.profile, usize::from(area.width).saturating_sub(used));
    let room = usize::from(area.width).saturating_sub(used + profile.chars().count() + 2);
    let left = Line::from(vec![
        Span::styled(" hubmark  ", context.theme.label()),
        Span::styled(format!("{profile}  "), context.theme.title()),
        Span::raw(point),
        Span::styled(hub_label(context, room), context.theme.label()),
    ]);
    draw_both_ends(left, Line::from(right), frame, area);
}

/// Returns the hub's name in at most `room` columns; empty if it does not fit.
fn hub_label(context: &LiveContext, room: usize) -> String {
    let Some((place, facts)) = &context.shown.hub else { return String::new() };
    let model = facts.model.as_ref().map_or(String::new(), |model| format!(", {model}"));
    let words = [format!("  on {place}{model}"), format!("  on {place}")];
    words.into_iter().find(|words| words.chars().count() <= room).unwrap_or_default()
}

fn draw_progress(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let theme = context.theme;
    let state = context.live.run_state();
    let progress = state.progress();
    let phase = state.phase.map_or("starting", |(phase, ..)| phase.title());
    let now = if context.live.is_earlier() { "now: " } else { "" };
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
    let mut title = vec![Span::styled(format!(" {now}{phase}"), theme.title())];
    let steered = state.steering_words();
    title.extend(steered.map(|words| Span::styled(format!(" {words}"), theme.warn())));
    draw_line(Line::from(title), frame, name);
    draw_line(progress_bar(progress.share, bar.width, theme.data(), theme.label()), frame, bar);
    draw_line(Line::from(format_phase_time(&progress, usize::from(time.width))), frame, time);
    let done = state.position;
    let all = context.live.plan.expected_repetitions().max(done);
    let share = (all > 0).then(|| {
        let part = progress.share.unwrap_or(0.0) * f64::from(u8::from(state.in_load()));
        (done as f64 + part) / all as f64
    });
    draw_line(progress_bar(share, run_bar.width, theme.data(), theme.label()), frame, run_bar);
    let count = match context.live.plan.capacity {
        Some(_) => format!("{done} done"),
        None => format!("{done}/{all}"),
    };
    let left = match context.live.ending {
        Ending::Continue => {
            let left = match context.live.time_left() {
                TimeLeft::Seconds(seconds) => format!("{} left", format::time_span(seconds)),
                TimeLeft::Overdue => "over estimate".to_owned(),
                TimeLeft::Finishing => "finishing".to_owned(),
            };
            format!("{count}  {left} ")
        }
        Ending::ShowResults(_) | Ending::Quit(_) => format!("{count}  stopping "),
    };
    draw_line(Line::from(left).right_aligned(), frame, run);
}

/// Formats the time of a phase in at most `width` columns.
fn format_phase_time(progress: &PhaseProgress, width: usize) -> String {
    let Some(expected) = progress.expected else { return format::time_span(progress.elapsed) };
    let elapsed = progress.elapsed;
    let whole = format!("{} of {}", format::time_span(elapsed), format::time_span(expected));
    if whole.len() <= width {
        whole
    } else if elapsed > expected {
        format::time_span(elapsed)
    } else {
        format!("{} left", format::time_span(expected - elapsed))
    }
}
