//! Passwords of external servers, from the environment or from a file that only its owner can read.
//! A password is sent to its server only.

use std::{env, fs, io, os::unix::fs::PermissionsExt};

use crate::{hub::HubError, paths, plan::external::PasswordSource};

/// Mode bits that give any right to others than the file's owner.
const GROUP_AND_OTHERS_MODE: u32 = 0o077;
/// Largest size of a password file: a larger file was named by mistake.
const MAX_FILE_SIZE: u64 = 4 << 10;

/// Reads the password of `backend`'s account; empty when `source` is `None`.
///
/// # Errors
/// The password is missing, or others can read it. The error contains no part of the password.
pub fn read_password(backend: &str, source: Option<&PasswordSource>) -> Result<String, HubError> {
    let found = match source {
        None => return Ok(String::new()),
        Some(PasswordSource::Variable(name)) => read_variable(name),
        Some(PasswordSource::File(path)) => read_file(path),
    };
    found.map_err(|(reason, advice)| HubError::Password { backend: backend.into(), reason, advice })
}

fn read_variable(name: &str) -> Result<String, (String, String)> {
    let advice = format!("set it where hubmark is started: read -rs {name}; export {name}");
    match env::var(name) {
        Ok(password) if password.is_empty() => Err((format!("{name} is empty"), advice)),
        Ok(password) => Ok(password),
        Err(env::VarError::NotPresent) => Err((format!("{name} is not set"), advice)),
        Err(env::VarError::NotUnicode(_)) => Err((format!("{name} is not UTF-8"), advice)),
    }
}

fn read_file(path: &str) -> Result<String, (String, String)> {
    let unreadable = |error: io::Error| {
        let advice = "put the password in that file, as its only line, readable for you alone";
        (format!("{path} cannot be read: {error}"), advice.to_owned())
    };
    let about = fs::metadata(path).map_err(unreadable)?;
    if !about.is_file() || about.len() > MAX_FILE_SIZE {
        let advice = "name a file whose only line is the password".to_owned();
        return Err((format!("{path} is not a password file"), advice));
    }
    let mode = about.permissions().mode() & 0o777;
    if mode & GROUP_AND_OTHERS_MODE != 0 {
        let reason = format!("others than its owner have rights on {path} (mode {mode:03o})");
        return Err((reason, format!("chmod 600 {path}")));
    }
    let text = paths::read_text(path.as_ref()).map_err(unreadable)?;
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
    fn a_file_is_read_only_if_private_to_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password").display().to_string();
        let source = PasswordSource::File(path.clone());
        let read = || read_password("x", Some(&source)).map_err(|error| error.to_string());
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
        assert_eq!(read_password("x", None).unwrap(), "");
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let source = PasswordSource::Variable("HUBMARK_TEST_NEVER_SET".into());
        let refused = read_password("x", Some(&source)).unwrap_err().to_string();
        assert!(refused.contains("HUBMARK_TEST_NEVER_SET is not set"), "{refused}");
    }
}
