//! Every view at every width: no word is cut without `…`.

use std::collections::BTreeSet;

use super::*;

/// Widths of all terminals for which the views are laid out.
const WIDTHS: std::ops::RangeInclusive<u16> = 60..=200;
/// Sizes with room for every word.
const ROOMY_SIZES: [(u16, u16); 2] = [(200, 60), (420, 90)];

/// Screens that together show every view, with names.
fn views() -> Vec<(String, TestScreen)> {
    let mut views: Vec<(String, TestScreen)> = Vec::new();
    let mut add = |name: &str, keys: &[&str], start: &dyn Fn() -> TestScreen| {
        let mut screen = start();
        for key in keys {
            screen.press(key);
        }
        views.push((name.to_owned(), screen));
    };
    let setup = || TestScreen::new();
    add("setup", &[], &setup);
    add("long names", &["down", "down"], &setup);
    add("form", &["tab", "down", "down"], &setup);
    add("form at the end", &["tab", "up", "end", "down", "down", "down", "down"], &setup);
    add("backends", &["tab", "enter"], &setup);
    add("hubs", &["down", "tab", "down", "down", "enter"], &setup);
    add("problem", &["tab", "down", "down", "down", "down", "enter", "x"], &setup);
    add("changes", &["w", "="], &setup);
    add("check", &["c"], &setup);
    add("images", &["i"], &setup);
    add("name", &["S"], &setup);
    add("delete a profile", &["down", "down", "down", "D"], &setup);
    add("help", &["?"], &setup);
    add("commands", &[":"], &setup);

    for view in ["1", "2", "3", "4", "5"] {
        add(&format!("latency view {view}"), &[view], &under_load);
    }
    for panel in 0..7 {
        let keys = [&["enter"][..], &vec!["tab"; panel]].concat();
        add(&format!("panel {panel}"), &keys, &under_load);
        add(&format!("focused panel {panel}"), &vec!["tab"; panel], &under_load);
    }
    add("commands of a run", &[":"], &under_load);
    add("help of a run", &["?"], &under_load);
    add("stop", &["s"], &under_load);
    add("add", &["s", "+", "enter"], &under_load);
    add("quit", &["q"], &under_load);
    let suspect = || {
        let mut screen = under_load();
        let suspect = fixture::suspect_snapshot(&fixture::sweep().points[1]);
        screen.send_events(vec![Event::Snapshot(Box::new(suspect))]);
        screen
    };
    add("suspect", &[], &suspect);
    add("suspect ledger", &["enter", "tab", "tab", "tab", "tab"], &suspect);
    for panel in 0..6 {
        add(&format!("large numbers {panel}"), &vec!["tab"; panel], &large_numbers);
        let keys = [&["enter"][..], &vec!["tab"; panel]].concat();
        add(&format!("large numbers on panel {panel}"), &keys, &large_numbers);
    }
    add("frozen", &["f", "left"], &under_load);
    add("earlier", &["f", "["], &under_load);
    add("stopping", &["s", "a", "enter"], &under_load);
    add("mouse", &["M"], &under_load);
    let builtin = || {
        let plan = fixture::first_look();
        let mut screen = TestScreen::start_run(&plan);
        send_load_events(&mut screen, &plan, 0, 20, 104.0);
        screen
    };
    add("caution", &[], &builtin);

    for (name, plan, end) in [
        ("finished", fixture::sweep(), EndStatus::Complete),
        ("stopped", fixture::sweep(), EndStatus::Stopped),
        ("finished throughput", fixture::throughput(), EndStatus::Complete),
    ] {
        let finished = || {
            let mut screen = TestScreen::start_run(&plan);
            screen.send_events(fixture::run_events(&plan, end.clone()));
            screen
        };
        add(name, &["down"], &finished);
    }
    let failed = || {
        let mut screen = TestScreen::start_run(&fixture::sweep());
        let error = "no permission to use the Docker engine at unix:///var/run/docker.sock\n  add \
                     yourself to the docker group (sudo usermod -aG docker $USER)";
        let end = EndStatus::Failed { error: error.to_owned() };
        screen.send_events(vec![Event::Ended { end, record: "records/empty.json".into() }]);
        screen
    };
    add("failed", &[], &failed);

    add("records", &["R", "down", "down"], &setup);
    add("filter", &["R", "/", "m"], &setup);
    add("tags", &["R", "down", "t", "x"], &setup);
    add("delete a record", &["R", "down", "d"], &setup);
    for page in ["1", "2", "3", "4", "5", "6", "7"] {
        add(&format!("record page {page}"), &["R", "down", "down", "enter", page], &setup);
    }
    add("second figure", &["R", "down", "down", "enter", "4", "right", "right"], &setup);
    add("export", &["R", "down", "down", "x"], &setup);
    for page in ["1", "2"] {
        let keys = ["R", "down", "down", "space", "down", "c", page];
        add(&format!("comparison page {page}"), &keys, &setup);
    }
    views
}

