//! Records on disk: the list, a record's pages, a comparison, what is done with them.

use super::*;
use crate::tui::outside::{Ask, Export, Told};

fn records() -> Stage {
    let mut stage = Stage::new();
    stage.key(KeyCode::Char('R'));
    stage
}

fn opened(line: usize) -> Stage {
    let mut stage = records();
    for _ in 0..line {
        stage.key(KeyCode::Down);
    }
    stage.key(KeyCode::Enter);
    stage
}

#[test]
fn the_records_on_disk() {
    let mut stage = records();
    assert_eq!(stage.asked, [Ask::List]);
    stage.frames("records", &SIZES);
    for _ in 0..3 {
        stage.key(KeyCode::Down);
    }
    stage.frames("records_labelled", &[(80, 24)]);
    stage.key(KeyCode::Esc);
    assert_eq!(stage.model.place(), Place::Profiles);
}

#[test]
fn records_are_put_in_order_and_filtered() {
    let mut stage = records();
    let line =
        |stage: &Stage, row: usize| stage.frame(120, 40).lines().nth(row).unwrap().to_owned();
    assert!(line(&stage, 3).contains("broken"));
    for _ in 0..4 {
        stage.key(KeyCode::Char('o'));
    }
    assert!(stage.frame(120, 40).contains("doubtful first"));
    assert!(line(&stage, 3).contains("2026-11-20"), "{}", stage.frame(120, 40));
    stage.key(KeyCode::Char('/'));
    assert_eq!(stage.model.place(), Place::RecordText);
    stage.type_text("mariadb SD-card");
    stage.frames("records_filter", &[(80, 24)]);
    assert!(stage.frame(80, 24).contains("1 of 5"));
    stage.key(KeyCode::Enter);
    assert!(line(&stage, 3).contains("2026-11-19"));
    stage.key(KeyCode::Char('/'));
    stage.type_text("zzz");
    assert!(stage.frame(80, 24).contains("no record has this text"));
    stage.key(KeyCode::Esc);
    assert!(stage.frame(80, 24).contains("1 of 5"), "esc leaves the filter as it was");
}

#[test]
fn records_are_in_the_order_of_their_starts_whatever_their_names() {
    let mut heads = fixture::records::heads();
    heads.sort_by(|a, b| b.path.cmp(&a.path));
    heads[2].path = "zzz.json".into();
    let mut stage = records();
    stage.model.update(Msg::Shelf(Box::new(Told::Listed(Ok(heads)))));
    let frame = stage.frame(120, 40);
    let days: Vec<_> = frame.lines().filter_map(|line| line.split("2026-11-").nth(1)).collect();
    let days: Vec<_> = days.iter().map(|line| &line[..2]).collect();
    assert_eq!(days[..5], ["22", "21", "20", "19", "18"], "{frame}");
}

#[test]
fn a_long_list_is_there_while_it_is_still_read() {
    let listing = |count: usize| {
        let mut heads = fixture::records::heads();
        heads.reverse();
        heads.truncate(count);
        Msg::Shelf(Box::new(Told::Listing(heads, 5)))
    };
    let mut stage = Stage::new();
    stage.model.screen = Screen::Records;
    assert!(stage.frame(80, 24).contains("reading…"));
    stage.say(listing(2));
    let frame = stage.frame(80, 24);
    assert!(frame.contains("reading… 2 of 5") && frame.contains("broken"), "{frame}");
    stage.key(KeyCode::Down);
    stage.key(KeyCode::Char('o'));
    assert!(stage.frame(80, 24).contains("oldest first"), "keys are answered meanwhile");
    stage.key(KeyCode::Up);
    let path = |stage: &Stage| stage.model.shelf.selected().map(|head| head.path.clone());
    stage.key(KeyCode::Down);
    let selected = path(&stage);
    stage.say(listing(4));
    assert_eq!(path(&stage), selected, "the selection stays on its record");
    stage.say(Msg::Shelf(Box::new(Told::Listed(Ok(fixture::records::heads())))));
    let frame = stage.frame(80, 24);
    assert!(frame.contains("5 of 5") && !frame.contains("reading"), "{frame}");
    stage.say(listing(1));
    assert!(stage.frame(80, 24).contains("5 of 5"), "a whole list is not cut by a later part");
}

