//! Servers that run already: hubmark plays the load on them, makes only what is its own, removes
//! it, touches nothing else, and repeats no password. A `mariadbd` and the built-in broker stand for
//! servers of somebody else, and a second reader of the test's own looks at them meanwhile.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::common::{only, read};
use crate::mariadb_server::Server;
use crate::support_faults::{Answer, Bench, Going, program, until};
use hubmark::{record::Record, server::HubKind};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};

/// The password of the account that somebody gave to hubmark.
const WORD: &str = "w0rd-0f-an-acc0unt";
const VARIABLE: &str = "HUBMARK_TEST_WORD";
const SECOND: Duration = Duration::from_secs(1);

/// A load of two seconds.
const LOAD: &[&str] = &[
    "hub.kind=external",
    "workload.users=20",
    "workload.messages=40",
    "workload.arrival={ distribution = \"constant\", mean = \"50 ms\" }",
    // A cold server on a busy machine takes its time, and has it.
    "workload.drain=\"60 s\"",
    "run.baseline=\"1 s\"",
    "run.retries=0",
];

fn start(bench: &Bench, backend: &str, sets: &[&str]) -> Going {
    let mut command = bench.command(program());
    command.env(VARIABLE, WORD).args(["run", "first-look"]);
    let backend = format!("backend={backend}");
    let sets = [LOAD, &[&backend], sets].concat();
    command.args(sets.iter().flat_map(|set| ["--set", set]));
    bench.going(command)
}

/// A run that cannot begin, or not end.
#[track_caller]
fn refused(bench: &Bench, backend: &str, sets: &[&str], code: i32, words: &[&str]) -> Answer {
    let answer = start(bench, backend, sets).end();
    answer.says(code, words);
    assert!(!says_the_word(bench, &answer), "{answer:#?}");
    answer
}

/// Whether the password stands in anything that hubmark has said or written.
fn says_the_word(bench: &Bench, answer: &Answer) -> bool {
    let told = format!("{}{}", answer.stdout, answer.stderr);
    told.contains(WORD) || holds_the_word(&bench.path(""))
}

fn holds_the_word(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds_the_word(&path);
        }
        String::from_utf8_lossy(&fs::read(path).unwrap()).contains(WORD)
    })
}

/// What every account of this machine sees of all processes.
fn process_list() -> String {
    let list = Command::new("ps").args(["-eo", "pid,args"]).output().unwrap();
    String::from_utf8(list.stdout).unwrap()
}

/// Somebody's MariaDB, with a database, an account for hubmark, and a second reader.
struct MariaDb {
    server: Server,
}

impl MariaDb {
    fn start() -> Self {
        let mut setup = crate::mariadb_server::setup(1, 100);
        setup.hub = HubKind::Local;
        let maria = Self { server: Server::start(&setup) };
        until("the server answers", || maria.try_sql("SELECT 1").is_ok());
        maria.sql(&format!(
            "CREATE DATABASE theirs; CREATE TABLE theirs.precious (id INT PRIMARY KEY); \
             INSERT INTO theirs.precious VALUES (1), (2), (3); \
             CREATE USER bench@'%' IDENTIFIED BY '{WORD}'; \
             GRANT ALL ON `hubmark\\_%`.* TO bench@'%'; \
             CREATE USER guest@'%' IDENTIFIED BY '{WORD}'; \
             GRANT ALL ON theirs.* TO guest@'%'"
        ));
        maria
    }

