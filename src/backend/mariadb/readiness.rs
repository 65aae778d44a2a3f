//! Waits until a server accepts the login, and reads what its sessions depend on.

use std::time::{Duration, Instant};

use mysql_async::{Conn, Error, prelude::Queryable};
use tokio::time::{self, sleep};

use super::{
    info::ROLE,
    login::{LOGIN_TIMEOUT, MariaDbLogin, USER, error_text, is_login_final},
    session_variables,
};
use crate::backend::BackendError;

/// Pause between two attempts to reach a server that is starting.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);
/// Longest wait for one attempt: a starting server may accept a connection and not answer.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// What a session learns from the server.
struct SessionFacts {
    max_packet: usize,
    idle_timeout: Duration,
    /// Why the session's variables are not those that hubmark set.
    deviation: Option<String>,
}

/// Waits until the server accepts the login and answers; returns the login with the server's limits.
///
/// # Errors
/// The server refuses the login, does not answer in time, or its sessions have other variables than
/// those that hubmark sets.
pub async fn wait_until_ready(
    login: MariaDbLogin,
    timeout: Duration,
) -> Result<MariaDbLogin, BackendError> {
    let started = Instant::now();
    let session = loop {
        let last = match time::timeout(ATTEMPT_TIMEOUT, read_session(&login)).await {
            Ok(Ok(session)) => break session,
            Ok(Err(error)) if is_login_final(&error) => {
                return Err(login.backend_error("logging in", &error));
            }
            Ok(Err(error)) => error_text(&error),
            Err(_) => {
                format!("it accepted the connection and did not answer for {ATTEMPT_TIMEOUT:.0?}")
            }
        };
        if started.elapsed() >= timeout {
            return Err(BackendError::NotReady {
                server: ROLE.into(),
                address: login.address().to_string(),
                waited: timeout,
                last,
            });
        }
        sleep(RETRY_INTERVAL).await;
    };
    if let Some(deviation) = session.deviation {
        return Err(login.operation_error("logging in", deviation));
    }
    if login.location().managed {
        grant_process_privilege(&login).await;
    }
    Ok(login.with_limits(session.max_packet, session.idle_timeout))
}

async fn read_session(login: &MariaDbLogin) -> Result<SessionFacts, Error> {
    let mut connection = Conn::new(login.options()).await?;
    let limits: Option<(usize, u64)> = connection
        .query_first("SELECT @@global.max_allowed_packet, @@session.wait_timeout")
        .await?;
    let names = session_variables::names();
    let variables = session_variables::read(&mut connection, names).await?;
    connection.disconnect().await?;
    let (max_packet, idle_seconds) = limits.unwrap_or((16 << 20, 28_800));
    Ok(SessionFacts {
        max_packet,
        idle_timeout: Duration::from_secs(idle_seconds),
        deviation: session_variables::describe_deviation(&variables),
    })
}

/// Grants hubmark's user the privilege to list active transactions.
///
/// The list is the consumer's proof that a skipped id will never arrive. Images create the user
/// without that privilege. Without it the consumer only waits longer, so a failure is no error.
async fn grant_process_privilege(login: &MariaDbLogin) {
    let granted = time::timeout(LOGIN_TIMEOUT, async {
        let mut admin = Conn::new(login.admin_options()).await?;
        admin.query_drop(format!("GRANT PROCESS ON *.* TO {USER}@'%'")).await?;
        admin.disconnect().await
    });
    match granted.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(reason = error_text(&error), "PROCESS not granted"),
        Err(_) => tracing::debug!("PROCESS not granted in time"),
    }
}
