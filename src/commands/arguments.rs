//! Parses the arguments, and gives advice that suits this program where one is wrong.

use std::ffi::OsString;

use clap::{
    Parser,
    builder::StyledStr,
    error::{ContextKind, ContextValue, Error, ErrorKind},
};

use super::profile_choice;
use crate::{backend, cli::Cli};

/// Parses the arguments of this process; ends it with the message and the exit status of the argument parser
/// if they are wrong, or ask for the help.
pub fn parse_arguments() -> Cli {
    parse(std::env::args_os()).unwrap_or_else(|error| error.exit())
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, Error> {
    Cli::try_parse_from(arguments).map_err(|mut error| {
        // The parser advises to pass a misspelt option as the name of a profile or of a record.
        error.remove(ContextKind::Suggested);
        if let Some(tip) = tip(&error) {
            let tips = vec![StyledStr::from(tip)];
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
        error
    })
}

/// Returns the advice on an error; `None` where the parser's own suffices.
fn tip(error: &Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => texts.first().cloned(),
        _ => None,
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let name = text(ContextKind::InvalidSubcommand)?;
            profile_choice::find(&name).ok()?;
            Some(format!("to run it: hubmark run {name}"))
        }
        ErrorKind::MissingRequiredArgument => {
            match text(ContextKind::InvalidArg)?.trim_matches(['<', '>', '.']) {
                "PROFILE" => Some(format!(
                    "hubmark profiles list shows the profiles; a backend works, too: {}",
                    backend_names().join(", ")
                )),
                "A" | "RECORD" | "RECORDS" => {
                    Some("hubmark records list shows the records".to_owned())
                }
                _ => None,
            }
        }
        ErrorKind::UnknownArgument => {
            let argument = text(ContextKind::InvalidArg)?;
            // The parser knows a similar one, or the command that has it.
            if error.get(ContextKind::SuggestedArg).is_some()
                || error.get(ContextKind::SuggestedSubcommand).is_some()
            {
                return None;
            }
            let is_setting = !argument.starts_with('-') && argument.contains('=');
            is_setting.then(|| format!("to change a setting of the profile: --set {argument}"))
        }
        ErrorKind::ArgumentConflict => {
            let subcommand = text(ContextKind::InvalidSubcommand)?;
            let option = text(ContextKind::PriorArg)?;
            Some(format!(
                "{option} belongs to the screen, which opens without a command; hubmark {subcommand} \
                 --help shows its own options"
            ))
        }
        _ => None,
    }
}

fn backend_names() -> Vec<&'static str> {
    backend::registry().iter().map(|backend| backend.info().name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(arguments: &str) -> String {
        let all = ["hubmark"].into_iter().chain(arguments.split(' ')).map(OsString::from);
        match parse(all) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_misspelt_option_is_not_offered_as_the_name_of_a_profile() {
        for wrong in ["run first-look --typo", "footprint --typo", "report --typo"] {
            let text = message(wrong);
            assert!(text.contains("unexpected argument '--typo'"), "{text}");
            assert!(!text.contains("-- --typo"), "{text}");
        }
        let text = message("run --sett a=b first-look");
        assert!(text.contains("a similar argument exists: '--set'"), "{text}");
    }

    #[test]
    fn a_profile_or_backend_in_the_place_of_a_command_is_recognised() {
        for name in ["first-look"].into_iter().chain(backend_names()) {
            let text = message(name);
            assert!(text.contains(&format!("tip: to run it: hubmark run {name}")), "{text}");
        }
        assert!(!message("frist").contains("tip"), "{}", message("frist"));
        assert!(message("records shwo x").contains("a similar subcommand exists: 'show'"));
    }

    #[test]
    fn a_missing_argument_says_where_its_values_are_listed() {
        for (wrong, tip) in [
            ("run", "hubmark profiles list"),
            ("images build", "hubmark profiles list"),
            ("compare", "hubmark records list"),
            ("records show", "hubmark records list"),
            ("records remove", "hubmark records list"),
            ("run first-look workload.users=5", "--set workload.users=5"),
            ("--keep run first-look", "--keep belongs to the screen"),
        ] {
            let text = message(wrong);
            assert!(text.contains("tip: ") && text.contains(tip), "{wrong}: {text}");
        }
    }

    #[test]
    fn the_same_settings_are_taken_by_every_command_on_a_profile() {
        for command in
            ["run mariadb", "doctor mariadb", "images build mariadb", "footprint mariadb"]
        {
            let text = message(&format!("{command} --set workload.users=5 --set run.seed=1"));
            assert_eq!(text, "", "{command}");
        }
    }
}
