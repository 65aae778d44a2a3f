//! Servers whose settings are not as expected: hubmark measures exactly what it measures elsewhere,
//! says what the server adds or changes, or refuses it before the load. A `mariadbd` and the built-in
//! broker are the external servers.

use std::fs;

use hubmark::measure::Ledger;

use crate::support::{
    builtin_broker::BuiltinBroker,
    external_mariadb::ExternalMariaDb,
    external_servers::{ACCOUNT_PASSWORD, PASSWORD_VARIABLE, start_external_run},
    process::ProgramOutput,
    records::{only_repetition, read_checked, reason_codes},
    sandbox::{Sandbox, set_arguments},
};

/// Measures `maria` with the account `bench` and overrides.
fn measure(sandbox: &Sandbox, maria: &ExternalMariaDb, sets: &[&str]) -> ProgramOutput {
    let password = format!("mariadb.password_env={PASSWORD_VARIABLE}");
    let address = maria.address();
    let account = ["mariadb.user=bench", &password, &address];
    start_external_run(sandbox, "mariadb", &[&account, sets].concat()).wait()
}

/// Examines `maria` for the same plan.
fn examine(sandbox: &Sandbox, maria: &ExternalMariaDb, sets: &[&str]) -> ProgramOutput {
    let password = format!("mariadb.password_env={PASSWORD_VARIABLE}");
    let address = maria.address();
    let fixed = ["hub.kind=external", "backend=mariadb", "mariadb.user=bench", &password, &address];
    let mut doctor = sandbox.program();
    doctor.env(PASSWORD_VARIABLE, ACCOUNT_PASSWORD).args(["doctor", "first-look"]);
    ProgramOutput::of(doctor.args(set_arguments(&[&fixed, sets].concat())))
}

#[test]
#[ignore = "needs mariadbd on PATH"]
fn the_servers_own_session_settings_change_no_result() {
    let sandbox = Sandbox::new();
    let maria = ExternalMariaDb::start();
    maria.sql(
        "SET GLOBAL autocommit = OFF; SET GLOBAL auto_increment_increment = 3; \
         SET GLOBAL auto_increment_offset = 2; SET GLOBAL completion_type = 'RELEASE'; \
         SET GLOBAL sql_mode = 'EMPTY_STRING_IS_NULL'; SET GLOBAL sql_select_limit = 10; \
         SET GLOBAL tx_isolation = 'READ-UNCOMMITTED'; SET GLOBAL time_zone = '+05:00'; \
         SET GLOBAL init_connect = 'SET autocommit = 0'",
    );
    let output = measure(&sandbox, &maria, &[]);
    output.reports(0, &[]);
    let record = read_checked(&sandbox.record_file().unwrap());
    let repetition = only_repetition(&record);
    let ledger = repetition.ledger;
    let expected = Ledger {
        planned: 800,
        sent: 800,
        acked: Some(800),
        delivered: 800,
        stored: Some(800),
        ..Ledger::default()
    };
    assert_eq!(ledger, expected);
    assert_eq!(reason_codes(repetition), [""; 0]);
    let settings = &record.provenance.servers["mariadb"].settings["default"];
    for (name, value) in [
        ("autocommit", "OFF"),
        ("session.autocommit", "ON"),
        ("auto_increment_increment", "3"),
        ("session.auto_increment_increment", "1"),
        ("session.tx_isolation", "REPEATABLE-READ"),
    ] {
        assert_eq!(settings.get(name).map(String::as_str), Some(value), "{name}: {settings:#?}");
    }
    let healthy = examine(&sandbox, &maria, &["workload.users=20"]);
    assert_eq!(healthy.status, Some(0), "{healthy:#?}");
}

#[test]
#[ignore = "needs mariadbd on PATH"]
fn users_that_the_server_logs_out_between_two_messages_lose_none() {
    let sandbox = Sandbox::new();
    let maria = ExternalMariaDb::start();
    maria.sql("SET GLOBAL wait_timeout = 1");
    let load = [
        "workload.users=5",
        "workload.messages=3",
        "workload.arrival={ distribution = \"constant\", mean = \"1.2 s\" }",
    ];
    let caution = "logs out users that send nothing for 1 s (wait_timeout)";
    let examined = examine(&sandbox, &maria, &load);
    let warned = examined.stdout.lines().any(|line| line.contains("warn  server mariadb"));
    assert!(warned && examined.stdout.contains(caution), "{}", examined.stdout);
    let output = measure(&sandbox, &maria, &load);
    output.reports(0, &[caution]);
    let record = read_checked(&sandbox.record_file().unwrap());
    let repetition = only_repetition(&record);
    let ledger = repetition.ledger;
    assert_eq!((ledger.acked, ledger.delivered, ledger.lost), (Some(15), 15, 0), "{ledger:?}");
    let notes: Vec<_> = repetition.events.iter().map(|note| note.text.as_str()).collect();
    assert!(notes.iter().any(|note| note.contains("logs in again")), "{notes:?}");
    assert!(record.provenance.servers["mariadb"].cautions[0].contains(caution));
    // Without spaces and line breaks: the text is wrapped.
    let plain = |text: &str| text.split_whitespace().collect::<String>();
    assert!(plain(&output.stdout).contains(&plain(caution)), "{}", output.stdout);
}

