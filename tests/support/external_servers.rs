//! Runs against servers that hubmark did not start, with an account and its password.

use std::{fs, path::Path, time::Duration};

use super::{
    builtin_broker::Admin,
    process::{ProgramOutput, RunningProgram},
    sandbox::{Sandbox, set_arguments},
};

/// Password of the account that hubmark uses.
pub const ACCOUNT_PASSWORD: &str = "w0rd-0f-an-acc0unt";
/// The environment variable that holds the password.
pub const PASSWORD_VARIABLE: &str = "HUBMARK_TEST_WORD";
/// How long a request to a server may take.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// A load of two seconds on external servers.
const LOAD: &[&str] = &[
    "hub.kind=external",
    "workload.users=20",
    "workload.messages=40",
    "workload.arrival={ distribution = \"constant\", mean = \"50 ms\" }",
    // A cold server on a busy machine takes longer.
    "workload.drain=\"60 s\"",
    "run.baseline=\"1 s\"",
    "run.retries=0",
];

/// Starts a run of two seconds on an external `backend` with overrides.
pub fn start_external_run(sandbox: &Sandbox, backend: &str, sets: &[&str]) -> RunningProgram {
    let backend = format!("backend={backend}");
    let sets = [LOAD, &[&backend], sets].concat();
    let mut command = sandbox.command(["run", "first-look"]);
    command.env(PASSWORD_VARIABLE, ACCOUNT_PASSWORD).args(set_arguments(&sets));
    sandbox.start(command)
}

/// Whether the password is in anything that hubmark has printed or written.
pub fn leaks_password(sandbox: &Sandbox, output: &ProgramOutput) -> bool {
    let printed = format!("{}{}", output.stdout, output.stderr);
    printed.contains(ACCOUNT_PASSWORD) || contains_password(&sandbox.path(""))
}

fn contains_password(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return contains_password(&path);
        }
        String::from_utf8_lossy(&fs::read(path).unwrap()).contains(ACCOUNT_PASSWORD)
    })
}

/// Every topic of a Kafka server, with the number of messages that it holds.
pub fn topics(admin: &Admin) -> Vec<(String, i64)> {
    let client = admin.inner();
    let metadata = client.fetch_metadata(None, REQUEST_LIMIT).unwrap();
    let names = metadata.topics().iter().map(|topic| topic.name().to_owned());
    let count = |name: String| {
        let watermarks = client.fetch_watermarks(&name, 0, Duration::from_secs(1));
        let count = watermarks.map_or(0, |(low, high)| high - low);
        (name, count)
    };
    names.filter(|name| !name.starts_with("__")).map(count).collect()
}
