//! Servers that run already: what names one, and what cannot be asked of it.

use super::*;
use crate::{
    plan::external::{ExternalServer, PasswordSource},
    profile::external,
};

static SHELF: BackendInfo = BackendInfo {
    name: "shelf",
    title: "Shelf",
    caution: None,
    versions: &["1"],
    oldest: None,
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

const HEAD: &str = "name = \"x\"\nbackend = \"shelf\"\n[hub]\nkind = \"external\"\n";

fn read(text: &str) -> Result<Profile, String> {
    let catalogue = Catalogue::new([&SHELF, &TOY]);
    Profile::parse(text, &catalogue).map_err(|problems| problems.of("x.toml").to_string())
}

#[track_caller]
fn refused(more: &str, words: &[&str]) {
    let told = read(&format!("{HEAD}{more}")).unwrap_err();
    for word in words {
        assert!(told.contains(word), "{word}: {told}");
    }
}

#[test]
fn a_server_is_named_in_its_backends_table_and_a_saved_profile_names_it_again() {
    let text = format!(
        "{HEAD}engine = \"ssh://pi\"\n[shelf]\naddress = \"pi:1, pi:2\"\nuser = \"u\"\n\
         password_env = \"WORD\"\ncontainer = \"shelf-1\"\n"
    );
    let profile = read(&text).unwrap();
    let plan = profile.plan();
    assert_eq!(
        (plan.hub.kind, plan.points[0].backend.version.as_deref()),
        (HubKind::External, None)
    );
    let server = ExternalServer::of(&plan.settings["shelf"]).unwrap();
    assert_eq!(server.password, Some(PasswordSource::Variable("WORD".into())));
    assert_eq!(plan.place(), "external: shelf at pi:1, pi:2, running already");
    assert_eq!(read(&profile.to_toml()).unwrap().plan(), plan);
}

#[test]
fn what_is_missing_or_cannot_be_asked_is_said_with_its_place() {
    refused("", &["x.toml:4:8: shelf.address: this key is missing"]);
    refused("[shelf]\naddress = \"a:b\"", &["x.toml:6:11: shelf.address", "1 to 65535"]);
    let address = "[shelf]\naddress = \"pi\"\n";
    refused(&format!("{address}password_env = \"A\""), &["shelf.user: this key is missing"]);
    refused(
        &format!("limits = {{ cpus = \"1 cpus\" }}\n{address}"),
        &["hub.limits.cpus", "external"],
    );
    refused(&format!("address = \"pi\"\n{address}"), &["hub.address", "hubmark starts itself"]);
    refused(&format!("engine = \"ssh://pi\"\n{address}"), &["hub.engine", "none is named"]);
    refused(&format!("{address}[run]\nfootprint = true"), &["run.footprint"]);
    let fault = "[[fault]]\nat = \"1 s\"\nkind = \"pause\"\nfor = \"1 s\"\n";
    refused(&format!("{address}{fault}"), &["not harmed"]);
    let versioned = format!("{HEAD}{address}").replace("\"shelf\"", "\"shelf:1\"");
    assert!(read(&versioned).unwrap_err().contains("a version of its own"));
    let toy = format!("{HEAD}{address}").replace("\"shelf\"", "\"toy\"");
    assert!(read(&toy).unwrap_err().contains("toy cannot run on the external hub"));
}

#[test]
fn an_address_that_nobody_would_look_at_is_refused() {
    let told = read("name = \"x\"\nbackend = \"shelf\"\nshelf.address = \"pi\"\n").unwrap_err();
    assert!(told.contains("x.toml:3:") && told.contains("set hub.kind = \"external\""), "{told}");
    // That of a backend that is not chosen is kept for another day.
    assert!(read("name = \"x\"\nbackend = \"toy\"\nshelf.address = \"pi\"\n").is_ok());
}

#[test]
fn a_password_is_refused_and_not_repeated() {
    let change = Override::parse("shelf.password=hush").unwrap();
    let text = format!("{HEAD}[shelf]\naddress = \"pi\"\n");
    let told = Profile::parse_with(&text, &[change], &Catalogue::new([&SHELF])).unwrap_err();
    let told = told.to_string();
    assert!(told.starts_with("--set shelf.password=…: ") && !told.contains("hush"), "{told}");
    assert!(told.contains("name the variable or the file"), "{told}");
}

#[test]
fn an_objective_that_nothing_counts_is_refused() {
    let search = |server: &str| {
        format!(
            "[workload]\nkind = \"capacity\"\nusers = \"50..100 step 10\"\nduration = \"60 s\"\n\
             objectives = {{ throttled = \"0 s\" }}\n[shelf]\naddress = \"pi\"\n{server}"
        )
    };
    refused(&search(""), &["workload.objectives", "nothing counts", "leave throttled out"]);
    refused(&search("process = 7"), &["nothing counts"]);
    let read = read(&format!("{HEAD}{}", search("container = \"shelf-1\"")));
    assert!(read.is_ok(), "{read:?}");
}
