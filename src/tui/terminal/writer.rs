//! Writer that sends frames to the terminal on a separate thread.
//!
//! A blocked terminal (Ctrl-S, a suspended laptop, a slow line) therefore delays neither keys, signals
//! nor the run; a frame is drawn only when the previous one is written.

use std::{
    io::{self, Write},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::Notify;

/// Buffered handle to the writer thread.
#[derive(Debug)]
pub struct TermWriter {
    shared: Arc<WriterShared>,
    /// Bytes that are not yet passed to the thread.
    buffer: Vec<u8>,
}

impl Clone for TermWriter {
    /// Creates another handle to the same thread; unflushed bytes are not cloned.
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), buffer: Vec::new() }
    }
}

#[derive(Debug, Default)]
struct WriterShared {
    state: Mutex<WriterState>,
    work: Condvar,
    drained: Condvar,
    idle: Notify,
}

#[derive(Debug, Default)]
struct WriterState {
    pending: Vec<u8>,
    writing: bool,
    failed: Option<io::ErrorKind>,
    stats: WriteStats,
}

/// Statistics of the bytes that the terminal accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteStats {
    /// Bytes written since the start.
    pub total_bytes: u64,
    /// Bytes of the last uninterrupted write.
    pub last_bytes: usize,
    /// Duration of that write, until the terminal's buffer had accepted all of it.
    pub last_duration: Duration,
}

/// Name of the writer thread.
pub const THREAD_NAME: &str = "terminal";
/// Retry interval when the terminal is in non-blocking mode and its buffer is full; another process
/// may have set that mode.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

impl TermWriter {
    /// Spawns a thread that writes to `output`.
    ///
    /// # Errors
    /// When the thread cannot be spawned.
    pub fn spawn(mut output: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(WriterShared::default());
        let writer = Self { shared: Arc::clone(&shared), buffer: Vec::new() };
        // Never joined: a permanently blocked terminal would block the join.
        thread::Builder::new()
            .name(THREAD_NAME.to_owned())
            .spawn(move || shared.write_loop(&mut output))?;
        Ok(writer)
    }

    /// Waits until everything is written or writing has failed.
    pub async fn wait_idle(&self) {
        loop {
            let idle = self.shared.idle.notified();
            if self.shared.state().is_idle() {
                return;
            }
            idle.await;
        }
    }

    /// Waits at most `most` until everything is written.
    pub fn drain(&self, most: Duration) {
        let mut state = self.shared.state();
        self.shared.drained.wait_while_for(&mut state, |state| !state.is_idle(), most);
    }

    /// Statistics of the writes so far.
    pub fn stats(&self) -> WriteStats {
        self.shared.state().stats
    }
}

impl Write for TermWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Passes the buffer to the thread; an error is that of an earlier write.
    fn flush(&mut self) -> io::Result<()> {
        let mut state = self.shared.state();
        if let Some(kind) = state.failed {
            return Err(kind.into());
        }
        state.pending.append(&mut self.buffer);
        drop(state);
        self.shared.work.notify_one();
        Ok(())
    }
}

impl WriterState {
    fn is_idle(&self) -> bool {
        self.failed.is_some() || (self.pending.is_empty() && !self.writing)
    }
}

impl WriterShared {
    fn state(&self) -> MutexGuard<'_, WriterState> {
        self.state.lock()
    }

    fn write_loop(&self, output: &mut impl Write) {
        let mut state = self.state();
        loop {
            while state.pending.is_empty() {
                self.work.wait(&mut state);
            }
            // A frame may arrive in several pieces: measure until all of them are written.
            let (began, mut bytes) = (Instant::now(), 0);
            state.writing = true;
            while !state.pending.is_empty() {
                let piece = std::mem::take(&mut state.pending);
                drop(state);
                let result = write_all_retrying(output, &piece);
                state = self.state();
                bytes += piece.len();
                state.failed = result.err().map(|error| error.kind());
                if state.failed.is_some() {
                    break;
                }
            }
            state.writing = false;
            let all = state.stats.total_bytes + bytes as u64;
            state.stats =
                WriteStats { total_bytes: all, last_bytes: bytes, last_duration: began.elapsed() };
            self.drained.notify_all();
            self.idle.notify_waiters();
            if state.failed.is_some() {
                return;
            }
        }
    }
}

/// Writes all of `piece`; retries while the terminal would block.
fn write_all_retrying(output: &mut impl Write, mut piece: &[u8]) -> io::Result<()> {
    while !piece.is_empty() {
        match output.write(piece) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(length) => piece = &piece[length..],
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => thread::sleep(RETRY_INTERVAL),
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

    /// Output that accepts a write only when the test permits it.
    struct GatedOutput {
        open: mpsc::Receiver<io::Result<()>>,
        taken: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for GatedOutput {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.open.recv().unwrap_or(Ok(()))?;
            self.taken.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    type GateSender = mpsc::Sender<io::Result<()>>;

    fn gated_writer() -> (TermWriter, GateSender, Arc<Mutex<Vec<u8>>>) {
        let (sender, open) = mpsc::channel();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let writer =
            TermWriter::spawn(GatedOutput { open, taken: Arc::clone(&taken) }).expect("a thread");
        (writer, sender, taken)
    }

    #[tokio::test]
    async fn a_blocked_terminal_delays_no_writer_and_gets_everything_in_order() {
        let (mut writer, open, taken) = gated_writer();
        writer.wait_idle().await;
        for piece in ["a", "b", "c"] {
            writer
                .write_all(piece.as_bytes())
                .and_then(|()| writer.flush())
                .expect("flushing does not block");
        }
        writer.drain(Duration::from_millis(20));
        assert!(!writer.shared.state().is_idle(), "no write was permitted");
        open.send(Err(io::ErrorKind::WouldBlock.into())).expect("the thread is running");
        for _ in 0..3 {
            open.send(Ok(())).expect("the thread is running");
        }
        writer.wait_idle().await;
        assert_eq!(taken.lock().as_slice(), b"abc");
        let speed = writer.stats();
        assert_eq!((speed.total_bytes, speed.last_bytes), (3, 3));
        assert!(!speed.last_duration.is_zero());
    }

    #[tokio::test]
    async fn a_lost_terminal_fails_the_next_flush() {
        let (mut writer, open, _) = gated_writer();
        open.send(Err(io::ErrorKind::BrokenPipe.into())).expect("the thread is running");
        writer.write_all(b"a").and_then(|()| writer.flush()).expect("the error is not known yet");
        writer.wait_idle().await;
        assert!(writer.flush().is_err());
    }
}
