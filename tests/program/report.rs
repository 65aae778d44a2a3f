//! `hubmark report`: one folder from records whose numbers are known.

use std::{collections::BTreeMap, fs, path::Path};

use hubmark::record::Record;

use crate::common::{Home, SHORT, Said};
use crate::synthetic::{Made, as_the_study, jitter, record, save, searched};

/// A CSV file's rows by column; the files here hold no line breaks within fields.
fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines().map(split);
    let head = lines.next().unwrap();
    lines
        .map(|fields| {
            assert_eq!(fields.len(), head.len(), "{}", path.display());
            head.iter().cloned().zip(fields).collect()
        })
        .collect()
}

fn split(line: &str) -> Vec<String> {
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

fn study(home: &Home) -> Vec<String> {
    ["users", "payload", "throughput"]
        .into_iter()
        .map(|which| {
            let profile = match which {
                "users" => "study-latency-users-quick",
                "payload" => "study-latency-payload-quick",
                _ => "study-throughput-quick",
            };
            let path = home.path(&format!("{which}.json"));
            save(&record(profile, &[], |point, k| Some(as_the_study(point, k))), &path);
            path.display().to_string()
        })
        .collect()
}

fn one(home: &Home, record: &Record) -> String {
    let path = home.path("record.json");
    save(record, &path);
    path.display().to_string()
}

fn report(home: &Home, records: &[String], more: &[&str]) -> Said {
    let out = home.path("out").display().to_string();
    let mut arguments = vec!["report".to_owned(), "--out".into(), out];
    arguments.extend(more.iter().map(|text| (*text).to_owned()));
    arguments.extend(records.iter().cloned());
    home.hubmark(arguments)
}

#[test]
fn a_study_becomes_every_figure_the_page_and_the_findings() {
    let home = Home::new();
    let records = study(&home);
    let said = report(&home, &records, &[]).ends(0);
    let out = home.path("out");
    assert!(said.out.contains("index.html"), "{}", said.out);
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
            assert_eq!(row["n"], "3", "{id}");
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
    // The figure's numbers are those of the record.
    let eleven = rows(&out.join("figure-11.csv"));
    assert_eq!(eleven.len(), 6);
    let users: Vec<_> = eleven[..3].iter().map(|row| row["x"].as_str()).collect();
    assert_eq!(users, ["100", "400", "1000"]);
    let means: Vec<f64> = eleven.iter().map(|row| row["y"].parse().unwrap()).collect();
    assert!(means[0] > means[3], "the first series is Kafka, made slower: {means:?}");

    // Nothing that a page would have to fetch or execute.
    for wrong in ["<script", "http://", "https://", "url(", "@import", "src="] {
        let page = page
            .replace("http://www.w3.org/2000/svg", "")
            .replace("http://www.w3.org/1999/xlink", "");
        assert!(!page.contains(wrong), "{wrong}");
    }
    let answer = page.find("id=\"answer\"").unwrap();
    assert!(answer < page.find("id=\"figures\"").unwrap(), "the answer comes first");
    let captions = page.matches("<figcaption>").count();
    let all = page.matches("durability default").count();
    assert!(captions >= 16 && all >= captions, "{captions} {all}");
    assert!(page.contains("n = 3 repetitions per point"));

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
    assert_eq!(ruling("Kafka writes less"), "contradicted", "it was made to write more");
    assert_eq!(ruling("about as fast"), "contradicted", "it was made to be twice as fast");
    // A tidy line for each repetition of each record.
    let tidy = rows(&out.join("repetitions.csv"));
    assert!(tidy.iter().any(|row| row["record"] == "users" && row["backend"] == "mariadb"));
    assert_eq!(tidy.iter().filter(|row| row["record"] == "users").count(), 18);
}

#[test]
fn an_earlier_report_is_replaced_and_anything_else_left_alone() {
    let home = Home::new();
    let record = one(&home, &record("first-look", &[], |_, _| Some(Made::default())));
    let records = [record];
    report(&home, &records, &[]).ends(0);
    let stale = home.path("out").join("figure-99.svg");
    fs::write(&stale, "old").unwrap();
    report(&home, &records, &[]).ends(0);
    assert!(!stale.exists());

    let out = home.path("out");
    fs::remove_dir_all(&out).unwrap();
    fs::create_dir(&out).unwrap();
    fs::write(out.join("thesis.tex"), "mine").unwrap();
    let said = report(&home, &records, &[]).ends(1);
    assert!(said.err.contains("not empty") && said.err.contains("--out"), "{}", said.err);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1);

    fs::remove_dir_all(&out).unwrap();
    fs::write(&out, "a file stands where the folder should be").unwrap();
    let said = report(&home, &records, &[]).ends(1);
    assert!(said.err.contains("cannot be made"), "{}", said.err);

    // A file of the report that cannot be replaced.
    fs::remove_file(&out).unwrap();
    report(&home, &records, &[]).ends(0);
    let figure = out.join("figure-11.svg");
    fs::remove_file(&figure).unwrap();
    fs::create_dir(&figure).unwrap();
    let said = report(&home, &records, &[]).ends(1);
    assert!(said.err.contains("figure-11.svg cannot be written"), "{}", said.err);
}

