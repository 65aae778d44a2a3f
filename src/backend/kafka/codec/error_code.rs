//! What an error code says about a message.

use kafka_protocol::ResponseError;

/// Success.
pub const NO_ERROR: i16 = 0;

/// What became of the messages of a request that was answered with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They are stored.
    Stored,
    /// They are certainly not stored, and never will be.
    Refused,
    /// They are certainly not stored: another leader, or a later attempt, may take them.
    NotYet,
    /// Neither is certain.
    Unknown,
}

/// Judges the error code of an answer to a request to write.
pub fn judge(code: i16) -> Verdict {
    use ResponseError as E;
    match ResponseError::try_from_code(code) {
        // An idempotent producer's message that had been stored at an earlier attempt.
        None | Some(E::DuplicateSequenceNumber) => Verdict::Stored,
        Some(
            E::UnknownTopicOrPartition
            | E::LeaderNotAvailable
            | E::NotLeaderOrFollower
            | E::NotEnoughReplicas
            | E::ThrottlingQuotaExceeded,
        ) => Verdict::NotYet,
        Some(
            E::CorruptMessage
            | E::MessageTooLarge
            | E::RecordListTooLarge
            | E::InvalidTopicException
            | E::InvalidRequiredAcks
            | E::TopicAuthorizationFailed
            | E::ClusterAuthorizationFailed
            | E::InvalidTimestamp
            | E::UnsupportedForMessageFormat
            | E::UnsupportedVersion
            | E::PolicyViolation
            | E::OutOfOrderSequenceNumber
            | E::InvalidProducerEpoch
            | E::UnknownProducerId
            | E::UnsupportedCompressionType
            | E::InvalidRecord,
        ) => Verdict::Refused,
        Some(_) => Verdict::Unknown,
    }
}

/// Returns an error code's text with advice for the operator.
pub fn describe(code: i16) -> String {
    use ResponseError as E;
    let Some(error) = ResponseError::try_from_code(code) else { return "success".into() };
    let advice = match error {
        E::InvalidTimestamp => {
            "Kafka refuses messages from a machine whose clock is more than an hour ahead; set both clocks"
        }
        E::TopicAuthorizationFailed | E::ClusterAuthorizationFailed => {
            "the server does not allow this user to do it"
        }
        E::RequestTimedOut => "the server gave up waiting for itself; is it overloaded?",
        E::SaslAuthenticationFailed => "the server refused user name or password",
        _ => return words(&error.to_string()),
    };
    format!("{} ({advice})", words(&error.to_string()))
}

/// Turns an error's name, for example `NotLeaderOrFollower`, into words.
fn words(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 8);
    for (index, letter) in name.chars().enumerate() {
        if index > 0 && letter.is_uppercase() {
            text.push(' ');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_is_as_certain_as_the_protocol_makes_it() {
        use Verdict::{NotYet, Refused, Stored, Unknown};
        let judged = [0, 46, 3, 6, 19, 10, 29, 32, 7, 20, 56, -1, 9_999].map(judge);
        assert_eq!(
            judged,
            [
                Stored, Stored, NotYet, NotYet, NotYet, Refused, Refused, Refused, Unknown,
                Unknown, Unknown, Unknown, Unknown
            ]
        );
    }

    #[test]
    fn an_error_is_described_in_words_and_with_advice() {
        assert_eq!(describe(6), "not leader or follower");
        assert!(describe(29).starts_with("topic authorization failed (the server does not allow"));
        assert_eq!(describe(0), "success");
    }
}
