//! The backend's table of a profile, and the arguments that `mariadbd` gets from it.

use std::time::Duration;

use serde_json::Value;

use super::TITLE;
use crate::{
    backend::{BackendError, SettingKey, SettingKind, Setup, external as given},
    plan::Durability,
    profile::external,
    server::HubKind,
};

/// The keys, for profiles, screens and documents.
pub const KEYS: &[SettingKey] = &[
    SettingKey {
        name: "image",
        kind: SettingKind::Text,
        default: "",
        help: "any other server image instead of our own recipe, for example mariadb:10.4.17",
    },
    SettingKey {
        name: "engine",
        kind: SettingKind::Choice(&["InnoDB", "Aria", "MyISAM"]),
        default: "InnoDB",
        help: "storage engine of the table; only InnoDB can promise durability `disk`",
    },
    SettingKey {
        name: "row_format",
        kind: SettingKind::Choice(&[
            "Default",
            "Dynamic",
            "Compact",
            "Redundant",
            "Compressed",
            "Page",
            "Fixed",
        ]),
        default: "Default",
        help: "row format of the table; Default is the engine's own (InnoDB: Dynamic, Aria: Page)",
    },
    SettingKey {
        name: "poll",
        kind: SettingKind::Duration,
        default: "1 ms",
        help: "how often the consumer asks for new rows",
    },
    SettingKey {
        name: "buffer_pool",
        kind: SettingKind::Bytes,
        default: "",
        help: "InnoDB's buffer pool; without it the server's default (128 MiB)",
    },
    SettingKey {
        name: "batch",
        kind: SettingKind::Integer(1, 100_000),
        default: "2000",
        help: "rows of one bulk insert, and of one read, in the throughput workload",
    },
    SettingKey {
        name: "server",
        kind: SettingKind::Table,
        default: "",
        help: "further variables of mariadbd, for example { innodb_io_capacity = 200 }",
    },
    external::ADDRESS,
    external::USER,
    external::PASSWORD_ENV,
    external::PASSWORD_FILE,
    SettingKey {
        name: "database",
        kind: SettingKind::Text,
        default: "",
        help: "external hub: the database in which a table of hubmark's own is made and removed; without it, a database is",
    },
    external::CONTAINER,
    external::PROCESS,
];
/// Settings of a server that this program starts.
const SHAPING: &[&str] = &["image", "buffer_pool", "server"];

/// Variables that this program decides: where the server lives, who may enter, what it promises.
const OWN: &[(&str, &str)] = &[
    ("innodb_flush_log_at_trx_commit", "the profile's `durability` decides it"),
    ("sync_binlog", "the profile's `durability` decides it"),
    ("innodb_buffer_pool_size", "set `buffer_pool` instead"),
    ("max_connections", "it follows the number of users"),
    ("max_prepared_stmt_count", "it follows the number of users"),
    ("port", "the hub chooses it"),
    ("socket", "the hub chooses it"),
    ("datadir", "the hub chooses it"),
    ("bind_address", "the hub chooses it"),
    ("init_file", "it makes the user that hubmark logs in as"),
    ("skip_networking", "the server must be reached over the network"),
    ("skip_grant_tables", "hubmark always logs in with user and password"),
    ("user", "the hub chooses it"),
    ("pid_file", "the hub chooses it"),
];

/// Connections beside the users': consumer, counts, facts, and a few of the operator's own.
const SPARE_CONNECTIONS: u64 = 50;
/// The server's own default of `max_prepared_stmt_count`.
const DEFAULT_STATEMENTS: u64 = 16_382;
/// The server's own default of `max_allowed_packet`.
const DEFAULT_PACKET: u64 = 16 << 20;

/// The table, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Another image than the recipe's.
    pub image: Option<String>,
    /// Storage engine.
    pub engine: String,
    /// Row format; `Default` leaves it to the engine.
    pub row_format: String,
    /// Interval of the consumer's polls.
    pub poll: Duration,
    /// InnoDB's buffer pool in bytes.
    pub buffer_pool: Option<u64>,
    /// Rows of one bulk insert or read.
    pub batch: usize,
    /// Further variables of the server.
    pub server: Vec<(String, String)>,
    /// The database for the table, on a server of others.
    pub database: Option<String>,
}

