//! A command executed inside a running container.

use std::time::Duration;

use bollard::{exec::StartExecResults, models::ExecConfig};
use futures_util::StreamExt;

use super::{
    Engine,
    call::{ASK, within, words},
};

/// What a command said, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Standard output and standard error as they came.
    pub text: String,
    /// Its exit code; `None` where the engine does not know it.
    pub code: Option<i64>,
}

impl Engine {
    /// Executes a command in a container and waits for its end, but not longer than `patience`.
    pub(super) async fn inside(
        &self,
        container: &str,
        command: &[&str],
        patience: Duration,
    ) -> Result<Said, String> {
        let config = ExecConfig {
            cmd: Some(command.iter().map(ToString::to_string).collect()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        let client = &self.client;
        let failed = |error| format!("{}: {}", command.join(" "), words(&error));
        let exec = within(ASK, client.create_exec(container, config)).await.map_err(failed)?;
        let started = within(ASK, client.start_exec(&exec.id, None)).await.map_err(failed)?;
        let mut text = Vec::new();
        if let StartExecResults::Attached { mut output, .. } = started {
            let all = async {
                while let Some(piece) = output.next().await.transpose()? {
                    text.extend_from_slice(&piece.into_bytes());
                }
                Ok(())
            };
            within(patience, all).await.map_err(failed)?;
        }
        let ended = within(ASK, client.inspect_exec(&exec.id)).await.map_err(failed)?;
        Ok(Said { text: String::from_utf8_lossy(&text).into_owned(), code: ended.exit_code })
    }

    /// Starts a command in a container and leaves it to itself.
    pub(super) async fn leave_inside(
        &self,
        container: &str,
        command: &[&str],
    ) -> Result<(), String> {
        let config = ExecConfig {
            cmd: Some(command.iter().map(ToString::to_string).collect()),
            ..ExecConfig::default()
        };
        let failed = |error| format!("{}: {}", command.join(" "), words(&error));
        let exec = within(ASK, self.client.create_exec(container, config)).await.map_err(failed)?;
        let detached = bollard::exec::StartExecOptions { detach: true, ..Default::default() };
        within(ASK, self.client.start_exec(&exec.id, Some(detached))).await.map_err(failed)?;
        Ok(())
    }
}
