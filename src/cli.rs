//! The command line.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    broker::{self, fault_injection::InjectionConfig},
    plan::HubRequest,
    server::HubKind,
    units::{Bytes, exact_duration, parse_duration},
};

/// Measure Apache Kafka and MariaDB as the data hub of an IoT box, with numbers that can be
/// trusted.
///
/// Without a command it opens the screen. Everything that the screen does, `hubmark run` does
/// without a terminal.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true, after_help = EXIT_STATUS)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// Options of the screen.
    #[command(flatten)]
    pub screen: ScreenArgs,
    /// The subcommand; the screen opens without one.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of the screen, overriding `screen.toml` in the configuration folder.
#[derive(Debug, Args)]
pub struct ScreenArgs {
    /// Colours of the screen: 16, dark, light, high-contrast or none
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,
    /// Use only ASCII on the screen, for fonts and locales without more
    #[arg(long)]
    pub ascii: bool,
    /// Leave the mouse to the terminal, for selecting text there
    #[arg(long)]
    pub no_mouse: bool,
    /// Continue a run when the screen ends: a lost connection does not end it, and `hubmark attach`
    /// shows it again
    #[arg(long)]
    pub keep: bool,
}

const EXIT_STATUS: &str = "\
Exit status: 0 success · 1 failed · 2 usage or bad profile · 3 a threshold or a limit of
`compare` was crossed, or messages were lost, refused or never sent · 130 interrupted

Files: saved profiles in $XDG_CONFIG_HOME/hubmark/profiles, records in
$XDG_DATA_HOME/hubmark/records, this program's log in $XDG_STATE_HOME/hubmark; HUBMARK_CONFIG_DIR,
HUBMARK_RECORDS_DIR and HUBMARK_STATE_DIR override. HUBMARK_LOG sets what is logged (for example
debug).";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Execute a profile without a screen: progress on stderr, the result on stdout
    Run(RunArgs),
    /// Reopen the screen on a run that was started with --keep
    Attach(AttachArgs),
    /// Measure what a backend costs by itself: image, cold start, idling, connections, bytes,
    /// recovery
    Footprint(FootprintArgs),
    /// List, print, check or copy built-in and saved profiles
    #[command(subcommand)]
    Profiles(ProfilesCommand),
    /// List, print or delete finished and partial runs
    #[command(subcommand)]
    Records(RecordsCommand),
    /// Turn records into one folder: figures, one HTML page, tables as CSV
    Report(ReportArgs),
    /// Compare two records, or two backends of one record
    Compare(CompareArgs),
    /// List, build or remove server images on a hub
    #[command(subcommand)]
    Images(ImagesCommand),
    /// Check what a run needs: what is ready, what is missing, and what to do about it
    Doctor(DoctorArgs),
    /// Remove what dead runs left behind on a hub, identified by label; never anything else
    Clean(HubArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
    /// The built-in broker: started by a run on the local hub
    #[command(hide = true)]
    Broker(BrokerArgs),
    /// Run a program that ends with its parent: started by the local hub
    #[command(hide = true)]
    Guard(GuardArgs),
    /// Execute a run in a separate process: started by the screen with --keep
    #[command(name = "keep", hide = true)]
    DetachedRun,
}

/// `hubmark run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// A built-in or saved profile's name, a file, or a backend such as kafka:4.4.0 for a first look at it
    /// [default with --resume: the record's profile]
    #[arg(required_unless_present = "resume")]
    pub profile: Option<String>,
    /// Where the servers run: docker, local, external (the profile names servers that run already),
    /// or the address of a Docker engine [default: the profile's]
    #[arg(long, value_name = "HUB")]
    pub hub: Option<String>,
    /// Change one setting of the profile, by its key in the profile; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// File of the record, written from the first repetition on [default: in the records folder]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Format of the result printed at the end
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    pub format: OutputFormat,
    /// Continue the partial record in FILE with its next repetition; refused when its plan, its
    /// images or its hub differ from the current ones
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    pub resume: Option<PathBuf>,
    /// Print the plan and stop
    #[arg(long)]
    pub dry_run: bool,
    /// Print no progress on stderr
    #[arg(long, short)]
    pub quiet: bool,
}

/// `hubmark attach`.
#[derive(Debug, Args)]
pub struct AttachArgs {
    /// The run's process, as shown by `--list`; optional when only one run is in progress
    #[arg(value_name = "PROCESS")]
    pub run: Option<u32>,
    /// List the runs in progress
    #[arg(long)]
    pub list: bool,
    /// Options of the screen.
    #[command(flatten)]
    pub screen: ScreenArgs,
}

