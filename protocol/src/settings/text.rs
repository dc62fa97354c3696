//! Text forms that only people need.

use crate::capability::UrlPrefix;

/// Text as a TOML basic string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Reads `<scheme>://<host>[:<port>]/<path>`; the port may be left out where it is the scheme's.
pub(super) fn url_prefix(text: &str) -> Option<UrlPrefix> {
    let (scheme, rest) = text.split_once("://")?;
    let (place, path) = rest.split_at(rest.find('/')?);
    let default = default_port(scheme)?;
    let (host, port) = match place.rsplit_once(':') {
        // Inside brackets a colon is part of the address.
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (place, default),
    };
    // A written port is a number without a sign or leading zeros, and not zero.
    let stated = port != default || !place.ends_with(&format!(":{default}"));
    let plain = place == host || place == format!("{host}:{port}");
    (stated && plain && port > 0).then_some(())?;
    let path = path.parse().ok()?;
    Some(UrlPrefix { scheme: scheme.parse().ok()?, host: host.parse().ok()?, port: u32::from(port), path })
}

/// Writes it as [`url_prefix`] reads it.
pub(super) fn url_prefix_text(prefix: &UrlPrefix) -> String {
    let UrlPrefix { scheme, host, port, path } = prefix;
    if default_port(scheme.as_str()).map(u32::from) == Some(*port) {
        format!("{scheme}://{host}{path}")
    } else {
        format!("{scheme}://{host}:{port}{path}")
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}
