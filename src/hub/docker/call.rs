//! One call to the engine: a limit of time, and its error in words.

use std::{error::Error as _, future::Future, time::Duration};

use bollard::errors::Error as EngineError;

use crate::hub::HubError;

/// Limit of a call that only asks.
pub const ASK: Duration = Duration::from_secs(20);
/// Limit of a call that makes the engine work: create, start, remove.
pub const WORK: Duration = Duration::from_secs(90);

/// What is said of a connection that ends in the middle of a call.
const LOST: [&str; 3] =
    ["connection closed before message completed", "reset by peer", "Broken pipe"];

/// Runs a call with a limit of time of its own, so that a hanging engine never hangs us.
///
/// bollard's own limit ends with the response's head; this one covers its body too.
pub async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, EngineError> {
    tokio::time::timeout(limit, call).await.unwrap_or(Err(EngineError::RequestTimeoutError))
}

/// The engine's words alone, or those of the connection to it down to the cause.
pub fn words(error: &EngineError) -> String {
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
            if LOST.iter().any(|lost| text.contains(lost)) {
                text = format!(
                    "the engine, or the way to it, went away before it answered ({text}): its log \
                     says more (journalctl -u docker)"
                );
            }
            text
        }
    }
}

/// The HTTP status with which the engine refused, if it did.
pub const fn status(error: &EngineError) -> Option<u16> {
    match error {
        EngineError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Makes an error of `what` that was tried.
pub fn failed(what: impl Into<String>) -> impl FnOnce(EngineError) -> HubError {
    let what = what.into();
    move |error| HubError::Operation { what, reason: words(&error) }
}

/// A line as a terminal may show it: escape sequences and control characters are taken out, and
/// of a line that was overwritten only its last state is left.
pub fn plain(line: &str) -> String {
    let line = line.trim_end_matches(['\r', '\n']);
    let line = line.rsplit('\r').next().unwrap_or(line);
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => skip_sequence(&mut characters),
            '\t' => text.push(' '),
            other if other.is_control() => {}
            other => text.push(other),
        }
    }
    text
}

/// Skips the rest of an escape sequence (ECMA-48): a control sequence ends with a byte from `@`
/// to `~`, a command string with BEL or ESC \, and anything else is one character.
fn skip_sequence(characters: &mut std::str::Chars<'_>) {
    match characters.next() {
        Some('[') => {
            characters.find(|c| ('@'..='~').contains(c));
        }
        // The string's end may be two characters long.
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
    fn colours_titles_and_overwritten_text_vanish() {
        assert_eq!(plain("\u{1b}[1;31mERROR\u{1b}[0m\tno disk\r\n"), "ERROR no disk");
        assert_eq!(plain("\u{1b}]0;title\u{7}after"), "after");
        assert_eq!(plain("\u{1b}]8;;http://x\u{1b}\\link"), "link");
        assert_eq!(plain("10 %\r50 %\r100 %"), "100 %");
    }

    proptest! {
        #[test]
        fn nothing_that_a_terminal_obeys_is_left(line: String) {
            prop_assert!(!plain(&line).chars().any(char::is_control));
        }

        #[test]
        fn plain_text_stays(line in "[ -~äöü→]*") {
            prop_assert_eq!(plain(&line), line);
        }
    }

    #[tokio::test]
    async fn an_engine_that_goes_away_in_the_middle_of_a_call_is_named() {
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
        let error = within(ASK, client.version()).await.unwrap_err();
        let said = words(&error);
        assert!(said.starts_with("the engine, or the way to it, went away"), "{said}");
        assert!(said.contains("journalctl -u docker"), "{said}");
    }

    #[tokio::test]
    async fn a_call_that_hangs_ends_in_words() {
        let hangs = std::future::pending::<Result<(), EngineError>>();
        let error = within(Duration::from_millis(1), hangs).await.unwrap_err();
        assert_eq!(words(&error), "the engine did not answer in time");
    }

    #[test]
    fn the_engines_words_come_without_wrapping() {
        let error = EngineError::DockerResponseServerError {
            status_code: 404,
            message: "No such container: x\n".to_owned(),
        };
        assert_eq!((status(&error), words(&error).as_str()), (Some(404), "No such container: x"));
    }
}