impl Settings {
    /// Reads the table and says everything that is wrong with it.
    pub fn read(setup: &Setup) -> (Self, Vec<BackendError>) {
        let mut problems = Vec::new();
        let text =
            |key: &str| setup.settings.get(key).and_then(Value::as_str).filter(|s| !s.is_empty());
        let number = |key: &str| setup.settings.get(key).and_then(Value::as_u64);
        let seconds = setup.settings.get("poll").and_then(Value::as_f64).unwrap_or(0.001);
        let poll = Duration::try_from_secs_f64(seconds).unwrap_or_else(|error| {
            problems.push(problem("poll", &seconds.to_string(), &error.to_string()));
            Duration::from_millis(1)
        });
        let settings = Self {
            image: text("image").map(str::to_owned),
            engine: text("engine").unwrap_or("InnoDB").to_owned(),
            row_format: text("row_format").unwrap_or("Default").to_owned(),
            poll,
            buffer_pool: number("buffer_pool"),
            batch: number("batch").and_then(|n| usize::try_from(n).ok()).unwrap_or(2_000).max(1),
            server: variables(setup, &mut problems),
            database: text("database").map(str::to_owned),
        };
        settings.judge_database(setup.hub, &mut problems);
        problems.extend(given::shaping(TITLE, setup, SHAPING));
        settings.judge_image(&mut problems);
        settings.judge_table(setup.durability(), &mut problems);
        (settings, problems)
    }

    /// Whether a failed statement leaves nothing behind, and rows become visible with a commit.
    pub fn transactional(&self) -> bool {
        self.engine == "InnoDB"
    }

    fn judge_database(&self, hub: HubKind, problems: &mut Vec<BackendError>) {
        let Some(database) = &self.database else { return };
        if hub != HubKind::External {
            let reason = "on a server of its own hubmark has a database of its own";
            problems.push(problem("database", database, reason));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-$".contains(c);
        if database.len() > 64 || !database.chars().all(plain) {
            let reason = "it must be letters, digits, '_', '-' or '$'";
            problems.push(problem("database", database, reason));
        }
    }

    /// A server that speaks the same protocol and is another one: its numbers would stand under the
    /// wrong name, and bulk inserts and the consumer's proof of loss are those of this backend's own.
    fn judge_image(&self, problems: &mut Vec<BackendError>) {
        let Some(image) = &self.image else { return };
        let last = image.rsplit('/').next().unwrap_or(image);
        let name = last.split([':', '@']).next().unwrap_or(last);
        if ["mysql", "mysql-server", "percona", "percona-server"].contains(&name) {
            let reason = "it is MySQL, and this backend measures MariaDB; take an image of MariaDB";
            problems.push(problem("image", image, reason));
        }
    }

    fn judge_table(&self, durability: Durability, problems: &mut Vec<BackendError>) {
        if durability == Durability::Disk && !self.transactional() {
            problems.push(problem(
                "engine",
                &self.engine,
                "it cannot promise that an acknowledged row is on the disk; take InnoDB or another durability",
            ));
        }
        let formats: &[&str] = match self.engine.as_str() {
            "Aria" => &["Default", "Page", "Dynamic", "Fixed"],
            "MyISAM" => &["Default", "Dynamic", "Fixed"],
            _ => &["Default", "Dynamic", "Compact", "Redundant", "Compressed"],
        };
        if !formats.contains(&self.row_format.as_str()) {
            problems.push(problem(
                "row_format",
                &self.row_format,
                &format!("{} has {}", self.engine, formats.join(", ")),
            ));
        }
    }

    /// The arguments of `mariadbd` for this repetition.
    ///
    /// Durability `default` passes nothing: the server's own defaults hold
    /// (`innodb_flush_log_at_trx_commit=1`, no binary log). `memory` is
    /// `innodb_flush_log_at_trx_commit=2`: at the acknowledgement the log was handed to the
    /// operating system and survives the server's death, not the machine's — the same promise as
    /// an acknowledged message in Kafka's log without `flush.messages`. (0 would promise less
    /// still: the log stays in the server's own buffer for up to a second.) `disk` is `=1`, and
    /// `sync_binlog=1` for an operator who turns the binary log on.
    pub fn arguments(&self, setup: &Setup) -> Vec<String> {
        let users = u64::from(setup.point.workload.users());
        let mut variables =
            vec![("max-connections".to_owned(), (users + SPARE_CONNECTIONS).to_string())];
        let mut set = |name: &str, value: String| variables.push((name.to_owned(), value));
        if users + SPARE_CONNECTIONS > DEFAULT_STATEMENTS {
            set("max-prepared-stmt-count", (2 * users).to_string());
        }
        let packet = setup.point.workload.payload().0.saturating_add(1 << 20);
        if packet > DEFAULT_PACKET {
            // The server wants a multiple of 1024.
            set("max-allowed-packet", (packet.div_ceil(1024) * 1024).to_string());
        }
        if let Some(bytes) = self.buffer_pool {
            set("innodb-buffer-pool-size", bytes.to_string());
        }
        match setup.durability() {
            Durability::Default => {}
            Durability::Memory => set("innodb-flush-log-at-trx-commit", "2".into()),
            Durability::Disk => {
                set("innodb-flush-log-at-trx-commit", "1".into());
                set("sync-binlog", "1".into());
            }
        }
        let own = variables.iter().map(|(name, value)| format!("--{name}={value}"));
        let further = self.server.iter().map(|(name, value)| format!("--{name}={value}"));
        std::iter::once("--skip-name-resolve".to_owned()).chain(own).chain(further).collect()
    }
}

/// The table `server`, each value as the command line takes it.
fn variables(setup: &Setup, problems: &mut Vec<BackendError>) -> Vec<(String, String)> {
    let Some(table) = setup.settings.get("server").and_then(Value::as_object) else {
        return Vec::new();
    };
    let mut variables = Vec::new();
    for (name, value) in table {
        let key = format!("server.{name}");
        let plain = name.replace('-', "_").to_lowercase();
        let owned = OWN.iter().find(|(own, _)| *own == plain);
        let written = match value {
            Value::Bool(on) => Some(if *on { "ON" } else { "OFF" }.to_owned()),
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) => Some(text.clone()),
            _ => None,
        };
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
        match (owned, written) {
            (Some((_, why)), _) => problems.push(problem(&key, &value.to_string(), why)),
            (_, None) => {
                problems.push(problem(
                    &key,
                    &value.to_string(),
                    "it must be text, a number or a boolean",
                ));
            }
            _ if name.is_empty() || !name.chars().all(word) || name.starts_with('-') => {
                problems.push(problem(&key, &value.to_string(), "no variable has such a name"));
            }
            (None, Some(written)) => variables.push((name.clone(), written)),
        }
    }
    variables
}

