//! The token endpoint's answer that gives a token (RFC 6749 section 5.1).

use serde::Serialize;
use zeroize::Zeroizing;

use crate::Error;
use crate::address::{Address, ProtocolVersion};

/// What a successful sign-in is answered with.
pub struct TokenResponse {
    /// Decides the form of the body.
    pub version: ProtocolVersion,
    /// The bearer token.
    pub access_token: String,
    /// When it was made, in seconds since 1970.
    pub issued: i64,
    /// How long it lives.
    pub lifetime_seconds: i64,
    /// What it is for.
    pub audience: Address,
    /// The granted scopes.
    pub scope: String,
    /// What the next one is got with.
    pub refresh_token: Option<Zeroizing<String>>,
}

impl TokenResponse {
    /// The JSON body: numbers in the present protocol, strings in the older one, as its clients know it. Send it with
    /// `Cache-Control: no-store`.
    ///
    /// # Errors
    /// [`Error::Failed`] never in practice: the form has only texts and numbers.
    pub fn body(&self) -> Result<Vec<u8>, Error> {
        let refresh_token = self.refresh_token.as_ref().map(|token| token.as_str());
        let body = match self.version {
            ProtocolVersion::V1 => serde_json::to_vec(&BodyV1 {
                token_type: "Bearer",
                expires_in: self.lifetime_seconds.to_string(),
                ext_expires_in: self.lifetime_seconds.to_string(),
                expires_on: self.issued.saturating_add(self.lifetime_seconds).to_string(),
                not_before: self.issued.to_string(),
                resource: &self.audience,
                access_token: &self.access_token,
                refresh_token,
            }),
            ProtocolVersion::V2 => serde_json::to_vec(&BodyV2 {
                token_type: "Bearer",
                scope: &self.scope,
                expires_in: self.lifetime_seconds,
                ext_expires_in: self.lifetime_seconds,
                access_token: &self.access_token,
                refresh_token,
            }),
        };
        body.map_err(|_| Error::Failed { what: "write the token endpoint's answer" })
    }
}

impl std::fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenResponse").field("audience", &self.audience).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct BodyV1<'a> {
    token_type: &'static str,
    expires_in: String,
    ext_expires_in: String,
    expires_on: String,
    not_before: String,
    resource: &'a Address,
    access_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
}

#[derive(Serialize)]
struct BodyV2<'a> {
    token_type: &'static str,
    scope: &'a str,
    expires_in: i64,
    ext_expires_in: i64,
    access_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
}

impl Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