#[test]
#[ignore = "needs mariadbd on PATH"]
fn a_row_format_that_the_server_changes_is_said() {
    let sandbox = Sandbox::new();
    let maria = ExternalMariaDb::start();
    maria.sql("SET GLOBAL innodb_strict_mode = OFF; SET GLOBAL innodb_file_per_table = OFF");
    let sets = ["mariadb.row_format=Compressed", "workload.messages=4"];
    let output = measure(&sandbox, &maria, &sets);
    let caution = "row_format = Dynamic: the server changed the Compressed";
    output.reports(0, &[caution]);
    assert!(output.stdout.contains("row_format = Dynamic"), "{}", output.stdout);
    assert!(examine(&sandbox, &maria, &sets).stdout.contains(caution));
}

#[test]
#[ignore = "needs mariadbd on PATH"]
fn a_server_that_requires_encryption_is_refused_at_once() {
    let sandbox = Sandbox::new();
    let maria = ExternalMariaDb::start();
    maria.sql("SET GLOBAL require_secure_transport = ON");
    let advice = "require_secure_transport";
    measure(&sandbox, &maria, &[]).reports(1, &["refused user \"bench\"", advice]);
    assert!(sandbox.record_file().is_none(), "nothing was measured");
    let examined = examine(&sandbox, &maria, &[]);
    assert_eq!(examined.status, Some(1), "{examined:#?}");
    assert!(examined.stdout.contains(advice), "{}", examined.stdout);
}

#[test]
fn more_copies_than_the_cluster_has_brokers_are_refused_at_once() {
    let sandbox = Sandbox::new();
    let broker = BuiltinBroker::start(&[]);
    let address = format!("kafka.address={}", broker.address);
    let sets = [&*address, "kafka.replication=3"];
    let output = start_external_run(&sandbox, "kafka", &sets).wait();
    output.reports(1, &["replication = 3", "set replication to 1 at most"]);
    assert!(sandbox.record_file().is_none(), "nothing was measured");
}

/// Saves a profile for a broker that does not exist, with `tables` at its end.
fn save_profile(sandbox: &Sandbox, tables: &str) -> String {
    let file = sandbox.path("unusual.toml");
    let profile = format!(
        r#"name = "unusual"
backend = "kafka"
[hub]
kind = "external"
[workload]
kind = "latency"
users = 2
payload = "100 B"
messages = 4
arrival = {{ distribution = "constant", mean = "1 s" }}
[run]
durability = ["default", "memory"]
{tables}"#
    );
    fs::write(&file, profile).unwrap();
    file.display().to_string()
}

#[test]
fn settings_that_would_fail_are_found_by_every_check_before_a_run() {
    let sandbox = Sandbox::new();
    let address = "[kafka]\naddress = \"127.0.0.1:9\"\n";
    for (table, words) in [
        ("[kafka.producer]\n\"linger.sm\" = 5", "producer.linger.sm = 5"),
        ("[kafka.topic]\n\"cleanup.policy\" = \"compact\"", "messages without a key"),
        ("[kafka.topic]\n\"retention.ms\" = 1000", "topic.retention.ms = 1000"),
        ("[kafka.topic]\n\"max.message.bytes\" = 150", "topic.max.message.bytes = 150"),
        ("[kafka.topic]\n\"min.insync.replicas\" = 2", "every message with acks = all"),
        // The second durability decides it.
        ("[kafka.producer]\nacks = 1", "producer.acks = 1"),
    ] {
        let file = save_profile(&sandbox, &format!("{address}{table}"));
        sandbox.run(["profiles", "check", &file]).reports(2, &[words]);
        sandbox.run(["run", &file, "--dry-run"]).reports(2, &[words]);
        let examined = sandbox.run(["doctor", &file]);
        assert_eq!(examined.status, Some(1), "{examined:#?}");
        let failed = examined.stdout.lines().any(|line| line.starts_with("fail  settings"));
        assert!(failed && examined.stdout.contains(words), "{}", examined.stdout);
    }
    let file = save_profile(&sandbox, address);
    sandbox.run(["profiles", "check", &file]).reports(0, &[]);
    sandbox.run(["run", &file, "--dry-run"]).reports(0, &[]);
}

#[test]
fn without_acknowledgements_their_number_is_missing_and_nothing_is_lost() {
    let sandbox = Sandbox::new();
    let load = [
        "workload.users=20",
        "workload.messages=5",
        "workload.arrival={ distribution = \"constant\", mean = \"50 ms\" }",
        "run.baseline=\"0 s\"",
        "builtin.producer={ acks = 0 }",
    ];
    let command = sandbox.command(["run", "first-look"].into_iter().chain(set_arguments(&load)));
    let output = sandbox.start(command).wait();
    output.reports(0, &[]);
    assert!(output.stdout.contains("acknowledged –"), "{}", output.stdout);
    let record = read_checked(&sandbox.record_file().unwrap());
    let repetition = only_repetition(&record);
    let ledger = repetition.ledger;
    assert_eq!((ledger.delivered, ledger.acked, ledger.stored), (100, None, Some(100)));
    assert!(repetition.latency.ack.is_none() && repetition.latency.delivery.is_some());
    assert_eq!(repetition.timeline.iter().map(|second| second.delivered).sum::<u64>(), 100);
    for second in &repetition.timeline {
        assert_eq!((second.acked, second.ack_p50), (None, None), "not measured is not 0");
    }
    assert_eq!(reason_codes(repetition), [""; 0]);
}
