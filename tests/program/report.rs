//! `hubmark report` on synthetic records with known numbers.

use std::{collections::BTreeMap, fs, path::Path};

use hubmark::record::Record;

use crate::support::{
    loads::QUICK,
    process::ProgramOutput,
    sandbox::{Sandbox, set_arguments},
    synthetic::{SyntheticRepetition, capacity_search, jitter, record, save, study_like},
};

/// Rows of a CSV file by column name; its fields contain no line breaks.
fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines().map(split_line);
    let head = lines.next().unwrap();
    lines
        .map(|fields| {
            assert_eq!(fields.len(), head.len(), "{}", path.display());
            head.iter().cloned().zip(fields).collect()
        })
        .collect()
}

fn split_line(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    for symbol in line.chars() {
        match symbol {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => fields.last_mut().unwrap().push(other),
        }
    }
    fields
}

/// Saves a record of each study; returns their paths.
fn save_study(sandbox: &Sandbox) -> Vec<String> {
    ["users", "payload", "throughput"]
        .into_iter()
        .map(|which| {
            let profile = match which {
                "users" => "study-latency-users-quick",
                "payload" => "study-latency-payload-quick",
                _ => "study-throughput-quick",
            };
            let path = sandbox.path(&format!("{which}.json"));
            // As many repetitions as the study: a few cannot decide so many findings together.
            let ten: &[&str] = &["run.repetitions=10"];
            save(&record(profile, ten, |point, k| Some(study_like(point, k))), &path);
            path.display().to_string()
        })
        .collect()
}

fn save_record(sandbox: &Sandbox, record: &Record) -> String {
    let path = sandbox.path("record.json");
    save(record, &path);
    path.display().to_string()
}

fn report(sandbox: &Sandbox, records: &[String], options: &[&str]) -> ProgramOutput {
    let out = sandbox.path("out").display().to_string();
    let mut arguments = vec!["report".to_owned(), "--out".into(), out];
    arguments.extend(options.iter().map(|text| (*text).to_owned()));
    arguments.extend(records.iter().cloned());
    sandbox.run(arguments)
}

