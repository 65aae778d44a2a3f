//! Passwords of servers that are not ours: from the environment, or from a file that nobody else
//! can read. They go to the server alone.

use std::{env, fs, io, os::unix::fs::PermissionsExt};

use crate::{hub::HubError, plan::external::PasswordSource};

/// Bits of a file's mode by which others than its owner may do anything with it.
const OTHERS: u32 = 0o077;
/// No password is longer; another file was meant.
const LONGEST: u64 = 4 << 10;

/// Reads the password of `backend`'s account; empty where none is named.
///
/// # Errors
/// Where there is none, or others can read it too. Nothing of the password is in the error.
pub fn password(backend: &str, source: Option<&PasswordSource>) -> Result<String, HubError> {
    let found = match source {
        None => return Ok(String::new()),
        Some(PasswordSource::Variable(name)) => of_variable(name),
        Some(PasswordSource::File(path)) => of_file(path),
    };
    found.map_err(|(reason, advice)| HubError::Password { backend: backend.into(), reason, advice })
}

fn of_variable(name: &str) -> Result<String, (String, String)> {
    let advice = format!("set it where hubmark is started: read -rs {name}; export {name}");
    match env::var(name) {
        Ok(password) if password.is_empty() => Err((format!("{name} is empty"), advice)),
        Ok(password) => Ok(password),
        Err(env::VarError::NotPresent) => Err((format!("{name} is not set"), advice)),
        Err(env::VarError::NotUnicode(_)) => Err((format!("{name} is not UTF-8"), advice)),
    }
}

fn of_file(path: &str) -> Result<String, (String, String)> {
    let unreadable = |error: io::Error| {
        let advice = "put the password in that file, as its only line, readable for you alone";
        (format!("{path} cannot be read: {error}"), advice.to_owned())
    };
    let about = fs::metadata(path).map_err(unreadable)?;
    if !about.is_file() || about.len() > LONGEST {
        let advice = "name a file whose only line is the password".to_owned();
        return Err((format!("{path} is no file with a password"), advice));
    }
    let mode = about.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        let reason = format!("others than its owner have rights on {path} (mode {mode:03o})");
        return Err((reason, format!("chmod 600 {path}")));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() || password.contains('\n') {
        let advice = "write the password into it, as its only line".to_owned();
        return Err((format!("{path} does not hold one line"), advice));
    }
    Ok(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_when_it_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("word").display().to_string();
        let source = PasswordSource::File(path.clone());
        let read = || password("x", Some(&source)).map_err(|error| error.to_string());
        assert!(read().unwrap_err().contains("cannot be read"));
        fs::write(&path, "hush hush\n").unwrap();
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        for open in [0o644, 0o640, 0o602] {
            mode(open);
            let refused = read().unwrap_err();
            assert!(refused.contains(&format!("chmod 600 {path}")), "{refused}");
            assert!(!refused.contains("hush"), "{refused}");
        }
        mode(0o600);
        assert_eq!(read().as_deref(), Ok("hush hush"));
        fs::write(&path, "\n").unwrap();
        assert!(read().unwrap_err().contains("one line"));
        assert_eq!(password("x", None).unwrap(), "");
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let source = PasswordSource::Variable("HUBMARK_TEST_NEVER_SET".into());
        let refused = password("x", Some(&source)).unwrap_err().to_string();
        assert!(refused.contains("HUBMARK_TEST_NEVER_SET is not set"), "{refused}");
    }
}
