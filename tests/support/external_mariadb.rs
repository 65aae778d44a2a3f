//! A `mariadbd` as an external server, looked at and changed by its owner.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use hubmark::server::HubKind;

use super::{
    external_servers::ACCOUNT_PASSWORD,
    mariadb_server::{MariaDbServer, mariadb_context},
    wait::until,
};

/// An external MariaDB with a database of its owner and accounts for hubmark.
pub struct ExternalMariaDb {
    pub server: MariaDbServer,
}

impl ExternalMariaDb {
    /// Starts the server, with the owner's table and the accounts `bench` and `guest`.
    pub fn start() -> Self {
        let mut context = mariadb_context(1, 100);
        context.hub = HubKind::Local;
        let maria = Self { server: MariaDbServer::start(&context) };
        until("the server answers", || maria.try_sql("SELECT 1").is_ok());
        maria.sql(&format!(
            "CREATE DATABASE theirs; CREATE TABLE theirs.precious (id INT PRIMARY KEY); \
             INSERT INTO theirs.precious VALUES (1), (2), (3); \
             CREATE USER bench@'%' IDENTIFIED BY '{ACCOUNT_PASSWORD}'; \
             GRANT ALL ON `hubmark\\_%`.* TO bench@'%'; \
             CREATE USER guest@'%' IDENTIFIED BY '{ACCOUNT_PASSWORD}'; \
             GRANT ALL ON theirs.* TO guest@'%'"
        ));
        maria
    }

    /// Executes statements as the administrator, with the server's own client.
    ///
    /// They go through a pipe: a command line with the accounts' passwords would be seen by the tests that
    /// look for one in the process list meanwhile.
    pub fn try_sql(&self, statements: &str) -> Result<String, String> {
        let socket = self.server.running.dir.as_ref().unwrap().join("mariadb.sock");
        // The user that started the server needs no password.
        let mut client = Command::new("mariadb")
            .arg("--no-defaults")
            .arg(format!("--socket={}", socket.display()))
            .arg("-N")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A server that cannot be reached ends the client before it reads: its own message says why.
        let _ = client.stdin.take().unwrap().write_all(statements.as_bytes());
        let output = client.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().trim().to_owned();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// Executes statements that must succeed.
    pub fn sql(&self, statements: &str) -> String {
        self.try_sql(statements).unwrap()
    }

    /// The override with the server's address.
    pub fn address(&self) -> String {
        format!("mariadb.address={}", self.server.running.endpoint(3306))
    }

    /// Tables that hubmark has created.
    pub fn hubmark_tables(&self) -> Vec<String> {
        let tables = self.sql(
            "SELECT CONCAT('`', table_schema, '`.`', table_name, '`') FROM \
             information_schema.tables WHERE CONCAT(table_schema, table_name) LIKE \
             '%hubmark\\_%'",
        );
        tables.lines().map(str::to_owned).collect()
    }

    /// Everything of the owner: databases, tables, rows, accounts, rights, settings.
    pub fn state(&self) -> String {
        self.sql(
            "SHOW DATABASES; SELECT * FROM theirs.precious; SHOW TABLES FROM theirs; \
             SELECT user, host, authentication_string FROM mysql.user ORDER BY 1, 2; \
             SELECT * FROM mysql.db ORDER BY 1, 2, 3; \
             SHOW GLOBAL VARIABLES WHERE Variable_name NOT IN ('gtid_binlog_pos')",
        )
    }

    /// Inserted rows by the server's own counter.
    pub fn inserts(&self) -> u64 {
        let counter = self.sql("SHOW GLOBAL STATUS LIKE 'Com_insert'");
        counter.rsplit('\t').next().unwrap().parse().unwrap()
    }
}
