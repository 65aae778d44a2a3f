//! The subcommands of the command line, each returning an exit status.
//!
//! | file | content |
//! |---|---|
//! | [`run`] | `hubmark run` and `hubmark footprint` |
//! | [`screen`] | `hubmark` without a subcommand, and `hubmark attach` |
//! | [`profiles`], [`records`], [`report`], [`images`], [`doctor`] | the subcommands of these names |
//! | [`arguments`] | parsing of the arguments, and advice on wrong ones |
//! | [`profile_choice`], [`hub_choice`] | the profile that an argument names; what `--hub` means beside it and `--set` |
//! | [`launch`] | from a plan to a running engine, for both the screen and the command line |
//! | [`output`], [`signals`] | exit status, stdout and stderr; SIGINT, SIGTERM and SIGHUP |

mod arguments;
mod doctor;
mod hub_choice;
mod images;
mod launch;
mod output;
mod profile_choice;
pub mod profiles;
mod records;
mod report;
mod run;
mod screen;
mod signals;

use std::fs::{self, File};

use clap::CommandFactory;
use color_eyre::eyre::{Result, WrapErr};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::{Layer, SubscriberExt},
};

use crate::{
    broker,
    cli::{Cli, Command},
    hub::child::guard,
    paths,
    units::Bytes,
};
pub use arguments::parse_arguments;
pub use output::Exit;
use output::print_bytes;

/// Executes the command line.
///
/// # Errors
/// The command could not be executed; the exit status is then 1.
pub fn execute(cli: Cli) -> Result<Exit> {
    let command = match cli.command {
        // The two helper processes are children of a run: they need neither log nor runtime.
        Some(Command::Broker(args)) => {
            broker::run(&args.into())?;
            return Ok(Exit::Success);
        }
        Some(Command::Guard(args)) => match guard::run(args.parent, &args.command)? {},
        other => other,
    };
    init_log();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .wrap_err("starting the runtime")?;
    let exit = match command {
        None => screen::open(&runtime, &cli.screen, None),
        Some(Command::Attach(args)) => screen::attach(&runtime, &args),
        Some(Command::DetachedRun) => screen::execute_detached(&runtime),
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
            print_bytes(&script).map(|()| Exit::Success)
        }
        Some(Command::Man) => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            print_bytes(&page).map(|()| Exit::Success)
        }
        Some(Command::Broker(_) | Command::Guard(_)) => unreachable!("handled above"),
    };
    // A thread that hangs in a client library must not prevent the program's end.
    runtime.shutdown_background();
    exit
}

/// Log size above which the log file is truncated at the next start.
const MAX_LOG_SIZE: Bytes = Bytes(4 << 20);

/// Writes tracing output to a log file, because the terminal belongs to the screen and stderr to
/// the operator. Without a writable folder nothing is logged, and measuring goes on.
fn init_log() {
    let Ok(folder) = paths::state_dir() else { return };
    let path = folder.join("hubmark.log");
    let fresh = fs::metadata(&path).is_ok_and(|metadata| metadata.len() > MAX_LOG_SIZE.0);
    let opened = fs::create_dir_all(&folder).and_then(|()| {
        paths::check_writable(&path)?;
        File::options().create(true).append(!fresh).write(true).truncate(fresh).open(&path)
    });
    let Ok(file) = opened else { return };
    let filter = std::env::var("HUBMARK_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let filter = filter.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let to_file = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(file);
    let subscriber = tracing_subscriber::registry().with(to_file.with_filter(filter));
    let _ = tracing::subscriber::set_global_default(subscriber);
}
