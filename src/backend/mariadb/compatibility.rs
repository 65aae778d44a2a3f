//! Checks by the settings that a server reports whether it can take a load, and what it adds to it.
//!
//! The settings are only read, never changed: an external server has other users.

use std::time::Duration;

use super::{
    facts::{TABLE_ENGINE, TABLE_ROW_FORMAT, session_value},
    info::TITLE,
    settings::{MariaDbSettings, normalized},
};
use crate::{
    backend::{BackendError, RepetitionContext, ServerFacts, setting_value::means_the_same},
    plan::{Durability, Workload},
    units::human_duration,
};

/// Connections besides the users': consumer, counts, facts.
const EXTRA_CONNECTIONS: u64 = 10;
/// Statements that the consumer prepares, besides one per user.
const CONSUMER_STATEMENTS: u64 = 6;
/// Bytes of a statement besides its payload.
const STATEMENT_OVERHEAD: u64 = 1 << 10;

/// Returns an error for each setting that keeps the server from taking the load of `context`.
pub fn incompatibilities(context: &RepetitionContext, facts: &ServerFacts) -> Vec<BackendError> {
    let number = |name: &str| facts.setting(name).and_then(|value| value.parse::<u64>().ok());
    let mut found = Vec::new();
    let mut refuse = |key: &str, value: String, reason: String| {
        found.push(BackendError::setting(TITLE, key, value, reason));
    };
    if !facts.version.contains("MariaDB") {
        let reason = format!(
            "the server reports version {}, and this backend measures MariaDB",
            facts.version
        );
        refuse(
            "address",
            context.settings.get("address").map(ToString::to_string).unwrap_or_default(),
            reason,
        );
    }
    let users = u64::from(context.point.workload.users());
    // 0 is no limit of the account.
    let account = session_value(facts, "max_user_connections").and_then(|value| value.parse().ok());
    for (variable, available, needed) in [
        ("max_connections", number("max_connections"), users + EXTRA_CONNECTIONS),
        ("max_user_connections", account.filter(|limit| *limit > 0), users + EXTRA_CONNECTIONS),
        ("max_prepared_stmt_count", number("max_prepared_stmt_count"), users + CONSUMER_STATEMENTS),
    ] {
        if let Some(available) = available.filter(|available| *available < needed) {
            let reason = format!(
                "these users need {variable} = {needed}, and the server has {available}: raise it on \
                 the server (with too few open files it lowers the limit itself), or use fewer users"
            );
            refuse("workload.users", users.to_string(), reason);
        }
    }
    let payload = context.point.workload.payload();
    if let Some(available) =
        number("max_allowed_packet").filter(|available| payload.0 + STATEMENT_OVERHEAD > *available)
    {
        let reason = format!(
            "the server has max_allowed_packet = {available}: raise it there, or use a smaller payload"
        );
        refuse("workload.payload", payload.to_string(), reason);
    }
    let (settings, _) = MariaDbSettings::read(context);
    if let Some(engine) =
        facts.setting(TABLE_ENGINE).filter(|engine| !engine.eq_ignore_ascii_case(&settings.engine))
    {
        let reason = format!(
            "the server made the table with the engine {engine}: check enforce_storage_engine and \
             the server's list of engines (SHOW ENGINES), or ask for engine = \"{engine}\""
        );
        refuse("engine", settings.engine.clone(), reason);
    }
    let log = number("innodb_flush_log_at_trx_commit");
    let binary = number("sync_binlog").filter(|_| facts.setting("log_bin") == Some("ON"));
    let (level, wanted) = match context.durability() {
        Durability::Default => return found,
        Durability::Memory => ("memory", 2),
        Durability::Disk => ("disk", 1),
    };
    let advice =
        "set it on the server, or use durability = \"default\", which measures the server as it is";
    if log != Some(wanted) {
        let has = log.map_or_else(|| "does not report it".to_owned(), |log| format!("has {log}"));
        let reason = format!(
            "it requires innodb_flush_log_at_trx_commit = {wanted}, and the server {has}; hubmark \
             changes no settings of a server that it did not start: {advice}"
        );
        refuse("run.durability", level.to_owned(), reason);
    }
    if let Some(binary) = binary.filter(|binary| wanted == 1 && *binary != 1) {
        let reason = format!("it requires sync_binlog = 1, and the server has {binary}: {advice}");
        refuse("run.durability", level.to_owned(), reason);
    }
    found
}

