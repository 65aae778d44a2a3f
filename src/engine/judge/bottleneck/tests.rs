use std::time::Duration;

use super::*;
use crate::{
    backend,
    engine::run::start,
    measure::{Judgement, Reason},
    plan::ScheduledRepetition,
    profile::{self, Override, Profile},
    record::{CpuUse, NetworkUse},
    server::{LimitVerification, ServerReading},
};

/// A search on MariaDB under the limits `set`, and its record, without limits in force.
fn search_plan(set: &[&str]) -> (Plan, Record) {
    let source = profile::find("capacity-quick").unwrap();
    let overrides: Vec<_> = set.iter().map(|text| Override::parse(text).unwrap()).collect();
    let plan = Profile::parse_with(&source.text, &overrides, &backend::catalogue()).unwrap().plan();
    let record = start::new_record(&plan, "", "test".into());
    (plan, record)
}

/// A repetition of ten seconds with this resource use of its only server.
fn repetition_using(resources: Resources, samples: Vec<ResourceSample>) -> Repetition {
    Repetition {
        seconds: 10.0,
        resources: [("mariadb".to_owned(), resources)].into(),
        samples: [("mariadb".to_owned(), samples)].into(),
        ..Repetition::unmeasured(
            ScheduledRepetition { point: 0, repetition: 0 },
            0,
            jiff::Timestamp::UNIX_EPOCH,
        )
    }
}

fn cpu_use(mean: f64) -> Resources {
    Resources { cpu: CpuUse { mean: Some(mean), ..CpuUse::default() }, ..Resources::default() }
}

fn network_use(bytes: u64) -> Resources {
    let network = NetworkUse { received: Some(Bytes(1_000)), sent: Some(Bytes(bytes)) };
    Resources { network, ..Resources::default() }
}

fn suspected(code: &str, mut repetition: Repetition) -> Repetition {
    repetition.verdict.status = Judgement::Suspect;
    repetition.verdict.reasons.push(Reason { code: code.into(), text: format!("it was {code}") });
    repetition
}

fn constraints_of(plan: &Plan, record: &Record, missed: &[Repetition]) -> Vec<LimitingFactor> {
    constraints(&missed.iter().collect::<Vec<_>>(), plan, record)
}

#[test]
fn a_server_that_uses_the_cores_it_may_use_is_limited_by_cpu() {
    let (plan, record) = search_plan(&["hub.limits.cpus=\"0.25 cpus\""]);
    let idle_at_the_end = (0..10).map(|second| ResourceSample {
        cpu_cores: Some(if second < 5 { 0.25 } else { 0.02 }),
        ..ResourceSample::default()
    });
    let missed = [
        repetition_using(cpu_use(0.13), idle_at_the_end.collect()),
        repetition_using(cpu_use(0.24), Vec::new()),
    ];
    let found = constraints_of(&plan, &record, &missed);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].resource, found[0].seen, found[0].of), (LimitingResource::Cpu, 2, 2));
    assert_eq!(found[0].server.as_deref(), Some("mariadb"));
    assert!(found[0].text.contains("0.25 of 0.25 cores"), "{found:?}");
    assert!(is_about_hub(&found));
    let (plan, record) = search_plan(&["hub.limits.cpus=\"1 cpus\""]);
    assert!(constraints(&missed.iter().collect::<Vec<_>>(), &plan, &record).is_empty());
}

#[test]
fn being_held_back_by_the_limit_counts_although_the_mean_is_low() {
    let (plan, record) = search_plan(&["hub.limits.cpus=\"1 cpus\""]);
    let reading = |seconds| {
        let throttled = Some(Duration::from_secs(seconds));
        Some(ServerReading { throttled, ..ServerReading::default() })
    };
    let throttled = Resources { before: reading(1), after: reading(4), ..cpu_use(0.5) };
    let found = constraints_of(&plan, &record, &[repetition_using(throttled, Vec::new())]);
    assert!(found[0].text.contains("held back for 3.0 s"), "{found:?}");
}