/// A hub, given as its kind or as its engine's address, as changes of a profile.
pub fn hub_changes(hub: &str) -> Vec<String> {
    if is_hub_kind(hub) {
        return vec![format!("hub.kind={hub}")];
    }
    let docker = HubKind::Docker.name();
    vec![format!("hub.kind={docker}"), format!("hub.engine={hub}")]
}

/// Whether `hub` names a kind of hub.
pub fn is_hub_kind(hub: &str) -> bool {
    HubKind::ALL.iter().any(|kind| kind.name() == hub)
}

/// `hubmark footprint`: the built-in profile `footprint` for given backends and hub.
#[derive(Debug, Args)]
pub struct FootprintArgs {
    /// The backends, each a name or name:version [default: kafka:2.8.0, kafka:4.4.0 and mariadb]
    pub backends: Vec<String>,
    /// Change one setting of the profile `footprint`, by its key; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The hub
    #[command(flatten)]
    pub hub: HubArgs,
    /// File of the record [default: in the records folder]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Format of the result printed at the end
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    pub format: OutputFormat,
    /// Print no progress on stderr
    #[arg(long, short)]
    pub quiet: bool,
}

impl From<FootprintArgs> for RunArgs {
    fn from(args: FootprintArgs) -> Self {
        let mut set = Vec::new();
        if !args.backends.is_empty() {
            set.push(format!("backend={}", args.backends.join(",")));
        }
        let timeout = args.hub.hub_timeout.map(exact_duration);
        set.extend(timeout.map(|timeout| format!("hub.timeout={timeout}")));
        let certificates = args.hub.hub_certificates;
        set.extend(certificates.map(|folder| format!("hub.certificates={folder}")));
        set.extend(args.set);
        Self {
            profile: Some("footprint".into()),
            hub: args.hub.hub,
            set,
            out: args.out,
            format: args.format,
            resume: None,
            dry_run: false,
            quiet: args.quiet,
        }
    }
}

/// Format of a printed result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// A summary for people
    Text,
    /// All of it: the whole record, or the whole comparison
    Json,
    /// One line for each repetition, or for each compared figure
    Csv,
}

/// `hubmark profiles`.
#[derive(Debug, Subcommand)]
pub enum ProfilesCommand {
    /// List profiles
    List,
    /// Print a profile
    Show {
        /// A name or a file
        name: String,
    },
    /// Print all problems of a profile, with line numbers; without problems, its plan
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
pub enum RecordsCommand {
    /// List records
    List,
    /// Print a record's result
    Show {
        /// The record's file, or its name in the records folder
        record: PathBuf,
        /// Format of the output
        #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
        format: OutputFormat,
    },
    /// Delete records
    Remove {
        /// The records' files, or their names in the records folder
        #[arg(required = true)]
        records: Vec<PathBuf>,
    },
}

/// `hubmark report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The records' files, or their names in the records folder [default: the latest record there]
    pub records: Vec<PathBuf>,
    /// The report's folder; an earlier report in it is replaced [default: the first record's name
    /// with `-report`, in the current folder]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Count suspect repetitions, marked with hollow symbols and counted apart: the default
    #[arg(long, overrides_with = "exclude_suspect")]
    include_suspect: bool,
    /// Leave suspect repetitions out; the report says how many
    #[arg(long, overrides_with = "include_suspect")]
    pub exclude_suspect: bool,
}

/// `hubmark compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The record to compare with: its file, or its name in the records folder
    pub a: PathBuf,
    /// The other record; without it, two backends of the first are compared
    pub b: Option<PathBuf>,
    /// Compare these two backends, such as kafka,mariadb or kafka:2.8.0,kafka:4.4.0; one alone
    /// is taken on both sides
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub backend: Vec<String>,
    /// End with status 3 if B minus A exceeds this limit at any point, such as "delivery.p99 >
    /// +10%"; a trailing `surely` requires that the whole interval does; may be repeated
    #[arg(long, value_name = "LIMIT")]
    pub fail_if: Vec<String>,
    /// Format of the output
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    pub format: OutputFormat,
    /// Count suspect repetitions: the default
    #[arg(long, overrides_with = "exclude_suspect")]
    include_suspect: bool,
    /// Leave suspect repetitions out
    #[arg(long, overrides_with = "include_suspect")]
    pub exclude_suspect: bool,
}

