//! Edits of a profile's text that leave everything else as written, comments included.

use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::{Override, Profile, keys::KEYS, overrides};

/// Returns the text with the changes and, if given, another name.
///
/// `result` is the profile that results from the changes. Keys that its kind of workload does not
/// have become comments: they may be needed again, and as values they would be invalid.
///
/// # Errors
/// When the text is not TOML.
pub fn edit_text(
    text: &str,
    name: Option<&str>,
    changes: &[Override],
    result: Option<&Profile>,
) -> Result<String, String> {
    let mut document: DocumentMut =
        text.parse().map_err(|error| format!("the profile's text is not TOML: {error}"))?;
    let root: &mut dyn TableLike = document.as_table_mut();
    if let Some(name) = name {
        set_value(root, &["name".to_owned()], Value::from(name));
    }
    for change in changes {
        let Some((key, value)) = overrides::split_assignment(change.text()) else { continue };
        let value = value.trim();
        let value = value.parse::<Value>().unwrap_or_else(|_| Value::from(value));
        set_value(root, &overrides::parse_key_path(key).unwrap_or_default(), value);
    }
    if let Some(result) = result {
        let restricted = KEYS.iter().filter(|key| !key.workload_kinds.is_empty());
        for key in restricted.filter(|key| result.value_text(key.path).is_none()) {
            let path: Vec<&str> = key.path.split('.').collect();
            comment_out_path(document.as_table_mut(), &path);
        }
    }
    Ok(document.to_string())
}

/// Turns the value at a path into a comment, if it exists; an inline table without further values
/// becomes a comment as a whole.
fn comment_out_path(table: &mut Table, path: &[&str]) {
    match *path {
        [key] => comment_out(table, key),
        [key, ref rest @ ..] => {
            if let Some(inner) = table.get_mut(key).and_then(Item::as_table_mut) {
                return comment_out_path(inner, rest);
            }
            let Some(inner) = table.get_mut(key).and_then(Item::as_inline_table_mut) else {
                return;
            };
            let [name] = *rest else { return };
            if inner.len() > 1 {
                // All entries share one line: a comment in it would hide the others.
                inner.remove(name);
            } else if inner.contains_key(name) {
                comment_out(table, key);
            }
        }
        [] => {}
    }
}

/// Removes a key from a table and leaves its line, with the text before it, as a comment.
fn comment_out(table: &mut Table, key: &str) {
    let index = table.iter().position(|(name, _)| name == key);
    let (Some(index), Some((name, item))) = (index, table.remove_entry(key)) else { return };
    let before = name.leaf_decor().prefix().and_then(|text| text.as_str()).unwrap_or_default();
    let line = format!("{} ={item}", name.get()).replace('\n', "\n# ");
    let comment = format!("{before}# {line}");
    // `remove_entry` keeps the order of the others, so the next entry now has this index.
    let names: Vec<String> = table.iter().map(|(name, _)| name.to_owned()).collect();
    if let Some(next) = names.get(index)
        && table.get(next).is_some_and(|item| !item.is_table())
        && let Some(mut next) = table.key_mut(next)
    {
        let after = next.leaf_decor().prefix().and_then(|text| text.as_str()).unwrap_or_default();
        let both = format!("{comment}\n{after}");
        next.leaf_decor_mut().set_prefix(both);
    } else if let Some(value) = index
        .checked_sub(1)
        .and_then(|index| names.get(index))
        .and_then(|name| table.get_mut(name))
        .and_then(Item::as_value_mut)
    {
        let after = value.decor().suffix().and_then(|text| text.as_str()).unwrap_or_default();
        let both = format!("{after}\n{comment}");
        value.decor_mut().set_suffix(both);
    }
}

