//! Between the run and the screen: holds what the screen has not seen yet, without growing with
//! snapshots.
//!
//! The screen may be busy, or stopped (Ctrl-Z). The run never waits for it: its events are taken at
//! once, and of consecutive snapshots only the newest is kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc::UnboundedReceiver};

use crate::event::Event;

/// Events that wait for the screen.
#[derive(Debug, Default)]
pub struct Mailbox {
    held: Mutex<Held>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Held {
    events: Vec<Event>,
    missed: u64,
    closed: bool,
}

/// What was in the mailbox.
#[derive(Debug)]
pub struct Mail {
    /// Events, in order.
    pub events: Vec<Event>,
    /// Whether no more will come.
    pub closed: bool,
}

impl Mailbox {
    /// A mailbox that takes in everything that `events` yields, on a task of its own.
    pub fn filled_from(mut events: UnboundedReceiver<Event>) -> Arc<Self> {
        let mailbox = Arc::new(Self::default());
        let filled = Arc::clone(&mailbox);
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                filled.put(event);
            }
            filled.close();
        });
        mailbox
    }

    /// Waits until something is there, and takes it all.
    pub async fn take(&self) -> Mail {
        loop {
            let arrived = self.arrived.notified();
            let mail = self.take_now();
            if mail.closed || !mail.events.is_empty() {
                return mail;
            }
            arrived.await;
        }
    }

    fn take_now(&self) -> Mail {
        let mut held = self.held();
        Mail { events: std::mem::take(&mut held.events), closed: held.closed }
    }

    /// Puts an event in.
    pub fn put(&self, mut event: Event) {
        let mut held = self.held();
        let replaces =
            matches!((&event, held.events.last()), (Event::Snapshot(_), Some(Event::Snapshot(_))));
        if replaces {
            held.events.pop();
            held.missed += 1;
        }
        if let Event::Snapshot(snapshot) = &mut event {
            snapshot.dropped += held.missed;
        }
        held.events.push(event);
        drop(held);
        self.arrived.notify_one();
    }

    /// Says that no more will come.
    pub fn close(&self) {
        self.held().closed = true;
        self.arrived.notify_one();
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::event::{Level, Snapshot};

    fn snapshot(seconds: f64) -> Event {
        Event::Snapshot(Box::new(Snapshot { seconds, ..Snapshot::default() }))
    }

    #[test]
    fn of_snapshots_in_a_row_the_newest_stays_and_the_rest_is_counted() {
        let mailbox = Mailbox::default();
        mailbox.put(snapshot(1.0));
        mailbox.put(Event::Log { level: Level::Info, text: "a".to_owned() });
        for second in 2..1_000 {
            mailbox.put(snapshot(f64::from(second)));
        }
        let mail = mailbox.take_now();
        assert_eq!(mail.events.len(), 3);
        let Event::Snapshot(last) = &mail.events[2] else { panic!("{:?}", mail.events[2]) };
        assert!((last.seconds - 999.0).abs() < f64::EPSILON);
        assert_eq!(last.dropped, 997);
        assert!(!mail.closed);
    }

    #[tokio::test]
    async fn everything_arrives_in_order_and_then_the_end() {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mailbox = Mailbox::filled_from(receiver);
        for line in 0..100 {
            sender
                .send(Event::Log { level: Level::Info, text: line.to_string() })
                .expect("the mailbox listens");
        }
        drop(sender);
        let mut lines = Vec::new();
        loop {
            let mail = mailbox.take().await;
            lines.extend(mail.events.into_iter().filter_map(|event| match event {
                Event::Log { text, .. } => Some(text),
                _ => None,
            }));
            if mail.closed {
                break;
            }
        }
        assert_eq!(lines, (0..100).map(|line| line.to_string()).collect::<Vec<_>>());
    }
}
