//! Keys of the backend's table in a profile.

use crate::{
    backend::{SettingKey, SettingKind},
    profile::catalogue::external,
};

/// All keys of the table.
pub const KEYS: &[SettingKey] = &[
    SettingKey {
        name: "image",
        kind: SettingKind::Text,
        default: "",
        help: "server image to run instead of the recipe's, for example mariadb:10.4.17",
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
        help: "interval at which the consumer polls for new rows",
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
        help: "external hub: the database in which hubmark creates and removes its table; by default it creates and removes a database",
    },
    external::CONTAINER,
    external::PROCESS,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_one_of_its_choices() {
        for key in KEYS {
            if let SettingKind::Choice(choices) = key.kind {
                assert!(choices.contains(&key.default), "{}", key.name);
            }
        }
    }
}
