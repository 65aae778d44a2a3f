//! Executes commands inside a running container.

use std::time::Duration;

use bollard::{exec::StartExecResults, models::ExecConfig};
use futures_util::StreamExt;

use crate::hub::docker::{
    api_call::{error_text, with_timeout},
    engine::DockerEngine,
};

/// Output and exit code of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutput {
    /// Standard output and standard error, interleaved.
    pub text: String,
    /// Exit code; `None` where the engine does not know it.
    pub exit_code: Option<i64>,
}

impl DockerEngine {
    /// Executes a command in a container and waits for its end, at most for `time_limit`.
    pub async fn exec(
        &self,
        container: &str,
        command: &[&str],
        time_limit: Duration,
    ) -> Result<ExecOutput, String> {
        let config = ExecConfig {
            cmd: Some(command.iter().map(ToString::to_string).collect()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        let client = &self.client;
        let failed = |error| format!("{}: {}", command.join(" "), error_text(&error));
        let exec = self
            .query("preparing a command", client.create_exec(container, config))
            .await
            .map_err(failed)?;
        let started = self
            .query("starting a command", client.start_exec(&exec.id, None))
            .await
            .map_err(failed)?;
        let mut text = Vec::new();
        if let StartExecResults::Attached { mut output, .. } = started {
            let all = async {
                while let Some(piece) = output.next().await.transpose()? {
                    text.extend_from_slice(&piece.into_bytes());
                }
                Ok(())
            };
            with_timeout(time_limit, "running a command", all).await.map_err(failed)?;
        }
        let ended = self
            .query("reading the end of a command", client.inspect_exec(&exec.id))
            .await
            .map_err(failed)?;
        Ok(ExecOutput {
            text: String::from_utf8_lossy(&text).into_owned(),
            exit_code: ended.exit_code,
        })
    }

    /// Starts a command in a container without waiting for its end.
    pub async fn exec_detached(&self, container: &str, command: &[&str]) -> Result<(), String> {
        let config = ExecConfig {
            cmd: Some(command.iter().map(ToString::to_string).collect()),
            ..ExecConfig::default()
        };
        let failed = |error| format!("{}: {}", command.join(" "), error_text(&error));
        let exec = self
            .query("preparing a command", self.client.create_exec(container, config))
            .await
            .map_err(failed)?;
        let detached = bollard::exec::StartExecOptions { detach: true, ..Default::default() };
        self.query("starting a command", self.client.start_exec(&exec.id, Some(detached)))
            .await
            .map_err(failed)?;
        Ok(())
    }
}
