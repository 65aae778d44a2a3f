//! Changes of single values: overrides on the command line, and edits of the form.

use super::*;

#[test]
fn overrides_replace_values_and_are_named_in_problems() {
    let text = "name = \"o\"\nbackend = \"stream\"\n[workload]\nusers = 1\nmessages = 5\n[stream]\nproducer = { \"linger.ms\" = 5 }";
    let profile = parse_with_overrides(
        text,
        &[
            "workload.users=100, 200",
            "workload.duration=20 s",
            "stream.producer.\"linger.ms\"=0",
            "run.durability=[\"memory\", \"disk\"]",
            "backend=rows",
        ],
    )
    .unwrap();
    assert_eq!(profile.workload.users, [100, 200]);
    assert_eq!(profile.run.durability, [Durability::Memory, Durability::Disk]);
    assert_eq!(profile.backends[0].name, "rows");
    assert_eq!(profile.settings["stream"]["producer"]["linger.ms"], 0);
    let WorkloadKind::Latency { length, .. } = profile.workload.kind else { panic!("not latency") };
    assert_eq!(length, LoadLength::Duration(Duration::from_secs(20)));
    let dotted = parse_with_overrides(text, &["stream.producer.linger.ms=0"]).unwrap();
    assert_eq!(dotted.settings["stream"]["producer"]["linger.ms"], 0);

    let problems =
        parse_with_overrides(text, &["workload.usres=5", "workload=3"]).unwrap_err().to_string();
    assert!(problems.contains("--set workload=3: workload: expected a table"), "{problems}");
    let problems =
        parse_with_overrides(text, &["workload.usres=5", "run.seed=x"]).unwrap_err().to_string();
    insta::assert_snapshot!(problems, @r#"
    --set workload.usres=5: workload.usres: this key is not known, did you mean users? (allowed: kind, users, payload, payload_source, messages, duration, arrival, warmup, drain, volume, scenario or objectives)
    --set run.seed=x: run.seed: expected a whole number, found the text "x" (allowed: a whole number from 0 to 9,223,372,036,854,775,807)
    "#);
}

#[test]
fn the_other_kind_of_workload_can_be_chosen_by_an_override() {
    let text = "name = \"o\"\nbackend = \"stream\"\n[workload]\nkind = \"latency\"\nmessages = 5\narrival = { mean = \"2 s\" }";
    let profile =
        parse_with_overrides(text, &["workload.kind=throughput", "workload.volume=1 GB"]).unwrap();
    assert!(matches!(
        profile.workload.kind,
        WorkloadKind::Throughput { volume: Bytes(1_000_000_000), .. }
    ));
    let back = profile.set("workload.kind", "latency").unwrap();
    assert!(matches!(back.workload.kind, WorkloadKind::Latency { .. }));
    let problems = parse_with_overrides(text, &["workload.kind=throughput", "workload.messages=3"])
        .unwrap_err();
    assert!(
        problems.to_string().contains("belongs to the latency or capacity workload"),
        "{problems}"
    );
}

#[test]
fn a_form_reads_and_changes_single_values() {
    let profile = parse(&format!(
        "{MINIMAL_PROFILE}workload.users = [100, 400]\nstream.heap = \"1 GiB\"\nthresholds.lost = 0"
    ))
    .unwrap();
    let text = |key: &str| profile.value_text(key).unwrap_or_default();
    assert_eq!(text("workload.users"), "100, 400");
    assert_eq!(text("workload.arrival.deviation"), "250 ms");
    assert_eq!(text("stream.heap"), "1 GiB");
    assert_eq!(text("thresholds.lost"), "0");
    assert_eq!(profile.value_text("workload.volume"), None);
    for key in keys::KEYS {
        let Some(text) = profile.value_text(key.path) else { continue };
        assert_eq!(profile.set(key.path, &text), Ok(profile.clone()), "{}", key.path);
    }
    let changed = profile.set("workload.users", "10..30 step 10").unwrap();
    assert_eq!(changed.value_text("workload.users").as_deref(), Some("10, 20, 30"));
    let problems = profile.set("workload.users", "many").unwrap_err();
    assert_eq!(problems.list.len(), 1);
    assert!(problems.list[0].to_string().starts_with("workload.users: \"many\" is not a whole"));
}
