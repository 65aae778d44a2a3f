//! Errors of hubs.

/// An error on the connection to a hub or on the hub, described for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// No engine answers.
    #[error("no Docker engine answers at {engine}: {reason}\n  {advice}")]
    NoEngine {
        /// The engine's address.
        engine: String,
        /// The observed symptom.
        reason: String,
        /// What to do.
        advice: String,
    },
    /// The engine exists but cannot be reached.
    #[error("cannot reach {engine}: {reason}\n  {advice}")]
    Unreachable {
        /// The engine's address.
        engine: String,
        /// What prevents the connection.
        reason: String,
        /// What to do.
        advice: String,
    },
    /// This user has no permission to open the engine's socket.
    #[error(
        "no permission to use the Docker engine at {engine}\n  add yourself to the docker group (sudo usermod -aG docker $USER, then log in again) or run as root"
    )]
    NoPermission {
        /// The engine's address.
        engine: String,
    },
    /// The engine address cannot be used by this program.
    #[error("cannot use the engine address {engine:?}: {reason}")]
    BadAddress {
        /// The address.
        engine: String,
        /// Why.
        reason: String,
    },
    /// An image could not be built or pulled.
    #[error("the image {image} could not be {action}: {reason}")]
    Image {
        /// The image's name.
        image: String,
        /// `built` or `pulled`.
        action: &'static str,
        /// The engine's message and the last lines of the build.
        reason: String,
    },
    /// The limits of the profile are not in force.
    #[error("the limits of the profile are not in force: {reason}")]
    Limits {
        /// Which limits, and the values found instead.
        reason: String,
    },
    /// A server did not start.
    #[error("{role} did not start: {reason}")]
    Start {
        /// The server's role.
        role: String,
        /// Why, with the last lines of its log.
        reason: String,
    },
    /// A required program is not installed.
    #[error("{program} is not installed here: {advice}")]
    NoProgram {
        /// The program.
        program: String,
        /// What to do.
        advice: String,
    },
    /// An operation failed.
    #[error("{what} failed on the hub: {reason}")]
    Operation {
        /// What was tried.
        what: String,
        /// The observed error.
        reason: String,
    },
    /// A password is missing, or others than its owner can read it.
    #[error("no password for {backend}: {reason}\n  {advice}")]
    Password {
        /// The backend.
        backend: String,
        /// The observed problem, without any part of the password.
        reason: String,
        /// What to do.
        advice: String,
    },
    /// The operator stopped the run during the operation.
    #[error("stopped by the operator")]
    Cancelled,
}
