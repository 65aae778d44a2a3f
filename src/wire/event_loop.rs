//! The loop: waits for sockets, and lets each connection do what it is ready for.

use std::{
    io::{self, ErrorKind},
    sync::Arc,
    time::Duration,
};

use mio::{Events, Poll, Token, Waker};

use super::{
    connection::{Connection, ConnectionState, Next, Phase},
    dial::{self, DialQueue, DialSettings, LoopShare},
    protocol::Protocol,
};
use crate::{
    clock::{Clock, Micros},
    hot_thread::HotThread,
};

/// Sockets that are looked at after one wait.
const EVENTS: usize = 1024;
/// Bytes that one read takes at most, unless a larger frame is known to follow.
const SCRATCH_BYTES: usize = 64 << 10;
/// Mark of a wake-up, which belongs to no connection.
const WAKE: Token = Token(usize::MAX);

/// How a loop treats its connections.
#[derive(Debug, Clone, Copy)]
pub struct LoopSettings {
    /// How they are opened, by all loops together.
    pub dial: DialSettings,
    /// This loop among the others.
    pub share: LoopShare,
    /// Interval of [`Protocol::tick`].
    pub tick: Duration,
    /// Whether a connection keeps the room of its largest frame: for few connections with a lot of input.
    pub keep_room: bool,
}

/// Wakes a loop that waits for sockets.
#[derive(Debug, Clone)]
pub struct LoopWaker(Arc<Waker>);

impl LoopWaker {
    /// Wakes the loop.
    pub fn wake(&self) {
        if let Err(error) = self.0.wake() {
            tracing::warn!(target: "hubmark::wire", "waking the loop: {error}");
        }
    }
}

/// A loop over connections, on the thread that calls [`EventLoop::turn`].
#[derive(Debug)]
pub struct EventLoop<P> {
    clock: Clock,
    settings: LoopSettings,
    poll: Poll,
    events: Events,
    waker: Arc<Waker>,
    connections: Arc<[Connection<P>]>,
    scratch: Vec<u8>,
    dials: DialQueue,
    /// Connections that were not read to their end.
    unfinished: Vec<usize>,
    next_tick: Micros,
    ready: usize,
    was_ready: Vec<bool>,
}

impl<P: Protocol> EventLoop<P> {
    /// Creates a loop that will open all `connections`.
    ///
    /// # Errors
    /// The kernel gives no more descriptors.
    pub fn new(
        clock: Clock,
        settings: LoopSettings,
        connections: Arc<[Connection<P>]>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let mut dials = DialQueue::new(settings.dial.share(settings.share));
        let now = clock.now();
        (0..connections.len()).for_each(|number| dials.push(now, number));
        Ok(Self {
            clock,
            settings,
            poll,
            events: Events::with_capacity(EVENTS),
            waker,
            scratch: vec![0; SCRATCH_BYTES],
            dials,
            unfinished: Vec::new(),
            next_tick: now.after(settings.tick),
            ready: 0,
            was_ready: vec![false; connections.len()],
            connections,
        })
    }

    /// Returns what wakes the loop from other threads.
    pub fn waker(&self) -> LoopWaker {
        LoopWaker(Arc::clone(&self.waker))
    }

    /// Number of connections that are ready.
    pub const fn ready(&self) -> usize {
        self.ready
    }

    /// Waits at most `longest_wait` for something to do, and does it. `thread` learns how long that took.
    ///
    /// # Errors
    /// The kernel's list of sockets cannot be read.
    pub fn turn(
        &mut self,
        longest_wait: Duration,
        thread: Option<&HotThread>,
        events: &mut P::Events<'_>,
    ) -> io::Result<()> {
        let wait = self.wait(longest_wait);
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        if let Some(thread) = thread {
            thread.begin_pass();
        }
        self.work(events);
        if let Some(thread) = thread {
            thread.end_pass();
        }
        Ok(())
    }

    /// Time until there is something to do though no socket is ready; at most `longest`.
    fn wait(&self, longest: Duration) -> Duration {
        if !self.unfinished.is_empty() {
            return Duration::ZERO;
        }
        let until = self.dials.next_time().map_or(self.next_tick, |dial| dial.min(self.next_tick));
        let micros = u64::try_from(until.since(self.clock.now())).unwrap_or(0);
        longest.min(Duration::from_micros(micros))
    }