/// `hubmark images`.
#[derive(Debug, Subcommand)]
pub enum ImagesCommand {
    /// List the images that this program built on the hub, and whether their recipes have changed
    List(HubArgs),
    /// Build or pull the images that a profile needs; after an interruption, continue where it
    /// stopped
    Build {
        /// The profile, or a backend such as kafka:4.4.0
        profile: String,
        /// Change one setting of the profile, by its key in the profile; may be repeated
        #[arg(long = "set", value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// The hub
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Remove images that this program built on the hub
    Remove {
        /// The images' names; all of them if none is given
        images: Vec<String>,
        /// Only images that no run would use any more, and leftovers of builds
        #[arg(long)]
        old: bool,
        /// The hub
        #[command(flatten)]
        hub: HubArgs,
    },
}

/// `hubmark doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The profile to run, or a backend such as kafka:4.4.0: its requirements are compared with what is
    /// available
    pub profile: Option<String>,
    /// Change one setting of the profile, by its key in the profile; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "profile")]
    pub set: Vec<String>,
    /// The hub's engine; with a profile also docker, local or external [default: the profile's]
    #[arg(long, value_name = "HUB")]
    pub hub: Option<String>,
    /// Folder with ca.pem, cert.pem and key.pem for an engine over TLS [default: the profile's, or that of
    /// Docker's own tools]
    #[arg(long, value_name = "DIR")]
    pub hub_certificates: Option<String>,
    /// Longest wait for one operation of the hub, such as "10 min" [default: the profile's, or 3 min]
    #[arg(long, value_name = "DURATION", value_parser = parse_hub_timeout)]
    pub hub_timeout: Option<Duration>,
    /// Format of the output
    #[arg(long, value_enum, default_value_t = DoctorFormat::Text)]
    pub format: DoctorFormat,
}

/// Format of printed checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    /// One line for each check
    Text,
    /// A list with an object for each check
    Json,
}

/// Choice of a hub.
#[derive(Debug, Args)]
pub struct HubArgs {
    /// The engine's address [default: `DOCKER_HOST`, Docker's context or the local socket]
    #[arg(long, value_name = "URL")]
    pub hub: Option<String>,
    /// Folder with ca.pem, cert.pem and key.pem for an engine over TLS [default: that of Docker's own
    /// tools]
    #[arg(long, value_name = "DIR")]
    pub hub_certificates: Option<String>,
    /// Longest wait for one operation of the hub, such as "10 min" [default: 3 min]
    #[arg(long, value_name = "DURATION", value_parser = parse_hub_timeout)]
    pub hub_timeout: Option<Duration>,
}

impl HubArgs {
    /// The requested engine, with the waits for it.
    pub fn request(&self) -> HubRequest {
        let mut request = HubRequest::docker(self.hub.clone());
        self.apply_to(&mut request);
        request
    }

    /// Puts certificates and waits in place of those of `request`, where they are given.
    pub fn apply_to(&self, request: &mut HubRequest) {
        if let Some(folder) = &self.hub_certificates {
            request.certificates = Some(folder.clone());
        }
        request.timeout = self.hub_timeout.unwrap_or(request.timeout);
    }
}

/// Parses the longest wait for a hub.
fn parse_hub_timeout(text: &str) -> Result<Duration, String> {
    let timeout = parse_duration(text).map_err(|error| error.to_string())?;
    if timeout.is_zero() { Err("it must be longer than 0 s".to_owned()) } else { Ok(timeout) }
}

/// Arguments of the built-in broker.
#[derive(Debug, Args)]
pub struct BrokerArgs {
    /// Address to listen on; port 0 takes any free one
    #[arg(long)]
    listen: SocketAddr,
    /// Bytes of memory for messages
    #[arg(long)]
    retention: Option<Bytes>,
    /// Threads that serve connections
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Faults to inject, to test the clients
    #[arg(long = "lie", value_name = "FAULTS", env = broker::INJECTION_VARIABLE)]
    injection: Option<InjectionConfig>,
}

impl From<BrokerArgs> for broker::BrokerOptions {
    fn from(broker: BrokerArgs) -> Self {
        let mut options = Self::new(broker.listen);
        options.workers = broker.workers;
        options.injection = broker.injection;
        options.retention = broker.retention.unwrap_or(options.retention);
        options
    }
}

/// Arguments of the guard: a program that ends with its parent.
#[derive(Debug, Args)]
pub struct GuardArgs {
    /// The parent's process number
    #[arg(long)]
    pub parent: i32,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}