#[test]
fn a_study_gives_every_figure_the_page_and_the_findings() {
    let sandbox = Sandbox::new();
    let records = save_study(&sandbox);
    let output = report(&sandbox, &records, &[]).exits_with(0);
    let out = sandbox.path("out");
    assert!(output.stdout.contains("index.html"), "{}", output.stdout);
    let page = fs::read_to_string(out.join("index.html")).unwrap();

    for number in 11..=20 {
        let id = format!("figure-{number}");
        let svg = fs::read_to_string(out.join(format!("{id}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{id}");
        assert!(svg.contains("<title>") && svg.contains("role=\"img\""), "{id}");
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
        let rows = rows(&out.join(format!("{id}.csv")));
        let series: Vec<_> = rows.iter().map(|row| row["series"].as_str()).collect();
        assert!(
            series[0] == "kafka 2.8.0" && series.iter().any(|s| s.starts_with("mariadb")),
            "{id}: {series:?}"
        );
        for row in &rows {
            let value = |name: &str| row[name].parse::<f64>().unwrap();
            assert_eq!(row["n"], "10", "{id}");
            assert!(value("whisker_low") <= value("y") && value("y") <= value("whisker_high"));
            assert!(value("ci_low") <= value("y") && value("y") <= value("ci_high"));
            assert!(!row["y_axis"].is_empty() && !row["x_axis"].is_empty(), "{id}");
        }
    }
    for more in ["spectrum", "corrected", "over-time", "resources", "cost-by-users", "generator"] {
        assert!(
            out.join(format!("{more}.svg")).exists() && out.join(format!("{more}.csv")).exists()
        );
        assert!(page.contains(&format!("id=\"{more}\"")), "{more}");
    }
    // The figure shows the record's numbers.
    let figure_11 = rows(&out.join("figure-11.csv"));
    assert_eq!(figure_11.len(), 6);
    let users: Vec<_> = figure_11[..3].iter().map(|row| row["x"].as_str()).collect();
    assert_eq!(users, ["100", "400", "1000"]);
    let means: Vec<f64> = figure_11.iter().map(|row| row["y"].parse().unwrap()).collect();
    assert!(means[0] > means[3], "the first series is Kafka, which is slower here: {means:?}");

    // The page fetches and executes nothing.
    for forbidden in ["<script", "http://", "https://", "url(", "@import", "src="] {
        let page = page
            .replace("http://www.w3.org/2000/svg", "")
            .replace("http://www.w3.org/1999/xlink", "");
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    let answer = page.find("id=\"answer\"").unwrap();
    assert!(answer < page.find("id=\"figures\"").unwrap(), "the answer comes first");
    let captions = page.matches("<figcaption>").count();
    let all = page.matches("durability default").count();
    assert!(captions >= 16 && all >= captions, "{captions} {all}");
    assert!(page.contains("n = 10 repetitions per point"));

    let findings = rows(&out.join("findings.csv"));
    assert_eq!(findings.len(), 20);
    let ruling = |part: &str| {
        let found = findings.iter().find(|row| row["finding"].contains(part));
        found.unwrap_or_else(|| panic!("{part}"))["ruling"].clone()
    };
    assert_eq!(ruling("2 to 4 ms"), "confirmed");
    assert_eq!(ruling("clear growth"), "confirmed");
    assert_eq!(ruling("At 10 kB of payload latency is much higher"), "confirmed");
    assert_eq!(ruling("SQL database is quicker"), "confirmed");
    assert_eq!(ruling("sends the least"), "confirmed");
    assert_eq!(ruling("Kafka writes less"), "contradicted", "it writes more here");
    assert_eq!(ruling("about as fast"), "contradicted", "it is twice as fast here");
    // A line for each repetition of each record.
    let repetition_rows = rows(&out.join("repetitions.csv"));
    assert!(
        repetition_rows.iter().any(|row| row["record"] == "users" && row["backend"] == "mariadb")
    );
    assert_eq!(repetition_rows.iter().filter(|row| row["record"] == "users").count(), 60);
}

#[test]
fn an_earlier_report_is_replaced_and_other_files_are_spared() {
    let sandbox = Sandbox::new();
    let record = save_record(
        &sandbox,
        &record("first-look", &[], |_, _| Some(SyntheticRepetition::default())),
    );
    let records = [record];
    report(&sandbox, &records, &[]).exits_with(0);
    let stale = sandbox.path("out").join("figure-99.svg");
    fs::write(&stale, "old").unwrap();
    report(&sandbox, &records, &[]).exits_with(0);
    assert!(!stale.exists());

    let out = sandbox.path("out");
    fs::remove_dir_all(&out).unwrap();
    fs::create_dir(&out).unwrap();
    fs::write(out.join("thesis.tex"), "mine").unwrap();
    let output = report(&sandbox, &records, &[]).exits_with(1);
    assert!(
        output.stderr.contains("not empty") && output.stderr.contains("--out"),
        "{}",
        output.stderr
    );
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1);

    fs::remove_dir_all(&out).unwrap();
    fs::write(&out, "a file in place of the folder").unwrap();
    let output = report(&sandbox, &records, &[]).exits_with(1);
    assert!(output.stderr.contains("is a file, and a report is a folder"), "{}", output.stderr);

    // A file of the report cannot be replaced.
    fs::remove_file(&out).unwrap();
    report(&sandbox, &records, &[]).exits_with(0);
    let figure = out.join("figure-11.svg");
    fs::remove_file(&figure).unwrap();
    fs::create_dir(&figure).unwrap();
    let output = report(&sandbox, &records, &[]).exits_with(1);
    assert!(output.stderr.contains("figure-11.svg cannot be written"), "{}", output.stderr);
}

#[test]
fn records_with_few_data_name_what_is_missing() {
    let sandbox = Sandbox::new();
    let page = || fs::read_to_string(sandbox.path("out").join("index.html")).unwrap();
    // One repetition: numbers, but no interval.
    let single = save_record(
        &sandbox,
        &record("first-look", &[], |_, _| Some(SyntheticRepetition::default())),
    );
    report(&sandbox, &[single], &[]).exits_with(0);
    assert!(page().contains("one repetition: no interval"), "{}", page());
    let figure_11 = rows(&sandbox.path("out").join("figure-11.csv"));
    assert_eq!(
        (figure_11.len(), figure_11[0]["ci_low"].as_str(), figure_11[0]["n"].as_str()),
        (1, "", "1")
    );

    // Too few messages for a percentile: none is shown.
    let few = SyntheticRepetition { messages: 50, ..SyntheticRepetition::default() };
    let few = save_record(&sandbox, &record("first-look", &[], |_, _| Some(few.clone())));
    report(&sandbox, &[few], &[]).exits_with(0);
    assert!(page().contains("fewer than ten are slower"), "{}", page());
    assert!(
        rows(&sandbox.path("out").join("spectrum.csv"))
            .iter()
            .all(|row| { row["x"].parse::<f64>().unwrap() <= 5.01 })
    );

    // No repetition has finished.
    let none = save_record(&sandbox, &record("first-look", &[], |_, _| None));
    let output = report(&sandbox, &[none], &[]).exits_with(1);
    assert!(output.stderr.contains("no repetition is usable"), "{}", output.stderr);
    assert!(page().contains("there is no answer") && !page().contains("NaN"), "{}", page());

    // Every repetition failed.
    let failed = SyntheticRepetition { verdict: "failed", ..SyntheticRepetition::default() };
    let failed = save_record(&sandbox, &record("first-look", &[], |_, _| Some(failed.clone())));
    report(&sandbox, &[failed], &[]).exits_with(1);
    assert!(page().contains("failed and never count"));
}

#[test]
fn suspect_repetitions_count_unless_excluded() {
    let sandbox = Sandbox::new();
    let three: &[&str] = &["run.repetitions=3"];
    let suspect_record = |all: bool| {
        record("first-look", three, |_, k| {
            let verdict = if all || k == 1 { "suspect" } else { "valid" };
            Some(SyntheticRepetition {
                verdict,
                delivery: 900.0 * jitter(k),
                ..SyntheticRepetition::default()
            })
        })
    };
    let mixed = [save_record(&sandbox, &suspect_record(false))];
    let page = || fs::read_to_string(sandbox.path("out").join("index.html")).unwrap();
    let figure_11 = || rows(&sandbox.path("out").join("figure-11.csv"));
    report(&sandbox, &mixed, &[]).exits_with(0);
    assert_eq!((figure_11()[0]["n"].as_str(), figure_11()[0]["suspect"].as_str()), ("3", "1"));
    assert!(page().contains("1 of 3 suspect (hollow)"), "{}", page());
    assert!(page().contains("this record was &lt;made&gt; &amp; not measured"));

    report(&sandbox, &mixed, &["--exclude-suspect"]).exits_with(0);
    assert_eq!((figure_11()[0]["n"].as_str(), figure_11()[0]["suspect"].as_str()), ("2", "0"));
    assert!(page().contains("1 repetition judged suspect is left out"), "{}", page());
    report(&sandbox, &mixed, &["--exclude-suspect", "--include-suspect"]).exits_with(0);
    assert_eq!(figure_11()[0]["n"].as_str(), "3");

    let all = [save_record(&sandbox, &suspect_record(true))];
    report(&sandbox, &all, &[]).exits_with(0);
    assert!(page().contains("Every repetition is suspect"), "{}", page());
    let output = report(&sandbox, &all, &["--exclude-suspect"]).exits_with(1);
    assert!(output.stderr.contains("no repetition is usable"), "{}", output.stderr);
}

/// `benches/report.rs` measures its time and memory.
#[test]
fn a_thousand_repetitions_give_a_report() {
    let sandbox = Sandbox::new();
    let sweep = ["workload.users=100..1000 step 100", "run.repetitions=50"];
    let made = record("study-latency-users", &sweep, |point, k| {
        Some(SyntheticRepetition { seconds: 1, ..study_like(point, k) })
    });
    report(&sandbox, &[save_record(&sandbox, &made)], &[]).exits_with(0);
    let repetition_rows = rows(&sandbox.path("out").join("repetitions.csv"));
    assert_eq!(repetition_rows.len(), 1_000);
    let points = rows(&sandbox.path("out").join("figure-11.csv"));
    assert_eq!(points.len(), 2 * 10);
    assert!(points.iter().all(|point| point["n"] == "50"), "{points:?}");
}

#[test]
fn records_of_one_backend_are_distinguished_and_unreadable_ones_named() {
    let sandbox = Sandbox::new();
    let mut paths = Vec::new();
    for (name, delivery) in [("before", 500.0), ("after", 900.0)] {
        let path = sandbox.path(&format!("{name}.json"));
        let made = SyntheticRepetition { delivery, ..SyntheticRepetition::default() };
        save(&record("first-look", &[], |_, _| Some(made.clone())), &path);
        paths.push(path.display().to_string());
    }
    report(&sandbox, &paths, &[]).exits_with(0);
    let figure_11 = rows(&sandbox.path("out").join("figure-11.csv"));
    let series: Vec<_> = figure_11.iter().map(|row| row["series"].as_str()).collect();
    assert_eq!(series, ["builtin, record A", "builtin, record B"]);

    paths.push(sandbox.path("nowhere.json").display().to_string());
    fs::write(sandbox.path("torn.json"), "{").unwrap();
    paths.push(sandbox.path("torn.json").display().to_string());
    let output = report(&sandbox, &paths, &[]).exits_with(1);
    assert!(
        output.stderr.contains("nowhere.json") && output.stderr.contains("torn.json"),
        "{}",
        output.stderr
    );
}

#[test]
fn a_real_run_gives_a_report_and_the_last_record_is_the_default() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(["report"]).exits_with(1);
    assert!(output.stderr.contains("hubmark run"), "{}", output.stderr);
    let mut run = sandbox.command(["run", "first-look", "--quiet", "--set", "run.repetitions=2"]);
    ProgramOutput::of(run.args(set_arguments(QUICK))).exits_with(0);
    let out = sandbox.path("out").display().to_string();
    sandbox.run(["report", "--out", &out]).exits_with(0);
    let page = fs::read_to_string(sandbox.path("out").join("index.html")).unwrap();
    assert!(page.contains("not Apache Kafka"), "the caution is on the page");
    let figure_11 = rows(&sandbox.path("out").join("figure-11.csv"));
    assert_eq!((figure_11[0]["series"].as_str(), figure_11[0]["n"].as_str()), ("builtin", "2"));
}

#[test]
fn a_capacity_search_gives_a_figure_a_section_and_a_table() {
    let sandbox = Sandbox::new();
    let record = save_record(&sandbox, &capacity_search());
    report(&sandbox, &[record], &[]).exits_with(0);
    let out = sandbox.path("out");
    let page = fs::read_to_string(out.join("index.html")).unwrap();
    for text in [
        "How many users does the hub carry with delivery.p99 ≤ 20 ms and undelivered ≤ 0",
        " with payload 100 B: 25 to 98 users (95 %); limited by CPU of mariadb",
        "grey: held in 3 of 6, undecided",
        "id=\"capacity\"",
        "tested: carried: 25; too many: 98; grey: 50",
    ] {
        assert!(page.contains(text), "{text}\n{page}");
    }
    let left_out = page.split("class=\"left\"").nth(1).unwrap();
    let left_out = left_out.split("</section>").next().unwrap();
    assert!(!left_out.contains("No repetition counts"), "200 was never tried: {left_out}");
    let svg = fs::read_to_string(out.join("search.svg")).unwrap();
    assert!(svg.contains("25: carried") && svg.contains("98: too many"), "{svg}");

    let figure = rows(&out.join("search.csv"));
    let of = |series: &str| figure.iter().filter(|row| row["series"] == series).count();
    // Each repetition is drawn at its number of users and in the order of the search.
    assert_eq!((of("objectives held"), of("missed")), (2 * 11, 2 * 11));
    assert_eq!((of("line: 25: carried"), of("line: objective")), (2, 1));
    let objective = figure.iter().find(|row| row["series"] == "line: objective").unwrap();
    assert_eq!((objective["y"].as_str(), objective["x"].as_str()), ("20", ""));

    let table = rows(&out.join("capacity.csv"));
    let outcomes: Vec<_> =
        table.iter().map(|row| (row["users"].as_str(), row["outcome"].as_str())).collect();
    assert_eq!(outcomes, [("25", "carried"), ("50", "grey"), ("98", "too many")]);
    assert_eq!((table[0]["lower"].as_str(), table[0]["upper"].as_str()), ("25", "98"));
}

#[test]
fn footprints_are_compared_and_name_what_is_missing() {
    let sandbox = Sandbox::new();
    let mut footprints = record("footprint", &[], |_, _| Some(SyntheticRepetition::default()));
    let footprint = |cold: f64| hubmark::record::Footprint {
        cold_start_seconds: Some(cold),
        cold_starts: vec![cold],
        notes: vec!["recovery: <not> measured".into()],
        ..hubmark::record::Footprint::default()
    };
    footprints.footprints =
        [("kafka:2.8.0".to_owned(), footprint(2.5)), ("mariadb".to_owned(), footprint(0.75))]
            .into();
    let record = save_record(&sandbox, &footprints);
    report(&sandbox, &[record], &[]).exits_with(0);
    let out = sandbox.path("out");
    let page = fs::read_to_string(out.join("index.html")).unwrap();
    let section = page.split("id=\"footprint\"").nth(1).unwrap();
    let section = section.split("<h2").next().unwrap();
    assert!(section.find("kafka:2.8.0") < section.find("mariadb"), "{section}");
    let start = section.split("cold start to first acknowledgement").nth(1).unwrap();
    let start = start.split("</tr>").next().unwrap();
    assert!(start.contains("2.50 s") && start.contains("0.750 s"), "{start}");
    assert!(section.contains("mariadb: recovery: &lt;not&gt; measured"), "{section}");
    let table = rows(&out.join("footprint.csv"));
    let value = |figure: &str| {
        let row = table.iter().find(|row| row["backend"] == "mariadb" && row["figure"] == figure);
        row.unwrap()["value"].clone()
    };
    assert_eq!(
        (value("cold_start_seconds").as_str(), value("recovery_seconds").as_str()),
        ("0.75", "")
    );
    assert!(!out.join("capacity.csv").exists(), "no search, no table");
}