/// Returns what the server's settings add to the load, or change in what was asked for.
pub fn cautions(context: &RepetitionContext, facts: &ServerFacts) -> Vec<String> {
    let (settings, _) = MariaDbSettings::read(context);
    let mut found = Vec::new();
    if let Some(format) = facts.setting(TABLE_ROW_FORMAT)
        && settings.row_format != "Default"
        && !format.eq_ignore_ascii_case(&settings.row_format)
    {
        found.push(format!(
            "the table has row_format = {format}: the server changed the {} that was asked for",
            settings.row_format
        ));
    }
    found.extend(facts.cautions.iter().map(|text| format!("the server warns: {text}")));
    for (name, asked) in &settings.server {
        if let Some(value) = facts.setting(&normalized(name))
            && !means_the_same(asked, value)
        {
            found.push(format!("the server has {name} = {value}, not {asked} as asked for"));
        }
    }
    let asked = |name: &str| {
        let mut own = settings.server.iter().filter(|(other, _)| normalized(other) == name);
        own.next_back().map(|(_, value)| value.as_str())
    };
    let timeout = session_value(facts, "wait_timeout").or_else(|| asked("wait_timeout"));
    if let Some(timeout) = timeout.and_then(|value| value.parse().ok()).map(Duration::from_secs)
        && let Workload::Latency(load) = &context.point.workload
        && load.arrival.longest(load.messages) >= timeout
    {
        found.push(format!(
            "the server logs out users that send nothing for {} (wait_timeout), and the users wait \
             up to {}: they log in again, which is part of their messages' times",
            human_duration(timeout),
            human_duration(load.arrival.longest(load.messages)),
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::backend::fixture::repetition_context;

    fn facts(settings: &[(&str, &str)]) -> ServerFacts {
        let defaults = [
            ("max_connections", "151"),
            ("max_prepared_stmt_count", "16382"),
            ("max_allowed_packet", "16777216"),
            ("innodb_flush_log_at_trx_commit", "1"),
            ("sync_binlog", "0"),
            ("log_bin", "OFF"),
        ];
        let other = |name: &str| settings.iter().all(|(key, _)| *key != name);
        let defaults = defaults.iter().filter(|(name, _)| other(name));
        let settings = defaults.chain(settings).map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        ServerFacts {
            version: "10.11.6-MariaDB".into(),
            settings: settings.collect(),
            client: Vec::new(),
            cautions: Vec::new(),
        }
    }

    fn cautioned(settings: &serde_json::Value, facts: &ServerFacts) -> Vec<String> {
        let mut context = repetition_context("mariadb", 1, 100);
        context.settings = settings.as_object().unwrap().clone();
        cautions(&context, facts)
    }

    #[test]
    fn a_row_format_that_the_server_changed_is_said() {
        let compressed = json!({ "row_format": "Compressed" });
        let changed = cautioned(&compressed, &facts(&[("table_row_format", "Dynamic")]));
        assert!(changed.len() == 1 && changed[0].contains("row_format = Dynamic"), "{changed:?}");
        let same = facts(&[("table_row_format", "COMPRESSED")]);
        assert_eq!(cautioned(&compressed, &same), [""; 0]);
        assert_eq!(cautioned(&json!({}), &facts(&[("table_row_format", "Page")])), [""; 0]);
    }

    #[test]
    fn a_variable_that_the_server_changed_is_said() {
        let asked =
            json!({ "server": { "innodb-io-capacity": 200, "log_bin": true, "tmp": "1M" } });
        let kept = [("innodb_io_capacity", "200"), ("log_bin", "ON"), ("tmp", "1048576")];
        assert_eq!(cautioned(&asked, &facts(&kept)), [""; 0]);
        let changed = cautioned(&asked, &facts(&[("innodb_io_capacity", "100")]));
        assert!(changed[0].contains("innodb-io-capacity = 100, not 200"), "{changed:?}");
    }

    #[test]
    fn a_time_out_that_is_shorter_than_the_arrivals_is_said() {
        // The fixture's users send every second.
        let short = cautioned(&json!({}), &facts(&[("wait_timeout", "1")]));
        assert!(short[0].contains("wait_timeout") && short[0].contains("log in again"));
        assert_eq!(cautioned(&json!({}), &facts(&[("wait_timeout", "28800")])), [""; 0]);
        let planned = json!({ "server": { "wait_timeout": 1 } });
        assert_eq!(cautioned(&planned, &ServerFacts::default()).len(), 1, "without a server");
    }

    #[test]
    fn another_engine_and_the_accounts_own_limit_are_refused() {
        let aria = refusals(1, Durability::Default, &facts(&[("table_engine", "Aria")]));
        assert!(aria[0].contains("engine Aria"), "{aria:?}");
        let limited = facts(&[("session.max_user_connections", "20")]);
        assert_eq!(refusals(10, Durability::Default, &limited), [""; 0]);
        let refused = refusals(11, Durability::Default, &limited);
        assert!(refused[0].contains("max_user_connections = 21"), "{refused:?}");
        let none = facts(&[("session.max_user_connections", "0")]);
        assert_eq!(refusals(11, Durability::Default, &none), [""; 0]);
    }

    fn refusals(users: u32, durability: Durability, facts: &ServerFacts) -> Vec<String> {
        let mut context = repetition_context("mariadb", users, 100);
        context.point.durability = durability;
        incompatibilities(&context, facts).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_sufficient_server_is_accepted() {
        assert_eq!(refusals(100, Durability::Default, &facts(&[])), [""; 0]);
        assert_eq!(refusals(100, Durability::Disk, &facts(&[])), [""; 0]);
        let memory = facts(&[("innodb_flush_log_at_trx_commit", "2")]);
        assert_eq!(refusals(100, Durability::Memory, &memory), [""; 0]);
    }

    #[test]
    fn each_limit_is_named_with_what_is_needed() {
        let many = refusals(1_000, Durability::Default, &facts(&[]));
        assert!(many.len() == 1 && many[0].contains("max_connections = 1010"), "{many:?}");
        let short = facts(&[("max_allowed_packet", "1024"), ("max_prepared_stmt_count", "9")]);
        assert_eq!(refusals(10, Durability::Default, &short).len(), 2);
        let other = ServerFacts { version: "8.4.0".into(), ..facts(&[]) };
        assert!(refusals(1, Durability::Default, &other)[0].contains("reports version 8.4.0"));
    }

    #[test]
    fn a_durability_that_the_server_does_not_promise_is_refused() {
        let refused = refusals(1, Durability::Memory, &facts(&[]));
        assert!(refused[0].contains("innodb_flush_log_at_trx_commit = 2"), "{refused:?}");
        let logged = facts(&[("log_bin", "ON")]);
        assert!(refusals(1, Durability::Disk, &logged)[0].contains("sync_binlog = 1"));
        assert_eq!(refusals(1, Durability::Default, &logged), [""; 0]);
    }
}
