//! The addresses under which the service and an organisation are reached, in one normal form.
//!
//! An organisation has a *root*: `https://crm.example/demo`, or `https://demo.crm.example` where it has a host of its
//! own. Token issuers, endpoints and audiences are all made from it.

use std::fmt;

use crate::Error;

/// The longest address accepted, in bytes. Addresses stand in every token and header.
pub const ADDRESS_BYTES_MAX: usize = 512;

/// Which generation of the sign-in protocol a path belongs to: `/oauth2/token` or `/oauth2/v2.0/token`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProtocolVersion {
    /// Names its target by `resource` and answers numbers as strings.
    V1,
    /// Names its target by `scope`.
    V2,
}

/// An absolute `http` or `https` address in normal form: scheme and host in lower case, no default port, no user, no
/// query, no slash at the end; the path, if any, of plain segments only. It is therefore safe in a header or in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address(String);

impl Address {
    /// Reads and normalises an address. Slashes at its end are dropped, since clients differ in writing them.
    ///
    /// # Errors
    /// [`Error::Address`] saying what cannot be accepted.
    pub fn parse(text: &str) -> Result<Self, Error> {
        normalise(text).map(Self).map_err(|why| Error::Address { given: text.chars().take(80).collect(), why })
    }

    /// The address of something below this one.
    ///
    /// # Errors
    /// [`Error::Address`] if the segment is empty or has characters other than letters, digits, `-`, `.`, `_`, `~`.
    pub fn join(&self, segment: &str) -> Result<Self, Error> {
        let fault = |why| Error::Address { given: segment.chars().take(80).collect(), why };
        check_segment(segment).map_err(fault)?;
        let joined = format!("{}/{segment}", self.0);
        if joined.len() > ADDRESS_BYTES_MAX {
            return Err(fault("the address would be too long"));
        }
        Ok(Self(joined))
    }

    /// The address as text, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Who tokens say they were issued by, this address being an organisation's root.
    #[must_use]
    pub fn issuer(&self, version: ProtocolVersion) -> String {
        match version {
            ProtocolVersion::V1 => format!("{self}/"),
            ProtocolVersion::V2 => format!("{self}/v2.0"),
        }
    }

    /// Whether [`Address::issuer`] gives this text, without building it.
    fn is_issuer(&self, text: &str) -> bool {
        text.strip_prefix(self.as_str()).is_some_and(|rest| rest == "/" || rest == "/v2.0")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All addresses of one organisation. A token issued under one of them is good under each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    bases: Vec<Address>,
    roots: Vec<Address>,
}

impl Addresses {
    /// The addresses of the organisation that goes by any of `names` (its name, its id as text) below each of the
    /// service's `bases`, and of its own hosts.
    ///
    /// # Errors
    /// [`Error::Address`] if a name cannot stand in a path.
    pub fn new(names: &[&str], bases: &[Address], own_hosts: &[Address]) -> Result<Self, Error> {
        let mut roots = own_hosts.to_vec();
        for base in bases {
            for name in names {
                roots.push(base.join(name)?);
            }
        }
        Ok(Self { bases: bases.to_vec(), roots })
    }

    /// Whether the organisation itself is reached at this address.
    #[must_use]
    pub fn has_root(&self, address: &Address) -> bool {
        self.roots.contains(address)
    }

    /// Whether a token for this address may be used here: any root of the organisation, and any base of the service,
    /// since some clients know only the host.
    #[must_use]
    pub fn accepts_audience(&self, audience: &Address) -> bool {
        self.accepts_audience_text(audience.as_str())
    }

    /// The same for an audience as a token spells it, which is the normal form.
    pub(crate) fn accepts_audience_text(&self, audience: &str) -> bool {
        self.roots.iter().chain(&self.bases).any(|address| address.as_str() == audience)
    }

    /// Whether this organisation issues tokens under that name.
    pub(crate) fn accepts_issuer(&self, issuer: &str) -> bool {
        self.roots.iter().any(|root| root.is_issuer(issuer))
    }
}

fn normalise(text: &str) -> Result<String, &'static str> {
    if text.len() > ADDRESS_BYTES_MAX {
        return Err("it is too long");
    }
    let (scheme, rest) = text.split_once("://").ok_or("it does not begin with http:// or https://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return Err("it does not begin with http:// or https://"),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = split_port(authority)?;
    let mut normal = format!("{scheme}://{host}");
    if let Some(port) = port.filter(|port| *port != default_port) {
        normal.push_str(&format!(":{port}"));
    }
    let path = path.trim_end_matches('/');
    if !path.is_empty() {
        for segment in path.split('/') {
            check_segment(segment)?;
            normal.push('/');
            normal.push_str(segment);
        }
    }
    Ok(normal)
}

/// The host in normal form, and the port if one is named.
fn split_port(authority: &str) -> Result<(String, Option<u16>), &'static str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (inner, after) = rest.split_once(']').ok_or("its host lacks the closing bracket")?;
            let host: std::net::Ipv6Addr = inner.parse().map_err(|_| "its host is not an IPv6 address")?;
            let port = after.strip_prefix(':');
            if port.is_none() && !after.is_empty() {
                return Err("its host is followed by something that is no port");
            }
            (format!("[{host}]"), port)
        }
        None => {
            let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
            check_host(host)?;
            (host.to_ascii_lowercase(), port)
        }
    };
    let Some(port) = port else { return Ok((host, None)) };
    // `parse` would accept a sign.
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("its port is not a number");
    }
    match port.parse::<u16>() {
        Ok(port) if port != 0 => Ok((host, Some(port))),
        _ => Err("its port is not between 1 and 65535"),
    }
}