    fn work(&mut self, events: &mut P::Events<'_>) {
        for number in std::mem::take(&mut self.unfinished) {
            self.serve(number, true, false, events);
        }
        let ready = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in ready.iter().filter(|event| event.token() != WAKE) {
            // An error or the end of the stream is found by reading.
            let is_readable = event.is_readable() || event.is_read_closed() || event.is_error();
            self.serve(event.token().0, is_readable, event.is_writable(), events);
        }
        self.events = ready;
        let now = self.clock.now();
        while let Some(number) = self.dials.take(now) {
            self.dial(number, events);
        }
        if now >= self.next_tick {
            self.next_tick = now.after(self.settings.tick);
            (0..self.connections.len()).for_each(|number| self.tick(number, events));
        }
    }

    /// Lets a connection do what its socket is ready for.
    fn serve(&mut self, number: usize, readable: bool, writable: bool, events: &mut P::Events<'_>) {
        let connections = Arc::clone(&self.connections);
        let Some(connection) = connections.get(number) else { return };
        let mut state = connection.0.lock();
        let was_open = state.phase == Phase::Open;
        if state.phase == Phase::Connecting {
            let next = state.finish_connecting(self.clock, events);
            self.follow(number, &mut state, next, events);
        } else if state.phase == Phase::Handshake {
            let next = state.shake_hands(self.clock, events);
            self.follow(number, &mut state, next, events);
        }
        if state.phase == Phase::Open && writable {
            let next = state.write(self.clock, events);
            self.follow(number, &mut state, next, events);
        }
        // The end of the handshake may have brought the server's first bytes: the socket does not tell again.
        if state.phase == Phase::Open && (readable || !was_open) {
            let keep_room = self.settings.keep_room;
            let next = state.read(self.clock, &mut self.scratch, keep_room, events);
            self.follow(number, &mut state, next, events);
        }
    }

    fn dial(&mut self, number: usize, events: &mut P::Events<'_>) {
        let connections = Arc::clone(&self.connections);
        let mut state = connections[number].0.lock();
        state.is_dialing = true;
        if let Err(error) =
            state.dial(number, self.settings.share, self.clock, self.poll.registry())
        {
            self.close(number, &mut state, error.to_string(), events);
        }
    }

    fn tick(&mut self, number: usize, events: &mut P::Events<'_>) {
        let connections = Arc::clone(&self.connections);
        let mut state = connections[number].0.lock();
        let waited = self.clock.now().since(state.since);
        let timeout = self.dials.timeout();
        let next = if state.is_dialing && Micros(waited) > Micros(0).after(timeout) {
            let what = match state.phase {
                Phase::Open => "the server accepted the connection and did not answer",
                Phase::Handshake => "the TLS handshake was not over",
                _ => "no answer to the connection attempt",
            };
            Next::Close(format!("{what} within {} s", timeout.as_secs()))
        } else {
            state.tick(self.clock, events)
        };
        self.follow(number, &mut state, next, events);
    }

    fn follow(
        &mut self,
        number: usize,
        state: &mut ConnectionState<P>,
        next: Next,
        events: &mut P::Events<'_>,
    ) {
        match next {
            Next::Wait => {}
            Next::ReadAgain => self.unfinished.push(number),
            Next::Close(reason) => return self.close(number, state, reason, events),
        }
        self.note_readiness(number, state);
    }

    /// Counts connections that became ready or are no longer.
    fn note_readiness(&mut self, number: usize, state: &mut ConnectionState<P>) {
        let is_ready = state.phase == Phase::Open && state.protocol.is_ready();
        if is_ready == self.was_ready[number] {
            return;
        }
        self.was_ready[number] = is_ready;
        if is_ready {
            self.ready += 1;
            state.attempt = 0;
            if std::mem::take(&mut state.is_dialing) {
                self.dials.done();
            }
        } else {
            self.ready -= 1;
        }
    }

    fn close(
        &mut self,
        number: usize,
        state: &mut ConnectionState<P>,
        reason: String,
        events: &mut P::Events<'_>,
    ) {
        let now = self.clock.now();
        let next = state.close(now, reason, self.poll.registry(), events);
        if std::mem::take(&mut state.is_dialing) {
            self.dials.done();
        }
        self.note_readiness(number, state);
        if let Some(address) = next {
            state.address = address;
            self.dials.push(now.after(dial::pause(state.attempt)), number);
        }
    }
}
