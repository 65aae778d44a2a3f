//! The sessions of MariaDB's users: connections that the server closes, and statements that outlive
//! their connections.

use std::{sync::Arc, time::Duration};

use hubmark::{
    backend::{Batching, Fleet, RepetitionContext, Session},
    clock::Clock,
    server::HubKind,
    stamp::Stamp,
};
use mysql_async::{Conn, OptsBuilder, prelude::Queryable};

use crate::support::{
    backend_probe::OutcomeLog,
    mariadb_server::{MariaDbServer, PASSWORD, mariadb_context},
    wait::until_async,
};

const USERS: u32 = 3;
/// Longer than the time from which on a connection is checked before it is used.
const IDLE: Duration = Duration::from_millis(1_100);

fn local_context() -> RepetitionContext {
    RepetitionContext { hub: HubKind::Local, ..mariadb_context(USERS, 8) }
}

async fn open_fleet(server: &MariaDbServer) -> (Box<dyn Session>, Box<dyn Fleet>, Arc<OutcomeLog>) {
    let session = server.session(&local_context(), Clock::start()).await;
    session.reset().await.unwrap();
    let log = Arc::new(OutcomeLog::default());
    let fleet = session.open_fleet(USERS, Batching::Single, log.clone()).await.unwrap();
    (session, fleet, log)
}

/// Sends a message of each user.
fn send_all(fleet: &mut dyn Fleet, tick: u64) {
    for user in 0..USERS {
        let stamp = Stamp::new(user, tick);
        fleet.send(user, stamp, &[stamp.to_bytes(); 2].concat()).unwrap();
    }
}

/// Connects as hubmark's user, whose sessions it may end.
async fn connect(server: &MariaDbServer) -> Conn {
    let address = server.running.endpoint(3306);
    let opts = OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some("hubmark"))
        .pass(Some(PASSWORD))
        .db_name(Some("hubmark"))
        .prefer_socket(false);
    Conn::new(opts).await.unwrap()
}

#[tokio::test]
#[ignore = "needs mariadbd on PATH"]
async fn a_closed_connection_is_noticed_before_the_next_message() {
    let server = MariaDbServer::start(&local_context());
    let (session, mut fleet, log) = open_fleet(&server).await;
    send_all(&mut *fleet, 1);
    log.wait_for(USERS as usize).await;
    let mut admin = connect(&server).await;
    let others = "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID()";
    let ids: Vec<u32> = admin.query(others).await.unwrap();
    for id in ids {
        // A session that ends by itself meanwhile is no user's.
        let _ = admin.query_drop(format!("KILL {id}")).await;
    }
    until_async("no session is left", async || {
        admin.query::<u32, _>(others).await.unwrap().is_empty()
    })
    .await;
    tokio::time::sleep(IDLE).await;
    send_all(&mut *fleet, 2);
    log.wait_for(2 * USERS as usize).await;
    drop(fleet);
    assert_eq!(session.count_messages().await.unwrap(), u64::from(2 * USERS));
    let outcomes = log.outcomes();
    assert_eq!(outcomes.acked.len(), 2 * USERS as usize, "{:?}", outcomes.refused);
    assert!(outcomes.unknown.is_empty());
    assert!(outcomes.notes.iter().any(|note| note.contains("3 times")), "{:?}", outcomes.notes);
}

#[tokio::test]
#[ignore = "needs mariadbd on PATH"]
async fn rows_that_commit_after_their_connections_were_closed_are_counted() {
    let server = MariaDbServer::start(&local_context());
    let (session, mut fleet, log) = open_fleet(&server).await;
    let mut admin = connect(&server).await;
    let slow = "CREATE TRIGGER slow BEFORE INSERT ON messages FOR EACH ROW DO SLEEP(3)";
    admin.query_drop(slow).await.unwrap();
    send_all(&mut *fleet, 1);
    until_async("the server executes the statements", async || {
        let running =
            "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User sleep'";
        admin.query_first::<u32, _>(running).await.unwrap() == Some(USERS)
    })
    .await;
    drop(fleet);
    assert_eq!(log.outcomes().unknown.len(), USERS as usize, "no answer came");
    assert_eq!(session.count_messages().await.unwrap(), u64::from(USERS));
}
