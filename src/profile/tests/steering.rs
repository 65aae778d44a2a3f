//! The key that lets an operator change a load while it runs.

use super::*;

const LATENCY: &str =
    "[workload]\nkind = \"latency\"\nusers = 1\npayload = \"1 B\"\nmessages = 1\n";

#[test]
fn a_load_can_be_steered_only_where_the_profile_says_so() {
    let plan = |run: &str| parse(&format!("{MINIMAL_PROFILE}{LATENCY}{run}")).unwrap();
    let profile = plan("[run]\nsteering = true\n");
    assert!(profile.plan().steering);
    assert!(profile.plan().conditions_summary().ends_with(" · can be steered"));
    assert!(profile.to_toml().contains("steering = true"), "{}", profile.to_toml());
    let without = plan("");
    assert!(!without.plan().steering && !without.to_toml().contains("steering"));
    assert!(!without.plan().conditions_summary().contains("steered"));
}

#[test]
fn only_the_latency_workload_can_be_steered() {
    let steering = "[run]\nsteering = true\n";
    for kind in ["throughput", "capacity"] {
        assert_problem(
            &format!("[workload]\nkind = {kind:?}\n{steering}"),
            &format!("run.steering: it belongs to the latency workload, and this one is {kind}"),
        );
    }
    // Another kind chosen on the form or by --set leaves the profile's own key out.
    let text = format!("{MINIMAL_PROFILE}{LATENCY}{steering}");
    let profile = parse_with_overrides(&text, &["workload.kind=throughput"]).unwrap();
    assert!(!profile.plan().steering && !profile.to_toml().contains("steering"));
}
