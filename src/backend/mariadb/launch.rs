//! Starting the server: in a container of the recipe or of any official image, or as a child
//! process from `PATH`.

use std::path::PathBuf;

use super::{
    image,
    info::{PORT, ROLE},
    login::{DATABASE, USER},
    settings::MariaDbSettings,
};
use crate::{
    backend::RepetitionContext,
    server::{ContainerSpec, LaunchSpec, ProcessSpec, ServerImage, ServerSpec},
};

/// Returns the server in a container.
///
/// The variables are those of the official image; before 10.4.19 it knew only their older names, so
/// each is given under both.
pub fn container(
    context: &RepetitionContext,
    settings: &MariaDbSettings,
    version: &str,
) -> ServerSpec {
    let accounts = [
        ("ROOT_PASSWORD", context.password.as_str()),
        ("DATABASE", DATABASE),
        ("USER", USER),
        ("PASSWORD", context.password.as_str()),
    ];
    let environment = accounts
        .iter()
        .flat_map(|(name, value)| {
            ["MARIADB", "MYSQL"].map(|family| (format!("{family}_{name}"), (*value).to_owned()))
        })
        .collect();
    server_spec(LaunchSpec::Container(ContainerSpec {
        entry_point: None,
        image: settings
            .image
            .clone()
            .map_or_else(|| image::recipe_image(version), ServerImage::Named),
        environment,
        arguments: settings.arguments(context),
        data_dir: Some("/var/lib/mysql".into()),
    }))
}

/// Returns the server as a child process.
///
/// The password is in a file that only its owner can read: arguments are visible in every process
/// list.
pub fn process(context: &RepetitionContext, settings: &MariaDbSettings) -> ServerSpec {
    let mut setup_command: Vec<String> = [
        "mariadb-install-db",
        "--no-defaults",
        "--datadir={dir}/data",
        "--skip-test-db",
        "--skip-name-resolve",
        "--auth-root-authentication-method=socket",
    ]
    .map(Into::into)
    .into();
    // The pages of a data folder have the size with which it was made.
    setup_command.extend(settings.page_size().map(|size| format!("--innodb-page-size={size}")));
    let mut arguments: Vec<String> = [
        "--no-defaults",
        "--datadir={dir}/data",
        "--socket={dir}/mariadb.sock",
        "--pid-file={dir}/mariadb.pid",
        "--init-file={dir}/accounts.sql",
        "--port={port}",
        "--bind-address=127.0.0.1",
    ]
    .map(Into::into)
    .into();
    if nix::unistd::geteuid().is_root() {
        // The server runs as root only with this argument, and only root may give it.
        setup_command.push("--user=root".into());
        arguments.push("--user=root".into());
    }
    arguments.extend(settings.arguments(context));
    server_spec(LaunchSpec::Process(ProcessSpec {
        program: PathBuf::from("mariadbd"),
        setup_command: Some(setup_command),
        arguments,
        files: vec![("accounts.sql".into(), accounts_sql(&context.password))],
        environment: Vec::new(),
    }))
}

fn server_spec(launch: LaunchSpec) -> ServerSpec {
    ServerSpec { role: ROLE.into(), launch, ports: vec![PORT] }
}

/// Returns the SQL that creates database and user; the server runs it before it accepts logins.
fn accounts_sql(password: &str) -> String {
    let quoted = password.replace('\\', "\\\\").replace('\'', "''");
    [
        format!("CREATE DATABASE IF NOT EXISTS {DATABASE};"),
        format!("CREATE OR REPLACE USER {USER}@'%' IDENTIFIED BY '{quoted}';"),
        format!("GRANT ALL ON {DATABASE}.* TO {USER}@'%';"),
        format!("GRANT PROCESS ON *.* TO {USER}@'%';"),
        String::new(),
    ]
    .join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::backend::fixture::repetition_context;

    #[test]
    fn a_container_runs_the_recipe_or_any_official_image() {
        let mut context = repetition_context("mariadb", 100, 100);
        let of = |context: &RepetitionContext| {
            container(context, &MariaDbSettings::read(context).0, "10.11")
        };
        let LaunchSpec::Container(ours) = of(&context).launch else { panic!("no container") };
        assert_eq!(ours.image.reference(), "hubmark/mariadb:10.11");
        context.settings.insert("image".into(), json!("mariadb:10.4.17"));
        let LaunchSpec::Container(official) = of(&context).launch else { panic!("no container") };
        assert_eq!(official.image, ServerImage::Named("mariadb:10.4.17".into()));
        assert_eq!(official.environment, ours.environment);
        for name in ["MARIADB_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD", "MARIADB_PASSWORD"] {
            assert!(ours.environment.contains(&(name.into(), context.password.clone())), "{name}");
        }
    }

    #[test]
    fn the_password_is_never_an_argument() {
        let context = repetition_context("mariadb", 100, 100);
        let settings = MariaDbSettings::read(&context).0;
        let LaunchSpec::Container(container) = container(&context, &settings, "10.11").launch
        else {
            panic!("no container")
        };
        let LaunchSpec::Process(process) = process(&context, &settings).launch else {
            panic!("no process")
        };
        let all = [container.arguments, process.arguments, process.setup_command.unwrap()].concat();
        assert!(all.iter().all(|argument| !argument.contains(&context.password)));
        assert!(process.files[0].1.contains(&context.password));
    }

    #[test]
    fn a_password_cannot_break_out_of_its_quotes() {
        assert!(accounts_sql(r"a'\b").contains(r"IDENTIFIED BY 'a''\\b'"));
    }
}
