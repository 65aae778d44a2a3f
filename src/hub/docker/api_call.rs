//! Time limits for calls to the engine's API, and the text of their errors.

use std::{error::Error as _, future::Future, io, time::Duration};

use bollard::errors::Error as EngineError;

use crate::{hub::HubError, units::human_duration};

/// Error texts of a connection that broke in the middle of a call.
const CONNECTION_LOST_TEXTS: [&str; 3] =
    ["connection closed before message completed", "reset by peer", "Broken pipe"];

/// Runs a call with a time limit, so that a hanging engine never hangs this program. `what` names the call
/// in the error.
///
/// bollard's timeout ends with the response's head; this limit covers the body too.
pub async fn with_timeout<T>(
    limit: Duration,
    what: &str,
    call: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, EngineError> {
    tokio::time::timeout(limit, call).await.unwrap_or_else(|_| {
        let waited = human_duration(limit);
        let text = format!(
            "no answer to {what:?} within {waited} (a slow hub needs a longer hub.timeout or --hub-timeout)"
        );
        Err(io::Error::new(io::ErrorKind::TimedOut, text).into())
    })
}

/// Whether a call ended without an answer from the engine: by its time limit, or with its connection.
pub const fn is_connection_failure(error: &EngineError) -> bool {
    http_status(error).is_none() && !matches!(error, EngineError::DockerStreamError { .. })
}

/// Returns the engine's message alone, or the connection's error with its causes.
pub fn error_text(error: &EngineError) -> String {
    match error {
        EngineError::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        EngineError::DockerStreamError { error } => error.trim().to_owned(),
        EngineError::RequestTimeoutError => "the engine did not answer in time".to_owned(),
        other => {
            let mut text = other.to_string();
            let mut cause = other.source();
            while let Some(inner) = cause {
                let inner_text = inner.to_string();
                if !text.contains(&inner_text) {
                    text = format!("{text}: {inner_text}");
                }
                cause = inner.source();
            }
            if CONNECTION_LOST_TEXTS.iter().any(|lost| text.contains(lost)) {
                text = format!(
                    "the engine or the connection to it failed before it answered ({text}): see \
                     its log (journalctl -u docker)"
                );
            }
            text
        }
    }
}

/// Returns the HTTP status of an engine's refusal, or `None` for any other error.
pub const fn http_status(error: &EngineError) -> Option<u16> {
    match error {
        EngineError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Returns a function that turns an engine's error into a [`HubError`] about `what` was tried.
pub fn operation_error(what: impl Into<String>) -> impl FnOnce(EngineError) -> HubError {
    let what = what.into();
    move |error| HubError::Operation { what, reason: error_text(&error) }
}

/// Removes escape sequences and control characters from a line of output.
///
/// Of a line that was overwritten with carriage returns, only its last state is returned.
pub fn strip_control_characters(line: &str) -> String {
    let line = line.trim_end_matches(['\r', '\n']);
    let line = line.rsplit('\r').next().unwrap_or(line);
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => skip_escape_sequence(&mut characters),
            '\t' => text.push(' '),
            other if other.is_control() => {}
            other => text.push(other),
        }
    }
    text
}

/// Skips the rest of an escape sequence (ECMA-48): a control sequence ends with a byte from `@`
/// to `~`, a command string with BEL or ESC \, and anything else is one character.
fn skip_escape_sequence(characters: &mut std::str::Chars<'_>) {
    match characters.next() {
        Some('[') => {
            characters.find(|c| ('@'..='~').contains(c));
        }
        // The terminator of a command string may be two characters long.
        Some(']' | 'P' | '^' | '_' | 'X')
            if characters.find(|c| matches!(c, '\u{7}' | '\u{1b}')) == Some('\u{1b}') =>
        {
            characters.next();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn colours_titles_and_overwritten_text_are_removed() {
        assert_eq!(
            strip_control_characters("\u{1b}[1;31mERROR\u{1b}[0m\tno disk\r\n"),
            "ERROR no disk"
        );
        assert_eq!(strip_control_characters("\u{1b}]0;title\u{7}after"), "after");
        assert_eq!(strip_control_characters("\u{1b}]8;;http://x\u{1b}\\link"), "link");
        assert_eq!(strip_control_characters("10 %\r50 %\r100 %"), "100 %");
    }

    proptest! {
        #[test]
        fn no_control_characters_remain(line: String) {
            prop_assert!(!strip_control_characters(&line).chars().any(char::is_control));
        }

        #[test]
        fn plain_text_stays(line in "[ -~äöü→]*") {
            prop_assert_eq!(strip_control_characters(&line), line);
        }
    }

    #[tokio::test]
    async fn an_engine_that_closes_the_connection_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            while let Ok((mut caller, _)) = listener.accept().await {
                let _ = tokio::io::AsyncReadExt::read(&mut caller, &mut [0; 1]).await;
            }
        });
        let path = socket.display().to_string();
        let client =
            bollard::Docker::connect_with_unix(&path, 5, bollard::API_DEFAULT_VERSION).unwrap();
        let error = with_timeout(Duration::from_secs(20), "its version", client.version())
            .await
            .unwrap_err();
        let text = error_text(&error);
        assert!(text.starts_with("the engine or the connection to it failed"), "{text}");
        assert!(text.contains("journalctl -u docker"), "{text}");
    }

    #[tokio::test]
    async fn a_hanging_call_is_named_with_the_time_that_it_was_waited_for() {
        let hangs = std::future::pending::<Result<(), EngineError>>();
        let limit = Duration::from_millis(1);
        let error = with_timeout(limit, "starting a container", hangs).await.unwrap_err();
        let text = error_text(&error);
        assert!(text.contains("\"starting a container\" within 1 ms"), "{text}");
        assert!(text.contains("hub.timeout"), "{text}");
        assert!(is_connection_failure(&error) && http_status(&error).is_none());
    }

    #[test]
    fn error_text_is_the_engines_message_alone() {
        let error = EngineError::DockerResponseServerError {
            status_code: 404,
            message: "No such container: x\n".to_owned(),
        };
        assert_eq!(
            (http_status(&error), error_text(&error).as_str()),
            (Some(404), "No such container: x")
        );
    }
}
