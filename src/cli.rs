//! The command line.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    broker::{self, lies::Lies},
    server::HubKind,
    units::Bytes,
};

/// Measure Apache Kafka and MariaDB as the data hub of an IoT box, with numbers that can be trusted.
///
/// Without a command it opens the screen. Everything that the screen does, `hubmark run` does
/// without a terminal.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true, after_help = EXIT_STATUS)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// How the screen looks.
    #[command(flatten)]
    pub screen: ScreenArgs,
    /// What to do; without it the screen opens.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// How the screen looks; `screen.toml` in the configuration's folder says it for good.
#[derive(Debug, Args)]
pub struct ScreenArgs {
    /// Colours of the screen: 16, dark, light, high-contrast or none
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,
    /// Only ASCII on the screen, for fonts and locales without more
    #[arg(long)]
    pub ascii: bool,
    /// Leave the mouse to the terminal, for its own selection of text
    #[arg(long)]
    pub no_mouse: bool,
    /// Let a run go on when the screen is gone: a lost connection does not end it, and `hubmark
    /// attach` shows it again
    #[arg(long)]
    pub keep: bool,
}

const EXIT_STATUS: &str = "\
Exit status: 0 all well · 1 failed · 2 usage or bad profile · 3 a threshold was crossed or
messages were lost or refused · 130 interrupted

Files: profiles in $XDG_CONFIG_HOME/hubmark, records in $XDG_DATA_HOME/hubmark/records, this
program's log in $XDG_STATE_HOME/hubmark; HUBMARK_CONFIG_DIR, HUBMARK_RECORDS_DIR and
HUBMARK_STATE_DIR override. HUBMARK_LOG sets what is logged (for example debug).";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Execute a profile without a screen: progress on stderr, the result on stdout
    Run(Run),
    /// Bring the screen back to a run that was started with --keep
    Attach(Attach),
    /// What a backend costs by itself: image, cold start, idling, connections, bytes, recovery
    Footprint(Footprint),
    /// Built-in and saved profiles
    #[command(subcommand)]
    Profiles(Profiles),
    /// Finished and partial runs
    #[command(subcommand)]
    Records(Records),
    /// Turn records into one folder: figures, one HTML page, tables as CSV
    Report(Report),
    /// Hold two records, or two backends of one, against each other
    Compare(Compare),
    /// Server images on a hub
    #[command(subcommand)]
    Images(Images),
    /// Say what is ready for a run, what is missing, and what to do about it
    Doctor(Doctor),
    /// Remove what dead runs left behind on a hub, by label; never anything else
    Clean(HubArg),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
    /// The built-in broker: started by a run on the local hub
    #[command(hide = true)]
    Broker(Broker),
    /// Runs a program that ends when this one does: started by the local hub
    #[command(hide = true)]
    Guard(Guard),
    /// A run that is a process of its own: started by the screen with --keep
    #[command(hide = true)]
    Keep,
}

/// `hubmark run`.
#[derive(Debug, Args)]
pub struct Run {
    /// A built-in or saved profile's name, or a file; with --resume the record's own
    #[arg(required_unless_present = "resume")]
    pub profile: Option<String>,
    /// Where the servers run: docker, local, external (the profile names servers that run already),
    /// or the address of a Docker engine [default: the profile's]
    #[arg(long, value_name = "HUB")]
    pub hub: Option<String>,
    /// Change one setting of the profile, by the profile's own keys; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Where the record is kept, from the first repetition on [default: the records folder]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// What is printed at the end
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Go on with the partial record in FILE, from the next repetition; refused when its plan, its
    /// images or its hub are not those of now
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    pub resume: Option<PathBuf>,
    /// Print what would be done and stop
    #[arg(long)]
    pub dry_run: bool,
    /// No progress on stderr
    #[arg(long, short)]
    pub quiet: bool,
}

/// `hubmark attach`.
#[derive(Debug, Args)]
pub struct Attach {
    /// The run's process, as `--list` names it; not needed where only one is on
    #[arg(value_name = "PROCESS")]
    pub run: Option<u32>,
    /// List the runs that are on
    #[arg(long)]
    pub list: bool,
    /// How the screen looks.
    #[command(flatten)]
    pub look: ScreenArgs,
}

impl Run {
    /// What is changed of the profile, each `KEY=VALUE`; the later of two counts.
    pub fn changes(&self) -> Vec<String> {
        let hub = self.hub.iter().flat_map(|hub| hub_changes(hub));
        hub.chain(self.set.iter().cloned()).collect()
    }
}

/// A hub, by the word for its kind or by its engine's address, as changes of a profile.
pub fn hub_changes(hub: &str) -> Vec<String> {
    if is_hub_kind(hub) {
        return vec![format!("hub.kind={hub}")];
    }
    let docker = HubKind::Docker.word();
    vec![format!("hub.kind={docker}"), format!("hub.engine={hub}")]
}

/// Whether `hub` is the word for a kind of hub.
pub fn is_hub_kind(hub: &str) -> bool {
    HubKind::ALL.iter().any(|kind| kind.word() == hub)
}

/// `hubmark footprint`: the profile of that name, for these backends on that hub.
#[derive(Debug, Args)]
pub struct Footprint {
    /// The backends, each a name or name:version [default: kafka:2.8.0, kafka:4.4.0 and mariadb]
    pub backends: Vec<String>,
    /// The hub
    #[command(flatten)]
    pub hub: HubArg,
    /// Where the record is kept [default: the records folder]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// What is printed at the end
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// No progress on stderr
    #[arg(long, short)]
    pub quiet: bool,
}

