//! The consumer's queries, and the delivery of rows to the sink.

use std::{cell::RefCell, pin::pin, time::Duration};

use mysql_async::{Conn, Error, Row, Statement, Value, prelude::Queryable};
use tokio::time;

use super::{
    gaps::{Gaps, IdRange},
    login::{MariaDbLogin, error_text, is_login_refused},
    recent::{self, RecentRows},
    settings::MariaDbSettings,
};
use crate::{
    backend::{BackendError, Batching, MessageSink},
    clock::Clock,
    stamp::Stamp,
};

/// Interval at which the stop flag is checked while waiting for the server.
pub const STOP_CHECK_INTERVAL: Duration = Duration::from_millis(20);
/// Longest wait for one answer; then the connection counts as lost and another one is tried.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Rows per page in the latency workload, where a poll finds only a few.
const SINGLE_PAGE_ROWS: usize = 1_000;
/// Approximate limit of a page's bytes, so that a stop does not wait for more.
const MAX_PAGE_BYTES: u64 = 16 << 20;
/// Rows after which the sink is flushed.
const FLUSH_ROWS: usize = 256;

/// Number of id ranges in each prepared statement; unused parameters repeat the last range.
const RANGE_COUNTS: [usize; 6] = [0, 1, 8, 64, 256, 1024];
/// Maximum number of open ranges in one query.
pub const MAX_RANGES: usize = RANGE_COUNTS[RANGE_COUNTS.len() - 1];
/// Identity of an active transaction: its connection and its start time.
pub type TransactionId = (u64, String);

/// SQL texts of the consumer.
pub struct ConsumerQueries {
    /// Rows per page.
    pub page_rows: usize,
    rows_beyond: String,
    selects: [String; RANGE_COUNTS.len()],
    transactional: bool,
}

/// The consumer's connection and its prepared statements.
pub struct ConsumerConnection {
    connection: Conn,
    selects: Vec<Statement>,
    /// Whether the server lists active transactions to this user.
    pub sees_transactions: bool,
}

/// Why reading was interrupted.
pub enum ReadInterrupt {
    /// The sink has stopped; an answer was pending for this long.
    Stopped(Duration),
    /// The connection is lost; reconnecting may help.
    Lost(String),
    /// Reading cannot continue.
    Fatal(BackendError),
}

impl ConsumerQueries {
    /// Builds the queries, with a page size that suits workload and payload.
    pub fn new(table: &str, batching: Batching, settings: &MariaDbSettings, payload: u64) -> Self {
        let max_rows = (MAX_PAGE_BYTES / payload.max(1)).clamp(1, u64::from(u32::MAX)) as usize;
        let page_rows = match batching {
            Batching::Single => SINGLE_PAGE_ROWS,
            Batching::Bulk => settings.batch_rows,
        }
        .clamp(1, max_rows);
        let select = format!("SELECT id, stamp, payload FROM {table} WHERE");
        let order = format!("ORDER BY id LIMIT {page_rows}");
        let selects = RANGE_COUNTS.map(|ranges| {
            let ranges = " OR id BETWEEN ? AND ?".repeat(ranges);
            format!("{select} id > ?{ranges} {order}")
        });
        let rows_beyond = format!("SELECT id, stamp FROM {table} WHERE id > ?");
        Self { page_rows, rows_beyond, selects, transactional: settings.transactional() }
    }
}

impl ConsumerConnection {
    /// Closes the connection.
    pub async fn close(self) -> Result<(), Error> {
        self.connection.disconnect().await
    }

    /// Connects and prepares the statements.
    pub async fn connect(login: &MariaDbLogin, queries: &ConsumerQueries) -> Result<Self, Error> {
        let mut connection = Conn::new(login.options()).await?;
        login.closed_sessions().remove(connection.id());
        let mut selects = Vec::with_capacity(RANGE_COUNTS.len());
        for query in &queries.selects {
            selects.push(connection.prep(query.as_str()).await?);
        }
        // Without this privilege the list of transactions is empty; the server reports no error.
        let privileges: Option<u64> = connection
            .query_first(
                "SELECT COUNT(*) FROM information_schema.user_privileges \
                 WHERE privilege_type = 'PROCESS'",
            )
            .await?;
        let sees_transactions = queries.transactional && privileges.unwrap_or(0) > 0;
        Ok(Self { connection, selects, sees_transactions })
    }

