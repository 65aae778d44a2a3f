//! Queue of events from an engine to a front end: a slow front end loses snapshots and nothing else.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use tokio::sync::mpsc;

use super::{Event, LogLevel, Snapshot};

/// Maximum number of snapshots queued for a slow front end; further ones are dropped and counted.
const MAX_QUEUED_SNAPSHOTS: usize = 8;

/// Creates a channel from an engine to a front end.
pub fn channel() -> (EventSender, EventReceiver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let events = EventSender {
        sender,
        queued_snapshots: Arc::clone(&waiting),
        dropped_snapshots: Arc::default(),
    };
    (events, EventReceiver { receiver, queued_snapshots: waiting })
}

/// Sending half of the event channel, for the engine; sending never blocks.
#[derive(Debug, Clone)]
pub struct EventSender {
    sender: mpsc::UnboundedSender<Event>,
    queued_snapshots: Arc<AtomicUsize>,
    dropped_snapshots: Arc<AtomicU64>,
}

impl EventSender {
    /// Sends an event, or discards it without a front end. The queue is unbounded: apart from
    /// snapshots, a repetition has only a few events.
    pub fn send(&self, event: Event) {
        let _ = self.sender.send(event);
    }

    /// Sends a log line.
    pub fn log(&self, level: LogLevel, text: impl Into<String>) {
        self.send(Event::Log { level, text: text.into() });
    }

    /// Sends a snapshot, or drops and counts it when too many are queued.
    pub fn send_snapshot(&self, snapshot: Snapshot) {
        if self.queued_snapshots.load(Relaxed) < MAX_QUEUED_SNAPSHOTS {
            self.queued_snapshots.fetch_add(1, Relaxed);
            self.send(Event::Snapshot(Box::new(snapshot)));
        } else {
            self.dropped_snapshots.fetch_add(1, Relaxed);
        }
    }

    /// Number of snapshots dropped so far.
    pub fn dropped_snapshots(&self) -> u64 {
        self.dropped_snapshots.load(Relaxed)
    }
}

/// Receiving half of the event channel, for the front end.
#[derive(Debug)]
pub struct EventReceiver {
    receiver: mpsc::UnboundedReceiver<Event>,
    queued_snapshots: Arc<AtomicUsize>,
}

impl EventReceiver {
    /// Waits for the next event; `None` after the last sender was dropped. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Event> {
        let event = self.receiver.recv().await;
        self.count_received(event)
    }

    /// Returns the next queued event, without waiting.
    pub fn try_recv(&mut self) -> Option<Event> {
        let event = self.receiver.try_recv().ok();
        self.count_received(event)
    }

    fn count_received(&self, event: Option<Event>) -> Option<Event> {
        if matches!(event, Some(Event::Snapshot(_))) {
            self.queued_snapshots.fetch_sub(1, Relaxed);
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_front_end_loses_snapshots_and_nothing_else() {
        let (sender, mut receiver) = channel();
        for _ in 0..MAX_QUEUED_SNAPSHOTS + 5 {
            sender.send_snapshot(Snapshot::default());
            sender.log(LogLevel::Info, "still here");
        }
        assert_eq!(sender.dropped_snapshots(), 5);
        let mut lines = 0;
        while let Some(event) = receiver.try_recv() {
            lines += usize::from(matches!(event, Event::Log { .. }));
        }
        assert_eq!(lines, MAX_QUEUED_SNAPSHOTS + 5);
        sender.send_snapshot(Snapshot::default());
        assert!(matches!(receiver.try_recv(), Some(Event::Snapshot(_))));
    }
}