fn check_host(host: &str) -> Result<(), &'static str> {
    if host.is_empty() {
        return Err("it names no host");
    }
    if host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')) {
        Ok(())
    } else {
        Err("its host has characters other than letters, digits, '.', '-', '_'")
    }
}

fn check_segment(segment: &str) -> Result<(), &'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if segment.is_empty() || segment == "." || segment == ".." {
        return Err("its path has an empty or relative part");
    }
    if segment.bytes().all(plain) {
        Ok(())
    } else {
        Err("its path has characters other than letters, digits, '-', '.', '_', '~'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_normalised() {
        for (given, expected) in [
            ("http://127.0.0.1:8080/demo", "http://127.0.0.1:8080/demo"),
            ("HTTPS://CRM.Example:443/Demo/", "https://crm.example/Demo"),
            ("http://crm.example:80", "http://crm.example"),
            ("http://crm.example//", "http://crm.example"),
            ("https://crm.example:8443/a/b//", "https://crm.example:8443/a/b"),
            ("http://[2001:DB8::1]:8080/demo", "http://[2001:db8::1]:8080/demo"),
            ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
        ] {
            let address = Address::parse(given).unwrap();
            assert_eq!(address.as_str(), expected);
            assert_eq!(Address::parse(address.as_str()).unwrap(), address, "the normal form is its own normal form");
        }
    }

    #[test]
    fn addresses_that_could_deceive_are_refused() {
        let long = format!("http://h/{}", "a".repeat(ADDRESS_BYTES_MAX));
        for given in [
            "",
            "demo",
            "ftp://h/demo",
            "http://",
            "http:///demo",
            "http://user@h/demo",
            "http://h:0",
            "http://h:65536",
            "http://h:+80",
            "http://h:",
            "http://h/demo?x=1",
            "http://h/demo#x",
            "http://h/a/../b",
            "http://h/a//b",
            "http://h/a b",
            "http://h/a\r\nSet-Cookie: x",
            "http://h\"/x",
            "http://h/%2e",
            "http://ex\u{e4}mple/",
            "http://[::1",
            "http://[::1]x",
            "http://[nonsense]/",
            &long,
        ] {
            assert!(Address::parse(given).is_err(), "{given:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_accepted_is_in_normal_form(text in "(https?://)?[a-zA-Z0-9.:\\[\\]/@%\"' ~_-]{0,40}") {
            if let Ok(address) = Address::parse(&text) {
                proptest::prop_assert_eq!(Address::parse(address.as_str()).unwrap(), address.clone());
                proptest::prop_assert!(!address.as_str().contains(['"', '\'', ' ', '%', '@']), "{}", address);
            }
        }
    }

    #[test]
    fn an_organisation_answers_to_its_roots_and_to_the_bases() {
        let base = Address::parse("http://127.0.0.1:8080").unwrap();
        let own = Address::parse("https://demo.crm.example").unwrap();
        let addresses = Addresses::new(&["demo"], std::slice::from_ref(&base), std::slice::from_ref(&own)).unwrap();
        let root = base.join("demo").unwrap();
        let other = base.join("other").unwrap();
        assert!(addresses.has_root(&root) && addresses.has_root(&own) && !addresses.has_root(&base));
        assert!(
            addresses.accepts_audience(&root) && addresses.accepts_audience(&base) && addresses.accepts_audience(&own)
        );
        assert!(!addresses.accepts_audience(&other));
        assert!(addresses.accepts_issuer("http://127.0.0.1:8080/demo/v2.0"));
        assert!(addresses.accepts_issuer("https://demo.crm.example/"));
        for issuer in [
            "http://127.0.0.1:8080/demo",
            "http://127.0.0.1:8080/other/v2.0",
            "http://127.0.0.1:8080/demo2/v2.0",
            "http://127.0.0.1:8080/v2.0",
            "",
        ] {
            assert!(!addresses.accepts_issuer(issuer), "{issuer}");
        }
    }

    #[test]
    fn a_name_that_cannot_stand_in_a_path_is_refused() {
        let base = Address::parse("http://h").unwrap();
        for name in ["", "..", "a/b", "a b", "a\"b"] {
            assert!(Addresses::new(&[name], std::slice::from_ref(&base), &[]).is_err(), "{name:?}");
        }
    }
}
