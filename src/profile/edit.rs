//! Changes in a profile's text: everything that is not changed stays as its author wrote it,
//! comments included.

use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::{Override, set};

/// The text with other values for some keys, and with another name where one is given.
///
/// # Errors
/// When the text is no TOML.
pub fn edited(text: &str, name: Option<&str>, changes: &[Override]) -> Result<String, String> {
    let mut document: DocumentMut =
        text.parse().map_err(|error| format!("the profile's text is no TOML: {error}"))?;
    let root: &mut dyn TableLike = document.as_table_mut();
    if let Some(name) = name {
        put(root, &["name".to_owned()], Value::from(name));
    }
    for change in changes {
        let Some((key, value)) = set::split(change.text()) else { continue };
        let value = value.trim();
        let value = value.parse::<Value>().unwrap_or_else(|_| Value::from(value));
        put(root, &set::path(key).unwrap_or_default(), value);
    }
    Ok(document.to_string())
}

/// Puts a value at a place; tables on the way are made where there are none.
fn put(table: &mut dyn TableLike, path: &[String], value: Value) {
    let [key, rest @ ..] = path else { return };
    if rest.is_empty() {
        if let Some(wanted) = value.as_inline_table()
            && let Some(there) = table.get_mut(key).and_then(Item::as_table_like_mut)
        {
            return refill(there, wanted);
        }
        let mut value = value;
        if let Some(old) = table.get(key).and_then(Item::as_value) {
            // What stands around it: spaces, and the comment at the line's end.
            *value.decor_mut() = old.decor().clone();
        }
        match table.get_mut(key) {
            Some(item) => *item = Item::Value(value),
            None => {
                table.insert(key, Item::Value(value));
            }
        }
        return;
    }
    if table.get(key).is_none_or(|item| !item.is_table_like()) {
        table.insert(key, Item::Table(Table::new()));
    }
    if let Some(inner) = table.get_mut(key).and_then(Item::as_table_like_mut) {
        put(inner, rest, value);
    }
}

/// Gives a table other entries; those that stay keep what stands around them.
fn refill(table: &mut dyn TableLike, wanted: &InlineTable) {
    let there: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
    for key in there.iter().filter(|key| !wanted.contains_key(key)) {
        table.remove(key);
    }
    for (key, value) in wanted {
        let mut value = value.clone();
        value.decor_mut().clear();
        put(table, &[key.to_owned()], value);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_is_not_changed_stays_as_it_was_written() {
        let text = "# mine\nname = \"a\"\n\n[workload]  # what is played\nusers = 100   # devices\n\
                    arrival = { mean = \"1 s\" } # each\n\n# the end\n";
        let changes = [
            Override::new("workload.users", "[100, 400]").unwrap(),
            Override::new("workload.arrival.mean", "2 s").unwrap(),
            Override::new("hub.limits.cpus", "0.5 cpus").unwrap(),
        ];
        let new = edited(text, Some("b"), &changes).unwrap();
        for line in [
            "# mine",
            "name = \"b\"",
            "[workload]  # what is played",
            "users = [100, 400]   # devices",
            "arrival = { mean = \"2 s\" } # each",
            "cpus = \"0.5 cpus\"",
        ] {
            assert!(new.lines().any(|there| there == line), "{line}:\n{new}");
        }
        assert!(new.contains("# the end"));
        let whole: toml::Table = toml::from_str(&new).unwrap();
        assert_eq!(whole["hub"]["limits"]["cpus"].as_str(), Some("0.5 cpus"));
        assert_eq!(edited(text, None, &[]).unwrap(), text);
        assert!(edited("= no", None, &[]).is_err());
    }

    #[test]
    fn a_table_gets_other_entries_and_keeps_its_comments() {
        let text = "[thresholds] # what must hold\n\"ack.p99\" = \"5 ms\" # soon\nlost = 0 # all\n";
        let change = r#"{ "ack.p99" = "6 ms", "delivery.p50" = "9 ms" }"#;
        let new = edited(text, None, &[Override::new("thresholds", change).unwrap()]).unwrap();
        let expected = "[thresholds] # what must hold\n\"ack.p99\" = \"6 ms\" # soon\n";
        assert!(new.starts_with(expected), "{new}");
        let whole: toml::Table = toml::from_str(&new).unwrap();
        let thresholds = whole["thresholds"].as_table().unwrap();
        assert_eq!(thresholds.len(), 2);
        assert_eq!(thresholds["delivery.p50"].as_str(), Some("9 ms"));
        let none = edited(text, None, &[Override::new("thresholds", "{}").unwrap()]).unwrap();
        assert_eq!(none, "[thresholds] # what must hold\n");
    }
}
