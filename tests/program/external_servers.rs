//! Servers that hubmark did not start: it plays the load on them, creates only objects of its own,
//! removes them, changes nothing else, and reveals no password. A `mariadbd` and the built-in broker
//! are the external servers; the tests look at them through connections of their own meanwhile.

use std::{fs, os::unix::fs::PermissionsExt, process::Command, thread, time::Duration};

use rdkafka::admin::{NewTopic, TopicReplication};

use crate::support::{
    builtin_broker::BuiltinBroker,
    external_mariadb::ExternalMariaDb,
    external_servers::{
        ACCOUNT_PASSWORD, PASSWORD_VARIABLE, leaks_password, start_external_run, topics,
    },
    process::ProgramOutput,
    records::{only_repetition, read_checked, reason_codes, repetitions},
    sandbox::{Sandbox, set_arguments},
};

/// Starts a run that must fail with `code` and `words`, without revealing the password.
#[track_caller]
fn check_refused(
    sandbox: &Sandbox,
    backend: &str,
    sets: &[&str],
    code: i32,
    words: &[&str],
) -> ProgramOutput {
    let output = start_external_run(sandbox, backend, sets).wait();
    output.reports(code, words);
    assert!(!leaks_password(sandbox, &output), "{output:#?}");
    output
}

/// The process list that every user of this machine can see, with whole command lines.
fn process_list() -> String {
    let list = Command::new("ps").args(["-ewwo", "pid,args"]).output().unwrap();
    String::from_utf8(list.stdout).unwrap()
}

#[test]
#[ignore = "needs mariadbd on PATH"]
fn an_external_mariadb_is_measured_and_left_unchanged() {
    let sandbox = Sandbox::new();
    let maria = ExternalMariaDb::start();
    let (before, inserted) = (maria.state(), maria.inserts());
    let process = format!("mariadb.process={}", maria.server.running.id);
    let account =
        ["mariadb.user=bench", &format!("mariadb.password_env={PASSWORD_VARIABLE}"), &process];
    let address = maria.address();
    let sets = [&account[..], &[&address]].concat();
    let mut run = start_external_run(&sandbox, "mariadb", &sets);
    let mut most_rows = 0;
    let mut listed = String::new();
    while !run.has_ended() {
        listed.push_str(&process_list());
        for table in maria.hubmark_tables() {
            // It may just have been removed.
            if let Ok(rows) = maria.try_sql(&format!("SELECT COUNT(*) FROM {table}")) {
                most_rows = most_rows.max(rows.parse::<u64>().unwrap());
            }
        }
    }
    let output = run.wait();
    output.reports(0, &["external servers ran before this run"]);
    assert!(listed.contains("first-look"), "hubmark's command line was never listed");
    assert!(!listed.contains(ACCOUNT_PASSWORD), "a command line holds the password");
    assert!(!leaks_password(&sandbox, &output));
    assert!(output.stdout.contains("external: mariadb at 127.0.0.1:"), "{}", output.stdout);
    let record = read_checked(&sandbox.record_file().unwrap());
    let ledger = only_repetition(&record).ledger;
    assert_eq!((ledger.planned, ledger.delivered, ledger.stored), (800, 800, Some(800)));
    assert!(0 < most_rows && most_rows <= 800, "rows seen: {most_rows}");
    assert_eq!(maria.inserts() - inserted, 800, "inserts by the server's own count");
    let resources = &only_repetition(&record).resources["mariadb"];
    assert!(resources.cpu.core_seconds.is_some_and(|used| used > 0.0), "{resources:?}");
    assert!(resources.memory.idle.is_some() && resources.network.sent.is_none());
    let server = &record.provenance.servers["mariadb"];
    assert!(
        server.version.contains("MariaDB") && server.images["mariadb"].image.contains("not known")
    );
    assert_eq!(maria.hubmark_tables(), [""; 0], "left behind");
    assert_eq!(maria.state(), before, "the owner's data changed");
}

