//! Tests of the records on disk: the list, a record's pages, a comparison, export, rerun, resume.

use super::*;
use crate::tui::requests::ExportFormat;

fn records() -> TestScreen {
    let mut screen = TestScreen::new();
    screen.key(KeyCode::Char('R'));
    screen
}

fn opened(line: usize) -> TestScreen {
    let mut screen = records();
    for _ in 0..line {
        screen.key(KeyCode::Down);
    }
    screen.key(KeyCode::Enter);
    screen
}

#[test]
fn the_records_on_disk() {
    let mut screen = records();
    assert_eq!(screen.requests, [ServiceRequest::ListRecords]);
    screen.assert_frames("records", &SIZES);
    for _ in 0..3 {
        screen.key(KeyCode::Down);
    }
    screen.assert_frames("records_labelled", &[(80, 24)]);
    screen.key(KeyCode::Esc);
    assert_eq!(screen.model.input_context(), InputContext::Profiles);
}

#[test]
fn records_are_sorted_and_filtered() {
    let mut screen = records();
    let line = |screen: &TestScreen, row: usize| {
        screen.frame(120, 40).lines().nth(row).unwrap().to_owned()
    };
    assert!(line(&screen, 3).contains("broken"));
    screen.key(KeyCode::Char('O'));
    assert!(screen.frame(120, 40).contains("by tags"));
    assert!(line(&screen, 3).contains("2026-11-19"), "{}", screen.frame(120, 40));
    screen.key(KeyCode::Char('O'));
    assert!(screen.frame(120, 40).contains("doubtful first"));
    assert!(line(&screen, 3).contains("2026-11-20"), "{}", screen.frame(120, 40));
    screen.key(KeyCode::Char('/'));
    assert_eq!(screen.model.input_context(), InputContext::RecordInput);
    screen.type_text("mariadb SD-card");
    screen.assert_frames("records_filter", &[(80, 24)]);
    assert!(screen.frame(80, 24).contains("1 of 5"));
    screen.key(KeyCode::Enter);
    assert!(line(&screen, 3).contains("2026-11-19"));
    screen.key(KeyCode::Char('/'));
    screen.type_text("zzz");
    assert!(screen.frame(80, 24).contains("no record has this text"));
    screen.key(KeyCode::Esc);
    assert!(screen.frame(80, 24).contains("1 of 5"), "esc leaves the filter as it was");
}

#[test]
fn records_are_sorted_by_their_figures() {
    let mut screen = records();
    let first = |screen: &TestScreen| {
        screen.frame(120, 40).lines().nth(3).unwrap().chars().skip(3).take(10).collect::<String>()
    };
    let mut orders = Vec::new();
    for _ in 0..12 {
        screen.key(KeyCode::Char('o'));
        let frame = screen.frame(120, 40);
        let order = frame.lines().next().unwrap().rsplit('·').next().unwrap().trim().to_owned();
        orders.push((order, first(&screen)));
    }
    let of = |name: &str| {
        let found = orders.iter().find(|(order, _)| order == name);
        found.unwrap_or_else(|| panic!("{name}: {orders:?}")).1.clone()
    };
    assert_eq!(of("slowest p99 first"), "2026-11-21", "{orders:?}");
    assert_eq!(of("largest payload first"), "2026-11-21");
    assert_eq!(of("most users first"), "2026-11-20", "the newest of those with as many");
    assert_eq!(of("longest first"), "2026-11-20");
    assert_eq!(orders.last().unwrap().0, "newest first", "the key goes around");
}

#[test]
fn records_are_filtered_by_conditions_on_their_figures() {
    let mut screen = records();
    screen.key(KeyCode::Char('/'));
    screen.type_text("users>100 verdict:valid");
    let frame = screen.frame(80, 24);
    assert!(frame.contains("1 of 5") && frame.contains("2026-11-19"), "{frame}");
}

