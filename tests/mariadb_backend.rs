//! The MariaDB backend against real servers: what it promises the engine, whatever the server does.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

mod mariadb_server;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use hubmark::{
    backend::{BackendError, Bundling, Fleet, SendError, Session},
    clock::Clock,
    plan::Durability,
    server::HubKind,
    stamp::{Stamp, User},
};
use mariadb_server::{
    PASSWORD, Server, backend, setup,
    witness::{Listener, Reading, eventually},
};
use mysql_async::{Conn, OptsBuilder, prelude::Queryable};
use serde_json::json;

fn payload(stamp: Stamp) -> Vec<u8> {
    stamp.to_bytes().repeat(3)
}

/// Hands over message number `tick` of `user`, again and again while the queues are full.
fn send(fleet: &mut dyn Fleet, user: User, tick: u64) {
    let stamp = Stamp::new(user, tick);
    let message = [&stamp.to_bytes()[..], &payload(stamp)].concat();
    loop {
        match fleet.send(user, stamp, &message) {
            Ok(()) => return,
            Err(SendError::Full) => std::thread::sleep(Duration::from_millis(1)),
            Err(SendError::Refused(reason)) => panic!("{reason}"),
        }
    }
}

async fn open(server: &Server, users: u32) -> Box<dyn Session> {
    let session = server.session(&setup(users, 24), Clock::start()).await;
    session.reset().await.unwrap();
    session
}

/// A connection of the test's own, for what no fleet does.
async fn own_connection(server: &Server) -> Conn {
    connection_of(server, "hubmark").await
}