#[test]
fn tags_and_notes_are_the_operator_s_own() {
    let mut stage = records();
    for _ in 0..3 {
        stage.key(KeyCode::Down);
    }
    stage.key(KeyCode::Char('t'));
    stage.type_text(" 4GB");
    stage.frames("records_tags", &[(80, 24)]);
    stage.key(KeyCode::Enter);
    let Some(Ask::Label(path, label)) = stage.asked.last() else { panic!("{:?}", stage.asked) };
    assert!(path.ends_with("2026-11-19T14-02-00.000Z-study-latency-users-quick.json"));
    assert_eq!((label.tags.join("|"), label.note.as_str()), ("sd-card|fan|4GB".into(), "fan on"));
    stage.key(KeyCode::Char('n'));
    stage.type_text(" again");
    stage.key(KeyCode::Enter);
    let Some(Ask::Label(_, label)) = stage.asked.last() else { panic!("{:?}", stage.asked) };
    assert_eq!((label.tags.len(), label.note.as_str()), (2, "fan on again"));
}

#[test]
fn a_record_is_deleted_only_when_asked_and_answered() {
    let mut stage = records();
    stage.key(KeyCode::Char('d'));
    stage.frames("records_remove", &[(80, 24)]);
    stage.key(KeyCode::Enter);
    stage.key(KeyCode::Char('d'));
    assert_eq!(stage.model.place(), Place::Remove, "neither deletes");
    stage.key(KeyCode::Char('n'));
    assert_eq!(stage.asked.len(), 1);
    stage.key(KeyCode::Char('d'));
    stage.key(KeyCode::Char('y'));
    assert!(
        matches!(stage.asked.last(), Some(Ask::Remove(path)) if path.to_string_lossy().contains("broken"))
    );
    assert!(stage.frame(80, 24).contains("4 of 4"));
}

#[test]
fn a_record_is_read_page_by_page() {
    let mut stage = opened(2);
    for name in
        ["summary", "points", "repetitions", "figures", "percentiles", "findings", "provenance"]
    {
        stage.frames(&format!("record_{name}"), &SIZES);
        stage.key(KeyCode::Tab);
    }
    assert!(stage.frame(80, 24).contains("▸summary"), "tab goes around");
    stage.key(KeyCode::Char('4'));
    stage.key(KeyCode::Right);
    assert!(stage.frame(80, 24).contains("2 of"), "{}", stage.frame(80, 24));
    stage.key(KeyCode::Char('3'));
    let before = stage.frame(80, 24);
    stage.key(KeyCode::Right);
    assert_ne!(stage.frame(80, 24), before, "what is too wide is scrolled sideways");
    stage.key(KeyCode::Esc);
    assert_eq!(stage.model.place(), Place::Records);
}

#[test]
fn what_cannot_be_opened_says_why() {
    let stage = opened(0);
    assert_eq!(stage.model.place(), Place::Records);
    assert!(stage.frame(80, 24).contains("is not a hubmark record"));
}

#[test]
fn two_records_are_compared() {
    let mut stage = records();
    stage.key(KeyCode::Char('c'));
    assert!(stage.frame(80, 24).contains("mark one record with space"));
    stage.key(KeyCode::Down);
    stage.key(KeyCode::Char(' '));
    stage.key(KeyCode::Down);
    stage.frames("records_marked", &[(80, 24)]);
    stage.key(KeyCode::Char('c'));
    assert!(matches!(stage.asked.last(), Some(Ask::Compare(a, b)) if a != b));
    stage.frames("comparison", &SIZES);
    stage.key(KeyCode::Char('x'));
    stage.key(KeyCode::Char('r'));
    assert!(stage.effects.is_empty(), "a comparison is neither exported nor run");
}