fn problem(key: &str, value: &str, reason: &str) -> BackendError {
    BackendError::Setting {
        backend: TITLE.into(),
        key: key.into(),
        value: value.into(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::backend::mariadb::test_setup;

    fn setup(settings: &Value) -> Setup {
        let mut setup = test_setup(10, 100);
        setup.settings = settings.as_object().unwrap().clone();
        setup
    }

    #[test]
    fn an_empty_table_means_the_documented_defaults() {
        let (settings, problems) = Settings::read(&setup(&json!({})));
        assert!(problems.is_empty());
        assert_eq!(settings.engine, "InnoDB");
        assert_eq!(settings.poll, Duration::from_millis(1));
        assert_eq!(settings.batch, 2_000);
        assert_eq!(settings.image, None);
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            if let SettingKind::Choice(words) = key.kind {
                assert!(words.contains(&key.default), "{}", key.name);
            }
        }
    }

    #[test]
    fn durability_becomes_arguments() {
        let mut setup = setup(
            &json!({ "buffer_pool": 1_048_576, "server": { "innodb_io_capacity": 200, "log_bin": true } }),
        );
        let of = |setup: &Setup| Settings::read(setup).0.arguments(setup);
        let default = of(&setup);
        assert!(default.contains(&"--max-connections=60".to_owned()));
        assert!(default.contains(&"--innodb-buffer-pool-size=1048576".to_owned()));
        assert!(default.contains(&"--log_bin=ON".to_owned()));
        assert!(!default.iter().any(|a| a.contains("flush-log")));
        setup.point.durability = Durability::Memory;
        assert!(of(&setup).contains(&"--innodb-flush-log-at-trx-commit=2".to_owned()));
        setup.point.durability = Durability::Disk;
        assert!(of(&setup).contains(&"--innodb-flush-log-at-trx-commit=1".to_owned()));
        assert!(of(&setup).contains(&"--sync-binlog=1".to_owned()));
    }

    #[test]
    fn large_messages_and_many_users_raise_the_servers_limits() {
        let few = test_setup(10, 100);
        assert!(!Settings::read(&few).0.arguments(&few).iter().any(|a| a.contains("packet")));
        let large = test_setup(20_000, 20_000_000);
        let arguments = Settings::read(&large).0.arguments(&large);
        assert!(arguments.contains(&"--max-prepared-stmt-count=40000".to_owned()));
        assert!(arguments.contains(&"--max-allowed-packet=21049344".to_owned()));
    }

    #[test]
    fn mysql_is_not_measured_under_the_name_of_mariadb() {
        let mut setup = test_setup(10, 100);
        for (image, refused) in [
            ("mysql:8.4", true),
            ("docker.io/library/mysql", true),
            ("percona/percona-server:8.0", true),
            ("mariadb:10.4.17", false),
            ("box:5000/mysql/mariadb@sha256:00", false),
        ] {
            setup.settings.insert("image".into(), image.into());
            assert_eq!(!Settings::read(&setup).1.is_empty(), refused, "{image}");
        }
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let mut setup = setup(&json!({
            "engine": "MyISAM", "row_format": "Compressed", "poll": -1.0,
            "server": { "sync-binlog": 0, "max_connections": 3, "a b": 1, "x": [] },
        }));
        setup.point.durability = Durability::Disk;
        let (_, problems) = Settings::read(&setup);
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(text.len(), 7, "{text:#?}");
        for word in
            ["poll", "engine", "row_format", "sync-binlog", "max_connections", "a b", "server.x"]
        {
            assert!(text.iter().any(|line| line.contains(word)), "{word}: {text:#?}");
        }
    }
}
