use super::{
    catalogue::{BackendInfo, SettingKey, SettingKind},
    *,
};
use std::time::Duration;

use crate::{
    plan::{ArrivalDistribution, Durability, Workload},
    server::HubKind,
    units::{ByteRate, Bytes, Celsius, Cpus},
};

mod changes;
mod external;
mod faults;
mod generated;
mod numbers;
mod steering;

const fn setting(name: &'static str, kind: SettingKind, default: &'static str) -> SettingKey {
    SettingKey { name, kind, default, help: "" }
}

static TOY: BackendInfo = BackendInfo {
    name: "toy",
    title: "toy broker",
    caution: Some("a toy"),
    versions: &[],
    oldest_release: None,
    hubs: &[HubKind::Local],
    settings: &[],
};
static STREAM: BackendInfo = BackendInfo {
    name: "stream",
    title: "Stream",
    caution: None,
    versions: &["4.4.0", "2.8.0"],
    oldest_release: None,
    hubs: &[HubKind::Docker],
    settings: &[
        setting("image", SettingKind::Text, ""),
        setting("heap", SettingKind::Bytes, "\"512 MiB\""),
        setting("partitions", SettingKind::Integer(1, 1000), "1"),
        setting("producer", SettingKind::Table, ""),
    ],
};
static ROWS: BackendInfo = BackendInfo {
    name: "rows",
    title: "Rows",
    caution: None,
    versions: &["10.11"],
    oldest_release: None,
    hubs: &[HubKind::Docker, HubKind::Local],
    settings: &[
        setting("engine", SettingKind::Choice(&["innodb", "aria"]), "innodb"),
        setting("poll", SettingKind::Duration, "\"1 ms\""),
    ],
};

fn catalogue() -> Catalogue {
    Catalogue::new([&STREAM, &ROWS, &TOY])
}

const MINIMAL_PROFILE: &str = "name = \"trial\"\nbackend = \"stream\"\n";

fn parse(text: &str) -> Result<Profile, ProfileProblems> {
    Profile::parse(text, &catalogue())
}

fn parse_with_overrides(text: &str, overrides: &[&str]) -> Result<Profile, ProfileProblems> {
    let overrides: Vec<_> = overrides.iter().map(|text| Override::parse(text).unwrap()).collect();
    Profile::parse_with(text, &overrides, &catalogue())
}

/// Problems of a minimal profile with more text, one line each.
fn problems(text: &str) -> Vec<String> {
    let Err(problems) = parse(&format!("{MINIMAL_PROFILE}{text}")) else { return Vec::new() };
    problems.with_source("x.toml").to_string().lines().map(str::to_owned).collect()
}

/// Asserts that the text has exactly one problem, whose message contains `expected`.
fn assert_problem(text: &str, expected: &str) {
    let found = problems(text);
    assert!(found.len() == 1 && found[0].contains(expected), "{text:?} gave {found:#?}");
}

#[test]
fn name_and_backend_are_enough() {
    let profile = parse(MINIMAL_PROFILE).unwrap();
    let plan = profile.plan();
    assert_eq!((plan.points.len(), plan.schedule.len()), (1, 1));
    assert_eq!(plan.hub.kind, HubKind::Docker);
    assert_eq!(
        plan.points[0].backend.version.as_deref(),
        Some("4.4.0"),
        "the first is the default"
    );
    assert_eq!(plan.points[0].workload.users(), 100);
    assert_eq!(plan.points[0].workload.messages(), 6_000);
    assert_eq!(
        serde_json::to_value(&plan.settings).unwrap(),
        serde_json::json!({"stream": {"heap": 536_870_912, "partitions": 1}})
    );
}

