//! Shared code of the backends for external servers: servers that already run and do not belong to
//! this program.

use rand::{RngExt, distr::Alphanumeric};
use serde_json::Value;

use super::{BackendError, RepetitionContext};
use crate::{
    owner::{Owner, OwnerState, ProcessIdentity},
    plan::external::{ADDRESS, ExternalServer},
    server::{ExternalSpec, HubKind, LaunchSpec, ServerSpec},
};

/// The external server that the repetition's profile names; `None` when this program starts the
/// server.
///
/// # Errors
/// The backend's table names no valid server.
pub(super) fn configured_server(
    title: &str,
    context: &RepetitionContext,
) -> Result<Option<ExternalServer>, BackendError> {
    if context.hub != HubKind::External {
        return Ok(None);
    }
    ExternalServer::from_table(&context.settings).map(Some).map_err(|invalid| {
        let (key, reason) = invalid.into_iter().next().unwrap_or_default();
        let value = context.settings.get(key).map_or_else(|| "\"\"".into(), Value::to_string);
        BackendError::setting(title, key, value, reason)
    })
}

/// The specification of that server for the hub.
///
/// # Errors
/// The address is invalid.
pub(super) fn server_spec(
    title: &str,
    role: &str,
    server: &ExternalServer,
    port: u16,
) -> Result<ServerSpec, BackendError> {
    let endpoints = server
        .endpoints(port)
        .map_err(|reason| BackendError::setting(title, ADDRESS, &server.address, reason))?;
    let launch = LaunchSpec::External(ExternalSpec {
        endpoints,
        container: server.container.clone(),
        process: server.process,
    });
    Ok(ServerSpec { role: role.into(), launch, ports: vec![port] })
}

/// Errors for the settings among `keys` that are set although they apply only to a server started
/// by this program.
pub(super) fn server_only_settings(
    title: &str,
    context: &RepetitionContext,
    keys: &[&str],
) -> Vec<BackendError> {
    if context.hub != HubKind::External {
        return Vec::new();
    }
    let reason =
        "it applies only to a server that hubmark starts, and this one runs already: leave it out";
    let refused = |key: &&str| {
        let value = context.settings.get(*key)?;
        let empty = value.as_str().is_some_and(str::is_empty);
        (!empty).then(|| BackendError::setting(title, key, value, reason))
    };
    keys.iter().filter_map(refused).collect()
}

/// Prefix of every name created on an external server.
const NAME_PREFIX: &str = "hubmark";
/// Random characters at the end of a name.
const RANDOM_SUFFIX_LENGTH: usize = 6;

/// A unique name for something created on an external server, with its creator's identity; parts
/// are separated by `separator`.
pub(super) fn unique_name(separator: char) -> String {
    let random = rand::rng().sample_iter(Alphanumeric).take(RANDOM_SUFFIX_LENGTH).map(char::from);
    let random: String = random.map(|c| c.to_ascii_lowercase()).collect();
    match Owner::this_process() {
        Some(owner) => {
            let owner = owner.short_name(separator);
            format!("{NAME_PREFIX}{separator}{owner}{separator}{random}")
        }
        None => format!("{NAME_PREFIX}{separator}{random}"),
    }
}

/// Whether `name` was created by a process of this machine that is certainly dead.
pub(super) fn is_leftover(name: &str, separator: char) -> bool {
    let short_name = name
        .strip_prefix(NAME_PREFIX)
        .and_then(|rest| rest.strip_prefix(separator))
        .and_then(|rest| rest.rsplit_once(separator));
    let Some(((short_name, _), observer)) = short_name.zip(Owner::this_process()) else {
        return false;
    };
    Owner::state_of_short_name(short_name, separator, &observer, ProcessIdentity::is_alive)
        == Some(OwnerState::Dead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unique_names_differ_and_use_plain_characters() {
        let (a, b) = (unique_name('-'), unique_name('-'));
        assert_ne!(a, b);
        assert!(a.starts_with("hubmark-") && a.len() < 60, "{a}");
        assert!(unique_name('_').chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    }

    #[test]
    fn only_names_of_dead_processes_are_leftovers() {
        let own = unique_name('-');
        assert!(!is_leftover(&own, '-'), "its creator still runs");
        let pid = format!("-{}-", std::process::id());
        assert!(is_leftover(&own.replace(&pid, "-4194305-"), '-'));
        for name in ["hubmark", "hubmark-1", "theirs", "hubmark-a-1-2-x"] {
            assert!(!is_leftover(name, '-'), "{name}");
        }
    }
}