async fn connection_of(server: &Server, user: &str) -> Conn {
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
async fn every_message_of_every_user_arrives_once_and_in_order() {
    let server = Server::start(&setup(200, 24));
    let session = open(&server, 200).await;
    let reading = Reading::start(session.consumer(Bundling::Single).await.unwrap());
    let listener = Arc::new(Listener::default());
    let mut fleet = session.fleet(200, Bundling::Single, listener.clone()).await.unwrap();
    assert_eq!(listener.said().connected, 200);
    for tick in 1..=20 {
        (0..200).for_each(|user| send(&mut *fleet, user, tick));
    }
    listener.outcomes(4_000).await;
    reading.arrivals.reach(4_000).await;
    assert_eq!(session.count().await.unwrap(), 4_000);
    drop(fleet);
    let told = reading.arrivals.told.lock().unwrap().clone();
    reading.stop().1.unwrap();
    let mut last = BTreeMap::new();
    for (number, bytes) in &told {
        let stamp = Stamp::from_number(*number);
        assert_eq!(*bytes, payload(stamp));
        let before = last.insert(stamp.user(), stamp.tick()).unwrap_or(0);
        assert_eq!(stamp.tick(), before + 1, "{stamp}");
    }
    assert_eq!(told.len(), 4_000);
    assert_eq!(listener.said().acked.len(), 4_000);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn bundled_messages_arrive_once_and_are_acknowledged_once() {
    let server = Server::start(&setup(3, 24));
    let session = open(&server, 3).await;
    let reading = Reading::start(session.consumer(Bundling::Bulk).await.unwrap());
    let listener = Arc::new(Listener::default());
    let mut fleet = session.fleet(3, Bundling::Bulk, listener.clone()).await.unwrap();
    for tick in 1..=10_500 {
        (0..3).for_each(|user| send(&mut *fleet, user, tick));
    }
    fleet.flush();
    listener.outcomes(31_500).await;
    reading.arrivals.reach(31_500).await;
    let (stamps, result) = reading.stop();
    result.unwrap();
    assert_eq!(session.count().await.unwrap(), 31_500);
    assert_eq!(sorted(stamps.clone()), sorted(listener.said().acked.clone()));
    assert_eq!(stamps.iter().collect::<BTreeSet<_>>().len(), 31_500);
    assert_eq!(stamps.len(), 31_500);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn rows_that_commit_out_of_order_arrive_once() {
    let server = Server::start(&setup(1, 24));
    let session = open(&server, 1).await;
    let reading = Reading::start(session.consumer(Bundling::Single).await.unwrap());
    let (mut late, mut gone, mut quick) = (
        own_connection(&server).await,
        own_connection(&server).await,
        own_connection(&server).await,
    );
    for transaction in [&mut late, &mut gone] {
        transaction.query_drop("START TRANSACTION").await.unwrap();
    }
    // 1 late, 2 rolled back, 3 at once; and so on: two thirds of the ids are gaps for a while.
    for number in 0..2_000 {
        insert(&mut late, 3 * number).await;
        insert(&mut gone, 3 * number + 1).await;
        insert(&mut quick, 3 * number + 2).await;
    }
    reading.arrivals.reach(2_000).await;
    assert!(reading.arrivals.stamps().iter().all(|stamp| stamp % 3 == 2));
    gone.query_drop("ROLLBACK").await.unwrap();
    late.query_drop("COMMIT").await.unwrap();
    reading.arrivals.reach(4_000).await;
    insert(&mut quick, 6_000).await;
    reading.arrivals.reach(4_001).await;
    let (stamps, result) = reading.stop();
    result.unwrap();
    let wanted: Vec<u64> = (0..=6_000).filter(|stamp| stamp % 3 != 1).collect();
    assert_eq!(sorted(stamps), wanted);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_row_is_waited_for_as_long_as_its_transaction_lives() {
    let server = Server::start(&setup(1, 24));
    let session = open(&server, 1).await;
    let reading = Reading::start(session.consumer(Bundling::Single).await.unwrap());
    let (mut late, mut quick) = (own_connection(&server).await, own_connection(&server).await);
    late.query_drop("START TRANSACTION").await.unwrap();
    insert(&mut late, 1).await;
    insert(&mut quick, 2).await;
    // Longer than any gap is looked for whose owner is known to be gone.
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(reading.arrivals.stamps(), [2]);
    late.query_drop("COMMIT").await.unwrap();
    reading.arrivals.reach(2).await;
    let (stamps, result) = reading.stop();
    result.unwrap();
    assert_eq!(stamps, [2, 1]);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn an_id_that_was_rolled_back_is_given_up() {
    let server = Server::start(&setup(1, 24));
    let session = open(&server, 1).await;
    let reading = Reading::start(session.consumer(Bundling::Single).await.unwrap());
    let (mut gone, mut quick) = (own_connection(&server).await, own_connection(&server).await);
    gone.query_drop("START TRANSACTION").await.unwrap();
    insert(&mut gone, 1).await;
    insert(&mut quick, 2).await;
    reading.arrivals.reach(1).await;
    gone.query_drop("ROLLBACK").await.unwrap();
    // What the reader asks for is in the server's log of statements.
    let mut root = connection_of(&server, "root").await;
    root.query_drop("SET GLOBAL log_output = 'TABLE', GLOBAL general_log = ON").await.unwrap();
    let mut asked_for_gaps = Vec::new();
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
        asked_for_gaps.push(polls.iter().any(|poll| poll.contains("BETWEEN")));
        if asked_for_gaps.last() == Some(&false) {
            break;
        }
    }
    assert_eq!(asked_for_gaps.first(), Some(&true), "at first it is looked for");
    assert_eq!(asked_for_gaps.last(), Some(&false), "and in the end no more");
    reading.stop().1.unwrap();
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_loaded_table_is_read_from_its_start() {
    let server = Server::start(&setup(1, 24));
    let session = open(&server, 1).await;
    let listener = Arc::new(Listener::default());
    let mut fleet = session.fleet(1, Bundling::Bulk, listener.clone()).await.unwrap();
    (1..=25_000).for_each(|tick| send(&mut *fleet, 0, tick));
    fleet.flush();
    listener.outcomes(25_000).await;
    let reading = Reading::start(session.consumer(Bundling::Bulk).await.unwrap());
    reading.arrivals.reach(25_000).await;
    let (stamps, result) = reading.stop();
    result.unwrap();
    assert!(stamps.windows(2).all(|pair| pair[0] < pair[1]));
    session.reset().await.unwrap();
    assert_eq!(session.count().await.unwrap(), 0);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_refused_message_is_told_as_such_and_a_missing_table_ends_the_reader() {
    let server = Server::start(&setup(2, 24));
    let session = open(&server, 2).await;
    let reading = Reading::start(session.consumer(Bundling::Single).await.unwrap());
    let listener = Arc::new(Listener::default());
    let mut fleet = session.fleet(2, Bundling::Single, listener.clone()).await.unwrap();
    send(&mut *fleet, 0, 1);
    listener.outcomes(1).await;
    own_connection(&server).await.query_drop("DROP TABLE messages").await.unwrap();
    send(&mut *fleet, 1, 2);
    listener.outcomes(2).await;
    let error = reading.thread.join().unwrap().unwrap_err().to_string();
    assert!(error.contains("messages' doesn't exist"), "{error}");
    let said = listener.said();
    assert_eq!(said.acked, [Stamp::new(0, 1).number()]);
    assert_eq!(said.refused[0].0, Stamp::new(1, 2).number());
    assert!(said.refused[0].1.contains("doesn't exist"), "{:?}", said.refused);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_wrong_password_is_refused_and_never_shown() {
    let right = setup(1, 24);
    let server = Server::start(&right);
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
async fn a_restarted_server_loses_nothing_that_it_acknowledged() {
    let server = Server::start_published(&setup(20, 24));
    let session = open(&server, 20).await;
    let reading = Reading::start(session.consumer(Bundling::Single).await.unwrap());
    let listener = Arc::new(Listener::default());
    let mut fleet = session.fleet(20, Bundling::Single, listener.clone()).await.unwrap();
    (1..=50).for_each(|tick| (0..20).for_each(|user| send(&mut *fleet, user, tick)));
    server.docker(&["kill"]);
    (51..=60).for_each(|tick| (0..20).for_each(|user| send(&mut *fleet, user, tick)));
    server.docker(&["start"]);
    listener.outcomes(1_200).await;
    let acked: BTreeSet<u64> = listener.said().acked.iter().copied().collect();
    eventually("acknowledged messages", || {
        let arrived: BTreeSet<u64> = reading.arrivals.stamps().into_iter().collect();
        acked.is_subset(&arrived)
    })
    .await;
    drop(fleet);
    let stored: BTreeSet<u64> = own_connection(&server)
        .await
        .query("SELECT stamp FROM messages")
        .await
        .unwrap()
        .into_iter()
        .collect();
    eventually("stored messages", || {
        stored.is_subset(&reading.arrivals.stamps().into_iter().collect())
    })
    .await;
    let (stamps, result) = reading.stop();
    result.unwrap();
    let said = listener.said();
    let arrived: BTreeSet<u64> = stamps.iter().copied().collect();
    assert_eq!(arrived.len(), stamps.len(), "each once");
    // A row can be read in the moment between its commit and the flush that the server died in.
    assert!(arrived.difference(&stored).all(|stamp| said.unknown.contains(stamp)));
    assert!(said.unknown.len() <= 20, "at most the one under way of each user");
    assert!(said.acked.iter().any(|stamp| Stamp::from_number(*stamp).tick() == 60));
    assert!(said.notes.iter().any(|note| note.contains("connected again")), "{:?}", said.notes);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_hung_server_holds_up_neither_fleet_nor_consumer() {
    let server = Server::start(&setup(5, 24));
    let session = open(&server, 5).await;
    let reading = Reading::start(session.consumer(Bundling::Single).await.unwrap());
    let listener = Arc::new(Listener::default());
    let mut fleet = session.fleet(5, Bundling::Single, listener.clone()).await.unwrap();
    server.docker(&["pause"]);
    (1..=3).for_each(|tick| (0..5).for_each(|user| send(&mut *fleet, user, tick)));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    drop(fleet);
    let (stamps, result) = reading.stop();
    let error = result.expect_err("what may have arrived was not read").to_string();
    assert!(error.contains("has not answered"), "{error}");
    assert!(stamps.is_empty());
    server.docker(&["unpause"]);
    let said = listener.said();
    assert_eq!(said.unknown.len(), 5, "one under way for each user");
    assert_eq!(said.refused.len(), 10, "the others were never sent");
    assert!(said.refused.iter().all(|(_, reason)| reason.contains("never sent")));
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn durability_and_settings_are_read_back_from_the_server() {
    for (durability, flush) in
        [(Durability::Default, "1"), (Durability::Memory, "2"), (Durability::Disk, "1")]
    {
        let mut setup = setup(30, 24);
        setup.point.durability = durability;
        setup.settings.insert("buffer_pool".into(), json!(64 << 20));
        setup.settings.insert("server".into(), json!({ "innodb-io-capacity": 321 }));
        let server = Server::start(&setup);
        let session = server.session(&setup, Clock::start()).await;
        session.reset().await.unwrap();
        let facts = session.facts().await.unwrap();
        let in_force: BTreeMap<_, _> = facts.settings.into_iter().collect();
        assert!(facts.version.starts_with("10.11"), "{}", facts.version);
        assert_eq!(in_force["innodb_flush_log_at_trx_commit"], flush);
        assert_eq!(in_force["innodb_buffer_pool_size"], (64 << 20).to_string());
        assert_eq!(in_force["innodb_io_capacity"], "321");
        assert_eq!(in_force["table_engine"], "InnoDB");
        assert_eq!(in_force["table_row_format"], "Dynamic");
        assert!(in_force["max_connections"].parse::<u32>().unwrap() >= 30);
        if durability == Durability::Disk {
            assert_eq!(in_force["sync_binlog"], "1");
        }
    }
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn other_storage_engines_work_too() {
    for engine in ["Aria", "MyISAM"] {
        let mut setup = setup(4, 24);
        setup.settings.insert("engine".into(), json!(engine));
        let server = Server::start(&setup);
        let session = server.session(&setup, Clock::start()).await;
        session.reset().await.unwrap();
        let reading = Reading::start(session.consumer(Bundling::Single).await.unwrap());
        let listener = Arc::new(Listener::default());
        let mut fleet = session.fleet(4, Bundling::Single, listener.clone()).await.unwrap();
        (1..=50).for_each(|tick| (0..4).for_each(|user| send(&mut *fleet, user, tick)));
        listener.outcomes(200).await;
        reading.arrivals.reach(200).await;
        let (stamps, result) = reading.stop();
        result.unwrap();
        assert_eq!(stamps.len(), 200, "{engine}");
        assert_eq!(session.count().await.unwrap(), 200, "{engine}");
    }
}

#[tokio::test]
#[ignore = "needs mariadbd on PATH"]
async fn a_local_server_runs_from_a_fresh_folder() {
    let mut setup = setup(3, 24);
    setup.hub = HubKind::Local;
    let server = Server::start(&setup);
    let session = server.session(&setup, Clock::start()).await;
    session.reset().await.unwrap();
    let listener = Arc::new(Listener::default());
    let mut fleet = session.fleet(3, Bundling::Single, listener.clone()).await.unwrap();
    (0..3).for_each(|user| send(&mut *fleet, user, 1));
    listener.outcomes(3).await;
    drop(fleet);
    assert_eq!(session.count().await.unwrap(), 3);
    assert!(!server.command_line().contains(PASSWORD));
    let mut wrong = setup.clone();
    wrong.password = String::new();
    let servers = std::slice::from_ref(&server.running);
    let refused = backend().connect(&wrong, servers, Clock::start(), Duration::from_mins(1)).await;
    assert!(matches!(refused.err(), Some(BackendError::Refused { .. })));
}
