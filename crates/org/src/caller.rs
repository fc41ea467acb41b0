//! Who asks, on whose behalf, and from where.

use std::net::IpAddr;

use custodia_schema::Guid;

/// Where a request came from; kept in the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A program or browser over the Web API.
    WebApi,
    /// An import: it may set states and creation times directly.
    Import,
    /// A job that a user asked for: it has that user's rights as they are when it works.
    Job(&'static str),
    /// A named job or command of the platform itself.
    Platform(&'static str),
}

impl Origin {
    /// The word kept in the audit.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::WebApi => "web-api",
            Self::Import => "import",
            Self::Platform(name) | Self::Job(name) => name,
        }
    }
}

/// Who asks. Every operation takes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user who signed in. For the platform, the user in whose name rows are stamped (the `SYSTEM` user).
    pub user: Guid,
    /// The user for whom `user` acts, if another one: rights are then those that both have.
    pub acting_for: Option<Guid>,
    /// One request; its audit entries share it.
    pub request: Guid,
    /// Where it came from.
    pub origin: Origin,
    /// It asks for clear values of masked columns; profiles say whether it gets them.
    pub unmasks: bool,
    /// The client's address, where it came over a network.
    pub address: Option<IpAddr>,
}

impl Caller {
    /// A user acting for themselves over the Web API.
    #[must_use]
    pub fn user(user: Guid, request: Guid) -> Self {
        Self { user, acting_for: None, request, origin: Origin::WebApi, unmasks: false, address: None }
    }

    /// A named caller of the platform, stamping rows with the `SYSTEM` user.
    #[must_use]
    pub fn platform(name: &'static str, request: Guid) -> Self {
        Self {
            user: SYSTEM_USER,
            acting_for: None,
            request,
            origin: Origin::Platform(name),
            unmasks: false,
            address: None,
        }
    }

    /// Everybody whose rights decide: who calls, and for whom.
    pub(crate) fn users(&self) -> Vec<Guid> {
        std::iter::once(self.user).chain(self.acting_for).collect()
    }

    /// Where it came from as the audit keeps it: the way, and after a blank the client's address.
    pub(crate) fn origin_text(&self) -> String {
        match self.address {
            Some(address) => format!("{} {}", self.origin.word(), address.to_canonical()),
            None => self.origin.word().to_owned(),
        }
    }

    /// The user in whose name things happen.
    #[must_use]
    pub fn acting(&self) -> Guid {
        self.acting_for.unwrap_or(self.user)
    }
}

/// The user that stands for the platform in every organisation: disabled, without roles, nobody signs in as it.
pub(crate) const SYSTEM_USER: Guid = Guid::from_u128(0x5355_5354_454d_4000_8000_0000_0000_0001);

/// The way that a request came, and the client's address, of what the audit keeps of them.
#[must_use]
pub fn read_origin(text: &str) -> (&str, Option<IpAddr>) {
    let address = text.rsplit_once(' ').and_then(|(way, address)| Some((way, address.parse().ok()?)));
    address.map_or((text, None), |(way, address)| (way, Some(address)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ways_and_addresses_are_read_back() {
        let address: IpAddr = "::ffff:192.0.2.7".parse().unwrap();
        let mut caller = Caller::platform("custodia token", Guid::nil());
        assert_eq!(read_origin(&caller.origin_text()), ("custodia token", None));
        caller.address = Some(address);
        assert_eq!(caller.origin_text(), "custodia token 192.0.2.7");
        assert_eq!(read_origin(&caller.origin_text()), ("custodia token", Some(address.to_canonical())));
        caller.address = "2001:db8::1".parse().ok();
        assert_eq!(read_origin(&caller.origin_text()), ("custodia token", caller.address));
    }
}
