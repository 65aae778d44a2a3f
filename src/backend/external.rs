//! What backends share on servers that run already and are not this program's.

use rand::{RngExt, distr::Alphanumeric};
use serde_json::Value;

use super::{BackendError, Setup};
use crate::{
    owner::{self, Fate, Owner},
    plan::external::ExternalServer,
    server::{ExternalSpec, HubKind, Launch, ServerSpec},
};

/// The server that the repetition's profile names; `None` where this program starts its own.
///
/// # Errors
/// A table that names none.
pub(super) fn server(title: &str, setup: &Setup) -> Result<Option<ExternalServer>, BackendError> {
    if setup.hub != HubKind::External {
        return Ok(None);
    }
    ExternalServer::of(&setup.settings).map(Some).map_err(|wrong| {
        let (key, reason) = wrong.into_iter().next().unwrap_or_default();
        let value = setup.settings.get(key).map_or_else(|| "\"\"".into(), Value::to_string);
        BackendError::Setting { backend: title.into(), key: key.into(), value, reason }
    })
}

/// How the hub is asked for that server.
///
/// # Errors
/// An address that is none.
pub(super) fn spec(
    title: &str,
    role: &str,
    server: &ExternalServer,
    port: u16,
) -> Result<ServerSpec, BackendError> {
    let endpoints = server.endpoints(port).map_err(|reason| BackendError::Setting {
        backend: title.into(),
        key: crate::plan::external::ADDRESS.into(),
        value: server.address.clone(),
        reason,
    })?;
    let launch = Launch::External(ExternalSpec {
        endpoints,
        container: server.container.clone(),
        process: server.process,
    });
    Ok(ServerSpec { role: role.into(), launch, ports: vec![port] })
}

/// The settings among `keys` that are given though they shape a server which this program starts.
pub(super) fn shaping(title: &str, setup: &Setup, keys: &[&str]) -> Vec<BackendError> {
    if setup.hub != HubKind::External {
        return Vec::new();
    }
    let given = |key: &&str| {
        let value = setup.settings.get(*key)?;
        let empty = value.as_str().is_some_and(str::is_empty);
        (!empty).then(|| BackendError::Setting {
            backend: title.into(),
            key: (*key).into(),
            value: value.to_string(),
            reason: "it shapes a server that hubmark starts, and this one runs already: leave it \
                     out"
            .into(),
        })
    };
    keys.iter().filter_map(given).collect()
}

/// Before every name of what is made on such a server.
pub(super) const PREFIX: &str = "hubmark";
/// Random characters at the end of a name.
const RANDOM: usize = 6;

/// A name for what is made on such a server: nobody else has it, and it tells whose it is. Words
/// are divided by `mark`.
pub(super) fn own_name(mark: char) -> String {
    let random = rand::rng().sample_iter(Alphanumeric).take(RANDOM).map(char::from);
    let random: String = random.map(|c| c.to_ascii_lowercase()).collect();
    match Owner::this_process() {
        Some(owner) => format!("{PREFIX}{mark}{}{mark}{random}", owner.short(mark)),
        None => format!("{PREFIX}{mark}{random}"),
    }
}

/// Whether `name` was made by a process of this machine that is certainly dead.
pub(super) fn is_leftover(name: &str, mark: char) -> bool {
    let short = name
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_prefix(mark))
        .and_then(|rest| rest.rsplit_once(mark));
    let Some(((short, _), judge)) = short.zip(Owner::this_process()) else { return false };
    Owner::fate_of_short(short, mark, &judge, owner::alive) == Some(Fate::Dead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_and_plain() {
        let (a, b) = (own_name('-'), own_name('-'));
        assert_ne!(a, b);
        assert!(a.starts_with("hubmark-") && a.len() < 60, "{a}");
        assert!(own_name('_').chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    }

    #[test]
    fn only_what_a_dead_process_made_is_a_leftover() {
        let own = own_name('-');
        assert!(!is_leftover(&own, '-'), "its maker lives");
        let pid = format!("-{}-", std::process::id());
        assert!(is_leftover(&own.replace(&pid, "-4194305-"), '-'));
        for name in ["hubmark", "hubmark-1", "theirs", "hubmark-a-1-2-x"] {
            assert!(!is_leftover(name, '-'), "{name}");
        }
    }
}
