//! Keys of the backends' tables in a profile, and parsing of their values.

use serde_json::{Map, Number, Value as Json};

use crate::{
    profile::{
        keys::AllowedValues,
        overrides,
        tree::{Node, NodeTable, Value, ValueOrigin},
        values::{self, ParseResult, wrong_type},
    },
    units::Bytes,
};

/// One key of a backend's table in a profile.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SettingKey {
    /// The key.
    pub name: &'static str,
    /// Kind of the value.
    pub kind: SettingKind,
    /// Default value as written in TOML; empty for none.
    pub default: &'static str,
    /// Help text of one line.
    pub help: &'static str,
}

/// Kind of value of a [`SettingKey`]; in a plan, bytes and durations are numbers of bytes and of
/// seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SettingKind {
    /// A whole number between two bounds, both included.
    Integer(u64, u64),
    /// `"512 MiB"`.
    Bytes,
    /// `"1 ms"`.
    Duration,
    /// Text.
    Text,
    /// One of these names.
    Choice(&'static [&'static str]),
    /// A table of keys of the server or the client library, whose values are text, numbers or
    /// booleans.
    Table,
}

impl SettingKey {
    /// Default value in the form of a plan; `None` without a default (or if it is not of the
    /// setting's kind).
    pub fn default_value(&self) -> Option<Json> {
        if self.default.is_empty() {
            return None;
        }
        let value = overrides::parse_value_or_text(self.default);
        let node = Node::new(value, ValueOrigin::START);
        parse_setting(&node, self.kind).ok()
    }

    /// Description of the allowed values.
    pub fn allowed(&self) -> String {
        match self.kind {
            SettingKind::Integer(low, high) => AllowedValues::Integer(low, high).to_string(),
            SettingKind::Bytes => "a size such as \"512 MiB\"".into(),
            SettingKind::Duration => "a duration such as \"1 ms\"".into(),
            SettingKind::Text => "text in quotes".into(),
            SettingKind::Choice(names) => values::join_with_or(names),
            SettingKind::Table => "a table of keys and values such as { \"some.key\" = 1 }".into(),
        }
    }
}

/// Parses a backend's setting into the form of a plan: bytes and durations as numbers.
pub(in crate::profile) fn parse_setting(node: &Node, kind: SettingKind) -> ParseResult<Json> {
    match kind {
        SettingKind::Integer(low, high) => values::parse_integer(node, low, high).map(Json::from),
        SettingKind::Bytes => {
            values::parse_quantity::<Bytes>(node).map(|bytes| Json::from(bytes.0))
        }
        SettingKind::Duration => {
            values::parse_duration(node).map(|time| Json::from(time.as_secs_f64()))
        }
        SettingKind::Text => values::parse_line(node).map(Json::from),
        SettingKind::Choice(names) => {
            let names: Vec<(&str, &str)> = names.iter().map(|name| (*name, *name)).collect();
            values::parse_choice(node, &names).map(Json::from)
        }
        SettingKind::Table => match node.table() {
            Some(table) => parse_free_table(table).map(Json::Object),
            None => wrong_type(node, "a table of keys and values"),
        },
    }
}

/// Parses a table whose keys only a server or a client library knows.
///
/// An unquoted `linger.ms = 0` is a table in a table to TOML: quoted and unquoted mean the same
/// key.
fn parse_free_table(table: &NodeTable) -> ParseResult<Map<String, Json>> {
    let (mut values, mut problems) = (Map::new(), Vec::new());
    for (key, node) in values::flatten_table(table, &mut problems) {
        match parse_scalar(node) {
            Ok(value) => {
                values.insert(key, value);
            }
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

fn parse_scalar(node: &Node) -> ParseResult<Json> {
    let wrong = |wanted: &str| wrong_type(node, wanted);
    match &node.value {
        Value::Text(text) => Ok(Json::from(text.as_str())),
        Value::Boolean(truth) => Ok(Json::from(*truth)),
        Value::Integer(number) => {
            i64::try_from(*number).map(Json::from).or_else(|_| wrong("a number of at most 64 bits"))
        }
        Value::Float(number) => {
            Number::from_f64(*number).map(Json::Number).map_or_else(|| wrong("a finite number"), Ok)
        }
        Value::Date | Value::List(_) | Value::Table(_) => wrong("text, a number, true or false"),
    }
}