impl From<Footprint> for Run {
    fn from(asked: Footprint) -> Self {
        let mut set = Vec::new();
        if !asked.backends.is_empty() {
            set.push(format!("backend={}", asked.backends.join(",")));
        }
        set.extend(asked.hub.hub.map(|engine| format!("hub.engine={engine}")));
        Self {
            profile: Some("footprint".into()),
            hub: None,
            set,
            out: asked.out,
            format: asked.format,
            resume: None,
            dry_run: false,
            quiet: asked.quiet,
        }
    }
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A summary for people
    Text,
    /// The whole record
    Json,
    /// One line for each repetition
    Csv,
}

/// `hubmark profiles`.
#[derive(Debug, Subcommand)]
pub enum Profiles {
    /// List them
    List,
    /// Print one
    Show {
        /// A name or a file
        name: String,
    },
    /// Say everything that is wrong with a profile, with line numbers; otherwise print its plan
    Check {
        /// A name or a file
        file: String,
    },
    /// Copy a profile to a file, to change it
    Copy {
        /// A name or a file
        name: String,
        /// The new file; it must not exist
        file: PathBuf,
    },
}

/// `hubmark records`.
#[derive(Debug, Subcommand)]
pub enum Records {
    /// List them
    List,
    /// Print a record's result
    Show {
        /// Its file, or its name in the records folder
        record: PathBuf,
        /// How it is printed
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Delete records
    Remove {
        /// Their files, or their names in the records folder
        #[arg(required = true)]
        records: Vec<PathBuf>,
    },
}

/// `hubmark report`.
#[derive(Debug, Args)]
pub struct Report {
    /// Their files, or their names in the records folder [default: the last one there]
    pub records: Vec<PathBuf>,
    /// The folder; an earlier report in it is replaced [default: the first record's name, with
    /// `-report`, here]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Let suspect repetitions count, marked hollow and counted apart: the default
    #[arg(long, overrides_with = "exclude_suspect")]
    include_suspect: bool,
    /// Leave suspect repetitions out; how many is always said
    #[arg(long, overrides_with = "include_suspect")]
    pub exclude_suspect: bool,
}

/// `hubmark compare`.
#[derive(Debug, Args)]
pub struct Compare {
    /// The record to compare with: its file, or its name in the records folder
    pub a: PathBuf,
    /// The other record; without it, two backends of the first are compared
    pub b: Option<PathBuf>,
    /// Compare these two backends, such as kafka,mariadb or kafka:2.8.0,kafka:4.4.0; one alone
    /// is taken on both sides
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub backend: Vec<String>,
    /// End with status 3 if B less A is beyond this at any point, such as "delivery.p99 > +10%";
    /// `surely` behind it asks for the whole interval; may be repeated
    #[arg(long, value_name = "LIMIT")]
    pub fail_if: Vec<String>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Let suspect repetitions count: the default
    #[arg(long, overrides_with = "exclude_suspect")]
    include_suspect: bool,
    /// Leave suspect repetitions out
    #[arg(long, overrides_with = "include_suspect")]
    pub exclude_suspect: bool,
}

/// `hubmark images`.
#[derive(Debug, Subcommand)]
pub enum Images {
    /// List the images that this program built there, and whether their recipes are still the same
    List(HubArg),
    /// Build or pull the images that a profile needs; interrupted, it goes on where it was
    Build {
        /// The profile
        profile: String,
        /// The hub
        #[command(flatten)]
        hub: HubArg,
    },
    /// Remove images that this program built there
    Remove {
        /// Their names; all of them without any
        images: Vec<String>,
        /// Only those that no run would use any more, and what building left behind
        #[arg(long)]
        old: bool,
        /// The hub
        #[command(flatten)]
        hub: HubArg,
    },
}

/// `hubmark doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// The profile that shall run: what it needs is held against what there is
    pub profile: Option<String>,
    /// Change one setting of the profile, by the profile's own keys; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "profile")]
    pub set: Vec<String>,
    /// The hub's engine; with a profile also docker, local or external [default: the profile's]
    #[arg(long, value_name = "HUB")]
    pub hub: Option<String>,
    /// How the checks are printed
    #[arg(long, value_enum, default_value_t = DoctorFormat::Text)]
    pub format: DoctorFormat,
}

/// How checks are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    /// A line for each
    Text,
    /// A list of objects
    Json,
}

/// Which hub.
#[derive(Debug, Args)]
pub struct HubArg {
    /// The engine's address [default: that of the environment, or the engine's own socket]
    #[arg(long, value_name = "URL")]
    pub hub: Option<String>,
}

/// The built-in broker.
#[derive(Debug, Args)]
pub struct Broker {
    /// Address to listen on; port 0 takes any free one
    #[arg(long)]
    listen: SocketAddr,
    /// Bytes of messages kept in memory
    #[arg(long)]
    retention: Option<Bytes>,
    /// Threads that serve connections
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Lies to tell, to test whoever listens
    #[arg(long, env = broker::LIES_VARIABLE)]
    lie: Option<Lies>,
}

impl From<Broker> for broker::Options {
    fn from(broker: Broker) -> Self {
        let mut options = Self::new(broker.listen);
        options.workers = broker.workers;
        options.lies = broker.lie;
        options.retention = broker.retention.unwrap_or(options.retention);
        options
    }
}

/// A program that ends when its parent does.
#[derive(Debug, Args)]
pub struct Guard {
    /// The parent
    #[arg(long)]
    pub parent: i32,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}
