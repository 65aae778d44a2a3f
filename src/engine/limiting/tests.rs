use std::time::Duration;

use super::*;
use crate::{
    backend,
    engine::{repetition, run},
    measure::{Judgement, Reason},
    plan::Step,
    profile::{self, Override, Profile},
    record::{CpuUse, NetworkUse},
    server::{LimitInForce, Reading},
};

/// A search on MariaDB under the limits `set`, and a record of it that knows of none.
fn search(set: &[&str]) -> (Plan, Record) {
    let source = profile::find("capacity-quick").unwrap();
    let overrides: Vec<_> = set.iter().map(|text| Override::parse(text).unwrap()).collect();
    let plan = Profile::parse_with(&source.text, &overrides, &backend::catalogue()).unwrap().plan();
    let record = run::begin(&plan, "", "test".into());
    (plan, record)
}

/// A repetition of ten seconds with that use of its one server.
fn used(resources: Resources, samples: Vec<Load>) -> Repetition {
    Repetition {
        seconds: 10.0,
        resources: [("mariadb".to_owned(), resources)].into(),
        samples: [("mariadb".to_owned(), samples)].into(),
        ..repetition::blank(Step { point: 0, repetition: 0 }, 0)
    }
}

fn cores(mean: f64) -> Resources {
    Resources { cpu: CpuUse { mean: Some(mean), ..CpuUse::default() }, ..Resources::default() }
}

fn sent(bytes: u64) -> Resources {
    let network = NetworkUse { received: Some(Bytes(1_000)), sent: Some(Bytes(bytes)) };
    Resources { network, ..Resources::default() }
}

fn doubted(code: &str, mut repetition: Repetition) -> Repetition {
    repetition.verdict.status = Judgement::Suspect;
    repetition.verdict.reasons.push(Reason { code: code.into(), text: format!("it was {code}") });
    repetition
}

fn found(plan: &Plan, record: &Record, missed: &[Repetition]) -> Vec<Constraint> {
    constraints(&missed.iter().collect::<Vec<_>>(), plan, record)
}

#[test]
fn a_server_that_uses_the_cores_it_may_use_is_limited_by_cpu() {
    let (plan, record) = search(&["hub.limits.cpus=\"0.25 cpus\""]);
    let idle_at_the_end = (0..10).map(|second| Load {
        cpu_cores: Some(if second < 5 { 0.25 } else { 0.02 }),
        ..Load::default()
    });
    let missed = [used(cores(0.13), idle_at_the_end.collect()), used(cores(0.24), Vec::new())];
    let found = found(&plan, &record, &missed);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].resource, found[0].seen, found[0].of), (Resource::Cpu, 2, 2));
    assert_eq!(found[0].server.as_deref(), Some("mariadb"));
    assert!(found[0].text.contains("0.25 of 0.25 cores"), "{found:?}");
    assert!(is_about_hub(&found));
    let (plan, record) = search(&["hub.limits.cpus=\"1 cpus\""]);
    assert!(constraints(&missed.iter().collect::<Vec<_>>(), &plan, &record).is_empty());
}

#[test]
fn being_held_back_by_the_limit_counts_although_the_mean_is_low() {
    let (plan, record) = search(&["hub.limits.cpus=\"1 cpus\""]);
    let reading = |seconds| {
        let throttled = Some(Duration::from_secs(seconds));
        Some(Reading { throttled, ..Reading::default() })
    };
    let throttled = Resources { before: reading(1), after: reading(4), ..cores(0.5) };
    let found = found(&plan, &record, &[used(throttled, Vec::new())]);
    assert!(found[0].text.contains("held back for 3.0 s"), "{found:?}");
}

#[test]
fn a_link_that_is_full_in_either_direction_is_named_with_the_limit_in_force() {
    let (plan, mut record) = search(&["hub.limits.link=\"8 Mbit/s\""]);
    // 1 MB/s is asked; ten seconds at 0.95 of it.
    let full = [used(sent(9_500_000), Vec::new())];
    let asked = found(&plan, &record, &full);
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!((asked[0].resource, asked[0].server.as_deref()), (Resource::Link, Some("mariadb")));
    assert!(asked[0].text.ends_with("/s out of 1 MB/s"), "{asked:?}");
    // What the kernel has in force counts, not what was asked.
    record.provenance.limits =
        vec![LimitInForce::new(LimitKind::LinkOut, 1e6, Some(2e6), Some(1.9e6))];
    assert_eq!(found(&plan, &record, &full), []);
    // Full while the load went on, idle while the last messages drained.
    let burst = (0..10).map(|second| Load {
        network_sent: Some(if second < 5 { 1.95e6 } else { 0.0 }),
        ..Load::default()
    });
    let burst = [used(sent(9_750_000), burst.collect())];
    assert_eq!(found(&plan, &record, &burst).len(), 1);
    // Without a limit nothing is known of the link.
    let (plan, record) = search(&[]);
    assert_eq!(found(&plan, &record, &full), []);
}

#[test]
fn a_generator_that_is_late_makes_it_no_answer_about_the_hub() {
    let (plan, record) = search(&["hub.limits.cpus=\"1 cpus\""]);
    let late = doubted("client-saturated", used(cores(0.98), Vec::new()));
    let late = found(&plan, &record, &[late]);
    assert_eq!(late[0].resource, Resource::Generator, "{late:?}");
    assert!(!is_about_hub(&late));
    // A machine that is busy because the server uses all that it may is the server's doing.
    let busy = doubted("machine-saturated", used(cores(0.98), Vec::new()));
    let busy = found(&plan, &record, &[busy]);
    assert_eq!(busy.iter().map(|c| c.resource).collect::<Vec<_>>(), [Resource::Cpu]);
    assert!(is_about_hub(&busy));
    let unlimited = search(&[]);
    let busy = doubted("machine-saturated", used(cores(0.1), Vec::new()));
    let busy = found(&unlimited.0, &unlimited.1, &[busy]);
    assert_eq!(busy[0].resource, Resource::Generator);
}

#[test]
fn what_most_repetitions_show_stands_first() {
    let (plan, record) = search(&["hub.limits.cpus=\"1 cpus\"", "hub.limits.link=\"8 Mbit/s\""]);
    let both = Resources { network: sent(9_900_000).network, ..cores(0.95) };
    let found = found(&plan, &record, &[used(both, Vec::new()), used(cores(0.97), Vec::new())]);
    let seen: Vec<_> = found.iter().map(|one| (one.resource, one.seen)).collect();
    assert_eq!(seen, [(Resource::Cpu, 2), (Resource::Link, 1)]);
    assert!(found[0].text.contains("0.97"), "the clearest of them: {found:?}");
}
