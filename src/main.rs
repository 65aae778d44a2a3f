//! hubmark: arguments, reports of errors, exit status. Everything else is in the library.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use hubmark::{
    cli::Cli,
    commands::{self, Exit},
};

fn main() -> ExitCode {
    if let Err(error) = color_eyre::install() {
        complain(&error.to_string());
    }
    match commands::execute(Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            complain(&in_words(&error));
            Exit::Failed.into()
        }
    }
}

/// An error and its causes; a cause that the words before it already say is not said again.
fn in_words(error: &color_eyre::Report) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| {
        if said.contains(&cause) {
            said
        } else if said.is_empty() {
            cause
        } else {
            format!("{said}: {cause}")
        }
    })
}

fn complain(text: &str) {
    // A closed stderr leaves nobody to tell.
    let _ = writeln!(io::stderr(), "hubmark: {text}");
}
