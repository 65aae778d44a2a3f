//! Tree of the values of a profile's text, each with its origin.

use std::collections::BTreeMap;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Origin of a value; ordered by position in the text, overrides last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ValueOrigin {
    /// Byte offset in the profile's text.
    Text(usize),
    /// Index of the override (`--set`) that gave the value.
    Override(usize),
}

impl ValueOrigin {
    /// Start of the text, where a missing key is reported.
    pub const START: Self = Self::Text(0);

    /// Whether an override gave the value.
    pub const fn is_override(self) -> bool {
        matches!(self, Self::Override(_))
    }
}

/// A value and its origin.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub value: Value,
    pub origin: ValueOrigin,
}

/// The value of a [`Node`].
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Date,
    List(Vec<Node>),
    Table(NodeTable),
}

/// Entries of a table: key, origin of the key, value.
pub(super) type NodeTable = BTreeMap<String, (ValueOrigin, Node)>;

impl Node {
    pub const fn new(value: Value, origin: ValueOrigin) -> Self {
        Self { value, origin }
    }

    /// The table, if the value is one.
    pub const fn table(&self) -> Option<&NodeTable> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The node at a dotted path of plain keys, with the origin of its key.
    pub fn at(&self, path: &str) -> Option<(ValueOrigin, &Self)> {
        path.split('.').try_fold((self.origin, self), |(_, node), key| {
            node.table()?.get(key).map(|(origin, node)| (*origin, node))
        })
    }

    /// Sets the origin of the whole subtree.
    pub fn with_origin(self, origin: ValueOrigin) -> Self {
        let value = match self.value {
            Value::List(items) => {
                Value::List(items.into_iter().map(|item| item.with_origin(origin)).collect())
            }
            Value::Table(table) => Value::Table(
                table
                    .into_iter()
                    .map(|(key, (_, node))| (key, (origin, node.with_origin(origin))))
                    .collect(),
            ),
            plain => plain,
        };
        Self { value, origin }
    }
}

/// A part of the text that is not TOML.
pub(super) struct SyntaxError {
    pub origin: ValueOrigin,
    pub message: String,
}

/// Parses TOML as far as possible; the errors are in the order of the text.
pub(super) fn parse(text: &str) -> (Node, Vec<SyntaxError>) {
    let (root, errors) = DeTable::parse_recoverable(text);
    let errors = errors
        .into_iter()
        .map(|error| SyntaxError {
            origin: ValueOrigin::Text(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })
        .collect();
    let origin = ValueOrigin::Text(root.span().start);
    (Node::new(table(root.get_ref()), origin), errors)
}

/// Parses one TOML value; `None` for any other text.
pub(super) fn parse_value(text: &str) -> Option<Value> {
    DeValue::parse(text).ok().map(|found| value(found.get_ref()))
}

fn table(entries: &DeTable<'_>) -> Value {
    Value::Table(
        entries
            .iter()
            .map(|(key, value)| {
                (key.get_ref().to_string(), (ValueOrigin::Text(key.span().start), node(value)))
            })
            .collect(),
    )
}

fn node(spanned: &Spanned<DeValue<'_>>) -> Node {
    Node::new(value(spanned.get_ref()), ValueOrigin::Text(spanned.span().start))
}

fn value(found: &DeValue<'_>) -> Value {
    match found {
        DeValue::String(text) => Value::Text(text.to_string()),
        // A number too long for 128 bits is out of every range: clamp it by its sign.
        DeValue::Integer(number) => Value::Integer(
            i128::from_str_radix(number.as_str(), number.radix()).unwrap_or_else(|_| {
                if number.as_str().starts_with('-') { i128::MIN } else { i128::MAX }
            }),
        ),
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(truth) => Value::Boolean(*truth),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(items) => Value::List(items.iter().map(node).collect()),
        DeValue::Table(entries) => table(entries),
    }
}
