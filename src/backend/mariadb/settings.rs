//! The backend's table of a profile, and the arguments of `mariadbd` that follow from it.

use std::time::Duration;

use serde_json::Value;

use super::info::TITLE;
use crate::{
    backend::{BackendError, RepetitionContext, external as external_servers},
    plan::Durability,
    server::HubKind,
};

/// Keys that apply only to a server that hubmark starts.
const SERVER_ONLY_KEYS: &[&str] = &["image", "buffer_pool", "server"];

/// Server variables that hubmark decides, each with the reason: location, access, durability.
const RESERVED_VARIABLES: &[(&str, &str)] = &[
    ("innodb_flush_log_at_trx_commit", "the profile's `durability` decides it"),
    ("sync_binlog", "the profile's `durability` decides it"),
    ("innodb_buffer_pool_size", "set `buffer_pool` instead"),
    ("max_connections", "it follows the number of users"),
    ("max_prepared_stmt_count", "it follows the number of users"),
    ("port", "the hub chooses it"),
    ("socket", "the hub chooses it"),
    ("datadir", "the hub chooses it"),
    ("bind_address", "the hub chooses it"),
    ("init_file", "it creates the user that hubmark logs in as"),
    ("skip_networking", "the server must be reached over the network"),
    ("skip_grant_tables", "hubmark always logs in with user and password"),
    ("require_secure_transport", "hubmark connects without TLS"),
    ("read_only", "the users must be able to write"),
    ("user", "the hub chooses it"),
    ("pid_file", "the hub chooses it"),
];

/// Connections besides the users': consumer, counts, facts, and a few for the operator.
const SPARE_CONNECTIONS: u64 = 50;
/// The server's default of `max_prepared_stmt_count`.
const DEFAULT_MAX_STATEMENTS: u64 = 16_382;
/// The server's default of `max_allowed_packet`, in bytes.
const DEFAULT_MAX_PACKET: u64 = 16 << 20;

/// The backend's table of a profile, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct MariaDbSettings {
    /// Image to run instead of the recipe's.
    pub image: Option<String>,
    /// Storage engine.
    pub engine: String,
    /// Row format; `Default` leaves it to the engine.
    pub row_format: String,
    /// Interval of the consumer's polls.
    pub poll_interval: Duration,
    /// InnoDB's buffer pool in bytes.
    pub buffer_pool: Option<u64>,
    /// Rows of one bulk insert or read.
    pub batch_rows: usize,
    /// Additional server variables.
    pub server: Vec<(String, String)>,
    /// The database for the table, on an external server.
    pub database: Option<String>,
}

impl MariaDbSettings {
    /// Parses the table; returns it with all its problems.
    pub fn read(context: &RepetitionContext) -> (Self, Vec<BackendError>) {
        let mut problems = Vec::new();
        let text =
            |key: &str| context.settings.get(key).and_then(Value::as_str).filter(|s| !s.is_empty());
        let number = |key: &str| context.settings.get(key).and_then(Value::as_u64);
        let seconds = context.settings.get("poll").and_then(Value::as_f64).unwrap_or(0.001);
        let poll = Duration::try_from_secs_f64(seconds).unwrap_or_else(|error| {
            problems.push(BackendError::setting(TITLE, "poll", seconds, error));
            Duration::from_millis(1)
        });
        let settings = Self {
            image: text("image").map(str::to_owned),
            engine: text("engine").unwrap_or("InnoDB").to_owned(),
            row_format: text("row_format").unwrap_or("Default").to_owned(),
            poll_interval: poll,
            buffer_pool: number("buffer_pool"),
            batch_rows: number("batch")
                .and_then(|n| usize::try_from(n).ok())
                .unwrap_or(2_000)
                .max(1),
            server: server_variables(context, &mut problems),
            database: text("database").map(str::to_owned),
        };
        settings.check_database(context.hub, &mut problems);
        problems.extend(external_servers::server_only_settings(TITLE, context, SERVER_ONLY_KEYS));
        settings.check_image(&mut problems);
        settings.check_page_size(context.hub, &mut problems);
        settings.check_table(context.durability(), &mut problems);
        (settings, problems)
    }