/// A load with the largest numbers that the panels have to show.
fn large_numbers() -> TestScreen {
    let mut screen = under_load();
    let mut snapshot = fixture::suspect_snapshot(&fixture::sweep().points[1]);
    let ledger = &mut snapshot.ledger;
    ledger.planned = 100_000_000;
    ledger.sent = 99_999_999;
    ledger.unsent = 1;
    ledger.acked = Some(99_999_990);
    ledger.delivered = 99_999_000;
    ledger.lost = 999;
    ledger.out_of_order = 123;
    (snapshot.connected, snapshot.users) = (100_000, 100_000);
    let second = &mut snapshot.second;
    (second.due, second.sent, second.delivered) = (1_234_567, 1_234_567, 1_234_567);
    second.bytes = 123_456_789_000;
    for server in snapshot.servers.values_mut() {
        server.cpu_cores = Some(123.4);
        server.memory = Some(Bytes(123_456_000_000));
    }
    snapshot.generator.cpu_cores = 12.34;
    snapshot.generator.resident = Bytes(12_345_000_000);
    snapshot.generator.lag_p99 = Some(123_456_789.0);
    screen.send_events(vec![Event::Snapshot(Box::new(snapshot))]);
    screen
}

/// Whether a word is a label and a value without a space between them: a known word of three letters or
/// more and a number, in either order.
fn is_glued(word: &str, known: &BTreeSet<String>) -> bool {
    let is_number = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_digit())
            && text.chars().all(|symbol| symbol.is_ascii_digit() || ",.".contains(symbol))
    };
    let is_label = |text: &str| text.chars().count() > 2 && known.contains(text);
    let digit = |symbol: char| symbol.is_ascii_digit();
    let number_last = word.find(digit).map(|place| word.split_at(place));
    let number_first = word.find(|symbol: char| !digit(symbol) && !",.".contains(symbol));
    number_last.is_some_and(|(label, number)| is_label(label) && is_number(number))
        || number_first
            .map(|place| word.split_at(place))
            .is_some_and(|(number, label)| is_number(number) && is_label(label))
}

/// Words of a frame: what is between spaces and borders, without punctuation at the ends.
fn words(frame: &str) -> impl Iterator<Item = &str> {
    let separates = |symbol: char| symbol.is_whitespace() || "│─┌┐└┘├┤┬┴┼▏▸◂".contains(symbol);
    let is_letter =
        |symbol: char| symbol.is_alphabetic() && !('\u{2800}'..='\u{28ff}').contains(&symbol);
    frame
        .split(separates)
        .map(|word| word.trim_matches(|symbol: char| ".,:;()[]“”\"'".contains(symbol)))
        // A long path continues in the next row.
        .filter(|word| !(word.contains('/') && word.chars().count() > 20))
        .filter(move |word| word.chars().filter(|symbol| is_letter(*symbol)).count() > 1)
}

