//! Entry point of hubmark: parses arguments, prints errors and sets the exit status.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use hubmark::{
    commands::{self, Exit},
    format::visible,
};

fn main() -> ExitCode {
    if let Err(error) = color_eyre::install() {
        print_error(&error.to_string());
    }
    match commands::execute(commands::parse_arguments()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            print_error(&error_chain(&error));
            Exit::Failed.into()
        }
    }
}

/// Joins an error and its causes, leaving out a cause that the text already contains.
fn error_chain(error: &color_eyre::Report) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| {
        if text.contains(&cause) {
            text
        } else if text.is_empty() {
            cause
        } else {
            format!("{text}: {cause}")
        }
    })
}

fn print_error(text: &str) {
    // With stderr closed, the message cannot be shown at all.
    let _ = writeln!(io::stderr(), "hubmark: {}", visible(text));
}
