//! Messages that are written in one request.

use crate::backend::kafka::codec::{
    batch_writer::{BatchWriter, Sequence},
    compression::Compression,
    produce::ProducePrefix,
};
use crate::{clock::Micros, stamp::Stamp};

/// The stamps of a request's messages; nearly always there is one.
#[derive(Debug, Clone)]
pub enum Stamps {
    One(Stamp),
    Many(Vec<Stamp>),
}

impl Stamps {
    pub fn as_slice(&self) -> &[Stamp] {
        match self {
            Self::One(stamp) => std::slice::from_ref(stamp),
            Self::Many(stamps) => stamps,
        }
    }

    fn push(&mut self, stamp: Stamp) {
        match self {
            Self::One(first) => *self = Self::Many(vec![*first, stamp]),
            Self::Many(stamps) => stamps.push(stamp),
        }
    }
}

/// A batch of messages: a frame from the first byte on, so that nothing is copied again.
#[derive(Debug)]
pub(super) struct Batch {
    /// The request; empty while the connection has it.
    pub frame: Vec<u8>,
    writer: BatchWriter,
    pub stamps: Stamps,
    /// When its first message was taken.
    pub since: Micros,
    /// Bytes of its messages, for the limit of the queue.
    pub bytes: usize,
    /// Sequence number of its first message, once it has been sent by an idempotent producer.
    pub sequence: Option<Sequence>,
    is_finished: bool,
}

impl Batch {
    /// Begins a batch with one message, in the memory of `frame`. `timestamp` is in milliseconds since 1970.
    pub fn begin(
        mut frame: Vec<u8>,
        prefix: &ProducePrefix,
        now: Micros,
        timestamp: i64,
        stamp: Stamp,
        message: &[u8],
    ) -> Self {
        prefix.begin(&mut frame);
        let mut writer = BatchWriter::begin(&mut frame, timestamp);
        writer.push(&mut frame, timestamp, message);
        let stamps = Stamps::One(stamp);
        Self {
            frame,
            writer,
            stamps,
            since: now,
            bytes: message.len(),
            sequence: None,
            is_finished: false,
        }
    }

    /// Appends a message.
    pub fn push(&mut self, timestamp: i64, stamp: Stamp, message: &[u8]) {
        self.writer.push(&mut self.frame, timestamp, message);
        self.stamps.push(stamp);
        self.bytes += message.len();
    }

    /// Bytes of the batch before compression.
    pub fn batch_bytes(&self) -> usize {
        self.writer.bytes(&self.frame)
    }

    /// Number of its messages.
    pub const fn records(&self) -> i32 {
        self.writer.records()
    }

    /// Completes the request, once.
    pub fn finish(
        &mut self,
        prefix: &ProducePrefix,
        compression: Compression,
    ) -> Result<(), String> {
        if !self.is_finished {
            self.writer.finish(&mut self.frame, compression, self.sequence)?;
            prefix.end(&mut self.frame);
            self.is_finished = true;
        }
        Ok(())
    }
}