    /// Whether the engine has transactions: a failed statement has no effect, and rows become
    /// visible with a commit.
    pub fn transactional(&self) -> bool {
        self.engine == "InnoDB"
    }

    fn check_database(&self, hub: HubKind, problems: &mut Vec<BackendError>) {
        let Some(database) = &self.database else { return };
        if hub != HubKind::External {
            let reason =
                "it applies to external servers only: elsewhere hubmark creates its own database";
            problems.push(BackendError::setting(TITLE, "database", database, reason));
        }
        let is_valid = |c: char| c.is_ascii_alphanumeric() || "_-$".contains(c);
        if database.len() > 64 || !database.chars().all(is_valid) {
            let reason = "the name may have at most 64 letters, digits, '_', '-' or '$'";
            problems.push(BackendError::setting(TITLE, "database", database, reason));
        }
    }

    /// Refuses images of MySQL and Percona, which speak the same protocol.
    ///
    /// Their numbers would be recorded under the wrong name, and bulk inserts and the consumer's
    /// proof of loss are specific to MariaDB.
    fn check_image(&self, problems: &mut Vec<BackendError>) {
        let Some(image) = &self.image else { return };
        let last = image.rsplit('/').next().unwrap_or(image);
        let name = last.split([':', '@']).next().unwrap_or(last);
        if ["mysql", "mysql-server", "percona", "percona-server"].contains(&name) {
            let reason = "it is MySQL, and this backend measures MariaDB: use an image of MariaDB";
            problems.push(BackendError::setting(TITLE, "image", image, reason));
        }
    }

    /// Refuses another page size than that of the data folder in the recipe's image: the server would
    /// not start. An official image, and the local hub, make the folder anew.
    fn check_page_size(&self, hub: HubKind, problems: &mut Vec<BackendError>) {
        let Some(size) = self.page_size() else { return };
        let default = size.eq_ignore_ascii_case("16k") || size == "16384";
        if hub == HubKind::Docker && self.image.is_none() && !default {
            let reason = "the data folder in the image of hubmark's recipe has pages of 16 KiB, and \
                          the server would not start: name an official image, for example \
                          image = \"mariadb:10.11\", which makes its folder when it starts";
            problems.push(BackendError::setting(TITLE, "server.innodb_page_size", size, reason));
        }
    }

    /// Returns InnoDB's page size, if the profile sets it.
    pub fn page_size(&self) -> Option<&str> {
        let own = |(name, _): &&(String, String)| normalized(name) == "innodb_page_size";
        self.server.iter().find(own).map(|(_, value)| value.as_str())
    }

    fn check_table(&self, durability: Durability, problems: &mut Vec<BackendError>) {
        if durability == Durability::Disk && !self.transactional() {
            let reason = "it cannot guarantee that an acknowledged row is on the disk: use InnoDB or another durability";
            problems.push(BackendError::setting(TITLE, "engine", &self.engine, reason));
        }
        let formats: &[&str] = match self.engine.as_str() {
            "Aria" => &["Default", "Page", "Dynamic", "Fixed"],
            "MyISAM" => &["Default", "Dynamic", "Fixed"],
            _ => &["Default", "Dynamic", "Compact", "Redundant", "Compressed"],
        };
        if !formats.contains(&self.row_format.as_str()) {
            let reason = format!("{} supports {}", self.engine, formats.join(", "));
            problems.push(BackendError::setting(TITLE, "row_format", &self.row_format, reason));
        }
    }

