//! The commands of the command line, each ending in an exit status.

mod controller;
mod doctor;
mod images;
mod kept;
mod launch;
pub mod profiles;
mod records;
mod report;
mod run;
mod screen;
mod shelf;
mod signals;

use std::{
    fs::{self, File},
    io::{self, Write},
    process::ExitCode,
};

use clap::CommandFactory;
use color_eyre::eyre::{Result, WrapErr};
use tracing_subscriber::EnvFilter;

use crate::{
    broker,
    cli::{Cli, Command},
    hub::child::guard,
    paths,
    units::Bytes,
};

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All well.
    Well,
    /// Something failed.
    Failed,
    /// The command line or the profile is wrong.
    Usage,
    /// A threshold was crossed, or messages were lost or refused.
    Crossed,
    /// Stopped by the operator or a signal.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Well => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Crossed => 3,
            Exit::Interrupted => 130,
        })
    }
}

/// Executes the command line.
///
/// # Errors
/// What keeps it from doing so; the exit status is then 1.
pub fn execute(cli: Cli) -> Result<Exit> {
    let command = match cli.command {
        // The two helpers are children of a run: they need no log and no runtime of ours.
        Some(Command::Broker(args)) => {
            broker::run(&args.into())?;
            return Ok(Exit::Well);
        }
        Some(Command::Guard(args)) => match guard::run(args.parent, &args.command)? {},
        other => other,
    };
    log_to_file();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .wrap_err("starting the runtime")?;
    let exit = match command {
        None => screen::open(&runtime, &cli.screen, None),
        Some(Command::Attach(args)) => kept::attach(&runtime, &args),
        Some(Command::Keep) => kept::keep(&runtime),
        Some(Command::Run(args)) => runtime.block_on(run::run(args)),
        Some(Command::Footprint(args)) => runtime.block_on(run::run(args.into())),
        Some(Command::Profiles(command)) => profiles::execute(&command),
        Some(Command::Records(command)) => records::execute(command),
        Some(Command::Report(args)) => report::report(&args),
        Some(Command::Compare(args)) => report::compare(&args),
        Some(Command::Images(command)) => runtime.block_on(images::execute(command)),
        Some(Command::Doctor(args)) => runtime.block_on(doctor::execute(args)),
        Some(Command::Clean(hub)) => runtime.block_on(images::clean(hub)),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "hubmark", &mut script);
            print_bytes(&script).map(|()| Exit::Well)
        }
        Some(Command::Man) => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            print_bytes(&page).map(|()| Exit::Well)
        }
        Some(Command::Broker(_) | Command::Guard(_)) => unreachable!("handled above"),
    };
    // A thread that hangs in a client library must not keep the program from ending.
    runtime.shutdown_background();
    exit
}

/// Says on stderr what is wrong.
fn complain(text: impl std::fmt::Display) {
    // Nobody to tell: there is nothing better to do.
    let _ = writeln!(io::stderr(), "hubmark: {text}");
}

/// Prints a result.
fn print(text: &str) -> Result<()> {
    print_bytes(text.as_bytes())
}

/// Prints a result; a closed pipe is its reader's choice, not a failure.
fn print_bytes(text: &[u8]) -> Result<()> {
    match io::stdout().write_all(text).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.wrap_err("the result could not be printed"),
    }
}

/// Above this size the log begins anew.
const LOG_LIMIT: Bytes = Bytes(4 << 20);

/// Sends what is traced to a file: the terminal belongs to the screen, stderr to the operator.
/// Without a place for the file nothing is logged, which is no reason not to measure.
fn log_to_file() {
    let Ok(folder) = paths::state() else { return };
    let path = folder.join("hubmark.log");
    let fresh = fs::metadata(&path).is_ok_and(|metadata| metadata.len() > LOG_LIMIT.0);
    let opened = fs::create_dir_all(&folder).and_then(|()| {
        File::options().create(true).append(!fresh).write(true).truncate(fresh).open(&path)
    });
    let Ok(file) = opened else { return };
    let filter = EnvFilter::try_from_env("HUBMARK_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(file)
        .finish();
    let _ = tracing::subscriber::set_global_default(subscriber);
}