/// Frame without what an overlay covers in part: only the overlay itself, if one is open.
fn uncovered_frame(screen: &mut TestScreen, width: u16, height: u16) -> String {
    let frame = screen.frame(width, height);
    let Some(overlay) = screen.model.overlay.take() else { return frame };
    let below = screen.frame(width, height);
    screen.model.overlay = Some(overlay);
    let pad = |line: &str| -> Vec<char> {
        let mut symbols: Vec<char> = line.chars().collect();
        symbols.resize(width.into(), ' ');
        symbols
    };
    let rows: Vec<(Vec<char>, Vec<char>)> =
        frame.lines().zip(below.lines()).map(|(above, below)| (pad(above), pad(below))).collect();
    let differs: Vec<usize> = rows
        .iter()
        .flat_map(|(above, below)| (0..above.len()).filter(|place| above[*place] != below[*place]))
        .collect();
    let (left, right) = (differs.iter().min(), differs.iter().max());
    let (Some(left), Some(right)) = (left, right) else { return String::new() };
    let inside = rows
        .iter()
        .filter(|(above, below)| above != below)
        .map(|(above, _)| above[*left..=*right].iter().collect::<String>());
    inside.collect::<Vec<_>>().join("\n")
}

/// Words that begin as others and are whole.
const WHOLE_WORDS: &[&str] = &[];

/// Each view at an eleventh of the widths, each width with an eleventh of the views. The number is odd: the
/// height depends on whether the width is even, and each view needs both.
#[test]
fn no_word_is_cut_without_a_sign() {
    check_words(|view, width| (view + usize::from(width)).is_multiple_of(11));
}

#[test]
fn a_label_and_a_number_without_a_space_are_found() {
    let known = ["planned", "delivered", "of"].map(str::to_owned).into();
    for word in ["planned100,000,000", "delivered1.5", "12planned"] {
        assert!(is_glued(word, &known), "{word}");
    }
    for word in ["planned", "p50", "of4", "100,000,000", "kafka4.4.0"] {
        assert!(!is_glued(word, &known), "{word}");
    }
}

#[test]
#[ignore = "takes a quarter of a minute"]
fn no_word_is_cut_without_a_sign_at_any_width() {
    check_words(|_, _| true);
}

/// Draws the views, by their numbers, at the widths that `is_drawn` chooses.
fn check_words(is_drawn: impl Fn(usize, u16) -> bool) {
    let mut views = views();
    let mut known: BTreeSet<String> = WHOLE_WORDS.iter().map(|word| (*word).to_owned()).collect();
    for (_, screen) in &mut views {
        for (width, height) in ROOMY_SIZES {
            screen.send(Msg::Resized(width, height));
            known.extend(words(&screen.frame(width, height)).map(str::to_owned));
        }
    }
    let (mut cut, mut glued) = (BTreeSet::new(), BTreeSet::new());
    for (number, (name, screen)) in views.iter_mut().enumerate() {
        for width in WIDTHS.filter(|width| is_drawn(number, *width)) {
            // The smallest height, and one with other layouts.
            let height = if width % 2 == 0 { 20 } else { 24 + width % 16 };
            screen.send(Msg::Resized(width, height));
            let frame = uncovered_frame(screen, width, height);
            let stuck = words(&frame).filter(|word| is_glued(word, &known));
            glued.extend(stuck.map(|word| format!("{name}: {word} at {width} columns")));
            for word in words(&frame).filter(|word| !word.contains('…') && !known.contains(*word))
            {
                let whole = known.range(word.to_owned()..).next();
                if whole.is_some_and(|whole| whole.starts_with(word)) {
                    cut.insert(format!("{name}: {word} of {}", whole.map_or("", |it| it)));
                }
            }
        }
    }
    assert!(glued.is_empty(), "label and value without a space: {glued:#?}");
    assert!(
        cut.is_empty(),
        "{} words:\n{}",
        cut.len(),
        cut.into_iter().collect::<Vec<_>>().join("\n")
    );
}