#[test]
#[ignore = "needs mariadbd on PATH"]
fn in_a_given_database_hubmark_creates_one_table_and_removes_it_when_interrupted() {
    let sandbox = Sandbox::new();
    let maria = ExternalMariaDb::start();
    let before = maria.state();
    let file = sandbox.path("config/password");
    fs::write(&file, format!("{ACCOUNT_PASSWORD}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let file_set = format!("mariadb.password_file={}", file.display());
    let sets = [
        &maria.address(),
        "mariadb.user=guest",
        &file_set,
        "mariadb.database=theirs",
        "workload.messages=4000",
    ];
    let mut run = start_external_run(&sandbox, "mariadb", &sets);
    run.wait_for_load();
    let tables = maria.hubmark_tables();
    assert!(tables.len() == 1 && tables[0].starts_with("`theirs`.`hubmark_"), "{tables:?}");
    run.signal(nix::sys::signal::Signal::SIGINT);
    let output = run.wait();
    output.reports(130, &["mariadb: its processor, memory, disk and network are missing"]);
    fs::remove_file(file).unwrap();
    assert!(!leaks_password(&sandbox, &output));
    assert_eq!(maria.state(), before);
}

#[test]
#[ignore = "needs mariadbd on PATH"]
fn what_an_external_mariadb_cannot_do_is_refused_before_measuring() {
    let sandbox = Sandbox::new();
    let maria = ExternalMariaDb::start();
    let before = maria.state();
    let address = maria.address();
    let password = format!("mariadb.password_env={PASSWORD_VARIABLE}");
    let account = |user: &'static str| [&*address, user, &*password].map(str::to_owned).to_vec();
    let run = |user: &'static str, more: &[&str], code, words: &[&str]| {
        let account = account(user);
        let sets: Vec<&str> =
            account.iter().map(String::as_str).chain(more.iter().copied()).collect();
        check_refused(&sandbox, "mariadb", &sets, code, words);
        assert!(sandbox.record_file().is_none(), "nothing was measured");
    };
    run("mariadb.user=unknown", &[], 1, &["refused user \"unknown\"", "Access denied"]);
    run("mariadb.user=guest", &[], 1, &["creating the table anew failed", "grant the account"]);
    run("mariadb.user=bench", &["workload.users=400"], 2, &["max_connections = 410"]);
    run(
        "mariadb.user=bench",
        &["run.durability=memory"],
        2,
        &["innodb_flush_log_at_trx_commit = 2", "durability = \"default\""],
    );
    run("mariadb.user=bench", &["workload.payload=\"16 MiB\""], 2, &["max_allowed_packet"]);
    run("mariadb.user=bench", &["mariadb.buffer_pool=\"1 GiB\""], 2, &["runs already"]);
    run("mariadb.user=bench", &["mariadb.process=4194304"], 1, &["has ended"]);
    let wrong = [&*address, "mariadb.user=bench", "mariadb.password_env=HOME"];
    check_refused(&sandbox, "mariadb", &wrong, 1, &["refused user \"bench\""]);
    let unset = [&*address, "mariadb.user=bench", "mariadb.password_env=HUBMARK_NOT_SET"];
    check_refused(&sandbox, "mariadb", &unset, 1, &["HUBMARK_NOT_SET is not set"]);
    let file = sandbox.path("password");
    fs::write(&file, "x\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let open = format!("mariadb.password_file={}", file.display());
    let open = [&*address, "mariadb.user=bench", &open];
    check_refused(&sandbox, "mariadb", &open, 1, &[&format!("chmod 600 {}", file.display())]);
    // The doctor reports the same.
    let mut doctor = sandbox.program();
    doctor.env(PASSWORD_VARIABLE, ACCOUNT_PASSWORD).args([
        "doctor",
        "first-look",
        "--set",
        "hub.kind=external",
    ]);
    doctor.args(["--set", "backend=mariadb", "--set", &address, "--set", &password]);
    let sets = ["mariadb.user=bench", "workload.users=400"];
    let diagnosis = ProgramOutput::of(doctor.args(set_arguments(&sets)));
    assert_eq!(diagnosis.status, Some(1), "{diagnosis:#?}");
    for line in ["ok    server mariadb", "fail  server mariadb", "max_connections = 410"] {
        assert!(diagnosis.stdout.contains(line), "{line}: {}", diagnosis.stdout);
    }
    assert!(!leaks_password(&sandbox, &diagnosis));
    assert_eq!(maria.hubmark_tables(), [""; 0]);
    assert_eq!(maria.state(), before);
}

#[test]
fn settings_that_external_servers_cannot_have_are_refused_with_their_key() {
    let sandbox = Sandbox::new();
    let address = "mariadb.address=127.0.0.1:9";
    let run = |sets: &[&str], words: &[&str]| {
        check_refused(&sandbox, "mariadb", sets, 2, words);
    };
    run(&[], &["mariadb.address: this key is missing"]);
    run(&["mariadb.address=\"a:b\""], &["mariadb.address", "a port is a number"]);
    run(&[address, "hub.limits.cpus=\"1 cpus\""], &["hub.limits.cpus", "the hub is external"]);
    run(&[address, "hub.limits.link=\"1 MB/s\""], &["hub.limits.link"]);
    run(&[address, "hub.engine=\"unix:///x\""], &["it locates a server's container"]);
    run(&[address, "run.footprint=true"], &["run.footprint", "starts and kills servers"]);
    let fault = "fault=[{ at = \"1 s\", kind = \"pause\", for = \"1 s\" }]";
    run(&[address, fault], &["faults are only for servers that hubmark starts itself"]);
    run(&[address, "backend=mariadb:10.11"], &["cannot be chosen: leave it out"]);
    let password = format!("mariadb.password={ACCOUNT_PASSWORD}");
    run(&[address, &password], &["--set mariadb.password=…", "not written into a profile"]);
    run(&[address, "mariadb.password_env=A"], &["mariadb.user: this key is missing"]);
    run(&[address, "backend=builtin"], &["builtin cannot run on the external hub"]);
    run(&[address, "hub.kind=docker"], &["mariadb.address", "set hub.kind = \"external\""]);
    check_refused(
        &sandbox,
        "mariadb",
        &[address],
        1,
        &["cannot reach mariadb at 127.0.0.1:9", "firewall"],
    );
}

/// Starts a broker with a topic of its owner.
fn start_broker() -> BuiltinBroker {
    let broker = BuiltinBroker::start(&[]);
    create_topic(&broker, "theirs");
    broker
}

fn create_topic(broker: &BuiltinBroker, topic: &str) {
    let topic = NewTopic::new(topic, 1, TopicReplication::Fixed(1));
    tokio::runtime::Runtime::new().unwrap().block_on(broker.create(&topic)).unwrap();
}

#[test]
fn an_external_broker_is_measured_and_left_unchanged() {
    let sandbox = Sandbox::new();
    let mut broker = start_broker();
    let admin = broker.admin();
    let address = format!("kafka.address=127.0.0.1:9, {}", broker.address);
    let mut run = start_external_run(&sandbox, "kafka", &[&address, "run.repetitions=2"]);
    let mut most_messages: Vec<(String, i64)> = Vec::new();
    while !run.has_ended() {
        for (name, count) in topics(&admin).into_iter().filter(|(name, _)| name != "theirs") {
            match most_messages.iter_mut().find(|(known, _)| *known == name) {
                Some((_, most)) => *most = count.max(*most),
                None => most_messages.push((name, count)),
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
    let output = run.wait();
    let missing = "kafka: its processor, memory, disk and network are missing";
    output.reports(0, &[missing]);
    assert!(output.stdout.contains(missing), "{}", output.stdout);
    let record = read_checked(&sandbox.record_file().unwrap());
    for repetition in repetitions(&record) {
        let ledger = repetition.ledger;
        assert_eq!((ledger.planned, ledger.delivered, ledger.stored), (800, 800, Some(800)));
        assert!(repetition.resources.is_empty() && repetition.samples.is_empty());
        assert_eq!(reason_codes(repetition), [""; 0], "missing resources are no reason for doubt");
    }
    let filled: Vec<_> = most_messages.iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(filled.len(), 2, "a topic for each repetition: {most_messages:?}");
    assert!(filled.iter().all(|(name, count)| name.starts_with("hubmark-") && *count <= 800));
    assert_eq!(topics(&admin), [("theirs".to_owned(), 0)]);
    assert!(broker.is_running(), "hubmark ended it");
}

#[test]
fn the_hub_option_takes_a_kind_or_an_engine_address() {
    let sandbox = Sandbox::new();
    let plan = |hub: &str, set: &str| {
        let backend = ["--set", "backend=mariadb", "--set", set, "--dry-run"];
        let output = sandbox.run([&["run", "first-look", "--hub", hub], &backend[..]].concat());
        output.reports(0, &[]);
        output.stdout
    };
    let external = plan("external", "mariadb.address=pi:3306");
    assert!(external.contains("external: mariadb at pi:3306, running already"), "{external}");
    let engine = plan("ssh://pi", "run.seed=1");
    assert!(engine.contains("docker at ssh://pi"), "{engine}");
    let local = plan("local", "run.seed=1");
    assert!(local.contains("local: child processes"), "{local}");
    sandbox.run(["doctor", "--hub", "external"]).reports(2, &["needs a profile"]);
}

#[test]
#[ignore = "needs mariadbd on PATH"]
fn the_next_run_removes_leftovers_of_a_killed_run_and_nothing_else() {
    let sandbox = Sandbox::new();
    let (broker, maria) = (start_broker(), ExternalMariaDb::start());
    // A topic named like hubmark's, but without an owner: it may belong to anyone.
    create_topic(&broker, "hubmark-1");
    let admin = broker.admin();
    let (before, topics_before) = (maria.state(), topics(&admin));
    let password = format!("mariadb.password_env={PASSWORD_VARIABLE}");
    let account = ["mariadb.user=bench", &password, &maria.address()].map(str::to_owned);
    let address = format!("kafka.address={}", broker.address);
    let both = ["workload.messages=4000", "backend=kafka,mariadb", "run.order=blocked", &address];
    let sets: Vec<&str> = account.iter().map(String::as_str).chain(both).collect();
    let mut killed = start_external_run(&sandbox, "kafka", &sets);
    killed.wait_for_load();
    killed.kill();
    assert_eq!(topics(&admin).len(), topics_before.len() + 1, "a killed run leaves its topic");
    let second = Sandbox::new();
    let mut killed =
        start_external_run(&second, "mariadb", &[&sets[..], &["backend=mariadb"]].concat());
    killed.wait_for_load();
    killed.kill();
    assert_ne!(maria.state(), before);
    assert_eq!(
        topics(&admin).len(),
        topics_before.len() + 1,
        "a run without Kafka removes no topic"
    );
    let both = ["workload.messages=4", "workload.users=2"];
    let output =
        start_external_run(&Sandbox::new(), "kafka", &[&sets[..], &both[..]].concat()).wait();
    let removed =
        ["removed a leftover of a dead run: topic hubmark-", "dead run: DATABASE `hubmark_"];
    output.reports(0, &removed);
    assert_eq!((maria.state(), topics(&admin)), (before, topics_before));
}

#[test]
fn the_doctor_checks_external_servers() {
    let sandbox = Sandbox::new();
    let broker = start_broker();
    let ask = |sets: &[&str]| {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        let fixed = ["doctor", "first-look", "--hub", "external", "--set", "backend=kafka"];
        sandbox.run(fixed.into_iter().chain(sets).collect::<Vec<_>>())
    };
    let address = format!("kafka.address={}", broker.address);
    let healthy = ask(&[&address]);
    assert_eq!(healthy.status, Some(0), "{healthy:#?}");
    for line in ["ok    server kafka", "answers at 127.0.0.1:", "warn  resources of kafka"] {
        assert!(healthy.stdout.contains(line), "{line}: {}", healthy.stdout);
    }
    assert_eq!(topics(&broker.admin()), [("theirs".to_owned(), 0)]);
    let failing = ask(&["kafka.address=127.0.0.1:9"]);
    assert_eq!(failing.status, Some(1), "{failing:#?}");
    assert!(failing.stdout.contains("fail  server kafka"), "{}", failing.stdout);
}
