//! The reader: polls for new rows on a thread of its own, and for those that it had to skip.
//!
//! Each query asks for rows beyond the highest id seen and for open gaps ([`Gaps`]), in order of id
//! and of one view of the table. Old gaps are given up only on proof: every transaction that was
//! active when an epoch began has ended ([`Epoch`]), and one more look found nothing. Where the
//! server gives no such proof (the user may not see transactions, or the engine has none) a gap is
//! looked for during [`WITHOUT_PROOF`] before it is given up.

use std::{cell::RefCell, pin::pin, time::Duration};

use mysql_async::{Conn, Error, Row, Statement, Value, prelude::Queryable};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

use super::{
    gaps::{Epoch, Gaps, Range},
    login::{LOGIN, Login, TABLE, refuses_login, words},
    settings::Settings,
};
use crate::{
    backend::{BackendError, Bundling, Consumer, Inbox},
    clock::{Clock, Micros},
    stamp::Stamp,
};

/// How often the inbox is asked whether to stop while the server is waited for.
const STOP_CHECK: Duration = Duration::from_millis(20);
/// A server that takes longer for one answer has not answered: another connection is tried.
const ANSWER: Duration = Duration::from_secs(30);
/// A stop while an answer is overdue for so long leaves the reading incomplete.
const OVERDUE: Duration = Duration::from_secs(1);
/// Pause between attempts to reach a lost server; doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Rows of one page in the latency workload, where a poll finds a few.
const SINGLE_PAGE: usize = 1_000;
/// A page holds about this many bytes at most, so that a stop does not wait for more.
const PAGE_BYTES: u64 = 16 << 20;
/// Rows after which the inbox is told to make them visible.
const FLUSH_EVERY: usize = 256;

/// Open ranges that each of the statements looks for. Unused places repeat the last range.
const ARITIES: [usize; 4] = [0, 1, 8, 64];
/// Open ranges in one query at most.
const LOOKS: usize = ARITIES[ARITIES.len() - 1];
/// Open ranges that memory is spent on; more means that something else is wrong.
const MOST_GAPS: usize = 250_000;
/// How often active transactions are listed while old gaps are open.
const PROOF_EVERY: Duration = Duration::from_secs(1);
/// How long a gap is looked for where no proof can be had.
const WITHOUT_PROOF: Duration = Duration::from_mins(10);

/// A transaction's identity for as long as it lasts: its connection, and its start.
type Transaction = (u64, String);

/// The consumer, connected.
pub struct Reader {
    /// `None` only while it is being dropped.
    runtime: Option<Runtime>,
    login: Login,
    queries: Queries,
    clock: Clock,
    poll: Duration,
    link: Option<Link>,
    gaps: Gaps,
    proof: Proof,
}

/// What is asked of the server.
struct Queries {
    page: usize,
    selects: [String; ARITIES.len()],
    may_prove: bool,
}

/// A connection and its prepared statements.
struct Link {
    connection: Conn,
    selects: Vec<Statement>,
    proves: bool,
}

/// What is known of old transactions.
#[derive(Default)]
struct Proof {
    epoch: Option<Epoch<Transaction>>,
    next: Micros,
}

/// Why a turn did not come to its end.
enum Halt {
    /// The inbox wants no more; for so long an answer was waited for.
    Stopped(Duration),
    /// The connection is of no more use.
    Lost(String),
    /// There is no sense in going on.
    Fatal(BackendError),
}

