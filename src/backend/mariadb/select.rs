//! What the reader asks the server, and how it hands rows on.

use std::{cell::RefCell, pin::pin, time::Duration};

use mysql_async::{Conn, Error, Row, Statement, Value, prelude::Queryable};
use tokio::time::timeout;

use super::{
    gaps::{Gaps, Range},
    login::{Login, refuses_login, words},
    recent::{self, Recent},
    settings::Settings,
};
use crate::{
    backend::{BackendError, Bundling, Inbox},
    clock::Clock,
    stamp::Stamp,
};

/// How often the inbox is asked whether to stop while the server is waited for.
const STOP_CHECK: Duration = Duration::from_millis(20);
/// A server that takes longer for one answer has not answered: another connection is tried.
const ANSWER: Duration = Duration::from_secs(30);
/// Rows of one page in the latency workload, where a poll finds a few.
const SINGLE_PAGE: usize = 1_000;
/// A page holds about this many bytes at most, so that a stop does not wait for more.
const PAGE_BYTES: u64 = 16 << 20;
/// Rows after which the inbox is told to make them visible.
const FLUSH_EVERY: usize = 256;

/// Open ranges that each of the statements looks for. Unused places repeat the last range.
const ARITIES: [usize; 6] = [0, 1, 8, 64, 256, 1024];
/// Open ranges in one query at most.
pub const LOOKS: usize = ARITIES[ARITIES.len() - 1];
/// A transaction's identity for as long as it lasts: its connection, and its start.
pub type Transaction = (u64, String);

/// What is asked of the server.
pub struct Queries {
    /// Rows of one page.
    pub page: usize,
    rows_beyond: String,
    selects: [String; ARITIES.len()],
    may_prove: bool,
}

/// A connection and its prepared statements.
pub struct Link {
    connection: Conn,
    selects: Vec<Statement>,
    /// Whether the server shows us which transactions are active.
    pub proves: bool,
}

/// Why a turn did not come to its end.
pub enum Halt {
    /// The inbox wants no more; for so long an answer was waited for.
    Stopped(Duration),
    /// The connection is of no more use.
    Lost(String),
    /// There is no sense in going on.
    Fatal(BackendError),
}

impl Queries {
    /// Queries of pages that suit workload and payload.
    pub fn new(table: &str, bundling: Bundling, settings: &Settings, payload: u64) -> Self {
        let most = (PAGE_BYTES / payload.max(1)).clamp(1, u64::from(u32::MAX)) as usize;
        let page = match bundling {
            Bundling::Single => SINGLE_PAGE,
            Bundling::Bulk => settings.batch,
        }
        .clamp(1, most);
        let select = format!("SELECT id, stamp, payload FROM {table} WHERE");
        let order = format!("ORDER BY id LIMIT {page}");
        let selects = ARITIES.map(|ranges| {
            let ranges = " OR id BETWEEN ? AND ?".repeat(ranges);
            format!("{select} id > ?{ranges} {order}")
        });
        let rows_beyond = format!("SELECT id, stamp FROM {table} WHERE id > ?");
        Self { page, rows_beyond, selects, may_prove: settings.transactional() }
    }
}

impl Link {
    /// Says good-bye.
    pub async fn close(self) -> Result<(), Error> {
        self.connection.disconnect().await
    }

    /// Connects and prepares.
    pub async fn open(login: &Login, queries: &Queries) -> Result<Self, Error> {
        let mut connection = Conn::new(login.opts()).await?;
        let mut selects = Vec::with_capacity(ARITIES.len());
        for query in &queries.selects {
            selects.push(connection.prep(query.as_str()).await?);
        }
        // Without this privilege the list of transactions is empty instead of forbidden.
        let privileges: Option<u64> = connection
            .query_first(
                "SELECT COUNT(*) FROM information_schema.user_privileges \
                 WHERE privilege_type = 'PROCESS'",
            )
            .await?;
        let proves = queries.may_prove && privileges.unwrap_or(0) > 0;
        Ok(Self { connection, selects, proves })
    }

    /// The rows beyond an id, without their payloads.
    pub async fn rows_beyond(
        &mut self,
        queries: &Queries,
        id: u64,
    ) -> Result<Vec<recent::Row>, Error> {
        self.connection.exec(queries.rows_beyond.as_str(), (id,)).await
    }

    /// The transactions that are active now; those of the last tenth of a second may be missing.
    pub async fn active(&mut self) -> Result<Vec<Transaction>, Error> {
        self.connection
            .query(
                "SELECT trx_mysql_thread_id, CAST(trx_started AS CHAR) \
                 FROM information_schema.innodb_trx",
            )
            .await
    }
}

/// Which rows were read.
#[derive(Default)]
pub struct Seen {
    /// All of them, by what is missing among them.
    pub gaps: Gaps,
    /// The last ones.
    pub recent: Recent,
}

/// What a query gave.
#[derive(Default)]
pub struct Read {
    /// How many rows there were.
    pub rows: usize,
    /// Id of the last row.
    pub last: u64,
}

/// What every query of a turn needs.
pub struct Pass<'a, 'i> {
    /// For words about errors.
    pub login: &'a Login,
    /// The run's clock.
    pub clock: Clock,
    /// Where arrivals are told.
    pub inbox: &'a RefCell<&'i mut dyn Inbox>,
}

