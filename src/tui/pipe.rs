//! The way to the terminal. A thread of its own writes, so that a terminal that blocks (Ctrl-S, a
//! suspended laptop, a slow line) holds up nothing but itself: keys, signals and the run are
//! answered meanwhile, and a frame is drawn only when the one before has left.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// Where frames are written.
#[derive(Debug)]
pub struct Pipe {
    shared: Arc<Shared>,
    /// What was not handed over yet.
    buffer: Vec<u8>,
}

impl Clone for Pipe {
    /// Another way into the same terminal; what this one holds back stays with it.
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), buffer: Vec::new() }
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    left: Condvar,
    idle: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    writing: bool,
    failed: Option<io::ErrorKind>,
    speed: Speed,
}

/// What the terminal took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Speed {
    /// Bytes since the start.
    pub bytes: u64,
    /// Bytes that left without a pause, last time.
    pub piece: usize,
    /// How long they took: until the terminal's own buffer had taken them.
    pub last: Duration,
}

/// Name of the thread that writes.
pub const THREAD: &str = "terminal";
/// How long to wait for a terminal that somebody else told not to block.
const AGAIN: Duration = Duration::from_millis(10);

impl Pipe {
    /// A pipe into `output`.
    ///
    /// # Errors
    /// When there can be no thread for it.
    pub fn open(mut output: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let pipe = Self { shared: Arc::clone(&shared), buffer: Vec::new() };
        // Never joined: it may hang in a terminal that is blocked for good.
        thread::Builder::new()
            .name(THREAD.to_owned())
            .spawn(move || shared.write_to(&mut output))?;
        Ok(pipe)
    }

    /// Waits until everything has left, or the terminal is gone.
    pub async fn idle(&self) {
        loop {
            let idle = self.shared.idle.notified();
            if self.shared.state().is_idle() {
                return;
            }
            idle.await;
        }
    }

    /// Waits, at most so long, until everything has left.
    pub fn drain(&self, most: Duration) {
        let state = self.shared.state();
        let waits = |state: &mut State| !state.is_idle();
        drop(self.shared.left.wait_timeout_while(state, most, waits));
    }

    /// What the terminal took so far.
    pub fn speed(&self) -> Speed {
        self.shared.state().speed
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Hands over what was written; the error is that of an earlier piece.
    fn flush(&mut self) -> io::Result<()> {
        let mut state = self.shared.state();
        if let Some(kind) = state.failed {
            return Err(kind.into());
        }
        state.waiting.append(&mut self.buffer);
        drop(state);
        self.shared.work.notify_one();
        Ok(())
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.failed.is_some() || (self.waiting.is_empty() && !self.writing)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, output: &mut impl Write) {
        let mut state = self.state();
        loop {
            while state.waiting.is_empty() {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            // A frame may come in several pieces: what counts is until all of them have left.
            let (began, mut bytes) = (Instant::now(), 0);
            state.writing = true;
            while !state.waiting.is_empty() {
                let piece = std::mem::take(&mut state.waiting);
                drop(state);
                let result = write_whole(output, &piece);
                state = self.state();
                bytes += piece.len();
                state.failed = result.err().map(|error| error.kind());
                if state.failed.is_some() {
                    break;
                }
            }
            state.writing = false;
            let all = state.speed.bytes + bytes as u64;
            state.speed = Speed { bytes: all, piece: bytes, last: began.elapsed() };
            self.left.notify_all();
            self.idle.notify_waiters();
            if state.failed.is_some() {
                return;
            }
        }
    }
}

/// Writes all of `piece`, however often the terminal asks to come again.
fn write_whole(output: &mut impl Write, mut piece: &[u8]) -> io::Result<()> {
    while !piece.is_empty() {
        match output.write(piece) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(length) => piece = &piece[length..],
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => thread::sleep(AGAIN),
                _ => return Err(error),
            },
        }
    }
    output.flush()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Takes each piece only when it is allowed to.
    struct Gate {
        open: mpsc::Receiver<io::Result<()>>,
        taken: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.open.recv().unwrap_or(Ok(()))?;
            self.taken.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    type Opener = mpsc::Sender<io::Result<()>>;

    fn gate() -> (Pipe, Opener, Arc<Mutex<Vec<u8>>>) {
        let (sender, open) = mpsc::channel();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let pipe = Pipe::open(Gate { open, taken: Arc::clone(&taken) }).expect("a thread");
        (pipe, sender, taken)
    }

    #[tokio::test]
    async fn a_blocked_terminal_holds_up_nobody_and_gets_everything_in_order() {
        let (mut pipe, open, taken) = gate();
        pipe.idle().await;
        for piece in ["a", "b", "c"] {
            pipe.write_all(piece.as_bytes()).and_then(|()| pipe.flush()).expect("it only waits");
        }
        pipe.drain(Duration::from_millis(20));
        assert!(!pipe.shared.state().is_idle(), "nothing was let through");
        open.send(Err(io::ErrorKind::WouldBlock.into())).expect("the thread lives");
        for _ in 0..3 {
            open.send(Ok(())).expect("the thread lives");
        }
        pipe.idle().await;
        assert_eq!(taken.lock().expect("nobody panicked").as_slice(), b"abc");
        let speed = pipe.speed();
        assert_eq!((speed.bytes, speed.piece), (3, 3));
        assert!(!speed.last.is_zero());
    }

    #[tokio::test]
    async fn a_terminal_that_is_gone_is_told_at_the_next_frame() {
        let (mut pipe, open, _) = gate();
        open.send(Err(io::ErrorKind::BrokenPipe.into())).expect("the thread lives");
        pipe.write_all(b"a").and_then(|()| pipe.flush()).expect("not known yet");
        pipe.idle().await;
        assert!(pipe.flush().is_err());
    }
}
