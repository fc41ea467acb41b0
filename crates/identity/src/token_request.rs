//! A request to the token endpoint: a form, and perhaps HTTP Basic (RFC 6749 sections 2.3.1 and 3.2).

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::address::{Address, Addresses, ProtocolVersion};
use crate::challenge::strip_scheme;
use crate::refusal::{ErrorCode, Refusal, RefusalReason};

/// The longest form accepted, in bytes; also what a server has to read at most.
pub const FORM_BYTES_MAX: usize = 16 * 1024;

/// The permissions of a scope that mean "everything the signed-in user may do".
const DEFAULT_PERMISSION: &str = ".default";
const USER_PERMISSION: &str = "user_impersonation";
/// Asks for a refresh token.
const OFFLINE_ACCESS: &str = "offline_access";
/// Scopes of OpenID Connect that client libraries always ask for. There are no ID tokens here, so they mean nothing.
const IGNORED_SCOPES: [&str; 3] = ["openid", "profile", "email"];

/// What a server passes on of an HTTP request.
#[derive(Clone, Copy)]
pub struct TokenRequest<'a> {
    /// From the path.
    pub version: ProtocolVersion,
    /// The `Authorization` header, if there is one.
    pub authorization: Option<&'a str>,
    /// The body, `application/x-www-form-urlencoded`.
    pub body: &'a [u8],
    /// Where the request comes from, where that tells one client from another.
    pub source: Option<IpAddr>,
}

impl std::fmt::Debug for TokenRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenRequest")
            .field("version", &self.version)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// The form, read. Empty parameters count as absent (RFC 6749 section 3.1).
#[derive(Default)]
pub(crate) struct TokenForm {
    pub(crate) grant_type: Option<String>,
    pub(crate) client: Option<PresentedClient>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Zeroizing<String>>,
    pub(crate) refresh_token: Option<Zeroizing<String>>,
    pub(crate) scope: Option<String>,
    pub(crate) resource: Option<String>,
}

/// How an application names itself.
pub(crate) struct PresentedClient {
    pub(crate) id: String,
    pub(crate) secret: Option<Zeroizing<String>>,
    pub(crate) used_basic: bool,
}

impl TokenForm {
    pub(crate) fn read(request: &TokenRequest<'_>) -> Result<Self, Refusal> {
        if request.body.len() > FORM_BYTES_MAX {
            return Err(Refusal::request("The form is too long."));
        }
        let mut form = Self::default();
        let (mut client_id, mut client_secret) = (None, None);
        for (name, value) in form_urlencoded::parse(request.body) {
            let value = Zeroizing::new(value.into_owned());
            if value.is_empty() {
                continue;
            }
            match name.as_ref() {
                "grant_type" => set(&mut form.grant_type, plain(value))?,
                "client_id" => set(&mut client_id, plain(value))?,
                "client_secret" => set(&mut client_secret, value)?,
                "username" => set(&mut form.username, plain(value))?,
                "password" => set(&mut form.password, value)?,
                "refresh_token" => set(&mut form.refresh_token, value)?,
                "scope" => set(&mut form.scope, plain(value))?,
                "resource" => set(&mut form.resource, plain(value))?,
                "client_assertion" | "client_assertion_type" => {
                    return Err(Refusal::new(
                        ErrorCode::InvalidClient,
                        RefusalReason::Request,
                        "Client assertions are not supported: send client_id and client_secret.",
                    ));
                }
                // Unknown parameters are ignored (RFC 6749 section 3.2).
                _ => {}
            }
        }
        form.client = Self::client(request.authorization, client_id, client_secret)?;
        Ok(form)
    }