#[test]
fn records_that_say_little_say_so() {
    let home = Home::new();
    let page = || fs::read_to_string(home.path("out").join("index.html")).unwrap();
    // One repetition: numbers, no interval, and a word on it.
    let single = one(&home, &record("first-look", &[], |_, _| Some(Made::default())));
    report(&home, &[single], &[]).ends(0);
    assert!(page().contains("one repetition: no interval"), "{}", page());
    let eleven = rows(&home.path("out").join("figure-11.csv"));
    assert_eq!((eleven.len(), eleven[0]["ci_low"].as_str(), eleven[0]["n"].as_str()), (1, "", "1"));

    // Too few messages for a percentile: none is shown, none invented.
    let few = Made { messages: 50, ..Made::default() };
    let few = one(&home, &record("first-look", &[], |_, _| Some(few.clone())));
    report(&home, &[few], &[]).ends(0);
    assert!(page().contains("ten must lie beyond one"), "{}", page());
    assert!(
        rows(&home.path("out").join("spectrum.csv"))
            .iter()
            .all(|row| { row["x"].parse::<f64>().unwrap() <= 5.01 })
    );

    // Nothing finished.
    let none = one(&home, &record("first-look", &[], |_, _| None));
    let said = report(&home, &[none], &[]).ends(1);
    assert!(said.err.contains("no repetition counts"), "{}", said.err);
    assert!(page().contains("there is no answer") && !page().contains("NaN"), "{}", page());

    // All failed.
    let failed = Made { verdict: "failed", ..Made::default() };
    let failed = one(&home, &record("first-look", &[], |_, _| Some(failed.clone())));
    report(&home, &[failed], &[]).ends(1);
    assert!(page().contains("failed and never count"));
}

#[test]
fn suspect_repetitions_count_unless_the_reader_leaves_them_out() {
    let home = Home::new();
    let three: &[&str] = &["run.repetitions=3"];
    let doubtful = |all: bool| {
        record("first-look", three, |_, k| {
            let verdict = if all || k == 1 { "suspect" } else { "valid" };
            Some(Made { verdict, delivery: 900.0 * jitter(k), ..Made::default() })
        })
    };
    let mixed = [one(&home, &doubtful(false))];
    let page = || fs::read_to_string(home.path("out").join("index.html")).unwrap();
    let eleven = || rows(&home.path("out").join("figure-11.csv"));
    report(&home, &mixed, &[]).ends(0);
    assert_eq!((eleven()[0]["n"].as_str(), eleven()[0]["suspect"].as_str()), ("3", "1"));
    assert!(page().contains("1 of 3 suspect (hollow)"), "{}", page());
    assert!(page().contains("this record was &lt;made&gt; &amp; not measured"));

    report(&home, &mixed, &["--exclude-suspect"]).ends(0);
    assert_eq!((eleven()[0]["n"].as_str(), eleven()[0]["suspect"].as_str()), ("2", "0"));
    assert!(page().contains("1 repetition judged suspect is left out"), "{}", page());
    report(&home, &mixed, &["--exclude-suspect", "--include-suspect"]).ends(0);
    assert_eq!(eleven()[0]["n"].as_str(), "3");

    let all = [one(&home, &doubtful(true))];
    report(&home, &all, &[]).ends(0);
    assert!(page().contains("Every repetition is suspect"), "{}", page());
    let said = report(&home, &all, &["--exclude-suspect"]).ends(1);
    assert!(said.err.contains("no repetition counts"), "{}", said.err);
}

/// How long it takes and how much memory is measured by `benches/report.rs`.
#[test]
fn a_thousand_repetitions_become_a_report() {
    let home = Home::new();
    let sweep = ["workload.users=100..1000 step 100", "run.repetitions=50"];
    let made = record("study-latency-users", &sweep, |point, k| {
        Some(Made { seconds: 3, ..as_the_study(point, k) })
    });
    report(&home, &[one(&home, &made)], &[]).ends(0);
    let tidy = rows(&home.path("out").join("repetitions.csv"));
    assert_eq!(tidy.len(), 1_000);
    let points = rows(&home.path("out").join("figure-11.csv"));
    assert_eq!(points.len(), 2 * 10);
    assert!(points.iter().all(|point| point["n"] == "50"), "{points:?}");
}

