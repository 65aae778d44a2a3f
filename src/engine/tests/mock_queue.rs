//! Messages of the mock backend that its consumer has not received.

use std::{collections::VecDeque, time::Instant};

use super::mock::ScriptedArrival;
use crate::{clock::Micros, stamp::Stamp};

/// A message queued for the consumer.
pub struct QueuedMessage {
    pub stamp: Stamp,
    pub payload: Vec<u8>,
    pub at: Micros,
    pub batched: bool,
    pub arrival: ScriptedArrival,
    pub queued_at: Instant,
}

#[derive(Default)]
pub struct MessageQueue {
    pub messages: VecDeque<QueuedMessage>,
    pub stored: u64,
    pub counted: bool,
}

impl MessageQueue {
    /// Removes and returns the messages that the consumer may receive now.
    pub fn take_visible(&mut self) -> Vec<QueuedMessage> {
        let counted = self.counted;
        let ready = |message: &QueuedMessage| match message.arrival {
            ScriptedArrival::AtOnce => true,
            ScriptedArrival::After(time) => message.queued_at.elapsed() >= time,
            ScriptedArrival::WhenCounted => counted,
            ScriptedArrival::Never => false,
        };
        let (now, later) = self.messages.drain(..).partition(ready);
        self.messages = later;
        now.into()
    }
}