#[test]
fn every_kind_of_key_is_parsed() {
    let profile = parse(
        r#"
        name = "all"
        description = "all keys"
        backend = ["stream:2.8.0", "rows"]
        [hub]
        kind = "docker"
        engine = "unix:///var/run/docker.sock"
        limits = { cpus = "2 cpus", memory = "4 GiB", disk_write = "20 MB/s" }
        [workload]
        kind = "latency"
        users = "100..300 step 100, 1000"
        payload = ["1 B", "1 kB"]
        payload_source = "urandom"
        duration = "30 s"
        arrival = { distribution = "poisson", mean = "500 ms" }
        warmup = "5 s"
        drain = "1 min"
        [run]
        repetitions = 10
        order = "blocked"
        seed = 7
        durability = ["default", "disk"]
        baseline = "3 s"
        server_warmup = "30 s"
        [thresholds]
        delivery.p99 = "20 ms"
        "ack.max" = "1 s"
        lost = 0
        [stream]
        heap = "1 GiB"
        producer.linger.ms = 0
        producer.acks = "all"
        [rows]
        engine = "aria"
        poll = "250 us"
        "#,
    )
    .unwrap();
    let plan = profile.plan();
    assert_eq!(plan.points.len(), 2 * 4 * 2 * 2);
    assert_eq!(plan.schedule.len(), 320);
    assert_eq!(profile.workload.users, [100, 200, 300, 1000]);
    assert_eq!(plan.hub.limits.cpus, Some(Cpus(2.0)));
    assert_eq!(plan.hub.limits.memory, Some(Bytes(4 << 30)));
    assert_eq!(plan.hub.limits.disk_write, Some(ByteRate(2e7)));
    let Workload::Latency(workload) = &plan.points[0].workload else { panic!("not latency") };
    assert_eq!(workload.messages, 60);
    assert_eq!(workload.arrival, ArrivalDistribution::Poisson { mean: Duration::from_millis(500) });
    let thresholds: Vec<_> = plan.thresholds.iter().map(ToString::to_string).collect();
    assert_eq!(thresholds, ["ack.max ≤ 1 s", "delivery.p99 ≤ 20 ms", "lost ≤ 0"]);
    assert_eq!(
        serde_json::to_value(&plan.settings).unwrap(),
        serde_json::json!({
            "stream": {"heap": 1 << 30, "partitions": 1, "producer": {"linger.ms": 0, "acks": "all"}},
            "rows": {"engine": "aria", "poll": 0.00025},
        })
    );
}

