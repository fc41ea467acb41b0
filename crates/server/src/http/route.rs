//! The routes of both listeners: where each leads, its methods, and what it asks for. A path that is not here is answered 404.
//!
//! `docs/attack-surface.md` is written from here.

use custodia_web_api::Asks;
use http::Method;

use self::ClientPlace::{Authorization, Configuration, Keys, Later, Token, WebApi, Welcome};
use self::MachinePlace::{Alive, Metrics, Ready};

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route<P> {
    /// Its path. On the client listener what follows the organisation, if there is one; `…` at its end stands for nothing or
    /// a slash and anything.
    pub path: &'static str,
    /// Where it leads.
    pub place: P,
    /// Its methods; none where what lies behind says which there are.
    pub methods: &'static [Method],
    /// What it asks for.
    pub asks: Asks,
}

/// Where routes of clients lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientPlace {
    /// The Web API in this version.
    WebApi(&'static str),
    /// Tokens for whoever proves who they are.
    Token,
    /// Signing in by a browser, which is refused.
    Authorization,
    /// What clients have to know to sign in.
    Configuration,
    /// The public keys that tokens are verified with.
    Keys,
    /// What clients of Dataverse call and is not there yet.
    Later,
    /// Where the Web API is, and below an organisation its own.
    Welcome,
}

/// Where routes of the operations listener lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachinePlace {
    /// Whether the process is alive.
    Alive,
    /// Whether it answers clients.
    Ready,
    /// Numbers.
    Metrics,
}

const GET: &[Method] = &[Method::GET];
const GET_AND_HEAD: &[Method] = &[Method::GET, Method::HEAD];
const POST: &[Method] = &[Method::POST];

const TOKEN: Asks = Asks::Token("each address and operation asks for itself");
const PROOF: Asks =
    Asks::Nothing("it asks for a password, a secret or a refresh token itself, and slows down guessing");
const REFUSED: Asks = Asks::Nothing("it refuses whoever asks");
const PUBLIC: Asks = Asks::Nothing("it tells clients where and how to sign in, and public keys");
const LATER: Asks = Asks::Nothing("it is not there yet (501)");
const NUMBERS: Asks = Asks::Nothing("it names nobody; the listener is to be on a private interface");

/// The routes of clients, below `/{organization}/`.
pub const OF_ORGANIZATIONS: &[Route<ClientPlace>] = &[
    Route { path: "api/data/v9.2…", place: WebApi("v9.2"), methods: &[], asks: TOKEN },
    Route { path: "api/data/v9.1…", place: WebApi("v9.1"), methods: &[], asks: TOKEN },
    Route { path: "api/data/v9.0…", place: WebApi("v9.0"), methods: &[], asks: TOKEN },
    Route { path: "oauth2/v2.0/token", place: Token, methods: POST, asks: PROOF },
    Route { path: "oauth2/token", place: Token, methods: POST, asks: PROOF },
    Route { path: "oauth2/v2.0/authorize", place: Authorization, methods: GET, asks: REFUSED },
    Route { path: "oauth2/authorize", place: Authorization, methods: GET, asks: REFUSED },
    Route { path: "v2.0/.well-known/openid-configuration", place: Configuration, methods: GET, asks: PUBLIC },
    Route { path: ".well-known/openid-configuration", place: Configuration, methods: GET, asks: PUBLIC },
    Route { path: "discovery/v2.0/keys", place: Keys, methods: GET, asks: PUBLIC },
    Route { path: "discovery/keys", place: Keys, methods: GET, asks: PUBLIC },
    Route { path: "", place: Welcome, methods: GET_AND_HEAD, asks: PUBLIC },
    Route { path: "api/search…", place: Later, methods: &[], asks: LATER },
    Route { path: "api/backgroundoperation…", place: Later, methods: &[], asks: LATER },
];

/// The route of clients that belongs to no organisation.
pub const WELCOME: Route<ClientPlace> = Route {
    path: "/",
    place: Welcome,
    methods: GET_AND_HEAD,
    asks: Asks::Nothing("it tells where the Web API is, and of no organisation"),
};

/// The routes of the operations listener.
pub const OF_OPERATIONS: &[Route<MachinePlace>] = &[
    Route { path: "/health/live", place: Alive, methods: GET_AND_HEAD, asks: NUMBERS },
    Route { path: "/health/ready", place: Ready, methods: GET_AND_HEAD, asks: NUMBERS },
    Route { path: "/metrics", place: Metrics, methods: GET_AND_HEAD, asks: NUMBERS },
];

/// A path of the client listener, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'p> {
    /// The organisation, as the client named it; empty where there is none.
    pub organization: &'p str,
    /// What follows the route's own path.
    pub below: &'p str,
    /// The route.
    pub route: &'static Route<ClientPlace>,
}

impl<'p> Address<'p> {
    /// Where a path leads, if anywhere.
    pub fn of(path: &'p str) -> Option<Self> {
        let path = path.trim_start_matches('/');
        let (organization, rest) = path.split_once('/').unwrap_or((path, ""));
        if organization.is_empty() && rest.is_empty() {
            return Some(Self { organization, below: "", route: &WELCOME });
        }
        let (route, below) = OF_ORGANIZATIONS.iter().find_map(|route| Some((route, route.below(rest)?)))?;
        Some(Self { organization, below, route })
    }
}

impl<P> Route<P> {
    /// What follows the route's path; nothing at all where the path is another one.
    fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        match self.path.strip_suffix('…') {
            Some(beginning) => path.strip_prefix(beginning).filter(|below| below.is_empty() || below.starts_with('/')),
            None => (path == self.path).then_some(""),
        }
    }

    /// Whether it knows a method.
    pub fn knows(&self, method: &Method) -> bool {
        self.methods.is_empty() || self.methods.contains(method)
    }
}

impl Route<ClientPlace> {
    /// A name for logs: never a key or a value, which paths may carry.
    pub fn name(&self) -> &'static str {
        match self.place {
            WebApi(_) => "web-api",
            Token | Authorization => "token",
            Configuration | Keys => "discovery",
            Later | Welcome => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(path: &str) -> Option<(ClientPlace, &str, &str)> {
        Address::of(path).map(|address| (address.route.place, address.organization, address.below))
    }

    #[test]
    fn paths_lead_where_they_say_and_nowhere_else() {
        assert_eq!(leads("/north/api/data/v9.2/accounts(1)"), Some((WebApi("v9.2"), "north", "/accounts(1)")));
        assert_eq!(leads("//north/api/data/v9.0"), Some((WebApi("v9.0"), "north", "")));
        assert_eq!(leads("/north/oauth2/token"), Some((Token, "north", "")));
        assert_eq!(leads("/north/api/search/v1.0/query"), Some((Later, "north", "/v1.0/query")));
        assert_eq!((leads("/"), leads("")), (Some((Welcome, "", "")), Some((Welcome, "", ""))));
        assert_eq!((leads("/north"), leads("/north/")), (Some((Welcome, "north", "")), Some((Welcome, "north", ""))));
        for nowhere in [
            "/north//",
            "/north/api",
            "/north/api/data/v9.20",
            "/north/api/data/v8.0/accounts",
            "/north/oauth2/token/",
            "/north/oauth2/token/more",
            "/north/health/live",
            "/north/north/oauth2/token",
        ] {
            assert_eq!(leads(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn no_route_stands_behind_another_one() {
        for route in OF_ORGANIZATIONS {
            let path = route.path.trim_end_matches('…');
            let found = OF_ORGANIZATIONS.iter().find(|found| found.below(path).is_some());
            assert_eq!(found, Some(route));
        }
    }
}
