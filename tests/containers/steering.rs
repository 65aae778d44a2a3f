//! Faults by key in real servers' containers: each takes place, the server recovers, and the record has it.

use hubmark::{
    measure::Judgement,
    record::{FaultResult, SteeringChange},
};

use crate::support::{sandbox::Sandbox, terminal::Terminal};

/// Backends, and their main servers.
const BACKENDS: [(&str, &str); 2] = [("mariadb", "mariadb"), ("kafka:4.4.0", "kafka")];

/// A profile without its backend.
const PROFILE: &str = r#"name = "mine"
[hub]
kind = "docker"
[workload]
users = 10
duration = "60 s"
arrival = { distribution = "constant", mean = "100 ms" }
drain = "60 s"
[run]
baseline = "0.3 s"
steering = true
"#;

#[test]
#[ignore = "needs a Docker engine"]
fn every_fault_by_key_takes_place_in_a_container_and_is_in_the_record() {
    for (backend, server) in BACKENDS {
        check_faults_by_key(backend, server);
    }
}

fn check_faults_by_key(backend: &str, server: &str) {
    let sandbox = Sandbox::with_engine();
    sandbox.save_profile(
        "mine",
        &PROFILE.replace("[hub]", &format!("backend = \"{backend}\"\n[hub]")),
    );
    let mut terminal = Terminal::screen(&sandbox, 160, 45);
    terminal.start_last_profile();
    for (letter, fault) in
        [("p", "pause"), ("c", "cut"), ("l", "limit"), ("r", "restart"), ("k", "kill")]
    {
        terminal.press("x");
        terminal.wait_for("inject a fault into the main server?");
        terminal.press(letter);
        terminal.wait_for(&format!("▸ {letter}"));
        terminal.press("\r");
        terminal.wait_for(&format!("{server}: {fault} ended"));
    }
    for factor in ["×1½", "×2", "×3", "×4"] {
        terminal.press("+");
        terminal.wait_for(&format!("load {factor}"));
    }
    terminal.wait_for("1 repetition steered and not in the figures");
    terminal.press("q");
    terminal.wait_for_exit();
    let record = sandbox.record();
    let repetition = &record.points[0].repetitions[0];
    assert_eq!(repetition.verdict.status, Judgement::Steered, "{:?}", repetition.verdict);
    let kinds: Vec<_> = repetition.faults.iter().map(|fault| fault.planned.kind.name()).collect();
    assert_eq!(kinds, ["pause", "cut", "limit", "restart", "kill"]);
    let took_place = |fault: &&FaultResult| {
        fault.by_key && fault.began.is_some() && fault.ended.is_some() && fault.error.is_none()
    };
    let faults: Vec<_> = repetition.faults.iter().filter(took_place).collect();
    assert_eq!(faults.len(), 5, "{:?}", repetition.faults);
    let recovered = faults.iter().all(|fault| fault.recovery_ack.is_some());
    assert!(recovered, "{:?}", repetition.faults);
    let injected =
        repetition.steered.iter().filter(|it| matches!(it.change, SteeringChange::Fault { .. }));
    assert_eq!(injected.count(), 5);
    assert_eq!(repetition.ledger.contradictions(), [""; 0]);
}
