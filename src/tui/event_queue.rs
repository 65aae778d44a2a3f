//! Queue of run events between the run and the screen; consecutive snapshots are coalesced.
//!
//! The screen may be busy, or stopped (Ctrl-Z). The run never waits for the screen: a task takes
//! events at once, and of consecutive snapshots only the newest is stored, so that snapshots do not
//! make the queue grow.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, mpsc::UnboundedReceiver};

use crate::event::Event;

/// Queue of events that the screen has not yet handled.
#[derive(Debug, Default)]
pub struct EventQueue {
    state: Mutex<QueueState>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct QueueState {
    events: Vec<Event>,
    coalesced: u64,
    closed: bool,
}

/// All events taken from the queue at once.
#[derive(Debug)]
pub struct EventBatch {
    /// Events, in order.
    pub events: Vec<Event>,
    /// Whether the sender is closed: no more events will follow.
    pub closed: bool,
}

impl EventQueue {
    /// Creates a queue and spawns a task that moves all of `events` into it.
    pub fn spawn_from(mut events: UnboundedReceiver<Event>) -> Arc<Self> {
        let queue = Arc::new(Self::default());
        let filled = Arc::clone(&queue);
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                filled.push(event);
            }
            filled.close();
        });
        queue
    }

    /// Waits until events are queued or the queue is closed, then takes all events.
    pub async fn recv(&self) -> EventBatch {
        loop {
            let arrived = self.arrived.notified();
            let batch = self.drain();
            if batch.closed || !batch.events.is_empty() {
                return batch;
            }
            arrived.await;
        }
    }

    fn drain(&self) -> EventBatch {
        let mut state = self.lock();
        EventBatch { events: std::mem::take(&mut state.events), closed: state.closed }
    }

    /// Appends an event; a snapshot replaces a snapshot directly before it.
    pub fn push(&self, mut event: Event) {
        let mut state = self.lock();
        let replaces =
            matches!((&event, state.events.last()), (Event::Snapshot(_), Some(Event::Snapshot(_))));
        if replaces {
            state.events.pop();
            state.coalesced += 1;
        }
        if let Event::Snapshot(snapshot) = &mut event {
            snapshot.dropped += state.coalesced;
        }
        state.events.push(event);
        drop(state);
        self.arrived.notify_one();
    }

    /// Marks the end of the events.
    pub fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::event::{LogLevel, Snapshot};

    fn snapshot(seconds: f64) -> Event {
        Event::Snapshot(Box::new(Snapshot { seconds, ..Snapshot::default() }))
    }

    #[test]
    fn consecutive_snapshots_are_coalesced_and_counted() {
        let queue = EventQueue::default();
        queue.push(snapshot(1.0));
        queue.push(Event::Log { level: LogLevel::Info, text: "a".to_owned() });
        for second in 2..1_000 {
            queue.push(snapshot(f64::from(second)));
        }
        let batch = queue.drain();
        assert_eq!(batch.events.len(), 3);
        let Event::Snapshot(last) = &batch.events[2] else { panic!("{:?}", batch.events[2]) };
        assert!((last.seconds - 999.0).abs() < f64::EPSILON);
        assert_eq!(last.dropped, 997);
        assert!(!batch.closed);
    }

    #[tokio::test]
    async fn events_arrive_in_order_before_the_close() {
        let (sender, receiver) = mpsc::unbounded_channel();
        let queue = EventQueue::spawn_from(receiver);
        for line in 0..100 {
            sender
                .send(Event::Log { level: LogLevel::Info, text: line.to_string() })
                .expect("the queue's task is running");
        }
        drop(sender);
        let mut lines = Vec::new();
        loop {
            let batch = queue.recv().await;
            lines.extend(batch.events.into_iter().filter_map(|event| match event {
                Event::Log { text, .. } => Some(text),
                _ => None,
            }));
            if batch.closed {
                break;
            }
        }
        assert_eq!(lines, (0..100).map(|line| line.to_string()).collect::<Vec<_>>());
    }
}
