//! A load is steered in a terminal: paused, resumed, made faster, with a fault by key; the record keeps it.

use hubmark::{
    measure::{Judgement, Reason, STEERED_CODE},
    plan::FaultKind,
    record::{
        Record, Repetition, SteeringAction, SteeringChange, steering::describe_actions,
        summary::summarise,
    },
};
use nix::sys::signal::Signal;

use crate::{
    detached_runs::DetachedRuns,
    support::{
        process::is_running,
        sandbox::Sandbox,
        synthetic::{self, SyntheticRepetition},
        terminal::{SETUP, Terminal, screen_command},
        wait::until,
    },
};

/// 20 users with a message each 50 ms: 400 messages a second.
fn sandbox(messages: u32) -> Sandbox {
    let sandbox = Sandbox::with_profile_of(20, "50 ms", "10 ms", messages);
    let file = sandbox.path("config/profiles").join("mine.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    sandbox.save_profile("mine", &text.replace("[run]\n", "[run]\nsteering = true\n"));
    sandbox
}

/// Pauses the load, and checks that nothing more is delivered until it is resumed.
fn pause_and_resume(terminal: &mut Terminal) {
    terminal.press("p");
    terminal.wait_for("p resume");
    // What was due before the pause arrives, and the screen shows it.
    std::thread::sleep(std::time::Duration::from_millis(700));
    let paused = terminal.delivered().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    assert_eq!(terminal.delivered(), Some(paused), "nothing is due in a pause");
    terminal.press("p");
    terminal.wait_until("the load goes on", |frame| {
        frame.contains("p pause") && terminal.delivered().is_some_and(|now| now > paused)
    });
}

fn changes(repetition: &Repetition) -> Vec<SteeringChange> {
    repetition.steered.iter().map(|action| action.change).collect()
}

#[test]
fn a_load_is_paused_made_faster_and_disturbed_by_keys_and_the_record_holds_it() {
    let sandbox = sandbox(500);
    let mut terminal = Terminal::running(&sandbox);
    pause_and_resume(&mut terminal);
    terminal.press("+");
    terminal.wait_for("load ×1½");
    terminal.press("x");
    terminal.wait_for("inject a fault into the main server?");
    terminal.press("p");
    terminal.wait_for("▸ p");
    terminal.press("\r");
    terminal.wait_for("◇ steered");
    terminal.wait_for("pause by key");
    for factor in ["×2", "×3", "×4"] {
        terminal.press("+");
        terminal.wait_for(&format!("load {factor}"));
    }
    terminal.wait_for("1 repetition steered and not in the figures");
    terminal.wait_for("Nothing lost: 10,000 messages delivered.");
    let record = sandbox.record();
    assert!(record.plan.steering);
    let [repetition] = record.points[0].repetitions.as_slice() else { panic!("one repetition") };
    let changed = changes(repetition);
    assert_eq!(changed[..2], [SteeringChange::Pause, SteeringChange::Resume], "{changed:?}");
    let factors: Vec<String> = changed
        .iter()
        .filter_map(|change| match change {
            SteeringChange::Rate { factor } => Some(factor.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(factors, ["×1½", "×2", "×3", "×4"]);
    assert!(changed.contains(&SteeringChange::Fault { fault: FaultKind::Pause }));
    let [fault] = repetition.faults.as_slice() else { panic!("{:?}", repetition.faults) };
    assert!(fault.by_key && fault.began.is_some() && fault.recovery_ack.is_some(), "{fault:?}");
    assert_eq!(repetition.verdict.status, Judgement::Steered);
    assert_eq!(repetition.verdict.reasons[0].code, STEERED_CODE);
    assert_eq!(repetition.timeline.iter().map(|second| second.due).sum::<u64>(), 10_000);
    assert!(record.points[0].summary.is_none(), "there is nothing to summarise");
    let (paused, resumed) = (repetition.steered[0].second, repetition.steered[1].second);
    let within = |at: f64| (paused + 0.5..resumed - 0.5).contains(&at);
    for standstill in &repetition.standstills {
        assert!(!within(standstill.from) && !within(standstill.to), "{standstill:?}");
    }
    terminal.press("q");
    assert_eq!(terminal.wait_for_exit(), 0);
    let shown = sandbox.run(["records", "show", sandbox.record_files()[0].to_str().unwrap()]);
    for text in ["Steered: builtin", "load paused", "by key broker was paused", "left out"] {
        assert!(shown.stdout.contains(text), "{text}:\n{}", shown.stdout);
    }
}

#[test]
fn users_are_switched_off_and_on_by_keys_and_the_record_accounts_for_every_message() {
    let sandbox = sandbox(120);
    let mut terminal = Terminal::running(&sandbox);
    terminal.press("<");
    terminal.wait_for("load 10 users");
    terminal.wait_for("steered: users 20 → 10");
    terminal.press(">");
    terminal.wait_for("steered: users 10 → 20");
    terminal.wait_for("1 repetition steered and not in the figures");
    let record = sandbox.record();
    let repetition = &record.points[0].repetitions[0];
    let expected =
        [SteeringChange::Users { from: 20, to: 10 }, SteeringChange::Users { from: 10, to: 20 }];
    assert_eq!(changes(repetition), expected);
    let ledger = repetition.ledger;
    assert_eq!(ledger.contradictions(), [""; 0]);
    assert_eq!((ledger.planned, ledger.unsent), (2_400, 0), "{ledger:?}");
    assert!(ledger.not_due > 0, "{ledger:?}");
    assert_eq!([ledger.delivered, ledger.lost, ledger.duplicate], [ledger.sent, 0, 0]);
    let due: u64 = repetition.timeline.iter().map(|second| second.due).sum();
    assert_eq!(due, ledger.sent);
    assert_eq!(repetition.verdict.status, Judgement::Steered);
    terminal.press("q");
    assert_eq!(terminal.wait_for_exit(), 0);
    let shown = sandbox.run(["records", "show", sandbox.record_files()[0].to_str().unwrap()]);
    for text in ["users 20 → 10", "not due "] {
        assert!(shown.stdout.contains(text), "{text}:\n{}", shown.stdout);
    }
}

#[test]
fn a_detached_run_is_steered_over_its_socket_and_stopped_in_a_pause() {
    let sandbox = sandbox(100_000);
    let _cleanup = DetachedRuns(&sandbox);
    let mut command = screen_command(&sandbox);
    command.arg("--keep");
    let mut terminal = Terminal::screen_of(command, 160, 45);
    terminal.start_last_profile();
    let [(run, _)] = sandbox.detached_runs()[..] else { panic!("one detached run") };
    pause_and_resume(&mut terminal);
    terminal.press("p");
    terminal.wait_for("p resume");
    terminal.signal(Signal::SIGHUP);
    terminal.close();
    assert_eq!(terminal.wait_for_exit(), 130);

    let mut command = screen_command(&sandbox);
    command.arg("attach");
    let mut terminal = Terminal::open(command, 160, 45);
    terminal.wait_for("load paused");
    terminal.wait_for("p resume");
    terminal.answer("s", "n");
    terminal.wait_for(" stopped ");
    terminal.wait_for(" r again");
    let record = sandbox.record();
    let repetition = &record.points[0].repetitions[0];
    let changed = changes(repetition);
    let expected = [SteeringChange::Pause, SteeringChange::Resume, SteeringChange::Pause];
    assert_eq!(changed, expected);
    assert_eq!(repetition.verdict.status, Judgement::Failed, "it was stopped");
    let due: u64 = repetition.timeline.iter().map(|second| second.due).sum();
    assert_eq!(due, repetition.ledger.sent, "nothing was due in the pause");
    terminal.press("\r");
    terminal.wait_for(SETUP);
    terminal.press("q");
    assert_eq!(terminal.wait_for_exit(), 130);
    until("the run's process ends", || !is_running(run));
}

/// Three repetitions of one point; the second is a hundred times slower, and `steered` or not.
fn record_of_three(steered: bool) -> Record {
    let mut record = synthetic::record("first-look", &["run.repetitions=3"], |_, k| {
        let delivery = if k == 1 && steered { 250_000.0 } else { 2_500.0 };
        Some(SyntheticRepetition { delivery, ..SyntheticRepetition::default() })
    });
    if steered {
        let point = &mut record.points[0];
        let action = SteeringAction { second: 3.0, change: SteeringChange::Pause };
        point.repetitions[1].steered = vec![action; 12];
        let verdict = &mut point.repetitions[1].verdict;
        verdict.status = Judgement::Steered;
        let text = describe_actions(&[action; 12]).unwrap();
        verdict.reasons = vec![Reason { code: STEERED_CODE.into(), text }];
        point.summary = summarise(&point.repetitions);
    }
    record
}

#[test]
fn a_steered_repetition_is_in_no_figure_and_what_leaves_it_out_says_so() {
    let sandbox = Sandbox::new();
    let (steered, planned) = (sandbox.path("steered.json"), sandbox.path("planned.json"));
    let record = record_of_three(true);
    let summary = record.points[0].summary.as_ref().unwrap();
    assert_eq!((summary.repetitions, summary.steered, summary.failed), (2, 1, 0));
    assert!(summary.latency.delivery.as_ref().unwrap().max < 100_000.0);
    synthetic::save(&record, &steered);
    synthetic::save(&record_of_three(false), &planned);
    let (steered, planned) = (steered.to_str().unwrap(), planned.to_str().unwrap());
    let text = sandbox.run(["records", "show", steered]).exits_with(0).stdout;
    for part in [
        "mean: of 2 repetitions",
        "steered by the operator, and left out of the means:",
        "1 of 3 repetitions",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let compared = sandbox.run(["compare", steered, planned]).stdout;
    assert!(compared.contains("repetitions: A 2 · B 3"), "{compared}");
    assert!(compared.contains("steered by the operator, left out: A 1 · B 0"), "{compared}");
    let out = sandbox.path("out").display().to_string();
    sandbox.run(["report", "--out", &out, steered]).exits_with(0);
    let page = std::fs::read_to_string(sandbox.path("out").join("index.html")).unwrap();
    for part in ["2 (1 steered, left out)", "1 repetition is steered by the operator and left out"]
    {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.contains("3.0 s load paused"));
}