    /// Returns the arguments of `mariadbd` for this repetition.
    ///
    /// Durability `default` passes nothing: the server's defaults apply
    /// (`innodb_flush_log_at_trx_commit=1`, no binary log). `memory` is
    /// `innodb_flush_log_at_trx_commit=2`: at the acknowledgement the log was passed to the
    /// operating system and survives the server's death, not the machine's: the same guarantee as
    /// an acknowledged message in Kafka's log without `flush.messages`. (0 would guarantee even
    /// less: the log stays in the server's own buffer for up to a second.) `disk` is `=1`, and
    /// `sync_binlog=1` for an operator who turns the binary log on.
    pub fn arguments(&self, context: &RepetitionContext) -> Vec<String> {
        let users = u64::from(context.point.workload.users());
        let mut variables =
            vec![("max-connections".to_owned(), (users + SPARE_CONNECTIONS).to_string())];
        let mut set = |name: &str, value: String| variables.push((name.to_owned(), value));
        if users + SPARE_CONNECTIONS > DEFAULT_MAX_STATEMENTS {
            set("max-prepared-stmt-count", (2 * users).to_string());
        }
        let packet = context.point.workload.payload().0.saturating_add(1 << 20);
        if packet > DEFAULT_MAX_PACKET {
            // The server requires a multiple of 1024.
            set("max-allowed-packet", (packet.div_ceil(1024) * 1024).to_string());
        }
        if let Some(bytes) = self.buffer_pool {
            set("innodb-buffer-pool-size", bytes.to_string());
        }
        match context.durability() {
            Durability::Default => {}
            Durability::Memory => set("innodb-flush-log-at-trx-commit", "2".into()),
            Durability::Disk => {
                set("innodb-flush-log-at-trx-commit", "1".into());
                set("sync-binlog", "1".into());
            }
        }
        let own = variables.iter().map(|(name, value)| format!("--{name}={value}"));
        let additional = self.server.iter().map(|(name, value)| format!("--{name}={value}"));
        std::iter::once("--skip-name-resolve".to_owned()).chain(own).chain(additional).collect()
    }
}

/// Returns a variable's name as the server reports it.
pub fn normalized(name: &str) -> String {
    name.replace('-', "_").to_lowercase()
}

