//! The placeholders of a container's environment and arguments.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

/// Stands for the container's own address in an environment variable: known only inside, once it
/// runs.
pub const SELF: &str = "{self}";

/// A shell's script that puts the container's own address in the place of [`SELF`] in `variables`
/// and then runs its arguments; `None` where nothing has to be filled in.
///
/// The engine writes the address beside the container's name into `/etc/hosts`; nothing but a
/// shell is needed to find it.
pub fn own_address_script(variables: &[(String, String)]) -> Option<String> {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let exports: Vec<_> = variables
        .iter()
        .filter(|(_, value)| value.contains(SELF))
        .map(|(name, value)| {
            let parts: Vec<_> = value.split(SELF).map(quoted).collect();
            format!("export {name}={}; ", parts.join("\"$self\""))
        })
        .collect();
    (!exports.is_empty()).then(|| {
        format!(
            "self=; while read -r address name rest; do \
             if [ -z \"$self\" ] && [ \"$name\" = \"$HOSTNAME\" ]; then self=$address; fi; \
             done </etc/hosts; {}exec \"$@\"",
            exports.concat()
        )
    })
}

/// What `{role}`, `{host}` and `{port:N}` stand for.
#[derive(Debug, Clone)]
pub struct Placeholders {
    /// The address, within the hub, of each server that was started earlier, by role.
    pub servers: HashMap<String, IpAddr>,
    /// The address by which clients outside the hub reach published ports.
    pub host: IpAddr,
    /// The outside port that leads to each of the container's ports.
    pub ports: BTreeMap<u16, u16>,
}

impl Placeholders {
    /// `text` with its placeholders filled in. Braces around anything else stay as they are:
    /// they belong to the server's own settings.
    pub fn fill(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let (before, from) = rest.split_at(open);
            filled.push_str(before);
            let value = from.find('}').and_then(|end| Some((self.value(&from[1..end])?, end)));
            if let Some((value, end)) = value {
                filled.push_str(&value);
                rest = &from[end + 1..];
            } else {
                filled.push('{');
                rest = &from[1..];
            }
        }
        filled.push_str(rest);
        filled
    }

    fn value(&self, name: &str) -> Option<String> {
        if name == "host" {
            return Some(self.host.to_string());
        }
        if let Some(port) = name.strip_prefix("port:") {
            return self.ports.get(&port.parse().ok()?).map(u16::to_string);
        }
        self.servers.get(name).map(IpAddr::to_string)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example() -> Placeholders {
        Placeholders {
            servers: HashMap::from([("zookeeper".to_owned(), IpAddr::from([172, 17, 0, 2]))]),
            host: IpAddr::from([10, 0, 0, 7]),
            ports: BTreeMap::from([(9094, 23_001)]),
        }
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
            filled("%d{ISO8601} {{host}} {port:1} {port:x} {"),
            "%d{ISO8601} {10.0.0.7} {port:1} {port:x} {"
        );
    }

    #[test]
    fn the_own_address_is_filled_in_by_the_containers_shell() {
        let variables =
            [("A", "x://{self}:1,y://{self}:2"), ("B", "no 'self'"), ("C", "it's {self}")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let script = own_address_script(&variables).unwrap();
        assert!(!script.contains("export B"), "{script}");
        // The machine's own hosts file names some host: its address is found by that name.
        let hosts = std::fs::read_to_string("/etc/hosts").unwrap();
        let first = hosts.lines().find_map(|line| {
            let mut words = line.split_whitespace().take_while(|word| !word.starts_with('#'));
            Some((words.next()?, words.next()?))
        });
        let Some((address, name)) = first else { return };
        let output = std::process::Command::new("sh")
            .args(["-c", &script, "sh", "sh", "-c", "printf '%s|%s' \"$A\" \"$C\""])
            .env("HOSTNAME", name)
            .output()
            .unwrap();
        let expected = format!("x://{address}:1,y://{address}:2|it's {address}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
        assert_eq!(own_address_script(&variables[1..2]), None);
    }

    proptest! {
        #[test]
        fn text_without_placeholders_is_unchanged(text in "[a-z{}: é]*") {
            prop_assume!(!text.contains("{host}") && !text.contains("{zookeeper}"));
            prop_assert_eq!(example().fill(&text), text);
        }
    }
}