impl Pass<'_, '_> {
    /// Reads a page of rows beyond the highest id seen and of the `ranges`, and tells the inbox
    /// each row that is seen for the first time.
    pub async fn page(
        &self,
        link: &mut Link,
        ranges: &[Range],
        seen: &mut Seen,
    ) -> Result<Read, Halt> {
        let arity = ARITIES.iter().position(|arity| *arity >= ranges.len()).unwrap_or(0);
        let bounds = bounds(seen.gaps.high(), ranges, ARITIES[arity]);
        self.ask(async {
            let mut result = link.connection.exec_iter(&link.selects[arity], bounds).await?;
            let mut read = Read::default();
            while let Some(row) = result.next().await? {
                read.rows += 1;
                read.last = self.deliver(&row, seen).unwrap_or(read.last);
                if read.rows.is_multiple_of(FLUSH_EVERY) {
                    self.inbox.borrow_mut().flush();
                }
            }
            Ok(read)
        })
        .await
    }

    /// Returns the row's id, if it is a row of ours.
    fn deliver(&self, row: &Row, seen: &mut Seen) -> Option<u64> {
        let at = self.clock.now();
        let (Some(id), Some(stamp), Some(Value::Bytes(payload))) =
            (unsigned(row, 0), unsigned(row, 1), row.as_ref(2))
        else {
            self.inbox.borrow_mut().foreign();
            return None;
        };
        if seen.gaps.take(id, at) {
            seen.recent.push((id, stamp));
            self.inbox.borrow_mut().arrived(at, Stamp::from_number(stamp), payload);
        }
        Some(id)
    }

    /// Waits for an answer, unless the inbox wants no more.
    pub async fn ask<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Halt> {
        match unless_stopped(self.inbox, ANSWER, work).await? {
            Ok(value) => Ok(value),
            Err(error) if is_final(&error) => {
                Err(Halt::Fatal(self.login.explain("reading", &error)))
            }
            Err(error) => Err(Halt::Lost(words(&error))),
        }
    }
}

/// An unsigned column; the library gives what fits as a signed number.
fn unsigned(row: &Row, column: usize) -> Option<u64> {
    match row.as_ref(column)? {
        Value::UInt(number) => Some(*number),
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

/// Waits for `work`, but no longer than `patience`, and not once the inbox wants no more.
pub async fn unless_stopped<T>(
    inbox: &RefCell<&mut dyn Inbox>,
    patience: Duration,
    work: impl Future<Output = T>,
) -> Result<T, Halt> {
    let mut work = pin!(work);
    let mut waited = Duration::ZERO;
    loop {
        if let Ok(value) = timeout(STOP_CHECK, &mut work).await {
            return Ok(value);
        }
        waited += STOP_CHECK;
        if inbox.borrow().stopped() {
            return Err(Halt::Stopped(waited));
        }
        if waited >= patience {
            return Err(Halt::Lost(format!("no answer within {patience:.0?}")));
        }
    }
}

/// Codes of errors that another attempt may not meet: too many connections, shutting down,
/// interrupted, connection killed, lock wait, deadlock.
const PASSING: &[u16] = &[1040, 1053, 1317, 1927, 1205, 1213];

/// Whether trying again cannot help: the server refuses us, or what we ask for.
pub fn is_final(error: &Error) -> bool {
    refuses_login(error)
        || matches!(error, Error::Server(server) if !PASSING.contains(&server.code))
}

/// The parameters of a statement for rows beyond `high`, and for `arity` ranges.
fn bounds(high: u64, ranges: &[Range], arity: usize) -> Vec<Value> {
    let padding = ranges.last().into_iter().cycle();
    let ranges = ranges.iter().chain(padding).take(arity);
    std::iter::once(high)
        .chain(ranges.flat_map(|(first, last)| [*first, *last]))
        .map(Value::UInt)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::mariadb::test_setup;

    #[test]
    fn unused_places_repeat_the_last_range() {
        let numbers = |values: Vec<Value>| -> Vec<u64> {
            values.into_iter().map(mysql_async::from_value).collect()
        };
        assert_eq!(numbers(bounds(20, &[], 0)), [20]);
        assert_eq!(numbers(bounds(20, &[(1, 2)], 1)), [20, 1, 2]);
        assert_eq!(numbers(bounds(20, &[(1, 2), (5, 9)], 4)), [20, 1, 2, 5, 9, 5, 9, 5, 9]);
    }

    #[test]
    fn a_page_of_large_rows_is_short() {
        let setup = test_setup(1, 100);
        let settings = Settings::read(&setup).0;
        assert_eq!(Queries::new("messages", Bundling::Bulk, &settings, 1_000).page, settings.batch);
        assert_eq!(Queries::new("messages", Bundling::Bulk, &settings, 4 << 20).page, 4);
        assert_eq!(Queries::new("messages", Bundling::Bulk, &settings, 1 << 40).page, 1);
        assert_eq!(Queries::new("messages", Bundling::Single, &settings, 0).page, SINGLE_PAGE);
    }

    #[test]
    fn every_arity_asks_for_that_many_ranges() {
        let setup = test_setup(1, 100);
        let queries = Queries::new("messages", Bundling::Single, &Settings::read(&setup).0, 100);
        for (query, arity) in queries.selects.iter().zip(ARITIES) {
            assert_eq!(query.matches('?').count(), 1 + 2 * arity);
        }
    }

    #[test]
    fn a_missing_table_is_final_and_a_lost_connection_is_not() {
        let server = |code| {
            Error::Server(mysql_async::ServerError {
                code,
                message: String::new(),
                state: String::new(),
            })
        };
        assert!(is_final(&server(1146)));
        assert!(is_final(&server(1045)));
        assert!(!is_final(&server(1053)));
        assert!(!is_final(&Error::Io(std::io::Error::other("reset").into())));
    }
}
