//! How this operator wants the screen: theme, symbols, bell, keys, whose the runs are. Read from `screen.toml` in
//! the configuration's folder, changed by flags.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    keys::Keymap,
    model::Bell,
    symbols::Symbols,
    theme::{Depth, Theme},
};

/// What an operator may choose.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Preferences {
    /// The styles.
    pub theme: Theme,
    /// How many colours the terminal shows.
    pub depth: Depth,
    /// What the terminal can show.
    pub symbols: Symbols,
    /// Whether a crossed threshold is heard.
    pub bell: Bell,
    /// Whether the mouse is the screen's.
    pub mouse: Mouse,
    /// Whose the runs are.
    pub runs: Runs,
    /// The keys.
    pub keys: Keymap,
}

/// Whose the runs are that are started here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Runs {
    /// The screen's: they end with it.
    #[default]
    Screens,
    /// Their own: each is a process that goes on without the screen.
    Kept,
}

/// Whose the mouse is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mouse {
    /// The screen's: it chooses and scrolls.
    #[default]
    Screen,
    /// The terminal's: it selects text.
    Terminal,
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    theme: Theme,
    ascii: Option<bool>,
    bell: bool,
    mouse: Option<bool>,
    keep: bool,
    keys: BTreeMap<String, Vec<String>>,
}

impl Preferences {
    /// The preferences of a file's text for the terminal that the environment tells of.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub fn read(
        text: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<String>> {
        let file: File = toml::from_str(text).map_err(|error| vec![error.to_string()])?;
        let symbols = match file.ascii {
            Some(true) => Symbols::Ascii,
            Some(false) => Symbols::All,
            None => Symbols::of(&variable),
        };
        Ok(Self {
            theme: file.theme.shown(&variable),
            depth: Depth::of(&variable),
            symbols,
            bell: if file.bell { Bell::Rings } else { Bell::Silent },
            mouse: if file.mouse == Some(false) { Mouse::Terminal } else { Mouse::Screen },
            runs: if file.keep { Runs::Kept } else { Runs::Screens },
            keys: Keymap::changed(&file.keys)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Preferences, Vec<String>> {
        Preferences::read(text, |name| (name == "TERM").then(|| "xterm-256color".to_owned()))
    }

    #[test]
    fn an_empty_file_changes_nothing() {
        assert_eq!(read("").unwrap(), Preferences::default());
    }

    #[test]
    fn everything_can_be_chosen() {
        let text = "theme = \"light\"\nascii = true\nbell = true\nmouse = false\nkeep = true\n[keys]\nfreeze = [\"z\"]\n";
        let chosen = read(text).unwrap();
        assert_eq!((chosen.theme, chosen.symbols), (Theme::Light, Symbols::Ascii));
        assert_eq!((chosen.bell, chosen.mouse), (Bell::Rings, Mouse::Terminal));
        assert_eq!(chosen.runs, Runs::Kept);
        assert_eq!(chosen.keys.key("freeze"), "z");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let problem = read("theme = \"16\"\nthem = 3\n").unwrap_err().remove(0);
        assert!(problem.contains("them") && problem.contains('2'), "{problem}");
        assert!(read("theme = \"purple\"").is_err());
        assert!(read("[keys]\nfreeze = [\"s\"]").unwrap_err()[0].contains("both"));
    }
}
