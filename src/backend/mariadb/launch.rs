//! How the server is started: in a container of our recipe or of any official image, or as a
//! child process from `PATH`.

use std::path::PathBuf;

use super::{
    PORT, ROLE, image,
    login::{DATABASE, USER},
    settings::Settings,
};
use crate::{
    backend::Setup,
    server::{ContainerSpec, Image, Launch, ProcessSpec, ServerSpec},
};

/// The one server in a container.
///
/// The variables are those of the official image; before 10.4.19 it knew them by their older
/// names only, so each is given by both.
pub fn container(setup: &Setup, settings: &Settings, version: &str) -> ServerSpec {
    let accounts = [
        ("ROOT_PASSWORD", setup.password.as_str()),
        ("DATABASE", DATABASE),
        ("USER", USER),
        ("PASSWORD", setup.password.as_str()),
    ];
    let environment = accounts
        .iter()
        .flat_map(|(name, value)| {
            ["MARIADB", "MYSQL"].map(|family| (format!("{family}_{name}"), (*value).to_owned()))
        })
        .collect();
    spec(Launch::Container(ContainerSpec {
        entry_point: None,
        image: settings.image.clone().map_or_else(|| image::recipe(version), Image::Named),
        environment,
        arguments: settings.arguments(setup),
        data_dir: Some("/var/lib/mysql".into()),
    }))
}

/// The one server as a child process.
///
/// The password is in a file that only its owner can read: arguments are in every process list.
pub fn process(setup: &Setup, settings: &Settings) -> ServerSpec {
    let mut before: Vec<String> = [
        "mariadb-install-db",
        "--no-defaults",
        "--datadir={dir}/data",
        "--skip-test-db",
        "--skip-name-resolve",
        "--auth-root-authentication-method=socket",
    ]
    .map(Into::into)
    .into();
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
        // The server refuses to run as root unless it is told to; nobody else may say it.
        before.push("--user=root".into());
        arguments.push("--user=root".into());
    }
    arguments.extend(settings.arguments(setup));
    spec(Launch::Process(ProcessSpec {
        program: PathBuf::from("mariadbd"),
        before: Some(before),
        arguments,
        files: vec![("accounts.sql".into(), accounts(&setup.password))],
        environment: Vec::new(),
    }))
}

fn spec(launch: Launch) -> ServerSpec {
    ServerSpec { role: ROLE.into(), launch, ports: vec![PORT] }
}

/// SQL that makes database and user; the server runs it before it lets anybody in.
fn accounts(password: &str) -> String {
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
    use crate::backend::mariadb::test_setup;

    #[test]
    fn a_container_serves_our_recipe_and_any_official_image() {
        let mut setup = test_setup(100, 100);
        let of = |setup: &Setup| container(setup, &Settings::read(setup).0, "10.11");
        let Launch::Container(ours) = of(&setup).launch else { panic!("no container") };
        assert_eq!(ours.image.reference(), "hubmark/mariadb:10.11");
        setup.settings.insert("image".into(), json!("mariadb:10.4.17"));
        let Launch::Container(official) = of(&setup).launch else { panic!("no container") };
        assert_eq!(official.image, Image::Named("mariadb:10.4.17".into()));
        assert_eq!(official.environment, ours.environment);
        for name in ["MARIADB_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD", "MARIADB_PASSWORD"] {
            assert!(ours.environment.contains(&(name.into(), setup.password.clone())), "{name}");
        }
    }

    #[test]
    fn the_password_is_never_an_argument() {
        let setup = test_setup(100, 100);
        let settings = Settings::read(&setup).0;
        let Launch::Container(container) = container(&setup, &settings, "10.11").launch else {
            panic!("no container")
        };
        let Launch::Process(process) = process(&setup, &settings).launch else {
            panic!("no process")
        };
        let all = [container.arguments, process.arguments, process.before.unwrap()].concat();
        assert!(all.iter().all(|argument| !argument.contains(&setup.password)));
        assert!(process.files[0].1.contains(&setup.password));
    }

    #[test]
    fn a_password_cannot_break_out_of_its_quotes() {
        assert!(accounts(r"a'\b").contains(r"IDENTIFIED BY 'a''\\b'"));
    }
}
