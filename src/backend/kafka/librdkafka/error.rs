//! Errors of librdkafka, for the operator.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// Returns a librdkafka error's text with advice for the operator.
pub(super) fn describe_error(error: &KafkaError) -> String {
    let advice = match error.rdkafka_error_code() {
        Some(Code::OperationTimedOut | Code::RequestTimedOut) => {
            "no answer in time; does the server still run, and does it ask for a password?"
        }
        Some(Code::BrokerTransportFailure | Code::AllBrokersDown) => {
            "no connection; does the server still run?"
        }
        Some(Code::Authentication) => "the server refused user name or password",
        Some(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed) => {
            "the server does not allow this user to do it"
        }
        _ if matches!(error, KafkaError::ClientCreation(_)) => {
            "are there enough threads and file descriptors? see ulimit -u and ulimit -n"
        }
        _ => return error.to_string(),
    };
    format!("{error} ({advice})")
}
