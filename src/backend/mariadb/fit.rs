//! Whether a server that is not ours can take a load, by the settings that it states. They are read
//! and never changed: they are its other users', too.

use super::TITLE;
use crate::{
    backend::{BackendError, ServerFacts, Setup},
    plan::Durability,
};

/// Connections beside the users': consumer, counts, facts.
const OWN_CONNECTIONS: u64 = 10;
/// Statements that the consumer prepares beside one of each user.
const CONSUMERS_STATEMENTS: u64 = 6;
/// Bytes of a statement beside its payload.
const ENVELOPE: u64 = 1 << 10;

/// Everything that keeps the server from taking the load of `setup` as it is asked for.
pub fn misfits(setup: &Setup, facts: &ServerFacts) -> Vec<BackendError> {
    let stated = |name: &str| {
        let found = facts.settings.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    let number = |name: &str| stated(name).and_then(|value| value.parse::<u64>().ok());
    let mut found = Vec::new();
    let mut refuse = |key: &str, value: String, reason: String| {
        let (backend, key) = (TITLE.to_owned(), key.to_owned());
        found.push(BackendError::Setting { backend, key, value, reason });
    };
    if !facts.version.contains("MariaDB") {
        let reason = format!(
            "the server says that it is {}, and this backend measures MariaDB",
            facts.version
        );
        refuse(
            "address",
            setup.settings.get("address").map(ToString::to_string).unwrap_or_default(),
            reason,
        );
    }
    let users = u64::from(setup.point.workload.users());
    for (variable, needed) in [
        ("max_connections", users + OWN_CONNECTIONS),
        ("max_prepared_stmt_count", users + CONSUMERS_STATEMENTS),
    ] {
        if let Some(there) = number(variable).filter(|there| *there < needed) {
            let reason = format!(
                "they need {variable} = {needed}, and the server has {there}: raise it there, or \
                 ask for fewer users"
            );
            refuse("workload.users", users.to_string(), reason);
        }
    }
    let payload = setup.point.workload.payload();
    if let Some(there) = number("max_allowed_packet").filter(|there| payload.0 + ENVELOPE > *there)
    {
        let reason = format!(
            "the server has max_allowed_packet = {there}: raise it there, or ask for smaller messages"
        );
        refuse("workload.payload", payload.to_string(), reason);
    }
    let log = number("innodb_flush_log_at_trx_commit");
    let binary = number("sync_binlog").filter(|_| stated("log_bin") == Some("ON"));
    let (word, wanted) = match setup.durability() {
        Durability::Default => return found,
        Durability::Memory => ("memory", 2),
        Durability::Disk => ("disk", 1),
    };
    let advice =
        "set it there, or take durability = \"default\", which measures the server as it is";
    if log != Some(wanted) {
        let has = log.map_or_else(|| "does not say".to_owned(), |log| format!("has {log}"));
        let reason = format!(
            "it means innodb_flush_log_at_trx_commit = {wanted}, and the server {has}; hubmark \
             changes no settings of a server that it has not started: {advice}"
        );
        refuse("run.durability", word.to_owned(), reason);
    }
    if let Some(binary) = binary.filter(|binary| wanted == 1 && *binary != 1) {
        let reason = format!("it means sync_binlog = 1, and the server has {binary}: {advice}");
        refuse("run.durability", word.to_owned(), reason);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::mariadb::test_setup;

    fn facts(settings: &[(&str, &str)]) -> ServerFacts {
        let usual = [
            ("max_connections", "151"),
            ("max_prepared_stmt_count", "16382"),
            ("max_allowed_packet", "16777216"),
            ("innodb_flush_log_at_trx_commit", "1"),
            ("sync_binlog", "0"),
            ("log_bin", "OFF"),
        ];
        let other = |name: &str| settings.iter().all(|(key, _)| *key != name);
        let usual = usual.iter().filter(|(name, _)| other(name));
        let settings = usual.chain(settings).map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        ServerFacts {
            version: "10.11.6-MariaDB".into(),
            settings: settings.collect(),
            client: Vec::new(),
        }
    }

    fn said(users: u32, durability: Durability, facts: &ServerFacts) -> Vec<String> {
        let mut setup = test_setup(users, 100);
        setup.point.durability = durability;
        misfits(&setup, facts).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_server_that_fits_is_taken_as_it_is() {
        assert_eq!(said(100, Durability::Default, &facts(&[])), [""; 0]);
        assert_eq!(said(100, Durability::Disk, &facts(&[])), [""; 0]);
        let memory = facts(&[("innodb_flush_log_at_trx_commit", "2")]);
        assert_eq!(said(100, Durability::Memory, &memory), [""; 0]);
    }

    #[test]
    fn each_limit_is_named_with_what_is_needed() {
        let many = said(1_000, Durability::Default, &facts(&[]));
        assert!(many.len() == 1 && many[0].contains("max_connections = 1010"), "{many:?}");
        let short = facts(&[("max_allowed_packet", "1024"), ("max_prepared_stmt_count", "9")]);
        assert_eq!(said(10, Durability::Default, &short).len(), 2);
        let other = ServerFacts { version: "8.4.0".into(), ..facts(&[]) };
        assert!(said(1, Durability::Default, &other)[0].contains("says that it is 8.4.0"));
    }

    #[test]
    fn a_durability_that_the_server_does_not_promise_is_refused() {
        let refused = said(1, Durability::Memory, &facts(&[]));
        assert!(refused[0].contains("innodb_flush_log_at_trx_commit = 2"), "{refused:?}");
        let logged = facts(&[("log_bin", "ON")]);
        assert!(said(1, Durability::Disk, &logged)[0].contains("sync_binlog = 1"));
        assert_eq!(said(1, Durability::Default, &logged), [""; 0]);
    }
}
