//! A profile's text as a tree of values that know where they were written.

use std::collections::BTreeMap;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Where something was written. Ordered: first the text from top to bottom, then the overrides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Byte in the profile's text.
    Text(usize),
    /// Number of the override (`--set`) that gave it.
    Set(usize),
}

impl Place {
    /// The beginning of the text: where a missing key is reported.
    pub const START: Self = Self::Text(0);

    /// Whether an override gave it.
    pub const fn is_set(self) -> bool {
        matches!(self, Self::Set(_))
    }
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub value: Value,
    pub place: Place,
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
    Table(Table),
}

/// A table: key, place of the key, value.
pub(super) type Table = BTreeMap<String, (Place, Node)>;

impl Node {
    pub const fn new(value: Value, place: Place) -> Self {
        Self { value, place }
    }

    /// The table, if it is one.
    pub const fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The node at a dotted path of plain keys, with the place of its key.
    pub fn at(&self, path: &str) -> Option<(Place, &Self)> {
        path.split('.').try_fold((self.place, self), |(_, node), key| {
            node.table()?.get(key).map(|(place, node)| (*place, node))
        })
    }

    /// Gives the whole subtree another place.
    pub fn moved(self, place: Place) -> Self {
        let value = match self.value {
            Value::List(items) => {
                Value::List(items.into_iter().map(|item| item.moved(place)).collect())
            }
            Value::Table(table) => Value::Table(
                table
                    .into_iter()
                    .map(|(key, (_, node))| (key, (place, node.moved(place))))
                    .collect(),
            ),
            plain => plain,
        };
        Self { value, place }
    }
}

/// Something that is not TOML.
pub(super) struct SyntaxError {
    pub place: Place,
    pub message: String,
}

/// Reads TOML as far as it can be read; the errors are in the order of the text.
pub(super) fn parse(text: &str) -> (Node, Vec<SyntaxError>) {
    let (root, errors) = DeTable::parse_recoverable(text);
    let errors = errors
        .into_iter()
        .map(|error| SyntaxError {
            place: Place::Text(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })
        .collect();
    let place = Place::Text(root.span().start);
    (Node::new(table(root.get_ref()), place), errors)
}

/// Reads one TOML value; `None` when the text is something else.
pub(super) fn parse_value(text: &str) -> Option<Value> {
    DeValue::parse(text).ok().map(|found| value(found.get_ref()))
}

fn table(entries: &DeTable<'_>) -> Value {
    Value::Table(
        entries
            .iter()
            .map(|(key, value)| {
                (key.get_ref().to_string(), (Place::Text(key.span().start), node(value)))
            })
            .collect(),
    )
}

fn node(spanned: &Spanned<DeValue<'_>>) -> Node {
    Node::new(value(spanned.get_ref()), Place::Text(spanned.span().start))
}

fn value(found: &DeValue<'_>) -> Value {
    match found {
        DeValue::String(text) => Value::Text(text.to_string()),
        // A number too long for 128 bits is out of every range, on the side that its sign says.
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