    /// One client from the form and the header. The header's counts; the form may repeat it.
    fn client(
        authorization: Option<&str>,
        form_id: Option<String>,
        form_secret: Option<Zeroizing<String>>,
    ) -> Result<Option<PresentedClient>, Refusal> {
        let Some(basic) = authorization.and_then(|header| strip_scheme(header, "Basic")) else {
            return match (form_id, form_secret) {
                (Some(id), secret) => Ok(Some(PresentedClient { id, secret, used_basic: false })),
                (None, Some(_)) => Err(Refusal::request("client_secret was sent without client_id.")),
                (None, None) => Ok(None),
            };
        };
        let (id, secret) = read_basic(basic).ok_or(Refusal::request("The Authorization header cannot be read."))?;
        let repeats = form_id.is_none_or(|form_id| form_id == id)
            && form_secret.is_none_or(|form_secret| secret.as_ref().is_some_and(|secret| **secret == *form_secret));
        if !repeats {
            return Err(Refusal::request("The Authorization header and the form name different clients."));
        }
        Ok(Some(PresentedClient { id, secret, used_basic: true }))
    }

    /// What the token is for, by `scope` or `resource` as the protocol's version has it. Some clients send both, and
    /// then both have to be good. Without either, it is the organisation itself.
    pub(crate) fn target(
        &self,
        version: ProtocolVersion,
        root: &Address,
        addresses: &Addresses,
    ) -> Result<Target, Refusal> {
        let by_resource = self.resource.as_deref().map(|resource| accepted(resource, addresses)).transpose();
        let by_resource = by_resource.map_err(|()| refuse_target(version))?;
        let Some(scope) = self.scope.as_deref() else {
            let audience = by_resource.unwrap_or_else(|| root.clone());
            let scope = format!("{audience}/{DEFAULT_PERMISSION}");
            return Ok(Target { audience, scope, offline_access: version == ProtocolVersion::V1 });
        };
        let mut by_scope = None;
        let mut granted = Vec::new();
        let mut offline_access = version == ProtocolVersion::V1;
        for scope in scope.split_ascii_whitespace() {
            if IGNORED_SCOPES.contains(&scope) {
                continue;
            }
            granted.push(scope);
            if scope == OFFLINE_ACCESS {
                offline_access = true;
                continue;
            }
            let audience = audience_of_scope(scope, addresses).map_err(|()| refuse_target(version))?;
            if by_scope.get_or_insert_with(|| audience.clone()) != &audience {
                return Err(refuse_target(version));
            }
        }
        let audience = by_resource.or(by_scope).unwrap_or_else(|| root.clone());
        let scope = if granted.is_empty() { format!("{audience}/{DEFAULT_PERMISSION}") } else { granted.join(" ") };
        Ok(Target { audience, scope, offline_access })
    }
}

/// What a token is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) audience: Address,
    /// The granted scopes in the client's own spelling, by which it finds the token again.
    pub(crate) scope: String,
    pub(crate) offline_access: bool,
}

/// Takes a parameter once: RFC 6749 section 3.2 forbids repeating one.
fn set<T>(slot: &mut Option<T>, value: T) -> Result<(), Refusal> {
    if slot.replace(value).is_some() {
        return Err(Refusal::request("A parameter was sent more than once."));
    }
    Ok(())
}

/// A parameter that is no secret.
fn plain(mut value: Zeroizing<String>) -> String {
    std::mem::take(&mut *value)
}

/// Id and secret of HTTP Basic. RFC 6749 section 2.3.1 has both form-encoded; many clients do not encode them, which
/// is the same for the ids and secrets made here.
fn read_basic(credentials: &str) -> Option<(String, Option<Zeroizing<String>>)> {
    let decoded = Zeroizing::new(STANDARD.decode(credentials).ok()?);
    let decoded = std::str::from_utf8(&decoded).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let decode =
        |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned());
    let secret = Zeroizing::new(decode(secret)?);
    Some((decode(id)?, (!secret.is_empty()).then_some(secret)))
}

fn audience_of_scope(scope: &str, addresses: &Addresses) -> Result<Address, ()> {
    // `{resource}/.default`, where the resource may itself end in a slash: `https://crm.example/demo//.default`.
    let (resource, permission) = scope.rsplit_once('/').ok_or(())?;
    if permission == DEFAULT_PERMISSION || permission == USER_PERMISSION {
        accepted(resource, addresses)
    } else {
        Err(())
    }
}

