//! Overrides: `--set KEY=VALUE`, applied to a profile's tree before it is validated.

use super::{
    keys,
    problem::{Origin, Problem, Problems},
    tree::{self, Node, Place, Table, Value},
};

/// Keys whose values are text, whatever they look like.
const TEXTS: [&str; 2] = [keys::NAME.path, keys::DESCRIPTION.path];

/// One value to put in place of what a profile says.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// As it was given: `KEY=VALUE`.
    text: String,
    key: Vec<String>,
    value: Value,
}

impl Override {
    /// Reads `KEY=VALUE`: a dotted key of the profile (`workload.users`; parts that hold dots may
    /// be quoted, `server."log.dirs"`), and a value in TOML, or else plain text.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let malformed = |message: String| Problem {
            origin: Origin::Set(text.to_owned()),
            key: String::new(),
            message,
            allowed: Some("KEY=VALUE such as workload.users=200".into()),
            nearest: None,
        };
        let (key, value) = split(text).ok_or_else(|| malformed("the '=' is missing".into()))?;
        let path = path(key).ok_or_else(|| malformed(format!("{key:?} is not a key")))?;
        let value = match self::value(value) {
            // `name=2024` is a name all the same.
            Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Date
                if TEXTS.contains(&key) =>
            {
                Value::Text(value.trim().to_owned())
            }
            value => value,
        };
        Ok(Self { text: text.to_owned(), key: path, value })
    }

    /// Reads several `KEY=VALUE`; all that cannot be read is told at once.
    pub fn parse_all<T: AsRef<str>>(texts: &[T]) -> Result<Vec<Self>, Problems> {
        let (mut overrides, mut list) = (Vec::new(), Vec::new());
        for text in texts {
            match Self::parse(text.as_ref()) {
                Ok(change) => overrides.push(change),
                Err(problem) => list.push(problem),
            }
        }
        let source = "command line".into();
        if list.is_empty() { Ok(overrides) } else { Err(Problems { source, list }) }
    }

    /// The same from a key and a value.
    pub fn new(key: &str, value: &str) -> Result<Self, Problem> {
        Self::parse(&format!("{key}={value}"))
    }

    /// As it was given: `KEY=VALUE`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Puts the value into the tree; tables on the way are made where there are none.
    pub(super) fn apply(&self, root: &mut Node, number: usize) {
        let place = Place::Set(number);
        let mut node = root;
        for key in &self.key {
            if node.table().is_none() {
                // What stands in the way is of the wrong type anyway: the override decides.
                *node = Node::new(Value::Table(Table::new()), place);
            }
            let Value::Table(table) = &mut node.value else { return };
            let fresh = || (place, Node::new(Value::Table(Table::new()), place));
            node = &mut table.entry(key.clone()).or_insert_with(fresh).1;
        }
        *node = Node::new(self.value.clone(), place).moved(place);
    }
}

/// A value as TOML, or as plain text when it is no TOML.
pub(super) fn value(text: &str) -> Value {
    tree::parse_value(text.trim()).unwrap_or_else(|| Value::Text(text.trim().to_owned()))
}

/// Splits at the first `=` that is not in quotes.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    let end = text.find(|c| match (quote, c) {
        (None, '=') => true,
        (None, '"' | '\'') => {
            quote = Some(c);
            false
        }
        (Some(open), c) if open == c => {
            quote = None;
            false
        }
        _ => false,
    })?;
    Some((text[..end].trim(), &text[end + 1..]))
}

/// The parts of a dotted key, read by TOML's own rules.
pub(super) fn path(key: &str) -> Option<Vec<String>> {
    let (root, errors) = tree::parse(&format!("{key} = 0"));
    let mut parts = Vec::new();
    let mut node = &root;
    while let Some(table) = node.table() {
        let mut entries = table.iter();
        let (Some((part, (_, inner))), None) = (entries.next(), entries.next()) else {
            return None;
        };
        parts.push(part.clone());
        node = inner;
    }
    (errors.is_empty() && !parts.is_empty()).then_some(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_dotted_and_may_be_quoted() {
        let parts = |key| path(key).unwrap_or_default().join("|");
        assert_eq!(parts("workload.users"), "workload|users");
        assert_eq!(parts(r#"stream.producer."linger.ms""#), "stream|producer|linger.ms");
        for wrong in ["", "a b", "a.", "[a]", "a = 1\nb", "# a"] {
            assert_eq!(path(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn values_are_toml_or_plain_text() {
        let read = |text| Override::parse(text).unwrap().value;
        assert_eq!(read("a=200"), Value::Integer(200));
        assert_eq!(read("a = true"), Value::Boolean(true));
        assert_eq!(read("a=250 ms"), Value::Text("250 ms".into()));
        assert_eq!(read("a=\"250 ms\""), Value::Text("250 ms".into()));
        assert_eq!(read("a=stream:2.8.0"), Value::Text("stream:2.8.0".into()));
        assert_eq!(read("a=100, 200"), Value::Text("100, 200".into()));
        assert_eq!(read("name=2024"), Value::Text("2024".into()));
        assert_eq!(read("description = true"), Value::Text("true".into()));
        assert_eq!(read("a="), Value::Text(String::new()));
        assert_eq!(read("\"a=b\"=1=2"), Value::Text("1=2".into()));
        assert!(matches!(read("a=[1, 2]"), Value::List(items) if items.len() == 2));
    }

    #[test]
    fn an_override_without_a_key_is_refused() {
        let wrong = ["", "workload.users", "=3", "a b=3"];
        let problems = Override::parse_all(&wrong).unwrap_err();
        assert_eq!(problems.list.len(), wrong.len());
        for problem in problems.list {
            assert!(problem.to_string().contains("KEY=VALUE"), "{problem}");
        }
        assert_eq!(Override::parse_all(&["a=1", "b=2"]).map(|all| all.len()), Ok(2));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String, key: String) {
            let _ = (Override::parse(&text), path(&key), Override::new(&key, &text));
        }
    }
}
