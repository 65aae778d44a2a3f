//! The reader: polls for new rows on a thread of its own, and for those that it had to skip.
//!
//! Each query asks for rows beyond the highest id seen and for open gaps ([`Gaps`]), in order of id
//! and of one view of the table. Old gaps are given up only on proof: every transaction that was
//! active when an epoch began has ended ([`Epoch`]), and one more look found nothing. Where the
//! server gives no such proof (the user may not see transactions, or the engine has none) a gap is
//! looked for during [`WITHOUT_PROOF`] before it is given up.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

use super::{
    epoch::Epoch,
    gaps::Gaps,
    login::{LOGIN, Login, words},
    select::{Halt, LOOKS, Link, Pass, Queries, Seen, Transaction, is_final, unless_stopped},
    settings::Settings,
};
use crate::{
    backend::{BackendError, Bundling, Consumer, Inbox},
    clock::{Clock, Micros},
};

/// A stop while an answer is overdue for so long leaves the reading incomplete.
const OVERDUE: Duration = Duration::from_secs(1);
/// How long a server that is away when the reading ends is waited for: one that a planned fault has
/// just started again needs a moment until it answers.
const COMEBACK: Duration = Duration::from_secs(10);
/// Pause between attempts to reach a lost server; doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Open ranges that memory is spent on; more means that something else is wrong.
const MOST_GAPS: usize = 250_000;
/// How often active transactions are listed while old gaps are open.
const PROOF_EVERY: Duration = Duration::from_secs(1);
/// How long a gap is looked for where no proof can be had.
const WITHOUT_PROOF: Duration = Duration::from_mins(10);

/// The consumer, connected.
pub struct Reader {
    /// `None` only while it is being dropped.
    runtime: Option<Runtime>,
    login: Login,
    queries: Queries,
    clock: Clock,
    poll: Duration,
    link: Option<Link>,
    seen: Seen,
    proof: Proof,
}

/// What is known of old transactions.
#[derive(Default)]
struct Proof {
    epoch: Option<Epoch<Transaction>>,
    next: Micros,
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
        let (poll, queries) =
            (settings.poll, Queries::new(&login.table(), bundling, settings, payload));
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
                seen: Seen::default(),
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
                    let reason = format!(
                        "the server has not answered the last query for {waited:.1?}\n  look at \
                         the hub's network and at what the server logs"
                    );
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
        if !self.seen.gaps.is_empty() {
            self.proof.gather(link, &pass, &mut self.seen.gaps).await?;
        }
        let asked = self.clock.now();
        let ranges = self.seen.gaps.choose(asked, LOOKS);
        let read = pass.page(link, &ranges, &mut self.seen).await?;
        let full = read.rows == self.queries.page;
        for range in ranges.into_iter().filter(|range| !full || range.1 <= read.last) {
            self.seen.gaps.looked(range, asked, self.poll);
        }
        if self.seen.gaps.len() > MOST_GAPS {
            let reason = format!("more than {MOST_GAPS} ranges of row numbers are missing");
            return Err(Halt::Fatal(self.login.operation("reading in order of commit", reason)));
        }
        Ok(full || self.seen.gaps.overdue(self.clock.now(), LOOKS))
    }

    /// Connects again, for as long as it takes, and at the end for a moment; reading goes on from the
    /// same place, but for rows that the server has forgotten ([`Recent`](super::recent::Recent)):
    /// their ids may come again.
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
        let mut ending = None::<Instant>;
        tracing::warn!(reason, "the consumer lost its connection");
        loop {
            let floor = self.seen.recent.floor();
            let opening = async {
                let mut link = Link::open(&self.login, &self.queries).await?;
                let held = link.rows_beyond(&self.queries, floor).await?;
                Ok((link, held))
            };
            let opened = runtime.block_on(async {
                // Once it has to end, it is the time for that that counts.
                if ending.is_some() {
                    let late = |_| Halt::Lost(format!("no answer within {LOGIN:.0?}"));
                    return timeout(LOGIN, opening).await.map_err(late);
                }
                unless_stopped(inbox, LOGIN, opening).await
            });
            match opened {
                Ok(Ok((link, held))) => {
                    self.link = Some(link);
                    let now = self.clock.now();
                    for id in self.seen.recent.lost(held) {
                        self.seen.gaps.reopen(id, now);
                    }
                    return Ok(());
                }
                Ok(Err(error)) if is_final(&error) => {
                    return Err(self.login.explain("reading", &error));
                }
                Ok(Err(error)) => last = words(&error),
                Err(Halt::Lost(reason)) => last = reason,
                Err(_) => {}
            }
            if inbox.borrow().stopped()
                && ending.get_or_insert_with(Instant::now).elapsed() > COMEBACK
            {
                let reason = format!(
                    "the connection was lost and did not come back: {last}\n  look at the hub's \
                     network and at what the server logs"
                );
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
            let _ = runtime.block_on(async { timeout(OVERDUE, link.close()).await });
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