    /// Returns the rows beyond `id`, without their payloads.
    pub async fn rows_beyond(
        &mut self,
        queries: &ConsumerQueries,
        id: u64,
    ) -> Result<Vec<recent::StampedRow>, Error> {
        self.connection.exec(queries.rows_beyond.as_str(), (id,)).await
    }

    /// Returns the active transactions; those of the last tenth of a second may be missing.
    pub async fn active_transactions(&mut self) -> Result<Vec<TransactionId>, Error> {
        self.connection
            .query(
                "SELECT trx_mysql_thread_id, CAST(trx_started AS CHAR) \
                 FROM information_schema.innodb_trx",
            )
            .await
    }
}

/// The rows read so far.
#[derive(Default)]
pub struct ReadRows {
    /// All rows, represented by the ids missing among them.
    pub gaps: Gaps,
    /// The most recent rows.
    pub recent: RecentRows,
}

/// Result of reading one page.
#[derive(Default)]
pub struct PageSummary {
    /// Number of rows in the page.
    pub rows: usize,
    /// Id of the last row.
    pub last_id: u64,
}

/// Reads one page of rows and passes new rows to the sink.
pub struct PageReader<'a, 'i> {
    /// The login, for error messages.
    pub login: &'a MariaDbLogin,
    /// The run's clock.
    pub clock: Clock,
    /// The sink that receives new rows.
    pub sink: &'a RefCell<&'i mut dyn MessageSink>,
}

impl PageReader<'_, '_> {
    /// Reads a page of rows beyond the highest id seen and within `ranges`, and passes each row
    /// that was not read before to the sink.
    pub async fn read_page(
        &self,
        connection: &mut ConsumerConnection,
        ranges: &[IdRange],
        rows_read: &mut ReadRows,
    ) -> Result<PageSummary, ReadInterrupt> {
        let select = RANGE_COUNTS.iter().position(|count| *count >= ranges.len()).unwrap_or(0);
        let bounds = select_parameters(rows_read.gaps.high(), ranges, RANGE_COUNTS[select]);
        self.await_answer(async {
            let mut result =
                connection.connection.exec_iter(&connection.selects[select], bounds).await?;
            let mut summary = PageSummary::default();
            while let Some(row) = result.next().await? {
                summary.rows += 1;
                summary.last_id = self.deliver(&row, rows_read).unwrap_or(summary.last_id);
                if summary.rows.is_multiple_of(FLUSH_ROWS) {
                    self.sink.borrow_mut().flush();
                }
            }
            Ok(summary)
        })
        .await
    }

    /// Passes the row to the sink; returns its id unless the row is foreign.
    fn deliver(&self, row: &Row, rows_read: &mut ReadRows) -> Option<u64> {
        let at = self.clock.now();
        let (Some(id), Some(stamp), Some(Value::Bytes(payload))) =
            (unsigned_column(row, 0), unsigned_column(row, 1), row.as_ref(2))
        else {
            self.sink.borrow_mut().foreign();
            return None;
        };
        if rows_read.gaps.mark_read(id, at) {
            rows_read.recent.push((id, stamp));
            self.sink.borrow_mut().arrived(at, Stamp::from_number(stamp), payload);
        }
        Some(id)
    }

    /// Waits for an answer unless the sink stops.
    pub async fn await_answer<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, ReadInterrupt> {
        match wait_unless_stopped(self.sink, ANSWER_TIMEOUT, work).await? {
            Ok(value) => Ok(value),
            Err(error) if is_final(&error) => {
                Err(ReadInterrupt::Fatal(self.login.backend_error("reading", &error)))
            }
            Err(error) => Err(ReadInterrupt::Lost(error_text(&error))),
        }
    }
}

