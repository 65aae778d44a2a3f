//! The consumer: polls on its own thread for new rows and for rows that it had to skip.
//!
//! Each query asks for rows beyond the highest id seen and for open gaps ([`Gaps`]), in order of id
//! and from one view of the table. A gap is given up only on proof: every transaction that was
//! active when an epoch began has ended ([`TransactionEpoch`]), and one more query found nothing.
//! Where the server gives no such proof (the user may not see transactions, or the engine has
//! none), a gap is queried for [`UNPROVEN_GAP_TIMEOUT`] before it is given up.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

use super::{
    backoff::Backoff,
    epoch::TransactionEpoch,
    gaps::Gaps,
    login::{LOGIN_TIMEOUT, MariaDbLogin, error_text},
    page_reader::{
        ConsumerConnection, ConsumerQueries, MAX_RANGES, PageReader, ReadInterrupt, ReadRows,
        STOP_CHECK_INTERVAL, TransactionId, is_final, wait_unless_stopped,
    },
    settings::MariaDbSettings,
};
use crate::{
    backend::{BackendError, Batching, Consumer, MessageSink},
    clock::{Clock, Micros},
};

/// Age of an unanswered query from which a stop leaves the reading incomplete.
const OVERDUE_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest wait for a lost server once the sink has stopped: after a planned restart the server
/// needs a moment until it answers.
const RECONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest pause between attempts to reach a lost server.
const MAX_RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// Maximum number of open ranges in memory; more means that something else is wrong.
const MAX_GAPS: usize = 250_000;
/// Interval at which active transactions are listed while old gaps are open.
const TRANSACTION_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long a gap is queried when the server can give no proof.
const UNPROVEN_GAP_TIMEOUT: Duration = Duration::from_mins(10);

/// A connected consumer.
pub struct MariaDbConsumer {
    /// `None` only during drop.
    runtime: Option<Runtime>,
    login: MariaDbLogin,
    queries: ConsumerQueries,
    clock: Clock,
    poll_interval: Duration,
    connection: Option<ConsumerConnection>,
    rows_read: ReadRows,
    transactions: TransactionWatch,
}

/// Tracks when the transactions that may fill old gaps have ended.
#[derive(Default)]
struct TransactionWatch {
    epoch: Option<TransactionEpoch<TransactionId>>,
    next_check: Micros,
}

impl MariaDbConsumer {
    /// Connects on a runtime that then moves to the consumer's thread.
    pub async fn connect(
        login: MariaDbLogin,
        batching: Batching,
        settings: &MariaDbSettings,
        payload: u64,
        clock: Clock,
    ) -> Result<Self, BackendError> {
        let (poll_interval, queries) = (
            settings.poll_interval,
            ConsumerQueries::new(&login.table(), batching, settings, payload),
        );
        let login_for_error = login.clone();
        let connecting = tokio::task::spawn_blocking(move || {
            let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
                login.operation_error("starting the consumer's runtime", error.to_string())
            })?;
            let connection = runtime.block_on(login.run_with_timeout(
                "connecting the consumer",
                LOGIN_TIMEOUT,
                ConsumerConnection::connect(&login, &queries),
            ));
            let mut consumer = Self {
                runtime: Some(runtime),
                login,
                queries,
                clock,
                poll_interval,
                connection: None,
                rows_read: ReadRows::default(),
                transactions: TransactionWatch::default(),
            };
            consumer.connection = Some(connection?);
            Ok(consumer)
        });
        connecting.await.map_err(|e| {
            login_for_error.operation_error("connecting the consumer", e.to_string())
        })?
    }

    fn read_until_stopped(
        &mut self,
        runtime: &Runtime,
        sink: &mut dyn MessageSink,
    ) -> Result<(), BackendError> {
        // The kernel's timer slack delays wake-ups to save power; switch it off for this thread.
        // Where that fails, polls are a few microseconds less even.
        let _ = nix::sys::prctl::set_timerslack(1);
        let sink = RefCell::new(sink);
        let mut due = self.clock.now();
        while !sink.borrow().is_stopped() {
            let polled = runtime.block_on(self.poll_once(&sink));
            sink.borrow_mut().flush();
            match polled {
                Ok(true) => {}
                Ok(false) => {
                    due = due.after(self.poll_interval).max(self.clock.now());
                    self.clock.sleep_until(due);
                }
                Err(ReadInterrupt::Fatal(error)) => return Err(error),
                Err(ReadInterrupt::Stopped(waited)) if waited < OVERDUE_TIMEOUT => break,
                Err(ReadInterrupt::Stopped(waited)) => {
                    let reason = format!(
                        "the server has not answered the last query for {waited:.1?}\n  check \
                         the hub's network and the server's log"
                    );
                    return Err(self.login.operation_error("reading", reason));
                }
                Err(ReadInterrupt::Lost(reason)) => self.reconnect(runtime, &sink, &reason)?,
            }
        }
        Ok(())
    }

    /// Reads one page of new and skipped rows; returns whether more can be read at once.
    async fn poll_once(
        &mut self,
        sink: &RefCell<&mut dyn MessageSink>,
    ) -> Result<bool, ReadInterrupt> {
        let Some(connection) = &mut self.connection else {
            return Err(ReadInterrupt::Lost("there is no connection".into()));
        };
        let page_reader = PageReader { login: &self.login, clock: self.clock, sink };
        if !self.rows_read.gaps.is_empty() {
            self.transactions
                .resolve_gaps(connection, &page_reader, &mut self.rows_read.gaps)
                .await?;
        }
        let queried_at = self.clock.now();
        let ranges = self.rows_read.gaps.ranges_to_query(queried_at, MAX_RANGES);
        let page = page_reader.read_page(connection, &ranges, &mut self.rows_read).await?;
        let full = page.rows == self.queries.page_rows;
        for range in ranges.into_iter().filter(|range| !full || range.1 <= page.last_id) {
            self.rows_read.gaps.mark_queried(range, queried_at, self.poll_interval);
        }
        if self.rows_read.gaps.len() > MAX_GAPS {
            let reason = format!("more than {MAX_GAPS} ranges of row numbers are missing");
            return Err(ReadInterrupt::Fatal(
                self.login.operation_error("reading in order of commit", reason),
            ));
        }
        Ok(full || self.rows_read.gaps.any_overdue(self.clock.now(), MAX_RANGES))
    }

    /// Reconnects, retrying until it succeeds; once the sink has stopped, for
    /// [`RECONNECT_TIMEOUT`].
    ///
    /// Reading continues at the same position, except for rows that the server lost
    /// ([`RecentRows`](super::recent::RecentRows)): their ids may be assigned again.
    fn reconnect(
        &mut self,
        runtime: &Runtime,
        sink: &RefCell<&mut dyn MessageSink>,
        reason: &str,
    ) -> Result<(), BackendError> {
        runtime.block_on(async { self.connection = None });
        self.transactions = TransactionWatch::default();
        let mut backoff = Backoff::up_to(MAX_RETRY_INTERVAL);
        let mut last = reason.to_owned();
        let mut stopped_since = None::<Instant>;
        tracing::warn!(reason, "the consumer lost its connection");
        loop {
            let highest_forgotten = self.rows_read.recent.highest_forgotten();
            let opening = async {
                let mut connection =
                    ConsumerConnection::connect(&self.login, &self.queries).await?;
                let rows = connection.rows_beyond(&self.queries, highest_forgotten).await?;
                Ok((connection, rows))
            };
            let opened = runtime.block_on(async {
                // After the stop only the reconnect time limit counts.
                if stopped_since.is_some() {
                    let timed_out =
                        |_| ReadInterrupt::Lost(format!("no answer within {LOGIN_TIMEOUT:.0?}"));
                    return timeout(LOGIN_TIMEOUT, opening).await.map_err(timed_out);
                }
                wait_unless_stopped(sink, LOGIN_TIMEOUT, opening).await
            });
            match opened {
                Ok(Ok((connection, rows))) => {
                    self.connection = Some(connection);
                    let now = self.clock.now();
                    for id in self.rows_read.recent.remove_lost(rows) {
                        self.rows_read.gaps.reopen(id, now);
                    }
                    return Ok(());
                }
                Ok(Err(error)) if is_final(&error) => {
                    return Err(self.login.backend_error("reading", &error));
                }
                Ok(Err(error)) => last = error_text(&error),
                Err(ReadInterrupt::Lost(reason)) => last = reason,
                Err(_) => {}
            }
            if sink.borrow().is_stopped()
                && stopped_since.get_or_insert_with(Instant::now).elapsed() > RECONNECT_TIMEOUT
            {
                let reason = format!(
                    "the connection was lost and could not be restored: {last}\n  check the hub's \
                     network and the server's log"
                );
                return Err(self.login.operation_error("reading", reason));
            }
            let pause_over = Instant::now() + backoff.next_pause();
            while Instant::now() < pause_over {
                // A stop does not shorten the pause, but a pause is no standstill of this thread.
                let _ = sink.borrow().is_stopped();
                std::thread::sleep(STOP_CHECK_INTERVAL);
            }
        }
    }
}

