//! Who asks, on whose behalf, and from where.

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
}

impl Caller {
    /// A user acting for themselves over the Web API.
    #[must_use]
    pub fn user(user: Guid, request: Guid) -> Self {
        Self { user, acting_for: None, request, origin: Origin::WebApi, unmasks: false }
    }

    /// A named caller of the platform, stamping rows with the `SYSTEM` user.
    #[must_use]
    pub fn platform(name: &'static str, request: Guid) -> Self {
        Self { user: SYSTEM_USER, acting_for: None, request, origin: Origin::Platform(name), unmasks: false }
    }

    /// Everybody whose rights decide: who calls, and for whom.
    pub(crate) fn users(&self) -> Vec<Guid> {
        std::iter::once(self.user).chain(self.acting_for).collect()
    }

    /// The user in whose name things happen.
    #[must_use]
    pub fn acting(&self) -> Guid {
        self.acting_for.unwrap_or(self.user)
    }
}

/// The user that stands for the platform in every organisation: disabled, without roles, nobody signs in as it.
pub(crate) const SYSTEM_USER: Guid = Guid::from_u128(0x5355_5354_454d_4000_8000_0000_0000_0001);