#[test]
fn a_link_that_is_full_in_either_direction_is_named_with_the_limit_in_force() {
    let (plan, mut record) = search_plan(&["hub.limits.link=\"8 Mbit/s\""]);
    // 1 MB/s is asked; ten seconds at 0.95 of it.
    let full = [repetition_using(network_use(9_500_000), Vec::new())];
    let asked = constraints_of(&plan, &record, &full);
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(
        (asked[0].resource, asked[0].server.as_deref()),
        (LimitingResource::Link, Some("mariadb"))
    );
    assert!(asked[0].text.ends_with("/s out of 1 MB/s"), "{asked:?}");
    // The limit in force in the kernel counts, not the limit asked for.
    record.provenance.limits =
        vec![LimitVerification::new(LimitKind::LinkOut, 1e6, Some(2e6), Some(1.9e6))];
    assert_eq!(constraints_of(&plan, &record, &full), []);
    // Full while the load went on, idle while the last messages drained.
    let burst = (0..10).map(|second| ResourceSample {
        network_sent: Some(if second < 5 { 1.95e6 } else { 0.0 }),
        ..ResourceSample::default()
    });
    let burst = [repetition_using(network_use(9_750_000), burst.collect())];
    assert_eq!(constraints_of(&plan, &record, &burst).len(), 1);
    // Without a limit the link's capacity is unknown.
    let (plan, record) = search_plan(&[]);
    assert_eq!(constraints_of(&plan, &record, &full), []);
}

#[test]
fn a_search_limited_by_the_generator_is_not_about_the_hub() {
    let (plan, record) = search_plan(&["hub.limits.cpus=\"1 cpus\""]);
    let late = suspected("client-saturated", repetition_using(cpu_use(0.98), Vec::new()));
    let late = constraints_of(&plan, &record, &[late]);
    assert_eq!(late[0].resource, LimitingResource::Generator, "{late:?}");
    assert!(!is_about_hub(&late));
    // A machine that is busy because the server uses all of its allowance is the server's doing.
    let busy = suspected("machine-saturated", repetition_using(cpu_use(0.98), Vec::new()));
    let busy = constraints_of(&plan, &record, &[busy]);
    assert_eq!(busy.iter().map(|c| c.resource).collect::<Vec<_>>(), [LimitingResource::Cpu]);
    assert!(is_about_hub(&busy));
    let unlimited = search_plan(&[]);
    let busy = suspected("machine-saturated", repetition_using(cpu_use(0.1), Vec::new()));
    let busy = constraints_of(&unlimited.0, &unlimited.1, &[busy]);
    assert_eq!(busy[0].resource, LimitingResource::Generator);
}

#[test]
fn the_constraint_of_most_repetitions_comes_first() {
    let (plan, record) =
        search_plan(&["hub.limits.cpus=\"1 cpus\"", "hub.limits.link=\"8 Mbit/s\""]);
    let both = Resources { network: network_use(9_900_000).network, ..cpu_use(0.95) };
    let found = constraints_of(
        &plan,
        &record,
        &[repetition_using(both, Vec::new()), repetition_using(cpu_use(0.97), Vec::new())],
    );
    let seen: Vec<_> = found.iter().map(|one| (one.resource, one.seen)).collect();
    assert_eq!(seen, [(LimitingResource::Cpu, 2), (LimitingResource::Link, 1)]);
    assert!(found[0].text.contains("0.97"), "the clearest of them: {found:?}");
}

#[test]
fn a_server_killed_for_lack_of_memory_is_limited_by_memory_in_old_and_new_words() {
    let (plan, record) = search_plan(&[]);
    for text in [
        format!("mariadb {OUT_OF_MEMORY_REPORT}"),
        "mariadb was killed for want of memory: raise hub.limits.memory or its heap".to_owned(),
    ] {
        let mut failed = repetition_using(cpu_use(0.1), Vec::new());
        failed.verdict.status = Judgement::Failed;
        failed.verdict.reasons.push(Reason { code: "error".into(), text: text.clone() });
        let found = constraints_of(&plan, &record, &[failed]);
        assert!(
            found.iter().any(|factor| factor.resource == LimitingResource::Memory),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn a_server_that_died_is_named_where_no_resource_was_exhausted() {
    let (plan, record) = search_plan(&["hub.limits.cpus=\"1 cpus\""]);
    let mut died = repetition_using(cpu_use(0.1), Vec::new());
    died.verdict.status = Judgement::Failed;
    let text = "server mariadb ended by itself or was killed (exit code 137)";
    died.verdict.reasons.push(Reason { code: "error".into(), text: format!("{text}\n  | log") });
    let slow = repetition_using(cpu_use(0.1), Vec::new());
    let found = constraints_of(&plan, &record, &[died.clone(), slow, died]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].resource, found[0].seen, found[0].of), (LimitingResource::Failure, 2, 3));
    assert_eq!(found[0].text, text);
    assert!(is_about_hub(&found));
}