impl Reader {
    /// Connects, on a runtime that moves to the consumer's thread with it.
    pub async fn connect(
        login: Login,
        bundling: Bundling,
        settings: &Settings,
        payload: u64,
        clock: Clock,
    ) -> Result<Self, BackendError> {
        let (poll, queries) = (settings.poll, Queries::new(bundling, settings, payload));
        let thread = login.clone();
        let connecting = tokio::task::spawn_blocking(move || {
            let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
                login.operation("starting the consumer's runtime", error.to_string())
            })?;
            let link = runtime.block_on(login.patiently(
                "connecting the consumer",
                LOGIN,
                Link::open(&login, &queries),
            ));
            let mut reader = Self {
                runtime: Some(runtime),
                login,
                queries,
                clock,
                poll,
                link: None,
                gaps: Gaps::default(),
                proof: Proof::default(),
            };
            reader.link = Some(link?);
            Ok(reader)
        });
        connecting.await.map_err(|e| thread.operation("connecting the consumer", e.to_string()))?
    }

    fn read(&mut self, runtime: &Runtime, inbox: &mut dyn Inbox) -> Result<(), BackendError> {
        // The kernel may wake a sleeper later than asked, to save power; not this one. Where it
        // cannot be told, polls are a few microseconds less even.
        let _ = nix::sys::prctl::set_timerslack(1);
        let inbox = RefCell::new(inbox);
        let mut due = self.clock.now();
        while !inbox.borrow().stopped() {
            let turn = runtime.block_on(self.turn(&inbox));
            inbox.borrow_mut().flush();
            match turn {
                Ok(true) => {}
                Ok(false) => {
                    due = due.after(self.poll).max(self.clock.now());
                    self.clock.sleep_until(due);
                }
                Err(Halt::Fatal(error)) => return Err(error),
                Err(Halt::Stopped(waited)) if waited < OVERDUE => break,
                Err(Halt::Stopped(waited)) => {
                    let reason =
                        format!("the server has not answered the last query for {waited:.1?}");
                    return Err(self.login.operation("reading", reason));
                }
                Err(Halt::Lost(reason)) => self.restore(runtime, &inbox, &reason)?,
            }
        }
        Ok(())
    }

    /// Reads a page of what is new or was skipped. Whether there is more to read at once.
    async fn turn(&mut self, inbox: &RefCell<&mut dyn Inbox>) -> Result<bool, Halt> {
        let Some(link) = &mut self.link else {
            return Err(Halt::Lost("there is no connection".into()));
        };
        let pass = Pass { login: &self.login, clock: self.clock, inbox };
        if !self.gaps.is_empty() {
            self.proof.gather(link, &pass, &mut self.gaps).await?;
        }
        let asked = self.clock.now();
        let ranges = self.gaps.choose(asked, LOOKS);
        let arity = ARITIES.iter().position(|arity| *arity >= ranges.len()).unwrap_or(0);
        let bounds = bounds(self.gaps.high(), &ranges, ARITIES[arity]);
        let (connection, select) = (&mut link.connection, &link.selects[arity]);
        let read = pass.query(connection, select, bounds, &mut self.gaps).await?;
        let full = read.rows == self.queries.page;
        for range in ranges.into_iter().filter(|range| !full || range.1 <= read.last) {
            self.gaps.looked(range, asked, self.poll);
        }
        if self.gaps.len() > MOST_GAPS {
            let reason = format!("more than {MOST_GAPS} ranges of row numbers are missing");
            return Err(Halt::Fatal(self.login.operation("reading in order of commit", reason)));
        }
        Ok(full || self.gaps.overdue(self.clock.now(), LOOKS))
    }

    /// Connects again, for as long as it takes; reading goes on from the same place.
    fn restore(
        &mut self,
        runtime: &Runtime,
        inbox: &RefCell<&mut dyn Inbox>,
        reason: &str,
    ) -> Result<(), BackendError> {
        runtime.block_on(async { self.link = None });
        self.proof = Proof::default();
        let mut pause = FIRST_PAUSE;
        let mut last = reason.to_owned();
        tracing::warn!(reason, "the consumer lost its connection");
        loop {
            let opening = Link::open(&self.login, &self.queries);
            match runtime.block_on(unless_stopped(inbox, LOGIN, opening)) {
                Ok(Ok(link)) => {
                    self.link = Some(link);
                    return Ok(());
                }
                Ok(Err(error)) if is_final(&error) => {
                    return Err(self.login.explain("reading", &error));
                }
                Ok(Err(error)) => last = words(&error),
                Err(Halt::Lost(reason)) => last = reason,
                Err(_) => {}
            }
            if inbox.borrow().stopped() {
                let reason = format!("the connection was lost and did not come back: {last}");
                return Err(self.login.operation("reading", reason));
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl Consumer for Reader {
    fn run(mut self: Box<Self>, inbox: &mut dyn Inbox) -> Result<(), BackendError> {
        let Some(runtime) = self.runtime.take() else { return Ok(()) };
        let result = self.read(&runtime, inbox);
        if let Some(link) = self.link.take() {
            // The server notices a closed connection with or without a good-bye.
            let _ =
                runtime.block_on(async { timeout(OVERDUE, link.connection.disconnect()).await });
        }
        runtime.shutdown_background();
        result
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.link = None;
        if let Some(runtime) = self.runtime.take() {
            // Unlike its own drop this may happen on a thread that must not block.
            runtime.shutdown_background();
        }
    }
}

impl Queries {
    fn new(bundling: Bundling, settings: &Settings, payload: u64) -> Self {
        let most = (PAGE_BYTES / payload.max(1)).clamp(1, u64::from(u32::MAX)) as usize;
        let page = match bundling {
            Bundling::Single => SINGLE_PAGE,
            Bundling::Bulk => settings.batch,
        }
        .clamp(1, most);
        let select = format!("SELECT id, stamp, payload FROM {TABLE} WHERE");
        let order = format!("ORDER BY id LIMIT {page}");
        let selects = ARITIES.map(|ranges| {
            let ranges = " OR id BETWEEN ? AND ?".repeat(ranges);
            format!("{select} id > ?{ranges} {order}")
        });
        Self { page, selects, may_prove: settings.transactional() }
    }
}

impl Link {
    async fn open(login: &Login, queries: &Queries) -> Result<Self, Error> {
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

    async fn active(&mut self) -> Result<Vec<Transaction>, Error> {
        self.connection
            .query(
                "SELECT trx_mysql_thread_id, CAST(trx_started AS CHAR) \
                 FROM information_schema.innodb_trx",
            )
            .await
    }
}

impl Proof {
    /// Now and then, while old gaps are open: learns whose transactions have ended, and dooms
    /// gaps that nobody can fill any more.
    async fn gather(
        &mut self,
        link: &mut Link,
        pass: &Pass<'_, '_>,
        gaps: &mut Gaps,
    ) -> Result<(), Halt> {
        let now = pass.clock.now();
        if now < self.next {
            return Ok(());
        }
        self.next = now.after(PROOF_EVERY);
        let settled = if link.proves { Epoch::<Transaction>::SETTLED } else { WITHOUT_PROOF };
        let settled = i64::try_from(settled.as_micros()).unwrap_or(i64::MAX);
        let old = Micros(now.0.saturating_sub(settled));
        if !gaps.any_undecided_since(old) {
            self.epoch = None;
            return Ok(());
        }
        if !link.proves {
            gaps.doom(old);
            return Ok(());
        }
        let active = pass.ask(link.active()).await?;
        match &mut self.epoch {
            None => self.epoch = Some(Epoch::begin(now, active)),
            Some(epoch) => {
                if let Some(before) = epoch.observe(active) {
                    gaps.doom(before);
                    self.epoch = None;
                }
            }
        }
        Ok(())
    }
}

/// What a query gave.
#[derive(Default)]
struct Read {
    rows: usize,
    /// Id of the last row.
    last: u64,
}

/// What every query of a turn needs.
struct Pass<'a, 'i> {
    login: &'a Login,
    clock: Clock,
    inbox: &'a RefCell<&'i mut dyn Inbox>,
}

impl Pass<'_, '_> {
    /// Runs a query and tells the inbox each row that is seen for the first time.
    async fn query(
        &self,
        connection: &mut Conn,
        statement: &Statement,
        parameters: Vec<Value>,
        gaps: &mut Gaps,
    ) -> Result<Read, Halt> {
        self.ask(async {
            let mut result = connection.exec_iter(statement, parameters).await?;
            let mut read = Read::default();
            while let Some(row) = result.next().await? {
                read.rows += 1;
                read.last = self.deliver(&row, gaps).unwrap_or(read.last);
                if read.rows.is_multiple_of(FLUSH_EVERY) {
                    self.inbox.borrow_mut().flush();
                }
            }
            Ok(read)
        })
        .await
    }

    /// Returns the row's id, if it is a row of ours.
    fn deliver(&self, row: &Row, gaps: &mut Gaps) -> Option<u64> {
        let at = self.clock.now();
        let (Some(id), Some(stamp), Some(Value::Bytes(payload))) =
            (unsigned(row, 0), unsigned(row, 1), row.as_ref(2))
        else {
            self.inbox.borrow_mut().foreign();
            return None;
        };
        if gaps.take(id, at) {
            self.inbox.borrow_mut().arrived(at, Stamp::from_number(stamp), payload);
        }
        Some(id)
    }

    async fn ask<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Halt> {
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
async fn unless_stopped<T>(
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
fn is_final(error: &Error) -> bool {
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
        assert_eq!(Queries::new(Bundling::Bulk, &settings, 1_000).page, settings.batch);
        assert_eq!(Queries::new(Bundling::Bulk, &settings, 4 << 20).page, 4);
        assert_eq!(Queries::new(Bundling::Bulk, &settings, 1 << 40).page, 1);
        assert_eq!(Queries::new(Bundling::Single, &settings, 0).page, SINGLE_PAGE);
    }

    #[test]
    fn every_arity_asks_for_that_many_ranges() {
        let setup = test_setup(1, 100);
        let queries = Queries::new(Bundling::Single, &Settings::read(&setup).0, 100);
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