    fn try_sql(&self, statements: &str) -> Result<String, String> {
        let socket = self.server.running.dir.as_ref().unwrap().join("mariadb.sock");
        // As whoever has started it: that account needs no password.
        let output = Command::new("mariadb")
            .arg("--no-defaults")
            .arg(format!("--socket={}", socket.display()))
            .args(["-N", "-e", statements])
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().trim().to_owned();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    fn sql(&self, statements: &str) -> String {
        self.try_sql(statements).unwrap()
    }

    fn address(&self) -> String {
        format!("mariadb.address={}", self.server.running.endpoint(3306))
    }

    /// Tables of hubmark's own.
    fn own(&self) -> Vec<String> {
        let tables = self.sql(
            "SELECT CONCAT('`', table_schema, '`.`', table_name, '`') FROM \
             information_schema.tables WHERE CONCAT(table_schema, table_name) LIKE \
             '%hubmark\\_%'",
        );
        tables.lines().map(str::to_owned).collect()
    }

    /// Everything that is theirs: databases, tables, rows, accounts, rights, settings.
    fn state(&self) -> String {
        self.sql(
            "SHOW DATABASES; SELECT * FROM theirs.precious; SHOW TABLES FROM theirs; \
             SELECT user, host, authentication_string FROM mysql.user ORDER BY 1, 2; \
             SELECT * FROM mysql.db ORDER BY 1, 2, 3; \
             SHOW GLOBAL VARIABLES WHERE Variable_name NOT IN ('gtid_binlog_pos')",
        )
    }

    fn inserts(&self) -> u64 {
        let counter = self.sql("SHOW GLOBAL STATUS LIKE 'Com_insert'");
        counter.rsplit('\t').next().unwrap().parse().unwrap()
    }
}

#[test]
#[ignore = "needs mariadbd on PATH"]
fn a_mariadb_that_runs_already_is_measured_and_left_as_it_was() {
    let bench = Bench::new();
    let maria = MariaDb::start();
    let (before, inserted) = (maria.state(), maria.inserts());
    let process = format!("mariadb.process={}", maria.server.running.id);
    let account = ["mariadb.user=bench", &format!("mariadb.password_env={VARIABLE}"), &process];
    let address = maria.address();
    let sets = [&account[..], &[&address]].concat();
    let mut going = start(&bench, "mariadb", &sets);
    let mut seen = 0;
    let mut listed = String::new();
    while !going.over() {
        listed.push_str(&process_list());
        for table in maria.own() {
            // It may just have been removed.
            if let Ok(rows) = maria.try_sql(&format!("SELECT COUNT(*) FROM {table}")) {
                seen = seen.max(rows.parse::<u64>().unwrap());
            }
        }
    }
    let answer = going.end();
    answer.says(0, &["external servers ran before this run"]);
    assert!(listed.contains("first-look") && !listed.contains(WORD));
    assert!(!says_the_word(&bench, &answer));
    assert!(answer.stdout.contains("external: mariadb at 127.0.0.1:"), "{}", answer.stdout);
    let record = read(&bench.record_file().unwrap());
    let ledger = only(&record).ledger;
    assert_eq!((ledger.planned, ledger.delivered, ledger.stored), (800, 800, Some(800)));
    assert!(0 < seen && seen <= 800, "the second reader saw {seen}");
    assert_eq!(maria.inserts() - inserted, 800, "inserts by the server's own count");
    let resources = &only(&record).resources["mariadb"];
    assert!(resources.cpu.core_seconds.is_some_and(|used| used > 0.0), "{resources:?}");
    assert!(resources.memory.idle.is_some() && resources.network.sent.is_none());
    let server = &record.provenance.servers["mariadb"];
    assert!(
        server.version.contains("MariaDB") && server.images["mariadb"].image.contains("not known")
    );
    assert_eq!(maria.own(), [""; 0], "left behind");
    assert_eq!(maria.state(), before, "theirs was touched");
}

#[test]
#[ignore = "needs mariadbd on PATH"]
fn in_a_database_of_theirs_only_a_table_of_its_own_is_made_and_an_interruption_removes_it() {
    let bench = Bench::new();
    let maria = MariaDb::start();
    let before = maria.state();
    let file = bench.path("config/word");
    fs::write(&file, format!("{WORD}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let file_set = format!("mariadb.password_file={}", file.display());
    let sets = [
        &maria.address(),
        "mariadb.user=guest",
        &file_set,
        "mariadb.database=theirs",
        "workload.messages=4000",
    ];
    let mut going = start(&bench, "mariadb", &sets);
    going.until_load();
    let own = maria.own();
    assert!(own.len() == 1 && own[0].starts_with("`theirs`.`hubmark_"), "{own:?}");
    going.signal(nix::sys::signal::Signal::SIGINT);
    let answer = going.end();
    answer.says(130, &["mariadb: its processor, memory, disk and network are missing"]);
    fs::remove_file(file).unwrap();
    assert!(!says_the_word(&bench, &answer));
    assert_eq!(maria.state(), before);
}

#[test]
#[ignore = "needs mariadbd on PATH"]
fn what_a_mariadb_of_others_cannot_do_is_refused_before_anything_is_measured() {
    let bench = Bench::new();
    let maria = MariaDb::start();
    let before = maria.state();
    let address = maria.address();
    let word = format!("mariadb.password_env={VARIABLE}");
    let account = |user: &'static str| [&*address, user, &*word].map(str::to_owned).to_vec();
    let run = |user: &'static str, more: &[&str], code, words: &[&str]| {
        let account = account(user);
        let sets: Vec<&str> =
            account.iter().map(String::as_str).chain(more.iter().copied()).collect();
        refused(&bench, "mariadb", &sets, code, words);
        assert!(bench.record_file().is_none(), "nothing was measured");
    };
    // The root of that server may not come from there at all.
    run("mariadb.user=nobody", &[], 1, &["refused user \"nobody\"", "Access denied"]);
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
    refused(&bench, "mariadb", &wrong, 1, &["refused user \"bench\""]);
    let unset = [&*address, "mariadb.user=bench", "mariadb.password_env=HUBMARK_NOT_SET"];
    refused(&bench, "mariadb", &unset, 1, &["HUBMARK_NOT_SET is not set"]);
    let file = bench.path("word");
    fs::write(&file, "x\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let open = format!("mariadb.password_file={}", file.display());
    let open = [&*address, "mariadb.user=bench", &open];
    refused(&bench, "mariadb", &open, 1, &[&format!("chmod 600 {}", file.display())]);
    // The doctor says the same.
    let mut doctor = bench.command(program());
    doctor.env(VARIABLE, WORD).args(["doctor", "first-look", "--set", "hub.kind=external"]);
    doctor.args(["--set", "backend=mariadb", "--set", &address, "--set", &word]);
    let sets = ["mariadb.user=bench", "workload.users=400"];
    let said = Answer::of(doctor.args(sets.iter().flat_map(|set| ["--set", set])));
    assert_eq!(said.status.code(), Some(1), "{said:#?}");
    for line in ["ok    server mariadb", "fail  server mariadb", "max_connections = 410"] {
        assert!(said.stdout.contains(line), "{line}: {}", said.stdout);
    }
    assert!(!says_the_word(&bench, &said));
    assert_eq!(maria.own(), [""; 0]);
    assert_eq!(maria.state(), before);
}

#[test]
fn what_cannot_be_asked_of_servers_of_others_is_refused_with_its_place() {
    let bench = Bench::new();
    let address = "mariadb.address=127.0.0.1:9";
    let run = |sets: &[&str], words: &[&str]| {
        refused(&bench, "mariadb", sets, 2, words);
    };
    run(&[], &["mariadb.address: this key is missing"]);
    run(&["mariadb.address=\"a:b\""], &["mariadb.address", "a port is a number"]);
    run(&[address, "hub.limits.cpus=\"1 cpus\""], &["hub.limits.cpus", "the hub is external"]);
    run(&[address, "hub.limits.link=\"1 MB/s\""], &["hub.limits.link"]);
    run(&[address, "hub.engine=\"unix:///x\""], &["where a server's container is"]);
    run(&[address, "run.footprint=true"], &["run.footprint", "starts and kills servers"]);
    let fault = "fault=[{ at = \"1 s\", kind = \"pause\", for = \"1 s\" }]";
    run(&[address, fault], &["has not started is not harmed"]);
    run(&[address, "backend=mariadb:10.11"], &["a version of its own: leave it out"]);
    let word = format!("mariadb.password={WORD}");
    run(&[address, &word], &["--set mariadb.password=…", "not written into a profile"]);
    run(&[address, "mariadb.password_env=A"], &["mariadb.user: this key is missing"]);
    run(&[address, "backend=builtin"], &["builtin cannot run on the external hub"]);
    run(&[address, "hub.kind=docker"], &["mariadb.address", "set hub.kind = \"external\""]);
    let nobody = [address];
    refused(&bench, "mariadb", &nobody, 1, &["cannot reach mariadb at 127.0.0.1:9", "firewall"]);
}

/// Somebody's broker that speaks Kafka's protocol, with a topic of theirs.
struct Broker {
    child: Child,
    address: String,
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Broker {
    fn start() -> Self {
        let mut child = Command::new(program())
            .args(["broker", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split_whitespace().find(|word| word.starts_with("127.0.0.1:"));
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}")).to_owned();
        let broker = Self { child, address };
        broker.make("theirs");
        broker
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        admin(&self.address)
    }

    fn make(&self, topic: &str) {
        let admin = self.admin();
        let topic = NewTopic::new(topic, 1, TopicReplication::Fixed(1));
        let made = admin.create_topics([&topic], &AdminOptions::new());
        let made = tokio::runtime::Runtime::new().unwrap().block_on(made).unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }
}

fn admin(address: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", address).create().unwrap()
}

/// Every topic, and how many messages it holds.
fn topics(admin: &AdminClient<DefaultClientContext>) -> Vec<(String, i64)> {
    let client = admin.inner();
    let known = client.fetch_metadata(None, 10 * SECOND).unwrap();
    let names = known.topics().iter().map(|topic| topic.name().to_owned());
    let held = |name: String| {
        let held = client.fetch_watermarks(&name, 0, SECOND).map_or(0, |(low, high)| high - low);
        (name, held)
    };
    names.filter(|name| !name.starts_with("__")).map(held).collect()
}

#[test]
fn a_broker_that_runs_already_is_measured_and_left_as_it_was() {
    let bench = Bench::new();
    let mut broker = Broker::start();
    let admin = broker.admin();
    let address = format!("kafka.address=127.0.0.1:9, {}", broker.address);
    let mut going = start(&bench, "kafka", &[&address, "run.repetitions=2"]);
    let mut seen: Vec<(String, i64)> = Vec::new();
    while !going.over() {
        for (name, held) in topics(&admin).into_iter().filter(|(name, _)| name != "theirs") {
            match seen.iter_mut().find(|(known, _)| *known == name) {
                Some((_, most)) => *most = held.max(*most),
                None => seen.push((name, held)),
            }
        }
    }
    let answer = going.end();
    let missing = "kafka: its processor, memory, disk and network are missing";
    answer.says(0, &[missing]);
    assert!(answer.stdout.contains(missing), "{}", answer.stdout);
    let record = read(&bench.record_file().unwrap());
    for repetition in crate::common::repetitions(&record) {
        let ledger = repetition.ledger;
        assert_eq!((ledger.planned, ledger.delivered, ledger.stored), (800, 800, Some(800)));
        assert!(repetition.resources.is_empty() && repetition.samples.is_empty());
        assert_eq!(
            crate::common::codes(repetition),
            [""; 0],
            "what is known to be missing is no doubt"
        );
    }
    let full: Vec<_> = seen.iter().filter(|(_, held)| *held > 0).collect();
    assert_eq!(full.len(), 2, "a topic for each repetition: {seen:?}");
    assert!(full.iter().all(|(name, held)| name.starts_with("hubmark-") && *held <= 800));
    assert_eq!(topics(&admin), [("theirs".to_owned(), 0)]);
    assert!(broker.child.try_wait().unwrap().is_none(), "it was ended");
}

#[test]
fn a_hub_is_named_on_the_command_line_by_its_kind_or_its_engine() {
    let bench = Bench::new();
    let plan = |hub: &str, set: &str| {
        let backend = ["--set", "backend=mariadb", "--set", set, "--dry-run"];
        let answer = bench.answer(&[&["run", "first-look", "--hub", hub], &backend[..]].concat());
        answer.says(0, &[]);
        answer.stdout
    };
    let external = plan("external", "mariadb.address=pi:3306");
    assert!(external.contains("external: mariadb at pi:3306, running already"), "{external}");
    let engine = plan("ssh://pi", "run.seed=1");
    assert!(engine.contains("docker at ssh://pi"), "{engine}");
    let local = plan("local", "run.seed=1");
    assert!(local.contains("local: child processes"), "{local}");
    bench.answer(&["doctor", "--hub", "external"]).says(2, &["needs a profile"]);
}

#[test]
#[ignore = "needs mariadbd on PATH"]
fn what_a_killed_run_has_left_is_removed_by_the_next_and_nothing_else() {
    let bench = Bench::new();
    let (broker, maria) = (Broker::start(), MariaDb::start());
    // A name like ours, of nobody: it may be anybody's.
    broker.make("hubmark-1");
    let admin = broker.admin();
    let (before, theirs) = (maria.state(), topics(&admin));
    let word = format!("mariadb.password_env={VARIABLE}");
    let account = ["mariadb.user=bench", &word, &maria.address()].map(str::to_owned);
    let address = format!("kafka.address={}", broker.address);
    let both = ["workload.messages=4000", "backend=kafka,mariadb", "run.order=blocked", &address];
    let sets: Vec<&str> = account.iter().map(String::as_str).chain(both).collect();
    let mut killed = start(&bench, "kafka", &sets);
    killed.until_load();
    killed.kill();
    assert_eq!(topics(&admin).len(), theirs.len() + 1, "it had no time to clear away");
    let second = Bench::new();
    let mut killed = start(&second, "mariadb", &[&sets[..], &["backend=mariadb"]].concat());
    killed.until_load();
    killed.kill();
    assert_ne!(maria.state(), before);
    assert_eq!(topics(&admin).len(), theirs.len() + 1, "no Kafka was met");
    let both = ["workload.messages=4", "workload.users=2"];
    let answer = start(&Bench::new(), "kafka", &[&sets[..], &both[..]].concat()).end();
    let gone = ["removed a leftover of a dead run: topic hubmark-", "dead run: DATABASE `hubmark_"];
    answer.says(0, &gone);
    assert_eq!((maria.state(), topics(&admin)), (before, theirs));
}

#[test]
fn the_doctor_meets_servers_that_run_already() {
    let bench = Bench::new();
    let broker = Broker::start();
    let ask = |sets: &[&str]| {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        let fixed = ["doctor", "first-look", "--hub", "external", "--set", "backend=kafka"];
        bench.answer(&fixed.into_iter().chain(sets).collect::<Vec<_>>())
    };
    let address = format!("kafka.address={}", broker.address);
    let well = ask(&[&address]);
    assert_eq!(well.status.code(), Some(0), "{well:#?}");
    for line in ["ok    server kafka", "answers at 127.0.0.1:", "warn  resources of kafka"] {
        assert!(well.stdout.contains(line), "{line}: {}", well.stdout);
    }
    assert_eq!(topics(&broker.admin()), [("theirs".to_owned(), 0)]);
    let ill = ask(&["kafka.address=127.0.0.1:9"]);
    assert_eq!(ill.status.code(), Some(1), "{ill:#?}");
    assert!(ill.stdout.contains("fail  server kafka"), "{}", ill.stdout);
}

/// Somebody's container.
struct Container(String);

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-fv", &self.0]).output();
    }
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A Kafka that lets nobody in at its second port without a password.
fn kafka_with_a_password() -> (Container, String) {
    let jaas = format!(
        "org.apache.kafka.common.security.plain.PlainLoginModule required user_bench=\"{WORD}\";"
    );
    let name = format!("hubmark-test-external-{}", std::process::id());
    let settings = [
        "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://CONTAINER_ADDRESS:9092,HOST://CONTAINER_ADDRESS:9094",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=PLAINTEXT:PLAINTEXT,HOST:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_SASL_ENABLED_MECHANISMS=PLAIN",
    ];
    let mut command = Command::new("docker");
    command.args(["run", "-d", "--pull", "never", "--name", &name]);
    command.args(settings.iter().flat_map(|setting| ["-e", setting]));
    command.args(["-e", "KAFKA_LISTENER_NAME_HOST_PLAIN_SASL_JAAS_CONFIG"]);
    command.env("KAFKA_LISTENER_NAME_HOST_PLAIN_SASL_JAAS_CONFIG", jaas);
    let started = command.args(["hubmark/kafka:4.4.0", "kafka"]).output().unwrap();
    assert!(started.status.success(), "{started:?}");
    let address = docker(&["inspect", "-f", "{{.NetworkSettings.IPAddress}}", &name]);
    (Container(name), address)
}

/// The images are built by the first run that needs them.
fn built(bench: &Bench) {
    let profile: PathBuf = bench.path("kafka.toml");
    let text = "name = \"k\"\nbackend = \"kafka:4.4.0\"\n[workload]\nusers = 1\nmessages = 1\n";
    fs::write(&profile, text).unwrap();
    let mut command = bench.command(program());
    command.env_remove("DOCKER_HOST").args(["images", "build"]).arg(profile);
    Answer::of(&mut command).says(0, &[]);
}

fn on_the_engine(bench: &Bench, sets: &[&str]) -> Answer {
    let mut command = bench.command(program());
    command.env_remove("DOCKER_HOST").env(VARIABLE, WORD).args(["run", "first-look"]);
    let sets = [LOAD, &["backend=kafka"], sets].concat();
    command.args(sets.iter().flat_map(|set| ["--set", set]));
    bench.going(command).end_within(Duration::from_mins(2))
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_kafka_in_a_container_of_others_is_measured_by_its_name_and_with_its_password() {
    let bench = Bench::new();
    built(&bench);
    let (container, host) = kafka_with_a_password();
    let admin = admin(&format!("{host}:9092"));
    until("the broker answers", || {
        admin.inner().fetch_metadata(None, SECOND).is_ok_and(|known| !known.brokers().is_empty())
    });
    let address = format!("kafka.address={host}:9094");
    let named = format!("kafka.container={}", container.0);
    let account = ["kafka.user=bench", &format!("kafka.password_env={VARIABLE}")];
    let wrong = ["kafka.user=bench", "kafka.password_env=HOME"];
    let answer = on_the_engine(&bench, &[&wrong[..], &[&address]].concat());
    answer.says(1, &["refused user \"bench\"", "uthentication"]);
    assert!(bench.record_file().is_none());
    let gone = "kafka.container=hubmark-nobody-has-this";
    let answer = on_the_engine(&bench, &[&account[..], &[&address, gone]].concat());
    answer.says(1, &["looking for the container hubmark-nobody-has-this"]);
    let disk = ["run.durability=disk", &address, &named];
    let answer = on_the_engine(&bench, &[&account[..], &disk[..]].concat());
    answer.says(0, &[]);
    assert!(!says_the_word(&bench, &answer), "{answer:#?}");
    let record: Record = read(&bench.record_file().unwrap());
    let repetition = only(&record);
    let ledger = repetition.ledger;
    assert_eq!((ledger.planned, ledger.delivered, ledger.stored), (800, 800, Some(800)));
    let resources = &repetition.resources["kafka"];
    assert!(resources.cpu.core_seconds.is_some_and(|used| used > 0.0), "{resources:?}");
    assert!(resources.memory.mean.is_some() && resources.network.received.is_some());
    let server = &record.provenance.servers["kafka"];
    assert_eq!(server.images["kafka"].image, "hubmark/kafka:4.4.0");
    assert!(server.images["kafka"].digest.is_some());
    assert_eq!(server.settings["disk"]["topic.flush.messages"], "1");
    assert_eq!(topics(&admin), [], "left behind");
    assert_eq!(docker(&["inspect", "-f", "{{.State.Status}}", &container.0]), "running");
}