/// Returns an unsigned column; the library returns small values as signed numbers.
fn unsigned_column(row: &Row, column: usize) -> Option<u64> {
    match row.as_ref(column)? {
        Value::UInt(number) => Some(*number),
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

/// Waits for `work`, for at most `timeout`, and no longer than until the sink stops.
pub async fn wait_unless_stopped<T>(
    sink: &RefCell<&mut dyn MessageSink>,
    timeout: Duration,
    work: impl Future<Output = T>,
) -> Result<T, ReadInterrupt> {
    let mut work = pin!(work);
    let mut waited = Duration::ZERO;
    loop {
        if let Ok(value) = time::timeout(STOP_CHECK_INTERVAL, &mut work).await {
            return Ok(value);
        }
        waited += STOP_CHECK_INTERVAL;
        if sink.borrow().is_stopped() {
            return Err(ReadInterrupt::Stopped(waited));
        }
        if waited >= timeout {
            return Err(ReadInterrupt::Lost(format!("no answer within {timeout:.0?}")));
        }
    }
}

/// Error codes that a retry may avoid: too many connections, shutting down, interrupted, connection
/// killed, lock wait, deadlock.
const TRANSIENT_ERROR_CODES: &[u16] = &[1040, 1053, 1317, 1927, 1205, 1213];

/// Whether a retry cannot help: the server refuses the user or the statement.
pub fn is_final(error: &Error) -> bool {
    is_login_refused(error)
        || matches!(error, Error::Server(server) if !TRANSIENT_ERROR_CODES.contains(&server.code))
}

/// Returns the parameters of a statement for rows beyond `high` and for `count` ranges.
fn select_parameters(high: u64, ranges: &[IdRange], count: usize) -> Vec<Value> {
    let padding = ranges.last().into_iter().cycle();
    let ranges = ranges.iter().chain(padding).take(count);
    std::iter::once(high)
        .chain(ranges.flat_map(|(first, last)| [*first, *last]))
        .map(Value::UInt)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::fixture::repetition_context;

    #[test]
    fn unused_parameters_repeat_the_last_range() {
        let numbers = |values: Vec<Value>| -> Vec<u64> {
            values.into_iter().map(mysql_async::from_value).collect()
        };
        assert_eq!(numbers(select_parameters(20, &[], 0)), [20]);
        assert_eq!(numbers(select_parameters(20, &[(1, 2)], 1)), [20, 1, 2]);
        assert_eq!(
            numbers(select_parameters(20, &[(1, 2), (5, 9)], 4)),
            [20, 1, 2, 5, 9, 5, 9, 5, 9]
        );
    }

    #[test]
    fn a_page_of_large_rows_is_short() {
        let context = repetition_context("mariadb", 1, 100);
        let settings = MariaDbSettings::read(&context).0;
        assert_eq!(
            ConsumerQueries::new("messages", Batching::Bulk, &settings, 1_000).page_rows,
            settings.batch_rows
        );
        assert_eq!(
            ConsumerQueries::new("messages", Batching::Bulk, &settings, 4 << 20).page_rows,
            4
        );
        assert_eq!(
            ConsumerQueries::new("messages", Batching::Bulk, &settings, 1 << 40).page_rows,
            1
        );
        assert_eq!(
            ConsumerQueries::new("messages", Batching::Single, &settings, 0).page_rows,
            SINGLE_PAGE_ROWS
        );
    }

    #[test]
    fn each_statement_has_parameters_for_its_ranges() {
        let context = repetition_context("mariadb", 1, 100);
        let queries = ConsumerQueries::new(
            "messages",
            Batching::Single,
            &MariaDbSettings::read(&context).0,
            100,
        );
        for (query, ranges) in queries.selects.iter().zip(RANGE_COUNTS) {
            assert_eq!(query.matches('?').count(), 1 + 2 * ranges);
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
