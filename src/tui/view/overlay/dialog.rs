//! Dialogs drawn over the screen.

use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    text::{Line, Span},
    widgets::{Clear, Padding},
};
use tui_input::Input;
use unicode_width::UnicodeWidthStr;

use crate::{
    engine::steering::FaultChoice,
    format,
    tui::{
        model::{Model, NamePrompt, Question, QuestionKind, Screen, TourStep},
        msg::Answer,
        plan_text,
        text::{draw_lines, wrap_lines},
        theme::Theme,
        view::parts::{panel, title},
    },
};

/// Columns of a dialog beside its lines: borders and padding.
const DIALOG_MARGIN: usize = 8;
/// Columns before the meaning of an answer: its mark and its key.
const CHOICE_INDENT: usize = 5;

/// Draws a step of the tour.
pub fn draw_tour(step: TourStep, model: &Model, frame: &mut Frame, area: Rect) {
    let key = |name: &str| model.keys.key_label(name);
    let (name, texts) = match step {
        TourStep::Setup => (
            "1 of 3: set up a run",
            [
                "Choose a profile at the left, change its values at the right.".to_owned(),
                "Below is what the run will do: its points, how long it takes, what is missing."
                    .to_owned(),
                format!(
                    "{} starts the chosen profile, {} checks the hub, {} lists the records.",
                    key("start"),
                    key("check"),
                    key("records"),
                ),
            ],
        ),
        TourStep::Live => (
            "2 of 3: watch it",
            [
                "Latency, throughput, servers and every message, second by second.".to_owned(),
                "The verdict says whether the numbers can be trusted, and if not, why.".to_owned(),
                format!(
                    "{} is the next panel, {} enlarges it, {} stops or skips.",
                    key("next"),
                    key("accept"),
                    key("stop"),
                ),
            ],
        ),
        TourStep::Results => (
            "3 of 3: read the answer",
            [
                "The results with their intervals, each point, the figures of the sweep."
                    .to_owned(),
                "Everything is saved in one record, from which it can be repeated.".to_owned(),
                format!(
                    "{} compares with the last run, {} writes the report, {} shows the record.",
                    key("compare-run"),
                    key("open-report"),
                    key("open-record"),
                ),
            ],
        ),
    };
    let mut lines: Vec<Line> = texts.into_iter().map(Line::from).collect();
    lines.push(Line::default());
    let keys = format!("{} goes on, {} skips the tour", key("tour-next"), key("tour-skip"));
    lines.push(Line::styled(keys, model.theme.label()));
    // Sentences, not choices: their further lines are not indented.
    let lines = wrap_lines(lines, usize::from(area.width).saturating_sub(DIALOG_MARGIN), 0);
    draw_dialog(name, lines, model.theme, frame, area);
}

/// Draws a question; the chosen answer is marked, and Enter gives it.
pub fn draw_question(question: &Question, model: &Model, frame: &mut Frame, area: Rect) {
    let (name, mut lines) = match question.kind {
        QuestionKind::Stop => ("stop or change the run?", Vec::new()),
        QuestionKind::Quit if model.setup.changed_profiles().is_empty() => {
            ("a run is on. Leave?", Vec::new())
        }
        QuestionKind::Quit => ("a run is on. Leave?", unsaved_question(model)),
        QuestionKind::Remove => removal_question(model),
        QuestionKind::Start => ("start this run?", start_question(model)),
        QuestionKind::Unsaved => ("leave without saving?", unsaved_question(model)),
        QuestionKind::Fault(_) => ("inject a fault into the main server?", Vec::new()),
    };
    for answer in question.answers() {
        let (action, meaning) = answer_text(*answer, question.kind, model);
        let chosen = *answer == question.chosen();
        let mut line = choice_line(action, &meaning, model);
        line.spans.insert(0, Span::raw(if chosen { "▸ " } else { "  " }));
        lines.push(if chosen { line.style(model.theme.title()) } else { line });
    }
    lines.push(Line::default());
    let keys = ["answer-above", "answer-below", "answer"].map(|name| model.keys.key_label(name));
    let help = format!("{}{} or a letter chooses, {} answers", keys[0], keys[1], keys[2]);
    lines.push(Line::styled(help, model.theme.label()));
    draw_dialog(name, lines, model.theme, frame, area);
}

