//! The placeholder of a container's own address, which a shell in the container fills in.

/// Placeholder of the container's address in an environment variable; known only inside, once the
/// container runs.
pub const SELF_PLACEHOLDER: &str = "{self}";

/// Returns a shell script that replaces [`SELF_PLACEHOLDER`] in `variables` by the container's
/// address and then executes its arguments; `None` where there is nothing to replace.
///
/// The engine writes the address beside the container's name into `/etc/hosts`, so a shell is
/// enough to find it.
pub fn own_address_script(variables: &[(String, String)]) -> Option<String> {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let exports: Vec<_> = variables
        .iter()
        .filter(|(_, value)| value.contains(SELF_PLACEHOLDER))
        .map(|(name, value)| {
            let parts: Vec<_> = value.split(SELF_PLACEHOLDER).map(quoted).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_address_is_filled_in_by_the_containers_shell() {
        let variables =
            [("A", "x://{self}:1,y://{self}:2"), ("B", "no 'self'"), ("C", "it's {self}")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let script = own_address_script(&variables).unwrap();
        assert!(!script.contains("export B"), "{script}");
        // The hosts file of this machine names some host: its address is found by that name.
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
}
