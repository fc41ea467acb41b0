//! The document that tells client libraries where to sign in (OpenID Connect Discovery 1.0, RFC 8414).

use serde::Serialize;

use crate::address::{Address, ProtocolVersion};
use crate::{Error, ErrorCode};

/// Which endpoints are served beside the token endpoint. What is not served is not named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// `/oauth2/v2.0/devicecode`.
    pub device_code: bool,
    /// Whether the authorisation endpoint gives out codes. It is named in any case: see [`discovery_document`].
    pub authorization_code: bool,
}

/// The answer of the authorisation endpoint as long as it gives out no codes: HTTP 400 with this error. There is no
/// redirect, since the address to go back to is unchecked.
pub const AUTHORIZATION_REFUSAL: (ErrorCode, &str) = (
    ErrorCode::UnsupportedResponseType,
    "Sign-in through a browser window is not available here: use the password or client_credentials grant.",
);

/// `openid-configuration` of the organisation at `root`, for `{root}/v2.0/.well-known/openid-configuration` and
/// `{root}/.well-known/openid-configuration`.
///
/// `authorization_endpoint` is always named: client libraries refuse a document without it even when they never go
/// there.
///
/// # Errors
/// [`Error::Failed`] never in practice: the form has only text.
pub fn discovery_document(root: &Address, version: ProtocolVersion, served: Served) -> Result<Vec<u8>, Error> {
    let (oauth2, discovery) = match version {
        ProtocolVersion::V1 => ("oauth2", "discovery"),
        ProtocolVersion::V2 => ("oauth2/v2.0", "discovery/v2.0"),
    };
    let mut grants = vec!["client_credentials", "password", "refresh_token"];
    let mut response_types = Vec::new();
    if served.authorization_code {
        grants.push("authorization_code");
        response_types.push("code");
    }
    if served.device_code {
        grants.push("urn:ietf:params:oauth:grant-type:device_code");
    }
    let document = Document {
        issuer: root.issuer(version),
        authorization_endpoint: format!("{root}/{oauth2}/authorize"),
        token_endpoint: format!("{root}/{oauth2}/token"),
        device_authorization_endpoint: served.device_code.then(|| format!("{root}/{oauth2}/devicecode")),
        jwks_uri: format!("{root}/{discovery}/keys"),
        token_endpoint_auth_methods_supported: ["client_secret_post", "client_secret_basic"],
        grant_types_supported: grants,
        response_types_supported: response_types,
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["RS256"],
        scopes_supported: vec![
            format!("{root}/.default"),
            format!("{root}/user_impersonation"),
            "offline_access".to_owned(),
        ],
        claims_supported: CLAIMS,
    };
    serde_json::to_vec(&document).map_err(|_| Error::Failed { what: "write the discovery document" })
}

const CLAIMS: &[&str] =
    &["amr", "appid", "aud", "exp", "iat", "idtyp", "iss", "jti", "nbf", "oid", "scp", "sub", "tid", "upn", "ver"];

#[derive(Serialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_authorization_endpoint: Option<String>,
    jwks_uri: String,
    token_endpoint_auth_methods_supported: [&'static str; 2],
    grant_types_supported: Vec<&'static str>,
    response_types_supported: Vec<&'static str>,
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 1],
    scopes_supported: Vec<String>,
    claims_supported: &'static [&'static str],
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn document(version: ProtocolVersion, served: Served) -> Value {
        let root = Address::parse("https://crm.example/demo").unwrap();
        serde_json::from_slice(&discovery_document(&root, version, served).unwrap()).unwrap()
    }

    #[test]
    fn each_version_names_its_own_paths() {
        let v2 = document(ProtocolVersion::V2, Served::default());
        assert_eq!(v2["issuer"], "https://crm.example/demo/v2.0");
        assert_eq!(v2["token_endpoint"], "https://crm.example/demo/oauth2/v2.0/token");
        assert_eq!(v2["authorization_endpoint"], "https://crm.example/demo/oauth2/v2.0/authorize");
        assert_eq!(v2["jwks_uri"], "https://crm.example/demo/discovery/v2.0/keys");
        let v1 = document(ProtocolVersion::V1, Served::default());
        assert_eq!(v1["issuer"], "https://crm.example/demo/");
        assert_eq!(v1["token_endpoint"], "https://crm.example/demo/oauth2/token");
        assert_eq!(v1["authorization_endpoint"], "https://crm.example/demo/oauth2/authorize");
        assert_eq!(v1["jwks_uri"], "https://crm.example/demo/discovery/keys");
    }

    #[test]
    fn what_is_not_served_is_not_named() {
        let little = document(ProtocolVersion::V2, Served::default());
        assert!(little.get("device_authorization_endpoint").is_none());
        assert_eq!(little["grant_types_supported"].as_array().unwrap().len(), 3);
        assert!(little["response_types_supported"].as_array().unwrap().is_empty());
        let much = document(ProtocolVersion::V2, Served { device_code: true, authorization_code: true });
        assert_eq!(much["device_authorization_endpoint"], "https://crm.example/demo/oauth2/v2.0/devicecode");
        assert_eq!(much["grant_types_supported"].as_array().unwrap().len(), 5);
        assert_eq!(much["response_types_supported"][0], "code");
    }
}