#[test]
fn two_marked_records_are_compared_and_several_go_into_one_report() {
    let mut screen = records();
    for _ in 0..2 {
        screen.key(KeyCode::Down);
        screen.key(KeyCode::Char(' '));
    }
    assert!(screen.frame(80, 24).contains("2 marked"), "{}", screen.frame(80, 24));
    screen.key(KeyCode::Up);
    screen.key(KeyCode::Up);
    screen.key(KeyCode::Char('c'));
    let Some(ServiceRequest::CompareRecords(a, b)) = screen.requests.last().cloned() else {
        panic!("{:?}", screen.requests)
    };
    assert!(a.to_string_lossy().contains("2026-11-20"), "the older one first: {a:?}");
    assert!(b.to_string_lossy().contains("2026-11-21"), "{b:?}");

    let mut screen = records();
    for _ in 0..3 {
        screen.key(KeyCode::Down);
        screen.key(KeyCode::Char(' '));
    }
    screen.key(KeyCode::Char('c'));
    assert!(screen.frame(80, 24).contains("two records can be compared, and 3 are marked"));
    screen.key(KeyCode::Char('x'));
    let Some(ServiceRequest::ReportRecords(paths)) = screen.requests.last() else {
        panic!("{:?}", screen.requests)
    };
    assert_eq!(paths.len(), 3);
    assert!(screen.frame(80, 24).contains("saved: /home/pi/3-records-report/index.html"));
    screen.key(KeyCode::Char(' '));
    screen.key(KeyCode::Up);
    screen.key(KeyCode::Char(' '));
    assert!(screen.frame(80, 24).contains("1 marked"), "a second time takes the mark away");
}

#[test]
fn the_columns_of_the_records_follow_the_width() {
    let screen = records();
    screen.assert_frames("records_columns", &[(60, 20), (120, 36), (160, 45)]);
    for (width, heads) in [
        (60, &["profile", "backends", "p99 ms"][..]),
        (80, &["profile", "backends", "users", "p99 ms"]),
        (160, &["users", "payload", "p50 ms", "p99 ms", "took", "hub", "tags"]),
    ] {
        let frame = screen.frame(width, 24);
        let head = frame.lines().nth(2).unwrap().to_owned();
        assert!(heads.iter().all(|name| head.contains(name)), "{width}: {head}");
    }
}

#[test]
fn records_are_sorted_by_start_time_not_by_file_name() {
    let mut entries = fixture::records::entries();
    entries.sort_by(|a, b| b.path.cmp(&a.path));
    entries[2].path = "zzz.json".into();
    let mut screen = records();
    screen.respond(ServiceResponse::RecordList(Ok(entries)));
    let frame = screen.frame(120, 40);
    let days: Vec<_> = frame.lines().filter_map(|line| line.split("2026-11-").nth(1)).collect();
    let days: Vec<_> = days.iter().map(|line| &line[..2]).collect();
    assert_eq!(days[..5], ["22", "21", "20", "19", "18"], "{frame}");
}

#[test]
fn a_long_list_is_shown_while_it_is_being_read() {
    let listing = |count: usize| {
        let mut entries = fixture::records::entries();
        entries.reverse();
        entries.truncate(count);
        ServiceResponse::PartialRecordList(entries, 5)
    };
    let mut screen = TestScreen::new();
    screen.model.screen = Screen::Records;
    assert!(screen.frame(80, 24).contains("reading…"));
    screen.respond(listing(2));
    let frame = screen.frame(80, 24);
    assert!(frame.contains("reading… 2 of 5") && frame.contains("broken"), "{frame}");
    screen.key(KeyCode::Down);
    screen.key(KeyCode::Char('o'));
    assert!(screen.frame(80, 24).contains("oldest first"), "keys work meanwhile");
    screen.key(KeyCode::Up);
    let path =
        |screen: &TestScreen| screen.model.record_list.selected().map(|entry| entry.path.clone());
    screen.key(KeyCode::Down);
    let selected = path(&screen);
    screen.respond(listing(4));
    assert_eq!(path(&screen), selected, "the selection stays on its record");
    screen.respond(ServiceResponse::RecordList(Ok(fixture::records::entries())));
    let frame = screen.frame(80, 24);
    assert!(frame.contains("5 of 5") && !frame.contains("reading"), "{frame}");
    screen.respond(listing(1));
    assert!(
        screen.frame(80, 24).contains("5 of 5"),
        "a partial list does not replace a complete one"
    );
}