/// Returns the table `server`, each value as on the command line.
fn server_variables(
    context: &RepetitionContext,
    problems: &mut Vec<BackendError>,
) -> Vec<(String, String)> {
    let Some(table) = context.settings.get("server").and_then(Value::as_object) else {
        return Vec::new();
    };
    let mut variables = Vec::new();
    for (name, value) in table {
        let plain = normalized(name);
        // `skip_name=OFF` and `loose_name` are other forms of the same variable.
        let plain = plain.strip_prefix("loose_").unwrap_or(&plain);
        let reserved = RESERVED_VARIABLES.iter().find(|(reserved, _)| *reserved == plain);
        let written = match value {
            Value::Bool(on) => Some(if *on { "ON" } else { "OFF" }.to_owned()),
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) => Some(text.clone()),
            _ => None,
        };
        let is_valid = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
        let reason = match (reserved, written) {
            (Some((_, reason)), _) => reason,
            (_, None) => "the value must be text, a number or a boolean",
            _ if name.is_empty() || !name.chars().all(is_valid) || name.starts_with('-') => {
                "this is not a valid variable name"
            }
            (None, Some(written)) => {
                variables.push((name.clone(), written));
                continue;
            }
        };
        problems.push(BackendError::setting(TITLE, &format!("server.{name}"), value, reason));
    }
    variables
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::backend::fixture::repetition_context;

    fn context(settings: &Value) -> RepetitionContext {
        let mut context = repetition_context("mariadb", 10, 100);
        context.settings = settings.as_object().unwrap().clone();
        context
    }

    #[test]
    fn an_empty_table_means_the_documented_defaults() {
        let (settings, problems) = MariaDbSettings::read(&context(&json!({})));
        assert!(problems.is_empty());
        assert_eq!(settings.engine, "InnoDB");
        assert_eq!(settings.poll_interval, Duration::from_millis(1));
        assert_eq!(settings.batch_rows, 2_000);
        assert_eq!(settings.image, None);
    }

    #[test]
    fn durability_becomes_arguments() {
        let mut context = context(
            &json!({ "buffer_pool": 1_048_576, "server": { "innodb_io_capacity": 200, "log_bin": true } }),
        );
        let of = |context: &RepetitionContext| MariaDbSettings::read(context).0.arguments(context);
        let default = of(&context);
        assert!(default.contains(&"--max-connections=60".to_owned()));
        assert!(default.contains(&"--innodb-buffer-pool-size=1048576".to_owned()));
        assert!(default.contains(&"--log_bin=ON".to_owned()));
        assert!(!default.iter().any(|a| a.contains("flush-log")));
        context.point.durability = Durability::Memory;
        assert!(of(&context).contains(&"--innodb-flush-log-at-trx-commit=2".to_owned()));
        context.point.durability = Durability::Disk;
        assert!(of(&context).contains(&"--innodb-flush-log-at-trx-commit=1".to_owned()));
        assert!(of(&context).contains(&"--sync-binlog=1".to_owned()));
    }

    #[test]
    fn large_messages_and_many_users_raise_the_servers_limits() {
        let few = repetition_context("mariadb", 10, 100);
        assert!(
            !MariaDbSettings::read(&few).0.arguments(&few).iter().any(|a| a.contains("packet"))
        );
        let large = repetition_context("mariadb", 20_000, 20_000_000);
        let arguments = MariaDbSettings::read(&large).0.arguments(&large);
        assert!(arguments.contains(&"--max-prepared-stmt-count=40000".to_owned()));
        assert!(arguments.contains(&"--max-allowed-packet=21049344".to_owned()));
    }

    #[test]
    fn mysql_is_not_measured_under_the_name_of_mariadb() {
        let mut context = repetition_context("mariadb", 10, 100);
        for (image, refused) in [
            ("mysql:8.4", true),
            ("docker.io/library/mysql", true),
            ("percona/percona-server:8.0", true),
            ("mariadb:10.4.17", false),
            ("box:5000/mysql/mariadb@sha256:00", false),
        ] {
            context.settings.insert("image".into(), image.into());
            assert_eq!(!MariaDbSettings::read(&context).1.is_empty(), refused, "{image}");
        }
    }

    #[test]
    fn a_server_that_could_not_be_used_is_refused_before_it_starts() {
        let mut context = context(&json!({ "server": {
            "require-secure-transport": true, "loose_read_only": 1, "innodb_page_size": "8k",
        } }));
        let refused = |context: &RepetitionContext| {
            let problems = MariaDbSettings::read(context).1;
            problems.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let found = refused(&context);
        assert_eq!(found.len(), 3, "{found:#?}");
        assert!(found.iter().any(|text| text.contains("pages of 16 KiB")), "{found:#?}");
        context.settings.insert("image".into(), "mariadb:10.11".into());
        assert_eq!(refused(&context).len(), 2, "an official image makes its own folder");
        context.settings.insert("server".into(), json!({ "innodb_page_size": 16_384 }));
        context.settings.remove("image");
        assert_eq!(refused(&context), [""; 0]);
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let mut context = context(&json!({
            "engine": "MyISAM", "row_format": "Compressed", "poll": -1.0,
            "server": { "sync-binlog": 0, "max_connections": 3, "a b": 1, "x": [] },
        }));
        context.point.durability = Durability::Disk;
        let (_, problems) = MariaDbSettings::read(&context);
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(text.len(), 7, "{text:#?}");
        for key in
            ["poll", "engine", "row_format", "sync-binlog", "max_connections", "a b", "server.x"]
        {
            assert!(text.iter().any(|line| line.contains(key)), "{key}: {text:#?}");
        }
    }
}
