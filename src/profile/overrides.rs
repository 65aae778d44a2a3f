//! Overrides: `--set KEY=VALUE`, applied to a profile's tree before validation.

use super::{
    keys,
    problem::{ProblemLocation, ProfileProblem},
    tree::{self, Node, NodeTable, Value, ValueOrigin},
};

/// Keys whose values are text even if they look like a number, a boolean or a date.
const TEXT_KEYS: [&str; 2] = [keys::NAME.path, keys::DESCRIPTION.path];

/// A value that replaces the one in a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// The override as given: `KEY=VALUE`.
    text: String,
    key: Vec<String>,
    value: Value,
}

impl Override {
    /// Parses `KEY=VALUE`.
    ///
    /// KEY is a dotted key of the profile (`workload.users`; parts that contain dots may be quoted,
    /// `server."log.dirs"`), VALUE is TOML, or else plain text.
    pub fn parse(text: &str) -> Result<Self, ProfileProblem> {
        let malformed = |message: String| ProfileProblem {
            location: ProblemLocation::Override(text.to_owned()),
            key: String::new(),
            message,
            allowed: Some("KEY=VALUE such as workload.users=200".into()),
            nearest: None,
        };
        let (key, value) =
            split_assignment(text).ok_or_else(|| malformed("the '=' is missing".into()))?;
        let path = parse_key_path(key).ok_or_else(|| malformed(format!("{key:?} is not a key")))?;
        let value = match parse_value_or_text(value) {
            // `name=2024` is a name, not a number.
            Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Date
                if TEXT_KEYS.contains(&key) =>
            {
                Value::Text(value.trim().to_owned())
            }
            value => value,
        };
        Ok(Self { text: text.to_owned(), key: path, value })
    }

    /// Parses several `KEY=VALUE`: the valid overrides, and a problem for each malformed one.
    pub fn parse_all<T: AsRef<str>>(texts: &[T]) -> (Vec<Self>, Vec<ProfileProblem>) {
        let (mut overrides, mut problems) = (Vec::new(), Vec::new());
        for text in texts {
            match Self::parse(text.as_ref()) {
                Ok(change) => overrides.push(change),
                Err(problem) => problems.push(problem),
            }
        }
        (overrides, problems)
    }

    /// Creates an override from a key and a value.
    pub fn new(key: &str, value: &str) -> Result<Self, ProfileProblem> {
        Self::parse(&format!("{key}={value}"))
    }

    /// The override as given: `KEY=VALUE`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Sets the value in the tree and creates missing tables on the path.
    pub(super) fn apply(&self, root: &mut Node, number: usize) {
        let origin = ValueOrigin::Override(number);
        let mut node = root;
        for key in &self.key {
            if node.table().is_none() {
                // A value that is not a table has the wrong type here: the override replaces it.
                *node = Node::new(Value::Table(NodeTable::new()), origin);
            }
            let Value::Table(table) = &mut node.value else { return };
            let fresh = || (origin, Node::new(Value::Table(NodeTable::new()), origin));
            node = &mut table.entry(key.clone()).or_insert_with(fresh).1;
        }
        *node = Node::new(self.value.clone(), origin).with_origin(origin);
    }
}

/// Parses a value as TOML, or else takes it as plain text.
pub(super) fn parse_value_or_text(text: &str) -> Value {
    tree::parse_value(text.trim()).unwrap_or_else(|| Value::Text(text.trim().to_owned()))
}

/// Splits at the first `=` that is not in quotes.
pub(super) fn split_assignment(text: &str) -> Option<(&str, &str)> {
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

/// Parses the parts of a dotted key by the rules of TOML.
pub(super) fn parse_key_path(key: &str) -> Option<Vec<String>> {
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
        let parts = |key| parse_key_path(key).unwrap_or_default().join("|");
        assert_eq!(parts("workload.users"), "workload|users");
        assert_eq!(parts(r#"stream.producer."linger.ms""#), "stream|producer|linger.ms");
        for wrong in ["", "a b", "a.", "[a]", "a = 1\nb", "# a"] {
            assert_eq!(parse_key_path(wrong), None, "{wrong:?}");
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
        let (overrides, problems) = Override::parse_all(&[&wrong[..], &["a=1"]].concat());
        assert_eq!((overrides.len(), problems.len()), (1, wrong.len()));
        for problem in problems {
            assert!(problem.to_string().contains("KEY=VALUE"), "{problem}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String, key: String) {
            let _ = (Override::parse(&text), parse_key_path(&key), Override::new(&key, &text));
        }
    }
}