#[test]
fn the_operator_edits_tags_and_notes() {
    let mut screen = records();
    for _ in 0..3 {
        screen.key(KeyCode::Down);
    }
    screen.key(KeyCode::Char('t'));
    screen.type_text(" 4GB");
    screen.assert_frames("records_tags", &[(80, 24)]);
    screen.key(KeyCode::Enter);
    let Some(ServiceRequest::LabelRecord(path, label)) = screen.requests.last() else {
        panic!("{:?}", screen.requests)
    };
    assert!(path.ends_with("2026-11-19T14-02-00.000Z-study-latency-users-quick.json"));
    assert_eq!((label.tags.join("|"), label.note.as_str()), ("sd-card|fan|4GB".into(), "fan on"));
    screen.key(KeyCode::Char('n'));
    screen.type_text(" again");
    screen.key(KeyCode::Enter);
    let Some(ServiceRequest::LabelRecord(_, label)) = screen.requests.last() else {
        panic!("{:?}", screen.requests)
    };
    assert_eq!((label.tags.len(), label.note.as_str()), (2, "fan on again"));
}

#[test]
fn a_label_that_cannot_be_read_is_shown_and_not_edited() {
    let mut screen = records();
    let mut entries = fixture::records::entries();
    let problem =
        "/records/mine.label.toml is no label: unclosed array; correct or remove that file";
    entries[1].label = Err(problem.to_owned());
    screen.respond(ServiceResponse::RecordList(Ok(entries)));
    for _ in 0..3 {
        screen.key(KeyCode::Down);
    }
    screen.assert_frames("records_damaged_label", &[(80, 24)]);
    for key in ['t', 'n'] {
        screen.key(KeyCode::Char(key));
        assert_eq!(screen.model.record_list.notice, Some(Err(problem.to_owned())));
        assert_eq!(screen.model.input_context(), InputContext::Records);
    }
}

#[test]
fn a_record_is_deleted_only_after_confirmation() {
    let mut screen = records();
    screen.key(KeyCode::Char('d'));
    screen.assert_frames("records_remove", &[(80, 24)]);
    screen.key(KeyCode::Char('y'));
    assert_eq!(
        screen.model.input_context(),
        InputContext::Remove,
        "a letter alone deletes nothing"
    );
    screen.key(KeyCode::Char('n'));
    screen.key(KeyCode::Char('d'));
    screen.key(KeyCode::Enter);
    assert_eq!(screen.requests.len(), 1, "Enter alone keeps it");
    screen.key(KeyCode::Char('d'));
    screen.answer('y');
    assert!(
        matches!(screen.requests.last(), Some(ServiceRequest::DeleteRecord(path)) if path.to_string_lossy().contains("broken"))
    );
    assert!(screen.frame(80, 24).contains("4 of 4"));
}

#[test]
fn a_record_is_read_page_by_page() {
    let mut screen = opened(2);
    for name in
        ["summary", "points", "repetitions", "figures", "percentiles", "findings", "provenance"]
    {
        screen.assert_frames(&format!("record_{name}"), &SIZES);
        screen.key(KeyCode::Tab);
    }
    assert!(screen.frame(80, 24).contains("▸summary"), "tab goes around");
    screen.key(KeyCode::Char('4'));
    screen.key(KeyCode::Right);
    assert!(screen.frame(80, 24).contains("2 of"), "{}", screen.frame(80, 24));
    screen.send(Msg::Resized(60, 20));
    screen.key(KeyCode::Char('3'));
    assert!(screen.frame(60, 20).contains(" more, "), "{}", screen.frame(60, 20));
    screen.key(KeyCode::End);
    let last = screen.frame(60, 20);
    assert!(!last.contains(" more, "), "the last line is reached: {last}");
    assert!(last.contains("rep"), "the header stays: {last}");
    screen.key(KeyCode::Esc);
    assert_eq!(screen.model.input_context(), InputContext::Records);
}

#[test]
fn an_unreadable_record_shows_the_reason() {
    let screen = opened(0);
    assert_eq!(screen.model.input_context(), InputContext::Records);
    assert!(screen.frame(80, 24).contains("is not a hubmark record"));
}

#[test]
fn two_records_are_compared() {
    let mut screen = records();
    screen.key(KeyCode::Char('c'));
    assert!(screen.frame(80, 24).contains("mark one record with space"));
    screen.key(KeyCode::Down);
    screen.key(KeyCode::Char(' '));
    screen.key(KeyCode::Down);
    screen.assert_frames("records_marked", &[(80, 24)]);
    screen.key(KeyCode::Char('c'));
    assert!(matches!(screen.requests.last(), Some(ServiceRequest::CompareRecords(a, b)) if a != b));
    screen.assert_frames("comparison", &SIZES);
    screen.key(KeyCode::Char('x'));
    screen.key(KeyCode::Char('r'));
    assert!(screen.effects.is_empty(), "a comparison is neither exported nor run");
}

