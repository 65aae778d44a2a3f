//! The time of a load: a server without answers for a moment is named with its times, and figures over time
//! are made from the messages of each second.

use std::fs;

use hubmark::{
    measure::Durations,
    record::{StandstillKind, histogram, interval_log},
    stats::distribution::Distribution,
};

use crate::support::{
    loads::QUICK,
    process::ProgramOutput,
    records::only_repetition,
    sandbox::Sandbox,
    synthetic::{SyntheticRepetition, record, save},
};

/// The quick load for three seconds, so that the pause is a small part of it.
const LONGER: &str = "workload.messages=12";
const PAUSE: &str = "fault=[{ at = \"1200 ms\", kind = \"pause\", for = \"600 ms\" }]";

#[test]
fn a_server_that_stops_for_a_moment_is_named_everywhere() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.run_command("first-look", &[QUICK, &[LONGER, PAUSE]], &[]);
    let output = ProgramOutput::of(&mut command).exits_with(0);

    let record = sandbox.out_record();
    let repetition = only_repetition(&record);
    let server = |one: &&hubmark::record::Standstill| one.what == StandstillKind::Answers;
    let found = repetition.standstills.iter().find(server);
    let found = found.unwrap_or_else(|| panic!("{:?}", repetition.standstills));
    let fault = &repetition.faults[0];
    let (began, ended) = (fault.began.unwrap(), fault.ended.unwrap());
    assert!(found.from < ended && began < found.to, "{found:?}, {fault:?}");
    let text = found.describe();
    assert!(text.starts_with("nothing acknowledged or delivered from "), "{text}");
    // The cause is known at the load's end.
    let noted = text.split_once("; cause: ").map_or(&*text, |(noted, _)| noted);
    assert!(repetition.events.iter().any(|note| note.text == noted), "{:?}", repetition.events);
    assert!(output.stderr.contains(noted), "{}", output.stderr);
    // The result wraps its lines.
    let result = output.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(result.contains(&text), "{}", output.stdout);
    let still: f64 = repetition.timeline.iter().map(|second| second.standstill).sum();
    assert!(still > 0.1, "{:?}", repetition.timeline);

    let path = sandbox.out_path().display().to_string();
    let csv = sandbox.run(["records", "show", &path, "--format", "csv"]).exits_with(0).stdout;
    let [head, row] =
        [0, 1].map(|line| csv.lines().nth(line).unwrap().split(',').collect::<Vec<_>>());
    let column = |name: &str| row[head.iter().position(|head| *head == name).unwrap()];
    assert_eq!(column("standstills"), repetition.standstills.len().to_string());
    assert_eq!(column("drain_seconds"), repetition.drain_seconds.unwrap().to_string());

    let folder = sandbox.path("report");
    let out = folder.display().to_string();
    let record = sandbox.out_path().display().to_string();
    sandbox.run(["report", &record, "--out", &out]).exits_with(0);
    let page = fs::read_to_string(folder.join("index.html")).unwrap();
    assert!(page.contains(&text), "the page lacks {text}");
    assert!(page.contains("Messages over time"), "the page lacks the messages of each second");
}

#[test]
fn figures_over_time_merge_the_messages_of_all_repetitions() {
    let sandbox = Sandbox::new();
    let sets = ["run.repetitions=2", "workload.users=100"];
    let mut record =
        record("study-latency-users-quick", &sets, |_, _| Some(SyntheticRepetition::default()));
    for point in &mut record.points {
        let messages = [(1_000, 1_000), (3_000, 9_000)];
        for (repetition, (count, micros)) in point.repetitions.iter_mut().zip(messages) {
            let mut second = Distribution::default();
            (0..count).for_each(|_| second.record(micros));
            let latency = histogram::encode_latency(&second);
            let durations = Durations { delivery: latency.as_ref(), ..Durations::default() };
            repetition.intervals = interval_log::encode(std::iter::once((0, durations)));
            repetition.timeline[0].delivery_p50 = Some(micros as f64);
        }
    }
    let path = sandbox.path("record.json");
    save(&record, &path);
    let out = sandbox.path("out");
    let [path, folder] = [path, out.clone()].map(|path| path.display().to_string());
    sandbox.run(["report", &path, "--out", &folder]).exits_with(0);
    let table = fs::read_to_string(out.join("over-time.csv")).unwrap();
    let medians: Vec<f64> = table
        .lines()
        .map(|line| line.split(',').collect::<Vec<_>>())
        .filter(|fields| {
            fields[1..].iter().any(|field| field.contains("p50")) && fields.contains(&"0")
        })
        .filter_map(|fields| {
            let axis = fields.iter().position(|field| field.contains("(ms)"))?;
            fields[axis + 1].parse().ok()
        })
        .collect();
    // Three of four messages took 9 ms; the median of the repetitions' medians would be 5 ms.
    assert!(!medians.is_empty() && medians.iter().all(|p50| (p50 - 9.0).abs() < 0.02), "{table}");
}
