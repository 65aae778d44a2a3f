//! hubmark.

use std::{ffi::OsString, net::SocketAddr, process::ExitCode};

use clap::{Parser, Subcommand};
use hubmark::{broker, hub::local, units::Bytes};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the built-in broker.
    #[command(hide = true)]
    Broker {
        /// Address to listen on; port 0 takes any free one.
        #[arg(long)]
        listen: SocketAddr,
        /// Bytes of messages kept in memory.
        #[arg(long)]
        retention: Option<u64>,
        /// Threads that serve connections.
        #[arg(long, default_value_t = 1)]
        workers: usize,
        /// Lies to tell.
        #[arg(long, env = broker::LIES_VARIABLE)]
        lie: Option<broker::lies::Lies>,
    },
    /// Runs a program that dies with its parent.
    #[command(hide = true)]
    Guard {
        /// The parent.
        #[arg(long)]
        parent: i32,
        /// The program and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Broker { listen, retention, workers, lie } => {
            let mut options = broker::Options::new(listen);
            options.workers = workers;
            options.lies = lie;
            if let Some(retention) = retention {
                options.retention = Bytes(retention);
            }
            tracing_subscriber::fmt().with_writer(std::io::stderr).init();
            broker::run(&options).map_err(|error| error.to_string())
        }
        Command::Guard { parent, command } => local::guard::run(parent, &command)
            .map(|never| match never {})
            .map_err(|error| error.to_string()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
