//! The MariaDB backend on real servers: what it guarantees the engine, whatever the server does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use hubmark::{
    backend::{BackendError, Batching, Fleet, RepetitionContext, SendError, Session},
    clock::Clock,
    hot_thread::ThreadRole,
    plan::Durability,
    server::HubKind,
    stamp::{Stamp, UserId},
};
use mysql_async::{Conn, OptsBuilder, prelude::Queryable};
use serde_json::json;

use crate::support::{
    backend_probe::{ConsumerThread, OutcomeLog},
    mariadb_server::{MariaDbServer, PASSWORD, backend, mariadb_context},
    wait::until_async,
};

/// Payload size of the messages in bytes.
const PAYLOAD: u64 = 24;

fn payload(stamp: Stamp) -> Vec<u8> {
    stamp.to_bytes().repeat(3)
}

/// Sends message number `tick` of `user`; waits while the queue is full.
fn send(fleet: &mut dyn Fleet, user: UserId, tick: u64) {
    let stamp = Stamp::new(user, tick);
    let message = [&stamp.to_bytes()[..], &payload(stamp)].concat();
    loop {
        match fleet.send(user, stamp, &message) {
            Ok(_) => return,
            Err(SendError::Full) => std::thread::sleep(Duration::from_millis(1)),
            Err(SendError::Refused(reason)) => panic!("{reason}"),
        }
    }
}

/// Opens a session with an empty table.
async fn open_session(server: &MariaDbServer, context: &RepetitionContext) -> Box<dyn Session> {
    let session = server.session(context, Clock::start()).await;
    session.reset().await.unwrap();
    session
}

/// Starts a server and opens a session with an empty table.
async fn start_server(users: u32) -> (MariaDbServer, Box<dyn Session>) {
    let context = mariadb_context(users, PAYLOAD);
    let server = MariaDbServer::start(&context);
    let session = open_session(&server, &context).await;
    (server, session)
}

/// Starts a consumer.
async fn start_consumer(session: &dyn Session, batching: Batching) -> ConsumerThread {
    ConsumerThread::start(session.open_consumer(batching).await.unwrap())
}

/// Opens a fleet with the log of its outcomes.
async fn open_fleet(
    session: &dyn Session,
    users: u32,
    batching: Batching,
) -> (Box<dyn Fleet>, Arc<OutcomeLog>) {
    let log = Arc::new(OutcomeLog::default());
    (session.open_fleet(users, batching, log.clone()).await.unwrap(), log)
}

/// Connects as hubmark's user, for statements that no fleet sends.
async fn connect(server: &MariaDbServer) -> Conn {
    connect_as(server, "hubmark").await
}

async fn connect_as(server: &MariaDbServer, user: &str) -> Conn {
    let address = server.running.endpoint(3306);
    let opts = OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some(user))
        .pass(Some(PASSWORD))
        .db_name(Some("hubmark"))
        .prefer_socket(false);
    Conn::new(opts).await.unwrap()
}

async fn insert(connection: &mut Conn, stamp: u64) {
    connection
        .exec_drop("INSERT INTO messages (stamp, payload) VALUES (?, 'x')", (stamp,))
        .await
        .unwrap();
}