#[test]
fn an_export_shows_its_path_and_copies_it() {
    let mut screen = opened(2);
    screen.key(KeyCode::Char('x'));
    screen.assert_frames("record_export", &[(80, 24)]);
    screen.key(KeyCode::Char('r'));
    assert!(matches!(
        screen.requests.last(),
        Some(ServiceRequest::ExportRecord(_, ExportFormat::Report))
    ));
    assert_eq!(screen.effects, [Effect::Copy("/home/pi/a-report/index.html".to_owned())]);
    let frame = screen.frame(80, 24);
    assert!(frame.contains("saved: /home/pi/a-report/index.html sent to the terminal"), "{frame}");
    screen.key(KeyCode::Char('x'));
    screen.key(KeyCode::Char('j'));
    assert!(screen.frame(80, 24).contains("! a.json was not written: File exists"));
    assert_eq!(screen.effects.len(), 1);
}

#[test]
fn a_record_is_run_again_and_a_partial_record_is_resumed() {
    let mut screen = opened(2);
    screen.key(KeyCode::Char('g'));
    assert!(screen.effects.is_empty() && screen.frame(80, 24).contains("the record is complete"));
    screen.key(KeyCode::Char('r'));
    let Some(Effect::Start(request)) = screen.effects.pop() else { panic!("nothing was started") };
    assert_eq!(
        (request.resume, request.profile.text.as_str()),
        (None, "study-latency-users-quick")
    );
    assert_eq!(screen.model.input_context(), InputContext::Live);

    let mut screen = opened(1);
    screen.key(KeyCode::Char('g'));
    let Some(Effect::Start(request)) = screen.effects.pop() else { panic!("nothing was started") };
    assert!(request.resume.is_some_and(|path| path.to_string_lossy().contains("throughput")));
}

#[test]
fn record_actions_work_in_the_list() {
    let listed = |line: usize| {
        let mut screen = TestScreen::new();
        screen.key(KeyCode::Char('R'));
        (0..line).for_each(|_| screen.key(KeyCode::Down));
        assert!(screen.frame(80, 24).contains(" g resume"), "{}", screen.frame(80, 24));
        assert!(screen.frame(80, 24).contains(" ? help"), "{}", screen.frame(80, 24));
        screen
    };
    let mut screen = listed(1);
    screen.key(KeyCode::Char('g'));
    let Some(Effect::Start(request)) = screen.effects.pop() else { panic!("nothing was started") };
    assert!(request.resume.is_some_and(|path| path.to_string_lossy().contains("throughput")));

    let mut screen = listed(2);
    screen.key(KeyCode::Char('g'));
    assert!(screen.effects.is_empty() && screen.frame(80, 24).contains("the record is complete"));
    assert_eq!(screen.model.input_context(), InputContext::Document);

    let mut screen = listed(2);
    screen.key(KeyCode::Char('x'));
    assert_eq!(screen.model.input_context(), InputContext::Export);
    screen.key(KeyCode::Esc);
    screen.key(KeyCode::Esc);
    screen.key(KeyCode::Enter);
    assert_eq!(screen.model.input_context(), InputContext::Document, "enter only opens the record");
}

#[test]
fn a_stopped_run_is_resumed_from_its_results() {
    let plan = fixture::sweep();
    for (end, offered) in [(EndStatus::Stopped, true), (EndStatus::Complete, false)] {
        let mut screen = TestScreen::start_run(&plan);
        screen.send_events(fixture::run_events(&plan, end));
        assert_eq!(screen.frame(80, 24).contains(" g resume"), offered);
        screen.key(KeyCode::Char('g'));
        assert!(
            matches!(screen.requests.last(), Some(ServiceRequest::OpenRecord(_))),
            "{:?}",
            screen.requests
        );
    }
}

#[test]
fn the_record_of_a_finished_run_is_opened() {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    screen.send_events(fixture::run_events(&plan, EndStatus::Complete));
    screen.key(KeyCode::Char('f'));
    assert_eq!(screen.model.input_context(), InputContext::Document);
    let [.., ServiceRequest::ReadResults(read), ServiceRequest::OpenRecord(opened)] =
        screen.requests.as_slice()
    else {
        panic!("{:?}", screen.requests)
    };
    assert_eq!(read, opened);
}