#[test]
fn an_export_says_where_it_lies_and_copies_it() {
    let mut stage = opened(2);
    stage.key(KeyCode::Char('x'));
    stage.frames("record_export", &[(80, 24)]);
    stage.key(KeyCode::Char('r'));
    assert!(matches!(stage.asked.last(), Some(Ask::Export(_, Export::Report))));
    assert_eq!(stage.effects, [Effect::Copy("/home/pi/a-report/index.html".to_owned())]);
    assert!(stage.frame(80, 24).contains("copied: /home/pi/a-report/index.html"));
    stage.key(KeyCode::Char('x'));
    stage.key(KeyCode::Char('j'));
    assert!(stage.frame(80, 24).contains("! a.json was not written: File exists"));
    assert_eq!(stage.effects.len(), 1);
}

#[test]
fn a_record_is_run_again_and_a_partial_one_gone_on_with() {
    let mut stage = opened(2);
    stage.key(KeyCode::Char('g'));
    assert!(stage.effects.is_empty() && stage.frame(80, 24).contains("it is complete"));
    stage.key(KeyCode::Char('r'));
    let Some(Effect::Start(request)) = stage.effects.pop() else { panic!("nothing was started") };
    assert_eq!(
        (request.resume, request.profile.text.as_str()),
        (None, "study-latency-users-quick")
    );
    assert_eq!(stage.model.place(), Place::Live);

    let mut stage = opened(1);
    stage.key(KeyCode::Char('g'));
    let Some(Effect::Start(request)) = stage.effects.pop() else { panic!("nothing was started") };
    assert!(request.resume.is_some_and(|path| path.to_string_lossy().contains("throughput")));
}

#[test]
fn what_is_done_with_a_record_can_be_asked_in_the_list() {
    let listed = |line: usize| {
        let mut stage = Stage::new();
        stage.key(KeyCode::Char('R'));
        (0..line).for_each(|_| stage.key(KeyCode::Down));
        assert!(stage.frame(80, 24).contains(" g resume"), "{}", stage.frame(80, 24));
        assert!(stage.frame(80, 24).contains(" ? help"), "{}", stage.frame(80, 24));
        stage
    };
    let mut stage = listed(1);
    stage.key(KeyCode::Char('g'));
    let Some(Effect::Start(request)) = stage.effects.pop() else { panic!("nothing was started") };
    assert!(request.resume.is_some_and(|path| path.to_string_lossy().contains("throughput")));

    let mut stage = listed(2);
    stage.key(KeyCode::Char('g'));
    assert!(stage.effects.is_empty() && stage.frame(80, 24).contains("it is complete"));
    assert_eq!(stage.model.place(), Place::Record);

    let mut stage = listed(2);
    stage.key(KeyCode::Char('x'));
    assert_eq!(stage.model.place(), Place::Export);
    stage.key(KeyCode::Esc);
    stage.key(KeyCode::Esc);
    stage.key(KeyCode::Enter);
    assert_eq!(stage.model.place(), Place::Record, "enter opens it, and nothing more");
}

#[test]
fn a_stopped_run_is_gone_on_with_where_it_ended() {
    let plan = fixture::sweep();
    for (end, offered) in [(End::Stopped, true), (End::Complete, false)] {
        let mut stage = Stage::live(&plan);
        stage.tell(fixture::run(&plan, end));
        assert_eq!(stage.frame(80, 24).contains(" g resume"), offered);
        stage.key(KeyCode::Char('g'));
        assert!(matches!(stage.asked.last(), Some(Ask::Open(_))), "{:?}", stage.asked);
    }
}

#[test]
fn the_record_of_a_run_that_is_over_is_opened() {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    stage.tell(fixture::run(&plan, End::Complete));
    stage.key(KeyCode::Char('o'));
    assert_eq!(stage.model.place(), Place::Record);
    assert!(matches!(stage.asked.as_slice(), [Ask::Open(_)]));
}