/// Returns the chosen answer of a question in one line.
pub fn short_question(question: &Question, model: &Model) -> String {
    let (_, meaning) = answer_text(question.chosen(), question.kind, model);
    let keys = ["answer-above", "answer-below", "answer"].map(|name| model.keys.key_label(name));
    format!("{}{} {} ▸ {meaning}", keys[0], keys[1], keys[2])
}

/// Action and effect of an answer.
fn answer_text(answer: Answer, kind: QuestionKind, model: &Model) -> (&'static str, String) {
    match answer {
        Answer::StopAfter => ("stop-after", after_repetition_text(model)),
        Answer::StopNow => {
            ("stop-now", "now: this repetition is recorded as far as it came".to_owned())
        }
        Answer::Skip => ("skip", skip_text(model)),
        Answer::Add => ("add", "add repetitions to every point…".to_owned()),
        Answer::Detach => {
            ("detach", "leave; the run goes on, and hubmark attach shows it again".to_owned())
        }
        Answer::LeaveNow => ("leave-now", "stop now, remove the servers, then leave".to_owned()),
        Answer::LeaveAfter => {
            ("leave-after", format!("{}, then leave", after_repetition_text(model)))
        }
        Answer::Abandon => {
            let hub = match &model.screen {
                Screen::Live(live) => live.plan.hub.command_options(),
                _ => String::new(),
            };
            ("abandon", format!("leave at once; hubmark clean{hub} removes the servers"))
        }
        Answer::Remove => ("remove-it", removed_thing(model).to_owned()),
        Answer::Start => ("start-it", "start it".to_owned()),
        Answer::LeaveUnsaved => ("discard", "leave, and discard the changes".to_owned()),
        Answer::GoOn if kind == QuestionKind::Start => ("not-yet", "not yet".to_owned()),
        Answer::GoOn if kind == QuestionKind::Unsaved => ("stay-here", "stay".to_owned()),
        Answer::GoOn if kind == QuestionKind::Remove => ("keep-it", "keep it".to_owned()),
        Answer::GoOn if kind == QuestionKind::Quit => ("stay", "go on".to_owned()),
        Answer::GoOn if matches!(kind, QuestionKind::Fault(_)) => {
            ("fault-none", "no fault".to_owned())
        }
        Answer::Inject(choice) => {
            let action = fault_action(choice);
            let meaning = model.keys.action(action).map_or("", |action| action.description);
            (action, meaning.to_owned())
        }
        Answer::GoOn => ("go-on", "go on".to_owned()),
    }
}

/// Action that chooses a fault.
const fn fault_action(choice: FaultChoice) -> &'static str {
    match choice {
        FaultChoice::Pause => "fault-pause",
        FaultChoice::Cut => "fault-cut",
        FaultChoice::LimitCpu => "fault-limit",
        FaultChoice::Restart => "fault-restart",
        FaultChoice::Kill => "fault-kill",
    }
}

/// Returns what the run that was asked about is, and how long it takes.
fn start_question(model: &Model) -> Vec<Line<'static>> {
    let Some(request) = model.pending_start() else { return Vec::new() };
    let preview = &request.preview;
    let name = Line::styled(request.profile.name.clone(), model.theme.title());
    let summary = plan_text::plan_summary(&preview.plan, preview.seconds);
    vec![name, Line::from(summary), Line::default()]
}

/// Returns the profiles whose changes are not saved, and how to save them.
fn unsaved_question(model: &Model) -> Vec<Line<'static>> {
    let names = model.setup.changed_profiles().join(", ");
    let save = model.keys.key_label("save");
    let text =
        format!("not saved: changes of {names}. {save} on the form saves those of one profile.");
    vec![Line::from(text), Line::default()]
}

/// Draws the question how many repetitions to add.
pub fn draw_add(count: u32, model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let points = match &model.screen {
        Screen::Live(live) => live.plan.points.len() as u64,
        _ => 0,
    };
    let all = format::count(points * u64::from(count));
    let lines = vec![
        Line::from(vec![
            Span::raw("how many more of each point:  "),
            Span::styled(format!("◂ {count:>2} ▸"), theme.title()),
            Span::styled(format!("  ({all} in all)"), theme.label()),
        ]),
        Line::default(),
        choice_line("more fewer", "more, fewer", model),
        choice_line("add-them", "add them", model),
        choice_line("add-none", "go on without", model),
    ];
    draw_dialog("add repetitions?", lines, theme, frame, area);
}