fn accepted(resource: &str, addresses: &Addresses) -> Result<Address, ()> {
    let audience = Address::parse(resource).map_err(|_| ())?;
    if addresses.accepts_audience(&audience) { Ok(audience) } else { Err(()) }
}

fn refuse_target(version: ProtocolVersion) -> Refusal {
    let (code, description) = match version {
        ProtocolVersion::V1 => (ErrorCode::InvalidResource, "The resource is not an address of this organisation."),
        ProtocolVersion::V2 => (
            ErrorCode::InvalidScope,
            "The scope does not name one address of this organisation, followed by /.default or /user_impersonation.",
        ),
    };
    Refusal::new(code, RefusalReason::Target, description)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Site;

    fn read(authorization: Option<&str>, body: &str) -> Result<TokenForm, Refusal> {
        TokenForm::read(&TokenRequest {
            version: ProtocolVersion::V2,
            authorization,
            body: body.as_bytes(),
            source: Some([127, 0, 0, 1].into()),
        })
    }

    fn client(authorization: Option<&str>, body: &str) -> Option<(String, Option<String>, bool)> {
        let client = read(authorization, body).unwrap().client?;
        Some((client.id, client.secret.map(|secret| secret.to_string()), client.used_basic))
    }

    fn basic(credentials: &str) -> String {
        format!("Basic {}", STANDARD.encode(credentials))
    }

    #[test]
    fn a_form_is_decoded_and_empty_parameters_are_absent() {
        let form =
            read(None, "grant_type=password&username=anna%40example.com&password=a+b%26%C3%A9&scope=&x=1").unwrap();
        assert_eq!(form.grant_type.as_deref(), Some("password"));
        assert_eq!(form.username.as_deref(), Some("anna@example.com"));
        assert_eq!(form.password.as_ref().map(|password| password.as_str()), Some("a b&\u{e9}"));
        assert!(form.scope.is_none() && form.client.is_none());
    }

    #[test]
    fn a_repeated_parameter_is_refused() {
        for name in
            ["grant_type", "client_id", "client_secret", "username", "password", "refresh_token", "scope", "resource"]
        {
            let refusal = read(None, &format!("client_id=c&{name}=a&{name}=a")).err().unwrap();
            assert_eq!(refusal.code, ErrorCode::InvalidRequest, "{name}");
        }
        assert!(read(None, "unknown=1&unknown=2").is_ok());
    }

    #[test]
    fn a_form_that_is_too_long_is_refused() {
        assert!(read(None, &format!("x={}", "a".repeat(FORM_BYTES_MAX))).is_err());
    }

    #[test]
    fn the_client_comes_from_the_form_or_the_header() {
        let expected = |basic| Some(("id".to_owned(), Some("s:1".to_owned()), basic));
        assert_eq!(client(None, "client_id=id&client_secret=s%3A1"), expected(false));
        assert_eq!(client(Some(&basic("id:s:1")), ""), expected(true));
        assert_eq!(client(Some(&basic("id:s%3A1")), "client_id=id"), expected(true));
        assert_eq!(client(Some(&basic("id:s:1")), "client_id=id&client_secret=s%3A1"), expected(true));
        assert_eq!(client(Some("basic aWQ6"), ""), Some(("id".to_owned(), None, true)));
        assert_eq!(client(Some("Bearer x"), "client_id=id"), Some(("id".to_owned(), None, false)));
        assert_eq!(client(None, ""), None);
    }

    #[test]
    fn contradicting_or_unreadable_clients_are_refused() {
        for (authorization, body) in [
            (Some(basic("id:secret")), "client_id=other"),
            (Some(basic("id:secret")), "client_secret=other"),
            (Some(basic("id:")), "client_secret=other"),
            (Some(basic("no colon")), ""),
            (Some("Basic !!!".to_owned()), ""),
            (Some("Basic /////w==".to_owned()), ""),
            (None, "client_secret=alone"),
        ] {
            let refusal = read(authorization.as_deref(), body).err().unwrap();
            assert_eq!(refusal.code, ErrorCode::InvalidRequest, "{authorization:?} {body}");
        }
        assert_eq!(read(None, "client_assertion=x").err().unwrap().code, ErrorCode::InvalidClient);
    }

    fn target(version: ProtocolVersion, form: TokenForm) -> Result<Target, Refusal> {
        let site = Site::demo();
        form.target(version, &site.root, &site.addresses)
    }

    #[test]
    fn every_spelling_of_our_own_address_is_understood() {
        let root = "http://127.0.0.1:8080/demo";
        for (scope, audience) in [
            ("http://127.0.0.1:8080/demo/.default", root),
            ("http://127.0.0.1:8080/demo//.default", root),
            ("HTTP://127.0.0.1:8080/demo/user_impersonation", root),
            ("http://127.0.0.1:8080/.default", "http://127.0.0.1:8080"),
            ("http://127.0.0.1:8080//.default", "http://127.0.0.1:8080"),
            ("https://crm.example:443/demo/.default", "https://crm.example/demo"),
            ("https://demo.crm.example/.default openid profile", "https://demo.crm.example"),
            ("offline_access", root),
            ("openid", root),
            ("http://127.0.0.1:8080/demo/.default http://127.0.0.1:8080/demo//user_impersonation", root),
        ] {
            let form = TokenForm { scope: Some(scope.to_owned()), ..Default::default() };
            let target = target(ProtocolVersion::V2, form).unwrap();
            assert_eq!(target.audience.as_str(), audience, "{scope}");
            assert_eq!(target.offline_access, scope.contains("offline_access"));
            assert!(!target.scope.is_empty() && !target.scope.contains("openid"));
        }
        for (resource, audience) in [
            ("http://127.0.0.1:8080/demo", root),
            ("http://127.0.0.1:8080/demo/", root),
            ("https://crm.example/", "https://crm.example"),
        ] {
            let form = TokenForm { resource: Some(resource.to_owned()), ..Default::default() };
            let target = target(ProtocolVersion::V1, form).unwrap();
            assert_eq!(target.audience.as_str(), audience);
            assert!(target.offline_access, "the older protocol always gives a refresh token");
        }
        let nothing = target(ProtocolVersion::V2, TokenForm::default()).unwrap();
        assert_eq!((nothing.audience.as_str(), nothing.scope.as_str()), (root, "http://127.0.0.1:8080/demo/.default"));
        let both = TokenForm {
            scope: Some(format!("{root}/.default")),
            resource: Some("http://127.0.0.1:8080/".to_owned()),
            ..Default::default()
        };
        assert_eq!(target(ProtocolVersion::V1, both).unwrap().audience.as_str(), "http://127.0.0.1:8080");
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        for scope in [
            "http://127.0.0.1:8080/other/.default",
            "http://127.0.0.1:8081/demo/.default",
            "https://127.0.0.1:8080/demo/.default",
            "http://127.0.0.1:8080/demo/User.Read",
            "http://127.0.0.1:8080/demo",
            "https://graph.example/.default",
            "User.Read",
            ".default",
            "/.default",
            "http://127.0.0.1:8080/demo/.default http://127.0.0.1:8080/.default",
        ] {
            let form = TokenForm { scope: Some(scope.to_owned()), ..Default::default() };
            assert_eq!(target(ProtocolVersion::V2, form).unwrap_err().code, ErrorCode::InvalidScope, "{scope}");
        }
        for resource in ["https://elsewhere.example", "demo", "http://127.0.0.1:8080/other"] {
            let form = TokenForm { resource: Some(resource.to_owned()), ..Default::default() };
            assert_eq!(target(ProtocolVersion::V1, form).unwrap_err().code, ErrorCode::InvalidResource, "{resource}");
        }
    }
}
