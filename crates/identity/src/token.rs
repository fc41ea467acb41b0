//! Access tokens: JSON Web Tokens signed with RS256, issued and verified here.
//!
//! The form is small and fixed (one algorithm, chosen by the key and not by the token), so it is written directly over
//! the cryptographic library that the project has anyway: no general JWT library with its families of algorithms has
//! to be configured into refusing them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::address::{Address, Addresses, ProtocolVersion};
use crate::principal::{Guid, Principal, SignInMethod};
use crate::random::random_guid;
use crate::{Error, KeySet, RandomSource};

/// How long a token from the token endpoint lives: an hour.
pub const LIFETIME_SECONDS: i64 = 3600;
/// How long a token can live at most (`custodia token --ttl`): 7 days. Replaced signing keys are kept that long.
pub const LIFETIME_SECONDS_MAX: i64 = 7 * 24 * 3600;
/// How far the clocks of two nodes may differ.
pub const LEEWAY_SECONDS: i64 = 60;
/// A longer token is refused unread: ours have about 1 KB, the rest is room for long names.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

const ALGORITHM: &str = "RS256";
const TYPE: &str = "JWT";

/// Why a token was refused. [`TokenFault::description`] is safe to send to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenFault {
    /// Not three parts of base64url JSON, or a claim is missing or of the wrong kind.
    #[error("it is not a token of this service")]
    Malformed,
    /// Signed in another way than our keys sign, or not at all.
    #[error("its signature algorithm is not {ALGORITHM}")]
    Algorithm,
    /// Signed with a key that is not in the set. Another node may have rotated: load the set once and try again.
    #[error("its signing key is not known")]
    UnknownKey,
    /// The signature does not fit.
    #[error("its signature is wrong")]
    Signature,
    /// Issued by somebody else.
    #[error("it was issued elsewhere")]
    Issuer,
    /// Meant for another service.
    #[error("it is meant for another audience")]
    Audience,
    /// Issued for another organisation than the one addressed. A security event.
    #[error("it belongs to another organisation")]
    Organization,
    /// Its time is over; Dataverse clients know this by code 0x8005F101.
    #[error("it has expired")]
    Expired,
    /// Its time has not come: clocks differ by more than [`LEEWAY_SECONDS`].
    #[error("it is not valid yet")]
    NotYetValid,
    /// Issued before its user's or organisation's `not_before`.
    #[error("it was revoked")]
    Revoked,
}

impl TokenFault {
    /// Every fault, for tables and tests.
    pub const ALL: &'static [Self] = &[
        Self::Malformed,
        Self::Algorithm,
        Self::UnknownKey,
        Self::Signature,
        Self::Issuer,
        Self::Audience,
        Self::Organization,
        Self::Expired,
        Self::NotYetValid,
        Self::Revoked,
    ];

    /// A sentence for the client. It does not tell a forger which check failed; what the holder of a real token can
    /// act on is told.
    #[must_use]
    pub fn description(&self) -> &'static str {
        match self {
            Self::Expired => "The token has expired.",
            Self::Revoked => "The token was revoked. Sign in again.",
            Self::NotYetValid => "The token is not valid yet.",
            Self::Audience | Self::Organization => "The token was issued for another resource.",
            Self::Malformed | Self::Algorithm | Self::UnknownKey | Self::Signature | Self::Issuer => {
                "The token is not valid."
            }
        }
    }
}

/// What a token is to say.
#[derive(Clone, Copy, Debug)]
pub struct TokenContent<'a> {
    /// The organisation it opens.
    pub organization: Guid,
    /// The root of that organisation; makes the issuer.
    pub root: &'a Address,
    /// Which generation of the protocol asked for it; makes the issuer and `ver`.
    pub version: ProtocolVersion,
    /// What it may be used at.
    pub audience: &'a Address,
    /// On whose behalf it is used.
    pub user: Guid,
    /// The user's sign-in name; information for people who look into tokens, never read back.
    pub user_name: &'a str,
    /// The application that proved itself.
    pub application: Option<Guid>,
    /// How the sign-in was proved.
    pub method: SignInMethod,
    /// How long it lives, 1 to [`LIFETIME_SECONDS_MAX`].
    pub lifetime_seconds: i64,
    /// Tokens of this user issued before that moment are revoked (seconds since 1970); a token issued in the same
    /// second as the revocation says that it was issued after.
    pub tokens_not_before: i64,
}

/// A token that was just made.
pub struct IssuedToken {
    /// The token itself.
    pub text: String,
    /// Who its bearer is.
    pub principal: Principal,
}

impl std::fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedToken").field("principal", &self.principal).finish_non_exhaustive()
    }
}

