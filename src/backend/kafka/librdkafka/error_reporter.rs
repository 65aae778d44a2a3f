//! Errors and log lines of librdkafka: errors become notes, log lines go to the log; neither
//! reaches the terminal.

use std::sync::Arc;

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::KafkaError,
    producer::{DeliveryResult, ProducerContext},
};

use crate::backend::kafka::note_limiter::NoteLimiter;

/// Reports each kind of error at most once in a while, with the number of suppressed reports.
pub(super) struct ErrorReporter {
    sink: Box<dyn Fn(String) + Send + Sync>,
    limiter: NoteLimiter,
}

impl ErrorReporter {
    /// Creates a reporter that passes its notes to `sink`.
    pub(super) fn new(sink: impl Fn(String) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { sink: Box::new(sink), limiter: NoteLimiter::default() })
    }

    /// Creates a reporter that writes to the log, for clients that belong to no user.
    pub(super) fn to_log(client: &'static str) -> Arc<Self> {
        Self::new(move |text| tracing::warn!(target: "hubmark::kafka", "{client}: {text}"))
    }

    /// Reports an error that librdkafka had outside of any call.
    pub(super) fn report(&self, error: &KafkaError, reason: &str) {
        let kind = error.rdkafka_error_code().map_or_else(String::new, |code| format!("{code:?}"));
        if let Some(text) = self.limiter.admit_kind(kind, reason.to_owned()) {
            (self.sink)(text);
        }
    }

    /// Writes a line of librdkafka's log; errors in it also arrive at [`ErrorReporter::report`].
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

/// Context of clients that only need their errors reported.
pub(super) struct LoggingContext(pub Arc<ErrorReporter>);

impl ClientContext for LoggingContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        ErrorReporter::log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.report(&error, reason);
    }

    fn stats_raw(&self, _statistics: &[u8]) {}
}

impl ConsumerContext for LoggingContext {}

impl ProducerContext for LoggingContext {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}