impl Consumer for MariaDbConsumer {
    fn run(mut self: Box<Self>, sink: &mut dyn MessageSink) -> Result<(), BackendError> {
        let Some(runtime) = self.runtime.take() else { return Ok(()) };
        let result = self.read_until_stopped(&runtime, sink);
        if let Some(connection) = self.connection.take() {
            // The server notices a closed connection even without a quit command.
            let _ = runtime.block_on(async { timeout(OVERDUE_TIMEOUT, connection.close()).await });
        }
        runtime.shutdown_background();
        result
    }
}

impl Drop for MariaDbConsumer {
    fn drop(&mut self) {
        self.connection = None;
        if let Some(runtime) = self.runtime.take() {
            // Unlike the runtime's own drop, this does not block: the thread may be one that must
            // not.
            runtime.shutdown_background();
        }
    }
}

impl TransactionWatch {
    /// Lists active transactions once per [`TRANSACTION_CHECK_INTERVAL`] while old gaps are open,
    /// and resolves the gaps that no transaction can fill any more.
    async fn resolve_gaps(
        &mut self,
        connection: &mut ConsumerConnection,
        page_reader: &PageReader<'_, '_>,
        gaps: &mut Gaps,
    ) -> Result<(), ReadInterrupt> {
        let now = page_reader.clock.now();
        if now < self.next_check {
            return Ok(());
        }
        self.next_check = now.after(TRANSACTION_CHECK_INTERVAL);
        let delay = if connection.sees_transactions {
            TransactionEpoch::<TransactionId>::LISTING_DELAY
        } else {
            UNPROVEN_GAP_TIMEOUT
        };
        let delay = i64::try_from(delay.as_micros()).unwrap_or(i64::MAX);
        let old = Micros(now.0.saturating_sub(delay));
        if !gaps.any_unresolved_before(old) {
            self.epoch = None;
            return Ok(());
        }
        if !connection.sees_transactions {
            gaps.resolve_before(old);
            return Ok(());
        }
        let active = page_reader.await_answer(connection.active_transactions()).await?;
        match &mut self.epoch {
            None => self.epoch = Some(TransactionEpoch::begin(now, active)),
            Some(epoch) => {
                if let Some(before) = epoch.observe(active) {
                    gaps.resolve_before(before);
                    self.epoch = None;
                }
            }
        }
        Ok(())
    }
}