#[test]
fn records_of_one_backend_are_told_apart_and_unreadable_ones_are_named() {
    let home = Home::new();
    let mut paths = Vec::new();
    for (name, delivery) in [("before", 500.0), ("after", 900.0)] {
        let path = home.path(&format!("{name}.json"));
        let made = Made { delivery, ..Made::default() };
        save(&record("first-look", &[], |_, _| Some(made.clone())), &path);
        paths.push(path.display().to_string());
    }
    report(&home, &paths, &[]).ends(0);
    let eleven = rows(&home.path("out").join("figure-11.csv"));
    let series: Vec<_> = eleven.iter().map(|row| row["series"].as_str()).collect();
    assert_eq!(series, ["builtin, record A", "builtin, record B"]);

    paths.push(home.path("nowhere.json").display().to_string());
    fs::write(home.path("torn.json"), "{").unwrap();
    paths.push(home.path("torn.json").display().to_string());
    let said = report(&home, &paths, &[]).ends(1);
    assert!(said.err.contains("nowhere.json") && said.err.contains("torn.json"), "{}", said.err);
}

#[test]
fn a_real_run_becomes_a_report_and_the_last_one_needs_no_name() {
    let home = Home::new();
    let said = home.hubmark(["report"]).ends(1);
    assert!(said.err.contains("hubmark run"), "{}", said.err);
    let mut run = home.command(["run", "first-look", "--quiet", "--set", "run.repetitions=2"]);
    for change in SHORT {
        run.args(["--set", change]);
    }
    Said::from(run.output().unwrap()).ends(0);
    let out = home.path("out").display().to_string();
    home.hubmark(["report", "--out", &out]).ends(0);
    let page = fs::read_to_string(home.path("out").join("index.html")).unwrap();
    assert!(page.contains("not Apache Kafka"), "the caution stands beside the numbers");
    let eleven = rows(&home.path("out").join("figure-11.csv"));
    assert_eq!((eleven[0]["series"].as_str(), eleven[0]["n"].as_str()), ("builtin", "2"));
}

#[test]
fn a_search_for_a_capacity_is_a_figure_a_section_and_a_table() {
    let home = Home::new();
    let record = one(&home, &searched());
    report(&home, &[record], &[]).ends(0);
    let out = home.path("out");
    let page = fs::read_to_string(out.join("index.html")).unwrap();
    for said in [
        "How many users does the hub carry with delivery.p99 ≤ 20 ms and lost ≤ 0",
        " with payload 100 B: 25 to 98 users (95 %); limited by CPU of mariadb",
        "grey: held in 3 of 6, neither could be shown",
        "id=\"capacity\"",
        "tested: carried: 25; too many: 98; grey: 50",
    ] {
        assert!(page.contains(said), "{said}\n{page}");
    }
    let left_out = page.split("class=\"left\"").nth(1).unwrap();
    let left_out = left_out.split("</section>").next().unwrap();
    assert!(!left_out.contains("No repetition counts"), "200 was never tried: {left_out}");
    let svg = fs::read_to_string(out.join("search.svg")).unwrap();
    assert!(svg.contains("25: carried") && svg.contains("98: too many"), "{svg}");

    let figure = rows(&out.join("search.csv"));
    let of = |series: &str| figure.iter().filter(|row| row["series"] == series).count();
    // Each repetition stands over its users and on the way there.
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
fn footprint_cards_stand_side_by_side_and_say_what_is_missing() {
    let home = Home::new();
    let mut made = record("footprint", &[], |_, _| Some(Made::default()));
    let card = |cold: f64| hubmark::record::Footprint {
        cold_start_seconds: Some(cold),
        cold_starts: vec![cold],
        notes: vec!["recovery: <nobody> looked".into()],
        ..hubmark::record::Footprint::default()
    };
    made.footprints =
        [("kafka:2.8.0".to_owned(), card(2.5)), ("mariadb".to_owned(), card(0.75))].into();
    let record = one(&home, &made);
    report(&home, &[record], &[]).ends(0);
    let out = home.path("out");
    let page = fs::read_to_string(out.join("index.html")).unwrap();
    let section = page.split("id=\"footprint\"").nth(1).unwrap();
    let section = section.split("<h2").next().unwrap();
    assert!(section.find("kafka:2.8.0") < section.find("mariadb"), "{section}");
    let start = section.split("cold start to first acknowledgement").nth(1).unwrap();
    let start = start.split("</tr>").next().unwrap();
    assert!(start.contains("2.50 s") && start.contains("0.750 s"), "{start}");
    assert!(section.contains("mariadb: recovery: &lt;nobody&gt; looked"), "{section}");
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