/// Returns the label of the choice that skips a point.
fn skip_text(model: &Model) -> String {
    let Screen::Live(live) = &model.screen else { return "skip this point".to_owned() };
    match live.skippable().and_then(|point| live.plan.points.get(point)) {
        Some(point) => {
            format!("skip this point: {}", plan_text::point_label(point))
        }
        None => "skip this point (none is in progress)".to_owned(),
    }
}

/// Title and first lines of the question whether to delete a profile or a record.
fn removal_question(model: &Model) -> (&'static str, Vec<Line<'static>>) {
    let (question, name) = if let Screen::Setup = model.screen {
        ("delete the profile?", model.setup.entry().map(|entry| entry.name.clone()))
    } else {
        let selected = model.record_list.selected();
        let name = selected
            .map(|entry| entry.path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        ("delete the record?", name)
    };
    (question, vec![Line::from(name.unwrap_or_default()), Line::default()])
}

fn removed_thing(model: &Model) -> &'static str {
    match model.screen {
        Screen::Setup => "delete its file",
        _ => "delete it from the disk, with its tags and note",
    }
}

/// Draws the input of a profile's name.
pub fn draw_name(prompt: NamePrompt, input: &Input, model: &Model, frame: &mut Frame, area: Rect) {
    let question = match prompt {
        NamePrompt::SaveAs => "save the profile under which name?",
        NamePrompt::Rename => "rename the profile to?",
    };
    let lines = vec![
        Line::from(vec![
            Span::raw(input.value().to_owned()),
            Span::styled("▏", model.theme.accent()),
        ]),
        Line::default(),
        Line::from("letters, digits, - _ .   enter saves it, esc discards"),
    ];
    draw_dialog(question, lines, model.theme, frame, area);
}

/// Draws the question in which format to export a record.
pub fn draw_export(model: &Model, frame: &mut Frame, area: Rect) {
    let lines = vec![
        choice_line("export-json", "JSON: the record itself", model),
        choice_line("export-csv", "CSV: a line for each repetition", model),
        choice_line("export-report", "a report: a folder with one page, figures, numbers", model),
        choice_line("export-none", "nothing", model),
    ];
    draw_dialog(
        "export into the folder where hubmark was started?",
        lines,
        model.theme,
        frame,
        area,
    );
}

fn after_repetition_text(model: &Model) -> String {
    let left = match &model.screen {
        Screen::Live(live) => {
            let progress = live.shown().progress();
            progress.expected.map(|expected| expected - progress.elapsed)
        }
        _ => None,
    };
    match left {
        Some(left) if left > 0.0 => {
            format!("after this repetition (phase: {} left)", format::time_span(left))
        }
        _ => "after this repetition".to_owned(),
    }
}

fn choice_line(actions: &str, meaning: &str, model: &Model) -> Line<'static> {
    let key: String = actions.split(' ').map(|name| model.keys.key_label(name)).collect();
    let theme = model.theme;
    Line::from(vec![Span::styled(key, theme.accent()), Span::raw(format!("  {meaning}"))])
}

/// Draws a dialog in the middle of the screen; what is wider than the screen wraps.
fn draw_dialog(name: &str, lines: Vec<Line>, theme: Theme, frame: &mut Frame, area: Rect) {
    let room = usize::from(area.width).saturating_sub(DIALOG_MARGIN);
    let shown = wrap_lines(lines, room, CHOICE_INDENT);
    let widest = shown.iter().map(Line::width).max().unwrap_or(0).max(name.width());
    let width = (widest + DIALOG_MARGIN) as u16;
    let height = shown.len() as u16 + 4;
    let area = area.centered(Constraint::Length(width), Constraint::Length(height));
    frame.render_widget(Clear, area);
    let block = panel(theme, title(theme, name))
        .border_style(theme.accent())
        .padding(Padding::new(3, 3, 1, 1));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    draw_lines(shown, frame, inner);
}
