//! hubmark: arguments, reports of errors, exit status. Everything else is in the library.

use std::process::ExitCode;

use clap::Parser;
use hubmark::{
    cli::Cli,
    commands::{self, Exit},
};

fn main() -> ExitCode {
    if let Err(error) = color_eyre::install() {
        eprintln!("hubmark: {error}");
    }
    match commands::execute(Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("hubmark: {error:#}");
            Exit::Failed.into()
        }
    }
}
