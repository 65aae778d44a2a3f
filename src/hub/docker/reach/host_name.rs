//! Host names and ports in engine addresses, and the resolution of names.

use std::{io, net::IpAddr, time::Duration};

use tokio::{net::lookup_host, time::timeout};

/// Why a name was not resolved.
#[derive(Debug)]
pub enum ResolveError {
    /// No answer within the time limit.
    TimedOut,
    /// The system's error.
    Failed(io::Error),
    /// The name exists, but has no address.
    NoAddress,
}

/// Resolves the first address of `host`.
pub async fn resolve(host: &str, time_limit: Duration) -> Result<IpAddr, ResolveError> {
    let mut found = timeout(time_limit, lookup_host((host, 0)))
        .await
        .map_err(|_| ResolveError::TimedOut)?
        .map_err(ResolveError::Failed)?;
    found.next().map(|found| found.ip()).ok_or(ResolveError::NoAddress)
}

/// Splits `host:port` or `[host]:port`; a missing port is empty. `None` when a bracket is not
/// closed or is followed by anything but a port.
pub fn split_host_and_port(text: &str) -> Option<(&str, &str)> {
    let Some(rest) = text.strip_prefix('[') else {
        return Some(text.split_once(':').unwrap_or((text, "")));
    };
    let (host, after) = rest.split_once(']')?;
    Some((host, after.strip_prefix(':').or(after.is_empty().then_some(""))?))
}

/// Returns a host as it is written before a port: an IPv6 address in brackets.
pub fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_split() {
        let cases = [
            ("pi", Some(("pi", ""))),
            ("pi:22", Some(("pi", "22"))),
            ("[fe80::1]", Some(("fe80::1", ""))),
            ("[fe80::1]:22", Some(("fe80::1", "22"))),
            ("[fe80::1]22", None),
            ("[fe80::1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(split_host_and_port(text), expected, "{text}");
        }
        assert_eq!((bracketed("fe80::1"), bracketed("pi")), ("[fe80::1]".into(), "pi".into()));
    }

    #[tokio::test]
    async fn an_address_is_its_own_resolution() {
        let limit = Duration::from_secs(5);
        assert_eq!(resolve("127.0.0.1", limit).await.unwrap(), IpAddr::from([127, 0, 0, 1]));
        let late = resolve("127.0.0.1", Duration::ZERO).await;
        assert!(late.is_ok() || matches!(late, Err(ResolveError::TimedOut)), "{late:?}");
    }
}
