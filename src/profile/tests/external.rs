//! External servers: their keys, and options that are refused for them.

use super::*;
use crate::{
    plan::external::{ExternalServer, PasswordSource},
    profile::catalogue::external,
};

static EXTERNAL_BACKEND: BackendInfo = BackendInfo {
    name: "shelf",
    title: "Shelf",
    caution: None,
    versions: &["1"],
    oldest_release: None,
    hubs: &[HubKind::Docker, HubKind::External],
    settings: &[
        external::ADDRESS,
        external::USER,
        external::PASSWORD_ENV,
        external::PASSWORD_FILE,
        external::CONTAINER,
        external::PROCESS,
    ],
};

const EXTERNAL_HEADER: &str = "name = \"x\"\nbackend = \"shelf\"\n[hub]\nkind = \"external\"\n";

fn parse_external(text: &str) -> Result<Profile, String> {
    let catalogue = Catalogue::new([&EXTERNAL_BACKEND, &TOY]);
    Profile::parse(text, &catalogue).map_err(|problems| problems.with_source("x.toml").to_string())
}

#[track_caller]
fn assert_refused(more: &str, words: &[&str]) {
    let message = parse_external(&format!("{EXTERNAL_HEADER}{more}")).unwrap_err();
    for word in words {
        assert!(message.contains(word), "{word}: {message}");
    }
}

#[test]
fn an_external_server_is_parsed_and_survives_saving() {
    let text = format!(
        "{EXTERNAL_HEADER}engine = \"ssh://pi\"\n[shelf]\naddress = \"pi:1, pi:2\"\nuser = \"u\"\n\
         password_env = \"WORD\"\ncontainer = \"shelf-1\"\n"
    );
    let profile = parse_external(&text).unwrap();
    let plan = profile.plan();
    assert_eq!(
        (plan.hub.kind, plan.points[0].backend.version.as_deref()),
        (HubKind::External, None)
    );
    let server = ExternalServer::from_table(&plan.settings["shelf"]).unwrap();
    assert_eq!(server.password, Some(PasswordSource::Variable("WORD".into())));
    assert_eq!(plan.hub_summary(), "external: shelf at pi:1, pi:2, running already");
    assert_eq!(parse_external(&profile.to_toml()).unwrap().plan(), plan);
}

#[test]
fn a_url_in_place_of_an_address_is_refused_without_its_password() {
    let url = "mysql://me:secret@pi:3306/db";
    assert_refused(
        &format!("[shelf]\naddress = \"{url}\""),
        &["a URL is given in place of host:port", "write \"pi:3306\""],
    );
    let change = Override::new("shelf.address", url).unwrap();
    let catalogue = Catalogue::new([&EXTERNAL_BACKEND, &TOY]);
    let problems = Profile::parse_with(EXTERNAL_HEADER, &[change], &catalogue).unwrap_err();
    let message = problems.with_source("x.toml").to_string();
    assert!(message.contains("shelf.address=…") && message.contains("\"pi:3306\""), "{message}");
    assert!(!message.contains("secret"), "{message}");
}

#[test]
fn the_hub_s_address_is_a_host_alone() {
    for (address, meant) in [
        ("http://10.0.0.7:2375", "write \"10.0.0.7\""),
        ("10.0.0.7:9092", "write the host alone, \"10.0.0.7\""),
    ] {
        assert_problem(&format!("[hub]\naddress = \"{address}\""), meant);
    }
    let address = |text: &str| {
        let profile = parse(&format!("{MINIMAL_PROFILE}[hub]\naddress = \"{text}\"")).unwrap();
        profile.plan().hub.address
    };
    assert_eq!(address("fe80::1%eth0").as_deref(), Some("fe80::1%eth0"));
    assert_eq!(address(""), None, "an empty one takes the profile's away");
    assert_problem("[hub]\nengine = \"pi\"", "is written \"ssh://pi\"");
    assert_problem("[hub]\nengine = \"/run/docker.sock\"", "\"unix:///run/docker.sock\"");
}

#[test]
fn missing_keys_and_refused_options_are_reported_with_their_locations() {
    assert_refused("", &["x.toml:4:8: shelf.address: this key is missing"]);
    assert_refused("[shelf]\naddress = \"a:b\"", &["x.toml:6:11: shelf.address", "1 to 65535"]);
    let address = "[shelf]\naddress = \"pi\"\n";
    assert_refused(&format!("{address}password_env = \"A\""), &["shelf.user: this key is missing"]);
    assert_refused(
        &format!("limits = {{ cpus = \"1 cpus\" }}\n{address}"),
        &["hub.limits.cpus", "external"],
    );
    assert_refused(
        &format!("address = \"pi\"\n{address}"),
        &["hub.address", "hubmark starts itself"],
    );
    assert_refused(&format!("engine = \"ssh://pi\"\n{address}"), &["hub.engine", "none is named"]);
    assert_refused(&format!("{address}[run]\nfootprint = true"), &["run.footprint"]);
    let fault = "[[fault]]\nat = \"1 s\"\nkind = \"pause\"\nfor = \"1 s\"\n";
    assert_refused(&format!("{address}{fault}"), &["servers that hubmark starts itself"]);
    let versioned = format!("{EXTERNAL_HEADER}{address}").replace("\"shelf\"", "\"shelf:1\"");
    assert!(parse_external(&versioned).unwrap_err().contains("cannot be chosen"));
    let toy = format!("{EXTERNAL_HEADER}{address}").replace("\"shelf\"", "\"toy\"");
    assert!(parse_external(&toy).unwrap_err().contains("toy cannot run on the external hub"));
}

#[test]
fn an_address_is_refused_on_other_kinds_of_hub() {
    let message =
        parse_external("name = \"x\"\nbackend = \"shelf\"\nshelf.address = \"pi\"\n").unwrap_err();
    assert!(
        message.contains("x.toml:3:") && message.contains("set hub.kind = \"external\""),
        "{message}"
    );
    // The address of a backend that is not selected is ignored.
    assert!(parse_external("name = \"x\"\nbackend = \"toy\"\nshelf.address = \"pi\"\n").is_ok());
}

#[test]
fn a_password_is_refused_and_not_repeated() {
    let change = Override::parse("shelf.password=hush").unwrap();
    let text = format!("{EXTERNAL_HEADER}[shelf]\naddress = \"pi\"\n");
    let message =
        Profile::parse_with(&text, &[change], &Catalogue::new([&EXTERNAL_BACKEND])).unwrap_err();
    let message = message.to_string();
    assert!(
        message.starts_with("--set shelf.password=…: ") && !message.contains("hush"),
        "{message}"
    );
    assert!(message.contains("name the variable or the file"), "{message}");
}

#[test]
fn an_objective_that_cannot_be_measured_is_refused() {
    let search = |server: &str| {
        format!(
            "[workload]\nkind = \"capacity\"\nusers = \"50..100 step 10\"\nduration = \"60 s\"\n\
             objectives = {{ throttled = \"0 s\" }}\n[shelf]\naddress = \"pi\"\n{server}"
        )
    };
    assert_refused(&search(""), &["workload.objectives", "none is named", "leave throttled out"]);
    assert_refused(&search("process = 7"), &["leave throttled out"]);
    let read = parse_external(&format!("{EXTERNAL_HEADER}{}", search("container = \"shelf-1\"")));
    assert!(read.is_ok(), "{read:?}");
}