/// Sets the value at a path and creates missing tables on the path.
fn set_value(table: &mut dyn TableLike, path: &[String], value: Value) {
    let [key, rest @ ..] = path else { return };
    if rest.is_empty() {
        if let Some(entries) = value.as_inline_table()
            && let Some(existing) = table.get_mut(key).and_then(Item::as_table_like_mut)
        {
            return replace_entries(existing, entries);
        }
        let mut value = value;
        if let Some(old) = table.get(key).and_then(Item::as_value) {
            // The text around the value: spaces, and the comment at the line's end.
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
        set_value(inner, rest, value);
    }
}

/// Replaces the entries of a table; entries that remain keep the text around them.
fn replace_entries(table: &mut dyn TableLike, entries: &InlineTable) {
    let existing: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
    for key in existing.iter().filter(|key| !entries.contains_key(key)) {
        table.remove(key);
    }
    for (key, value) in entries {
        let mut value = value.clone();
        value.decor_mut().clear();
        set_value(table, &[key.to_owned()], value);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn unchanged_text_stays_as_written() {
        let text = "# mine\nname = \"a\"\n\n[workload]  # what is played\nusers = 100   # devices\n\
                    arrival = { mean = \"1 s\" } # each\n\n# the end\n";
        let changes = [
            Override::new("workload.users", "[100, 400]").unwrap(),
            Override::new("workload.arrival.mean", "2 s").unwrap(),
            Override::new("hub.limits.cpus", "0.5 cpus").unwrap(),
        ];
        let new = edit_text(text, Some("b"), &changes, None).unwrap();
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
        assert_eq!(edit_text(text, None, &[], None).unwrap(), text);
        assert!(edit_text("= no", None, &[], None).is_err());
    }

    #[test]
    fn a_table_gets_other_entries_and_keeps_its_comments() {
        let text = "[thresholds] # what must hold\n\"ack.p99\" = \"5 ms\" # soon\nlost = 0 # all\n";
        let change = r#"{ "ack.p99" = "6 ms", "delivery.p50" = "9 ms" }"#;
        let new =
            edit_text(text, None, &[Override::new("thresholds", change).unwrap()], None).unwrap();
        let expected = "[thresholds] # what must hold\n\"ack.p99\" = \"6 ms\" # soon\n";
        assert!(new.starts_with(expected), "{new}");
        let whole: toml::Table = toml::from_str(&new).unwrap();
        let thresholds = whole["thresholds"].as_table().unwrap();
        assert_eq!(thresholds.len(), 2);
        assert_eq!(thresholds["delivery.p50"].as_str(), Some("9 ms"));
        let none =
            edit_text(text, None, &[Override::new("thresholds", "{}").unwrap()], None).unwrap();
        assert_eq!(none, "[thresholds] # what must hold\n");
    }

    #[test]
    fn a_change_of_the_workload_kind_turns_keys_of_the_old_kind_into_comments() {
        let text = "# mine\nname = \"a\"\nbackend = \"builtin\"\n\n[workload] # played\n\
                    kind = \"latency\" # for now\n# as long as it takes\nmessages = 20 # each\n\
                    arrival = { mean = \"2 s\" } # slow\n# the sizes\npayload = [\n  \"1 B\",\n]\n\
                    warmup = \"1 s\" # cold\n\n[run]\nrepetitions = 3 # enough\nseed = 1\n";
        let catalogue = crate::backend::catalogue();
        let changed = |changes: &[(&str, &str)]| {
            let changes: Vec<_> =
                changes.iter().map(|(key, value)| Override::new(key, value).unwrap()).collect();
            let made = Profile::parse_with(text, &changes, &catalogue).unwrap();
            let new = edit_text(text, None, &changes, Some(&made)).unwrap();
            let read = Profile::parse(&new, &catalogue).unwrap_or_else(|error| {
                panic!("{error}\n{new}");
            });
            assert_eq!(read.to_toml(), made.to_toml(), "{new}");
            for line in text.lines() {
                let line = line.trim();
                assert!(
                    new.contains(line)
                        || changes.len() > 1
                        || line.starts_with("kind")
                        || line.starts_with("arrival"),
                    "{line}:\n{new}"
                );
            }
            new
        };
        let new = changed(&[("workload.kind", "throughput")]);
        for line in [
            "kind = \"throughput\" # for now",
            "# as long as it takes\n# messages = 20 # each\n# arrival = { mean = \"2 s\" } # slow\n# the sizes\npayload",
            "# warmup = \"1 s\" # cold\n\n[run]\nrepetitions = 3 # enough",
        ] {
            assert!(new.contains(line), "{line}:\n{new}");
        }
        let users = ("workload.users", "[100, 200]");
        let new = changed(&[("workload.kind", "capacity"), users]);
        assert!(new.contains("[run]\n# repetitions = 3 # enough\nseed = 1"), "{new}");
        let new = changed(&[("workload.duration", "30 s"), ("run.seed", "2")]);
        assert!(
            new.contains("# messages = 20 # each\n") && new.contains("duration = \"30 s\""),
            "{new}"
        );
        let poisson = r#"{ distribution = "poisson", mean = "1 s" }"#;
        changed(&[("workload.arrival", poisson)]);
        let inline = "arrival = { mean = \"2 s\", deviation = \"1 s\" }";
        let text = text.replace("arrival = { mean = \"2 s\" }", inline);
        let turned = [Override::new("workload.arrival.distribution", "constant").unwrap()];
        let made = Profile::parse_with(&text, &turned, &catalogue).unwrap();
        let new = edit_text(&text, None, &turned, Some(&made)).unwrap();
        assert!(Profile::parse(&new, &catalogue).is_ok() && !new.contains("deviation"), "{new}");
    }
}
