//! Session variables that a measurement depends on: set on each connection of hubmark, and read back.
//!
//! A server's global values apply to new sessions, and are made for other applications. The values
//! here are those of a server with default settings, so that a server with other settings stores
//! and shows the same rows.

use mysql_async::{Conn, Error, prelude::Queryable};

/// A variable, its value in SQL, and the value that the server then reports.
type SessionVariable = (&'static str, &'static str, &'static str);

/// The variables and their values.
///
/// | variable | consequence of another value |
/// |---|---|
/// | `autocommit` | users' rows are never committed; the consumer sees one old view of the table |
/// | `auto_increment_…` | (Galera) ids that no row ever gets, for which the consumer searches |
/// | `completion_type` | a commit ends the connection, or begins a transaction |
/// | `max_statement_time` | the consumer's statements are aborted |
/// | `sql_big_selects`, `sql_select_limit` | the consumer's statements are refused or cut off |
/// | `sql_mode` | the table gets another engine, an empty payload becomes `NULL` |
/// | `time_zone` | the start of a transaction is shown differently after a change of the clock |
const VARIABLES: &[SessionVariable] = &[
    ("autocommit", "1", "ON"),
    ("auto_increment_increment", "1", "1"),
    ("auto_increment_offset", "1", "1"),
    ("completion_type", "NO_CHAIN", "NO_CHAIN"),
    ("max_statement_time", "0", "0.000000"),
    ("sql_big_selects", "1", "ON"),
    (
        "sql_mode",
        "'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'",
        "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION",
    ),
    ("sql_select_limit", "18446744073709551615", "18446744073709551615"),
    ("time_zone", "'+00:00'", "+00:00"),
];

/// Isolation level and access mode of the sessions: `READ UNCOMMITTED` would show the consumer rows
/// that are rolled back later.
const TRANSACTION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE";
/// Names of the isolation level's variable, before and since MariaDB 11.1, with the value of
/// [`TRANSACTION`].
const ISOLATION: [(&str, &str); 2] =
    [("tx_isolation", "REPEATABLE-READ"), ("transaction_isolation", "REPEATABLE-READ")];

/// Returns the statements that set the variables; every new connection executes them.
pub fn setup_statements() -> Vec<String> {
    let assignments: Vec<_> =
        VARIABLES.iter().map(|(name, value, _)| format!("{name} = {value}")).collect();
    vec![TRANSACTION.to_owned(), format!("SET SESSION {}", assignments.join(", "))]
}

/// Names of the variables that hubmark sets.
pub fn names() -> impl Iterator<Item = &'static str> {
    VARIABLES.iter().map(|(name, ..)| *name).chain(ISOLATION.map(|(name, _)| name))
}

/// Reads the session's values of `names`.
pub async fn read(
    connection: &mut Conn,
    names: impl Iterator<Item = &str>,
) -> Result<Vec<(String, String)>, Error> {
    let names: Vec<_> = names.map(|name| format!("'{name}'")).collect();
    let query = format!("SHOW SESSION VARIABLES WHERE Variable_name IN ({})", names.join(","));
    connection.query(query).await
}

/// Returns why the session's `values` are not those that hubmark set; `None` if they are.
pub fn describe_deviation(values: &[(String, String)]) -> Option<String> {
    let expected = VARIABLES.iter().map(|(name, _, value)| (*name, *value)).chain(ISOLATION);
    let wrong: Vec<_> = expected
        .filter_map(|(name, expected)| {
            let (_, found) = values.iter().find(|(other, _)| other == name)?;
            (!is_equal(found, expected)).then(|| format!("{name} = {found} instead of {expected}"))
        })
        .collect();
    (!wrong.is_empty()).then(|| {
        format!(
            "hubmark set the variables of its session, and they are different: {}\n  is there a \
             proxy between hubmark and the server? connect to the server itself",
            wrong.join(", ")
        )
    })
}

/// Whether both values mean the same: `sql_mode` is a set, and numbers may have decimals.
fn is_equal(found: &str, expected: &str) -> bool {
    let parts = |text: &str| {
        let mut parts: Vec<_> = text.split(',').map(str::to_uppercase).collect();
        parts.sort();
        parts
    };
    match (found.parse::<f64>(), expected.parse::<f64>()) {
        (Ok(found), Ok(expected)) => (found - expected).abs() < f64::EPSILON,
        _ => parts(found) == parts(expected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(change: Option<(&str, &str)>) -> Vec<(String, String)> {
        let value = |name: &str, own: &str| match change {
            Some((changed, value)) if changed == name => value.to_owned(),
            _ => own.to_owned(),
        };
        VARIABLES.iter().map(|(name, _, own)| ((*name).to_owned(), value(name, own))).collect()
    }

    #[test]
    fn a_session_with_other_variables_is_refused_by_name() {
        assert_eq!(describe_deviation(&reported(None)), None);
        let off = describe_deviation(&reported(Some(("autocommit", "OFF")))).unwrap();
        assert!(off.contains("autocommit = OFF instead of ON"), "{off}");
        let three = describe_deviation(&reported(Some(("auto_increment_increment", "3"))));
        assert!(three.is_some_and(|text| text.contains("increment = 3 instead of 1")));
    }

    #[test]
    fn the_form_of_a_value_is_no_deviation() {
        let modes = ("sql_mode", "NO_ENGINE_SUBSTITUTION,STRICT_TRANS_TABLES");
        assert_eq!(describe_deviation(&reported(Some(modes))), None);
        assert_eq!(describe_deviation(&reported(Some(("max_statement_time", "0")))), None);
    }

    #[test]
    fn every_variable_is_set_by_one_statement() {
        let statements = setup_statements();
        assert_eq!(statements.len(), 2);
        assert!(statements[1].starts_with("SET SESSION autocommit = 1, auto_increment_increment"));
    }
}
