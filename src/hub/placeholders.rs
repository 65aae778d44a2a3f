//! Placeholders in the settings of a server, whose values are known only when it starts.

use std::collections::{BTreeMap, HashMap};

/// Values of placeholders, by name; in a text, a name is written in braces.
#[derive(Debug, Clone, Default)]
pub struct Placeholders(HashMap<String, String>);

impl Placeholders {
    /// Returns the values of `{port:N}`: the external port for each port `N` of a server.
    pub fn for_ports(ports: &BTreeMap<u16, u16>) -> Self {
        ports.iter().fold(Self::default(), |all, (port, external)| {
            all.with(&format!("port:{port}"), external)
        })
    }

    /// Adds the value of `{name}`, or replaces it.
    pub fn with(mut self, name: &str, value: &impl ToString) -> Self {
        self.0.insert(name.to_owned(), value.to_string());
        self
    }

    /// Returns `text` with its placeholders replaced. Other braces remain unchanged: they belong to
    /// the server's settings.
    pub fn fill(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let (before, from) = rest.split_at(open);
            filled.push_str(before);
            let value = from.find('}').and_then(|end| Some((self.0.get(&from[1..end])?, end)));
            if let Some((value, end)) = value {
                filled.push_str(value);
                rest = &from[end + 1..];
            } else {
                filled.push('{');
                rest = &from[1..];
            }
        }
        filled.push_str(rest);
        filled
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example() -> Placeholders {
        Placeholders::for_ports(&BTreeMap::from([(9094, 23_001), (3306, 40_001)]))
            .with("zookeeper", &"172.17.0.2")
            .with("host", &"10.0.0.7")
            .with("dir", &"/t/data")
    }

    #[test]
    fn placeholders_are_filled_and_other_braces_stay() {
        let filled = |text| example().fill(text);
        assert_eq!(
            filled("zookeeper.connect={zookeeper}:2181"),
            "zookeeper.connect=172.17.0.2:2181"
        );
        assert_eq!(filled("HOST://{host}:{port:9094}"), "HOST://10.0.0.7:23001");
        assert_eq!(
            filled("--socket={dir}/s --port={port:3306}"),
            "--socket=/t/data/s --port=40001"
        );
        assert_eq!(
            filled("%d{ISO8601} {{host}} {port:1} {port:x} {port} {"),
            "%d{ISO8601} {10.0.0.7} {port:1} {port:x} {port} {"
        );
    }

    proptest! {
        #[test]
        fn text_without_placeholders_is_unchanged(text in "[a-z{}: é]*") {
            prop_assume!(!["{host}", "{zookeeper}", "{dir}"].iter().any(|name| text.contains(name)));
            prop_assert_eq!(example().fill(&text), text);
        }
    }
}