fn sorted(mut stamps: Vec<u64>) -> Vec<u64> {
    stamps.sort_unstable();
    stamps
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn the_one_thread_of_all_users_is_watched_while_it_works_and_afterwards() {
    let (_server, session) = start_server(50).await;
    let (mut fleet, log) = open_fleet(&*session, 50, Batching::Single).await;
    for tick in 1..=20 {
        (0..50).for_each(|user| send(&mut *fleet, user, tick));
    }
    log.wait_for(1_000).await;
    let threads = log.outcomes().threads.clone();
    let [users] = &threads[..] else { panic!("{threads:?}") };
    assert_eq!((users.name(), users.role()), ("mariadb-users", ThreadRole::Acknowledges));
    let (working, pass) = (users.counters(), users.longest_pass_micros());
    assert!(!working.cpu.is_zero() && pass > Some(0), "{working:?}, {pass:?}");
    drop(fleet);
    assert!(users.counters().cpu >= working.cpu);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn every_message_of_every_user_arrives_once_and_in_order() {
    let (_server, session) = start_server(200).await;
    let consumer = start_consumer(&*session, Batching::Single).await;
    let (mut fleet, log) = open_fleet(&*session, 200, Batching::Single).await;
    assert_eq!(log.outcomes().connected, 200);
    for tick in 1..=20 {
        (0..200).for_each(|user| send(&mut *fleet, user, tick));
    }
    log.wait_for(4_000).await;
    consumer.log.wait_for(4_000).await;
    assert_eq!(session.count_messages().await.unwrap(), 4_000);
    drop(fleet);
    let arrivals = consumer.log.arrivals.lock().unwrap().clone();
    consumer.stop().1.unwrap();
    let mut last = BTreeMap::new();
    for (number, bytes) in &arrivals {
        let stamp = Stamp::from_number(*number);
        assert_eq!(*bytes, payload(stamp));
        let before = last.insert(stamp.user(), stamp.tick()).unwrap_or(0);
        assert_eq!(stamp.tick(), before + 1, "{stamp}");
    }
    assert_eq!(arrivals.len(), 4_000);
    assert_eq!(log.outcomes().acked.len(), 4_000);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn batched_messages_arrive_once_and_are_acknowledged_once() {
    let (_server, session) = start_server(3).await;
    let consumer = start_consumer(&*session, Batching::Bulk).await;
    let (mut fleet, log) = open_fleet(&*session, 3, Batching::Bulk).await;
    for tick in 1..=10_500 {
        (0..3).for_each(|user| send(&mut *fleet, user, tick));
    }
    fleet.flush();
    log.wait_for(31_500).await;
    consumer.log.wait_for(31_500).await;
    let (stamps, result) = consumer.stop();
    result.unwrap();
    assert_eq!(session.count_messages().await.unwrap(), 31_500);
    assert_eq!(sorted(stamps.clone()), sorted(log.outcomes().acked.clone()));
    assert_eq!(stamps.iter().collect::<BTreeSet<_>>().len(), 31_500);
    assert_eq!(stamps.len(), 31_500);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn rows_that_commit_out_of_order_arrive_once() {
    let (server, session) = start_server(1).await;
    let consumer = start_consumer(&*session, Batching::Single).await;
    let (mut late, mut rolled_back, mut quick) =
        (connect(&server).await, connect(&server).await, connect(&server).await);
    for transaction in [&mut late, &mut rolled_back] {
        transaction.query_drop("START TRANSACTION").await.unwrap();
    }
    // In turns: committed late, rolled back, committed at once. Two thirds of the ids are gaps meanwhile.
    for number in 0..2_000 {
        insert(&mut late, 3 * number).await;
        insert(&mut rolled_back, 3 * number + 1).await;
        insert(&mut quick, 3 * number + 2).await;
    }
    consumer.log.wait_for(2_000).await;
    assert!(consumer.log.stamps().iter().all(|stamp| stamp % 3 == 2));
    rolled_back.query_drop("ROLLBACK").await.unwrap();
    late.query_drop("COMMIT").await.unwrap();
    consumer.log.wait_for(4_000).await;
    insert(&mut quick, 6_000).await;
    consumer.log.wait_for(4_001).await;
    let (stamps, result) = consumer.stop();
    result.unwrap();
    let wanted: Vec<u64> = (0..=6_000).filter(|stamp| stamp % 3 != 1).collect();
    assert_eq!(sorted(stamps), wanted);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_row_is_awaited_while_its_transaction_is_open() {
    let (server, session) = start_server(1).await;
    let consumer = start_consumer(&*session, Batching::Single).await;
    let (mut late, mut quick) = (connect(&server).await, connect(&server).await);
    late.query_drop("START TRANSACTION").await.unwrap();
    insert(&mut late, 1).await;
    insert(&mut quick, 2).await;
    // Longer than a gap is looked for after its transaction has ended.
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(consumer.log.stamps(), [2]);
    late.query_drop("COMMIT").await.unwrap();
    consumer.log.wait_for(2).await;
    let (stamps, result) = consumer.stop();
    result.unwrap();
    assert_eq!(stamps, [2, 1]);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn the_id_of_a_rolled_back_row_is_given_up() {
    let (server, session) = start_server(1).await;
    let consumer = start_consumer(&*session, Batching::Single).await;
    let (mut rolled_back, mut quick) = (connect(&server).await, connect(&server).await);
    rolled_back.query_drop("START TRANSACTION").await.unwrap();
    insert(&mut rolled_back, 1).await;
    insert(&mut quick, 2).await;
    consumer.log.wait_for(1).await;
    rolled_back.query_drop("ROLLBACK").await.unwrap();
    // The server's log of statements shows the consumer's queries.
    let mut root = connect_as(&server, "root").await;
    root.query_drop("SET GLOBAL log_output = 'TABLE', GLOBAL general_log = ON").await.unwrap();
    let mut queries_for_gaps = Vec::new();
    for _ in 0..300 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let polls: Vec<String> = root
            .query(
                "SELECT CONVERT(argument USING utf8) FROM mysql.general_log \
                 WHERE command_type = 'Execute' AND argument LIKE 'SELECT id%'",
            )
            .await
            .unwrap();
        root.query_drop("TRUNCATE TABLE mysql.general_log").await.unwrap();
        if polls.is_empty() {
            continue;
        }
        queries_for_gaps.push(polls.iter().any(|poll| poll.contains("BETWEEN")));
        if queries_for_gaps.last() == Some(&false) {
            break;
        }
    }
    assert_eq!(queries_for_gaps.first(), Some(&true), "at first the gap is looked for");
    assert_eq!(queries_for_gaps.last(), Some(&false), "in the end it is given up");
    consumer.stop().1.unwrap();
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_loaded_table_is_read_from_its_start() {
    let (_server, session) = start_server(1).await;
    let (mut fleet, log) = open_fleet(&*session, 1, Batching::Bulk).await;
    (1..=25_000).for_each(|tick| send(&mut *fleet, 0, tick));
    fleet.flush();
    log.wait_for(25_000).await;
    let consumer = start_consumer(&*session, Batching::Bulk).await;
    consumer.log.wait_for(25_000).await;
    let (stamps, result) = consumer.stop();
    result.unwrap();
    assert!(stamps.windows(2).all(|pair| pair[0] < pair[1]));
    session.reset().await.unwrap();
    assert_eq!(session.count_messages().await.unwrap(), 0);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_refused_message_is_reported_and_a_missing_table_ends_the_consumer() {
    let (server, session) = start_server(2).await;
    let consumer = start_consumer(&*session, Batching::Single).await;
    let (mut fleet, log) = open_fleet(&*session, 2, Batching::Single).await;
    send(&mut *fleet, 0, 1);
    log.wait_for(1).await;
    connect(&server).await.query_drop("DROP TABLE messages").await.unwrap();
    send(&mut *fleet, 1, 2);
    log.wait_for(2).await;
    let error = consumer.thread.join().unwrap().unwrap_err().to_string();
    assert!(error.contains("messages' doesn't exist"), "{error}");
    let outcomes = log.outcomes();
    assert_eq!(outcomes.acked, [Stamp::new(0, 1).number()]);
    assert_eq!(outcomes.refused[0].0, Stamp::new(1, 2).number());
    assert!(outcomes.refused[0].1.contains("doesn't exist"), "{:?}", outcomes.refused);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_wrong_password_is_refused_and_never_shown() {
    let right = mariadb_context(1, PAYLOAD);
    let server = MariaDbServer::start(&right);
    server.session(&right, Clock::start()).await;
    let mut wrong = right.clone();
    wrong.password = "Wr0ng-and-private".into();
    let servers = std::slice::from_ref(&server.running);
    let error = backend()
        .connect(&wrong, servers, Clock::start(), Duration::from_mins(1))
        .await
        .err()
        .expect("a refusal");
    assert!(matches!(error, BackendError::Refused { .. }), "{error}");
    assert!(!error.to_string().contains(&wrong.password));
    assert!(!server.command_line().contains(PASSWORD));
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_restarted_server_loses_no_acknowledged_message() {
    let context = mariadb_context(20, PAYLOAD);
    let server = MariaDbServer::start_published(&context);
    let session = open_session(&server, &context).await;
    let consumer = start_consumer(&*session, Batching::Single).await;
    let (mut fleet, log) = open_fleet(&*session, 20, Batching::Single).await;
    (1..=50).for_each(|tick| (0..20).for_each(|user| send(&mut *fleet, user, tick)));
    server.docker(&["kill"]);
    (51..=60).for_each(|tick| (0..20).for_each(|user| send(&mut *fleet, user, tick)));
    server.docker(&["start"]);
    log.wait_for(1_200).await;
    let acked: BTreeSet<u64> = log.outcomes().acked.iter().copied().collect();
    until_async("acknowledged messages", async || {
        let arrived: BTreeSet<u64> = consumer.log.stamps().into_iter().collect();
        acked.is_subset(&arrived)
    })
    .await;
    drop(fleet);
    let stored: BTreeSet<u64> = connect(&server)
        .await
        .query("SELECT stamp FROM messages")
        .await
        .unwrap()
        .into_iter()
        .collect();
    until_async("stored messages", async || {
        stored.is_subset(&consumer.log.stamps().into_iter().collect())
    })
    .await;
    let (stamps, result) = consumer.stop();
    result.unwrap();
    let outcomes = log.outcomes();
    let arrived: BTreeSet<u64> = stamps.iter().copied().collect();
    assert_eq!(arrived.len(), stamps.len(), "each once");
    // A row may be read between its commit and the flush, before the server is killed.
    assert!(arrived.difference(&stored).all(|stamp| outcomes.unknown.contains(stamp)));
    assert!(outcomes.unknown.len() <= 20, "at most one message of each user was on the way");
    assert!(outcomes.acked.iter().any(|stamp| Stamp::from_number(*stamp).tick() == 60));
    assert!(
        outcomes.notes.iter().any(|note| note.contains("connected again")),
        "{:?}",
        outcomes.notes
    );
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_hung_server_blocks_neither_fleet_nor_consumer() {
    let (server, session) = start_server(5).await;
    let consumer = start_consumer(&*session, Batching::Single).await;
    let (mut fleet, log) = open_fleet(&*session, 5, Batching::Single).await;
    server.docker(&["pause"]);
    (1..=3).for_each(|tick| (0..5).for_each(|user| send(&mut *fleet, user, tick)));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    drop(fleet);
    let (stamps, result) = consumer.stop();
    let error = result.expect_err("arrived messages may be unread").to_string();
    assert!(error.contains("has not answered"), "{error}");
    assert!(stamps.is_empty());
    server.docker(&["unpause"]);
    let outcomes = log.outcomes();
    assert_eq!(outcomes.unknown.len(), 5, "one message of each user was on the way");
    assert_eq!(outcomes.refused.len(), 10, "the others were never sent");
    assert!(outcomes.refused.iter().all(|(_, reason)| reason.contains("never sent")));
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn durability_and_settings_are_read_back_from_the_server() {
    for (durability, flush) in
        [(Durability::Default, "1"), (Durability::Memory, "2"), (Durability::Disk, "1")]
    {
        let mut context = mariadb_context(30, PAYLOAD);
        context.point.durability = durability;
        context.settings.insert("buffer_pool".into(), json!(64 << 20));
        context.settings.insert("server".into(), json!({ "innodb-io-capacity": 321 }));
        let server = MariaDbServer::start(&context);
        let session = open_session(&server, &context).await;
        let facts = session.facts().await.unwrap();
        let settings: BTreeMap<_, _> = facts.settings.into_iter().collect();
        assert!(facts.version.starts_with("10.11"), "{}", facts.version);
        assert_eq!(settings["innodb_flush_log_at_trx_commit"], flush);
        assert_eq!(settings["innodb_buffer_pool_size"], (64 << 20).to_string());
        assert_eq!(settings["innodb_io_capacity"], "321");
        assert_eq!(settings["table_engine"], "InnoDB");
        assert_eq!(settings["table_row_format"], "Dynamic");
        assert!(settings["max_connections"].parse::<u32>().unwrap() >= 30);
        if durability == Durability::Disk {
            assert_eq!(settings["sync_binlog"], "1");
        }
    }
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn other_storage_engines_work_too() {
    for engine in ["Aria", "MyISAM"] {
        let mut context = mariadb_context(4, PAYLOAD);
        context.settings.insert("engine".into(), json!(engine));
        let server = MariaDbServer::start(&context);
        let session = open_session(&server, &context).await;
        let consumer = start_consumer(&*session, Batching::Single).await;
        let (mut fleet, log) = open_fleet(&*session, 4, Batching::Single).await;
        (1..=50).for_each(|tick| (0..4).for_each(|user| send(&mut *fleet, user, tick)));
        log.wait_for(200).await;
        consumer.log.wait_for(200).await;
        let (stamps, result) = consumer.stop();
        result.unwrap();
        assert_eq!(stamps.len(), 200, "{engine}");
        assert_eq!(session.count_messages().await.unwrap(), 200, "{engine}");
    }
}

#[tokio::test]
#[ignore = "needs mariadbd on PATH"]
async fn a_local_server_runs_from_a_fresh_folder() {
    let mut context = mariadb_context(3, PAYLOAD);
    context.hub = HubKind::Local;
    let server = MariaDbServer::start(&context);
    let session = open_session(&server, &context).await;
    let (mut fleet, log) = open_fleet(&*session, 3, Batching::Single).await;
    (0..3).for_each(|user| send(&mut *fleet, user, 1));
    log.wait_for(3).await;
    drop(fleet);
    assert_eq!(session.count_messages().await.unwrap(), 3);
    assert!(!server.command_line().contains(PASSWORD));
    let mut wrong = context.clone();
    wrong.password = String::new();
    let servers = std::slice::from_ref(&server.running);
    let refused = backend().connect(&wrong, servers, Clock::start(), Duration::from_mins(1)).await;
    assert!(matches!(refused.err(), Some(BackendError::Refused { .. })));
}
