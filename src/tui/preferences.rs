//! The operator's preferences: theme, symbols, bell, mouse, keys, detached runs. Read from
//! `screen.toml` in the configuration folder, overridden by flags.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    display_choices::DisplayZone,
    keys::Keymap,
    terminal::{MouseOwner, Multiplexer, Symbols},
    theme::{ColourDepth, Theme},
};

/// Preferences of the screen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Preferences {
    /// Theme.
    pub theme: Theme,
    /// Colour depth of the terminal.
    pub depth: ColourDepth,
    /// Symbols that the terminal can show.
    pub symbols: Symbols,
    /// What is between this program and the operator's terminal.
    pub multiplexer: Multiplexer,
    /// Whether a crossed threshold rings the bell.
    pub bell: Bell,
    /// Whether the screen or the terminal handles the mouse.
    pub mouse: MouseOwner,
    /// Time zone of the times on the screen.
    pub time_zone: DisplayZone,
    /// Which process executes the runs.
    pub run_owner: RunOwner,
    /// Whether the tour is shown.
    pub tour: ShowTour,
    /// Key map.
    pub keys: Keymap,
}

/// Whether the tour of a first start is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ShowTour {
    /// It was shown before.
    #[default]
    No,
    /// This is a first start.
    Yes,
}

/// Whether a crossed threshold rings the terminal's bell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bell {
    /// A crossed threshold is only shown.
    #[default]
    Off,
    /// The bell rings.
    On,
}

/// Process that executes the runs started on the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RunOwner {
    /// The screen's process: a run ends with the screen.
    #[default]
    Screen,
    /// A detached process for each run, which continues without the screen.
    DetachedProcess,
}

/// Contents of `screen.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PreferencesFile {
    theme: Theme,
    ascii: Option<bool>,
    bell: bool,
    mouse: Option<bool>,
    keep: bool,
    time: DisplayZone,
    keys: BTreeMap<String, Vec<String>>,
}

impl Preferences {
    /// Parses a file's text; defaults of the terminal are taken from the environment variables that
    /// `variable` looks up.
    ///
    /// # Errors
    /// All problems of the file.
    pub fn parse(
        text: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<String>> {
        let file: PreferencesFile =
            toml::from_str(text).map_err(|error| vec![error.to_string()])?;
        let symbols = match file.ascii {
            Some(true) => Symbols::Ascii,
            Some(false) => Symbols::Unicode,
            None => Symbols::detect(&variable),
        };
        Ok(Self {
            theme: file.theme.respecting_no_color(&variable),
            depth: ColourDepth::detect(&variable),
            symbols,
            multiplexer: Multiplexer::detect(&variable),
            bell: if file.bell { Bell::On } else { Bell::Off },
            mouse: if file.mouse == Some(false) {
                MouseOwner::Terminal
            } else {
                MouseOwner::Screen
            },
            time_zone: file.time,
            run_owner: if file.keep { RunOwner::DetachedProcess } else { RunOwner::Screen },
            tour: ShowTour::No,
            keys: Keymap::with_overrides(&file.keys)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Preferences, Vec<String>> {
        Preferences::parse(text, |name| (name == "TERM").then(|| "xterm-256color".to_owned()))
    }

    #[test]
    fn an_empty_file_changes_nothing() {
        assert_eq!(read("").unwrap(), Preferences::default());
    }

    #[test]
    fn everything_can_be_chosen() {
        let text = "theme = \"light\"\nascii = true\nbell = true\nmouse = false\nkeep = true\ntime = \"local\"\n[keys]\nfreeze = [\"z\"]\n";
        let chosen = read(text).unwrap();
        assert_eq!((chosen.theme, chosen.symbols), (Theme::Light, Symbols::Ascii));
        assert_eq!((chosen.bell, chosen.mouse), (Bell::On, MouseOwner::Terminal));
        assert_eq!(chosen.run_owner, RunOwner::DetachedProcess);
        assert_eq!(chosen.time_zone, DisplayZone::Local);
        assert_eq!(chosen.keys.key_label("freeze"), "z");
    }

    #[test]
    fn problems_name_the_key_and_the_line() {
        let problem = read("theme = \"16\"\nthem = 3\n").unwrap_err().remove(0);
        assert!(problem.contains("them") && problem.contains('2'), "{problem}");
        assert!(read("theme = \"purple\"").is_err());
        assert!(read("[keys]\nfreeze = [\"s\"]").unwrap_err()[0].contains("both"));
    }
}
