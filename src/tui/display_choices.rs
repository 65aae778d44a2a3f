//! What the operator chooses about the display: what is remembered between sessions, the zone of times.

use serde::Deserialize;

use super::{terminal::MouseOwner, theme::Theme};

/// The operator's choices on the screen that are remembered for the next session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DisplayChoices {
    /// Theme.
    pub theme: Theme,
    /// Whether the screen or the terminal handles the mouse.
    pub mouse: MouseOwner,
}

/// Remembered choices, and those of `screen.toml` when they were made.
#[derive(Debug, Deserialize)]
struct RememberedChoices {
    theme: String,
    mouse: bool,
    file: ChoicesOfFile,
}

/// Choices of `screen.toml`.
#[derive(Debug, Deserialize)]
struct ChoicesOfFile {
    theme: String,
    mouse: bool,
}

impl DisplayChoices {
    /// Writes the choices, together with those of `screen.toml`, which they replace until that file has
    /// others.
    pub fn to_toml(self, file: Self) -> String {
        let lines = |choices: Self| {
            let mouse = choices.mouse == MouseOwner::Screen;
            format!("theme = {:?}\nmouse = {mouse}\n", choices.theme.name())
        };
        format!("{}[file]\n{}", lines(self), lines(file))
    }

    /// Reads choices that were made while `screen.toml` had those of `file`; `None` if it had others, or if
    /// the text has none.
    pub fn remembered(text: &str, file: Self) -> Option<Self> {
        let read: RememberedChoices = toml::from_str(text).ok()?;
        let choices = |theme: &str, mouse| {
            let mouse = if mouse { MouseOwner::Screen } else { MouseOwner::Terminal };
            Some(Self { theme: Theme::from_name(theme)?, mouse })
        };
        let before = choices(&read.file.theme, read.file.mouse)?;
        choices(&read.theme, read.mouse).filter(|_| before == file)
    }
}

/// Time zone of the times on the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DisplayZone {
    /// UTC, as in the names of records.
    #[default]
    Utc,
    /// The time zone of this machine.
    Local,
}

impl DisplayZone {
    /// Formats a time to the minute: `2026-11-22 14:02`.
    pub fn format(self, time: jiff::Timestamp) -> String {
        const FORMAT: &str = "%Y-%m-%d %H:%M";
        match self {
            Self::Utc => time.strftime(FORMAT).to_string(),
            Self::Local => time.to_zoned(jiff::tz::TimeZone::system()).strftime(FORMAT).to_string(),
        }
    }

    /// Name beside a time.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Utc => "UTC",
            Self::Local => "local time",
        }
    }

    /// Title of a column of start times.
    pub const fn column_title(self) -> &'static str {
        match self {
            Self::Utc => "started (UTC)",
            Self::Local => "started (local)",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_remembered_until_the_file_has_others() {
        let file = DisplayChoices { theme: Theme::Sixteen, mouse: MouseOwner::Screen };
        let made = DisplayChoices { theme: Theme::Dark, mouse: MouseOwner::Terminal };
        let text = made.to_toml(file);
        assert_eq!(DisplayChoices::remembered(&text, file), Some(made));
        let other = DisplayChoices { theme: Theme::Light, ..file };
        assert_eq!(DisplayChoices::remembered(&text, other), None, "the file has another theme");
        assert_eq!(DisplayChoices::remembered("theme = 3", file), None);
    }

    #[test]
    fn times_are_in_utc_or_local_as_chosen() {
        let time: jiff::Timestamp = "2026-11-22T14:02:00Z".parse().unwrap();
        assert_eq!(DisplayZone::default().format(time), "2026-11-22 14:02");
        let here = time.to_zoned(jiff::tz::TimeZone::system());
        let local = DisplayZone::Local.format(time);
        assert!(local.ends_with(&format!("{:02}:{:02}", here.hour(), here.minute())), "{local}");
    }
}
