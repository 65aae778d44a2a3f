//! What librdkafka says by itself: errors become notes, log lines go to the log; never the terminal.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::KafkaError,
    producer::{DeliveryResult, ProducerContext},
};

/// A thousand users that lose the same broker shall say so once.
const QUIET: Duration = Duration::from_secs(5);

/// Tells each kind of news at most once in five seconds, with the number of those left out.
pub(super) struct Notes {
    tell: Box<dyn Fn(String) + Send + Sync>,
    told: Mutex<HashMap<String, Told>>,
}

struct Told {
    at: Instant,
    left_out: u64,
}

impl Notes {
    /// Notes that go to `tell`.
    pub(super) fn new(tell: impl Fn(String) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { tell: Box::new(tell), told: Mutex::default() })
    }

    /// Notes of a client that nobody watches: they go to the log.
    pub(super) fn to_log(who: &'static str) -> Arc<Self> {
        Self::new(move |text| tracing::warn!(target: "hubmark::kafka", "{who}: {text}"))
    }

    fn tell(&self, kind: String, text: &str) {
        if let Some(left_out) = self.admit(kind, Instant::now()) {
            (self.tell)(match left_out {
                0 => text.to_owned(),
                n => format!("{text} (and {n} more like it)"),
            });
        }
    }

    /// How many of that kind were left out before, if this one is to be told.
    fn admit(&self, kind: String, now: Instant) -> Option<u64> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(before) = told.get_mut(&kind) else {
            told.insert(kind, Told { at: now, left_out: 0 });
            return Some(0);
        };
        if now.duration_since(before.at) < QUIET {
            before.left_out += 1;
            return None;
        }
        before.at = now;
        Some(std::mem::take(&mut before.left_out))
    }

    /// An error that librdkafka met outside of any call.
    pub(super) fn error(&self, error: &KafkaError, reason: &str) {
        let kind = error.rdkafka_error_code().map_or_else(String::new, |code| format!("{code:?}"));
        self.tell(kind, reason);
    }

    /// A line of librdkafka's log. What is an error in it also comes by [`Notes::error`].
    pub(super) fn log(level: RDKafkaLogLevel, facility: &str, text: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => {
                tracing::debug!(target: "hubmark::kafka", "librdkafka: {facility} {text}");
            }
            _ => tracing::trace!(target: "hubmark::kafka", "librdkafka: {facility} {text}"),
        }
    }
}

/// The context of clients that need nothing but a place for their errors.
pub(super) struct Listener(pub Arc<Notes>);

impl ClientContext for Listener {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        Notes::log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(&error, reason);
    }

    fn stats_raw(&self, _statistics: &[u8]) {}
}

impl ConsumerContext for Listener {}

impl ProducerContext for Listener {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_kind_of_news_is_told_once_in_a_while_with_the_number_left_out() {
        let notes = Notes::new(|_| {});
        let start = Instant::now();
        let lost = || "BrokerTransportFailure".to_owned();
        assert_eq!(notes.admit(lost(), start), Some(0));
        assert_eq!(notes.admit(lost(), start), None);
        assert_eq!(notes.admit(lost(), start + Duration::from_secs(1)), None);
        assert_eq!(notes.admit("Authentication".to_owned(), start), Some(0));
        assert_eq!(notes.admit(lost(), start + QUIET), Some(2));
        assert_eq!(notes.admit(lost(), start + QUIET * 2), Some(0));
    }
}