/// Makes a token. Signing takes about a millisecond.
///
/// # Errors
/// [`Error::Lifetime`] if it would live too long; [`Error::Failed`] if the cryptographic library fails.
pub fn issue_token(
    content: &TokenContent<'_>,
    keys: &KeySet,
    random: &dyn RandomSource,
    now: i64,
) -> Result<IssuedToken, Error> {
    if !(1..=LIFETIME_SECONDS_MAX).contains(&content.lifetime_seconds) {
        return Err(Error::Lifetime { asked: content.lifetime_seconds });
    }
    let principal = Principal {
        organization: content.organization,
        user: content.user,
        application: content.application,
        method: content.method,
        token_id: random_guid(random),
        issued: now.max(content.tokens_not_before),
        expires: now.saturating_add(content.lifetime_seconds),
    };
    let key = keys.active();
    let is_application = content.method == SignInMethod::ClientSecret;
    let header = IssuedHeader { typ: TYPE, alg: ALGORITHM, kid: key.id() };
    let claims = IssuedClaims {
        aud: content.audience.as_str(),
        iss: &content.root.issuer(content.version),
        iat: principal.issued,
        nbf: now,
        exp: principal.expires,
        tid: principal.organization,
        oid: principal.user,
        sub: principal.user,
        upn: (!is_application).then_some(content.user_name),
        appid: principal.application,
        idtyp: if is_application { "app" } else { "user" },
        scp: (!is_application).then_some("user_impersonation"),
        amr: [principal.method],
        jti: principal.token_id,
        ver: match content.version {
            ProtocolVersion::V1 => "1.0",
            ProtocolVersion::V2 => "2.0",
        },
    };
    let mut text = encode_part(&header)?;
    text.push('.');
    text.push_str(&encode_part(&claims)?);
    let signature = key.sign(text.as_bytes())?;
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut text);
    Ok(IssuedToken { text, principal })
}

/// Where a token is used.
#[derive(Clone, Copy, Debug)]
pub struct TokenUse<'a> {
    /// The organisation of the request's address.
    pub organization: Guid,
    /// All addresses of that organisation.
    pub addresses: &'a Addresses,
}

/// Verifies a token from scratch; takes tens of microseconds. Requests go through [`crate::VerifiedTokens`], which
/// also knows what was revoked.
///
/// # Errors
/// The first fault found. Nothing of the token is believed before its signature is checked.
pub fn verify_token(token: &str, keys: &KeySet, used: &TokenUse<'_>, now: i64) -> Result<Principal, TokenFault> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenFault::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(TokenFault::Malformed)?;
    let header: ReadHeader = decode_part(header)?;
    if header.alg != ALGORITHM {
        return Err(TokenFault::Algorithm);
    }
    // RFC 7515 section 4.1.11: what is critical and not understood has to be refused.
    if header.crit.is_some() || header.typ.is_some_and(|typ| !typ.eq_ignore_ascii_case(TYPE)) {
        return Err(TokenFault::Malformed);
    }
    let key = keys.find(&header.kid, now).ok_or(TokenFault::UnknownKey)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenFault::Malformed)?;
    if !key.is_signature(signed.as_bytes(), &signature) {
        return Err(TokenFault::Signature);
    }
    decode_part::<ReadClaims>(claims)?.check(used, now)
}

#[derive(Serialize)]
struct IssuedHeader<'a> {
    typ: &'static str,
    alg: &'static str,
    kid: &'a str,
}

#[derive(Deserialize)]
struct ReadHeader {
    #[serde(default)]
    typ: Option<String>,
    alg: String,
    kid: String,
    #[serde(default)]
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Serialize)]
struct IssuedClaims<'a> {
    aud: &'a str,
    iss: &'a str,
    iat: i64,
    nbf: i64,
    exp: i64,
    tid: Guid,
    oid: Guid,
    sub: Guid,
    #[serde(skip_serializing_if = "Option::is_none")]
    upn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    appid: Option<Guid>,
    idtyp: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scp: Option<&'static str>,
    amr: [SignInMethod; 1],
    jti: Guid,
    ver: &'static str,
}

#[derive(Deserialize)]
struct ReadClaims {
    aud: String,
    iss: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    tid: Guid,
    oid: Guid,
    sub: Guid,
    #[serde(default)]
    appid: Option<Guid>,
    amr: [SignInMethod; 1],
    jti: Guid,
}

impl ReadClaims {
    fn check(self, used: &TokenUse<'_>, now: i64) -> Result<Principal, TokenFault> {
        if self.tid != used.organization {
            return Err(TokenFault::Organization);
        }
        if !used.addresses.accepts_issuer(&self.iss) {
            return Err(TokenFault::Issuer);
        }
        if !used.addresses.accepts_audience_text(&self.aud) {
            return Err(TokenFault::Audience);
        }
        if self.sub != self.oid {
            return Err(TokenFault::Malformed);
        }
        let [method] = self.amr;
        let principal = Principal {
            organization: self.tid,
            user: self.oid,
            application: self.appid,
            method,
            token_id: self.jti,
            issued: self.iat,
            expires: self.exp,
        };
        if is_over(&principal, now) {
            return Err(TokenFault::Expired);
        }
        // `iat` bounds nothing: it may lie ahead, where tokens of the user were ended while the clock was.
        if self.nbf > now.saturating_add(LEEWAY_SECONDS) {
            return Err(TokenFault::NotYetValid);
        }
        Ok(principal)
    }
}

/// Whether a token's time is over on this node's clock.
pub(crate) fn is_over(principal: &Principal, now: i64) -> bool {
    now >= principal.expires.saturating_add(LEEWAY_SECONDS)
}

fn encode_part(part: &impl Serialize) -> Result<String, Error> {
    let json = serde_json::to_vec(part).map_err(|_| Error::Failed { what: "write a token" })?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

fn decode_part<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, TokenFault> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFault::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| TokenFault::Malformed)
}

#[cfg(test)]
mod tests;