#[test]
fn all_problems_are_reported_at_once_with_their_locations() {
    let text = r#"name = "bad name"
backend = ["steam:2.8.0", "rows:9", "toy"]
speed = "high"
[hub]
kind = "podman"
[workload]
usres = [100, 200]
users = [100, 0, 100]
payload = 100
arrival = { mean = "0 s", deviation = "-1 s" }
volume = "1 MB"
drain = true
[run]
repetitions = 0
durability = "dsik"
messages = 3
[thresholds]
"delivry.p99" = "20 ms"
[stream]
partitons = 1
heap = 512
"#;
    let problems = parse(text).unwrap_err().with_source("bad.toml").to_string();
    insta::assert_snapshot!(problems, @r#"
    bad.toml:1:8: name: "bad name" cannot be a file's name (allowed: 1 to 64 letters, digits, '-', '_' or '.', not beginning with '.')
    bad.toml:2:12: backend: there is no backend "steam", did you mean stream? (allowed: stream (4.4.0, 2.8.0); rows (10.11); toy)
    bad.toml:2:27: backend: rows has no version "9", only 10.11 (allowed: stream (4.4.0, 2.8.0); rows (10.11); toy)
    bad.toml:3:1: speed: this key is not known (allowed: name, description, backend, hub, workload, run, thresholds, fault, stream, rows or toy)
    bad.toml:5:8: hub.kind: "podman" is not docker, local or external (allowed: docker, local, external)
    bad.toml:7:1: workload.usres: this key is not known, did you mean users? (allowed: kind, users, payload, payload_source, messages, duration, arrival, warmup, drain, volume, scenario or objectives)
    bad.toml:8:15: workload.users: 0 is too small (allowed: a whole number from 1 to 1,048,575, a list, or a range such as "100..1000 step 100" or "20..2000 step 5%")
    bad.toml:8:18: workload.users: the number 100 repeats a value of the list (allowed: a whole number from 1 to 1,048,575, a list, or a range such as "100..1000 step 100" or "20..2000 step 5%")
    bad.toml:9:11: workload.payload: expected text with a number and its unit, found the number 100 (allowed: a size such as "100 B" up to 16 MiB (at least 1 B for throughput), or a list)
    bad.toml:10:20: workload.arrival.mean: 0 s is too short (allowed: a duration such as "1 s", at least 1 us)
    bad.toml:10:39: workload.arrival.deviation: "-1 s" is not a duration: it must be a number and a unit (us, ms, s, min, h), and cannot be negative (allowed: a duration from 0 s up to the mean, for the normal distribution only)
    bad.toml:11:1: workload.volume: it belongs to the throughput workload, and this one is latency
    bad.toml:12:9: workload.drain: expected text with a number and its unit, found true (allowed: a duration such as "10 s")
    bad.toml:14:15: run.repetitions: 0 is too small (allowed: a whole number from 1 to 10,000)
    bad.toml:15:14: run.durability: "dsik" is not default, memory or disk, did you mean disk? (allowed: default, memory, disk, or a list)
    bad.toml:16:1: run.messages: this key is not known, did you mean workload.messages? (allowed: repetitions, retries, order, seed, durability, baseline, server_warmup, cooldown, footprint or steering)
    bad.toml:18:17: thresholds.delivry.p99: this metric is not known, did you mean delivery.p99? (allowed: lag, ack, delivery or response, then .mean, .p50, .p90, .p95, .p99, .p999 or .max; undelivered; lost; throttled)
    bad.toml:20:1: stream.partitons: this key is not known, did you mean partitions? (allowed: image, heap, partitions or producer)
    bad.toml:21:8: stream.heap: expected text with a number and its unit, found the number 512 (allowed: a size such as "512 MiB")
    "#);
}

#[test]
fn impossible_values_are_refused() {
    for (text, expected) in [
        ("[workload]\nusers = 1048576", "1048576 is too large"),
        ("[workload]\nusers = []", "the list is empty"),
        ("[workload]\nusers = \"300..100\"", "ends before it begins"),
        ("[workload]\nusers = \"1..100000\"", "more than 1000 values"),
        ("[workload]\nusers = \"1..x\"", "\"x\" is not a whole number"),
        (
            "[workload]\nusers = 99999999999999999999999999999999999999999999",
            "the number is too large",
        ),
        ("[workload]\npayload = \"17 MiB\"", "too large"),
        ("[workload]\npayload = [\"1 kB\", \"1000 B\"]", "repeats a value of the list"),
        ("[workload]\narrival = { mean = \"0 s\" }", "too short"),
        ("[workload]\narrival = { deviation = \"2 s\" }", "larger than the mean"),
        (
            "[workload]\narrival = { distribution = \"poisson\", deviation = \"1 ms\" }",
            "only the normal distribution",
        ),
        ("[workload]\nwarmup = \"60 s\"", "nothing of the load, which lasts 1 min"),
        ("[workload]\nmessages = 10\nduration = \"10 s\"", "messages is given too"),
        ("[workload]\nduration = \"0 s\"", "must be longer than 0 s"),
        ("[workload]\nmessages = 10000000\narrival = { mean = \"10 s\" }", "stamps can count"),
        ("[workload]\nkind = \"throughput\"\nvolume = \"0 B\"", "nothing to send"),
        ("[workload]\nkind = \"throughput\"\npayload = \"0 B\"", "make no volume"),
        ("[workload]\nkind = \"throughput\"\npayload = \"1 B\"\nvolume = \"18 TB\"", "2^44"),
        (
            "[workload]\nkind = \"throughput\"\nmessages = 3",
            "belongs to the latency or capacity workload",
        ),
        ("[workload]\nkind = \"capacity\"\nobjectives = {}", "at least one objective"),
        ("[workload]\nkind = \"capacity\"\nobjectives = { losst = 0 }", "did you mean lost"),
        ("[workload]\nkind = \"capacity\"\nusers = \"16..99 step 5%\"", "make about 960"),
        (
            "[workload]\nkind = \"capacity\"\n[run]\nrepetitions = 3",
            "latency or throughput workload",
        ),
        ("[workload]\nobjectives = { lost = 0 }", "belongs to the capacity workload"),
        ("[workload]\nusers = \"9..1 step 5%\"", "ends before it begins"),
        ("[workload]\nusers = \"1..9 step 0%\"", "not a share"),
        ("[workload]\nusers = \"1..1000000 step 0.1%\"", "more than 1000 values"),
        ("[workload]\nscenario = \"both\"", "belongs to the throughput workload"),
        ("[run]\nseed = -1", "-1 is too small"),
        ("[run]\nbaseline = \"9000 h\"", "longer than a run can be"),
        ("[run]\nrepetitions = 10000\n[workload]\nusers = \"1..100\"", "at most 10,000 points"),
        ("[hub]\nlimits = { cpus = \"0 cpus\" }", "too small"),
        ("[hub]\nlimits = { disk_write = \"1.5 B/s\" }", "whole number of bytes"),
        ("[hub]\nlimits = 3", "expected a table"),
        ("[hub]\nengine = \"docker.sock\"", "not the address of an engine"),
        ("[hub]\nkind = \"local\"", "stream cannot run on the local hub, only on docker"),
        ("[thresholds]\nlost = \"20 ms\"", "expected a whole number, found"),
        ("[thresholds]\n\"delivery.p99\" = \"10 ns\"", "whole number of microseconds"),
        ("[thresholds]\n\"delivery.p99\" = \"0 s\"", "whole number of microseconds"),
        ("[thresholds]\nthrottled = 0", "expected text with a number and its unit"),
        ("thresholds = 3", "expected a table"),
        ("[stream]\npartitions = 0", "0 is too small"),
        ("[stream]\nproducer = { a = [1] }", "false, found a list"),
        ("[stream]\nproducer = { a = inf }", "a finite number"),
        ("[stream.producer]\nlinger.ms = 1\n\"linger.ms\" = 2", "given twice"),
        ("stream = 3", "expected a table"),
        ("[run]\nseed = 1979-05-27", "found a date"),
    ] {
        assert_problem(text, expected);
    }
}

#[test]
fn versions_are_checked_where_they_matter() {
    let of = |backend: &str, rest: &str| {
        let problems = parse(&format!("name = \"v\"\nbackend = {backend}\n{rest}")).err();
        problems.map_or_else(String::new, |problems| problems.to_string())
    };
    assert_eq!(of("\"stream:2.8.0\"", ""), "");
    assert!(of("\"stream:1.0\"", "").contains("no version \"1.0\", only 4.4.0 or 2.8.0"));
    assert_eq!(of("\"stream:1.0\"", "[stream]\nimage = \"somewhere/stream:1.0\""), "");
    assert!(of("\"stream:\"", "[stream]\nimage = \"a\"").contains("no version \"\""));
    assert!(of("[\"stream\", \"stream:4.4.0\"]", "").contains("stream 4.4.0 is listed twice"));
    assert!(of("\"rows:10.11\"", "[hub]\nkind = \"local\"").contains("leave it out"));
    assert_eq!(of("\"rows\"", "[hub]\nkind = \"local\""), "");
    assert!(
        of("\"rows\"", "[hub]\nkind = \"local\"\nlimits = { cpus = \"1 cpu\" }")
            .contains("docker hub only")
    );
}

#[test]
fn a_version_is_left_to_a_named_image_and_to_a_program() {
    let version = |text: &str| parse(text).unwrap().plan().points[0].backend.version.clone();
    assert_eq!(version("name = \"v\"\nbackend = \"stream\"\nstream.image = \"x\""), None);
    assert_eq!(version("name = \"v\"\nbackend = \"rows\"\nhub.kind = \"local\""), None);
    assert_eq!(version("name = \"v\"\nbackend = \"rows\"").as_deref(), Some("10.11"));
}

#[test]
fn the_default_hub_can_run_all_backends() {
    let kind =
        |backends: &str| parse(&format!("name = \"v\"\nbackend = {backends}")).unwrap().hub.kind;
    assert_eq!(kind("\"toy\""), HubKind::Local);
    assert_eq!(kind("[\"rows\", \"toy\"]"), HubKind::Local);
    assert_eq!(kind("[\"rows\", \"stream:2.8.0\", \"stream:4.4.0\"]"), HubKind::Docker);
}

#[test]
fn syntax_errors_do_not_hide_other_problems() {
    let problems = problems("[workload]\nusers = = 3\npayload = 3\n");
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(problems[0].starts_with("x.toml:4:9: not TOML: "), "{problems:#?}");
    assert!(
        problems[1].starts_with("x.toml:5:11: workload.payload: expected text with a number and its unit, found the number 3"),
        "{problems:#?}"
    );
}

#[test]
fn a_search_for_a_capacity_has_candidates_and_no_schedule() {
    let text = "name = \"c\"\nbackend = [\"stream\", \"rows\"]\n[workload]\nkind = \"capacity\"\nusers = \"100..200 step 25%\"";
    let profile = parse(text).unwrap();
    assert_eq!(profile.workload.users, [100, 125, 156, 195, 200]);
    let plan = profile.plan();
    assert!(plan.schedule.is_empty());
    assert_eq!(plan.searches(), [vec![0, 1, 2, 3, 4], vec![5, 6, 7, 8, 9]]);
    let objectives: Vec<_> =
        plan.capacity.iter().flat_map(|goal| &goal.objectives).map(ToString::to_string).collect();
    assert_eq!(objectives, ["delivery.p99 ≤ 20 ms", "undelivered ≤ 0"]);
    assert!((15..60).contains(&plan.expected_repetitions()), "{}", plan.expected_repetitions());
    let saved = profile.to_toml();
    assert!(saved.contains("objectives = { ") && !saved.contains("repetitions"), "{saved}");
    assert_eq!(parse(&saved).unwrap(), profile);
    let other = profile.set("workload.objectives", "{ \"ack.mean\" = \"1 ms\" }").unwrap();
    assert_eq!(other.value_text("workload.objectives").unwrap(), "{ \"ack.mean\" = \"1 ms\" }");
    let limits = |objectives: &str| -> Vec<String> {
        let plan = profile.set("workload.objectives", objectives).unwrap().plan();
        plan.capacity.unwrap().objectives.iter().map(ToString::to_string).collect()
    };
    // A number of users whose messages are refused is not carried, whatever else is asked.
    assert_eq!(limits("{ \"ack.mean\" = \"1 ms\" }"), ["ack.mean ≤ 1 ms", "undelivered ≤ 0"]);
    assert_eq!(limits("{ lost = 3 }"), ["lost ≤ 3", "undelivered ≤ 3"]);
    assert_eq!(limits("{ lost = 3, undelivered = 9 }"), ["lost ≤ 3", "undelivered ≤ 9"]);
    let never = "{ lost = 0, throttled = \"0 s\" }";
    let calm = profile.set("workload.objectives", never).unwrap();
    assert_eq!(calm.value_text("workload.objectives").unwrap(), never);
    assert_eq!(parse(&calm.to_toml()).unwrap(), calm);
    assert!(profile.set("workload.kind", "latency").unwrap().plan().capacity.is_none());
}

#[test]
fn points_of_one_backend_follow_each_other() {
    let profile = parse(
        "name = \"p\"\nbackend = [\"rows\", \"stream\"]\n[workload]\nkind = \"throughput\"\nusers = [1, 2]\nrun.order = \"blocked\"",
    );
    let problems = profile.unwrap_err().to_string();
    assert!(problems.contains("workload.run: this key is not known"), "{problems}");
    let profile = parse("name = \"p\"\nbackend = [\"rows\", \"stream\"]\n[workload]\nkind = \"throughput\"\nusers = [1, 2]").unwrap();
    let points: Vec<String> = profile.plan().points.iter().map(ToString::to_string).collect();
    assert_eq!(points.len(), 12);
    assert_eq!(
        points[0],
        "rows 10.11 · throughput, producer · 100 MB in messages of 1 kB · 1 user"
    );
    assert!(points[..6].iter().all(|point| point.starts_with("rows")));
}

#[test]
fn a_preset_sets_limits_and_given_limits_override_them() {
    let text = format!(
        "{MINIMAL_PROFILE}[hub]\nlike = \"raspberry-pi-3b\"\nlimits = {{ link = \"10 Mbit/s\", delay = \"5 ms\" }}\n"
    );
    let profile = parse(&text).unwrap();
    let limits = profile.hub.limits;
    assert_eq!(limits.memory, Some(Bytes(1 << 30)));
    assert_eq!(limits.link, Some(ByteRate(1.25e6)));
    assert_eq!(limits.delay, Some(Duration::from_millis(5)));
    assert_eq!(parse(&profile.to_toml()).unwrap(), profile);
    assert!(!profile.to_toml().contains("memory"), "{}", profile.to_toml());
    let other = profile.set("hub.like", "raspberry-pi-zero-2w").unwrap();
    assert_eq!(other.hub.limits.memory, Some(Bytes(512 << 20)));
    assert_eq!(other.hub.limits.link, limits.link);

    assert_problem("[hub]\nlike = \"raspberry-pi-3c\"", "raspberry-pi-3b");
    assert_problem("[hub]\nlimits = { delay = \"1 us\" }", "100 us");
    assert_problem("[hub]\nlimits = { link = \"1 kbit/s\" }", "too small");
}

#[test]
fn a_cool_down_is_a_temperature_and_a_limit_of_time() {
    let latency = "[workload]\nkind = \"latency\"\nusers = 1\npayload = \"1 B\"\nmessages = 1\n";
    let run = |text: &str| format!("{latency}[run]\n{text}\n");
    let profile =
        parse(&format!("{MINIMAL_PROFILE}{}", run("cooldown = { below = \"62.5 °C\" }"))).unwrap();
    let cooldown = profile.plan().cooldown.unwrap();
    assert_eq!((cooldown.below, cooldown.limit), (Celsius(62_500), Duration::from_mins(5)));
    let text = profile.to_toml();
    assert!(text.contains("cooldown = { below = \"62.5 C\", limit = \"5 min\" }"), "{text}");
    assert_eq!(parse(&text).unwrap(), profile);
    assert_eq!(parse(&format!("{MINIMAL_PROFILE}{latency}")).unwrap().plan().cooldown, None);
    assert_problem(
        &run("cooldown = { limit = \"1 min\" }"),
        "run.cooldown.below, which is missing",
    );
    assert_problem(&run("cooldown = { below = \"60\" }"), "degrees Celsius");
    assert_problem(&run("cooldown = { below = \"200 C\" }"), "not from 0 to 150 C");
}
